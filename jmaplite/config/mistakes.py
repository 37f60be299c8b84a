"""What is wrong with a configuration, or remarkable: one line for each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "note"]


class Place(NamedTuple):
    """A line of a file, from 1; the file as it is shown to people."""

    file: str
    line: int

    def seen_from(self, other: Place) -> str:
        """The line in words, with its file if that is another one."""
        return f"line {self.line}" if self.file == other.file else f"line {self.line} of {self.file}"


class Mistake(NamedTuple):
    """One mistake. `line` is from 1, or 0 for an unreadable file; `key` is empty where none is at fault.

    `file` is the file it is in, as it is shown to people. A warning or a note keeps nobody from serving.
    """

    line: int
    key: str
    message: str
    file: str = ""
    severity: Severity = "error"

    def shown(self) -> str:
        """`FILE:LINE: key: message`; in front of the message stands what it is, if it is no error."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        message = self.message if self.severity == "error" else f"{self.severity}: {self.message}"
        return ": ".join(part for part in (place, self.key, message) if part)


def in_order(file: str, mistakes: Iterable[Mistake]) -> list[Mistake]:
    """By their lines, those in the configuration file itself before those in what it includes."""
    whole = [one if one.file else one._replace(file=file) for one in mistakes]
    return sorted(whole, key=lambda one: (one.file != file, one.file, one.line))


class ConfigError(Exception):
    """A configuration that cannot be used: `mistakes` has all that is wrong, in the order of their lines.

    `remarks` are the warnings and notes that there are besides, `sources` the files and folders where it could be put
    right. Its text has a line `FILE:LINE: key: message` for each mistake.
    """

    def __init__(
        self, file: str, mistakes: Iterable[Mistake], remarks: Iterable[Mistake] = (), sources: Iterable[Path] = ()
    ) -> None:
        self.file = file
        self.sources = tuple(sources)
        self.mistakes = in_order(file, mistakes)
        self.remarks = in_order(file, remarks)
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """A line for each mistake."""
        return [one.shown() for one in self.mistakes]
