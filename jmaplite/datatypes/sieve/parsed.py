"""Scripts that have been parsed, by the digests of their octets: what runs often is parsed once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from jmaplite.datatypes.sieve.capability import SieveSettings
from jmaplite.formats import sieve

_MOST = 256
_LARGEST = 65_536  # octets of a script that is kept
_MOST_OCTETS = 1_000_000  # of all of them; in memory a script takes up to a hundred times what it is written in

_Key = tuple[bytes, sieve.Limits, frozenset[str]]


class _Parsed:
    """The scripts used last, and the errors of those that are none any more; for any number of threads."""

    def __init__(self) -> None:
        self._found: OrderedDict[_Key, sieve.Script | sieve.SieveError] = OrderedDict()
        self._octets = 0
        self._lock = threading.Lock()

    def get(self, key: _Key) -> sieve.Script | sieve.SieveError | None:
        with self._lock:
            found = self._found.get(key)
            if found is not None:
                self._found.move_to_end(key)
            return found

    def put(self, key: _Key, parsed: sieve.Script | sieve.SieveError) -> None:
        with self._lock:
            self._octets += _size(parsed) - _size(self._found.get(key))
            self._found[key] = parsed
            while len(self._found) > _MOST or self._octets > _MOST_OCTETS:
                self._octets -= _size(self._found.popitem(last=False)[1])


def _size(parsed: sieve.Script | sieve.SieveError | None) -> int:
    return parsed.size if isinstance(parsed, sieve.Script) else 0


_PARSED = _Parsed()


def parsed(settings: SieveSettings, digest: bytes, read: Callable[[], bytes]) -> sieve.Script:
    """The script whose octets have a digest; they are read if need be. Raises SieveError."""
    key = (digest, settings.limits, settings.capabilities)
    found = _PARSED.get(key)
    if found is None:
        octets = read()
        try:
            found = parse(settings, octets)
        except sieve.SieveError as error:
            found = error
        if len(octets) <= _LARGEST:
            _PARSED.put(key, found)
    if isinstance(found, sieve.SieveError):
        raise sieve.SieveError(found.message, found.line, found.column)
    return found


def parse(settings: SieveSettings, octets: bytes) -> sieve.Script:
    """The script of octets. Raises SieveError."""
    return sieve.parse(octets, capabilities=settings.capabilities, limits=settings.limits)
