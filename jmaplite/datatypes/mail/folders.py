"""Mailboxes by name and role: those that a new account has, and those that an import asks for."""

from __future__ import annotations

from typing import Any

from jmaplite.datatypes.mail.capability import FirstMailbox
from jmaplite.datatypes.mail.mailbox import MAILBOX
from jmaplite.store import Writer


def make_mailbox(
    tx: Writer,
    owner: str,
    name: str,
    *,
    parent: int | None = None,
    role: str | None = None,
    sort_order: int = 0,
    subscribed: bool = True,
) -> int:
    """Make a Mailbox outside any request, `subscribed` if its owner wants to see it; answers its number."""
    number = tx.change("Mailbox")
    record: dict[str, Any] = {
        "name": name,
        "parentId": None if parent is None else MAILBOX.format_id(parent),
        "role": role,
        "sortOrder": sort_order,
        **dict.fromkeys(MAILBOX.count_properties, 0),
    }
    columns = {"account": tx.account, "id": number, "changed": number, **MAILBOX.records.columns(record)}
    marks = ", ".join("?" * len(columns))
    tx.execute(f"INSERT INTO mailbox ({', '.join(columns)}) VALUES ({marks})", *columns.values())
    MAILBOX.records.set_user_value(tx, owner, number, "isSubscribed", subscribed)
    return number


def make_first_mailboxes(tx: Writer, owner: str, first: tuple[FirstMailbox, ...]) -> None:
    """What a new account is filled with."""
    for order, one in enumerate(first, 1):
        make_mailbox(tx, owner, one.name, role=one.role, sort_order=10 * order, subscribed=one.subscribed)
