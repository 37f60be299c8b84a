"""Vacation answers, refusals and notifications as messages (RFC 5230 §4-5, RFC 3834, RFC 5429, RFC 5436)."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.formats.sieve import (
    Envelope,
    Notify,
    Reject,
    Stamp,
    Vacation,
    delivery_report,
    disposition_report,
    mime_reason,
    notice,
    protocol_lines,
    reasons_against,
    vacation_answer,
)
from tests.formats.sieve.messages import actions, message

STAMP = Stamp("2026-11-25T20:00:00Z", "id.1@example.org")
OWN = ("ann@example.org", "ann@example.com")
ENVELOPE = Envelope("bob@example.net", "ann@example.org")
PLAIN = Vacation("I am away.", "key", 7 * 86400)
LETTER = message(
    """
From: Bob <bob@example.net>
To: ann@example.com
Subject: Lunch?
Message-ID: <m1@example.net>
References: <m0@example.net>

Hello
"""
)


def read(octets: bytes) -> EmailMessage:
    """A message as the standard library sees it, without any defect."""
    parsed = email.message_from_bytes(octets, policy=email.policy.default.clone(raise_on_defect=True))
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_an_ordinary_message_is_answered() -> None:
    assert reasons_against(PLAIN, LETTER, ENVELOPE, OWN) == ()
    answer = vacation_answer(PLAIN, LETTER, ENVELOPE, OWN, STAMP, name="Ann Müller")
    assert answer is not None
    assert (answer.sender, answer.recipients) == ("", ("bob@example.net",))
    parsed = read(answer.octets)
    assert parsed["Subject"] == "Auto: Lunch?"
    assert parsed["From"] == "Ann Müller <ann@example.com>", "the address that was written to"
    assert parsed["To"] == "bob@example.net"
    assert parsed["Auto-Submitted"] == "auto-replied"
    assert parsed["In-Reply-To"] == "<m1@example.net>"
    assert parsed["References"] == "<m0@example.net> <m1@example.net>"
    assert parsed["Message-ID"] == "<id.1@example.org>"
    assert parsed["Date"] == "Wed, 25 Nov 2026 20:00:00 +0000"
    assert parsed.get_content() == "I am away.\r\n"


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("List-Id: <a.example.org>", "the message comes from a mailing list"),
        ("List-Unsubscribe: <mailto:x@example.org>", "the message comes from a mailing list"),
        ("Auto-Submitted: auto-replied", "the message was sent automatically"),
        ("Auto-Submitted: auto-generated; owner-email=x", "the message was sent automatically"),
        ("Precedence: bulk", "the message is bulk mail"),
        ("X-Auto-Response-Suppress: DR, OOF", "the sender wants no automatic answer"),
        ("X-Spam-Flag: YES", "the message is spam"),
        ("Content-Type: multipart/report; report-type=delivery-status", "the message is a report"),
    ],
)
def test_what_is_not_from_a_person_is_not_answered(field: str, reason: str) -> None:
    assert reasons_against(PLAIN, field.encode() + b"\r\n" + LETTER, ENVELOPE, OWN) == (reason,)


@pytest.mark.parametrize("field", ["Auto-Submitted: no", "Auto-Submitted: No (really)", "X-Spam-Status: No, score=1"])
def test_fields_that_say_nothing_of_that_kind_do_not_matter(field: str) -> None:
    assert reasons_against(PLAIN, field.encode() + b"\r\n" + LETTER, ENVELOPE, OWN) == ()


@pytest.mark.parametrize(
    ("sender", "reason"),
    [
        ("", "the sender of the envelope is empty"),
        ("<>", "the sender of the envelope is empty"),
        ("nonsense", "the sender of the envelope is no address"),
        ("ANN+x@example.com", "the sender is the user"),
        *(
            (f"{local}@example.net", "the sender is a program")
            for local in (
                "MAILER-DAEMON",
                "listserv",
                "majordomo",
                "no-reply",
                "noreply+12",
                "do_not_reply",
                "owner-list",
                "list-request",
                "list-bounces+bob=example.net",
                "bounce-12-34",
            )
        ),
    ],
)
def test_some_are_never_answered(sender: str, reason: str) -> None:
    assert reasons_against(PLAIN, LETTER, Envelope(sender, "ann@example.org"), OWN) == (reason,)


def test_postmasters_are_people() -> None:
    assert reasons_against(PLAIN, LETTER, Envelope("postmaster@example.net", "ann@example.org"), OWN) == ()


@pytest.mark.parametrize("field", ["To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"])
def test_the_user_has_to_be_named_in_the_message(field: str) -> None:
    other = b"To: someone@example.net\r\n"
    rest = b"From: bob@example.net\r\n\r\n"
    reason = ("the message is not addressed to the user",)
    assert reasons_against(PLAIN, other + rest, ENVELOPE, OWN) == reason
    for address in ("Ann <ANN@example.org>", "ann+list@example.com"):
        named = f"{field}: x@example.net, {address}\r\n".encode()
        assert reasons_against(PLAIN, other + named + rest, ENVELOPE, OWN) == ()
    by_script = Vacation("x", "key", 1, addresses=("me@example.edu",))
    assert reasons_against(by_script, b"To: me@example.edu\r\n\r\n", ENVELOPE, OWN) == ()


def test_subject_and_sender_are_the_script_s_if_it_has_them() -> None:
    vacation = Vacation(
        "Ich bin fort. Grüße", "key", 1, "Fort für\r\nBcc: x@example.net", "A <a@example.edu>, b@c.example"
    )
    answer = vacation_answer(vacation, LETTER, ENVELOPE, OWN, STAMP)
    assert answer is not None
    parsed = read(answer.octets)
    assert parsed["Subject"] == "Fort für Bcc: x@example.net"
    assert parsed["Bcc"] is None
    assert parsed["From"] == "A <a@example.edu>, b@c.example"
    assert parsed["Sender"] == "A <a@example.edu>"
    assert parsed.get_content() == "Ich bin fort. Grüße\r\n"


def test_without_subject_and_id_there_is_a_fixed_subject_and_no_reference() -> None:
    answer = vacation_answer(PLAIN, b"To: x@example.net\r\n\r\n", ENVELOPE, OWN, STAMP)
    assert answer is not None
    parsed = read(answer.octets)
    assert parsed["Subject"] == "Automated reply"
    assert parsed["In-Reply-To"] is None
    assert parsed["From"] == "ann@example.org"


def test_a_mime_reason_is_the_body_and_no_more() -> None:
    reason = "Content-Type: multipart/alternative; boundary=foo\nBcc: x@example.net\n\n--foo\n\nI'm away\n\n--foo--\n"
    answer = vacation_answer(Vacation(reason, "key", 1, is_mime=True), LETTER, ENVELOPE, OWN, STAMP)
    assert answer is not None
    parsed = read(answer.octets)
    assert parsed["Bcc"] is None
    assert parsed.get_content_type() == "multipart/alternative"
    assert [part.get_payload() for part in parsed.walk()][1] == "I'm away\r\n"


def test_no_mime_reason_brings_nul_into_mail() -> None:
    reason = 'Content-Type: text/plain; x="\0"\n\nI am\0 away\n'
    answer = vacation_answer(Vacation(reason, "key", 1, is_mime=True), LETTER, ENVELOPE, OWN, STAMP)
    assert answer is not None
    assert b"\0" not in answer.octets
    assert answer.octets.endswith(b'; x=""\r\n\r\nI am away\r\n')


def test_text_and_html_together_are_an_alternative() -> None:
    reason = mime_reason("Grüße", "<p>Grüße</p>")
    answer = vacation_answer(Vacation(reason, "key", 1, is_mime=True), LETTER, ENVELOPE, OWN, STAMP)
    assert answer is not None
    parsed = read(answer.octets)
    text, html = parsed.iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert (text.get_content(), html.get_content()) == ("Grüße\r\n", "<p>Grüße</p>\r\n")
    assert html.get_content_type() == "text/html"


REASON = "I am not taking mail from you, and I don't\r\nwant your birdseed, either!\r\n"


def test_a_rejection_is_told_in_the_protocol_where_it_can_be() -> None:
    lines = ("I am not taking mail from you, and I don't", "want your birdseed, either!")
    assert protocol_lines(Reject(REASON)) == lines
    assert protocol_lines(Reject("Nein, für dich nicht")) is None, "its exact words matter"
    assert protocol_lines(Reject("Nein, für dich nicht", is_early=True)) == ("The recipient refuses this message.",)
    assert protocol_lines(Reject("")) == ("The recipient refuses this message.",)
    long = protocol_lines(Reject("x" * 1000))
    assert long is not None
    assert max(map(len, long)) <= 400


def test_a_rejection_as_mdn() -> None:
    report = disposition_report(Reject(REASON), LETTER, ENVELOPE, STAMP, reporter="mail.example.org")
    assert report is not None
    assert (report.sender, report.recipients) == ("", ("bob@example.net",))
    parsed = read(report.octets)
    assert parsed.get_content_type() == "multipart/report"
    assert parsed.get_param("report-type") == "disposition-notification"
    words, status, original = parsed.iter_parts()
    assert isinstance(words, EmailMessage)
    assert "was refused by the recipient's mail filtering program" in words.get_content()
    assert "want your birdseed, either!" in words.get_content()
    assert b"Disposition: automatic-action/MDN-sent-automatically; deleted\r\n" in report.octets
    assert b"Final-Recipient: rfc822; ann@example.org\r\n" in report.octets
    assert b"Original-Message-ID: <m1@example.net>\r\n" in report.octets
    assert status.get_content_type() == "message/disposition-notification"
    assert original.get_content_type() == "message/rfc822"


def test_a_rejection_as_dsn() -> None:
    report = delivery_report(
        Reject(REASON, is_early=True),
        LETTER,
        ENVELOPE,
        STAMP,
        reporter="mail.example.org",
        sender="postmaster@example.org",
    )
    assert report is not None
    parsed = read(report.octets)
    assert parsed.get_param("report-type") == "delivery-status"
    assert b"\r\n\r\nFinal-Recipient: rfc822; ann@example.org\r\nAction: failed\r\nStatus: 5.7.1\r\n" in report.octets
    assert b"birdseed" in report.octets


@pytest.mark.parametrize("sender", ["", "<>", "nonsense"])
def test_no_report_goes_to_nobody(sender: str) -> None:
    envelope = Envelope(sender, "ann@example.org")
    assert disposition_report(Reject("x"), LETTER, envelope, STAMP, reporter="a") is None
    assert delivery_report(Reject("x"), LETTER, envelope, STAMP, reporter="a", sender="p@example.org") is None
    assert vacation_answer(PLAIN, LETTER, envelope, OWN, STAMP) is None


KNITTING = message(
    """
Return-Path: <knitting-bounces@example.com>
Received: from mail.example.com by mail.example.org
  for <recipient@example.org>; Wed, 7 Dec 2005 05:08:02 -0500
Received: from hobbies.example.com by mail.example.com
  for <knitting@example.com>; Wed, 7 Dec 2005 02:00:26 -0800
Message-ID: <1234567.89ABCDEF@example.com>
Date: Wed, 07 Dec 2005 10:59:19 +0100
Precedence: list
List-Id: Knitting Mailing List <knitting.example.com>
Sender: knitting-bounces@example.com
Errors-To: knitting-bounces@example.com
From: "Jeff Smith" <jeff@hobbies.example.com>
To: "Knitting Mailing List" <knitting@example.com>
Subject: [Knitting] A new sweater

I just finished a great new sweater!
"""
)


def test_the_notification_of_rfc_5436_section_3() -> None:
    script = """require ["enotify", "variables"];

   if header :contains "list-id" "knitting.example.com" {
     if header :matches "Subject" "[*] *" {
       notify :message "From ${1} list: ${2}"
           :importance "3"
           "mailto:0123456789@sms.example.net?to=backup@example.com";
     }
   }"""
    envelope = Envelope("knitting-bounces@example.com", "recipient@example.org")
    notify, _ = actions(script, KNITTING, envelope)
    assert isinstance(notify, Notify)
    sent = notice(notify, KNITTING, envelope, "recipient@example.org", STAMP, allowed_from=frozenset())
    assert sent is not None
    assert sent.recipients == ("0123456789@sms.example.net", "backup@example.com")
    parsed = read(sent.octets)
    assert sent.octets.startswith(b"Auto-Submitted: auto-notified;"), "above the Received fields"
    assert parsed["Auto-Submitted"] == 'auto-notified; owner-email="recipient@example.org"'
    assert len(parsed.get_all("Received") or []) == 2
    assert parsed["From"] == "recipient@example.org"
    assert parsed["To"] == "0123456789@sms.example.net, backup@example.com"
    assert parsed["Subject"] == "From Knitting list: A new sweater"


def test_a_notification_obeys_its_uri_but_for_what_is_unsafe() -> None:
    uri = "mailto:a@example.com?cc=b@example.com&subject=Hi%20there&body=Text&from=x@example.com&x-fruit=pear"
    uri += "&auto-submitted=no&received=x&date=x&message-id=x&bcc=c@example.com&content-type=text/html"
    sent = notice(Notify(uri), LETTER, ENVELOPE, "ann@example.org", STAMP, allowed_from=frozenset())
    assert sent is not None
    assert sent.recipients == ("a@example.com", "b@example.com")
    parsed = read(sent.octets)
    assert (parsed["Subject"], parsed["X-Fruit"], parsed["From"]) == ("Hi there", "pear", "ann@example.org")
    assert parsed.get_content() == "Text\r\n"
    assert parsed.get_all("Auto-Submitted") == ['auto-notified; owner-email="ann@example.org"']
    assert parsed["Bcc"] is None
    assert parsed.get_content_type() == "text/plain"


def test_a_notification_about_what_a_program_sent_is_not_sent() -> None:
    automatic = b"Auto-Submitted: auto-generated\r\n" + LETTER
    notify = Notify("mailto:a@example.com")
    assert notice(notify, automatic, ENVELOPE, "ann@example.org", STAMP, allowed_from=frozenset()) is None


def test_a_notification_of_a_bounce_has_an_empty_sender_too() -> None:
    sent = notice(
        Notify("mailto:a@example.com", sender="Ann <ann@example.com>"),
        LETTER,
        Envelope("", "ann@example.org"),
        "ann@example.org",
        STAMP,
        allowed_from=frozenset({"ann@example.com"}),
    )
    assert sent is not None
    assert sent.sender == ""
    assert read(sent.octets)["From"] == "Ann <ann@example.com>"
    assert read(sent.octets)["Subject"] == "Lunch?"


@given(st.text(), st.text(), st.binary(max_size=300), st.text(max_size=30), st.booleans())
def test_answers_are_made_of_anything(reason: str, subject: str, octets: bytes, name: str, is_mime: bool) -> None:
    vacation = Vacation(reason, "key", 1, subject, is_mime=is_mime)
    reasons_against(vacation, octets, ENVELOPE, OWN)
    for source in (octets, LETTER):
        answer = vacation_answer(vacation, source, ENVELOPE, OWN, STAMP, name=name)
        assert answer is not None
        assert answer.octets.startswith(b"From: ")
        report = disposition_report(Reject(reason), source, ENVELOPE, STAMP, reporter=name)
        assert report is not None
        delivery_report(Reject(reason), source, ENVELOPE, STAMP, reporter=name, sender="p@example.org")
        notice(Notify("mailto:a@b.example", reason, subject), source, ENVELOPE, OWN[0], STAMP, allowed_from=frozenset())
        protocol_lines(Reject(reason))
