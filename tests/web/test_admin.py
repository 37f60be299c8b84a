"""What administrators see: whether the server lives, whether it is ready, and what it has counted."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.config import parse
from jmaplite.server import Server
from jmaplite.store import StoreUnavailable
from jmaplite.web import Family, HTTPSettings, Listener, Listening, Metrics, Status, create_admin, opened
from tests.web.serving import CONFIG, Loop, Site, problem

ADMIN = '[server.listener.admin]\nbind = "127.0.0.1:0"\nprotocol = "admin"\n'


@contextmanager
def running(folder: Path, listener: str = ADMIN, more: str = "") -> Iterator[tuple[Site, Site, Server]]:
    """A server: its listener for clients, and that for administrators."""
    with Loop() as loop:
        server = Server(parse(CONFIG.format(listener=listener, more=more), folder / "config.toml"))
        loop.run(server.start())
        try:
            ports = [urlsplit(server.urls[name][0]).port for name in ("jmap", "admin")]
            first, second = (Site(port or 0, loop) for port in ports)
            yield first, second, server
        finally:
            loop.run(server.stop())


@contextmanager
def administering(status: Status, patience: float = 30) -> Iterator[Site]:
    """A listener for administrators alone."""
    listener = Listener("admin", (("127.0.0.1", 0),), protocol="admin")
    with Loop() as loop:
        sockets = opened(("127.0.0.1", 0), listener.options)
        app = create_admin(HTTPSettings(threads=2), status, patience=patience)
        listening = Listening(listener, app)

        async def start() -> None:
            await app.startup()
            listening.become(listener, app, sockets, None)

        async def stop() -> None:
            await listening.stop(5)
            await app.shutdown()

        loop.run(start())
        try:
            yield Site(urlsplit(listening.urls[0]).port or 0, loop)
        finally:
            loop.run(stop())
            for one in sockets:
                one.close()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Site, Server]]:
    with running(tmp_path_factory.mktemp("both")) as both:
        yield both


def samples(text: str) -> dict[str, float]:
    """Each line of measurements, after a look whether it is one."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = re.fullmatch(r'([a-z_]+(?:\{(?:[a-z]+="(?:[^"\\\n]|\\.)*",?)*\})?) ([-+0-9.e]+)', line)
            assert match, line
            found[match[1]] = float(match[2])
    return found


def measured(admin: Site) -> dict[str, float]:
    answer = admin.ask("GET", "/metrics", authorization=None)
    assert answer.status == 200
    assert answer.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    return samples(answer.octets.decode())


def test_a_server_that_answers_lives_and_is_ready(both: tuple[Site, Site, Server]) -> None:
    _, admin, _ = both
    health = admin.ask("GET", "/healthz", authorization=None)
    assert (health.status, health.octets) == (200, b"ok\n")
    ready = admin.ask("GET", "/readyz", authorization=None)
    assert ready.status == 200
    assert ready.json == {"ready": True, "failures": {}, "reload": {"outcome": "ok", "errors": []}}


def test_nothing_else_is_served_there_and_nothing_of_it_elsewhere(both: tuple[Site, Site, Server]) -> None:
    client, admin, _ = both
    for path in ("/", "/jmap/", "/.well-known/jmap"):
        problem(admin.ask("GET", path))
    assert admin.ask("POST", "/healthz").status == 405
    assert admin.ask("HEAD", "/healthz").status == 200
    for path in ("/healthz", "/readyz", "/metrics"):
        assert client.ask("GET", path).status == 404


def test_requests_and_method_calls_are_counted(both: tuple[Site, Site, Server]) -> None:
    client, admin, _ = both
    before = measured(admin)
    client.call(["Core/echo", {}, "0"], ["Core/echo", {}, "1"], ["No/such", {}, "2"])
    client.ask("GET", "/nowhere")
    client.ask("BREW", "/nowhere")
    client.upload(b"octets")
    after = measured(admin)

    def more(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert more('jmaplite_method_calls_total{name="Core/echo",error=""}') == 2
    assert more('jmaplite_method_calls_total{name="unknown",error="unknownMethod"}') == 1
    assert more('jmaplite_http_requests_total{method="POST",status="2xx"}') == 2
    assert more('jmaplite_http_requests_total{method="GET",status="4xx"}') == 1
    assert more('jmaplite_http_requests_total{method="other",status="4xx"}') == 1
    assert more("jmaplite_http_request_duration_seconds_count") == 5
    assert more('jmaplite_http_request_duration_seconds_bucket{le="+Inf"}') == 5


def test_commits_are_counted(both: tuple[Site, Site, Server]) -> None:
    client, admin, _ = both
    account = client.account
    client.upload(b"the account is there from here on")
    before = measured(admin)
    create = {"accountId": account, "create": {"a": {"name": "Commits"}}}
    client.call(["Mailbox/set", create, "0"], using=("urn:ietf:params:jmap:mail",))
    assert measured(admin)["jmaplite_commits_total"] == before.get("jmaplite_commits_total", 0) + 1


def test_the_store_the_queues_and_the_process_are_measured(both: tuple[Site, Site, Server]) -> None:
    client, admin, _ = both
    client.upload(b"octets")
    found = measured(admin)
    assert found['jmaplite_connections{listener="admin"}'] == 1
    assert found["jmaplite_accounts"] >= 1
    assert found["jmaplite_queue_messages"] == 0
    assert found['jmaplite_store_bytes{part="databases"}'] > 0
    for name in (
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_start_time_seconds",
    ):
        assert found[name] > 0


def test_every_measurement_is_documented(both: tuple[Site, Site, Server]) -> None:
    text = both[1].ask("GET", "/metrics").octets.decode()
    names = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    page = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text("utf-8")
    assert names == set(re.findall(r"`((?:jmaplite|process)_[a-z_]+)`", page))


def test_what_cannot_be_used_is_told_with_503(tmp_path: Path) -> None:
    with running(tmp_path) as (_, admin, server):
        server.status.store_failure = lambda: "the disk is full"
        answer = admin.ask("GET", "/readyz", authorization=None)
        assert answer.status == 503
        assert answer.json["failures"] == {"store": "the disk is full"}
        assert admin.ask("GET", "/healthz").status == 200


def test_a_refused_configuration_is_shown_and_the_server_is_ready_nevertheless(tmp_path: Path) -> None:
    with running(tmp_path) as (_, admin, server):
        server.status.reload_errors = ("config.toml:3: jmap.x: unknown key",)
        answer = admin.ask("GET", "/readyz", authorization=None)
        assert answer.status == 200
        assert answer.json["reload"] == {"outcome": "refused", "errors": ["config.toml:3: jmap.x: unknown key"]}


def test_what_does_not_answer_is_not_waited_for_and_not_asked_twice() -> None:
    asked, go_on = [], threading.Event()

    def hang() -> None:
        asked.append(1)
        assert go_on.wait(30)

    with administering(Status(hang), patience=0.05) as admin:
        try:
            for _ in range(3):
                answer = admin.ask("GET", "/readyz")
                assert answer.status == 503
                assert answer.json["failures"] == {"store": "does not answer"}
        finally:
            go_on.set()
    assert len(asked) == 1


def test_a_look_that_fails_is_a_failure() -> None:
    def broken() -> str | None:
        raise StoreUnavailable("x")

    with administering(Status(broken)) as admin:
        assert admin.ask("GET", "/readyz").json["failures"] == {"store": "failed unexpectedly"}


def test_networks_that_are_given_are_the_only_ones_that_are_served(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    for networks, status in (("127.0.0.0/8", 200), ("10.0.0.0/8", 403)):
        listener = ADMIN.replace('"127.0.0.1:0"', f'["127.0.0.1:0", "unix:{path}"]')
        with running(tmp_path, f'{listener}proxy.trusted-networks = "{networks}"') as (_, admin, _):
            for one in ("/healthz", "/readyz", "/metrics"):
                assert admin.ask("GET", one).status == status
            if status == 200:
                assert admin.ask("GET", "/metrics", X_Forwarded_For="192.0.2.1").status == 403


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_whatever_a_label_is_its_line_is_one(text: str, value: float) -> None:
    family = Family("x", "gauge", "help", [((("label", text),), value)])
    lines = [line for line in Metrics().text(family).split("\n") if line.startswith("x{")]
    assert len(lines) == 1
    assert float(lines[0].rpartition(" ")[2]) == value


@given(st.lists(st.floats(0, 100)))
def test_each_duration_is_in_one_class(durations: list[float]) -> None:
    metrics = Metrics()
    for seconds in durations:
        metrics.request("GET", 200, seconds)
    found = samples(metrics.text())
    name = "jmaplite_http_request_duration_seconds"
    for bound in (0.001, 0.1, 10.0):
        assert found[f'{name}_bucket{{le="{bound}"}}'] == sum(one <= bound for one in durations)
    assert found[f"{name}_count"] == len(durations)
