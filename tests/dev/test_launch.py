"""`jmaplite dev`: a fixture by one command."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jmaplite import cli


@contextmanager
def dev(*words: str | Path) -> Iterator[tuple[Any, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "jmaplite", "dev", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline()), process
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def fetch(url: str, token: str, ca: str | None = None) -> Any:
    context = ssl.create_default_context(cafile=ca) if ca else None
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, context=context, timeout=30) as response:
        return json.load(response)


def test_it_tells_where_it_is_in_one_line_of_json() -> None:
    with dev() as (told, process):
        session = fetch(told["session"], told["users"][0]["token"])
        assert session["username"] == told["users"][0]["name"]
        assert session["primaryAccounts"]["urn:ietf:params:jmap:mail"] == told["users"][0]["accountId"]
        assert told["groups"][0]["accountId"] in session["accounts"]
        assert told["pid"] == process.pid
        assert fetch(f"{told['control']}/", "")["users"]


def test_with_tls_it_makes_a_ca() -> None:
    with dev("--tls") as (told, _):
        session = fetch(told["session"], "alice-token", told["ca"])
        assert session["apiUrl"].startswith("https://127.0.0.1:")
        assert fetch(told["session"].replace("127.0.0.1", "localhost"), "alice-token", told["ca"])


def test_what_is_kept_is_there_again(tmp_path: Path) -> None:
    with dev("--data", tmp_path / "kept", "--threads", "3") as (told, _):
        first = told["users"]
    with dev("--data", tmp_path / "kept") as (told, _):
        assert told["users"] == first
        assert fetch(told["session"], "alice-token")["username"] == "alice@example.org"


def test_ids_are_the_same_for_the_same_seed() -> None:
    found = []
    for _ in range(2):
        with dev("--seed", "s") as (told, _):
            found.append(told["users"])
    assert found[0] == found[1]


def test_mail_is_brought_in_from_files(tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "one.eml").write_bytes(b"Subject: One\r\n\r\nText\r\n")
    (tmp_path / "mail" / "Lists.mbox").write_bytes(b"From a@b Tue Jul 23 19:39:23 2002\nSubject: Two\n\nText\n\n")
    with dev("--mail", tmp_path / "mail") as (told, _):
        wanted = {"user": "bob@example.org", "method": "Email/query", "arguments": {}, "pointer": "/ids", "atLeast": 2}
        request = urllib.request.Request(f"{told['control']}/wait", json.dumps({**wanted, "timeout": 0}).encode())
        with urllib.request.urlopen(request, timeout=30) as response:
            assert json.load(response)["fulfilled"]


def test_it_ends_with_its_parent_if_it_is_told_to() -> None:
    script = (
        "import subprocess, sys\n"
        "process = subprocess.Popen([sys.executable, '-m', 'jmaplite', 'dev', '--exit-with-parent'],"
        " stdout=subprocess.PIPE, text=True)\n"
        "print(process.stdout.readline(), end='', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    told = json.loads(done.stdout)
    descriptor = None
    try:
        descriptor = os.pidfd_open(told["pid"])
    except ProcessLookupError:
        return
    try:
        import select

        assert select.select([descriptor], [], [], 30)[0], "it goes on without its parent"
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    "words", [("--memory", "--data", "x"), ("--port", "70000"), ("--mail", "/nowhere/at/all"), ("--threads", "-1")]
)
def test_what_cannot_be_asked_for_is_told(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli.main, ["dev", *words])
    assert result.exit_code == 2
    assert "Error:" in result.stderr


def test_a_port_in_use_is_told() -> None:
    with dev() as (told, _):
        port = told["url"].rpartition(":")[2]
        result = subprocess.run(
            [sys.executable, "-m", "jmaplite", "dev", "--port", port], capture_output=True, text=True, timeout=60
        )
    assert (result.returncode, result.stdout) == (1, "")
    assert "cannot" in result.stderr
    assert "Traceback" not in result.stderr
