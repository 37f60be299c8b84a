"""The worker that hands over what goes elsewhere to a relay, several messages at a time.

Before a message is sent it is claimed, and what came of it is committed as soon as that is known. Nothing is noted in
between: between the last word of the other server and our commit a crash makes the message go twice. Had it been noted
before, the same crash would lose it, and of the two RFC 5321 §4.5.4 wants the first. It goes under the same Message-ID.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from jmaplite.datatypes.submission import queue, receipts
from jmaplite.datatypes.submission.queue import Message
from jmaplite.delivery.office import Office
from jmaplite.delivery.outcomes import settle
from jmaplite.delivery.relay import Parcel, Relay, RelayEnds
from jmaplite.delivery.rounds import Rounds
from jmaplite.delivery.trace import leaving
from jmaplite.store import Account

AT_ONCE = 4
"""Messages of an account that are sent at the same time, and accounts: one slow message does not hold up all others."""


class Courier:
    """Sends what is due for elsewhere in the queues of all accounts."""

    def __init__(self, office: Office, relay: Relay) -> None:
        self._office = office
        self._relay = relay
        self._rounds = Rounds("courier", lambda: self._office.services, self.send_due, AT_ONCE)
        self._pool = ThreadPoolExecutor(AT_ONCE, "courier")

    def change(self, office: Office, relay: Relay) -> None:
        """Go on by another configuration over the same store."""
        self._office, self._relay = office, relay

    def start(self) -> None:
        """Begin, with what was left from before."""
        self._rounds.start()

    def wake(self, account_id: str) -> None:
        """There is something to be sent in an account."""
        self._rounds.wake(account_id)

    def end(self) -> None:
        """Begin nothing more."""
        self._rounds.end()

    def join(self) -> None:
        """Wait until what was begun has ended."""
        self._rounds.join()
        self._pool.shutdown()

    def send_due(self, account_id: str) -> int | None:
        """Send what is due in the queue of an account; answers when the next attempt is due, in seconds.

        Raises StoreError.
        """
        office, relay = self._office, self._relay
        account = office.services.store.account(account_id)
        with account.read() as tx:
            messages = queue.due(tx, "relay", office.services.clock())
        if len(messages) == 1:
            self._send(office, relay, account, messages[0])
        elif messages:
            errors = [
                future.exception()
                for future in [self._pool.submit(self._send, office, relay, account, one) for one in messages]
            ]
            for error in errors:
                if error is not None:
                    raise error
        with account.read() as tx:
            return queue.next_due(tx, "relay")

    def _send(self, office: Office, relay: Relay, account: Account, message: Message) -> None:
        if self._rounds.is_over() or not account.write(lambda tx: queue.claim(tx, message.id)):
            return
        services = office.services
        identifier = receipts.identifier(message.id, account.id)
        with account.read() as tx:
            octets = services.blobs.read(tx, message.blob)
        octets = leaving(octets, message.header_end, f"{identifier}@{office.host}", message.release)
        parameters = dict(message.parameters)
        if message.is_submitted and message.mail_from:
            parameters.setdefault("ENVID", identifier)
        body = octets.find(b"\r\n\r\n")
        recipients = [(one.address, dict(one.parameters)) for one in message.recipients]
        if message.is_submitted:
            for address, given in recipients:  # by which reports are known that tell of another address
                given.setdefault("ORCPT", f"{'rfc822' if address.isascii() else 'utf-8'};{address}")
        parcel = Parcel(
            message.mail_from,
            parameters,
            recipients,
            octets,
            header_is_ascii=octets[: max(body, 0)].isascii(),
            body_is_ascii=octets[max(body, 0) :].isascii(),
        )
        try:
            replies = relay.send(parcel)
        except RelayEnds:
            return
        came_of = {one.n: reply for one, reply in zip(message.recipients, replies, strict=True)}
        settle(services, office.host, office.schedule, account, message, octets, came_of)
