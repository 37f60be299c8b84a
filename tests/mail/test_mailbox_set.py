"""Mailbox/set (RFC 8621 §2.5), and what RFC 8620 §5.3 says of every /set where records refer to each other."""

from __future__ import annotations

from typing import Any

import pytest

from jmaplite.core.limits import Limits
from jmaplite.datatypes.mail import MailSettings
from tests.mail.jmap import BOB, Client, Server, message

COUNTS = {"totalEmails": 0, "unreadEmails": 0, "totalThreads": 0, "unreadThreads": 0}


def make(client: Client, name: str, **more: Any) -> str:
    """The id of a new Mailbox."""
    answer = client.call("Mailbox/set", create={"k": {"name": name, **more}})
    assert answer["created"], answer
    return str(answer["created"]["k"]["id"])


def creation_error(client: Client, **properties: Any) -> dict[str, Any]:
    answer = client.call("Mailbox/set", create={"k": properties})
    assert answer["created"] is None, answer
    error: dict[str, Any] = answer["notCreated"]["k"]
    return error


def update_error(client: Client, record_id: str, **changes: Any) -> dict[str, Any]:
    answer = client.call("Mailbox/set", update={record_id: changes})
    assert answer["updated"] is None, answer
    error: dict[str, Any] = answer["notUpdated"][record_id]
    return error


def state(client: Client) -> str:
    return str(client.call("Mailbox/get", ids=[])["state"])


# The answer


def test_all_that_is_wrong_with_a_mailbox_is_told_at_once(alice: Client) -> None:
    """RFC 8620 §5.3: `properties` has all that are invalid, by their kind or by what RFC 8621 §2 says of them."""
    box = make(alice, "Work")
    wrong = {"name": "", "sortOrder": 1 << 31, "role": "nonsense", "parentId": "M99", "isSubscribed": 1, "other": 1}
    answer = alice.call("Mailbox/set", create={"k": wrong}, update={box: {**wrong, "totalEmails": 7}})
    assert answer["notCreated"]["k"]["properties"] == sorted(wrong)
    assert answer["notUpdated"][box]["properties"] == sorted([*wrong, "totalEmails"])
    assert "not a registered role" in answer["notCreated"]["k"]["description"]


def test_created_has_what_the_client_did_not_send(alice: Client) -> None:
    before = state(alice)
    answer = alice.call("Mailbox/set", create={"k": {"name": "Work", "sortOrder": 0, "parentId": None}})
    told = answer["created"]["k"]
    assert told.keys() == {"id", "role", "isSubscribed", "myRights", *COUNTS}
    assert told | {"name": "Work", "sortOrder": 0, "parentId": None} == alice.get("Mailbox", told["id"])
    assert (answer["accountId"], answer["oldState"], answer["newState"]) == (alice.account, before, state(alice))
    assert [answer[name] for name in ("updated", "destroyed", "notCreated", "notUpdated", "notDestroyed")] == [None] * 5


def test_what_a_default_made_of_an_omitted_property_is_told(alice: Client) -> None:
    told = alice.call("Mailbox/set", create={"k": {"name": "Work"}})["created"]["k"]
    assert (told["parentId"], told["role"], told["sortOrder"], told["isSubscribed"]) == (None, None, 0, True)
    assert {name: told[name] for name in COUNTS} == COUNTS


@pytest.mark.parametrize("is_personal", [True, False])
def test_null_makes_of_a_property_what_is_its_default(alice: Client, is_personal: bool) -> None:
    """RFC 8620 §5.3; RFC 8621 §2 isSubscribed: it has another default in accounts that are shared."""
    accounts = alice.session["accounts"].items()
    alice.account = next(number for number, account in accounts if account["isPersonal"] is is_personal)
    box = make(alice, "Work")
    alice.call("Mailbox/set", update={box: {"sortOrder": 7, "role": "memos", "isSubscribed": not is_personal}})
    alice.call("Mailbox/set", update={box: {"sortOrder": None, "role": None, "isSubscribed": None}})
    told = alice.get("Mailbox", box, "sortOrder", "role", "isSubscribed")
    assert told == {"id": box, "sortOrder": 0, "role": None, "isSubscribed": is_personal}


def test_updated_is_null_for_a_record_that_changed_as_asked(alice: Client) -> None:
    box = make(alice, "Work")
    answer = alice.call("Mailbox/set", update={box: {"name": "Play"}})
    assert answer["updated"] == {box: None}
    assert answer["newState"] == state(alice)
    assert alice.get("Mailbox", box, "name")["name"] == "Play"


def test_an_empty_call_changes_nothing(alice: Client) -> None:
    before = state(alice)
    calls: list[dict[str, Any]] = [
        {},
        {"create": {}, "update": {}, "destroy": []},
        {"create": None, "update": None, "destroy": None},
    ]
    for arguments in calls:
        answer = alice.call("Mailbox/set", **arguments)
        assert (answer["oldState"], answer["newState"]) == (before, before)
        assert [answer[name] for name in ("created", "updated", "destroyed")] == [None] * 3


def test_a_patch_that_changes_nothing_leaves_the_state_alone(alice: Client) -> None:
    box = make(alice, "Work")
    before = state(alice)
    answer = alice.call("Mailbox/set", update={box: {"name": "Work"}})
    assert (answer["updated"], answer["newState"]) == ({box: None}, before)


def test_the_new_state_counts_what_other_mailboxes_lose_by_a_destruction(alice: Client) -> None:
    box, inbox = make(alice, "Work"), alice.mailbox("inbox")
    alice.import_(message(message_id="a@x"), mailboxes=[box, inbox])
    alice.import_(message(message_id="b@x", references=["a@x"]), mailboxes=[box])
    answer = alice.call("Mailbox/set", destroy=[box], onDestroyRemoveEmails=True)
    assert answer["destroyed"] == [box]
    assert answer["newState"] == state(alice)
    assert alice.faults() == []


# Errors of the whole call


@pytest.mark.parametrize(
    "arguments",
    [{"create": []}, {"create": {"k": None}}, {"create": {"k": []}}, {"create": {"": {}}}, {"create": {"a b": {}}},
     {"update": {"M1": None}}, {"update": {"": {}}}, {"update": {"a b": {}}}, {"update": {"#": {}}},
     {"destroy": "M1"}, {"destroy": [1]}, {"destroy": [""]}, {"destroy": ["x" * 256]}, {"destroy": ["#"]},
     {"ifInState": 1}, {"nonsense": 1}, {"onDestroyRemoveEmails": None}, {"onDestroyRemoveEmails": 1}],
)  # fmt: skip
def test_arguments_of_the_wrong_kind_are_refused(alice: Client, arguments: dict[str, Any]) -> None:
    before = state(alice)
    assert alice.error("Mailbox/set", **arguments) == "invalidArguments"
    assert state(alice) == before


def test_a_hyphen_or_an_underscore_is_an_id(alice: Client) -> None:
    answer = alice.call("Mailbox/set", update={"-": {}, "#-": {}}, destroy=["_", "#_"])
    assert {name: error["type"] for name, error in answer["notUpdated"].items()} == {"-": "notFound", "#-": "notFound"}
    assert {name: error["type"] for name, error in answer["notDestroyed"].items()} == {
        "_": "notFound",
        "#_": "notFound",
    }


def test_if_in_state_must_match(alice: Client) -> None:
    box = make(alice, "Work")
    before = state(alice)
    assert alice.error("Mailbox/set", ifInState="old", update={box: {"name": "Play"}}) == "stateMismatch"
    assert (state(alice), alice.get("Mailbox", box)["name"]) == (before, "Work")
    alice.call("Mailbox/set", ifInState=before, update={box: {"name": "Play"}})
    assert alice.error("Mailbox/set", ifInState=before, destroy=[box]) == "stateMismatch"


def test_max_objects_in_set_bounds_all_three_together(tmp_path: Any) -> None:
    server = Server(tmp_path / "limited", limits=Limits(max_objects_in_set=3))
    client = server.client()
    new = {"a": {"name": "a"}, "b": {"name": "b"}}
    before = state(client)
    assert client.error("Mailbox/set", create=new, update={"M1": {}}, destroy=["M2"]) == "requestTooLarge"
    assert client.error("Mailbox/set", destroy=["M7", "M8", "M9", "Ma"]) == "requestTooLarge"
    assert state(client) == before
    assert client.call("Mailbox/set", create=new, update={"M1": {}})["created"].keys() == {"a", "b"}
    server.close()


# Properties


@pytest.mark.parametrize(
    ("properties", "wrong"),
    [({}, ["name"]), ({"name": None}, ["name"]), ({"name": 1}, ["name"]), ({"name": ""}, ["name"]),
     ({"name": "x", "nonsense": 1}, ["nonsense"]), ({"name": "x", "id": "M1"}, ["id"]),
     ({"name": "x", "totalEmails": 0}, ["totalEmails"]), ({"name": "x", "myRights": {}}, ["myRights"]),
     ({"name": "x", "role": "Inbox"}, ["role"]), ({"name": "x", "role": "nonsense"}, ["role"]),
     ({"name": "x", "role": ""}, ["role"]), ({"name": "x", "role": "inbox"}, ["role"]),
     ({"name": "x", "sortOrder": -1}, ["sortOrder"]), ({"name": "x", "sortOrder": 1 << 31}, ["sortOrder"]),
     ({"name": "x", "sortOrder": None}, ["sortOrder"]), ({"name": "x", "isSubscribed": None}, ["isSubscribed"]),
     ({"name": "x", "parentId": "M99"}, ["parentId"]), ({"name": "x", "parentId": "E1"}, ["parentId"]),
     ({"name": "x", "parentId": "#none"}, ["parentId"]), ({"name": "x", "parentId": ""}, ["parentId"]),
     ({"name": "\n", "role": "nonsense", "sortOrder": 1 << 40}, ["name", "role", "sortOrder"]),
     ({"name": 1, "nonsense": 1, "id": "M1", "parentId": "M99"}, ["id", "name", "nonsense", "parentId"])],
)  # fmt: skip
def test_every_property_that_is_invalid_is_named(alice: Client, properties: dict[str, Any], wrong: list[str]) -> None:
    before = state(alice)
    error = creation_error(alice, **properties)
    assert (error["type"], error["properties"]) == ("invalidProperties", wrong)
    assert state(alice) == before


@pytest.mark.parametrize(
    "name",
    ["a\tb", "a\nb", "\0", "\x7f", "a\x85b", "\u2028", "a\u2029", "\ufeffbeginning", "unassigned \u0378"],
)
def test_a_name_is_net_unicode(alice: Client, name: str) -> None:
    assert creation_error(alice, name=name)["properties"] == ["name"]
    assert update_error(alice, make(alice, "Work"), name=name)["properties"] == ["name"]


@pytest.mark.parametrize("name", [" ", "a/b", "\\", "INBOX", "ünïcödé", "日本語", "👩‍👩‍👧", "\U000f0000", "%", "."])
def test_other_names_are_good(alice: Client, name: str) -> None:
    assert alice.get("Mailbox", make(alice, name), "name")["name"] == name


def test_a_name_is_put_into_normal_form_and_told(alice: Client) -> None:
    told = alice.call("Mailbox/set", create={"k": {"name": "Cafe\u0301"}})["created"]["k"]
    assert told["name"] == "Caf\u00e9" == alice.get("Mailbox", told["id"])["name"]
    answer = alice.call("Mailbox/set", update={told["id"]: {"name": "A\u030angstrom"}})
    assert answer["updated"] == {told["id"]: {"name": "\u00c5ngstrom"}}
    assert creation_error(alice, name="A\u030angstrom")["properties"] == ["name"]


def test_a_name_may_be_as_long_as_the_account_says(alice: Client) -> None:
    most = alice.session["accounts"][alice.account]["accountCapabilities"]["urn:ietf:params:jmap:mail"]
    assert most["maxSizeMailboxName"] >= 100
    make(alice, "x" * most["maxSizeMailboxName"])
    assert creation_error(alice, name="x" * (most["maxSizeMailboxName"] + 1))["properties"] == ["name"]
    assert creation_error(alice, name="ü" * (most["maxSizeMailboxName"] // 2 + 1))["properties"] == ["name"]


def test_siblings_have_different_names(alice: Client) -> None:
    work = make(alice, "Work")
    child = make(alice, "Work", parentId=work)
    assert creation_error(alice, name="Work")["properties"] == ["name"]
    assert creation_error(alice, name="Work", parentId=work)["properties"] == ["name"]
    assert update_error(alice, child, parentId=None)["properties"] == ["name"]
    other = make(alice, "Other")
    assert update_error(alice, other, name="Work")["properties"] == ["name"]
    make(alice, "work")


def test_two_of_one_name_in_one_call_are_not_both_made(alice: Client) -> None:
    answer = alice.call("Mailbox/set", create={"a": {"name": "Twin"}, "b": {"name": "Twin"}, "c": {"name": "Other"}})
    assert answer["created"].keys() == {"a", "c"}
    assert answer["notCreated"]["b"]["properties"] == ["name"]


def test_two_mailboxes_may_swap_their_names(alice: Client) -> None:
    a, b = make(alice, "A"), make(alice, "B")
    answer = alice.call("Mailbox/set", update={a: {"name": "B"}, b: {"name": "A"}})
    assert answer["updated"] == {a: None, b: None}
    assert (alice.get("Mailbox", a)["name"], alice.get("Mailbox", b)["name"]) == ("B", "A")


def test_a_name_may_be_taken_over_from_what_is_renamed_or_destroyed(alice: Client) -> None:
    a, b = make(alice, "A"), make(alice, "B")
    answer = alice.call("Mailbox/set", create={"k": {"name": "A"}}, update={a: {"name": "B"}}, destroy=[b])
    assert (answer["created"].keys(), answer["updated"], answer["destroyed"]) == ({"k"}, {a: None}, [b])


def test_what_breaks_a_rule_leaves_the_rest_of_the_call_standing(alice: Client) -> None:
    a, b = make(alice, "A"), make(alice, "B")
    answer = alice.call(
        "Mailbox/set",
        create={"good": {"name": "C"}, "bad": {"name": "A"}},
        update={a: {"sortOrder": 3}, b: {"name": "A", "sortOrder": 4}},
        destroy=["M99"],
    )
    assert (answer["created"].keys(), answer["notCreated"].keys()) == ({"good"}, {"bad"})
    assert (answer["updated"], answer["notUpdated"].keys()) == ({a: None}, {b})
    assert answer["notDestroyed"]["M99"]["type"] == "notFound"
    assert alice.get("Mailbox", b, "name", "sortOrder") == {"id": b, "name": "B", "sortOrder": 0}
    assert answer["newState"] == state(alice)


# PatchObject


def test_a_whole_mailbox_is_a_patch(alice: Client) -> None:
    box = alice.get("Mailbox", make(alice, "Work"))
    answer = alice.call("Mailbox/set", update={box["id"]: box | {"name": "Play"}})
    assert answer["updated"] == {box["id"]: None}
    assert alice.get("Mailbox", box["id"]) == box | {"name": "Play"}


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [({"totalEmails": 1}, ["totalEmails"]), ({"id": "M1"}, ["id"]), ({"id": None}, ["id"]),
     ({"myRights/mayDelete": False}, ["myRights"]), ({"unreadEmails": -1}, ["unreadEmails"]),
     ({"nonsense": 1}, ["nonsense"]), ({"nonsense": None}, ["nonsense"]), ({"": 1}, [""]),
     ({"name": None}, ["name"]), ({"name": 1, "sortOrder": "1", "nonsense": 0}, ["name", "nonsense", "sortOrder"])],
)  # fmt: skip
def test_what_a_client_may_not_set_is_refused_and_nothing_is_changed(
    alice: Client, changes: dict[str, Any], wrong: list[str]
) -> None:
    box = alice.get("Mailbox", make(alice, "Work"))
    error = update_error(alice, box["id"], role="flagged", **changes)
    assert (error["type"], error["properties"]) == ("invalidProperties", wrong)
    assert alice.get("Mailbox", box["id"]) == box


def test_server_set_properties_may_be_given_as_they_are(alice: Client) -> None:
    box = make(alice, "Work")
    same = {"id": box, "totalEmails": 0, "myRights/mayDelete": True, "name": "Play"}
    assert alice.call("Mailbox/set", update={box: same})["updated"] == {box: None}


@pytest.mark.parametrize(
    "changes",
    [{"myRights/mayDelete": True, "myRights": {}}, {"name/x": 1}, {"nonsense/x": 1}, {"myRights/none/x": 1},
     {"role/x": None}, {"~2": 1}, {"/name": "x"}],
)  # fmt: skip
def test_a_patch_with_a_bad_pointer_is_an_invalid_patch(alice: Client, changes: dict[str, Any]) -> None:
    assert update_error(alice, make(alice, "Work"), **changes)["type"] == "invalidPatch"


def test_null_sets_the_default(alice: Client) -> None:
    parent = make(alice, "Parent")
    box = make(alice, "Work", parentId=parent, sortOrder=7)
    answer = alice.call("Mailbox/set", update={box: {"parentId": None, "sortOrder": None, "role": None}})
    assert answer["updated"] == {box: None}
    assert alice.get("Mailbox", box, "parentId", "sortOrder") == {"id": box, "parentId": None, "sortOrder": 0}


# References


@pytest.mark.parametrize("order", ["abc", "cba", "bca", "acb"])
def test_creations_may_refer_to_each_other_in_any_order(alice: Client, order: str) -> None:
    records = {"a": {"name": "A"}, "b": {"name": "B", "parentId": "#a"}, "c": {"name": "C", "parentId": "#b"}}
    answer = alice.call("Mailbox/set", create={name: records[name] for name in order})
    made = {name: told["id"] for name, told in answer["created"].items()}
    assert answer["created"]["b"]["parentId"] == made["a"]
    assert alice.get("Mailbox", made["c"])["parentId"] == made["b"]


def test_creations_that_refer_to_each_other_in_a_circle_are_refused(alice: Client) -> None:
    answer = alice.call(
        "Mailbox/set", create={"a": {"name": "A", "parentId": "#b"}, "b": {"name": "B", "parentId": "#a"}}
    )
    assert answer["created"] is None
    assert {error["type"] for error in answer["notCreated"].values()} == {"invalidProperties"}


def test_a_creation_that_refers_to_one_that_failed_fails(alice: Client) -> None:
    answer = alice.call("Mailbox/set", create={"a": {"name": ""}, "b": {"name": "B", "parentId": "#a"}})
    assert answer["notCreated"].keys() == {"a", "b"}
    assert answer["notCreated"]["b"]["properties"] == ["parentId"]


def test_updates_and_destroys_may_use_creation_ids_of_the_same_call(alice: Client) -> None:
    box = make(alice, "Work")
    answer = alice.call(
        "Mailbox/set",
        create={"a": {"name": "A"}, "b": {"name": "B"}},
        update={box: {"parentId": "#a"}, "#a": {"sortOrder": 5}},
        destroy=["#b"],
    )
    a, b = answer["created"]["a"]["id"], answer["created"]["b"]["id"]
    assert answer["updated"] == {box: None, a: None}
    assert answer["destroyed"] == [b]
    assert alice.get("Mailbox", box)["parentId"] == a
    assert alice.get("Mailbox", a)["sortOrder"] == 5


def test_creation_ids_hold_for_the_calls_that_follow(alice: Client) -> None:
    def set_(**arguments: Any) -> list[Any]:
        return ["Mailbox/set", {"accountId": alice.account, **arguments}, "c"]

    answer = alice.request(
        set_(create={"k": {"name": "First"}}),
        set_(create={"child": {"name": "Child", "parentId": "#k"}}),
        set_(create={"k": {"name": "Second"}}),
        set_(update={"#k": {"name": "Third"}}, destroy=["#child"]),
        createdIds={},
    )
    first, child, second, last = (response[1] for response in answer["methodResponses"])
    assert child["created"]["child"]["parentId"] == first["created"]["k"]["id"]
    assert last["updated"] == {second["created"]["k"]["id"]: None}
    assert last["destroyed"] == [child["created"]["child"]["id"]]
    assert answer["createdIds"] == {"k": second["created"]["k"]["id"], "child": child["created"]["child"]["id"]}


def test_creation_ids_may_come_with_the_request(alice: Client) -> None:
    box = make(alice, "Work")
    call = ["Mailbox/set", {"accountId": alice.account, "update": {"#old": {"name": "Play"}}}, "c"]
    answer = alice.request(call, createdIds={"old": box})
    assert answer["methodResponses"][0][1]["updated"] == {box: None}
    assert answer["createdIds"] == {"old": box}


def test_what_was_not_made_leaves_no_creation_id(alice: Client) -> None:
    call = ["Mailbox/set", {"accountId": alice.account, "create": {"a": {"name": "X"}, "b": {"name": "X"}}}, "c"]
    answer = alice.request(call, createdIds={})
    assert answer["createdIds"] == {"a": answer["methodResponses"][0][1]["created"]["a"]["id"]}


# Trees


@pytest.mark.parametrize("parent_first", [True, False])
def test_a_parent_may_be_destroyed_with_its_child(alice: Client, parent_first: bool) -> None:
    parent = make(alice, "Parent")
    child = make(alice, "Child", parentId=parent)
    answer = alice.call("Mailbox/set", destroy=[parent, child] if parent_first else [child, parent])
    assert set(answer["destroyed"]) == {parent, child}


def test_a_parent_is_not_destroyed_while_it_has_a_child(alice: Client) -> None:
    parent = make(alice, "Parent")
    child = make(alice, "Child", parentId=parent)
    for destroy in ([parent], [parent, "M99"]):
        answer = alice.call("Mailbox/set", destroy=destroy)
        assert answer["destroyed"] is None
        assert answer["notDestroyed"][parent]["type"] == "mailboxHasChild"
    answer = alice.call("Mailbox/set", update={child: {"parentId": None}}, destroy=[parent])
    assert (answer["updated"], answer["destroyed"]) == ({child: None}, [parent])


def test_a_parent_stays_if_its_child_must(alice: Client) -> None:
    parent = make(alice, "Parent")
    child = make(alice, "Child", parentId=parent)
    alice.import_(message(), mailboxes=[child])
    answer = alice.call("Mailbox/set", destroy=[parent, child])
    assert answer["notDestroyed"][parent]["type"] == "mailboxHasChild"
    assert answer["notDestroyed"][child]["type"] == "mailboxHasEmail"


def test_no_child_may_be_put_beneath_what_is_destroyed(alice: Client) -> None:
    parent, box = make(alice, "Parent"), make(alice, "Work")
    answer = alice.call("Mailbox/set", update={box: {"parentId": parent}}, destroy=[parent])
    assert answer["updated"] == {box: None}
    assert answer["notDestroyed"][parent]["type"] == "mailboxHasChild"


def test_no_mailbox_is_beneath_itself(alice: Client) -> None:
    a = make(alice, "A")
    b = make(alice, "B", parentId=a)
    c = make(alice, "C", parentId=b)
    for parent in (a, b, c):
        assert update_error(alice, a, parentId=parent)["properties"] == ["parentId"]


def test_a_loop_that_several_updates_make_together_is_refused(alice: Client) -> None:
    """The last of them to be looked at is beneath the loop, not in it."""
    a, b, c = make(alice, "A"), make(alice, "B"), make(alice, "C")
    answer = alice.call("Mailbox/set", update={c: {"parentId": a}, a: {"parentId": b}, b: {"parentId": a}})
    assert answer["updated"] == {c: None, a: None}
    assert answer["notUpdated"][b]["properties"] == ["parentId"]


def test_a_tree_may_be_turned_upside_down(alice: Client) -> None:
    a = make(alice, "A")
    b = make(alice, "B", parentId=a)
    answer = alice.call("Mailbox/set", update={a: {"parentId": b}, b: {"parentId": None}})
    assert answer["updated"] == {a: None, b: None}


def test_the_tree_is_not_deeper_than_the_account_says(tmp_path: Any) -> None:
    server = Server(tmp_path / "shallow", settings=MailSettings(max_mailbox_depth=3))
    client = server.client()
    a = make(client, "A")
    b = make(client, "B", parentId=a)
    c = make(client, "C", parentId=b)
    assert creation_error(client, name="D", parentId=c)["properties"] == ["parentId"]
    d = make(client, "D")
    assert update_error(client, a, parentId=d)["properties"] == ["parentId"]
    assert client.call("Mailbox/set", update={c: {"parentId": None}, a: {"parentId": d}})["updated"] is not None
    new = {"n0": {"name": "N0"}} | {f"n{n}": {"name": "N", "parentId": f"#n{n - 1}"} for n in range(1, 5)}
    answer = client.call("Mailbox/set", create=new)
    assert answer["created"].keys() == {"n0", "n1", "n2"}
    server.close()


def test_many_mailboxes_may_have_one_parent(alice: Client) -> None:
    parent, above = make(alice, "Parent"), make(alice, "Above")
    alice.call("Mailbox/set", create={f"k{n}": {"name": f"{n}", "parentId": parent} for n in range(400)})
    assert alice.call("Mailbox/set", update={parent: {"parentId": above}})["updated"] == {parent: None}


# Roles, rights and subscriptions


def test_a_role_belongs_to_one_mailbox(alice: Client) -> None:
    box, archive = make(alice, "Work"), alice.mailbox("archive")
    assert update_error(alice, box, role="archive")["properties"] == ["role"]
    answer = alice.call("Mailbox/set", update={box: {"role": "archive"}, archive: {"role": None}})
    assert answer["updated"] == {box: None, archive: None}
    assert alice.mailbox("archive") == box


def test_two_mailboxes_may_swap_their_roles(alice: Client) -> None:
    sent, trash = alice.mailbox("sent"), alice.mailbox("trash")
    alice.call("Mailbox/set", update={sent: {"role": "trash"}, trash: {"role": "sent"}})
    assert (alice.mailbox("sent"), alice.mailbox("trash")) == (trash, sent)
    assert alice.faults() == []


def test_the_inbox_may_not_be_deleted_and_says_so(alice: Client) -> None:
    inbox = alice.mailbox("inbox")
    assert alice.get("Mailbox", inbox)["myRights"]["mayDelete"] is False
    answer = alice.call("Mailbox/set", destroy=[inbox], onDestroyRemoveEmails=True)
    assert answer["notDestroyed"][inbox]["type"] == "forbidden"
    rights = alice.get("Mailbox", alice.mailbox("archive"))["myRights"]
    assert len(rights) == 9
    assert all(rights.values())


def test_is_subscribed_is_each_user_s_own(server: Server, alice: Client, bob: Client) -> None:
    team = next(number for number, account in alice.session["accounts"].items() if not account["isPersonal"])
    alice, bob = server.client(alice.principal), server.client(BOB)
    alice.account = bob.account = team
    shared = alice.mailbox("inbox")
    assert alice.get("Mailbox", shared)["isSubscribed"] is False
    assert bob.get("Mailbox", shared)["isSubscribed"] is False
    box = make(alice, "Work")
    assert alice.get("Mailbox", box)["isSubscribed"] is True
    assert bob.get("Mailbox", box)["isSubscribed"] is False
    bob.call("Mailbox/set", update={shared: {"isSubscribed": True}})
    assert alice.get("Mailbox", shared)["isSubscribed"] is False
    assert bob.get("Mailbox", shared)["isSubscribed"] is True
    assert bob.call("Mailbox/query", filter={"isSubscribed": True})["ids"] == [shared]
    assert alice.call("Mailbox/query", filter={"isSubscribed": True})["ids"] == [box]
    assert shared in alice.call("Mailbox/query", filter={"isSubscribed": False})["ids"]


def test_one_s_own_mailboxes_are_subscribed_from_the_start(alice: Client) -> None:
    assert all(box["isSubscribed"] for box in alice.call("Mailbox/get")["list"])
    assert alice.get("Mailbox", make(alice, "No", isSubscribed=False))["isSubscribed"] is False


# Destroying


def test_a_mailbox_with_emails_is_not_destroyed_unasked(alice: Client) -> None:
    box = make(alice, "Work")
    made = alice.import_(message(), mailboxes=[box])["id"]
    for arguments in ({}, {"onDestroyRemoveEmails": False}):
        answer = alice.call("Mailbox/set", destroy=[box], **arguments)
        assert answer["notDestroyed"][box]["type"] == "mailboxHasEmail"
    assert alice.get("Email", made)["mailboxIds"] == {box: True}


def test_on_destroy_remove_emails_ends_those_that_are_nowhere_else(alice: Client) -> None:
    box, inbox = make(alice, "Work"), alice.mailbox("inbox")
    only, both = (alice.import_(message(), mailboxes=boxes)["id"] for boxes in ([box], [box, inbox]))
    before = alice.call("Email/get", ids=[])["state"]
    answer = alice.call("Mailbox/set", destroy=[box], onDestroyRemoveEmails=True)
    assert answer["destroyed"] == [box]
    assert alice.get("Email", both)["mailboxIds"] == {inbox: True}
    changes = alice.call("Email/changes", sinceState=before)
    assert (changes["updated"], changes["destroyed"]) == ([both], [only])
    assert alice.get("Mailbox", inbox)["totalEmails"] == 1
    assert alice.faults() == []


def test_emails_that_are_in_all_mailboxes_destroyed_together_end(alice: Client) -> None:
    a, b = make(alice, "A"), make(alice, "B")
    made = alice.import_(message(), mailboxes=[a, b])["id"]
    alice.call("Mailbox/set", destroy=[a, b], onDestroyRemoveEmails=True)
    assert alice.call("Email/get", ids=[made])["notFound"] == [made]
    assert alice.faults() == []


def test_a_mailbox_leaves_nothing_behind(alice: Client) -> None:
    box = make(alice, "Work")
    alice.import_(message(), mailboxes=[box])
    alice.import_(message(), mailboxes=[box, alice.mailbox("inbox")])
    alice.call("Mailbox/set", destroy=[box], onDestroyRemoveEmails=True)
    number = int(box[1:], 16)
    with alice.server.store.account(alice.account).read() as tx:
        lists = tx.rows(
            "SELECT list FROM list_block WHERE account=? AND list IN (?, ?)", tx.account, f"m:{number}", f"t:{number}"
        )
        assert lists == []
        assert tx.rows("SELECT 1 FROM user_value WHERE account=? AND type='Mailbox' AND id=?", tx.account, number) == []


def test_what_is_updated_and_destroyed_in_one_call_is_destroyed(alice: Client) -> None:
    box = make(alice, "Work")
    answer = alice.call("Mailbox/set", update={box: {"name": "Play"}}, destroy=[box, box])
    assert answer["notUpdated"][box]["type"] == "willDestroy"
    assert (answer["destroyed"], answer["notDestroyed"]) == ([box], None)


def test_what_is_not_there_is_not_found(alice: Client) -> None:
    gone = make(alice, "Gone")
    alice.call("Mailbox/set", destroy=[gone])
    for record_id in (gone, "M99", "E1", "nonsense", "#none", "M01", "M" + "f" * 16):
        answer = alice.call("Mailbox/set", update={record_id: {"name": "x"}})
        assert answer["notUpdated"][record_id]["type"] == "notFound"
        answer = alice.call("Mailbox/set", destroy=[record_id])
        assert answer["notDestroyed"][record_id]["type"] == "notFound"
