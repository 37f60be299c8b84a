"""Email/import (RFC 8621 §4.8)."""

from __future__ import annotations

from typing import Any

from jmaplite.blobs import Staged
from jmaplite.core.context import Access, Arguments, Context, Response
from jmaplite.core.errors import MethodError, SetError
from jmaplite.core.kinds import utc_date
from jmaplite.core.methods.arguments import ACCOUNT_ID, Signature, check_in_state, state, writable
from jmaplite.core.schema import REQUIRED, Argument
from jmaplite.datatypes.mail.capability import mail_settings
from jmaplite.datatypes.mail.email import EMAIL
from jmaplite.datatypes.mail.email_records import check_place, told
from jmaplite.datatypes.mail.ingest import Prepared, insert, prepare
from jmaplite.datatypes.mail.named_blobs import find_blob, read_blob
from jmaplite.store import Reader, Writer

_SIGNATURE = Signature(
    {
        "accountId": ACCOUNT_ID,
        "ifInState": Argument("String|null"),
        "emails": Argument("Id[String[*]]", REQUIRED),
    }
)

_LAST_SECOND = 253_402_300_799
"""The end of the year 9999, the last that a UTCDate can name (RFC 8620 §1.4)."""


@EMAIL.method("import")
def import_(ctx: Context, given: Arguments) -> Response:
    """Make Emails of uploaded messages."""
    access = ctx.access(given.get("accountId"), EMAIL.capability)
    arguments = _SIGNATURE.read(given)
    emails = arguments["emails"]
    if len(emails) > ctx.limits.max_objects_in_set:
        raise MethodError("requestTooLarge", f"at most {ctx.limits.max_objects_in_set} messages")
    writable(access)
    ready: dict[str, Prepared] = {}
    failed: dict[str, SetError] = {}
    account = ctx.account(access)
    with account.read() as tx:
        check_in_state(ctx, tx, EMAIL, arguments["ifInState"])
        for creation_id, email in emails.items():
            try:
                ready[creation_id] = _prepare(ctx, access, tx, email)
            except SetError as error:
                failed[creation_id] = error

    def work(tx: Writer) -> dict[str, Any]:
        check_in_state(ctx, tx, EMAIL, arguments["ifInState"])
        old_state = state(ctx, tx, EMAIL)
        created: dict[str, Any] = {}
        errors = dict(failed)
        for creation_id, prepared in ready.items():
            try:
                created[creation_id] = _insert(ctx, tx, emails[creation_id], prepared)
            except SetError as error:
                errors[creation_id] = error
            else:
                ctx.created_ids[creation_id] = created[creation_id]["id"]
        return {
            "accountId": access.account_id,
            "oldState": old_state,
            "newState": state(ctx, tx, EMAIL),
            "created": created or None,
            "notCreated": {name: error.to_json() for name, error in errors.items()} or None,
        }

    return account.write(work)


def _prepare(ctx: Context, access: Access, tx: Reader, email: dict[str, Any]) -> Prepared:
    """Find and read the message of an EmailImport. Raises SetError."""
    wrong = email.keys() - {"blobId", "mailboxIds", "keywords", "receivedAt"}
    given = email.get("blobId")
    ref = find_blob(ctx, tx, given) if isinstance(given, str) else None
    octets = None if ref is None else read_blob(ctx, tx, ref)
    check_place(ctx, EMAIL, tx, _with_defaults(email, 0), *wrong, *([] if octets is not None else ["blobId"]))
    assert ref is not None
    assert octets is not None
    if len(octets) > mail_settings(ctx).max_size_email:
        raise SetError("tooLarge", f"a message has at most {mail_settings(ctx).max_size_email} octets")
    staged = Staged(ref.digest, len(octets), octets) if ref.start is None else None
    prepared = prepare(ctx.services, access.account_id, octets, staged)
    if not prepared.has_header:
        raise SetError("invalidEmail", "a message begins with header fields")
    return prepared


def _with_defaults(email: dict[str, Any], received: int) -> dict[str, Any]:
    """An EmailImport with what may be left out; `received` is in seconds, at most the end of the year 9999."""
    return {"keywords": {}, "receivedAt": utc_date(min(received, _LAST_SECOND)), **email}


def _insert(ctx: Context, tx: Writer, email: dict[str, Any], prepared: Prepared) -> dict[str, Any]:
    """Make the Email of an EmailImport. Raises SetError."""
    received = prepared.received if prepared.received is not None else int(ctx.services.clock())
    boxes, keywords, seconds = check_place(ctx, EMAIL, tx, _with_defaults(email, received))
    return told(insert(tx, ctx.services.blobs, prepared, boxes, keywords, seconds), prepared)
