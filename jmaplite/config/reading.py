"""A file is read whole, but neither for ever nor without end, whatever stands under its name."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST_OCTETS = 64 << 20
"""How large a file may be."""


def read(path: Path) -> bytes:
    """The octets of a regular file. Raises OSError for what is none: a pipe or a device may never end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        reason = unreadable(os.fstat(descriptor).st_mode)
        if reason is not None:
            raise OSError(errno.EINVAL, reason)
        octets = file.read(MOST_OCTETS + 1)
    if len(octets) > MOST_OCTETS:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return octets


def unreadable(mode: int) -> str | None:
    """Why what has a mode is not read, or None."""
    if stat.S_ISDIR(mode):
        return os.strerror(errno.EISDIR)
    return None if stat.S_ISREG(mode) else "Is no regular file"
