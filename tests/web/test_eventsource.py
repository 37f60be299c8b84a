"""Changes as a stream of events (RFC 8620 §7.3)."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from jmaplite.push import Hub
from tests.web.events import PATH, Event, stream
from tests.web.serving import DEMO, TOKEN, Site, problem, serving, until

MAIL = "urn:ietf:params:jmap:mail"
WHOLE = f"{PATH}?types=*&closeafter=no&ping=0"
NO_THROTTLE = 'event-source.throttle = "0s"'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("site"), NO_THROTTLE) as site:
        yield site


def change(site: Site, name: str = "x") -> None:
    """Make and destroy a Mailbox."""
    made = site.call(["Mailbox/set", {"accountId": site.account, "create": {"a": {"name": name}}}, "0"], using=(MAIL,))
    created = made.json["methodResponses"][0][1]["created"]["a"]["id"]
    destroy = {"accountId": site.account, "destroy": [created]}
    assert site.call(["Mailbox/set", destroy, "0"], using=(MAIL,)).json["methodResponses"][0][1]["destroyed"]


def state(site: Site, name: str = "Mailbox") -> str:
    answer = site.call([f"{name}/get", {"accountId": site.account, "ids": []}, "0"], using=(MAIL,))
    found: str = answer.json["methodResponses"][0][1]["state"]
    return found


def test_a_change_is_told_with_the_state_that_get_answers(site: Site) -> None:
    with stream(site) as events:
        change(site)
        told = events.next()
        while told.changed[site.account]["Mailbox"] != state(site):
            told = events.next()
        assert told.kind == "state"
        assert told.changed == {site.account: {"Mailbox": state(site)}}
        assert told.id


def test_the_answer_is_of_the_right_type_and_nobody_may_keep_it(site: Site) -> None:
    with stream(site, Accept_Encoding="gzip, deflate, br") as events:
        headers = events.response.headers
        assert headers["Content-Type"] == "text/event-stream"
        assert headers["Content-Encoding"] is None
        assert headers["Content-Length"] is None
        assert headers["X-Accel-Buffering"] == "no"
        assert headers["Cache-Control"] == "no-store, no-transform"


def test_head_gives_the_head_alone(site: Site) -> None:
    answer = site.ask("HEAD", WHOLE)
    assert (answer.status, answer.header("content-type"), answer.octets) == (200, "text/event-stream", b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_stream_is_only_there_to_be_got(site: Site, method: str) -> None:
    answer = site.ask(method, WHOLE)
    assert answer.status == 405
    assert answer.header("allow") == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?types=*",
        "?types=*&closeafter=no",
        "?closeafter=no&ping=0",
        "?types=&closeafter=no&ping=0",
        "?types=Email,&closeafter=no&ping=0",
        "?types=*,Email&closeafter=no&ping=0",
        "?types=E%0Amail&closeafter=no&ping=0",
        "?types=*&closeafter=&ping=0",
        "?types=*&closeafter=yes&ping=0",
        "?types=*&closeafter=no&ping=",
        "?types=*&closeafter=no&ping=-1",
        "?types=*&closeafter=no&ping=1.5",
        "?types=*&closeafter=no&ping=%D9%A3",
        "?types=*&closeafter=no&ping=" + "9" * 5000,
        "?types=*&types=*&closeafter=no&ping=0",
    ],
)
def test_variables_that_are_missing_or_wrong_are_refused(site: Site, query: str) -> None:
    answer = site.ask("GET", PATH + query)
    assert problem(answer)["status"] == 400


def test_who_does_not_log_in_is_told_nothing(site: Site) -> None:
    assert site.ask("GET", WHOLE, authorization=None).status == 401


def test_only_types_that_are_asked_for_are_told(site: Site) -> None:
    with stream(site, "Email,Identity,Nonsense") as events, stream(site, "Mailbox") as others:
        change(site)
        assert others.next().changed.keys() == {site.account}
        identity = {"name": "Demo", "email": "demo@example.org"}
        using = ("urn:ietf:params:jmap:submission",)
        site.call(["Identity/set", {"accountId": site.account, "create": {"a": identity}}, "0"], using=using)
        assert events.next().changed[site.account].keys() == {"Identity"}


def test_a_message_that_comes_is_a_delivery_and_one_that_is_read_is_none(site: Site) -> None:
    boxes = site.call(["Mailbox/get", {"accountId": site.account}, "0"], using=(MAIL,)).json["methodResponses"][0][1]
    inbox = boxes["list"][0]["id"]
    email = {"blobId": site.upload(b"Subject: x\r\n\r\ny"), "mailboxIds": {inbox: True}}
    with stream(site, "EmailDelivery,Email") as events:
        imported = site.call(
            ["Email/import", {"accountId": site.account, "emails": {"a": email}}, "0"], using=(MAIL,)
        ).json["methodResponses"][0][1]
        assert events.next().changed[site.account].keys() == {"Email", "EmailDelivery"}
        seen = {imported["created"]["a"]["id"]: {"keywords/$seen": True}}
        site.call(["Email/set", {"accountId": site.account, "update": seen}, "0"], using=(MAIL,))
        assert events.next().changed[site.account].keys() == {"Email"}


def test_a_stream_may_be_over_after_one_event(site: Site) -> None:
    with stream(site, closeafter="state") as events:
        change(site)
        events.next()
        assert events.block() is None


@pytest.mark.parametrize("by", ["header", "query"])
def test_who_comes_back_is_told_at_once_what_it_has_missed(site: Site, by: str) -> None:
    with stream(site) as events:
        assert events.block() is not None
    change(site)
    where = {"Last_Event_ID": events.last_id} if by == "header" else {"more": f"&lastEventId={events.last_id}"}
    with stream(site, closeafter="state", **where) as events:
        assert events.next().changed == {site.account: {"Mailbox": state(site)}}
        assert events.block() is None


def test_who_has_missed_nothing_is_told_nothing(site: Site) -> None:
    with stream(site) as events:
        events.block()
    with stream(site, Last_Event_ID=events.last_id) as again:
        begin = again.block()
        assert begin is not None
        assert (begin.kind, begin.id, begin.data) == ("", events.last_id, "")


@pytest.mark.parametrize("last_id", ["x", "0", "\xff", "~" * 1000])
def test_who_names_an_event_that_never_was_is_told_everything(site: Site, last_id: str) -> None:
    with stream(site, closeafter="state", Last_Event_ID=last_id) as events:
        changed = events.next().changed
    assert changed.keys() == site.session["accounts"].keys()
    assert changed[site.account]["Mailbox"] == state(site)
    assert changed[site.account]["Thread"] == state(site, "Thread")


@pytest.mark.parametrize(("asked", "interval"), [(1, 5), (30, 30), (300, 300), (10**80, 3600)])
def test_the_interval_of_pings_is_kept_within_bounds(
    site: Site, monkeypatch: pytest.MonkeyPatch, asked: int, interval: int
) -> None:
    hasty = lambda hub, seconds: asyncio.timeout(0 if seconds == interval else seconds)  # noqa: E731
    monkeypatch.setattr(Hub, "patience", hasty)
    with stream(site, ping=asked) as events:
        begin, ping, place = events.block(), events.block(), events.block()
    assert begin == Event("", "", "")
    assert ping is not None
    assert (ping.kind, ping.id, json.loads(ping.data)) == ("ping", "", {"interval": interval})
    assert place is not None
    assert (place.kind, place.data) == ("", "")
    assert place.id


def test_a_ticket_is_good_once(site: Site) -> None:
    given = site.ask("POST", site.session["ticketUrl"])
    assert given.status == 201
    assert given.header("cache-control") == "no-store"
    ticket = given.json["ticket"]
    with stream(site, Authorization="", more=f"&ticket={ticket}") as events:
        change(site)
        events.next()
    again = site.ask("GET", f"{WHOLE}&ticket={ticket}", authorization=None)
    assert problem(again)["status"] == 401
    assert ticket not in again.octets.decode()


def test_a_ticket_is_given_to_who_has_logged_in_only(site: Site) -> None:
    assert site.ask("POST", "/jmap/ticket/", authorization=None).status == 401
    assert site.ask("GET", "/jmap/ticket/").status == 405


@pytest.mark.parametrize(
    "query", ["ticket=", "ticket=x", "ticket=" + "x" * 5000, "access_token=", "access_token=x%0Ay"]
)
def test_a_ticket_that_is_none_is_refused_even_with_a_header(site: Site, query: str) -> None:
    assert site.ask("GET", f"{WHOLE}&{query}", authorization=DEMO).status == 401


def test_a_token_in_the_query_is_taken_here_and_nowhere_else(site: Site) -> None:
    with stream(site, Authorization="", more=f"&access_token={TOKEN}"):
        pass
    assert site.ask("GET", f"/.well-known/jmap?access_token={TOKEN}", authorization=None).status == 401
    ticket = site.ask("POST", "/jmap/ticket/").json["ticket"]
    assert site.ask("GET", f"/.well-known/jmap?ticket={ticket}", authorization=None).status == 401


def test_changes_in_a_group_are_told_to_its_members(site: Site) -> None:
    team = next(one for one, about in site.session["accounts"].items() if not about["isPersonal"])
    with stream(site) as events:
        create = {"accountId": team, "create": {"a": {"name": "shared"}}}
        site.call(["Mailbox/set", create, "0"], using=(MAIL,))
        assert events.next().changed.keys() == {team}


def test_a_client_that_goes_is_noticed_at_once(site: Site) -> None:
    for end in ("close", "half", "reset"):
        with socket.create_connection(("127.0.0.1", site.port), timeout=30) as connection:
            connection.sendall(f"GET {WHOLE} HTTP/1.1\r\nHost: x\r\nAuthorization: {DEMO}\r\n\r\n".encode())
            assert b"200" in connection.recv(15)
            if end == "half":
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            if end == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        until(lambda: site.loop.tasks() == 0)


def test_a_stream_ends_well_when_the_server_stops(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        connection = site.connect()
        connection.request("GET", WHOLE, headers={"Authorization": DEMO})
        response = connection.getresponse()
        assert response.readline().startswith(b"id: ")
    assert response.read() == b"\n"  # and no IncompleteRead
    connection.close()


def test_where_push_is_switched_off_there_is_no_stream(tmp_path: Path) -> None:
    with serving(tmp_path, "push.enable = false") as site:
        assert problem(site.ask("GET", WHOLE))["status"] == 404
        assert site.session["eventSourceUrl"]
