"""Servers for clients that are not ours, and places for what such clients are installed into."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from jmaplite.directory.tokens import hash_token
from tests.conftest import REQUIRE_ALL
from tests.live import CONFIG, Live, import_mail, serving

SAMPLES = Path(__file__).parent.parent.parent / "examples" / "quickstart-mail"

TOKEN = "a-token-of-the-demo-user"
FRIEND, FRIEND_PASSWORD = "friend@example.org", "friend"

WITH_FRIEND = (
    CONFIG.replace('secret = "demo"', f'secret = "demo"\ntokens = ["{hash_token(TOKEN)}"]')
    + f"""
[[directory."memory".principals]]
name = "{FRIEND}"
type = "individual"
description = "A friend"
secret = "{FRIEND_PASSWORD}"
email = ["{FRIEND}"]
"""
)
"""The demo user, who has a token as well, and another user to whom mail can be sent."""

TLS = """
[server.listener."jmap".tls]
implicit = true
certificate = "loopback"

[certificate."loopback"]
cert = "certificate.pem"
private-key = "key.pem"
"""

LENIENT = """
[jmap.compat]
lenient-content-type = true
"""


@dataclass(frozen=True, slots=True)
class Secure:
    """A server that speaks TLS: its URL, and the file of the CA that its clients have to trust."""

    url: str
    ca: Path


def run(
    command: Sequence[str | Path], cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a program that is not ours to its end, within two minutes."""
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout, check=False)


def fetch(command: Sequence[str | Path], cwd: Path, source: str) -> None:
    """Run a package manager; the test is skipped if it cannot get what it is asked for.

    Where nothing may be skipped it is tried three times: a network fails now and then.
    """
    errors = ""
    for _ in range(3 if REQUIRE_ALL else 1):
        try:
            done = run(command, cwd, timeout=55)
        except subprocess.TimeoutExpired:
            errors = "it does not answer"
            continue
        if done.returncode == 0:
            return
        errors = " ".join(line for line in done.stderr.splitlines() if "error" in line.lower())
    pytest.skip(f"needs {source}: {errors[:300]}")


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server with the sample mail, over http."""
    with serving(configured(tmp_path_factory.mktemp("live"), CONFIG)) as live:
        yield live


@pytest.fixture(scope="session")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    """A server with the sample mail and two users, over https with a certificate for loopback."""
    with serving_tls(tmp_path_factory.mktemp("secure")) as secure:
        yield secure


@pytest.fixture(scope="session")
def secure_lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    """The same, lenient about what is in a sort."""
    with serving_tls(tmp_path_factory.mktemp("lenient"), "[jmap.compat]\nlenient-sort = true\n") as secure:
        yield secure


@contextmanager
def serving_tls(folder: Path, more: str = "") -> Iterator[Secure]:
    """Serve two users over https until the block ends."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(str(folder / "certificate.pem"), append=True)
    with serving(configured(folder, WITH_FRIEND + TLS + more)) as live:
        yield Secure(live.url, folder / "ca.pem")


@dataclass(frozen=True, slots=True)
class Told:
    """What `jmaplite dev` tells."""

    session: str
    control: str
    users: list[dict[str, str]]
    ca: str | None


@pytest.fixture(scope="session")
def dev() -> Iterator[Told]:
    """`jmaplite dev` over https, with the sample mail."""
    command = [sys.executable, "-m", "jmaplite", "dev", "--tls", "--mail", str(SAMPLES), "--exit-with-parent"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            yield Told(told["session"], told["control"], told["users"], told["ca"])
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server with the sample mail that takes requests whatever their Content-Type says, over http."""
    with serving(configured(tmp_path_factory.mktemp("lenient"), WITH_FRIEND + LENIENT)) as live:
        yield live


def configured(folder: Path, text: str) -> Path:
    """A configuration file, with the sample mail in the demo user's account."""
    config = folder / "config.toml"
    config.write_text(text)
    import_mail(config, "eml", SAMPLES)
    return config


@pytest.fixture(scope="session")
def installed(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where clients are kept from one run to the next."""
    cache: pytest.Cache | None = getattr(pytestconfig, "cache", None)
    return tmp_path_factory.mktemp("foreign") if cache is None else cache.mkdir("foreign")
