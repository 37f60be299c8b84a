"""Parameters of SMTP that go on to the relay, in an Envelope's plain form (RFC 8621 §7): which there are, and of what.

The extensions are DSN (RFC 3461), MT-PRIORITY (RFC 6710) and REQUIRETLS (RFC 8689).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from jmaplite.core.errors import invalid_properties

_PRIORITY = re.compile(r"-?[0-9]")
_PRINTABLE = re.compile(r"[ -~]{1,100}")
_ORIGINAL = re.compile(r"[A-Za-z0-9-]{1,50};[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,450}")
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


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
    extension, words, is_right = known.get(name, ("", "", lambda value: False))
    if extension not in offered:
        return False
    if not is_right(value):
        raise invalid_properties(f"{name} is {words}", "envelope")
    return True


def upper(parameters: Mapping[str, str | None] | None) -> dict[str, str | None]:
    """Parameters by their names in upper case: case does not matter. Raises SetError invalidProperties."""
    given = {name.upper(): value for name, value in (parameters or {}).items()}
    if len(given) != len(parameters or {}):
        raise invalid_properties("a parameter is given twice", "envelope")
    return given


def shown(name: str) -> str:
    """The name of a parameter as an error may have it."""
    return name[:100] if _KEYWORD.fullmatch(name) else "of this name"
