"""One connection to a server that takes mail for other places, and the transactions on it."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address

from aiosmtplib import SMTP
from aiosmtplib.errors import SMTPException, SMTPHeloError, SMTPResponseException
from aiosmtplib.response import SMTPResponse

from jmaplite.datatypes.submission.parameters import others
from jmaplite.delivery.relay import Parameters, Parcel, Reply, in_one_line
from jmaplite.formats.dsn import to_xtext

logger = logging.getLogger(__name__)

PATIENCE_AFTER_THE_DOT = 600.0
"""Seconds that a server may take to answer once it has a message: to give up earlier is to send it twice (RFC 5321
§4.5.3.2.6)."""

_FAREWELL_SECONDS = 2.0
_KEYWORD = re.compile(r"[A-Z0-9][A-Z0-9-]*")


class Unreachable(Exception):
    """A server cannot be used now, and nothing was sent; the only argument is an answer as SMTP has it, of class 4."""


@dataclass(frozen=True, slots=True)
class Host:
    """A server that takes mail: by name and port, or by the path of a Unix socket.

    `ourselves` is our name; `protocol` is smtp or lmtp, `starttls` optional, require or disable;
    `timeout` is in seconds; `trust` stands for the certificates that the system trusts.
    """

    name: str
    port: int = 587
    path: str = ""
    ourselves: str = "localhost"
    protocol: str = "smtp"
    implicit_tls: bool = False
    starttls: str = "optional"
    any_certificate: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 60.0
    trust: ssl.SSLContext | None = None

    @property
    def shown(self) -> str:
        """As the log has it."""
        return self.path or f"{self.name}:{self.port}"

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        try:
            return bool(self.path) or ip_address(self.name).is_loopback
        except ValueError:
            return self.name == "localhost" or self.name.endswith(".localhost")

    def context(self) -> ssl.SSLContext:
        """How TLS is spoken. Where going without TLS would do as well, any certificate does (RFC 7435)."""
        if self.trust is not None:
            return self.trust
        context = ssl.create_default_context()
        would_do_without = not self.implicit_tls and self.starttls == "optional" and (self.is_here or not self.username)
        if self.any_certificate or would_do_without:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class Conversation:
    """A connection that has been greeted and logged in on."""

    def __init__(self, host: Host, client: SMTP) -> None:
        self.host = host
        self._client = client
        self.offers: dict[str, tuple[str, ...]] = {}
        self.has_rested = False

    @classmethod
    async def begin(cls, host: Host) -> Conversation:
        """Connect and log in. Raises Unreachable."""
        context = await asyncio.to_thread(host.context)
        client = SMTP(
            hostname=None if host.path and not host.implicit_tls else host.name,
            port=None if host.path else host.port,
            socket_path=host.path or None,
            local_hostname=host.ourselves,
            timeout=host.timeout,
            use_tls=host.implicit_tls,
            start_tls=False,
            tls_context=context,
        )
        made = cls(host, client)
        try:
            await client.connect()
            await made._greet()
        except (SMTPException, OSError, TimeoutError) as error:
            await made.end()
            raise Unreachable(_failure(error)) from None
        except BaseException:
            made.cut()
            raise
        return made

    @property
    def is_alive(self) -> bool:
        """Whether the connection is still there."""
        return self._client.is_connected

    @property
    def is_private(self) -> bool:
        """Whether nobody else can read along."""
        return self.is_alive and self._client.get_transport_info("sslcontext") is not None

    @property
    def is_proven(self) -> bool:
        """Whether it is private, and the certificate of the server was checked."""
        context = self._client.get_transport_info("sslcontext") if self.is_alive else None
        return isinstance(context, ssl.SSLContext) and context.check_hostname

    async def end(self) -> None:
        """Say goodbye, if there still is anybody."""
        with suppress(SMTPException, OSError, TimeoutError):
            if self.is_alive:
                await self._client.execute_command(b"QUIT", timeout=_FAREWELL_SECONDS)
        self.cut()

    def cut(self) -> None:
        """End without a word."""
        transport = self._client.transport
        self._client.close()
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()  # which does not wait until TLS has said goodbye

    async def _greet(self) -> None:
        host, client = self.host, self._client
        await self._hello()
        if not self.is_private and host.starttls != "disable":
            if "STARTTLS" in self.offers:
                await client.starttls(server_hostname=host.name)
                await self._hello()
            elif host.starttls == "require":
                raise Unreachable("451 4.7.4 The relay offers no STARTTLS")
        if host.username:
            if not (self.is_private or host.is_here):
                raise Unreachable("451 4.7.11 The relay offers no TLS, and a password is not sent without it")
            if "AUTH" not in self.offers:
                raise Unreachable("451 4.7.0 The relay offers no AUTH")
            await client.login(host.username, host.password)

    async def _hello(self) -> None:
        client = self._client
        if self.host.protocol == "lmtp":
            response = await client.execute_command(b"LHLO", self.host.ourselves.encode("ascii", "replace"))
            if response.code != 250:
                raise SMTPResponseException(response.code, response.message)
            client.last_ehlo_response = response
        else:
            try:
                await client.ehlo()
            except SMTPHeloError as error:
                if error.code == 421:
                    raise
                await client.helo()
        lines = client.last_ehlo_response.message.split("\n")[1:] if client.last_ehlo_response else []
        words = [line.split() for line in lines if line.split()]
        self.offers = {one[0].upper(): tuple(one[1:]) for one in words if _KEYWORD.fullmatch(one[0].upper())}
        if not self.is_proven:  # what it offers is worth nothing then (RFC 8689 §4.2.1)
            self.offers.pop("REQUIRETLS", None)

    async def transact(self, parcel: Parcel, recipients: Sequence[tuple[str, Parameters]]) -> list[Reply]:
        """Send a message. Raises Unreachable if nothing was sent."""
        refusal = self._refusal(parcel, recipients)
        if refusal is not None:
            return [Reply(refusal)] * len(recipients)
        if self.host.protocol == "lmtp":
            return await self._one_by_one(parcel, recipients)
        return await self._transact(parcel, recipients)

    async def _one_by_one(self, parcel: Parcel, recipients: Sequence[tuple[str, Parameters]]) -> list[Reply]:
        """LMTP answers for each recipient after the message, and aiosmtplib reads one answer."""
        replies: list[Reply] = []
        for one in recipients:
            try:
                replies += await self._transact(parcel, [one])
            except Unreachable as error:
                if not replies:
                    raise
                return replies + [Reply(str(error))] * (len(recipients) - len(replies))
        return replies

    def _refusal(self, parcel: Parcel, recipients: Sequence[tuple[str, Parameters]]) -> str | None:
        """Why a message cannot go by this server at all, as an answer of SMTP."""
        if "SMTPUTF8" not in self.offers and not _is_ascii(parcel, recipients):
            return "553 5.6.7 The relay takes no addresses beyond US-ASCII"
        if "SMTPUTF8" not in self.offers and not parcel.header_is_ascii:  # RFC 6531 §3.2
            return "554 5.6.9 The relay takes no header beyond US-ASCII"
        if "8BITMIME" not in self.offers and not parcel.body_is_ascii:
            return "554 5.6.3 The relay takes no messages of 8 bits"
        if "REQUIRETLS" in parcel.parameters and "REQUIRETLS" not in self.offers and parcel.sender:
            if not self.is_proven:
                return "554 5.7.10 There is no TLS to the relay, or its certificate proves nothing"
            return "554 5.7.30 The relay does not support REQUIRETLS"
        return None

    async def _transact(self, parcel: Parcel, recipients: Sequence[tuple[str, Parameters]]) -> list[Reply]:
        client, remote = self._client, self.host.name or self.host.path
        is_utf8 = "SMTPUTF8" in self.offers and not (_is_ascii(parcel, recipients) and parcel.header_is_ascii)
        try:
            if self.has_rested:
                await client.execute_command(b"RSET")
            response = await self._command("MAIL FROM", parcel.sender, self._of_sender(parcel, is_utf8=is_utf8))
        except (SMTPException, OSError, TimeoutError) as error:
            raise Unreachable(_failure(error)) from None
        if response.code == 421:
            raise Unreachable(_text(response))
        if not _is_yes(response):
            return await self._reset([Reply(_text(response), remote)] * len(recipients))
        answers: list[SMTPResponse | None] = []
        final: SMTPResponse | None = None
        try:
            for address, parameters in recipients:
                answers.append(await self._command("RCPT TO", address, self._of_recipient(parameters)))
                if answers[-1] is not None and answers[-1].code == 421:
                    break
            if any(map(_is_yes, answers)):
                final = await self._data(parcel.octets)
        except (SMTPException, OSError, TimeoutError) as error:
            client.close()
            final = SMTPResponse(451, f"4.4.2 {_words(error)}")
        answers += [None] * (len(recipients) - len(answers))
        replies = [self._reply(answer, final, remote) for answer in answers]
        return replies if _is_yes(final) else await self._reset(replies)

    def _reply(self, answer: SMTPResponse | None, final: SMTPResponse | None, remote: str) -> Reply:
        """What came of a recipient: the answer to it, unless it was taken and the message was not (RFC 8621 §7)."""
        if answer is None:
            return Reply(_text(final) if final is not None else "451 4.4.2 The connection ended", remote)
        if _is_yes(answer) and final is not None and not _is_yes(final):
            return Reply(_text(final), remote)
        return Reply(_text(answer), remote, reports="DSN" in self.offers)

    async def _reset(self, replies: list[Reply]) -> list[Reply]:
        with suppress(SMTPException, OSError, TimeoutError):
            if self.is_alive:
                await self._client.execute_command(b"RSET")
        return replies

    async def _data(self, octets: bytes) -> SMTPResponse:
        """Hand the message over; answers the last word on it. Only a 250 that follows a 354 says that it was taken."""
        try:
            return await self._client.data(octets, timeout=max(self.host.timeout, PATIENCE_AFTER_THE_DOT))
        except SMTPResponseException as error:
            if not 400 <= error.code < 600:
                raise
            return SMTPResponse(error.code, error.message)

    async def _command(self, verb: str, address: str, options: Sequence[str]) -> SMTPResponse:
        line = " ".join([f"{verb}:<{address}>", *options])
        response = await self._client.execute_command(line.encode())
        if not (200 <= response.code < 300 or 400 <= response.code < 600):
            raise SMTPResponseException(response.code, response.message)
        return response

    def _of_sender(self, parcel: Parcel, *, is_utf8: bool) -> list[str]:
        """The parameters of MAIL that the server knows (RFC 3461 §4.3, RFC 1870, RFC 6152, RFC 6531, RFC 8689)."""
        given, offers = parcel.parameters, self.offers
        options = [f"SIZE={len(parcel.octets)}"] if "SIZE" in offers else []
        if "8BITMIME" in offers and not (parcel.body_is_ascii and parcel.header_is_ascii):
            options.append("BODY=8BITMIME")
        if is_utf8:
            options.append("SMTPUTF8")
        if "DSN" in offers:
            options += [f"RET={given['RET']}"] if given.get("RET") else []
            options += [f"ENVID={to_xtext(given['ENVID'] or '')}"] if given.get("ENVID") else []
        if "REQUIRETLS" in offers and "REQUIRETLS" in given:
            options.append("REQUIRETLS")
        if "MT-PRIORITY" in offers and given.get("MT-PRIORITY"):
            options.append(f"MT-PRIORITY={given['MT-PRIORITY']}")
        return options + others(given)

    def _of_recipient(self, given: Parameters) -> list[str]:
        """The parameters of RCPT that the server knows (RFC 3461 §4.1, §4.2)."""
        if "DSN" not in self.offers:
            return others(given)
        options = [f"NOTIFY={given['NOTIFY']}"] if given.get("NOTIFY") else []
        kind, semicolon, address = (given.get("ORCPT") or "").partition(";")
        if semicolon and (address.isascii() or "SMTPUTF8" in self.offers):
            options.append(f"ORCPT={kind};{to_xtext(address)}")
        return options + others(given)


def _is_ascii(parcel: Parcel, recipients: Sequence[tuple[str, Parameters]]) -> bool:
    return parcel.sender.isascii() and all(address.isascii() for address, _ in recipients)


def _is_yes(response: SMTPResponse | None) -> bool:
    return response is not None and 200 <= response.code < 300


def _text(response: SMTPResponse) -> str:
    return in_one_line(response.code, response.message.split("\n"))


def _failure(error: BaseException) -> str:
    """Why a server cannot be used, as an answer of class 4: it may be otherwise later."""
    if isinstance(error, SMTPResponseException) and 400 <= error.code < 500:
        return in_one_line(error.code, error.message.split("\n"))
    if isinstance(error, SMTPResponseException):
        return in_one_line(451, [f"4.3.5 The relay refuses us: {error.code} {' '.join(error.message.split())}"])
    return in_one_line(451, [f"4.4.1 The relay cannot be reached: {_words(error)}"])


def _words(error: BaseException) -> str:
    said = error.message if isinstance(error, SMTPException) else str(error)
    if isinstance(error, SMTPResponseException) and error.code > 0:
        said = f"it said {error.code} {said}"
    return " ".join(said.split())[:300] or type(error).__name__
