"""Blob/get (RFC 9404 §4.2)."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from jmaplite.blobs import UnknownBlob
from jmaplite.core.context import Arguments, Context, Response
from jmaplite.core.errors import MethodError, invalid_arguments
from jmaplite.core.json import NotJSON, refuse_noncharacters
from jmaplite.core.methods.arguments import ACCOUNT_ID, Signature
from jmaplite.core.named_blobs import BLOB_ID_KINDS
from jmaplite.core.schema import REQUIRED, Argument
from jmaplite.datatypes.blob.capability import BLOB
from jmaplite.datatypes.blob.octets import Budget, Octets, find_octets

ALGORITHMS = {"sha-256": "sha256", "sha-512": "sha512", "sha": "sha1", "md5": "md5"}
"""Digest algorithms by their registered names in lower case, those to be preferred first."""

_DIGEST = "digest:"
_DATA = frozenset({"data", "data:asText", "data:asBase64"})
_PROPERTIES = frozenset({"id", "size", *_DATA, *(_DIGEST + name for name in ALGORITHMS)})

_SIGNATURE = Signature(
    {
        "accountId": ACCOUNT_ID,
        "ids": Argument("BlobId[]", REQUIRED),
        "properties": Argument("String[]|null"),
        "offset": Argument("UnsignedInt|null"),
        "length": Argument("UnsignedInt|null"),
    },
    BLOB_ID_KINDS,
)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What to answer of each blob: properties, of the octets from `offset` on, at most `length` (None: all)."""

    properties: Collection[str]
    offset: int
    length: int | None

    @property
    def algorithms(self) -> list[str]:
        return [name for name in ALGORITHMS if _DIGEST + name in self.properties]

    @property
    def data(self) -> bool:
        return not _DATA.isdisjoint(self.properties)


def get(ctx: Context, given: Arguments) -> Response:
    """Octets, digests and sizes of blobs. There is no state: blobs do not change."""
    access = ctx.access(given.get("accountId"), BLOB)
    arguments = _SIGNATURE.read(given)
    properties = ["data", "size"] if arguments["properties"] is None else arguments["properties"]
    for name in properties:
        if name not in _PROPERTIES:
            raise invalid_arguments(f"properties: a blob has no property {name!r}"[:200])
    if len(arguments["ids"]) > ctx.limits.max_objects_in_get:
        raise MethodError("requestTooLarge", f"at most {ctx.limits.max_objects_in_get} ids")
    wanted = _Wanted(frozenset(properties), arguments["offset"] or 0, arguments["length"])
    budget = Budget(ctx.limits.max_size_upload)
    found: dict[str, Any] = {}
    not_found = []
    with ctx.account(access).read() as tx:
        for blob_id in dict.fromkeys(arguments["ids"]):
            octets = find_octets(ctx, tx, blob_id)
            try:
                if octets is None:
                    raise UnknownBlob
                if str(octets.ref) not in found:
                    found[str(octets.ref)] = _blob(octets, wanted, budget)
            except UnknownBlob:
                not_found.append(blob_id)
    return {"accountId": access.account_id, "list": list(found.values()), "notFound": not_found}


def _blob(octets: Octets, wanted: _Wanted, budget: Budget) -> dict[str, Any]:
    """One blob. Raises UnknownBlob, and MethodError requestTooLarge if it is too much together with those before."""
    if octets.is_encoded:
        _spend(budget, octets.raw_size)
        octets.decode()
    size = octets.size
    start = min(wanted.offset, size)
    length = size - start if wanted.length is None else min(wanted.length, size - start)
    answer: dict[str, Any] = {"id": str(octets.ref)}
    if "size" in wanted.properties:
        answer["size"] = size
    if wanted.offset + (wanted.length or 0) > size:
        answer["isTruncated"] = True
    if wanted.data or wanted.algorithms:
        if not octets.is_encoded:
            _spend(budget, length)
        answer |= _contents(octets, wanted, start, length)
    return answer


def _spend(budget: Budget, octets: int) -> None:
    if not budget.allows(octets):
        raise MethodError("requestTooLarge", f"more than {budget.most} octets; ask for fewer blobs, or for ranges")


def _contents(octets: Octets, wanted: _Wanted, start: int, length: int) -> dict[str, Any]:
    """The properties that tell the octets of a range."""
    hashes = {name: hashlib.new(ALGORITHMS[name], usedforsecurity=False) for name in wanted.algorithms}
    kept = []
    with octets.pieces(start, length) as pieces:
        for piece in pieces:
            for one in hashes.values():
                one.update(piece)
            if wanted.data:
                kept.append(piece)
    digests = {_DIGEST + name: b64encode(one.digest()).decode() for name, one in hashes.items()}
    return digests | (_data(b"".join(kept), wanted.properties) if wanted.data else {})


def _data(octets: bytes, properties: Collection[str]) -> dict[str, Any]:
    """The `data` properties: text where the octets are UTF-8 that JSON may hold (RFC 8620 §1.5)."""
    answer: dict[str, Any] = {}
    text = None
    if "data" in properties or "data:asText" in properties:
        text = _text(octets)
        if text is None:
            answer["isEncodingProblem"] = True
    if "data:asText" in properties or text is not None:
        answer["data:asText"] = text
    if "data:asBase64" in properties or ("data" in properties and text is None):
        answer["data:asBase64"] = b64encode(octets).decode()
    return answer


def _text(octets: bytes) -> str | None:
    try:
        text = octets.decode()
        refuse_noncharacters(octets)
    except (UnicodeDecodeError, NotJSON):
        return None
    return text
