"""What arrives: copies of messages in the accounts of their recipients (RFC 8621 §7.5, RFC 5321 §4.4)."""

from __future__ import annotations

import re
from email import message_from_bytes
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jmaplite.delivery.trace import leaving, traced
from jmaplite.directory import DirectoryUnavailable, Principal
from jmaplite.formats import mime
from tests.mail.jmap import message
from tests.submission.post import BOB, CAROL, Mailer, PostOffice, envelope

DAY = 86400


def names(octets: bytes) -> list[str]:
    return [name.lower() for name, _ in mime.header_fields(octets, 0, mime.parse(octets).root.header_end)]


def test_a_message_comes_into_the_inbox_of_each_recipient(office: PostOffice, alice: Mailer, bob: Mailer) -> None:
    carol = office.mailer(CAROL)
    before = bob.state("Email")
    told = alice.submit(alice.draft(subject="Lunch", to="Bob <BOB@example.org>", more="Cc: carol@example.org"))
    office.deliver()
    for client in (bob, carol):
        email = client.call("Email/query", filter={"inMailbox": client.mailbox("inbox")})["ids"][0]
        found = client.get("Email", email, "subject", "keywords", "receivedAt")
        assert found == {"id": email, "subject": "Lunch", "keywords": {}, "receivedAt": "2023-11-14T22:13:20Z"}
        assert client.faults() == []
    assert bob.call("Email/changes", sinceState=before)["created"]
    record = alice.submission(told["id"])
    assert record["undoStatus"] == "final"
    delivered = {"smtpReply": "250 2.1.5 Delivered", "delivered": "yes", "displayed": "unknown"}
    assert record["deliveryStatus"] == {"BOB@example.org": delivered, "carol@example.org": delivered}
    assert office.queued(alice.account) == 0


def test_a_copy_begins_with_the_return_path_and_who_received_it(office: PostOffice, alice: Mailer, bob: Mailer) -> None:
    number = alice.submit(alice.draft(to="bob@example.org", more="Return-Path: <forged@example.com>"))["id"]
    office.deliver()
    octets = bob.received()[0]
    assert octets.startswith(
        b"Return-Path: <a.smith@example.org>\r\n"
        b"Received: by mx.example.org id " + number.encode() + b"\r\n"
        b"\tfor <bob@example.org>;\r\n"
        b"\tTue, 14 Nov 2023 22:13:20 +0000\r\n"
    )
    assert names(octets).count("return-path") == 1
    assert b"forged" not in octets


def test_mail_that_nothing_is_returned_to_has_an_empty_return_path(
    office: PostOffice, alice: Mailer, bob: Mailer
) -> None:
    alice.submit(alice.draft(), envelope=envelope("bob@example.org", sender=""))
    office.deliver()
    assert bob.received()[0].startswith(b"Return-Path: <>\r\n")


def test_blind_copies_are_seen_by_nobody_and_stay_in_the_senders_own(
    office: PostOffice, alice: Mailer, bob: Mailer
) -> None:
    carol = office.mailer(CAROL)
    email = alice.draft(
        to="bob@example.org", more="Bcc: carol@example.org,\r\n\t x@elsewhere.example\r\nResent-bcc: y@z"
    )
    alice.submit(email)
    office.deliver()
    for client in (bob, carol):
        octets = client.received()[0]
        assert not {"bcc", "resent-bcc"} & set(names(octets))
        assert b"elsewhere" not in octets
        assert (b"carol" in octets) == (client is carol)
    assert len(alice.get("Email", email, "bcc")["bcc"]) == 2


def test_all_else_of_a_message_arrives_as_it_was_sent(office: PostOffice, alice: Mailer, bob: Mailer) -> None:
    octets = message(sender="a.smith@example.org", to="bob@example.org", more="X-Odd:\r\n  folded\tvalue ")
    alice.submit(alice.draft(octets))
    office.deliver()
    assert bob.received()[0].endswith(b"\r\n" + octets)


def test_a_message_without_date_and_id_gets_the_same_ones_everywhere(
    office: PostOffice, alice: Mailer, bob: Mailer
) -> None:
    carol = office.mailer(CAROL)
    octets = b"From: a.smith@example.org\nTo: bob@example.org, carol@example.org\n\nHello\n"
    number = alice.submit(alice.draft(octets))["id"]
    office.deliver()
    first, second = (message_from_bytes(client.received()[0]) for client in (bob, carol))
    assert first["Message-ID"] == second["Message-ID"] == f"<{number}.{alice.account}@mx.example.org>"
    assert first["Date"] == second["Date"] == "Tue, 14 Nov 2023 22:13:20 +0000"


def test_two_addresses_of_one_person_are_one_copy(office: PostOffice, alice: Mailer, bob: Mailer) -> None:
    number = alice.submit(alice.draft(to="bob@example.org, robert@example.org"))["id"]
    office.deliver()
    (octets,) = bob.received()
    assert b"for <" not in octets
    status = alice.submission(number)["deliveryStatus"]
    assert [one["delivered"] for one in status.values()] == ["yes", "yes"]


def test_mail_to_oneself_and_to_a_group_arrives_too(office: PostOffice, alice: Mailer) -> None:
    team = next(one for one in alice.session["accounts"] if one != alice.account)
    alice.submit(alice.draft(to="a.smith@example.org, team@example.org"))
    office.deliver()
    assert len(alice.received()) == 1
    boxes = alice.call("Mailbox/get", accountId=team)["list"]
    assert next(box for box in boxes if box["role"] == "inbox")["totalEmails"] == 1


def test_somebody_who_never_logged_in_gets_mail(office: PostOffice, alice: Mailer) -> None:
    alice.submit(alice.draft(to="carol@example.org"))
    assert office.store.account_of("carol") is None
    office.deliver()
    carol = office.mailer(CAROL)
    assert len(carol.received()) == 1
    assert [one["mayDelete"] for one in carol.call("Identity/get")["list"]] == [False, False]


def test_an_answer_joins_the_thread_of_what_it_answers(office: PostOffice, alice: Mailer, bob: Mailer) -> None:
    question = alice.draft(message("Lunch?", message_id="q@x", sender="a.smith@example.org", to="bob@example.org"))
    alice.submit(question)
    office.deliver()
    answer = message("Re: Lunch?", references=["q@x"], sender="robert@example.org", to="a.smith@example.org")
    bob.submit(bob.draft(answer))
    office.deliver()
    thread = alice.get("Email", question, "threadId")["threadId"]
    assert len(alice.get("Thread", thread)["emailIds"]) == 2


def test_mail_to_elsewhere_stays_queued_and_ready_for_a_relay(office: PostOffice, alice: Mailer) -> None:
    number = alice.submit(alice.draft(to="x@elsewhere.example, bob@example.org"))["id"]
    office.deliver()
    office.deliver()
    status = alice.submission(number)["deliveryStatus"]
    assert (status["x@elsewhere.example"]["delivered"], status["bob@example.org"]["delivered"]) == ("queued", "yes")
    assert re.fullmatch(r"[245]\d\d [245]\.\d{1,3}\.\d{1,3} .+", status["x@elsewhere.example"]["smtpReply"])
    with office.store.account(alice.account).read() as tx:
        sql = "SELECT address, route, attempts, next_attempt FROM outgoing_recipient WHERE next_attempt IS NOT NULL"
        assert tx.rows(sql) == [("x@elsewhere.example", "relay", 0, int(office.now))]
    assert office.outbox.deliver_due(alice.account) is None


def test_a_message_that_is_held_goes_when_it_is_due(office: PostOffice, alice: Mailer, bob: Mailer) -> None:
    told = alice.submit(alice.draft(), envelope=envelope("bob@example.org", HOLDFOR="3600"))
    assert (told["sendAt"], told["undoStatus"]) == ("2023-11-14T23:13:20Z", "pending")
    assert office.outbox.deliver_due(alice.account) == office.now + 3600
    office.now += 3599
    office.deliver()
    assert bob.received() == []
    office.now += 1
    office.deliver()
    assert len(bob.received()) == 1
    assert alice.submission(told["id"])["undoStatus"] == "final"


def test_a_message_that_is_held_survives_a_restart(office: PostOffice, alice: Mailer) -> None:
    until = "2023-11-15T22:13:20Z"
    told = alice.submit(alice.draft(), envelope=envelope("bob@example.org", HOLDUNTIL=until))
    assert told["sendAt"] == until
    again = office.reopen()
    again.now += DAY
    again.deliver()
    assert len(again.mailer(BOB).received()) == 1
    again.close()


def test_a_message_that_is_held_can_be_canceled_until_it_goes(office: PostOffice, alice: Mailer, bob: Mailer) -> None:
    number = alice.submit(alice.draft(), envelope=envelope("bob@example.org", HOLDFOR="3600"))["id"]
    office.now += 3599
    assert alice.cancel(number)["updated"]
    office.now += DAY
    office.deliver()
    assert bob.received() == []


def test_a_mailbox_that_is_full_is_tried_again_and_given_up_at_last(office: PostOffice, alice: Mailer) -> None:
    full = Principal("full", emails=("full@example.org",), quota=10)
    office = PostOffice(office.path, now=office.now, people=(*office.people, full))
    alice = office.mailer()
    number = alice.submit(alice.draft(to="full@example.org"))["id"]
    waits = []
    while True:
        due = office.outbox.deliver_due(alice.account)
        status = alice.submission(number)["deliveryStatus"]["full@example.org"]
        if status["delivered"] == "no":
            break
        assert (status["delivered"], status["smtpReply"]) == ("queued", "451 4.2.2 The mailbox is full")
        assert due is not None
        waits += [due - office.now] if due > office.now else []
        office.now = due
    assert waits[:8] == [120, 300, 600, 1800, 3600, 7200, 14400, 14400]
    assert sum(waits) == 5 * DAY
    status = alice.submission(number)["deliveryStatus"]["full@example.org"]
    assert (status["delivered"], status["smtpReply"]) == ("no", "554 5.2.2 The mailbox is full")
    office.deliver()
    assert office.queued(alice.account) == 0
    office.close()


def test_a_directory_that_does_not_answer_is_asked_again(
    office: PostOffice, alice: Mailer, bob: Mailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(address: str) -> Any:
        raise DirectoryUnavailable

    number = alice.submit(alice.draft(to="bob@example.org"))["id"]
    with monkeypatch.context() as patched:
        patched.setattr(office.directory, "recipients", unavailable)
        office.deliver()
    status = alice.submission(number)["deliveryStatus"]["bob@example.org"]
    assert (status["delivered"], status["smtpReply"][:9]) == ("queued", "451 4.4.3")
    assert alice.submission(number)["undoStatus"] == "pending"
    office.now += 120
    office.deliver()
    assert len(bob.received()) == 1


def test_an_account_whose_inbox_lost_its_role_gets_mail_in_its_first_mailbox(
    office: PostOffice, alice: Mailer, bob: Mailer
) -> None:
    inbox = bob.mailbox("inbox")
    bob.call("Mailbox/set", update={inbox: {"role": None}})
    alice.submit(alice.draft(to="bob@example.org"))
    office.deliver()
    assert bob.get("Mailbox", inbox, "totalEmails")["totalEmails"] == 1


@pytest.mark.parametrize("other", ["", "INBOX"])
def test_an_account_without_an_inbox_gets_another_one_and_no_mail_in_the_trash(
    office: PostOffice, alice: Mailer, bob: Mailer, other: str
) -> None:
    inbox = bob.mailbox("inbox")
    if other:
        bob.call("Mailbox/set", create={"other": {"name": other}})
    bob.call("Mailbox/set", update={inbox: {"role": None}})
    assert bob.call("Mailbox/set", destroy=[inbox], onDestroyRemoveEmails=True)["destroyed"] == [inbox]
    for _ in range(2):
        alice.submit(alice.draft(to="bob@example.org"))
        office.deliver()
    filled = [one for one in bob.call("Mailbox/get", ids=None)["list"] if one["totalEmails"]]
    assert [(one["name"], one["totalEmails"]) for one in filled] == [(other or "Inbox", 2)]


# Octets


def test_a_field_is_taken_out_however_it_is_written() -> None:
    for end in (b"\r\n", b"\n", b"\r"):
        lines = [b"BCC : a@b,", b" c@d", b"From: x@y", b"Bcc:", b"Bcc-Not: z", b"bcc:e@f", b"\tg@h"]
        header = end.join(lines) + end
        octets = leaving(header + end + b"Bcc: body" + end, len(header), "i@h", 0)
        assert octets == (
            b"Date: Thu, 01 Jan 1970 00:00:00 +0000\r\nMessage-ID: <i@h>\r\n"
            b"From: x@y\r\nBcc-Not: z\r\n\r\nBcc: body\r\n"
        )


def test_what_follows_a_bare_cr_in_a_header_does_not_become_a_field() -> None:
    header = b"Subject: x\rFrom: ceo@example.org\r\nDate: d\r\nMessage-ID: <m>\r\n"
    octets = leaving(header + b"\r\nbody", len(header), "i@h", 0)
    assert octets == header.replace(b"x\rF", b"x F") + b"\r\nbody"


def test_a_message_that_is_a_header_only_stays_one() -> None:
    assert leaving(b"Date: d\nMessage-ID: m", 21, "i", 0) == b"Date: d\r\nMessage-ID: m\r\n"


@given(
    st.lists(st.sampled_from([b"Bcc: a@b", b"Bcc", b":", b" ", b"\t", b"\r", b"\n", b"\r\n", b"x", b"Return-Path: y"]))
)
@example([b"x", b"\n", b"Bcc: a@b"])
def test_no_blind_copy_leaves_in_any_message(pieces: list[bytes]) -> None:
    octets = b"".join(pieces)
    sent = leaving(octets, mime.parse(octets).root.header_end, "i@h", 0)
    trace = traced(sent, return_path="a@b", host="h", identifier="S1", recipient=None, now=0)
    assert "bcc" not in names(sent)
    assert names(trace)[:2] == ["return-path", "received"]
    assert "return-path" not in names(sent)
