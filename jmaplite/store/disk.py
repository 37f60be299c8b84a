"""Files and directories of a store: how they are made durable, and what it means when the disk refuses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jmaplite.store.port import StoreUnavailable


@contextmanager
def on_disk() -> Iterator[None]:
    """What the operating system refuses inside means what it means in the database. Raises StoreUnavailable."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"the disk cannot serve now: {error}") from error


def create_file(path: Path, octets: bytes = b"") -> None:
    """Make a file that only its owner may read. Raises FileExistsError."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(octets)


def sync(path: Path) -> None:
    """Make a file or directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
