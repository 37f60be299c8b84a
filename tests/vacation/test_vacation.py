"""VacationResponse (RFC 8621 §8)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jmaplite.datatypes.vacation import VACATION_RESPONSE
from tests.submission.post import Mailer, PostOffice

DEFAULTS = {
    "id": "singleton",
    "isEnabled": False,
    "fromDate": None,
    "toDate": None,
    "subject": None,
    "textBody": None,
    "htmlBody": None,
}


@pytest.fixture
def alice(tmp_path: Path) -> Iterator[Mailer]:
    office = PostOffice(tmp_path)
    yield office.mailer()
    office.close()


def update(client: Mailer, **patch: Any) -> dict[str, Any]:
    return client.call("VacationResponse/set", update={"singleton": patch})


def test_the_one_object_is_there_from_the_start_and_disabled(alice: Mailer) -> None:
    for ids in (None, ["singleton"], ["singleton", "singleton"]):
        answer = alice.call("VacationResponse/get", ids=ids)
        assert (answer["list"], answer["notFound"]) == ([DEFAULTS], [])


def test_no_other_id_is_found(alice: Mailer) -> None:
    answer = alice.call("VacationResponse/get", ids=["Singleton", "V1", "singleton", "other", "other"])
    assert (answer["list"], answer["notFound"]) == ([DEFAULTS], ["Singleton", "V1", "other"])
    answer = alice.call("VacationResponse/set", update={"V1": {"isEnabled": True}}, destroy=["other"])
    assert answer["notUpdated"] == {"V1": {"type": "notFound"}}
    assert answer["notDestroyed"] == {"other": {"type": "notFound"}}


def test_what_is_set_is_kept_and_told_again(alice: Mailer) -> None:
    patch = {
        "isEnabled": True,
        "fromDate": "2026-07-01T00:00:00Z",
        "toDate": "2026-08-01T00:00:00Z",
        "subject": "Away",
        "textBody": "I am at the sea.\n",
        "htmlBody": "<p>I am at the sea.</p>",
    }
    before = alice.state("VacationResponse")
    answer = update(alice, **patch)
    assert answer["updated"] == {"singleton": None}
    assert (answer["oldState"], answer["newState"]) == (before, alice.state("VacationResponse"))
    assert before != answer["newState"]
    assert alice.get("VacationResponse", "singleton") == {"id": "singleton", **patch}
    assert alice.get("VacationResponse", "singleton", "subject") == {"id": "singleton", "subject": "Away"}
    assert alice.get("VacationResponse", "singleton", "id") == {"id": "singleton"}

    update(alice, textBody=None, isEnabled=None)
    assert alice.get("VacationResponse", "singleton") == {
        "id": "singleton", **patch, "textBody": None, "isEnabled": False,
    }  # fmt: skip


def test_it_is_still_there_after_a_restart(tmp_path: Path) -> None:
    office = PostOffice(tmp_path)
    update(office.mailer(), subject="Away")
    again = office.reopen()
    assert again.mailer().get("VacationResponse", "singleton", "subject")["subject"] == "Away"
    again.close()


def test_a_whole_object_is_a_patch_too(alice: Mailer) -> None:
    before = alice.state("VacationResponse")
    assert update(alice, **DEFAULTS)["updated"] == {"singleton": None}
    assert alice.state("VacationResponse") == before


def test_the_dates_need_not_be_in_order(alice: Mailer) -> None:
    dates = {"fromDate": "2026-08-01T00:00:00Z", "toDate": "2026-07-01T00:00:00Z"}
    assert update(alice, **dates)["updated"] == {"singleton": None}


@pytest.mark.parametrize(
    ("patch", "wrong"),
    [
        ({"isEnabled": 1}, ["isEnabled"]),
        ({"fromDate": "2026-07-01", "toDate": "2026-07-01T00:00:00+02:00", "subject": []},
         ["fromDate", "subject", "toDate"]),
        ({"textBody": True, "htmlBody": {}, "colour": "red"}, ["colour", "htmlBody", "textBody"]),
        ({"id": "other"}, ["id"]),
        *(({"subject": f"Away{control}Bcc: x"}, ["subject"]) for control in ("\r\n", "\n", "\r", "\0", "\x7f")),
        ({"subject": "Away\n", "textBody": 1}, ["subject", "textBody"]),
    ],
)  # fmt: skip
def test_values_of_another_kind_are_invalid_and_change_nothing(
    alice: Mailer, patch: dict[str, Any], wrong: list[str]
) -> None:
    error = update(alice, **{"subject": "x", **patch})["notUpdated"]["singleton"]
    assert (error["type"], error["properties"]) == ("invalidProperties", wrong)
    assert alice.get("VacationResponse", "singleton") == DEFAULTS


def test_there_cannot_be_another_one_nor_none(alice: Mailer) -> None:
    answer = alice.call("VacationResponse/set", create={"k": {"isEnabled": True}, "l": {}}, destroy=["singleton"])
    assert answer["created"] is answer["destroyed"] is None
    assert {name: error["type"] for name, error in answer["notCreated"].items()} == {"k": "singleton", "l": "singleton"}
    assert answer["notDestroyed"] == {"singleton": {"type": "singleton"}}
    assert alice.get("VacationResponse", "singleton") == DEFAULTS


def test_a_state_that_is_not_the_current_one_is_a_mismatch(alice: Mailer) -> None:
    before = alice.state("VacationResponse")
    update(alice, subject="x")
    arguments = {"ifInState": before, "update": {"singleton": {"subject": "y"}}}
    assert alice.error("VacationResponse/set", **arguments) == "stateMismatch"


def test_it_has_no_other_methods(alice: Mailer) -> None:
    for method in ("changes", "query", "queryChanges", "copy"):
        assert alice.error(f"VacationResponse/{method}") == "unknownMethod"


def test_it_is_only_in_personal_accounts(alice: Mailer) -> None:
    accounts = alice.session["accounts"]
    team = next(one for one in accounts if one != alice.account)
    assert alice.session["capabilities"][VACATION_RESPONSE] == {}
    assert accounts[alice.account]["accountCapabilities"][VACATION_RESPONSE] == {}
    assert VACATION_RESPONSE not in accounts[team]["accountCapabilities"]
    assert alice.error("VacationResponse/get", accountId=team) == "accountNotSupportedByMethod"
