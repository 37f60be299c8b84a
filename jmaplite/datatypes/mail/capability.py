"""The capability of mail and its settings (RFC 8621 §1.3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jmaplite.core.context import Context, Services

MAIL = "urn:ietf:params:jmap:mail"


@dataclass(frozen=True, slots=True)
class Threading:
    """How messages that come in are put into Threads (RFC 8621 §3 leaves it to the server).

    `enabled`: else every message is a Thread of its own. `max_emails`: a Thread that has so many is not added to, the
    next message begins another (0: no bound). `expire_after`: seconds after which the message ids of messages that are
    not there any more draw no others into their Thread (0: never). `counted_keywords`: those that conditions and sort
    orders may look for in whole Threads, beside `$seen` (None: all).
    """

    enabled: bool = True
    max_emails: int = 0
    expire_after: int = 0
    counted_keywords: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class FirstMailbox:
    """A Mailbox that a new account begins with."""

    name: str
    role: str
    subscribed: bool = True


FIRST_MAILBOXES = tuple(
    FirstMailbox(role.capitalize(), role) for role in ("inbox", "drafts", "sent", "archive", "junk", "trash")
)


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Limits of mail, in octets and counts, how Threads are made, and what a new account begins with, in order.

    `aliases` are roles by further names, in small letters, that their Mailboxes go by outside JMAP. `expunge_after`:
    seconds after which what is in the trash or among junk ends by itself (0: never). `guess_charsets`: whether
    EmailBodyValues may be read by another charset than the one that is told (§9.1).
    """

    max_mailbox_depth: int = 10
    max_size_mailbox_name: int = 255
    max_size_attachments_per_email: int = 50_000_000
    max_size_email: int = 75_000_000
    max_keywords_per_email: int = 128
    max_mailboxes_per_email: int | None = 100
    max_parse_items: int = 10
    max_snippets: int = 100
    threading: Threading = field(default_factory=Threading)
    first_mailboxes: tuple[FirstMailbox, ...] = FIRST_MAILBOXES
    aliases: Mapping[str, str] = field(default_factory=dict)
    expunge_after: int = 0
    guess_charsets: bool = True


def mail_settings(ctx: Context) -> MailSettings:
    """The settings of the server that a request came to."""
    return settings_of(ctx.services)


def settings_of(services: Services) -> MailSettings:
    """The settings of a server."""
    found: MailSettings = services.settings.get(MAIL, _DEFAULTS)
    return found


_DEFAULTS = MailSettings()
