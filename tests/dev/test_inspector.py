"""The inspector as it is served: what its files may do, what it is told, and what is kept out of its own log."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from jmaplite.config import parse
from jmaplite.core.catalog import Catalog
from jmaplite.datatypes import capabilities
from jmaplite.dev.described import described
from jmaplite.dev.inspector import MOST_FRAMES, page, policy
from jmaplite.dev.launch import Options, configuration
from jmaplite.server import Server
from tests.dev.conftest import Site
from tests.web.serving import Loop
from tests.web.sockets import MAIL, PATH, Client

PAGE = files("jmaplite.dev.inspector") / "page"


def test_the_page_is_served_with_a_strict_policy(site: Site) -> None:
    status, body, fields = site.ask("GET", "/dev/")
    assert (status, fields["content-type"]) == (200, "text/html; charset=utf-8")
    assert body == (PAGE / "index.html").read_bytes()
    rules = dict(rule.strip().partition(" ")[::2] for rule in fields["content-security-policy"].split(";"))
    host = urlsplit(site.url).netloc
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == rules["frame-ancestors"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["frame-src"] == "'self'"
    assert rules["connect-src"] == f"'self' ws://{host} wss://{host}"
    assert rules["img-src"] == "'self' data: blob:"
    assert "unsafe" not in fields["content-security-policy"]


@pytest.mark.parametrize("name", sorted(one.name for one in PAGE.iterdir()))
def test_every_file_is_served_and_needs_nothing_from_elsewhere(site: Site, name: str) -> None:
    status, body, fields = site.ask("GET", f"/dev/{name}")
    octets = (PAGE / name).read_bytes()
    assert (status, body, fields["x-content-type-options"]) == (200, octets, "nosniff")
    text = octets.decode()
    addresses = set(re.findall(r"https?://[^\s\"'`)]+", text)) - {"http://www.w3.org/2000/svg"}
    assert addresses == set()
    markup = "innerHTML|outerHTML|insertAdjacentHTML|document\\.write|eval\\(|new Function|srcdoc|DOMParser"
    assert not re.search(markup, text)
    assert not re.search(r"<style|<script(?! type=\"module\" src=)|\son\w+=\"|style=\"", text)


def test_a_file_that_is_known_is_not_sent_again(site: Site) -> None:
    parts = urlsplit(site.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/dev/main.js", headers={"If-None-Match": page()["main.js"].etag})
        response = connection.getresponse()
        assert (response.status, response.read()) == (304, b"")


def test_there_are_no_other_files(site: Site) -> None:
    for path in ("/dev/other.js", "/dev/__init__.py", "/dev/..%2f__init__.py", "/dev/page/main.js", "/dev/frames/x"):
        assert site.ask("GET", path)[0] == 404, path


@pytest.mark.parametrize("host", ["evil.example; script-src *", "a b", "", "x" * 300])
def test_a_host_that_is_none_gets_no_place_in_the_policy(host: str) -> None:
    assert "connect-src 'self';" in policy(host)


def test_a_body_is_shown_with_a_policy_of_its_own(site: Site) -> None:
    _, kept, _ = site.ask("POST", "/dev/frames/", raw=b"<script>1</script>")
    status, body, fields = site.ask("GET", kept["url"])
    assert (status, body) == (200, b"<script>1</script>")
    rules = fields["content-security-policy"].split("; ")
    assert {"sandbox", "default-src 'none'", "img-src data:", "form-action 'none'"} <= set(rules)
    assert not any("script" in rule for rule in rules)
    for _ in range(MOST_FRAMES):
        site.ask("POST", "/dev/frames/", raw=b"other")
    assert site.ask("GET", kept["url"])[0] == 404


def test_a_body_has_a_limit(site: Site) -> None:
    assert site.ask("POST", "/dev/frames/", raw=b"x" * ((16 << 20) + 1))[0] == 413


def test_a_page_is_any_user_without_a_password(site: Site) -> None:
    token = site.control("POST", "/login", {"user": "bob@example.org"})["token"]
    assert site.session(token)["username"] == "bob@example.org"
    site.control("POST", "/login", {"user": "nobody@example.org"}, status=404)
    site.control("POST", "/reset")
    assert site.session(token)["username"] == "bob@example.org"


def test_a_token_of_a_user_who_is_gone_is_good_for_nothing(site: Site) -> None:
    made = site.control("POST", "/users", {"name": "carol@example.org"})
    token = site.control("POST", "/login", {"user": made["name"]})["token"]
    site.control("DELETE", f"/users/{made['name']}")
    assert site.ask("GET", "/.well-known/jmap", token=token)[0] == 401


@pytest.fixture
def socket_of(site: Site) -> Iterator[Client]:
    """A WebSocket of the inspector, as Alice; a rule for handshakes leaves it alone."""
    site.control("POST", "/faults", {"id": "all", "match": {"path": "/jmap/ws/"}, "effect": {"status": 503}})
    token = site.control("POST", "/login", {"user": "alice@example.org"})["token"]
    parts = urlsplit(site.url)
    with socket.create_connection((parts.hostname, parts.port or 0), 30) as connection:
        client = Client(connection, PATH, f"Bearer {token}")
        site.control("DELETE", "/faults/all")
        yield client


def exchanges(site: Site) -> list[list[str]]:
    """The methods of each exchange in the log."""
    found = site.control("GET", "/exchanges")["exchanges"]
    return [[call["method"] for call in one["calls"]] for one in found]


def test_what_a_page_asks_for_itself_is_neither_logged_nor_spoilt(site: Site, socket_of: Client) -> None:
    site.control("POST", "/faults", {"effect": {"methodError": "serverFail"}})
    account = site.control("GET", "/")["users"][0]["accountId"]
    call = ["Mailbox/get", {"accountId": account, "ids": None}, "0"]
    assert socket_of.ask(call, using=(MAIL,), id="page-1")["methodResponses"][0][0] == "Mailbox/get"
    assert exchanges(site) == []
    (answer,) = socket_of.ask(call, using=(MAIL,), id="console-2")["methodResponses"]
    assert answer[:2] == ["error", {"type": "serverFail"}]
    assert exchanges(site) == [["Mailbox/get"]]
    (one,) = site.control("GET", "/exchanges")["exchanges"]
    assert (one["transport"], one["user"], one["faults"]) == ("websocket", "alice@example.org", ["fault1"])


def test_others_are_logged_whatever_they_call_their_requests(site: Site) -> None:
    parts = urlsplit(site.url)
    with socket.create_connection((parts.hostname, parts.port or 0), 30) as connection:
        client = Client(connection, PATH, "Bearer alice-token")
        client.ask(["Core/echo", {}, "0"], id="page-1")
        site.control("POST", "/faults", {"match": {"transport": "websocket"}, "effect": {"status": 503}})
        assert client.ask(["Core/echo", {}, "0"], id="R2")["status"] == 503
    assert exchanges(site) == [[], ["Core/echo"], ["Core/echo"]]


def test_a_request_over_a_web_socket_is_cut(site: Site) -> None:
    parts = urlsplit(site.url)
    with socket.create_connection((parts.hostname, parts.port or 0), 30) as connection:
        client = Client(connection, PATH, "Bearer alice-token")
        site.control("POST", "/faults", {"match": {"transport": "websocket"}, "effect": {"cut": True}})
        client.tell({"@type": "Request", "using": [], "methodCalls": []})
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""


def test_what_a_page_is_told_of_meets_no_faults_and_is_no_push_of_a_client(site: Site, socket_of: Client) -> None:
    socket_of.tell({"@type": "WebSocketPushEnable", "dataTypes": ["Email"]})
    socket_of.ask(["Core/echo", {}, "0"], id="page-1")
    assert not site.fixture.streams("alice@example.org")
    site.control("POST", "/faults", {"effect": {"dropStream": True}})
    message = "Subject: One\nMessage-ID: <one@x.example>\n\nText\n"
    site.control("POST", "/deliver", {"account": "alice@example.org", "text": message})
    assert "Email" in next(iter(socket_of.hear()["changed"].values()))
    (rule,) = site.control("GET", "/faults")["faults"]
    assert (rule["seen"], rule["fired"]) == (0, 0)


def test_the_types_are_described(site: Site) -> None:
    types = site.control("GET", "/types")
    query = types["methods"]["Email/query"]
    assert query["capability"] == MAIL
    assert query["arguments"]["accountId"] == {"kind": "Id", "required": True}
    assert {"filter", "sort", "position", "anchor", "collapseThreads"} <= query["arguments"].keys()
    email = types["types"]["Email"]
    assert email["properties"]["mailboxIds"]["kind"] == "Id[Boolean]"
    assert email["filter"]["hasKeyword"] == "String"
    assert "receivedAt" in email["sort"]
    assert types["types"]["PushSubscription"]["userLevel"] is True
    assert set(types["capabilities"]) == set(site.session()["capabilities"])


def test_every_method_is_described_with_its_arguments() -> None:
    without = {name for name, one in described(Catalog(capabilities()))["methods"].items() if not one["arguments"]}
    assert without == {"Core/echo"}


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("inspector = false", {"/dev/": 404, "/dev/main.js": 404, "/dev/frames/x": 404, "/dev/api/": 200}),
        ("control = false", {"/dev/": 404, "/dev/main.js": 404, "/dev/api/": 404, "/dev/api/reset": 404}),
    ],
)
def test_it_may_be_left_out(tmp_path: Path, options: str, found: dict[str, int]) -> None:
    text = configuration(Options(), tmp_path / "data", None).replace("[dev]\n", f"[dev]\n{options}\n")
    (tmp_path / "config.toml").write_text(text)
    with Loop() as loop:
        server = Server(parse(text, tmp_path / "config.toml"))
        loop.run(server.start())
        try:
            site = Site(server.urls["jmap"][0], server.extension)  # type: ignore[arg-type]
            assert {path: site.ask("GET", path)[0] for path in found} == found
        finally:
            loop.run(server.stop())


def test_without_dev_there_is_nothing_of_it(tmp_path: Path) -> None:
    from tests.web.serving import serving

    with serving(tmp_path, "[dev]\ninspector = true") as plain:
        for path in ("/dev/", "/dev/main.js", "/dev/index.html", "/dev/frames/x", "/dev/api/types", "/dev/api/login"):
            assert plain.ask("GET", path).status == 404
        for path in ("/dev/frames/", "/dev/api/login"):
            assert plain.ask("POST", path).status == 404
