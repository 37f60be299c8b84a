"""What rules make of changes on their way, as clients see it; and pings by the clock of the fixture."""

from __future__ import annotations

import http.server
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from jmaplite.dev.directory import PAGE, FixtureDirectory
from jmaplite.directory import Principal
from jmaplite.directory.memory import Entry, MemoryDirectory
from jmaplite.directory.tokens import credential, hash_token
from tests.dev.conftest import USING, Site
from tests.web import events, serving, sockets

ALICE, BOB = "Bearer alice-token", "Bearer bob-token"
EMAIL_PUSH = "urn:ietf:params:jmap:emailpush"
THROTTLES = {"jmap.event-source.throttle": "0s", "jmap.web-socket.throttle": "0s", "jmap.push.throttle": "0s"}


@pytest.fixture
def prompt(site: Site) -> Site:
    """A fixture that tells of each change at once."""
    site.control("PATCH", "/settings", {"options": THROTTLES})
    return site


def served(site: Site) -> serving.Site:
    """The same server for those who speak to it as other tests do."""
    return serving.Site(urlsplit(site.url).port or 0, SimpleNamespace())  # type: ignore[arg-type]


def stream(site: Site, last: str = "", ping: int = 0) -> Any:
    return events.stream(served(site), "Mailbox", last=last, ping=ping, Authorization=ALICE)


@contextmanager
def pushing(site: Site, since: str | None = None) -> Iterator[sockets.Client]:
    """A WebSocket on which push is enabled."""
    with sockets.opened(served(site), authorization=ALICE) as client:
        client.tell({"@type": "WebSocketPushEnable", "dataTypes": ["Mailbox"], "pushState": since})
        assert client.ask(["Core/echo", {}, "0"])["@type"] == "Response"
        yield client


def rule(site: Site, effect: dict[str, Any], times: int | None = 1, **match: Any) -> str:
    return str(site.control("POST", "/faults", {"match": match, "effect": effect, "times": times})["id"])


def fired(site: Site, rule_id: str) -> int:
    return int(next(one["fired"] for one in site.control("GET", "/faults")["faults"] if one["id"] == rule_id))


def wait_until_fired(site: Site, rule_id: str) -> None:
    """Look until a rule has fired; each look is a request, and there are so many and no more."""
    assert any(fired(site, rule_id) for _ in range(2000))


def change(site: Site, name: str) -> str:
    """Make a Mailbox; answers the state of after."""
    return str(site.call("Mailbox/set", create={"m": {"name": name}})["newState"])


def told(found: events.Event) -> str:
    ((states),) = found.changed.values()
    return str(states["Mailbox"])


def heard(client: sockets.Client) -> tuple[str, str]:
    """The state that the next message tells, and its pushState."""
    message = client.hear()
    ((states),) = message["changed"].values()
    return states["Mailbox"], message["pushState"]


def test_a_change_is_lost_and_the_next_is_told(prompt: Site) -> None:
    number = rule(prompt, {"push": "drop"}, transport="eventsource", user="alice@example.org")
    with stream(prompt) as found:
        found.block()
        change(prompt, "lost")
        wait_until_fired(prompt, number)
        state = change(prompt, "told")
        assert told(found.next()) == state


def test_what_was_missed_may_be_lost_too_and_the_stream_begins(prompt: Site) -> None:
    with stream(prompt) as found:
        found.block()
        last = found.last_id
    change(prompt, "missed")
    number = rule(prompt, {"push": "drop"}, transport="eventsource")
    with stream(prompt, last) as found:
        place = found.block()
        assert place is not None
        assert (place.kind, place.id != last, fired(prompt, number)) == ("", True, 1)


@pytest.mark.parametrize("effect", [{"push": "repeat"}, {"push": "repeat", "delay": 0.01}])
def test_a_change_is_told_twice(prompt: Site, effect: dict[str, Any]) -> None:
    rule(prompt, effect, transport="eventsource")
    with stream(prompt) as found, pushing(prompt) as client:
        found.block()
        state = change(prompt, "twice")
        first, second = found.next(), found.next()
        assert first == second
        assert told(first) == heard(client)[0] == state
        state = change(prompt, "again")
        assert told(found.next()) == heard(client)[0] == state


def test_a_change_is_told_late(prompt: Site) -> None:
    number = rule(prompt, {"push": "delay", "delay": 0.05})
    with stream(prompt) as found:
        found.block()
        state = change(prompt, "late")
        assert (told(found.next()), fired(prompt, number)) == (state, 1)


def test_who_does_not_wait_for_what_is_late_is_told_when_it_comes_back(prompt: Site) -> None:
    with pushing(prompt) as client:
        change(prompt, "first")
        _, since = heard(client)
        number = rule(prompt, {"push": "delay", "delay": 3600}, transport="websocket")
        state = change(prompt, "late")
        wait_until_fired(prompt, number)
        client.tell({"@type": "WebSocketPushDisable"})
        client.tell({"@type": "WebSocketPushEnable", "dataTypes": ["Mailbox"], "pushState": since})
        assert heard(client)[0] == state


def test_what_is_late_holds_up_no_request(prompt: Site) -> None:
    with pushing(prompt) as client:
        change(prompt, "first")
        _, since = heard(client)
    change(prompt, "late")
    number = rule(prompt, {"push": "delay", "delay": 3600}, transport="websocket")
    with pushing(prompt, since):
        assert fired(prompt, number) == 1


def test_a_stream_ends_instead_and_who_comes_back_has_missed_nothing(prompt: Site) -> None:
    rule(prompt, {"dropStream": True}, transport="eventsource")
    with stream(prompt) as found:
        found.block()
        last = found.last_id
        state = change(prompt, "instead")
        with suppress(ConnectionError):
            assert found.block() is None
    with stream(prompt, last) as found:
        assert told(found.next()) == state


def test_a_websocket_ends_instead_and_who_comes_back_has_missed_nothing(prompt: Site) -> None:
    with pushing(prompt) as client:
        change(prompt, "first")
        _, since = heard(client)
        rule(prompt, {"dropStream": True, "delay": 0.01}, path="/jmap/ws/")
        state = change(prompt, "instead")
        with pytest.raises((ConnectionError, sockets.Closed)) as ended:
            client.hear()
        assert getattr(ended.value, "code", 0) == 0
    with sockets.opened(served(prompt), authorization=ALICE) as client:
        client.tell({"@type": "WebSocketPushEnable", "dataTypes": ["Mailbox"], "pushState": since})
        assert heard(client)[0] == state


def test_a_handshake_fails_with_a_status_or_without_an_answer(site: Site) -> None:
    rule(site, {"status": 503, "retryAfter": 7}, path="/jmap/ws/", user="alice@example.org")
    with sockets.opened(served(site), authorization=BOB) as client:
        assert client.status == 101
    with sockets.opened(served(site), authorization=ALICE) as client:
        assert (client.status, dict(client.headers)[b"retry-after"]) == (503, b"7")
    rule(site, {"cut": True}, path="/jmap/ws/")
    with pytest.raises((ConnectionError, sockets.Closed)), sockets.opened(served(site), authorization=ALICE):
        pass
    with sockets.opened(served(site), authorization=ALICE) as client:
        assert client.ask()["@type"] == "Response"


def test_only_who_is_meant_is_told_wrong(prompt: Site) -> None:
    team = next(one["accountId"] for one in prompt.control("GET", "/")["users"] if one["kind"] == "group")
    for match in ({"user": "bob@example.org"}, {"account": team}, {"transport": "push"}, {"path": "/jmap/ws/"}):
        rule(prompt, {"push": "drop"}, None, **match)
    with stream(prompt) as found:
        found.block()
        state = change(prompt, "right")
        assert told(found.next()) == state


def test_rules_of_pushes_are_for_nothing_else(prompt: Site) -> None:
    number = rule(prompt, {"push": "drop"}, None)
    change(prompt, "quiet")
    assert fired(prompt, number) == 0


@contextmanager
def push_service() -> Iterator[tuple[str, queue.Queue[Any]]]:
    """The URL of a device, and what is posted to it."""
    posted: queue.Queue[Any] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/device", posted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_web_push_is_lost_or_posted_twice(prompt: Site) -> None:
    def subscription(**arguments: Any) -> Any:
        return prompt.jmap(["PushSubscription/set", arguments, "0"], using=[*USING, EMAIL_PUSH])[0][1]

    with push_service() as (url, posted):
        properties = {"deviceClientId": "d", "url": url, "types": ["Mailbox"]}
        made = subscription(create={"k": properties})["created"]["k"]["id"]
        code = posted.get(timeout=30)["verificationCode"]
        subscription(update={made: {"verificationCode": code}})
        lost = rule(prompt, {"push": "drop"}, transport="push", user="alice@example.org", path="*/device")
        rule(prompt, {"dropStream": True}, None)
        change(prompt, "lost")
        wait_until_fired(prompt, lost)
        rule(prompt, {"push": "repeat"}, transport="push", account=prompt.account())
        state = change(prompt, "twice")
        for _ in range(2):
            assert posted.get(timeout=30)["changed"] == {prompt.account(): {"Mailbox": state}}


def test_a_delay_of_pushes_says_how_long(site: Site) -> None:
    problem = site.control("POST", "/faults", {"effect": {"push": "delay"}}, status=400)
    assert "seconds" in problem["detail"]


def polls(site: Site) -> int:
    """How many warnings of polling there are, after as many calls as make one."""
    for _ in range(10):
        site.call("Email/query", limit=1)
    return sum(
        one["rule"] == "polling"
        for exchange in site.control("GET", "/exchanges")["exchanges"]
        for one in exchange["warnings"]
    )


def test_who_polls_while_changes_are_pushed_is_warned(site: Site) -> None:
    with sockets.opened(served(site), authorization=ALICE):
        assert polls(site) == 0
    with stream(site) as found:
        found.block()
        assert site.fixture.streams("alice@example.org")
        assert not site.fixture.streams("bob@example.org")
        assert polls(site) > 0


def test_pings_come_by_the_clock_of_the_fixture(prompt: Site) -> None:
    prompt.control("POST", "/clock", {"frozen": True})
    with stream(prompt, ping=3600) as found:
        prompt.control("POST", "/clock", {"advance": 3599})
        state = change(prompt, "before")
        assert told(found.next()) == state
        prompt.control("POST", "/clock", {"advance": 3600})
        assert found.next().kind == "ping"
        prompt.control("POST", "/clock", {"reset": True})
        prompt.control("POST", "/clock", {"advance": 3600})
        assert found.next().kind == "ping"


def test_events_are_logged_with_who_asks(site: Site) -> None:
    with stream(site) as found:
        found.block()
    (logged,) = site.control("GET", "/exchanges?transport=eventsource")["exchanges"]
    assert logged["user"] == "alice@example.org"


def test_a_rule_for_a_user_is_for_bearer_tokens_too(site: Site) -> None:
    rule(site, {"status": 503}, user="alice@example.org", path="/jmap/eventsource/")
    path = "/jmap/eventsource/?types=*&closeafter=no&ping=0"
    assert served(site).ask("GET", path, authorization=BOB + "x").status == 401
    assert served(site).ask("GET", path, authorization=ALICE).status == 503


def test_who_is_taken_away_is_told_no_more(site: Site) -> None:
    made = site.control("POST", "/users", {"password": "pw"}, status=201)
    bearer = f"Bearer {made['token']}"
    with (
        events.stream(served(site), Authorization=bearer) as watching,
        sockets.opened(served(site), authorization=bearer) as client,
    ):
        assert watching.block()
        site.control("DELETE", f"/users/{made['name']}")
        assert watching.block() is None
        assert client.ended() == 1008


def test_who_was_made_after_the_beginning_is_told_nothing_more_after_a_reset(site: Site) -> None:
    made = site.control("POST", "/users", {"password": "pw"}, status=201)
    with events.stream(served(site), Authorization=f"Bearer {made['token']}") as watching, stream(site) as other:
        assert watching.block()
        assert other.block()
        site.control("POST", "/reset")
        assert watching.block() is None
        assert other.next().kind == "state"


def test_what_lets_somebody_in_is_known_as_long_as_it_does() -> None:
    ann = Principal("ann")
    directory = FixtureDirectory(MemoryDirectory((Entry(ann, ("pw",), (hash_token("ann-token"),)),)))
    directory.make("bob", "word", token="bob-token")
    passwords = [directory.verify_password(*proof) for proof in (("ann", "pw"), ("bob", "word"))]
    tokens = [credential("ann-token"), credential("bob-token")]
    for found, token in zip(passwords, tokens, strict=True):
        assert found is not None
        assert directory.credentials(found.name) == {found.credential, token, PAGE}
    directory.base = MemoryDirectory((Entry(ann, ("another",), ()),))
    directory.remove("bob")
    assert not directory.credentials("ann") & {*tokens, *(found.credential for found in passwords if found)}
    assert directory.credentials("bob") == {PAGE}
