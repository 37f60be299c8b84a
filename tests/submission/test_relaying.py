"""Mail for other places: how it fares, what the sender is told of it, and what survives a crash."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jmaplite.datatypes.submission import SubmissionSettings, queue, upkeep
from jmaplite.delivery import Courier, NoRelay, Office, Parcel, Reply
from jmaplite.delivery import courier as couriers
from jmaplite.formats import dsn, mdn
from tests.mail.jmap import message
from tests.submission.post import BOB, HOST, Killed, Mailer, PostOffice, envelope, kill_after, kill_before

DAY = 86400
PATIENCE = 30.0
THERE = "x@there.example"


class Elsewhere:
    """A relay that answers as it is told, and keeps what it took."""

    def __init__(self) -> None:
        self.offers: dict[str, tuple[str, ...]] = {}
        self.answers: Callable[[str], str] = lambda address: "250 2.0.0 ok"
        self.parcels: list[Parcel] = []

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def send(self, parcel: Parcel) -> list[Reply]:
        replies = [Reply(self.answers(one), "mx.there.example", "DSN" in self.offers) for one, _ in parcel.recipients]
        if any(one.text.startswith("2") for one in replies):
            self.parcels.append(parcel)
        return replies


class Post(PostOffice):
    """A post office with a courier."""

    def __post_init__(self) -> None:
        self.there = Elsewhere()
        self.sending = SubmissionSettings(offers=lambda: self.there.offers, rate=self.sending.rate)
        super().__post_init__()
        self.office = Office(self.services, self.directory, self.engine.catalog.fill, HOST)
        self.courier = Courier(self.office, self.there)

    def deliver(self) -> None:
        super().deliver()
        for info in self.store.accounts():
            self.courier.send_due(info.id)
        super().deliver()

    def close(self) -> None:
        self.courier.end()
        self.courier.join()
        super().close()

    def again(self) -> Post:
        self.close()
        return Post(self.path, self.limits, self.settings, self.now, self.sending, self.people)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    made = Post(tmp_path)
    yield made
    made.close()


@pytest.fixture
def alice(post: Post) -> Mailer:
    return post.mailer()


def status(alice: Mailer, number: str, address: str = THERE) -> tuple[str, str]:
    found = alice.submission(number)["deliveryStatus"][address]
    return found["delivered"], found["smtpReply"]


def with_parameters(address: str, of_sender: dict[str, Any] | None = None, **of_recipient: str) -> dict[str, Any]:
    made = envelope(address)
    made["mailFrom"]["parameters"] = of_sender
    made["rcptTo"][0]["parameters"] = of_recipient or None
    return made


def reports(client: Mailer) -> list[dsn.Report]:
    """The DSNs in an inbox."""
    found = [dsn.read(octets) for octets in client.received()]
    return [one for one in found if one is not None]


def test_a_message_that_was_taken_has_an_unknown_fate(post: Post, alice: Mailer) -> None:
    number = alice.submit(alice.draft(to=f"{THERE}, bob@example.org"))["id"]
    post.deliver()
    assert status(alice, number) == ("unknown", "250 2.0.0 ok")
    assert status(alice, number, "bob@example.org")[0] == "yes"
    (parcel,) = post.there.parcels
    assert [address for address, _ in parcel.recipients] == [THERE]
    assert b"\r\n\r\n" in parcel.octets
    assert post.queued(alice.account) == 0
    assert alice.received() == []


def test_a_refusal_is_told_at_once_and_linked(post: Post, alice: Mailer) -> None:
    post.there.answers = lambda address: "550 5.1.1 no such user"
    before = alice.state("EmailSubmission")
    number = alice.submit(alice.draft(to=THERE, subject="Lunch"))["id"]
    post.deliver()
    assert status(alice, number) == ("no", "550 5.1.1 no such user")
    (octets,) = alice.received()
    assert octets.startswith(b"Return-Path: <>\r\n")
    (report,) = reports(alice)
    assert report.recipients == (dsn.Status("", THERE, "failed", "5.1.1", "550 5.1.1 no such user"),)
    assert b"Subject: Your message could not be delivered: Lunch" in octets
    assert alice.call("Email/get", ids=alice.call("Email/query", filter={"from": "MAILER-DAEMON"})["ids"])["list"]
    record = alice.submission(number)
    email = alice.call("Email/query", filter={"from": "mailer-daemon"})["ids"][0]
    assert record["dsnBlobIds"] == [alice.get("Email", email, "blobId")["blobId"]]
    assert record["id"] in alice.call("EmailSubmission/changes", sinceState=before)["created"]


def test_an_address_of_ours_that_nobody_has_fails_at_once(post: Post, alice: Mailer) -> None:
    number = alice.submit(alice.draft(to="nobody@example.org"))["id"]
    post.deliver()
    assert status(alice, number, "nobody@example.org") == ("no", "550 5.1.1 There is no such mailbox here")
    assert len(reports(alice)) == 1
    assert post.there.parcels == []


def test_what_fails_for_now_is_tried_again_told_to_be_late_and_given_up(post: Post, alice: Mailer) -> None:
    post.there.answers = lambda address: "451 4.2.0 busy"
    number = alice.submit(alice.draft(to=THERE))["id"]
    started, waits = post.now, []
    post.deliver()
    while status(alice, number)[0] == "queued":
        assert status(alice, number) == ("queued", "451 4.2.0 busy")
        due = post.courier.send_due(alice.account)
        assert due is not None
        waits.append(due - post.now)
        post.now = due
        post.deliver()
        assert len(reports(alice)) == (post.now - started >= DAY) + (post.now - started >= 5 * DAY)
    assert waits[:7] == [120, 300, 600, 1800, 3600, 7200, 14400]
    assert sum(waits) == 5 * DAY
    assert status(alice, number) == ("no", "554 5.2.0 busy")
    late, given_up = reports(alice)
    assert [(one.action, one.status) for one in (*late.recipients, *given_up.recipients)] == [
        ("delayed", "4.2.0"),
        ("failed", "4.4.7"),
    ]
    assert b"Will-Retry-Until: Sun, 19 Nov 2023 22:13:20 +0000" in alice.received()[0]
    assert len(alice.submission(number)["dsnBlobIds"]) == 2


def test_it_goes_when_it_is_taken_at_last(post: Post, alice: Mailer) -> None:
    post.there.answers = lambda address: "421 4.3.2 not now"
    number = alice.submit(alice.draft(to=THERE))["id"]
    post.deliver()
    post.there.answers = lambda address: "250 ok"
    post.deliver()
    assert post.there.parcels == []
    post.now += 120
    post.deliver()
    assert len(post.there.parcels) == 1
    assert status(alice, number) == ("unknown", "250 ok")


@pytest.mark.parametrize(
    ("notify", "answer", "actions"),
    [
        ("NEVER", "550 5.1.1 no", []),
        ("SUCCESS", "550 5.1.1 no", []),
        ("FAILURE", "550 5.1.1 no", ["failed"]),
        ("SUCCESS,FAILURE", "250 ok", ["relayed"]),
    ],
)
def test_the_sender_is_told_what_was_asked_for(
    post: Post, alice: Mailer, notify: str, answer: str, actions: list[str]
) -> None:
    """RFC 3461 §4.1; the relay offered DSN once, and does not any more when the message goes."""
    post.there.offers = {"DSN": ()}
    alice.submit(
        alice.draft(), envelope=with_parameters(THERE, {"ENVID": "mine"}, NOTIFY=notify, ORCPT=f"rfc822;{THERE}")
    )
    post.there.offers = {}
    post.there.answers = lambda address: answer
    post.deliver()
    assert [one.action for report in reports(alice) for one in report.recipients] == actions
    assert [report.envelope_id for report in reports(alice)] == ["mine"] * len(actions)
    assert all(one.original == THERE for report in reports(alice) for one in report.recipients)


def test_delivery_here_is_told_if_that_was_asked_for(post: Post, alice: Mailer) -> None:
    post.there.offers = {"DSN": ()}
    number = alice.submit(alice.draft(), envelope=with_parameters("bob@example.org", NOTIFY="success"))["id"]
    post.deliver()
    (report,) = reports(alice)
    assert [one.action for one in report.recipients] == ["delivered"]
    assert len(alice.submission(number)["dsnBlobIds"]) == 1


@pytest.mark.parametrize(
    ("asked", "whole"),
    [({"RET": "FULL"}, True), ({"RET": "hdrs"}, False), (None, True), ({"RET": "FULL", "REQUIRETLS": None}, False)],
)
def test_what_is_given_back_is_what_was_asked_for(
    post: Post, alice: Mailer, asked: dict[str, Any] | None, whole: bool
) -> None:
    """RFC 3461 §4.3; no more than the header where TLS was required (RFC 8689 §5)."""
    post.there.offers = {"DSN": (), "REQUIRETLS": ()}
    post.there.answers = lambda address: "550 no"
    alice.submit(alice.draft(body="the whole text"), envelope=with_parameters(THERE, asked))
    post.deliver()
    assert (b"the whole text" in alice.received()[0]) == whole


def test_nobody_is_told_of_a_message_without_a_sender(post: Post, alice: Mailer) -> None:
    post.there.answers = lambda address: "550 no"
    alice.submit(alice.draft(), envelope=envelope(THERE, sender=""))
    post.deliver()
    assert (alice.received(), post.queued(alice.account)) == ([], 0)


def test_mail_that_takes_long_does_not_hold_up_that_of_others(post: Post, alice: Mailer) -> None:
    bob = post.mailer(BOB)
    begun, go_on, sent = threading.Event(), threading.Event(), threading.Event()

    def answer(address: str) -> str:
        if address == THERE:
            begun.set()
            assert go_on.wait(PATIENCE)
        else:
            sent.set()
        return "250 2.0.0 ok"

    post.there.answers = answer
    alice.submit(alice.draft(to=THERE))
    bob.submit(bob.draft(to="y@there.example"))
    PostOffice.deliver(post)
    post.courier.start()
    post.courier.wake(alice.account)
    assert begun.wait(PATIENCE)
    post.courier.wake(alice.account)
    post.courier.wake(bob.account)
    try:
        assert sent.wait(PATIENCE)
    finally:
        go_on.set()
    post.courier.end()
    post.courier.join()
    assert len(post.there.parcels) == 2


def test_redirected_mail_is_returned_to_who_sent_it(post: Post, alice: Mailer) -> None:
    """What the server sends by itself has no EmailSubmission; its sender may be elsewhere."""
    octets = message(to="alice@example.org")
    staged = post.blobs.stage(alice.account, octets)
    post.store.account(alice.account).write(
        lambda tx: queue.send(
            tx, post.blobs, staged, octets.index(b"\r\n\r\n") + 2, "far@away.example", (THERE,), int(post.now)
        )
    )
    post.there.answers = lambda address: "550 5.7.1 no" if address == THERE else "250 ok"
    post.deliver()
    post.deliver()
    (parcel,) = post.there.parcels
    assert (parcel.sender, [address for address, _ in parcel.recipients]) == ("", ["far@away.example"])
    assert dsn.read(parcel.octets) is not None
    assert post.queued(alice.account) == 0


def test_without_a_relay_mail_waits_and_is_returned_in_the_end(post: Post, alice: Mailer) -> None:
    number = alice.submit(alice.draft(to=THERE))["id"]
    post.courier.change(post.office, NoRelay())
    post.deliver()
    assert status(alice, number) == ("queued", "451 4.3.5 This server has no relay for mail to other places")
    post.now += 5 * DAY
    post.deliver()
    assert status(alice, number)[0] == "no"
    assert [one.action for report in reports(alice) for one in report.recipients] == ["failed"]


# Reports of others


def answer_to(alice: Mailer, post: Post, action: str, *, envelope_id: str = "", message_id: str = "") -> bytes:
    """A DSN as another server makes it of the message that it has taken."""
    octets = post.there.parcels[-1].octets
    if message_id:
        octets = re.sub(rb"(?i)message-id: <[^>]*>", f"Message-ID: <{message_id}>".encode(), octets)
    notice = dsn.Notice("mx.there.example", "a.smith@example.org", envelope_id, "2023-11-14T22:13:20Z",
                        "2023-11-14T22:13:20Z", "r1@mx.there.example")  # fmt: skip
    reply = {"delivered": "250 2.1.5 in the mailbox", "failed": "550 5.2.2 full"}.get(action, "250 ok")
    told: Any = dsn.Told(THERE, action, reply, remote="store.there.example")  # type: ignore[arg-type]
    return dsn.report(notice, [told], octets, octets.index(b"\r\n\r\n") + 2, whole=False)


def bring(post: Post, octets: bytes) -> None:
    from jmaplite.delivery import Arriving, Incoming

    arriving = Arriving("", ("a.smith@example.org",), octets, "mx.there.example", "ESMTP")
    assert Incoming(post.office).deliver(arriving) == ["250 2.1.5 Delivered"]


@pytest.mark.parametrize(
    ("action", "delivered", "reply"),
    [
        ("delivered", "yes", "250 2.1.5 in the mailbox"),
        ("failed", "no", "550 5.2.2 full"),
        ("relayed", "unknown", "250 ok"),
    ],
)
def test_a_report_changes_what_is_known(post: Post, alice: Mailer, action: str, delivered: str, reply: str) -> None:
    number = alice.submit(alice.draft(to=THERE))["id"]
    post.deliver()
    before = alice.state("EmailSubmission")
    bring(post, answer_to(alice, post, action))
    assert status(alice, number) == (delivered, reply)
    record = alice.submission(number)
    assert len(record["dsnBlobIds"]) == 1
    assert alice.call("EmailSubmission/changes", sinceState=before)["updated"] == [number]
    bring(post, answer_to(alice, post, "failed" if action == "delivered" else "delivered") + b"\r\n")
    assert status(alice, number)[0] == (delivered if delivered != "unknown" else "yes")
    assert len(alice.submission(number)["dsnBlobIds"]) == 2


def test_a_failure_without_an_answer_of_smtp_has_one_that_stands_for_it(post: Post, alice: Mailer) -> None:
    number = alice.submit(alice.draft(to=THERE))["id"]
    post.deliver()
    bring(post, answer_to(alice, post, "failed").replace(b"Diagnostic-Code: smtp", b"Diagnostic-Code: x-local"))
    assert status(alice, number) == ("no", "550 5.2.2 The message came back with a report")


def test_a_report_is_known_by_the_id_of_its_envelope(post: Post, alice: Mailer) -> None:
    post.there.offers = {"DSN": ()}
    first = alice.submit(alice.draft(to=THERE))["id"]
    post.deliver()
    envelope_id = post.there.parcels[-1].parameters["ENVID"] or ""
    assert envelope_id == f"{first}.{alice.account}"
    second = alice.submit(alice.draft(), envelope=with_parameters(THERE, {"ENVID": "mine"}))["id"]
    post.deliver()
    assert post.there.parcels[-1].parameters["ENVID"] == "mine"
    bring(post, answer_to(alice, post, "delivered", envelope_id=envelope_id, message_id="else@where"))
    assert (status(alice, first)[0], status(alice, second)[0]) == ("yes", "unknown")
    bring(post, answer_to(alice, post, "delivered", envelope_id="mine", message_id="else@where"))
    assert status(alice, second)[0] == "yes"


def test_a_report_about_nothing_of_ours_is_only_filed(post: Post, alice: Mailer) -> None:
    number = alice.submit(alice.draft(to=THERE))["id"]
    post.deliver()
    before = alice.submission(number)
    bring(post, answer_to(alice, post, "delivered", message_id="else@where"))
    bring(post, answer_to(alice, post, "delivered").replace(THERE.encode(), b"y@there.example"))
    assert alice.submission(number) == before
    assert len(alice.received()) == 2


def test_a_receipt_tells_that_the_message_was_seen(post: Post, alice: Mailer) -> None:
    number = alice.submit(alice.draft(message("Lunch", message_id="q@x", sender="a.smith@example.org", to=THERE)))["id"]
    post.deliver()
    told = mdn.Notification(
        mdn.Disposition("manual-action", "mdn-sent-manually", "displayed"),
        final_recipient=f"rfc822; {THERE}",
        original_message_id="<q@x>",
    )
    header = [b"From: x@there.example\r\n", b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"]
    bring(post, mdn.build(told, header, "seed"))
    record = alice.submission(number)
    assert record["deliveryStatus"][THERE]["displayed"] == "yes"
    assert (len(record["mdnBlobIds"]), record["dsnBlobIds"]) == (1, [])


def test_a_submission_keeps_its_reports_until_it_is_destroyed(post: Post, alice: Mailer) -> None:
    number = alice.submit(alice.draft(to=THERE))["id"]
    post.deliver()
    bring(post, answer_to(alice, post, "delivered"))
    (email,) = alice.call("Email/query", filter={"inMailbox": alice.mailbox("inbox")})["ids"]
    alice.call("Email/set", destroy=[email])

    def expire() -> int:
        return post.store.account(alice.account).write(lambda tx: post.blobs.expire(tx, 1 << 40))

    expire()
    blob_id = alice.submission(number)["dsnBlobIds"][0]
    with post.store.account(alice.account).read() as tx:
        assert post.blobs.may_read(tx, bytes.fromhex(blob_id[1:]), "alice")
    alice.call("EmailSubmission/set", destroy=[number])
    assert expire() == 1


# Parameters


def test_what_the_relay_offers_is_announced(post: Post, alice: Mailer) -> None:
    assert set(post.sending.extensions) == {"FUTURERELEASE", "SIZE"}
    post.there.offers = {"DSN": (), "PIPELINING": (), "MT-PRIORITY": ("MIXER",), "REQUIRETLS": ()}
    assert post.sending.extensions == {
        "FUTURERELEASE": [],
        "SIZE": ["75000000"],
        "DSN": [],
        "MT-PRIORITY": ["MIXER"],
        "REQUIRETLS": [],
    }


@pytest.mark.parametrize(
    ("of_sender", "of_recipient"),
    [
        ({"RET": "SOME"}, {}),
        ({"RET": None}, {}),
        ({"ENVID": ""}, {}),
        ({"ENVID": "a\r\nRCPT TO:<y>"}, {}),
        ({"MT-PRIORITY": "10"}, {}),
        ({"REQUIRETLS": "yes"}, {}),
        ({"BY": "1;R"}, {}),
        ({}, {"NOTIFY": "NEVER,SUCCESS"}),
        ({}, {"NOTIFY": ""}),
        ({}, {"NOTIFY": "SUCCESS,SUCCESS"}),
        ({}, {"ORCPT": "x@y"}),
        ({}, {"ORCPT": "rfc822;a\nb"}),
        ({}, {"XYZ": "1"}),
    ],
)
def test_a_parameter_that_is_none_is_refused(
    post: Post, alice: Mailer, of_sender: dict[str, Any], of_recipient: dict[str, str]
) -> None:
    post.there.offers = {"DSN": (), "MT-PRIORITY": (), "REQUIRETLS": ()}
    refused = alice.refused(alice.draft(), envelope=with_parameters(THERE, of_sender, **of_recipient))
    assert (refused["type"], refused["properties"]) == ("invalidProperties", ["envelope"])


def test_parameters_of_what_is_not_offered_are_refused(post: Post, alice: Mailer) -> None:
    for of_sender, of_recipient in ({"RET": "FULL"}, {}), ({"REQUIRETLS": None}, {}), ({}, {"NOTIFY": "NEVER"}):
        given: Any = with_parameters(THERE, of_sender, **of_recipient)
        assert alice.refused(alice.draft(), envelope=given)["type"] == "invalidProperties"


def test_an_account_sends_to_so_many_in_so_much_time(tmp_path: Path) -> None:
    post = Post(tmp_path, sending=SubmissionSettings(rate=(3, 60.0)))
    alice = post.mailer()
    number = alice.submit(alice.draft(to=f"{THERE}, y@there.example"))["id"]
    alice.call("EmailSubmission/set", destroy=[number])
    assert alice.refused(alice.draft(to=f"{THERE}, bob@example.org"))["type"] == "rateLimit"
    alice.submit(alice.draft(to=THERE))
    post.mailer(BOB).submit(post.mailer(BOB).draft(to=THERE))
    post.now += 60
    alice.submit(alice.draft(to=THERE))
    post.close()


# Crashes


@pytest.mark.parametrize(
    ("kill", "copies"),
    [
        (kill_before(queue, "claim"), 1),
        (kill_after(queue, "claim"), 1),
        (kill_before(couriers, "leaving"), 1),
        (kill_before(Elsewhere, "send"), 1),
        (kill_after(Elsewhere, "send"), 2),
        (kill_before(couriers, "settle"), 2),
        (kill_before(queue, "settle"), 2),
        (kill_after(queue, "settle"), 2),
        (kill_after(couriers, "settle"), 1),
    ],
    ids=["before claim", "in claim", "before reading", "before sending", "after sending", "before the outcome",
         "in the outcome", "before its commit", "after its commit"],
)  # fmt: skip
def test_a_crash_loses_nothing_and_doubles_only_between_the_last_word_and_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: Callable[[pytest.MonkeyPatch], None], copies: int
) -> None:
    post = Post(tmp_path)
    number = post.mailer().submit(post.mailer().draft(to=THERE))["id"]
    with monkeypatch.context() as patched:
        kill(patched)
        with pytest.raises(Killed):
            post.deliver()
    sent, post = post.there.parcels, post.again()
    post.deliver()
    sent += post.there.parcels
    assert len(sent) == copies
    assert len({one.octets for one in sent}) == 1
    assert status(post.mailer(), number)[0] == "unknown"
    post.close()


@pytest.mark.parametrize("kill", [kill_before(queue, "send"), kill_after(queue, "send")], ids=["before", "in"])
def test_a_crash_neither_loses_nor_doubles_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: Callable[[pytest.MonkeyPatch], None]
) -> None:
    post = Post(tmp_path)
    post.mailer().submit(post.mailer().draft(to="nobody@example.org"))
    with monkeypatch.context() as patched:
        kill(patched)
        with pytest.raises(Killed):
            post.deliver()
    post = post.again()
    post.deliver()
    assert len(reports(post.mailer())) == 1
    post.close()


# Whoever runs the server


def test_what_is_held_is_not_tried_and_what_is_removed_is_told_nobody(post: Post, alice: Mailer) -> None:
    held, removed = (alice.submit(alice.draft(to=THERE))["id"] for _ in range(2))
    account = post.store.account(alice.account)
    assert account.write(lambda tx: upkeep.hold(tx, int(held[1:], 16)))
    before = alice.state("EmailSubmission")
    assert account.write(lambda tx: upkeep.remove(tx, post.blobs, int(removed[1:], 16)))
    post.now += 10 * DAY
    post.deliver()
    assert post.there.parcels == []
    assert status(alice, removed) == ("no", "550 5.7.0 Taken out of the queue by the administrator")
    assert alice.submission(removed)["undoStatus"] == "final"
    assert alice.call("EmailSubmission/changes", sinceState=before)["updated"] == [removed]
    assert account.write(lambda tx: upkeep.retry(tx, int(held[1:], 16), int(post.now)))
    post.deliver()
    assert (len(post.there.parcels), status(alice, held)[0]) == (1, "unknown")
    assert not account.write(lambda tx: upkeep.retry(tx, int(held[1:], 16), int(post.now)))


def test_what_is_not_due_yet_is_not_sent_before_its_time(post: Post, alice: Mailer) -> None:
    number = alice.submit(alice.draft(), envelope=envelope(THERE, HOLDFOR="3600"))["id"]
    post.store.account(alice.account).write(lambda tx: upkeep.retry(tx, int(number[1:], 16), int(post.now)))
    post.deliver()
    assert post.there.parcels == []
    assert alice.cancel(number)["updated"]
