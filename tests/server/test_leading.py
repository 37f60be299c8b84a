"""One of the processes that use a store has the lead, and another when that one is gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jmaplite.server.leading import Lead
from jmaplite.store import StoreUnavailable

HOLD = """
import sys
from pathlib import Path
from jmaplite.server.leading import Lead
print(Lead(Path(sys.argv[1])).take(), flush=True)
sys.stdin.read()
"""


def test_one_has_it_until_it_leaves_it(tmp_path: Path) -> None:
    one, other = Lead(tmp_path), Lead(tmp_path)
    assert one.take()
    assert one.take()
    assert not other.take()
    one.leave()
    assert other.take()
    assert not one.take()
    other.leave()


def test_it_ends_with_the_process_that_has_it(tmp_path: Path) -> None:
    lead = Lead(tmp_path)
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert not lead.take()
        process.kill()
        process.wait(60)
        assert lead.take()
    lead.leave()


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        Lead(tmp_path / "nowhere").take()
