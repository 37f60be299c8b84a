"""Whether everything kept about an account's mail agrees."""

from __future__ import annotations

from jmaplite.core import quota, ranks
from jmaplite.datatypes.mail import counts
from jmaplite.datatypes.mail.tables import UNSEEN, all_emails, keyword_emails, mailbox_emails, mailbox_threads
from jmaplite.store import Reader


def check(tx: Reader) -> list[str]:
    """What is wrong, a sentence each; empty when all is well."""
    found = counts.faults(tx)
    boxes = [row[0] for row in tx.rows("SELECT id FROM mailbox WHERE account=?", tx.account)]
    expected_boxes: set[tuple[int, int, int, int]] = set()
    expected_keywords: set[tuple[str, int, int, int]] = set()
    for placing in counts.placings(tx):
        where = (placing.arrival, placing.id, placing.thread)
        expected_boxes |= {(box, *where) for box in placing.mailboxes}
        expected_keywords |= {(keyword, *where) for keyword in placing.indexed_keywords}
        if not placing.mailboxes or not placing.mailboxes <= set(boxes):
            found.append(f"Email E{placing.id:x}: its Mailboxes are not all there")
    rows = tx.rows("SELECT mailbox, arrival, id, thread FROM email_mailbox WHERE account=?", tx.account)
    if set(rows) != expected_boxes:
        found.append(f"{len(set(rows) ^ expected_boxes)} rows of Mailboxes' lists are missing or too many")
    words = tx.rows("SELECT keyword, arrival, id, thread FROM email_keyword WHERE account=?", tx.account)
    if set(words) != expected_keywords:
        found.append(f"{len(set(words) ^ expected_keywords)} rows of keywords' lists are missing or too many")
    lists = [all_emails(), mailbox_threads(0)]
    lists += [source for box in boxes for source in (mailbox_emails(box), mailbox_threads(box))]
    lists += [keyword_emails(keyword) for keyword in {UNSEEN, *(row[0] for row in words)}]
    for source in lists:
        found += ranks.faults(tx, source)
    without = (
        "SELECT count(*) FROM email e WHERE account=?"
        " AND NOT EXISTS (SELECT 1 FROM {} o WHERE o.account=e.account AND {})"
    )
    if tx.value(without.format("thread", "o.id=e.thread"), tx.account):
        found.append("Emails are in a Thread that is not there")
    if tx.value(without.format("blob", "o.digest=e.blob"), tx.account):
        found.append("the octets of Emails are missing")
    held = tx.value("SELECT coalesce(sum(size), 0) FROM email WHERE account=?", tx.account)
    if quota.used_by(tx, "Email") != held:
        found.append(f"the Emails have {held} octets, but {quota.used_by(tx, 'Email')} are counted against the quota")
    return found
