"""A server in this process: its listeners, and what is behind them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from jmaplite.config import Config
from jmaplite.directory import DirectoryUnavailable, Principal
from jmaplite.push import View
from jmaplite.server.channel import Serve
from jmaplite.server.chores import Chores
from jmaplite.server.edition import Edition, edition, lasting
from jmaplite.server.extension import Extension, extension
from jmaplite.server.ground import CannotServe, opened
from jmaplite.server.mail import PROTOCOLS, MailListening
from jmaplite.server.measures import Measures
from jmaplite.server.parts import Parts
from jmaplite.server.scripts import ScriptListening
from jmaplite.server.sockets import Sockets
from jmaplite.web import (
    CannotListen,
    Certificates,
    Family,
    Listener,
    Listening,
    ListeningSocket,
    Status,
    Timeouts,
    certified,
)

logger = logging.getLogger(__name__)

AnyListening = Listening | MailListening | ScriptListening
"""One listener at work, whatever is spoken there."""

Told = dict[str, tuple[Listener, Certificates | None]]
"""Listeners by their ids, with what they need for TLS."""


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
        self._announce = announce
        self._timeouts = timeouts
        self._extension = extension(config)
        way = self._extension
        self._ground = opened(config, clock=way.clock, account_id=way.account_id, durable=way.durable)
        self._extension.opened(self._ground)
        self._hub = self._extension.make_hub(self._ground.store, self._sees)
        self.status = Status(self._ground.failure, self._directory_failure)
        self._edition = edition(self._ground, self._hub, self.status, config, timeouts, self._extension)
        self._sockets = Sockets()
        self._listening: dict[str, AnyListening] = {}
        self._leaving: list[AnyListening] = []
        self._retiring: set[Edition] = set()
        self._farewells: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()
        self._chores = Chores(self.parts, config)
        self._measures = Measures(self._ground.store, self._ground.store.path)
        self.status.metrics.sources += (self._measures.families, self._connections)

    @property
    def config(self) -> Config:
        """The configuration in use."""
        return self._edition.config

    @property
    def parts(self) -> Parts:
        """What it is made of."""
        return self._edition.parts

    @property
    def extension(self) -> Extension:
        """What a fixture has put in."""
        return self._extension

    @property
    def urls(self) -> dict[str, tuple[str, ...]]:
        """Where each listener accepts connections, by its id."""
        return {name: one.urls for name, one in self._listening.items()}

    async def start(self, sockets: Sockets | None = None) -> None:
        """Accept connections, on `sockets` if they are there already. Raises CannotServe; nothing is left open then."""
        self._ground.join()
        self._hub.start()
        self._measures.start()
        await self._edition.startup()
        await asyncio.to_thread(self._extension.begin)
        try:
            self._listen(*await self._ready(self._edition.listeners, sockets))
        except CannotListen as error:
            await self.stop()
            raise CannotServe(str(error)) from None
        self._extension.started(self)
        self._chores.start()

    async def reload(self, config: Config, sockets: Sockets | None = None) -> None:
        """Serve by another configuration from now on; what is under way goes on by the one with which it began.

        `sockets` are those of its listeners, if another process has bound them. Raises CannotServe; nothing has changed
        then.
        """
        async with self._one_at_a_time:
            before, config = self._edition, lasting(config, self._edition.config)
            after = await asyncio.to_thread(
                edition, self._ground, self._hub, self.status, config, self._timeouts, self._extension, before
            )
            try:
                found = await self._ready(after.listeners, sockets)
            except CannotListen as error:
                raise CannotServe(str(error)) from None
            await after.startup()
            self._edition = after
            self._hub.renew(self._sees)
            if before.config.push.enable and not config.push.enable:
                self._hub.dismiss()  # who comes back is told that there is no push
            self._chores.change(after.parts, config)
            self._listen(*found)
            self._retiring.add(before)
            for one in self._retiring:
                one.app.successor = after.app  # each knows the last, and nobody those between
            self._in_background(self._retire(before))
            if after.parts.directory is not before.parts.directory:
                await asyncio.to_thread(before.parts.directory.close)

    def inherited(self, message: Serve, descriptors: list[int]) -> Sockets:
        """The sockets that another process has bound, those that are here already among them."""
        return self._sockets.inherited(message.places, descriptors)

    async def tell(self, errors: tuple[str, ...]) -> None:
        """Let those who ask know why a changed configuration could not be used, or with nothing that it could."""
        self.status.reload_errors = errors

    async def stop(self) -> None:
        """Let what is under way end, within a bound, and let go of everything."""
        self._hub.end()
        async with self._one_at_a_time:
            patience = self._edition.app.settings.timeouts.shutdown
            await asyncio.gather(*(one.stop(patience) for one in (*self._listening.values(), *self._leaving)))
            await asyncio.gather(*self._farewells)
            self._sockets.leave()
            await self._edition.shutdown()
            self._measures.stop()
            await self._hub.close()
            await asyncio.to_thread(self._chores.stop)
            self.parts.close()

    def forget_credentials(self) -> None:
        """Ask the directory anew who somebody is, from now on: there are others in it."""
        self._edition.credentials.forget()

    def tidy(self) -> None:
        """Do now what is done from time to time: take out what has expired. Takes time."""
        self._chores.tidy()

    def _sees(self, principal: Principal) -> View | None:
        """What a principal is told of changes of, by the configuration in use."""
        return self.parts.sees(principal)

    def _directory_failure(self) -> str | None:
        """Why the directory in use cannot be used at the moment, or None. Takes time: it is asked."""
        try:
            self.parts.directory.principal("readyz")
        except DirectoryUnavailable as error:
            return str(error) or "does not answer"
        return None

    def _connections(self) -> tuple[Family, ...]:
        counts = [((("listener", name),), one.connections) for name, one in list(self._listening.items())]
        return (Family("jmaplite_connections", "gauge", "Connections, by listener.", counts),)

    async def _ready(self, told: tuple[Listener, ...], sockets: Sockets | None) -> tuple[Sockets, Told]:
        """What may go wrong with listeners, before anything is changed. Raises CannotListen."""

        def ready() -> tuple[Sockets, Told]:
            certificates = {one.id: (one, certified(one)) for one in told}
            return sockets or self._sockets.take_up(told), certificates

        return await asyncio.to_thread(ready)

    def _listen(self, sockets: Sockets, told: Told) -> None:
        """Turn the listeners that are into those that should be, all at once."""
        lines = []
        for name, listening in list(self._listening.items()):
            # A socket may go over to another listener.
            listening.narrow(sockets.of(told[name][0]) if name in told else ())
            if name not in told or not isinstance(listening, _kind(told[name][0])):
                self._in_background(self._part_from(self._listening.pop(name)))
                lines.append(f"jmaplite: listener {name} is no more")
        for name, (listener, certificates) in told.items():
            before = self._listening[name].urls if name in self._listening else ()
            listening = self._become(name, listener, sockets.of(listener), certificates)
            if listening.urls != before:
                lines.append(f"jmaplite: listener {name} on {', '.join(listening.urls)}")
        self._sockets.leave(sockets)
        self._sockets = sockets
        for line in lines:
            self._announce(line)

    def _become(
        self, name: str, listener: Listener, sockets: list[ListeningSocket], certificates: Certificates | None
    ) -> AnyListening:
        """Have a listener do what is asked of it, over JMAP, for mail or for scripts."""
        if _kind(listener) is ScriptListening:
            desk = self._edition.desk
            scripts = self._listening.setdefault(name, ScriptListening(listener, desk))
            assert isinstance(scripts, ScriptListening)
            scripts.become(listener, desk, sockets, certificates)
            return scripts
        if _kind(listener) is MailListening:
            incoming = self._edition.incoming
            mail = self._listening.setdefault(name, MailListening(listener, incoming))
            assert isinstance(mail, MailListening)
            mail.become(listener, incoming, sockets, certificates)
            return mail
        app = self._edition.app_of(listener)
        listening = self._listening.setdefault(name, Listening(listener, app))
        assert isinstance(listening, Listening)
        listening.become(listener, app, sockets, certificates)
        return listening

    async def _part_from(self, listening: AnyListening) -> None:
        """Let a listener end when all that came in by it has."""
        self._leaving.append(listening)
        try:
            await listening.stop(None)
        finally:
            self._leaving.remove(listening)

    async def _retire(self, before: Edition) -> None:
        """Let go of an edition when what is under way in it has ended."""
        try:
            await before.retire()
        finally:
            self._retiring.discard(before)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)


def _kind(listener: Listener) -> type[AnyListening]:
    """What a listener is served by."""
    if listener.protocol == "managesieve":
        return ScriptListening
    return MailListening if listener.protocol in PROTOCOLS else Listening
