"""Processes that use one store hear of each other's commits, and of each other's end."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jmaplite.store import Change, Schema, StoreUnavailable
from jmaplite.store.neighbours import Neighbours
from jmaplite.store.sqlite import SQLiteStore
from tests.web.serving import descriptors, until

SCHEMA = Schema(())


class Listener:
    """One process, as far as others see it."""

    def __init__(self, folder: Path) -> None:
        self.heard: list[Change] = []
        self.lost = 0
        self.neighbours = Neighbours(folder, self.heard.append, self._lost)

    def _lost(self) -> None:
        self.lost += 1


@pytest.fixture
def meet(tmp_path: Path) -> Iterator[Callable[[], Listener]]:
    met: list[Listener] = []

    def another() -> Listener:
        met.append(Listener(tmp_path))
        return met[-1]

    yield another
    for one in met:
        one.neighbours.close()
    assert list(tmp_path.iterdir()) == []


def test_what_one_announces_all_others_hear_whoever_came_first(meet: Callable[[], Listener]) -> None:
    three = [meet() for _ in range(3)]
    for number, one in enumerate(three):
        change = Change(f"a{number}", {"Email": number, "Mailbox": 7})
        until(lambda one=one: len(one.neighbours._peers) == 2)  # type: ignore[misc]
        one.neighbours.announce(change)
        for other in three:
            if other is not one:
                until(lambda other=other, change=change: change in other.heard)  # type: ignore[misc]
    assert all(len(one.heard) == 2 for one in three)


def test_a_farewell_is_no_loss(meet: Callable[[], Listener]) -> None:
    stays, goes = meet(), meet()
    until(lambda: len(stays.neighbours._peers) == 1)
    goes.neighbours.close()
    until(lambda: stays.neighbours._peers == ())
    assert stays.lost == 0


def test_who_is_too_slow_hears_the_last_of_each_account(meet: Callable[[], Listener]) -> None:
    slow, quick = meet(), meet()
    until(lambda: len(slow.neighbours._peers) == 1)
    held, begun = threading.Event(), threading.Event()

    def hear(change: Change) -> None:
        begun.set()
        assert held.wait(60)
        slow.heard.append(change)

    slow.neighbours._heard = hear
    quick.neighbours.announce(Change("first", {"Email": 1}))
    assert begun.wait(60)
    accounts = [f"{number:0200}" for number in range(100)]
    for value in range(300):
        for account_id in accounts:
            quick.neighbours.announce(Change(account_id, {"Email": value, "Thread": 1}))
    held.set()
    last = {account_id: {"Email": 299, "Thread": 1} for account_id in accounts}
    until(lambda: {one.account_id: one.types for one in slow.heard[1:]} == last)
    assert len(slow.heard) < 300 * len(accounts)


def test_what_is_no_announcement_ends_the_talk_and_nothing_else(meet: Callable[[], Listener], tmp_path: Path) -> None:
    one = meet()
    [path] = tmp_path.iterdir()
    for octets in (b"{}\n", b"[1,{}]\n", b'["a",{"x":"y"}]\n', b"\xff\n", b"[" * 3_000_000):
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(path))
            try:
                stranger.sendall(octets)
                assert stranger.recv(1) == b""
            except ConnectionError:
                pass
    until(lambda: one.lost == 5)
    assert one.heard == []
    other = meet()
    other.neighbours.announce(Change("a", {"Email": 1}))
    until(lambda: one.heard != [])


CHILD = """
import sys
from pathlib import Path
from jmaplite.store import Schema
from jmaplite.store.sqlite import SQLiteStore
store = SQLiteStore(Path(sys.argv[1]), Schema(()))
store.join()
print("ready", flush=True)
for line in sys.stdin:
    account = store.account(line.strip())
    account.write(lambda tx: tx.change("Email"))
store.close()
"""


@contextmanager
def another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that writes to the accounts whose ids it is told."""
    command = [sys.executable, "-c", CHILD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()
        process.wait(60)


@pytest.mark.parametrize("is_open", [True, False])
def test_a_commit_of_another_process_is_announced_here(tmp_path: Path, is_open: bool) -> None:
    store = SQLiteStore(tmp_path, SCHEMA)
    account_id = store.create_account("jane", lambda tx: None)
    if is_open:
        with store.account(account_id).read() as tx:
            assert tx.state("Email") == 0
    heard: list[Change] = []
    store.join()
    store.feed.listen(heard.append)
    with another_process(tmp_path) as process:
        assert process.stdin is not None
        for value in (1, 2, 3):
            process.stdin.write(f"{account_id}\n")
            process.stdin.flush()
            until(lambda value=value: Change(account_id, {"Email": value}) in heard)  # type: ignore[misc]
    assert len(heard) == 3
    store.close()


def test_when_another_process_is_killed_every_account_may_have_changed(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path, SCHEMA)
    account_id = store.create_account("jane", lambda tx: None)
    heard: list[Change] = []
    store.join()
    store.feed.listen(heard.append)
    with another_process(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        until(lambda: heard == [Change(account_id, {})])
    with another_process(tmp_path):
        pass
    store.close()
    assert list((tmp_path / "feed").iterdir()) == []


def test_what_a_killed_process_has_left_is_found_by_the_next_to_come(tmp_path: Path) -> None:
    SQLiteStore(tmp_path, SCHEMA).close()
    with another_process(tmp_path) as process:
        process.kill()
    assert len(list((tmp_path / "feed").iterdir())) == 1
    store = SQLiteStore(tmp_path, SCHEMA)
    store.join()
    store.close()
    assert list((tmp_path / "feed").iterdir()) == []


def test_a_store_deep_in_the_file_system_is_joined_as_well(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 100) / ("y" * 100)
    path.mkdir(parents=True)
    one, other = SQLiteStore(path, SCHEMA), SQLiteStore(path, SCHEMA)
    account_id = one.create_account("jane", lambda tx: None)
    heard: list[Change] = []
    one.join()
    other.join()
    one.feed.listen(heard.append)
    other.account(account_id).write(lambda tx: tx.change("Email"))
    until(lambda: heard == [Change(account_id, {"Email": 1})])
    one.close()
    other.close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path, SCHEMA)
    (tmp_path / "feed").write_text("a file")
    before = descriptors()
    with pytest.raises(StoreUnavailable):
        store.join()
    assert descriptors() == before
    store.close()
