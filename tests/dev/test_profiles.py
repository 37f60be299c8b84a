"""Other servers, as clients meet them: what they announce, lack, and answer otherwise."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from jmaplite import cli
from jmaplite.dev.in_process import FixtureServer
from jmaplite.dev.launch import Options
from jmaplite.dev.profiles import OWN, PROFILES
from jmaplite.dev.quirks import MEANINGS, UnknownQuirk, checked
from tests.dev.conftest import Site

CORE, MAIL = "urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"


def be(site: Site, *quirks: str, profile: str = OWN, options: dict[str, Any] | None = None) -> Any:
    given = {"profile": profile, "quirks": list(quirks), "options": options or {}}
    return site.control("PATCH", "/settings", given)


def refused(site: Site, method: str, **arguments: Any) -> str:
    """The type of the error that a method is answered with."""
    (answer,) = site.jmap([method, {"accountId": site.account(), **arguments}, "c"])
    assert answer[0] == "error", answer
    return str(answer[1]["type"])


@contextmanager
def events(site: Site, ping: int = 0) -> Iterator[http.client.HTTPResponse]:
    parts = urlsplit(site.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    headers = {"Authorization": "Bearer alice-token"}
    connection.request("GET", f"/jmap/eventsource/?types=*&closeafter=no&ping={ping}", headers=headers)
    with connection.getresponse() as response:
        yield response
    connection.close()


def test_cyrus_has_relative_urls_and_neither_push_subscriptions_nor_identities_of_ones_own(site: Site) -> None:
    be(site, profile="cyrus")
    session = site.session()
    assert session["apiUrl"] == "/jmap/"
    assert session["uploadUrl"] == "/jmap/upload/{accountId}/"
    assert session["capabilities"][CORE]["collationAlgorithms"] == []
    assert session["capabilities"]["https://cyrusimap.org/ns/jmap/core"] == {"maxCreatedIdsInRequest": 204_800}
    mail = session["accounts"][site.account()]["accountCapabilities"][MAIL]
    assert (mail["maxMailboxesPerEmail"], mail["maxMailboxDepth"]) == (20, None)
    assert refused(site, "Identity/set", create={}) == "unknownMethod"
    assert refused(site, "PushSubscription/get", ids=None) == "unknownMethod"
    assert site.call("Identity/get", ids=None)["list"]


def test_what_is_announced_may_be_used(site: Site) -> None:
    for profile in PROFILES:
        be(site, profile=profile)
        status, answer, _ = site.ask(
            "POST",
            "/jmap/",
            {"using": list(site.session()["capabilities"]), "methodCalls": [["Core/echo", {}, "e"]]},
            token="alice-token",
        )
        assert (status, answer["methodResponses"]) == (200, [["Core/echo", {}, "e"]])


def test_stalwart_redirects_and_drops_what_is_not_found(site: Site) -> None:
    be(site, profile="stalwart")
    status, _, headers = site.ask("GET", "/.well-known/jmap", token="alice-token")
    assert (status, headers["location"]) == (307, "/jmap/session")
    status, session, _ = site.ask("GET", "/jmap/session", token="alice-token")
    assert (status, session["username"]) == (200, "alice@example.org")
    account = session["primaryAccounts"][MAIL]
    (answer, null) = site.jmap(
        ["Email/get", {"accountId": account, "ids": ["nothing"]}, "0"],
        ["Email/query", {"accountId": account, "filter": None}, "1"],
    )
    assert (answer[1]["list"], answer[1]["notFound"]) == ([], [])
    assert null[1]["type"] == "unsupportedFilter"
    be(site)
    assert site.ask("GET", "/jmap/session", token="alice-token")[0] == 404


def test_james_calculates_no_changes_of_queries(site: Site) -> None:
    be(site, profile="james")
    session, account = site.session(), site.account()
    arguments = {"accountId": account, "calculateTotal": True, "limit": 1}
    found, changes, boxes, anchored = (
        one[1]
        for one in site.jmap(
            ["Email/query", arguments, "0"],
            ["Email/queryChanges", {"accountId": account, "sinceQueryState": "x"}, "1"],
            ["Mailbox/queryChanges", {"accountId": account, "sinceQueryState": "x"}, "2"],
            ["Email/query", {**arguments, "anchor": "x"}, "3"],
        )
    )
    assert found["canCalculateChanges"] is False
    assert "total" not in found
    assert changes["type"] == "unknownMethod"
    assert boxes["type"] == "cannotCalculateChanges"
    assert anchored["type"] == "invalidArguments"
    assert "urn:apache:james:params:jmap:mail:shares" in session["capabilities"]


def test_a_submission_may_be_told_without_what_the_server_has_set(site: Site) -> None:
    be(site, "submission-bare")
    drafts = next(box["id"] for box in site.call("Mailbox/get", ids=None)["list"] if box["role"] == "drafts")
    draft = {
        "mailboxIds": {drafts: True},
        "from": [{"email": "alice@example.org"}],
        "to": [{"email": "x@else.example"}],
    }
    email = site.call("Email/set", create={"d": draft})["created"]["d"]["id"]
    identity = site.call("Identity/get", ids=None)["list"][0]["id"]
    made = site.call("EmailSubmission/set", create={"s": {"emailId": email, "identityId": identity}})["created"]["s"]
    assert made["id"]
    assert not {"sendAt", "undoStatus"} & made.keys()


def test_events_may_have_no_ids_and_pings_milliseconds(site: Site) -> None:
    be(site, "event-source-no-ids", "event-source-milliseconds")
    with events(site, ping=5) as stream:
        site.control("POST", "/deliver", {"account": "alice@example.org", "text": "Subject: x\n\nx"})
        lines: list[bytes] = []
        while not any(line.startswith(b"data:") for line in lines):
            lines.append(stream.readline())
        assert not any(line.startswith(b"id:") for line in lines)
        site.control("POST", "/clock", {"advance": 6})
        while not any(b"interval" in line for line in lines):
            lines.append(stream.readline())
    assert json.loads(lines[-1].removeprefix(b"data:")) == {"interval": 5000}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_can_be_had_from_the_beginning_and_stays_after_a_reset(profile: str) -> None:
    with FixtureServer(Options(profile=profile, quirks=("no:Email/parse",))) as server:
        for _ in range(2):
            assert server.fixture.choice.profile == profile
            assert server.fixture.quirks[-1] == "no:Email/parse"
            assert server.fixture.engine.catalog.method("Email/parse") is None
            server.fixture.choose(type(server.fixture.choice)())
            assert server.fixture.engine.catalog.method("Email/parse") is not None
            server.fixture.reset()


def test_quirks_are_put_together_and_taken_away(site: Site) -> None:
    limits = {"jmap.protocol.get.max-objects": 3}
    told = be(site, "no:Email/*", "cannot-calculate:Mailbox/changes", options=limits)
    assert told["quirks"] == ["no:Email/*", "cannot-calculate:Mailbox/changes"]
    assert refused(site, "Email/get", ids=[]) == "unknownMethod"
    assert refused(site, "Mailbox/changes", sinceState="x") == "cannotCalculateChanges"
    assert site.control("PATCH", "/settings", {"quirks": []})["options"] == {"jmap.protocol.get.max-objects": 3}
    assert site.call("Email/get", ids=[])["list"] == []
    assert be(site) == {"profile": OWN, "quirks": [], "options": {}}
    known = site.control("GET", "/settings")
    assert set(known["profiles"]) == set(PROFILES)
    assert set(known["knownQuirks"]) == set(MEANINGS)


@pytest.mark.parametrize("name", ["", "relative", "no:", "no:Email", "cannot-calculate:x", "no:Email/[x"])
def test_a_quirk_that_is_none_is_refused(site: Site, name: str) -> None:
    answer = site.control("PATCH", "/settings", {"quirks": [name]}, status=400)
    assert "relative-urls" in answer["detail"]
    with pytest.raises(UnknownQuirk):
        checked([name])


@pytest.mark.parametrize("words", [("--profile", "exchange"), ("--quirk", "odd")])
def test_what_is_neither_profile_nor_quirk_is_told_before_the_start(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli.main, ["dev", *words])
    assert result.exit_code == 2
    assert words[1] in result.stderr


def test_every_profile_is_put_together_of_known_quirks() -> None:
    for profile in PROFILES.values():
        assert checked(profile.quirks) == profile.quirks


@pytest.mark.parametrize("option", ["dev.enable", "dev.control", "store.path"])
def test_a_fixture_cannot_be_told_to_take_itself_away(site: Site, option: str) -> None:
    site.control("PATCH", "/settings", {"options": {option: False}}, status=400)
    assert site.control("GET", "/settings")["options"] == {}
