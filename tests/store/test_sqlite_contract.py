"""The embedded store keeps the contract of the port."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jmaplite.store import Store
from jmaplite.store.sqlite import SQLiteStore
from tests.store import contract, text_contract

IN_MEMORY = Path("/dev/shm")
"""The contract is not about disks, so where there is one, a file system without is quicker."""


@contextmanager
def opened() -> Iterator[Store]:
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as directory:
        store = SQLiteStore(Path(directory) / "store", contract.SCHEMA)
        try:
            yield store
        finally:
            store.close()


class TestSQLite(
    contract.AccountTruths,
    contract.SnapshotTruths,
    contract.WriteTruths,
    contract.CounterTruths,
    contract.TicketTruths,
    contract.EndTruths,
    contract.SavepointTruths,
    contract.GroupTruths,
    contract.FeedTruths,
    text_contract.TextTruths,
):
    opened = staticmethod(opened)


def test_of_an_absurd_query_the_first_256_phrases_count() -> None:
    with opened() as store:
        account = store.account(store.create_account("ann", contract.nothing))
        text_contract.put(account, 1, " ".join(f"w{number}" for number in range(256)))
        assert text_contract.search(account, *(f"w{number}" for number in range(20_000))) == [1]
