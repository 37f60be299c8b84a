"""The directory of users that a configuration names, its driver picked."""

from __future__ import annotations

from jmaplite.config import Config, table
from jmaplite.directory import Directory, Principal
from jmaplite.directory.memory import Entry, MemoryDirectory


def directory(config: Config) -> Directory:
    """The directory in use."""
    return MemoryDirectory(map(_entry, config.directory.principals))


def _entry(principal: table.Principal) -> Entry:
    return Entry(
        Principal(
            principal.name,
            principal.type,  # type: ignore[arg-type]
            principal.description,
            principal.emails,
            principal.quota,
            principal.member_of,
        ),
        principal.secrets,
        principal.tokens,
    )
