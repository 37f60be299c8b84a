"""SieveScript (RFC 9661 §2)."""

from __future__ import annotations

from typing import Any

import pytest

from jmaplite.datatypes.sieve import SIEVE
from tests.sieve.client import Scripter

BROKEN = 'require "fileinto";\n\n  fileinto :nowhere "x";\n'


def test_the_capability_says_what_scripts_may_be(alice: Scripter) -> None:
    """RFC 9661 §1.2.1."""
    assert set(alice.session["capabilities"][SIEVE]) == {"implementation"}
    told = alice.session["accounts"][alice.account]["accountCapabilities"][SIEVE]
    assert told["maxSizeScriptName"] >= 512
    assert told["notificationMethods"] == ["mailto"]
    assert told["externalLists"] is None
    assert {"fileinto", "vacation", "mailboxid"} <= set(told["sieveExtensions"])
    assert all(type(told[name]) is int for name in ("maxSizeScript", "maxNumberScripts", "maxNumberRedirects"))


def test_a_script_is_made_read_and_downloaded(alice: Scripter) -> None:
    answer = alice.try_make("keep;", "mine")
    told = answer["created"]["s"]
    assert told["isActive"] is False
    script = alice.get("SieveScript", told["id"])
    assert script == {"id": told["id"], "name": "mine", "blobId": alice.upload(b"keep;"), "isActive": False}


def test_what_is_made_without_a_name_is_given_one(alice: Scripter) -> None:
    told = alice.try_make("keep;")["created"]["s"]
    assert told["name"]
    assert alice.get("SieveScript", told["id"])["name"] == told["name"]
    assert alice.set(update={told["id"]: {"name": None}})["updated"] == {told["id"]: {"name": told["id"]}}


def test_a_script_may_be_made_of_a_blob_of_the_same_request(alice: Scripter) -> None:
    """RFC 9661 §2.4.1."""
    whose = {"accountId": alice.account}
    upload = {**whose, "create": {"B": {"data": [{"data:asText": "discard;"}]}}}
    make = {**whose, "create": {"A": {"name": None, "blobId": "#B"}}, "onSuccessActivateScript": "#A"}
    _, (name, made, _) = alice.request(["Blob/upload", upload, "0"], ["SieveScript/set", make, "1"])["methodResponses"]
    assert name == "SieveScript/set"
    told = made["created"]["A"]
    assert told["isActive"] is True
    assert told["blobId"] == alice.upload(b"discard;")
    assert made["updated"] is None


def test_only_one_script_is_active(alice: Scripter) -> None:
    first = alice.make(onSuccessActivateScript="#s")
    answer = alice.try_make("stop;", onSuccessActivateScript="#s")
    second = answer["created"]["s"]["id"]
    assert answer["updated"] == {first: {"isActive": False}}
    assert alice.actives() == [second]
    assert alice.set(onSuccessActivateScript=first)["updated"] == {
        first: {"isActive": True},
        second: {"isActive": False},
    }
    assert alice.set(onSuccessActivateScript=first)["updated"] is None
    assert alice.set(onSuccessDeactivateScript=True)["updated"] == {first: {"isActive": False}}
    assert alice.actives() == []


def test_of_both_wishes_the_activation_comes_last(alice: Scripter) -> None:
    first = alice.make(onSuccessActivateScript="#s")
    answer = alice.try_make("stop;", onSuccessActivateScript="#s", onSuccessDeactivateScript=True)
    assert answer["updated"] == {first: {"isActive": False}}
    assert alice.actives() == [answer["created"]["s"]["id"]]


@pytest.mark.parametrize("wanted", [None, "F0", "nobody", "#nothing", "M1"])
def test_who_is_to_be_activated_and_is_not_there_is_passed_over(alice: Scripter, wanted: str | None) -> None:
    first = alice.make(onSuccessActivateScript="#s")
    alice.set(onSuccessActivateScript=wanted)
    assert alice.actives() == [first]


def test_nothing_is_activated_unless_all_succeeds(alice: Scripter) -> None:
    """RFC 9661 §2.4."""
    first = alice.make(onSuccessActivateScript="#s")
    second = alice.make("stop;")
    blob = alice.upload(BROKEN.encode())
    for failing in (
        {"create": {"s": {"name": "x", "blobId": blob}}},
        {"update": {second: {"blobId": blob}}},
        {"destroy": ["F0"]},
    ):
        alice.set(**failing, onSuccessActivateScript=second)
        alice.set(**failing, onSuccessDeactivateScript=True)
        assert alice.actives() == [first]


def test_the_active_script_cannot_be_destroyed(alice: Scripter) -> None:
    script = alice.make(onSuccessActivateScript="#s")
    for more in ({}, {"onSuccessDeactivateScript": True}):
        assert alice.set(destroy=[script], **more)["notDestroyed"][script]["type"] == "sieveIsActive"
    alice.set(onSuccessDeactivateScript=True)
    assert alice.set(destroy=[script])["destroyed"] == [script]
    assert alice.call("SieveScript/get", ids=None)["list"] == []


def test_what_is_no_script_is_refused_with_the_place_of_its_error(alice: Scripter) -> None:
    error = alice.refusal(BROKEN)
    assert (error["type"], error["line"], error["column"]) == ("invalidSieve", 3, 12)
    assert ":nowhere" in error["description"]
    script = alice.make()
    answer = alice.set(update={script: {"blobId": alice.upload(BROKEN.encode())}})
    assert answer["notUpdated"][script]["type"] == "invalidSieve"
    assert alice.get("SieveScript", script)["blobId"] == alice.upload(b"keep;")


@pytest.mark.parametrize(("content", "error"), [("keep;", None), ("", None), (BROKEN, "invalidSieve")])
def test_validate_tells_what_set_would(alice: Scripter, content: str, error: str | None) -> None:
    """RFC 9661 §2.6."""
    answer = alice.call("SieveScript/validate", blobId=alice.upload(content.encode()))
    assert answer["accountId"] == alice.account
    assert (answer["error"] and answer["error"]["type"]) == error
    assert alice.call("SieveScript/get", ids=None)["list"] == []


def test_a_blob_that_is_not_there_is_told(alice: Scripter) -> None:
    blob = "G" + "0" * 64
    assert alice.call("SieveScript/validate", blobId=blob)["error"]["type"] == "blobNotFound"
    assert alice.set(create={"s": {"blobId": blob}})["notCreated"]["s"]["type"] == "blobNotFound"
    for nothing in ({}, {"blobId": None}, {"blobId": 7}, {"blobId": "#b"}):
        error = alice.set(create={"s": nothing})["notCreated"]["s"]
        assert error["type"] in ("invalidProperties", "blobNotFound")


def test_a_script_that_is_too_large_is_refused(alice: Scripter) -> None:
    error = alice.refusal(b"#" * 1_048_577)
    assert (error["type"], error["maxSize"]) == ("tooLarge", 1_048_576)


@pytest.mark.parametrize("name", ["", "a\nb", "a\x7f", "a\x85", "a\u2028", "a\u2029b", "x" * 513, "ü" * 257])
def test_names_that_managesieve_cannot_say_are_refused(alice: Scripter, name: str) -> None:
    """RFC 9661 §2.1."""
    error = alice.refusal(name=name)
    assert (error["type"], error["properties"]) == ("invalidProperties", ["name"])


def test_a_name_is_nobody_elses(alice: Scripter) -> None:
    first = alice.make(name="Ü")
    error = alice.refusal(name="U\u0308")
    assert (error["type"], error["existingId"]) == ("alreadyExists", first)
    second = alice.make(name="other")
    assert alice.set(update={second: {"name": "Ü"}})["notUpdated"][second]["type"] == "alreadyExists"
    # The final state counts (RFC 8620 §5.3).
    assert alice.set(update={second: {"name": "Ü"}, first: {"name": "other"}})["notUpdated"] is None


@pytest.mark.parametrize("patch", [{"isActive": True}, {"id": "F1"}, {"content": "x"}, {"blobId": None}, {"name": 7}])
def test_what_clients_cannot_set_is_refused(alice: Scripter, patch: dict[str, Any]) -> None:
    script = alice.make()
    assert alice.set(update={script: patch})["notUpdated"][script]["type"] == "invalidProperties"


def test_scripts_are_found_by_name_and_state(alice: Scripter) -> None:
    """RFC 9661 §2.5."""
    ids = [alice.make(name=name) for name in ("Work", "holiday", "homework")]
    alice.set(onSuccessActivateScript=ids[1])

    def query(**arguments: Any) -> list[str]:
        found: list[str] = alice.call("SieveScript/query", **arguments)["ids"]
        return found

    assert query(filter={"name": "WORK"}) == [ids[0], ids[2]]
    assert query(filter={"isActive": True}) == [ids[1]]
    assert query(filter={"operator": "NOT", "conditions": [{"isActive": True}, {"name": "home"}]}) == [ids[0]]
    assert query(sort=[{"property": "name", "isAscending": False}]) == [ids[0], ids[2], ids[1]]
    assert query(sort=[{"property": "isActive", "isAscending": False}])[0] == ids[1]


def test_changes_and_query_changes_follow_the_active_script(alice: Scripter) -> None:
    first, second = alice.make(), alice.make("stop;")
    state = alice.state("SieveScript")
    query = alice.call("SieveScript/query", filter={"isActive": True})
    alice.set(onSuccessActivateScript=second)
    assert alice.call("SieveScript/changes", sinceState=state)["updated"] == [second]
    changes = alice.call("SieveScript/queryChanges", filter={"isActive": True}, sinceQueryState=query["queryState"])
    assert changes["added"] == [{"id": second, "index": 0}]
    assert first not in changes["removed"]


def test_blobs_tell_the_scripts_that_they_are(alice: Scripter) -> None:
    """RFC 9404 §4.3."""
    script = alice.make()
    blob = alice.get("SieveScript", script)["blobId"]
    answer = alice.call("Blob/lookup", typeNames=["SieveScript"], ids=[blob])
    assert answer["list"] == [{"id": blob, "matchedIds": {"SieveScript": [script]}}]
    alice.set(update={script: {"blobId": alice.upload(b"stop;")}})
    assert alice.call("Blob/lookup", typeNames=["SieveScript"], ids=[blob])["list"][0]["matchedIds"] == {
        "SieveScript": []
    }


def test_what_scripts_take_up_is_given_back(alice: Scripter) -> None:
    def used() -> int:
        with alice.server.store.account(alice.account).read() as tx:
            return int(
                tx.value(
                    "SELECT coalesce(sum(octets), 0) FROM usage WHERE account=? AND type='SieveScript'", tx.account
                )
            )

    script = alice.make("keep;")
    assert used() == 5
    alice.set(update={script: {"blobId": alice.upload(b"keep; stop;")}})
    assert used() == 11
    alice.set(destroy=[script])
    assert used() == 0
