"""A message into an account of this server: where it is filed, under which keywords, and what is sent because of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jmaplite.blobs import Staged
from jmaplite.core.context import Services
from jmaplite.datatypes.mail.folders import make_mailbox
from jmaplite.datatypes.mail.ingest import Prepared, insert, prepare
from jmaplite.datatypes.submission import queue
from jmaplite.delivery.reports import recognise
from jmaplite.directory import Principal
from jmaplite.formats import mime
from jmaplite.store import Reader, Writer


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way into an account: as it is stored, with its trace, and the envelope that it came in.

    `recipient` is the address that it came for (of several, the first); `sender` is empty for reports. One that is not
    `refusable` is taken, whatever is to be said about it: others get it by the same answer.
    """

    account_id: str
    owner: Principal
    sender: str
    recipient: str
    octets: bytes
    refusable: bool = True


@dataclass(frozen=True, slots=True)
class Filing:
    """A copy in a Mailbox, which is found (or made) when it is written; None is the inbox. `octets` if they differ.

    `is_other` tells that it is no copy of the message that came, but another one.
    """

    mailbox: Callable[[Writer], int] | None = None
    keywords: frozenset[str] = frozenset()
    octets: bytes | None = None
    is_other: bool = False


@dataclass(frozen=True, slots=True)
class Sending:
    """A message to be sent: the envelope's sender (empty: none) and recipients.

    `claim` is asked when all is written, and says whether it still is to be sent; None: it is. Each recipient has the
    `parameters` (RFC 5321 §4.1.2).
    """

    sender: str
    recipients: tuple[str, ...]
    octets: bytes
    claim: Callable[[Writer], bool] | None = None
    parameters: Mapping[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a message. With a `refusal` it is not taken at all; `marks` are written along with the rest.

    A refusal is one or more lines of text in US-ASCII. Whoever refuses may send something nevertheless, but leaves no
    marks: the message may come again.
    """

    filings: tuple[Filing, ...] = (Filing(),)
    sendings: tuple[Sending, ...] = ()
    refusal: str | None = None
    marks: tuple[Callable[[Writer], None], ...] = ()


Filter = Callable[[Delivery, Prepared], Plan]
"""Decides what becomes of a message. Runs outside of transactions. Raises StoreError, and nothing else."""


def keep(delivery: Delivery, prepared: Prepared) -> Plan:
    """Everything into the inbox."""
    return Plan()


@dataclass(slots=True)
class Ready:
    """A message that is ready to be written, and what it takes: a plan, with what each copy needs prepared.

    `report` notes what it says of mail that was sent, if it is a report.
    """

    services: Services
    delivery: Delivery
    plan: Plan
    copies: list[tuple[Filing, Prepared]] = field(default_factory=list)
    outgoing: list[tuple[Sending, Staged, int]] = field(default_factory=list)
    report: Callable[[Writer], None] | None = None

    def write(self, tx: Writer) -> None:
        """File and send, in the transaction of an account. Raises SetError overQuota."""
        now = int(self.services.clock())
        for prepared, boxes, keywords in self._joined(tx):
            insert(tx, self.services.blobs, prepared, frozenset(boxes), keywords, now)
        for sending, staged, header_end in self.outgoing:
            if sending.claim is not None and not sending.claim(tx):
                continue
            whom, parameters = sending.recipients, sending.parameters
            queue.send(tx, self.services.blobs, staged, header_end, sending.sender, whom, now, parameters)
        for mark in self.plan.marks:
            mark(tx)
        if self.report is not None:
            self.report(tx)

    def _joined(self, tx: Writer) -> list[tuple[Prepared, set[int], frozenset[str]]]:
        """One Email for all copies that have the same octets and keywords, in every Mailbox of theirs.

        However a Mailbox was named, it has the message once, as the last copy would (RFC 5228 §2.10.3, RFC 5232 §3).
        """
        places: dict[tuple[int, int | None], tuple[Filing, Prepared]] = {}
        for at, (filing, prepared) in enumerate(self.copies):
            box = filing.mailbox(tx) if filing.mailbox else inbox(tx, self.delivery.owner.name)
            places[box, at if filing.is_other else None] = (filing, prepared)
        found: dict[tuple[bytes, frozenset[str]], tuple[Prepared, set[int], frozenset[str]]] = {}
        for (box, _), (filing, prepared) in places.items():
            key = (prepared.staged.digest, filing.keywords)
            found.setdefault(key, (prepared, set(), filing.keywords))[1].add(box)
        return list(found.values())


def make_ready(services: Services, delivery: Delivery, decide: Filter) -> Ready:
    """All that can be done before a transaction begins. Raises StoreError."""
    prepared = prepare(services, delivery.account_id, delivery.octets)
    ready = Ready(services, delivery, decide(delivery, prepared))
    ready.report = recognise(delivery.account_id, delivery.octets, prepared, services.blobs)
    for filing in ready.plan.filings:
        changed = filing.octets is not None and filing.octets != delivery.octets
        octets = filing.octets if filing.octets is not None else delivery.octets
        ready.copies.append((filing, prepare(services, delivery.account_id, octets) if changed else prepared))
    for sending in ready.plan.sendings:
        staged = services.blobs.stage(delivery.account_id, sending.octets)
        ready.outgoing.append((sending, staged, mime.parse(sending.octets).root.header_end))
    return ready


def inbox(tx: Writer, owner: str) -> int:
    """The number of the Mailbox that mail comes into, made if need be.

    If none has the role it is the oldest one, which was the inbox, or one that is called so; not the trash or the like.
    """
    older = "SELECT 1 FROM mailbox o WHERE o.account=mailbox.account AND o.id<mailbox.id"
    return (
        _find(tx, "role='inbox'")
        or _find(tx, f"role IS NULL AND NOT EXISTS ({older})")
        or _find(tx, "parent_id IS NULL AND lower(name)='inbox'")
        or make_mailbox(tx, owner, "Inbox", role="inbox")
    )


def _find(tx: Reader, where: str) -> int | None:
    found: int | None = tx.value(f"SELECT min(id) FROM mailbox WHERE account=? AND {where}", tx.account)
    return found
