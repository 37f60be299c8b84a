"""References to previous method results (RFC 8620 §3.7)."""

from __future__ import annotations

import re
from typing import Any

from jmaplite.core.context import Arguments
from jmaplite.core.errors import MethodError, invalid_arguments
from jmaplite.core.json import dumps, materialise

RESOLVED_OCTETS = 10_000_000
"""How much one request may take from earlier results unless told otherwise: what it might have sent."""

_EACH = "*"
_INDEX = re.compile("0|[1-9][0-9]{0,17}")
_BAD_ESCAPE = re.compile("~(?![01])")


class Responses:
    """The responses of one request so far: `items` are (name, arguments, call id), in order (RFC 8620 §3.4).

    `octets` bounds what references may take out of them altogether: no chain of references multiplies sizes.
    """

    __slots__ = ("_first", "_left", "_plain", "items")

    def __init__(self, octets: int = RESOLVED_OCTETS) -> None:
        self.items: list[tuple[str, dict[str, Any], str]] = []
        self._first: dict[str, int] = {}
        self._plain: dict[tuple[int, str | None], Any] = {}
        self._left = octets

    def add(self, name: str, arguments: dict[str, Any], call_id: str) -> None:
        """Append a response."""
        self._first.setdefault(call_id, len(self.items))
        self.items.append((name, arguments, call_id))

    def take(self, result_of: str, name: str, path: str) -> Any:
        """What a ResultReference points at, free of Fragments. Raises MethodError invalidResultReference."""
        number = self._first.get(result_of)
        if number is None:
            raise _unresolved(f"no response to method call id {result_of[:64]!r}")
        if self.items[number][0] != name:
            raise _unresolved(f"the first response to {result_of[:64]!r} is not {name[:64]!r}")
        tokens = _tokens(path)
        value = self._apply(self._root(number, tokens), tokens, 1)
        self._spend(len(dumps(value)))
        return value

    def _root(self, number: int, tokens: list[str]) -> Any:
        """A response's argument named by the first token (all of them if there is none), made plain once."""
        arguments = self.items[number][1]
        token = tokens[0] if tokens else None
        key = (number, token)
        if key not in self._plain:
            if token is not None and token not in arguments:
                raise _unresolved(f"the response has no {token[:64]!r}")
            self._plain[key] = materialise(arguments if token is None else arguments[token])
        return self._plain[key]

    def _apply(self, value: Any, tokens: list[str], start: int) -> Any:
        """Follow the tokens from `start` on; `*` maps the rest over an array (RFC 8620 §3.7)."""
        for number in range(start, len(tokens)):
            token = tokens[number]
            if isinstance(value, dict):
                if token not in value:
                    raise _unresolved(f"an object has no {token[:64]!r}")
                value = value[token]
            elif not isinstance(value, list):
                raise _unresolved(f"{token[:64]!r} leads into neither an object nor an array")
            elif token == _EACH:
                return self._map(value, tokens, number + 1)
            elif _INDEX.fullmatch(token) and int(token) < len(value):
                value = value[int(token)]
            else:
                raise _unresolved(f"an array has no {token[:64]!r}")
        return value

    def _map(self, items: list[Any], tokens: list[str], start: int) -> list[Any]:
        """The rest of the tokens applied to each item, in one flat array."""
        self._spend(len(items))
        output: list[Any] = []
        for item in items:
            result = self._apply(item, tokens, start)
            if isinstance(result, list):
                self._spend(len(result))
                output += result
            else:
                output.append(result)
        return output

    def _spend(self, octets: int) -> None:
        self._left -= octets
        if self._left < 0:
            raise _unresolved("the request's references take more than the server is willing to resolve")


def resolve(arguments: Arguments, responses: Responses) -> Arguments:
    """The arguments with each `#name` replaced by what its ResultReference points at (RFC 8620 §3.7).

    Raises MethodError: invalidArguments where an argument comes in both forms; invalidResultReference where a
    reference does not resolve, which one that is no ResultReference object cannot. The values belong to the
    responses: they are to be read, not changed.
    """
    referenced = [name for name in arguments if name[:1] == "#"]
    if not referenced:
        return arguments
    for name in referenced:
        if name[1:] in arguments:
            raise invalid_arguments(f"{name[1:65]!r} is given both as a value and as a reference")
    resolved: Arguments = {}
    for name, value in arguments.items():
        if name[:1] == "#":
            resolved[name[1:]] = _take(name, value, responses)
        else:
            resolved[name] = value
    return resolved


def _take(name: str, reference: Any, responses: Responses) -> Any:
    if (
        type(reference) is not dict
        or len(reference) != 3
        or type(result_of := reference.get("resultOf")) is not str
        or type(of_name := reference.get("name")) is not str
        or type(path := reference.get("path")) is not str
    ):
        raise _unresolved(f"{name[:64]!r} is not a ResultReference: resultOf, name and path, all String")
    return responses.take(result_of, of_name, path)


def _tokens(path: str) -> list[str]:
    """The reference tokens of a JSON Pointer, unescaped (RFC 6901 §3, §4)."""
    if not path:
        return []
    if path[0] != "/" or _BAD_ESCAPE.search(path):
        raise _unresolved("the path is not a JSON Pointer")
    tokens = path[1:].split("/")
    if "~" in path:
        tokens = [token.replace("~1", "/").replace("~0", "~") for token in tokens]
    return tokens


def _unresolved(description: str) -> MethodError:
    return MethodError("invalidResultReference", description)
