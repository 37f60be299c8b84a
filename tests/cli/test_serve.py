"""`jmaplite serve`, as its own process: it starts, it says so, it stops; or it says why it cannot."""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trustme

CONFIG = """\
[server.listener.jmap]
bind = "127.0.0.1:{port}"
{more}
[store]
path = "data"
[jmap]
directory = "memory"
[directory.memory]
type = "memory"
principals = [{{ name = "demo", secret = "demo" }}]
"""

Started = subprocess.Popen[str]
Start = Callable[..., Started]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a server on a configuration; whatever still runs at the end is killed."""
    started: list[Started] = []

    def start(text: str | None = None, port: int = 0, more: str = "") -> Started:
        (tmp_path / "config.toml").write_text(CONFIG.format(port=port, more=more) if text is None else text)
        command = [sys.executable, "-m", "jmaplite", "serve", "config.toml"]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def url(process: Started) -> str:
    """Where a started server says that it listens."""
    assert process.stdout is not None
    line = process.stdout.readline()
    match = re.fullmatch(r"jmaplite: listener jmap on (https?://127\.0\.0\.1:\d+)\n", line)
    if match is None:
        process.kill()
        raise AssertionError(f"{line!r}, and {process.communicate()}")
    return match[1]


def refusal(process: Started) -> str:
    """What a server that did not start said, in one line."""
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err.count("\n") == 1, err
    return err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_and_ends_with_0(start: Start, number: signal.Signals) -> None:
    process = start()
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{url(process)}/.well-known/jmap", timeout=60)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, ""), err
    assert "Traceback" not in err


def test_mistakes_are_shown_on_standard_error_and_it_ends_with_1(start: Start) -> None:
    assert refusal(start(more="prot = 5")) == (
        "config.toml:3: server.listener.jmap.prot: unknown key (did you mean 'protocol'?)\n"
    )


def test_a_port_in_use_is_told_in_one_line(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refusal(start(port=port))
    assert f"127.0.0.1:{port}" in line
    assert "in use" in line


def tls(certificate: str) -> str:
    return f"""tls = {{ implicit = true, certificate = "x" }}
[certificate.x]
cert = "{certificate}"
private-key = "key.pem"
"""


def test_it_speaks_tls_with_a_certificate(start: Start, tmp_path: Path) -> None:
    made = trustme.CA().issue_cert("127.0.0.1")
    made.private_key_pem.write_to_path(tmp_path / "key.pem")
    made.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    assert url(start(more=tls("cert.pem"))).startswith("https://")


def test_a_certificate_that_is_none_is_told_in_one_line(start: Start, tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("no certificate\n")
    assert "certificate" in refusal(start(more=tls("cert.pem")))


def test_a_store_that_cannot_be_written_is_told_in_one_line(start: Start, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a directory should be")
    assert "data" in refusal(start())


def test_a_store_of_a_newer_version_is_told_in_one_line(start: Start, tmp_path: Path) -> None:
    process = start()
    url(process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    [system] = [path for path in (tmp_path / "data").iterdir() if path.suffix in (".db", ".sqlite", ".sqlite3")]
    with closing(sqlite3.connect(system)) as database:
        database.execute("PRAGMA user_version = 1000000")
    assert "newer version" in refusal(start())


def test_it_logs_on_standard_error_as_lines_of_json_if_asked_to_and_no_passwords(start: Start) -> None:
    process = start(more='[log]\nformat = "json"\nlevel = "debug"')
    password = base64.b64encode(b"demo:hunter2").decode()
    request = urllib.request.Request(f"{url(process)}/.well-known/jmap", headers={"Authorization": f"Basic {password}"})
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=60)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    entries = [json.loads(line) for line in err.splitlines()]
    assert "a log-in failed" in "".join(entry["message"] for entry in entries)
    assert all({"time", "level", "logger", "message"} <= entry.keys() for entry in entries)
    assert "hunter2" not in err
    assert password not in err
