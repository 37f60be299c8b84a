"""The server as a whole: it begins, it ends, and it tidies up meanwhile."""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hpack import Decoder, Encoder

from jmaplite import server
from jmaplite.config import Config, parse
from jmaplite.server import CannotServe, JSONLines, Server, logs
from jmaplite.server.extension import Extension
from jmaplite.store import StoreUnavailable
from jmaplite.web import HTTPSettings
from tests.web.fakes import FakeEngine
from tests.web.serving import CONFIG, Loop, descriptors, serving, serving_fakes, until


def config(folder: Path, listener: str = "", more: str = "") -> Config:
    return parse(CONFIG.format(listener=listener, more=more), folder / "config.toml")


def test_each_listener_is_announced_with_where_it_is(tmp_path: Path) -> None:
    second = '[server.listener.other]\nbind = ["127.0.0.1:0", "[::1]:0"]'
    lines: list[str] = []
    with Loop() as loop:
        running = Server(config(tmp_path, second), announce=lines.append)
        loop.run(running.start())
        urls = running.urls
        loop.run(running.stop())
    assert urls["other"][1].startswith("http://[::1]:")
    assert lines == [
        f"jmaplite: listener jmap on {urls['jmap'][0]}",
        f"jmaplite: listener other on {urls['other'][0]}, {urls['other'][1]}",
    ]


def test_a_server_that_ended_leaves_nothing_open(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        site.call()
    before = descriptors()
    threads = threading.active_count()
    with serving(tmp_path) as site:
        site.call()
    until(lambda: descriptors() <= before)
    until(lambda: threading.active_count() <= threads)


def test_an_address_that_is_taken_is_told_and_leaves_nothing_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, Loop() as loop:
        port = taken.getsockname()[1]
        before = descriptors()
        running = Server(config(tmp_path, f'[server.listener.second]\nbind = "127.0.0.1:{port}"'))
        with pytest.raises(CannotServe, match=rf"listener second cannot bind 127\.0\.0\.1:{port}: .*in use"):
            loop.run(running.start())
        until(lambda: descriptors() <= before)


def test_a_store_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    settings = config(tmp_path)
    (tmp_path / "data").write_text("a file")
    with pytest.raises(CannotServe, match=r"the store in .* cannot be opened"):
        Server(settings)


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, which is afterwards as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    for name in ("hpack", "h2", "hypercorn"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.mark.usefixtures("root_logger")
def test_no_level_of_the_log_shows_what_headers_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs.log_to_standard_error(config(tmp_path, more='[log]\nlevel = "debug"'))
    logging.getLogger("jmaplite").debug("is shown")
    Decoder().decode(Encoder().encode([("authorization", "Basic secret")]))
    shown = capsys.readouterr().err
    assert "is shown" in shown
    assert "secret" not in shown


@pytest.mark.usefixtures("root_logger")
def test_foreign_loggers_are_no_louder_than_ours(tmp_path: Path) -> None:
    logs.log_to_standard_error(config(tmp_path, more='[log]\nlevel = "error"'))
    assert not logging.getLogger("hpack.hpack").isEnabledFor(logging.WARNING)


def test_what_is_under_way_is_answered_before_the_end() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def answer(body: bytes) -> bytes:
        begun.set()
        assert go_on.wait(30)
        return body

    with ThreadPoolExecutor() as pool:
        with serving_fakes(FakeEngine(answer), settings=HTTPSettings()) as site:
            idle = site.connect()
            idle.request("GET", "/")
            idle.getresponse().read()
            asked = pool.submit(site.call)
            assert begun.wait(30)
            threading.Timer(0.1, go_on.set).start()
        assert asked.result().status == 200
        idle.close()
        with pytest.raises(ConnectionError):
            site.call()


def test_uploads_expire_when_nobody_refers_to_them(tmp_path: Path) -> None:
    with Loop() as loop:
        running = Server(config(tmp_path, more="[jmap.protocol]\nupload.ttl = '1s'"))
        parts = running.parts
        loop.run(running.start())
        principal = parts.directory.principal("demo")
        assert principal is not None
        account_id = next(iter(parts.engine.session(principal, "http://x").accounts))
        account = parts.ground.store.account(account_id)
        old, new = parts.ground.blobs.stage(account_id, b"old"), parts.ground.blobs.stage(account_id, b"new")
        now = int(parts.engine.services.clock())
        for staged, when in ((old, now - 100), (new, now + 100)):
            account.write(lambda tx, staged=staged: parts.ground.blobs.put(tx, staged))  # type: ignore[misc]
            account.write(lambda tx, s=staged, w=when: parts.ground.blobs.note_upload(tx, s.digest, "demo", w))  # type: ignore[misc]
        server.Chores(parts, running.config).tidy()
        with account.read() as tx:
            assert not parts.ground.blobs.may_read(tx, old.digest, "demo")
            assert parts.ground.blobs.may_read(tx, new.digest, "demo")
        loop.run(running.stop())


def test_mail_leaves_the_trash_by_itself_where_that_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [2_000_000_000.0]
    monkeypatch.setattr(Extension, "clock", staticmethod(lambda: now[0]))
    with Loop() as loop:
        running = Server(config(tmp_path, more="[jmap.email]\nauto-expunge = '30d'\n"))
        loop.run(running.start())
        principal = running.parts.directory.principal("demo")
        assert principal is not None

        def ask(method: str, **arguments: object) -> dict[str, Any]:
            session = running.parts.engine.session(principal, "http://x")
            account_id = next(iter(session.accounts))
            calls = [[method, {"accountId": account_id, **arguments}, "0"]]
            body = json.dumps({"using": [*session.capabilities], "methodCalls": calls})
            answer = json.loads(running.parts.engine.process(principal, "http://x", body.encode()))
            found: dict[str, Any] = answer["methodResponses"][0][1]
            return found

        [trash] = ask("Mailbox/query", filter={"role": "trash"})["ids"]
        made = ask("Email/set", create={"a": {"mailboxIds": {trash: True}, "subject": "a"}})
        assert made["created"]
        running.tidy()
        now[0] += 29 * 86400
        running.tidy()
        assert len(ask("Email/query")["ids"]) == 1
        now[0] += 2 * 86400
        running.tidy()
        assert ask("Email/query")["ids"] == []
        loop.run(running.stop())


def test_a_log_line_in_json_is_one_object() -> None:
    try:
        raise ValueError("a\nb")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "said %s", ("ü\n",), sys.exc_info())
    line = JSONLines().format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert (found["level"], found["logger"], found["message"]) == ("error", "x", "said ü\n")
    assert "ValueError" in found["error"]
    assert found["time"].endswith("Z")


def test_a_store_that_stays_away_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    parts = server.compose(config(tmp_path))
    chores = server.Chores(parts, config(tmp_path))

    def away() -> None:
        raise StoreUnavailable("disk is full")

    for chore in (away, away, lambda: None, away):
        chores._do(chore)
    parts.close()

    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "the store cannot be used at the moment: disk is full"
    ] * 2
    assert not any(record.exc_info for record in caplog.records)
