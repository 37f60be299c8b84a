"""Files and folders that are watched, however they are written: in place, renamed over, or by a link on the way."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path

from watchfiles import watch

logger = logging.getLogger(__name__)

LOOK_MILLISECONDS = 1_000
"""How often the files are looked at where nobody tells of changes, as on a network's disks."""

STEP_MILLISECONDS = 50
DEBOUNCE_MILLISECONDS = 300
"""How long nothing must happen until changes are told of together, and how long that is waited for."""

MOST_LINKS = 40

Mark = tuple[int, ...] | None


class Watch:
    """Calls `changed`, in a thread of its own, after any of the files has changed, come or gone."""

    def __init__(self, files: Iterable[Path], changed: Callable[[], object]) -> None:
        self._changed = changed
        self._known = {file: mark(file) for file in files}
        self._lock = threading.Lock()
        self._stir = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    @property
    def files(self) -> frozenset[Path]:
        """The files that are watched."""
        return frozenset(self._known)

    def start(self) -> None:
        """Begin; what has changed since this was made counts."""
        self._thread.start()

    def follow(self, files: Iterable[Path]) -> None:
        """Watch these from now on."""
        with self._lock:
            self._known = {file: self._known.get(file) or mark(file) for file in files}
        self._stir.set()

    def stop(self) -> None:
        """End."""
        self._stopped = True
        self._stir.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._stir.clear()
            if self._stopped:
                return
            entries = {entry for file in self._known for entry in _entries(file)}
            names = {entry.name for entry in entries}
            folders = {entry if entry.is_dir() else entry.parent for entry in entries} | {one.parent for one in entries}
            for touched in self._touched(folders):
                if self._have_changed() or names & touched:
                    self._changed()
                    break  # the way to the files may have changed with them

    def _have_changed(self) -> bool:
        with self._lock:
            before = self._known
            self._known = {file: mark(file) for file in before}
            return self._known != before

    def _touched(self, folders: Iterable[Path]) -> Iterator[set[str]]:
        """The names in folders that something has happened to, now and then none; ends when it is stirred."""
        try:
            for changes in watch(
                *(folder for folder in folders if folder.is_dir()),
                watch_filter=None,
                debounce=DEBOUNCE_MILLISECONDS,
                step=STEP_MILLISECONDS,
                stop_event=self._stir,
                rust_timeout=LOOK_MILLISECONDS,
                yield_on_timeout=True,
                raise_interrupt=False,
                recursive=False,
                ignore_permission_denied=True,
            ):
                yield {Path(path).name for _, path in changes}
        except (OSError, RuntimeError) as error:
            # A folder that has just gone, or no watch left to be had: looking at the files goes without.
            logger.debug("the system does not tell of changes: %s", error)
            while not self._stir.wait(LOOK_MILLISECONDS / 1000):
                yield set()


def named(value: object) -> Iterator[Path]:
    """The paths in a value of a configuration."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, tuple):
        for element in value:
            yield from named(element)
    elif is_dataclass(value):
        for one in fields(value):
            yield from named(getattr(value, one.name))


def mark(file: Path) -> Mark:
    """What tells a file from what it becomes when it is written; None where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _entries(file: Path) -> set[Path]:
    """Every entry of a folder that decides which file this is: its own, and the links on the way to it."""
    found, path = {file}, file
    with suppress(OSError):
        for _ in range(MOST_LINKS):
            link = next((one for one in (path, *path.parents) if one.is_symlink()), None)
            if link is None:
                break
            path = link.parent / link.readlink() / path.relative_to(link)
            found |= {link, path}
    return found
