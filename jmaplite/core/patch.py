"""PatchObject: changing part of a record (RFC 8620 §5.3)."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from jmaplite.core.errors import SetError

MAX_DEPTH = 100
"""Reference tokens in one pointer; no record of any type is nested as deeply."""

_BAD_ESCAPE = re.compile("~(?![01])")
_SCALARS = (str, int, float, bool, type(None))


class _Branch(dict[str, Any]):
    """Patches that share the beginnings of their pointers: token -> _Branch, or the value of the patch."""


def apply(current: dict[str, Any], patch: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The record after the patch; `current` stays as it is and shares with it what the patch leaves alone.

    `defaults` are the defaults of properties, by name. Raises SetError invalidPatch.
    """
    result = dict(current)
    for name, value in _tree(patch).items():
        if type(value) is _Branch:
            if name not in result:
                raise _invalid(f"{name[:64]!r} does not exist on the object")
            result[name] = _patched(result[name], value, name)
        elif value is not None:
            result[name] = value
        elif name in result:
            if name in defaults:
                default = defaults[name]
                result[name] = default if isinstance(default, _SCALARS) else copy.deepcopy(default)
            else:
                del result[name]
    return result


def touched(patch: dict[str, Any]) -> dict[str, list[tuple[tuple[str, ...], Any]]]:
    """The properties that a patch names, each with its patches: the path below the property, and the value.

    The path is () where the property is replaced as a whole. Raises SetError invalidPatch for a bad pointer.
    """
    names: dict[str, list[tuple[tuple[str, ...], Any]]] = {}
    for pointer, value in patch.items():
        name, *below = _tokens(pointer)
        names.setdefault(name, []).append((tuple(below), value))
    return names


def _tokens(pointer: str) -> list[str]:
    """The reference tokens of a pointer without its leading slash, unescaped (RFC 6901 §3, §4)."""
    tokens = pointer.split("/", MAX_DEPTH)
    if len(tokens) > MAX_DEPTH:
        raise _invalid("a pointer is too long")
    if "~" in pointer:
        if _BAD_ESCAPE.search(pointer):
            raise _invalid(f"{pointer[:64]!r} is not a JSON Pointer")
        tokens = [token.replace("~1", "/").replace("~0", "~") for token in tokens]
    return tokens


def _tree(patch: dict[str, Any]) -> dict[str, Any]:
    """The patches by their tokens. Raises SetError if the pointer of one is the prefix of another's."""
    root = _Branch()
    for pointer, value in patch.items():
        *parents, last = _tokens(pointer)
        branch = root
        for token in parents:
            following = branch.get(token)
            if following is None and token not in branch:
                following = branch[token] = _Branch()
            if type(following) is not _Branch:
                raise _invalid(f"{pointer[:64]!r} is patched together with a part that contains it")
            branch = following
        if last in branch:
            raise _invalid(f"{pointer[:64]!r} is patched together with a part of it")
        branch[last] = value
    return root


def _patched(value: Any, branch: _Branch, where: str) -> dict[str, Any]:
    """A copy of an object below a property with the patches of a branch applied."""
    if type(value) is list:
        raise _invalid(f"{where[:64]!r} is an array, which can only be replaced as a whole")
    if type(value) is not dict:
        raise _invalid(f"{where[:64]!r} is not an object")
    result = dict(value)
    for token, patch in branch.items():
        if type(patch) is _Branch:
            if token not in result:
                raise _invalid(f"{where[:64]}/{token[:64]} does not exist on the object")
            result[token] = _patched(result[token], patch, f"{where[:64]}/{token[:64]}")
        elif patch is None:
            result.pop(token, None)
        else:
            result[token] = patch
    return result


def _invalid(description: str) -> SetError:
    return SetError("invalidPatch", description)
