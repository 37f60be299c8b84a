"""Listeners for ManageSieve, beside those for JMAP."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Collection

from jmaplite.core.errors import RequestError
from jmaplite.delivery.managesieve import Desk, Refused, ScriptKeeping
from jmaplite.directory import DirectoryUnavailable, Principal
from jmaplite.directory.credentials import Credentials
from jmaplite.web import Certificates, Listener, ListeningSocket
from jmaplite.web.rates import Rates

logger = logging.getLogger(__name__)

_LOGGED = 100


def log_in(credentials: Credentials, rates: Rates) -> Callable[[str, str, str], Principal | None]:
    """What tells whom a name and a password belong to, as slowly as failed log-ins deserve."""

    def find(name: str, password: str, address: str) -> Principal | None:
        try:
            rates.attempt(address, name)
            header = "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
            found = None if ":" in name else credentials.cached(header) or credentials.verify(header)
        except RequestError as error:
            raise Refused("TRYLATER", str(error)) from None
        except DirectoryUnavailable as error:
            logger.warning("nobody can log in: the directory does not answer: %s", error)
            raise Refused("TRYLATER", "the directory of users does not answer at the moment") from None
        if found is None:
            rates.failed(address, name)
            logger.warning("a log-in failed: user %r from %s", name[:_LOGGED], address)
        else:
            rates.succeeded(address, name)
        return found

    return find


class ScriptListening:
    """One listener for ManageSieve at work, as `Listening` is for JMAP."""

    def __init__(self, listener: Listener, desk: Desk) -> None:
        self.listener = listener
        self._sockets: list[ListeningSocket] = []
        self._keeping = ScriptKeeping(desk)

    @property
    def urls(self) -> tuple[str, ...]:
        """Where connections are accepted, as `sieve://127.0.0.1:4190` (RFC 5804 §3)."""
        return tuple(one.name if one.name.startswith("unix:") else f"sieve://{one.name}" for one in self._sockets)

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return self._keeping.connections

    def become(
        self,
        listener: Listener,
        desk: Desk,
        sockets: Collection[ListeningSocket],
        certificates: Certificates | None,
    ) -> None:
        """Accept connections as this listener from now on, on sockets that stay the caller's."""
        self.listener, self._sockets = listener, list(sockets)
        self._keeping.become(
            desk,
            [one.inner for one in sockets],
            certificates.context if certificates else None,
            listener.max_connections,
            is_implicit=listener.is_implicit,
            patience=listener.tls.patience if listener.tls else 60.0,
        )

    def narrow(self, sockets: Collection[ListeningSocket]) -> None:
        """Accept nothing more on other sockets than these."""
        self._sockets = [one for one in self._sockets if one in sockets]
        self._keeping.narrow([one.inner for one in self._sockets])

    async def stop(self, seconds: float | None) -> None:
        """Accept no more, and cut off what does not end in time (None: it has all time)."""
        self._sockets = []
        await self._keeping.stop(seconds)
