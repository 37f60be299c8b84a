"""Waiting until something holds: a JMAP call is made again after each change, until its answer is what is wanted."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any, Protocol

from jmaplite.dev.operations import whole_number

LONGEST = 300.0
"""Seconds that may be waited."""

_GLANCE = 0.25
"""Seconds after which it is looked anyway: clocks move without a change."""


_POINTER = re.compile(r"(?:/(?:[^/~]|~[01])*)*")


class NotThere(LookupError):
    """There is nothing at a pointer."""


def at(document: Any, pointer: str) -> Any:
    """What a JSON Pointer (RFC 6901) names. Raises NotThere."""
    found = document
    for part in pointer.split("/")[1:] if pointer else ():
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and (index := _index(name)) is not None and index < len(found):
            found = found[index]
        else:
            raise NotThere(pointer)
    return found


def is_pointer(text: str) -> bool:
    """Whether it is a JSON Pointer (RFC 6901 §3)."""
    return _POINTER.fullmatch(text) is not None


def _index(name: str) -> int | None:
    """The number of an element, which has no zeros before it (RFC 6901 §4)."""
    return None if name.startswith("0") and name != "0" else whole_number(name)


def holds(answer: Any, pointer: str, wanted: dict[str, Any]) -> bool:
    """Whether an answer is what is wanted: at a pointer, something `equals`, or is `atLeast`, or is `absent` or not."""
    try:
        found = at(answer, pointer)
    except NotThere:
        return wanted.get("absent") is True
    if wanted.get("absent") is True:
        return False
    if "equals" in wanted and found != wanted["equals"]:
        return False
    if "atLeast" in wanted:
        size = len(found) if isinstance(found, list | dict | str) else found
        if not isinstance(size, int | float) or isinstance(size, bool) or size < wanted["atLeast"]:
            return False
    return True


class Source(Protocol):
    """What tells of changes, whatever they are."""

    def listen(self, listener: Callable[[Any], None]) -> Callable[[], None]:
        """Have a function called after each; answers how to stop."""


async def until(
    source: Source, look: Callable[[], Any], good: Callable[[Any], bool], seconds: float, ending: asyncio.Event
) -> tuple[bool, Any]:
    """Look (in a thread) until it is good or the time is over; answers whether it is, and what was seen last.

    The time is over at the latest when `ending` is set.
    """
    loop = asyncio.get_running_loop()
    stirred = asyncio.Event()

    def heard(_: Any) -> None:
        loop.call_soon_threadsafe(stirred.set)

    stop = source.listen(heard)
    try:
        deadline = time.monotonic() + min(seconds, LONGEST)
        while True:
            stirred.clear()
            seen = await asyncio.to_thread(look)
            left = deadline - time.monotonic()
            if good(seen):
                return True, seen
            if left <= 0 or ending.is_set():
                return False, seen
            try:
                async with asyncio.timeout(min(left, _GLANCE)):
                    await stirred.wait()
            except TimeoutError:
                pass
    finally:
        stop()
