"""The way to other servers in a fixture: all is captured, nothing leaves, and some recipients fail on purpose."""

from __future__ import annotations

import asyncio
import base64
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jmaplite.core.accounts import account_of
from jmaplite.core.context import Services
from jmaplite.core.kinds import utc_date
from jmaplite.datatypes.submission import queue
from jmaplite.delivery import Parcel, Reply
from jmaplite.dev.operations import Given, Member, Operation
from jmaplite.dev.waiting import until
from jmaplite.directory import Directory
from jmaplite.formats import dsn, mime
from jmaplite.store import Writer

HOST = "mx.captured.invalid"
"""Who answers for other servers."""

KEPT = 1000
"""Messages that are kept, the newest."""

DELAY_SECONDS = 60
"""How long it takes, by the fixture's clock, until a message to `delay@` comes back."""

LONGEST_WAIT = 30.0
"""Seconds that somebody is kept waiting at most."""

_OFFERS = ("DSN", "8BITMIME", "SMTPUTF8")
_ANSWERS = {
    "temperror": "451 4.2.0 This mailbox is busy, and always will be",
    "permerror": "550 5.1.1 This mailbox does not exist",
}
_LATE = "550 5.2.2 This mailbox turned out to be full"


@dataclass(frozen=True, slots=True)
class Captured:
    """A message that was sent to elsewhere: its envelope with the parameters of SMTP, octets, and when (seconds)."""

    number: int
    sender: str
    parameters: Mapping[str, str | None]
    recipients: tuple[tuple[str, Mapping[str, str | None]], ...]
    octets: bytes
    sent: float

    @property
    def addresses(self) -> tuple[str, ...]:
        """The recipients' addresses."""
        return tuple(address for address, _ in self.recipients)

    def to_json(self) -> dict[str, Any]:
        """The message as the control API has it."""
        header = mime.header_fields(self.octets, 0, mime.parse(self.octets).root.header_end)
        subject = next((mime.text(value) for name, value in header if name.lower() == "subject"), "")
        return {
            "id": self.number,
            "from": self.sender,
            "parameters": dict(self.parameters),
            "recipients": [{"address": one, "parameters": dict(more)} for one, more in self.recipients],
            "sentAt": utc_date(int(self.sent)),
            "subject": subject,
            "text": self.octets.decode("utf-8", "replace"),
            "base64": base64.b64encode(self.octets).decode(),
        }


class Around(Protocol):
    """What the outbox needs of a fixture, once it runs."""

    @property
    def services(self) -> Services:
        """What requests share."""

    def everybody(self) -> Directory:
        """Who is there, to be asked by address."""

    @property
    def fill(self) -> Callable[[Writer, str], None]:
        """What a new account gets."""


class DevOutbox:
    """A relay that captures. Local parts `temperror`, `permerror` and `delay` fail, whatever the domain."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._kept: deque[Captured] = deque(maxlen=KEPT)
        self._changed = threading.Condition()
        self._count = 0
        self._listeners: tuple[Callable[[None], None], ...] = ()

    @property
    def offers(self) -> Mapping[str, tuple[str, ...]]:
        """What is offered; reports of success are not: whoever asks gets one that says `relayed`."""
        return dict.fromkeys(_OFFERS, ())

    def start(self) -> None:
        """Nothing is to be found out."""

    def stop(self) -> None:
        """There is nothing to let go of."""

    def send(self, parcel: Parcel) -> list[Reply]:
        """Capture a message for those who take it."""
        replies = [Reply(_ANSWERS.get(_local(one), "250 2.0.0 Captured"), HOST) for one, _ in parcel.recipients]
        taken = [one for one, reply in zip(parcel.recipients, replies, strict=True) if reply.text.startswith("2")]
        late = [address for address, _ in taken if _local(address) == "delay"]
        if late and parcel.sender:
            self._return(parcel, late)
        if taken:
            with self._changed:
                self._count += 1
                now = self._around.services.clock()
                made = Captured(self._count, parcel.sender, parcel.parameters, tuple(taken), parcel.octets, now)
                self._kept.append(made)
                self._changed.notify_all()
            for listener in self._listeners:
                listener(None)
        return replies

    def listen(self, listener: Callable[[None], None]) -> Callable[[], None]:
        """Have a function called after each message (quick); answers how to stop."""
        self._listeners = (*self._listeners, listener)

        def stop() -> None:
            self._listeners = tuple(one for one in self._listeners if one is not listener)

        return stop

    def messages(self, recipient: str = "") -> list[Captured]:
        """What was captured, the oldest first; for one recipient if it is named."""
        with self._changed:
            return self._found(recipient)

    def wait(self, count: int = 1, *, recipient: str = "", timeout: float = 10.0) -> list[Captured]:
        """The same as soon as there are so many, or what there is when time is over (in seconds)."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._found(recipient)) >= count, min(timeout, LONGEST_WAIT))
            return self._found(recipient)

    def clear(self) -> None:
        """Forget all."""
        with self._changed:
            self._kept.clear()

    def _found(self, recipient: str) -> list[Captured]:
        wanted = recipient.lower()
        return [one for one in self._kept if not wanted or wanted in map(str.lower, one.addresses)]

    def _return(self, parcel: Parcel, late: Sequence[str]) -> None:
        """Have a message come back some time after it was taken, as if another server had found out then."""
        services = self._around.services
        now = int(services.clock()) + DELAY_SECONDS
        notice = dsn.Notice(
            HOST,
            parcel.sender,
            parcel.parameters.get("ENVID") or "",
            utc_date(now - DELAY_SECONDS),
            utc_date(now),
            f"{secrets.token_hex(12)}@{HOST}",
        )
        told = [dsn.Told(address, "failed", _LATE, remote=HOST) for address in late]
        header_end = mime.parse(parcel.octets).root.header_end
        report = dsn.report(notice, told, parcel.octets, header_end, whole=True)
        report_end = mime.parse(report).root.header_end
        for principal in self._around.everybody().recipients(parcel.sender):
            account = services.store.account(account_of(services.store, principal, self._around.fill))
            staged = services.blobs.stage(account.id, report)
            account.write(
                lambda tx, staged=staged: queue.send(  # type: ignore[misc]
                    tx, services.blobs, staged, report_end, "", (parcel.sender,), now
                )
            )


def _local(address: str) -> str:
    return address.rpartition("@")[0].lower()


async def show(fixture: Any, given: Given) -> Any:
    """What was captured, as soon as it is enough. Tests may wait in numbers: that keeps no thread."""
    outbox: DevOutbox = fixture.outbox
    recipient, wanted = given.get("recipient", ""), given.get("atLeast", 1)
    seconds, ending = given.get("wait", 0), fixture.ending
    _, found = await until(outbox, lambda: outbox.messages(recipient), lambda it: len(it) >= wanted, seconds, ending)
    return await asyncio.to_thread(lambda: {"messages": [one.to_json() for one in found]})


def clear(fixture: Any, given: Given) -> Any:
    """Forget it."""
    fixture.outbox.clear()
    return {}


SHOW = Operation(
    "GET",
    "/outbox",
    "What was sent to other servers: it is captured, and goes nowhere.",
    show,
    {
        "recipient": Member("String", "to this address"),
        "wait": Member("Number", "seconds to wait until there is something", least=0, most=LONGEST_WAIT),
        "atLeast": Member("UnsignedInt", "or so many"),
    },
)
OPERATIONS = (Operation("DELETE", "/outbox", "Forget what was captured.", clear),)
