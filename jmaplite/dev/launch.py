"""`jmaplite dev`: a fixture without a configuration file, which is written for it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import ipaddress
import json
import logging
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import tomlkit

from jmaplite.config import Config, load
from jmaplite.dev.fixture import DOMAIN, Fixture
from jmaplite.dev.web import API
from jmaplite.server import CannotServe, Server

USERS = ("alice", "bob")
GROUP = "team"
PASSWORD = "secret"  # noqa: S105 - a fixture has nothing to hide
QUOTA = 1_000_000_000
"""Octets that a user who is there from the beginning may keep, so that clients have a Quota to show (RFC 9425)."""

_RAM = Path("/dev/shm")  # noqa: S108 - the file system in memory of Linux
_ROOM = 512 << 20
"""Octets that have to be free there: containers often have no more than 64 MiB."""

_PREFIX = "jmaplite-dev-"

_FRESH_SECONDS = 60
"""For so long after it was made a directory may be that of a fixture that is about to take it."""

_LOOK_SECONDS = 0.25
_HOSTS = ("localhost",)


@dataclass(frozen=True, slots=True)
class Options:
    """What `jmaplite dev` is asked for. `data` None: in memory, where there is a file system for that."""

    host: str = "127.0.0.1"
    port: int = 0
    tls: bool = False
    data: Path | None = None
    seed: str = ""
    auto_provision: bool = False
    mail: tuple[Path, ...] = ()
    threads: int = 0
    now: str = ""
    profile: str = ""
    quirks: tuple[str, ...] = ()
    log_level: str = "warning"


def token(name: str) -> str:
    """The bearer token of one of the users that there are from the beginning."""
    return f"{name}-token"


def configuration(options: Options, store: Path, certificate: tuple[Path, Path] | None) -> str:
    """The configuration file of a fixture."""
    principals = [
        {
            "name": f"{name}@{DOMAIN}",
            "description": name.title(),
            "secret": PASSWORD,
            "quota": QUOTA,
            "email": [f"{name}@{DOMAIN}"],
            "member-of": [f"{GROUP}@{DOMAIN}"],
            "tokens": [f"sha256:{_digest(token(name))}"],
        }
        for name in USERS
    ]
    principals.append(
        {"name": f"{GROUP}@{DOMAIN}", "type": "group", "description": "Team", "email": [f"{GROUP}@{DOMAIN}"]}
    )
    bracketed = f"[{options.host}]" if ":" in options.host else options.host
    listener: dict[str, Any] = {"bind": [f"{bracketed}:{options.port}"], "protocol": "jmap"}
    document: dict[str, Any] = {
        "server": {"hostname": "localhost", "listener": {"jmap": listener}},
        "store": {"path": str(store)},
        "jmap": {
            "directory": "dev",
            "http": {"cors": {"allowed-origins": ["*"]}},
            "push": {"allow-private": True},
            "rate-limit": {"account": False, "anonymous": False},
        },
        "directory": {"dev": {"type": "memory", "principals": principals}},
        "log": {"level": options.log_level},
        "dev": {
            "enable": True,
            "temporary": options.data is None,
            "seed": options.seed,
            "auto-provision": options.auto_provision,
            "mail": [str(path.absolute()) for path in options.mail],
            "threads": options.threads,
            **({"now": options.now} if options.now else {}),
        },
    }
    if certificate is not None:
        listener["tls"] = {"implicit": True, "certificate": "dev"}
        document["certificate"] = {"dev": {"cert": str(certificate[0]), "private-key": str(certificate[1])}}
    return tomlkit.dumps(document)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def place(options: Options) -> Iterator[Path]:
    """The directory of a fixture, which goes when it ends unless it was named. Raises CannotServe, OSError."""
    if options.data is not None:
        options.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _kept_for_one(options.data) as is_free:
            if not is_free:
                raise CannotServe(f"another fixture keeps its mail in {options.data}")
            yield options.data.absolute()
        return
    _take_away_left_behind(_RAM)
    ram = _RAM if os.access(_RAM, os.W_OK) and shutil.disk_usage(_RAM).free >= _ROOM else None
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=ram))
    with _kept_for_one(directory):
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _kept_for_one(directory: Path) -> Iterator[bool]:
    """Within it nobody else has the directory, if it is free."""
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(opened)


def _take_away_left_behind(place: Path) -> None:
    """Take away what fixtures have left in memory that were killed: nobody has it any more."""
    now = time.time()
    for directory in place.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # it is somebody else's, or goes at this moment
            if now - directory.stat().st_mtime > _FRESH_SECONDS:
                with _kept_for_one(directory) as is_free:
                    if is_free:
                        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def prepared(options: Options) -> Iterator[tuple[Config, Path | None]]:
    """The configuration of a fixture, in a directory of its own; and the file of the CA, with TLS.

    Raises ConfigError, CannotServe, OSError.
    """
    with place(options) as directory:
        certificate, authority = None, None
        if options.tls:
            authority, certificate = certificates(directory, options.host)
        path = directory / "config.toml"
        path.write_text(configuration(options, directory / "data", certificate), encoding="utf-8")
        yield load(path), authority


def certificates(directory: Path, host: str) -> tuple[Path, tuple[Path, Path]]:
    """A CA of its own making, and a certificate of it for a host and localhost: the files of the one, and of the other
    with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = datetime.now(UTC)
    span = (now - timedelta(days=1), now + timedelta(days=365))

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def begun(subject: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(named(subject)).issuer_name(named(authority_name))
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(span[0]).not_valid_after(span[1])
        about = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        return builder.add_extension(about, critical=False)

    authority_name = "jmaplite dev CA"
    ca_key, own_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    ca = begun(authority_name, ca_key).add_extension(x509.BasicConstraints(True, 0), critical=True)
    ca_certificate = ca.add_extension(usage, critical=True).sign(ca_key, hashes.SHA256())
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in _HOSTS]
    names += [x509.IPAddress(ipaddress.ip_address(one)) for one in ("127.0.0.1", "::1")]
    with contextlib.suppress(ValueError):
        if host not in ("127.0.0.1", "::1"):
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
    own = begun("localhost", own_key).add_extension(x509.SubjectAlternativeName(names), critical=False)
    own = own.add_extension(x509.BasicConstraints(False, None), critical=True)
    own = own.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    own_certificate = own.add_extension(issuer, critical=False).sign(ca_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    files = directory / "ca.pem", directory / "cert.pem", directory / "key.pem"
    files[0].write_bytes(ca_certificate.public_bytes(pem))
    files[1].write_bytes(own_certificate.public_bytes(pem))
    files[2].touch(mode=0o600)
    pkcs8, bare = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files[2].write_bytes(own_key.private_bytes(pem, pkcs8, bare))
    return files[0], (files[1], files[2])


def introduction(fixture: Fixture, authority: Path | None) -> dict[str, Any]:
    """What whoever starts a fixture has to know, as JSON."""
    base = fixture.urls["jmap"][0]
    for everywhere, here in (("//0.0.0.0:", "//127.0.0.1:"), ("//[::]:", "//[::1]:")):
        base = base.replace(everywhere, here)
    users = [
        {
            "name": one.name,
            "password": PASSWORD,
            "token": token(one.name.partition("@")[0]),
            "accountId": fixture.account(one),
        }
        for one in fixture.principals()
        if one.kind != "group"
    ]
    groups = [
        {"name": one.name, "accountId": fixture.account(one)} for one in fixture.principals() if one.kind == "group"
    ]
    return {
        "url": base,
        "session": f"{base}/.well-known/jmap",
        "control": f"{base}{API}",
        "inspector": f"{base}/dev/",
        "users": users,
        "groups": groups,
        "ca": str(authority) if authority else None,
        "pid": os.getpid(),
    }


async def serve(
    config: Config,
    authority: Path | None,
    tell: Callable[[str], object],
    options: Options,
    *,
    exit_with_parent: bool,
) -> None:
    """Serve until a signal, or the parent's end if that is wanted; `tell` is given one line of JSON when it is ready.

    Raises CannotServe, CannotDo, UnknownQuirk.
    """
    parent = os.getppid()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    server = Server(config, announce=logging.getLogger(__name__).info)
    fixture = server.extension
    assert isinstance(fixture, Fixture)
    await server.start()
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        if options.profile or options.quirks:
            await asyncio.to_thread(fixture.be, options.profile, options.quirks)
        tell(json.dumps(await asyncio.to_thread(introduction, fixture, authority)))
        while exit_with_parent and os.getppid() == parent and not stopped.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await stopped.wait()
        if not exit_with_parent:
            await stopped.wait()
    finally:
        await server.stop()
