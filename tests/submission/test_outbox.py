"""The outbox: nothing is lost and nothing comes twice, wherever it is cut short; and it wakes by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jmaplite.datatypes.submission import queue
from jmaplite.delivery import filing, local, outbox, rounds
from jmaplite.delivery.filing import Delivery, Filter, keep
from jmaplite.store import Change, Reader, StoreDamaged, StoreUnavailable
from tests.mail.jmap import message
from tests.submission.post import BOB, CAROL, Killed, Mailer, PostOffice, envelope, kill_after, kill_before

PATIENCE = 30.0
"""Seconds after which a test that waits has failed."""


@pytest.mark.parametrize(
    "kill",
    [
        kill_before(queue, "claim"),
        kill_after(queue, "claim"),
        kill_before(outbox, "leaving"),
        kill_before(local, "deliver"),
        kill_before(filing, "insert"),
        kill_after(filing, "insert"),
        kill_after(queue, "note_arrival"),
        kill_after(local, "deliver"),
        kill_before(queue, "settle"),
        kill_after(queue, "settle"),
    ],
    ids=["before claim", "in claim", "before reading", "before delivery", "before insertion", "after insertion",
         "before the commit of delivery", "after delivery", "before the outcome", "before the commit of the outcome"],
)  # fmt: skip
def test_a_crash_neither_loses_nor_doubles_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: Callable[[pytest.MonkeyPatch], None]
) -> None:
    office = PostOffice(tmp_path)
    number = office.mailer().submit(office.mailer().draft(to="bob@example.org, carol@example.org"))["id"]
    with monkeypatch.context() as patched:
        kill(patched)
        with pytest.raises(Killed):
            office.deliver()

    office = office.reopen()
    office.deliver()

    for person in (BOB, CAROL):
        assert len(office.mailer(person).received()) == 1
        assert office.mailer(person).faults() == []
    record = office.mailer().submission(number)
    assert [one["delivered"] for one in record["deliveryStatus"].values()] == ["yes", "yes"]
    assert office.queued(office.mailer().account) == 0
    office.close()


def test_a_crash_before_the_commit_of_a_submission_sends_nothing(
    office: PostOffice, alice: Mailer, bob: Mailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    email, identity = alice.draft(to="bob@example.org"), alice.identity()
    with monkeypatch.context() as patched:
        kill_after(queue, "enqueue")(patched)
        with pytest.raises(Killed):
            alice.call("EmailSubmission/set", create={"s": {"identityId": identity, "emailId": email}})
    office.deliver()
    assert bob.received() == []
    assert alice.call("EmailSubmission/get")["list"] == []


def test_a_message_that_was_claimed_can_neither_be_canceled_nor_lost(
    office: PostOffice, alice: Mailer, bob: Mailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = alice.submit(alice.draft(to="bob@example.org"))["id"]
    with monkeypatch.context() as patched:
        kill_before(local, "deliver")(patched)
        with pytest.raises(Killed):
            office.deliver()
    assert alice.cancel(number)["notUpdated"][number]["type"] == "cannotUnsend"
    office.deliver()
    assert len(bob.received()) == 1


def test_a_message_canceled_just_before_it_is_claimed_is_not_delivered(
    office: PostOffice, alice: Mailer, bob: Mailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = alice.submit(alice.draft(to="bob@example.org, x@elsewhere.example"))["id"]
    find = office.directory.recipients

    def canceled_meanwhile(address: str) -> Any:
        alice.cancel(number)
        return find(address)

    with monkeypatch.context() as patched:
        patched.setattr(office.directory, "recipients", canceled_meanwhile)
        office.deliver()
    assert bob.received() == []
    status = alice.submission(number)["deliveryStatus"]
    assert {one["delivered"] for one in status.values()} == {"no"}


def test_an_account_that_cannot_be_reached_does_not_hold_up_others(
    office: PostOffice, alice: Mailer, bob: Mailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = alice.submit(alice.draft(to="carol@example.org, bob@example.org"))["id"]
    deliver = local.deliver
    failures = [StoreUnavailable("disk full"), ZeroDivisionError("a bug")]

    def fails(services: Any, delivery: Delivery, decide: Filter, **more: Any) -> None:
        if delivery.owner.name == "carol" and failures:
            raise failures.pop()
        deliver(services, delivery, decide, **more)

    monkeypatch.setattr(local, "deliver", fails)
    office.deliver()
    assert len(bob.received()) == 1
    status = alice.submission(number)["deliveryStatus"]
    assert [status[name]["delivered"] for name in ("carol@example.org", "bob@example.org")] == ["queued", "yes"]
    assert status["carol@example.org"]["smtpReply"] == "451 4.3.0 The mailbox cannot be reached"
    office.now += 120
    office.deliver()
    office.now += 300
    office.deliver()
    assert (len(bob.received()), len(office.mailer(CAROL).received())) == (1, 1)


def test_a_message_that_is_lost_does_not_hold_up_the_next(
    office: PostOffice, alice: Mailer, bob: Mailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for subject in ("lost", "next"):
        alice.submit(alice.draft(to="bob@example.org", subject=subject))
    read = office.blobs.read

    def lost(tx: Reader, digest: bytes, *range_: int) -> bytes:
        octets = read(tx, digest, *range_)
        if b"Subject: lost" in octets:
            raise StoreDamaged("its file is not there")
        return octets

    with monkeypatch.context() as patched:
        patched.setattr(office.blobs, "read", lost)
        with pytest.raises(StoreDamaged):
            office.deliver()
    assert [b"Subject: next" in one for one in bob.received()] == [True]
    office.deliver()
    assert len(bob.received()) == 2


def test_a_message_that_came_for_one_address_does_not_come_again_for_another(office: PostOffice, bob: Mailer) -> None:
    octets = message(to="bob@example.org, robert@example.org")
    for addresses in (["bob@example.org"], ["bob@example.org", "robert@example.org"], ["robert@example.org"]):
        for number in (7, 8):
            arguments: dict[str, Any] = {"source": "u1", "number": number, "addresses": addresses}
            delivery = Delivery(bob.account, BOB, "alice@example.org", addresses[0], octets)
            local.deliver(office.services, delivery, keep, **arguments)
    assert len(bob.received()) == 2


def test_a_message_outlives_its_email_in_the_queue(office: PostOffice, alice: Mailer, bob: Mailer) -> None:
    email = alice.draft(body="x" * 200_000)
    alice.submit(email, envelope=envelope("bob@example.org", HOLDFOR="2592000"))
    alice.call("Email/set", destroy=[email])
    office.now += 2_592_000
    expire(office, alice.account)
    office.deliver()
    assert len(bob.received()) == 1
    assert expire(office, alice.account) == 1


def expire(office: PostOffice, account: str) -> int:
    """Take out every blob of an account that nothing refers to; answers how many."""
    return office.store.account(account).write(lambda tx: office.blobs.expire(tx, 1 << 40))


def test_what_arrived_long_ago_is_forgotten(office: PostOffice, alice: Mailer, bob: Mailer) -> None:
    def remembered() -> int:
        with office.store.account(bob.account).read() as tx:
            return int(tx.value("SELECT count(*) FROM arrived_submission WHERE account=?", tx.account))

    for _ in range(2):
        alice.submit(alice.draft(to="bob@example.org"))
        office.deliver()
    assert remembered() == 2
    office.now += local.KEPT_SECONDS + 1
    alice.submit(alice.draft(to="bob@example.org"))
    office.deliver()
    assert remembered() == 1


# The worker


class Arrivals:
    """Waits for mail in an account."""

    def __init__(self, office: PostOffice, account: str) -> None:
        self.came = threading.Semaphore(0)
        self.account = account
        self.stop = office.store.feed.listen(self.heard)

    def heard(self, change: Change) -> None:
        if change.account_id == self.account and "EmailDelivery" in change.types:
            self.came.release()

    def wait(self) -> None:
        assert self.came.acquire(timeout=PATIENCE)


def test_the_worker_delivers_as_soon_as_a_submission_is_made(
    office: PostOffice, alice: Mailer, bob: Mailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "GLANCE_SECONDS", PATIENCE * 2)
    office.outbox.start()
    arrivals = Arrivals(office, bob.account)
    for count in (1, 2, 3):
        alice.submit(alice.draft(to="bob@example.org"))
        arrivals.wait()
        assert len(bob.received()) == count
    office.outbox.stop()


def test_the_worker_begins_with_what_was_left_and_wakes_when_a_message_is_due(
    office: PostOffice, alice: Mailer, bob: Mailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "GLANCE_SECONDS", 0.01)
    alice.submit(alice.draft(to="bob@example.org"))
    alice.submit(alice.draft(), envelope=envelope("bob@example.org", HOLDFOR="3600"))
    arrivals = Arrivals(office, bob.account)
    office.outbox.start()
    arrivals.wait()
    assert len(bob.received()) == 1
    office.now += 3600
    arrivals.wait()
    assert len(bob.received()) == 2
    office.outbox.stop()


def test_the_worker_goes_on_after_a_failure(
    office: PostOffice, alice: Mailer, bob: Mailer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rounds, "GLANCE_SECONDS", 0.01)
    failed = threading.Event()
    due = queue.due

    def fails_once(*arguments: Any) -> Any:
        if not failed.is_set():
            failed.set()
            office.now += rounds.AGAIN_SECONDS
            raise StoreUnavailable("locked")
        return due(*arguments)

    alice.submit(alice.draft(to="bob@example.org"))
    arrivals = Arrivals(office, bob.account)
    monkeypatch.setattr(queue, "due", fails_once)
    office.outbox.start()
    arrivals.wait()
    office.outbox.stop()
    assert failed.is_set()
    assert "the outbox failed" in caplog.text


def test_a_worker_that_was_never_started_can_be_stopped(office: PostOffice) -> None:
    office.outbox.stop()
