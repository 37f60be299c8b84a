"""Goes through a TOML document and hands each value to the option it belongs to; the rest are mistakes."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from jmaplite.config.cyrus import Cyrus, because, refusal
from jmaplite.config.kinds import found, quoted
from jmaplite.config.lines import Path
from jmaplite.config.sections import Option, options, part_fields, row_fields, section_name
from jmaplite.config.settings import Names, Settings, dotted
from jmaplite.config.table import REFUSED, REPEATED, SINGLE


@dataclass(slots=True)
class Node:
    """A place in the tree of all names. `section` is what repeats here; `any` is what an `<id>` leads to.

    `refused` is why nothing may stand here, although others have it.
    """

    children: dict[str, Node] = field(default_factory=dict)
    any: Node | None = None
    rows: Node | None = None
    option: Option | None = None
    section: str | None = None
    cyrus: Cyrus | None = None
    refused: str = ""


def sections() -> Iterator[type[Any]]:
    """Every section, those of rows and parts behind the one they stand in."""
    for declared in (*SINGLE.values(), *REPEATED.values()):
        yield from _with_inner(declared)


def _with_inner(declared: type[Any]) -> Iterator[type[Any]]:
    yield declared
    for inner in (*part_fields(declared).values(), *row_fields(declared).values()):
        yield from _with_inner(inner)


@cache
def tree() -> Node:
    """The tree of all names, but for what is beneath `imapd`."""
    root = Node()
    for name, reason in REFUSED.items():
        _node(root, name).refused = reason
    for declared in sections():
        name = section_name(declared)
        if name.endswith(("<id>", "[]")):
            _node(root, name).section = name
        for option in options(declared):
            for one in (option.name, *option.aliases):
                _node(root, one).option = option
            if option.everywhere:
                _node(root, option.everywhere).option = replace(option, name=option.everywhere)
    _node(root, "imapd")
    return root


@cache
def imapd() -> Node:
    """The names of Cyrus; imported only for those who use them."""
    from jmaplite.config.table.imapd import OPTIONS

    return Node({cyrus.name: Node(cyrus=cyrus) for cyrus in OPTIONS})


@cache
def by_name() -> dict[str, Option]:
    """Every option of ours by its name."""
    return {option.name: option for declared in sections() for option in options(declared)}


def _node(root: Node, name: str) -> Node:
    """The place of a dotted name, made if need be."""
    node = root
    for part in name.split("."):
        if part == "<id>":
            node.any = node = node.any or Node()
        else:
            node = node.children.setdefault(part.removesuffix("[]"), Node())
        if part.endswith("[]"):
            node.rows = node = node.rows or Node()
    return node


def walk(document: dict[str, Any], settings: Settings) -> None:
    """Settle every value of a document. Raises RecursionError when it is nested too deeply."""
    _table(tree(), document, (), (), settings)


def _table(node: Node, table: dict[str, Any], path: Path, names: Names, settings: Settings) -> None:
    if node.section is not None:
        settings.enter(node.section, names, path)
    for key, value in table.items():
        inner = (*path, key)
        child = node.children.get(key) if inner != ("imapd",) else imapd()
        if child is not None:
            _value(child, value, inner, names, settings)
        elif node.any is not None and (isinstance(value, dict) or node.any.option is not None or not node.children):
            _value(node.any, value, inner, (*names, key), settings)
        elif path == ("imapd",):
            settings.wrong(inner, _unknown_to_cyrus(node, key))
        else:
            settings.wrong(inner, "unknown key" + _suggestion(node, key))


def _value(node: Node, value: object, path: Path, names: Names, settings: Settings) -> None:
    if node.refused:
        settings.wrong(path, because(node.refused))
    elif node.cyrus is not None:
        _cyrus(node.cyrus, value, path, settings)
    elif node.option is not None and not (node.children and isinstance(value, dict)):
        settings.put(node.option, names, path, value)
    elif node.rows is not None:
        _rows(node.rows, value, path, names, settings)
    elif isinstance(value, dict):
        _table(node, value, path, names, settings)
    else:
        settings.wrong(path, f"expected a table, found {found(value)}")


def _rows(node: Node, value: object, path: Path, names: Names, settings: Settings) -> None:
    first = settings.rows(node.section or "", names)
    if isinstance(value, dict):
        _table(node, value, path, (*names, first), settings)  # one that stands alone is a list of one
        return
    if not isinstance(value, list):
        settings.wrong(path, f"expected a table or an array of tables ([[...]]), found {found(value)}")
        return
    for number, row in enumerate(value):
        inner = (*path, number)
        if isinstance(row, dict):
            _table(node, row, inner, (*names, first + number), settings)
        else:
            settings.wrong(inner, f"expected a table, found {found(row)}")


def _cyrus(cyrus: Cyrus, value: object, path: Path, settings: Settings) -> None:
    """Take an option of Cyrus for what it becomes here, or note why it cannot be."""
    plain = settings.read(cyrus.kind, path, value, secret=cyrus.secret)
    if plain is None:
        return
    reason = refusal(cyrus, plain)
    if reason is not None:
        settings.wrong(path, reason)
        return
    if cyrus.note:
        settings.remark(settings.place(path), dotted(path), cyrus.reason, "note")
    for target in cyrus.becomes(plain) if cyrus.becomes else ():
        option = by_name()[target.option]
        if "[]" in target.option:
            settings.enter(f"{target.option.partition('[]')[0]}[]", target.names, path)
        settings.put(
            option, target.names, path, list(target.value) if isinstance(target.value, tuple) else target.value
        )


def _unknown_to_cyrus(node: Node, key: str) -> str:
    from jmaplite.config.table.imapd_refused import PREFIXES, UNKNOWN

    reason = PREFIXES.get(max((one for one in PREFIXES if key.startswith(one)), key=len, default=""))
    near = _suggestion(node, key) if reason in (None, UNKNOWN) else ""
    return because(reason) if reason and not near else f"unknown key{near}"


def _suggestion(node: Node, key: str) -> str:
    """What an unknown key may have been meant to be, in words; empty when nothing is near."""
    longer = [name for name in node.children if len(key) > 2 and name.startswith(key)]
    near = longer or difflib.get_close_matches(key[:80].lower(), node.children, 1)
    if not near:
        elsewhere = [name for name in _names() if name.split(".", 1)[-1].endswith(f".{key}")]
        near = elsewhere if len(elsewhere) == 1 else []
    return f" (did you mean {quoted(near[0])}?)" if near else ""


@cache
def _names() -> tuple[str, ...]:
    return tuple(option.name for declared in sections() for option in options(declared) if not option.open)
