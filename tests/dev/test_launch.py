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
from jmaplite.dev import launch
from jmaplite.dev.in_process import FixtureServer


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


def test_the_first_users_have_a_quota_to_show() -> None:
    with FixtureServer() as server:
        (quota,) = server.client(launch.token("alice")).call("Quota/get", ids=None)["list"]
        assert (quota["hardLimit"], quota["resourceType"], quota["scope"]) == (launch.QUOTA, "octets", "account")


def test_with_tls_it_makes_a_ca() -> None:
    with dev("--tls") as (told, _):
        session = fetch(told["session"], "alice-token", told["ca"])
        assert session["apiUrl"].startswith("https://127.0.0.1:")
        assert fetch(told["session"].replace("127.0.0.1", "localhost"), "alice-token", told["ca"])


def test_what_is_kept_is_there_again(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        with dev("--data", tmp_path / "kept", "--threads", "3") as (told, _):
            wanted = {"user": "bob@example.org", "method": "Email/query", "arguments": {}}
            request = urllib.request.Request(f"{told['control']}/wait", json.dumps(wanted).encode())
            with urllib.request.urlopen(request, timeout=30) as response:
                found.append((told["users"], json.load(response)["response"][1]["ids"]))
    assert found[0] == found[1]


def test_a_directory_is_for_one_fixture_at_a_time(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jmaplite", "dev", "--data", str(tmp_path)]
    with launch.place(launch.Options(data=tmp_path)):
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (1, "")
    assert "another fixture keeps its mail in" in result.stderr
    assert "Traceback" not in result.stderr


def test_what_a_fixture_left_in_memory_that_was_killed_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_RAM", tmp_path)
    names = ("jmaplite-dev-killed", "jmaplite-dev-fresh", "jmaplite-dev-used", "others")
    for name in names:
        (tmp_path / name / "data").mkdir(parents=True)
        if name != "jmaplite-dev-fresh":
            os.utime(tmp_path / name, (1, 1))
    with launch._kept_for_one(tmp_path / "jmaplite-dev-used"), launch.place(launch.Options()):
        left = {one.name for one in tmp_path.iterdir()}
    assert left & set(names) == set(names[1:])
    assert not {one for one in tmp_path.iterdir() if one.name not in names}


def test_it_is_told_where_to_reach_it_though_it_listens_everywhere() -> None:
    with dev("--host", "0.0.0.0") as (told, _):
        assert told["url"].startswith("http://127.0.0.1:")
        assert fetch(told["session"], "alice-token")["apiUrl"] == f"{told['url']}/jmap/"


def test_a_time_that_cannot_be_is_told_without_a_file_that_nobody_wrote() -> None:
    result = CliRunner().invoke(cli.main, ["dev", "--now", "tomorrow"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: dev.now: expected a date and time")


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
    "words",
    [
        ("--memory", "--data", "x"),
        ("--data", __file__),
        ("--port", "70000"),
        ("--mail", "/nowhere/at/all"),
        ("--threads", "-1"),
    ],
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
