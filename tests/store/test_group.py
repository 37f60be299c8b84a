"""Group commit: who leads, what runs together, what an interrupt leaves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from jmaplite.store import StoreUnavailable
from jmaplite.store import group as group_module
from jmaplite.store.group import Group, Task
from tests.store.contract import PATIENCE


class Bench:
    """A group whose runs are recorded, and whose first run waits for a gate."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.group: Group[str] = Group(self._run)
        self.fails: BaseException | None = None

    def _run(self, tasks: list[Task[str]]) -> None:
        self.batches.append([task.work for task in tasks])
        if len(self.batches) == 1:
            self.entered.set()
            assert self.gate.wait(PATIENCE)
        if self.fails is not None:
            raise self.fails
        for task in tasks:
            task.finish(task.work.upper())

    def wait_for(self, waiting: int) -> None:
        """Until so many tasks wait for their turn."""
        until(lambda: len(self.group._waiting) == waiting)


def until(condition: Callable[[], bool]) -> None:
    """Spin until a condition holds: what is waited for is another thread's next step."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.001)):
        if condition():
            return
        pause.wait(0.001)
    raise AssertionError("nothing happened")


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@contextmanager
def first_run_held(bench: Bench, pool: ThreadPoolExecutor) -> Iterator[Future[str]]:
    first = pool.submit(bench.group.submit, "first")
    assert bench.entered.wait(PATIENCE)
    try:
        yield first
    finally:
        bench.gate.set()


def test_work_alone_runs_alone(bench: Bench) -> None:
    bench.gate.set()
    assert [bench.group.submit("a"), bench.group.submit("b")] == ["A", "B"]
    assert bench.batches == [["a"], ["b"]]


def test_what_comes_while_a_run_is_under_way_runs_together(bench: Bench, pool: ThreadPoolExecutor) -> None:
    with first_run_held(bench, pool) as first:
        others = []
        for number, work in enumerate("abc", 1):
            others.append(pool.submit(bench.group.submit, work))
            bench.wait_for(number)
    assert [first.result(PATIENCE), *(other.result(PATIENCE) for other in others)] == ["FIRST", "A", "B", "C"]
    assert bench.batches == [["first"], ["a", "b", "c"]]


def test_a_run_that_is_interrupted_tells_everybody_and_the_next_goes_on(bench: Bench, pool: ThreadPoolExecutor) -> None:
    with first_run_held(bench, pool) as first:
        bench.fails = KeyboardInterrupt()
        other = pool.submit(bench.group.submit, "a")
        bench.wait_for(1)
    with pytest.raises(KeyboardInterrupt):
        first.result(PATIENCE)
    with pytest.raises(KeyboardInterrupt):
        other.result(PATIENCE)
    bench.fails = None
    assert bench.group.submit("b") == "B"


def test_those_who_follow_an_interrupted_leader_are_told_to_try_again(bench: Bench, pool: ThreadPoolExecutor) -> None:
    with first_run_held(bench, pool) as first:
        others = []
        for number, work in enumerate("ab", 1):
            others.append(pool.submit(bench.group.submit, work))
            bench.wait_for(number)
        bench.fails = SystemExit()
    assert isinstance(first.exception(PATIENCE), SystemExit)
    assert {type(other.exception(PATIENCE)) for other in others} == {SystemExit, StoreUnavailable}


def test_who_is_interrupted_while_waiting_leaves_the_queue(
    bench: Bench, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with first_run_held(bench, pool) as first:
        with monkeypatch.context() as patch:
            patch.setattr(group_module, "threading", SimpleNamespace(Lock=Interrupted))
            with pytest.raises(KeyboardInterrupt):
                bench.group.submit("never")
        assert not bench.group._waiting
    assert first.result(PATIENCE) == "FIRST"
    assert bench.group.submit("b") == "B"
    assert bench.batches == [["first"], ["b"]]


def test_who_is_interrupted_just_when_it_should_lead_lets_the_next_lead(
    bench: Bench, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = Interrupted(when=lambda: "late" not in {task.work for task in bench.group._waiting})
    with first_run_held(bench, pool) as first:
        with monkeypatch.context() as patch:
            patch.setattr(group_module, "threading", SimpleNamespace(Lock=lambda: turn))
            late = pool.submit(bench.group.submit, "late")
            bench.wait_for(1)
        other = pool.submit(bench.group.submit, "a")
        bench.wait_for(2)
    assert isinstance(late.exception(PATIENCE), KeyboardInterrupt)
    assert (first.result(PATIENCE), other.result(PATIENCE)) == ("FIRST", "A")


class Interrupted:
    """A lock whose waiter is interrupted, once a condition holds."""

    def __init__(self, when: Callable[[], bool] = lambda: True) -> None:
        self._when = when
        self._held = False

    def acquire(self) -> bool:
        if self._held:
            until(self._when)
            raise KeyboardInterrupt
        self._held = True
        return True

    def release(self) -> None:
        self._held = False
