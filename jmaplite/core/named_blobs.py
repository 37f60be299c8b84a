"""Blobs by the ids that arguments name them by."""

from __future__ import annotations

from jmaplite.core import blobid
from jmaplite.core.blobid import BlobRef
from jmaplite.core.context import Context
from jmaplite.core.kinds import is_id
from jmaplite.store import Reader

BLOB_ID_KINDS = {"BlobId": lambda value: type(value) is str and is_id(value.removeprefix("#"))}
"""The kind of an argument that is a blobId, or # and the creation id of one."""


def named_blob(ctx: Context, blob_id: str) -> BlobRef | None:
    """What a blobId names, or # and the creation id of one (RFC 9404 §4.1); None if it is none."""
    return blobid.parse(ctx.created_ids.get(blob_id[1:], "") if blob_id.startswith("#") else blob_id)


def find_blob(ctx: Context, tx: Reader, blob_id: str) -> BlobRef | None:
    """What a blobId (or # and a creation id) names, if it is one of a blob that the user may read."""
    ref = named_blob(ctx, blob_id)
    return ref if ref is not None and ctx.services.blobs.may_read(tx, ref.digest, ctx.user) else None
