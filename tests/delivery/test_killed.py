"""A server killed at any instant: what it has acknowledged is there, and once."""

from __future__ import annotations

import json
import os
import queue
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from jmaplite.delivery.courier import AT_ONCE
from tests.delivery.sink import sink
from tests.ports import free_port
from tests.web.serving import until

CONFIG = """
[server]
hostname = "mx.example.org"
[server.listener.jmap]
bind = "127.0.0.1:{http}"
[server.listener.lmtp]
protocol = "lmtp"
bind = "127.0.0.1:{lmtp}"
[store]
path = "data"
[jmap]
directory = "memory"
[jmap.protocol]
request.max-concurrent = 64
[log]
level = "error"
[directory.memory]
type = "memory"
[[directory.memory.principals]]
name = "ann"
secret = "pw"
email = ["ann@example.org"]
[[directory.memory.principals]]
name = "bob"
secret = "pw"
email = ["bob@example.org"]
"""

MESSAGES = int(os.environ.get("JMAPLITE_KILLED_MESSAGES", "150"))
"""How many are delivered, and submitted; more take longer."""

DEATHS = 5
"""How often the server dies while another is about to acknowledge a message."""

MAIL, SUBMISSION = "urn:ietf:params:jmap:mail", "urn:ietf:params:jmap:submission"


def handing_over(number: int) -> bytes:
    """All that is said to deliver a message by LMTP."""
    lines = ["LHLO x", "MAIL FROM:<x@example.net>", "RCPT TO:<ann@example.org>", "DATA"]
    lines += [f"Subject: delivery {number}", f"Message-ID: <d{number}@x>", "", "text", "."]
    return "".join(f"{line}\r\n" for line in lines).encode()


@dataclass
class Victim:
    """A server that is killed now and then, and started again."""

    folder: Path
    http: int = field(default_factory=free_port)
    lmtp: int = field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None
    kills: int = 0
    more: str = ""

    def start(self) -> None:
        (self.folder / "config.toml").write_text(CONFIG.format(http=self.http, lmtp=self.lmtp) + self.more)
        command = [sys.executable, "-m", "jmaplite", "serve", str(self.folder / "config.toml")]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        for _ in range(2):
            assert re.search("listener", self.process.stdout.readline())

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
        self.kills += 1

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.communicate(timeout=60)

    def deliver(self, number: int) -> bool:
        """Hand a message over by LMTP; answers whether it was acknowledged."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.lmtp), timeout=30) as connection:
            connection.sendall(handing_over(number) + b"QUIT\r\n")
            with connection.makefile("rb") as answers:
                return any(b"2.1.5 Delivered" in line for line in answers)
        return False

    def call(self, *calls: list[Any], user: str = "ann") -> list[Any]:
        body = {"using": ["urn:ietf:params:jmap:core", MAIL, SUBMISSION], "methodCalls": list(calls)}
        login = b64encode(f"{user}:pw".encode()).decode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {login}"}
        request = Request(f"http://127.0.0.1:{self.http}/jmap/", json.dumps(body).encode(), headers)
        with urlopen(request, timeout=30) as response:
            found: list[Any] = json.load(response)["methodResponses"]
            return found

    def session(self, user: str) -> str:
        login = b64encode(f"{user}:pw".encode()).decode()
        request = Request(f"http://127.0.0.1:{self.http}/.well-known/jmap", headers={"Authorization": f"Basic {login}"})
        with urlopen(request, timeout=30) as response:
            return str(json.load(response)["primaryAccounts"][MAIL])

    def subjects(self, user: str) -> Counter[str]:
        """How often each subject is among the Emails of a user."""
        account = self.session(user)
        ids = self.call(["Email/query", {"accountId": account}, "q"], user=user)[0][1]["ids"]
        found: Counter[str] = Counter()
        for begin in range(0, len(ids), 400):
            arguments = {"accountId": account, "ids": ids[begin : begin + 400], "properties": ["subject"]}
            records = self.call(["Email/get", arguments, "g"], user=user)[0][1]["list"]
            found.update(record["subject"] for record in records)
        return found


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Victim]:
    made = Victim(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


def test_what_was_acknowledged_by_lmtp_is_there_once(victim: Victim) -> None:
    """As an MTA does: what is not acknowledged is sent again, after the server is back."""
    chance = random.Random(1)
    victim.start()
    left, acknowledged = list(range(MESSAGES)), set()
    deadly = set(chance.sample(range(MESSAGES), max(6, MESSAGES // 20)))
    while left:
        number = left.pop(0)
        if number in deadly:
            # In the middle of it: the delivery is under way when the server dies.
            deadly.discard(number)
            with socket.create_connection(("127.0.0.1", victim.lmtp), timeout=30) as connection:
                connection.sendall(handing_over(number))
                time.sleep(chance.random() * 0.02)
                victim.kill()
            victim.start()
            left.append(number)
        elif victim.deliver(number):
            acknowledged.add(number)
        else:
            left.append(number)
    assert acknowledged == set(range(MESSAGES))
    assert victim.subjects("ann") == {f"delivery {number}": 1 for number in range(MESSAGES)}
    victim.stop()


def test_what_was_submitted_arrives_once(victim: Victim) -> None:
    """The queue goes on by itself after each kill, and delivers nothing twice."""
    chance = random.Random(2)
    victim.start()
    account = victim.session("ann")
    boxes = victim.call(["Mailbox/get", {"accountId": account, "ids": None}, "b"])[0][1]["list"]
    drafts = next(box["id"] for box in boxes if box["role"] == "drafts")
    (identity,) = victim.call(["Identity/get", {"accountId": account, "ids": None}, "i"])[0][1]["list"]
    submitted = set()
    deadly = set(chance.sample(range(0, MESSAGES, 5), max(5, MESSAGES // 20)))
    for begin in range(0, MESSAGES, 5):
        numbers = range(begin, begin + 5)
        emails = {
            f"e{number}": {
                "mailboxIds": {drafts: True},
                "from": [{"email": "ann@example.org"}],
                "to": [{"email": "bob@example.org"}],
                "subject": f"submission {number}",
                "bodyValues": {"1": {"value": "text"}},
                "textBody": [{"partId": "1", "type": "text/plain"}],
            }
            for number in numbers
        }
        submissions = {f"s{number}": {"emailId": f"#e{number}", "identityId": identity["id"]} for number in numbers}
        answers = victim.call(
            ["Email/set", {"accountId": account, "create": emails}, "e"],
            ["EmailSubmission/set", {"accountId": account, "create": submissions}, "s"],
        )
        assert len(answers[1][1]["created"]) == 5, answers
        submitted |= set(numbers)
        if begin in deadly:
            time.sleep(chance.random() * 0.02)
            victim.kill()
            victim.start()
    until(lambda: victim.subjects("bob").total() >= MESSAGES)
    assert victim.subjects("bob") == {f"submission {number}": 1 for number in sorted(submitted)}
    arguments = {"accountId": account, "filter": {"undoStatus": "pending"}}
    until(lambda: victim.call(["EmailSubmission/query", arguments, "q"])[0][1]["ids"] == [])
    victim.stop()


def test_what_goes_elsewhere_is_lost_never_and_comes_twice_only_if_the_server_dies_at_the_last_word(
    victim: Victim,
) -> None:
    """Killed while the other server is about to acknowledge: that is the window in which SMTP makes copies unavoidable.

    So each kill makes at most as many copies as messages are sent at the same time.
    """
    chance = random.Random(3)
    number = max(MESSAGES // 30, 3) * 10
    deadly = set(chance.sample(range(1, number), DEATHS))
    last_words: queue.Queue[threading.Event] = queue.Queue()
    seen = 0
    lock = threading.Lock()

    def data() -> str | None:
        nonlocal seen
        with lock:
            seen += 1
            is_last = seen in deadly
            deadly.discard(seen)
        if is_last:
            killed = threading.Event()
            last_words.put(killed)
            killed.wait(60)
        return None

    with sink(data=data) as there:
        victim.more = f'[relay]\nhost = "127.0.0.1"\nport = {there.port}\n'
        victim.start()
        account = victim.session("ann")
        boxes = victim.call(["Mailbox/get", {"accountId": account, "ids": None}, "b"])[0][1]["list"]
        drafts = next(box["id"] for box in boxes if box["role"] == "drafts")
        (identity,) = victim.call(["Identity/get", {"accountId": account, "ids": None}, "i"])[0][1]["list"]
        hold = {"mailFrom": {"email": "ann@example.org"}, "rcptTo": [{"email": "x@there.example"}]}
        for begin in range(0, number, 10):
            numbers = range(begin, begin + 10)
            emails = {
                f"e{one}": {
                    "mailboxIds": {drafts: True},
                    "from": [{"email": "ann@example.org"}],
                    "to": [{"email": "x@there.example"}],
                    "subject": f"elsewhere {one}",
                }
                for one in numbers
            }
            create = {
                f"s{one}": {"emailId": f"#e{one}", "identityId": identity["id"], "envelope": hold} for one in numbers
            }
            answers = victim.call(
                ["Email/set", {"accountId": account, "create": emails}, "e"],
                ["EmailSubmission/set", {"accountId": account, "create": create}, "s"],
            )
            assert len(answers[1][1]["created"]) == 10, answers
        for _ in range(DEATHS):
            killed = last_words.get(timeout=60)
            victim.kill()
            killed.set()
            victim.start()

        def arrived() -> Counter[str]:
            found = Counter[str]()
            for letter in list(there.letters):
                found[next(line[9:].decode() for line in letter.octets.splitlines() if line[:9] == b"Subject: ")] += 1
            return found

        until(lambda: len(arrived()) == number)
        assert set(arrived()) == {f"elsewhere {one}" for one in range(number)}
        assert arrived().total() - number <= victim.kills * AT_ONCE
        victim.stop()
