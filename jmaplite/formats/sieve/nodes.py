"""A script as it is run: every command checked, every string ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from jmaplite.formats.sieve.errors import SieveError
from jmaplite.formats.sieve.strings import Text

if TYPE_CHECKING:
    from jmaplite.formats.sieve.matching import Match

Strings = tuple[Text, ...]
Value = bool | int | bytes | Text | Strings

_NONE: Mapping[str, Value] = MappingProxyType({})


@dataclass(slots=True)
class Node:
    """A command or test: tags by name, positional arguments, tests and block.

    Of `positional`, what was left out at the beginning is None. `needs` are capabilities that have to be found by
    "ihave" first; `failure` is the error of reaching it at all (RFC 5463 §4).
    """

    name: str
    line: int
    column: int
    tags: Mapping[str, Value] = field(default_factory=lambda: _NONE)
    positional: tuple[Value | None, ...] = ()
    tests: tuple[Node, ...] = ()
    block: tuple[Node, ...] = ()
    match: Match | None = None
    needs: frozenset[str] = frozenset()
    failure: SieveError | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """A script that has been parsed; it may be kept and run any number of times, by several threads."""

    nodes: tuple[Node, ...]
    requires: frozenset[str]
    """The capabilities that it requires, those included that others imply."""
    capabilities: frozenset[str]
    """The capabilities that "ihave" may find."""
    size: int
