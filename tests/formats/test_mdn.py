"""Disposition notifications, built and read (RFC 8098, RFC 6533)."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.formats import compose, mdn

EXAMPLE = b"""Date: Wed, 20 Sep 1995 00:19:00 (EDT) -0400
From: Joe Recipient <Joe_Recipient@example.com>
Message-Id: <199509200019.12345@example.com>
Subject: Disposition notification
To: Jane Sender <Jane_Sender@example.org>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=disposition-notification;
   boundary="RAA14128.773615765/example.com"

--RAA14128.773615765/example.com

The message sent on 1995 Sep 19 at 13:30:00 (EDT) -0400 to Joe
Recipient <Joe_Recipient@example.com> with subject "First draft of
report" has been displayed.
This is no guarantee that the message has been read or understood.

--RAA14128.773615765/example.com
Content-Type: message/disposition-notification

Reporting-UA: joes-pc.cs.example.com; Foomail 97.1
Original-Recipient: rfc822;Joe_Recipient@example.com
Final-Recipient: rfc822;Joe_Recipient@example.com
Original-Message-ID: <199509192301.23456@example.org>
Disposition: manual-action/MDN-sent-manually; displayed

--RAA14128.773615765/example.com
Content-Type: message/rfc822

Subject: First draft of report

--RAA14128.773615765/example.com--
"""

HEADER = [b"From: joe@example.com\r\n", b"To: jane@example.org\r\n"]
SEEN = mdn.Disposition("manual-action", "mdn-sent-manually", "displayed")


def test_the_example_of_rfc_8098_is_read() -> None:
    found = mdn.parse(EXAMPLE)

    assert found is not None
    assert found == mdn.Notification(
        SEEN,
        subject="Disposition notification",
        text=found.text,
        reporting_ua="joes-pc.cs.example.com; Foomail 97.1",
        original_recipient="rfc822;Joe_Recipient@example.com",
        final_recipient="rfc822;Joe_Recipient@example.com",
        original_message_id="<199509192301.23456@example.org>",
    )
    assert found.text is not None
    assert "has been displayed.\nThis is no guarantee" in found.text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("AUTOMATIC-Action/mdn-sent-MANUALLY;Deleted", ("automatic-action", "mdn-sent-manually", "deleted", ())),
        (
            "automatic-action / MDN-sent-automatically ;\r\n processed / error, superseded",
            ("automatic-action", "mdn-sent-automatically", "processed", ("error", "superseded")),
        ),
        (
            "manual-action/(by hand)MDN-sent-manually; displayed (read)",
            ("manual-action", "mdn-sent-manually", "displayed", ()),
        ),
    ],
)
def test_a_disposition_is_read_in_any_case_with_comments(value: str, expected: tuple[object, ...]) -> None:
    octets = EXAMPLE.replace(b"manual-action/MDN-sent-manually; displayed", value.encode())

    found = mdn.parse(octets)

    assert found is not None
    told = found.disposition
    assert (told.action_mode, told.sending_mode, told.type, told.modifiers) == expected


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"Subject: no report\r\n\r\nhello",
        EXAMPLE.replace(b"message/disposition-notification", b"message/delivery-status"),
        EXAMPLE.replace(b"Disposition: manual", b"X-Disposition: manual"),
        EXAMPLE.replace(b"manual-action/MDN-sent-manually; displayed", b"displayed"),
    ],
)
def test_what_is_no_notification_is_none(octets: bytes) -> None:
    assert mdn.parse(octets) is None


def test_a_notification_that_is_built_is_what_another_library_reads() -> None:
    told = mdn.Notification(
        SEEN,
        subject="Read: Grüße",
        text="Gelesen – ohne Gewähr",
        reporting_ua="jmaplite",
        final_recipient="rfc822; joe@example.com",
        original_message_id="<1@example.org>",
        extensions={"X-Extension": "example.com"},
    )

    octets = mdn.build(told, HEADER, "seed", b"Subject: original\r\n\r\nbody\r\n")

    message = message_from_bytes(octets, policy=policy.default)
    assert message.get_content_type() == "multipart/report"
    assert message["Content-Type"].params["report-type"] == "disposition-notification"
    assert message["Subject"] == "Read: Grüße"
    text, status, original = message.iter_parts()
    assert text.get_content().strip() == "Gelesen – ohne Gewähr"
    assert status.get_content_type() == "message/disposition-notification"
    assert b"Disposition: manual-action/MDN-sent-manually; displayed\r\n" in octets
    assert original.get_content_type() == "message/rfc822"
    assert octets.isascii()


def test_an_address_with_utf_8_makes_it_global() -> None:
    """RFC 6533 §5."""
    told = mdn.Notification(SEEN, final_recipient="utf-8; jürgen@example.com")

    octets = mdn.build(told, HEADER, "seed")

    assert b"message/global-disposition-notification" in octets
    found = mdn.parse(octets)
    assert found is not None
    assert found.final_recipient == "utf-8; jürgen@example.com"


@pytest.mark.parametrize("value", ["a\r\nDisposition: x", "a\nb", "a\0b", "a\r"])
def test_no_value_makes_a_field_of_its_own(value: str) -> None:
    with pytest.raises(compose.NotWritable):
        mdn.build(mdn.Notification(SEEN, reporting_ua=value), HEADER, "seed")


_words = st.lists(st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=9), min_size=1)
_value = _words.map(" ".join).filter(lambda value: "=?" not in value and value == value.strip())


@given(
    st.builds(
        mdn.Notification,
        disposition=st.builds(
            mdn.Disposition,
            st.sampled_from(mdn.ACTION_MODES),
            st.sampled_from(mdn.SENDING_MODES),
            st.sampled_from(mdn.TYPES),
            st.sampled_from([(), ("error",)]),
        ),
        reporting_ua=st.none() | _value,
        final_recipient=_value,
        errors=st.lists(_value, max_size=3).map(tuple),
        extensions=st.dictionaries(st.sampled_from(["X-One", "Foomail-information"]), _value),
    )
)
def test_what_is_built_is_read_as_it_was(told: mdn.Notification) -> None:
    found = mdn.parse(mdn.build(told, HEADER, "seed"))

    assert found is not None

    def same(value: str | None) -> str | None:
        return None if value is None else unicodedata.normalize("NFC", value)

    assert replace(found, subject=None, text=None) == replace(
        told,
        reporting_ua=same(told.reporting_ua),
        final_recipient=same(told.final_recipient),
        errors=tuple(same(one) or "" for one in told.errors),
        extensions={name: same(value) or "" for name, value in told.extensions.items()},
    )


@given(st.binary(max_size=400), st.integers(0, len(EXAMPLE)), st.integers(0, 200))
def test_any_octets_are_read_or_are_none(junk: bytes, at: int, length: int) -> None:
    mdn.parse(EXAMPLE[:at] + junk + EXAMPLE[at + length :])
