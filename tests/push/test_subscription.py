"""PushSubscription/get and /set (RFC 8620 §7.2)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from jmaplite.push.encryption import encode, point_of
from tests.mail.jmap import ALICE, BASE, BOB, CORE
from tests.push.site import Device, PushServer

DAY = 86400
WEEK_LATER = "2023-11-21T22:13:20Z"
KEYS = {
    "p256dh": encode(point_of(ec.generate_private_key(ec.SECP256R1()).public_key())),
    "auth": encode(secrets.token_bytes(16)),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PushServer]:
    server = PushServer(tmp_path, max_total=15)
    yield server
    server.close()


@pytest.fixture
def alice(server: PushServer) -> Device:
    return server.device()


def test_a_subscription_is_made_as_in_the_example(alice: Device) -> None:
    """RFC 8620 §7.2.3: the server tells what it has set by itself."""
    name, answer = alice.try_call(
        "PushSubscription/set",
        create={"4f29": {"deviceClientId": "a889-ffea-910", "url": "https://example.com/push/?a=b", "types": None}},
    )
    assert name == "PushSubscription/set"
    assert answer.keys() & {"accountId", "oldState", "newState"} == set()
    made = answer["created"]["4f29"]
    assert {"keys": None, "expires": WEEK_LATER}.items() <= made.items()
    found = alice.try_call("PushSubscription/get", ids=None)[1]
    assert found == {
        "list": [
            {
                "id": made["id"],
                "deviceClientId": "a889-ffea-910",
                "verificationCode": None,
                "expires": WEEK_LATER,
                "types": None,
                "emailPush": None,
            }
        ],
        "notFound": [],
    }


@pytest.mark.parametrize("name", ["url", "keys"])
def test_secrets_are_never_told(alice: Device, name: str) -> None:
    record_id = alice.subscribe(keys=KEYS)["id"]
    assert alice.error("PushSubscription/get", ids=[record_id], properties=["id", name]) == "forbidden"
    assert name not in alice.subscriptions()[0]


@pytest.mark.parametrize("argument", ["accountId", "ifInState", "sinceState"])
def test_there_is_no_account_and_no_state(alice: Device, argument: str) -> None:
    assert alice.error("PushSubscription/get", ids=None, **{argument: alice.account}) == "invalidArguments"
    assert alice.error("PushSubscription/set", create={}, **{argument: alice.account}) == "invalidArguments"
    for verb in ("changes", "query", "queryChanges", "copy"):
        assert alice.error(f"PushSubscription/{verb}") == "unknownMethod"


def test_the_methods_are_the_cores(alice: Device) -> None:
    alice.using = [CORE]
    record_id = alice.subscribe()["id"]
    assert alice.subscriptions()[0].keys() == {"id", "deviceClientId", "verificationCode", "expires", "types"}
    assert alice.error("PushSubscription/get", ids=None, properties=["emailPush"]) == "invalidArguments"
    assert alice.refused(emailPush=None)["properties"] == ["emailPush"]
    assert alice.not_updated(record_id, emailPush={})["properties"] == ["emailPush"]
    alice.using = []
    assert alice.error("PushSubscription/get", ids=None) == "unknownMethod"


@pytest.mark.parametrize(
    ("properties", "wrong"),
    [
        ({"url": "http://push.example.com/x"}, "url"),
        ({"url": "ftp://push.example.com/x"}, "url"),
        ({"url": "HTTPS:push.example.com"}, "url"),
        ({"url": "https://"}, "url"),
        ({"url": "https:///x"}, "url"),
        ({"url": "https://user:pass@push.example.com/x"}, "url"),
        ({"url": "https://push.example.com:0/x"}, "url"),
        ({"url": "https://push.example.com:70000/x"}, "url"),
        ({"url": "https://[::1/x"}, "url"),
        ({"url": "https://push.example.com/\r\nHost: other"}, "url"),
        ({"url": "https://push.example.com/é"}, "url"),
        ({"url": "https://push.example.com/" + "x" * 2048}, "url"),
        ({"url": "https://localhost/x"}, "url"),
        ({"url": "https://127.0.0.1/x"}, "url"),
        ({"url": "https://[::ffff:10.0.0.1]/x"}, "url"),
        ({"url": "https://169.254.169.254/latest"}, "url"),
        ({"url": None}, "url"),
        ({"deviceClientId": ""}, "deviceClientId"),
        ({"deviceClientId": "x" * 256}, "deviceClientId"),
        ({"deviceClientId": 1}, "deviceClientId"),
        ({"verificationCode": "guessed"}, "verificationCode"),
        ({"expires": "2023-11-14T22:13:20Z"}, "expires"),
        ({"expires": "1970-01-01T00:00:00Z"}, "expires"),
        ({"expires": "soon"}, "expires"),
        ({"types": "Email"}, "types"),
        ({"types": ["x" * 256]}, "types"),
        ({"types": ["x"] * 201}, "types"),
        ({"keys": {}}, "keys"),
        ({"keys": {"p256dh": KEYS["p256dh"]}}, "keys"),
        ({"keys": {**KEYS, "more": "x"}}, "keys"),
        ({"keys": {**KEYS, "auth": "AAAA"}}, "keys"),
        ({"keys": {**KEYS, "auth": "not base64url!"}}, "keys"),
        ({"keys": {**KEYS, "p256dh": encode(b"\4" + bytes(64))}}, "keys"),
        ({"keys": {**KEYS, "p256dh": encode(b"\2" + bytes(32))}}, "keys"),
        ({"id": "P1"}, "id"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_is_wrong_is_refused_by_name(alice: Device, properties: dict[str, Any], wrong: str) -> None:
    error = alice.refused(**properties)
    assert error["type"] == "invalidProperties"
    assert wrong in error["properties"]
    assert alice.subscriptions() == []


def test_all_that_is_wrong_is_named_at_once(alice: Device) -> None:
    """RFC 8620 §5.3 SetError properties."""
    error = alice.refused(url="https://localhost/x", keys={**KEYS, "auth": "AAAA"}, deviceClientId="", surprise=1)
    assert error["properties"] == ["deviceClientId", "keys", "surprise", "url"]


def test_keys_may_come_with_padding(alice: Device) -> None:
    alice.subscribe(keys={"p256dh": KEYS["p256dh"] + "=", "auth": KEYS["auth"] + "=="})


@pytest.mark.parametrize("wrong", ["", "guess", None, 1, "é", "x" * 300])
def test_only_the_code_that_was_sent_verifies(alice: Device, wrong: Any) -> None:
    record_id = alice.subscribe()["id"]
    if wrong is not None:
        assert alice.not_updated(record_id, verificationCode=wrong)["properties"] == ["verificationCode"]
    code = alice.row("code")
    assert len(code) >= 20
    assert alice.update(record_id, verificationCode=code) is None
    assert alice.subscriptions()[0]["verificationCode"] == code
    assert alice.not_updated(record_id, verificationCode=wrong)["type"] == "invalidProperties"
    assert alice.subscriptions()[0]["verificationCode"] == code


@pytest.mark.parametrize("name", ["url", "keys", "deviceClientId", "id"])
def test_what_is_immutable_stays(alice: Device, name: str) -> None:
    record_id = alice.subscribe(keys=KEYS)["id"]
    assert alice.not_updated(record_id, **{name: "https://elsewhere.example.com/"})["properties"] == [name]
    alice.update(record_id, url="https://push.example.com/device", keys=KEYS)


def test_the_server_bounds_how_long_it_lasts(alice: Device, server: PushServer) -> None:
    """RFC 8620 §7.2.3: and tells so only if it differs from what was asked for."""
    made = alice.subscribe(expires="2023-11-16T00:00:00Z")
    assert "expires" not in made
    assert alice.subscribe(expires="2030-01-01T00:00:00Z")["expires"] == WEEK_LATER
    assert alice.update(made["id"], expires="2023-11-18T00:00:00Z") is None
    assert alice.update(made["id"], expires="2099-01-01T00:00:00Z") == {"expires": WEEK_LATER}
    server.now += 2 * DAY
    assert alice.update(made["id"], expires=None) == {"expires": "2023-11-23T22:13:20Z"}
    assert alice.not_updated(made["id"], expires="2023-11-16T00:00:00Z")["properties"] == ["expires"]


def test_credentials_with_an_end_of_their_own_bound_it(server: PushServer) -> None:
    """RFC 8620 §7.2: and seven days do not."""
    alice = server.device(replace(ALICE, expires=server.now + 30 * DAY), credential="token:1")
    record_id = alice.subscribe(expires="2023-12-01T00:00:00Z")["id"]
    assert alice.get("PushSubscription", record_id)["expires"] == "2023-12-01T00:00:00Z"
    assert alice.update(record_id, expires="2024-12-01T00:00:00Z") == {"expires": "2023-12-14T22:13:20Z"}
    assert alice.subscribe()["expires"] == "2023-12-14T22:13:20Z"
    forever = server.device(replace(ALICE, expires=1e300), credential="token:2")
    assert forever.subscribe()["expires"] == "9999-12-31T23:59:59Z"


def test_what_has_ended_is_not_there(alice: Device, server: PushServer) -> None:
    record_id = alice.subscribe()["id"]
    server.now += 7 * DAY
    assert alice.subscriptions() == []
    assert alice.call("PushSubscription/get", ids=[record_id])["notFound"] == [record_id]
    assert alice.not_updated(record_id, expires=None)["type"] == "notFound"


def test_only_what_the_same_credentials_made_is_seen(server: PushServer) -> None:
    """RFC 8620 §7.2.1."""
    password, token, bob = server.device(), server.device(credential="token:1"), server.device(BOB)
    record_id = password.subscribe()["id"]
    for other in (token, bob):
        assert other.subscriptions() == []
        assert other.call("PushSubscription/get", ids=[record_id])["notFound"] == [record_id]
        assert other.not_updated(record_id, types=[])["type"] == "notFound"
        answer = other.call("PushSubscription/set", destroy=[record_id])
        assert answer["notDestroyed"][record_id]["type"] == "notFound"
    assert token.subscribe()["id"] != record_id
    assert len(password.subscriptions()) == len(token.subscriptions()) == 1


def test_ids_are_never_used_twice(alice: Device) -> None:
    ids = []
    for _ in range(3):
        ids.append(alice.subscribe()["id"])
        alice.call("PushSubscription/set", destroy=[ids[-1]])
    assert len(set(ids)) == 3


def test_one_user_has_so_many_and_no_more(tmp_path: Path) -> None:
    server = PushServer(tmp_path / "few", max_total=2)
    alice = server.device()
    alice.subscribe()
    record_id = alice.subscribe()["id"]
    assert alice.refused()["type"] == "overQuota"
    assert server.device(credential="token:1").refused()["type"] == "overQuota"
    server.device(BOB).subscribe()
    alice.call("PushSubscription/set", destroy=[record_id])
    alice.subscribe()
    server.now += 7 * DAY
    alice.subscribe()
    server.close()


def test_who_asks_for_too_many_verifications_has_to_wait(alice: Device, server: PushServer) -> None:
    for _ in range(10):
        record_id = alice.subscribe()["id"]
        alice.call("PushSubscription/set", destroy=[record_id])
    assert alice.refused()["type"] == "rateLimit"
    server.now += 60
    alice.subscribe()


def test_a_creation_id_stands_for_the_subscription(alice: Device) -> None:
    responses = alice.request(
        ["PushSubscription/set", {"create": {"a": {"deviceClientId": "d", "url": "https://x.example/"}}}, "0"],
        ["PushSubscription/set", {"update": {"#a": {"types": ["Email"]}}}, "1"],
    )["methodResponses"]
    record_id = responses[0][1]["created"]["a"]["id"]
    assert responses[1][1]["updated"] == {record_id: None}
    assert alice.subscriptions()[0]["types"] == ["Email"]


def test_the_url_and_the_keys_are_wiped_from_the_file(alice: Device, server: PushServer, tmp_path: Path) -> None:
    """RFC 8620 §7.2: the last sentence before §7.2.1."""
    url = "https://push.example.com/" + "secret-" * 60
    record_id = alice.subscribe(url=url, keys=KEYS)["id"]
    account = server.store.account(alice.account)
    account.checkpoint()
    files = list(tmp_path.rglob("account.sqlite"))
    assert any(b"secret-secret-" in path.read_bytes() for path in files)
    alice.call("PushSubscription/set", destroy=[record_id])
    account.checkpoint()
    for path in files:
        assert b"secret-secret-" not in path.read_bytes()
        assert KEYS["auth"].encode() not in path.read_bytes()


def test_the_session_tells_the_key_and_what_can_be_pushed(server: PushServer) -> None:
    session = server.engine.session(ALICE, BASE).to_json()
    key = session["capabilities"]["urn:ietf:params:jmap:webpush-vapid"]["applicationServerKey"]
    assert len(key) == 87
    assert session["capabilities"]["urn:ietf:params:jmap:emailpush"] == {}
    for account in session["accounts"].values():
        assert account["accountCapabilities"]["urn:ietf:params:jmap:emailpush"] == {}
        assert "urn:ietf:params:jmap:webpush-vapid" not in account["accountCapabilities"]


def test_the_key_is_kept_for_good_and_for_the_owner_alone(server: PushServer, tmp_path: Path) -> None:
    assert server.vapid.application_server_key
    again = server.store.secret("vapid.pem", lambda: b"another")
    assert again.startswith(b"-----BEGIN PRIVATE KEY-----")
    path = tmp_path / "secrets" / "vapid.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["vapid.pem"]


@pytest.mark.parametrize(
    "config",
    [
        {"nobody": {"properties": ["id"]}},
        {"OWN": {}},
        {"OWN": {"properties": ["surprise"]}},
        {"OWN": {"properties": ["id"], "surprise": 1}},
        {"OWN": {"properties": ["id"], "urgency": "urgent"}},
        {"OWN": {"properties": ["id"], "filter": {"surprise": 1}}},
        {"OWN": {"properties": ["id"], "filter": {"operator": "XOR", "conditions": []}}},
        {"OWN": {"properties": ["id"] * 51}},
        {"OWN": {"properties": ["id"], "filter": {"text": "x" * 20_000}}},
    ],
)
def test_an_email_push_that_cannot_be_followed_is_refused(alice: Device, config: dict[str, Any]) -> None:
    config = {alice.account if name == "OWN" else name: value for name, value in config.items()}
    assert alice.refused(keys=KEYS, emailPush=config)["properties"] == ["emailPush"]
    record_id = alice.subscribe(keys=KEYS)["id"]
    assert alice.not_updated(record_id, emailPush=config)["properties"] == ["emailPush"]


def test_what_is_in_messages_is_only_pushed_encrypted(alice: Device) -> None:
    """draft-ietf-jmap-emailpush-03 §6."""
    config = {alice.account: {"filter": {"from": "x"}, "properties": ["id", "subject"], "urgency": "high"}}
    assert "keys" in alice.refused(emailPush=config)["properties"]
    assert alice.not_updated(alice.subscribe()["id"], emailPush=config)["properties"] == ["emailPush"]
    record_id = alice.subscribe(keys=KEYS, emailPush=config)["id"]
    assert alice.get("PushSubscription", record_id)["emailPush"] == config
