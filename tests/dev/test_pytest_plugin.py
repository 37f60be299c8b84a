"""The fixtures for pytest, as another project sees them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from jmaplite.client import JMAPClient
from jmaplite.dev.pytest_plugin import Account

EXAMPLE = Path(__file__).parents[2] / "examples" / "pytest"


def test_the_example_passes_in_a_project_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_client.py").write_text((EXAMPLE / "test_client.py").read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


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
