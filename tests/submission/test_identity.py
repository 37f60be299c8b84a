"""Identity (RFC 8621 §6)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jmaplite.core.limits import Limits
from jmaplite.datatypes.submission import SUBMISSION
from tests.submission.post import ALICE, BOB, CAROL, Mailer, PostOffice


def all_of(client: Mailer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.call("Identity/get", ids=None)["list"]
    return found


def create(client: Mailer, **properties: Any) -> dict[str, Any]:
    """The whole answer to the creation of `k`."""
    return client.call("Identity/set", create={"k": properties})


def made(client: Mailer, **properties: Any) -> str:
    answer = create(client, **properties)
    assert answer["created"], answer
    return str(answer["created"]["k"]["id"])


def refused(client: Mailer, **properties: Any) -> dict[str, Any]:
    answer = create(client, **properties)
    assert answer["created"] is None, answer
    error: dict[str, Any] = answer["notCreated"]["k"]
    return error


def test_an_identity_for_each_address_exists_from_the_start_and_cannot_be_deleted(alice: Mailer) -> None:
    first, second = all_of(alice)
    assert first == {
        "id": first["id"],
        "name": "Alice",
        "email": "alice@example.org",
        "replyTo": None,
        "bcc": None,
        "textSignature": "",
        "htmlSignature": "",
        "mayDelete": False,
    }
    assert (second["email"], second["mayDelete"]) == ("a.smith@example.org", False)


def test_identities_are_as_in_the_example_of_the_rfc(office: PostOffice) -> None:
    """RFC 8621 §6.4, in an account that may send from all of a domain."""
    joe = replace(CAROL, emails=("joe@example.com", "*@example.com"))
    client = PostOffice.mailer(office, joe)
    joes, wild = all_of(client)
    patch = {
        "name": "Joe Bloggs",
        "bcc": [{"name": None, "email": "joe+archive@example.com"}],
        "textSignature": "-- \nJoe Bloggs\nMaster of Email",
        "htmlSignature": "<div><b>Joe Bloggs</b></div>\n<div>Master of Email</div>",
    }
    client.call("Identity/set", update={joes["id"]: patch, wild["id"]: {"name": "Joe B"}})

    answer = client.call("Identity/get")

    assert answer.keys() == {"accountId", "state", "list", "notFound"}
    assert answer["notFound"] == []
    assert answer["list"] == [
        {"id": joes["id"], "email": "joe@example.com", "replyTo": None, "mayDelete": False, **patch},
        {
            "id": wild["id"], "name": "Joe B", "email": "*@example.com", "replyTo": None, "bcc": None,
            "textSignature": "", "htmlSignature": "", "mayDelete": False,
        },
    ]  # fmt: skip


def test_a_new_identity_has_the_defaults_of_the_rfc_and_may_be_deleted(alice: Mailer) -> None:
    told = create(alice, email="alice@example.org")["created"]["k"]
    defaults = {"name": "", "replyTo": None, "bcc": None, "textSignature": "", "htmlSignature": "", "mayDelete": True}
    assert told == {"id": told["id"], **defaults}
    assert alice.get("Identity", told["id"]) == {"id": told["id"], "email": "alice@example.org", **defaults}
    assert alice.call("Identity/set", destroy=[told["id"]])["destroyed"] == [told["id"]]
    assert len(all_of(alice)) == 2


def test_all_that_is_wrong_with_an_identity_is_told_at_once(alice: Mailer) -> None:
    error = refused(alice, email="alice", name="a\nb", replyTo=[{"email": "x"}], textSignature=None, mayDelete=True)
    assert error["type"] == "invalidProperties"
    assert error["properties"] == ["email", "mayDelete", "name", "replyTo", "textSignature"]


def test_an_identity_of_ones_own_address_cannot_be_destroyed(alice: Mailer) -> None:
    number = all_of(alice)[0]["id"]
    answer = alice.call("Identity/set", destroy=[number])
    assert answer["destroyed"] is None
    assert answer["notDestroyed"][number]["type"] == "forbidden"
    assert len(all_of(alice)) == 2


def test_the_email_of_an_identity_is_immutable(alice: Mailer) -> None:
    number = made(alice, email="alice@example.org")
    answer = alice.call("Identity/set", update={number: {"email": "a.smith@example.org"}})
    assert answer["notUpdated"][number]["type"] == "invalidProperties"
    assert answer["notUpdated"][number]["properties"] == ["email"]
    same = alice.call("Identity/set", update={number: {"email": "alice@example.org", "name": "A"}})
    assert same["updated"] == {number: None}


@pytest.mark.parametrize("email", ["bob@example.org", "*@example.org", "alice@example.com", "alice+x@example.org"])
def test_an_address_that_is_not_ones_own_is_forbidden(alice: Mailer, email: str) -> None:
    assert refused(alice, email=email)["type"] == "forbiddenFrom"


def test_ones_own_address_may_be_spelled_in_another_case_or_quoted(alice: Mailer) -> None:
    for email in ("Alice@Example.ORG", '"alice"@example.org', '"a.smith"@EXAMPLE.org'):
        assert alice.get("Identity", made(alice, email=email), "email")["email"] == email


def test_whoever_owns_a_domain_may_send_from_all_of_it_and_from_no_other(office: PostOffice) -> None:
    carol = office.mailer(CAROL)
    assert [one["email"] for one in all_of(carol)] == ["*@carol.example", "carol@example.org"]
    made(carol, email="anything.at-all@carol.example")
    made(carol, email="*@carol.example")
    assert refused(carol, email="x@sub.carol.example")["type"] == "forbiddenFrom"
    assert refused(carol, email="*@example.org")["type"] == "forbiddenFrom"


@pytest.mark.parametrize(
    "email",
    ["", "alice", "alice@", "@example.org", "alice@example..org", "Alice <alice@example.org>", "a b@example.org",
     "alice@example.org\r\nBcc: x@example.com", "alice@-example.org", ".alice@example.org", "alice@exa_mple.org"],
)  # fmt: skip
def test_what_is_no_address_is_invalid(alice: Mailer, email: str) -> None:
    error = refused(alice, email=email)
    assert (error["type"], error["properties"]) == ("invalidProperties", ["email"])


def test_every_invalid_property_is_named(alice: Mailer) -> None:
    error = refused(
        alice,
        name="A\nlice",
        email="nobody",
        replyTo=[{"name": None, "email": "x"}],
        bcc=[{"name": "\0", "email": "bob@example.org"}],
    )
    assert (error["type"], error["properties"]) == ("invalidProperties", ["bcc", "email", "name", "replyTo"])
    error = refused(alice, email=1, replyTo=[{"name": None}], bcc={}, mayDelete=True, colour="red")
    assert error["properties"] == ["bcc", "colour", "email", "mayDelete", "replyTo"]
    assert refused(alice)["properties"] == ["email"]


def test_a_name_that_is_left_out_of_an_address_is_null(alice: Mailer) -> None:
    told = create(alice, email="alice@example.org", replyTo=[{"email": "x@example.com"}])["created"]["k"]
    assert told["replyTo"] == [{"name": None, "email": "x@example.com"}]
    answer = alice.call("Identity/set", update={told["id"]: {"bcc": [{"email": "y@example.com"}], "name": "N"}})
    assert answer["updated"] == {told["id"]: {"bcc": [{"name": None, "email": "y@example.com"}]}}
    assert alice.get("Identity", told["id"], "bcc")["bcc"] == [{"name": None, "email": "y@example.com"}]


def test_an_update_that_makes_an_identity_invalid_is_refused(alice: Mailer) -> None:
    number = all_of(alice)[0]["id"]
    answer = alice.call("Identity/set", update={number: {"replyTo": [{"name": None, "email": "@"}], "name": "Al"}})
    assert answer["notUpdated"][number]["properties"] == ["replyTo"]
    assert alice.get("Identity", number, "name", "replyTo") == {"id": number, "name": "Alice", "replyTo": None}


def test_several_identities_may_have_the_same_address(alice: Mailer) -> None:
    made(alice, email="alice@example.org", name="At work")
    made(alice, email="alice@example.org", name="At play")
    assert [one["name"] for one in all_of(alice)] == ["Alice", "Alice", "At work", "At play"]


def test_changes_tell_what_was_made_changed_and_destroyed(alice: Mailer) -> None:
    kept, first = all_of(alice)[0]["id"], made(alice, email="alice@example.org")
    before = alice.state("Identity")
    second = made(alice, email="alice@example.org")
    alice.call("Identity/set", update={kept: {"name": "Al"}}, destroy=[first])
    changes = alice.call("Identity/changes", sinceState=before)
    assert (changes["created"], changes["updated"], changes["destroyed"]) == ([second], [kept], [first])
    assert changes["newState"] == alice.state("Identity") != before


def test_there_are_no_more_identities_than_one_call_may_fetch(tmp_path: Path) -> None:
    office = PostOffice(tmp_path, limits=Limits(max_objects_in_get=3))
    alice = office.mailer(ALICE)
    made(alice, email="alice@example.org")
    assert refused(alice, email="alice@example.org")["type"] == "overQuota"
    assert len(all_of(alice)) == 3
    office.close()


def test_addresses_that_come_later_get_an_identity_and_former_ones_lose_their_hold(office: PostOffice) -> None:
    alice = office.mailer(ALICE)
    old = alice.identity("a.smith@example.org")
    custom = made(alice, email="alice@example.org", name="Custom")
    before = alice.state("Identity")
    moved = office.mailer(replace(ALICE, emails=("ALICE@example.org", "new@example.org")))
    after = {one["email"]: one for one in all_of(moved) if one["id"] != custom}
    assert after["new@example.org"]["mayDelete"] is False
    assert after["alice@example.org"]["mayDelete"] is False
    assert after["a.smith@example.org"]["mayDelete"] is True
    assert moved.get("Identity", custom, "mayDelete")["mayDelete"] is True
    changes = moved.call("Identity/changes", sinceState=before)
    assert (changes["created"], changes["updated"]) == ([after["new@example.org"]["id"]], [old])

    office.engine._sessions.forget()
    back = office.mailer(ALICE)
    assert back.get("Identity", old, "mayDelete")["mayDelete"] is False
    assert sum(one["email"] == "a.smith@example.org" for one in all_of(back)) == 1


def test_a_session_that_finds_nothing_new_leaves_identities_alone(office: PostOffice) -> None:
    before = office.mailer(ALICE).state("Identity")
    office.engine._sessions.forget()
    assert office.mailer(ALICE).state("Identity") == before


def test_a_user_without_an_address_has_no_identity_and_may_make_none(office: PostOffice) -> None:
    nobody = office.mailer(replace(BOB, name="nobody", emails=()))
    assert all_of(nobody) == []
    assert refused(nobody, email="bob@example.org")["type"] == "forbiddenFrom"


def test_submission_is_only_in_personal_accounts(alice: Mailer) -> None:
    accounts = alice.session["accounts"]
    team = next(one for one in accounts if one != alice.account)
    assert SUBMISSION in accounts[alice.account]["accountCapabilities"]
    assert SUBMISSION not in accounts[team]["accountCapabilities"]
    assert alice.session["primaryAccounts"][SUBMISSION] == alice.account
    assert alice.error("Identity/get", accountId=team) == "accountNotSupportedByMethod"
    assert alice.error("EmailSubmission/get", accountId=team) == "accountNotSupportedByMethod"
