"""Names that people and other programs use for Mailboxes, and the Mailboxes they mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jmaplite.formats.mailboxes import MailboxPath
from jmaplite.store import Reader

_NAMES = {
    "inbox": ("inbox",),
    "sent": ("sent", "sent items", "sent mail", "sent messages"),
    "drafts": ("drafts", "draft"),
    "trash": ("trash", "deleted items", "deleted messages", "bin"),
    "junk": ("junk", "spam", "junk mail", "junk e-mail"),
    "archive": ("archive", "archives"),
}
_ROLES = {name: role for role, names in _NAMES.items() for name in names}


@dataclass(frozen=True, slots=True)
class MailboxAt:
    """A Mailbox with its path (the inbox has a name too), role, and number of Emails."""

    number: int
    path: MailboxPath
    role: str | None
    total: int


def role_of(path: MailboxPath, aliases: Mapping[str, str]) -> str | None:
    """The role (RFC 8621 §2) that a path means by its name, in any case; only at the top level it does.

    `aliases` are roles by further names, which count first.
    """
    if not path:
        return "inbox"
    name = path[0].casefold()
    return aliases.get(name, _ROLES.get(name)) if len(path) == 1 else None


def read_mailboxes(tx: Reader) -> list[MailboxAt]:
    """Every Mailbox in the order of their paths, so that parents come before children."""
    sql = "SELECT id, name, parent_id, role, total_emails FROM mailbox WHERE account=?"
    rows = {row[0]: row for row in tx.rows(sql, tx.account)}
    found = []
    for number, _, _, role, total in rows.values():
        path: list[str] = []
        above = number
        while above is not None:
            path.append(rows[above][1])
            above = rows[above][2]
        found.append(MailboxAt(number, tuple(reversed(path)), role, total))
    return sorted(found, key=lambda box: box.path)


def find_mailbox(boxes: Iterable[MailboxAt], path: MailboxPath, aliases: Mapping[str, str]) -> MailboxAt | None:
    """The Mailbox of a path; a name at its top that no Mailbox has stands for the role that it means."""
    by_path = {box.path: box for box in boxes}
    top = path[:1]
    if top not in by_path:
        role = role_of(top, aliases)
        by_role = (box.path for box in by_path.values() if role is not None and box.role == role)
        top = next(by_role, top)
    return by_path.get((*top, *path[1:]))


def paths_for_others(boxes: Iterable[MailboxAt]) -> dict[int, MailboxPath]:
    """The path of each Mailbox, by its number, where those with a role have its usual name whatever they are called.

    The inbox is the empty path, and `Inbox` where it is above others.
    """
    boxes = list(boxes)
    usual = {box.path: (box.role.capitalize(),) for box in boxes if box.role in _NAMES}
    found: dict[int, MailboxPath] = {}
    for box in boxes:
        above = [box.path[:depth] for depth in range(len(box.path), 0, -1)]
        top = next((path for path in above if path in usual), ())
        found[box.number] = () if box.role == "inbox" else (*usual.get(top, ()), *box.path[len(top) :])
    return found
