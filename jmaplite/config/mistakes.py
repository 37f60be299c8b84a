"""What is wrong with a configuration: one line for each mistake."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Mistake(NamedTuple):
    """One mistake. `line` is from 1, or 0 for an unreadable file; `key` is empty where none is at fault."""

    line: int
    key: str
    message: str


class ConfigError(Exception):
    """A configuration that cannot be used: `mistakes` has all that is wrong, in the order of their lines.

    Its text has a line `FILE:LINE: key: message` for each.
    """

    def __init__(self, file: str, mistakes: Iterable[Mistake]) -> None:
        self.file = file
        self.mistakes = sorted(mistakes, key=lambda mistake: mistake.line)
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """A line for each mistake."""
        return [
            ": ".join(part for part in (f"{self.file}:{line}" if line else self.file, key, message) if part)
            for line, key, message in self.mistakes
        ]
