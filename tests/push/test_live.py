"""Web push as users have it: a server of its own process, over HTTP, to a push service over https."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jmaplite.core.kinds import utc_seconds
from tests.live import CONFIG, PASSWORD, USER, Live, serving
from tests.push.receiver import Reader, Receiver, authority, receiving

CORE, MAIL = "urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"
PUSH = """
[jmap.push]
allow-private = true
throttle = "0s"
contact = "mailto:admin@example.org"
"""


@pytest.fixture
def local() -> Iterator[Receiver]:
    with receiving("localhost") as receiver:
        yield receiver


def fetch(live: Live, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(live.url + path)
    request.add_header("Authorization", "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())
    request.add_header("Content-Type", "application/json")
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(request, data, timeout=60) as response:
        return json.load(response)


def call(live: Live, method: str, **arguments: Any) -> Any:
    body = {"using": [CORE, MAIL], "methodCalls": [[method, arguments, "c"]]}
    [[name, answer, _]] = fetch(live, "/jmap/", body)["methodResponses"]
    assert name == method, answer
    return answer


def test_the_example_of_the_rfc_on_the_wire(tmp_path: Path, local: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8620 §7.2.3, encrypted and signed, and again after a restart."""
    trusted = tmp_path / "ca.pem"
    authority().cert_pem.write_to_path(str(trusted))
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    config = tmp_path / "config.toml"
    config.write_text(CONFIG + PUSH)
    reader = Reader()
    url = f"https://localhost:{local.port}/push/?device=X8980fc&client=12c6d086"
    with serving(config) as live:
        session = fetch(live, "/.well-known/jmap")
        key = session["capabilities"]["urn:ietf:params:jmap:webpush-vapid"]["applicationServerKey"]
        account = session["primaryAccounts"][MAIL]
        assert call(live, "PushSubscription/get", ids=None) == {"list": [], "notFound": []}
        create = {"4f29": {"deviceClientId": "a889-ffea-910", "url": url, "types": None, "keys": reader.keys}}
        made = call(live, "PushSubscription/set", create=create)["created"]["4f29"]
        push = local.next()
        assert push.path == "/push/?device=X8980fc&client=12c6d086"
        claims = push.check_vapid(key, f"https://localhost:{local.port}", made_at(made))
        assert claims["sub"] == "mailto:admin@example.org"
        told = push.read(reader)
        assert (told["@type"], told["pushSubscriptionId"]) == ("PushVerification", made["id"])
        update = {made["id"]: {"verificationCode": told["verificationCode"]}}
        assert call(live, "PushSubscription/set", update=update)["updated"] == {made["id"]: None}
        local.answers.append((503, {"Retry-After": "0"}))
        box = call(live, "Mailbox/set", accountId=account, create={"m": {"name": "one"}})
        for _ in range(2):
            changed = local.next().read(reader)["changed"]
            assert changed == {account: {"Mailbox": box["newState"]}}
        local.answers.append((503, {"Retry-After": "1"}))
        box = call(live, "Mailbox/set", accountId=account, create={"m": {"name": "two"}})
        local.next()
    config.write_text(CONFIG + PUSH.replace('contact = "mailto:admin@example.org"\n', ""))
    with serving(config) as live:
        push = local.next()
        assert push.read(reader)["changed"] == {account: {"Mailbox": box["newState"]}}
        claims = push.check_vapid(key, f"https://localhost:{local.port}", made_at(made))
        assert claims["sub"] == "mailto:postmaster@localhost"
        session = fetch(live, "/.well-known/jmap")
        assert session["capabilities"]["urn:ietf:params:jmap:webpush-vapid"]["applicationServerKey"] == key
        later = {made["id"]: {"expires": "2099-01-01T00:00:00Z"}}
        assert call(live, "PushSubscription/set", update=later)["updated"][made["id"]].keys() == {"expires"}


def made_at(made: dict[str, Any]) -> float:
    """When a subscription was made, by when it ends."""
    return float(utc_seconds(made["expires"])) - 7 * 86400
