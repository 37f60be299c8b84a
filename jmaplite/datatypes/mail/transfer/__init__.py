"""Mail in and out of accounts, many messages at a time, and the check of all that is stored."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import orjson

from jmaplite.blobs import UnknownBlob
from jmaplite.core.accounts import account_of
from jmaplite.core.context import Services
from jmaplite.datatypes.mail import conversations
from jmaplite.datatypes.mail.capability import settings_of
from jmaplite.datatypes.mail.mailbox import MAILBOX
from jmaplite.datatypes.mail.tables import ARRIVAL_SHIFT
from jmaplite.datatypes.mail.transfer.importer import Importer, Outcome, Result
from jmaplite.datatypes.mail.transfer.names import MailboxAt, find_mailbox, paths_for_others, read_mailboxes
from jmaplite.datatypes.mail.verify import check
from jmaplite.directory import Directory, DirectoryUnavailable
from jmaplite.formats.mailboxes import Found, MailboxPath
from jmaplite.store import Row, StoreError, Writer

__all__ = ["MailboxAt", "Outcome", "Owner", "Result", "Stored", "Transfer", "TransferFailed", "find_mailbox"]

_PAGE = 100
"""Emails that an export reads from one snapshot."""

_EXPORTED = (
    "SELECT m.arrival, e.id, e.blob, e.keywords, e.from_ FROM email_mailbox m"
    " JOIN email e ON e.account=m.account AND e.id=m.id WHERE m.account=? AND m.mailbox=? AND m.arrival>?"
    " ORDER BY m.arrival LIMIT ?"
)


_EVERYTHING = (
    "SELECT arrival, id, blob, keywords, mailbox_ids FROM email WHERE account=? AND arrival>? ORDER BY arrival LIMIT ?"
)


class TransferFailed(Exception):
    """What was asked for cannot be done; the only argument is a sentence."""


@dataclass(frozen=True, slots=True)
class Owner:
    """An account and the name of the principal that it belongs to."""

    account_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Stored:
    """An Email: Id, octets and their SHA-256, keywords, receivedAt in seconds, and the address of From."""

    id: str
    digest: bytes
    octets: bytes
    keywords: frozenset[str]
    received: int
    sender: str


class Transfer:
    """What commands do with the mail of accounts; `fill` writes what a new account, of an owner, gets."""

    def __init__(
        self,
        services: Services,
        directory: Directory,
        fill: Callable[[Writer, str], None],
        take_identities: Callable[[Services, str, str, tuple[str, ...], Sequence[Mapping[str, Any]]], int],
    ) -> None:
        self._take_identities = take_identities
        self._services = services
        self._directory = directory
        self._fill = fill

    def owner(self, name: str, *, make: bool = False) -> Owner:
        """The account of a principal (by name or address; made, if asked for, where there is none), or that of an id.

        Raises TransferFailed.
        """
        with _told():
            principal = self._directory.principal(name) or self._directory.by_email(name)
            if principal is not None:
                if not make and self._services.store.account_of(principal.name) is None:
                    raise TransferFailed(
                        f"{principal.name} has no account yet: it is made at the first log-in or import"
                    )
                return Owner(account_of(self._services.store, principal, self._fill), principal.name)
            owners = self.owners()
            found = next((owner for owner in owners if owner.account_id == name), None)
            if found is not None:
                return found
            names = [owner.account_id for owner in owners]
            for principal in self._directory.principals():
                names += [principal.name, *principal.emails]
        close = get_close_matches(name, names, n=1)
        hint = f" (did you mean “{close[0]}”?)" if close else ""
        raise TransferFailed(f"there is no account, principal or address “{name}”{hint}")

    def owners(self) -> list[Owner]:
        """Every account that there is. Raises TransferFailed."""
        with _told():
            return [Owner(account.id, account.owner) for account in self._services.store.accounts()]

    def run(self, owner: Owner, items: Iterable[Found]) -> Iterator[Result]:
        """Import what is found, telling what became of each once that is durable. Raises TransferFailed."""
        with _told():
            yield from Importer(self._services, owner.account_id, owner.name).run(items)

    def mailboxes(self, owner: Owner) -> list[MailboxAt]:
        """Every Mailbox in the order of their paths. Raises TransferFailed."""
        with _told(), self._services.store.account(owner.account_id).read() as tx:
            return read_mailboxes(tx)

    def mailbox(self, owner: Owner, path: MailboxPath) -> MailboxAt:
        """The Mailbox of a path. Raises TransferFailed."""
        boxes = self.mailboxes(owner)
        found = find_mailbox(boxes, path, settings_of(self._services).aliases)
        if found is None:
            close = get_close_matches("/".join(path), ["/".join(box.path) for box in boxes], n=1)
            hint = f" (did you mean “{close[0]}”?)" if close else ""
            raise TransferFailed(f"there is no mailbox “{'/'.join(path)}”{hint}")
        return found

    def emails(self, owner: Owner, mailbox: MailboxAt) -> Iterator[Stored]:
        """The Emails of a Mailbox, the oldest first; those that come or go meanwhile may be missed.

        Raises TransferFailed.
        """
        after = -1
        rows: list[Row] | None = None
        with _told():
            account = self._services.store.account(owner.account_id)
            while rows is None or len(rows) == _PAGE:
                with account.read() as tx:
                    rows = tx.rows(_EXPORTED, tx.account, mailbox.number, after, _PAGE)
                    for arrival, number, digest, keywords, sender in rows:
                        after = arrival
                        addresses = orjson.loads(sender)
                        yield Stored(
                            f"E{number:x}",
                            digest,
                            self._services.blobs.read(tx, digest),
                            frozenset(orjson.loads(keywords)),
                            arrival >> ARRIVAL_SHIFT,
                            addresses[0]["email"] if addresses else "",
                        )

    def folders(self, owner: Owner) -> list[MailboxPath]:
        """The path of every Mailbox as others have it, parents first. Raises TransferFailed."""
        return sorted(paths_for_others(self.mailboxes(owner)).values())

    def everything(self, owner: Owner, known: Container[str]) -> Iterator[tuple[Stored, frozenset[MailboxPath]]]:
        """Every Email whose id is not known, with the paths of its Mailboxes, the oldest first.

        Raises TransferFailed.
        """
        after = -1
        rows: list[Row] | None = None
        with _told():
            account = self._services.store.account(owner.account_id)
            while rows is None or len(rows) == _PAGE:
                with account.read() as tx:
                    paths = paths_for_others(read_mailboxes(tx))
                    rows = tx.rows(_EVERYTHING, tx.account, after, _PAGE)
                    for arrival, number, digest, keywords, boxes in rows:
                        after = arrival
                        if f"E{number:x}" in known:
                            continue
                        octets = self._services.blobs.read(tx, digest)
                        words = frozenset(orjson.loads(keywords))
                        email = Stored(f"E{number:x}", digest, octets, words, arrival >> ARRIVAL_SHIFT, "")
                        yield email, frozenset(paths[MAILBOX.parse_id(box) or 0] for box in orjson.loads(boxes))

    def transferred(self, owner: Owner, place: str) -> set[str]:
        """The ids of Emails that were noted to have come from a place, or gone there. Raises TransferFailed."""
        with _told(), self._services.store.account(owner.account_id).read() as tx:
            return {row[0] for row in tx.rows("SELECT id FROM transferred_email WHERE account=? AND place=?",
                                              tx.account, place)}  # fmt: skip

    def note_transferred(self, owner: Owner, place: str, ids: Sequence[str]) -> None:
        """Note that Emails have come from a place, or gone there. Raises TransferFailed."""

        def work(tx: Writer) -> None:
            sql = "INSERT INTO transferred_email (account, place, id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
            tx.executemany(sql, [(tx.account, place, one) for one in ids])

        with _told():
            self._services.store.account(owner.account_id).write(work)

    def identities(self, owner: Owner, found: Sequence[Mapping[str, Any]]) -> int:
        """Take over Identities, as far as the user has their addresses; answers how many. Raises TransferFailed."""
        with _told():
            principal = self._directory.principal(owner.name)
            addresses = principal.emails if principal else ()
            return self._take_identities(self._services, owner.account_id, owner.name, addresses, found)

    def rebuild_threads(self, owner: Owner) -> conversations.Told:
        """Make Threads what they would be if all mail came in now. Raises TransferFailed."""
        if not settings_of(self._services).threading.enabled:
            raise TransferFailed("conversations are off: messages are put into Threads when they are on")
        with _told():
            return conversations.rebuild(self._services, owner.account_id)

    def clear_threads(self, owner: Owner) -> conversations.Told:
        """Make every Email a Thread of its own. Raises TransferFailed."""
        with _told():
            return conversations.clear(self._services, owner.account_id)

    def audit_threads(self, owner: Owner) -> list[str]:
        """Where Threads and their counts are not what they should be, a sentence each. Raises TransferFailed."""
        with _told():
            return conversations.audit(self._services, owner.account_id)

    def threads(self, owner: Owner) -> Iterator[conversations.Listed]:
        """Every Thread, the oldest first. Raises TransferFailed."""
        with _told():
            yield from conversations.dump(self._services, owner.account_id)

    def verify(self, owner: Owner) -> list[str]:
        """Faults of an account, a sentence each: its files, its blobs, its mail. Raises TransferFailed."""
        with _told():
            faults = self._services.store.verify(owner.account_id)
            if faults:
                return faults
            with self._services.store.account(owner.account_id).read() as tx:
                return [*self._services.blobs.verify(tx), *check(tx)]


@contextmanager
def _told() -> Iterator[None]:
    """What store and directory raise, as a sentence for a person."""
    try:
        yield
    except DirectoryUnavailable as error:
        raise TransferFailed(f"the directory does not answer: {error}") from error
    except UnknownBlob as error:
        raise TransferFailed(f"the store has lost the octets of a message (blob {error})") from error
    except StoreError as error:
        raise TransferFailed(f"the store cannot be used: {error}") from error
