"""What [jmap.compat] lets pass for clients that break a rule: nothing unless asked to, and always logged."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jmaplite.config import load
from jmaplite.core.context import Leniency
from jmaplite.server.settings import leniency
from tests.live import CONFIG
from tests.mail.jmap import CORE, Client, Server, message

JMAPC = {"property": "size", "isAscending": True, "anchorOffset": 0, "calculateTotal": False, "position": 0}
"""A Comparator as jmapc writes it, with arguments of /query in it."""

QUOTA_URN = "urn:ietf:params:jmap:quota"


@pytest.fixture
def lenient(tmp_path: Path) -> Iterator[Client]:
    server = Server(tmp_path / "lenient", leniency=Leniency(using=True, sort=True))
    yield server.client()
    server.close()


def by_size(client: Client) -> list[str]:
    made = {len(body): client.import_(message(body=body))["id"] for body in ("xxx", "x" * 200, "x" * 90)}
    return [made[size] for size in sorted(made)]


@pytest.mark.parametrize(
    ("sort", "error"),
    [
        ([JMAPC], "invalidArguments"),
        ([{"property": "colour"}], "unsupportedSort"),
        ([{"property": "subject", "collation": "i;colour"}], "unsupportedSort"),
        ([{"property": "size", "keyword": "$seen"}], "invalidArguments"),
    ],
)
def test_what_is_not_known_in_a_sort_is_passed_over_only_if_asked_for(
    alice: Client, lenient: Client, sort: list[Any], error: str, caplog: pytest.LogCaptureFixture
) -> None:
    ids = by_size(lenient)
    assert alice.error("Email/query", sort=sort) == error
    assert not [record for record in caplog.records if "lenient" in record.message]
    with caplog.at_level(logging.INFO):
        answer = lenient.call("Email/query", sort=[*sort, {"property": "size"}])
    assert answer["ids"] == ids
    assert [record.message.split(":")[0] for record in caplog.records] == ["lenient-sort"]


@pytest.mark.parametrize(
    "sort",
    [[{"property": 1}], ["size"], [{}], [{"property": "size", "isAscending": 1}], [{"property": "hasKeyword"}], {}],
)
def test_what_is_no_comparator_stays_an_error(lenient: Client, sort: Any) -> None:
    assert lenient.error("Email/query", sort=sort) == "invalidArguments"


def test_changes_of_a_query_take_the_same_sort(lenient: Client) -> None:
    by_size(lenient)
    state = lenient.call("Email/query", sort=[JMAPC])["queryState"]
    first = lenient.import_(message(body=""))["id"]
    answer = lenient.call("Email/queryChanges", sort=[JMAPC], sinceQueryState=state)
    assert answer["added"] == [{"id": first, "index": 0}]


def test_a_method_is_there_without_its_capability_only_if_asked_for(
    alice: Client, lenient: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 8620 §1.8; webmails call Quota/get with no more than core and mail in `using`."""
    assert alice.error("Quota/get", ids=None) == "unknownMethod"
    with caplog.at_level(logging.INFO):
        assert lenient.call("Quota/get", ids=None)["list"] == []
    assert [record.message for record in caplog.records] == [
        f"lenient-using: Quota/get was called without using {QUOTA_URN}"
    ]
    assert lenient.error("Quota/gett", ids=None) == "unknownMethod"


def test_a_capability_left_out_is_used_by_that_call_alone(lenient: Client) -> None:
    """The creation ids of such a call are those of the request all the same."""
    calls = [
        ["Mailbox/set", {"accountId": lenient.account, "create": {"k": {"name": "Box"}}}, "0"],
        ["Mailbox/set", {"accountId": lenient.account, "create": {"l": {"name": "Inner", "parentId": "#k"}}}, "1"],
    ]
    answer = lenient.request(*calls, using=[CORE], createdIds={})
    assert answer["createdIds"].keys() == {"k", "l"}
    assert lenient.get("Mailbox", answer["createdIds"]["l"], "parentId")["parentId"] == answer["createdIds"]["k"]


@pytest.mark.parametrize("using", [True, False])
def test_the_configuration_says_what_is_let_pass(tmp_path: Path, *, using: bool) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        CONFIG + f"[jmap.compat]\nlenient-using = {str(using).lower()}\nlenient-sort = {str(not using).lower()}\n"
    )
    assert leniency(load(path)) == Leniency(using=using, sort=not using)
