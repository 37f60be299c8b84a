"""What delivery does to the octets of a message: blind copies and old traces out, new traces in (RFC 5321 §4.4)."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from jmaplite.formats import mime

_TAKEN_OUT = re.compile(
    rb"^(?:bcc|resent-bcc|return-path)[ \t]*+:[^\n]*+\n(?:[ \t][^\n]*+\n?+)*+", re.IGNORECASE | re.MULTILINE
)
_RETURN_PATH = re.compile(rb"^return-path[ \t]*+:[^\n]*+\n(?:[ \t][^\n]*+\n?+)*+", re.IGNORECASE | re.MULTILINE)
_LINE_END = re.compile(rb"\r\n?|\n")


def leaving(octets: bytes, header_end: int, message_id: str, sent: int) -> bytes:
    """A message as it leaves: with CRLF line ends, without Bcc and Return-Path (RFC 8621 §7.5, RFC 5321 §4.4).

    `message_id` (without angle brackets) and `sent` (seconds) stand for what it lacks (RFC 6409 §8.2, §8.3).
    """
    header = _TAKEN_OUT.sub(b"", _canonical_header(octets[:header_end]))
    names = {name.lower() for name, _ in mime.header_fields(header)}
    added = b""
    if "date" not in names:
        added += f"Date: {_date_time(sent)}\r\n".encode()
    if "message-id" not in names:
        added += f"Message-ID: <{message_id}>\r\n".encode()
    body = octets[header_end:]
    if not body.count(b"\r\n") == body.count(b"\n") == body.count(b"\r"):
        body = _LINE_END.sub(b"\r\n", body)
    if not header_end and not body.startswith(b"\r\n"):
        body = b"\r\n" + body
    return added + header + body


def arriving(octets: bytes, header_end: int) -> bytes:
    """A message from another server without the Return-Path of anybody before (RFC 5321 §4.4); the rest stays."""
    return _RETURN_PATH.sub(b"", octets[:header_end]) + octets[header_end:]


def _canonical_header(header: bytes) -> bytes:
    """A header section with CRLF line ends; its lines are those that a reader of header fields sees."""
    if b"\n" not in header:
        header = header.replace(b"\r", b"\n")
    header = header.replace(b"\r\n", b"\n").replace(b"\r", b" ").replace(b"\n", b"\r\n")
    return header if not header or header.endswith(b"\r\n") else header + b"\r\n"


def traced(
    message: bytes,
    *,
    return_path: str,
    host: str,
    identifier: str,
    recipient: str | None,
    now: int,
    came: tuple[str, str] | None = None,
) -> bytes:
    """A message as it arrives: Return-Path first, then who received it, as what, for whom and when (in seconds).

    `recipient` is None where there are several; an empty `return_path` is the null reverse-path. `came` says from whom,
    and by what protocol (RFC 3848), if it came from another server.
    """
    lines = [f"Return-Path: <{return_path}>"]
    if came is None:
        lines.append(f"Received: by {host} id {identifier}")
    else:
        lines += [f"Received: from {came[0]}", f"\tby {host} with {came[1]} id {identifier}"]
    if recipient is not None:
        lines.append(f"\tfor <{recipient}>")
    trace = "\r\n".join(lines) + f";\r\n\t{_date_time(now)}\r\n"
    return trace.encode() + message


def brought_by(name: str, address: Any) -> str:
    """Who brings a message, for its Received field: what it calls itself, and where it is (RFC 5321 §4.4)."""
    name = re.sub(r"[^A-Za-z0-9._:\[\]-]", "_", name or "unknown")[:255]
    if not isinstance(address, tuple):
        return f"{name} (unix socket)"
    at: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(str(address[0]).partition("%")[0])
    if at.version == 6:
        at = at.ipv4_mapped or at
    return f"{name} ([{at}])" if at.version == 4 else f"{name} ([IPv6:{at}])"


def _date_time(seconds: int) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC))
