"""The worker of the queues: what is due is delivered to this server's accounts, or handed over to a relay.

An EmailSubmission and its entries in the queue are one commit in the account of whoever sends. Then the worker claims
the message (from there on it cannot be unsent), commits it at each target, which remembers it, and notes the outcome.
A crash between any two of these loses nothing, for the entries are still there, and doubles nothing, for the target
knows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from jmaplite.core.context import Services
from jmaplite.core.errors import SetError
from jmaplite.datatypes.submission import EMAIL_SUBMISSION, queue, receipts
from jmaplite.datatypes.submission.addresses import plain
from jmaplite.datatypes.submission.queue import Message, Recipient
from jmaplite.delivery import local
from jmaplite.delivery.filing import Delivery
from jmaplite.delivery.office import Office
from jmaplite.delivery.outcomes import settle
from jmaplite.delivery.relay import Reply
from jmaplite.delivery.rounds import Rounds
from jmaplite.delivery.trace import leaving, traced
from jmaplite.directory import DirectoryUnavailable, Principal
from jmaplite.store import Account, StoreError, StoreUnavailable

logger = logging.getLogger(__name__)

_DELIVERED = Reply("250 2.1.5 Delivered")
_UNKNOWN = Reply("550 5.1.1 There is no such mailbox here")
_NO_DIRECTORY = Reply("451 4.4.3 The directory does not answer")


class Outbox:
    """Delivers what is due in the queues of all accounts. `relay` is told of accounts with mail for elsewhere."""

    def __init__(self, office: Office, relay: Callable[[str], object] = lambda account_id: None) -> None:
        self._office = office
        self._relay = relay
        self._rounds = Rounds("outbox", lambda: self._services, self.deliver_due)

    def change(self, office: Office) -> None:
        """Go on by another configuration over the same store."""
        self._office = office

    @property
    def _services(self) -> Services:
        return self._office.services

    def start(self) -> None:
        """Begin, with what was left from before."""
        self._rounds.start()

    def stop(self) -> None:
        """End after the account at hand."""
        self._rounds.end()
        self._rounds.join()

    def deliver_due(self, account_id: str) -> int | None:
        """Deliver what is due in the queue of an account; answers when the next attempt is due, in seconds.

        Raises StoreError, and what else was wrong with a message, but once others have been delivered.
        """
        account = self._services.store.account(account_id)
        wrong: list[Exception] = []
        with account.read() as tx:
            messages = queue.due(tx, "", self._services.clock())
        for message in messages:
            if self._rounds.is_over():
                break
            try:
                self._send(account, message)
            except StoreUnavailable:
                raise
            except Exception as error:
                wrong.append(error)
        if wrong:
            raise wrong[0]
        with account.read() as tx:
            return queue.next_due(tx, "")

    def _send(self, account: Account, message: Message) -> None:
        """Deliver a message to those of its due recipients that are here."""
        replies: dict[int, Reply] = {}
        here: dict[Principal, list[Recipient]] = {}
        elsewhere: list[int] = []
        for recipient in message.recipients:
            try:
                found, reply = self._principals(recipient.address)
            except DirectoryUnavailable:
                found, reply = (), _NO_DIRECTORY
            if reply is not None:
                replies[recipient.n] = reply
            elif not found:
                elsewhere.append(recipient.n)
            for principal in found:
                here.setdefault(principal, []).append(recipient)
        is_final = here or any(reply.text.startswith("5") for reply in replies.values())
        if is_final and not account.write(lambda tx: queue.claim(tx, message.id)):
            return
        if elsewhere:
            account.write(lambda tx: queue.hand_over(tx, message.id, elsewhere))
            self._relay(account.id)
        if here or replies:
            octets = self._octets(account, message)
            replies |= self._deliver(account, message, octets, here)
            office = self._office
            settle(self._services, office.host, office.schedule, account, message, octets, replies)

    def _principals(self, address: str) -> tuple[tuple[Principal, ...], Reply | None]:
        """Who gets mail for an address, or why nobody does; neither if it is elsewhere. Raises DirectoryUnavailable."""
        directory = self._office.directory
        address = plain(address)
        found = directory.recipients(address)
        if not found and directory.is_local(address.rpartition("@")[2]):
            return (), _UNKNOWN
        return found, None

    def _octets(self, account: Account, message: Message) -> bytes:
        """A message as it leaves."""
        with account.read() as tx:
            octets = self._services.blobs.read(tx, message.blob)
        identifier = f"{receipts.identifier(message.id, account.id)}@{self._office.host}"
        return leaving(octets, message.header_end, identifier, message.release)

    def _deliver(
        self, account: Account, message: Message, octets: bytes, here: Mapping[Principal, Sequence[Recipient]]
    ) -> dict[int, Reply]:
        """Put a message into the accounts of principals; answers what came of it by the places of recipients."""
        came_of: dict[int, list[Reply]] = {}
        for principal, recipients in here.items():
            copy = traced(
                octets,
                return_path=message.mail_from,
                host=self._office.host,
                identifier=EMAIL_SUBMISSION.format_id(message.id),
                recipient=recipients[0].address if len(recipients) == 1 else None,
                now=int(self._services.clock()),
            )
            addresses = [one.address for one in recipients]
            reply = self._try(principal, copy, message.mail_from, account.id, message.id, addresses)
            for recipient in recipients:
                came_of.setdefault(recipient.n, []).append(reply)
        # Of several people behind one address, what is to be tried again for somebody comes first.
        return {n: min(several, key=lambda one: "452".index(one.text[0])) for n, several in came_of.items()}

    def _try(
        self, principal: Principal, octets: bytes, sender: str, source: str, number: int, addresses: Sequence[str]
    ) -> Reply:
        """Deliver into the account of a principal; answers what came of it."""
        try:
            account_id = self._office.account(principal)
            refusal = local.deliver(
                self._services,
                Delivery(account_id, principal, sender, addresses[0], octets),
                self._office.decide,
                source=source,
                number=number,
                addresses=addresses,
            )
        except SetError:
            return Reply("451 4.2.2 The mailbox is full")
        except StoreError as error:
            logger.warning("mail for %s cannot be stored now: %s", principal.name, error)
            return Reply("451 4.3.0 The mailbox cannot be reached")
        except Exception:
            logger.exception("mail for %s cannot be delivered", principal.name)
            return Reply("451 4.3.0 The mailbox cannot be reached")
        return _DELIVERED if refusal is None else Reply(f"550 5.7.1 {' '.join(refusal.split())}"[:500].rstrip())
