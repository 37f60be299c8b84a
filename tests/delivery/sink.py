"""A server for other places on loopback, whose answers are scripted, and what came to it."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

PATIENCE = 30.0


@dataclass
class Letter:
    """A message that came, with its envelope."""

    sender: str
    options: list[str]
    recipients: list[str]
    recipient_options: list[list[str]]
    octets: bytes
    login: str | None
    is_private: bool


@dataclass
class Sink:
    """What came, and what is answered: `rcpt` to an address, `data` to a message; None is a 250."""

    tls: ssl.SSLContext | None = None
    is_implicit: bool = False
    is_lmtp: bool = False
    password: str = ""
    offers: tuple[str, ...] = ("DSN",)
    hides: tuple[str, ...] = ()
    path: str = ""
    rcpt: Callable[[str], str | None] = lambda address: None
    data: Callable[[], str | None] = lambda: None
    letters: list[Letter] = field(default_factory=list)
    connections: int = 0
    commands: list[str] = field(default_factory=list)
    port: int = 0
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def wait(self) -> Letter:
        """The next message that comes."""
        assert self.came.acquire(timeout=PATIENCE)
        return self.letters[-1]

    # What aiosmtpd asks.

    async def handle_EHLO(
        self, server: Any, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        kept = [one for one in responses[:-1] if not one[4:].startswith(self.hides or ("?",))]
        return [*kept, *(f"250-{one}" for one in self.offers), responses[-1]]

    handle_LHLO = handle_EHLO

    async def handle_MAIL(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.commands.append("MAIL")
        envelope.mail_from = address
        envelope.mail_options = options
        return "250 2.1.0 ok"

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.commands.append("RCPT")
        answer = self.rcpt(address)
        if answer is not None and not answer.startswith("2"):
            return answer
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.append(options)  # type: ignore[arg-type] # told apart by recipient
        return answer or f"250 2.1.5 <{address}> ok"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        self.commands.append("DATA")
        answer = self.data()
        if answer is None or answer.startswith("2"):
            assert isinstance(envelope.content, bytes)
            login = session.auth_data.login.decode() if session.auth_data else None
            letter = Letter(
                (envelope.mail_from or "").removeprefix("<>"),
                list(envelope.mail_options),
                list(envelope.rcpt_tos),
                list(envelope.rcpt_options),  # type: ignore[arg-type]
                envelope.content,
                login,
                session.ssl is not None or self.is_implicit,
            )
            self.letters.append(letter)
            self.came.release()
        return answer or "250 2.0.0 taken"

    def _authenticate(self, server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and data.password.decode() == self.password
        return AuthResult(success=right, handled=right, auth_data=data if right else None)

    def _protocol(self) -> Any:
        self.connections += 1
        kind = LMTP if self.is_lmtp else _Server
        return kind(
            self,
            hostname="sink.example",
            enable_SMTPUTF8="SMTPUTF8" not in self.hides,
            tls_context=None if self.is_implicit else self.tls,
            authenticator=self._authenticate if self.password else None,
            auth_require_tls=False,
        )


class _Server(SMTP):
    """Takes parameters that aiosmtpd does not know. It writes all of them in capitals."""

    def _getparams(self, params: Any) -> Any:
        known = ("BODY", "SMTPUTF8", "SIZE")
        return super()._getparams([one for one in params if one.partition("=")[0] in known])


@contextmanager
def sink(**more: Any) -> Iterator[Sink]:
    """A sink that accepts connections."""
    made = Sink(**more)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sink", daemon=True)
    thread.start()
    context = made.tls if made.is_implicit else None

    async def serve() -> asyncio.AbstractServer:
        if made.path:
            return await asyncio.get_running_loop().create_unix_server(made._protocol, made.path, ssl=context)
        return await asyncio.get_running_loop().create_server(made._protocol, "127.0.0.1", 0, ssl=context)

    server = asyncio.run_coroutine_threadsafe(serve(), loop).result(PATIENCE)
    made.port = 0 if made.path else server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        yield made
    finally:

        async def end() -> None:
            server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
