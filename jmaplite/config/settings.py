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
from jmaplite.config.mistakes import Mistake, Place, Severity
from jmaplite.config.reading import read
from jmaplite.config.sections import Option

Names = tuple[str | int, ...]
"""What stands for each `<id>` and `[]` in an option's name."""

_MACRO = re.compile(r"%\{(?:([a-z]+):)?([^}]*)\}%")
_BARE = re.compile(r"[A-Za-z0-9_-]{1,60}")


@dataclass(frozen=True, slots=True)
class Setting:
    """An option as it is set: its plain value, key and place, and for lists the place of each element."""

    value: Any
    key: str
    place: Place
    places: tuple[Place, ...] = ()


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
    """Gathers settings and mistakes while a document is read, and those that it includes.

    `path` is the configuration file, absolute; `files` are all that were read. `sources` are those and whatever else
    decided what they say: what macros stand for, and folders where files were looked for.
    """

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.path = path
        self.files: list[Path] = []
        self.sources: list[Path] = [path]
        self.mistakes: list[Mistake] = []
        self.remarks: list[Mistake] = []
        self._environ = environ
        self._settings: dict[str, dict[Names, Setting]] = {}
        self._claimed: dict[tuple[str, Names], tuple[Place, str]] = {}
        self._instances: dict[str, dict[Names, tuple[Place, KeyPath]]] = {}
        self._first: dict[KeyPath, Place] = {}
        self._lines: Mapping[KeyPath, int] = {}
        self._order: dict[str, int] = {}
        self._shown = ""
        self._folder = path.parent

    def begin(self, path: Path, shown: str, lines: Mapping[KeyPath, int]) -> None:
        """Begin to read a file, with the line of each of its keys; relative paths in it begin from its folder."""
        self.files.append(path)
        self.sources.append(path)
        self._order[shown] = len(self._order)
        self._shown, self._folder, self._lines = shown, path.parent, lines
        for key, line in lines.items():
            self._first.setdefault(key, Place(shown, line))

    def place(self, path: KeyPath) -> Place:
        """Where a key path stands in the file that is being read."""
        while path and path not in self._lines:
            path = path[:-1]
        return Place(self._shown, self._lines.get(path, 1))

    def order(self, place: Place) -> tuple[int, int]:
        """Where a place stands among all, in the order in which they are read."""
        return self._order.get(place.file, 0), place.line

    def wrong(self, path: KeyPath, message: str) -> None:
        """Note a mistake at a key path of the file that is being read."""
        self.mistake(self.place(path), dotted(path), message)

    def mistake(self, place: Place, key: str, message: str) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(place.line, key, message, place.file))

    def remark(self, place: Place, key: str, message: str, severity: Severity = "warning") -> None:
        """Note what is no mistake, but should be known."""
        self.remarks.append(Mistake(place.line, key, message, place.file, severity))

    def top(self) -> Place:
        """The beginning of the configuration file: the place of what is missing."""
        return Place(next(iter(self._first.values())).file if self._first else "", 1)

    def enter(self, section: str, names: Names, path: KeyPath) -> None:
        """Note that a section that repeats stands at a key path."""
        self._instances.setdefault(section, {}).setdefault(names, (self.place(path), path))

    def rows(self, section: str, names: Names) -> int:
        """How many rows of a section there are already, in what was read before."""
        return sum(one[:-1] == names for one in self._instances.get(section, ()))

    def instances(self, section: str) -> dict[Names, Place]:
        """Each of a section that repeats, in the order of the files, with its place."""
        return {names: place for names, (place, _) in self._instances.get(section, {}).items()}

    def get(self, name: str, names: Names = ()) -> Setting | None:
        """An option as it is set, or None if it is not, or wrongly."""
        return self._settings.get(name, {}).get(names)

    def all(self, name: str) -> Mapping[Names, Setting]:
        """An option of a section that repeats, wherever it is set."""
        return self._settings.get(name, {})

    def beginning(self, prefixes: tuple[str, ...]) -> list[tuple[Names, Setting]]:
        """The options that are set and whose names begin with one of some texts."""
        found = (settings for name, settings in self._settings.items() if name.startswith(prefixes))
        return [setting for settings in found for setting in settings.items()]

    def was_wrong(self, name: str, names: Names) -> bool:
        """Whether the file sets an option, rightly or wrongly."""
        return (name, names) in self._claimed

    def missing(self, section: str, option: Option, names: Names) -> None:
        """Note that a required option of a section is not set."""
        rest = tuple(option.name.removeprefix(f"{section}.").split("."))
        instance = self._instances.get(section, {}).get(names)
        if instance is not None:
            place, table = instance
            if table[0] == "imapd":  # one of Cyrus's options, which means nothing by itself
                self.mistake(place, dotted(table), f"needs smtp_{rest[-1]} beside it")
                return
        else:
            table = tuple(section.split("."))
            place = self._first.get(table, self.top())
        self.mistake(place, dotted((*table, *rest)), f"is required: {option.kind.expects}")

    def put(self, option: Option, names: Names, path: KeyPath, value: object) -> None:
        """Take a value for an option, or note what is wrong with it."""
        place, key = self.place(path), dotted(path)
        earlier, other = self._claimed.setdefault((option.name, names), (place, key))
        if (earlier, other) != (place, key):
            if earlier.file == place.file and earlier.line > place.line:
                earlier, other, place, key = place, key, earlier, other
            self.mistake(place, key, f"is the same as {other}, which is set on {earlier.seen_from(place)}")
            return
        before = len(self.mistakes)
        if option.kind.element is None:
            plain = self._plain(option.kind, path, path, value, secret=option.secret)
            places: tuple[Place, ...] = ()
        else:
            elements = value if isinstance(value, list) else [value]
            paths = [(*path, n) if isinstance(value, list) else path for n in range(len(elements))]
            pairs = zip(paths, elements, strict=True)
            inner, secret = option.kind.element, option.secret
            plain = tuple(self._plain(inner, path, at, one, secret=secret) for at, one in pairs)
            places = tuple(self.place(one) for one in paths)
        if len(self.mistakes) == before:
            self._settings.setdefault(option.name, {})[names] = Setting(plain, key, place, places)

    def lend(self, name: str, names: Names, setting: Setting) -> None:
        """Take for an option what is set elsewhere; a mistake if it is set itself."""
        if (name, names) in self._claimed:
            place, key = self._claimed[name, names]
            self.mistake(place, key, f"is set by {setting.key} on {setting.place.seen_from(place)} already")
        else:
            self.claim(name, names, setting)
            self._settings.setdefault(name, {})[names] = setting

    def claim(self, name: str, names: Names, setting: Setting) -> None:
        """Count an option as set, though its value is not known: what is wrong with it is said elsewhere."""
        self._claimed.setdefault((name, names), (setting.place, setting.key))

    def read(self, kind: Kind[Any], path: KeyPath, value: object, *, secret: bool = False) -> Any:
        """A value that no option of ours is set to, made plain, or None and a mistake."""
        return self._plain(kind, path, path, value, secret=secret)

    def _plain(self, kind: Kind[Any], path: KeyPath, at: KeyPath, raw: object, *, secret: bool) -> Any:
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
                message = f"expected {kind.expects}, found {_seen(raw, secret=secret, expanded=expanded)}"
            self.mistake(self.place(at), dotted(path), message)
            return None
        if isinstance(plain, Address):
            return plain.beneath(self._folder)
        return self._folder / plain if isinstance(plain, Path) else plain

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
        self.sources.append(self._folder / name)
        try:
            return read(self._folder / name).decode().rstrip("\r\n")
        except OSError as error:
            raise _NoMacro(f"{quoted(name)} cannot be read: {error.strerror}") from None
        except ValueError:
            raise _NoMacro(f"{quoted(name)} is not a text file in UTF-8") from None


class _NoMacro(Wrong):
    """A macro that stands for nothing; its message tells no secret."""


def _seen(raw: object, *, secret: bool, expanded: bool) -> str:
    """What stands in the file, unless it may be a secret."""
    if isinstance(raw, str) and secret and not expanded:
        return "something else"
    return f"what {quoted(raw)} stands for" if expanded and isinstance(raw, str) else found(raw)
