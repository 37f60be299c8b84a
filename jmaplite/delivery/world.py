"""The world as a user's script sees it: their Mailboxes, their other scripts, what has come before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from jmaplite import __version__
from jmaplite.core.context import Services
from jmaplite.datatypes.sieve import sieve_settings
from jmaplite.datatypes.sieve.memory import known
from jmaplite.datatypes.sieve.parsed import parsed
from jmaplite.datatypes.sieve.script import named
from jmaplite.delivery import folders
from jmaplite.formats import sieve
from jmaplite.store import Reader

DUPLICATE = "duplicate"
"""Under which marks of messages are remembered (RFC 7352)."""


def environment(host: str) -> Mapping[str, str]:
    """The items of RFC 5183 §4.1 on a host."""
    return {
        "name": "jmaplite",
        "version": __version__,
        "host": host,
        "domain": host.partition(".")[2],
        "location": "MDA",
        "phase": "during",
    }


@dataclass(kw_only=True)
class World(sieve.Outside):
    """An account at one moment. Scripts of the site (`:global`) there are none."""

    services: Services
    tx: Reader

    def mailbox_exists(self, name: str) -> bool:
        """Whether there is a Mailbox of this name."""
        return name.upper() == "INBOX" or folders.by_name(self.tx, self.services, name) is not None

    def mailbox_id_exists(self, mailbox_id: str) -> bool:
        """Whether there is a Mailbox of this id."""
        return folders.by_id(self.tx, mailbox_id) is not None

    def special_use_exists(self, mailbox: str | None, use: str) -> bool:
        """Whether a Mailbox has the role of a special use, if one is named that one."""
        found = folders.by_role(self.tx, folders.role(use))
        return found is not None and (mailbox is None or found == folders.by_name(self.tx, self.services, mailbox))

    def seen(self, key: str) -> bool:
        """Whether a message with this key has come before."""
        return known(self.tx, DUPLICATE, key, int(self.now))

    def script(self, name: str, *, is_global: bool) -> sieve.Script | None:
        """Another script of the user's. Raises SieveError."""
        digest = None if is_global else named(self.tx, name)
        if digest is None:
            return None
        return parsed(sieve_settings(self.services), digest, partial(self.services.blobs.read, self.tx, digest))

    def valid_notify_method(self, uri: str) -> bool:
        """Whether notifications may be sent by this URI."""
        methods = sieve_settings(self.services).methods
        return uri.partition(":")[0].lower() in methods and super().valid_notify_method(uri)
