"""Foo/get (RFC 8620 §5.1), by way of the types of mail."""

from __future__ import annotations

from typing import Any

import pytest

from jmaplite.core.limits import Limits
from tests.mail.jmap import BOB, Client, Server, message

TYPES = ["Mailbox", "Thread", "Email"]


@pytest.fixture
def record(alice: Client) -> dict[str, str]:
    """An id of a record of each type."""
    made = alice.import_(message())
    return {"Mailbox": alice.mailbox("inbox"), "Thread": made["threadId"], "Email": made["id"]}


@pytest.mark.parametrize("data_type", TYPES)
def test_the_answer_has_the_account_the_state_and_what_was_not_found(
    alice: Client, record: dict[str, str], data_type: str
) -> None:
    answer = alice.call(f"{data_type}/get", ids=[record[data_type], "nothing"])
    assert answer.keys() == {"accountId", "state", "list", "notFound"}
    assert answer["accountId"] == alice.account
    assert [found["id"] for found in answer["list"]] == [record[data_type]]
    assert answer["notFound"] == ["nothing"]


@pytest.mark.parametrize("data_type", TYPES)
def test_without_ids_every_record_comes(alice: Client, record: dict[str, str], data_type: str) -> None:
    for arguments in ({}, {"ids": None}):
        answer = alice.call(f"{data_type}/get", **arguments)
        assert record[data_type] in [found["id"] for found in answer["list"]]
        assert len(answer["list"]) == (6 if data_type == "Mailbox" else 1)
        assert answer["notFound"] == []


@pytest.mark.parametrize("data_type", TYPES)
def test_no_ids_give_an_empty_list(alice: Client, record: dict[str, str], data_type: str) -> None:
    answer = alice.call(f"{data_type}/get", ids=[])
    assert (answer["list"], answer["notFound"]) == ([], [])


@pytest.mark.parametrize("data_type", TYPES)
def test_an_id_given_twice_is_answered_once(alice: Client, record: dict[str, str], data_type: str) -> None:
    answer = alice.call(f"{data_type}/get", ids=[record[data_type], "x", record[data_type], "x"])
    assert len(answer["list"]) == 1
    assert answer["notFound"] == ["x"]


@pytest.mark.parametrize("data_type", TYPES)
def test_ids_that_no_record_can_have_are_not_found(alice: Client, record: dict[str, str], data_type: str) -> None:
    known = record[data_type]
    ids = [
        known.lower(),
        f"{known[0]}0{known[1:]}",
        known[0] * 2,
        known + "_",
        "-",
        "M" + "f" * 200,
        known[0] + "f" * 16,
    ]
    answer = alice.call(f"{data_type}/get", ids=ids)
    assert answer["list"] == []
    assert answer["notFound"] == ids


@pytest.mark.parametrize("data_type", TYPES)
def test_the_id_is_always_returned(alice: Client, record: dict[str, str], data_type: str) -> None:
    for properties in ([], ["id"], ["id", "id"]):
        assert alice.call(f"{data_type}/get", ids=[record[data_type]], properties=properties)["list"] == [
            {"id": record[data_type]}
        ]


def test_only_the_properties_asked_for_are_returned(alice: Client, record: dict[str, str]) -> None:
    assert alice.get("Mailbox", record["Mailbox"], "name", "name", "totalEmails") == {
        "id": record["Mailbox"],
        "name": "Inbox",
        "totalEmails": 1,
    }
    assert alice.get("Email", record["Email"], "subject", "subject", "header:X-None").keys() == {
        "id",
        "subject",
        "header:X-None",
    }
    assert alice.get("Thread", record["Thread"], "emailIds") == {"id": record["Thread"], "emailIds": [record["Email"]]}


@pytest.mark.parametrize("data_type", TYPES)
@pytest.mark.parametrize("name", ["nonsense", "", "ID", "header:", "header:From:asDate"])
def test_an_unknown_property_is_an_invalid_argument(
    alice: Client, record: dict[str, str], data_type: str, name: str
) -> None:
    assert alice.error(f"{data_type}/get", ids=[record[data_type]], properties=["id", name]) == "invalidArguments"
    assert alice.error(f"{data_type}/get", ids=[], properties=[name]) == "invalidArguments"


@pytest.mark.parametrize("data_type", TYPES)
@pytest.mark.parametrize(
    "arguments",
    [{"ids": "M1"}, {"ids": [1]}, {"ids": [""]}, {"ids": ["a b"]}, {"ids": ["x" * 256]}, {"properties": "id"},
     {"properties": [None]}, {"nonsense": 1}, {"accountId": None}, {"accountId": 1}],
)  # fmt: skip
def test_arguments_of_the_wrong_kind_are_refused(alice: Client, data_type: str, arguments: dict[str, Any]) -> None:
    assert alice.error(f"{data_type}/get", **arguments) == "invalidArguments"


@pytest.mark.parametrize(
    "method",
    ["Mailbox/get", "Mailbox/changes", "Mailbox/set", "Mailbox/query", "Mailbox/queryChanges", "Thread/get",
     "Thread/changes", "Email/get", "Email/changes", "Email/set", "Email/copy", "Email/query", "Email/queryChanges",
     "Email/import"],
)  # fmt: skip
def test_the_account_comes_first_of_all(alice: Client, method: str) -> None:
    """Missing or no string: invalidArguments; unknown: accountNotFound, whatever else is wrong."""
    source = {"fromAccountId": "nobody"} if method == "Email/copy" else {}
    expected = "fromAccountNotFound" if source else "accountNotFound"
    assert alice.error(method, accountId="nobody", nonsense=1, **source) == expected
    assert alice.error(method, nonsense=1) == "invalidArguments"
    response = alice.request([method, {}, "c"])["methodResponses"]
    assert (response[0][0], response[0][1]["type"]) == ("error", "invalidArguments")


def test_another_user_s_account_is_not_found(server: Server, alice: Client) -> None:
    bobs = server.client(BOB).account
    assert alice.error("Mailbox/get", accountId=bobs) == "accountNotFound"
    assert alice.error("Email/set", accountId=bobs) == "accountNotFound"


def test_more_ids_than_max_objects_in_get_are_too_large(tmp_path: Any) -> None:
    server = Server(tmp_path / "limited", limits=Limits(max_objects_in_get=3))
    client = server.client()
    for data_type in TYPES:
        assert client.error(f"{data_type}/get", ids=["a", "b", "c", "d"]) == "requestTooLarge"
        assert client.call(f"{data_type}/get", ids=["a", "b", "c"])["list"] == []
    assert client.error("Mailbox/get", ids=None) == "requestTooLarge"
    for _ in range(3):
        client.import_(message(), mailboxes=["M1"])
    assert len(client.call("Email/get", ids=None, properties=["id"])["list"]) == 3
    client.import_(message(), mailboxes=["M1"])
    assert client.error("Email/get", ids=None) == "requestTooLarge"
    assert client.error("Thread/get", ids=None) == "requestTooLarge"
    server.close()


@pytest.mark.parametrize("data_type", TYPES)
def test_the_state_stays_while_nothing_of_the_type_changes(
    alice: Client, record: dict[str, str], data_type: str
) -> None:
    before = alice.call(f"{data_type}/get", ids=[])["state"]
    alice.call("Email/query", calculateTotal=True)
    alice.call("Email/set", update={record["Email"]: {"keywords/$seen": None}})
    alice.call("Mailbox/set", update={record["Mailbox"]: {"name": "Inbox"}})
    assert alice.call(f"{data_type}/get", ids=[])["state"] == before


def test_the_state_of_a_type_is_left_alone_by_the_changes_of_others(alice: Client, record: dict[str, str]) -> None:
    states = {name: alice.call(f"{name}/get", ids=[])["state"] for name in TYPES}
    alice.call("Mailbox/set", update={record["Mailbox"]: {"sortOrder": 77}})
    now = {name: alice.call(f"{name}/get", ids=[])["state"] for name in TYPES}
    assert now["Mailbox"] != states["Mailbox"]
    assert (now["Thread"], now["Email"]) == (states["Thread"], states["Email"])
    alice.call("Email/set", update={record["Email"]: {"keywords/$flagged": True}})
    later = {name: alice.call(f"{name}/get", ids=[])["state"] for name in TYPES}
    assert later["Email"] != now["Email"]
    assert (later["Thread"], later["Mailbox"]) == (now["Thread"], now["Mailbox"])
