"""`python -m bench`: start a server on generated mail, time what clients do, print a table.

Times are medians over one keep-alive connection, the server in a process of its own. They are good for comparing two
versions on one machine in one sitting, and for seeing that costs stay the same as the mailbox grows.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import delivery, fixture, push, workers
from bench.client import Client
from bench.messages import Generator
from bench.operations import operations

_CONFIG = """
[server]
hostname = "localhost"
[server.listener."jmap"]
bind = ["127.0.0.1:0"]
protocol = "jmap"
[store]
path = "data"
[jmap]
directory = "memory"
[directory."memory"]
type = "memory"
[[directory."memory".principals]]
name = "bench"
type = "individual"
secret = "bench"
email = ["reader@example.org"]
"""


@contextmanager
def server(directory: Path, text: str = _CONFIG) -> Iterator[tuple[str, int]]:
    """A server of its own on a free port: its URL and process id."""
    config = directory / "config.toml"
    config.write_text(text)
    command = [sys.executable, "-m", "jmaplite", "serve", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"http://\S+", line)
            if found is None:
                raise SystemExit(f"the server did not start: {line!r}")
            yield found.group(), process.pid
        finally:
            process.terminate()


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used so far; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / 100


def load(client: Client, generator: Generator) -> float:
    """Upload and import everything in batches of 50; answers seconds per message."""
    inbox = next(box["id"] for box in client.call(("Mailbox/get", {}))[0]["list"] if box["role"] == "inbox")
    batch: dict[str, object] = {}
    started = time.perf_counter()
    for index, message in enumerate(generator.messages(), 1):
        batch[f"k{index}"] = {
            "blobId": client.upload(message.octets),
            "mailboxIds": {inbox: True},
            "keywords": {"$seen": True} if message.seen else {},
            "receivedAt": message.received.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if len(batch) == 50 or index == generator.number:
            client.call(("Email/import", {"emails": batch}))
            batch = {}
    return (time.perf_counter() - started) / generator.number


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--messages", type=int, default=5000, help="how many messages to load (default: 5000)")
    parser.add_argument("--rounds", type=int, default=200, help="how often to do each operation (default: 200)")
    parser.add_argument("--only", default="", help="names of operations, separated by commas")
    parser.add_argument("--push", action="store_true", help="measure how changes are told, and nothing else")
    parser.add_argument("--workers", action="store_true", help="measure two workers, and nothing else")
    parser.add_argument("--delivery", action="store_true", help="measure mail in and out, and nothing else")
    parser.add_argument("--lmtp", type=Path, help="measure another server's LMTP at this Unix socket, and nothing else")
    parser.add_argument("--recipient", default="reader@example.org", help="whom that server has a mailbox for")
    parser.add_argument("--fixture", action="store_true", help="measure the test fixture, and nothing else")
    options = parser.parse_args()
    if options.fixture:
        fixture.measure(options.rounds)
        return
    if options.lmtp:
        for connections in delivery.CONNECTIONS:
            delivery.rate(options.lmtp, options.recipient, options.messages, connections)
        return
    if options.delivery:
        with tempfile.TemporaryDirectory() as directory, delivery.sink() as there:
            lmtp = Path(directory) / "lmtp"
            with server(Path(directory), delivery.configured(_CONFIG, lmtp, there.server_address[1])) as (url, _):
                delivery.measure(url, lmtp, there, options.messages)
        return
    if options.workers:
        text = workers.configured(_CONFIG)
        with tempfile.TemporaryDirectory() as directory, server(Path(directory), text) as (url, pid):
            workers.measure(url, pid, options.rounds)
        return
    if options.push:
        with (
            tempfile.TemporaryDirectory() as directory,
            server(Path(directory), push.principals(_CONFIG)) as (url, pid),
        ):
            push.measure(url, pid, options.rounds)
        return
    generator = Generator(options.messages)
    with tempfile.TemporaryDirectory() as directory, server(Path(directory)) as (url, pid):
        client = Client(url, "bench", "bench")
        print(f"{'operation':44} {'median ms':>10} {'95 % ms':>9} {'CPU ms':>8}")
        per_message, used = load(client, generator), cpu_seconds(pid)
        print(f"{'upload and import, per message of batches':44} {per_message * 1e3:10.3f} {'':9}", end="")
        print(f" {used * 1e3 / options.messages:8.3f}", flush=True)
        for name, (what, operation) in operations(client, generator.common_words(8), options.messages).items():
            if options.only and name not in options.only.split(","):
                continue
            operation(0)
            times, before = [], cpu_seconds(pid)
            for index in range(options.rounds):
                started = time.perf_counter()
                operation(index)
                times.append(time.perf_counter() - started)
            used = (cpu_seconds(pid) - before) * 1e3 / options.rounds
            high = sorted(times)[int(0.95 * len(times))]
            print(f"{what:44} {statistics.median(times) * 1e3:10.3f} {high * 1e3:9.3f} {used:8.3f}", flush=True)


if __name__ == "__main__":
    main()
