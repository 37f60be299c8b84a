"""What runs of scripts remember for a while: whom an answer went to, which messages have come (RFC 5230, RFC 7352)."""

from __future__ import annotations

from hashlib import blake2b

from jmaplite.store import Column, Index, Reader, Table, Writer

MEMORY = Table(
    "sieve_memory",
    (Column("digest", "blob"), Column("until", "integer")),
    ("digest",),
    (Index("sieve_memory_until", ("until",)),),
)
"""Digests of what is remembered, and until when (in seconds): nothing is told by what is stored."""

_MOST_FORGOTTEN = 100
_MOST = 100_000
"""About how much an account remembers: what would be forgotten first is, if it is more (RFC 7352 §6, RFC 5230 §4.2)."""


def known(tx: Reader, kind: str, key: str, now: int) -> bool:
    """Whether a key of a kind is remembered."""
    sql = "SELECT 1 FROM sieve_memory WHERE account=? AND digest=? AND until>?"
    return tx.value(sql, tx.account, _digest(kind, key), now) is not None


def note(tx: Writer, kind: str, key: str, now: int, seconds: int) -> None:
    """Remember a key for so long from now on; some of what is past is forgotten."""
    digest = _digest(kind, key)
    _forget(tx, "until<=?", now, _MOST_FORGOTTEN)
    if digest[0] == 0:  # as chance has it once in 256 times: to count them takes a while
        excess = tx.value("SELECT count(*) FROM sieve_memory WHERE account=?", tx.account) - _MOST
        _forget(tx, "until>?", now, max(excess, 0))
    tx.execute(
        "INSERT INTO sieve_memory (account, digest, until) VALUES (?, ?, ?)"
        " ON CONFLICT (account, digest) DO UPDATE SET until=excluded.until",
        tx.account,
        digest,
        now + seconds,
    )


def _forget(tx: Writer, which: str, now: int, most: int) -> None:
    sql = f"SELECT digest FROM sieve_memory WHERE account=? AND {which} ORDER BY until LIMIT ?"
    rows = tx.rows(sql, tx.account, now, most)
    tx.executemany("DELETE FROM sieve_memory WHERE account=? AND digest=?", [(tx.account, row[0]) for row in rows])


def claim(tx: Writer, kind: str, key: str, now: int, seconds: int) -> bool:
    """Remember a key unless it is; answers whether it was not."""
    if known(tx, kind, key, now):
        return False
    note(tx, kind, key, now, seconds)
    return True


def _digest(kind: str, key: str) -> bytes:
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16, person=kind.encode()).digest()
