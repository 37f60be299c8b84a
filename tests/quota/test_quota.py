"""Quota: its properties and methods (RFC 9425)."""

from __future__ import annotations

from typing import Any

import pytest

from jmaplite.datatypes.mail import MAIL
from jmaplite.datatypes.quota import QUOTA
from tests.mail.jmap import BOB, CORE, Server, message
from tests.quota.client import LIMIT, QuotaClient, alice_with, sized

USED = [{"property": "used", "isAscending": False}]


def test_the_capability_is_empty_in_session_and_accounts(alice: QuotaClient) -> None:
    assert alice.session["capabilities"][QUOTA] == {}
    for account in alice.session["accounts"].values():
        assert account["accountCapabilities"][QUOTA] == {}


def test_a_quota_has_every_property_of_the_rfc(alice: QuotaClient) -> None:
    made = alice.import_(message())

    quota = alice.quota()

    assert quota.pop("id")
    assert quota.pop("name")
    assert quota == {
        "resourceType": "octets",
        "used": alice.get("Email", made["id"], "size")["size"],
        "hardLimit": LIMIT,
        "warnLimit": None,
        "softLimit": None,
        "scope": "account",
        "types": ["Email"],
        "description": None,
    }


def test_section_5_1_all_quotas_are_fetched_with_ids_null(alice: QuotaClient) -> None:
    answer = alice.call("Quota/get", ids=None)

    assert [quota["id"] for quota in answer["list"]] == [alice.quota()["id"]]
    assert (answer["accountId"], answer["notFound"]) == (alice.account, [])


def test_section_5_2_the_latest_changes_are_fetched_by_back_reference(alice: QuotaClient) -> None:
    before = alice.call("Quota/get", ids=None)
    alice.import_(sized(1246))

    changes, got = alice.request(
        ["Quota/changes", {"accountId": alice.account, "sinceState": before["state"], "maxChanges": 20}, "0"],
        [
            "Quota/get",
            {
                "accountId": alice.account,
                "#ids": {"resultOf": "0", "name": "Quota/changes", "path": "/updated"},
                "#properties": {"resultOf": "0", "name": "Quota/changes", "path": "/updatedProperties"},
            },
            "1",
        ],
    )["methodResponses"]

    quota_id = before["list"][0]["id"]
    assert changes[1] == {
        "accountId": alice.account,
        "oldState": before["state"],
        "newState": got[1]["state"],
        "hasMoreChanges": False,
        "updatedProperties": ["used"],
        "created": [],
        "updated": [quota_id],
        "destroyed": [],
    }
    assert got[1]["list"] == [{"id": quota_id, "used": 1246}]


def test_a_limit_that_changes_is_no_change_of_used_alone(server: Server, alice: QuotaClient) -> None:
    before = alice.call("Quota/get", ids=None)
    alice.import_(message())
    alice = alice_with(server, 5000)

    answer = alice.call("Quota/changes", sinceState=before["state"])

    assert answer["updated"] == [before["list"][0]["id"]]
    assert answer["updatedProperties"] is None
    assert alice.quota()["hardLimit"] == 5000


def test_nothing_changes_where_nothing_comes_or_goes(server: Server, alice: QuotaClient) -> None:
    made = alice.import_(message())
    state = alice.call("Quota/get", ids=[])["state"]

    alice.call("Email/set", update={made["id"]: {"keywords/$seen": True}})
    alice_with(server, LIMIT)

    answer = alice.call("Quota/changes", sinceState=state)
    assert (answer["newState"], answer["updated"]) == (state, [])


def test_no_limit_is_no_quota(server: Server) -> None:
    alice = alice_with(server, 0)
    state = alice.call("Quota/get", ids=[])["state"]
    alice.import_(message())

    assert alice.call("Quota/get", ids=None)["list"] == []
    assert alice.call("Quota/query", calculateTotal=True)["total"] == 0
    assert alice.call("Quota/get", ids=[])["state"] == state


def test_a_quota_that_comes_later_knows_what_was_there_before(server: Server) -> None:
    alice = alice_with(server, 0)
    state = alice.call("Quota/get", ids=[])["state"]
    alice.import_(sized(700))
    alice.import_(sized(300))

    alice = alice_with(server, LIMIT)

    assert alice.used() == 1000
    changes = alice.call("Quota/changes", sinceState=state)
    assert (changes["created"], changes["updated"]) == ([alice.quota()["id"]], [])


def test_a_quota_that_goes_is_destroyed_and_another_one_has_another_id(server: Server, alice: QuotaClient) -> None:
    before = alice.call("Quota/get", ids=None)
    alice = alice_with(server, 0)

    assert alice.call("Quota/changes", sinceState=before["state"])["destroyed"] == [before["list"][0]["id"]]
    assert alice_with(server, LIMIT).quota()["id"] != before["list"][0]["id"]


def test_a_limit_beyond_what_json_can_tell_is_the_largest_that_it_can(server: Server) -> None:
    alice = alice_with(server, 2**60)
    state = alice.call("Quota/get", ids=None)["state"]

    assert alice.quota()["hardLimit"] == 2**53 - 1
    assert alice_with(server, 2**60 + 1).call("Quota/get", ids=[])["state"] == state


def test_types_are_those_whose_capability_the_request_uses(alice: QuotaClient) -> None:
    call = ["Quota/get", {"accountId": alice.account, "ids": None}, "c"]

    assert alice.request(call, using=[CORE, MAIL, QUOTA])["methodResponses"][0][1]["list"][0]["types"] == ["Email"]
    assert alice.request(call, using=[CORE, QUOTA])["methodResponses"][0][1]["list"] == []


def test_a_quota_without_types_that_the_request_knows_is_not_there(alice: QuotaClient) -> None:
    quota_id, state = alice.quota()["id"], alice.call("Quota/get", ids=[])["state"]
    arguments = {"accountId": alice.account}

    responses = alice.request(
        ["Quota/get", {**arguments, "ids": [quota_id]}, "0"],
        ["Quota/query", {**arguments, "calculateTotal": True}, "1"],
        ["Quota/query", {**arguments, "filter": {"operator": "NOT", "conditions": [{"name": "none"}]}}, "2"],
        ["Quota/queryChanges", {**arguments, "sinceQueryState": state, "calculateTotal": True}, "3"],
        using=[CORE, QUOTA],
    )["methodResponses"]

    got, all_, filtered, changes = (response[1] for response in responses)
    assert (got["list"], got["notFound"]) == ([], [quota_id])
    assert (all_["ids"], all_["total"], filtered["ids"]) == ([], 0, [])
    assert (changes["total"], changes["added"]) == (0, [])


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        ({}, True),
        ({"name": "Storage"}, True),
        ({"name": "TORA"}, True),
        ({"name": ""}, True),
        ({"name": "mail"}, False),
        ({"scope": "account"}, True),
        ({"scope": "Account"}, False),
        ({"scope": "domain"}, False),
        ({"resourceType": "octets"}, True),
        ({"resourceType": "count"}, False),
        ({"type": "Email"}, True),
        ({"type": "Mailbox"}, False),
        ({"type": "email"}, False),
        ({"name": "stor", "scope": "account", "resourceType": "octets", "type": "Email"}, True),
        ({"name": "stor", "scope": "account", "resourceType": "octets", "type": "Foo"}, False),
        ({"operator": "NOT", "conditions": [{"type": "Foo"}, {"scope": "global"}]}, True),
        ({"operator": "OR", "conditions": [{"type": "Foo"}, {"scope": "account"}]}, True),
        ({"operator": "NOT", "conditions": [{"resourceType": "octets"}]}, False),
    ],
)
def test_a_filter_matches_if_all_its_conditions_do(
    alice: QuotaClient, condition: dict[str, Any], matches: bool
) -> None:
    answer = alice.call("Quota/query", filter=condition, calculateTotal=True)

    assert answer["ids"] == ([alice.quota()["id"]] if matches else [])
    assert answer["total"] == int(matches)


@pytest.mark.parametrize("name", ["name", "used"])
def test_quotas_are_sorted_by_name_and_used(alice: QuotaClient, name: str) -> None:
    for more in ({}, {"isAscending": False}):
        answer = alice.call("Quota/query", sort=[{"property": name, **more}])
        assert answer["ids"] == [alice.quota()["id"]]
        assert answer["canCalculateChanges"] is True


def test_unknown_conditions_and_sorts_are_refused(alice: QuotaClient) -> None:
    assert alice.error("Quota/query", filter={"used": 1}) == "unsupportedFilter"
    assert alice.error("Quota/query", filter={"name": 1}) == "invalidArguments"
    assert alice.error("Quota/query", sort=[{"property": "hardLimit"}]) == "unsupportedSort"


def test_a_query_sorted_by_used_tells_that_it_has_changed(alice: QuotaClient) -> None:
    state = alice.call("Quota/query", sort=USED)["queryState"]
    alice.import_(message())

    by_used = alice.call("Quota/queryChanges", sort=USED, sinceQueryState=state)
    by_name = alice.call("Quota/queryChanges", sort=[{"property": "name"}], sinceQueryState=state)

    quota_id = alice.quota()["id"]
    assert (by_used["removed"], by_used["added"]) == ([quota_id], [{"id": quota_id, "index": 0}])
    assert (by_name["removed"], by_name["added"]) == ([], [])
    assert by_used["newQueryState"] != state


def test_a_query_tells_that_a_quota_came_or_went(server: Server, alice: QuotaClient) -> None:
    before = alice.call("Quota/query")
    alice = alice_with(server, 0)
    gone = alice.call("Quota/queryChanges", sinceQueryState=before["queryState"])
    alice = alice_with(server, LIMIT)
    again = alice.call("Quota/queryChanges", sinceQueryState=gone["newQueryState"])

    assert (gone["removed"], gone["added"]) == (before["ids"], [])
    assert (again["removed"], again["added"]) == ([], [{"id": alice.quota()["id"], "index": 0}])


def test_quotas_cannot_be_set(alice: QuotaClient) -> None:
    assert alice.error("Quota/set", update={}) == "unknownMethod"


def test_the_quota_of_others_is_not_to_be_seen(server: Server, alice: QuotaClient) -> None:
    bob = QuotaClient(server, BOB)

    assert bob.error("Quota/get", accountId=alice.account, ids=None) == "accountNotFound"
    assert bob.call("Quota/get", ids=None)["list"] == []


def test_a_change_of_used_is_announced(server: Server, alice: QuotaClient) -> None:
    heard: list[dict[str, int]] = []
    stop = server.store.feed.listen(lambda change: heard.append(dict(change.types)))

    alice.import_(message())
    stop()

    assert any("Quota" in types for types in heard)
