"""A PostgreSQL of the tests' own, on a Unix socket in a temporary directory."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest


@dataclass
class PostgreSQL:
    """A server that runs, or may be started again: its binaries, its data, and where its socket is."""

    binaries: Path
    folder: Path
    process: subprocess.Popen[Any] | None = None

    @property
    def url(self) -> str:
        """As libpq takes it."""
        return f"postgresql://tester@/postgres?host={self.folder}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [str(self.binaries / "postgres"), "-D", f"{self.folder}/data", "-k", str(self.folder), "-h", "", "-F"]
        self.process = process = subprocess.Popen(command, stderr=subprocess.DEVNULL, **_as_nobody_special())
        deadline = time.monotonic() + 60
        while True:
            with suppress(psycopg.OperationalError):
                psycopg.connect(self.url).close()
                return
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it, whoever is connected."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)
            self.process = None

    def execute(self, text: str) -> None:
        """Run statements."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(text.encode())


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """A server, started; the test is skipped where there is none."""
    found = sorted(str(one) for one in Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if installed := shutil.which("initdb"):
        found.append(installed)
    if not found or (os.getuid() == 0 and not _user()):
        pytest.skip("needs postgresql")
    folder = Path(tempfile.mkdtemp(prefix="jmaplite-pg-"))
    try:
        if user := _user():
            os.chown(folder, user.pw_uid, user.pw_gid)
        server = PostgreSQL(Path(found[-1] or found[-2]).parent, folder)
        options = ("-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync")
        command = [str(server.binaries / "initdb"), "-D", f"{folder}/data", *options]
        subprocess.run(command, capture_output=True, check=True, **_as_nobody_special())
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _user() -> pwd.struct_passwd | None:
    """Whom to run as: PostgreSQL refuses to run as root."""
    try:
        return pwd.getpwnam("postgres") if os.getuid() == 0 else None
    except KeyError:
        return None


def _as_nobody_special() -> dict[str, Any]:
    user = _user()
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"} if user else {"cwd": "/"}
