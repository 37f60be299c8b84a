"""What a client wants a blob to be put together from: UploadObject and DataSourceObject (RFC 9404 §4.1)."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jmaplite.core.errors import SetError, invalid_properties
from jmaplite.core.kinds import compile_kind
from jmaplite.core.named_blobs import BLOB_ID_KINDS
from jmaplite.datatypes.blob.capability import MAX_DATA_SOURCES

_is_sources = compile_kind("Object[]")
_is_blob_id = compile_kind("BlobId", BLOB_ID_KINDS)
_is_range = compile_kind("Range", {"Range": {"offset?": "UnsignedInt", "length?": "UnsignedInt"}})
_MAY_BE_NULL = frozenset({"data:asText", "data:asBase64", "offset", "length"})
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"  # RFC 6838 §4.2
_media_type = re.compile(rf"{_NAME}/{_NAME}(?: *;[ -~]{{0,255}})?").fullmatch


@dataclass(frozen=True, slots=True)
class Slice:
    """`length` octets (None: all that remain) from `offset` on of the blob that `blob_id` names."""

    blob_id: str
    offset: int
    length: int | None


@dataclass(frozen=True, slots=True)
class UploadObject:
    """A blob to be made: octets and slices in order, and what the client says its media type is."""

    sources: tuple[bytes | Slice, ...]
    type: str | None

    def back_references(self) -> set[str]:
        """The creation ids that its sources name."""
        named = (source.blob_id for source in self.sources if isinstance(source, Slice))
        return {blob_id[1:] for blob_id in named if blob_id.startswith("#")}


def read_upload(given: Mapping[str, Any]) -> UploadObject:
    """An UploadObject as it came. Raises SetError invalidProperties."""
    wrong = list(given.keys() - {"data", "type"})
    media_type = given.get("type")
    if media_type is not None and not (isinstance(media_type, str) and _media_type(media_type)):
        wrong.append("type")
    if not _is_sources(given.get("data")):
        wrong.append("data")
    if wrong:
        raise invalid_properties("unknown, missing, or of the wrong kind", *wrong)
    if len(given["data"]) > MAX_DATA_SOURCES:
        raise wrong_data(f"at most {MAX_DATA_SOURCES} sources")
    return UploadObject(tuple(_source(number, source) for number, source in enumerate(given["data"])), media_type)


def wrong_data(description: str) -> SetError:
    """The error for sources that no blob can be made of."""
    return invalid_properties(description, "data")


def _source(number: int, given: Mapping[str, Any]) -> bytes | Slice:
    """A DataSourceObject: exactly one of its three forms. Null says no more than leaving out, where it is allowed."""
    given = {name: value for name, value in given.items() if value is not None or name not in _MAY_BE_NULL}
    match given:
        case {"data:asText": str(text), **rest} if not rest:
            return text.encode()
        case {"data:asBase64": str(base64), **rest} if not rest:
            return _octets(number, base64)
        case {"blobId": blob_id, **rest} if _is_blob_id(blob_id) and _is_range(rest):
            return Slice(blob_id, rest.get("offset", 0), rest.get("length"))
    raise wrong_data(f"source {number} is not exactly one of data:asText, data:asBase64, or blobId with a range")


def _octets(number: int, base64: str) -> bytes:
    """Octets of the base64 of RFC 4648 §4, in its one form: padded, and nothing between or behind."""
    try:
        octets = b64decode(base64, validate=True)
    except (binascii.Error, ValueError):
        octets = None
    if octets is None or b64encode(octets[-(len(octets) % 3 or 3) :]).decode() != base64[-4:]:
        raise wrong_data(f"source {number} is not base64")
    return octets
