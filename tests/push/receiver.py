"""A push service of our own, over https on loopback, and a device that can read what is pushed to it.

The decryption is written after RFC 8188 and RFC 8291 with nothing of the server's in it.
"""

from __future__ import annotations

import base64
import hmac
import json
import queue
import secrets
import ssl
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HOST = "push.example.com"
PATIENCE = 20.0


def b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def un64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def expand(material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF for no more than one block (RFC 5869)."""
    pseudorandom = hmac.digest(salt, material, "sha256")
    return hmac.digest(pseudorandom, info + b"\x01", "sha256")[:length]


def open_records(body: bytes, material: bytes) -> bytes:
    """The text in a body of content coding aes128gcm (RFC 8188 §2), by the keying material of its header."""
    salt, size, id_length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
    records = body[21 + id_length :]
    key = expand(material, salt, b"Content-Encoding: aes128gcm\x00", 16)
    first = int.from_bytes(expand(material, salt, b"Content-Encoding: nonce\x00", 12), "big")
    text = b""
    pieces = [records[at : at + size] for at in range(0, len(records), size)]
    for number, piece in enumerate(pieces):
        padded = AESGCM(key).decrypt((first ^ number).to_bytes(12, "big"), piece, None).rstrip(b"\x00")
        assert padded[-1] == (2 if number == len(pieces) - 1 else 1), "the delimiter of a record"
        text += padded[:-1]
    return text


@dataclass
class Reader:
    """A device with keys (RFC 8291 §2)."""

    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    @property
    def point(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def keys(self) -> dict[str, str]:
        return {"p256dh": b64(self.point), "auth": b64(self.auth)}

    def read(self, body: bytes) -> bytes:
        """The text of a message (RFC 8291 §3.4)."""
        sender = body[21 : 21 + body[20]]
        shared = self.private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
        return open_records(body, expand(shared, self.auth, b"WebPush: info\x00" + self.point + sender, 32))


@dataclass
class Push:
    """One request that has come in."""

    path: str
    headers: dict[str, str]
    body: bytes

    def read(self, reader: Reader | None = None) -> dict[str, Any]:
        """The object in it."""
        text = reader.read(self.body) if reader is not None else self.body
        value: dict[str, Any] = json.loads(text)
        return value

    def check_vapid(self, key: str, audience: str, now: float) -> dict[str, Any]:
        """The claims of the token in it, whose signature is by a key (RFC 8292 §2, §3)."""
        scheme, _, parameters = self.headers["authorization"].partition(" ")
        assert scheme == "vapid"
        given = dict(one.strip().split("=", 1) for one in parameters.split(","))
        assert given["k"] == key
        head, claims, signature = given["t"].split(".")
        assert json.loads(un64(head)) == {"typ": "JWT", "alg": "ES256"}
        octets = un64(signature)
        assert len(octets) == 64
        r, s = (int.from_bytes(half, "big") for half in (octets[:32], octets[32:]))
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), un64(key))
        public.verify(utils.encode_dss_signature(r, s), f"{head}.{claims}".encode(), ec.ECDSA(SHA256()))
        found: dict[str, Any] = json.loads(un64(claims))
        assert found["aud"] == audience
        assert now < found["exp"] <= now + 86400
        return found


@cache
def authority() -> trustme.CA:
    return trustme.CA()


class Receiver(ThreadingHTTPServer):
    """A push service: answers 201, or whatever `answers` has next, and keeps what has come."""

    daemon_threads = True

    def __init__(self, *names: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pushes: queue.Queue[Push] = queue.Queue()
        self.answers: deque[tuple[int, dict[str, str]]] = deque()
        self.held = threading.Event()
        self.held.set()
        self.arrived = threading.Semaphore(0)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority().issue_cert(*(names or (HOST, "127.0.0.1"))).configure_cert(tls)
        self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def origin(self) -> str:
        return f"https://{HOST}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/device?id=1"

    def next(self) -> Push:
        """The next request, when it has come."""
        return self.pushes.get(timeout=PATIENCE)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away says nothing of the server."""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        push = Push(self.path, headers, body)
        self.server.arrived.release()
        assert self.server.held.wait(PATIENCE)
        status, more = self.server.answers.popleft() if self.server.answers else (201, {})
        self.server.pushes.put(push)
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def receiving(*names: str) -> Iterator[Receiver]:
    with Receiver(*names) as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.held.set()
            receiver.shutdown()
            thread.join()


def trusting() -> ssl.SSLContext:
    """What a client needs to trust a receiver."""
    tls = ssl.create_default_context()
    authority().configure_trust(tls)
    return tls


async def on_loopback(host: str, port: int) -> Sequence[str]:
    """A resolver for which every name is this machine."""
    return ["127.0.0.1"]
