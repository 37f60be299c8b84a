"""Email/queryChanges (RFC 8620 §5.6, RFC 8621 §4.5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mail.jmap import Client, message
from tests.mail.test_email_query import NEWEST_FIRST, add, second

OLDEST_FIRST = [{"property": "receivedAt"}]


def query(client: Client, **arguments: Any) -> dict[str, Any]:
    return client.call("Email/query", **{"sort": NEWEST_FIRST, **arguments})


def changes(client: Client, since: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    return client.call("Email/queryChanges", sinceQueryState=since["queryState"], **{"sort": NEWEST_FIRST, **arguments})


def added(*items: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"id": record_id, "index": index} for record_id, index in items]


def test_the_answer_has_what_it_must(alice: Client) -> None:
    before = query(alice)
    made = add(alice)
    answer = changes(alice, before)
    assert answer.keys() == {"accountId", "oldQueryState", "newQueryState", "removed", "added"}
    assert (answer["accountId"], answer["oldQueryState"]) == (alice.account, before["queryState"])
    assert answer["newQueryState"] == query(alice)["queryState"]
    assert (answer["removed"], answer["added"]) == ([], added((made, 0)))
    assert "total" not in changes(alice, before, calculateTotal=False)
    assert changes(alice, before, calculateTotal=True)["total"] == 1


def test_without_a_change_there_is_none(alice: Client) -> None:
    add(alice)
    before = query(alice)
    answer = changes(alice, before, calculateTotal=True)
    assert (answer["newQueryState"], answer["removed"], answer["added"]) == (before["queryState"], [], [])
    assert answer["total"] == 1


def test_added_is_in_the_order_of_the_new_results(alice: Client) -> None:
    old = [add(alice, received=second(number)) for number in (10, 20, 30)]
    before = query(alice)
    new = [add(alice, received=second(number)) for number in (15, 40, 5)]
    alice.call("Email/set", destroy=[old[1]])
    answer = changes(alice, before)
    assert answer["removed"] == [old[1]]
    assert answer["added"] == added((new[1], 0), (new[0], 2), (new[2], 4))


def test_what_was_made_and_destroyed_since_is_not_told(alice: Client) -> None:
    before = query(alice)
    alice.call("Email/set", destroy=[add(alice)])
    answer = changes(alice, before)
    assert (answer["removed"], answer["added"]) == ([], [])


def test_a_change_of_what_the_query_does_not_look_at_is_not_told(alice: Client) -> None:
    made = add(alice)
    plain = {"filter": {"text": "hello"}, "sort": [{"property": "subject"}]}
    keyed = {"filter": {"hasKeyword": "work"}}
    boxed = {"filter": {"inMailbox": "M1"}}
    before = query(alice)
    alice.call("Email/set", update={made: {"keywords/$seen": True}})
    for arguments in (plain, boxed, {}):
        assert changes(alice, before, **arguments)["removed"] == []
    assert changes(alice, before, **keyed)["removed"] == [made]
    before = query(alice)
    alice.call("Email/set", update={made: {"mailboxIds/M2": True}})
    for arguments in (plain, keyed, {}):
        assert changes(alice, before, **arguments)["removed"] == []
    answer = changes(alice, before, **boxed)
    assert (answer["removed"], answer["added"]) == ([made], added((made, 0)))


def test_what_a_filter_no_longer_finds_is_removed(alice: Client) -> None:
    made = add(alice)
    for arguments, change in (
        ({"filter": {"inMailbox": "M1"}}, {"mailboxIds": {"M2": True}}),
        ({"filter": {"notKeyword": "$seen"}}, {"keywords/$seen": True}),
        ({"filter": {"noneInThreadHaveKeyword": "work"}}, {"keywords/work": True}),
        ({"filter": {"operator": "NOT", "conditions": [{"hasKeyword": "new"}]}}, {"keywords/new": True}),
    ):
        before = query(alice, **arguments)
        assert before["ids"] == [made]
        alice.call("Email/set", update={made: change})
        answer = changes(alice, before, **arguments)
        assert (answer["removed"], answer["added"]) == ([made], [])


def test_what_moves_by_a_mutable_sort_is_put_in_again(alice: Client) -> None:
    old = [add(alice, received=second(number)) for number in (1, 2, 3)]
    sort = [{"property": "hasKeyword", "keyword": "$flagged", "isAscending": False}, *NEWEST_FIRST]
    before = query(alice, sort=sort)
    alice.call("Email/set", update={old[0]: {"keywords/$flagged": True}})
    answer = changes(alice, before, sort=sort)
    assert (answer["removed"], answer["added"]) == ([old[0]], added((old[0], 0)))


def test_a_thread_s_siblings_are_looked_at_again(alice: Client) -> None:
    old = add(alice, message_id="a@x", received=second(1))
    new = add(alice, message_id="b@x", references=["a@x"], received=second(2))
    filters = {"filter": {"someInThreadHaveKeyword": "work"}}
    before = query(alice, **filters)
    alice.call("Email/set", update={old: {"keywords/work": True}})
    assert changes(alice, before, **filters)["added"] == added((new, 0), (old, 1))
    before = query(alice, **filters)
    alice.call("Email/set", destroy=[old])
    answer = changes(alice, before, **filters)
    assert set(answer["removed"]) == {old, new}
    assert answer["added"] == []


def test_when_the_newest_of_a_thread_goes_the_next_comes_up(alice: Client) -> None:
    old = add(alice, message_id="a@x", received=second(1))
    lone = add(alice, received=second(2))
    new = add(alice, message_id="b@x", references=["a@x"], received=second(3))
    before = query(alice, collapseThreads=True)
    assert before["ids"] == [new, lone]
    alice.call("Email/set", destroy=[new])
    answer = changes(alice, before, collapseThreads=True, calculateTotal=True)
    assert new in answer["removed"]
    assert answer["added"] == added((old, 1))
    assert answer["total"] == 2


def test_more_changes_than_asked_for_are_too_many(alice: Client) -> None:
    gone = add(alice)
    before = query(alice)
    add(alice)
    alice.call("Email/set", destroy=[gone])
    assert alice.error("Email/queryChanges", sinceQueryState=before["queryState"], maxChanges=1) == "tooManyChanges"
    assert alice.error("Email/queryChanges", sinceQueryState=before["queryState"], maxChanges=0) == "tooManyChanges"
    answer = changes(alice, before, maxChanges=2)
    assert len(answer["removed"]) + len(answer["added"]) == 2
    assert alice.error("Email/queryChanges", sinceQueryState=before["queryState"], maxChanges=-1) == "invalidArguments"


@pytest.mark.parametrize("sort", [NEWEST_FIRST, OLDEST_FIRST, [{"property": "subject"}, *NEWEST_FIRST]])
def test_up_to_id_leaves_out_what_comes_after_it(alice: Client, sort: list[Any]) -> None:
    old = [add(alice, str(number), received=second(20 + number)) for number in range(6)]
    before = query(alice, sort=sort, limit=3)
    shown = before["ids"]
    hidden = next(record_id for record_id in query(alice, sort=sort)["ids"][3:])
    new = [add(alice, "0", received=second(number)) for number in (1, 50)]
    alice.call("Email/set", destroy=[shown[0], hidden])
    answer = changes(alice, before, sort=sort, upToId=shown[-1])
    now = query(alice, sort=sort)["ids"]
    up_to = now.index(shown[-1])
    assert answer["added"] == added(
        *[(record_id, now.index(record_id)) for record_id in now if record_id in new and now.index(record_id) <= up_to]
    )
    assert shown[0] in answer["removed"]
    if len(sort) == 1:
        assert answer["removed"] == [shown[0]]
    everything = changes(alice, before, sort=sort)
    assert {item["id"] for item in everything["added"]} == set(new)
    assert set(everything["removed"]) == {shown[0], hidden}
    assert len(old) == 6


def test_up_to_id_is_ignored_where_it_means_nothing(alice: Client) -> None:
    """What is not in the results, and queries on what can change."""
    shown = add(alice, received=second(30))
    before = query(alice)
    old = add(alice, received=second(1))
    for arguments in (
        {"upToId": "E99"},
        {"upToId": "nothing"},
        {"upToId": shown, "filter": {"inMailbox": "M1"}},
        {"upToId": shown, "collapseThreads": True},
        {"upToId": shown, "sort": [{"property": "hasKeyword", "keyword": "x"}, *NEWEST_FIRST]},
    ):
        assert [item["id"] for item in changes(alice, before, **arguments)["added"]] == [old], arguments
    assert changes(alice, before, upToId=shown)["added"] == []


@pytest.mark.parametrize(
    "arguments",
    [{}, {"sinceQueryState": None}, {"sinceQueryState": "x", "upToId": "a b"}, {"sinceQueryState": "x", "position": 0},
     {"sinceQueryState": "x", "limit": 1}, {"sinceQueryState": "x", "calculateTotal": None},
     {"sinceQueryState": "x", "collapseThreads": 1}],
)  # fmt: skip
def test_arguments_of_the_wrong_kind_are_refused(alice: Client, arguments: dict[str, Any]) -> None:
    assert alice.error("Email/queryChanges", **arguments) == "invalidArguments"


def test_from_a_state_that_never_was_changes_cannot_be_calculated(alice: Client) -> None:
    now = query(alice)["queryState"]
    epoch, _, value = now.rpartition("-")
    for since in ("", "x", f"{epoch}-{int(value) + 1}", f"other-{value}"):
        assert alice.error("Email/queryChanges", sinceQueryState=since) == "cannotCalculateChanges"


def test_the_rfc_s_splicing_works_on_a_sparse_cache(alice: Client) -> None:
    """RFC 8620 §5.6: what is cached of the old results becomes what it would be of the new ones."""
    old = [add(alice, received=second(10 + number)) for number in range(9)]
    before = query(alice)
    cache: list[str | None] = [
        record_id if index not in (2, 3, 6) else None for index, record_id in enumerate(before["ids"])
    ]
    alice.call("Email/set", destroy=[old[7], old[1]])
    new = [add(alice, received=second(number)) for number in (5, 40)]
    answer = changes(alice, before, calculateTotal=True)
    cache = [record_id for record_id in cache if record_id not in answer["removed"]]
    for item in answer["added"]:
        cache.insert(item["index"], item["id"])
    cache = cache[: answer["total"]] + [None] * (answer["total"] - len(cache))
    now = query(alice)["ids"]
    assert set(new) <= set(now)
    assert all(cached in (None, record_id) for cached, record_id in zip(cache, now, strict=True))


def test_a_message_of_another_thread_does_not_disturb(alice: Client) -> None:
    alice.import_(message(message_id="a@x"))
    before = query(alice, collapseThreads=True)
    made = alice.import_(message(message_id="b@x"))["id"]
    answer = changes(alice, before, collapseThreads=True)
    assert (answer["removed"], answer["added"]) == ([], added((made, 0)))


def test_a_mailbox_that_a_filter_names_and_that_has_gone_lets_its_emails_in(alice: Client) -> None:
    boxes = alice.call("Mailbox/set", create={"a": {"name": "A"}, "b": {"name": "B"}})["created"]
    one, other = boxes["a"]["id"], boxes["b"]["id"]
    email = alice.import_(message(), mailboxes=[one])["id"]
    wanted = {"inMailboxOtherThan": [one]}
    before = alice.call("Email/query", filter=wanted)
    assert before["ids"] == []
    alice.call("Email/set", update={email: {"mailboxIds": {one: True, other: True}}})
    alice.call("Mailbox/set", destroy=[one], onDestroyRemoveEmails=True)
    answer = alice.call("Email/queryChanges", filter=wanted, sinceQueryState=before["queryState"])
    assert answer["added"] == [{"id": email, "index": 0}]
    assert alice.call("Email/query", filter=wanted)["ids"] == [email]
