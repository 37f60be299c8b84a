"""What has come of a message so far, within bounds."""

from __future__ import annotations

from collections.abc import Callable

from jmaplite.delivery import replies


class Gathering:
    """A message as it comes in. `ends` is when its time is over, by the clock of the loop.

    `hold` is asked for room for so many octets (or, negative, gives it back); `most` is how many there may be.
    """

    def __init__(self, hold: Callable[[int], bool], most: int, ends: float) -> None:
        self.ends = ends
        self.refusal: str | None = None
        self._hold = hold
        self._most = most
        self._held = 0
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> None:
        """Keep some more of it; what is refused is not kept, and lets go of what was."""
        if self.refusal is None and self._held + len(piece) > self._most:
            self.refusal = replies.TOO_LARGE
        elif self.refusal is None and not self._hold(len(piece)):
            self.refusal = replies.BUSY
        if self.refusal is None:
            self._held += len(piece)
            self._pieces.append(piece)
        else:
            self.drop()

    def take(self) -> list[bytes]:
        """All of it, which is whoever asks to let go of. The room stays taken."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def drop(self) -> None:
        """Let go of what there is, and of the room for it."""
        self._hold(-self._held)
        self._held = 0
        self._pieces = []
