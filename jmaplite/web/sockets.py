"""Sockets that listen: TCP of both families, and Unix sockets with their files."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jmaplite.web.settings import SocketOptions

_BOUND_PER_HOST = 16
"""Addresses of one host name that are bound; more would be a mistake in a name service."""


class ListeningSocket:
    """A socket that listens, and what is to go with it. Raises OSError when it is made by `opened`.

    The file of a Unix socket, at `path`, is that of another process unless it is `owned`.
    """

    def __init__(self, inner: socket.socket, path: Path | None = None, *, owned: bool = True) -> None:
        self.inner = inner
        self.path = path
        self._inode = path.stat().st_ino if path is not None and owned else 0

    @property
    def name(self) -> str:
        """Where it listens: `127.0.0.1:8080`, `[::1]:8080` or `unix:/run/x.sock`."""
        if self.path is not None:
            return f"unix:{self.path}"
        return authority(*self.inner.getsockname()[:2])

    def set(self, options: SocketOptions) -> None:
        """Take up what of other options can be changed while it listens. Raises OSError."""
        _size_buffers(self.inner, options)
        self.inner.listen(options.backlog)
        if self.path is not None:
            self.path.chmod(options.mode)

    def close(self) -> None:
        """Listen no more, and take the file of a Unix socket away, if it is not another's by now."""
        self.inner.close()
        if self.path is not None:
            with suppress(OSError):
                if self.path.stat().st_ino == self._inode:
                    self.path.unlink()


def authority(host: str, port: int) -> str:
    """A host and port as a URL has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def shown(bind: tuple[str, int] | Path) -> str:
    """Where something is to be bound, as the configuration says it."""
    return f"unix:{bind}" if isinstance(bind, Path) else authority(*bind)


def opened(
    bind: tuple[str, int] | Path, options: SocketOptions, beside: Iterable[ListeningSocket] = ()
) -> list[ListeningSocket]:
    """Sockets that listen at one place, one for each address of a host. Raises OSError; none is left open then.

    `beside` are ours already: they may be in the way of the new ones, and are about to be closed.
    """
    if isinstance(bind, Path):
        return [_unix(bind, options)]
    host, port = bind
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    made: list[ListeningSocket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found[:_BOUND_PER_HOST]):
            made.append(ListeningSocket(_tcp(family, address, options, [one.inner for one in beside])))
    except OSError:
        for one in made:
            one.close()
        raise
    return made


def _tcp(
    family: int, address: tuple[Any, ...], options: SocketOptions, beside: Iterable[socket.socket]
) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, options.reuse_address)
        if options.reuse_port:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, options.v6_only or address[0] != "::")
        _size_buffers(made, options)
        try:
            made.bind(address)
            made.listen(options.backlog)
        except OSError as error:
            near = [one for one in beside if one.family != socket.AF_UNIX and one.getsockname()[1] == address[1]]
            if error.errno != errno.EADDRINUSE or not near:
                raise
            with _shared([made, *near]):
                made.bind(address)
                made.listen(options.backlog)
    except OSError:
        made.close()
        raise
    return made


@contextmanager
def _shared(sockets: Iterable[socket.socket]) -> Iterator[None]:
    """Let sockets of ours be bound to the same port, as when 127.0.0.1 becomes 0.0.0.0.

    Only for the moment of binding: else another server could slip in beside this one and take half of what comes.
    """
    before = [(one, one.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)) for one in sockets]
    try:
        for one, _ in before:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        yield
    finally:
        for one, was in before:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, was)


def _unix(path: Path, options: SocketOptions) -> ListeningSocket:
    """A Unix socket, in the place of one that nobody listens at any more."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        _size_buffers(made, options)
        _clear(path)
        made.bind(str(path))
        # Nobody can connect before it listens, so that nobody can who may not.
        path.chmod(options.mode)
        made.listen(options.backlog)
        return ListeningSocket(made, path)
    except OSError:
        made.close()
        raise


def _clear(path: Path) -> None:
    """Take away what an earlier process has left. Raises OSError if it is in use, or no socket at all."""
    try:
        mode = path.stat(follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "is there already and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        answer = probe.connect_ex(str(path))
    if answer not in (errno.ECONNREFUSED, errno.ENOENT):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    path.unlink(missing_ok=True)


def prepare(inner: socket.socket, options: SocketOptions) -> None:
    """Set the socket of a connection to what is configured."""
    if not options.nodelay:
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    for of_ipv4, of_ipv6, value in (
        (socket.IP_TTL, socket.IPV6_UNICAST_HOPS, options.ttl),
        (socket.IP_TOS, socket.IPV6_TCLASS, options.tos),
    ):
        if value and inner.family == socket.AF_INET6:
            inner.setsockopt(socket.IPPROTO_IPV6, of_ipv6, value)
        if value:
            with suppress(OSError):  # IPv4 may come in by IPv6, but not on every system
                inner.setsockopt(socket.IPPROTO_IP, of_ipv4, value)


def _size_buffers(made: socket.socket, options: SocketOptions) -> None:
    """What the accepted sockets inherit."""
    if options.send_buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, min(options.send_buffer, 2**30))
    if options.receive_buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, min(options.receive_buffer, 2**30))
