"""EmailSubmission/query, /queryChanges and /changes (RFC 8621 §7.2 to §7.4)."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.submission.post import Mailer, PostOffice, envelope

SORTS: list[Any] = [
    None,
    [{"property": "sentAt", "isAscending": False}],
    [{"property": "sendAt"}],
    [{"property": "emailId"}, {"property": "sentAt"}],
    [{"property": "threadId", "isAscending": False}, {"property": "emailId"}],
]


def ids(client: Mailer, **arguments: Any) -> list[str]:
    found: list[str] = client.call("EmailSubmission/query", **arguments)["ids"]
    return found


@pytest.fixture
def three(office: PostOffice, alice: Mailer) -> list[dict[str, Any]]:
    """Three submissions: delivered, canceled and held, an hour apart."""
    found = []
    for sender, hold in (("alice@example.org", None), ("a.smith@example.org", "60"), ("a.smith@example.org", "3600")):
        email = alice.draft(sender=sender)
        number = alice.submit(
            email,
            identityId=alice.identity(sender),
            envelope=envelope("bob@example.org", sender=sender, **({"HOLDFOR": hold} if hold else {})),
        )["id"]
        found.append(number)
    alice.cancel(found[1])
    office.deliver()
    return [alice.submission(number) for number in found]


def test_each_condition_finds_what_it_says(alice: Mailer, three: list[dict[str, Any]]) -> None:
    first, second, third = (record["id"] for record in three)
    emails, threads = [record["emailId"] for record in three], [record["threadId"] for record in three]
    for wanted, expected in (
        (None, [first, second, third]),
        ({}, [first, second, third]),
        ({"identityIds": [alice.identity("a.smith@example.org"), "I999"]}, [second, third]),
        ({"identityIds": []}, []),
        ({"emailIds": [emails[0], emails[2]]}, [first, third]),
        ({"emailIds": [first]}, []),
        ({"threadIds": [threads[1]]}, [second]),
        ({"undoStatus": "pending"}, [third]),
        ({"undoStatus": "final"}, [first]),
        ({"undoStatus": "canceled"}, [second]),
        ({"undoStatus": "Pending"}, []),
        ({"before": three[1]["sendAt"]}, [first]),
        ({"after": three[1]["sendAt"]}, [second, third]),
        ({"after": "2023-11-14T22:13:20.5Z"}, [second, third]),
        ({"before": "2023-11-14T22:13:20.5Z", "undoStatus": "final", "emailIds": emails}, [first]),
        ({"operator": "NOT", "conditions": [{"undoStatus": "final"}, {"emailIds": [emails[1]]}]}, [third]),
    ):  # fmt: skip
        assert ids(alice, filter=wanted) == expected, wanted


def test_each_sort_orders_by_its_property(alice: Mailer, three: list[dict[str, Any]]) -> None:
    again = alice.submit(three[0]["emailId"], identityId=three[0]["identityId"], envelope=three[0]["envelope"])
    records = [*three, alice.submission(again["id"])]
    for name, key in (("emailId", "emailId"), ("threadId", "threadId"), ("sentAt", "sendAt"), ("sendAt", "sendAt")):
        for is_ascending in (True, False):
            found = ids(alice, sort=[{"property": name, "isAscending": is_ascending}])
            expected = sorted(records, key=lambda record: str(record[key]), reverse=not is_ascending)
            by_id = {record["id"]: record[key] for record in records}
            assert [by_id[number] for number in found] == [record[key] for record in expected]


def test_ids_are_sorted_as_the_strings_that_they_are(alice: Mailer) -> None:
    found = [alice.submission(alice.submit(alice.draft())["id"]) for _ in range(12)]
    emails = [record["emailId"] for record in found]
    assert sorted(emails) != emails
    by_id = {record["id"]: record["emailId"] for record in found}
    assert [by_id[number] for number in ids(alice, sort=[{"property": "emailId"}])] == sorted(emails)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"filter": {"emailIds": "E1"}}, "invalidArguments"),
        ({"filter": {"before": "2020-01-01T00:00:00+01:00"}}, "invalidArguments"),
        ({"filter": {"deliveryStatus": "x"}}, "unsupportedFilter"),
        ({"sort": [{"property": "undoStatus"}]}, "unsupportedSort"),
    ],
)
def test_other_filters_and_sorts_are_refused(alice: Mailer, arguments: dict[str, Any], error: str) -> None:
    assert alice.error("EmailSubmission/query", **arguments) == error


def test_each_step_of_a_delivery_is_a_change(office: PostOffice, alice: Mailer) -> None:
    before = alice.state("EmailSubmission")
    number = alice.submit(alice.draft(to="bob@example.org"))["id"]
    made = alice.state("EmailSubmission")
    assert alice.call("EmailSubmission/changes", sinceState=before)["created"] == [number]
    office.deliver()
    changes = alice.call("EmailSubmission/changes", sinceState=made)
    assert (changes["created"], changes["updated"], changes["destroyed"]) == ([], [number], [])
    delivered = alice.state("EmailSubmission")
    office.deliver()
    assert alice.state("EmailSubmission") == delivered
    alice.call("EmailSubmission/set", destroy=[number])
    changes = alice.call("EmailSubmission/changes", sinceState=delivered)
    assert (changes["created"], changes["updated"], changes["destroyed"]) == ([], [], [number])


def step(office: PostOffice, client: Mailer, rnd: random.Random, emails: list[str]) -> None:
    known = ids(client)
    kind = rnd.randrange(5)
    if kind < 2:
        hold = {"HOLDFOR": str(rnd.randint(1, 100))} if rnd.random() < 0.5 else {}
        address = envelope(rnd.choice(["bob@example.org", "x@elsewhere.example"]), **hold)
        client.submit(rnd.choice(emails), envelope=address)
    elif kind == 2 and known:
        client.cancel(rnd.choice(known))
    elif kind == 3 and known:
        client.call("EmailSubmission/set", destroy=[rnd.choice(known)])
    else:
        office.now += rnd.randint(0, 60)
        office.deliver()


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1 << 32))
def test_changes_applied_to_the_old_answer_give_the_new_answer(seed: int) -> None:
    rnd = random.Random(seed)
    with tempfile.TemporaryDirectory() as directory:
        office = PostOffice(Path(directory))
        client = office.mailer()
        emails = [client.draft() for _ in range(3)]
        for _ in range(rnd.randint(0, 8)):
            step(office, client, rnd, emails)
        filters = [None, {"undoStatus": "pending"}, {"emailIds": emails[:2]}, {"after": "2023-11-14T22:13:50Z"}]
        queries = []
        for wanted in filters:
            for sort in SORTS:
                arguments = {"filter": wanted, "sort": sort}
                answer = client.call("EmailSubmission/query", **arguments)
                queries.append((arguments, answer["queryState"], answer["ids"]))
        since = client.call("EmailSubmission/get")
        records = {record["id"]: record for record in since["list"]}
        for _ in range(rnd.randint(1, 15)):
            step(office, client, rnd, emails)
        for arguments, state, old in queries:
            changes = client.call("EmailSubmission/queryChanges", sinceQueryState=state, **arguments)
            now = [number for number in old if number not in changes["removed"]]
            for item in changes["added"]:
                now.insert(item["index"], item["id"])
            assert now == ids(client, **arguments)
        changes = client.call("EmailSubmission/changes", sinceState=since["state"])
        for number in changes["destroyed"]:
            records.pop(number, None)
        for record in client.call("EmailSubmission/get", ids=[*changes["created"], *changes["updated"]])["list"]:
            records[record["id"]] = record
        assert list(records.values()) == client.call("EmailSubmission/get")["list"]
        assert client.faults() == []
        office.close()
