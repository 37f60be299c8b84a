"""What the kept counts of mail must be, worked out anew from the Emails themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from orjson import loads

from jmaplite.datatypes.mail.placing import COUNTS, Placing, flush, unread_in
from jmaplite.datatypes.mail.tables import WHOLE_ACCOUNT
from jmaplite.store import Reader, Writer


@dataclass(slots=True)
class Truth:
    """Counts of every Mailbox by name; what is unread in every Thread; of a Thread in a Mailbox (n, newest arrival, its
    Email)."""

    mailboxes: dict[int, Counter[str]] = field(default_factory=dict)
    threads: dict[int, tuple[int, int]] = field(default_factory=dict)
    thread_mailboxes: dict[tuple[int, int], tuple[int, int, int]] = field(default_factory=dict)


def placings(tx: Reader) -> Iterator[Placing]:
    """Where every Email is, in the order of arrival."""
    sql = "SELECT id, arrival, thread, mailbox_ids, keywords FROM email WHERE account=? ORDER BY arrival"
    for number, arrival, thread, mailboxes, keywords in tx.rows(sql, tx.account):
        boxes = frozenset(int(box[1:], 16) for box in loads(mailboxes))
        yield Placing(number, arrival, thread, boxes, frozenset(loads(keywords)))


def truth(tx: Reader) -> Truth:
    """The counts as they must be (RFC 8621 §2)."""
    trash = tx.value("SELECT id FROM mailbox WHERE account=? AND role='trash'", tx.account) or 0
    found = Truth()
    for placing in placings(tx):
        outside, inside = found.threads.get(placing.thread, (0, 0))
        unread = unread_in(placing, trash)
        found.threads[placing.thread] = (outside + unread[0], inside + unread[1])
        for box in (*placing.mailboxes, WHOLE_ACCOUNT):
            n = found.thread_mailboxes.get((placing.thread, box), (0, 0, 0))[0]
            found.thread_mailboxes[placing.thread, box] = (n + 1, placing.arrival, placing.id)
        for box in placing.mailboxes:
            counts = found.mailboxes.setdefault(box, Counter())
            counts["totalEmails"] += 1
            counts["unreadEmails"] += placing.unread
    for thread, box in found.thread_mailboxes:
        if box != WHOLE_ACCOUNT:
            outside, inside = found.threads[thread]
            found.mailboxes[box]["totalThreads"] += 1
            found.mailboxes[box]["unreadThreads"] += (inside if box == trash else outside) > 0
    return found


def recount_unread_threads(tx: Writer) -> None:
    """Count anew what depends on which Mailbox is the trash, because that has changed."""
    flush(tx)
    now = truth(tx)
    tx.executemany(
        "UPDATE thread SET unread=?, unread_trash=? WHERE account=? AND id=?",
        [(outside, inside, tx.account, thread) for thread, (outside, inside) in now.threads.items()],
    )
    for number, kept in tx.rows("SELECT id, unread_threads FROM mailbox WHERE account=?", tx.account):
        counted = now.mailboxes.get(number, Counter())["unreadThreads"]
        if counted != kept:
            sql = "UPDATE mailbox SET counted=?, unread_threads=? WHERE account=? AND id=?"
            tx.execute(sql, tx.change("Mailbox"), counted, tx.account, number)


def faults(tx: Reader) -> list[str]:
    """Where what is kept differs from the truth, a sentence each."""
    now = truth(tx)
    found = []
    columns = "total_emails, unread_emails, total_threads, unread_threads"
    for row in tx.rows(f"SELECT id, {columns} FROM mailbox WHERE account=?", tx.account):
        counted = now.mailboxes.get(row[0], Counter())
        wrong = [name for name, kept in zip(COUNTS, row[1:], strict=True) if kept != counted[name]]
        found += [f"Mailbox M{row[0]:x}: {name} is wrong, it should be {counted[name]}" for name in wrong]
    for number, *kept in tx.rows("SELECT id, unread, unread_trash FROM thread WHERE account=?", tx.account):
        if tuple(kept) != now.threads.get(number):
            found.append(f"Thread T{number:x}: counts of unread are {kept}, should be {now.threads.get(number)}")
    kept_rows = {
        (thread, box): tuple(rest)
        for thread, box, *rest in tx.rows(
            "SELECT thread, mailbox, n, arrival, id FROM thread_mailbox WHERE account=?", tx.account
        )
    }
    differing = {key for key in kept_rows.keys() | now.thread_mailboxes.keys()
                 if kept_rows.get(key) != now.thread_mailboxes.get(key)}  # fmt: skip
    found += [f"Thread T{thread:x} in Mailbox M{box:x}: its row is wrong" for thread, box in sorted(differing)]
    return found
