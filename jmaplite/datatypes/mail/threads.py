"""Threads: which Emails belong together (RFC 8621 §3).

Two messages are of one Thread if they have or name a message id in common and their base subjects are the same. A
message that joins Threads which had nothing in common until it came makes the smaller ones part of the largest; as a
threadId never changes, their Emails end and begin again under new ids. Settings may keep Threads from growing beyond a
number of Emails, or make none at all (`Threading`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jmaplite.blobs import Blobs
from jmaplite.core.context import Access, Context
from jmaplite.core.records import Records, bury, slots
from jmaplite.core.schema import DataType, Property
from jmaplite.datatypes.mail.capability import MAIL, Threading
from jmaplite.datatypes.mail.placing import place, read_placing
from jmaplite.store import Column, Reader, Table, Writer

THREAD = DataType(
    "Thread",
    MAIL,
    prefix="T",
    methods=("get", "changes"),
    properties={"emailIds": Property("Id[]", server_set=True, stored=False)},
)


class ThreadRecords(Records):
    """Threads, with how many of their Emails are unread outside the trash and in it."""

    def __init__(self, data_type: DataType) -> None:
        self.type = data_type
        self.table: Table = data_type.generated_table((Column("unread", "integer"), Column("unread_trash", "integer")))

    def serves(self, name: str) -> bool:
        """The list of Emails is read from the Emails."""
        return name == "emailIds"

    def read(
        self,
        ctx: Context,
        access: Access,
        tx: Reader,
        numbers: Sequence[int],
        properties: Sequence[str],
        arguments: Mapping[str, Any],
    ) -> dict[int, Any]:
        """Threads with their Emails, the oldest first."""
        if not numbers:
            return {}
        marks, padded = slots(numbers)
        sql = f"SELECT thread, id FROM email WHERE account=? AND thread IN ({marks}) ORDER BY thread, arrival"
        found: dict[int, Any] = {}
        for thread, number in tx.rows(sql, tx.account, *padded):
            if thread in found:
                found[thread]["emailIds"].append(f"E{number:x}")
            else:
                found[thread] = {"id": f"T{thread:x}", "emailIds": [f"E{number:x}"]}
        if "emailIds" not in properties:
            return {number: {"id": record["id"]} for number, record in found.items()}
        return found


THREAD.records = ThreadRecords(THREAD)


def find_thread(tx: Writer, blobs: Blobs, references: tuple[int, ...], threading: Threading, now: int) -> int:
    """The Thread for a message with these references, made if there is none; its list of Emails is about to change."""
    if not threading.enabled:
        return new_thread(tx)
    threads: list[int] = []
    if references:
        marks, padded = slots(references)
        sql = f"SELECT DISTINCT thread FROM email_reference WHERE account=? AND key IN ({marks})"
        threads = [row[0] for row in tx.rows(sql, tx.account, *padded)]
    # Where no Thread has room the message begins another, and what answers it shall follow it there.
    moves_on = bool(threads)
    if not threads:
        thread = new_thread(tx)
    elif len(threads) == 1 and not threading.max_emails:
        thread, moves_on = threads[0], False
        touch(tx, thread)
    else:
        thread, moves_on = _joined(tx, blobs, threads, threading.max_emails)
    refer(tx, references, thread, now, anew=moves_on)
    return thread


def refer(tx: Writer, references: Sequence[int], thread: int, now: int, *, anew: bool) -> None:
    """Remember the Thread of references; `anew`: of those that belong to another one, too."""
    otherwise = "UPDATE SET thread=excluded.thread" if anew else "NOTHING"
    tx.executemany(
        "INSERT INTO email_reference (account, key, thread, seen) VALUES (?, ?, ?, ?)"
        f" ON CONFLICT (account, key) DO {otherwise}",
        [(tx.account, key, thread, now) for key in references],
    )


def new_thread(tx: Writer) -> int:
    """A Thread without Emails yet."""
    thread = tx.change("Thread")
    tx.execute(
        "INSERT INTO thread (account, id, changed, unread, unread_trash) VALUES (?, ?, ?, 0, 0)",
        tx.account,
        thread,
        thread,
    )
    return thread


def touch(tx: Writer, thread: int) -> None:
    """A Thread's list of Emails has changed."""
    tx.execute("UPDATE thread SET changed=? WHERE account=? AND id=?", tx.change("Thread"), tx.account, thread)


def end_if_empty(tx: Writer, thread: int) -> None:
    """End a Thread if its last Email is gone; else note that its list has changed."""
    if tx.value("SELECT 1 FROM email WHERE account=? AND thread=? LIMIT 1", tx.account, thread) is not None:
        touch(tx, thread)
        return
    tx.execute("DELETE FROM thread WHERE account=? AND id=?", tx.account, thread)
    tx.execute("DELETE FROM email_reference WHERE account=? AND thread=?", tx.account, thread)
    bury(tx, "Thread", thread)


def move(tx: Writer, blobs: Blobs, number: int, thread: int) -> int:
    """End an Email and begin it again in another Thread; answers its new number. The Threads' own rows are left."""
    old = read_placing(tx, number)
    assert old is not None
    place(tx, old, None)
    bury(tx, "Email", number, kin=old.thread, place=old.arrival)
    new = replace(old, id=tx.change("Email"), thread=thread)
    digest = tx.value("SELECT blob FROM email WHERE account=? AND id=?", tx.account, number)
    tx.execute(
        "UPDATE email SET id=?, changed=?, moved=?, keyed=?, thread=? WHERE account=? AND id=?",
        *[new.id] * 4,
        thread,
        tx.account,
        number,
    )
    blobs.refer(tx, digest, "Email", new.id)
    blobs.unrefer(tx, digest, "Email", number)
    place(tx, None, new)
    return new.id


def _joined(tx: Writer, blobs: Blobs, threads: list[int], most: int) -> tuple[int, bool]:
    """The Thread that a message goes into which belongs to several, or to one that may be full; and whether it is new.

    Threads that have room for all become one, the longest (of equals, the oldest).
    """
    count = "SELECT count(*) FROM email WHERE account=? AND thread=?"
    lengths = {thread: tx.value(count, tx.account, thread) for thread in threads}
    kept, *others = sorted(threads, key=lambda thread: (-lengths[thread], thread))
    if not most or sum(lengths.values()) < most:
        for thread in others:
            _absorb(tx, blobs, thread, kept)
        touch(tx, kept)
        return kept, False
    for thread in (kept, *others):
        if lengths[thread] < most:
            touch(tx, thread)
            return thread, False
    return new_thread(tx), True


def _absorb(tx: Writer, blobs: Blobs, thread: int, kept: int) -> None:
    """End every Email of a Thread and begin it again, under a new id, in another."""
    for (number,) in tx.rows("SELECT id FROM email WHERE account=? AND thread=?", tx.account, thread):
        move(tx, blobs, number, kept)
    tx.execute("UPDATE email_reference SET thread=? WHERE account=? AND thread=?", kept, tx.account, thread)
    tx.execute("DELETE FROM thread WHERE account=? AND id=?", tx.account, thread)
    bury(tx, "Thread", thread)
