"""Mailbox/query and Mailbox/queryChanges (RFC 8621 §2.3, §2.4)."""

from __future__ import annotations

import random
from typing import Any

import pytest

from jmaplite.core import collation
from tests.mail.jmap import Client
from tests.mail.test_mailbox_set import make


@pytest.fixture
def empty(alice: Client) -> Client:
    """An account with an inbox only."""
    others = [box["id"] for box in alice.call("Mailbox/get")["list"] if box["role"] != "inbox"]
    alice.call("Mailbox/set", destroy=others)
    return alice


def names(client: Client, **arguments: Any) -> list[str]:
    answer = client.call("Mailbox/query", **arguments)
    found = {box["id"]: box["name"] for box in client.call("Mailbox/get", properties=["name"])["list"]}
    return [found[record_id] for record_id in answer["ids"]]


BY_NAME = [{"property": "name"}]


@pytest.fixture
def tree(empty: Client) -> Client:
    """Inbox; b (a, c (d)); e (b)."""
    b = make(empty, "b", sortOrder=2)
    make(empty, "a", parentId=b, sortOrder=1)
    c = make(empty, "c", parentId=b, sortOrder=1)
    make(empty, "d", parentId=c)
    e = make(empty, "e", sortOrder=1)
    make(empty, "b", parentId=e, role="archive")
    return empty


def test_without_sort_the_order_is_stable(tree: Client) -> None:
    assert names(tree) == names(tree, sort=[]) == names(tree, sort=None) == names(tree)
    assert len(names(tree)) == 7


def test_names_are_sorted_whatever_their_case(empty: Client) -> None:
    for name in ("zebra", "Äpfel", "apple", "Banana", "éclair", "Zoo"):
        make(empty, name)
    expected = sorted(
        ["Inbox", "zebra", "Äpfel", "apple", "Banana", "éclair", "Zoo"],
        key=lambda name: collation.key("i;unicode-casemap", name),
    )
    assert names(empty, sort=BY_NAME) == expected
    assert names(empty, sort=[{"property": "name", "isAscending": False}]) == expected[::-1]
    by_octets = names(empty, sort=[{"property": "name", "collation": "i;ascii-casemap"}])
    assert by_octets == ["apple", "Banana", "Inbox", "zebra", "Zoo", "Äpfel", "éclair"]


def test_what_is_equal_by_one_comparator_is_sorted_by_the_next(tree: Client) -> None:
    by_order = names(tree, sort=[{"property": "sortOrder"}, {"property": "name", "isAscending": False}])
    assert by_order == ["d", "b", "e", "c", "a", "b", "Inbox"]


def test_a_tree_is_sorted_depth_first(tree: Client) -> None:
    assert names(tree, sort=BY_NAME, sortAsTree=True) == ["b", "a", "c", "d", "e", "b", "Inbox"]
    by_order = names(tree, sort=[{"property": "sortOrder"}, *BY_NAME], sortAsTree=True)
    assert by_order == ["e", "b", "b", "a", "c", "d", "Inbox"]
    backwards = names(tree, sort=[{"property": "name", "isAscending": False}], sortAsTree=True)
    assert backwards == ["Inbox", "e", "b", "b", "c", "d", "a"]


def test_what_is_filtered_out_still_places_those_beneath_it(tree: Client) -> None:
    assert names(tree, sort=BY_NAME, sortAsTree=True, filter={"name": "d"}) == ["d"]
    wanted = {"operator": "OR", "conditions": [{"name": "d"}, {"name": "e"}, {"name": "Inbox"}]}
    assert names(tree, sort=BY_NAME, sortAsTree=True, filter=wanted) == ["d", "e", "Inbox"]
    assert names(tree, sort=BY_NAME, filter=wanted) == ["d", "e", "Inbox"]


def test_filter_as_tree_wants_all_ancestors(tree: Client) -> None:
    no_c = {"operator": "NOT", "conditions": [{"name": "c"}]}
    assert names(tree, sort=BY_NAME, filter=no_c) == ["a", "b", "b", "d", "e", "Inbox"]
    assert names(tree, sort=BY_NAME, filter=no_c, filterAsTree=True) == ["a", "b", "b", "e", "Inbox"]
    assert names(tree, filter={"hasAnyRole": True}, sort=BY_NAME) == ["b", "Inbox"]
    assert names(tree, filter={"hasAnyRole": True}, sort=BY_NAME, filterAsTree=True) == ["Inbox"]


def test_position_limit_and_total_are_of_what_is_left(tree: Client) -> None:
    for flags in ({}, {"sortAsTree": True}, {"filterAsTree": True}, {"sortAsTree": True, "filterAsTree": True}):
        everything = tree.call("Mailbox/query", sort=BY_NAME, calculateTotal=True, **flags)
        assert everything["total"] == 7
        ids = everything["ids"]
        page = tree.call("Mailbox/query", sort=BY_NAME, position=2, limit=3, **flags)
        assert (page["ids"], page["position"]) == (ids[2:5], 2)
        page = tree.call("Mailbox/query", sort=BY_NAME, anchor=ids[4], anchorOffset=-1, limit=2, **flags)
        assert (page["ids"], page["position"]) == (ids[3:5], 3)
        assert tree.call("Mailbox/query", sort=BY_NAME, position=-2, **flags)["ids"] == ids[-2:]
        assert tree.call("Mailbox/query", sort=BY_NAME, position=100, **flags)["ids"] == []


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "abbcdeInbox"),
        ({"parentId": None}, "beInbox"),
        ({"name": "B"}, "bbInbox"),
        ({"name": ""}, "abbcdeInbox"),
        ({"name": "nbo"}, "Inbox"),
        ({"name": "é"}, ""),
        ({"role": "archive"}, "b"),
        ({"role": None}, "abcde"),
        ({"role": "Archive"}, ""),
        ({"hasAnyRole": True}, "bInbox"),
        ({"hasAnyRole": False}, "abcde"),
        ({"isSubscribed": True}, "abbcdeInbox"),
        ({"isSubscribed": False}, ""),
        ({"parentId": "M99"}, ""),
        ({"parentId": "nothing"}, ""),
        ({"hasAnyRole": False, "parentId": None}, "be"),
        ({"operator": "NOT", "conditions": [{"parentId": None}]}, "abcd"),
        ({"operator": "NOT", "conditions": [{"name": "a"}, {"name": "b"}]}, "cde"),
        ({"operator": "OR", "conditions": []}, ""),
        ({"operator": "AND", "conditions": []}, "abbcdeInbox"),
        ({"operator": "NOT", "conditions": []}, "abbcdeInbox"),
    ],
)
def test_filters(tree: Client, wanted: dict[str, Any], expected: str) -> None:
    assert "".join(names(tree, filter=wanted, sort=BY_NAME)) == expected


def test_the_parent_of_a_filter_is_an_id(tree: Client) -> None:
    b = next(box["id"] for box in tree.call("Mailbox/get")["list"] if box["name"] == "b" and box["parentId"] is None)
    assert names(tree, filter={"parentId": b}, sort=BY_NAME) == ["a", "c"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [({"filter": {"nonsense": 1}}, "unsupportedFilter"), ({"filter": {"name": 1}}, "invalidArguments"),
     ({"filter": []}, "invalidArguments"), ({"filter": {"operator": "XOR", "conditions": []}}, "invalidArguments"),
     ({"filter": {"operator": "AND"}}, "invalidArguments"),
     ({"filter": {"operator": "AND", "conditions": [None]}}, "invalidArguments"),
     ({"filter": {"operator": "AND", "conditions": [], "name": "x"}}, "invalidArguments"),
     ({"sort": [{"property": "nonsense"}]}, "unsupportedSort"), ({"sort": [{"property": 1}]}, "invalidArguments"),
     ({"sort": [{}]}, "invalidArguments"), ({"sort": {}}, "invalidArguments"), ({"sort": ["name"]}, "invalidArguments"),
     ({"sort": [{"property": "name", "isAscending": None}]}, "invalidArguments"),
     ({"sort": [{"property": "name", "collation": "nonsense"}]}, "unsupportedSort"),
     ({"sort": [{"property": "name", "collation": 1}]}, "invalidArguments"),
     ({"sort": [{"property": "name", "keyword": "x"}]}, "invalidArguments"),
     ({"sort": [{"property": "name"}] * 1000}, "unsupportedSort"),
     ({"limit": -1}, "invalidArguments"), ({"limit": "1"}, "invalidArguments"),
     ({"position": None}, "invalidArguments"),
     ({"anchor": "M99"}, "anchorNotFound"), ({"anchor": "x"}, "anchorNotFound"), ({"anchor": ""}, "invalidArguments"),
     ({"sortAsTree": None}, "invalidArguments"), ({"collapseThreads": True}, "invalidArguments")],
)  # fmt: skip
def test_what_is_refused(alice: Client, arguments: dict[str, Any], error: str) -> None:
    assert alice.error("Mailbox/query", **arguments) == error


def expected_order(boxes: dict[str, dict[str, Any]], matching: set[str], *, sort: bool, winnow: bool) -> list[str]:
    """RFC 8621 §2.3 by the letter, sorting by name."""

    def path(record_id: str) -> list[str]:
        above = boxes[record_id]["parentId"]
        return [*(path(above) if above else []), record_id]

    if winnow:
        matching = {one for one in matching if set(path(one)) <= matching}

    def key(record_id: str) -> list[tuple[bytes, int]]:
        line = path(record_id) if sort else [record_id]
        return [(collation.key("i;unicode-casemap", boxes[one]["name"]), int(one[1:], 16)) for one in line]

    return sorted(matching, key=key)


@pytest.mark.parametrize("seed", range(15))
def test_trees_at_random(empty: Client, seed: int) -> None:
    """The order is that of the RFC's words, and changes applied to the old answer give the new one."""
    rnd = random.Random(seed)
    queries: list[dict[str, Any]] = [
        {"filter": wanted, "sort": BY_NAME, "sortAsTree": sort, "filterAsTree": winnow}
        for wanted in (None, {"isSubscribed": True}, {"name": "a"})
        for sort in (False, True)
        for winnow in (False, True)
    ]
    known = [(query, empty.call("Mailbox/query", **query)) for query in queries]
    for _ in range(6):
        for _ in range(rnd.randint(1, 5)):
            change_at_random(empty, rnd)
        known = [(query, follow(empty, query, answer)) for query, answer in known]
        boxes = {box["id"]: box for box in empty.call("Mailbox/get")["list"]}
        for query, answer in known:
            wanted = query["filter"] or {}
            matching = {
                box["id"]
                for box in boxes.values()
                if box["isSubscribed"] or "isSubscribed" not in wanted
                if str(wanted.get("name", "")) in box["name"]
            }
            expected = expected_order(boxes, matching, sort=query["sortAsTree"], winnow=query["filterAsTree"])
            assert answer["ids"] == expected, query


def change_at_random(client: Client, rnd: random.Random) -> None:
    ids = client.call("Mailbox/query")["ids"]
    kind = rnd.randrange(5)
    name = "".join(rnd.choices("abc", k=3))
    if kind < 2:
        client.call("Mailbox/set", create={"k": {"name": name, "parentId": rnd.choice([None, *ids])}})
    elif kind == 2:
        client.call("Mailbox/set", update={rnd.choice(ids): {"parentId": rnd.choice([None, *ids])}})
    elif kind == 3:
        client.call("Mailbox/set", update={rnd.choice(ids): rnd.choice([{"name": name}, {"isSubscribed": False}])})
    else:
        client.call("Mailbox/set", destroy=[rnd.choice(ids)])


def follow(client: Client, query: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The old answer of a query with what Mailbox/queryChanges says."""
    changes = client.call("Mailbox/queryChanges", sinceQueryState=answer["queryState"], **query)
    ids = [record_id for record_id in answer["ids"] if record_id not in changes["removed"]]
    for item in changes["added"]:
        ids.insert(item["index"], item["id"])
    return {"ids": ids, "queryState": changes["newQueryState"]}
