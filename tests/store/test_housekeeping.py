"""Work in the background of a store."""

from __future__ import annotations

import threading

import pytest

from jmaplite.store import StoreUnavailable
from jmaplite.store.housekeeping import Housekeeper
from tests.store.contract import PATIENCE
from tests.store.test_group import until


class Held:
    """A job that waits for a gate."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.gate = threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self.gate.wait(PATIENCE)


def test_jobs_are_done_one_after_another() -> None:
    done: list[int] = []
    keeper = Housekeeper()
    for number in range(5):
        keeper.run(lambda number=number: done.append(number))  # type: ignore[misc]
    keeper.settle()
    assert done == [0, 1, 2, 3, 4]
    keeper.run(lambda: done.append(5))
    keeper.settle()
    assert done[-1] == 5


def test_a_job_that_waits_already_is_done_once() -> None:
    held, done = Held(), []

    def job() -> None:
        done.append(1)

    keeper = Housekeeper()
    keeper.run(held)
    assert held.entered.wait(PATIENCE)
    keeper.run(job)
    keeper.run(job)
    held.gate.set()
    keeper.settle()
    assert done == [1]


def test_a_job_that_raises_is_logged_and_the_next_is_done(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []

    def fail() -> None:
        raise OSError("broken")

    keeper = Housekeeper()
    keeper.run(fail)
    keeper.run(lambda: done.append(1))
    keeper.settle()
    assert done == [1]
    assert "broken" in caplog.text


def test_a_store_that_cannot_serve_now_is_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise StoreUnavailable("locked")

    keeper = Housekeeper()
    keeper.run(fail)
    keeper.settle()
    assert [(record.exc_info, "locked" in record.message) for record in caplog.records] == [(None, True)]


def test_closing_drops_what_waits_and_takes_no_more() -> None:
    held = Held()
    keeper = Housekeeper()
    keeper.run(held)
    assert held.entered.wait(PATIENCE)
    keeper.run(lambda: pytest.fail("done after all"))
    closing = threading.Thread(target=keeper.close)
    closing.start()
    until(lambda: keeper._closed)
    held.gate.set()
    closing.join(PATIENCE)
    keeper.run(lambda: pytest.fail("done after closing"))
    keeper.settle()
    assert not closing.is_alive()
