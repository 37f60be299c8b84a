"""The sockets that listen: bound once, and kept for as long as some configuration asks for their addresses."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Sequence
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
        asked = [(listener, bind) for listener in listeners for bind in listener.bind]
        kept = {_place(*one) for one in asked}
        in_the_way = [one for place, sockets in self._bound.items() if place not in kept for one in sockets]
        taken = Sockets()
        try:
            for listener, bind in asked:
                place = _place(listener, bind)
                try:
                    taken._bound[place] = self._here(place, listener) or opened(bind, listener.options, in_the_way)
                except OSError as error:
                    reason = error.strerror or error
                    raise CannotListen(f"listener {listener.id} cannot bind {shown(bind)}: {reason}") from None
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

    def described(self) -> tuple[tuple[tuple[Place, tuple[Path | None, ...]], ...], list[int]]:
        """What another process has to know to take these as its own, and their descriptors in the same order."""
        places = tuple((place, tuple(one.path for one in sockets)) for place, sockets in self._bound.items())
        return places, [one.inner.fileno() for one in self]

    def inherited(self, places: Iterable[tuple[Place, tuple[Path | None, ...]]], descriptors: Sequence[int]) -> Sockets:
        """The sockets that another process has described; what is here already stays what it is."""
        found: dict[Place, list[ListeningSocket]] = {}
        remaining = iter(descriptors)
        for place, paths in places:
            made = [(next(remaining), path) for path in paths]
            if place in self._bound:
                found[place] = self._bound[place]
                for descriptor, _ in made:
                    os.close(descriptor)
            else:
                found[place] = [
                    ListeningSocket(socket.socket(fileno=descriptor), path, owned=False) for descriptor, path in made
                ]
        return Sockets(found)

    def __iter__(self) -> Iterator[ListeningSocket]:
        return (one for sockets in self._bound.values() for one in sockets)

    def _here(self, place: Place, listener: Listener) -> list[ListeningSocket]:
        """The sockets that are here for a place, set as a listener asks for; none if there are none. Raises OSError."""
        found = self._bound.get(place, [])
        for one in found:
            one.set(listener.options)
        return found


def _place(listener: Listener, bind: tuple[str, int] | Path) -> Place:
    if isinstance(bind, Path):
        return bind
    host, port = bind
    return ("" if port else listener.id, host, port, listener.options.v6_only and ":" in host)
