"""What a store keeps to itself: a file for each secret, which only the owner of the store may read."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from jmaplite.store.disk import create_file, on_disk, sync

SECRETS = "secrets"
"""The name of the directory of secrets in a store's."""


def kept(directory: Path, name: str, make: Callable[[], bytes]) -> bytes:
    """The octets kept under a name in a directory; whoever comes first makes them. Raises StoreUnavailable."""
    path = directory / name
    with on_disk():
        with suppress(FileNotFoundError):
            return path.read_bytes()
        directory.mkdir(mode=0o700, exist_ok=True)
        part = directory / f".{name}-{secrets.token_hex(8)}"
        try:
            create_file(part, make())
            sync(part)
            with suppress(FileExistsError):  # another process was faster
                os.link(part, path)
        finally:
            part.unlink(missing_ok=True)
        sync(directory)
        return path.read_bytes()
