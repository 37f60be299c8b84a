"""Replies of SMTP with their status codes (RFC 5321 §4.2, RFC 2034)."""

from __future__ import annotations

import re
from collections.abc import Sequence

BUSY = "452 4.3.1 There is too much mail at once"
FAILED = "451 4.3.0 The server failed unexpectedly"
TOO_LARGE = "552 5.3.4 The message is too large"

_CODED = re.compile(r"[245]\d\d[ -][245]\.\d{1,3}\.\d{1,3} ")
_STATUS = {
    "221": "2.0.0",
    "250": "2.0.0",
    "421": "4.3.2",
    "451": "4.3.0",
    "454": "4.7.0",
    "500": "5.5.2",
    "501": "5.5.4",
    "502": "5.5.1",
    "503": "5.5.1",
    "554": "5.5.1",
}
"""The status code (RFC 3463) that goes with a reply of aiosmtpd's, which has none."""


def coded(reply: str) -> str:
    """A reply with its status code."""
    if _CODED.match(reply) or reply[3:4] == "-" or reply[:3] not in _STATUS:
        return reply
    return f"{reply[:4]}{_STATUS[reply[:3]]} {reply[4:]}"


def one(answers: Sequence[str]) -> str:
    """One answer for all: whoever got a message is not given it again when it is sent again for the sake of others."""
    codes = {answer[0] for answer in answers}
    if codes == {"2", "5"}:
        return "451 4.3.0 Not everybody can have it"  # told apart when it comes again, and they are asked for
    return min(answers, key=lambda answer: "425".index(answer[0]))
