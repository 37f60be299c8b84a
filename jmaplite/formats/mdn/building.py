"""Disposition notifications put together (RFC 8098 §3; with UTF-8, RFC 6533 §5)."""

from __future__ import annotations

from collections.abc import Sequence

from jmaplite.formats import compose, mime
from jmaplite.formats.mdn.values import Notification

_SPELLED = {"mdn-sent-manually": "MDN-sent-manually", "mdn-sent-automatically": "MDN-sent-automatically"}


def build(notification: Notification, header: Sequence[bytes], seed: str, original: bytes | None = None) -> bytes:
    """A message of a notification under ready header fields (From, To, Date and so on; not Subject).

    `seed` is unlike that of any other message; `original` is returned as the third part. Values that are not US-ASCII
    make it a notification of RFC 6533. Raises NotWritable.
    """
    text = (notification.text or "").replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").replace("\n", "\r\n")
    status = b"".join(_status(notification))
    kind = "message/disposition-notification" if status.isascii() else "message/global-disposition-notification"
    parts = [
        compose.Entity("text/plain", parameters={"charset": "utf-8"}, octets=f"{text}\r\n".encode("utf-8", "replace")),
        compose.Entity(kind, octets=status),
    ]
    if original is not None:
        parts.append(_returned(original))
    root = compose.Entity("multipart/report", parameters={"report-type": "disposition-notification"}, parts=parts)
    subject = compose.field("Subject", "Text", notification.subject or "")
    return compose.message([*header, subject], root, seed)


def _status(notification: Notification) -> list[bytes]:
    """The fields of the part for programs, in the order of RFC 8098 §3.1."""
    told = notification.disposition
    disposition = f"{told.action_mode}/{_SPELLED.get(told.sending_mode, told.sending_mode)}; {told.type}"
    if told.modifiers:
        disposition += f"/{','.join(told.modifiers)}"
    fields = [
        ("Reporting-UA", notification.reporting_ua),
        ("MDN-Gateway", notification.gateway),
        ("Original-Recipient", notification.original_recipient),
        ("Final-Recipient", notification.final_recipient),
        ("Original-Message-ID", notification.original_message_id),
        ("Disposition", disposition),
        *(("Error", value) for value in notification.errors),
        *notification.extensions.items(),
    ]
    return [compose.field(name, "Raw", value) for name, value in fields if value is not None]


def _returned(original: bytes) -> compose.Entity:
    """The message that the notification is about; one with UTF-8 in its header is of RFC 6532."""
    root = mime.parse(original).root
    is_ascii = original[root.header_start : root.header_end].isascii()
    return compose.Entity("message/rfc822" if is_ascii else "message/global", octets=original)
