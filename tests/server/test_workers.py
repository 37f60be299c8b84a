"""Several processes serve as one."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.live import jmaplite
from tests.server.process import CONFIG, DEMO, Process, core, until, upload_limit
from tests.submission.test_server import inbox, send
from tests.web import serving as web

MAIL = "urn:ietf:params:jmap:mail"
SEVERAL = CONFIG.replace("[server]", "[server]\nworkers = 3").replace(
    '[jmap]\ndirectory = "memory"', '[jmap]\ndirectory = "memory"\nevent-source.throttle = "0s"'
)
Start = Callable[..., Process]


def workers(server: Process) -> set[int]:
    """The processes that a server has started."""
    found: set[int] = set()
    for task in Path(f"/proc/{server.process.pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended
            found.update(map(int, (task / "children").read_text().split()))
    return found


def runs(pid: int) -> bool:
    """Whether a process is there, and not waited for by one who does not come."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Client:
    """A connection, which is one worker's until it ends."""

    def __init__(self, url: str) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        self.port = urlsplit(url).port
        try:
            self.account = next(iter(self.get()["accounts"]))
        except BaseException:
            self.connection.close()
            raise

    def get(self) -> Any:
        self.connection.request("GET", "/.well-known/jmap", headers={"Authorization": DEMO})
        return json.load(self.connection.getresponse())

    def call(self, name: str, **arguments: Any) -> Any:
        body = {"using": ["urn:ietf:params:jmap:core", MAIL], "methodCalls": [[name, arguments, "0"]]}
        headers = {"Authorization": DEMO, "Content-Type": "application/json"}
        self.connection.request("POST", "/jmap/", json.dumps(body), headers)
        response = self.connection.getresponse()
        document = json.load(response)
        assert response.status == 200, document
        return document["methodResponses"][0][1]

    def make(self, name: str) -> str:
        made = self.call("Mailbox/set", accountId=self.account, create={"a": {"name": name}})
        created: str = made["created"]["a"]["id"]
        return created


def limit(client: Client) -> int:
    """How much may be uploaded."""
    found: int = client.get()["capabilities"]["urn:ietf:params:jmap:core"]["maxSizeUpload"]
    return found


def worker(server: Process, client: Client) -> int:
    """The process at the other end of a connection, which has served a request."""
    own = client.connection.sock.getsockname()
    found = None
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[2].partition(":")[2], 16) == own[1] and int(words[1].partition(":")[2], 16) == client.port:
            found = f"socket:[{words[9]}]"
    return next(pid for pid in workers(server) if found in descriptors(pid))


def descriptors(pid: int) -> dict[str, str]:
    """The names of all that a process has open, by what they stand for; of a process that has ended none."""
    found: dict[str, str] = {}
    with suppress(FileNotFoundError, ProcessLookupError):
        for one in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                found[str(one.readlink())] = one.name
    return found


@contextmanager
def clients(server: Process, url: str) -> Iterator[dict[int, Client]]:
    """Clients of different workers, by these."""
    found: dict[int, Client] = {}
    spare: list[Client] = []
    try:
        while len(found) < 2:
            spare.append(Client(url))
            pid = worker(server, spare[-1])
            if pid not in found:
                found[pid] = spare.pop()
        yield found
    finally:
        for one in (*found.values(), *spare):
            one.connection.close()


@contextmanager
def events(url: str) -> Iterator[http.client.HTTPResponse]:
    """A stream of changes."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    path = "/jmap/eventsource/?types=*&closeafter=no&ping=0"
    connection.request("GET", path, headers={"Authorization": DEMO})
    response = connection.getresponse()
    assert response.status == 200
    assert response.readline().startswith(b"id:")
    response.readline()
    yield response
    connection.close()
    response.close()


def test_each_port_is_announced_once_and_all_workers_serve_it(start: Start) -> None:
    server = start(SEVERAL)
    url = server.url()
    assert len(workers(server)) == 3
    with clients(server, url) as several:
        one, other = several.values()
        assert one.get() == other.get()
    assert server.said.empty()


def test_what_one_commits_is_told_by_all(start: Start) -> None:
    """Several streams and several clients: at least two of them are not of the same worker."""
    server = start(SEVERAL)
    url = server.url()
    with clients(server, url) as several, events(url) as one, events(url) as two, events(url) as three:
        for number, client in enumerate(several.values()):
            client.make(f"m{number}")
            state = client.call("Mailbox/get", accountId=client.account, ids=[])["state"]
            for stream in (one, two, three):
                while state.encode() not in stream.readline():
                    pass
            for other in several.values():
                assert other.call("Mailbox/get", accountId=other.account, ids=[])["state"] == state


def test_a_worker_that_is_killed_is_replaced_and_loses_nothing(start: Start) -> None:
    server = start(SEVERAL + "[jmap.protocol]\nget.max-objects = 1000000\n")
    url = server.url()
    before = workers(server)
    done: list[str] = []
    stopped = threading.Event()

    def write() -> None:
        number = 0
        while not stopped.is_set():
            with suppress(OSError, http.client.HTTPException):
                client = Client(url)
                try:
                    for _ in range(20):
                        number += 1
                        client.make(f"m{number}")
                        done.append(f"m{number}")
                finally:
                    client.connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for pid in before:
            seen = len(done)
            until(lambda seen=seen: len(done) > seen + 5)  # type: ignore[misc]
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(workers(server)) == 3 and not workers(server) & before)
        seen = len(done)
        until(lambda: len(done) > seen + 5)
    finally:
        stopped.set()
        thread.join()
    client = Client(url)
    names = {one["name"] for one in client.call("Mailbox/get", accountId=client.account)["list"]}
    client.connection.close()
    assert set(done) <= names


def test_another_configuration_reaches_all(start: Start) -> None:
    server = start(SEVERAL)
    url = server.url()
    with clients(server, url) as several, events(url) as stream:
        server.config.write_text(SEVERAL + '[server.listener.two]\nbind = "127.0.0.1:0"\n')
        assert core(server.url("two"))["maxSizeUpload"] == 50_000_000
        server.config.write_text(SEVERAL + "[jmap.protocol]\nupload.max-size = 1000000\n")
        assert server.said.get(timeout=30) == "jmaplite: listener two is no more"
        for client in several.values():
            assert limit(client) == 1_000_000
        killed, stays = several
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(workers(server)) == 3 and killed not in workers(server))
        assert {upload_limit(url) for _ in range(10)} == {1_000_000}
        server.config.write_text(SEVERAL.replace("workers = 3", "workers = 2") + "[log]\nlevl = 1\n")
        server.logs("unknown key (did you mean 'level'?)")
        server.config.write_text(SEVERAL.replace("workers = 3", "workers = 2"))
        server.logs("there are 3 workers until the server is started again")
        until(lambda: limit(several[stays]) == 50_000_000)
        assert not stream.isclosed()


def test_an_address_that_is_taken_refuses_the_change_for_all(start: Start) -> None:
    server = start(SEVERAL)
    url = server.url()
    other = urlsplit(url).netloc
    second = f'[server.listener.two]\nbind = ["127.0.0.1:0", "localhost:{other.rpartition(":")[2]}"]\n'
    server.config.write_text(SEVERAL + second + "[jmap.protocol]\nupload.max-size = 1\n")
    server.logs("listener two cannot bind")
    assert upload_limit(url) == 50_000_000


def test_when_the_one_that_delivers_dies_another_does(start: Start) -> None:
    server = start("[server]\nworkers = 2\n" + web.CONFIG.format(listener="", more=""))
    port = urlsplit(server.url()).port
    assert port is not None
    site = web.Site(port, web.Loop())
    send(site, "One")
    until(lambda: inbox(site) == ["One"])
    [leader] = [pid for pid in workers(server) if leads(pid)]
    os.kill(leader, signal.SIGKILL)
    send(site, "Two")
    until(lambda: inbox(site) == ["One", "Two"])
    until(lambda: [pid for pid in workers(server) if leads(pid)] not in ([], [leader]))


def leads(pid: int) -> bool:
    """Whether a process has locked the file of the lead."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for path, name in descriptors(pid).items():
            if Path(path).name == "leader":
                return "FLOCK" in Path(f"/proc/{pid}/fdinfo/{name}").read_text()
    return False


@pytest.mark.parametrize("text", [CONFIG, SEVERAL])
def test_what_a_command_imports_beside_a_server_is_told(start: Start, tmp_path: Path, text: str) -> None:
    server = start(text)
    url = server.url()
    (tmp_path / "mail.eml").write_text("Subject: x\n\nHello.\n")
    with events(url) as stream:
        done = jmaplite("import", "eml", "--config", server.config, "--account", "demo", tmp_path / "mail.eml")
        assert done.returncode == 0, done.stdout + done.stderr
        while b'"Email"' not in stream.readline():
            pass


def test_workers_end_when_the_first_process_is_killed(start: Start) -> None:
    server = start(SEVERAL)
    url = server.url()
    several = workers(server)
    assert upload_limit(url) == 50_000_000
    server.process.kill()
    until(lambda: not any(map(runs, several)))
    server.forget()


def test_a_server_that_cannot_begin_says_why_in_one_line(start: Start, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a directory should be")
    server = start(SEVERAL)
    assert server.process.wait(60) == 1
    server.logs("data")
    assert len(server.logged) == 1
    server.forget()


def test_with_one_worker_there_is_one_process(start: Start) -> None:
    server = start()
    server.url()
    assert workers(server) == set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_end_when_the_first_is_told_to(start: Start, number: signal.Signals) -> None:
    server = start(SEVERAL)
    server.url()
    several = workers(server)
    server.told_to_end = True
    server.process.send_signal(number)
    assert server.process.wait(60) == 0
    assert not any(map(runs, several))
