"""Rules by which the server misbehaves."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.dev.faults import BadRule, Event, Faults, fails, parse

GET, SET = Event(method="Email/get", account="u1", user="ann"), Event(method="Email/set", account="u2", user="bob")
ERROR = {"methodError": "serverFail"}


def fired(faults: Faults, *events: Event) -> list[str | None]:
    rules = [faults.fire(event, of="call") for event in events]
    return [rule.id if rule else None for rule in rules]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({}, [True, True]),
        ({"method": "Email/get"}, [True, False]),
        ({"method": "*/set"}, [False, True]),
        ({"account": "u1"}, [True, False]),
        ({"user": "b?b"}, [False, True]),
        ({"method": "Email/*", "user": "cat"}, [False, False]),
        ({"transport": "websocket"}, [False, False]),
    ],
)
def test_a_rule_is_for_what_matches_all_of_its_patterns(match: dict[str, str], expected: list[bool]) -> None:
    faults = Faults()
    faults.add({"id": "one", "match": match, "effect": ERROR})
    assert [found is not None for found in fired(faults, GET, SET)] == expected


def test_times_is_how_often_it_fires() -> None:
    faults = Faults()
    faults.add({"id": "twice", "effect": ERROR, "times": 2})
    faults.add({"id": "always", "effect": ERROR})
    assert fired(faults, GET, GET, GET, SET) == ["twice", "twice", "always", "always"]
    assert [(rule.fired, rule.times) for rule in faults.rules()] == [(2, 0), (2, None)]


def test_nth_fires_once_and_every_again_and_again() -> None:
    faults = Faults()
    faults.add({"id": "nth", "match": {"nth": 2, "method": "Email/get"}, "effect": ERROR})
    assert fired(faults, GET, SET, GET, GET, GET) == [None, None, "nth", None, None]
    faults.clear()
    faults.add({"id": "every", "match": {"every": 2}, "effect": ERROR})
    assert fired(faults, GET, GET, GET, GET) == [None, "every", None, "every"]


def test_a_probability_is_decided_by_the_seed() -> None:
    def run() -> list[str | None]:
        faults = Faults(random.Random(7))
        faults.add({"match": {"probability": 0.5}, "effect": ERROR})
        return fired(faults, *[GET] * 40)

    first = run()
    assert first == run()
    assert 5 < first.count("fault1") < 35


def test_rules_of_calls_and_of_requests_are_asked_for_apart() -> None:
    faults = Faults()
    faults.add({"id": "request", "effect": {"status": 503, "retryAfter": 3}})
    assert faults.fire(GET, of="call") is None
    rule = faults.fire(GET, of="request")
    assert rule is not None
    assert (rule.effect.status, rule.effect.retry_after) == (503, 3)


def test_a_rule_may_be_taken_away() -> None:
    faults = Faults()
    rule = faults.add({"effect": ERROR})
    assert faults
    assert (faults.remove(rule.id), faults.remove(rule.id), bool(faults)) == (True, False, False)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"effect": {}},
        {"effect": {"status": 200}},
        {"effect": {"status": 503, "cut": True}},
        {"effect": {"methodError": 5}},
        {"effect": {"methodError": {}}},
        {"effect": {"delay": -1}},
        {"effect": {"delay": True}},
        {"effect": {"truncate": 1}},
        {"effect": {"push": "sometimes"}},
        {"effect": ERROR, "times": 0},
        {"effect": ERROR, "id": 5},
        {"effect": ERROR, "match": []},
        {"effect": ERROR, "match": {"methods": "x"}},
        {"effect": ERROR, "match": {"method": 1}},
        {"effect": ERROR, "match": {"nth": 0}},
        {"effect": ERROR, "match": {"probability": 2}},
        {"effect": ERROR, "more": 1},
    ],
)
def test_what_is_no_rule_is_refused(document: Any) -> None:
    with pytest.raises(BadRule):
        parse(document)


def test_an_id_is_taken_once() -> None:
    faults = Faults()
    faults.add({"id": "one", "effect": ERROR})
    with pytest.raises(BadRule):
        faults.add({"id": "one", "effect": ERROR})


_json = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
_effects = st.sampled_from(["delay", "methodError", "setError", "of", "status", "cut", "truncate", "garble", "push"])


@given(st.dictionaries(st.sampled_from(["match", "effect", "times", "id"]), _json | st.dictionaries(_effects, _json)))
def test_nothing_but_bad_rule_comes_of_any_json(document: dict[str, Any]) -> None:
    with suppress(BadRule):
        parse(document)


def test_parts_of_a_set_fail_and_the_rest_is_left() -> None:
    arguments = {"accountId": "u1", "create": {"a": {}}, "update": {"x": {}}, "destroy": ["y"]}
    error = {"type": "overQuota"}
    rest, failed = fails(arguments, parse({"effect": {"setError": "overQuota", "of": "create"}}))
    assert failed == {"notCreated": {"a": error}}
    assert rest == {**arguments, "create": {}}
    rest, failed = fails(arguments, parse({"effect": {"setError": error}}))
    assert failed == {"notCreated": {"a": error}, "notUpdated": {"x": error}, "notDestroyed": {"y": error}}
    assert (rest["create"], rest["update"], rest["destroy"]) == ({}, {}, [])
