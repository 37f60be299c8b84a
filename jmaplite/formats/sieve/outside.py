"""What a run asks of the world, all in one place; and the answers where nobody knows better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from jmaplite.formats.sieve.mailto import is_valid_mailto
from jmaplite.formats.sieve.nodes import Script

_ITEMS: Mapping[str, str] = MappingProxyType({"name": "jmaplite", "location": "MDA", "phase": "during"})


@dataclass(slots=True)
class Outside:
    """The world as a script sees it; a subclass knows more.

    `now` is in seconds since the epoch, `environment` has items by name (RFC 5183 §4.1), `separator` stands between
    user and detail of an address (RFC 5233), `addresses` are the user's own, the first that of the script's owner.
    """

    now: float = 0
    environment: Mapping[str, str] = field(default_factory=lambda: _ITEMS)
    separator: str = "+"
    addresses: tuple[str, ...] = ()

    def utc_offset(self, seconds: float) -> int:
        """Minutes that local time is east of UTC at a moment."""
        return 0

    def mailbox_exists(self, name: str) -> bool:
        """Whether the user may deliver into a mailbox of this name (RFC 5490 §3.1)."""
        return name.upper() == "INBOX"

    def mailbox_id_exists(self, mailbox_id: str) -> bool:
        """Whether the user may deliver into the mailbox of this id (RFC 9042 §6)."""
        return False

    def special_use_exists(self, mailbox: str | None, use: str) -> bool:
        """Whether the named mailbox, or any of the user's, has a special use such as "\\Junk" (RFC 8579 §3)."""
        return False

    def seen(self, key: str) -> bool:
        """Whether an earlier run, successful and not expired, left a DuplicateMark with this key (RFC 7352 §3)."""
        return False

    def script(self, name: str, *, is_global: bool) -> Script | None:
        """The parsed script of a name, of the user or of the site; None if there is none. May raise SieveError."""
        return None

    def valid_notify_method(self, uri: str) -> bool:
        """Whether notifications can be sent by this URI (RFC 5435 §4)."""
        return is_valid_mailto(uri)

    def notify_capability(self, uri: str, capability: str) -> str | None:
        """What a notification method can do, of a capability in lower case (RFC 5435 §5, RFC 8580 §6.1).

        None if the capability is not known or the URI not valid; for "fcc" its scheme is enough.
        """
        if capability == "fcc":
            return "yes" if uri.lower().startswith("mailto:") else None
        return "maybe" if capability == "online" and self.valid_notify_method(uri) else None
