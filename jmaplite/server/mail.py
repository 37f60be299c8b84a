"""Listeners for mail, beside those for JMAP."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from jmaplite.config import Config
from jmaplite.delivery import Arriving, Incoming
from jmaplite.delivery.paths import is_taken
from jmaplite.server.ground import CannotServe
from jmaplite.server.parts import compose, office
from jmaplite.web import Certificates, Listener, ListeningSocket, urls

if TYPE_CHECKING:
    from jmaplite.delivery.receiving import Receiving

PROTOCOLS = ("lmtp", "smtp")
"""What is spoken with other mail servers."""


class MailListening:
    """One listener for mail at work, as `Listening` is for JMAP."""

    def __init__(self, listener: Listener, incoming: Incoming) -> None:
        from jmaplite.delivery.receiving import Receiving  # only those who take mail in wait for it

        self.listener = listener
        self._sockets: list[ListeningSocket] = []
        self._receiving: Receiving = Receiving(incoming)

    @property
    def urls(self) -> tuple[str, ...]:
        """Where connections are accepted."""
        return urls(self.listener, self._sockets)

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return self._receiving.connections

    def become(
        self,
        listener: Listener,
        incoming: Incoming,
        sockets: Collection[ListeningSocket],
        certificates: Certificates | None,
    ) -> None:
        """Accept connections as this listener from now on, on sockets that stay the caller's."""
        from jmaplite.delivery.receiving import Receiver

        self.listener, self._sockets = listener, list(sockets)
        receiver = Receiver(
            "lmtp" if listener.protocol == "lmtp" else "smtp",
            certificates.context if certificates else None,
            listener.is_implicit,
            listener.max_connections,
            listener.tls.patience if listener.tls else 60.0,
        )
        self._receiving.become(receiver, incoming, [one.inner for one in sockets])

    def narrow(self, sockets: Collection[ListeningSocket]) -> None:
        """Accept nothing more on other sockets than these."""
        self._sockets = [one for one in self._sockets if one in sockets]
        self._receiving.narrow([one.inner for one in self._sockets])

    async def stop(self, seconds: float | None) -> None:
        """Accept no more, let what is under way end, and cut off what does not end in time (None: it has all time)."""
        self._sockets = []
        await self._receiving.stop(seconds)


def deliver(config: Config, sender: str, recipients: tuple[str, ...], octets: bytes) -> list[str]:
    """Put a message into the accounts of recipients, beside a server or without one; answers a reply for each.

    A sender without a domain has ours. A store that cannot be opened is a failure for now.
    """
    if sender and "@" not in sender:
        sender = f"{sender}@{config.server.hostname}"
    if sender and not is_taken(sender):
        return ["553 5.1.7 The sender is no address"] * len(recipients)
    try:
        parts = compose(config)
    except CannotServe as error:
        return [f"451 4.3.0 {error}"] * len(recipients)
    try:
        return Incoming(office(parts, config)).deliver(Arriving(sender, recipients, octets, "localhost", "local"))
    finally:
        parts.directory.close()
        parts.close()
