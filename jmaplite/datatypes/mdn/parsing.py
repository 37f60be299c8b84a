"""MDN/parse (RFC 9007 §2.2)."""

from __future__ import annotations

from typing import Any

from jmaplite.core.context import Access, Arguments, Context, Response
from jmaplite.core.methods.arguments import ACCOUNT_ID, Signature
from jmaplite.core.named_blobs import BLOB_ID_KINDS
from jmaplite.core.schema import REQUIRED, Argument
from jmaplite.datatypes.mail.email import EMAIL
from jmaplite.datatypes.mail.parsed_blobs import parsed_blobs
from jmaplite.datatypes.mdn.values import account, told
from jmaplite.datatypes.submission import receipts
from jmaplite.formats import dsn, mdn, mime
from jmaplite.store import Reader

_SIGNATURE = Signature({"accountId": ACCOUNT_ID, "blobIds": Argument("BlobId[]", REQUIRED)}, BLOB_ID_KINDS)


def parse(ctx: Context, given: Arguments) -> Response:
    """Read blobs as notifications."""
    access = account(ctx, given.get("accountId"))
    arguments = _SIGNATURE.read(given)
    return parsed_blobs(ctx, access, arguments["blobIds"], lambda _, ref, octets: _read(ctx, access, octets))


def _read(ctx: Context, access: Access, octets: bytes) -> dict[str, Any] | None:
    """The MDN that octets are; None if they are none, or say what an MDN cannot (RFC 9007 §2 Disposition)."""
    structure = mime.parse(octets)
    found = mdn.parse(octets, structure)
    if found is None:
        return None
    disposition = found.disposition
    if (
        disposition.action_mode not in mdn.ACTION_MODES
        or disposition.sending_mode not in mdn.SENDING_MODES
        or disposition.type not in mdn.TYPES
    ):
        return None
    with ctx.account(access).read() as tx:
        email = _email(tx, access, found)
    parts = structure.root.sub_parts or ()
    return told(
        found,
        email,
        includes_original=any(part.type.startswith(("message/rfc822", "message/global")) for part in parts[2:]),
    )


def _email(tx: Reader, access: Access, found: mdn.Notification) -> str | None:
    """The id of the Email that was sent and is now told of, by the EmailSubmission that sent it."""
    addresses = [dsn.address(one or "") for one in (found.original_recipient, found.final_recipient)]
    message_id = (found.original_message_id or "").strip("<> ")
    if not message_id:
        return None
    number = receipts.find(tx, access.account_id, message_id, "", [one for one in addresses if one])
    if number is None:
        return None
    email: int | None = tx.value("SELECT email_id FROM email_submission WHERE account=? AND id=?", tx.account, number)
    return EMAIL.format_id(email) if email is not None and EMAIL.records.exists(tx, email) else None
