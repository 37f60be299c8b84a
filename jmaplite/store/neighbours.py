"""The other processes that use a store: what is committed in one of them is announced in all.

Each has a Unix socket in a folder of the store, and is connected with every other. So a commit is known everywhere at
once, nobody polls, and it is noticed when one of them dies: it may have committed what it did not come to announce.
"""

from __future__ import annotations

import logging
import os
import secrets
import selectors
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from jmaplite.store.port import Change

_log = logging.getLogger(__name__)

_FAREWELL = b"null\n"
_LOOK = b'["",{}]\n'
_READ_OCTETS = 65536
_LONGEST = 1 << 20
"""Octets of an announcement that may be waited for; an account has a value for each of a few types."""

_BACKLOG = 128
_OPEN_FOLDERS = Path("/proc/self/fd")


class Neighbours:
    """Tells the other processes of commits, and hears of theirs.

    `heard` is called for each in a thread of its own, and `lost` after one has gone without a farewell. Raises OSError
    when it is made.
    """

    def __init__(self, folder: Path, heard: Callable[[Change], None], lost: Callable[[], None]) -> None:
        self._heard = heard
        self._lost = lost
        self._peers: tuple[_Peer, ...] = ()
        self._full: set[_Peer] = set()
        self._stopped = False
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self._path = folder
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._selector = selectors.DefaultSelector()
        self._waker, self._woken = socket.socketpair()
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            somebody_died = self._meet()
        except BaseException:
            self._close()
            raise
        for one in (self._woken, self._listening):
            one.setblocking(False)
            self._selector.register(one, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, args=(somebody_died,), name="store-neighbours", daemon=True)
        self._thread.start()

    def announce(self, change: Change) -> None:
        """Tell the others of a commit. Quick; what one of them is too slow to take is told when it has time."""
        for peer in self._peers:
            if peer.tell(change):
                self._full.add(peer)
                self._wake()

    def close(self) -> None:
        """Bid farewell; harmless when repeated."""
        if self._stopped:
            return
        self._stopped = True
        self._wake()
        self._thread.join()
        peers, self._peers = self._peers, ()
        for peer in peers:
            peer.close(_FAREWELL)
        self._close()

    def _meet(self) -> bool:
        """Listen, and connect with those who do; answers whether one of them was found dead."""
        # A name that does not begin with a dot is that of somebody who listens, or who is dead.
        unfinished = f".{self._name}"
        self._listening.bind(self._address(unfinished))
        self._listening.listen(_BACKLOG)
        os.rename(unfinished, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        somebody_died = False
        for name in os.listdir(self._folder):  # noqa: PTH208 -- a Path cannot be made of a descriptor
            if name == self._name or name.startswith("."):
                continue
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(self._address(name))
            except ConnectionRefusedError:
                connection.close()
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=self._folder)
                    somebody_died = True
            except OSError:
                connection.close()  # just gone
            else:
                self._add(connection)
        return somebody_died

    def _address(self, name: str) -> str:
        """Where a socket is, by a path that is short enough for one however long that of the store is."""
        if _OPEN_FOLDERS.exists():
            return f"{_OPEN_FOLDERS}/{self._folder}/{name}"
        return str(self._path / name)

    def _add(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        peer = _Peer(connection)
        self._selector.register(connection, selectors.EVENT_READ, peer)
        self._peers = (*self._peers, peer)

    def _run(self, somebody_died: bool) -> None:
        if somebody_died:
            for peer in self._peers:
                peer.say(_LOOK)
            self._look()
        while not self._stopped:
            for key, events in self._selector.select():
                if key.fileobj is self._listening:
                    self._accept()
                elif key.fileobj is self._woken:
                    self._woken.recv(_READ_OCTETS)
                    self._watch_full()
                else:
                    self._serve(key.data, events)

    def _accept(self) -> None:
        with suppress(OSError):
            connection, _ = self._listening.accept()
            self._add(connection)

    def _watch_full(self) -> None:
        """Wait for those who have too much to take."""
        while self._full:
            peer = self._full.pop()
            if peer in self._peers:
                self._selector.modify(peer.connection, selectors.EVENT_READ | selectors.EVENT_WRITE, peer)

    def _serve(self, peer: _Peer, events: int) -> None:
        if events & selectors.EVENT_WRITE and not peer.say():
            self._selector.modify(peer.connection, selectors.EVENT_READ, peer)
        if events & selectors.EVENT_READ:
            try:
                news = peer.hear()
            except (OSError, ValueError, EOFError):
                self._part_with(peer)
                return
            for change in news:
                if change.account_id:
                    self._guarded(lambda change=change: self._heard(change))  # type: ignore[misc]
                else:
                    self._look()

    def _part_with(self, peer: _Peer) -> None:
        self._selector.unregister(peer.connection)
        self._peers = tuple(other for other in self._peers if other is not peer)
        peer.close()
        if not peer.bade_farewell:
            self._look()

    def _look(self) -> None:
        self._guarded(self._lost)

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            _log.exception("what another process has announced could not be taken up")

    def _wake(self) -> None:
        with suppress(OSError):
            self._waker.send(b"x")

    def _close(self) -> None:
        with suppress(OSError):
            os.unlink(self._name, dir_fd=self._folder)
        self._selector.close()
        for one in (self._listening, self._waker, self._woken):
            one.close()
        os.close(self._folder)


class _Peer:
    """Another process: what is still to be told it, and what it has said so far."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.bade_farewell = False
        self._lock = threading.Lock()
        self._waiting: dict[str, dict[str, int]] = {}
        self._rest = b""
        self._heard = b""

    def tell(self, change: Change) -> bool:
        """Tell of a commit; answers whether that has to wait."""
        with self._lock:
            was_waiting = bool(self._rest)
            # What comes while it waits grows with the accounts, not with the commits.
            known = self._waiting.setdefault(change.account_id, {})
            for name, value in change.types.items():
                known[name] = max(value, known.get(name, 0))
            return not was_waiting and self._send()

    def say(self, octets: bytes = b"") -> bool:
        """Say something, or what waits; answers whether there is more."""
        with self._lock:
            self._rest += octets
            return self._send()

    def hear(self) -> list[Change]:
        """What it has said. Raises EOFError, OSError, ValueError."""
        octets = self.connection.recv(_READ_OCTETS)
        if not octets or len(self._heard) > _LONGEST:
            raise EOFError
        *lines, self._heard = (self._heard + octets).split(b"\n")
        found = []
        for line in lines:
            said = orjson.loads(line)
            if said is None:
                self.bade_farewell = True
            else:
                found.append(_change(said))
        return found

    def close(self, last_words: bytes = b"") -> None:
        """Say no more."""
        with self._lock:
            with suppress(OSError):
                self.connection.settimeout(1)
                self.connection.sendall(self._rest + self._taken() + last_words)
            self.connection.close()

    def _taken(self) -> bytes:
        waiting, self._waiting = self._waiting, {}
        return b"".join(orjson.dumps([account_id, types]) + b"\n" for account_id, types in waiting.items())

    def _send(self) -> bool:
        try:
            while self._rest or self._waiting:
                self._rest = self._rest or self._taken()
                self._rest = self._rest[self.connection.send(self._rest) :]
        except BlockingIOError:
            return True
        except OSError:
            self._rest, self._waiting = b"", {}  # it has gone, as will be noticed where it is listened to
        return False


def _change(said: Any) -> Change:
    """What an announcement says. Raises ValueError."""
    match said:
        case [str(account_id), dict(types)] if all(type(value) is int for value in types.values()):
            known: Mapping[str, int] = types
            return Change(account_id, known)
    raise ValueError("not an announcement")
