"""Which URLs are fetched at all, before anything is looked up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.upstream.fetching import URL_CHARS_MAX, Fetcher, FetchFailed, FetchRules, Place, place_of
from turnout.upstream.transport import Origin

RULES = FetchRules()
NARROW = FetchRules(
    hosts=frozenset({"cdn.example", "files.example:8443"}),
    inside=frozenset({"intranet", "intranet:8080", "[::1]:8443"}),
)


def place(url: str, rules: FetchRules = RULES) -> Place:
    return place_of(url, rules)


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("https://a.example/x.png", "a.example", "/x.png"),
        ("https://a.example", "a.example", "/"),
        ("https://a.example:443/x", "a.example", "/x"),
        ("HTTPS://A.Example./x?y=1&z=a%20b#frag", "a.example", "/x?y=1&z=a%20b"),
        ("https://a.example/café.png?q=ü", "a.example", "/caf%C3%A9.png?q=%C3%BC"),
        ("https://bücher.example/x", "xn--bcher-kva.example", "/x"),
        ("https://bücher.example:443/x", "xn--bcher-kva.example", "/x"),
        ("https://[2606:4700::1111]/x", "2606:4700::1111", "/x"),
        ("https://8.8.8.8/x", "8.8.8.8", "/x"),
    ],
)
def test_allowed(url: str, host: str, target: str) -> None:
    assert place(url) == Place(Origin("https", host, 443), target, False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x.png",
        "//a.example/x",
        "https:///x",
        "https://",
        "http://a.example/x",
        "ftp://a.example/x",
        "file:///etc/passwd",
        "gopher://a.example/x",
        "data:image/png;base64,AAAA",
        "s3://bucket/x",
        "https://user:pass@a.example/x",
        "https://user@a.example/x",
        "https://@a.example/x",
        "https://a.example:80/x",
        "https://a.example:8443/x",
        "https://a.example:0/x",
        "https://a.example:99999/x",
        "https://a.example:x/y",
        "https://a.example\\@b.example/x",
        "https://a.example/x y",
        "https://a.example/x\r\nhost: b",
        "https://a.example/x\ty",
        "https://a.example\x00.b/x",
        " https://a.example/x",
        "https://a..example/x",
        "https://.example/x",
        "https://a.example%2f@b/x",
        "https://a%2eexample/x",
        "https://a$example/x",
        "https://[::1/x",
        "https://[fe80::1%25eth0]/x",
        "https://[1.2.3.4]/x",
        "https://a.example\uff0fb/x",
        "https://" + "a" * 64 + ".example/x",
        "https://a.example/" + "x" * URL_CHARS_MAX,
    ],
)
def test_refused(url: str) -> None:
    with pytest.raises(FetchFailed):
        place(url)


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("https://cdn.example/x", False),
        ("https://files.example:8443/x", False),
        ("http://intranet/x", True),
        ("http://intranet:8080/x", True),
        ("https://intranet:8080/x", True),
        ("https://[::1]:8443/x", True),
    ],
)
def test_what_the_configuration_names(url: str, inside: bool) -> None:
    assert place(url, NARROW).inside is inside


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example/x",
        "https://cdn.example.evil/x",
        "https://evil-cdn.example/x",
        "https://cdn.example:8443/x",
        "http://cdn.example/x",
        "https://files.example/x",
        "http://intranet:81/x",
        "http://files.example:8443/x",
    ],
)
def test_what_it_does_not_name(url: str) -> None:
    with pytest.raises(FetchFailed):
        place(url, NARROW)


@given(st.text(max_size=40))
def test_no_text_breaks_out_of_the_request_line(tail: str) -> None:
    try:
        found = place("https://a.example/" + tail)
    except FetchFailed:
        return
    assert found.origin == Origin("https", "a.example", 443)
    assert found.target.isascii() and found.target.isprintable() and " " not in found.target


async def test_a_failure_tells_nothing_of_the_url_but_its_host() -> None:
    with pytest.raises(FetchFailed) as caught:
        await Fetcher(NARROW).fetch("https://other.example/private?token=secret", "image")
    assert "other.example" in caught.value.reason
    assert "secret" not in caught.value.reason and "private" not in caught.value.reason
