"""A conversation in ManageSieve (RFC 5804 §2): who is logged in, and what is answered to each command."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from jmaplite.datatypes.sieve import IMPLEMENTATION
from jmaplite.delivery.managesieve.scripts import Desk, Gone, Refused, Scripts, too_large
from jmaplite.delivery.managesieve.syntax import (
    Command,
    CutOff,
    NotUnderstood,
    TooLarge,
    read_command,
    read_string,
    response,
    string,
)
from jmaplite.directory import Principal
from jmaplite.store import StoreError

logger = logging.getLogger(__name__)

STRANGER_SECONDS = 120.0
"""How long a peer that has not logged in may say nothing."""

IDLE_SECONDS = 1800.0
"""How long a user may say nothing."""

_MOST_FAILURES = 3
_STRANGERS_OCTETS = 8192  # of a string of somebody who has not logged in
_SLACK = 4096  # octets of a string beyond those of a script, that are read to be told that they are too many

_LEAVING = response("BYE", "the server is about to stop", b"TRYLATER")

Run = Callable[..., Awaitable[Any]]


class _End(Exception):
    """The conversation ends; the argument is what is said last."""


class Conversation:
    """One connection. `tls` is what STARTTLS begins with, if that can be; work on data goes through `run`."""

    def __init__(
        self,
        desk: Desk,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        run: Run,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._desk = desk
        self._reader = reader
        self._writer = writer
        self._run = run
        self._tls = tls
        self._is_safe = writer.get_extra_info("ssl_object") is not None
        address = writer.get_extra_info("peername")
        self._address = str(address[0]) if isinstance(address, tuple) else ""
        self._principal: Principal | None = None
        self._failures = 0
        self.is_idle = True
        """Whether it waits for a command; it may be cut off then."""
        self.is_last = False
        """Whether it is to end after the command at hand."""

    async def hold(self) -> None:
        """Talk until one of the two has enough."""
        try:
            await self._say(self._greeting())
            while not self.is_last:
                answer = await self._next()
                if answer is None:
                    return
                await self._say(answer)
            await self._say(_LEAVING)
        except asyncio.CancelledError:
            self._writer.write(_LEAVING)
            raise
        except _End as end:
            await self._say(end.args[0])
        except TimeoutError:
            await self._say(response("BYE", "nothing was said for too long"))
        except CutOff as error:
            await self._say(response("BYE", str(error)))
        except (OSError, EOFError):
            pass

    async def _say(self, octets: bytes) -> None:
        self._writer.write(octets)
        await asyncio.wait_for(self._writer.drain(), STRANGER_SECONDS)

    async def _heard(self, reading: Callable[[asyncio.StreamReader, int], Awaitable[Any]]) -> Any:
        """What the peer says next."""
        known = self._principal is not None
        most = self._desk.settings.limits.script_size + _SLACK if known else _STRANGERS_OCTETS
        return await asyncio.wait_for(reading(self._reader, most), IDLE_SECONDS if known else STRANGER_SECONDS)

    async def _next(self) -> bytes | None:
        """The answer to the next command; None at the end."""
        try:
            self.is_idle = True
            command = await self._heard(read_command)
            self.is_idle = False
            if command is None:
                return None
            return await self._answer(command)
        except NotUnderstood as error:
            return response("NO", str(error))
        except TooLarge:
            refusal = too_large(self._desk.settings)
            return response("NO", refusal.text, refusal.code.encode())
        except Refused as error:
            return response("NO", error.text, error.code.encode())
        except Gone:
            raise _End(response("BYE", "this user has no scripts here")) from None
        except StoreError as error:
            logger.warning("scripts cannot be reached now: %s", error)
            return response("NO", "the scripts cannot be reached at the moment", b"TRYLATER")
        except (_End, CutOff, OSError, EOFError):
            raise
        except Exception:
            logger.exception("a command of ManageSieve failed")
            return response("NO", "the server failed unexpectedly", b"TRYLATER")

    async def _answer(self, command: Command) -> bytes:
        found = _COMMANDS.get(command.name)
        if found is None:
            return response("NO", "there is no such command")
        run, shapes, state = found
        if state is not None and state != (self._principal is not None):
            return response("NO", "log in first" if state else "you are logged in already")
        if "".join("s" if one else "n" for one in command.are_strings) not in shapes:
            return response("NO", f"{command.name} does not take these arguments")
        answer: bytes = await run(self, *command.arguments)
        return answer

    def _greeting(self) -> bytes:
        return self._capabilities() + response("OK", "jmaplite is ready")

    def _capabilities(self) -> bytes:
        """What can be done here and now (RFC 5804 §1.7)."""
        settings = self._desk.settings
        found: list[tuple[str, str | None]] = [
            ("IMPLEMENTATION", IMPLEMENTATION),
            ("VERSION", "1.0"),
            ("SASL", "PLAIN" if self._may_log_in else ""),
            ("SIEVE", " ".join(sorted(settings.capabilities))),
        ]
        if settings.methods:
            found.append(("NOTIFY", " ".join(settings.methods)))
        found.append(("MAXREDIRECTS", str(settings.limits.redirects)))
        if self._tls is not None and not self._is_safe and self._principal is None:
            found.append(("STARTTLS", None))
        found.append(("UNAUTHENTICATE", None))
        if self._principal is not None:
            found.append(("OWNER", self._principal.name))
        lines = (string(name) + (b"" if value is None else b" " + string(value)) for name, value in found)
        return b"".join(line + b"\r\n" for line in lines)

    @property
    def _may_log_in(self) -> bool:
        """Whether nobody on the way can read a password."""
        address = self._address.removeprefix("::ffff:")  # which a socket of IPv6 puts before an address of IPv4
        return self._is_safe or not address or address == "::1" or address.startswith("127.")

    async def _capability(self) -> bytes:
        return self._capabilities() + response("OK")

    async def _noop(self, tag: bytes | None = None) -> bytes:
        code = b"" if tag is None else b"TAG " + string(_text(tag))
        return response("OK", "done", code)

    async def _logout(self) -> bytes:
        raise _End(response("OK", "until next time"))

    async def _starttls(self) -> bytes:
        if self._tls is None or self._is_safe:
            return response("NO", "there is no TLS to begin")
        # What comes from now on is for TLS, even if it comes before TLS is there to hear it.
        transport: Any = self._writer.transport
        transport.pause_reading()
        reader: Any = self._reader
        if reader._buffer:
            # Somebody on the way may have put it there (RFC 5804 §2.2).
            raise CutOff("nothing may follow STARTTLS")
        await self._say(response("OK", "begin"))
        try:
            await self._writer.start_tls(self._tls)
        except (OSError, TimeoutError) as error:
            raise EOFError from error
        self._is_safe = True
        return self._greeting()

    async def _authenticate(self, mechanism: bytes, initial: bytes | None = None) -> bytes:
        if mechanism.upper() != b"PLAIN":
            return response("NO", "only PLAIN is understood")
        if not self._may_log_in:
            return response("NO", "begin TLS first", b"ENCRYPT-NEEDED")
        if initial is None:
            await self._say(b'""\r\n')
            initial = await self._heard(read_string)
        if initial is None:
            raise EOFError
        if initial == b"*":
            return response("NO", "canceled")
        pair = _plain(initial)
        self._principal = None if pair is None else await self._run(self._desk.log_in, *pair, self._address)
        if self._principal is not None:
            return response("OK", "logged in")
        self._failures += 1
        if self._failures >= _MOST_FAILURES:
            raise _End(response("BYE", "too many log-ins have failed"))
        return response("NO", "these credentials are not valid")

    async def _unauthenticate(self) -> bytes:
        self._principal = None
        return response("OK")

    async def _with_scripts(self, work: Callable[[Scripts], Any]) -> Any:
        assert self._principal is not None
        scripts = Scripts(self._desk, self._principal)
        return await self._run(work, scripts)

    async def _listscripts(self) -> bytes:
        found = await self._with_scripts(Scripts.all)
        lines = (string(name) + (b" ACTIVE" if is_active else b"") + b"\r\n" for name, is_active in found)
        return b"".join(lines) + response("OK")

    async def _getscript(self, name: bytes) -> bytes:
        octets = await self._with_scripts(lambda scripts: scripts.get(_name(name)))
        return string(bytes(octets)) + b"\r\n" + response("OK")

    async def _putscript(self, name: bytes, octets: bytes) -> bytes:
        return _warned(await self._with_scripts(lambda scripts: scripts.put(_name(name), octets)))

    async def _checkscript(self, octets: bytes) -> bytes:
        return _warned(await self._with_scripts(lambda scripts: scripts.check(octets)))

    async def _havespace(self, name: bytes, size: bytes) -> bytes:
        if not size.isdigit() or len(size) > len("4294967295"):
            raise NotUnderstood("a number is expected here")
        await self._with_scripts(lambda scripts: scripts.have_space(_name(name), int(size)))
        return response("OK")

    async def _setactive(self, name: bytes) -> bytes:
        await self._with_scripts(lambda scripts: scripts.activate(_name(name)))
        return response("OK")

    async def _deletescript(self, name: bytes) -> bytes:
        await self._with_scripts(lambda scripts: scripts.delete(_name(name)))
        return response("OK")

    async def _renamescript(self, old: bytes, new: bytes) -> bytes:
        await self._with_scripts(lambda scripts: scripts.rename(_name(old), _name(new)))
        return response("OK")


_COMMANDS: dict[str, tuple[Callable[..., Awaitable[bytes]], tuple[str, ...], bool | None]] = {
    "AUTHENTICATE": (Conversation._authenticate, ("s", "ss"), False),
    "STARTTLS": (Conversation._starttls, ("",), False),
    "LOGOUT": (Conversation._logout, ("",), None),
    "CAPABILITY": (Conversation._capability, ("",), None),
    "NOOP": (Conversation._noop, ("", "s"), None),
    "UNAUTHENTICATE": (Conversation._unauthenticate, ("",), True),
    "HAVESPACE": (Conversation._havespace, ("sn",), True),
    "PUTSCRIPT": (Conversation._putscript, ("ss",), True),
    "LISTSCRIPTS": (Conversation._listscripts, ("",), True),
    "SETACTIVE": (Conversation._setactive, ("s",), True),
    "GETSCRIPT": (Conversation._getscript, ("s",), True),
    "DELETESCRIPT": (Conversation._deletescript, ("s",), True),
    "RENAMESCRIPT": (Conversation._renamescript, ("ss",), True),
    "CHECKSCRIPT": (Conversation._checkscript, ("s",), True),
}
"""Each command: what answers it, its arguments (strings and numbers), whether one is logged in (None: either way)."""


def _warned(warnings: list[str]) -> bytes:
    return response("OK", "\r\n".join(warnings), b"WARNINGS" if warnings else b"")


def _name(octets: bytes) -> str:
    """The name of a script. Raises Refused."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise Refused("", "a name is in UTF-8") from None


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")


def _plain(initial: bytes) -> tuple[str, str] | None:
    """Name and password of SASL's PLAIN in base64 (RFC 4616 §2); None if they are none, or for somebody else."""
    try:
        authorization, name, password = base64.b64decode(initial, validate=True).decode().split("\0")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if name and authorization in ("", name) else None
