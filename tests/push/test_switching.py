"""Web push switched off and on by a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jmaplite.config import parse
from jmaplite.server import compose
from tests.live import CONFIG, USER
from tests.push.receiver import Receiver
from tests.push.site import PushServer

VAPID, EMAIL_PUSH = "urn:ietf:params:jmap:webpush-vapid", "urn:ietf:params:jmap:emailpush"


@contextmanager
def session(tmp_path: Path, more: str) -> Iterator[tuple[set[str], bool]]:
    """The capabilities of a session, and whether PushSubscription has methods."""
    parts = compose(parse(CONFIG + more, tmp_path))
    try:
        principal = parts.directory.principal(USER)
        assert principal is not None
        document = parts.engine.session(principal, "http://127.0.0.1").to_json()
        yield set(document["capabilities"]), parts.engine.catalog.method("PushSubscription/set") is not None
    finally:
        parts.close()


def test_it_is_there_unless_it_is_switched_off(tmp_path: Path) -> None:
    with session(tmp_path, "") as (capabilities, has_methods):
        assert {VAPID, EMAIL_PUSH} <= capabilities
        assert has_methods
    with session(tmp_path, "[jmap.push]\nenable = false\n") as (capabilities, has_methods):
        assert capabilities & {VAPID, EMAIL_PUSH} == set()
        assert not has_methods


@pytest.mark.parametrize("off", ["emailpush", "mail"])
def test_its_capabilities_can_be_switched_off_by_themselves(tmp_path: Path, off: str) -> None:
    with session(tmp_path, f"[jmap.capabilities]\n{off} = false\n") as (capabilities, has_methods):
        assert EMAIL_PUSH not in capabilities
        assert VAPID in capabilities
        assert has_methods


def test_what_changes_while_it_is_off_is_told_when_it_is_on_again(tmp_path: Path, receiver: Receiver) -> None:
    server = PushServer(tmp_path, allow_private=True)
    alice = server.device()
    with server.sending(throttle=0) as sender:
        alice.subscribed(receiver)
        equipment = sender._equipment
        sender.change(None)
        alice.change("one")
        sender.change(equipment)
        assert receiver.next().read()["changed"][alice.account]["Mailbox"] == alice.state("Mailbox")
    server.close()


def test_a_sender_that_was_told_to_end_does_not_begin(tmp_path: Path) -> None:
    server = PushServer(tmp_path)
    with server.sending() as sender:
        sender.stop()
        sender.stop()
    sender.start()
    assert not sender._thread.is_alive()
    server.close()
