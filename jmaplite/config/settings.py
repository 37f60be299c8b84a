"""What a file sets, by option: plain values, the lines they stand on, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jmaplite.config.addresses import Address
from jmaplite.config.kinds import Kind, Wrong, found, quoted
from jmaplite.config.lines import Path as KeyPath
from jmaplite.config.mistakes import Mistake
from jmaplite.config.sections import Option

Names = tuple[str | int, ...]
"""What stands for each `<id>` and `[]` in an option's name."""

_MACRO = re.compile(r"%\{([a-z]+):([^}]*)\}%")
_BARE = re.compile(r"[A-Za-z0-9_-]{1,60}")


@dataclass(frozen=True, slots=True)
class Setting:
    """An option as it is set: its plain value, key and line, and for lists the line of each element."""

    value: Any
    key: str
    line: int
    lines: tuple[int, ...] = ()


def dotted(path: KeyPath) -> str:
    """A key path as one would write it, with the number of a row in brackets."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        else:
            text = part if _BARE.fullmatch(part) else quoted(part)
            shown += f".{text}" if shown else text
    return shown


class Settings:
    """Gathers settings and mistakes while a document is read."""

    def __init__(
        self, path: Path, lines: Mapping[KeyPath, int], environ: Mapping[str, str], mistakes: list[Mistake]
    ) -> None:
        self.path = path
        self.mistakes = mistakes
        self._lines = lines
        self._environ = environ
        self._settings: dict[tuple[str, Names], Setting] = {}
        self._claimed: dict[tuple[str, Names], tuple[str, int]] = {}
        self._instances: dict[str, dict[Names, int]] = {}

    def line(self, path: KeyPath) -> int:
        """The line of a key path."""
        return self._lines.get(path, 1)

    def wrong(self, path: KeyPath, message: str) -> None:
        """Note a mistake at a key path."""
        self.mistakes.append(Mistake(self.line(path), dotted(path), message))

    def enter(self, section: str, names: Names, path: KeyPath) -> None:
        """Note that a section that repeats stands at a key path."""
        self._instances.setdefault(section, {}).setdefault(names, self.line(path))

    def instances(self, section: str) -> dict[Names, int]:
        """Each of a section that repeats, in the order of the file, with its line."""
        return self._instances.get(section, {})

    def get(self, name: str, names: Names = ()) -> Setting | None:
        """An option as it is set, or None if it is not, or wrongly."""
        return self._settings.get((name, names))

    def all(self, name: str) -> dict[Names, Setting]:
        """An option of a section that repeats, wherever it is set."""
        return {names: setting for (one, names), setting in self._settings.items() if one == name}

    def beginning(self, prefixes: tuple[str, ...]) -> list[tuple[Names, Setting]]:
        """The options that are set and whose names begin with one of some texts."""
        return [(names, setting) for (name, names), setting in self._settings.items() if name.startswith(prefixes)]

    def was_wrong(self, name: str, names: Names) -> bool:
        """Whether the file sets an option, rightly or wrongly."""
        return (name, names) in self._claimed

    def missing(self, option: Option, names: Names) -> None:
        """Note that a required option is not set."""
        path: list[str | int] = []
        remaining = iter(names)
        for part in option.name.split("."):
            path.append(next(remaining) if part == "<id>" else part.removesuffix("[]"))
            if part.endswith("[]"):
                path.append(next(remaining))
        inside = max((n for n in range(len(path)) if tuple(path[:n]) in self._lines), default=0)
        line = self.line(tuple(path[:inside]))
        self.mistakes.append(Mistake(line, dotted(tuple(path)), f"is required: {option.kind.expects}"))

    def put(self, option: Option, names: Names, path: KeyPath, value: object) -> None:
        """Take a value for an option, or note what is wrong with it."""
        line, key = self.line(path), dotted(path)
        earlier = self._claimed.setdefault((option.name, names), (key, line))
        if earlier != (key, line):
            first, second = sorted([(earlier[1], earlier[0]), (line, key)])
            message = f"is the same as {first[1]}, which is set on line {first[0]}"
            self.mistakes.append(Mistake(second[0], second[1], message))
            return
        before = len(self.mistakes)
        if option.kind.element is None:
            plain = self._plain(option.kind, option, path, path, value)
            lines: tuple[int, ...] = ()
        else:
            elements = value if isinstance(value, list) else [value]
            places = [(*path, n) if isinstance(value, list) else path for n in range(len(elements))]
            pairs = zip(places, elements, strict=True)
            plain = tuple(self._plain(option.kind.element, option, path, at, one) for at, one in pairs)
            lines = tuple(self.line(place) for place in places)
        if len(self.mistakes) == before:
            self._settings[option.name, names] = Setting(plain, key, line, lines)

    def _plain(self, kind: Kind[Any], option: Option, path: KeyPath, at: KeyPath, raw: object) -> Any:
        """A value made plain, or None and a mistake."""
        value, expanded = raw, False
        try:
            if isinstance(raw, str):
                text = self._expand(raw, keep_file=kind.keeps_file)
                expanded = text != raw
                value = kind.from_text(text) if expanded else raw
            plain = kind.parse(value)
        except Wrong as wrong:
            message = str(wrong)
            if not message or (expanded and not isinstance(wrong, _NoMacro)):
                message = f"expected {kind.expects}, found {_seen(raw, option, expanded=expanded)}"
            self.mistakes.append(Mistake(self.line(at), dotted(path), message))
            return None
        if isinstance(plain, Address):
            return plain.beneath(self.path.parent)
        return self.path.parent / plain if isinstance(plain, Path) else plain

    def _expand(self, text: str, *, keep_file: bool) -> str:
        """Put in what macros stand for. Raises Wrong."""

        def expanded(match: re.Match[str]) -> str:
            source, name = match[1], match[2]
            if source == "env":
                if name not in self._environ:
                    raise _NoMacro(f"the environment variable {quoted(name)} is not set")
                return self._environ[name]
            if source == "file":
                return match[0] if keep_file else self._contents(name)
            raise _NoMacro(f"{quoted(match[0])} is unknown: there are %{{env:NAME}}% and %{{file:PATH}}%")

        return _MACRO.sub(expanded, text)

    def _contents(self, name: str) -> str:
        """A file's text without the end of its last line. Raises Wrong."""
        try:
            return (self.path.parent / name).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise _NoMacro(f"{quoted(name)} cannot be read: {error.strerror}") from None
        except ValueError:
            raise _NoMacro(f"{quoted(name)} is not a text file in UTF-8") from None


class _NoMacro(Wrong):
    """A macro that stands for nothing; its message tells no secret."""


def _seen(raw: object, option: Option, *, expanded: bool) -> str:
    """What stands in the file, unless it may be a secret."""
    if isinstance(raw, str) and option.secret and not expanded:
        return "something else"
    return f"what {quoted(raw)} stands for" if expanded and isinstance(raw, str) else found(raw)
