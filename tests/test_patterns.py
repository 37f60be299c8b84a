"""Every Python from 3.11.0 on matches our patterns alike: they keep out of two bugs of the re module.

Both concern a possessive quantifier (`*+`, `++`, `?+`, `{m,n}+`) on a group:

- Until 3.11.5, a round that fails after it has come somewhere may end the group where it failed, not where it began
  (python/cpython#100061). A round must either fail on a character whose place is fixed, or not at all.
- Until 3.12.8 and 3.13.1, a capturing group inside may keep what a failed round captured, or raise SystemError
  (python/cpython#101955).
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import jmaplite
from jmaplite.formats import mime
from jmaplite.formats.mime import forms

PARSER = importlib.import_module("re._parser")
SINGLE = {"LITERAL", "NOT_LITERAL", "IN", "ANY"}
FIXED = SINGLE | {"AT"}
REPEAT = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}

HARMLESS = {
    forms._IDS.pattern: "what follows is the end of the string, and a round that fails never leaves off there",
}
"""Patterns with a round that may leave off half-way, and why that does not matter."""

Node = tuple[str, Any]


def nodes(parsed: Any) -> list[Node]:
    """The elements of a sequence by the names of their kinds, groups that capture nothing dissolved."""
    found: list[Node] = []
    for kind, value in parsed:
        if str(kind) == "SUBPATTERN" and value[0] is None:
            found += nodes(value[3])
        elif str(kind) == "ATOMIC_GROUP":
            found += nodes(value)
        else:
            found.append((str(kind), value))
    return found


def inner(node: Node) -> list[list[Node]]:
    """The sequences that an element is made of."""
    kind, value = node
    if kind in REPEAT:
        return [nodes(value[2])]
    if kind == "BRANCH":
        return [nodes(each) for each in value[1]]
    if kind in ("SUBPATTERN", "ASSERT", "ASSERT_NOT"):
        return [nodes(value[-1])]
    assert kind in FIXED or kind.startswith("GROUPREF"), f"{kind} is new to this test"
    return []


def every(sequence: list[Node]) -> Iterator[Node]:
    """All elements at any depth."""
    for node in sequence:
        yield node
        for each in inner(node):
            yield from every(each)


def can_fail(sequence: list[Node]) -> bool:
    """Whether there is any place at which a sequence does not match."""
    for node in sequence:
        kind, value = node
        if kind in REPEAT:
            fails = value[0] > 0 and can_fail(inner(node)[0])
        elif kind == "BRANCH":
            fails = all(can_fail(each) for each in inner(node))
        else:
            fails = True
        if fails:
            return True
    return False


def may_leave_off(sequence: list[Node], *, begun: bool = False) -> bool:
    """Whether a sequence may fail once it has matched something (`begun`: before it) of which the place is kept."""
    kept = False
    for node in sequence:
        kind, _ = node
        if kind in FIXED:
            if kept:
                return True
        elif kind in REPEAT or kind == "BRANCH":
            if (kept or begun) and can_fail([node]):
                return True
            if kind == "BRANCH" and any(may_leave_off(each, begun=begun) for each in inner(node)):
                return True
            kept = True
        else:
            return True
        begun = True
    return False


def is_on_a_group(node: Node) -> bool:
    kind, value = node
    return kind == "POSSESSIVE_REPEAT" and [each for each, _ in nodes(value[2])] not in [[single] for single in SINGLE]


def possessive_groups(pattern: str | bytes, flags: int = 0) -> list[list[Node]]:
    """What the possessive quantifiers on groups repeat."""
    return [inner(node)[0] for node in every(nodes(PARSER.parse(pattern, flags))) if is_on_a_group(node)]


@cache
def patterns() -> dict[tuple[str | bytes, int], str]:
    """Every pattern, with its flags, that a module of the package has made or spells out, and one module that does."""
    found: dict[tuple[str | bytes, int], str] = {}

    def collect(value: object, name: str) -> None:
        if isinstance(value, re.Pattern):
            found.setdefault((value.pattern, value.flags & ~re.UNICODE), name)
        elif isinstance(value, (tuple, list, set, frozenset)):
            for each in value:
                collect(each, name)
        elif isinstance(value, dict):
            collect(list(value.values()), name)

    for info in pkgutil.walk_packages(jmaplite.__path__, "jmaplite."):
        if not info.name.endswith("__main__"):
            module = importlib.import_module(info.name)
            collect(list(vars(module).values()), info.name)
            for pattern in spelled_out(Path(str(module.__file__)).read_text()):
                found.setdefault((pattern, 0), info.name)
    return found


def spelled_out(source: str) -> Iterator[str | bytes]:
    """The patterns that a module gives to a function of re where it uses them."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.func.attr != "compile"
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, (str, bytes))
        ):
            yield node.args[0].value


def test_no_round_of_a_possessive_group_fails_half_way() -> None:
    wrong = {
        name: pattern
        for (pattern, flags), name in patterns().items()
        if pattern not in HARMLESS and any(map(may_leave_off, possessive_groups(pattern, flags)))
    }
    assert wrong == {}


def test_no_possessive_group_has_a_capturing_group_inside() -> None:
    wrong = {
        name: pattern
        for (pattern, flags), name in patterns().items()
        for group in possessive_groups(pattern, flags)
        if any(kind == "SUBPATTERN" for kind, _ in every(group))
    }
    assert wrong == {}


def test_the_search_for_patterns_finds_them_wherever_they_are() -> None:
    modules = set(patterns().values())
    assert {"jmaplite.formats.html", "jmaplite.formats.mime.structure", "jmaplite.config.kinds"} <= modules
    assert any(possessive_groups(pattern, flags) for pattern, flags in patterns())


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:[^']++|'(?!''))*+",
        r"(?:[ \t][^\n]*+\n)*+",
        r"(?:ab?c)*+",
        r"(?:a(?:bd|ce))++",
        r"(?:x|(?:ab?c)){2,5}+",
        r"(?:(?!C).)++",
        r"(?:a++b)?+",
        r"(?:(?>a+)b)*+",
    ],
)
def test_a_round_that_may_fail_half_way_is_seen(pattern: str) -> None:
    assert any(map(may_leave_off, possessive_groups(pattern)))


@pytest.mark.parametrize(
    "pattern", [r"(?:[^'\\]++|\\.)*+", r"(?:[ \t][^\n]*+\n?+)*+", r"(?:ab|ac)*+", r"(?:=\s*+(?:'[^']*+'?)?)*+", r"a*+"]
)
def test_a_round_that_fails_at_once_or_not_at_all_is_good(pattern: str) -> None:
    assert not any(map(may_leave_off, possessive_groups(pattern)))


@pytest.mark.parametrize("value", [b"<a> <b", b"<a> <b>c", b"<a> <", b"<a> <>", b"<a> <b "])
def test_of_message_ids_the_last_counts_only_if_it_is_closed(value: bytes) -> None:
    assert mime.FORMS["MessageIds"](value) == ["a", "b"][: 1 + value.endswith(b"c")]
