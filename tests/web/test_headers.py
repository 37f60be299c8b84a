"""Configured header lines: on every answer, each once."""

from __future__ import annotations

import pytest

from jmaplite.web import HTTPSettings
from jmaplite.web.headers import AnswerHeaders
from tests.web.fakes import FakeEngine
from tests.web.serving import Answer, Site, serving_fakes

CONFIGURED = HTTPSettings(
    headers=(
        ("Access-Control-Allow-Origin", "*"),
        ("X-Twice", "1"),
        ("X-Twice", "2"),
        ("Server", "mine"),
        ("Cache-Control", "max-age=5"),
        ("Vary", "Origin"),
    )
)


def everything(site: Site) -> list[Answer]:
    """Answers of all sorts."""
    return [
        site.ask("GET", "/.well-known/jmap"),
        site.ask("GET", "/.well-known/jmap", authorization=None),
        site.call(),
        site.ask("GET", "/nowhere"),
        site.ask("PUT", "/jmap/"),
        site.ask("OPTIONS", "/jmap/"),
        site.ask("GET", "/jmap/download/A/B/c"),
        site.ask("POST", "/jmap/", b"x" * 20_000_000, Content_Type="application/json"),
    ]


def test_they_are_on_every_answer_in_the_place_of_the_servers_own() -> None:
    with serving_fakes(FakeEngine(), settings=CONFIGURED) as site:
        for answer in everything(site):
            assert answer.header("access-control-allow-origin") == "*"
            assert answer.header("server") == "mine"
            assert answer.header("cache-control") == "max-age=5"
            assert [value for name, value in answer.lines if name == "x-twice"] == ["1", "2"]
            assert answer.header("date") is not None


def test_they_are_on_answers_to_what_is_not_even_http() -> None:
    with serving_fakes(FakeEngine(), settings=CONFIGURED) as site:
        octets = site.raw(b"GARBAGE\r\n\r\n")
        assert octets.startswith(b"HTTP/1.1 400")
        assert octets.count(b"access-control-allow-origin: *") == 1
        assert octets.count(b"server: mine") == 1
        assert b"application/problem+json" in octets


def test_they_are_on_answers_to_who_wants_a_websocket() -> None:
    handshake = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n"
    with serving_fakes(FakeEngine(), settings=CONFIGURED) as site:
        octets = site.raw(b"GET /jmap/ws/ HTTP/1.1\r\nHost: x\r\n" + handshake + b"\r\n")
        assert octets.count(b"access-control-allow-origin: *") == 1
        assert octets.count(b"server: mine") == 1


def test_vary_keeps_what_answers_depend_on() -> None:
    with serving_fakes(FakeEngine(), settings=CONFIGURED) as site:
        assert site.call().header("vary") == "Origin, Accept-Encoding"
        assert site.ask("GET", "/nowhere").header("vary") == "Origin"


def test_a_configured_date_is_the_only_one() -> None:
    date = "Thu, 01 Jan 1970 00:00:00 GMT"
    with serving_fakes(FakeEngine(), settings=HTTPSettings(headers=(("Date", date),))) as site:
        assert site.call().header("date") == date


def test_the_server_does_not_say_what_it_is_made_of() -> None:
    with serving_fakes(FakeEngine()) as site:
        assert site.call().header("server") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Length", "5"),
        ("transfer-encoding", "chunked"),
        ("Connection", "close"),
        ("X Y", "z"),
        ("X:", "z"),
        ("", "z"),
        ("X", "a\r\nY: b"),
        ("X", "a\x00"),
        ("X", "a\x7f"),
    ],
)
def test_a_line_that_would_break_answers_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"not a header line|set by the server alone"):
        AnswerHeaders([(name, value)])
