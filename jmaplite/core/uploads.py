"""Octets that users bring become blobs of an account (RFC 8620 §6)."""

from __future__ import annotations

from collections.abc import Iterable

from jmaplite.blobs import Staged
from jmaplite.core.context import Services
from jmaplite.store import Writer

_NO_LIMIT = 1 << 62


def keep(services: Services, account_id: str, user: str, staged: Iterable[Staged]) -> None:
    """Make staged octets blobs of the account that their uploader may refer to, for a while. Raises StoreError.

    Where the uploader would have more than the quota for such blobs, the oldest make room for the new ones.
    """
    now, limits = int(services.clock()), services.limits
    wanted = tuple(staged)
    files = max(0, limits.upload_quota_files - len(wanted)) if limits.upload_quota_files else _NO_LIMIT
    octets = (
        max(0, limits.upload_quota_size - sum(one.size for one in wanted)) if limits.upload_quota_size else _NO_LIMIT
    )

    def work(tx: Writer) -> None:
        services.blobs.make_room(tx, user, files, octets)
        for one in wanted:
            services.blobs.put(tx, one)
            services.blobs.note_upload(tx, one.digest, user, now)

    services.store.account(account_id).write(work)
