"""Delivery status notifications: what is written is read, and anything at all is read without harm."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.formats import dsn, mime

MESSAGE = b"Message-ID: <m@x>\r\nSubject: =?utf-8?q?Caf=C3=A9?=\r\nFrom: a@x\r\n\r\nThe text\r\n"
NOTICE = dsn.Notice(
    "mx.example.org", "a@example.org", "env-1", "2023-11-14T22:13:20Z", "2023-11-14T23:13:20Z", "r@mx.example.org"
)


def made(*told: dsn.Told, notice: dsn.Notice = NOTICE, message: bytes = MESSAGE, whole: bool = True) -> bytes:
    return dsn.report(notice, told, message, mime.parse(message).root.header_end, whole=whole)


def test_a_report_has_its_three_parts() -> None:
    """RFC 6522 §3, RFC 3464 §2."""
    report = made(dsn.Told("b@there.example", "failed", "550 5.1.1 no such user", "rfc822; b2@x", "mx.there.example"))
    parsed: Any = message_from_bytes(report, policy=default)
    assert parsed.get_content_type() == "multipart/report"
    assert parsed["content-type"].params["report-type"] == "delivery-status"
    assert parsed["auto-submitted"] == "auto-replied"
    assert (parsed["to"], parsed["from"].addresses[0].addr_spec) == ("a@example.org", "MAILER-DAEMON@mx.example.org")
    assert parsed["subject"] == "Your message could not be delivered: Café"
    words, status, returned = parsed.iter_parts()
    assert "550 5.1.1 no such user" in words.get_content()
    assert status.get_content_type() == "message/delivery-status"
    first, second = status.get_payload()
    assert dict(first.items()) == {
        "Original-Envelope-Id": "env-1",
        "Reporting-MTA": "dns; mx.example.org",
        "Arrival-Date": "Tue, 14 Nov 2023 22:13:20 +0000",
    }
    assert dict(second.items()) == {
        "Original-Recipient": "rfc822; b2@x",
        "Final-Recipient": "rfc822; b@there.example",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.there.example",
        "Diagnostic-Code": "smtp; 550 5.1.1 no such user",
        "Last-Attempt-Date": "Tue, 14 Nov 2023 23:13:20 +0000",
    }
    assert returned.get_content_type() == "message/rfc822"
    assert MESSAGE in report


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed"])
def test_only_failures_give_the_whole_message_back(action: Any) -> None:
    """RFC 3461 §6.1: RET applies to failures."""
    report = made(dsn.Told("b@x", action, "250 ok"))
    assert b"The text" not in report
    assert b"text/rfc822-headers" in report
    found = dsn.read(report)
    assert found is not None
    assert (found.message_id, found.recipients[0].action, found.recipients[0].status) == ("m@x", action, "2.0.0")


def test_addresses_beyond_ascii_make_it_global() -> None:
    """RFC 6533."""
    report = made(dsn.Told("bü@x", "failed", "550 5.1.1 no", "utf-8; bü@y"))
    structure = mime.parse(report)
    assert [part.type for part in structure.leaves()][1:] == ["message/global-delivery-status", "message/global"]
    found = dsn.read(report)
    assert found is not None
    assert (found.recipients[0].original, found.recipients[0].final) == ("bü@y", "bü@x")
    assert found.message_id == "m@x"


def test_an_answer_without_a_status_code_has_one_of_its_class() -> None:
    found = dsn.read(made(dsn.Told("b@x", "failed", "550 no"), dsn.Told("c@x", "failed", "451 busy", status="4.4.7")))
    assert found is not None
    assert [one.status for one in found.recipients] == ["5.0.0", "4.4.7"]


def test_a_large_message_comes_back_as_its_header() -> None:
    report = made(dsn.Told("b@x", "failed", "550 no"), message=MESSAGE + b"x" * 70_000)
    assert len(report) < 4000


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (b"Final-Recipient: rfc822;b@x\nAction: Failed (really)\nStatus: 5.1.1 (x)\n", [("b@x", "failed", "5.1.1")]),
        (
            b"\n\nReporting-MTA: dns; x\n\n\nFinal-Recipient: RFC822 ; <b@x>\nAction: delayed\n",
            [("b@x", "delayed", "")],
        ),
        (
            b"Reporting-MTA: x\r\n\r\nOriginal-Recipient: utf-8;b\\x{FC}@x\r\nAction: failed\r\n",
            [("bü@x", "failed", "")],
        ),
        (b"Reporting-MTA: x\n\nX: y\n", []),
    ],
)
def test_what_others_write_is_read(status: bytes, expected: list[tuple[str, str, str]]) -> None:
    head = b"Content-Type: multipart/report; boundary=b\n\n--b\n\nwords\n--b\nContent-Type: message/delivery-status\n\n"
    found = dsn.read(head + status + b"\n--b--\n")
    assert found is not None
    assert [(one.original or one.final, one.action, one.status) for one in found.recipients] == expected


def test_what_is_no_report_is_none() -> None:
    assert dsn.read(MESSAGE) is None
    assert dsn.read(b"Content-Type: multipart/report; boundary=b\n\n--b\n\nwords\n--b--\n") is None
    assert dsn.read(made(dsn.Told("b@x", "failed", "550 no")).replace(b"multipart/report", b"multipart/mixed")) is None


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_anything_is_read(status: bytes, returned: bytes) -> None:
    head = b"Content-Type: multipart/report; boundary=b\n\n--b\n\nwords\n--b\nContent-Type: message/delivery-status\n\n"
    dsn.read(head + status + b"\n--b\nContent-Type: message/rfc822\n\n" + returned + b"\n--b--\n")
    dsn.read(status)


LINES = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(st.lists(st.tuples(st.from_regex(r"[a-zü.]{1,20}@x", fullmatch=True), LINES), min_size=1, max_size=3), LINES,
       st.binary(max_size=200), st.booleans())  # fmt: skip
def test_whatever_is_told_can_be_written(told: Any, envelope_id: str, message: bytes, whole: bool) -> None:
    notice = dsn.Notice("mx.x", "a@x", envelope_id, NOTICE.arrived, NOTICE.now, "r@mx.x", NOTICE.now)
    report = made(*(dsn.Told(one, "failed", f"550 {text}", remote="mx.y") for one, text in told),
                  notice=notice, message=message, whole=whole)  # fmt: skip
    found = dsn.read(report)
    assert found is not None
    assert [one.final for one in found.recipients] == [one for one, _ in told]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_xtext_is_undone(text: str) -> None:
    """RFC 3461 §4."""
    written = dsn.to_xtext(text)
    assert dsn.from_xtext(written) == text
    assert all(33 <= ord(one) <= 126 for one in written)
    assert "=" not in written


def test_unitext_that_is_none_stays() -> None:
    assert dsn.from_unitext("\\x{E9}\\x{D800}\\x{110000}\\x{}") == "é\\x{D800}\\x{110000}\\x{}"
