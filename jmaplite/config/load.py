"""A TOML file becomes a Config, or a list of every mistake in it."""

from __future__ import annotations

import codecs
import glob
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jmaplite.config.checks import check
from jmaplite.config.databases import lend
from jmaplite.config.kinds import quoted
from jmaplite.config.lines import index
from jmaplite.config.mistakes import ConfigError, Mistake, in_order
from jmaplite.config.reading import read
from jmaplite.config.sections import options, part_fields, row_fields, section_name
from jmaplite.config.settings import Settings, dotted
from jmaplite.config.table import REPEATED, SINGLE, Config
from jmaplite.config.walk import walk
from jmaplite.config.warnings import warn


def load(path: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None) -> Config:
    """Read a configuration file, with `environ` for `%{env:NAME}%`. Raises ConfigError with every mistake."""
    try:
        text = _text(Path(path))
    except _Unreadable as error:
        raise ConfigError(str(path), [error.mistake]) from None
    return parse(text, path, environ=environ)


def parse(text: str, path: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None) -> Config:
    """Read a configuration that `path` holds, or would hold: it is what relative paths begin from.

    Raises ConfigError with every mistake.
    """
    settings, config = _settle(text, path, os.environ if environ is None else environ)
    if config is None:
        raise ConfigError(str(path), settings.mistakes, settings.remarks, settings.sources)
    return config


def examine(path: str | os.PathLike[str]) -> tuple[list[Mistake], tuple[Config, Settings] | None]:
    """Everything to be said of a configuration file, in order: mistakes, warnings, and what this machine refuses.

    The Config, and the settings with their places, are there only where it has no mistake.
    """
    from jmaplite.config.probes import probe

    try:
        text = _text(Path(path))
    except _Unreadable as error:
        return [error.mistake], None
    settings, config = _settle(text, path, os.environ)
    if config is not None:
        probe(settings, config)
    found = in_order(str(path), [*settings.mistakes, *settings.remarks])
    return found, (config, settings) if config is not None else None


def _settle(text: str, path: str | os.PathLike[str], environ: Mapping[str, str]) -> tuple[Settings, Config | None]:
    """What a text and all that it includes set; the Config is None if there is a mistake."""
    settings = Settings(Path(path).absolute(), environ)
    try:
        _read(text, settings.path, str(path), settings)
        whole = _include(Path(path), settings)
    except _Unreadable as error:
        settings.mistakes.append(error.mistake)
        whole = False
    if not whole:
        return settings, None
    lend(settings)
    sections = _sections(settings)
    check(settings)
    warn(settings)
    if settings.mistakes:
        return settings, None
    sources = tuple(dict.fromkeys(settings.sources))
    remarks = tuple(in_order(str(path), settings.remarks))
    files = tuple(settings.files)
    return settings, Config(path=settings.path, files=files, sources=sources, remarks=remarks, **sections)


class _Unreadable(Exception):
    """A file that is no TOML document."""

    def __init__(self, mistake: Mistake) -> None:
        self.mistake = mistake


def _text(path: Path) -> str:
    """What is in a file. Raises _Unreadable."""
    try:
        octets = read(path)
    except OSError as error:
        raise _Unreadable(Mistake(0, "", f"cannot be read: {error.strerror}", str(path))) from None
    if octets.startswith(codecs.BOM_UTF8):
        message = "begins with a byte order mark: save it as UTF-8 without one"
        raise _Unreadable(Mistake(1, "", message, str(path)))
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise _Unreadable(Mistake(line, "", "is not UTF-8", str(path))) from None


def _read(text: str, path: Path, shown: str, settings: Settings) -> None:
    """Settle what stands in one file. Raises _Unreadable."""
    try:
        document = tomllib.loads(text)
        settings.begin(path, shown, index(text))
        walk(document, settings)
    except tomllib.TOMLDecodeError as error:
        raise _Unreadable(_syntax(text, str(error))._replace(file=shown)) from None
    except RecursionError:
        raise _Unreadable(Mistake(1, "", "lists and tables are nested too deeply", shown)) from None
    except ValueError as error:
        raise _Unreadable(Mistake(1, "", f"a value cannot be read: {error}", shown)) from None


def _include(main: Path, settings: Settings) -> bool:
    """Settle what stands in the files that are included; false if one of them could not be read."""
    patterns = settings.get("include")
    whole = True
    for element, pattern in enumerate(patterns.value if patterns else ()):
        assert patterns is not None
        if glob.has_magic(pattern):
            settings.sources.append(_folder(main.absolute().parent / pattern))
        else:
            settings.sources.append(main.absolute().parent / pattern)
        found = sorted(glob.glob(pattern, root_dir=main.parent))  # noqa: PTH207 -- Path.glob takes no absolute pattern
        if not found and not glob.has_magic(pattern):
            settings.mistake(patterns.places[element], patterns.key, f"there is no file {quoted(pattern)}")
        for name in found:
            path = main.parent / name
            if path.absolute() in settings.files:
                continue
            try:
                _read(_text(path), path.absolute(), str(path), settings)
            except _Unreadable as error:
                settings.mistakes.append(error.mistake)
                whole = False
    return whole


def _folder(pattern: Path) -> Path:
    """The folder beneath which everything is that matches a pattern."""
    return next(one for one in pattern.parents if not glob.has_magic(str(one)))


_KEYS = re.compile(r"\((?:'[^']*',? ?)+\)")
"""How tomllib writes the keys that lead to a table."""


def _syntax(text: str, message: str) -> Mistake:
    """What tomllib complains of, with its place apart: `Invalid value (at line 3, column 5)`."""
    match = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", message, re.S)
    if match is None:
        return Mistake(1, "", message)
    line = int(match[2]) if match[2] else text.rstrip().count("\n") + 1
    told = _KEYS.sub(lambda keys: quoted(dotted(tuple(re.findall(r"'([^']*)'", keys[0])))), match[1])
    return Mistake(line, "", told[:1].lower() + told[1:])


def _sections(settings: Settings) -> dict[str, Any]:
    """All sections by their field in Config, noting what is missing; None where anything is wrong."""
    made: dict[str, Any] = {field: _section(settings, declared, ()) for field, declared in SINGLE.items()}
    for field, declared in REPEATED.items():
        made[field] = _repeated(settings, declared, ())
    return made


def _repeated(settings: Settings, declared: type, names: tuple[str | int, ...]) -> tuple[Any, ...]:
    return tuple(
        _section(settings, declared, inner)
        for inner in settings.instances(section_name(declared))
        if inner[: len(names)] == names
    )


def _section(settings: Settings, declared: type, names: tuple[str | int, ...]) -> Any:
    """One section made of its settings, noting what is missing; None when anything is wrong."""
    values: dict[str, Any] = {}
    for one in options(declared):
        if one.open:
            values[one.field] = tuple((str(key[-1]), setting.value) for key, setting in settings.all(one.name).items())
            continue
        setting = settings.get(one.name, names)
        if setting is None and one.everywhere:
            setting = settings.get(one.everywhere)
        if setting is not None:
            values[one.field] = setting.value
        elif isinstance(one.value, Path):
            values[one.field] = settings.path.parent / one.value
        elif one.default is None and not settings.was_wrong(one.name, names):
            settings.missing(section_name(declared), one, names)
    for field, inner in part_fields(declared).items():
        values[field] = _section(settings, inner, names)
    for field, row in row_fields(declared).items():
        values[field] = _repeated(settings, row, names)
    if "id" in declared.__dataclass_fields__:  # type: ignore[attr-defined]
        values["id"] = names[-1]
    return None if settings.mistakes else declared(**values)
