"""Clients from npm list mailboxes, read, mark and write messages, each driven by a script for Node."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.foreign.conftest import TOKEN, Secure, fetch, run
from tests.live import USER, Live

pytestmark = pytest.mark.foreign

HERE = Path(__file__).parent

Script = Callable[..., Any]


@pytest.fixture(scope="session")
def node(installed: Path) -> Script:
    """Runs a script beside this file, with settings for its environment; answers the JSON that it prints."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    lock = HERE / "package-lock.json"
    folder = installed / f"npm-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    folder.mkdir(exist_ok=True)
    for file in (lock, HERE / "package.json", *HERE.glob("*.mjs")):
        shutil.copy(file, folder)
    # npm writes this file last.
    if not (folder / "node_modules" / ".package-lock.json").exists():
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
        fetch(["npm", "ci", *options], folder, "npm registry")

    def node(script: str, text: str | None = None, **settings: str) -> Any:
        if text is not None:
            (folder / script).write_text(text)
        done = run(["node", script], folder, {**os.environ, **settings})
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    return node


def check_mail(found: dict[str, Any], user: str = USER) -> None:
    """What both clients must have seen of a user's mail, and done to it."""
    assert found["username"] == user
    assert {"inbox", "drafts", "sent", "trash"} <= set(found["roles"])
    received = [email["receivedAt"] for email in found["emails"]]
    assert len(received) == 5
    assert received == sorted(received, reverse=True)
    assert all(email["subject"] for email in found["emails"])
    for email in found["emails"]:
        assert email["bodyValues"].keys() >= {
            part["partId"] for part in email["textBody"] if part["type"] == "text/plain"
        }
        assert all(part["value"] for part in email["bodyValues"].values())
    assert found["keywords"]["$flagged"] is True


def test_jmap_jam_reads_and_marks_mail_and_moves_files_with_a_bearer_token(node: Script, secure: Secure) -> None:
    found = node(
        "jmap_jam.mjs",
        SESSION_URL=f"{secure.url}/.well-known/jmap",
        TOKEN=TOKEN,
        NODE_EXTRA_CA_CERTS=str(secure.ca),
    )

    check_mail(found)
    # It says nothing of the type when it uploads octets.
    assert found["uploaded"] == {"size": 6, "type": "application/octet-stream"}
    assert found["downloaded"] == [0, 1, 2, 253, 254, 255]
    assert found["downloadedType"] == "application/x-six-octets"
    assert found["refused"] == "invalidArguments"


def test_jmap_client_ts_reads_and_writes_mail_where_its_content_type_is_let_pass(node: Script, lenient: Live) -> None:
    found = node("jmap_client_ts.mjs", SESSION_URL=f"{lenient.url}/.well-known/jmap", TOKEN=TOKEN)

    assert found["types"] == ["text/plain;charset=UTF-8"]
    check_mail(found)
    assert found["created"] == [found["draft"]]


def test_jmap_client_ts_is_refused_where_it_is_not(node: Script, secure: Secure) -> None:
    with pytest.raises(AssertionError, match="http status code 400"):
        node(
            "jmap_client_ts.mjs",
            SESSION_URL=f"{secure.url}/.well-known/jmap",
            TOKEN=TOKEN,
            NODE_EXTRA_CA_CERTS=str(secure.ca),
        )


DRIVEN = """{documented}
const control = (method, path, body) =>
  fetch(told.control + path, {{ method, body: JSON.stringify(body) }}).then((response) => response.json());
await control("POST", "/generate", {{ account: told.users[0].name, threads: 20, seed: "node" }});
await control("PATCH", "/settings", {{ options: {{ "jmap.compat.lenient-content-type": true }} }});
process.env.SESSION_URL = told.session;
process.env.TOKEN = told.users[0].token;
await import("./{script}");
dev.kill();
await once(dev, "exit");
"""


@pytest.mark.parametrize("script", ["jmap_jam.mjs", "jmap_client_ts.mjs"])
def test_the_documented_line_starts_a_fixture_for_a_client(node: Script, script: str) -> None:
    documented = re.search(r"```js\n(.*?)```", (HERE.parents[1] / "docs" / "fixture.md").read_text("utf-8"), re.S)
    assert documented is not None
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    found = node("driven.mjs", DRIVEN.format(documented=documented[1], script=script), PATH=path)
    check_mail(found, "alice@example.org")
