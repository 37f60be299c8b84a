"""Blob/copy (RFC 8620 §6.3)."""

from __future__ import annotations

from jmaplite.blobs import UnknownBlob
from jmaplite.core import blobid
from jmaplite.core.context import Access, Arguments, Context, Response
from jmaplite.core.errors import MethodError, SetError
from jmaplite.core.methods.arguments import ACCOUNT_ID, Signature, writable
from jmaplite.core.named_blobs import BLOB_ID_KINDS
from jmaplite.core.schema import REQUIRED, Argument
from jmaplite.core.uploads import keep
from jmaplite.datatypes.blob.octets import Budget, Octets, Pieces, find_octets, stage
from jmaplite.store import Reader

_SIGNATURE = Signature(
    {"fromAccountId": ACCOUNT_ID, "accountId": ACCOUNT_ID, "blobIds": Argument("BlobId[]", REQUIRED)}, BLOB_ID_KINDS
)


def copy(ctx: Context, given: Arguments) -> Response:
    """Copy blobs from one account to another; there they are uploads of the user's."""
    source = ctx.any_access(given.get("fromAccountId"), argument="fromAccountId")
    target = ctx.any_access(given.get("accountId"))
    blob_ids = list(dict.fromkeys(_SIGNATURE.read(given)["blobIds"]))
    if len(blob_ids) > ctx.limits.max_objects_in_set:
        raise MethodError("requestTooLarge", f"at most {ctx.limits.max_objects_in_set} blobs to copy")
    writable(target)
    opened, failed = _open(ctx, source, blob_ids)
    blobs = ctx.services.blobs
    staged = {name: stage(blobs, target.account_id, size, [pieces]) for name, (size, pieces) in opened.items()}
    if staged:
        keep(ctx.services, target.account_id, ctx.user, staged.values())
    return {
        "fromAccountId": source.account_id,
        "accountId": target.account_id,
        "copied": {blob_id: blobid.format(one.digest) for blob_id, one in staged.items()} or None,
        "notCopied": {blob_id: error.to_json() for blob_id, error in failed.items()} or None,
    }


def _open(
    ctx: Context, source: Access, blob_ids: list[str]
) -> tuple[dict[str, tuple[int, Pieces]], dict[str, SetError]]:
    """The octets of each blob with their number, and the errors of those that cannot be copied."""
    opened: dict[str, tuple[int, Pieces]] = {}
    failed: dict[str, SetError] = {}
    budget = Budget(2 * ctx.limits.max_size_upload)
    with ctx.account(source).read() as tx:
        for blob_id in blob_ids:
            try:
                octets = _find(ctx, tx, blob_id, budget)
                opened[str(octets.ref)] = octets.size, octets.pieces(0, octets.size)
            except SetError as error:
                failed[blob_id] = error
    return opened, failed


def _find(ctx: Context, tx: Reader, blob_id: str, budget: Budget) -> Octets:
    """The octets of a blob, any encoding undone. Raises SetError: notFound, rateLimit."""
    octets = find_octets(ctx, tx, blob_id)
    if octets is None:
        raise SetError("notFound")
    if not budget.allows(octets.raw_size):
        raise SetError("rateLimit", f"one call copies no more than {budget.most} octets; go on in another one")
    if octets.is_encoded:
        try:
            octets.decode()
        except UnknownBlob:
            raise SetError("notFound") from None
    return octets
