"""Where an Email is: every row, list and count that follows from its Mailboxes, keywords and Thread.

`place` takes an Email from one placing to another (from None when it is made, to None when it ends), and brings rows
and counts along. Counts are gathered and written once, at the end of the work.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from orjson import loads

from jmaplite.core import ranks
from jmaplite.core.ranks import ListSource
from jmaplite.datatypes.mail.tables import (
    UNSEEN,
    WHOLE_ACCOUNT,
    all_emails,
    keyword_emails,
    mailbox_emails,
    mailbox_threads,
)
from jmaplite.store import Reader, Writer

COUNTS = ("totalEmails", "unreadEmails", "totalThreads", "unreadThreads")


@dataclass(frozen=True, slots=True)
class Placing:
    """An Email's number, arrival and Thread, and the Mailboxes and keywords that it has."""

    id: int
    arrival: int
    thread: int
    mailboxes: frozenset[int]
    keywords: frozenset[str]

    @property
    def unread(self) -> bool:
        """Neither `$seen` nor `$draft` (RFC 8621 §2 unreadEmails)."""
        return "$seen" not in self.keywords and "$draft" not in self.keywords

    @property
    def indexed_keywords(self) -> frozenset[str]:
        """The keywords that rows are kept of."""
        return self.keywords if "$seen" in self.keywords else self.keywords | {UNSEEN}


def read_placing(tx: Reader, number: int) -> Placing | None:
    """Where an Email is, or None if there is no such Email."""
    row = tx.row(
        "SELECT arrival, thread, mailbox_ids, keywords FROM email WHERE account=? AND id=?",
        tx.account,
        number,
    )
    if row is None:
        return None
    mailboxes = frozenset(int(box[1:], 16) for box in loads(row[2]))
    return Placing(number, row[0], row[1], mailboxes, frozenset(loads(row[3])))


@dataclass(slots=True)
class _Gathered:
    """What has changed in counts and lists since the last flush, and which Mailbox is the trash (0: none)."""

    trash: int
    counts: dict[int, Counter[str]] = field(default_factory=dict)
    lists: dict[str, tuple[ListSource, list[tuple[int, int]]]] = field(default_factory=dict)

    def count(self, mailbox: int, name: str, delta: int) -> None:
        if delta:
            self.counts.setdefault(mailbox, Counter())[name] += delta

    def entry(self, source: ListSource, arrival: int, delta: int) -> None:
        self.lists.setdefault(source.name, (source, []))[1].append((arrival, delta))


def place(tx: Writer, before: Placing | None, after: Placing | None) -> None:
    """Bring every row and count from where an Email was to where it is."""
    gathered = _gathered(tx)
    _place_in_mailboxes(tx, gathered, before, after)
    _place_by_keywords(tx, gathered, before, after)
    _place_in_thread(tx, gathered, before, after)
    if before is None and after is not None:
        gathered.entry(all_emails(), after.arrival, 1)
    elif after is None and before is not None:
        gathered.entry(all_emails(), before.arrival, -1)


def _gathered(tx: Writer) -> _Gathered:
    found: _Gathered | None = tx.scratch.get(_Gathered)
    if found is None:
        trash = tx.value("SELECT id FROM mailbox WHERE account=? AND role='trash'", tx.account)
        found = tx.scratch[_Gathered] = _Gathered(trash or 0)
        tx.at_end(lambda: flush(tx))
    return found


def flush(tx: Writer) -> None:
    """Write the counts and lists gathered so far."""
    gathered: _Gathered | None = tx.scratch.pop(_Gathered, None)
    if gathered is None:
        return
    for source, deltas in gathered.lists.values():
        ranks.adjust(tx, source, deltas)
    for mailbox, counts in gathered.counts.items():
        sums = [counts[name] for name in COUNTS]
        if any(sums):
            tx.execute(
                "UPDATE mailbox SET counted=?, total_emails=total_emails+?, unread_emails=unread_emails+?,"
                " total_threads=total_threads+?, unread_threads=unread_threads+? WHERE account=? AND id=?",
                tx.change("Mailbox"),
                *sums,
                tx.account,
                mailbox,
            )


def _place_in_mailboxes(tx: Writer, gathered: _Gathered, before: Placing | None, after: Placing | None) -> None:
    old = before.mailboxes if before else frozenset()
    new = after.mailboxes if after else frozenset()
    for mailbox in old - new:
        assert before is not None
        tx.execute(
            "DELETE FROM email_mailbox WHERE account=? AND mailbox=? AND arrival=?",
            tx.account,
            mailbox,
            before.arrival,
        )
        gathered.entry(mailbox_emails(mailbox), before.arrival, -1)
        gathered.count(mailbox, "totalEmails", -1)
    for mailbox in new - old:
        assert after is not None
        tx.execute(
            "INSERT INTO email_mailbox (account, mailbox, arrival, id, thread) VALUES (?, ?, ?, ?, ?)",
            tx.account,
            mailbox,
            after.arrival,
            after.id,
            after.thread,
        )
        gathered.entry(mailbox_emails(mailbox), after.arrival, 1)
        gathered.count(mailbox, "totalEmails", 1)
    for mailbox in old if before and before.unread else ():
        gathered.count(mailbox, "unreadEmails", -1)
    for mailbox in new if after and after.unread else ():
        gathered.count(mailbox, "unreadEmails", 1)


def _place_by_keywords(tx: Writer, gathered: _Gathered, before: Placing | None, after: Placing | None) -> None:
    old = before.indexed_keywords if before else frozenset()
    new = after.indexed_keywords if after else frozenset()
    for keyword in old - new:
        assert before is not None
        tx.execute(
            "DELETE FROM email_keyword WHERE account=? AND keyword=? AND arrival=?",
            tx.account,
            keyword,
            before.arrival,
        )
        gathered.entry(keyword_emails(keyword), before.arrival, -1)
    for keyword in new - old:
        assert after is not None
        tx.execute(
            "INSERT INTO email_keyword (account, keyword, arrival, id, thread) VALUES (?, ?, ?, ?, ?)",
            tx.account,
            keyword,
            after.arrival,
            after.id,
            after.thread,
        )
        gathered.entry(keyword_emails(keyword), after.arrival, 1)


def unread_in(placing: Placing | None, trash: int) -> tuple[int, int]:
    """How an Email counts as unread outside the trash and in it (RFC 8621 §2 unreadThreads)."""
    if placing is None or not placing.unread:
        return 0, 0
    return int(bool(placing.mailboxes - {trash})), int(trash in placing.mailboxes)


def _place_in_thread(tx: Writer, gathered: _Gathered, before: Placing | None, after: Placing | None) -> None:
    """Keep the Thread's row, its rows for Mailboxes, and the counts of Threads. Both placings have the same Thread."""
    trash = gathered.trash
    old_unread, new_unread = unread_in(before, trash), unread_in(after, trash)
    old_boxes = before.mailboxes if before else frozenset()
    new_boxes = after.mailboxes if after else frozenset()
    if old_unread == new_unread and old_boxes == new_boxes:
        return
    placing = after or before
    assert placing is not None
    thread = placing.thread
    row = tx.row("SELECT unread, unread_trash FROM thread WHERE account=? AND id=?", tx.account, thread)
    outside, inside = row or (0, 0)
    rows = tx.rows("SELECT mailbox FROM thread_mailbox WHERE account=? AND thread=?", tx.account, thread)
    present = {row[0] for row in rows if row[0] != WHOLE_ACCOUNT}
    new_outside = outside + new_unread[0] - old_unread[0]
    new_inside = inside + new_unread[1] - old_unread[1]
    now = _place_thread_rows(tx, gathered, placing, present, old_boxes, new_boxes)
    tx.execute(
        "UPDATE thread SET unread=?, unread_trash=? WHERE account=? AND id=?",
        new_outside,
        new_inside,
        tx.account,
        thread,
    )
    was_unread = {box for box in present if (inside if box == trash else outside) > 0}
    is_unread = {box for box in now if (new_inside if box == trash else new_outside) > 0}
    for box in now ^ present:
        gathered.count(box, "totalThreads", 1 if box in now else -1)
    for box in is_unread ^ was_unread:
        gathered.count(box, "unreadThreads", 1 if box in is_unread else -1)


def _place_thread_rows(
    tx: Writer,
    gathered: _Gathered,
    placing: Placing,
    present: set[int],
    old: frozenset[int],
    new: frozenset[int],
) -> set[int]:
    """Bring the rows of a Thread's Mailboxes up to date; answers the Mailboxes that it now is in."""
    now = set(present)
    left = [*(old - new), *([WHOLE_ACCOUNT] if old and not new else [])]
    entered = [*(new - old), *([WHOLE_ACCOUNT] if new and not old else [])]
    for box in entered:
        _enter(tx, gathered, placing, box)
        now.add(box)
    for box in left:
        if _leave(tx, gathered, placing, box):
            now.discard(box)
    now.discard(WHOLE_ACCOUNT)
    return now


def _enter(tx: Writer, gathered: _Gathered, placing: Placing, box: int) -> None:
    row = tx.row(
        "SELECT arrival FROM thread_mailbox WHERE account=? AND thread=? AND mailbox=?",
        tx.account,
        placing.thread,
        box,
    )
    if row is None:
        tx.execute(
            "INSERT INTO thread_mailbox (account, thread, mailbox, n, arrival, id) VALUES (?, ?, ?, 1, ?, ?)",
            tx.account,
            placing.thread,
            box,
            placing.arrival,
            placing.id,
        )
        gathered.entry(mailbox_threads(box), placing.arrival, 1)
    elif row[0] < placing.arrival:
        _set_newest(tx, placing.thread, box, 1, placing.arrival, placing.id)
        gathered.entry(mailbox_threads(box), row[0], -1)
        gathered.entry(mailbox_threads(box), placing.arrival, 1)
    else:
        tx.execute(
            "UPDATE thread_mailbox SET n=n+1 WHERE account=? AND thread=? AND mailbox=?",
            tx.account,
            placing.thread,
            box,
        )


def _leave(tx: Writer, gathered: _Gathered, placing: Placing, box: int) -> bool:
    """Take an Email of a Thread out of a Mailbox; answers whether the Thread has left it altogether."""
    n, newest = tx.rows(
        "SELECT n, arrival FROM thread_mailbox WHERE account=? AND thread=? AND mailbox=?",
        tx.account,
        placing.thread,
        box,
    )[0]
    if n == 1:
        tx.execute(
            "DELETE FROM thread_mailbox WHERE account=? AND thread=? AND mailbox=?",
            tx.account,
            placing.thread,
            box,
        )
        gathered.entry(mailbox_threads(box), newest, -1)
        return True
    if newest != placing.arrival:
        tx.execute(
            "UPDATE thread_mailbox SET n=n-1 WHERE account=? AND thread=? AND mailbox=?",
            tx.account,
            placing.thread,
            box,
        )
        return False
    inside = (
        ""
        if box == WHOLE_ACCOUNT
        else (
            " AND EXISTS (SELECT 1 FROM email_mailbox m"
            " WHERE m.account=e.account AND m.mailbox=? AND m.arrival=e.arrival)"
        )
    )
    arrival, number = tx.rows(
        f"SELECT e.arrival, e.id FROM email e WHERE e.account=? AND e.thread=? AND e.arrival<?{inside}"
        " ORDER BY e.arrival DESC LIMIT 1",
        tx.account,
        placing.thread,
        newest,
        *([] if box == WHOLE_ACCOUNT else [box]),
    )[0]
    _set_newest(tx, placing.thread, box, -1, arrival, number)
    gathered.entry(mailbox_threads(box), newest, -1)
    gathered.entry(mailbox_threads(box), arrival, 1)
    return False


def _set_newest(tx: Writer, thread: int, box: int, delta: int, arrival: int, number: int) -> None:
    tx.execute(
        "UPDATE thread_mailbox SET n=n+?, arrival=?, id=? WHERE account=? AND thread=? AND mailbox=?",
        delta,
        arrival,
        number,
        tx.account,
        thread,
        box,
    )
