"""How often somebody may ask, and how soon again after a log-in that failed. Nobody waits here: one is told."""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable

from jmaplite.core.errors import RequestError
from jmaplite.web.settings import Rate, RateLimits

PATIENCE = 5
"""Log-ins of one address to one account that may fail before the next has to wait."""

LONGEST_DELAY = 300.0
"""Seconds that it has to wait at most. The delay begins with one, and doubles with each failure."""

LONGEST_NAME = 255
"""Characters of a log-in name that tell it from others here."""

OBLIVION = 3600.0
"""Seconds without another failure after which those before are forgotten."""


class Bucket:
    """Lets each key through `rate.count` times at once, and as often in `rate.seconds` from then on (a token bucket).

    Of each key the time is kept at which its bucket will be full again. At most `size` are kept; the oldest go first.
    """

    def __init__(self, rate: Rate, size: int, clock: Callable[[], float]) -> None:
        self._interval = rate.seconds / rate.count
        self._whole = rate.seconds - self._interval
        self._size = size
        self._clock = clock
        self._full: dict[str, float] = {}

    def wait(self, key: str) -> float:
        """Seconds until a key is let through again; 0 if it is now."""
        return max(self._full.get(key, 0.0) - self._clock() - self._whole, 0.0)

    def take(self, key: str) -> float:
        """The same; a key that is let through has used up one of its times."""
        now = self._clock()
        full = max(self._full.get(key, now), now)
        wait = full - now - self._whole
        if wait > 1e-9:
            return wait
        if key not in self._full and len(self._full) >= self._size:
            del self._full[next(iter(self._full))]
        self._full[key] = full + self._interval
        return 0.0


class Rates:
    """The limits of `jmap.rate-limit`, for one event loop.

    Failed log-ins count by the address that they come from, and by address and account together: what somebody guesses
    elsewhere keeps nobody out. Addresses of this machine are not limited as a whole, for all of its users share them.
    """

    def __init__(self, limits: RateLimits, clock: Callable[[], float] = time.monotonic) -> None:
        def bucket(rate: Rate | None) -> Bucket | None:
            return Bucket(rate, limits.size, clock) if rate else None

        self._account = bucket(limits.account)
        self._anonymous = bucket(limits.anonymous)
        self._failures = bucket(limits.authentication)
        self._delays_are_on = limits.authentication is not None
        self._size = limits.size
        self._clock = clock
        self._delays: dict[tuple[str, str], tuple[int, float, float]] = {}

    def request(self, user: str) -> None:
        """A user asks. Raises RequestError 429."""
        if self._account is not None and (wait := self._account.take(user)):
            raise _too_often("jmap.rate-limit.account", "You ask too often.", wait)

    def stranger(self, address: str) -> None:
        """Somebody asks without logging in. Raises RequestError 429."""
        if self._anonymous is None or is_own(address):
            return
        if wait := self._anonymous.take(network(address)):
            raise _too_often("jmap.rate-limit.anonymous", "Too many requests without a log-in.", wait)

    def attempt(self, address: str, name: str) -> None:
        """Somebody wants to log in, and nobody has looked at the password yet. Raises RequestError 429."""
        wait = self._delays.get((network(address), name[:LONGEST_NAME]), (0, 0.0, 0.0))[1] - self._clock()
        if self._failures is not None and not is_own(address):
            wait = max(wait, self._failures.wait(network(address)))
        if wait > 0:
            raise _too_often("jmap.rate-limit.authentication", "Too many log-ins have failed.", wait)

    def failed(self, address: str, name: str) -> None:
        """That failed."""
        if not self._delays_are_on:
            return
        if self._failures is not None and not is_own(address):
            self._failures.take(network(address))
        if not name:
            return  # a token, which nobody guesses
        now, key = self._clock(), (network(address), name[:LONGEST_NAME])
        count, _, last = self._delays.pop(key, (0, 0.0, now))
        count = count + 1 if now - last < OBLIVION else 1
        delay = min(2.0 ** min(count - PATIENCE, 30), LONGEST_DELAY) if count >= PATIENCE else 0.0
        if len(self._delays) >= self._size:
            del self._delays[next(iter(self._delays))]
        self._delays[key] = (count, now + delay, now)

    def succeeded(self, address: str, name: str) -> None:
        """That went well, so what failed before was a slip."""
        self._delays.pop((network(address), name[:LONGEST_NAME]), None)


def network(address: str) -> str:
    """What counts as one address: of IPv6 a /64, which is what a single customer has at least."""
    if ":" not in address:
        return address
    try:
        ip = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ip.ipv4_mapped) if ip.ipv4_mapped else f"{int(ip) >> 64:x}/64"


def is_own(address: str) -> bool:
    """Whether an address is one of this machine's own, or of a Unix socket."""
    return not address or address == "::1" or address.startswith(("127.", "::ffff:127.", "unix"))


def _too_often(limit: str, detail: str, wait: float) -> RequestError:
    error = RequestError("limit", detail, status=429, limit=limit)
    error.headers = (*error.headers, ("Retry-After", str(max(math.ceil(wait), 1))))
    return error
