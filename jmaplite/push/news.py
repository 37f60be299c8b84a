"""What a client is told of changes, and the text from which it can be told later what it has missed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jmaplite.core.methods.arguments import state_string
from jmaplite.push.states import state_change

_MARK = re.compile(r"([A-Za-z0-9_-]{1,255})\.([0-9a-f]{1,16})")
_LONGEST_PART = 255 + 1 + 16 + 1
_ACCOUNTS = 100
"""What a place has for an account at most, and for how many accounts one may always be."""


@dataclass(frozen=True, slots=True)
class News:
    """The states that have changed, by account and type, and a text for all that the user sees (RFC 8887 §4.3.5.1).

    Nothing need have changed: then only the text is news.
    """

    changed: Mapping[str, Mapping[str, str]]
    state: str

    def to_json(self) -> dict[str, Any]:
        """The StateChange object (RFC 8620 §7.1)."""
        return state_change(self.changed)


def format_state(epoch: str, marks: Mapping[str, int]) -> str:
    """A store's epoch and the counter of each account: whatever has a higher change value has changed since."""
    return "~".join((epoch, *(f"{account_id}.{mark:x}" for account_id, mark in marks.items())))


def parse_state(epoch: str, text: str, accounts: int) -> dict[str, int]:
    """The counters in a text that was made so in this epoch for a user who sees so many accounts, or hundreds more.

    What cannot be understood counts as never told, and so does a text that is longer than any such.
    """
    if len(text) > len(epoch) + max(accounts, _ACCOUNTS) * _LONGEST_PART:
        return {}
    begin, *parts = text.split("~")
    if begin != epoch:
        return {}
    found = (_MARK.fullmatch(part) for part in parts)
    return {match[1]: int(match[2], 16) for match in found if match is not None}


def changes(epoch: str, values: Mapping[str, int], types: frozenset[str], mark: int) -> dict[str, str]:
    """The TypeState of an account: the types whose change value is above a mark (RFC 8620 §7.1)."""
    return {name: state_string(epoch, value) for name in sorted(types) if (value := values.get(name, 0)) > mark}
