"""Mail made up from a seed: threads with replies that quote, as many as asked for, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime


def _words(text: str) -> list[str]:
    return text.split()


_FIRST = _words(
    "Ada Bela Chi Dora Emil Fatima Grace Hugo Ines Jonas Kemi Linus Mara Nils Olga Pavel Quinn Rosa Sven Tove"
)
_LAST = _words(
    "Adler Brook Castel Dunn Engel Fjord Grant Holm Ito Jansen Kovac Lund Mori Novak Okoye Petit Quist Rossi"
)
_NOUNS = _words(
    """agenda answer board budget build change clause coffee date delay design draft error evening factory figure garden
    harbour idea invoice journey kitchen letter library list machine meeting memory minutes morning moment museum name
    network notes offer order paper parcel park phone picture plan point price printer problem project proof question
    quote reason receipt release report request review river room sample schedule screen season server signal sketch
    spring station street summary summer survey system table team test theatre ticket topic train travel trial update
    value version village visit voice week window winter word workshop"""
)
_VERBS = _words("send move check bring find finish read plan order begin sign open keep share write discuss")
_REPLY = 0.6
_READ = 0.6


@dataclass(frozen=True, slots=True)
class Made:
    """A message, its keywords, and when it was received, in seconds since the epoch."""

    octets: bytes
    keywords: frozenset[str]
    received: int


@dataclass(slots=True)
class _Thread:
    subject: str
    length: int
    ids: list[str]
    said: str = ""


class Generator:
    """Makes threads for a reader. The same seed gives the same ones, whatever else was made before."""

    def __init__(self, seed: int | str, reader: str) -> None:
        self._random = random.Random(f"jmaplite {seed}")
        self._reader = reader
        self._serial = 0

    def threads(self, count: int, now: float) -> Iterator[Made]:
        """Messages of so many threads, the oldest first; the last was received a minute before `now`."""
        chance = self._random
        plans = [self._new_thread() for _ in range(count)]
        turns = [thread for thread in plans for _ in range(thread.length)]
        chance.shuffle(turns)
        gaps = [chance.expovariate(1 / 5400) for _ in turns]
        when = datetime.fromtimestamp(int(now), UTC) - timedelta(seconds=60 + int(sum(gaps[1:])))
        for thread, gap in zip(turns, [0.0, *gaps[1:]], strict=True) if turns else ():
            when += timedelta(seconds=int(gap))
            yield self._message(thread, when)

    def _new_thread(self) -> _Thread:
        length = 1
        while self._random.random() < _REPLY and length < 40:
            length += 1
        words = self._random.sample(_NOUNS, self._random.randint(2, 4))
        return _Thread(" ".join(words).capitalize(), length, [])

    def _message(self, thread: _Thread, when: datetime) -> Made:
        chance = self._random
        self._serial += 1
        first, last = chance.choice(_FIRST), chance.choice(_LAST)
        address = f"{first}.{last}@{last}.example".lower()
        own = f"<{self._serial}.{chance.getrandbits(32):08x}@{last.lower()}.example>"
        text = self._text()
        date = format_datetime(when)
        lines = [
            f"Received: from {last.lower()}.example by mail.example; {date}",
            f"Date: {date}",
            f"From: {first} {last} <{address}>",
            f"To: {self._reader}",
            f"Subject: {'Re: ' if thread.ids else ''}{thread.subject}",
            f"Message-ID: {own}",
        ]
        if thread.ids:
            lines += [f"In-Reply-To: {thread.ids[-1]}", f"References: {' '.join(thread.ids[-10:])}"]
            quoted = "".join(f"> {line}\r\n" for line in thread.said.splitlines()[:6])
            text = f"{text}\r\nSomebody wrote:\r\n{quoted}"
        thread.ids.append(own)
        thread.said = text
        lines += ["MIME-Version: 1.0", *self._body(text)]
        keywords = {"$seen"} if chance.random() < _READ else set()
        if chance.random() < 0.1:
            keywords.add("$flagged")
        return Made("\r\n".join(lines).encode(), frozenset(keywords), int(when.timestamp()))

    def _text(self) -> str:
        sentences = []
        for _ in range(self._random.randint(2, 8)):
            word, other = self._random.sample(_NOUNS, 2)
            verb = self._random.choice(_VERBS)
            sentences.append(f"Please {verb} the {word} before the {other} of next {self._random.choice(_NOUNS)}.")
        return "\r\n".join(sentences) + "\r\n"

    def _body(self, text: str) -> list[str]:
        """The rest of a message, from its Content-Type on: text, text and HTML, or text with a file."""
        chance = self._random.random()
        plain = ["Content-Type: text/plain; charset=utf-8", "", text]
        if chance < 0.6:
            return plain
        boundary = f"=-{self._random.getrandbits(64):016x}"
        if chance < 0.85:
            html = "".join(f"<p>{line.replace('>', '&gt;')}</p>\r\n" for line in text.splitlines())
            kind, more = (
                "alternative",
                ["Content-Type: text/html; charset=utf-8", "", f"<html><body>{html}</body></html>"],
            )
        else:
            name = self._random.choice(_NOUNS)
            disposition = f'Content-Disposition: attachment; filename="{name}.csv"'
            rows = [f"{word},{self._random.randint(1, 999)}" for word in self._random.sample(_NOUNS, 5)]
            kind, more = "mixed", ["Content-Type: text/csv", disposition, "", *rows]
        head = [f'Content-Type: multipart/{kind}; boundary="{boundary}"', "", f"--{boundary}"]
        return [*head, *plain, f"--{boundary}", *more, f"--{boundary}--", ""]
