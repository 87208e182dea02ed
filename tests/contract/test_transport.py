"""The outbound client against servers that do exactly what is scripted."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import socket
import zlib
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.rawserver import Client, Server, reply, serving
from turnout.upstream.dialing import Address, connect_first
from turnout.upstream.transport import Limits, Origin, Response, Timeouts, Transport, TransportError

EVENT_LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}  # every test runs on both
HEAD = b"POST /x HTTP/1.1\r\nhost: test\r\n"
QUICK = Timeouts(connect_s=0.5, tls_s=0.5, first_byte_s=0.15, stall_s=0.15, total_s=5.0)
LONG = Timeouts()
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    made = Transport()
    yield made
    await made.close()
    await asyncio.sleep(0)
    assert made.stats.open == 0, "a connection is not accounted for"
    assert made.stats.idle == 0


async def ask(
    transport: Transport, server: Server, body: bytes = b"{}", timeouts: Timeouts = LONG
) -> Response:
    return await asyncio.wait_for(transport.request(server.origin, HEAD, body, timeouts), 20)


async def fails(transport: Transport, server: Server, timeouts: Timeouts = LONG) -> TransportError:
    with pytest.raises(TransportError) as caught:
        response = await ask(transport, server, timeouts=timeouts)
        await asyncio.wait_for(response.read_all(), 20)
    return caught.value


async def echo(client: Client) -> None:
    while True:
        _, body = await client.request()
        await client.send(reply(body, b"x-connection: %d" % client.number))


async def test_a_request_is_sent_whole_and_answered(transport: Transport) -> None:
    seen: list[bytes] = []

    async def script(client: Client) -> None:
        head, body = await client.request()
        seen.extend([head, body])
        await client.send(reply(b"answer", b"X-Name: Value", status=b"201 Created"))

    async with serving(script) as server:
        response = await ask(transport, server, b"question")
        assert (response.status, await response.read_all()) == (201, b"answer")
        assert response.header(b"x-name") == b"Value"
        assert response.framed
    assert seen == [HEAD + b"content-length: 8\r\n\r\n", b"question"]


async def test_connections_are_reused_the_warmest_first(transport: Transport) -> None:
    async with serving(echo) as server:
        first, second = await asyncio.gather(ask(transport, server), ask(transport, server))
        await first.read_all()
        await second.read_all()
        used = set()
        for _ in range(5):
            response = await ask(transport, server)
            await response.read_all()
            used.add(response.header(b"x-connection"))
        assert len(used) == 1  # whichever of the two finished last
        assert (server.accepted, transport.stats.open, transport.stats.idle) == (2, 2, 2)
        assert transport.stats.reused_total == 5


async def test_a_stale_connection_is_replaced_once(transport: Transport) -> None:
    async def once(client: Client) -> None:
        _, body = await client.request()
        await client.send(reply(body))
        await client.request()
        client.writer.transport.abort()  # the second request on a connection is never answered

    async with serving(once) as server:
        for _ in range(4):
            assert await (await ask(transport, server, b"q")).read_all() == b"q"
        assert server.accepted == 4


async def test_a_fresh_connection_that_is_closed_is_not_tried_again(transport: Transport) -> None:
    async def rude(client: Client) -> None:
        await client.request()
        client.writer.transport.abort()

    async with serving(rude) as server:
        error = await fails(transport, server)
        assert (error.phase, error.request_sent, error.bytes_received) == ("reset", True, 0)
        assert server.accepted == 1


async def test_a_reused_connection_that_fails_after_a_byte_is_not_tried_again(transport: Transport) -> None:
    async def script(client: Client) -> None:
        _, body = await client.request()
        await client.send(reply(body))
        await client.request()
        await client.send(b"HTTP/1.1 2")

    async with serving(script) as server:
        await (await ask(transport, server)).read_all()
        assert (await fails(transport, server)).phase == "truncated"
        assert server.accepted == 1


@pytest.mark.parametrize(
    ("sent", "phase"),
    [
        (b"", "first_byte_timeout"),
        (b"HTTP/1.1 200 OK\r\n", "first_byte_timeout"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n", "stall"),
        (CHUNKED + b"3\r\nabc\r\n", "stall"),
    ],
)
async def test_a_silent_server_is_not_waited_for(transport: Transport, sent: bytes, phase: str) -> None:
    noticed = asyncio.Event()

    async def script(client: Client) -> None:
        await client.request()
        await client.send(sent)
        await client.gone()
        noticed.set()

    async with serving(script) as server:
        assert (await fails(transport, server, QUICK)).phase == phase
        await asyncio.wait_for(noticed.wait(), 5)


async def test_trickling_does_not_extend_the_total(transport: Transport) -> None:
    async def script(client: Client) -> None:
        await client.request()
        await client.send(CHUNKED)
        while True:
            await client.send(b"1\r\nx\r\n")
            await asyncio.sleep(0.02)

    async with serving(script) as server:
        timeouts = Timeouts(first_byte_s=5, stall_s=5, total_s=0.2)
        assert (await fails(transport, server, timeouts)).phase == "total"


async def test_a_deadline_that_the_caller_sets_is_not_moved_by_bytes(transport: Transport) -> None:
    async def script(client: Client) -> None:
        await client.request()
        await client.send(CHUNKED)
        while True:
            await client.send(b"1\r\nx\r\n")
            await asyncio.sleep(0.02)

    async with serving(script) as server:
        response = await ask(transport, server)
        response.automatic = False
        response.deadline = asyncio.get_running_loop().time() + 0.1
        with pytest.raises(TransportError) as caught:
            await asyncio.wait_for(response.read_all(), 10)
        assert caught.value.phase == "stall"


async def test_a_port_where_nobody_listens(transport: Transport) -> None:
    async with serving(echo) as server:
        origin = server.origin
    with pytest.raises(TransportError) as caught:
        await transport.request(origin, HEAD, b"", LONG)
    assert (caught.value.phase, caught.value.request_sent) == ("connect", False)


async def test_a_host_that_does_not_exist(transport: Transport) -> None:
    with pytest.raises(TransportError) as caught:
        await transport.request(Origin("http", "no-such-host.invalid", 80), HEAD, b"", LONG)
    assert caught.value.phase in ("connect", "connect_timeout")


@pytest.mark.parametrize(
    ("sent", "phase"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", "truncated"),
        (CHUNKED + b"5\r\nab", "truncated"),
        (CHUNKED + b"2\r\nab\r\n", "truncated"),
        (CHUNKED + b"zz\r\n", "malformed"),
        (b"nonsense\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000, "malformed"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 400 + b"\r\n", "malformed"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 50, "malformed"),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd", "malformed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length : 1\r\n\r\na", "malformed"),
        (b"HTTP/1.1 099 Odd\r\ncontent-length: 0\r\n\r\n", "malformed"),
        (CHUNKED + b"1\r\nx\r\n0\r\n" + b"x: y\r\n" * 40_000, "malformed"),
        (CHUNKED + b"1;" + b"x" * 300_000, "malformed"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nabcd", "malformed"),
    ],
)
async def test_a_body_that_is_not_whole_or_not_http_is_never_an_answer(
    transport: Transport, sent: bytes, phase: str
) -> None:
    async def script(client: Client) -> None:
        await client.request()
        await client.send(sent)

    async with serving(script) as server:
        assert (await fails(transport, server)).phase == phase


@pytest.mark.parametrize("header", [b"", b"transfer-encoding: identity\r\n"])
async def test_a_body_that_ends_with_the_connection_is_not_framed(
    transport: Transport, header: bytes
) -> None:
    async def script(client: Client) -> None:
        await client.request()
        await client.send(b"HTTP/1.1 200 OK\r\n" + header + b"\r\nall of it")

    async with serving(script) as server:
        response = await ask(transport, server)
        assert await response.read_all() == b"all of it"
        assert not response.framed


async def test_informational_responses_are_skipped(transport: Transport) -> None:
    async def script(client: Client) -> None:
        await client.request()
        await client.send(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + reply(b"ok")
        )

    async with serving(script) as server:
        response = await ask(transport, server)
        assert (response.status, await response.read_all(), response.header(b"link")) == (200, b"ok", None)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_responses_without_a_body(transport: Transport, status: bytes) -> None:
    async def script(client: Client) -> None:
        for _ in range(2):
            await client.request()
            await client.send(b"HTTP/1.1 " + status + b"\r\n\r\n")

    async with serving(script) as server:
        for _ in range(2):
            assert await (await ask(transport, server)).read_all() == b""
        assert server.accepted == 1


BODY = b'data: {"a": "b"}\n\ndata: [DONE]\n\n'
WIRE = (
    CHUNKED
    + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:7], BODY[7:20], BODY[20:]))
    + b"0\r\n\r\n"
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, len(WIRE) - 1), max_size=8))
def test_any_split_of_the_bytes_is_the_same_body(cuts: list[int]) -> None:
    edges = [0, *sorted(set(cuts)), len(WIRE)]

    async def script(client: Client) -> None:
        await client.request()
        for begin, end in itertools.pairwise(edges):
            await client.send(WIRE[begin:end])
            await asyncio.sleep(0)

    async def main() -> None:
        made = Transport()
        async with serving(script) as server:
            assert await (await ask(made, server)).read_all() == BODY
        await made.close()

    asyncio.run(main())


async def test_bytes_after_the_end_cost_the_connection(transport: Transport) -> None:
    async def script(client: Client) -> None:
        await client.request()
        await client.send(reply(b"one") + reply(b"two"))
        await client.gone()

    async with serving(script) as server:
        for _ in range(2):
            assert await (await ask(transport, server)).read_all() == b"one"
        assert server.accepted == 2


async def test_unasked_bytes_on_an_idle_connection_cost_it(transport: Transport) -> None:
    async def script(client: Client) -> None:
        await client.request()
        await client.send(reply(b"one"))
        await asyncio.sleep(0.05)
        await client.send(reply(b"smuggled"))
        await client.gone()

    async with serving(script) as server:
        assert await (await ask(transport, server)).read_all() == b"one"
        await asyncio.sleep(0.2)
        assert await (await ask(transport, server)).read_all() == b"one"
        assert server.accepted == 2


async def test_bytes_after_a_connection_close_are_nobodys(transport: Transport) -> None:
    async def script(client: Client) -> None:
        await client.request()
        await client.send(reply(b"bye", b"connection: close") + b"junk")
        await client.gone()

    async with serving(script) as server:
        assert await (await ask(transport, server)).read_all() == b"bye"
        assert transport.stats.open == 0


async def test_trailers_are_read_over(transport: Transport) -> None:
    async def script(client: Client) -> None:
        for _ in range(3):
            await client.request()
            await client.send(CHUNKED + b"2\r\nok\r\n0\r\nx-late: 1\r\ny-late: 2\r\n\r\n")

    async with serving(script) as server:
        for _ in range(3):
            response = await ask(transport, server)
            assert await response.read_all() == b"ok"
            assert response.headers == [(b"transfer-encoding", b"chunked")]
        assert server.accepted == 1


async def test_connection_close_is_obeyed(transport: Transport) -> None:
    async def script(client: Client) -> None:
        await client.request()
        await client.send(reply(b"bye", b"connection: close"))
        await client.gone()

    async with serving(script) as server:
        for _ in range(3):
            assert await (await ask(transport, server)).read_all() == b"bye"
        assert server.accepted == 3


@pytest.mark.parametrize("stage", ["head", "body"])
async def test_cancelling_closes_the_socket_at_once(transport: Transport, stage: str) -> None:
    noticed = asyncio.Event()
    waiting = asyncio.Event()

    async def script(client: Client) -> None:
        await client.request()
        if stage == "body":
            await client.send(CHUNKED + b"1\r\nx\r\n")
        waiting.set()
        await client.gone()
        noticed.set()

    async with serving(script) as server:

        async def read() -> None:
            await (await ask(transport, server)).read_all()

        task = asyncio.create_task(read())
        await waiting.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(noticed.wait(), 5)
        assert transport.stats.open == 0


async def test_abort_is_idempotent_and_harmless_after_the_end(transport: Transport) -> None:
    async with serving(echo) as server:
        response = await ask(transport, server)
        await response.read_all()
        response.abort()
        response.abort()
        assert transport.stats.idle == 1


async def test_abort_in_the_middle_is_an_error_for_the_reader(transport: Transport) -> None:
    async def script(client: Client) -> None:
        await client.request()
        await client.send(CHUNKED + b"1\r\nx\r\n")
        await client.gone()

    async with serving(script) as server:
        response = await ask(transport, server)
        response.abort()
        response.abort()
        with pytest.raises(TransportError) as caught:
            await response.read_all()
        assert caught.value.phase == "closed"


async def test_a_slow_reader_bounds_memory_and_loses_nothing() -> None:
    transport = Transport(Limits(buffered_bytes_high_water=64 * 1024))
    size = 20 * 1024 * 1024

    async def script(client: Client) -> None:
        await client.request()
        await client.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size // 65536):
            await client.send(b"x" * 65536)
        await client.gone()

    async with serving(script) as server:
        response = await ask(transport, server)
        await asyncio.sleep(0.3)
        assert response.bytes_received < 8 * 1024 * 1024
        total = 0
        while data := await response.read():
            total += len(data)
            assert len(data) < 2 * 1024 * 1024
        assert total == size
    await transport.close()


async def test_read_all_is_bounded() -> None:
    transport = Transport(Limits(body_bytes_max=1000))

    async def script(client: Client) -> None:
        await client.request()
        await client.send(reply(b"x" * 5000))

    async with serving(script) as server:
        assert (await fails(transport, server)).phase == "too_large"
    await transport.close()


PLAIN = b"hello " * 1000 + b"\0" * 3_000_000


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data)[2:-4]


def members(data: bytes) -> bytes:
    return gzip.compress(data[:4000]) + gzip.compress(data[4000:])


ENCODINGS = pytest.mark.parametrize(
    ("encode", "name"),
    [(gzip.compress, b"gzip"), (members, b"GZIP"), (zlib.compress, b"deflate"), (raw_deflate, b"deflate")],
)


@ENCODINGS
@pytest.mark.parametrize("piece", [1, 997, 1 << 20])
async def test_compressed_bodies_are_opened(
    transport: Transport, encode: Callable[[bytes], bytes], name: bytes, piece: int
) -> None:
    packed = encode(PLAIN)

    async def script(client: Client) -> None:
        await client.request()
        await client.send(CHUNKED[:-2] + b"content-encoding: " + name + b"\r\n\r\n")
        for at in range(0, len(packed), piece):
            part = packed[at : at + piece]
            client.writer.write(b"%x\r\n%b\r\n" % (len(part), part))
        await client.send(b"0\r\n\r\n")
        await client.gone()

    async with serving(script) as server:
        assert await (await ask(transport, server)).read_all() == PLAIN
        assert transport.stats.idle == 1


@ENCODINGS
async def test_compressed_bodies_that_end_early_are_truncated(
    transport: Transport, encode: Callable[[bytes], bytes], name: bytes
) -> None:
    async def script(client: Client) -> None:
        await client.request()
        await client.send(reply(encode(PLAIN)[:-5], b"content-encoding: " + name))

    async with serving(script) as server:
        assert (await fails(transport, server)).phase == "truncated"


async def test_an_encoding_that_nobody_asked_for_tells_its_status_but_not_its_body(
    transport: Transport,
) -> None:
    async def script(client: Client) -> None:
        await client.request()
        await client.send(reply(b"xyz", b"content-encoding: br", status=b"503 Unavailable"))

    async with serving(script) as server:
        response = await ask(transport, server)
        assert response.status == 503
        for _ in range(2):
            with pytest.raises(TransportError) as caught:
                await response.read_all()
            assert caught.value.phase == "malformed"


async def test_a_decompression_bomb_is_stopped() -> None:
    transport = Transport(Limits(body_bytes_max=1024 * 1024))
    bomb = gzip.compress(b"\0" * (64 * 1024 * 1024))

    async def script(client: Client) -> None:
        await client.request()
        await client.send(reply(bomb, b"content-encoding: gzip"))
        await client.gone()

    async with serving(script) as server:
        assert (await fails(transport, server)).phase == "too_large"
    await transport.close()


async def test_connections_are_bounded_and_waiters_are_served() -> None:
    transport = Transport(Limits(connections_per_origin_max=2))

    async def script(client: Client) -> None:
        while True:
            _, body = await client.request()
            await asyncio.sleep(0.02)
            await client.send(reply(body))

    async def one(number: int, server: Server) -> bytes:
        return await (await ask(transport, server, b"%d" % number)).read_all()

    async with serving(script) as server:
        answers = await asyncio.gather(*[one(n, server) for n in range(20)])
        assert answers == [b"%d" % n for n in range(20)]
        assert server.accepted == 2
    await transport.close()


async def test_waiting_for_a_free_connection_counts_as_connecting() -> None:
    transport = Transport(Limits(connections_per_origin_max=1))

    async def script(client: Client) -> None:
        await client.request()
        await client.gone()

    async with serving(script) as server:
        holding = asyncio.create_task(ask(transport, server))
        await asyncio.sleep(0.05)
        with pytest.raises(TransportError) as caught:
            await ask(transport, server, timeouts=QUICK)
        assert caught.value.phase == "connect_timeout"
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding
    await transport.close()


async def test_a_kept_connection_that_is_handed_over_dead_is_replaced() -> None:
    """With one slot, the second request waits for the first one's connection, which then closes without an answer."""
    transport = Transport(Limits(connections_per_origin_max=1))

    async def once(client: Client) -> None:
        _, body = await client.request()
        await client.send(reply(body))
        await client.request()
        client.writer.transport.abort()

    async with serving(once) as server:
        responses = [asyncio.create_task(ask(transport, server, b"%d" % n)) for n in range(4)]
        for number, response in enumerate(responses):
            assert await (await response).read_all() == b"%d" % number
        assert server.accepted == 4
        assert transport.stats.reused_total >= 2
    await transport.close()
    assert transport.stats.open == 0


async def test_who_gives_up_waiting_leaves_the_turn_to_the_next() -> None:
    transport = Transport(Limits(connections_per_origin_max=1))
    answer = asyncio.Event()

    async def script(client: Client) -> None:
        while True:
            _, body = await client.request()
            await answer.wait()
            await client.send(reply(body))

    async def one(number: int, server: Server) -> bytes:
        return await (await ask(transport, server, b"%d" % number)).read_all()

    async with serving(script) as server:
        tasks = []
        for number in range(6):
            tasks.append(asyncio.create_task(one(number, server)))
            await asyncio.sleep(0.01)
        for task in tasks[1:3]:
            task.cancel()
        answer.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [a for a in answers if isinstance(a, bytes)] == [b"0", b"3", b"4", b"5"]
        assert (server.accepted, transport.stats.idle) == (1, 1)
    await transport.close()


async def test_idle_connections_expire() -> None:
    transport = Transport(Limits(idle_s=0.05))
    noticed = asyncio.Event()

    async def script(client: Client) -> None:
        _, body = await client.request()
        await client.send(reply(body))
        await client.gone()
        noticed.set()

    async with serving(script) as server:
        await (await ask(transport, server)).read_all()
        assert transport.stats.idle == 1
        await asyncio.wait_for(noticed.wait(), 10)
        assert (transport.stats.idle, transport.stats.open) == (0, 0)
    await transport.close()


async def test_no_more_connections_are_kept_than_allowed() -> None:
    transport = Transport(Limits(idle_per_origin_max=2))
    async with serving(echo) as server:
        responses = await asyncio.gather(*[ask(transport, server) for _ in range(5)])
        for response in responses:
            await response.read_all()
        assert (transport.stats.open, transport.stats.idle) == (2, 2)
    await transport.close()


async def test_a_request_that_could_not_leave_whole(transport: Transport) -> None:
    async def script(client: Client) -> None:
        await client.reader.readuntil(b"\r\n\r\n")
        client.writer.transport.abort()

    async with serving(script) as server:
        with pytest.raises(TransportError) as caught:
            await ask(transport, server, b"x" * 30_000_000)
        assert (caught.value.phase, caught.value.request_sent) == ("write", True)
        assert server.accepted == 1


async def test_a_reader_that_pauses_is_not_a_stall() -> None:
    transport = Transport(Limits(buffered_bytes_high_water=64 * 1024))
    size = 12 * 1024 * 1024

    async def script(client: Client) -> None:
        await client.request()
        await client.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
        await client.gone()

    async with serving(script) as server:
        response = await ask(transport, server, timeouts=Timeouts(stall_s=0.3))
        await asyncio.sleep(0.5)  # longer than `stall_s`, with far more on its way than is buffered
        assert len(await response.read_all()) == size
    await transport.close()


async def test_many_at_once(transport: Transport) -> None:
    async with serving(echo) as server:

        async def work(number: int) -> None:
            for step in range(20):
                body = b"%d-%d" % (number, step)
                assert await (await ask(transport, server, body)).read_all() == body

        await asyncio.gather(*[work(number) for number in range(32)])
        assert transport.stats.open == transport.stats.idle <= 32


async def test_an_early_answer_to_a_large_request(transport: Transport) -> None:
    async def script(client: Client) -> None:
        await client.reader.readuntil(b"\r\n\r\n")
        await client.send(reply(b"too large", b"connection: close", status=b"413 Payload Too Large"))
        await client.gone()

    async with serving(script) as server:
        response = await ask(transport, server, b"x" * 8_000_000)
        assert (response.status, await response.read_all()) == (413, b"too large")


async def test_closing_fails_what_is_under_way() -> None:
    transport = Transport()

    async def script(client: Client) -> None:
        await client.request()
        await client.gone()

    async with serving(script) as server:
        task = asyncio.create_task(ask(transport, server))
        await asyncio.sleep(0.05)
        await transport.close()
        with pytest.raises(TransportError) as caught:
            await task
        assert caught.value.phase == "closed"
        with pytest.raises(TransportError):
            await ask(transport, server)


async def test_cancelling_while_connecting_leaves_nothing(transport: Transport) -> None:
    with deaf() as address:
        task = asyncio.create_task(transport.request(Origin("http", *address), HEAD, b"", LONG))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert transport.stats.open == 0


async def test_a_server_that_does_not_accept_is_not_waited_for(transport: Transport) -> None:
    with deaf() as address, pytest.raises(TransportError) as caught:
        await transport.request(Origin("http", *address), HEAD, b"", QUICK)
    assert (caught.value.phase, caught.value.request_sent) == ("connect_timeout", False)


async def test_the_first_of_several_addresses_that_answers_is_used() -> None:
    loop = asyncio.get_running_loop()
    with deaf() as silent, socket.create_server(("127.0.0.1", 0)) as listening, closed() as refusing:
        addresses: list[Address] = [
            (socket.AF_INET, 0, address) for address in (refusing, silent, listening.getsockname())
        ]
        for order in (addresses, addresses[::-1], addresses[1:]):
            connected = await asyncio.wait_for(connect_first(order, loop), 10)
            assert connected.getpeername() == listening.getsockname()
            connected.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.wait_for(connect_first(addresses[:1] * 3, loop), 10)


@contextlib.contextmanager
def deaf() -> Iterator[tuple[str, int]]:
    """A port that is open but, its queue being full, lets connections hang."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(address)
        yield address


@contextlib.contextmanager
def closed() -> Iterator[tuple[str, int]]:
    """A port that refuses connections: bound, so nobody else gets it, but not listening."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()


def test_origins() -> None:
    assert Origin.of("https://api.example.com/v1/") == (Origin("https", "api.example.com", 443), "/v1")
    assert Origin.of("http://127.0.0.1:9000") == (Origin("http", "127.0.0.1", 9000), "")
    assert Origin.of("http://[::1]:1/x")[0].host == "::1"
    for bad in ("ftp://x", "nonsense", "", "https://"):
        with pytest.raises(ValueError, match="not an http"):
            Origin.of(bad)
