"""LMTP and SMTP from other servers (RFC 2033, RFC 5321), on aiosmtpd."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session, syntax

from jmaplite.datatypes.submission.addresses import is_address
from jmaplite.delivery.accepting import Accepting, Speaker
from jmaplite.delivery.incoming import Arriving, Incoming

logger = logging.getLogger(__name__)

IDLE_SECONDS = 300.0
"""How long a peer may say nothing (RFC 5321 §4.5.3.2.7)."""

NOBODY = "<>"
"""The null reverse-path, as aiosmtpd has it."""

_LINE_OCTETS = 1 << 20
"""The longest line of a message that is taken, though none should be longer than 1,000 octets."""

_COMMAND_OCTETS = 2048
_CODED = re.compile(r"[245]\d\d[ -][245]\.\d{1,3}\.\d{1,3} ")
_STATUS = {
    "220": "2.0.0",
    "221": "2.0.0",
    "250": "2.0.0",
    "252": "2.0.0",
    "421": "4.3.2",
    "450": "4.2.0",
    "451": "4.3.0",
    "452": "4.3.1",
    "500": "5.5.2",
    "501": "5.5.4",
    "502": "5.5.1",
    "503": "5.5.1",
    "504": "5.5.4",
    "550": "5.1.1",
    "552": "5.3.4",
    "553": "5.1.3",
    "554": "5.0.0",
    "555": "5.5.4",
}
"""The status code (RFC 3463) that goes with a reply of aiosmtpd's, which has none."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """What a listener for mail goes by: `tls` offers STARTTLS, or is spoken from the first octet if `is_implicit`.

    Then TLS has `patience` seconds to begin.
    """

    protocol: Literal["lmtp", "smtp"]
    tls: ssl.SSLContext | None = None
    is_implicit: bool = False
    max_connections: int = 8192
    patience: float = 60.0


class _Speaker:
    """What both protocols have in common: replies with status codes, no AUTH, no VRFY that tells anything."""

    line_length_limit = _LINE_OCTETS
    command_size_limit = _COMMAND_OCTETS
    max_command_size_limit = _COMMAND_OCTETS
    per_recipient = False
    _has_data = False
    _greeting = 0
    """Lines of a greeting that are about to be sent: what it offers has no status codes."""

    async def push(self: Any, status: str | bytes) -> None:
        """Reply, with a status code (RFC 2034), and of LMTP's last word one for each recipient (RFC 2033 §4.2)."""
        text = status.decode("utf-8", "surrogateescape") if isinstance(status, bytes) else status
        if self._greeting:
            self._greeting -= 1
            lines = [text]
        else:
            lines = [_coded(line) for line in text.split("\r\n")]
        if self._has_data and self.per_recipient and len(lines) == 1 and text[:1] in "45":
            lines *= max(len(self.envelope.rcpt_tos), 1)
        self._has_data = self._has_data or text[:3] == "354"
        await super().push("\r\n".join(lines))  # type: ignore[misc]

    async def smtp_DATA(self: Any, arg: str) -> None:
        """Take a message; only after the 354 there is a reply for each recipient."""
        try:
            await super().smtp_DATA(arg)  # type: ignore[misc]
        finally:
            self._has_data = False

    @syntax("AUTH mechanism")
    async def smtp_AUTH(self: Any, arg: str) -> None:
        """Nobody logs in here: whoever may connect may deliver, and only to our own users."""
        await self.push("502 5.5.1 There is no AUTH here")

    async def handle_exception(self: Any, error: Exception) -> str:
        """An error of ours is no reason to give a message up."""
        logger.error("a command of %s failed", self.session.peer, exc_info=error)
        return "451 4.3.0 The server failed unexpectedly"


class _LMTP(_Speaker, LMTP):
    per_recipient = True


class _SMTP(_Speaker, SMTP):
    pass


def _coded(reply: str) -> str:
    """A reply with its status code."""
    if _CODED.match(reply) or reply[3:4] == "-" or reply[:3] not in _STATUS or reply[:3] in ("220", "354"):
        return reply
    return f"{reply[:4]}{_STATUS[reply[:3]]} {reply[4:]}"


class Handler:
    """Answers commands, as aiosmtpd asks for it."""

    def __init__(self, receiving: Receiving) -> None:
        self._receiving = receiving

    async def handle_EHLO(
        self, server: Any, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """What is offered (RFC 2920, RFC 2034 and what aiosmtpd offers), but no logging in."""
        session.host_name = hostname
        first, *more = [one for one in responses if not one[4:].startswith(("AUTH", "HELP"))]
        more += ["250-PIPELINING", "250-ENHANCEDSTATUSCODES"]
        server._greeting = len(more) + 1
        return [first, *more[:-1], f"250 {more[-1][4:]}"]

    async def handle_MAIL(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the sender, if the message is not too large (RFC 1870 §6)."""
        if address != NOBODY and not is_address(address):
            return "553 5.1.7 The sender is no address"
        size = next((one[5:] for one in options if one.upper().startswith("SIZE=")), "0")
        if size.isascii() and size.isdigit() and int(size[:18]) > self._receiving.incoming.office.largest:
            return "552 5.3.4 The message is too large"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Sender taken"

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient who is here."""
        if not is_address(address):
            return "553 5.1.3 The recipient is no address"
        if len(envelope.rcpt_tos) >= self._receiving.incoming.office.recipients:
            return "452 4.5.3 Too many recipients"
        refusal = await self._receiving.run(self._receiving.incoming.refusal, address)
        if refusal is not None:
            return str(refusal)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Recipient taken"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        """Deliver; what is answered with 250 is durable."""
        content = envelope.content
        assert isinstance(content, bytes)
        message = Arriving(
            (envelope.mail_from or "").removeprefix(NOBODY),
            tuple(envelope.rcpt_tos),
            content,
            _peer(session),
            _protocol(session, envelope, is_lmtp=server.per_recipient),
        )
        receiving = self._receiving
        answers: list[str] = await receiving.run(receiving.incoming.deliver, message)
        if server.per_recipient:
            return "\r\n".join(answers)
        # SMTP has one answer for all: whoever got it has it, and is not given it again when it is sent again.
        return min(answers, key=lambda answer: "425".index(answer[0]))


def _peer(session: Session) -> str:
    """Who brings a message, for its Received field: what it calls itself, and where it is."""
    name = re.sub(r"[^A-Za-z0-9._:\[\]-]", "_", session.host_name or "unknown")[:255]
    peer: Any = session.peer
    return f"{name} ([{peer[0]}])" if isinstance(peer, tuple) else f"{name} (unix socket)"


def _protocol(session: Session, envelope: Envelope, *, is_lmtp: bool) -> str:
    """How it comes (RFC 3848, RFC 6531 §4.3)."""
    name = "LMTP" if is_lmtp else ("ESMTP" if session.extended_smtp else "SMTP")
    if envelope.smtp_utf8:
        name = "UTF8LMTP" if is_lmtp else "UTF8SMTP"
    return name + ("S" if session.ssl is not None else "")


class Receiving(Accepting):
    """A listener for mail at work. While it runs it may become another; connections stay as they began."""

    def __init__(self, incoming: Incoming, threads: int = 8) -> None:
        super().__init__("mail", threads)
        self.incoming = incoming
        self._receiver = Receiver("lmtp")

    def become(self, receiver: Receiver, incoming: Incoming, sockets: Collection[socket.socket]) -> None:
        """Accept connections on sockets (that stay the caller's) from now on, and none on others."""
        self._receiver, self.incoming = receiver, incoming
        tls = receiver.tls if receiver.is_implicit else None
        self.accept(sockets, tls, receiver.max_connections, receiver.patience)

    def speaker(self) -> Speaker:
        """What speaks on a new connection."""
        kind = _LMTP if self._receiver.protocol == "lmtp" else _SMTP
        office = self.incoming.office
        protocol = kind(
            Handler(self),
            data_size_limit=office.largest,
            enable_SMTPUTF8=True,
            hostname=office.host,
            ident="jmaplite",
            tls_context=None if self._receiver.is_implicit else self._receiver.tls,
            timeout=IDLE_SECONDS,
            loop=asyncio.get_running_loop(),
        )
        speaker = Speaker(protocol, lambda: protocol._handler_coroutine)
        self._watch(protocol, speaker)
        return speaker

    def _watch(self, protocol: Any, speaker: Speaker) -> None:
        """Know a connection from its beginning to its end."""
        made, lost = protocol.connection_made, protocol.connection_lost

        def connection_made(transport: Any) -> None:
            self.begun(speaker)
            made(transport)

        def connection_lost(error: Exception | None) -> None:
            self.ended(speaker)
            lost(error)

        protocol.connection_made, protocol.connection_lost = connection_made, connection_lost
