"""What SieveScript/set does last, and SieveScript/validate (RFC 9661 §2.4, §2.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmaplite.core.context import Arguments, Context, Response
from jmaplite.core.errors import SetError
from jmaplite.core.methods.arguments import ACCOUNT_ID, Signature
from jmaplite.core.named_blobs import BLOB_ID_KINDS
from jmaplite.core.schema import REQUIRED, Argument
from jmaplite.datatypes.sieve.capability import sieve_settings
from jmaplite.datatypes.sieve.script import SIEVE_SCRIPT, activate, check, content

if TYPE_CHECKING:
    from jmaplite.core.methods.set import Batch

_VALIDATE = Signature({"accountId": ACCOUNT_ID, "blobId": Argument("BlobId", REQUIRED)}, BLOB_ID_KINDS)


@SIEVE_SCRIPT.concluding
def choose_active(batch: Batch) -> None:
    """Activate or deactivate scripts if all else has succeeded; a script that is not there is passed over."""
    if batch.not_created or batch.not_updated or batch.not_destroyed:
        return
    wanted = batch.arguments["onSuccessActivateScript"]
    number = None if wanted is None else SIEVE_SCRIPT.parse_id(batch.ctx.resolved(wanted))
    if number is not None and not SIEVE_SCRIPT.records.exists(batch.tx, number):
        number = None
    if number is None and not batch.arguments["onSuccessDeactivateScript"]:
        return
    created = {record["id"]: record for record in batch.created.values()}
    for other, is_active in activate(batch.tx, number).items():
        script_id = SIEVE_SCRIPT.format_id(other)
        if script_id in created:
            created[script_id]["isActive"] = is_active
        else:
            batch.updated[script_id] = {**(batch.updated.get(script_id) or {}), "isActive": is_active}


@SIEVE_SCRIPT.method("validate")
def validate(ctx: Context, given: Arguments) -> Response:
    """See whether a blob is a script; its error is told as /set would tell it."""
    access = ctx.access(given.get("accountId"), SIEVE_SCRIPT.capability)
    arguments = _VALIDATE.read(given)
    error = None
    try:
        with ctx.account(access).read() as tx:
            octets = content(ctx, tx, arguments["blobId"])
        check(sieve_settings(ctx.services), octets)
    except SetError as raised:
        error = raised.to_json()
    return {"accountId": access.account_id, "error": error}
