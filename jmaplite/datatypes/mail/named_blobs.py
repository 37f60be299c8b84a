"""Octets by their blobId: whole blobs, and parts of messages with their transfer encoding undone (RFC 8620 §6)."""

from __future__ import annotations

from jmaplite.blobs import UnknownBlob
from jmaplite.core.blobid import BlobRef
from jmaplite.core.context import Context
from jmaplite.core.named_blobs import find_blob
from jmaplite.formats import mime
from jmaplite.store import Reader

__all__ = ["find_blob", "read_blob"]


def read_blob(ctx: Context, tx: Reader, ref: BlobRef) -> bytes | None:
    """The octets that a blobId stands for, any transfer encoding undone; None if they are not there."""
    try:
        octets = ctx.services.blobs.read(tx, ref.digest, ref.start or 0, ref.length)
    except UnknownBlob:
        return None
    return ref.decoded(octets, mime.decode)
