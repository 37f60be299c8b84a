"""Parameters of SMTP that go on to the relay, in an Envelope's plain form (RFC 8621 §7): which there are, and of what.

The extensions known here are DSN (RFC 3461), MT-PRIORITY (RFC 6710) and REQUIRETLS (RFC 8689). Where a configuration
names others (RFC 8621 §1.3.2), any parameter may be one of theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from jmaplite.core.errors import invalid_properties

_PRIORITY = re.compile(r"-?[0-9]")
_PRINTABLE = re.compile(r"[ -~]{1,100}")
_ORIGINAL = re.compile(r"[A-Za-z0-9-]{1,50};[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,450}")
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_VALUE = re.compile(r"[!-<>-~]{1,500}")


def _is_notify(value: str | None) -> bool:
    words = (value or "").upper().split(",")
    return words == ["NEVER"] or (len(set(words)) == len(words) and set(words) <= {"SUCCESS", "FAILURE", "DELAY"})


OF_SENDER: Mapping[str, tuple[str, str, Callable[[str | None], bool]]] = {
    "RET": ("DSN", "FULL or HDRS", lambda value: (value or "").upper() in ("FULL", "HDRS")),
    "ENVID": (
        "DSN",
        "1 to 100 characters of US-ASCII",
        lambda value: bool(_PRINTABLE.fullmatch(value or "")),
    ),
    "MT-PRIORITY": ("MT-PRIORITY", "a number from -9 to 9", lambda value: bool(_PRIORITY.fullmatch(value or ""))),
    "REQUIRETLS": ("REQUIRETLS", "without a value", lambda value: value is None),
}
OF_RECIPIENT: Mapping[str, tuple[str, str, Callable[[str | None], bool]]] = {
    "NOTIFY": ("DSN", "NEVER, or some of SUCCESS, FAILURE and DELAY", _is_notify),
    "ORCPT": ("DSN", "a kind, a semicolon and an address", lambda value: bool(_ORIGINAL.fullmatch(value or ""))),
}
"""Parameters by name: the extension, what a value is in words, and whether one is that."""

_OWN = frozenset({"AUTH", "BODY", "HOLDFOR", "HOLDUNTIL", "SIZE", "SMTPUTF8"})
"""Parameters that this server heeds, or decides upon, itself."""

_KNOWN = frozenset({"FUTURERELEASE", "SIZE", *(of[0] for of in (*OF_SENDER.values(), *OF_RECIPIENT.values()))})
"""Extensions all of whose parameters are known."""


def check_recipient(parameters: Mapping[str, str | None] | None, offered: Collection[str]) -> None:
    """Raises SetError invalidProperties unless a recipient may have these parameters."""
    given = upper(parameters)
    for name, value in given.items():
        if not check(name, value, OF_RECIPIENT, offered):
            raise invalid_properties(f"no extension that is announced has a parameter {shown(name)}", "envelope")


def check(
    name: str,
    value: str | None,
    known: Mapping[str, tuple[str, str, Callable[[str | None], bool]]],
    offered: Collection[str],
) -> bool:
    """Whether there is a parameter, by its name in upper case. Raises SetError invalidProperties for a wrong value."""
    if _is_other(name):
        extension, words, is_right = "", "without a value, or of printable US-ASCII without a space or =", _is_plain
        is_offered = any(one not in _KNOWN for one in offered) and _KEYWORD.fullmatch(name) is not None
    else:
        extension, words, is_right = known.get(name, ("", "", lambda value: False))
        is_offered = extension in offered
    if is_offered and not is_right(value):
        raise invalid_properties(f"{name[:100]} is {words}", "envelope")
    return is_offered


def others(parameters: Mapping[str, str | None]) -> list[str]:
    """The parameters that are of no extension known here, as SMTP has them; names are in upper case."""
    found = [(name, value) for name, value in parameters.items() if _is_other(name)]
    return [name if value is None else f"{name}={value}" for name, value in found]


def _is_other(name: str) -> bool:
    return name not in _OWN and name not in OF_SENDER and name not in OF_RECIPIENT


def _is_plain(value: str | None) -> bool:
    return value is None or bool(_VALUE.fullmatch(value))


def upper(parameters: Mapping[str, str | None] | None) -> dict[str, str | None]:
    """Parameters by their names in upper case: case does not matter. Raises SetError invalidProperties."""
    given = {name.upper(): value for name, value in (parameters or {}).items()}
    if len(given) != len(parameters or {}):
        raise invalid_properties("a parameter is given twice", "envelope")
    return given


def shown(name: str) -> str:
    """The name of a parameter as an error may have it."""
    return name[:100] if _KEYWORD.fullmatch(name) else "of this name"
