"""Octets that users bring become blobs of an account (RFC 8620 §6)."""

from __future__ import annotations

from collections.abc import Iterable

from jmaplite.blobs import Staged
from jmaplite.core.context import Services
from jmaplite.store import Writer


def keep(services: Services, account_id: str, user: str, staged: Iterable[Staged]) -> None:
    """Make staged octets blobs of the account that their uploader may refer to, for a while. Raises StoreError."""
    now = int(services.clock())
    wanted = tuple(staged)

    def work(tx: Writer) -> None:
        for one in wanted:
            services.blobs.put(tx, one)
            services.blobs.note_upload(tx, one.digest, user, now)

    services.store.account(account_id).write(work)
