"""The worker of the queues: what is due is delivered to this server's accounts, or handed over to a relay.

An EmailSubmission and its entries in the queue are one commit in the account of whoever sends. Then the worker claims
the message (from there on it cannot be unsent), commits it at each target, which remembers it, and notes the outcome.
A crash between any two of these loses nothing, for the entries are still there, and doubles nothing, for the target
knows.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from jmaplite.core.context import Services
from jmaplite.core.errors import SetError
from jmaplite.datatypes.submission import EMAIL_SUBMISSION, queue
from jmaplite.datatypes.submission.addresses import plain
from jmaplite.datatypes.submission.queue import Message, Outcome, Recipient
from jmaplite.delivery import local
from jmaplite.delivery.filing import Delivery
from jmaplite.delivery.office import Office
from jmaplite.delivery.trace import leaving, traced
from jmaplite.directory import DirectoryUnavailable, Principal
from jmaplite.store import Account, Change, StoreError, UnknownAccount, Writer

logger = logging.getLogger(__name__)

ROUND_SECONDS = 300.0
"""How often all queues are looked at: announcements of changes are hints, and the store is the truth."""

GLANCE_SECONDS = 1.0
"""How long the worker sleeps at most, for clocks may be set."""

FIRST_RETRY = 60
LONGEST_RETRY = 3600
GIVE_UP_AFTER = 5 * 86400
"""Seconds after a temporary failure until the next attempt, doubled with each; and until there is no other."""

_DELIVERED = Outcome("yes", "250 2.1.5 Delivered")


class Outbox:
    """Delivers what is due in the queues of all accounts."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._visits: dict[str, float] = {}
        self._changed = threading.Condition()
        self._stopped = False
        self._stop_listening: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def change(self, office: Office) -> None:
        """Go on by another configuration over the same store."""
        self._office = office

    @property
    def _services(self) -> Services:
        return self._office.services

    def start(self) -> None:
        """Begin, with what was left from before."""
        self._stop_listening = self._services.store.feed.listen(self._heard)
        self._thread.start()

    def stop(self) -> None:
        """End after the account at hand."""
        self._stop_listening()
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def deliver_due(self, account_id: str) -> int | None:
        """Deliver what is due in the queue of an account; answers when the next attempt is due, in seconds.

        Raises StoreError.
        """
        account = self._services.store.account(account_id)
        with account.read() as tx:
            messages = queue.due(tx, "", self._services.clock())
        for message in messages:
            if self._stopped:
                break
            self._send(account, message)
        with account.read() as tx:
            return queue.next_due(tx, "")

    def _send(self, account: Account, message: Message) -> None:
        """Deliver a message to those of its due recipients that are here."""
        outcomes: dict[int, Outcome] = {}
        here: dict[Principal, list[Recipient]] = {}
        elsewhere: list[int] = []
        for recipient in message.recipients:
            try:
                principal = self._office.directory.by_email(plain(recipient.address))
            except DirectoryUnavailable:
                outcomes[recipient.n] = self._later(message, recipient, "4.4.3 The directory does not answer")
                continue
            if principal is None:
                elsewhere.append(recipient.n)
            else:
                here.setdefault(principal, []).append(recipient)
        if here and not account.write(lambda tx: queue.claim(tx, message.id)):
            return
        if here:
            outcomes |= self._deliver(account, message, here)
        account.write(lambda tx: self._note(tx, message, outcomes, elsewhere))

    def _note(self, tx: Writer, message: Message, outcomes: Mapping[int, Outcome], elsewhere: Sequence[int]) -> None:
        if elsewhere:
            queue.hand_over(tx, message.id, elsewhere)
        if outcomes:
            queue.settle(tx, self._services.blobs, message.id, outcomes)

    def _deliver(
        self, account: Account, message: Message, here: Mapping[Principal, Sequence[Recipient]]
    ) -> dict[int, Outcome]:
        """Put a message into the accounts of principals; answers what came of it by the places of recipients."""
        identifier = EMAIL_SUBMISSION.format_id(message.id)
        with account.read() as tx:
            octets = self._services.blobs.read(tx, message.blob)
        octets = leaving(octets, message.header_end, f"{identifier}.{account.id}@{self._office.host}", message.release)
        outcomes: dict[int, Outcome] = {}
        for principal, recipients in here.items():
            copy = traced(
                octets,
                return_path=message.mail_from,
                host=self._office.host,
                identifier=identifier,
                recipient=recipients[0].address if len(recipients) == 1 else None,
                now=int(self._services.clock()),
            )
            addresses = [one.address for one in recipients]
            failure = self._try(principal, copy, message.mail_from, account.id, message.id, addresses)
            for recipient in recipients:
                outcomes[recipient.n] = self._outcome(message, recipient, failure)
        return outcomes

    def _outcome(self, message: Message, recipient: Recipient, failure: str | None) -> Outcome:
        """What comes of an attempt that failed for now (a status code of class 4), for good (5), or did not."""
        if failure is None:
            return _DELIVERED
        if failure.startswith("5"):
            return Outcome("no", f"550 {failure}")
        return self._later(message, recipient, failure)

    def _try(
        self, principal: Principal, octets: bytes, sender: str, source: str, number: int, addresses: Sequence[str]
    ) -> str | None:
        """Deliver into the account of a principal; answers why that cannot be done, if it cannot."""
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
            if refusal is not None:
                return f"5.7.1 {' '.join(refusal.split())}"
        except SetError:
            return "4.2.2 The mailbox is full"
        except StoreError as error:
            logger.warning("mail for %s cannot be stored now: %s", principal.name, error)
            return "4.3.0 The mailbox cannot be reached"
        except Exception:
            logger.exception("mail for %s cannot be delivered", principal.name)
            return "4.3.0 The mailbox cannot be reached"
        return None

    def _later(self, message: Message, recipient: Recipient, failure: str) -> Outcome:
        """What comes of a temporary failure (a status code of class 4 and a text): another attempt, or the end."""
        now = int(self._services.clock())
        if now - message.release >= GIVE_UP_AFTER:
            return Outcome("no", f"554 5{failure[1:]}")
        wait = min(FIRST_RETRY << min(recipient.attempts, 16), LONGEST_RETRY)
        return Outcome("queued", f"451 {failure}", now + wait)

    def _heard(self, change: Change) -> None:
        if not change.types or queue.TYPE in change.types or queue.AUTOMATIC in change.types:
            self._wake(change.account_id)

    def _wake(self, *account_ids: str) -> None:
        with self._changed:
            self._visits.update(dict.fromkeys(account_ids, 0.0))
            self._changed.notify()

    def _run(self) -> None:
        next_round = time.monotonic()
        while not self._stopped:
            if time.monotonic() >= next_round:
                next_round = time.monotonic() + ROUND_SECONDS
                self._guarded(self._wake_all)
            for account_id in self._wait():
                self._guarded(partial(self._visit, account_id))

    def _wake_all(self) -> None:
        self._wake(*(info.id for info in self._services.store.accounts()))

    def _wait(self) -> list[str]:
        """The accounts to visit now; sleeps while there are none, but not for long."""
        with self._changed:
            if not self._stopped and not self._ready():
                now = self._services.clock()
                first = min(self._visits.values(), default=now + GLANCE_SECONDS)
                self._changed.wait(min(max(first - now, 0.0), GLANCE_SECONDS))
            ready = [] if self._stopped else self._ready()
            for account_id in ready:
                del self._visits[account_id]
        return ready

    def _ready(self) -> list[str]:
        now = self._services.clock()
        return [account_id for account_id, when in self._visits.items() if when <= now]

    def _visit(self, account_id: str) -> None:
        when: float | None = self._services.clock() + FIRST_RETRY
        try:
            when = self.deliver_due(account_id)
        except UnknownAccount:
            when = None
        finally:
            if when is not None:
                with self._changed:
                    self._visits.setdefault(account_id, when)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            logger.exception("the outbox failed; it goes on later")
