"""What /parse methods have alike: blobs are read as something, and told apart by what came of it (RFC 8621 §4.9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jmaplite.core.blobid import BlobRef
from jmaplite.core.context import Access, Context
from jmaplite.core.errors import MethodError
from jmaplite.core.named_blobs import find_blob
from jmaplite.datatypes.mail.capability import mail_settings
from jmaplite.datatypes.mail.named_blobs import read_blob


def parsed_blobs(
    ctx: Context, access: Access, blob_ids: list[str], read: Callable[[str, BlobRef, bytes], dict[str, Any] | None]
) -> dict[str, Any]:
    """The response to a /parse method; `read` answers None for octets that are not what is asked for.

    Raises MethodError requestTooLarge.
    """
    wanted = list(dict.fromkeys(blob_ids))
    most = mail_settings(ctx).max_parse_items
    if len(wanted) > most:
        raise MethodError("requestTooLarge", f"at most {most} blobs")
    parsed: dict[str, Any] = {}
    not_parsable, not_found = [], []
    for blob_id in wanted:
        with ctx.account(access).read() as tx:
            ref = find_blob(ctx, tx, blob_id)
            octets = None if ref is None else read_blob(ctx, tx, ref)
        if ref is None or octets is None:
            not_found.append(blob_id)
            continue
        found = read(blob_id, ref, octets)
        if found is None:
            not_parsable.append(blob_id)
        else:
            parsed[blob_id] = found
    return {
        "accountId": access.account_id,
        "parsed": parsed or None,
        "notParsable": not_parsable or None,
        "notFound": not_found or None,
    }
