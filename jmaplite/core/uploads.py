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
    files, octets = limits.upload_quota_files or _NO_LIMIT, limits.upload_quota_size or _NO_LIMIT
    wanted = tuple(staged)

    def work(tx: Writer) -> None:
        for one in wanted:
            services.blobs.put(tx, one)
            services.blobs.note_upload(tx, one.digest, user, now)
        # Only now is it known what they take: nothing, if they were there before.
        services.blobs.make_room(tx, user, files, octets, {one.digest for one in wanted})

    services.store.account(account_id).write(work)
