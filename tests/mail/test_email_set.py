"""Email/set (RFC 8621 §4.6): updating and destroying Emails."""

from __future__ import annotations

from typing import Any

import pytest

from jmaplite.core.limits import Limits
from jmaplite.datatypes.mail import MAIL, MailSettings
from tests.mail.jmap import Client, Server, message


@pytest.fixture
def email(alice: Client) -> str:
    """An Email in the inbox with the keywords $seen and work."""
    return str(alice.import_(message("Subject"), keywords=["$seen", "work"])["id"])


def update(client: Client, record_id: str, **changes: Any) -> Any:
    answer = client.call("Email/set", update={record_id: changes})
    assert answer["notUpdated"] is None, answer
    return answer["updated"][record_id]


def failure(client: Client, record_id: str, changes: dict[str, Any]) -> dict[str, Any]:
    before = client.call("Email/get", ids=None)
    answer = client.call("Email/set", update={record_id: changes})
    assert answer["updated"] is None, answer
    assert client.call("Email/get", ids=None) == before
    error: dict[str, Any] = answer["notUpdated"][record_id]
    return error


def keywords(client: Client, record_id: str) -> set[str]:
    found = client.get("Email", record_id, "keywords")["keywords"]
    assert all(value is True for value in found.values())
    return set(found)


# Keywords


def test_keywords_are_replaced_added_and_removed(alice: Client, email: str) -> None:
    assert update(alice, email, **{"keywords/$flagged": True}) is None
    assert keywords(alice, email) == {"$seen", "work", "$flagged"}
    assert update(alice, email, **{"keywords/$seen": None, "keywords/none": None}) is None
    assert keywords(alice, email) == {"work", "$flagged"}
    assert update(alice, email, keywords={"$answered": True}) is None
    assert keywords(alice, email) == {"$answered"}
    assert update(alice, email, keywords={}) is None
    assert keywords(alice, email) == set()
    update(alice, email, keywords={"$answered": True})
    assert update(alice, email, keywords=None) is None
    assert keywords(alice, email) == set()


@pytest.mark.parametrize(
    "changes", [{"keywords": {"$SEEN": True, "Work": True}}, {"keywords/WORK": True, "keywords/$Seen": True}]
)
def test_keywords_are_answered_in_lower_case(alice: Client, email: str, changes: dict[str, Any]) -> None:
    before = alice.call("Email/get", ids=[])["state"]
    assert update(alice, email, **changes) == {"keywords": {"$seen": True, "work": True}}
    assert keywords(alice, email) == {"$seen", "work"}
    assert alice.call("Email/get", ids=[])["state"] == before


def test_a_new_keyword_in_upper_case_is_told_as_it_is_kept(alice: Client, email: str) -> None:
    assert update(alice, email, **{"keywords/$Flagged": True}) == {
        "keywords": {"$flagged": True, "$seen": True, "work": True}
    }


def test_a_keyword_is_removed_whatever_its_case(alice: Client, email: str) -> None:
    update(alice, email, **{"keywords/$SEEN": None, "keywords/Work": None})
    assert keywords(alice, email) == set()


@pytest.mark.parametrize("keyword", ["!", "#", "$", "&'+,-./:;<=>?@[^_`|}~", "x" * 255, "a|b", "}"])
def test_every_allowed_character_may_be_in_a_keyword(alice: Client, email: str, keyword: str) -> None:
    update(alice, email, keywords={keyword: True})
    assert keywords(alice, email) == {keyword}
    update(alice, email, **{f"keywords/{keyword.replace('~', '~0').replace('/', '~1')}": None})
    assert keywords(alice, email) == set()


@pytest.mark.parametrize(
    "keyword", ["", " ", "a b", "(", ")", "{", "]", "%", "*", '"', "\\", "ü", "\x7f", "\t", "x" * 256]
)
def test_what_cannot_be_a_keyword_is_refused(alice: Client, email: str, keyword: str) -> None:
    for changes in ({"keywords": {keyword: True}}, {f"keywords/{keyword}": True}):
        error = failure(alice, email, changes)
        assert (error["type"], error["properties"]) == ("invalidProperties", ["keywords"])


@pytest.mark.parametrize("value", [False, 1, "true", {}, []])
def test_the_value_of_a_keyword_or_mailbox_is_true(alice: Client, email: str, value: Any) -> None:
    for name, key in (("keywords", "new"), ("mailboxIds", "M2")):
        for changes in ({name: {key: value}}, {f"{name}/{key}": value}):
            assert failure(alice, email, changes)["properties"] == [name]


@pytest.mark.parametrize("value", [[], ["$seen"], "$seen", 1, True])
def test_keywords_and_mailboxes_are_objects(alice: Client, email: str, value: Any) -> None:
    for name in ("keywords", "mailboxIds"):
        assert failure(alice, email, {name: value})["properties"] == [name]


def test_a_keyword_like_a_creation_id_is_only_a_keyword(alice: Client, email: str) -> None:
    call = ["Email/set", {"accountId": alice.account, "update": {"#k": {"keywords/#k": True}}}, "c"]
    answer = alice.request(call, createdIds={"k": email})["methodResponses"][0][1]
    assert answer["updated"] == {email: None}
    assert keywords(alice, email) == {"$seen", "work", "#k"}


def test_keywords_are_bounded(tmp_path: Any) -> None:
    server = Server(tmp_path / "bounded", settings=MailSettings(max_keywords_per_email=3, max_mailboxes_per_email=2))
    client = server.client()
    made = client.import_(message(), keywords=["a", "b", "c"])["id"]
    assert failure(client, made, {"keywords/d": True})["type"] == "tooManyKeywords"
    assert failure(client, made, {"keywords": dict.fromkeys("wxyz", True)})["type"] == "tooManyKeywords"
    update(client, made, **{"keywords/d": True, "keywords/a": None, "keywords/B": True})
    assert keywords(client, made) == {"b", "c", "d"}
    assert failure(client, made, {"mailboxIds": {"M1": True, "M2": True, "M3": True}})["type"] == "tooManyMailboxes"
    update(client, made, mailboxIds={"M2": True, "M3": True})
    server.close()


# Mailboxes


def test_an_email_is_in_at_most_100_mailboxes(alice: Client, email: str) -> None:
    assert alice.session["accounts"][alice.account]["accountCapabilities"][MAIL]["maxMailboxesPerEmail"] == 100
    made = alice.call("Mailbox/set", create={f"k{number}": {"name": f"n{number}"} for number in range(101)})["created"]
    boxes = [box["id"] for box in made.values()]
    assert failure(alice, email, {"mailboxIds": dict.fromkeys(boxes, True)})["type"] == "tooManyMailboxes"
    update(alice, email, mailboxIds=dict.fromkeys(boxes[:100], True))
    assert failure(alice, email, {f"mailboxIds/{boxes[100]}": True})["type"] == "tooManyMailboxes"
    import_ = {"blobId": alice.upload(message()), "mailboxIds": dict.fromkeys(boxes, True)}
    assert alice.call("Email/import", emails={"k": import_})["notCreated"]["k"]["type"] == "tooManyMailboxes"
    create = alice.call("Email/set", create={"k": {"mailboxIds": dict.fromkeys(boxes, True)}})
    assert create["notCreated"]["k"]["type"] == "tooManyMailboxes"


def boxes(client: Client, record_id: str) -> set[str]:
    return set(client.get("Email", record_id, "mailboxIds")["mailboxIds"])


def test_an_email_moves_by_patch_or_as_a_whole(alice: Client, email: str) -> None:
    inbox, archive, junk = (alice.mailbox(role) for role in ("inbox", "archive", "junk"))
    assert update(alice, email, **{f"mailboxIds/{archive}": True}) is None
    assert boxes(alice, email) == {inbox, archive}
    assert update(alice, email, **{f"mailboxIds/{inbox}": None, f"mailboxIds/{junk}": None}) is None
    assert boxes(alice, email) == {archive}
    assert update(alice, email, mailboxIds={junk: True, inbox: True}) is None
    assert boxes(alice, email) == {inbox, junk}
    assert alice.get("Mailbox", archive)["totalEmails"] == 0
    assert alice.faults() == []


@pytest.mark.parametrize(
    "changes",
    [{"mailboxIds": {}}, {"mailboxIds": None}, {"mailboxIds/M1": None}, {"mailboxIds": {"M99": True}},
     {"mailboxIds/M99": True}, {"mailboxIds": {"E1": True}}, {"mailboxIds": {"": True}}, {"mailboxIds/#none": True},
     {"mailboxIds": {"M2": True, "nothing": True}}],
)  # fmt: skip
def test_an_email_is_in_one_mailbox_at_least_and_all_of_them_are_there(
    alice: Client, email: str, changes: dict[str, Any]
) -> None:
    error = failure(alice, email, changes)
    assert (error["type"], error["properties"]) == ("invalidProperties", ["mailboxIds"])


def test_mailboxes_may_be_named_by_their_creation_ids(alice: Client, email: str) -> None:
    def moved(change: dict[str, Any]) -> set[str]:
        answer = alice.request(
            ["Mailbox/set", {"accountId": alice.account, "create": {"k": {"name": str(change)}}}, "0"],
            ["Email/set", {"accountId": alice.account, "update": {email: change}}, "1"],
        )["methodResponses"]
        made = answer[0][1]["created"]["k"]["id"]
        assert answer[1][1]["updated"] == {email: None}, answer
        return {"new" if box == made else box for box in boxes(alice, email)}

    assert moved({"mailboxIds": {"#k": True}}) == {"new"}
    assert moved({"mailboxIds/#k": True, "mailboxIds/M1": True}) >= {"new", "M1"}


def test_a_creation_id_may_take_an_email_out_of_a_mailbox(alice: Client, email: str) -> None:
    update(alice, email, **{"mailboxIds/M2": True})
    call = ["Email/set", {"accountId": alice.account, "update": {email: {"mailboxIds/#k": None}}}, "c"]
    alice.request(call, createdIds={"k": "M2"})
    assert boxes(alice, email) == {"M1"}


# What cannot be changed


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [({"subject": "Other"}, ["subject"]), ({"subject": None}, ["subject"]), ({"from": []}, ["from"]),
     ({"receivedAt": "2020-01-01T00:00:00Z"}, ["receivedAt"]), ({"receivedAt": None}, ["receivedAt"]),
     ({"size": 1}, ["size"]), ({"blobId": "G1"}, ["blobId"]),
     ({"threadId": "T1"}, ["threadId"]), ({"id": "E1"}, ["id"]),
     ({"preview": ""}, ["preview"]), ({"hasAttachment": True}, ["hasAttachment"]), ({"headers": []}, ["headers"]),
     ({"bodyValues": {"1": {"value": "x"}}}, ["bodyValues"]), ({"bodyValues": 1}, ["bodyValues"]),
     ({"textBody": []}, ["textBody"]), ({"bodyStructure": None}, ["bodyStructure"]),
     ({"header:Subject": "Other"}, ["header:Subject"]), ({"header:From:asDate": None}, ["header:From:asDate"]),
     ({"nonsense": 1}, ["nonsense"]), ({"nonsense": 1, "size": 1, "keywords": 1}, ["keywords", "nonsense", "size"]),
     ({"size": 1, "keywords": {"a b": True}, "mailboxIds": {}}, ["keywords", "mailboxIds", "size"])],
)  # fmt: skip
def test_the_message_never_changes(alice: Client, email: str, changes: dict[str, Any], wrong: list[str]) -> None:
    error = failure(alice, email, {"keywords/new": True, **changes} if "keywords" not in changes else changes)
    assert (error["type"], error["properties"]) == ("invalidProperties", wrong)


def test_a_whole_email_is_a_patch(alice: Client, email: str) -> None:
    for arguments in (
        {},
        {"fetchTextBodyValues": True},
        {"properties": ["bodyStructure", "headers", "header:Subject:asText"]},
    ):
        whole = alice.call("Email/get", ids=[email], **arguments)["list"][0]
        assert update(alice, email, **{**whole, "keywords": {"$flagged": True}}) is None
        assert keywords(alice, email) == {"$flagged"}


@pytest.mark.parametrize(
    "changes",
    [{"keywords": {}, "keywords/$seen": True}, {"keywords/$seen/x": True}, {"keywords/none/x": True},
     {"from/0": {}}, {"from/0/name": "x"}, {"nonsense/x": 1}, {"keywords/a~2": True}, {"/keywords": {}}],
)  # fmt: skip
def test_a_bad_pointer_is_an_invalid_patch(alice: Client, email: str, changes: dict[str, Any]) -> None:
    assert failure(alice, email, changes)["type"] == "invalidPatch"


# The call


def test_the_states_are_those_of_the_next_get(alice: Client, email: str) -> None:
    before = alice.call("Email/get", ids=[])["state"]
    answer = alice.call("Email/set", update={email: {"keywords/new": True}})
    after = alice.call("Email/get", ids=[])["state"]
    assert (answer["accountId"], answer["oldState"], answer["newState"]) == (alice.account, before, after)
    assert before != after
    answer = alice.call("Email/set", destroy=[email])
    assert (answer["oldState"], answer["newState"]) == (after, alice.call("Email/get", ids=[])["state"])
    assert answer["newState"] != after
    assert answer["destroyed"] == [email]


def test_if_in_state_must_match(alice: Client, email: str) -> None:
    before = alice.call("Email/get", ids=[])["state"]
    update(alice, email, **{"keywords/new": True})
    calls: list[dict[str, Any]] = [{"update": {email: {"keywords": {}}}}, {"destroy": [email]}, {}]
    for arguments in calls:
        assert alice.error("Email/set", ifInState=before, **arguments) == "stateMismatch"
    assert keywords(alice, email) == {"$seen", "work", "new"}
    now = alice.call("Email/get", ids=[])["state"]
    assert alice.call("Email/set", ifInState=now, destroy=[email])["destroyed"] == [email]


def test_one_failure_leaves_the_others_standing(alice: Client, email: str) -> None:
    other = alice.import_(message())["id"]
    answer = alice.call(
        "Email/set",
        update={email: {"keywords/good": True}, other: {"keywords/bad key": True}, "E99": {}},
        destroy=["E98", other],
    )
    assert answer["updated"] == {email: None}
    assert {name: error["type"] for name, error in answer["notUpdated"].items()} == {
        other: "willDestroy",
        "E99": "notFound",
    }
    assert answer["destroyed"] == [other]
    assert answer["notDestroyed"] == {"E98": {"type": "notFound"}}


def test_max_objects_in_set_is_kept(tmp_path: Any) -> None:
    server = Server(tmp_path / "limited", limits=Limits(max_objects_in_set=2))
    client = server.client()
    assert client.error("Email/set", destroy=["E1", "E2", "E3"]) == "requestTooLarge"
    assert client.error("Email/set", update={"E1": {}, "E2": {}}, destroy=["E3"]) == "requestTooLarge"
    assert client.call("Email/set", destroy=["E1", "E2"])["destroyed"] is None
    server.close()


def test_a_destroyed_email_is_gone_from_everywhere(alice: Client) -> None:
    boxes = [alice.mailbox("inbox"), alice.mailbox("archive")]
    made = alice.import_(message(body="unmistakable"), mailboxes=boxes, keywords=["work"])
    alice.call("Email/set", destroy=[made["id"]])
    assert alice.call("Email/get", ids=[made["id"]])["notFound"] == [made["id"]]
    assert alice.call("Thread/get", ids=[made["threadId"]])["notFound"] == [made["threadId"]]
    for wanted in (None, {"inMailbox": boxes[1]}, {"hasKeyword": "work"}, {"text": "unmistakable"}):
        assert alice.call("Email/query", filter=wanted, calculateTotal=True)["total"] == 0
    assert [alice.get("Mailbox", box)["totalEmails"] for box in boxes] == [0, 0]
    assert alice.faults() == []


def test_an_id_is_never_used_again(alice: Client) -> None:
    gone = alice.import_(message())["id"]
    alice.call("Email/set", destroy=[gone])
    assert gone not in {alice.import_(message())["id"] for _ in range(3)}
