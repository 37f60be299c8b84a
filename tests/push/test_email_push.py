"""EmailPush objects (draft-ietf-jmap-emailpush-03)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mail.jmap import message
from tests.push.receiver import Receiver
from tests.push.site import Device, PushServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PushServer]:
    server = PushServer(tmp_path, allow_private=True)
    yield server
    server.close()


def subscribe(device: Device, receiver: Receiver, **config: Any) -> str:
    config = {"properties": ["id"], **config}
    return device.subscribed(receiver, keys=device.reader.keys, types=[], emailPush={device.account: config})


def test_what_arrives_is_told_with_the_properties_that_were_asked_for(server: PushServer, receiver: Receiver) -> None:
    """The example of §5."""
    alice = server.device()
    with server.sending(throttle=0):
        subscribe(alice, receiver, properties=["from", "subject", "id"])
        made = alice.import_(message(subject="Surprise birthday party"))
        push = receiver.next()
    assert push.headers["urgency"] == "normal"
    assert "topic" not in push.headers
    found = alice.get("Email", made["id"], "from", "subject")
    assert push.read(alice.reader) == {
        "@type": "EmailPush",
        "accountId": alice.account,
        "emails": [{"from": found["from"], "subject": "Surprise birthday party", "id": made["id"]}],
        "state": alice.state("Email"),
    }


def test_only_what_the_filter_lets_through_is_told(server: PushServer, receiver: Receiver) -> None:
    alice = server.device()
    archive = alice.mailbox("archive")
    with server.sending(throttle=0):
        conditions = [{"inMailbox": alice.mailbox("inbox")}, {"hasKeyword": "$notify"}]
        subscribe(alice, receiver, filter={"operator": "OR", "conditions": conditions}, urgency="high")
        alice.import_(message(), mailboxes=[archive])
        one = alice.import_(message(), mailboxes=[archive], keywords=["$notify"])
        push = receiver.next()
        assert push.read(alice.reader)["emails"] == [{"id": one["id"]}]
        assert push.headers["urgency"] == "high"
        two = alice.import_(message())
        assert receiver.next().read(alice.reader)["emails"] == [{"id": two["id"]}]


def test_what_changes_its_thread_is_no_news(server: PushServer, receiver: Receiver) -> None:
    """It has another id then (RFC 8621 §3), and has been told of all the same."""
    alice = server.device()
    with server.sending(throttle=0):
        subscribe(alice, receiver, properties=["messageId"])
        for name in "ab":
            alice.import_(message(message_id=name))
            assert receiver.next().read(alice.reader)["emails"] == [{"messageId": [name]}]
        alice.import_(message(message_id="c", references=["a", "b"]))
        assert receiver.next().read(alice.reader)["emails"] == [{"messageId": ["c"]}]
    assert len({one["threadId"] for one in alice.call("Email/get", properties=["threadId"])["list"]}) == 1


def test_neither_drafts_nor_what_is_read_are_news(server: PushServer, receiver: Receiver) -> None:
    alice = server.device()
    with server.sending(throttle=0):
        subscribe(alice, receiver)
        alice.import_(message(), keywords=["$draft"])
        alice.import_(message(), keywords=["$seen"])
        made = alice.import_(message())
        alice.call("Email/set", update={made["id"]: {"keywords/$flagged": True}})
        assert receiver.next().read(alice.reader)["emails"] == [{"id": made["id"]}]
        assert receiver.pushes.empty()


def test_what_was_there_before_is_not_news(server: PushServer, receiver: Receiver) -> None:
    alice = server.device()
    alice.import_(message())
    with server.sending(throttle=0):
        record_id = alice.subscribed(receiver, keys=alice.reader.keys, types=[])
        alice.import_(message())
        alice.update(record_id, emailPush={alice.account: {"properties": ["id"]}})
        made = alice.import_(message())
        assert receiver.next().read(alice.reader)["emails"] == [{"id": made["id"]}]
        alice.update(record_id, emailPush=None)
        alice.import_(message())
        alice.update(record_id, emailPush={alice.account: {"properties": ["id"]}})
        made = alice.import_(message())
        assert receiver.next().read(alice.reader)["emails"] == [{"id": made["id"]}]


def test_what_arrived_while_nobody_sent_comes_together_in_order(server: PushServer, receiver: Receiver) -> None:
    alice = server.device()
    with server.sending(throttle=0):
        subscribe(alice, receiver, properties=["subject"])
    for number in range(45):
        alice.import_(message(subject=f"{number}"))
    found: list[str] = []
    with server.sending(throttle=0):
        while len(found) < 45:
            emails = receiver.next().read(alice.reader)["emails"]
            assert emails
            found += [one["subject"] for one in emails]
    assert found == [f"{number}" for number in range(45)]


def test_a_property_that_does_not_fit_is_left_out_and_the_next_is_tried(server: PushServer, receiver: Receiver) -> None:
    """§3: in the order in which they were asked for."""
    alice = server.device()
    with server.sending(throttle=0):
        subscribe(alice, receiver, properties=["id", "subject", "preview", "threadId"])
        made = alice.import_(message(subject="long " * 900))
        push = receiver.next()
    assert len(push.body) <= 4096
    [email] = push.read(alice.reader)["emails"]
    assert list(email) == ["id", "preview", "threadId"]
    assert email["id"] == made["id"]


def test_several_that_do_not_fit_together_come_one_after_the_other(server: PushServer, receiver: Receiver) -> None:
    alice = server.device()
    with server.sending(throttle=0):
        subscribe(alice, receiver, properties=["subject"])
    for number in range(4):
        alice.import_(message(subject=f"{number} " * 1300))
    with server.sending(throttle=0):
        for number in range(4):
            push = receiver.next()
            assert len(push.body) <= 4096
            [email] = push.read(alice.reader)["emails"]
            assert email["subject"].startswith(f"{number} ")


def test_states_and_messages_are_told_apart(server: PushServer, receiver: Receiver) -> None:
    alice = server.device()
    with server.sending(throttle=0):
        config = {alice.account: {"properties": ["id"]}}
        alice.subscribed(receiver, keys=alice.reader.keys, types=["EmailDelivery"], emailPush=config)
        alice.import_(message())
        kinds = {receiver.next().read(alice.reader)["@type"] for _ in range(2)}
    assert kinds == {"EmailPush", "StateChange"}
