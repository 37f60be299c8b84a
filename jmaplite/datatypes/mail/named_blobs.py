"""Octets by their blobId: whole blobs, and parts of messages with their transfer encoding undone (RFC 8620 §6)."""

from __future__ import annotations

from jmaplite.blobs import UnknownBlob
from jmaplite.core import blobid
from jmaplite.core.blobid import BlobRef
from jmaplite.core.context import Context
from jmaplite.formats import mime
from jmaplite.store import Reader


def find_blob(ctx: Context, tx: Reader, blob_id: str) -> BlobRef | None:
    """What a blobId (or # and a creation id) names, if it is one of a blob that the user may read."""
    if blob_id.startswith("#"):
        blob_id = ctx.created_ids.get(blob_id[1:], blob_id)
    ref = blobid.parse(blob_id)
    return ref if ref is not None and ctx.services.blobs.may_read(tx, ref.digest, ctx.user) else None


def read_blob(ctx: Context, tx: Reader, ref: BlobRef) -> bytes | None:
    """The octets that a blobId stands for, any transfer encoding undone; None if they are not there."""
    try:
        octets = ctx.services.blobs.read(tx, ref.digest, ref.start or 0, ref.length)
    except UnknownBlob:
        return None
    return ref.decoded(octets, mime.decode)
