"""What has come of a message so far, within bounds."""

from __future__ import annotations

from typing import Any, Protocol

from jmaplite.delivery import replies
from jmaplite.delivery.incoming import Incoming


class Floor(Protocol):
    """What a connection speaks for: a listener, with the room that it has for messages under way."""

    incoming: Incoming

    async def run(self, work: Any, *arguments: Any) -> Any:
        """Do something that takes time."""

    def hold(self, octets: int) -> bool:
        """Have so many octets (or, negative, so many fewer) of messages in memory, if there is room for more."""


class Gathering:
    """A message as it comes in, of so many octets at `most`. `ends` is when its time is over, by the loop's clock."""

    def __init__(self, floor: Floor, most: int, ends: float) -> None:
        self.ends = ends
        self.refusal: str | None = None
        self._floor = floor
        self._most = most
        self._held = 0
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> None:
        """Keep some more of it; what is refused is not kept, and lets go of what was."""
        if self.refusal is None and self._held + len(piece) > self._most:
            self.refusal = replies.TOO_LARGE
        elif self.refusal is None and not self._floor.hold(len(piece)):
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
        self._floor.hold(-self._held)
        self._held = 0
        self._pieces = []
