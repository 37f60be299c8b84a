"""What the control API can do, as a table: from it come the routes, the checks of what is given, and the OpenAPI."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jmaplite.core.kinds import MAX_INT, compile_kind

Given = Mapping[str, Any]
"""What an operation is given: the parameters of its path and query, and the members of its body, by name."""

_KINDS: dict[str, dict[str, Any]] = {
    "String": {"type": "string"},
    "Number": {"type": "number"},
    "UnsignedInt": {"type": "integer", "minimum": 0, "maximum": MAX_INT},
    "UTCDate": {"type": "string", "format": "date-time"},
    "Boolean": {"type": "boolean"},
    "Object": {"type": "object"},
    "*": {},
}


_DIGITS = re.compile(r"[0-9]{1,16}")
_NUMBER = re.compile(r"-?[0-9]{1,16}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,2})?")


class Refused(Exception):
    """What was asked for cannot be done: an HTTP status and a sentence."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Member:
    """Something to be given: its kind in the notation of RFC 8620 §1.1, what it is for, whether it has to be there.

    `least` and `most` are the bounds of a number.
    """

    kind: str
    meaning: str
    required: bool = False
    least: float | None = None
    most: float | None = None

    def check(self, name: str, value: object) -> None:
        """Raise Refused for a value that cannot be."""
        if not compile_kind(self.kind)(value):
            raise Refused(400, f"{name} must be {self.kind}: {self.meaning}")
        if self.least is not None and isinstance(value, int | float) and value < self.least:
            raise Refused(400, f"{name} must be {self.least:g} or more: {self.meaning}")
        if self.most is not None and isinstance(value, int | float) and value > self.most:
            raise Refused(400, f"{name} must be {self.most:g} or less: {self.meaning}")

    @property
    def schema(self) -> dict[str, Any]:
        """It in OpenAPI."""
        bounds = {"minimum": self.least, "maximum": self.most}
        told = {name: one for name, one in bounds.items() if one is not None}
        return {**_schema(self.kind), **told, "description": self.meaning}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `path` has parameters in braces; what `body` has is read from the query where there is no body."""

    method: str
    path: str
    summary: str
    run: Callable[[Any, Given], Any]
    body: Mapping[str, Member] = field(default_factory=dict)
    whole: str = ""
    """If not empty, the body is one value, handed on under this name..."""
    schema: Mapping[str, Any] = field(default_factory=dict)
    """... and this describes it."""
    status: int = 200

    @property
    def parameters(self) -> list[str]:
        """The names of the parameters in the path."""
        return re.findall(r"{(\w+)}", self.path)

    def checked(self, given: object) -> dict[str, Any]:
        """The members that were given. Raises Refused."""
        if self.whole:
            return {self.whole: given}
        if not isinstance(given, dict):
            raise Refused(400, "the body must be an object")
        for name in given:
            if name not in self.body:
                known = ", ".join(self.body) or "no members"
                raise Refused(400, f"unknown member {name!r}: there are {known}")
        for name, member in self.body.items():
            if given.get(name) is None:
                if member.required:
                    raise Refused(400, f"{name} is required: {member.meaning}")
            else:
                member.check(name, given[name])
        return {name: value for name, value in given.items() if value is not None or self.body[name].kind == "*"}

    def read_query(self, query: Mapping[str, str]) -> dict[str, Any]:
        """The members that a query has, as what they should be. Raises Refused."""
        found: dict[str, Any] = {}
        for name, text in query.items():
            kind = self.body[name].kind if name in self.body else "String"
            if kind == "UnsignedInt":
                number = whole_number(text)
                found[name] = text if number is None else number
            elif kind == "Number":
                found[name] = float(text) if _NUMBER.fullmatch(text) else text
            elif kind == "Boolean":
                found[name] = {"true": True, "1": True, "false": False, "0": False}.get(text, text)
            else:
                found[name] = text
        return self.checked(found)


def whole_number(text: str) -> int | None:
    """A number that is written in digits, or None: what is longer than any that is in use is none."""
    return int(text) if _DIGITS.fullmatch(text) else None


def openapi(operations: tuple[Operation, ...], version: str) -> dict[str, Any]:
    """The description of operations as OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _described(one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "jmaplite: control of a fixture", "version": version},
        "servers": [{"url": "/dev/api"}],
        "paths": paths,
    }


def _described(one: Operation) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in one.parameters
    ]
    told: dict[str, Any] = {
        "summary": one.summary,
        "responses": {
            str(one.status): {"description": "What came of it.", "content": {"application/json": {}}},
            "default": {"description": "It cannot be done.", "content": {"application/problem+json": {}}},
        },
    }
    if one.method in ("GET", "DELETE"):
        parameters += [
            {"name": name, "in": "query", "description": member.meaning, "schema": member.schema}
            for name, member in one.body.items()
        ]
    elif one.whole or one.body:
        needed = bool(one.whole) or any(member.required for member in one.body.values())
        told["requestBody"] = {"required": needed, "content": {"application/json": {"schema": _body(one)}}}
    if parameters:
        told["parameters"] = parameters
    return told


def _body(one: Operation) -> dict[str, Any]:
    if one.whole:
        return dict(one.schema)
    members = {name: member.schema if member.required else _or_null(member.schema) for name, member in one.body.items()}
    required = [name for name, member in one.body.items() if member.required]
    return {"type": "object", "properties": members, "required": required, "additionalProperties": False}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, or null, which is as if it was left out."""
    return {**schema, "type": [schema["type"], "null"]} if "type" in schema else schema


def _schema(kind: str) -> dict[str, Any]:
    if kind.endswith("[]"):
        return {"type": "array", "items": _schema(kind[:-2])}
    return dict(_KINDS[kind])
