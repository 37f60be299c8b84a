"""The fixtures for pytest, as another project sees them."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from jmaplite.client import JMAPClient
from jmaplite.dev.pytest_plugin import Account

EXAMPLE = Path(__file__).parents[2] / "examples" / "pytest"


ASYNC = """
import asyncio

async def test_in_a_loop(jmap_account, jmap_client):
    jmap_account.deliver("Subject: x\\n\\nx\\n")
    found = await asyncio.to_thread(jmap_client.call, "Email/query", limit=1)
    assert len(found["ids"]) == 1
"""


def project(folder: Path, text: str, *options: str) -> str:
    """Run a test file in a project of its own, with no other plugins than are named; answers what pytest said."""
    (folder / "test_client.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "jmaplite.dev.pytest_plugin"]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        [*command, *options, str(folder)], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_passes_in_a_project_of_its_own(tmp_path: Path) -> None:
    assert "6 passed" in project(tmp_path, (EXAMPLE / "test_client.py").read_text())


def test_tests_may_be_coroutines(tmp_path: Path) -> None:
    loops = ["asyncio_mode=auto", "asyncio_default_fixture_loop_scope=function"]
    options = [word for one in loops for word in ("-o", one)]
    assert "1 passed" in project(tmp_path, ASYNC, "-p", "pytest_asyncio.plugin", *options)


def test_pytest_finds_the_fixtures_wherever_jmaplite_is_installed() -> None:
    found = {one.name: one.value for one in entry_points(group="pytest11")}
    assert found["jmaplite"] == "jmaplite.dev.pytest_plugin"


OPTIONS = """
import pytest
from jmaplite.dev.launch import Options

@pytest.fixture(scope="session")
def jmap_options():
    return Options(tls=True, threads=2)

def test_it_is_so(jmap_server):
    assert jmap_server.url.startswith("https:")
    assert jmap_server.client("alice-token").call("Email/query", limit=1)["ids"]
"""


def test_a_project_says_what_the_server_is_like(tmp_path: Path) -> None:
    assert "1 passed" in project(tmp_path, OPTIONS)


FAILING = """
import os, threading
import pytest
from jmaplite.dev import launch
from jmaplite.dev.in_process import FixtureServer

@pytest.mark.parametrize("options", [{"quirks": ("nope",)}, {"host": "192.0.2.1"}, {"now": "tomorrow"}])
def test_nothing_is_left(options, tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "_RAM", tmp_path)
    monkeypatch.setattr(launch, "_ROOM", 0)
    with pytest.raises(Exception), FixtureServer(launch.Options(**options)):
        pass
    assert [one.name for one in threading.enumerate()] == ["MainThread"]
    assert os.listdir(tmp_path) == []
"""


def test_a_fixture_that_cannot_be_leaves_nothing_behind(tmp_path: Path) -> None:
    assert "3 passed" in project(tmp_path, FAILING)


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    """The plugin is loaded in every run of pytest; it must not cost anything."""
    script = "import sys, jmaplite.dev.pytest_plugin; print('quart' in sys.modules, 'apsw' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False False"


def test_uploads_and_downloads(jmap_client: JMAPClient) -> None:
    blob = jmap_client.upload(b"octets", "text/plain")
    assert jmap_client.download(blob, "text/plain") == b"octets"


def test_an_account_has_its_mailboxes(jmap_client: JMAPClient, jmap_account: Account) -> None:
    assert jmap_client.mailbox("inbox")
    assert jmap_client.account_id == jmap_account.account_id
