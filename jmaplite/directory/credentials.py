"""What an Authorization header proves, remembered for a while: hashing passwords is slow on purpose."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import NamedTuple

from jmaplite.directory.port import Directory, DirectoryUnavailable, Principal
from jmaplite.directory.tokens import credential

_BASIC = re.compile(r"basic +([A-Za-z0-9+/]+={0,2})", re.IGNORECASE | re.ASCII)
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE | re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 8192

PASSWORD = "password"  # noqa: S105
"""The `credential` of whoever has logged in with a password, where a directory does not tell one from the other."""


RETRY_SECONDS = 10
"""Seconds until a directory that did not answer is asked again about somebody who is known."""


class _Known(NamedTuple):
    """Until when an answer is good, until when it serves while the directory is away, and the answer."""

    until: float
    lasts: float
    principal: Principal


class Credentials:
    """Asks a directory who an Authorization header belongs to; safe to use from any thread.

    `ttl` is how many seconds an answer is good for (but no longer than what it rests on), `stay` for how many it serves
    while the directory does not answer, `size` how many are kept. Refusals are not kept. The header itself is never
    kept either, only its HMAC under a key of this object. `clock` answers seconds, `now` those since the epoch.
    """

    def __init__(
        self,
        directory: Directory,
        *,
        ttl: float = 300,
        stay: float = 300,
        clock: Callable[[], float] = time.monotonic,
        size: int = 10_000,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._ttl = ttl
        self._stay = stay
        self._clock = clock
        self._size = size
        self._now = now
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._known: dict[bytes, _Known] = {}
        self._asked: dict[bytes, Future[Principal | None]] = {}

    def cached(self, authorization: str) -> Principal | None:
        """Whom a header is known to belong to, or None. Quick: no hashing of passwords, no network."""
        return self._good(self._known.get(self._place(authorization)))

    def verify(self, authorization: str) -> Principal | None:
        """Whom a header (Basic, RFC 7617; Bearer, RFC 6750) belongs to, or None.

        May take time: not for the event loop. The same header verified by several threads at once is worked
        out once. Raises DirectoryUnavailable.
        """
        if len(authorization) > _LONGEST:
            return None
        place = self._place(authorization)
        with self._lock:
            known = self._good(self._known.get(place))
            if known is not None:
                return known
            asked = self._asked.get(place)
            mine = asked is None
            if asked is None:
                asked = self._asked[place] = Future()
        if mine:
            self._answer(place, authorization, asked)
        return asked.result()

    def forget(self) -> None:
        """Forget every answer, those still being worked out included: the directory has changed."""
        with self._lock:
            self._known = {}
            self._asked = {}

    def _good(self, found: _Known | None) -> Principal | None:
        """Who was found, if that is still good."""
        if found is None or self._clock() >= found.until:
            return None
        return self._unexpired(found.principal)

    def _unexpired(self, principal: Principal) -> Principal | None:
        return principal if principal.expires is None or self._now() < principal.expires else None

    def _answer(self, place: bytes, authorization: str, asked: Future[Principal | None]) -> None:
        try:
            principal = self._ask(authorization)
        except BaseException as error:
            lasting = self._lasting(place) if isinstance(error, DirectoryUnavailable) else None
            self._settle(place, asked, None)
            if lasting is not None:
                asked.set_result(lasting)
            else:
                asked.set_exception(error)
        else:
            self._settle(place, asked, principal, refused=principal is None)
            asked.set_result(principal)

    def _settle(
        self, place: bytes, asked: Future[Principal | None], principal: Principal | None, *, refused: bool = False
    ) -> None:
        with self._lock:
            if self._asked.get(place) is not asked:
                return  # forgotten while it was worked out
            del self._asked[place]
            if principal is not None or refused:
                self._known.pop(place, None)
            if principal is None:
                return
            while len(self._known) >= self._size:
                del self._known[next(iter(self._known))]
            now = self._clock()
            self._known[place] = _Known(now + self._ttl, now + self._stay, principal)

    def _lasting(self, place: bytes) -> Principal | None:
        """Who was found before, while the directory is away; it is asked again in a while."""
        with self._lock:
            found, now = self._known.get(place), self._clock()
            if found is None or now >= found.lasts:
                return None
            self._known[place] = found._replace(until=min(now + RETRY_SECONDS, found.lasts))
            return self._unexpired(found.principal)

    def _ask(self, authorization: str) -> Principal | None:
        token = bearer(authorization)
        if token is not None:
            return _with(self._directory.verify_token(token), credential(token))
        pair = basic(authorization)
        return _with(self._directory.verify_password(*pair), PASSWORD) if pair is not None else None

    def _place(self, authorization: str) -> bytes:
        return hmac.digest(self._key, authorization.encode("utf-8", "surrogatepass"), "sha256")


def _with(principal: Principal | None, credential: str) -> Principal | None:
    return principal and (principal if principal.credential else replace(principal, credential=credential))


def basic(authorization: str) -> tuple[str, str] | None:
    """Name and password of a Basic header in UTF-8, or None if it is not one (RFC 7617 §2)."""
    match = _BASIC.fullmatch(authorization.strip(" \t"))
    if match is None:
        return None
    try:
        pair = base64.b64decode(match[1], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    name, colon, password = pair.partition(":")
    return (name, password) if colon and not _CONTROL.search(pair) else None


def bearer(authorization: str) -> str | None:
    """The token of a Bearer header, or None if it is not one (RFC 6750 §2.1)."""
    match = _BEARER.fullmatch(authorization.strip(" \t"))
    return match[1] if match else None
