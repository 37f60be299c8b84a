"""Blobs by methods: `urn:ietf:params:jmap:blob` (RFC 9404), and Blob/copy of the core (RFC 8620 §6.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jmaplite.core.catalog import CORE, Capability
from jmaplite.core.context import Access, Method
from jmaplite.core.limits import Limits
from jmaplite.core.schema import DataType
from jmaplite.datatypes.blob.capability import BLOB, MAX_DATA_SOURCES
from jmaplite.datatypes.blob.copy import copy
from jmaplite.datatypes.blob.get import ALGORITHMS, get
from jmaplite.datatypes.blob.lookup import lookup
from jmaplite.datatypes.blob.upload import upload

COPY = Method("Blob/copy", CORE.urn, copy)
"""Selected by the core's capability, which every account has."""


def blob(types: Iterable[DataType]) -> Capability:
    """The capability `urn:ietf:params:jmap:blob` (RFC 9404 §3.1); those of the types that can are looked up in."""
    searched = {data_type.name: data_type for data_type in types if data_type.lookup is not None}

    def account(limits: Limits, access: Access) -> dict[str, Any]:
        names = [name for name, data_type in searched.items() if data_type.capability in access.capabilities]
        return {
            "maxSizeBlobSet": limits.max_size_upload,
            "maxDataSources": MAX_DATA_SOURCES,
            "supportedTypeNames": names,
            "supportedDigestAlgorithms": list(ALGORITHMS),
        }

    return Capability(
        urn=BLOB,
        session=lambda limits: {},
        account=account,
        methods=(
            Method("Blob/upload", BLOB, upload),
            Method("Blob/get", BLOB, get),
            Method("Blob/lookup", BLOB, lookup(searched)),
        ),
    )


__all__ = ["BLOB", "COPY", "blob"]
