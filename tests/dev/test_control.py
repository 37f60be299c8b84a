"""The control API over the wire: what tests of clients do between their steps."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from jmaplite.config import load
from jmaplite.dev.web import ALL, API
from tests.dev.conftest import Site

ROOT = Path(__file__).parents[2]
MESSAGE = "From: a@b.example\nSubject: Hello\nMessage-ID: <1@b.example>\n\nText\n"


def test_there_are_two_users_and_a_shared_account(site: Site) -> None:
    users = {one["name"]: one for one in site.control("GET", "/")["users"]}
    assert [users[name]["kind"] for name in sorted(users)] == ["individual", "individual", "group"]
    for name in ("alice", "bob"):
        session = site.session(f"{name}-token")
        assert session["username"] == f"{name}@example.org"
        assert set(session["accounts"]) == {
            users[f"{name}@example.org"]["accountId"],
            users["team@example.org"]["accountId"],
        }


def test_there_are_no_calendars_yet_as_is_said_of_the_suites_of_others(site: Site) -> None:
    assert "urn:ietf:params:jmap:calendars" not in site.session()["capabilities"]
    assert "no calendars here yet" in (ROOT / "docs" / "fixture.md").read_text(encoding="utf-8").replace("\n", " ")


def test_a_message_is_delivered_as_it_is(site: Site) -> None:
    site.control(
        "POST",
        "/deliver",
        {
            "account": "alice@example.org",
            "text": MESSAGE,
            "keywords": ["$Flagged"],
            "mailbox": "Lists/jmap",
            "receivedAt": "2030-01-02T03:04:05Z",
        },
    )
    (email,) = site.jmap(
        ["Email/query", {"accountId": site.account()}, "q"],
        [
            "Email/get",
            {
                "accountId": site.account(),
                "#ids": {"resultOf": "q", "name": "Email/query", "path": "/ids"},
                "properties": ["subject", "keywords", "receivedAt", "mailboxIds"],
            },
            "g",
        ],
    )[1][1]["list"]
    assert (email["subject"], email["keywords"], email["receivedAt"]) == (
        "Hello",
        {"$flagged": True},
        "2030-01-02T03:04:05Z",
    )
    boxes = {box["id"]: box["name"] for box in site.call("Mailbox/get", ids=None)["list"]}
    assert [boxes[box] for box in email["mailboxIds"]] == ["jmap"]


def test_threads_are_made_up_from_a_seed(site: Site) -> None:
    made = site.control("POST", "/generate", {"account": "alice@example.org", "threads": 12, "seed": "s"})
    assert made["messages"] == site.count() >= 12
    assert site.call("Email/query", collapseThreads=True, calculateTotal=True)["total"] == 12
    site.control("POST", "/generate", {"account": "bob@example.org", "threads": 12, "seed": "s"})
    subjects = [
        sorted(
            one["subject"]
            for one in site.call(
                "Email/get", token, ids=site.call("Email/query", token)["ids"], properties=["subject"]
            )["list"]
        )
        for token in ("alice-token", "bob-token")
    ]
    assert subjects[0] == subjects[1]


def test_a_reset_goes_back_to_the_beginning(site: Site) -> None:
    before = site.session()
    site.control("POST", "/generate", {"account": "alice@example.org", "threads": 5})
    user = site.control("POST", "/users", {"name": "carol@example.org"})
    site.control("POST", "/clock", {"frozen": True, "set": "2040-01-01T00:00:00Z"})
    site.control("POST", "/faults", {"effect": {"status": 500}})
    site.control("PATCH", "/settings", {"options": {"jmap.protocol.get.max-objects": 7}})
    state = site.fixture.engine.services.store.epoch
    assert site.control("POST", "/reset") == {"accounts": 3}
    assert site.session() == before
    assert site.count() == 0
    assert site.ask("GET", "/.well-known/jmap", token=user["token"])[0] == 401
    assert site.control("GET", "/clock")["frozen"] is False
    assert site.control("GET", "/faults") == {"faults": []}
    assert site.fixture.engine.services.store.epoch != state


def test_what_a_client_knew_before_a_reset_is_not_valid_after_it(site: Site) -> None:
    state = site.call("Email/get", ids=[])["state"]
    site.control("POST", "/reset")
    assert site.call("Email/changes", sinceState=state)["type"] == "cannotCalculateChanges"


def test_states_and_ids_are_the_same_for_the_same_seed(site: Site) -> None:
    def run() -> Any:
        site.control("POST", "/reset", {"seed": "fixed"})
        site.control("POST", "/deliver", {"account": "alice@example.org", "text": MESSAGE})
        return site.call("Email/query")

    first = run()
    site.control("POST", "/generate", {"account": "alice@example.org", "threads": 3})
    assert run() == first
    assert first["ids"]


def test_a_snapshot_is_put_back_with_users_accounts_and_mail(site: Site) -> None:
    site.control("POST", "/deliver", {"account": "alice@example.org", "text": MESSAGE})
    ids = site.call("Email/query")["ids"]
    site.control("PUT", "/snapshots/one")
    site.control("POST", "/generate", {"account": "alice@example.org", "threads": 5})
    site.call("Email/set", destroy=ids)
    assert site.control("POST", "/snapshots/one/restore") == {"name": "one", "accounts": 3}
    assert site.call("Email/query")["ids"] == ids
    assert site.control("GET", "/")["snapshots"] == ["initial", "one"]
    site.control("DELETE", "/snapshots/one")
    site.control("POST", "/snapshots/one/restore", status=404)


def test_large_blobs_are_put_back_too(site: Site) -> None:
    large = "Subject: Large\n\n" + "x" * 200_000 + "\n"
    site.control("POST", "/deliver", {"account": "alice@example.org", "text": large})
    site.control("PUT", "/snapshots/large")
    site.control("POST", "/reset")
    assert site.count() == 0
    site.control("POST", "/snapshots/large/restore")
    (blob,) = (one["blobId"] for one in site.call("Email/get", ids=site.call("Email/query")["ids"])["list"])
    path = f"/jmap/download/{site.account()}/{blob}/x?type=text/plain"
    status, octets, _ = site.ask("GET", path, token="alice-token")
    assert (status, len(octets)) == (200, len(large.replace("\n", "\r\n")))


def test_a_fresh_user_has_an_account_at_once(site: Site) -> None:
    made = site.control("POST", "/users", {"password": "pw", "groups": ["team@example.org"]}, status=201)
    session = site.session(made["token"])
    assert session["primaryAccounts"]["urn:ietf:params:jmap:mail"] == made["accountId"]
    assert len(session["accounts"]) == 2
    roles = {box["role"] for box in site.call("Mailbox/get", made["token"], ids=None)["list"]}
    assert "inbox" in roles
    site.control("POST", "/users", {"name": made["name"]}, status=409)
    site.control("POST", "/users", {"name": "with space"}, status=400)
    site.control("DELETE", f"/users/{made['name']}")
    site.control("DELETE", f"/users/{made['name']}", status=404)


def test_the_clock_decides_what_is_received_when(site: Site) -> None:
    site.control("POST", "/clock", {"set": "2031-05-06T07:08:09Z", "frozen": True})
    site.control("POST", "/deliver", {"account": "alice@example.org", "text": MESSAGE})
    assert site.control("POST", "/clock", {"advance": 3600})["now"] == "2031-05-06T08:08:09Z"
    found = site.call("Email/get", ids=site.call("Email/query")["ids"], properties=["receivedAt"])
    assert found["list"][0]["receivedAt"] == "2031-05-06T07:08:09Z"
    site.control("POST", "/clock", {"set": "yesterday"}, status=400)
    site.control("POST", "/clock", {"advance": 1e300}, status=400)


def test_uploads_expire_by_the_clock(site: Site) -> None:
    account = site.account()
    _, blob, _ = site.ask("POST", f"/jmap/upload/{account}/", raw=b"x", token="alice-token")
    path = f"/jmap/download/{account}/{blob['blobId']}/x?type=text/plain"
    assert site.ask("GET", path, token="alice-token")[0] == 200
    site.control("POST", "/clock", {"advance": 3700})
    assert site.ask("GET", path, token="alice-token")[0] == 404


def test_waiting_ends_when_it_holds(site: Site) -> None:
    wanted = {"user": "alice@example.org", "method": "Email/query", "arguments": {}, "pointer": "/ids", "atLeast": 1}
    site.control("POST", "/wait", {**wanted, "timeout": 0}, status=408)
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.append(site.control("POST", "/wait", wanted)))
    waiting.start()
    site.control("POST", "/deliver", {"account": "alice@example.org", "text": MESSAGE})
    waiting.join(30)
    assert found[0]["fulfilled"] is True
    assert len(found[0]["response"][1]["ids"]) == 1


def test_options_are_changed_at_run_time_and_mistakes_change_nothing(site: Site) -> None:
    core = "urn:ietf:params:jmap:core"
    site.control("PATCH", "/settings", {"options": {"jmap.protocol.get.max-objects": 3}})
    assert site.session()["capabilities"][core]["maxObjectsInGet"] == 3
    assert site.call("Email/get", ids=["a", "b", "c", "d"])["type"] == "requestTooLarge"
    told = site.control("PATCH", "/settings", {"options": {"jmap.protocol.get.max-objekts": 3}}, status=400)
    assert "max-objekts" in told["detail"]
    assert site.session()["capabilities"][core]["maxObjectsInGet"] == 3
    site.control("PATCH", "/settings", {"options": {"jmap.protocol.get.max-objects": None}})
    assert site.session()["capabilities"][core]["maxObjectsInGet"] == 500


@pytest.mark.parametrize(("profile", "largest"), [("cyrus", 2**30), ("stalwart", 50_000_000), ("james", 31_457_280)])
def test_a_profile_looks_like_another_server(site: Site, profile: str, largest: int) -> None:
    core = "urn:ietf:params:jmap:core"
    site.control("PATCH", "/settings", {"profile": profile})
    assert site.session()["capabilities"][core]["maxSizeUpload"] == largest
    site.control("PATCH", "/settings", {"profile": "jmaplite"})
    assert site.session()["capabilities"][core]["maxSizeUpload"] == 50_000_000
    site.control("PATCH", "/settings", {"profile": "exchange"}, status=404)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/deliver", {"account": "nobody", "text": "x"}, 404),
        ("POST", "/deliver", {"account": "alice@example.org"}, 400),
        ("POST", "/deliver", {"account": "alice@example.org", "base64": "%"}, 400),
        ("POST", "/deliver", {"account": "alice@example.org", "text": "x", "keywords": ["a b"]}, 400),
        ("POST", "/deliver", {"account": 5, "text": "x"}, 400),
        ("POST", "/generate", {"account": "alice@example.org", "threads": 10**9}, 400),
        ("POST", "/generate", {"threads": 1}, 400),
        ("POST", "/faults", {"effect": {}}, 400),
        ("POST", "/faults", [], 400),
        ("DELETE", "/faults/none", None, 404),
        ("GET", "/exchanges/0", None, 404),
        ("GET", "/exchanges/x", None, 404),
        ("GET", "/exchanges?limit=many", None, 400),
        ("GET", "/exchanges?colour=red", None, 400),
        ("POST", "/reset", {"more": 1}, 400),
        ("POST", "/wait", {"user": "nobody", "method": "Core/echo", "arguments": {}}, 404),
        ("GET", "/nothing", None, 404),
        ("PUT", "/reset", None, 405),
    ],
)
def test_what_cannot_be_done_is_told(site: Site, method: str, path: str, body: Any, status: int) -> None:
    assert site.control(method, path, body, status=status)["detail"]


@pytest.mark.parametrize("raw", [b"{", b"\xff", b'"text"', b'{"a":1,"a":2}'])
def test_a_body_that_is_no_json_is_told(site: Site, raw: bytes) -> None:
    status, answer, _ = site.ask("POST", f"{API}/reset", raw=raw)
    assert (status, bool(answer["detail"])) == (400, True)


def test_a_body_that_is_too_large_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jmaplite.dev.web.MOST_OCTETS", 10)
    status, answer, _ = site.ask("POST", f"{API}/reset", raw=b" " * 11)
    assert (status, bool(answer["detail"])) == (413, True)


def test_everything_is_described(site: Site) -> None:
    described = site.control("GET", "/openapi.json")
    assert described["openapi"].startswith("3.1")
    found = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    assert found == {(one.method, one.path) for one in ALL}


def test_without_dev_there_is_nothing_of_it(tmp_path: Path) -> None:
    from tests.web.serving import serving

    with serving(tmp_path) as plain:
        for path in ("/dev/", "/dev/api/", "/dev/api/reset", "/dev/api/openapi.json"):
            assert plain.ask("GET", path).status == 404


def test_accounts_that_have_not_changed_are_put_back_too_as_far_as_clients_can_tell(site: Site) -> None:
    site.control("POST", "/deliver", {"account": "alice@example.org", "text": MESSAGE})
    site.control("PUT", "/snapshots/one")
    site.control("PUT", "/snapshots/two")
    states = {site.call("Email/get", ids=[])["state"]}
    for name in ("one", "two", "one"):
        site.control("POST", f"/snapshots/{name}/restore")
        states.add(site.call("Email/get", ids=[])["state"])
        assert site.count() == 1
    assert len(states) == 4
    site.control("DELETE", "/snapshots/one")
    site.control("POST", "/generate", {"account": "alice@example.org", "threads": 2})
    site.control("POST", "/snapshots/two/restore")
    assert site.count() == 1
    site.control("POST", "/reset")
    assert site.count() == 0


def test_what_a_connected_client_is_told_of_a_reset_does_not_depend_on_changes(site: Site) -> None:
    changed: list[str] = []
    stop = site.fixture.engine.services.store.feed.listen(lambda change: changed.append(change.account_id))
    try:
        for _ in range(2):
            changed.clear()
            site.control("POST", "/reset")
            assert site.account() in changed
    finally:
        stop()


def test_another_version_of_the_file_leaves_users_rules_and_clock(site: Site, tmp_path: Path) -> None:
    carol = site.control("POST", "/users", {"name": "carol@example.org"})
    site.control("POST", "/faults", {"id": "mine", "match": {"method": "Email/copy"}, "effect": {"delay": 1}})
    site.control("POST", "/clock", {"frozen": True, "set": "2040-01-01T00:00:00Z"})
    site.control("PATCH", "/settings", {"options": {"jmap.protocol.get.max-objects": 7}})
    path = tmp_path / "config.toml"
    path.write_text(path.read_text() + "\n[jmap.protocol.set]\nmax-objects = 9\n")
    reload(site, path)
    core = site.session(carol["token"])["capabilities"]["urn:ietf:params:jmap:core"]
    assert (core["maxObjectsInGet"], core["maxObjectsInSet"]) == (500, 9)
    assert [one["id"] for one in site.control("GET", "/faults")["faults"]] == ["mine"]
    assert site.control("GET", "/clock")["now"] == "2040-01-01T00:00:00Z"
    assert site.control("PATCH", "/settings", {"options": {"jmap.protocol.get.max-objects": 8}})
    core = site.session()["capabilities"]["urn:ietf:params:jmap:core"]
    assert (core["maxObjectsInGet"], core["maxObjectsInSet"]) == (8, 9)


def test_a_file_without_a_fixture_takes_it_away(site: Site, tmp_path: Path) -> None:
    site.control("POST", "/faults", {"effect": {"status": 500}})
    path = tmp_path / "config.toml"
    path.write_text(path.read_text().replace("enable = true", "enable = false"))
    reload(site, path)
    assert site.ask("GET", "/dev/api/")[0] == 404
    assert site.session()


def reload(site: Site, path: Path) -> None:
    """Take up another version of the file, as a server does that watches it."""
    fixture = site.fixture
    asyncio.run_coroutine_threadsafe(fixture._server.reload(load(path)), fixture._loop).result(30)


def test_there_need_not_be_a_control_api(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(path.read_text().replace("enable = true", "enable = true\ncontrol = false"))
    reload(site, path)
    for where in ("/dev/api/", "/dev/api/openapi.json", "/dev/"):
        assert site.ask("GET", where)[0] == 404
    assert site.session()


def test_many_users_are_made_and_taken_away_one_by_one(site: Site) -> None:
    made = [site.control("POST", "/users", {}) for _ in range(120)]
    for one in made[::-3]:
        assert site.session(one["token"])["username"] == one["name"]
    for one in made[::2]:
        site.control("DELETE", f"/users/{one['name']}")
    there = {one["name"] for one in site.control("GET", "/")["users"]}
    assert {one["name"] for one in made} & there == {one["name"] for one in made[1::2]}
    assert site.ask("GET", "/.well-known/jmap", token=made[0]["token"])[0] == 401
    assert site.session(made[119]["token"])
    site.control("POST", "/users", {"name": made[0]["name"]})
    site.control("POST", "/users", {"name": made[1]["name"]}, status=409)
