"""Several processes that serve as one: the same listeners, over the same store.

The first binds the sockets, and hands them to the workers with the configuration. It serves nothing itself, and opens
no store: a worker may die, and another takes its place, but nothing that happens to one can harm it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable

from jmaplite.config import Config
from jmaplite.server.channel import Channel, Done, Errors, Message, Serve
from jmaplite.server.edition import lasting
from jmaplite.server.ground import CannotServe, opened
from jmaplite.server.settings import listeners
from jmaplite.server.sockets import Sockets
from jmaplite.web import CannotListen, Listener, certified, urls

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds until a worker that died is followed by another; doubled each time, unless it lived for a while."""

WHILE_SECONDS = 30.0
ANSWER_SECONDS = 60.0
STOP_SECONDS = 30.0
"""How long a worker may take to answer, and to end."""

_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from jmaplite.server.worker import main; main()"


class Worker:
    """A process that serves, and the way to talk to it."""

    def __init__(self, process: Process, channel: Channel) -> None:
        self.process = process
        self._channel = channel
        self._one_at_a_time = asyncio.Lock()

    async def ask(self, message: Message, descriptors: list[int] | None = None) -> Done:
        """Have it do something; answers what came of it. Raises OSError, EOFError if it has gone or is stuck."""

        def exchange() -> Message:
            self._channel.send(message, descriptors)
            return self._channel.receive()[0]

        async with self._one_at_a_time:
            answer = await asyncio.to_thread(exchange)
        return answer if isinstance(answer, Done) else Done("a worker answered something strange")

    async def end(self) -> None:
        """End it: by itself if it can."""
        if self.process.returncode is None:
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        self._channel.close()


class Workers:
    """A server of several processes. `announce` is given a line for each listener. Raises CannotServe when made."""

    def __init__(self, config: Config, announce: Callable[[str], object]) -> None:
        opened(config).close()  # whatever is to be said against the store is said once, before there are any
        self.config = config
        self._announce = announce
        self._errors: tuple[str, ...] = ()
        self._sockets = Sockets()
        self._workers: list[Worker | None] = [None] * config.server.workers
        self._keepers: list[asyncio.Task[None]] = []
        self._one_at_a_time = asyncio.Lock()

    async def start(self) -> None:
        """Accept connections. Raises CannotServe; nothing is left then."""
        try:
            self._sockets = await self._bound(listeners(self.config))
            began = await asyncio.gather(*(self._begun() for _ in self._workers), return_exceptions=True)
            self._workers = [one for one in began if isinstance(one, Worker)]
            for one in began:
                if isinstance(one, BaseException):
                    raise one
        except (CannotServe, CannotListen) as error:
            await self.stop()
            raise CannotServe(str(error)) from None
        loop = asyncio.get_running_loop()
        self._keepers = [loop.create_task(self._keep(place)) for place in range(len(self._workers))]
        self._tell_where((), Sockets())

    async def reload(self, config: Config) -> None:
        """Have all workers serve by another configuration. Raises CannotServe; nothing has changed then."""
        async with self._one_at_a_time:
            config = lasting(config, self.config)
            try:
                sockets = await self._bound(listeners(config))
            except CannotListen as error:
                raise CannotServe(str(error)) from None
            before, here = self.config, [one for one in self._workers if one is not None]
            try:
                # What one of them can take up, all can.
                while here and not await self._convinced(here.pop(), config, sockets):
                    pass
            except CannotServe:
                sockets.leave(self._sockets)
                raise
            old, self._sockets, self.config = self._sockets, sockets, config
            await asyncio.gather(*(self._change(one) for one in here))
            self._tell_where(listeners(before), old)
            old.leave(sockets)

    async def tell(self, errors: tuple[str, ...]) -> None:
        """Let those who ask know why a changed configuration could not be used, or with nothing that it could."""
        async with self._one_at_a_time:
            self._errors = errors
            for one in self._workers:
                if one is not None:
                    await self._sure(one, Errors(errors), None)

    async def stop(self) -> None:
        """Let what is under way end, within a bound, and let go of everything."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        async with self._one_at_a_time:
            await asyncio.gather(*(one.end() for one in self._workers if one is not None))
            self._sockets.leave()

    async def _bound(self, told: tuple[Listener, ...]) -> Sockets:
        """Sockets for listeners, once whatever may go wrong with them has not. Raises CannotListen."""

        def bind() -> Sockets:
            for one in told:
                certified(one)
            return self._sockets.take_up(told)

        return await asyncio.to_thread(bind)

    def _task(self, config: Config, sockets: Sockets) -> tuple[Serve, list[int]]:
        places, descriptors = sockets.described()
        return Serve(config, places, self._errors), descriptors

    async def _begun(self) -> Worker:
        """A worker that serves. Raises CannotServe."""
        ours, its = socket.socketpair()
        ours.settimeout(ANSWER_SECONDS)
        with its:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-c", _BOOT, json.dumps(sys.path), str(its.fileno())),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=[its.fileno()],
            )
        worker = Worker(process, Channel(ours))
        try:
            failure = (await worker.ask(*self._task(self.config, self._sockets))).failure
        except (OSError, EOFError):
            failure = "a worker ended before it served"
        except BaseException:
            await worker.end()
            raise
        if failure is not None:
            await worker.end()
            raise CannotServe(failure)
        return worker

    async def _keep(self, place: int) -> None:
        """See to it that there is a worker in a place."""
        loop = asyncio.get_running_loop()
        pause, since = FIRST_PAUSE, loop.time()
        while True:
            worker = self._workers[place]
            if worker is not None:
                status = await worker.process.wait()
                logger.error("worker %d ended with %d; another takes its place", worker.process.pid, status)
                self._workers[place] = None
                await worker.end()
                pause = FIRST_PAUSE if loop.time() - since > WHILE_SECONDS else pause
            await asyncio.sleep(pause)
            pause, since = min(2 * pause, LONGEST_PAUSE), loop.time()
            async with self._one_at_a_time:
                try:
                    self._workers[place] = await self._begun()
                except CannotServe as error:
                    logger.error("no worker can begin: %s", error)

    async def _convinced(self, worker: Worker, config: Config, sockets: Sockets) -> bool:
        """Whether a worker has taken a configuration up; false if it has ended. Raises CannotServe if it refuses."""
        answer = await self._sure(worker, *self._task(config, sockets))
        if answer is not None and answer.failure is not None:
            raise CannotServe(answer.failure)
        return answer is not None

    async def _change(self, worker: Worker) -> None:
        """Have a worker serve what there is to serve; one that does not is replaced."""
        answer = await self._sure(worker, *self._task(self.config, self._sockets))
        if answer is not None and answer.failure is not None:
            logger.error("worker %d ends, for it cannot change: %s", worker.process.pid, answer.failure)
            worker.process.terminate()

    async def _sure(self, worker: Worker, message: Message, descriptors: list[int] | None) -> Done | None:
        """What comes of asking a worker; None if it has gone, or does not answer, and then is done away with."""
        try:
            return await worker.ask(message, descriptors)
        except (OSError, EOFError):
            if worker.process.returncode is None:
                worker.process.kill()
            return None

    def _tell_where(self, before: tuple[Listener, ...], sockets: Sockets) -> None:
        """Announce the listeners that are elsewhere than they were, and those that are no more."""
        were = {one.id: urls(one, sockets.of(one)) for one in before}
        now = {one.id: urls(one, self._sockets.of(one)) for one in listeners(self.config)}
        for name in were.keys() - now.keys():
            self._announce(f"jmaplite: listener {name} is no more")
        for name, where in now.items():
            if where != were.get(name):
                self._announce(f"jmaplite: listener {name} on {', '.join(where)}")
