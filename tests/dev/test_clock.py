"""A clock that tests can stop, set and advance."""

from __future__ import annotations

from jmaplite.dev.clock import Clock


class Real:
    """The time outside."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_tells_the_real_time_until_told_otherwise() -> None:
    real = Real()
    clock = Clock(real)
    assert clock() == 1000
    real.now = 1001
    assert (clock(), clock.is_frozen) == (1001, False)


def test_frozen_it_stands_still_and_moves_only_when_it_is_advanced() -> None:
    real = Real()
    clock = Clock(real)
    clock.freeze()
    real.now = 2000
    assert (clock(), clock.is_frozen) == (1000, True)
    assert clock.advance(5) == clock() == 1005
    assert clock.set(70) == clock() == 70


def test_resumed_it_goes_on_from_where_it_stood() -> None:
    real = Real()
    clock = Clock(real)
    clock.freeze(50)
    clock.resume()
    real.now += 7
    assert clock() == 57
    clock.advance(100)
    real.now += 1
    assert clock() == 158


def test_reset_it_tells_the_real_time_again() -> None:
    real = Real()
    clock = Clock(real)
    clock.freeze(50)
    clock.advance(10)
    assert clock.reset() == clock() == 1000


def test_whoever_listens_is_told_of_every_move() -> None:
    clock, told = Clock(Real()), []
    clock.listen(lambda: told.append(clock()))
    clock.freeze(1)
    clock.advance(1)
    clock.set(5)
    clock.resume()
    clock.reset()
    assert told == [1, 2, 5, 5, 1000]
