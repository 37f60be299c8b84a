"""The capability of blobs and its limits (RFC 9404 §3.1)."""

from __future__ import annotations

BLOB = "urn:ietf:params:jmap:blob"

MAX_DATA_SOURCES = 100
"""How many data sources a blob may be put together from; at least 64 (RFC 9404 §3.1)."""
