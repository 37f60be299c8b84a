"""Blob/lookup (RFC 9404 §4.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jmaplite.core.blobid import BlobRef
from jmaplite.core.context import Access, Arguments, Context, Handler, Response
from jmaplite.core.errors import MethodError
from jmaplite.core.methods.arguments import ACCOUNT_ID, Signature
from jmaplite.core.named_blobs import BLOB_ID_KINDS, named_blob
from jmaplite.core.schema import REQUIRED, Argument, DataType
from jmaplite.datatypes.blob.capability import BLOB
from jmaplite.store import Reader

_SIGNATURE = Signature(
    {
        "accountId": ACCOUNT_ID,
        "typeNames": Argument("String[]", REQUIRED),
        "ids": Argument("BlobId[]", REQUIRED),
    },
    BLOB_ID_KINDS,
)


def lookup(searched: Mapping[str, DataType]) -> Handler:
    """The method, for types whose records can refer to blobs, by their names."""

    def run(ctx: Context, given: Arguments) -> Response:
        access = ctx.access(given.get("accountId"), BLOB)
        arguments = _SIGNATURE.read(given)
        if len(arguments["ids"]) > ctx.limits.max_objects_in_get:
            raise MethodError("requestTooLarge", f"at most {ctx.limits.max_objects_in_get} ids")
        types = [_known(ctx, access, searched.get(name), name) for name in dict.fromkeys(arguments["typeNames"])]
        found: dict[str, Any] = {}
        not_found = []
        with ctx.account(access).read() as tx:
            for given_id in dict.fromkeys(arguments["ids"]):
                ref = named_blob(ctx, given_id)
                if ref is None:
                    not_found.append(given_id)
                else:
                    found[str(ref)] = {"id": str(ref), "matchedIds": _matched(ctx, access, tx, types, ref)}
        return {"accountId": access.account_id, "list": list(found.values()), "notFound": not_found}

    return run


def _matched(ctx: Context, access: Access, tx: Reader, types: Iterable[DataType], ref: BlobRef) -> dict[str, list[str]]:
    """The ids of what refers to a blob and the user may see; nothing tells whether there is such a blob at all."""
    matched: dict[str, list[str]] = {}
    for data_type in types:
        assert data_type.lookup is not None
        matched[data_type.name] = [data_type.format_id(number) for number in data_type.lookup(ctx, access, tx, ref)]
    return matched


def _known(ctx: Context, access: Access, data_type: DataType | None, name: str) -> DataType:
    """The type of a name. Raises MethodError unknownDataType unless request and account have its capability."""
    if data_type is None or data_type.capability not in ctx.using & access.capabilities:
        raise MethodError("unknownDataType", f"no type {name!r} that can refer to blobs"[:200])
    return data_type
