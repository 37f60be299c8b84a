"""Messages from other servers into the accounts of this one (RFC 5321, RFC 2033): who may get them, what came of it.

An answer of class 2 means that the message is durable. What cannot be done now is answered with class 4, so that
whoever sends tries again; a message that comes again because of that, octet by octet the same, is not filed twice (if
it has anything that tells it from others).
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from jmaplite.core.errors import SetError
from jmaplite.datatypes.submission import queue
from jmaplite.delivery.filing import Delivery, make_ready
from jmaplite.delivery.office import Office
from jmaplite.delivery.paths import is_taken
from jmaplite.delivery.trace import arriving, traced
from jmaplite.directory import DirectoryUnavailable, Principal
from jmaplite.formats import mime
from jmaplite.store import StoreError, Writer

logger = logging.getLogger(__name__)

MOST_HOPS = 100
"""Received fields from which on a message goes in circles (RFC 5321 §6.3)."""

DELIVERED = "250 2.1.5 Delivered"
_NO_ADDRESS = "553 5.1.3 The recipient is no address"
_UNKNOWN = "550 5.1.1 There is no such mailbox here"
_ELSEWHERE = "550 5.7.1 Mail for other places is not taken here"
_LATER = "451 4.3.0 The mailbox cannot be reached now"
_NO_DIRECTORY = "451 4.4.3 The directory does not answer"
_FULL = "452 4.2.2 The mailbox is full"
_EACH_ANSWERED = frozenset({"LMTP", "LMTPS", "UTF8LMTP", "UTF8LMTPS"})
"""Protocols that answer for each recipient (RFC 2033 §4.2)."""

_LOOP = "554 5.4.6 The message goes in circles"
_DISTINCT = frozenset({"received", "message-id", "date"})
"""Fields by which a message that comes again is told from another one."""


@dataclass(frozen=True, slots=True)
class Arriving:
    """A message as it arrives. `sender` is empty for reports; `peer` says who brings it, `protocol` how (RFC 3848)."""

    sender: str
    recipients: tuple[str, ...]
    octets: bytes
    peer: str
    protocol: str


class Incoming:
    """Takes messages in. All of it takes time: not for the event loop."""

    def __init__(self, office: Office) -> None:
        self.office = office

    def refusal(self, address: str) -> str | None:
        """Why nobody gets mail for an address, as an answer of SMTP; None if somebody does."""
        if not is_taken(address):
            return _NO_ADDRESS
        directory = self.office.directory
        try:
            if directory.recipients(address):
                return None
            return _UNKNOWN if directory.is_local(address.rpartition("@")[2]) else _ELSEWHERE
        except DirectoryUnavailable:
            return _NO_DIRECTORY

    def postmaster(self) -> str:
        """Who `postmaster` is without a domain (RFC 5321 §4.5.1): that of our name, or of the domain that it is in."""
        above = self.office.host.split(".")
        domains = [".".join(above[at:]) for at in range(len(above))]
        with suppress(DirectoryUnavailable):
            domains = [one for one in domains if self.office.directory.is_local(one)] or domains
        return f"postmaster@{domains[0]}"

    def deliver(self, message: Arriving) -> list[str]:
        """Put a message into the accounts of its recipients; answers what came of each, in their order."""
        header_end = mime.parse(message.octets).root.header_end
        names = Counter(name.lower() for name, _ in mime.header_fields(message.octets, 0, header_end))
        if names["received"] > MOST_HOPS:
            return [_LOOP] * len(message.recipients)
        octets = arriving(message.octets, header_end)
        found, answers = self._principals(message.recipients)
        # Without any of these it cannot be told from another one that says the same.
        digest = None if _DISTINCT.isdisjoint(names) else hashlib.sha256(message.octets).digest()
        refusable = _refusable(found, has_answers=message.protocol in _EACH_ANSWERED)
        came_of = {
            principal.name: self._into(principal, addresses, message, octets, digest, refusable=principal in refusable)
            for principal, addresses in found.items()
        }
        for address in message.recipients:
            if address not in answers:
                answers[address] = _worst(
                    came_of[principal.name] for principal, addresses in found.items() if address in addresses
                )
        logger.info(
            "mail of %d octets from <%s>, by %s: %s",
            len(message.octets),
            _shown(message.sender),
            message.protocol,
            ", ".join(f"<{_shown(one)}> {answer[:9]}" for one, answer in answers.items()),
        )
        return [answers[address] for address in message.recipients]

    def _principals(self, recipients: Sequence[str]) -> tuple[dict[Principal, list[str]], dict[str, str]]:
        """Who gets a message, each with the addresses that it comes for; and answers for whom nobody gets it."""
        found: dict[Principal, list[str]] = {}
        answers: dict[str, str] = {}
        for address in dict.fromkeys(recipients):
            refusal = self.refusal(address)
            if refusal is not None:
                answers[address] = refusal
                continue
            try:
                for principal in self.office.directory.recipients(address):
                    found.setdefault(principal, []).append(address)
            except DirectoryUnavailable:
                answers[address] = _NO_DIRECTORY
        return found, answers

    def _into(
        self,
        principal: Principal,
        addresses: Sequence[str],
        message: Arriving,
        octets: bytes,
        digest: bytes | None,
        *,
        refusable: bool,
    ) -> str:
        """Deliver into the account of a principal; answers what came of it."""
        try:
            account_id = self.office.account(principal)
            return self._write(account_id, principal, addresses, message, octets, digest, refusable=refusable)
        except SetError:
            return _FULL
        except StoreError as error:
            logger.warning("mail for %s cannot be stored now: %s", principal.name, error)
            return _LATER
        except Exception:
            logger.exception("mail for %s cannot be delivered", principal.name)
            return _LATER

    def _write(
        self,
        account_id: str,
        principal: Principal,
        addresses: Sequence[str],
        message: Arriving,
        octets: bytes,
        digest: bytes | None,
        *,
        refusable: bool,
    ) -> str:
        office = self.office
        account = office.services.store.account(account_id)
        with account.read() as tx:
            if digest is not None and queue.received(tx, digest).issuperset(addresses):
                return DELIVERED
        now = int(office.services.clock())
        stored = traced(
            octets,
            return_path=message.sender,
            host=office.host,
            identifier=office.services.chance(f"arrival at {account_id}", 6).hex(),
            recipient=addresses[0] if len(addresses) == 1 else None,
            now=now,
            came=(message.peer, message.protocol),
        )
        delivery = Delivery(account_id, principal, message.sender, addresses[0], stored, refusable)
        ready = make_ready(office.services, delivery, office.decide)

        def work(tx: Writer) -> None:
            known = queue.received(tx, digest) if digest is not None else set[str]()
            if not known:
                ready.write(tx)
            if digest is not None:
                new = [one for one in addresses if one not in known]
                queue.note_received(tx, digest, new, now, office.remember)

        if ready.plan.refusal is None:
            account.write(work)
            return DELIVERED
        if ready.plan.sendings:
            account.write(ready.write)
        return refused(ready.plan.refusal)


def refused(refusal: str) -> str:
    """The reply to a message that is refused, of as many lines as the reason has (RFC 5429 §2.5)."""
    *first, last = refusal.splitlines() or ["Refused"]
    return "\r\n".join((*(f"550-5.7.1 {line}" for line in first), f"550 5.7.1 {last}"))


def _refusable(found: Mapping[Principal, Sequence[str]], *, has_answers: bool) -> set[Principal]:
    """Who may refuse a message: whoever shares no answer with others, who get it, and would be said not to have."""
    shared = Counter(address for addresses in found.values() for address in addresses)
    return {
        principal
        for principal, addresses in found.items()
        if (has_answers or len(found) == 1) and all(shared[address] == 1 for address in addresses)
    }


def _worst(answers: Iterable[str]) -> str:
    """What an address is answered that stands for several people: what is to be tried again comes first."""
    return min(answers, key=lambda answer: "452".index(answer[0]))


def _shown(address: str) -> str:
    """An address as the log takes it."""
    return "".join(one if one.isprintable() else "?" for one in address[:320])
