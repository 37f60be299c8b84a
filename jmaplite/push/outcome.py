"""What comes of a message: delivered, to be tried again, given up, or the end of its subscription (RFC 8030 §8.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal

from jmaplite.push.client import Answer

LONGEST_WAIT = 86_400.0
"""Seconds that a push service may have us wait, at most."""

Verdict = Literal["done", "again", "later", "never", "gone"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`again` counts as an attempt, `later` does not; `wait` is what the push service has asked for, in seconds.

    `reason` is for the log.
    """

    verdict: Verdict
    reason: str = ""
    wait: float | None = None


def outcome(answer: Answer, now: float) -> Outcome:
    """What an answer means that came at a time, in seconds since the epoch."""
    status, wait = answer.status, retry_after(answer.retry_after, now)
    reason = f"status {status}"
    if 200 <= status < 300:
        return Outcome("done")
    if status in (404, 410):
        return Outcome("gone", reason)
    if status == 429 or (status == 503 and wait is not None):
        return Outcome("later", reason, wait)
    if status >= 500 or status in (408, 425):
        return Outcome("again", reason)
    return Outcome("never", reason)


def retry_after(text: str | None, now: float) -> float | None:
    """How many seconds to wait by a Retry-After header, or None if it does not say (RFC 9110 §10.2.3)."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:12]), LONGEST_WAIT)
    try:
        when = parsedate_to_datetime(text)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)  # what does not say is no local time (RFC 9110 §5.6.7)
        return min(max(when.timestamp() - now, 0.0), LONGEST_WAIT)
    except (ValueError, TypeError, OverflowError):
        return None
