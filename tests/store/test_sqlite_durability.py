"""What a write has answered is there after the process was killed in the middle of the next."""

from __future__ import annotations

import random
import resource
import signal
import subprocess
import sys
from pathlib import Path

from jmaplite.store.sqlite import SQLiteStore
from tests.store.contract import SCHEMA, found, notes

WRITER = """
import sys, threading
from pathlib import Path
from jmaplite.store.sqlite import SQLiteStore
from tests.store.contract import SCHEMA, add_note, nothing

store = SQLiteStore(Path(sys.argv[1]), SCHEMA)
account = store.account(store.create_account("ann", nothing))

def work(tx):
    number = add_note(tx, f"{sys.argv[2]} {tx.state('Note')}" + "x" * 3000)
    tx.text_put("note_text", number, ("word", f"w{number}"))
    return number

def write():
    while True:
        sys.stdout.write(f"{account.write(work)}\\n")
        sys.stdout.flush()

for _ in range(3):
    threading.Thread(target=write).start()
"""

FULL = """
import resource, sys
from pathlib import Path
from jmaplite.store import StoreUnavailable
from jmaplite.store.sqlite import SQLiteStore
from tests.store.contract import SCHEMA, add_note, nothing, notes

store = SQLiteStore(Path(sys.argv[1]), SCHEMA)
account = store.account(store.create_account("ann", nothing))
account.write(lambda tx: add_note(tx, "before"))
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    account.write(lambda tx: [add_note(tx, f"{n}" * 1000) for n in range(500)])
except StoreUnavailable as error:
    print("unavailable")
with account.read() as tx:
    print(notes(tx), tx.state("Note"))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
account.write(lambda tx: add_note(tx, "after"))
store.close()
"""


LEFT_OPEN = """
import sys, threading
from pathlib import Path
import jmaplite.store.sqlite_account
jmaplite.store.sqlite_account.CHECKPOINT_PAGES = 1
from jmaplite.store.sqlite import SQLiteStore
from tests.store.contract import SCHEMA, add_note, nothing, notes

store = SQLiteStore(Path(sys.argv[1]), SCHEMA)
account = store.account(store.create_account("ann", nothing))
reading = threading.Event()

def read():
    with account.read() as tx:
        notes(tx)
        reading.set()
        threading.Event().wait()

threading.Thread(target=read, daemon=True).start()
reading.wait()
account.write(lambda tx: add_note(tx, "there"))
"""


def killed_after(path: Path, round_: int, lines: int) -> list[int]:
    """Run the writer until it has reported so many writes, kill it, and answer all that it has reported."""
    command = [sys.executable, "-c", WRITER, str(path), str(round_)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        reported = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        reported += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    return [int(line) for line in reported if line.endswith("\n")]


def test_everything_reported_is_there_after_a_kill(tmp_path: Path) -> None:
    reported: list[int] = []
    for round_ in range(4):
        reported += killed_after(tmp_path, round_, random.randint(1, 40))
        store = SQLiteStore(tmp_path, SCHEMA)
        account_id = store.account_of("ann")
        assert account_id is not None
        assert store.verify(account_id) == []
        with store.account(account_id).read() as tx:
            there = [row[0] for row in tx.rows("SELECT id FROM note WHERE account = ? ORDER BY id", tx.account)]
            assert set(reported) <= set(there)
            assert tx.state("Note") == there[-1]
            assert sorted(found(tx, "word")) == there
            assert found(tx, f"w{there[-1]}") == [there[-1]]
        store.close()
    assert len(set(reported)) == len(reported)


def test_a_disk_that_fills_up_in_a_commit_undoes_it_and_later_writes_succeed(tmp_path: Path) -> None:
    assert hasattr(resource, "RLIMIT_FSIZE")
    answer = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.stdout == "unavailable\n['before'] 1\n", answer.stderr
    store = SQLiteStore(tmp_path, SCHEMA)
    account_id = store.account_of("ann")
    assert account_id is not None
    with store.account(account_id).read() as tx:
        assert notes(tx) == ["before", "after"]
    assert store.verify(account_id) == []
    store.close()


def test_a_store_left_open_does_no_harm_when_the_process_ends(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-X", "dev", "-c", LEFT_OPEN, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    store = SQLiteStore(tmp_path, SCHEMA)
    account_id = store.account_of("ann")
    assert account_id is not None
    with store.account(account_id).read() as tx:
        assert notes(tx) == ["there"]
    store.close()
