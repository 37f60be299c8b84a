"""Many messages into an account: batches, each durable before the next begins.

A message whose exact octets an account holds already is not made a second time: the Email that has them is
put into the Mailbox too, if it is not there yet. So an import can be broken off at any point and begun again.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from jmaplite.core.context import Access, Context, Services
from jmaplite.core.errors import SetError
from jmaplite.core.methods.set import set_
from jmaplite.core.records import slots
from jmaplite.datatypes.mail.capability import MAIL, mail_settings, settings_of
from jmaplite.datatypes.mail.filing import refile
from jmaplite.datatypes.mail.ingest import Prepared, insert, prepare
from jmaplite.datatypes.mail.mailbox import MAILBOX
from jmaplite.datatypes.mail.placing import read_placing
from jmaplite.datatypes.mail.transfer.names import find_mailbox, read_mailboxes, role_of
from jmaplite.formats.mailboxes import Folder, Found, Incoming, MailboxPath
from jmaplite.store import Reader, StoreError, Writer

Outcome = Literal["imported", "added", "present", "failed"]

BATCH = 50
BATCH_OCTETS = 16_000_000
"""What is written in one transaction at most, in messages and octets; a larger message is written alone."""

LAST_SECOND = 253_402_300_799
"""The end of the year 9999, the last that a UTCDate can name (RFC 8620 §1.4)."""

_ZONES = 15 * 3600
"""How far a date in an unknown zone can be off in seconds, and some minutes more."""

_TRASH: MailboxPath = ("Trash",)
_SET_MAILBOX = set_(MAILBOX)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of something: `imported`, `added` to a Mailbox, `present` already, or `failed` and why."""

    where: str
    outcome: Outcome
    reason: str = ""
    weight: int = 0


@dataclass(slots=True)
class _Entry:
    """The messages of a batch that have the same octets, each with the Mailbox that it is for."""

    messages: list[tuple[Incoming, int]] = field(default_factory=list)
    prepared: Prepared | None = None


class _Refused(Exception):
    """Something cannot be imported; the only argument says why."""


class _Changed(Exception):
    """A Mailbox that was there before the transaction began is not there any more."""


class Importer:
    """Brings messages into one account."""

    def __init__(self, services: Services, account_id: str, user: str) -> None:
        self._services = services
        self._account = services.store.account(account_id)
        access = Access(account_id, user, True, False, frozenset({MAIL}))
        self._context = Context(services, user, {account_id: access}, frozenset({MAIL}))
        self._boxes: dict[MailboxPath, int] = {}

    def run(self, items: Iterable[Found]) -> Iterator[Result]:
        """Import everything, telling what became of each once that is durable. Raises StoreError."""
        batch: list[Incoming] = []
        octets = 0
        for item in items:
            size = len(item.octets) if isinstance(item, Incoming) else BATCH_OCTETS
            if batch and (len(batch) == BATCH or octets + size > BATCH_OCTETS):
                yield from self._take(batch)
                batch, octets = [], 0
            if isinstance(item, Incoming):
                batch.append(item)
                octets += size
            elif isinstance(item, Folder):
                yield from self._folder(item)
            else:
                yield Result(item.where, "failed", item.reason, item.weight)
        if batch:
            yield from self._take(batch)

    def _folder(self, folder: Folder) -> Iterator[Result]:
        try:
            self._box(folder.path)
        except _Refused as error:
            yield Result(folder.where, "failed", str(error))

    def _take(self, batch: Sequence[Incoming]) -> list[Result]:
        """Import a batch; if that fails, each message by itself."""
        try:
            return self._import(batch)
        except StoreError:
            raise
        except _Changed:
            self._boxes.clear()
            return self._import(batch)
        except Exception as error:
            if len(batch) > 1:
                return [result for message in batch for result in self._take([message])]
            reason = str(error) if isinstance(error, _Refused | SetError) else f"{type(error).__name__}: {error}"
            return [Result(batch[0].where, "failed", reason, batch[0].weight)]

    def _import(self, batch: Sequence[Incoming]) -> list[Result]:
        entries: dict[bytes, _Entry] = {}
        most = mail_settings(self._context).max_keywords_per_email
        for message in batch:
            if len(message.flags.keywords) > most:
                raise _Refused(f"it has more than {most} keywords")
            digest = hashlib.sha256(message.octets).digest()
            box = self._box(_TRASH if message.flags.deleted else message.path)
            entries.setdefault(digest, _Entry()).messages.append((message, box))
        with self._account.read() as tx:
            fresh = [digest for digest in entries if _email(tx, digest) is None]
        for digest in fresh:
            octets = entries[digest].messages[0][0].octets
            entries[digest].prepared = prepare(self._services, self._account.id, octets)
        return self._account.write(lambda tx: self._write(tx, entries))

    def _write(self, tx: Writer, entries: dict[bytes, _Entry]) -> list[Result]:
        boxes = sorted({box for entry in entries.values() for _, box in entry.messages})
        marks, padded = slots(boxes)
        found = tx.rows(f"SELECT id FROM mailbox WHERE account=? AND id IN ({marks})", tx.account, *padded)
        if len(found) < len(boxes):
            raise _Changed
        return [result for digest, entry in entries.items() for result in self._file(tx, digest, entry)]

    def _file(self, tx: Writer, digest: bytes, entry: _Entry) -> Iterator[Result]:
        """Put the Email that has these octets, made if need be, into the Mailboxes."""
        boxes = frozenset(box for _, box in entry.messages)
        number = _email(tx, digest)
        known: set[int] = set()
        if number is not None:
            placing = read_placing(tx, number)
            assert placing is not None
            known = set(placing.mailboxes)
            refile(tx, placing, placing.mailboxes | boxes, placing.keywords)
        else:
            first = entry.messages[0][0]
            prepared = entry.prepared or prepare(self._services, self._account.id, first.octets)
            received = received_at(first, prepared, int(self._services.clock()))
            insert(tx, self._services.blobs, prepared, boxes, first.flags.keywords, received)
        for message, box in entry.messages:
            outcome: Outcome = "present" if box in known else "added" if known else "imported"
            known.add(box)
            yield Result(message.where, outcome, weight=message.weight)

    def _box(self, path: MailboxPath) -> int:
        """The Mailbox of a path, made if it is not there. Raises _Refused."""
        number = self._boxes.get(path)
        if number is None:
            named = tuple(unicodedata.normalize("NFC", name) for name in path)
            number = self._boxes[path] = self._look(named) or self._make(path, named)
        return number

    def _look(self, named: MailboxPath) -> int | None:
        with self._account.read() as tx:
            found = find_mailbox(read_mailboxes(tx), named, settings_of(self._services).aliases)
        return found.number if found else None

    def _make(self, path: MailboxPath, named: MailboxPath) -> int:
        parent = self._box(path[:-1]) if len(path) > 1 else None
        create = {
            "name": named[-1] if named else "Inbox",
            "parentId": parent and MAILBOX.format_id(parent),
            "role": role_of(named, settings_of(self._services).aliases),
        }
        response = _SET_MAILBOX(self._context, {"accountId": self._account.id, "create": {"new": create}})
        assert isinstance(response, dict)
        if response["created"]:
            return MAILBOX.parse_id(response["created"]["new"]["id"]) or 0
        # Whoever imports at the same time may have made it just now.
        number = self._look(named)
        if number is not None:
            return number
        error = response["notCreated"]["new"]
        reason = error.get("description") or error["type"]
        raise _Refused(f"the mailbox “{'/'.join(named)}” cannot be made: {reason}")


def _email(tx: Reader, digest: bytes) -> int | None:
    """The oldest Email that has these octets."""
    sql = "SELECT min(number) FROM blob_reference WHERE account=? AND digest=? AND type='Email'"
    number: int | None = tx.value(sql, tx.account, digest)
    return number


def received_at(message: Incoming, prepared: Prepared, now: int) -> int:
    """When a message was received, in seconds since the epoch, at most the end of the year 9999.

    What its source says to the second; or the topmost Received field (RFC 5321 §4.4), unless the source says
    something, in a zone that is not known, that cannot mean the same; or a Date field that is not in the
    future; or when the file was changed; or now.
    """
    moment = message.received
    if moment is None and message.local is not None:
        moment = message.local
        if prepared.received is not None and abs(prepared.received - moment) <= _ZONES:
            moment = prepared.received
    if moment is None:
        moment = prepared.received
    if moment is None and prepared.sent is not None and 0 < prepared.sent <= now:
        moment = prepared.sent
    if moment is None:
        moment = message.modified
    return min(max(now if moment is None else moment, 0), LAST_SECOND)
