"""The same seed, the same clock and the same calls give the same answers, octet by octet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from jmaplite.config import parse
from jmaplite.dev.fixture import Fixture
from jmaplite.dev.launch import Options, configuration
from jmaplite.server import Server
from tests.dev.conftest import Site
from tests.web.serving import Loop

NOW = "2030-01-31T12:00:00Z"
OPTIONS = Options(seed="s", threads=3, now=NOW)
MESSAGE = "From: a@b.example\nTo: alice@example.org\nSubject: Hello\n\nText\n"


@contextmanager
def served(folder: Path, options: Options = OPTIONS) -> Iterator[Site]:
    """A fixture in a folder of its own."""
    folder.mkdir()
    text = configuration(options, folder / "data", None)
    (folder / "config.toml").write_text(text)
    with Loop() as loop:
        server = Server(parse(text, folder / "config.toml"))
        loop.run(server.start())
        try:
            assert isinstance(server.extension, Fixture)
            yield Site(server.urls["jmap"][0], server.extension)
        finally:
            loop.run(server.stop())


def everything(site: Site) -> list[str]:
    """What a server answers to many calls."""
    seen: list[Any] = [site.session(), site.control("POST", "/users", {}), site.control("POST", "/users", {})]
    account = site.account()
    (_, blob, _) = site.ask("POST", f"/jmap/upload/{account}/", raw=MESSAGE.encode(), token="alice-token")
    seen.append(blob)
    boxes = site.call("Mailbox/get", ids=None)
    drafts = next(box["id"] for box in boxes["list"] if box["role"] == "drafts")
    identities = site.call("Identity/get", ids=None)
    seen += [boxes, identities, site.call("Mailbox/set", create={"m": {"name": "Mine"}})]
    imported = {"blobId": blob["blobId"], "mailboxIds": {drafts: True}}
    seen.append(site.call("Email/import", emails={"i": imported}))
    draft = {
        "mailboxIds": {drafts: True},
        "from": [{"email": "alice@example.org"}],
        "to": [{"email": "bob@example.org"}],
        "subject": "To Bob",
        "bodyValues": {"t": {"value": "Hello"}, "h": {"value": "<p>Hello"}},
        "textBody": [{"partId": "t", "type": "text/plain"}],
        "htmlBody": [{"partId": "h", "type": "text/html"}],
    }
    made = site.call("Email/set", create={"d": draft})
    seen.append(made)
    sending = {"emailId": made["created"]["d"]["id"], "identityId": identities["list"][0]["id"]}
    seen.append(site.call("EmailSubmission/set", create={"s": sending}))
    wanted = {"user": "bob@example.org", "method": "Email/query", "arguments": {"filter": {"subject": "Bob"}}}
    seen.append(site.control("POST", "/wait", {**wanted, "pointer": "/ids", "atLeast": 1}))
    done = {"user": "alice@example.org", "method": "EmailSubmission/get", "arguments": {"ids": None}}
    at = "/list/0/deliveryStatus/bob@example.org/delivered"
    site.control("POST", "/wait", {**done, "pointer": at, "equals": "yes"})
    push = {"deviceClientId": "x", "url": "https://localhost:1/", "types": None}
    seen += site.jmap(["PushSubscription/set", {"create": {"p": push}}, "p"])
    site.control("POST", "/deliver", {"account": "bob@example.org", "text": MESSAGE})
    for token in ("alice-token", "bob-token"):
        ids = site.call("Email/query", token)["ids"]
        properties = ["id", "blobId", "threadId", "messageId", "receivedAt", "sentAt", "size", "headers", "preview"]
        seen.append(site.call("Email/get", token, ids=ids, properties=properties))
        seen += [site.call(f"{name}/get", token, ids=None) for name in ("Mailbox", "Identity", "EmailSubmission")]
    return [json.dumps(one, indent=1) for one in seen]


def test_two_servers_answer_the_same(tmp_path: Path) -> None:
    with served(tmp_path / "one") as site:
        first, port = everything(site), int(site.url.rpartition(":")[2])
    with served(tmp_path / "two", replace(OPTIONS, port=port)) as site:  # a Session has URLs, and a state of its own
        assert everything(site) == first


def test_a_server_answers_the_same_after_a_reset_from_the_same_seed(tmp_path: Path) -> None:
    found = []
    with served(tmp_path / "one", Options(now=NOW)) as site:
        for _ in range(2):
            site.control("POST", "/reset", {"seed": "again"})
            found.append(everything(site))
    assert found[0] == found[1]


def test_another_seed_gives_other_ids(tmp_path: Path) -> None:
    accounts = set()
    for seed in ("one", "two", ""):
        with served(tmp_path / f"at-{seed}", Options(seed=seed)) as site:
            accounts.add(site.account())
    assert len(accounts) == 3


def test_the_clock_stands_still_from_the_beginning_if_that_is_wanted(tmp_path: Path) -> None:
    with served(tmp_path / "one") as site:
        assert site.control("GET", "/clock") == {"now": NOW, "seconds": 1896091200.0, "frozen": True}
        site.control("POST", "/clock", {"advance": 60})
        site.control("POST", "/reset")
        assert site.control("GET", "/clock")["now"] == NOW
