"""The states that clients are told of (RFC 8620 §7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jmaplite.push.states import pushed_types, states
from tests.mail.jmap import ALICE, BASE, Client, Server, message


@pytest.fixture
def alice(tmp_path: Path) -> Iterator[Client]:
    server = Server(tmp_path)
    yield server.client()
    server.close()


def told(client: Client) -> dict[str, str]:
    engine = client.server.engine
    access = engine.session(ALICE, BASE).accounts[client.account]
    return states(client.server.store, client.account, pushed_types(engine.catalog, access))


def test_a_state_is_the_one_that_get_answers(alice: Client) -> None:
    alice.import_(message())
    found = told(alice)
    assert {"Mailbox", "Thread", "Email", "EmailDelivery"} <= found.keys()
    for name in ("Mailbox", "Thread", "Email"):
        assert found[name] == alice.call(f"{name}/get", ids=[])["state"]


def test_only_a_new_message_is_a_delivery(alice: Client) -> None:
    made = alice.import_(message())
    before = told(alice)
    alice.call("Email/set", update={made["id"]: {"keywords/$seen": True}})
    after = told(alice)
    assert before["Email"] != after["Email"]
    assert before["EmailDelivery"] == after["EmailDelivery"]
    alice.import_(message())
    assert told(alice)["EmailDelivery"] != after["EmailDelivery"]
