"""What is left to chance elsewhere, and follows from a seed here if there is one."""

from __future__ import annotations

import hashlib
import secrets
import threading


class Chance:
    """Octets for a purpose: the same sequence of each purpose for the same seed, whatever others were asked for.

    Without a seed (empty) nobody can guess them. Safe to use from any thread.
    """

    def __init__(self, seed: str = "") -> None:
        self._lock = threading.Lock()
        self.restart(seed)

    def restart(self, seed: str) -> None:
        """Begin all sequences anew, from a seed."""
        with self._lock:
            self._seed = seed
            self._asked: dict[str, int] = {}

    def __call__(self, purpose: str, octets: int) -> bytes:
        """So many octets."""
        with self._lock:
            seed = self._seed
            number = self._asked[purpose] = self._asked.get(purpose, 0) + 1
        if not seed:
            return secrets.token_bytes(octets)
        return hashlib.shake_256(f"{seed}\n{purpose}\n{number}".encode()).digest(octets)
