"""Stored responses: every bound holds, and nobody sees another's."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.edge.conversations import Conversations, Stored


def stored(name: str, size: int = 100) -> Stored:
    return Stored(name, b"x" * size, b"[]", b"[]")


def test_a_response_belongs_to_its_owner() -> None:
    store = Conversations()
    assert store.put("ann", stored("resp_1"), 0)
    assert store.get("ann", "resp_1", 1) == stored("resp_1")
    assert store.get("bob", "resp_1", 1) is None
    assert not store.delete("bob", "resp_1") and store.get("ann", "resp_1", 1) is not None
    assert not store.put("bob", stored("resp_1", 7), 1)
    assert store.get("ann", "resp_1", 1) == stored("resp_1") and store.get("bob", "resp_1", 1) is None
    assert store.delete("ann", "resp_1") and not store.delete("ann", "resp_1")
    assert store.get("ann", "resp_1", 1) is None and len(store) == 0


def test_the_least_recently_used_goes_first() -> None:
    store = Conversations(entries_max=2)
    store.put("ann", stored("a"), 0)
    store.put("ann", stored("b"), 0)
    assert store.get("ann", "a", 0) is not None
    store.put("ann", stored("c"), 0)
    assert [name for name in "abc" if store.get("ann", name, 0)] == ["a", "c"]


def test_age() -> None:
    store = Conversations(age_s_max=10)
    store.put("ann", stored("a"), 0)
    store.put("ann", stored("b"), 5)
    assert store.get("ann", "a", 9.9) is not None
    assert store.get("ann", "a", 10) is None and len(store) == 1
    assert store.expire(14) == 0 and store.expire(15) == 1 and len(store) == 0 and store.size_bytes == 0


def test_bytes() -> None:
    store = Conversations(bytes_max=3_200, entry_bytes_max=2_000)
    assert not store.put("ann", stored("large", 2_000), 0) and len(store) == 0
    assert store.put("ann", stored("a", 1_000), 0) and store.put("ann", stored("b", 1_000), 0)
    assert store.get("ann", "a", 0) is not None
    assert store.put("ann", stored("c", 1_000), 0) and store.get("ann", "b", 0) is None
    assert len(store) == 2 and store.size_bytes <= 3_200


def test_the_same_id_again_replaces_nothing() -> None:
    store = Conversations(age_s_max=10)
    assert store.put("ann", stored("a", 1_000), 0)
    assert not store.put("ann", stored("a", 10), 1)
    assert store.get("ann", "a", 1) == stored("a", 1_000) and len(store) == 1
    assert store.put("bob", stored("a", 10), 10)  # ann's is too old by then
    assert store.get("ann", "a", 11) is None and store.get("bob", "a", 11) == stored("a", 10)


def kept_by_the_provider(name: str) -> Stored:
    return Stored(name, b"{}", b"[]", b"[]", "acme")


def test_an_id_is_claimed_once_and_a_provider_that_gives_it_twice_is_not_asked_for_it_again() -> None:
    store = Conversations()
    assert store.claim("a") and store.put("ann", kept_by_the_provider("a"), 0)
    assert store.get("ann", "a", 0) == kept_by_the_provider("a")
    assert not store.claim("a")
    found = store.get("ann", "a", 0)
    assert found is not None and found.provider is None
    assert store.claim("b") and not store.claim("b")  # two on their way at once
    assert store.put("ann", kept_by_the_provider("b"), 0)
    found = store.get("ann", "b", 0)
    assert found is not None and found.provider is None


ACTS = st.tuples(
    st.sampled_from(["put", "get", "delete", "expire"]),
    st.sampled_from(["ann", "bob"]),
    st.sampled_from("abcdef"),
    st.integers(0, 900),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(ACTS, max_size=60))
def test_bounds_hold_whatever_happens(acts: list[tuple[str, str, str, int]]) -> None:
    store = Conversations(entries_max=4, bytes_max=4_000, entry_bytes_max=1_200, age_s_max=20)
    latest: dict[tuple[str, str], tuple[Stored, int]] = {}
    for now, (act, owner, name, size) in enumerate(acts):
        if act == "put":
            kept = store.put(owner, stored(name, size), now)
            if kept:
                for other in ("ann", "bob"):
                    latest.pop((other, name), None)
                latest[owner, name] = (stored(name, size), now)
        elif act == "get":
            found = store.get(owner, name, now)
            if found is not None:
                wanted, born = latest[owner, name]
                assert found == wanted and now - born < 20
        elif act == "delete":
            store.delete(owner, name)
            latest.pop((owner, name), None)
        else:
            store.expire(now)
        assert len(store) <= 4 and 0 <= store.size_bytes <= 4_000
