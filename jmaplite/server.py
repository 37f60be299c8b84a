"""The composition root: a configuration becomes a running server. Nothing else picks drivers."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields

from jmaplite import config as configuration
from jmaplite.blobs.embedded import TABLES, EmbeddedBlobs
from jmaplite.config import Config
from jmaplite.core import history
from jmaplite.core.catalog import Catalog
from jmaplite.core.context import Services
from jmaplite.core.engine import Engine
from jmaplite.core.limits import Limits
from jmaplite.datatypes import capabilities, schema
from jmaplite.datatypes.mail.capability import MAIL, MailSettings
from jmaplite.datatypes.mail.transfer import MailboxAt, Owner, Stored, Transfer, TransferFailed
from jmaplite.datatypes.submission import SUBMISSION, SubmissionSettings
from jmaplite.delivery import Outbox
from jmaplite.directory import Principal
from jmaplite.directory.credentials import Credentials
from jmaplite.directory.memory import Entry, MemoryDirectory
from jmaplite.formats.mime import decode
from jmaplite.store import StoreError, StoreUnavailable, Writer
from jmaplite.store.sqlite import SQLiteStore
from jmaplite.web import TLS, CannotListen, HTTPSettings, Listener, Listening, Timeouts, create_app

__all__ = [
    "CannotServe",
    "MailboxAt",
    "Owner",
    "Server",
    "Stored",
    "Transfer",
    "TransferFailed",
    "compose",
    "run",
    "transfer",
]

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""How often commits of other processes are looked for."""

TIDY_SECONDS = 300.0
"""How often uploads are expired."""

SWITCH_SECONDS = 0.001
"""How long a thread may hold the interpreter while others wait for it: the event loop is one of them."""


_TALKATIVE = ("hpack", "h2", "hypercorn")
"""Loggers that would print the headers of requests, passwords and all, at the level debug."""


class CannotServe(Exception):
    """The server cannot be started; the only argument is a sentence for whoever wanted it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a configuration is made of, drivers picked. `close` lets go of every file."""

    store: SQLiteStore
    blobs: EmbeddedBlobs
    directory: MemoryDirectory
    engine: Engine

    def close(self) -> None:
        """Let go of every file."""
        self.store.close()


def compose(config: Config, *, create: bool = True) -> Parts:
    """The parts that a configuration asks for; the store is made if it is not there, or not. Raises CannotServe."""
    mail, submission = mail_settings(config), submission_settings(config)
    catalog = Catalog(capabilities(mail, submission))
    try:
        store = SQLiteStore(config.store.path, schema(catalog, TABLES), create=create)
    except (OSError, StoreError) as error:
        raise CannotServe(f"the store in {config.store.path} cannot be opened: {error}") from error
    blobs = EmbeddedBlobs(config.store.path)
    directory = MemoryDirectory(map(_entry, config.directory.principals))
    services = Services(store, blobs, limits(config), time.time, {MAIL: mail, SUBMISSION: submission})
    return Parts(store, blobs, directory, Engine(services, catalog, directory))


@contextmanager
def transfer(config: Config, *, create: bool = True) -> Iterator[Transfer]:
    """What commands do with the mail of a configuration's accounts; `create` as above. Raises TransferFailed."""
    try:
        parts = compose(config, create=create)
    except CannotServe as error:
        raise TransferFailed(str(error)) from error
    try:
        yield Transfer(parts.engine.services, parts.directory, parts.engine.catalog.fill)
    finally:
        parts.close()


def limits(config: Config) -> Limits:
    """The limits of the core, which are called the same in a configuration."""
    return Limits(**{one.name: getattr(config.limits, one.name) for one in fields(Limits)})


def mail_settings(config: Config) -> MailSettings:
    """The limits of mail."""
    return MailSettings(
        max_mailbox_depth=config.mailbox.max_depth,
        max_size_mailbox_name=config.mailbox.max_name_length,
        max_size_attachments_per_email=config.email.max_attachment_size,
        max_size_email=config.email.max_size,
        max_parse_items=config.email.parse_max_items,
        max_snippets=config.limits.max_snippets,
    )


def submission_settings(config: Config) -> SubmissionSettings:
    """The limits of sending."""
    return SubmissionSettings(max_size=config.email.max_size)


def listeners(config: Config) -> tuple[Listener, ...]:
    """The listeners, with the files of their certificates."""
    return tuple(_listener(config, one) for one in config.listeners)


class Server:
    """A server in this process. `announce` is given a line for each listener that accepts connections.

    It belongs to the event loop in which it is started. Raises CannotServe when it is made.
    """

    def __init__(
        self,
        config: Config,
        *,
        announce: Callable[[str], object] = logger.info,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.parts = compose(config)
        self._announce = announce
        settings = HTTPSettings(
            headers=config.http.headers,
            compression=config.http.compression,
            lenient_content_type=config.compat.lenient_content_type,
            timeouts=timeouts or Timeouts(),
        )
        self._app = create_app(self.parts.engine, Credentials(self.parts.directory), decode, settings)
        self._listening = [Listening(one, self._app) for one in listeners(config)]
        self._chores = Chores(self.parts, config.server.hostname)

    @property
    def urls(self) -> dict[str, tuple[str, ...]]:
        """Where each listener accepts connections, by its id."""
        return {one.listener.id: one.urls for one in self._listening}

    async def start(self) -> None:
        """Accept connections. Raises CannotServe; nothing is left open then."""
        try:
            await self._app.startup()
            for listening in self._listening:
                await listening.start()
        except CannotListen as error:
            await self.stop()
            raise CannotServe(str(error)) from None
        self._chores.start()
        for listening in self._listening:
            one = listening.listener
            self._announce(f"jmaplite: listener {one.id} on {', '.join(listening.urls)}")

    async def stop(self) -> None:
        """Let what is under way end, within a bound, and let go of everything."""
        await asyncio.gather(*(listening.stop() for listening in self._listening))
        await self._app.shutdown()
        await asyncio.to_thread(self._chores.stop)
        self.parts.close()

    async def serve(self) -> None:
        """Serve until SIGTERM or SIGINT; a second one ends the process at once. Raises CannotServe."""
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        await self.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        await stopped.wait()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        await self.stop()


def run(config: Config, announce: Callable[[str], object]) -> None:
    """Serve in this process, logging as the configuration says, until SIGTERM or SIGINT. Raises CannotServe."""
    log_to_standard_error(config)
    sys.setswitchinterval(SWITCH_SECONDS)
    server = Server(config, announce=announce)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(server.serve())


def log_to_standard_error(config: Config) -> None:
    """Log from the level and in the format that a configuration names."""
    handler = logging.StreamHandler()
    if config.log.format == "json":
        handler.setFormatter(JSONLines())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=config.log.level.upper(), handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.root.level))


class JSONLines(logging.Formatter):
    """A JSON object a line: time (UTC), level, logger, message, and error where there is a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


class Chores:
    """What a server does when nobody asks: deliver mail, look for foreign commits, take out uploads that have expired.

    `host` is what the server calls itself in mail.
    """

    def __init__(self, parts: Parts, host: str) -> None:
        self._parts = parts
        self._stopped = threading.Event()
        self._store_is_away = False
        self._outbox = Outbox(parts.engine.services, parts.directory, parts.engine.catalog.fill, host)
        self._thread = threading.Thread(target=self._run, name="chores", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._outbox.start()
        self._thread.start()

    def stop(self) -> None:
        """End after the chore at hand."""
        self._stopped.set()
        self._outbox.stop()
        if self._thread.is_alive():
            self._thread.join()

    def tidy(self) -> None:
        """Take out the uploads of every account that have expired, what is left of those before, and old history."""
        services, catalog = self._parts.engine.services, self._parts.engine.catalog
        now = int(services.clock())
        names = [data_type.name for capability in catalog.capabilities for data_type in capability.types]

        def forget(tx: Writer) -> None:
            self._parts.blobs.expire(tx, now - services.limits.upload_ttl)
            history.tidy(tx, names, now, services.limits.max_history)

        for info in self._parts.store.accounts():
            if self._stopped.is_set():
                return
            with suppress(StoreError):
                account = self._parts.store.account(info.id)
                account.write(forget)
                with account.read() as tx:
                    self._parts.blobs.sweep(tx)

    def _run(self) -> None:
        next_tidy = time.monotonic() + TIDY_SECONDS
        while not self._stopped.wait(POLL_SECONDS):
            self._do(self._parts.store.poll)
            if time.monotonic() >= next_tidy:
                self._do(self.tidy)
                next_tidy = time.monotonic() + TIDY_SECONDS

    def _do(self, chore: Callable[[], None]) -> None:
        try:
            chore()
        except StoreUnavailable as error:
            # The chore comes again every second; saying the same each time would fill the disk that may be full.
            if not self._store_is_away:
                logger.warning("the store cannot be used at the moment: %s", error)
            self._store_is_away = True
        except Exception:
            logger.exception("a chore failed; it is done again later")
        else:
            self._store_is_away = False


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's loop where it is installed."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    return factory


def _listener(config: Config, listener: configuration.table.Listener) -> Listener:
    tls = None
    if listener.tls_implicit:
        certificate = config.certificate(listener.tls_certificate)
        tls = TLS(certificate.cert, certificate.private_key)
    return Listener(
        listener.id,
        tuple((address.host, address.port) for address in listener.bind),
        listener.url or None,
        listener.protocol,
        tls,
        listener.trusted_networks,
        listener.max_connections,
    )


def _entry(principal: configuration.table.Principal) -> Entry:
    return Entry(
        Principal(
            principal.name,
            principal.type,  # type: ignore[arg-type]
            principal.description,
            principal.emails,
            principal.quota,
            principal.member_of,
        ),
        principal.secrets,
        principal.tokens,
    )
