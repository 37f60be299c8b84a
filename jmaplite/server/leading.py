"""Which of the processes that use a store does what only one of them may do."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from jmaplite.store import StoreUnavailable

_FILE = "leader"


class Lead:
    """The lead among the processes of a store: a lock on a file there, which ends with the process that holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path / _FILE
        self._held: int | None = None

    def take(self) -> bool:
        """Take the lead, unless another process has it; answers whether it is here. Raises StoreUnavailable."""
        if self._held is not None:
            return True
        try:
            descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BaseException:
                os.close(descriptor)
                raise
        except BlockingIOError:
            return False
        except OSError as error:
            raise StoreUnavailable(f"{self._path} cannot be locked: {error}") from error
        self._held = descriptor
        return True

    def leave(self) -> None:
        """Leave it to others."""
        if self._held is not None:
            os.close(self._held)
            self._held = None
