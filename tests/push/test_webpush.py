"""What is sent to push subscriptions, and when (RFC 8620 §7.2, RFC 8030)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jmaplite.directory.memory import Entry, MemoryDirectory
from jmaplite.push.outcome import retry_after
from tests.mail.jmap import ALICE, BOB, TEAM, message
from tests.push.receiver import HOST, Receiver, receiving
from tests.push.site import SECRET, Device, PushServer

DAY = 86400


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PushServer]:
    server = PushServer(tmp_path, allow_private=True)
    yield server
    server.close()


def is_due(device: Device, when: float) -> bool:
    return bool(device.row("due") == when)


def until(holds: Callable[[], Any]) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_the_dance_of_verification(server: PushServer, receiver: Receiver) -> None:
    """RFC 8620 §7.2.2: nothing but the code is sent until it has come back."""
    alice = server.device()
    with server.sending(throttle=0):
        record_id = alice.subscribe(receiver.url)["id"]
        push = receiver.next()
        assert push.path == "/device?id=1"
        assert push.headers["content-type"] == "application/json"
        assert push.headers["host"] == f"{HOST}:{receiver.port}"
        assert 0 <= int(push.headers["ttl"]) <= DAY
        assert push.headers["urgency"] == "high"
        assert "content-encoding" not in push.headers
        alice.change("one")
        other = server.device(BOB)
        other.subscribe(receiver.url)
        assert receiver.next().read()["@type"] == "PushVerification"
        alice.verify(record_id, push)
        told = receiver.next().read()
        assert told == {
            "@type": "StateChange",
            "changed": {alice.account: {"Mailbox": alice.state("Mailbox")}},
        }


def test_what_has_keys_is_encrypted_and_everything_is_signed(server: PushServer, receiver: Receiver) -> None:
    alice = server.device()
    with server.sending(throttle=0):
        record_id = alice.subscribe(receiver.url, keys=alice.reader.keys)["id"]
        push = receiver.next()
        alice.verify(record_id, push)
        alice.import_(message())
        state_change = receiver.next()
    for one in (push, state_change):
        assert one.headers["content-encoding"] == "aes128gcm"
        claims = one.check_vapid(server.vapid.application_server_key, receiver.origin, server.now)
        assert claims["sub"] == "mailto:postmaster@example.org"
    changed = state_change.read(alice.reader)["changed"][alice.account]
    assert {"Mailbox", "Thread", "Email", "EmailDelivery"} <= changed.keys()
    assert changed["Email"] == alice.state("Email")


def test_changes_in_accounts_of_groups_count_too_and_only_those_that_are_seen(
    server: PushServer, receiver: Receiver
) -> None:
    alice, bob = server.device(), server.device(BOB)
    team = next(one for one in alice.session["accounts"] if one in bob.session["accounts"])
    with server.sending(throttle=0):
        alice.subscribed(receiver)
        bob.change("of no concern to Alice")
        Device(server, bob.principal, team).change("of concern")
        assert receiver.next().read()["changed"].keys() == {team}


def test_only_types_that_were_asked_for_are_told(server: PushServer, receiver: Receiver) -> None:
    alice = server.device()
    with server.sending(throttle=0):
        alice.subscribed(receiver, types=["EmailDelivery", "Surprise"])
        alice.change("not told")
        alice.import_(message())
        assert receiver.next().read()["changed"][alice.account].keys() == {"EmailDelivery"}


def test_no_types_mean_no_state_changes(server: PushServer, receiver: Receiver) -> None:
    alice = server.device()
    with server.sending(throttle=0):
        record_id = alice.subscribed(receiver, types=[])
        alice.change("not told")
        alice.update(record_id, types=["Mailbox"])
        assert receiver.next().read()["changed"][alice.account].keys() == {"Mailbox"}
        assert receiver.pushes.empty()


def test_changes_are_gathered_while_there_must_be_a_gap(server: PushServer, receiver: Receiver) -> None:
    alice = server.device()
    with server.sending(throttle=10):
        alice.subscribed(receiver)
        until(partial(is_due, alice, server.now + 10))
        server.now += 10
        alice.change("one")
        first = receiver.next()
        until(lambda: alice.row("due") == server.now + 10)
        for name in ("two", "three", "four"):
            alice.change(name)
        assert receiver.pushes.empty()
        server.now += 10
        second = receiver.next()
        assert second.read()["changed"][alice.account]["Mailbox"] == alice.state("Mailbox")
        assert receiver.pushes.empty()
    assert first.headers["topic"] == second.headers["topic"]
    assert len(first.headers["topic"]) == 32


def test_a_push_service_may_replace_only_what_tells_of_the_same(server: PushServer, receiver: Receiver) -> None:
    """RFC 8030 §5.4: one that waits there is replaced by the next of its Topic."""
    alice = server.device()
    with server.sending(throttle=0):
        alice.subscribed(receiver)
        alice.change("one")
        one = receiver.next()
        alice.import_(message())
        assert receiver.next().headers["topic"] != one.headers["topic"]


@pytest.mark.parametrize("status", [404, 410])
def test_a_push_service_can_end_a_subscription(server: PushServer, receiver: Receiver, status: int) -> None:
    alice = server.device()
    with server.sending(throttle=0):
        alice.subscribed(receiver)
        receiver.answers.append((status, {}))
        alice.change("one")
        receiver.next()
        until(lambda: alice.subscriptions() == [])


def test_what_fails_is_tried_again_with_growing_gaps_and_then_given_up(server: PushServer, receiver: Receiver) -> None:
    alice = server.device()
    with server.sending(throttle=0, interval=60, attempts=3):
        alice.subscribed(receiver)
        receiver.answers.extend([(500, {}), (502, {}), (503, {})])
        alice.change("one")
        receiver.next()
        until(lambda: alice.row("due") == server.now + 60)
        alice.change("two")
        server.now += 59
        assert receiver.pushes.empty()
        server.now += 1
        assert receiver.next().read()["changed"][alice.account]["Mailbox"] == alice.state("Mailbox")
        until(lambda: alice.row("due") == server.now + 120)
        server.now += 120
        receiver.next()
        until(lambda: alice.row("failures") == 0)
        server.now += 1000
        assert receiver.pushes.empty()
        alice.change("three")
        assert receiver.next().read()["changed"][alice.account]["Mailbox"] == alice.state("Mailbox")


def test_somebody_who_does_not_answer_is_tried_again(server: PushServer) -> None:
    alice = server.device()
    with receiving() as gone:
        url = gone.url
    with server.sending(throttle=0, interval=60):
        alice.subscribe(url)
        until(lambda: alice.row("failures") == 1)
        assert alice.row("due") == server.now + 60
        assert alice.row("asked") == 0


@pytest.mark.parametrize("status", [429, 503])
def test_a_push_service_is_given_the_time_that_it_asks_for(server: PushServer, receiver: Receiver, status: int) -> None:
    alice = server.device()
    with server.sending(throttle=0, attempts=1):
        alice.subscribed(receiver)
        receiver.answers.append((status, {"Retry-After": "3600"}))
        alice.change("one")
        receiver.next()
        until(lambda: alice.row("due") == server.now + 3600)
        alice.change("two")
        server.now += 3599
        assert receiver.pushes.empty()
        server.now += 1
        assert receiver.next().read()["changed"][alice.account]["Mailbox"] == alice.state("Mailbox")


def test_too_many_requests_make_the_server_slow_down_even_without_a_time(
    server: PushServer, receiver: Receiver
) -> None:
    alice = server.device()
    with server.sending(throttle=0, interval=60, attempts=1):
        alice.subscribed(receiver)
        receiver.answers.extend([(429, {}), (429, {})])
        alice.change("one")
        for wait in (60, 120):
            receiver.next()
            until(partial(is_due, alice, server.now + wait))
            server.now += wait
        assert receiver.next().read()["@type"] == "StateChange"


def test_to_be_asked_to_wait_is_no_failure(server: PushServer, receiver: Receiver) -> None:
    alice = server.device()
    with server.sending(throttle=0, interval=60, attempts=2):
        alice.subscribed(receiver)
        receiver.answers.extend([(429, {}), (429, {}), (500, {})])
        alice.change("one")
        for wait in (60, 120, 60):
            receiver.next()
            until(partial(is_due, alice, server.now + wait))
            server.now += wait
        assert receiver.next().read()["@type"] == "StateChange"


@pytest.mark.parametrize("status", [400, 401, 403, 413, 307])
def test_what_a_push_service_refuses_is_not_sent_again(server: PushServer, receiver: Receiver, status: int) -> None:
    alice = server.device()
    with server.sending(throttle=0):
        alice.subscribed(receiver)
        receiver.answers.append((status, {"Location": receiver.url}))
        alice.change("one")
        receiver.next()
        alice.change("two")
        assert receiver.next().read()["changed"][alice.account]["Mailbox"] == alice.state("Mailbox")
        assert receiver.pushes.empty()


def test_a_restart_loses_nothing(server: PushServer, receiver: Receiver, tmp_path: Path) -> None:
    alice = server.device()
    with server.sending(throttle=0, interval=60):
        alice.subscribed(receiver)
        receiver.answers.append((500, {}))
        alice.change("pending")
        receiver.next()
        until(lambda: alice.row("failures") == 1)
    alice.change("while nobody sends")
    state = alice.state("Mailbox")
    server.close()
    again = PushServer(tmp_path, allow_private=True, now=server.now + 60)
    with again.sending(throttle=0):
        assert receiver.next().read()["changed"] == {alice.account: {"Mailbox": state}}
    again.close()


def test_a_sender_that_is_stopped_in_between_sends_again(server: PushServer, receiver: Receiver) -> None:
    alice = server.device()
    with server.sending(throttle=0):
        alice.subscribed(receiver)
        receiver.arrived.acquire()
        receiver.held.clear()
        alice.change("one")
        assert receiver.arrived.acquire(timeout=20)
    receiver.held.set()
    receiver.next()
    with server.sending(throttle=0):
        assert receiver.next().read()["changed"][alice.account]["Mailbox"] == alice.state("Mailbox")


def test_nothing_is_sent_after_the_end(server: PushServer, receiver: Receiver) -> None:
    """RFC 8620 §7.2, `expires`."""
    alice = server.device()
    with server.sending(throttle=0) as sender:
        alice.subscribed(receiver)
        server.now += 7 * DAY
        alice.change("one")
        sender.wake()
        until(lambda: alice.row("id") is None)
        assert receiver.pushes.empty()


def test_the_time_to_live_ends_with_the_subscription(server: PushServer, receiver: Receiver) -> None:
    alice = server.device()
    with server.sending(throttle=0):
        alice.subscribe(receiver.url, expires="2023-11-14T22:14:20Z")
        assert receiver.next().headers["ttl"] == "60"


@pytest.mark.parametrize(
    "people",
    [
        (Entry(BOB), Entry(TEAM)),
        (Entry(ALICE, (), ("x:sha256:" + "0" * 64,)),),
        (Entry(ALICE, ("another password",)), Entry(BOB, ("secret",))),
    ],
)
def test_a_subscription_ends_with_its_user_and_its_credentials(
    server: PushServer, receiver: Receiver, people: tuple[Entry, ...]
) -> None:
    """RFC 8620 §7.2: destroyed when they are revoked."""
    alice = server.device()
    with server.sending(throttle=0):
        alice.subscribed(receiver)
    server.install(MemoryDirectory(people))
    with server.sending(throttle=0):
        until(lambda: alice.row("id") is None)
    assert receiver.pushes.empty()


def test_an_address_that_is_not_public_is_never_gone_to(tmp_path: Path, receiver: Receiver) -> None:
    server = PushServer(tmp_path / "strict")
    alice = server.device()
    with server.sending():
        alice.subscribe(receiver.url)
        until(lambda: alice.row("asked") == 1)
        assert receiver.pushes.empty()
    server.close()


def test_a_slow_receiver_keeps_nobody_waiting_but_itself(server: PushServer, receiver: Receiver) -> None:
    alice, bob = server.device(), server.device(BOB)
    with receiving() as slow, server.sending(throttle=0):
        slow.held.clear()
        for _ in range(9):
            alice.subscribe(slow.url)
        for _ in range(4):
            assert slow.arrived.acquire(timeout=20)
        bob.subscribed(receiver)
        bob.change("one")
        assert receiver.next().read()["@type"] == "StateChange"
        assert not slow.arrived.acquire(blocking=False), "no more than four at once for one user"


def test_what_has_waited_for_its_turn_until_the_end_of_its_subscription_is_not_sent(
    server: PushServer, receiver: Receiver
) -> None:
    """RFC 8620 §7.2: no more requests after `expires`."""
    alice = server.device()
    with receiving() as slow, server.sending(throttle=0) as sender:
        slow.held.clear()
        for _ in range(4):
            alice.subscribe(slow.url)
        for _ in range(4):
            assert slow.arrived.acquire(timeout=20)
        alice.subscribe(receiver.url)
        until(lambda: len(sender._busy[alice.account]) == 5)
        server.now += 7 * DAY
        slow.held.set()
        until(lambda: alice.row("count(*)") == 0)
    assert receiver.pushes.empty()


def test_what_is_too_long_for_one_message_comes_in_several(tmp_path: Path, receiver: Receiver) -> None:
    groups = [replace(TEAM, name=f"team{number}@example.org") for number in range(60)]
    everybody = replace(ALICE, member_of=tuple(group.name for group in groups))
    server = PushServer(
        tmp_path / "many", allow_private=True, people=(Entry(everybody, (SECRET,)), *map(Entry, groups))
    )
    alice = server.device(everybody)
    with server.sending(throttle=0):
        alice.subscribed(receiver, keys=alice.reader.keys)
    for account_id in alice.session["accounts"]:
        Device(server, everybody, account_id).import_(message())
    found: dict[str, str] = {}
    pushes = 0
    with server.sending(throttle=0):
        while len(found) < 61:
            push = receiver.next()
            assert len(push.body) <= 4096
            changed = push.read(alice.reader)["changed"]
            assert not changed.keys() & found.keys()
            found |= {account_id: news["Mailbox"] for account_id, news in changed.items()}
            pushes += 1
    assert 1 < pushes < 10
    server.close()


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The server stands where clocks do not show UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XYZ5")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120),
        (" 5 ", 5),
        ("99999999999999999999", DAY),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Tue, 14 Nov 2023 22:12:20 GMT", 0),
        ("Tue, 99 Nov 2023 22:12:20 GMT", None),
        ("Tue Nov 14 22:14:20 2023", 60),
        ("Tuesday, 14-Nov-23 22:14:20 GMT", 60),
        ("٣", None),
    ],
)
@pytest.mark.usefixtures("elsewhere")
def test_retry_after_is_a_number_or_a_date(text: str | None, seconds: float | None) -> None:
    """RFC 9110 §10.2.3, §5.6.7."""
    assert retry_after(text, 1_700_000_000.0) == seconds
