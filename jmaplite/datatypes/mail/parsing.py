"""Email/parse (RFC 8621 §4.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jmaplite.core.blobid import BlobRef
from jmaplite.core.context import Arguments, Context, Response
from jmaplite.core.methods.arguments import ACCOUNT_ID, Signature
from jmaplite.core.methods.get import wanted_properties
from jmaplite.core.schema import REQUIRED, Argument
from jmaplite.datatypes.mail.body import BODY_ARGUMENTS, BODY_PROPERTIES, Body, check_body_properties
from jmaplite.datatypes.mail.capability import mail_settings
from jmaplite.datatypes.mail.email import EMAIL
from jmaplite.datatypes.mail.email_records import email_properties
from jmaplite.datatypes.mail.header_properties import parse_header_property
from jmaplite.datatypes.mail.ingest import header_values
from jmaplite.datatypes.mail.parsed_blobs import parsed_blobs
from jmaplite.datatypes.mail.tables import HEADER_COLUMNS
from jmaplite.formats import mime

_SIGNATURE = Signature(
    {
        "accountId": ACCOUNT_ID,
        "blobIds": Argument("String[]", REQUIRED),
        "properties": Argument("String[]|null"),
        **BODY_ARGUMENTS,
    }
)

_DEFAULT_PROPERTIES = [
    "messageId", "inReplyTo", "references", "sender", "from", "to", "cc", "bcc", "replyTo", "subject", "sentAt",
    "hasAttachment", "preview", "bodyValues", "textBody", "htmlBody", "attachments",
]  # fmt: skip

_UNKNOWN = ("id", "threadId", "mailboxIds", "keywords", "receivedAt")
"""What no message tells of itself; the Thread is settled only when an Email is made."""


@EMAIL.method("parse")
def parse(ctx: Context, given: Arguments) -> Response:
    """Read blobs as messages."""
    access = ctx.access(given.get("accountId"), EMAIL.capability)
    arguments = _SIGNATURE.read(given)
    wanted = _DEFAULT_PROPERTIES if arguments["properties"] is None else arguments["properties"]
    properties = wanted_properties(EMAIL, wanted, ctx.using)
    check_body_properties(arguments["bodyProperties"])

    def read(blob_id: str, ref: BlobRef, octets: bytes) -> dict[str, Any] | None:
        return _email(ctx, blob_id, ref, octets, properties, arguments)

    return parsed_blobs(ctx, access, arguments["blobIds"], read)


def _email(
    ctx: Context, blob_id: str, ref: BlobRef, octets: bytes, properties: Sequence[str], arguments: dict[str, Any]
) -> dict[str, Any] | None:
    """The Email in a blob, or None: a message begins with a header field, and its parts have to have blobIds."""
    message = mime.parse(octets)
    root = message.root
    fields = mime.header_fields(octets, root.header_start, root.header_end)
    if not fields or ref.is_innermost:
        return None
    simple: dict[str, Any] = {
        **dict.fromkeys(_UNKNOWN),
        "blobId": blob_id,
        "size": len(octets),
        "hasAttachment": message.has_attachment,
    }
    if not HEADER_COLUMNS.keys().isdisjoint(properties):
        simple |= header_values(fields)
    if "preview" in properties:
        simple["preview"] = mime.preview(octets, message)
    rest = [name for name in properties if name in BODY_PROPERTIES or name == "headers" or parse_header_property(name)]
    body = Body(ref, message, lambda: octets, arguments["bodyProperties"], mail_settings(ctx).guess_charsets)
    answer = email_properties(body, lambda: octets, rest, arguments)
    return {name: answer[name] if name in answer else simple[name] for name in properties}
