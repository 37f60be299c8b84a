"""Certificates by name, replaced under a running server; what is agreed on besides."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme

from jmaplite.config import parse
from jmaplite.server.settings import listeners
from jmaplite.server.sockets import Sockets
from jmaplite.web import TLS, App, CannotListen, HTTPSettings, Listener, Listening, certified, create_app
from tests.web.fakes import FakeEngine, FakeVerifier
from tests.web.serving import CONFIG, SHORT, Loop, begin, serving_fakes, until

NAMES = ("default.example", "a.example", "*.b.example")


@dataclass(frozen=True)
class Secured:
    """A server that speaks TLS, with certificates for some names."""

    loop: Loop
    listening: Listening
    authority: trustme.CA
    tls: TLS
    folder: Path
    app: App
    sockets: Sockets

    def replace(self, tls: TLS) -> None:
        """Serve other certificates from now on. Raises CannotListen."""
        listener = replace(self.listening.listener, tls=tls)

        async def become() -> None:
            self.listening.become(listener, self.app, self.sockets.of(listener), certified(listener))

        self.loop.run(become())

    def issue(self, name: str, file: str) -> Path:
        return issue(self.authority, self.folder / file, name)

    def connect(self, name: str | None, **versions: ssl.TLSVersion) -> ssl.SSLSocket:
        """A connection that asks for a name, whatever the certificate is."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        context.check_hostname = False
        for key, value in versions.items():
            setattr(context, key, value)
        port = int(self.listening.urls[0].rpartition(":")[2])
        plain = socket.create_connection(("127.0.0.1", port), timeout=30)
        return context.wrap_socket(plain, server_hostname=name)

    def named(self, name: str | None) -> str:
        """The name in the certificate that comes for another."""
        with self.connect(name) as connection:
            certificate = connection.getpeercert()
        assert certificate
        found: str = certificate["subjectAltName"][0][1]  # type: ignore[assignment]
        return found


def issue(authority: trustme.CA, file: Path, name: str) -> Path:
    """A file with a certificate for a name, and its key."""
    authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(file))
    return file


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def secured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    factory: Callable[..., object] | None = None
    if request.param == "uvloop":
        factory = pytest.importorskip("uvloop").new_event_loop
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    files = [issue(authority, folder / f"{n}.pem", name) for n, name in enumerate(NAMES)]
    tls = TLS(files[0], files[0], (("a.example", files[1], files[1]), ("*.B.example", files[2], files[2])))
    with Loop(factory) as loop:  # type: ignore[arg-type]
        app = create_app(FakeEngine(), FakeVerifier(), lambda octets, _: octets, HTTPSettings(timeouts=SHORT))  # type: ignore[arg-type]
        listening = Listening(Listener("jmap", (("127.0.0.1", 0),), tls=tls), app)
        loop.run(app.startup())
        sockets = loop.run(begin(listening, app))
        try:
            yield Secured(loop, listening, authority, tls, folder, app, sockets)
        finally:
            loop.run(listening.stop(5))
            sockets.leave()
            loop.run(app.shutdown())


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (None, "default.example"),
        ("elsewhere.example", "default.example"),
        ("default.example", "default.example"),
        ("A.Example", "a.example"),
        ("x.b.example", "*.b.example"),
        ("b.example", "default.example"),
        ("x.y.b.example", "default.example"),
    ],
)
def test_each_name_has_its_certificate(secured: Secured, asked: str | None, found: str) -> None:
    assert secured.named(asked) == found


def test_a_certificate_is_replaced_without_ending_connections(secured: Secured) -> None:
    renewed = secured.issue("renewed.example", "renewed.pem")

    with secured.connect("a.example") as before:
        secured.replace(TLS(renewed, renewed))
        assert secured.named("a.example") == "renewed.example"
        before.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert before.recv(100).startswith(b"HTTP/1.1 404")
    secured.replace(secured.tls)
    assert secured.named("a.example") == "a.example"


def test_a_certificate_that_will_not_do_replaces_none(secured: Secured) -> None:
    other = secured.issue("other.example", "other.pem")
    text = secured.folder / "text.pem"
    text.write_text("text")
    for tls in (
        TLS(other, secured.folder / "0.pem"),
        TLS(text, text),
        TLS(other, other, (("a.example", text, text),)),
        TLS(secured.folder / "nowhere.pem", other),
    ):
        with pytest.raises(CannotListen, match="listener jmap: the certificate will not do"):
            secured.replace(tls)
    assert secured.named(None) == "default.example"
    assert secured.named("a.example") == "a.example"


def test_a_key_with_a_password_is_not_asked_for_at_the_terminal(secured: Secured) -> None:
    from cryptography.hazmat.primitives import serialization

    pair = secured.authority.issue_cert("x.example")
    key = serialization.load_pem_private_key(pair.private_key_pem.bytes(), None)
    (secured.folder / "locked.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    pair.cert_chain_pems[0].write_to_path(str(secured.folder / "open.pem"))
    with pytest.raises(CannotListen, match="the certificate will not do"):
        secured.replace(TLS(secured.folder / "open.pem", secured.folder / "locked.pem"))


def test_versions_before_1_2_are_not_spoken(secured: Secured) -> None:
    with secured.connect(None) as connection:
        assert connection.version() == "TLSv1.3"
    with secured.connect(None, maximum_version=ssl.TLSVersion.TLSv1_2) as connection:
        assert connection.version() == "TLSv1.2"
    with pytest.warns(DeprecationWarning, match="TLSv1_1"), pytest.raises((ssl.SSLError, ConnectionError)):
        secured.connect(None, minimum_version=ssl.TLSVersion.TLSv1_1, maximum_version=ssl.TLSVersion.TLSv1_1)


def test_who_does_not_begin_with_tls_is_cut_off(tmp_path: Path) -> None:
    file = issue(trustme.CA(), tmp_path / "x.pem", "x.example")
    listener = Listener("jmap", (("127.0.0.1", 0),), tls=TLS(file, file, patience=0.1), max_connections=1)
    with serving_fakes(FakeEngine(), listener=listener) as site:
        with site.socket() as silent:
            assert silent.recv(1) == b""
        until(lambda: site.loop.tasks() == 0)


def test_every_option_of_tls_comes_from_the_configuration(tmp_path: Path) -> None:
    authority = trustme.CA()
    files = [issue(authority, tmp_path / f"{n}.pem", f"{n}.example") for n in range(2)]
    tables = "".join(f'[certificate.c{n}]\ncert = "{n}.pem"\nprivate-key = "{n}.pem"\n' for n in range(2))
    more = """
    [server.listener.jmap.tls]
    implicit = true
    certificate = "c0"
    protocols = ["TLSv1.3"]
    ciphers = ["TLS13_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"]
    ignore-client-order = false
    timeout = "5s"
    [[server.listener.jmap.tls.sni]]
    subject = "*.b.example"
    certificate = "c1"
    """
    found = listeners(parse(CONFIG.format(listener=more, more=tables), tmp_path / "config.toml"))[0].tls
    assert found == TLS(
        files[0],
        files[0],
        (("*.b.example", files[1], files[1]),),
        ("TLSv1.3",),
        "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305",
        server_order=False,
        patience=5.0,
    )
