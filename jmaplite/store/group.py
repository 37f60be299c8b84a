"""Group commit: work of many threads joined into one transaction, led by one of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from jmaplite.store.port import StoreUnavailable

W = TypeVar("W")


class Task(Generic[W]):
    """One piece of work on its way through a group, and what came of it."""

    __slots__ = ("error", "finished", "leads", "result", "turn", "work")

    def __init__(self, work: W) -> None:
        self.work = work
        self.turn = threading.Lock()
        self.leads = False
        self.finished = False
        self.result: Any = None
        self.error: BaseException | None = None

    def finish(self, result: Any = None, error: BaseException | None = None) -> None:
        """Settle what the work answers or raises; the first call counts."""
        if not self.finished:
            self.result, self.error, self.finished = result, error, True

    def outcome(self) -> Any:
        """What the work answered, or raise what it raised."""
        if self.error is not None:
            raise self.error
        return self.result


class Group(Generic[W]):
    """A queue of work for one resource: the thread that finds it idle leads, and runs all that waits at once.

    When the leader is done, the first of those that came meanwhile leads next. `run` is called by one thread
    at a time with one or more tasks, and finishes each.
    """

    def __init__(self, run: Callable[[list[Task[W]]], None]) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._waiting: deque[Task[W]] = deque()
        self._led = False

    def submit(self, work: W) -> Any:
        """Have work run, by this thread or another; answers its result or raises its error."""
        task = Task(work)
        with self._lock:
            task.leads = not self._led
            if task.leads:
                self._led = True
            else:
                task.turn.acquire()
                self._waiting.append(task)
        if not task.leads:
            self._wait(task)
        if not task.finished:
            self._lead(task)
        return task.outcome()

    def _wait(self, task: Task[W]) -> None:
        """Until the work is finished or its thread has to lead."""
        try:
            task.turn.acquire()
        except BaseException:
            with self._lock:
                if task.leads:
                    self._pass_on()
                elif task in self._waiting:
                    self._waiting.remove(task)
            raise

    def _lead(self, own: Task[W]) -> None:
        """Run everything that waits, then hand the lead on."""
        tasks = [own]
        try:
            with self._lock:
                tasks.extend(self._waiting)
                self._waiting.clear()
            self._run(tasks)
        finally:
            with self._lock:
                self._pass_on()
            for task in tasks:
                task.finish(error=StoreUnavailable("the transaction was interrupted"))
                if task is not own:
                    task.turn.release()

    def _pass_on(self) -> None:
        """Let the first that waits lead; the lock is held."""
        self._led = bool(self._waiting)
        if self._waiting:
            task = self._waiting.popleft()
            task.leads = True
            task.turn.release()
