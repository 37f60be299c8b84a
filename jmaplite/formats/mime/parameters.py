"""Structured MIME fields: a value and its parameters (RFC 2045 §5.1, RFC 2183, RFC 2231)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from jmaplite.formats.mime.charsets import codec, decode_as, nfc
from jmaplite.formats.mime.fields import unfold, without_comments
from jmaplite.formats.mime.words import decode_parameter

_PARAMETER = re.compile(
    r'(?:;|(?<!\s)\s)\s*+([^\s=;"*]++)(\*(?:\d{1,4})?\*?)?\s*+=\s*+(?:"((?:[^"\\]++|\\.)*+)(?:"|\Z)|([^;"]*+))',
    re.S,
)
_TYPE = re.compile(r"\s*+([!#-'*+.0-9A-Z^-z{|}~-]++)\s*+/\s*+([!#-'*+.0-9A-Z^-z{|}~-]++)")
_TOKEN = re.compile(r'[\s"]*+([^\s";]++)')
_PAIR = re.compile(r"\\(.)", re.S)
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f]")

_MAX_CACHED = 200  # octets of a field value

Segments = dict[int, tuple[bool, str]]  # index -> (is percent-encoded, value)
Forms = dict[str, Segments]  # "" for a plain value, "*" for one with a charset, "*0" for a continued one


class ContentType(NamedTuple):
    """What a Content-Type field says, names of types in lower case."""

    type: str
    charset: str | None
    name: str | None
    boundary: bytes | None


class Disposition(NamedTuple):
    """What a Content-Disposition field says, the disposition in lower case."""

    disposition: str | None
    filename: str | None


def content_type(value: bytes) -> ContentType:
    """Read a Content-Type field; one without type and subtype is text/plain (RFC 2045 §5.2)."""
    return _cached_type(value) if len(value) <= _MAX_CACHED else _read_type(value)


def content_disposition(value: bytes) -> Disposition:
    """Read a Content-Disposition field (RFC 2183)."""
    string = without_comments(unfold(value))
    found = _TOKEN.match(string)
    return Disposition(found[1].lower() if found else None, _name(_parameters(string).get("filename")))


def parameter(value: bytes, name: str) -> str | None:
    """A parameter of a structured field by its name in lower case, decoded (RFC 2231); None if it has none."""
    forms = _parameters(without_comments(unfold(value))).get(name)
    if forms is None:
        return None
    string, has_charset = _value(forms)
    return decode_parameter(string) if not has_charset and "=?" in string else string


def _read_type(value: bytes) -> ContentType:
    string = without_comments(unfold(value))
    found = _TYPE.match(string)
    kind = f"{found[1]}/{found[2]}".lower() if found else "text/plain"
    parameters = _parameters(string)
    charset = _value(parameters.get("charset"))[0].strip()
    boundary = _value(parameters.get("boundary"))[0].rstrip()
    return ContentType(
        kind,
        charset or ("us-ascii" if kind.startswith("text/") else None),
        _name(parameters.get("name")),
        boundary.encode() or None,
    )


_cached_type = lru_cache(maxsize=512)(_read_type)


def _parameters(string: str) -> dict[str, Forms]:
    """Every parameter by its name in lower case; of two alike the first."""
    parameters: dict[str, Forms] = {}
    for name, section, quoted, bare in _PARAMETER.findall(string):
        name = name.lower()
        if not quoted and name not in ("name", "filename"):
            bare = bare.partition(" ")[0]
        digits = section.strip("*")
        segments = parameters.setdefault(name, {}).setdefault("*0" if digits else section, {})
        value = _PAIR.sub(r"\1", quoted) if quoted else bare.strip()
        segments.setdefault(int(digits or 0), (section.endswith("*"), value))
    return parameters


def _value(forms: Forms | None) -> tuple[str, bool]:
    """(value, whether it was given with a charset); the form with a charset is preferred to the plain one."""
    for form in ("*", "*0", "") if forms else ():
        segments = forms.get(form, {}) if forms else {}
        if 0 in segments:
            return _joined(segments)
    return "", False


def _joined(segments: Segments) -> tuple[str, bool]:
    """The value of the segments from 0 up to the first that is missing (RFC 2231 §3, §4.1)."""
    in_order: list[tuple[bool, str]] = []
    while len(in_order) in segments:
        in_order.append(segments[len(in_order)])
    charset, has_charset = "", in_order[0][0]
    if has_charset and in_order[0][1].count("'") >= 2:
        charset, _, first = in_order[0][1].split("'", 2)
        in_order[0] = (True, first)
    if not any(is_encoded for is_encoded, _ in in_order):
        return "".join(value for _, value in in_order), False
    octets = b"".join(unquote_to_bytes(v) if is_encoded else v.encode() for is_encoded, v in in_order)
    name = codec(charset) or "utf-8"
    return decode_as(octets, "utf-8" if name == "ascii" else name)[0], has_charset


def _name(forms: Forms | None) -> str | None:
    value, has_charset = _value(forms)
    if not has_charset and "=?" in value:
        value = decode_parameter(value)
    return nfc(_CONTROL.sub("", value).strip()) or None
