"""Email/copy (RFC 8620 §5.4, RFC 8621 §4.7)."""

from __future__ import annotations

from typing import Any

import pytest

from jmaplite.core.context import Access, Context
from jmaplite.core.errors import MethodError
from jmaplite.core.limits import Limits
from jmaplite.core.methods.copy import copy
from jmaplite.core.methods.set import set_
from jmaplite.datatypes.mail import EMAIL, MAIL
from jmaplite.store import StoreUnavailable
from tests.mail.jmap import Client, Server, message


@pytest.fixture
def team(server: Server, alice: Client) -> Client:
    """Alice in the team's account."""
    client = server.client(alice.principal)
    client.account = team_of(client)
    return client


def team_of(client: Client) -> str:
    return next(str(number) for number, account in client.session["accounts"].items() if not account["isPersonal"])


@pytest.fixture
def original(alice: Client) -> dict[str, Any]:
    octets = message("Original", message_id="o@x")
    made = alice.import_(octets, keywords=["$seen", "work"], received="2020-01-01T10:00:00Z")
    return alice.get("Email", made["id"])


def copy_(team: Client, alice: Client, original: str, **more: Any) -> dict[str, Any]:
    create = {"k": {"id": original, "mailboxIds": {team.mailbox("inbox"): True}, **more}}
    return team.call("Email/copy", fromAccountId=alice.account, create=create)


def failure(team: Client, alice: Client, record: dict[str, Any]) -> dict[str, Any]:
    answer = team.call("Email/copy", fromAccountId=alice.account, create={"k": record})
    assert answer["created"] is None, answer
    assert answer["oldState"] == answer["newState"]
    error: dict[str, Any] = answer["notCreated"]["k"]
    return error


def test_the_copy_has_the_message_keywords_and_date_of_the_original(
    alice: Client, team: Client, original: dict[str, Any]
) -> None:
    before = team.call("Email/get", ids=[])["state"]
    answer = copy_(team, alice, original["id"])
    assert answer.keys() == {"fromAccountId", "accountId", "oldState", "newState", "created", "notCreated"}
    assert (answer["fromAccountId"], answer["accountId"]) == (alice.account, team.account)
    assert (answer["oldState"], answer["notCreated"]) == (before, None)
    assert answer["newState"] == team.call("Email/get", ids=[])["state"] != before
    told = answer["created"]["k"]
    made = team.get("Email", told["id"])
    assert told == {name: made[name] for name in ("id", "blobId", "threadId", "size")}
    own = {"id", "threadId", "mailboxIds"}
    assert {k: v for k, v in made.items() if k not in own} == {k: v for k, v in original.items() if k not in own}
    assert made["mailboxIds"] == {team.mailbox("inbox"): True}
    assert team.get("Email", told["id"], "bodyValues", fetchAllBodyValues=True)["bodyValues"]["1"]["value"]
    assert alice.get("Email", original["id"]) == original
    assert team.faults() == alice.faults() == []


def test_what_is_given_is_used_instead(alice: Client, team: Client, original: dict[str, Any]) -> None:
    given = {"keywords": {"$Flagged": True}, "receivedAt": "2021-01-01T00:00:00Z"}
    made = copy_(team, alice, original["id"], **given)["created"]["k"]["id"]
    found = team.get("Email", made, "keywords", "receivedAt")
    assert (found["keywords"], found["receivedAt"]) == ({"$flagged": True}, "2021-01-01T00:00:00Z")


def test_a_large_message_is_copied_too(alice: Client, team: Client) -> None:
    octets = message(body="x" * 300_000)
    made = alice.import_(octets)
    told = copy_(team, alice, made["id"])["created"]["k"]
    assert (told["size"], told["blobId"]) == (len(octets), made["blobId"])
    with team.server.store.account(team.account).read() as tx:
        assert team.server.blobs.read(tx, bytes.fromhex(told["blobId"][1:])) == octets


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [({"id": None}, ["id"]), ({"id": 1}, ["id"]), ({"mailboxIds": None}, ["mailboxIds"]),
     ({"mailboxIds": {}}, ["mailboxIds"]), ({"mailboxIds": {"M99": True}}, ["mailboxIds"]),
     ({"mailboxIds": {"M1": False}}, ["mailboxIds"]), ({"keywords": None}, ["keywords"]),
     ({"keywords": {"a b": True}}, ["keywords"]), ({"receivedAt": None}, ["receivedAt"]),
     ({"receivedAt": "2020-01-01"}, ["receivedAt"]), ({"subject": "x"}, ["subject"]),
     ({"threadId": "T1"}, ["threadId"]),
     ({"nonsense": 1, "keywords": 1, "mailboxIds": 1}, ["keywords", "mailboxIds", "nonsense"])],
)  # fmt: skip
def test_every_property_that_is_invalid_is_named(
    alice: Client, team: Client, original: dict[str, Any], changes: dict[str, Any], wrong: list[str]
) -> None:
    record = {"id": original["id"], "mailboxIds": {team.mailbox("inbox"): True}, **changes}
    error = failure(team, alice, record)
    assert (error["type"], error["properties"]) == ("invalidProperties", wrong)


def test_the_original_s_mailboxes_mean_nothing_in_another_account(
    alice: Client, team: Client, original: dict[str, Any]
) -> None:
    assert failure(team, alice, {"id": original["id"]})["properties"] == ["mailboxIds"]


@pytest.mark.parametrize("record_id", ["E99", "nothing", "T1", "#k", ""])
def test_an_original_that_is_not_there_is_not_found(alice: Client, team: Client, record_id: str) -> None:
    assert failure(team, alice, {"id": record_id, "mailboxIds": {"M1": True}})["type"] == "notFound"


def test_each_copy_succeeds_or_fails_by_itself(alice: Client, team: Client, original: dict[str, Any]) -> None:
    good = {"id": original["id"], "mailboxIds": {team.mailbox("inbox"): True}}
    answer = team.call(
        "Email/copy",
        fromAccountId=alice.account,
        create={"a": good, "b": good | {"id": "E99"}, "c": good | {"mailboxIds": {}}, "d": good},
    )
    assert (answer["created"].keys(), answer["notCreated"].keys()) == ({"a", "d"}, {"b", "c"})
    assert answer["created"]["a"]["id"] != answer["created"]["d"]["id"]


def test_accounts_are_checked_first_the_source_before_the_target(alice: Client, team: Client) -> None:
    assert team.error("Email/copy", fromAccountId="nobody", create={}) == "fromAccountNotFound"
    assert team.error("Email/copy", fromAccountId="nobody", accountId="nobody") == "fromAccountNotFound"
    assert team.error("Email/copy", fromAccountId=alice.account, accountId="nobody") == "accountNotFound"
    assert team.error("Email/copy", create={}) == "invalidArguments"
    assert team.error("Email/copy", fromAccountId=None, create={}) == "invalidArguments"
    assert alice.error("Email/copy", fromAccountId=alice.account, create={}) == "invalidArguments"


@pytest.mark.parametrize(
    "arguments",
    [{}, {"create": None}, {"create": []}, {"create": {"k": None}}, {"create": {"": {}}}, {"create": {}, "nonsense": 1},
     {"create": {}, "onSuccessDestroyOriginal": None}, {"create": {}, "destroyFromIfInState": 1}],
)  # fmt: skip
def test_arguments_of_the_wrong_kind_are_refused(alice: Client, team: Client, arguments: dict[str, Any]) -> None:
    assert team.error("Email/copy", fromAccountId=alice.account, **arguments) == "invalidArguments"


def test_both_states_may_be_required(alice: Client, team: Client, original: dict[str, Any]) -> None:
    create = {"k": {"id": original["id"], "mailboxIds": {"M1": True}}}
    source, target = alice.call("Email/get", ids=[])["state"], team.call("Email/get", ids=[])["state"]
    for states in ({"ifFromInState": "old"}, {"ifInState": "old"}, {"ifFromInState": target, "ifInState": source}):
        assert team.error("Email/copy", fromAccountId=alice.account, create=create, **states) == "stateMismatch"
    assert team.call("Email/get", ids=None)["list"] == []
    answer = team.call("Email/copy", fromAccountId=alice.account, create=create, ifFromInState=source, ifInState=target)
    assert answer["created"]


def test_too_many_at_once_are_too_large(tmp_path: Any) -> None:
    server = Server(tmp_path / "limited", limits=Limits(max_objects_in_set=1))
    client = server.client()
    create = {"a": {"id": "E1"}, "b": {"id": "E1"}}
    arguments = {"fromAccountId": client.account, "accountId": team_of(client), "create": create}
    assert client.error("Email/copy", **arguments) == "requestTooLarge"
    server.close()


def test_creation_ids_hold_for_the_calls_that_follow(alice: Client, team: Client, original: dict[str, Any]) -> None:
    create = {"k": {"id": original["id"], "mailboxIds": {"#box": True}}}
    answer = team.request(
        ["Mailbox/set", {"accountId": team.account, "create": {"box": {"name": "New"}}}, "0"],
        ["Email/copy", {"accountId": team.account, "fromAccountId": alice.account, "create": create}, "1"],
        ["Email/set", {"accountId": team.account, "destroy": ["#k"]}, "2"],
    )["methodResponses"]
    assert answer[2][1]["destroyed"] == [answer[1][1]["created"]["k"]["id"]]


# Destroying the originals


def responses(team: Client, alice: Client, create: dict[str, Any], **more: Any) -> list[Any]:
    """All responses to a copy that destroys the originals, and one to what follows."""
    arguments = {"accountId": team.account, "fromAccountId": alice.account, "create": create, **more}
    calls = [["Email/copy", {"onSuccessDestroyOriginal": True, **arguments}, "0"], ["Core/echo", {}, "1"]]
    found: list[Any] = team.request(*calls)["methodResponses"]
    return found


def test_originals_are_destroyed_by_a_set_of_their_own(alice: Client, team: Client, original: dict[str, Any]) -> None:
    inbox = {team.mailbox("inbox"): True}
    other = alice.import_(message())["id"]
    before = alice.call("Email/get", ids=[])["state"]
    create = {"a": {"id": original["id"], "mailboxIds": inbox}, "b": {"id": other, "mailboxIds": {}}}
    copied, destroyed, echo = responses(team, alice, create)
    assert (copied[0], destroyed[0], echo[0]) == ("Email/copy", "Email/set", "Core/echo")
    assert (copied[2], destroyed[2]) == ("0", "0")
    assert copied[1]["created"].keys() == {"a"}
    assert destroyed[1]["accountId"] == alice.account
    assert destroyed[1]["destroyed"] == [original["id"]]
    assert (destroyed[1]["oldState"], destroyed[1]["newState"]) == (before, alice.call("Email/get", ids=[])["state"])
    assert [email["id"] for email in alice.call("Email/get", ids=None)["list"]] == [other]
    assert alice.faults() == team.faults() == []


def test_an_original_that_is_copied_twice_is_destroyed_once(
    alice: Client, team: Client, original: dict[str, Any]
) -> None:
    one = {"id": original["id"], "mailboxIds": {team.mailbox("inbox"): True}}
    _, destroyed, _ = responses(team, alice, {"a": one, "b": one})
    assert (destroyed[1]["destroyed"], destroyed[1]["notDestroyed"]) == ([original["id"]], None)


def test_without_a_copy_nothing_is_destroyed(alice: Client, team: Client, original: dict[str, Any]) -> None:
    copied, echo = responses(team, alice, {"a": {"id": original["id"], "mailboxIds": {}}})
    assert (copied[0], echo[0]) == ("Email/copy", "Core/echo")
    assert alice.get("Email", original["id"])


def test_the_state_of_the_source_may_be_required_for_destroying(
    alice: Client, team: Client, original: dict[str, Any]
) -> None:
    """The copy stands nevertheless."""
    create = {"a": {"id": original["id"], "mailboxIds": {team.mailbox("inbox"): True}}}
    copied, destroyed, _ = responses(team, alice, create, destroyFromIfInState="old")
    assert copied[1]["created"].keys() == {"a"}
    assert (destroyed[0], destroyed[1]["type"], destroyed[2]) == ("error", "stateMismatch", "0")
    assert alice.get("Email", original["id"])
    now = alice.call("Email/get", ids=[])["state"]
    assert responses(team, alice, create, destroyFromIfInState=now)[1][1]["destroyed"] == [original["id"]]


def test_a_store_that_fails_while_destroying_does_not_hide_the_copy(
    alice: Client, team: Client, original: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = team.server.store.account(alice.account)

    def unavailable(work: Any) -> Any:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(account, "write", unavailable)
    create = {"a": {"id": original["id"], "mailboxIds": {team.mailbox("inbox"): True}}}
    copied, destroyed, _ = responses(team, alice, create)
    assert copied[1]["created"].keys() == {"a"}
    assert (destroyed[0], destroyed[1]["type"]) == ("error", "serverUnavailable")


# Read-only accounts


def read_only(client: Client, account: str) -> Context:
    """A request of a user who may only read an account."""
    accesses = {
        number: Access(number, number, True, number == account, frozenset({MAIL}))
        for number in client.session["accounts"]
    }
    return Context(client.server.engine.services, client.principal.name, accesses, frozenset({MAIL}))


def test_nothing_is_copied_into_an_account_that_is_read_only(
    alice: Client, team: Client, original: dict[str, Any]
) -> None:
    create = {"a": {"id": original["id"], "mailboxIds": {team.mailbox("inbox"): True}}}
    arguments = {"fromAccountId": alice.account, "accountId": team.account, "create": create}
    with pytest.raises(MethodError) as error:
        copy(EMAIL)(read_only(team, team.account), arguments)
    assert error.value.type == "accountReadOnly"
    with pytest.raises(MethodError) as error:
        set_(EMAIL)(read_only(team, alice.account), {"accountId": alice.account, "destroy": [original["id"]]})
    assert error.value.type == "accountReadOnly"


def test_a_copy_from_an_account_that_is_read_only_leaves_the_original(
    alice: Client, team: Client, original: dict[str, Any]
) -> None:
    create = {"a": {"id": original["id"], "mailboxIds": {team.mailbox("inbox"): True}}}
    arguments = {"fromAccountId": alice.account, "accountId": team.account, "create": create}
    answer = copy(EMAIL)(read_only(team, alice.account), {**arguments, "onSuccessDestroyOriginal": True})
    assert isinstance(answer, list)
    assert answer[0][1]["created"].keys() == {"a"}
    assert answer[1] == ("error", {"type": "accountReadOnly"})


def test_an_email_made_in_the_same_request_is_copied_by_its_creation_id(alice: Client, team: Client) -> None:
    """The copy may even have the same one: what is destroyed is the original."""
    blob, inbox = alice.upload(message()), {alice.mailbox("inbox"): True}
    emails = {"e": {"blobId": blob, "mailboxIds": inbox}}
    create = {"e": {"id": "#e", "mailboxIds": {team.mailbox("inbox"): True}}}
    both = {"fromAccountId": alice.account, "accountId": team.account}
    answer = alice.request(
        ["Email/import", {"accountId": alice.account, "emails": emails}, "0"],
        ["Email/copy", {**both, "create": create, "onSuccessDestroyOriginal": True}, "1"],
        createdIds={},
    )
    [[_, imported, _], [_, copied, _], [_, destroyed, _]] = answer["methodResponses"]
    assert destroyed["destroyed"] == [imported["created"]["e"]["id"]]
    assert answer["createdIds"] == {"e": copied["created"]["e"]["id"]}
    assert team.get("Email", copied["created"]["e"]["id"], "blobId")["blobId"] == blob


def test_an_unknown_creation_id_is_no_original(alice: Client, team: Client) -> None:
    assert copy_(team, alice, "#nobody")["notCreated"] == {"k": {"type": "notFound"}}
