"""What a downloaded blob is called and what it is, as its request says (RFC 8620 §6.2, RFC 6266)."""

from __future__ import annotations

import re
from urllib.parse import quote

DEFAULT_TYPE = "application/octet-stream"

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105
_MEDIA_TYPE = re.compile(
    rf'{_TOKEN}/{_TOKEN}(?:[ \t]*;[ \t]*{_TOKEN}=(?:{_TOKEN}|"(?:[\t !#-\[\]-~]|\\[\t -~])*"))*', re.ASCII
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UNSAFE = re.compile(r"[^ !#$&-.0-\[\]-~]")
_LONGEST = 255


def content_type(wanted: str | None) -> str:
    """The Content-Type for a download: what is wanted, if that is a media type with or without parameters."""
    if wanted is not None and len(wanted) <= _LONGEST and _MEDIA_TYPE.fullmatch(wanted):
        return wanted
    return DEFAULT_TYPE


def queried_type(wanted: str | None) -> str:
    """The same for what a query says, in which a plus sign that was not encoded reads as a space (`image/svg+xml`)."""
    found = content_type(wanted)
    return content_type(wanted.replace(" ", "+")) if wanted and found == DEFAULT_TYPE else found


def media_type(header: str | None) -> str:
    """The media type of an upload, without the parameters of its Content-Type header (RFC 6838 §4.2)."""
    return content_type((header or "").partition(";")[0].strip())


def attachment(name: str) -> str:
    """A Content-Disposition that saves under a name; a name that is not plain is given in UTF-8 as well."""
    name = _CONTROL.sub("", name)
    if not name:
        return "attachment"
    fallback = _UNSAFE.sub("_", name)
    if fallback == name:
        return f'attachment; filename="{name}"'
    return f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{quote(name, safe='')}"
