"""Faults over a WebSocket, and requests over it in the log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.dev.conftest import Site
from tests.web import serving, sockets


@contextmanager
def opened(site: Site) -> Iterator[sockets.Client]:
    """A WebSocket of Alice's."""
    port = urlsplit(site.url).port or 0
    with sockets.opened(serving.Site(port, SimpleNamespace()), authorization="Bearer alice-token") as client:  # type: ignore[arg-type]
        yield client


def rule(site: Site, effect: dict[str, Any], **match: Any) -> None:
    site.control("POST", "/faults", {"match": {"transport": "websocket", **match}, "effect": effect, "times": 1})


def test_a_method_fails_and_its_records(site: Site) -> None:
    account = site.account()
    rule(site, {"methodError": "serverFail"}, method="Core/echo")
    rule(site, {"setError": "overQuota"}, method="Mailbox/set")
    with opened(site) as client:
        assert client.ask(["Core/echo", {}, "0"])["methodResponses"] == [["error", {"type": "serverFail"}, "0"]]
        create = {"accountId": account, "create": {"a": {"name": "A"}}}
        ((_, answer, _),) = client.ask(["Mailbox/set", create, "0"], using=(sockets.MAIL,))["methodResponses"]
        assert answer["notCreated"] == {"a": {"type": "overQuota"}}
        assert client.ask(["Core/echo", {"a": 1}, "0"])["methodResponses"] == [["Core/echo", {"a": 1}, "0"]]


def test_a_whole_request_is_answered_with_a_request_error(site: Site) -> None:
    rule(site, {"status": 503, "retryAfter": 3}, method="Core/echo")
    with opened(site) as client:
        answer = client.ask(["Core/echo", {}, "0"])
        assert (answer["@type"], answer["status"]) == ("RequestError", 503)
        assert client.ask(["Core/echo", {}, "0"])["@type"] == "Response"


def test_the_connection_is_cut_instead_of_an_answer(site: Site) -> None:
    rule(site, {"cut": True}, method="Core/echo")
    with opened(site) as client, pytest.raises((sockets.Closed, OSError)):
        client.ask(["Core/echo", {}, "0"])
    with opened(site) as client:
        assert client.ask(["Core/echo", {}, "0"])["@type"] == "Response"


@pytest.mark.parametrize("effect", [{"truncate": 0.5}, {"truncate": 0}, {"garble": True}])
def test_a_message_is_no_json(site: Site, effect: dict[str, Any]) -> None:
    rule(site, effect, method="Core/echo")
    with opened(site) as client:
        with pytest.raises(json.JSONDecodeError):
            client.ask(["Core/echo", {}, "0"])
        assert client.ask(["Core/echo", {}, "0"])["@type"] == "Response"


def test_rules_for_http_leave_it_alone(site: Site) -> None:
    site.control("POST", "/faults", {"match": {"transport": "http"}, "effect": {"methodError": "serverFail"}})
    with opened(site) as client:
        assert client.ask(["Core/echo", {}, "0"])["methodResponses"] == [["Core/echo", {}, "0"]]
    assert site.jmap(["Core/echo", {}, "0"]) == [["error", {"type": "serverFail"}, "0"]]


def test_requests_are_in_the_log(site: Site) -> None:
    with opened(site) as client:
        client.ask(["Core/echo", {"hello": True}, "0"])
    (found,) = site.control("GET", "/exchanges?transport=websocket&method=Core/echo")["exchanges"]
    assert (found["user"], found["calls"][0]["method"], found["status"]) == ("alice@example.org", "Core/echo", 200)
    whole = site.control("GET", f"/exchanges/{found['id']}")
    assert (
        whole["request"]["methodCalls"] == whole["response"]["methodResponses"] == [["Core/echo", {"hello": True}, "0"]]
    )
