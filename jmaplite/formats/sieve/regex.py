"""Extended regular expressions without backtracking (draft-ietf-sieve-regex): time is pattern times value at most.

A pattern becomes a program of small steps, and all ways through it are walked side by side, the preferred one first.
It reads characters; matching is by search, and groups capture.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

MOST_STEPS = 2000  # of a program
_MOST_REPEATS = 255
_DEEPEST = 50
_MOST_GROUPS = 30

Saves = tuple[int, ...]

_CHAR, _ANY, _SET, _SPLIT, _JUMP, _SAVE, _BEGIN, _END, _MATCH = range(9)
_COUNTS = re.compile(r"\{(\d{1,3})(?:(,)(\d{0,3}))?\}")
_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": " \t\r\n\f\v",
    "blank": " \t",
    "punct": "!-/:-@[-`{-~",
    "print": " -~",
    "graph": "!-~",
    "cntrl": "\0-\x1f\x7f",
    "xdigit": "0-9A-Fa-f",
}
_SHORT = {"d": _CLASSES["digit"], "w": "a-zA-Z0-9_", "s": _CLASSES["space"]}
_LETTERS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True, slots=True)
class _Set:
    """Characters of a bracket expression, letters folded if case is ignored."""

    single: frozenset[str]
    ranges: tuple[tuple[str, str], ...]
    is_negated: bool

    def has(self, character: str, folded: str) -> bool:
        found = (
            character in self.single
            or folded in self.single
            or any(low <= character <= high or low <= folded <= high for low, high in self.ranges)
        )
        return found is not self.is_negated


@dataclass(slots=True)
class _Step:
    kind: int
    first: int = 0
    second: int = 0
    character: str = ""
    set: _Set | None = None


def compile_regex(pattern: bytes, comparator: str = "i;octet") -> Regex:
    """A regular expression, ready to search; case counts only in "i;octet". Raises ValueError for what is none."""
    return Regex(_Compiler(pattern.decode("utf-8", "surrogateescape"), comparator).program, comparator)


def _folding(comparator: str) -> Callable[[str], str]:
    if comparator == "i;octet":
        return str
    if comparator == "i;unicode-casemap":
        return str.lower
    return lambda value: value.translate(_LETTERS)


@dataclass(slots=True)
class _Compiler:
    """Reads a pattern and writes its program."""

    pattern: str
    comparator: str
    program: list[_Step] = field(default_factory=list)
    at: int = 0
    groups: int = 0

    def __post_init__(self) -> None:
        self._add(_Step(_SAVE, 0))
        self._alternatives(0)
        if self.at < len(self.pattern):
            raise ValueError("')' without '('")
        self._add(_Step(_SAVE, 1))
        self._add(_Step(_MATCH))

    def _add(self, step: _Step) -> int:
        if len(self.program) >= MOST_STEPS:
            raise ValueError("this regular expression is too large")
        self.program.append(step)
        return len(self.program) - 1

    def _peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _alternatives(self, depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError("groups are nested too deeply")
        jumps = []
        start = len(self.program)
        self._sequence(depth)
        while self._peek() == "|":
            self.at += 1
            self._insert(start, _Step(_SPLIT, start + 1, len(self.program) + 2))
            jumps.append(self._add(_Step(_JUMP)))
            start = len(self.program)
            self._sequence(depth)
        for jump in jumps:
            self.program[jump].first = len(self.program)

    def _insert(self, at: int, step: _Step) -> None:
        """Put a step before others, which move on; what they lead to moves with them."""
        for other in self.program[at:]:
            if other.kind in (_SPLIT, _JUMP):
                other.first += other.first >= at
                other.second += other.second >= at
        self._add(step)
        self.program.insert(at, self.program.pop())

    def _sequence(self, depth: int) -> None:
        while self._peek() not in ("", "|", ")"):
            start = len(self.program)
            self._atom(depth)
            self._repeats(start)

    def _atom(self, depth: int) -> None:
        character = self._peek()
        self.at += 1
        if character == "(":
            self.groups += 1
            if self.groups > _MOST_GROUPS:
                raise ValueError(f"there are more than {_MOST_GROUPS} groups")
            number = self.groups
            self._add(_Step(_SAVE, 2 * number))
            self._alternatives(depth + 1)
            if self._peek() != ")":
                raise ValueError("'(' without ')'")
            self.at += 1
            self._add(_Step(_SAVE, 2 * number + 1))
        elif character == ".":
            self._add(_Step(_ANY))
        elif character == "^":
            self._add(_Step(_BEGIN))
        elif character == "$":
            self._add(_Step(_END))
        elif character == "[":
            self._add(_Step(_SET, set=self._bracket()))
        elif character in "*+?{":
            raise ValueError(f"nothing stands before {character!r}")
        elif character == "\\":
            self._escape()
        else:
            self._literal(character)

    def _literal(self, character: str) -> None:
        self._add(_Step(_CHAR, character=_folding(self.comparator)(character)))

    def _escape(self) -> None:
        character = self._peek()
        if not character:
            raise ValueError("nothing stands after a backslash")
        self.at += 1
        if character.lower() in _SHORT:
            self._add(_Step(_SET, set=self._make_set(_SHORT[character.lower()], character.isupper())))
        elif character.isalnum():
            raise ValueError(f"'\\{character}' has no meaning")
        else:
            self._literal(character)

    def _make_set(self, characters: str, is_negated: bool) -> _Set:
        single, ranges = [], []
        at = 0
        while at < len(characters):
            if characters[at + 1 : at + 2] == "-" and at + 2 < len(characters):
                ranges.append((characters[at], characters[at + 2]))
                at += 3
            else:
                single.append(characters[at])
                at += 1
        return self._folded_set(single, ranges, is_negated)

    def _folded_set(self, single: list[str], ranges: list[tuple[str, str]], is_negated: bool) -> _Set:
        fold = _folding(self.comparator)
        for low, high in list(ranges):
            if high < low:
                raise ValueError(f"{low}-{high} is no range")
            if fold is not str:
                low, high = max(low, "A"), min(high, "Z")
                if low <= high:
                    ranges.append((low.lower(), high.lower()))
        return _Set(frozenset([*single, *map(fold, single)]), tuple(ranges), is_negated)

    def _bracket(self) -> _Set:
        is_negated = self._peek() == "^"
        self.at += is_negated
        single: list[str] = []
        ranges: list[tuple[str, str]] = []
        is_first = True
        while (character := self._peek()) != "]" or is_first:
            if not character:
                raise ValueError("'[' without ']'")
            is_first = False
            if character == "[" and self.pattern[self.at + 1 : self.at + 2] == ":":
                end = self.pattern.find(":]", self.at + 2)
                name = self.pattern[self.at + 2 : end] if end >= 0 else ""
                if name not in _CLASSES:
                    raise ValueError(f"there are no characters named {name!r}")
                made = self._make_set(_CLASSES[name], False)
                single += made.single
                ranges += made.ranges
                self.at = end + 2
                continue
            self.at += 1
            if self._peek() == "-" and self.pattern[self.at + 1 : self.at + 2] not in ("", "]"):
                ranges.append((character, self.pattern[self.at + 1]))
                self.at += 2
            else:
                single.append(character)
        self.at += 1
        return self._folded_set(single, ranges, is_negated)

    def _repeats(self, start: int) -> None:
        while (character := self._peek()) and character in "*+?{":
            if character == "{":
                found = _COUNTS.match(self.pattern, self.at)
                if found is None:
                    raise ValueError("'{' is followed by one or two numbers and '}'")
                self.at = found.end()
                least = int(found[1])
                most = least if not found[2] else int(found[3]) if found[3] else None
            else:
                self.at += 1
                least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[character]
            if max(least, most or 0) > _MOST_REPEATS or (most is not None and most < least):
                raise ValueError("this cannot be repeated so often")
            self._repeat(start, least, most)

    def _repeat(self, start: int, least: int, most: int | None) -> None:
        body = self.program[start:]
        del self.program[start:]
        for _ in range(least):
            self._copy(body, start)
        if most is None:
            split = self._add(_Step(_SPLIT, len(self.program) + 1))
            self._copy(body, start)
            self._add(_Step(_JUMP, split))
            self.program[split].second = len(self.program)
            return
        splits = []
        for _ in range(most - least):
            splits.append(self._add(_Step(_SPLIT, len(self.program) + 1)))
            self._copy(body, start)
        for split in splits:
            self.program[split].second = len(self.program)

    def _copy(self, body: list[_Step], start: int) -> None:
        shift = len(self.program) - start
        for step in body:
            self._add(_Step(step.kind, step.first, step.second, step.character, step.set))
            if step.kind in (_SPLIT, _JUMP):
                self.program[-1].first += shift
                self.program[-1].second += shift


class Regex:
    """A regular expression as a program."""

    def __init__(self, program: list[_Step], comparator: str) -> None:
        self._program = program
        self.size = len(program)
        self._fold = _folding(comparator)
        self._saves = 1 + max(step.first for step in program if step.kind == _SAVE)

    def search(self, value: bytes, charge: Callable[[int], None]) -> list[bytes] | None:
        """What the whole and each group match, at the first place where it does; None where it does not.

        Every step is charged for.
        """
        text = value.decode("utf-8", "surrogateescape")
        folded = self._fold(text)
        if len(folded) != len(text):
            folded = text
        found = self._run(text, folded, charge)
        if found is None:
            return None
        pieces = (text[found[at] : found[at + 1]] if found[at] >= 0 <= found[at + 1] else "" for at in _even(found))
        return [piece.encode("utf-8", "surrogateescape") for piece in pieces]

    def _run(self, text: str, folded: str, charge: Callable[[int], None]) -> Saves | None:
        best: Saves | None = None
        threads: list[tuple[int, Saves]] = []
        blank = (-1,) * self._saves
        for at in range(len(text) + 1):
            seen: set[int] = set()
            ready: list[tuple[int, Saves]] = []
            for counter, saves in threads:
                self._follow(counter, saves, at, len(text), seen, ready)
            if best is None:
                self._follow(0, blank, at, len(text), seen, ready)
            charge(1 + len(seen))
            if not ready and best is not None:
                break
            threads = []
            for counter, saves in ready:
                step = self._program[counter]
                if step.kind == _MATCH:
                    best = saves
                    break
                if at < len(text) and _accepts(step, text[at], folded[at]):
                    threads.append((counter + 1, saves))
        return best

    def _follow(
        self, counter: int, saves: Saves, at: int, end: int, seen: set[int], ready: list[tuple[int, Saves]]
    ) -> None:
        """Add what can be reached without a character, in the order of preference."""
        stack = [(counter, saves)]
        while stack:
            counter, saves = stack.pop()
            if counter in seen:
                continue
            seen.add(counter)
            step = self._program[counter]
            if step.kind == _JUMP:
                stack.append((step.first, saves))
            elif step.kind == _SPLIT:
                stack += ((step.second, saves), (step.first, saves))
            elif step.kind == _SAVE:
                stack.append((counter + 1, (*saves[: step.first], at, *saves[step.first + 1 :])))
            elif step.kind in (_BEGIN, _END):
                if at == (0 if step.kind == _BEGIN else end):
                    stack.append((counter + 1, saves))
            else:
                ready.append((counter, saves))


def _even(found: Saves) -> range:
    return range(0, len(found) - 1, 2)


def _accepts(step: _Step, character: str, folded: str) -> bool:
    if step.kind == _CHAR:
        return step.character == folded
    if step.kind == _ANY:
        return True
    assert step.set is not None
    return step.set.has(character, folded)
