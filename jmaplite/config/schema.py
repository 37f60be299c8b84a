"""The configuration as a JSON Schema (2020-12), for editors: from the same table as everything else."""

from __future__ import annotations

import tomllib
from typing import Any

from jmaplite.config.cyrus import Cyrus, because
from jmaplite.config.sections import Option, options, section_name
from jmaplite.config.walk import Node, imapd, sections, tree

_MACRO = {"type": "string", "pattern": r"%\{(env|file):"}
"""What may stand for any value: it is known only where the server runs."""


def schema() -> dict[str, Any]:
    """The whole schema."""
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "jmaplite"}
    return {**about, **_table(tree())}


def _table(node: Node) -> dict[str, Any]:
    """The table that stands at a place."""
    children = {key: imapd() if node is tree() and key == "imapd" else child for key, child in node.children.items()}
    made: dict[str, Any] = {
        "type": "object",
        "properties": {key: _value(child) for key, child in sorted(children.items())},
        "additionalProperties": _value(node.any) if node.any and not node.any.refused else False,
    }
    required = _required().get(node.section or "")
    return {**made, "required": required} if required else made


def _value(node: Node) -> dict[str, Any]:
    """What may stand at a place."""
    if node.refused:
        return {"not": {}, "description": because(node.refused)}
    if node.cyrus is not None:
        return _cyrus(node.cyrus)
    if node.rows is not None:
        row = _table(node.rows)
        return {"anyOf": [row, {"type": "array", "items": row}]}
    if node.option is None:
        return _table(node)
    value = _option(node.option)
    return {**value, "anyOf": [*value["anyOf"], _table(node)]} if node.children else value


def _option(option: Option) -> dict[str, Any]:
    made: dict[str, Any] = {"description": option.doc, "anyOf": [option.kind.shape, _MACRO]}
    if option.default is not None and not option.open:
        try:
            made["default"] = tomllib.loads(f"x = {option.default}")["x"]
        except tomllib.TOMLDecodeError:
            made["description"] += f" Not set: {option.default}."
    return made


def _cyrus(cyrus: Cyrus) -> dict[str, Any]:
    if cyrus.becomes is None and not cyrus.only and not cyrus.note:
        return {"not": {}, "description": because(cyrus.reason)}
    about = cyrus.doc or cyrus.reason
    return {"description": f"{about[:1].upper()}{about[1:]}.", "anyOf": [cyrus.kind.shape, _MACRO]}


def _required() -> dict[str, list[str]]:
    """What a row has to have, by its section; tables may be put together from several files."""
    return {
        section_name(declared): [
            option.name.rpartition(".")[2]
            for option in options(declared)
            if option.default is None and not option.aliases
        ]
        for declared in sections()
        if section_name(declared).endswith("[]")
    }
