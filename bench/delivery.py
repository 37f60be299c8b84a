"""How many messages come in by LMTP and go out to a relay in a second: `python -m bench --delivery`.

Deliveries go into one account, indexed and durable before they are answered, over a Unix socket; the same messages
may be given to another server's lmtpd (`--lmtp PATH --recipient ADDRESS`). Submissions are made in requests of 25, over
one connection, to another place; the time is taken until a sink on loopback has the last of them.
"""

from __future__ import annotations

import os
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.client import Client
from bench.messages import Generator

CONNECTIONS = (1, 10)
_BATCH = 25
_LISTENER = """
[server.listener."lmtp"]
bind = ["unix:{path}"]
protocol = "lmtp"
[jmap.submission]
max-queued = 100_000
[log]
level = "error"
[[relay]]
host = "127.0.0.1"
port = {port}
"""


_SCRIPT = """
require ["fileinto", "mailbox", "imap4flags", "variables", "envelope", "subaddress"];
if anyof (header :contains "X-Spam-Flag" "YES", header :contains "Subject" ["viagra", "lottery"]) {
  fileinto "Junk";
  stop;
}
if header :matches "List-Id" "*<*>*" {
  fileinto :create "Lists/${2}";
} elsif envelope :detail "to" "orders" {
  fileinto :create "Orders";
} elsif address :domain "from" ["example.com", "example.net"] {
  addflag "\\\\Flagged";
  fileinto :create "Known";
} elsif size :over 1M {
  fileinto :create "Large";
}
"""


class _Sink(socketserver.StreamRequestHandler):
    """Says yes to everything."""

    def handle(self) -> None:
        server: Any = self.server
        self.wfile.write(b"220 sink ESMTP\r\n")
        for line in self.rfile:
            word = line[:4].upper()
            if word == b"EHLO":
                self.wfile.write(b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 DSN\r\n")
            elif word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() != b".\r\n":
                    pass
                self.wfile.write(b"250 2.0.0 taken\r\n")
                with server.changed:
                    server.count += 1
                    server.changed.notify_all()
            else:
                self.wfile.write(b"250 2.0.0 ok\r\n")
                if word == b"QUIT":
                    return


class Sink(socketserver.ThreadingTCPServer):
    """A server for other places that counts."""

    daemon_threads = True
    disable_nagle_algorithm = True

    def __init__(self) -> None:
        self.count = 0
        self.changed = threading.Condition()
        super().__init__(("127.0.0.1", 0), _Sink)

    def wait(self, count: int) -> None:
        """Until so many messages have come."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.count >= count, 300)


@contextmanager
def sink() -> Iterator[Sink]:
    """A sink that accepts connections."""
    with Sink() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def configured(config: str, path: Path, port: int) -> str:
    """A configuration with LMTP at a path, and a relay."""
    return config + _LISTENER.format(path=path, port=port)


def measure(url: str, path: Path, there: Sink, number: int) -> None:
    """Deliver and submit, and print messages per second."""
    client = Client(url, "bench", "bench")
    for connections in CONNECTIONS:
        rate(path, "reader@example.org", number, connections)
    _activate(client)
    for connections in CONNECTIONS:
        rate(path, "reader@example.org", number, connections, "with a script")
    client.call(("SieveScript/set", {"onSuccessDeactivateScript": True}))
    _submit(client, there, number)


def _activate(client: Client) -> None:
    """Have a script of the usual kind file what comes."""
    create = {"s": {"name": "bench", "blobId": client.upload(_SCRIPT.encode())}}
    made = client.call(("SieveScript/set", {"create": create, "onSuccessActivateScript": "#s"}))[0]
    assert made["created"], made


def rate(path: Path, recipient: str, number: int, connections: int, more: str = "") -> None:
    """Deliver messages over so many connections at once, and print how many went in a second."""
    octets = [_dotted(one.octets) for one in Generator(number).messages()]
    tag = os.urandom(6).hex()
    share = [octets[at::connections] for at in range(connections)]
    begin = threading.Barrier(connections + 1)
    threads = [
        threading.Thread(target=_deliver, args=(path, recipient, share[at], f"{tag}-{at}", begin))
        for at in range(connections)
    ]
    for thread in threads:
        thread.start()
    begin.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - started
    print(f"LMTP deliveries, {connections:2} connections: {number / taken:8.0f} a second {more}", flush=True)


def _deliver(path: Path, recipient: str, octets: list[bytes], tag: str, begin: threading.Barrier) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        answers = connection.makefile("rb")
        answers.readline()
        connection.sendall(b"LHLO bench\r\n")
        while answers.readline()[3:4] == b"-":
            pass
        begin.wait()
        envelope = f"MAIL FROM:<writer@example.net>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()
        for at, one in enumerate(octets):
            connection.sendall(envelope)
            codes = [answers.readline()[:3] for _ in range(3)]
            assert codes == [b"250", b"250", b"354"], codes
            # Nothing comes twice, so every message is unlike all others.
            connection.sendall(f"X-Bench: {tag}-{at}\r\n".encode() + one + b".\r\n")
            answer = answers.readline()
            assert answer.startswith(b"250"), answer
        connection.sendall(b"QUIT\r\n")


def _dotted(octets: bytes) -> bytes:
    lines = octets.replace(b"\r\n.", b"\r\n..")
    return lines if lines.endswith(b"\r\n") else lines + b"\r\n"


def _submit(client: Client, there: Sink, number: int) -> None:
    identity = client.call(("Identity/get", {}))[0]["list"][0]
    drafts = next(box["id"] for box in client.call(("Mailbox/get", {}))[0]["list"] if box["role"] == "drafts")
    draft = {
        "mailboxIds": {drafts: True},
        "from": [{"email": identity["email"]}],
        "to": [{"email": "x@there.example"}],
        "subject": "Hello",
        "bodyValues": {"1": {"value": "Some text.\n" * 50}},
        "textBody": [{"partId": "1"}],
    }
    started = time.perf_counter()
    for at in range(0, number, _BATCH):
        keys = [f"k{n}" for n in range(at, min(at + _BATCH, number))]
        client.call(
            ("Email/set", {"create": dict.fromkeys(keys, draft)}),
            (
                "EmailSubmission/set",
                {"create": {key: {"identityId": identity["id"], "emailId": f"#{key}"} for key in keys}},
            ),
        )
    accepted = time.perf_counter() - started
    there.wait(number)
    taken = time.perf_counter() - started
    print(f"composed, submitted and accepted:  {number / accepted:8.0f} a second", flush=True)
    print(f"the same, taken by the relay:      {number / taken:8.0f} a second", flush=True)
