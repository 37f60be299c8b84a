"""Match types: whether values match keys (RFC 5228 §2.7.1, RFC 5231)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from jmaplite.formats.sieve.comparators import DEFAULT_COMPARATOR, Comparator
from jmaplite.formats.sieve.globs import Glob
from jmaplite.formats.sieve.regex import Regex, compile_regex

RELATIONS: dict[bytes, Callable[[Any, Any], bool]] = {
    b"gt": operator.gt,
    b"ge": operator.ge,
    b"lt": operator.lt,
    b"le": operator.le,
    b"eq": operator.eq,
    b"ne": operator.ne,
}

Charge = Callable[[int], None]
"""Takes a number of octets that are about to be looked at; raises where there have been too many."""

_REGEX_WORK = 250
"""How much more a step of a regular expression costs than an octet."""

_KEY_WORK = 150
"""What it costs to look at a pattern at all."""

_VALUE_WORK = 30
_PAIR_WORK = 12
"""What it costs to look at a value, and to compare it with a key."""

_CASE_WORK = 10
"""How much more an octet of a value costs of which every character is looked up."""

_PATTERN_WORK = 64
"""How much more an octet of a pattern costs that is made ready in a run."""

_MOST_CACHED = 500  # octets of a pattern


@dataclass(slots=True)
class Match:
    """How a test compares: its match type, the relation of "count" and "value", and its comparator.

    `keys` holds prepared keys where all of them are constant.
    """

    kind: str = "is"
    comparator: Comparator = DEFAULT_COMPARATOR
    relation: Callable[[Any, Any], bool] = operator.eq
    keys: tuple[Any, ...] | None = field(default=None)
    key_set: frozenset[Any] | None = None

    def fix_keys(self, keys: Sequence[bytes], most: int) -> int:
        """Prepare keys once for all runs; how many steps of regular expressions they have, of those that may be.

        Raises ValueError for more, or for what is no regular expression.
        """
        steps = 0
        prepared = []
        for key in keys:
            prepared.append(self._prepare(key))
            if self.kind == "regex":
                steps += prepared[-1].size
                if steps > most:
                    raise ValueError("the regular expressions of this script are too large together")
        self.keys = tuple(prepared)
        if self.kind == "is":
            self.key_set = frozenset(self.keys)
        return steps

    def _prepare(self, key: bytes) -> Any:
        if self.kind == "regex":
            return (_regex if len(key) <= _MOST_CACHED else compile_regex)(key, self.comparator.name)
        prepared = self.comparator.prepare(key)
        if self.kind != "matches":
            return prepared
        return (_glob if len(key) <= _MOST_CACHED else Glob)(prepared, not self.comparator.keeps_length)

    def _prepared(self, keys: Sequence[bytes], charge: Charge) -> Iterator[Any]:
        for key in keys:
            prepared = self._prepare(key)
            if self.kind == "regex":
                charge(prepared.size * _REGEX_WORK)
            yield prepared

    def first(self, values: Iterable[bytes], keys: Sequence[bytes] | None, charge: Charge) -> list[bytes] | None:
        """The first value that matches any key, and after it what its wildcards stand for; None if none does.

        Keys are the fixed ones where `keys` is None. Raises ValueError for a key that is no regular expression.
        """
        prepared = self.keys
        if prepared is None:
            assert keys is not None
            charge(sum(map(len, keys)) * (_PATTERN_WORK if self.kind in ("matches", "regex") else 1))
            prepared = tuple(self._prepared(keys, charge))
        key_set = self.key_set
        for value in values:
            looked_up = not self.comparator.keeps_length and not value.isascii()
            charge(len(value) * (_CASE_WORK if looked_up else 1) + _VALUE_WORK)
            if key_set is not None:
                if self.comparator.prepare(value) in key_set:
                    return [value]
            elif self.kind in ("matches", "regex"):
                if (found := self._captured(value, prepared, charge)) is not None:
                    return found
            elif self._compares(self.comparator.prepare(value), prepared, charge):
                return [value]
        return None

    def _compares(self, value: Any, keys: Sequence[Any], charge: Charge) -> bool:
        if self.kind == "contains":
            charge((len(value) + _PAIR_WORK) * len(keys))
            return any(key in value for key in keys)
        charge(_PAIR_WORK * len(keys))
        relation = self.relation
        return any(relation(value, key) for key in keys)

    def count(self, number: int, keys: Sequence[bytes] | None, charge: Charge) -> bool:
        """Whether a number of things is in the relation to any key (RFC 5231 §4.2)."""
        return self.first([b"%d" % number], keys, charge) is not None

    def _captured(self, value: bytes, keys: Sequence[Glob | Regex], charge: Charge) -> list[bytes] | None:
        prepared, places = value, None
        if self.kind == "matches":
            prepared, places = self.comparator.prepare_with_places(value)
        for key in keys:
            if isinstance(key, Regex):
                if (captured := key.search(value, lambda steps: charge(steps * _REGEX_WORK))) is not None:
                    return captured
                continue
            charge(len(prepared) * key.wild + key.cost + _KEY_WORK)
            if (spans := key.match(prepared)) is not None:
                if places is not None:
                    spans = [(places[start], places[end]) for start, end in spans]
                return [value, *(value[start:end] for start, end in spans)]
        return None


_glob = lru_cache(maxsize=256)(Glob)
_regex = lru_cache(maxsize=256)(compile_regex)
