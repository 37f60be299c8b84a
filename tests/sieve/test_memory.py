"""What runs of scripts remember."""

from __future__ import annotations

import pytest

from jmaplite.datatypes.sieve import memory
from jmaplite.store import Writer
from tests.sieve.client import Scripter


def test_an_account_does_not_remember_ever_more(alice: Scripter, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7352 §6: what would be forgotten first is forgotten."""
    monkeypatch.setattr(memory, "_MOST", 50)
    account = alice.server.store.account(alice.account)

    def note(tx: Writer) -> None:
        for number in range(2000):
            memory.note(tx, "duplicate", str(number), number, 86400)

    account.write(note)
    with account.read() as tx:
        assert tx.value("SELECT count(*) FROM sieve_memory WHERE account=?", tx.account) < 2000
        assert memory.known(tx, "duplicate", "1999", 1999)
        assert not memory.known(tx, "duplicate", "0", 1999)
