"""What is said on one connection for mail: LMTP (RFC 2033) and SMTP (RFC 5321), on aiosmtpd."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session, TLSSetupException, syntax

from jmaplite.datatypes.submission.addresses import plain
from jmaplite.delivery import replies
from jmaplite.delivery.gathering import Floor, Gathering
from jmaplite.delivery.incoming import Arriving
from jmaplite.delivery.paths import is_taken, path, refused_sender
from jmaplite.delivery.trace import brought_by

logger = logging.getLogger(__name__)

IDLE_SECONDS = 300.0
"""How long a peer may take for a command, and for some of a message (RFC 5321 §4.5.3.2)."""

LEAVING_SECONDS = 5.0
"""The same for the rest of a message when the server ends."""

LONGEST_SECONDS = 3600.0
"""How long a message may take in all, for what has come of it is held in memory."""

_CHUNK_OCTETS = 1 << 15
"""How much is read of a message at a time, which is how much a peer has to bring within the idle time."""

_COMMAND_OCTETS = 2048
_LINGER_SECONDS = 10.0
"""How long a last word may wait to be heard."""

_END = b"\r\n.\r\n"
_CHUNK = re.compile(r"([0-9]{1,18})(?: +(LAST))?", re.IGNORECASE)


class _AnyCommand(dict[str, int]):
    """How long any command may be: one length for all, whatever aiosmtpd adds."""

    def __getitem__(self, command: str) -> int:
        return _COMMAND_OCTETS

    def __setitem__(self, command: str, length: int) -> None:
        pass


class SMTPSpeaker(SMTP):
    """One connection. Replies have status codes; nobody logs in; messages are read in chunks, not in lines."""

    line_length_limit = _CHUNK_OCTETS
    command_size_limit = _COMMAND_OCTETS
    command_size_limits = _AnyCommand()
    session: Any
    envelope: Any
    transport: Any
    _reader: Any
    _tls_protocol: Any
    each_answered = False
    """Whether there is a reply for each recipient after a message (RFC 2033 §4.2)."""

    def __init__(self, floor: Floor, **options: Any) -> None:
        self.floor = floor
        self._bare = 0
        self._in_message = False
        self._is_leaving = False
        self._gathering: Gathering | None = None
        super().__init__(_Hooks(), enable_SMTPUTF8=True, ident="jmaplite", timeout=IDLE_SECONDS, **options)

    @property
    def task(self) -> asyncio.Task[None] | None:
        """What ends when the connection does."""
        return self._handler_coroutine

    def leave(self) -> None:
        """Let the message under way end, if it goes on, and then the connection (RFC 5321 §3.8)."""
        self._is_leaving = True
        if self.transport is None or self.transport.is_closing():
            return
        if not self._in_message:
            self._farewell("421 4.3.2 The server is going away")
        elif self._timeout_handle is not None and not self._timeout_handle.cancelled():
            self._reset_timeout(LEAVING_SECONDS)

    async def push(self, status: str | bytes) -> None:
        """Reply, with a status code (RFC 2034) but for greetings."""
        text = status.decode("utf-8", "replace") if isinstance(status, bytes) else status
        if self._bare:
            self._bare -= 1
        else:
            text = "\r\n".join(replies.coded(line) for line in text.split("\r\n"))
        if self.transport is None or self.transport.is_closing():
            raise asyncio.CancelledError  # nobody hears it; uvloop has another error for that than asyncio
        try:
            await super().push(text)
        except ConnectionError:
            raise asyncio.CancelledError from None

    async def smtp_MAIL(self, arg: str | None) -> None:
        """Take the sender, if the message is not too large (RFC 1870 §6)."""
        if not await self.check_helo_needed():
            await self.push(self._sender(arg or ""))

    def _sender(self, said: str) -> str:
        if self.envelope.mail_from is not None:
            return "503 5.5.1 There is a sender already"
        found = path("FROM:", said)
        if found is None:
            return "501 5.5.4 Syntax: MAIL FROM:<address>"
        address, parameters = found
        largest = self.floor.incoming.office.largest
        refusal = refused_sender(address, parameters, largest, is_extended=self.session.extended_smtp)
        if refusal is None:
            self.envelope.mail_from, self.envelope.smtp_utf8 = address, "SMTPUTF8" in parameters
        return refusal or "250 2.1.0 Sender taken"

    async def smtp_RCPT(self, arg: str | None) -> None:
        """Take a recipient who is here."""
        if not await self.check_helo_needed():
            await self.push(await self._recipient(arg or ""))

    async def _recipient(self, said: str) -> str:
        incoming, envelope = self.floor.incoming, self.envelope
        if envelope.mail_from is None:
            return "503 5.5.1 MAIL comes first"
        found = path("TO:", said)
        if found is None:
            return "501 5.5.4 Syntax: RCPT TO:<address>"
        address, parameters = found
        if parameters:
            return "555 5.5.4 Such a parameter is not known here"
        if address.lower() == "postmaster":
            address = await self.floor.run(incoming.postmaster)
        if not is_taken(address):
            return "553 5.1.3 The recipient is no address"
        if not address.isascii() and not envelope.smtp_utf8:
            return "553 5.6.7 Such an address needs SMTPUTF8"
        if self._gathering is not None:
            return "503 5.5.1 The message has begun"
        if len(envelope.rcpt_tos) >= incoming.office.recipients:
            return "452 4.5.3 Too many recipients"
        address = plain(address)
        refusal: str | None = await self.floor.run(incoming.refusal, address)
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient taken"

    async def smtp_DATA(self, arg: str | None) -> None:
        """Take a message; what is answered with 250 is durable."""
        if await self.check_helo_needed():
            return
        refusal = self._not_now(arg)
        if refusal is not None:
            await self.push(refusal)
            return
        gathering = self._begin(is_stuffed=True)
        self._in_message = True
        try:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            answers = await self._message(gathering, self._lines(gathering), is_stuffed=True)
        finally:
            self._in_message = False
        await self._answer(answers)

    def _not_now(self, arg: str | None) -> str | None:
        """Why no message is taken at this moment, as a reply."""
        if arg:
            return "501 5.5.4 Syntax: DATA"
        if self._gathering is not None:
            return "503 5.5.1 The message comes by BDAT"
        if not self.envelope.rcpt_tos:
            return "503 5.5.1 There is no recipient"
        return None if self.floor.hold(0) else replies.BUSY

    async def smtp_BDAT(self, arg: str | None) -> None:
        """Take a chunk of a message (RFC 3030 §2); if a 250 answers the last one, the message is durable."""
        found = _CHUNK.fullmatch(arg or "")
        if found is None:  # how much there is that is no command, nobody knows
            self._farewell("501 5.5.4 Syntax: BDAT octets [LAST]")
            return
        gathering = self._gathering or self._begin(is_stuffed=False)
        if not self.envelope.rcpt_tos:
            gathering.refusal = "503 5.5.1 There is no recipient"
        self._in_message = True
        try:
            chunk = self._chunk(gathering, int(found[1]))
            if found[2]:
                answers = await self._message(gathering, chunk, is_stuffed=False)
            else:
                async for piece in chunk:
                    gathering.add(piece)
        finally:
            self._in_message = False
        if found[2]:
            await self._answer(answers)
        else:
            await self._say(gathering.refusal or f"250 2.0.0 {found[1]} octets taken")

    def _begin(self, *, is_stuffed: bool) -> Gathering:
        """A message begins to come. If dots are added to it, every line may be a dot more."""
        largest = self.floor.incoming.office.largest
        most = largest * 4 // 3 + len(_END) + 2 if is_stuffed else largest
        self._gathering = Gathering(self.floor, most, self.loop.time() + LONGEST_SECONDS)
        return self._gathering

    def _create_envelope(self) -> Envelope:
        """Another transaction: what had come of a message in the one before is let go of."""
        self._forget()
        return Envelope()

    def _forget(self) -> None:
        if self._gathering is not None:
            self._gathering.drop()
            self._gathering = None

    async def _answer(self, answers: list[str]) -> None:
        """Tell what became of a message, which ends the transaction."""
        recipients = self.envelope.rcpt_tos
        self.envelope = self._create_envelope()
        if len(answers) == 1 and self.each_answered:
            answers *= max(len(recipients), 1)
        await self._say("\r\n".join(answers) if self.each_answered else replies.one(answers))

    async def _say(self, reply: str) -> None:
        """Reply to a message, and go if that is all that was waited for."""
        await self.push(reply)
        if self._is_leaving:
            self.leave()

    async def _message(self, gathering: Gathering, pieces: AsyncIterator[bytes], *, is_stuffed: bool) -> list[str]:
        """Read the rest of a message and deliver it; answers what became of it, for each recipient or once for all."""
        try:
            async for piece in pieces:
                gathering.add(piece)
            if gathering.refusal is not None:
                return [gathering.refusal]
            if self._timeout_handle is not None:  # the peer has all its time again when it has been answered
                self._timeout_handle.cancel()
            answers: list[str] = await self.floor.run(self._deliver, gathering.take(), is_stuffed)
            return answers
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception as error:
            return [await self.handle_exception(error)]
        finally:
            gathering.drop()
            if self.transport is not None:
                self._reset_timeout()

    async def _lines(self, gathering: Gathering) -> AsyncIterator[bytes]:
        """A message as it comes: from the CRLF before its first line to the line with a dot, and not an octet more.

        Nothing but that line between two CRLF is an end: what one server takes for it and another does not lets
        messages be smuggled.
        """
        self._reader._buffer[:0] = _END[:2]
        is_whole = False
        while not is_whole:
            self._wait_for_more(gathering)
            try:
                piece = await self._reader.readuntil(_END)
                is_whole = True
            except asyncio.LimitOverrunError as more:
                piece = await self._reader.read(more.consumed)
            yield piece

    async def _chunk(self, gathering: Gathering, octets: int) -> AsyncIterator[bytes]:
        """So many octets, whatever they are."""
        while octets:
            self._wait_for_more(gathering)
            piece = await self._reader.readexactly(min(octets, _CHUNK_OCTETS))
            octets -= len(piece)
            yield piece

    def _wait_for_more(self, gathering: Gathering) -> None:
        most = LEAVING_SECONDS if self._is_leaving else IDLE_SECONDS
        self._reset_timeout(min(most, max(gathering.ends - self.loop.time(), 0.001)))

    def _deliver(self, pieces: list[bytes], is_stuffed: bool) -> list[str]:
        """Deliver what has come. Takes time."""
        incoming, envelope, session = self.floor.incoming, self.envelope, self.session
        octets = b"".join(pieces)
        pieces.clear()
        if is_stuffed:
            octets = octets.replace(b"\r\n.", b"\r\n")[2:-2]
        if len(octets) > incoming.office.largest:
            return [replies.TOO_LARGE]
        peer = brought_by(session.host_name or "", session.peer)
        return incoming.deliver(
            Arriving(envelope.mail_from, tuple(envelope.rcpt_tos), octets, peer, self._protocol(envelope.smtp_utf8))
        )

    def _protocol(self, is_utf8: bool) -> str:
        """How a message comes (RFC 3848, RFC 6531 §4.3)."""
        kind = "LMTP" if self.each_answered else "SMTP"
        name = f"UTF8{kind}" if is_utf8 else kind
        if name == "SMTP" and not self.session.extended_smtp:
            return name  # which has no other name over TLS
        if name == "SMTP":
            name = "ESMTP"
        is_secure = self.transport is not None and self.transport.get_extra_info("ssl_object") is not None
        return f"{name}S" if is_secure else name

    @syntax("STARTTLS", when="tls_context")
    async def smtp_STARTTLS(self, arg: str | None) -> None:
        """Begin TLS, once (RFC 3207)."""
        if self._tls_protocol is not None:
            await self.push("503 5.5.1 TLS is spoken already")
            return
        await super().smtp_STARTTLS(arg)
        if self.tls_context is not None and not arg and self.session.ssl is None:
            raise TLSSetupException  # the peer has gone within the handshake, and nobody would hear of that

    async def smtp_AUTH(self, arg: str | None) -> None:
        """Nobody logs in here: whoever may connect may deliver, and only to our own users."""
        await self.push("502 5.5.1 There is no AUTH here")

    async def smtp_VRFY(self, arg: str | None) -> None:
        """Tell nothing (RFC 5321 §7.3)."""
        await self.push("252 2.5.0 Try to deliver" if arg else "501 5.5.4 Syntax: VRFY address")

    async def smtp_EXPN(self, arg: str | None) -> None:
        """Tell nothing."""
        await self.push("502 5.5.1 There is no EXPN here")

    async def smtp_HELP(self, arg: str | None) -> None:
        """Where to read on."""
        await self.push("214 2.0.0 See RFC 5321 and RFC 2033")

    async def handle_exception(self, error: Exception) -> str:
        """An error of ours is no reason to give a message up."""
        if isinstance(error, TLSSetupException):
            logger.info("TLS did not begin with %s: %s", self.session.peer, error.__cause__ or "it has gone")
        else:
            logger.error("a command of %s failed", self.session.peer, exc_info=error)
        return replies.FAILED

    def connection_lost(self, error: Exception | None) -> None:
        """Nobody brings the rest of a message."""
        self._forget()
        super().connection_lost(error)

    def eof_received(self) -> bool:
        """Who has ended his side has gone; the transport closes then, also if nothing has begun yet."""
        super().eof_received()
        return False

    def _timeout_cb(self) -> None:
        self._farewell("421 4.4.2 It took too long")

    def _farewell(self, last: str) -> None:
        """Say a last word, if it can be said and heard, and end the connection."""
        if self.transport is None:
            return
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            self.transport.abort()  # who does not read would keep us
            return
        if self._tls_protocol is None or self.session.ssl is not None:
            self._writer.write(f"{last}\r\n".encode())
        self.transport.close()
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
        self._reset_timeout(_LINGER_SECONDS)


class LMTPSpeaker(SMTPSpeaker, LMTP):
    """LMTP: greeted by LHLO, and a reply for each recipient."""

    each_answered = True


class _Hooks:
    """What aiosmtpd asks for when it is greeted."""

    async def handle_HELO(self, speaker: SMTPSpeaker, session: Session, envelope: Envelope, hostname: str) -> str:
        session.host_name = hostname
        speaker._bare = 1
        return f"250 {speaker.hostname}"

    async def handle_EHLO(
        self, speaker: SMTPSpeaker, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """What is offered (RFC 2920, RFC 2034 and what aiosmtpd offers), but no logging in."""
        session.host_name = hostname
        offered = [one[4:] for one in responses if not one[4:].startswith(("AUTH", "HELP", "SIZE"))]
        offered += [f"SIZE {speaker.floor.incoming.office.largest}", "PIPELINING", "CHUNKING", "ENHANCEDSTATUSCODES"]
        speaker._bare = len(offered)
        return [*(f"250-{one}" for one in offered[:-1]), f"250 {offered[-1]}"]
