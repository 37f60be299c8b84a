"""What is found where mail is looked for: a message, a folder, or something that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass, field

from jmaplite.formats.mailboxes.flags import Flags

MailboxPath = tuple[str, ...]
"""Names of Mailboxes from the top down; empty for the inbox."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message with CRLF line ends, the Mailbox that it is for, and where it was found (to tell a person).

    `received` is when it was received, if that is known to the second; `local` is the same in a zone that is
    not known; `modified` is when its file was last changed. All are seconds since the epoch. `weight` is how
    far a progress bar goes on.
    """

    where: str
    octets: bytes
    path: MailboxPath
    flags: Flags = field(default_factory=Flags)
    received: int | None = None
    local: int | None = None
    modified: int | None = None
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that becomes a Mailbox even if there is nothing in it."""

    where: str
    path: MailboxPath


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that should have been a message, and why it is none, as the end of a sentence."""

    where: str
    reason: str
    weight: int = 0


Found = Incoming | Folder | Unreadable
