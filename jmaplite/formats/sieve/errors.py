"""What goes wrong with a script, and where."""

from __future__ import annotations


class SieveError(Exception):
    """A script cannot be read, or could not be run to its end; line and column count from 1, in characters.

    `script` names the included script in which it happened; it is empty for the script itself.
    """

    def __init__(self, message: str, line: int = 1, column: int = 1, script: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.script = script

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}: {self.message}"
        return f"script {self.script!r}, {where}" if self.script else where


class NotAvailable(SieveError):
    """A script uses what its capabilities do not offer; with "ihave" only an error if it is reached (RFC 5463 §4)."""
