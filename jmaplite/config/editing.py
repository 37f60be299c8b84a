"""Changes to the users of a configuration, made in its files: comments and everything else stay as they are."""

from __future__ import annotations

import copy
import datetime
import os
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Array

from jmaplite.config.load import load
from jmaplite.config.mistakes import ConfigError
from jmaplite.config.table import Config

PEOPLE = ("principals", "users", "groups")
"""The arrays of tables in which people and groups stand."""


class CannotEdit(Exception):
    """A change cannot be made; the arguments are lines that tell why. Nothing was changed."""


class DirectoryFile:
    """The file in which the directory in use stands. `save` writes it; until then nothing has happened.

    Raises CannotEdit.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._name = config.jmap.directory
        for path in config.files:
            text = path.read_bytes().decode()
            if self._name in tomllib.loads(text).get("directory", {}):
                self._path, self._before = path.resolve(), text
                self._document = tomlkit.parse(text)
                return
        raise CannotEdit(f"directory {self._name} stands in none of the files")

    def add(self, rows: str, values: dict[str, Any]) -> None:
        """Add a row to one of the arrays of tables of the directory, as the last."""
        try:
            table: Any = self._document["directory"][self._name]
            if rows not in table:
                table.append(rows, tomlkit.aot())
            array = table[rows]
            if isinstance(array, AoT):
                row = tomlkit.table()
                row.update(values)
                array.append(row)
            elif isinstance(array, Array):
                row_inside = tomlkit.inline_table()
                row_inside.update(values)
                array.append(row_inside)
            else:
                array.append(tomlkit.item(values))
        except (TOMLKitError, TypeError, ValueError, AttributeError) as error:
            raise CannotEdit(f"{self._path}: cannot be edited, as it is written: {error}") from None

    def rows(self, *names: str) -> Iterator[Any]:
        """Every row of some arrays of tables of the directory; what is set in one is saved."""
        table: Any = self._document["directory"][self._name]
        for name in names:
            yield from table.get(name, ())

    def remove(self, name: str, is_meant: Callable[[Any], bool]) -> int:
        """Remove rows from an array of tables; answers how many there were."""
        table: Any = self._document["directory"][self._name]
        array = table.get(name, ())
        meant = [number for number, row in enumerate(array) if is_meant(row)]
        for number in reversed(meant):
            del array[number]
        if meant and not len(array):
            del table[name]
        return len(meant)

    def save(self) -> None:
        """Write the file, whole or not at all; with what the server would not take it is put back as it was."""
        text = tomlkit.dumps(self._document)
        wanted = copy.deepcopy(self._document.unwrap())
        with suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(text) == wanted:
                self._is_as_it_was()
                _replace(self._path, text)
                self._check()
                return
        raise CannotEdit(f"{self._path}: cannot be edited, as it is written")

    def _is_as_it_was(self) -> None:
        with suppress(OSError):
            if self._path.read_bytes().decode(errors="replace") != self._before:
                raise CannotEdit(f"{self._path}: somebody else has changed it just now: try again")

    def _check(self) -> None:
        try:
            load(self._config.path)
        except ConfigError as error:
            _replace(self._path, self._before)
            raise CannotEdit(*error.lines()) from None


def moment(seconds: float) -> datetime.datetime:
    """Seconds since the epoch as a file has them."""
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)


def _replace(path: Path, text: str) -> None:
    """Put a text in the place of a file's, with its mode and owner, so that nobody ever reads half of it."""
    made = None
    try:
        about = path.stat()
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        made = Path(name)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            os.fchmod(file.fileno(), about.st_mode & 0o7777)
            with suppress(PermissionError):
                os.fchown(file.fileno(), about.st_uid, about.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        made.replace(path)
    except OSError as error:
        if made is not None:
            made.unlink(missing_ok=True)
        raise CannotEdit(f"{path}: cannot be written: {error.strerror}") from None
