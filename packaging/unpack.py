"""Makes the archive's files a directory that Python can import from, and starts the program there.

Native modules cannot be loaded from a zip file, so everything is unpacked, once per build and Python, into a
cache directory that is private to the user. Every start looks whether each file is there in its full size and
writes those that are not, each by an atomic rename: a first start, two of them at once, and a cache that
somebody cleared in part are one and the same case.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn
from zipfile import ZipFile


class Unusable(Exception):
    """A directory cannot be unpacked into; the argument says why."""


def start(archive: str, build: dict[str, Any], target: dict[str, Any]) -> NoReturn:
    """Unpack what is missing, run the program, and exit with its exit code."""
    try:
        prepare(archive, build, target)
    except Unusable as error:
        sys.exit(f"{build['name']}: {error}")
    module, _, function = build["entry"].partition(":")
    sys.exit(getattr(import_module(module), function)())


def prepare(archive: str, build: dict[str, Any], target: dict[str, Any]) -> Path:
    """Unpack what is missing and import from there from now on. Raises Unusable if there is no place."""
    refused = []
    for candidate in (cache_home, temporary_home):
        try:
            home = candidate(build["name"], f"{build['digest'][:16]}-{target['name']}")
            fill(home, archive, wanted(build, target))
        except (Unusable, OSError, RuntimeError) as error:  # RuntimeError: no home directory
            refused.append(str(error))
            continue
        sys.path[:] = [str(home), *(entry for entry in sys.path if entry != archive)]
        return home
    raise Unusable(
        f"found no directory to unpack into ({'; '.join(refused)}); "
        "let XDG_CACHE_HOME or TMPDIR name one that is private to you, writable and not mounted noexec."
    )


def wanted(build: dict[str, Any], target: dict[str, Any]) -> dict[str, tuple[str, int]]:
    """The files that a target needs: path -> name in the archive and size in octets."""
    return {
        path: (f"{tree}/{path}", size)
        for tree in ("site", f"targets/{target['name']}")
        for path, size in build["files"][tree].items()
    }


def cache_home(program: str, name: str) -> Path:
    """The directory of this build in the user's cache, locked against `prune`. Raises Unusable, OSError."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(configured if configured.startswith("/") else "~/.cache").expanduser()
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    base = base.resolve()
    for directory in (base, *base.parents):
        check_path(directory)
    parent = base / program
    parent.mkdir(mode=0o700, exist_ok=True)
    check_private(parent)
    home = parent / name
    home.mkdir(mode=0o700, exist_ok=True)
    while not hold(home):  # another process pruned it in between
        home.mkdir(mode=0o700, exist_ok=True)
    check_private(home)
    check_executable(home)
    if next(home.iterdir(), None) is None:
        prune(parent, home)
    return home


def temporary_home(program: str, name: str) -> Path:
    """A directory for this process alone, removed when it ends. Raises Unusable, OSError."""
    home = Path(tempfile.mkdtemp(prefix=f"{program}-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    check_executable(home)
    return home


def check_path(directory: Path) -> None:
    """Raises Unusable if another user than root could exchange what stands in a directory."""
    info = directory.lstat()
    if info.st_uid not in (0, os.geteuid()):
        raise Unusable(f"{directory} belongs to another user")
    if info.st_mode & 0o022 and not info.st_mode & stat.S_ISVTX:
        raise Unusable(f"{directory} can be written by other users")


def check_private(directory: Path) -> None:
    """Raises Unusable if anybody else could put something into a directory."""
    info = directory.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o022:
        raise Unusable(f"{directory} is not private to this user")


def check_executable(directory: Path) -> None:
    """Raises Unusable if native code may not be loaded from a directory."""
    if os.statvfs(directory).f_flag & getattr(os, "ST_NOEXEC", 0):
        raise Unusable(f"{directory} is mounted noexec")


def hold(home: Path) -> bool:
    """Keep other processes' `prune` off a directory while this one lives; False if it is gone already."""
    try:
        lock = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(lock, fcntl.LOCK_SH)
        if os.path.samestat(os.fstat(lock), home.lstat()):
            return True
    except FileNotFoundError:
        return False
    os.close(lock)
    return False


def prune(parent: Path, home: Path) -> None:
    """Remove other builds that no process runs from; the same build for another Python stays."""
    for directory in parent.iterdir():
        if directory.name.partition("-")[0] == home.name.partition("-")[0]:
            continue
        with suppress(OSError):  # in use, or pruned by somebody else
            lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory)
            finally:
                os.close(lock)


def missing(home: Path, files: dict[str, tuple[str, int]]) -> Iterator[str]:
    """The paths of files that are not there in their full size."""
    for path, (_, size) in files.items():
        try:
            if os.stat(f"{home}/{path}").st_size != size:  # noqa: PTH116 - a Path costs more than the stat
                yield path
        except FileNotFoundError:
            yield path


def fill(home: Path, archive: str, files: dict[str, tuple[str, int]]) -> None:
    """Write the files that are missing. Raises OSError."""
    paths = list(missing(home, files))
    if not paths:
        return
    with ZipFile(archive) as source:
        for path in paths:
            place = home / path
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=home, prefix=".unpacking-")
            with os.fdopen(handle, "wb") as file:
                file.write(source.read(files[path][0]))
            Path(temporary).rename(place)
