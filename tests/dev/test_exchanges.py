"""The log of exchanges: whatever was asked, what came back, and what was odd about it."""

from __future__ import annotations

import asyncio
import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from jmaplite.dev.exchanges import Exchanges
from jmaplite.dev.in_process import FixtureServer
from jmaplite.dev.waiting import until
from tests.dev.conftest import USING, Site
from tests.dev.test_pushes import ALICE, change, rule, served, stream, wait_until_fired
from tests.web import sockets


def logged(site: Site) -> list[Any]:
    found: list[Any] = site.control("GET", "/exchanges")["exchanges"]
    return found


def warnings(site: Site) -> list[str]:
    return [one["rule"] for exchange in logged(site) for one in exchange["warnings"]]


def test_what_never_came_to_a_method_is_logged_too(site: Site) -> None:
    echo = {"using": USING, "methodCalls": [["Core/echo", {}, "0"]]}
    site.ask("POST", "/jmap/", echo, token="nobody's")
    site.ask("OPTIONS", "/jmap/")
    site.ask("POST", "/jmap/", raw=b"{", token="alice-token")
    site.ask("POST", "/jmap/", echo, token="alice-token")
    assert [(one["httpMethod"], one["status"], len(one["calls"])) for one in logged(site)] == [
        ("POST", 401, 0),
        ("OPTIONS", 204, 0),
        ("POST", 400, 0),
        ("POST", 200, 1),
    ]
    assert [one["id"] for one in logged(site)] == [1, 2, 3, 4]
    first = site.control("GET", "/exchanges/1")
    assert first["response"]["status"] == 401
    assert first["requestOctets"] == len(json.dumps(echo))
    methods = [one["request"]["method"] for one in site.control("GET", "/exchanges.har")["log"]["entries"]]
    assert methods == ["POST", "OPTIONS", "POST", "POST"]


def test_exchanges_are_found_by_a_pattern_of_methods(site: Site) -> None:
    site.call("Email/query", limit=1)
    site.call("Email/get", ids=[])
    site.call("Mailbox/query")
    for pattern, count in (("Email/*", 2), ("*/query", 2), ("Mailbox/query", 1), ("Thread/*", 0)):
        assert len(site.control("GET", f"/exchanges?method={pattern}")["exchanges"]) == count


def test_the_session_that_a_client_got_is_there_to_be_looked_at(site: Site) -> None:
    session = site.session()
    assert site.control("GET", "/exchanges/1")["response"] == session


def test_the_sizes_of_blobs_are_told_and_their_query_too(site: Site) -> None:
    account = site.account()
    blob = site.ask("POST", f"/jmap/upload/{account}/", raw=b"hello", token="alice-token")[1]["blobId"]
    site.ask("GET", f"/jmap/download/{account}/{blob}/x?type=text/plain", token="alice-token")
    _, up, down = logged(site)
    assert (up["httpMethod"], up["requestOctets"]) == ("POST", 5)
    assert (down["httpMethod"], down["responseOctets"]) == ("GET", 5)
    entry = site.control("GET", "/exchanges.har?limit=1")["log"]["entries"][0]
    assert entry["request"]["queryString"] == [{"name": "type", "value": "text/plain"}]


def test_a_cut_is_no_answer(site: Site) -> None:
    account = site.account()
    site.control("POST", "/faults", {"effect": {"cut": True}})
    for path in ("/jmap/", f"/jmap/upload/{account}/"):
        with pytest.raises(ConnectionError):
            site.ask("POST", path, {"using": USING, "methodCalls": [["Core/echo", {}, "0"]]}, token="alice-token")
    failed = site.control("GET", "/exchanges?failed=true")["exchanges"]
    assert [(one["status"], one["faults"]) for one in failed] == [(0, ["fault1"]), (0, ["fault1"])]
    assert [[call["method"] for call in one["calls"]] for one in failed] == [["Core/echo"], []]


def test_handshakes_of_websockets_and_their_faults_are_logged(site: Site) -> None:
    rule(site, {"status": 503}, path="/jmap/ws/")
    for status in (503, 101):
        with sockets.opened(served(site), authorization=ALICE) as client:
            assert client.status == status
    found = [(one["transport"], one["user"], one["status"], one["faults"]) for one in logged(site)]
    assert found == [
        ("websocket", "alice@example.org", 503, ["fault1"]),
        ("websocket", "alice@example.org", 101, []),
    ]


def test_what_becomes_of_a_push_is_logged(site: Site) -> None:
    with stream(site) as found:
        found.block()
        lost = rule(site, {"push": "drop"})
        change(site, "lost")
        wait_until_fired(site, lost)
    (one,) = site.control("GET", "/exchanges?transport=eventsource&failed=true")["exchanges"]
    assert (one["user"], one["status"], one["faults"]) == ("alice@example.org", 0, [lost])


def test_usual_habits_are_not_warned_of(site: Site) -> None:
    site.control("POST", "/generate", {"account": "alice@example.org", "threads": 12})
    account = site.account()
    for number in range(11):
        site.call("Mailbox/set", create={"a": {"name": f"box {number}", "parentId": None}})
    site.call("Mailbox/get", ids=None)
    site.call("Mailbox/query")
    got = {"resultOf": "0", "name": "Email/query", "path": "/ids"}
    _, (_, emails, _) = site.jmap(
        ["Email/query", {"accountId": account, "limit": 12}, "0"],
        ["Email/get", {"accountId": account, "#ids": got, "properties": ["threadId"]}, "1"],
    )
    site.call("Thread/get", ids=[one["threadId"] for one in emails["list"]])
    archive = site.call("Mailbox/query", filter={"role": "archive"})["ids"][0]
    site.call("Email/set", update={emails["list"][0]["id"]: {"mailboxIds": {archive: True}}})
    site.call("Email/set", update={emails["list"][0]["id"]: {"mailboxIds": 5}})
    assert warnings(site) == []


def test_to_ask_again_after_each_change_is_no_polling(site: Site) -> None:
    with stream(site) as found:
        found.block()
        for number in range(7):
            site.call("Mailbox/set", create={"a": {"name": f"box {number}", "parentId": None}})
            site.call("Mailbox/get", ids=None)
        assert "polling" not in warnings(site)
        for _ in range(7):
            site.call("Mailbox/get", ids=None)
        assert "polling" in warnings(site)


def test_a_server_that_stops_ends_who_looks_on() -> None:
    with FixtureServer() as server, ThreadPoolExecutor(1) as threads:
        parts = urlsplit(server.url)
        with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)) as connection:
            connection.request("GET", "/dev/api/exchanges/stream")
            response = connection.getresponse()
            read = threads.submit(response.read)
            server.client("alice-token").call("Core/echo")
            server._closing.close()
            assert read.result().count(b"event: exchange") == 2


def test_a_server_that_stops_ends_who_waits() -> None:
    async def waited() -> tuple[bool, Any]:
        ending = asyncio.Event()
        ending.set()
        return await until(Exchanges(), lambda: "seen", lambda _: False, 300, ending)

    assert asyncio.run(waited()) == (False, "seen")
