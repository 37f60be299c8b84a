"""The sockets that listen: bound once, and kept for as long as some configuration asks for their addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from jmaplite.web import CannotListen, Listener, ListeningSocket, opened, shown

Place = tuple[str, str, int, bool] | Path
"""What a socket is bound for: host and port, and whether IPv4 is left out; with any free port, for which listener."""


@dataclass(slots=True)
class Sockets:
    """The sockets of a server's listeners, by what they are bound for."""

    _bound: dict[Place, list[ListeningSocket]] = field(default_factory=dict)

    def of(self, listener: Listener) -> list[ListeningSocket]:
        """The sockets of a listener that has been taken up."""
        return [one for bind in listener.bind for one in self._bound[_place(listener, bind)]]

    def take_up(self, listeners: Iterable[Listener]) -> Sockets:
        """The sockets that these listeners need: those that are here already, and new ones beside them.

        Raises CannotListen; nothing has changed then. What is not needed any more stays open until `leave`.
        """
        taken = Sockets()
        try:
            for listener in listeners:
                for bind in listener.bind:
                    self._take_up(taken, listener, bind)
        except CannotListen:
            taken.leave(self)
            raise
        return taken

    def leave(self, successor: Sockets | None = None) -> None:
        """Close the sockets, but for those that the successor has as well."""
        kept = set(successor) if successor else set()
        for one in self:
            if one not in kept:
                one.close()

    def __iter__(self) -> Iterator[ListeningSocket]:
        return (one for sockets in self._bound.values() for one in sockets)

    def _take_up(self, taken: Sockets, listener: Listener, bind: tuple[str, int] | Path) -> None:
        place = _place(listener, bind)
        here = self._bound.get(place)
        try:
            if here is None:
                taken._bound[place] = opened(bind, listener.options, self)
                return
            for one in here:
                one.set(listener.options)
        except OSError as error:
            reason = error.strerror or error
            raise CannotListen(f"listener {listener.id} cannot bind {shown(bind)}: {reason}") from None
        taken._bound[place] = here


def _place(listener: Listener, bind: tuple[str, int] | Path) -> Place:
    if isinstance(bind, Path):
        return bind
    host, port = bind
    return ("" if port else listener.id, host, port, listener.options.v6_only and ":" in host)
