"""On which line of a TOML document each key and each element of a list stands."""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_VALUE = re.compile(r"[^,\]}#\n]+")
_STRINGS = (
    re.compile(r'"""[^\\]*?(?:\\.[^\\]*?)*?"{3,5}', re.S),
    re.compile(r"'''.*?'{3,5}", re.S),
    re.compile(r'"(?:[^\\"]++|\\.)*+"', re.S),
    re.compile(r"'[^']*'"),
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|(.))")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}


def index(text: str) -> dict[Path, int]:
    """The line, from 1, of each key path of a valid TOML document; elements of lists are numbered from 0.

    A table stands where its header is, or where it is first mentioned. Valid means: `tomllib` reads it.
    """
    return _Scanner(text).document()


class _Scanner:
    """Reads no values: only where they begin and end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0
        self._lines: dict[Path, int] = {}
        self._arrays: dict[Path, int] = {}

    def document(self) -> dict[Path, int]:
        table: Path = ()
        self._skip()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip()
        return self._lines

    def _skip(self) -> None:
        """Pass blanks, ends of lines and comments."""
        match = _BLANK.match(self._text, self._at)
        assert match is not None
        self._at = match.end()

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _header(self) -> Path:
        line = self._here()
        of_array = self._text.startswith("[[", self._at)
        self._at += 1 + of_array
        keys = self._keys()
        self._at += 1 + of_array
        path: Path = ()
        for number, key in enumerate(keys, 1):
            path += (key,)
            self._lines.setdefault(path, line)
            if of_array and number == len(keys):
                self._arrays[path] = self._arrays.get(path, -1) + 1
            if path in self._arrays:
                path += (self._arrays[path],)
        self._lines[path] = line
        return path

    def _keys(self) -> list[str]:
        """A dotted key, up to what follows it."""
        keys = []
        while True:
            self._skip()
            bare = _BARE_KEY.match(self._text, self._at)
            if bare is not None:
                keys.append(bare[0])
                self._at = bare.end()
            else:
                keys.append(self._quoted_key())
            self._skip()
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _quoted_key(self) -> str:
        start = self._at
        self._string()
        inside = self._text[start + 1 : self._at - 1]
        return _ESCAPE.sub(_unescaped, inside) if self._text[start] == '"' else inside

    def _string(self) -> None:
        for pattern in _STRINGS:
            match = pattern.match(self._text, self._at)
            if match is not None:
                self._at = match.end()
                return
        raise ValueError("not a string")

    def _pair(self, table: Path) -> None:
        line = self._here()
        path = table
        for key in self._keys():
            path += (key,)
            self._lines.setdefault(path, line)
        self._at += 1
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip()
        match self._text[self._at]:
            case "[":
                self._list(path)
            case "{":
                self._table(path)
            case '"' | "'":
                self._string()
            case _:
                match = _PLAIN_VALUE.match(self._text, self._at)
                if match is None:
                    raise ValueError("not a value")
                self._at = match.end()

    def _list(self, path: Path) -> None:
        self._at += 1
        number = 0
        while not self._ends("]"):
            self._lines[(*path, number)] = self._here()
            self._value((*path, number))
            number += 1

    def _table(self, path: Path) -> None:
        self._at += 1
        while not self._ends("}"):
            self._pair(path)

    def _ends(self, bracket: str) -> bool:
        """Pass a comma if there is one; true when the bracket was next and is passed as well."""
        self._skip()
        if self._text[self._at] == ",":
            self._at += 1
            self._skip()
        if self._text[self._at] != bracket:
            return False
        self._at += 1
        return True


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    return chr(int(code, 16)) if code else _ESCAPES.get(match[4], match[4])
