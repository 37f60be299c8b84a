"""The limits that the core capability announces, and those that it need not (RFC 8620 §2)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """All in octets, counts or seconds; the defaults are the RFC's suggested minimums or better."""

    max_size_upload: int = 50_000_000
    max_concurrent_upload: int = 4
    max_size_request: int = 10_000_000
    max_concurrent_requests: int = 4
    max_calls_in_request: int = 16
    max_objects_in_get: int = 500
    max_objects_in_set: int = 500
    max_query_results: int = 5000
    max_changes: int = 5000
    max_history: int = 30 * 24 * 3600
    upload_ttl: int = 3600
    upload_quota_files: int = 1000
    upload_quota_size: int = 50_000_000
