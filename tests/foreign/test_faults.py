"""Clients that others wrote see what a fixture has them see."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
from jmap.auth import BearerAuth
from jmap.client import JMAPClient
from jmapc import Client
from jmapc.errors import CannotCalculateChanges, ServerFail
from jmapc.methods import (
    CoreEcho,
    CoreEchoResponse,
    MailboxChanges,
    MailboxGet,
    MailboxGetResponse,
    MailboxSet,
    MailboxSetResponse,
)

from jmaplite.dev.in_process import FixtureServer
from jmaplite.dev.launch import Options
from jmaplite.dev.pytest_plugin import Misbehaviour

pytestmark = pytest.mark.foreign


@pytest.fixture(scope="module")
def server() -> Iterator[FixtureServer]:
    with FixtureServer(Options(tls=True)) as server:
        yield server


@pytest.fixture
def faults(server: FixtureServer) -> Iterator[Misbehaviour]:
    yield Misbehaviour(server.fixture.faults)
    server.fixture.faults.clear()


@pytest.fixture
def jmapc(server: FixtureServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.ca))
    client = Client.create_with_api_token(server.url.removeprefix("https://"), "alice-token")
    yield client
    client.requests_session.close()


def test_jmapc_sees_a_method_error(jmapc: Client, faults: Misbehaviour) -> None:
    rule = faults.add({"methodError": "serverFail"}, times=1, method="Core/echo")
    assert isinstance(jmapc.request(CoreEcho(data={"a": 1})), ServerFail)
    answer = jmapc.request(CoreEcho(data={"a": 1}))
    assert isinstance(answer, CoreEchoResponse)
    assert answer.data == {"a": 1}
    assert faults.fired(rule) == 1


def test_jmapc_sees_a_set_error(jmapc: Client, faults: Misbehaviour) -> None:
    faults.add({"setError": {"type": "overQuota", "description": "full"}}, method="Mailbox/set")
    answer = jmapc.request(MailboxSet(create={"m": {"name": "M"}}))  # type: ignore[dict-item]
    assert isinstance(answer, MailboxSetResponse)
    assert answer.not_created is not None
    assert answer.not_created["m"].type == "overQuota"


def test_jmapc_sees_that_changes_cannot_be_calculated(jmapc: Client, faults: Misbehaviour) -> None:
    faults.add({"expireStates": True}, times=1, method="Mailbox/changes")
    boxes = jmapc.request(MailboxGet(ids=[]))
    assert isinstance(boxes, MailboxGetResponse)
    assert boxes.state is not None
    assert isinstance(jmapc.request(MailboxChanges(since_state=boxes.state)), CannotCalculateChanges)
    again = jmapc.request(MailboxGet(ids=[]))
    assert isinstance(again, MailboxGetResponse)
    assert again.state != boxes.state


@pytest.mark.parametrize("effect", [{"status": 500}, {"cut": True}, {"truncate": 0.5}, {"garble": True}])
def test_jmapc_sees_that_a_request_fails(jmapc: Client, faults: Misbehaviour, effect: dict[str, Any]) -> None:
    assert jmapc.account_id
    rule = faults.add(effect, times=1, method="Core/echo")
    with pytest.raises(requests.RequestException):
        jmapc.request(CoreEcho(data={"a": 1}))
    assert isinstance(jmapc.request(CoreEcho(data={"a": 1})), CoreEchoResponse)
    assert faults.fired(rule) == 1


def test_jmaplib_goes_on_after_what_it_may_ask_again(server: FixtureServer, faults: Misbehaviour) -> None:
    context = ssl.create_default_context(cafile=str(server.ca))
    with (
        httpx.Client(verify=context) as http,
        JMAPClient.connect(server.session_url, auth=BearerAuth("alice-token"), http=http) as client,
    ):
        faults.add({"methodError": "serverFail"}, times=1, method="Mailbox/get")
        with client.batch() as batch:
            boxes = batch.mail.mailbox.get(ids=None)
        with pytest.raises(Exception, match="serverFail"):
            assert boxes.result.items
        with client.batch() as batch:
            boxes = batch.mail.mailbox.get(ids=None)
        assert boxes.result.items
