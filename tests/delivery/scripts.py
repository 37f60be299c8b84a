"""People with scripts on a server that takes mail: LMTP in, JMAP out."""

from __future__ import annotations

import json
import smtplib
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest

from jmaplite.datatypes.submission import queue
from jmaplite.server.extension import Extension
from tests.delivery.conftest import Mail, started
from tests.delivery.sink import PATIENCE

USING = [
    "urn:ietf:params:jmap:core",
    *(f"urn:ietf:params:jmap:{name}" for name in ("mail", "submission", "vacationresponse", "sieve", "blob", "mdn")),
]
SENDER = "x@example.net"


@dataclass
class Sent:
    """A message in a queue."""

    sender: str
    recipients: list[str]
    octets: bytes
    parameters: Mapping[str, str | None] | None = None

    @property
    def message(self) -> EmailMessage:
        found = message_from_bytes(self.octets, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found


@dataclass
class Post:
    """The server, and what is done with it."""

    mail: Mail
    clock: list[float] = field(default_factory=lambda: [1_700_000_000.0])
    outgoing: dict[str, list[Sent]] = field(default_factory=dict)

    def call(self, method: str, user: str = "ann", **arguments: Any) -> dict[str, Any]:
        """One method call of a user's on their own account."""
        name, found, _ = self.request(user, (method, arguments))[0]
        assert name == method, found
        assert isinstance(found, dict)
        return found

    def request(self, user: str, *calls: tuple[str, dict[str, Any]], using: Sequence[str] = USING) -> list[Any]:
        """A whole request of a user's on their own account; answers the responses."""
        account = self.session(user)
        made = [[name, {"accountId": account, **arguments}, str(n)] for n, (name, arguments) in enumerate(calls)]
        answer = self._fetch("/jmap/", user, {"using": list(using), "methodCalls": made})
        found: list[Any] = answer["methodResponses"]
        return found

    def session(self, user: str) -> str:
        """The id of a user's account, which there is from now on."""
        session = self._fetch("/.well-known/jmap", user)
        return str(session["primaryAccounts"]["urn:ietf:params:jmap:mail"])

    def _fetch(self, path: str, user: str, body: Any = None) -> Any:
        port = urlsplit(self.mail.server.urls["jmap"][0]).port
        octets = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", octets)
        request.add_header("Authorization", "Basic " + b64encode(f"{user}:pw".encode()).decode())
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def script(self, text: str, user: str = "ann", name: str | None = None, *, active: bool = True) -> None:
        """Give a user a script."""
        upload = self.call("Blob/upload", user, create={"b": {"data": [{"data:asText": text}]}})
        create = {"s": {"name": name, "blobId": upload["created"]["b"]["id"]}}
        more = {"onSuccessActivateScript": "#s"} if active else {}
        answer = self.call("SieveScript/set", user, create=create, **more)
        assert answer["created"], answer["notCreated"]

    def bring(self, octets: bytes, *recipients: str, sender: str = SENDER) -> dict[str, tuple[int, bytes]]:
        """Hand a message over by LMTP; answers who refused it, and how (RFC 2033 §4.2)."""
        taken = recipients or ("ann@example.org",)
        with self.mail.lmtp() as peer:
            peer.ehlo()
            assert peer.mail(sender)[0] == 250
            for recipient in taken:
                assert peer.rcpt(recipient)[0] == 250
            assert peer.docmd("DATA")[0] == 354
            peer.send(smtplib._quote_periods(octets) + b".\r\n")  # type: ignore[attr-defined]
            answers = {recipient: peer.getreply() for recipient in taken}
        return {recipient: answer for recipient, answer in answers.items() if answer[0] != 250}

    def bring_by_smtp(self, octets: bytes, *recipients: str) -> None:
        """Hand a message over by SMTP."""
        with self.mail.smtp() as peer:
            assert peer.sendmail(SENDER, recipients, octets) == {}

    def boxes(self, user: str = "ann") -> dict[str, str]:
        """The ids of a user's Mailboxes by their paths."""
        found = {one["id"]: one for one in self.call("Mailbox/get", user, ids=None)["list"]}

        def path(box: dict[str, Any]) -> str:
            above = found.get(box["parentId"])
            return f"{path(above)}/{box['name']}" if above else str(box["name"])

        return {path(box): mailbox_id for mailbox_id, box in found.items()}

    def filed(self, user: str = "ann") -> dict[str, list[str]]:
        """Where a user's messages are: the subjects by the paths of Mailboxes, with their keywords if there are any."""
        boxes = {mailbox_id: path for path, mailbox_id in self.boxes(user).items()}
        ids = self.call("Email/query", user, sort=[{"property": "subject"}])["ids"]
        properties = ["subject", "mailboxIds", "keywords"]
        found: dict[str, list[str]] = {}
        for email in self.call("Email/get", user, ids=ids, properties=properties)["list"]:
            keywords = " ".join(sorted(email["keywords"]))
            for mailbox_id in email["mailboxIds"]:
                shown = f"{email['subject']} [{keywords}]" if keywords else email["subject"]
                found.setdefault(boxes[mailbox_id], []).append(shown)
        return found

    def sent(self, user: str = "ann") -> list[Sent]:
        """What the server has sent by itself for a user, though it may have left the queue since."""
        account_id = self.mail.server.parts.ground.store.account_of(user)
        return self.outgoing.get(account_id or "", [])

    def note(self, account_id: str, sent: Sent) -> None:
        """Something enters a queue."""
        self.outgoing.setdefault(account_id, []).append(sent)


@contextmanager
def scripting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    """A server whose clock stands, and what enters its queues."""
    clock = [1_700_000_000.0]
    monkeypatch.setattr(Extension, "clock", staticmethod(lambda: clock[0]))
    send = queue.send
    for mail in started(folder):
        post = Post(mail, clock)

        def noted(
            tx: Any,
            blobs: Any,
            staged: Any,
            header_end: int,
            sender: str,
            recipients: Sequence[str],
            release: int,
            parameters: Mapping[str, str | None] | None = None,
        ) -> int:
            post.note(tx.account_id, Sent(sender, list(recipients), staged.data, parameters))  # noqa: B023
            return send(tx, blobs, staged, header_end, sender, recipients, release, parameters)

        monkeypatch.setattr(queue, "send", noted)
        yield post


def message(subject: str = "Hello", *more: str, body: str = "Text", to: str = "ann@example.org") -> bytes:
    """A message from elsewhere."""
    message_id = subject.replace(" ", "")
    header = [
        f"From: X <{SENDER}>",
        f"To: {to}",
        f"Subject: {subject}",
        f"Message-ID: <{message_id}@example.net>",
        *more,
    ]
    return "\r\n".join([*header, "", body, ""]).encode()


def wait_until(post: Post, done: Callable[[], bool]) -> None:
    """Wait for something that commits bring about."""
    feed, came = post.mail.server.parts.ground.store.feed, Event()
    stop = feed.listen(lambda change: came.set())
    try:
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, "it has not come about"
            came.wait(0.3)
            came.clear()
    finally:
        stop()
