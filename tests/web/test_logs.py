"""What the log says of requests, and what nobody can make it say."""

from __future__ import annotations

import ipaddress
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.config import parse
from jmaplite.server import JSONLines, logs
from jmaplite.web import HTTPSettings, Listener
from tests.web.fakes import FakeEngine, FakeVerifier
from tests.web.serving import CONFIG, DEMO, serving, serving_fakes, until

HERE = (ipaddress.IPv4Network("127.0.0.0/8"),)
UPGRADE = (
    b"GET /jmap/ws/ HTTP/1.1\r\nHost: x\r\nAuthorization: Basic eDp5\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: jmap\r\n\r\n"
)
SEEN = logging.getLogger("tests.web.seen")


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """The root logger, which is afterwards as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)
    for handler in handlers:
        if handler not in root.handlers:
            root.addHandler(handler)
    root.setLevel(level)
    for name in ("hpack", "h2", "hypercorn", "jmaplite.access", "jmaplite.web"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def log(folder: Path, more: str) -> None:
    logs.log_to_standard_error(parse(CONFIG.format(listener="", more=more), folder / "config.toml"))


def about(line: str) -> dict[str, object]:
    """The access line of a log in JSON."""
    found: dict[str, object] = json.loads(line)
    assert found["logger"] == "jmaplite.access"
    return found


def test_a_request_has_one_line_if_that_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log(tmp_path, '[log]\nformat = "json"')
    with serving(tmp_path, "[log]\naccess = true") as site:
        account = site.account
        until(lambda: site.loop.tasks() == 0)
        capsys.readouterr()
        answer = site.call(["Core/echo", {}, "0"], ["Core/no", {}, "1"])
        site.ask("GET", f"/jmap/download/{account}/{site.upload(b'x')}/secret-name?type=text/secret")
        site.ask("GET", "/.well-known/jmap", authorization="Basic c2VjcmV0OnNlY3JldA==")
    shown = capsys.readouterr().err
    lines = [about(line) for line in shown.splitlines() if '"jmaplite.access"' in line]
    echo = lines[0]
    assert echo["request"] == answer.header("x-request-id")
    assert (echo["method"], echo["route"], echo["status"]) == ("POST", "/jmap/", 200)
    assert (echo["user"], echo["peer"], echo["calls"]) == ("demo", "127.0.0.1", 2)
    assert echo["octets"] == len(answer.octets)
    assert [line["status"] for line in lines] == [200, 200, 201, 200, 401]
    assert lines[3]["route"] == "/jmap/download/<account_id>/<blob_id>/<name:name>"
    assert lines[4]["user"] is None
    access = "".join(line for line in shown.splitlines() if '"jmaplite.access"' in line)
    assert "secret" not in access
    assert "c2Vj" not in shown


def test_nothing_is_said_of_requests_unless_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log(tmp_path, "[log]")
    with serving(tmp_path) as site:
        site.call()
    assert "jmaplite.access" not in capsys.readouterr().err


def test_every_line_of_a_request_bears_its_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def answer(body: bytes) -> bytes:
        SEEN.warning("in a thread")
        return body

    log(tmp_path, "[log]")
    verifier = FakeVerifier(cached=False)
    with serving_fakes(FakeEngine(answer), verifier) as site:
        ids = [site.call().header("x-request-id") for _ in range(3)]
    assert len(set(ids)) == 3
    lines = [line for line in capsys.readouterr().err.splitlines() if "in a thread" in line]
    assert [re.search(r"\[(.*?)\]", line)[1] for line in lines] == ids  # type: ignore[index]


def test_every_line_of_a_websocket_bears_an_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log(tmp_path, "[log]")
    with serving(tmp_path) as site:
        site.raw(UPGRADE)
    [line] = [line for line in capsys.readouterr().err.splitlines() if "a log-in failed" in line]
    assert re.search(r": \[[0-9a-f]+-[0-9a-f]+\] a log-in failed", line)


@pytest.mark.parametrize(
    ("trusted", "told", "taken"),
    [
        (True, "abc-123", True),
        (True, "a b", False),
        (True, "x" * 101, False),
        (True, "", False),
        (False, "abc-123", False),
    ],
)
def test_an_id_is_taken_from_a_trusted_proxy(trusted: bool, told: str, taken: bool) -> None:
    listener = Listener("jmap", (("127.0.0.1", 0),), trusted_networks=HERE if trusted else ())
    with serving_fakes(FakeEngine(), listener=listener) as site:
        answer = site.ask("GET", "/nowhere", X_Request_Id=told)
        assert (answer.header("x-request-id") == told) is taken
        assert answer.header("x-request-id")


def test_a_configured_id_is_the_only_one() -> None:
    with serving_fakes(FakeEngine(), settings=HTTPSettings(headers=(("X-Request-Id", "mine"),))) as site:
        assert site.ask("GET", "/").header("x-request-id") == "mine"


def test_nobody_writes_lines_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log(tmp_path, "[log]")
    with serving_fakes(FakeEngine(), settings=HTTPSettings(access_log=True)) as site:
        head = f" HTTP/1.1\r\nHost: x\r\nAuthorization: {DEMO}\r\nConnection: close\r\n\r\n".encode()
        site.raw(b"GET /a%0d%0a2026-01-01%20INFO%20x%1b[31m" + head)
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 1
    assert r"/a\r\n2026-01-01 INFO x\x1b[31m 404" in shown[0]


def test_what_follows_of_an_error_is_indented(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log(tmp_path, "[log]")
    try:
        raise ValueError("a\n2026-01-01 INFO forged: line")
    except ValueError:
        SEEN.exception("failed\nhard")
    first, *rest = capsys.readouterr().err.splitlines()
    assert first.endswith(r"failed\nhard")
    assert rest
    assert all(line.startswith("    ") for line in rest)


@given(st.text())
def test_a_message_is_one_line_in_every_format(text: str) -> None:
    record = logging.LogRecord("x", logging.ERROR, "", 0, "%s", (text,), None)
    for formatter in (logs.TextLines(), JSONLines()):
        line = formatter.format(record)
        assert len(line.splitlines()) == 1
        assert line.isprintable()
    assert json.loads(JSONLines().format(record))["message"] == text


def test_parts_of_the_server_have_levels_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log(tmp_path, '[log.levels]\n"jmaplite.access" = "error"\n"jmaplite.web" = "debug"')
    assert not logging.getLogger("jmaplite.access").isEnabledFor(logging.WARNING)
    assert logging.getLogger("jmaplite.web.api").isEnabledFor(logging.DEBUG)
    log(tmp_path, "[log]")
    assert logging.getLogger("jmaplite.access").isEnabledFor(logging.INFO)
    assert not logging.getLogger("jmaplite.web.api").isEnabledFor(logging.DEBUG)
