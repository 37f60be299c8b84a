"""A server as users have it: a process of its own, started with a configuration file, spoken to over HTTP."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CONFIG = """
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
name = "demo@example.org"
type = "individual"
description = "Demo User"
secret = "demo"
email = ["demo@example.org"]
member-of = ["team@example.org"]

[[directory."memory".principals]]
name = "team@example.org"
type = "group"
description = "The team"
email = ["team@example.org"]
"""

USER, PASSWORD = "demo@example.org", "demo"


@dataclass(frozen=True, slots=True)
class Live:
    """A server that runs: the URL of its listener, its configuration file, and its process."""

    url: str
    config: Path
    process: subprocess.Popen[str]


def jmaplite(*arguments: str | Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a command of jmaplite's to its end."""
    command = [sys.executable, "-m", "jmaplite", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def import_mail(config: Path, kind: str, path: Path) -> str:
    """Bring mail in for the demo user; answers what the command said."""
    done = jmaplite("import", kind, "--config", config, "--account", USER, path)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def serving(config: Path) -> Iterator[Live]:
    """Serve a configuration file until the block ends; the server must then end by itself, with exit code 0."""
    command = [sys.executable, "-m", "jmaplite", "serve", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"https?://\S+", line)
            assert found is not None, line
            yield Live(found.group(), config, process)
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
