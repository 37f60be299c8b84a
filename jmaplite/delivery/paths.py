"""What follows MAIL and RCPT: a path and parameters (RFC 5321 §4.1.2, RFC 6531 §3.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping

LONGEST = 1000
"""Octets of an address that is taken. The RFC has 64 and 255, and real senders more."""

_ROUTE = r"(?:@(?:[^\s:<>\[\]]|\[[^\s<>\[\]]*\])*:)?"
_PATH = re.compile(rf'<{_ROUTE}((?:[^\s<>"\\]|"(?:[^"\\]|\\.)*")*)>(?: +(.*))?')
_BARE = re.compile(r"([^\s<>]++)(?: +(.*))?")
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*+)(?:=([^\s=]++))?")
_ADDRESS = re.compile(
    r'(?:[^\s<>()"\\,;:@\[\]]++|"(?:[^"\\<>]|\\[^<>])*")@(?:[^\s<>()"\\,;:@\[\]]++|\[[^\s<>\[\]]++\])'
)

Parameters = dict[str, str]


def path(keyword: str, said: str) -> tuple[str, Parameters] | None:
    """The address that follows a keyword (empty: none), and the parameters after it; None if it is no such thing.

    A source route is passed over (RFC 5321 appendix C). Parameters without a value have an empty one.
    """
    if said[: len(keyword)].upper() != keyword:
        return None
    said = said[len(keyword) :].strip(" ")
    match = (_PATH if said.startswith("<") else _BARE).fullmatch(said)
    if match is None:
        return None
    parameters: Parameters = {}
    for one in (match[2] or "").split():
        parameter = _PARAMETER.fullmatch(one)
        if parameter is None or parameter[1].upper() in parameters:
            return None
        parameters[parameter[1].upper()] = parameter[2] or ""
    return match[1], parameters


def is_taken(address: str) -> bool:
    """Whether an address may stand in an envelope: more than the RFC has may, for mail with such senders exists."""
    return (
        address.isprintable()
        and len(address.encode("utf-8", "replace")) <= LONGEST
        and _ADDRESS.fullmatch(address) is not None
    )


def refused_sender(address: str, parameters: Mapping[str, str], largest: int, *, is_extended: bool) -> str | None:
    """Why a sender (empty: none) is not taken with its parameters, as a reply; None if it is."""
    unknown = parameters.keys() - {"SIZE", "BODY", "SMTPUTF8"}
    if unknown or (parameters and not is_extended):
        return "555 5.5.4 Such a parameter is not known here"
    if parameters.get("BODY", "7BIT").upper() not in ("7BIT", "8BITMIME"):
        return "501 5.5.4 BODY is 7BIT or 8BITMIME"
    if parameters.get("SMTPUTF8"):
        return "501 5.5.4 SMTPUTF8 has no value"
    size = parameters.get("SIZE", "0")
    if not (size.isascii() and size.isdigit() and len(size) <= 20):
        return "501 5.5.4 SIZE is a number"
    if int(size) > largest:
        return "552 5.3.4 The message is too large"
    if address and not is_taken(address):
        return "553 5.1.7 The sender is no address"
    if not address.isascii() and "SMTPUTF8" not in parameters:
        return "553 5.6.7 Such an address needs SMTPUTF8"
    return None
