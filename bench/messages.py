"""Messages made up from a seed: threads, replies that quote, names, words by a natural distribution."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

_SYLLABLES = [c + v + e for c in "bdfgklmnprstvz" for v in "aeiou" for e in ("", "n", "r", "l", "s")]
_START = datetime(2022, 1, 1, tzinfo=UTC)
_SPAN = timedelta(days=4 * 365)


@dataclass(frozen=True, slots=True)
class Generated:
    """A message, when it was received, and whether it has been read."""

    octets: bytes
    received: datetime
    seen: bool


@dataclass(slots=True)
class _Thread:
    subject: str
    ids: list[str]
    last: str


class Generator:
    """Makes messages; the same seed and number make the same ones."""

    def __init__(self, number: int, seed: int = 7) -> None:
        self.number = number
        self.random = random.Random(seed)
        self.words = ["".join(self.random.choices(_SYLLABLES, k=self.random.randint(1, 3))) for _ in range(4000)]
        self.weights = [1 / (rank + 5) for rank in range(len(self.words))]
        self.people = [
            (f"{first.title()} {last.title()}", f"{first}@{last}.example") for first, last in zip(
                self.random.sample(self.words, 200), self.random.sample(self.words, 200), strict=True
            )
        ]  # fmt: skip

    def common_words(self, count: int) -> list[str]:
        """Words that many messages have, though not all."""
        return self.words[20 : 20 + count]

    def sentences(self, words: int) -> str:
        chosen = self.random.choices(self.words, self.weights, k=words)
        lines = [" ".join(chosen[i : i + 11]) for i in range(0, words, 11)]
        return "\r\n".join(lines)

    def messages(self) -> Iterator[Generated]:
        """All messages, in the order of their dates."""
        threads: list[_Thread] = []
        for index in range(self.number):
            reply = bool(threads) and self.random.random() < 0.6
            thread = self.random.choice(threads[-40:]) if reply else self._new_thread(index)
            if not reply:
                threads.append(thread)
            yield self._message(index, thread, reply=reply)

    def _new_thread(self, index: int) -> _Thread:
        subject = " ".join(self.random.choices(self.words, self.weights, k=self.random.randint(2, 6)))
        return _Thread(subject, [], "")

    def _message(self, index: int, thread: _Thread, *, reply: bool) -> Generated:
        when = _START + _SPAN * index / self.number
        name, address = self.random.choice(self.people)
        own = f"<{index}.{self.random.randrange(1 << 30):x}@{address.partition('@')[2]}>"
        body = self.sentences(self.random.randint(40, 300)) + f"\r\n\r\nunique{index}word\r\n"
        if reply:
            quoted = "\r\n".join("> " + line for line in thread.last.splitlines()[:20])
            body = f"On {when:%d %b %Y} somebody wrote:\r\n{quoted}\r\n\r\n{body}"
        lines = [
            f"Received: from mail.example by mx.example; {format_datetime(when)}",
            f"Date: {format_datetime(when)}",
            f"From: {name} <{address}>",
            "To: Reader <reader@example.org>",
            f"Message-ID: {own}",
            f"Subject: {'Re: ' if reply else ''}{thread.subject}",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "X-Mailer: benchmark",
        ]
        if reply:
            lines.insert(5, f"In-Reply-To: {thread.ids[-1]}\r\nReferences: {' '.join(thread.ids[-20:])}")
        thread.ids.append(own)
        thread.last = body
        return Generated(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), when, index % 3 != 0)
