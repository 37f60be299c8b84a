"""The way to other servers: what a relay is given and answers, whatever stands behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Parameters = Mapping[str, str | None]

_STATUS_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3} ")
_UNPRINTABLE = re.compile(r"[^ -~\xa0-\U0010ffff]|[\ud800-\udfff]")
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message to be sent, as it leaves: the envelope's sender and recipients, each with the parameters of SMTP.

    Values of parameters are plain, as JMAP has them (RFC 8621 §7). An empty sender is the null reverse-path.
    """

    sender: str
    parameters: Parameters
    recipients: Sequence[tuple[str, Parameters]]
    octets: bytes
    header_is_ascii: bool = True
    body_is_ascii: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one recipient: an answer of SMTP in one line, and the name of who gave it ("" if we did).

    `reports` is whether the other server took over to report what becomes of the message (RFC 3461).
    """

    text: str
    remote: str = ""
    reports: bool = False


class RelayEnds(Exception):
    """A relay was stopped before it knew what becomes of a message, which is to be sent by the next one."""


class Relay(Protocol):
    """Sends messages to other servers. All of it may take time; several threads may send at once."""

    @property
    def offers(self) -> Mapping[str, tuple[str, ...]]:
        """The extensions of SMTP that whoever takes mail next offers, each with its arguments, as last heard."""

    def start(self) -> None:
        """Be asked soon: find out what is offered."""

    def send(self, parcel: Parcel) -> list[Reply]:
        """Send a message; answers what came of each recipient, in their order. Raises RelayEnds, and nothing else."""

    def stop(self) -> None:
        """Let go of every connection."""


@dataclass(slots=True)
class NoRelay:
    """Where no relay is configured: mail for elsewhere waits until there is one, or is given up in the end."""

    offers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def start(self) -> None:
        """Nothing is to be found out."""

    def send(self, parcel: Parcel) -> list[Reply]:
        """Not now."""
        return [Reply("451 4.3.5 This server has no relay for mail to other places")] * len(parcel.recipients)

    def stop(self) -> None:
        """There is nothing to let go of."""


def in_one_line(code: int, lines: Sequence[str]) -> str:
    """An answer of SMTP in one line, as RFC 8621 §7 smtpReply has it."""
    first = lines[0] if lines else ""
    found = _STATUS_CODE.match(first)
    prefix = found[0] if found else ""
    text = " ".join([first, *(line.removeprefix(prefix) for line in lines[1:])])
    return f"{code} {_UNPRINTABLE.sub('?', text).strip()}"[:_LONGEST].rstrip()
