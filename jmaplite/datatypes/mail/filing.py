"""Filing: giving Emails other Mailboxes and keywords, and ending them."""

from __future__ import annotations

from dataclasses import replace

from jmaplite.blobs import Blobs
from jmaplite.core import quota
from jmaplite.core.records import bury
from jmaplite.datatypes.mail.placing import Placing, place, read_placing
from jmaplite.datatypes.mail.tables import placing_columns
from jmaplite.datatypes.mail.threads import end_if_empty
from jmaplite.store import Writer


def refile(tx: Writer, before: Placing, mailboxes: frozenset[int], keywords: frozenset[str]) -> None:
    """Give an Email these Mailboxes and keywords."""
    after = replace(before, mailboxes=mailboxes, keywords=keywords)
    if after == before:
        return
    columns = placing_columns(after.mailboxes, after.keywords)
    changed = tx.change("Email")
    if mailboxes != before.mailboxes:
        columns["moved"] = changed
    if keywords != before.keywords:
        columns["keyed"] = changed
    sets = ", ".join(f"{name}=?" for name in columns)
    tx.execute(
        f"UPDATE email SET changed=?, {sets} WHERE account=? AND id=?",
        changed,
        *columns.values(),
        tx.account,
        before.id,
    )
    place(tx, before, after)


def end(tx: Writer, blobs: Blobs, placing: Placing) -> None:
    """End an Email: it leaves every Mailbox and its Thread."""
    place(tx, placing, None)
    digest, size = tx.rows("SELECT blob, size FROM email WHERE account=? AND id=?", tx.account, placing.id)[0]
    tx.execute("DELETE FROM email WHERE account=? AND id=?", tx.account, placing.id)
    tx.text_remove("email_text", placing.arrival)
    blobs.unrefer(tx, digest, "Email", placing.id)
    quota.give_back(tx, "Email", size)
    bury(tx, "Email", placing.id, kin=placing.thread, place=placing.arrival)
    end_if_empty(tx, placing.thread)


def empty_mailbox(tx: Writer, blobs: Blobs, mailbox: int) -> None:
    """Take every Email out of a Mailbox; those that are in no other end (RFC 8621 §2.5 onDestroyRemoveEmails)."""
    sql = "SELECT id FROM email_mailbox WHERE account=? AND mailbox=?"
    for (number,) in tx.rows(sql, tx.account, mailbox):
        placing = read_placing(tx, number)
        assert placing is not None
        if len(placing.mailboxes) == 1:
            end(tx, blobs, placing)
        else:
            refile(tx, placing, placing.mailboxes - {mailbox}, placing.keywords)
