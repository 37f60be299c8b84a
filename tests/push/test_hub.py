"""The hub: every change is told, once, as it now is, and not more often than the throttle allows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jmaplite.directory import Principal
from jmaplite.push import Ended, Hub, News, TooMany, View, Watcher, hub
from jmaplite.store import Change, Store, StoreUnavailable
from jmaplite.store.sqlite import SQLiteStore
from tests.store.contract import SCHEMA, nothing

ANN = Principal("ann", credential="password")
TYPES = frozenset({"A", "B"})


class Timed(Hub):
    """A hub whose time passes when it is told to."""

    def __init__(self, store: Store, visible: Callable[[Principal], View | None]) -> None:
        super().__init__(store, visible)
        self.time = 0.0
        self.calls: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> float:
        return self.time

    def later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        self.calls.append((self.time + seconds, call))
        return asyncio.get_running_loop().call_later(3600, lambda: None)

    def pass_time(self, seconds: float) -> None:
        self.time += seconds
        calls, self.calls = self.calls, []
        for at, call in calls:
            if at <= self.time:
                call()
            else:
                self.calls.append((at, call))


@dataclass
class Scene:
    """A store with two accounts, and a hub over it."""

    store: SQLiteStore
    hub: Timed
    one: str
    two: str
    sees: dict[str, View | None]

    def change(self, account_id: str, *types: str) -> None:
        self.store.account(account_id).write(lambda tx: [tx.change(name) for name in types])

    def state(self, account_id: str, name: str) -> str:
        with self.store.account(account_id).read() as tx:
            return f"{self.store.epoch}-{tx.state(name)}"

    def watch(self, *types: str, since: str | None = None, throttle: float = 1.0, both: bool = False) -> Watcher:
        accounts = (self.one, self.two) if both else (self.one,)
        watcher = self.hub.watch(ANN, dict.fromkeys(accounts, TYPES), throttle)
        watcher.want(types or None, since)
        return watcher


def scene(test: Callable[[Scene], Any]) -> Callable[[Path], None]:
    """A test that is a coroutine, in a loop in which nothing may go wrong unnoticed."""

    @asynccontextmanager
    async def set_up(folder: Path) -> AsyncIterator[Scene]:
        errors: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        store = SQLiteStore(folder / "store", SCHEMA)
        sees: dict[str, View | None] = {}
        timed = Timed(store, lambda principal: sees[principal.name])
        timed.start()
        try:
            yield Scene(store, timed, store.create_account("1", nothing), store.create_account("2", nothing), sees)
        finally:
            await timed.close()
            store.close()
        assert errors == []

    async def perform(folder: Path) -> None:
        async with set_up(folder) as found, asyncio.timeout(30):
            await test(found)

    def run(tmp_path: Path) -> None:
        asyncio.run(perform(tmp_path))

    run.__name__ = test.__name__
    return run


async def settled(what: asyncio.Task[News]) -> bool:
    """Whether a task waits, after all that could happen by itself has happened."""
    for _ in range(20):
        await asyncio.sleep(0)
        await asyncio.to_thread(lambda: None)
    return not what.done()


@scene
async def test_the_first_news_are_where_things_are_and_then_what_changes(scene: Scene) -> None:
    scene.change(scene.one, "A")
    watcher = scene.watch()
    assert (await watcher.next()).changed == {}
    scene.change(scene.one, "B")
    assert (await watcher.next()).changed == {scene.one: {"B": scene.state(scene.one, "B")}}


@scene
async def test_what_changes_while_it_begins_is_told(scene: Scene) -> None:
    """From where on it is told is read from the store: what was committed before the look is not lost for that."""
    scene.change(scene.one, "A")
    watcher = scene.watch(throttle=0)
    scene.change(scene.one, "B")
    first = await watcher.next()
    scene.change(scene.one, "A")
    second = await watcher.next()
    assert first.changed == {scene.one: {"B": scene.state(scene.one, "B")}}
    assert second.changed == {scene.one: {"A": scene.state(scene.one, "A")}}


@scene
async def test_only_types_that_are_wanted_are_told(scene: Scene) -> None:
    watcher = scene.watch("B")
    await watcher.next()
    scene.change(scene.one, "A")
    waiting = asyncio.create_task(watcher.next())
    assert await settled(waiting)
    scene.change(scene.one, "A", "B")
    assert (await waiting).changed == {scene.one: {"B": scene.state(scene.one, "B")}}


@scene
async def test_changes_within_the_throttle_are_told_together_at_its_end(scene: Scene) -> None:
    watcher = scene.watch(both=True)
    await watcher.next()
    scene.change(scene.one, "A")
    await watcher.next()
    scene.change(scene.one, "A")
    waiting = asyncio.create_task(watcher.next())
    assert await settled(waiting)
    scene.change(scene.one, "A", "B")
    scene.change(scene.two, "A")
    assert await settled(waiting)
    scene.hub.pass_time(1.0)
    news = (await waiting).changed
    if len(news) < 2:
        scene.hub.pass_time(1.0)
        news = {**news, **(await watcher.next()).changed}
    assert news == {
        scene.one: {"A": scene.state(scene.one, "A"), "B": scene.state(scene.one, "B")},
        scene.two: {"A": scene.state(scene.two, "A")},
    }


@scene
async def test_of_many_the_first_are_told_before_the_last_have_looked(scene: Scene) -> None:
    watchers = [scene.watch() for _ in range(20 * hub.LOOKERS)]
    for watcher in watchers:
        await watcher.next()
    waiting = [asyncio.create_task(watcher.next()) for watcher in watchers]
    await asyncio.sleep(0)
    scene.change(scene.one, "A")
    _, others = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert others
    news = {scene.one: {"A": scene.state(scene.one, "A")}}
    assert [found.changed for found in await asyncio.gather(*waiting)] == [news] * len(watchers)


@scene
async def test_what_goes_wrong_with_one_does_not_end_the_telling_of_others(scene: Scene) -> None:
    broken, other = scene.watch(throttle=0), scene.watch(throttle=0)
    for watcher in (broken, other):
        await watcher.next()
    look, failed = Watcher.look, asyncio.Event()

    def look_or_fail(self: Watcher, *what: Any) -> None:
        if self is broken:
            raise RuntimeError
        look(self, *what)

    loop = asyncio.get_running_loop()
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda *_: failed.set())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Watcher, "look", look_or_fail)
        waiting = [asyncio.create_task(watcher.next()) for watcher in (broken, other)]
        await asyncio.sleep(0)
        scene.change(scene.one, "A")
        await failed.wait()
    loop.set_exception_handler(handler)
    scene.change(scene.one, "B")
    told = [found.changed[scene.one] for found in await asyncio.gather(*waiting)]
    if "B" not in told[1]:  # it was told of A at once
        told[1] = (await other.next()).changed[scene.one]
    assert all(found["B"] == scene.state(scene.one, "B") for found in told)


@scene
async def test_who_wants_other_types_is_told_what_waits_all_the_same(scene: Scene) -> None:
    watcher = scene.watch("A")
    await watcher.next()
    scene.change(scene.one, "A")
    await watcher.next()
    scene.change(scene.one, "A")
    waiting = asyncio.create_task(watcher.next())
    assert await settled(waiting)
    watcher.want(None)
    assert (await waiting).changed == {scene.one: {"A": scene.state(scene.one, "A")}}


@scene
async def test_who_wanted_nothing_for_a_while_begins_anew(scene: Scene) -> None:
    watcher = scene.watch("A")
    await watcher.next()
    watcher.want_nothing()
    scene.change(scene.one, "A")
    watcher.want(None)
    assert not (await watcher.next()).changed


@scene
async def test_a_slow_client_is_told_the_last_state_alone(scene: Scene) -> None:
    watcher = scene.watch(throttle=0)
    await watcher.next()
    for _ in range(10):
        scene.change(scene.one, "A")
    await asyncio.to_thread(lambda: None)
    told = [(await watcher.next()).changed[scene.one]["A"]]
    while told[-1] != scene.state(scene.one, "A"):
        told.append((await watcher.next()).changed[scene.one]["A"])
    assert len(told) < 10


@scene
async def test_who_comes_back_is_told_what_it_has_missed(scene: Scene) -> None:
    with scene.watch(both=True) as watcher:
        left_off = (await watcher.next()).state
    scene.change(scene.two, "B")
    with scene.watch(both=True, since=left_off) as watcher:
        assert (await watcher.next()).changed == {scene.two: {"B": scene.state(scene.two, "B")}}


@scene
async def test_who_has_missed_nothing_is_told_so(scene: Scene) -> None:
    with scene.watch() as watcher:
        left_off = await watcher.next()
    with scene.watch(since=left_off.state) as watcher:
        assert await watcher.next() == left_off


@pytest.mark.parametrize(
    "what", ["", "?", "x~y.z", "{epoch}", "{epoch}~{one}.fffffffffffffff", "{epoch}~{one}.-1", "~" * 9]
)
def test_who_was_told_what_never_was_is_told_all(tmp_path: Path, what: str) -> None:
    @scene
    async def test(scene: Scene) -> None:
        scene.change(scene.one, "A")
        with scene.watch(since=what.format(epoch=scene.store.epoch, one=scene.one)) as watcher:
            told = (await watcher.next()).changed
        assert told == {scene.one: {name: scene.state(scene.one, name) for name in TYPES}}

    test(tmp_path)


@scene
async def test_a_place_that_is_longer_than_any_is_not_read(scene: Scene) -> None:
    """It would take the event loop seconds."""
    scene.change(scene.one, "A")
    with scene.watch() as watcher:
        left_off = (await watcher.next()).state
    for more, everything in ((1000, False), (10_000, True)):
        with scene.watch(since=left_off + "~a.1" * more) as watcher:
            assert bool((await watcher.next()).changed) == everything


@scene
async def test_after_a_restore_everything_is_news(scene: Scene) -> None:
    watcher = scene.watch(throttle=0)
    left_off = (await watcher.next()).state
    scene.store.renew_epoch()
    scene.change(scene.one, "A")
    everything = {scene.one: {name: scene.state(scene.one, name) for name in TYPES}}
    assert (await watcher.next()).changed == everything
    with scene.watch(since=left_off) as other:
        assert (await other.next()).changed == everything


@scene
async def test_news_are_not_lost_with_a_wait_that_is_given_up_as_they_come(scene: Scene) -> None:
    watcher = scene.watch()
    await watcher.next()
    waiting = asyncio.create_task(watcher.next())
    assert await settled(waiting)
    wake = Watcher._wake

    def wake_in_vain(watcher: Watcher) -> None:
        wake(watcher)
        waiting.cancel()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Watcher, "_wake", wake_in_vain)
        scene.change(scene.one, "A")
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert (await watcher.next()).changed == {scene.one: {"A": scene.state(scene.one, "A")}}


@scene
async def test_a_lost_announcement_is_made_good_by_the_patrol(scene: Scene) -> None:
    watcher = scene.watch()
    await watcher.next()
    scene.hub._announced["lost"] = 1  # none gets through any more
    scene.change(scene.one, "A")
    waiting = asyncio.create_task(watcher.next())
    assert await settled(waiting)
    scene.sees["ann"] = {scene.one: TYPES}
    scene.hub._patrol()
    assert (await waiting).changed == {scene.one: {"A": scene.state(scene.one, "A")}}


@scene
async def test_an_account_that_cannot_be_read_is_read_later(scene: Scene) -> None:
    watcher = scene.watch()
    await watcher.next()
    real, scene.store.account = scene.store.account, _unavailable  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub, "RETRY_SECONDS", 0.0)
        real(scene.one).write(lambda tx: tx.change("A"))
        waiting = asyncio.create_task(watcher.next())
        assert await settled(waiting)
        scene.store.account = real  # type: ignore[method-assign]
        assert (await waiting).changed == {scene.one: {"A": scene.state(scene.one, "A")}}


def _unavailable(account_id: str) -> Any:
    raise StoreUnavailable(account_id)


@scene
async def test_an_account_that_the_user_comes_to_see_is_news_and_one_that_goes_is_told_no_more(scene: Scene) -> None:
    watcher = scene.watch(throttle=0)
    await watcher.next()
    scene.sees["ann"] = {scene.two: TYPES}
    scene.hub.renew(lambda principal: scene.sees[principal.name])
    assert (await watcher.next()).changed == {scene.two: {name: scene.state(scene.two, name) for name in TYPES}}
    scene.change(scene.one, "A")
    scene.change(scene.two, "A")
    news = await watcher.next()
    assert news.changed == {scene.two: {"A": scene.state(scene.two, "A")}}
    assert scene.one not in news.state


@scene
async def test_a_user_who_has_gone_is_told_nothing_more(scene: Scene) -> None:
    watcher = scene.watch()
    await watcher.next()
    scene.sees["ann"] = None
    waiting = asyncio.create_task(watcher.next())
    scene.hub.renew(lambda principal: scene.sees[principal.name])
    with pytest.raises(Ended) as ended:
        await waiting
    assert ended.value.gone


@scene
async def test_the_end_of_the_server_ends_every_wait(scene: Scene) -> None:
    watcher = scene.watch()
    await watcher.next()
    waiting = asyncio.create_task(watcher.next())
    assert await settled(waiting)
    scene.hub.end()
    with pytest.raises(Ended) as ended:
        await waiting
    assert not ended.value.gone
    with pytest.raises(Ended):
        scene.watch()


@scene
async def test_one_user_cannot_have_any_number_of_watchers(scene: Scene) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub, "MOST_PER_USER", 2)
        with scene.watch(), scene.watch(), pytest.raises(TooMany):
            scene.watch()
        with scene.watch():
            pass


@scene
async def test_nothing_is_left_of_watchers_that_have_gone(scene: Scene) -> None:
    for _ in range(3):
        with scene.watch(both=True) as watcher:
            await watcher.next()
    assert not scene.hub._accounts
    assert not scene.hub._users
    assert not scene.hub._counts


@scene
async def test_a_commit_that_nobody_watches_does_nothing(scene: Scene) -> None:
    with scene.watch() as watcher:
        await watcher.next()
        scene.hub._heard(Change(scene.two, {"A": 1}))
        assert not scene.hub._announced
