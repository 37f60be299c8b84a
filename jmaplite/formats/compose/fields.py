"""Header fields from their parsed forms (RFC 8621 §4.1.2, RFC 5322 §3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any

from jmaplite.formats.compose.folding import LONGEST, Lines, NotWritable
from jmaplite.formats.mime import message_ids

_NAME = re.compile(r"[!-9;-~]{1,76}")
_CONTROL = re.compile(r"[\0-\x08\n-\x1f\x7f]")
_ANY_CONTROL = re.compile(r"[\0-\x1f\x7f]")
_WORDS = re.compile(r"([ \t]*+)([^ \t]*+)")
_PLAIN_WORD = re.compile(r"[!-~]{1,76}")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?: [A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*")
_QUOTABLE = re.compile(r"[ -~]+")
_LONG_WORD = re.compile(r"[^ ]{60}| {21}")
_LONG_SPACE = 20
_LONGEST_WORD = 900  # octets of what cannot be folded, with room for what stands around it
_LONGEST_TEXT = 100_000  # characters

# An addr-spec, or what there is of one in a draft: atoms and dots, or a quoted string, then perhaps a domain.
_ATOM = r"[^\s\x00-\x1f\x7f-\x9f()<>\[\]:;@\\,\"]+"
_EMAIL = re.compile(
    rf"(?:{_ATOM}|\"(?:[^\x00-\x1f\x7f-\x9f\"\\]|\\[ -~])*\")?(?:@(?:{_ATOM}|\[[^\s\x00-\x1f\x7f-\x9f\[\]\\]*\])?)?"
    rf"|{_ATOM}(?: {_ATOM})+"
)
_SIMPLE_EMAIL = re.compile(f"{_ATOM}@{_ATOM}")
_PLAIN_ID = re.compile(r"[^\s\x00-\x20\x7f-\x9f<>()\"\\]+")
_URL = re.compile(r"[!-;=?-~]+")
_FOLDED = re.compile(r"\r?\n(?=[ \t])")
_BLANK_LINE = re.compile(r"\n[ \t]*(?:\r?\n|\Z)")
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|([+-]\d\d):(\d\d))", re.ASCII)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PIECE = 70  # characters of a URL on one line, where it has to be broken


def field(name: str, form: str, value: Any) -> bytes:
    """A header field with its CRLF, of a value in a form by its name; nothing for an empty list.

    The value is of the form's kind (RFC 8621 §4.1.2). Raises NotWritable if the field cannot hold it.
    """
    if not _NAME.fullmatch(name):
        raise NotWritable("not the name of a header field")
    return FORMS[form](name, value)


def raw(name: str, value: str) -> bytes:
    """A value as it comes, after a space if it does not begin with white space (as RFC 8621 §4.10 has it).

    It may be folded, and is folded here only where a line would be longer than 998 octets.
    """
    if value[:1] not in (" ", "\t", "\r", "\n"):
        value = f" {value}"
    unfolded = _FOLDED.sub("", value)
    if _CONTROL.search(unfolded) or _BLANK_LINE.search(value):
        raise NotWritable("control characters, or a line end that is not followed by white space and text")
    octets = "".join((name, ":", _FOLDED.sub("\r\n", value), "\r\n")).encode()
    if max(map(len, octets.split(b"\r\n"))) <= LONGEST:
        return octets
    folded = Lines(name)
    for space, word in _WORDS.findall(unfolded):
        if word:
            folded.add(space, word)
    return folded.octets()


def text(name: str, value: str) -> bytes:
    """Unstructured text; words that are not US-ASCII, or look like encoded ones, become encoded words.

    So does white space that folding would lose: at either end, or where it is long.
    """
    _refuse(_CONTROL, value)
    lines = Lines(name)
    pairs = _WORDS.findall(value)[:-1]  # the last is empty
    trailing = pairs.pop()[0] if pairs and not pairs[-1][1] else ""
    if not pairs and trailing:
        lines.add_encoded(" ", trailing)
    space, run = " ", ""  # words to be encoded together, and the white space before them
    for at, (before, word) in enumerate(pairs):
        is_edge = (at == 0 and before) or (at == len(pairs) - 1 and trailing)
        if _PLAIN_WORD.fullmatch(word) and "=?" not in word and len(before) <= _LONG_SPACE and not is_edge:
            if run:
                lines.add_encoded(space, run)
                run = ""
            lines.add(before or " ", word)
        elif run:
            run += before + word
        else:
            space, run = (before[0], before[1:] + word) if at else (" ", before + word)
    if run:
        lines.add_encoded(space, run + trailing)
    return lines.octets()


def addresses(name: str, value: Iterable[Mapping[str, Any]]) -> bytes:
    """An address list of EmailAddress objects."""
    return grouped_addresses(name, [{"name": None, "addresses": value}])


def grouped_addresses(name: str, value: Iterable[Mapping[str, Any]]) -> bytes:
    """An address list of EmailAddressGroup objects; mailboxes that are neither name nor address are left out."""
    lines = Lines(name)
    items: list[tuple[str | None, list[tuple[str, str]]]] = []
    for group in value:
        members = [_mailbox(item) for item in group["addresses"]]
        members = [member for member in members if any(member)]
        if group.get("name") is not None:
            items.append((_display_name(group["name"]), members))
        else:
            items += ((None, [member]) for member in members)
    for at, (group_name, members) in enumerate(items):
        after = "," if at < len(items) - 1 else ""
        if group_name is None:
            _add_mailbox(lines, *members[0], after)
            continue
        is_encoded = _add_phrase(lines, group_name)
        lines.add(" " if is_encoded else "", ":" if members else f":;{after}")
        for number, member in enumerate(members):
            _add_mailbox(lines, *member, "," if number < len(members) - 1 else f";{after}")
    return lines.octets() if items else b""


def _mailbox(value: Mapping[str, Any]) -> tuple[str, str]:
    """(name, address) of an EmailAddress, either may be empty."""
    email = value["email"].strip(" ")
    if email and (len(email) > _LONGEST_WORD or not _EMAIL.fullmatch(email)):
        raise NotWritable("not an address")
    return _display_name(value.get("name") or ""), email


def _display_name(value: str) -> str:
    value = value.replace("\t", " ").strip(" ")
    _refuse(_CONTROL, value)
    return value


def _add_mailbox(lines: Lines, name: str, email: str, after: str) -> None:
    if name:
        _add_phrase(lines, name)
    bare = not name and _SIMPLE_EMAIL.fullmatch(email)
    lines.add(" ", f"{email}{after}" if bare else f"<{email}>{after}")


def _add_phrase(lines: Lines, value: str) -> bool:
    """Add a display name as atoms, a quoted string or encoded words; answers whether as the last."""
    is_plain = _QUOTABLE.fullmatch(value) and "=?" not in value and not _LONG_WORD.search(value)
    if value and not is_plain:
        lines.add_encoded(" ", value)
        return True
    if not _ATOMS.fullmatch(value):
        value = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    for space, word in _WORDS.findall(value):
        if word:
            lines.add(space or " ", word)
    return False


def message_id_list(name: str, value: Iterable[str]) -> bytes:
    """Message ids, their angle brackets put back."""
    lines = Lines(name)
    ids = list(value)
    for item in ids:
        if len(item) > _LONGEST_WORD or not (_PLAIN_ID.fullmatch(item) or _is_odd_id(item)):
            raise NotWritable("not a message id")
        lines.add(" ", f"<{item}>")
    return lines.octets() if ids else b""


def _is_odd_id(value: str) -> bool:
    """Whether an id that mailers should not have made would be read back as it is."""
    return not _ANY_CONTROL.search(value) and message_ids(f"<{value}>".encode()) == [value]


def date_time(name: str, value: str) -> bytes:
    """A date-time; the fraction of a second is left out."""
    found = _DATE.fullmatch(value)
    if found is None or int(found[1]) < 1900:
        raise NotWritable("not a date-time of RFC 5322")
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    weekday = _DAYS[date(year, month, day).weekday()]
    offset = found[5] + found[6] if found[5] else "+0000"
    return f"{name}: {weekday}, {day} {_MONTHS[month - 1]} {year} {found[4]} {offset}\r\n".encode()


def url_list(name: str, value: Iterable[str]) -> bytes:
    """URLs in angle brackets; white space inside, where a long one has to be broken, does not count (RFC 2369 §2)."""
    lines = Lines(name)
    found = list(value)
    for at, url in enumerate(found):
        if not _URL.fullmatch(url):
            raise NotWritable("not a URL")
        whole = f"<{url}>" + ("," if at < len(found) - 1 else "")
        step = len(whole) if len(whole) <= _LONGEST_WORD else _PIECE
        for start in range(0, len(whole), step):
            lines.add(" ", whole[start : start + step])
    return lines.octets() if found else b""


def _refuse(pattern: re.Pattern[str], value: str) -> None:
    if pattern.search(value):
        raise NotWritable("control characters have no place in a header field")
    if len(value) > _LONGEST_TEXT:
        raise NotWritable(f"longer than {_LONGEST_TEXT} characters")


FORMS: Mapping[str, Callable[[str, Any], bytes]] = MappingProxyType(
    {
        "Raw": raw,
        "Text": text,
        "Addresses": addresses,
        "GroupedAddresses": grouped_addresses,
        "MessageIds": message_id_list,
        "Date": date_time,
        "URLs": url_list,
    }
)
"""What writes a field in each parsed form, by the form's name."""
