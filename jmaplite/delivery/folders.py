"""The Mailboxes that scripts mean: by name, by special use or by id (RFC 5228 §4.1, RFC 8579, RFC 9042)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from jmaplite.core.context import Services
from jmaplite.datatypes.mail.capability import settings_of
from jmaplite.datatypes.mail.folders import make_mailbox
from jmaplite.datatypes.mail.mailbox import MAILBOX, ROLES, may_be_named
from jmaplite.delivery.filing import inbox
from jmaplite.formats import sieve
from jmaplite.store import Reader, Writer

_SEPARATOR = "/"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a script wants a message; None for the inbox.

    The names of a Mailbox and those above it are joined by slashes; "INBOX", in any case, is the inbox.
    """

    name: str
    create: bool = False
    role: str | None = None
    mailbox_id: str | None = None


def place(action: sieve.FileInto | sieve.Fcc) -> Place:
    """Where an action files."""
    return Place(action.mailbox, action.create, role(action.special_use), action.mailbox_id)


def role(special_use: str | None) -> str | None:
    """The role of a special use such as "\\Junk" (RFC 8621 §2); None if there is none."""
    found = (special_use or "").removeprefix("\\").lower()
    return found if found in ROLES else None


def find(tx: Reader, services: Services, wanted: Place) -> int | None:
    """The Mailbox that is meant, if it is there: that of the id, else that of the role, else that of the name."""
    if wanted.mailbox_id is not None:
        number = by_id(tx, wanted.mailbox_id)
        if number is not None:
            return number
    return by_role(tx, wanted.role) or by_name(tx, services, wanted.name)


def by_id(tx: Reader, mailbox_id: str) -> int | None:
    """The Mailbox of an id."""
    number = MAILBOX.parse_id(mailbox_id)
    return number if number is not None and MAILBOX.records.exists(tx, number) else None


def by_role(tx: Reader, name: str | None) -> int | None:
    """The Mailbox of a role."""
    if name is None:
        return None
    found: int | None = tx.value("SELECT min(id) FROM mailbox WHERE account=? AND role=?", tx.account, name)
    return found


def by_name(tx: Reader, services: Services, name: str) -> int | None:
    """The Mailbox of a name; one at the top whose name has slashes in it counts too, and then what a role goes by."""
    name, aliases = unicodedata.normalize("NFC", name), settings_of(services).aliases
    return _child(tx, None, name) or _walk(tx, _names(name), aliases)[0]


def _names(path: str) -> list[str]:
    return [one for one in path.split(_SEPARATOR) if one]


def _child(tx: Reader, parent: int | None, name: str) -> int | None:
    found: int | None = by_role(tx, "inbox") if parent is None and name.upper() == "INBOX" else None
    if found is not None:
        return found
    above = "parent_id IS NULL" if parent is None else "parent_id=?"
    values = () if parent is None else (parent,)
    sql = f"SELECT min(id) FROM mailbox WHERE account=? AND name=? AND {above}"
    number: int | None = tx.value(sql, tx.account, name, *values)
    return number


def _walk(tx: Reader, names: list[str], aliases: Mapping[str, str]) -> tuple[int | None, int | None, list[str]]:
    """The Mailbox at the end of a path, if it is there; else the last that is, and the names beneath it."""
    parent: int | None = None
    for at, name in enumerate(names):
        found = _child(tx, parent, name)
        if found is None and parent is None:
            found = by_role(tx, aliases.get(name.casefold()))
        if found is None:
            return None, parent, names[at:]
        parent = found
    return parent, parent, []


def ensure(tx: Writer, services: Services, owner: str, wanted: Place) -> int:
    """The Mailbox that is meant, made if that is asked for; the inbox where there is none and none can be made."""
    found = find(tx, services, wanted)
    if found is not None:
        return found
    if not wanted.create:
        return inbox(tx, owner)
    settings = settings_of(services)
    names = _names(unicodedata.normalize("NFC", wanted.name))
    is_good = all(may_be_named(one) and len(one.encode()) <= settings.max_size_mailbox_name for one in names)
    _, parent, missing = _walk(tx, names, settings.aliases)
    if not is_good or not missing or _depth(tx, parent) + len(missing) > settings.max_mailbox_depth:
        return inbox(tx, owner)
    for name in missing[:-1]:
        parent = make_mailbox(tx, owner, name, parent=parent)
    return make_mailbox(tx, owner, missing[-1], parent=parent, role=wanted.role)


def _depth(tx: Reader, number: int | None) -> int:
    """How many Mailboxes there are from one up to the top, itself included."""
    depth = 0
    while number is not None and depth < 1000:
        number = tx.value("SELECT parent_id FROM mailbox WHERE account=? AND id=?", tx.account, number)
        depth += 1
    return depth
