"""The client of other servers, where those are odd or hostile."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from jmaplite import client as client_module
from jmaplite.cli.remote_mail import RemoteAccount
from jmaplite.client import MAIL, JMAPClient, JMAPError

Answer = tuple[int, dict[str, str], bytes]
SESSION = {
    "capabilities": {"urn:ietf:params:jmap:core": {"maxObjectsInGet": 2}, MAIL: {}},
    "primaryAccounts": {MAIL: "a"},
    "apiUrl": "/api/",
    "downloadUrl": "/blob/{accountId}/{blobId}/{name}?type={type}",
}


class Odd:
    """A server that answers what it is told to, and remembers what it was asked, with which credentials."""

    def __init__(self, answer: Callable[[str, dict[str, Any]], Answer]) -> None:
        self.asked: list[tuple[str, str | None]] = []
        odd = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                odd.asked.append((self.path, self.headers["Authorization"]))
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                status, headers, octets = answer(self.path, json.loads(body) if body else {})
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(octets))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(octets)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"


@contextmanager
def odd(answer: Callable[[str, dict[str, Any]], Answer]) -> Iterator[Odd]:
    server = Odd(answer)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        thread.join()
        server.http.server_close()


def said(value: Any, status: int = 200, **headers: str) -> Answer:
    return status, headers, json.dumps(value).encode()


def with_calls(**methods: Callable[[dict[str, Any]], Any]) -> Callable[[str, dict[str, Any]], Answer]:
    """A server with a session, and methods by their names (with `_` for `/`)."""

    def answer(path: str, body: dict[str, Any]) -> Answer:
        if path == "/session":
            return said(SESSION)
        if path.startswith("/blob/"):
            return 200, {}, b"Subject: x\r\n\r\ny\r\n"
        name, arguments, call = body["methodCalls"][0]
        found = methods[name.replace("/", "_")](arguments)
        kind = "error" if "type" in found else name
        return said({"methodResponses": [[kind, found, call]]})

    return answer


def test_urls_may_be_relative_to_the_session() -> None:
    with odd(with_calls(Email_get=lambda _: {"list": []})) as server:
        client = JMAPClient(f"{server.url}/session", token="secret")
        assert client.call("Email/get", ids=[])["list"] == []
        assert client.download("b").startswith(b"Subject")
        assert client.api_url == f"{server.url}/api/"


def test_credentials_go_to_no_other_host_by_a_redirect() -> None:
    with odd(lambda *_: said(SESSION)) as thief:
        other = thief.url.replace("127.0.0.1", "localhost")
        for place in (f"{other}/session", f"{thief.url}/session"):
            with odd(lambda *_: (302, {"Location": place}, b"")) as server:  # noqa: B023
                with pytest.raises(JMAPError, match="redirects to") as refused:
                    _ = JMAPClient(f"{server.url}/session", token="secret").session
                assert "secret" not in str(refused.value)
        assert thief.asked == []


def test_a_redirect_on_the_same_host_is_followed() -> None:
    def answer(path: str, _: Any) -> Answer:
        return (302, {"Location": "/session"}, b"") if path == "/.well-known/jmap" else said(SESSION)

    with odd(answer) as server:
        assert JMAPClient(f"{server.url}/.well-known/jmap", token="x").session["apiUrl"] == "/api/"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x"])
def test_a_session_names_no_files_of_ours(url: str) -> None:
    with odd(lambda *_: said({**SESSION, "downloadUrl": url, "apiUrl": url})) as server:
        client = JMAPClient(f"{server.url}/session", token="x")
        with pytest.raises(JMAPError, match="insecure"):
            client.download("b")
        with pytest.raises(JMAPError, match="insecure"):
            client.call("Email/get", ids=[])


def test_from_https_nothing_goes_to_http() -> None:
    assert not client_module._may_follow("https://a.example/", "http://a.example/")
    assert client_module._may_follow("http://a.example/", "https://a.example/")


@pytest.mark.parametrize("octets", [b"", b"<html>", b"[]", b"[" * 100_000, b"\xff"])
def test_what_is_no_json_object_is_told(octets: bytes) -> None:
    with odd(lambda *_: (200, {}, octets)) as server, pytest.raises(JMAPError, match="no JSON object"):
        _ = JMAPClient(f"{server.url}/session", token="x").session


def test_a_problem_may_be_anything() -> None:
    with odd(lambda *_: said([1], status=400)) as server, pytest.raises(JMAPError, match="http 400"):
        _ = JMAPClient(f"{server.url}/session", token="x").session


def test_an_answer_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_LONGEST", 1000)
    with odd(lambda *_: (200, {}, b" " * 1001)) as server, pytest.raises(JMAPError, match="tooLarge"):
        _ = JMAPClient(f"{server.url}/session", token="x").session


def test_who_is_patient_waits_as_long_as_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    answers = [said({}, 429, **{"Retry-After": "7"}), said({}, 503, **{"Retry-After": "999999"}), said(SESSION)]
    with odd(lambda *_: answers.pop(0)) as server:
        assert JMAPClient(f"{server.url}/session", token="x", patient=True).session == SESSION
    assert waited == [7, 120]
    with odd(lambda *_: said({}, 429, **{"Retry-After": "7"})) as server:
        for patient, tries in ((False, 1), (True, 6)):
            server.asked.clear()
            with pytest.raises(JMAPError):
                _ = JMAPClient(f"{server.url}/session", token="x", patient=patient).session
            assert len(server.asked) == tries


def remote(server: Odd) -> RemoteAccount:
    return RemoteAccount(JMAPClient(f"{server.url}/session", token="x"))


def test_emails_come_once_each_from_a_server_that_begins_again_and_again() -> None:
    asked: list[list[str]] = []

    def get(arguments: dict[str, Any]) -> Any:
        asked.append(arguments["ids"])
        return {"list": [{"id": one, "blobId": "b"} for one in arguments["ids"]]}  # and nothing else

    with odd(with_calls(Email_query=lambda _: {"ids": ["1", "2", "2", "3"]}, Email_get=get)) as server:
        found = list(remote(server).emails(set()))
    assert [one.id for one in found] == ["1", "2", "3"]
    assert asked == [["1", "2"], ["3"]], "no more than maxObjectsInGet"


def test_emails_come_from_a_server_that_cannot_sort() -> None:
    def query(arguments: dict[str, Any]) -> Any:
        if "sort" in arguments:
            return {"type": "unsupportedSort"}
        return {"ids": [] if arguments["position"] else ["1"]}

    with odd(with_calls(Email_query=query, Email_get=lambda _: {"list": [{"id": "1", "blobId": "b"}]})) as server:
        assert [one.id for one in remote(server).emails(set())] == ["1"]


def test_mailboxes_may_lie_in_a_circle() -> None:
    boxes = [{"id": str(n), "name": f"{n}", "parentId": str((n + 1) % 300)} for n in range(300)]
    with odd(with_calls(Mailbox_get=lambda _: {"list": boxes})) as server:
        assert len(remote(server).folders()) == 300
