"""What a run of a script comes to: plain values, in the order in which they are to be done."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b

from jmaplite.formats.sieve.errors import SieveError
from jmaplite.formats.sieve.letter import Edited


@dataclass(frozen=True, slots=True)
class Keep:
    """File into the inbox; `message` is the message as the script has changed it, or None."""

    flags: tuple[str, ...] = ()
    message: Edited | None = field(default=None, compare=False)
    is_implicit: bool = False
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class FileInto:
    """File into a mailbox: that of the id, else one with the special use, else that of the name (RFC 9042, RFC 8579).

    `create` asks for a mailbox that is missing to be made (RFC 5490 §3.2).
    """

    mailbox: str
    flags: tuple[str, ...] = ()
    create: bool = False
    special_use: str | None = None
    mailbox_id: str | None = None
    is_copy: bool = False
    message: Edited | None = field(default=None, compare=False)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send on to an address, the envelope's sender empty if it was (RFC 5228 §4.2)."""

    address: str
    is_copy: bool = False
    message: Edited | None = field(default=None, compare=False)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Discard:
    """Do not keep implicitly."""

    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse the message: in the protocol if that can be, always if `is_early` (RFC 5429)."""

    reason: str
    is_early: bool = False
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Fcc:
    """Where a copy of what is sent is filed (RFC 8580); as in FileInto."""

    mailbox: str
    flags: tuple[str, ...] = ()
    create: bool = False
    special_use: str | None = None
    mailbox_id: str | None = None


@dataclass(frozen=True, slots=True)
class Vacation:
    """Answer the sender, unless the same answer has gone there within a period of seconds (RFC 5230).

    `key` tells answers apart. With `is_mime`, the reason is a MIME entity. The subject is None where none is asked for.
    `changed` is the message as the script has changed it, or None.
    """

    reason: str
    key: str
    period: int
    subject: str | None = None
    sender: str | None = None
    addresses: tuple[str, ...] = ()
    is_mime: bool = False
    fcc: Fcc | None = None
    changed: Edited | None = field(default=None, compare=False)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Notify:
    """Send a notification by a method (RFC 5435)."""

    method: str
    message: str | None = None
    sender: str | None = None
    importance: int = 2
    options: tuple[str, ...] = ()
    fcc: Fcc | None = None
    changed: Edited | None = field(default=None, compare=False)
    line: int = field(default=0, compare=False)


Action = Keep | FileInto | Redirect | Discard | Reject | Vacation | Notify


@dataclass(frozen=True, slots=True)
class DuplicateMark:
    """What to remember once all has been done: a key, for so many seconds (RFC 7352 §3)."""

    key: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The actions of a run, an implicit keep among them, and the error that ended it, if one did.

    With an error there is nothing to be done but the keep, of the message as it came (RFC 5228 §2.10.6).
    """

    actions: tuple[Action, ...]
    error: SieveError | None = None
    duplicates: tuple[DuplicateMark, ...] = ()
    steps: int = 0


def key_of(*parts: bytes | None) -> str:
    """A short name for a list of strings, unlike that of any other list."""
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(b"-" if part is None else b"%d:%b" % (len(part), part))
    return digest.hexdigest()
