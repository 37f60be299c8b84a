"""What tests choose at run time: other values for options, and how to be like another server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import tomlkit

from jmaplite.dev.profiles import OWN, PROFILES, Choice
from jmaplite.dev.quirks import checked

AT_THE_START = ("dev", "store", "server")
"""Tables of options that are not for tests to change: a fixture that takes itself away has no way back..."""

_URL = re.compile(r"server\.listener\.[^.]+\.url")
"""... but what it says of where it is may change."""


class NotNow(ValueError):
    """An option cannot be chosen while a fixture runs; the only argument is a sentence."""


def chosen(before: Choice, options: Mapping[str, Any], profile: str | None, quirks: list[str] | None) -> Choice:
    """A choice over another: a profile takes the place of all of it; None as a value is that of the file.

    Raises UnknownQuirk, NotNow, KeyError for a profile.
    """
    for name in options:
        if name.partition(".")[0] in AT_THE_START and not _URL.fullmatch(name):
            raise NotNow(f"{name} cannot be chosen at run time")
    if profile is not None:
        found = PROFILES[profile]
        before = Choice(profile, found.options, found.quirks)
        quirks = None if quirks is None else [*found.quirks, *quirks]
    values = {**before.options, **options}
    return Choice(
        before.profile,
        {name: value for name, value in values.items() if value is not None},
        before.quirks if quirks is None else checked(quirks),
    )


def first(profile: str, quirks: tuple[str, ...]) -> Choice:
    """What holds from the beginning. Raises UnknownQuirk, KeyError for a profile."""
    return chosen(Choice(), {}, profile or OWN, list(quirks))


def overlaid(text: str, options: Mapping[str, Any]) -> str:
    """A configuration with other values for some options. Raises TOMLKitError, ValueError."""
    document = tomlkit.parse(text)
    for name, value in options.items():
        table: Any = document
        *path, last = name.split(".")
        for part in path:
            if part not in table:
                table[part] = tomlkit.table()
            table = table[part]
            if not isinstance(table, Mapping):
                raise ValueError(f"{name}: {part} is not a table")
        table[last] = value
    return tomlkit.dumps(document)
