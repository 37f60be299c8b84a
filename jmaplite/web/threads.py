"""Work on data, off the event loop: one hop there, one back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """A few threads for work that waits for a disk or holds the processor."""

    def __init__(self, name: str, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` answers or raises; in the log it belongs to the same request.

        Work that was begun is ended, whether or not anybody still waits.
        """
        run: Callable[..., T] = copy_context().run
        return await asyncio.wrap_future(self._pool.submit(run, work, *args, **kwargs))

    async def close(self) -> None:
        """Wait for what was begun; no more is taken."""
        await asyncio.to_thread(self._pool.shutdown)
