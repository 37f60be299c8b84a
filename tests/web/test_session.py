"""The Session resource: what it says, and with which URLs (RFC 8620 §2)."""

from __future__ import annotations

import ipaddress

import pytest

from jmaplite.web import HTTPSettings, Listener
from jmaplite.web.settings import Network
from tests.web.fakes import FakeEngine
from tests.web.serving import DEMO, Site, problem, serving_fakes

HERE = (ipaddress.ip_network("127.0.0.0/8"),)
PATH = "/.well-known/jmap"


def listener(url: str | None = None, trusted: tuple[Network, ...] = ()) -> Listener:
    return Listener("jmap", (("127.0.0.1", 0),), url, trusted_networks=trusted)


def url_of(listener: Listener, **headers: str) -> str:
    """What the URLs in the session begin with for somebody who sends headers."""
    with serving_fakes(FakeEngine(), listener=listener) as site:
        url: str = site.ask("GET", PATH, **headers).json["apiUrl"]
    return url.removesuffix("/jmap/").replace(f":{site.port}", ":PORT")


def test_the_session_is_at_the_well_known_url_itself(site: Site) -> None:
    answer = site.ask("GET", PATH)
    assert answer.status == 200
    assert answer.header("content-type") == "application/json"
    assert answer.json["username"] == "demo"
    assert "urn:ietf:params:jmap:core" in answer.json["capabilities"]


def test_no_cache_keeps_the_session(site: Site) -> None:
    assert site.ask("GET", PATH).header("cache-control") == "no-cache, no-store, must-revalidate"


def test_head_has_the_headers_of_get_and_no_body(site: Site) -> None:
    get, head = site.ask("GET", PATH), site.ask("HEAD", PATH)
    assert head.octets == b""
    assert head.lasting_lines == get.lasting_lines


def test_its_urls_are_absolute_and_lead_here(site: Site) -> None:
    session = site.session
    base = f"http://127.0.0.1:{site.port}/jmap/"
    for name in ("apiUrl", "uploadUrl", "downloadUrl", "eventSourceUrl"):
        assert session[name].startswith(base)


def test_a_long_session_is_compressed_for_who_takes_it() -> None:
    engine = FakeEngine()
    engine.document = {"x": "y" * 5000}
    with serving_fakes(engine) as site:
        answer = site.ask("GET", PATH, Accept_Encoding="gzip")
        assert answer.header("content-encoding") == "gzip"
        assert len(answer.octets) < 500
        assert site.ask("GET", PATH).header("content-encoding") is None


@pytest.mark.parametrize(
    ("configured", "headers", "url"),
    [
        (listener(), {}, "http://127.0.0.1:PORT"),
        (listener(), {"Host": "mail.example.org"}, "http://mail.example.org"),
        (listener(), {"Host": "[::1]:8080"}, "http://[::1]:8080"),
        (listener("https://jmap.example.org/"), {"Host": "evil.example"}, "https://jmap.example.org"),
        (listener("https://example.org/mail"), {}, "https://example.org/mail"),
        (listener("jmap.example.org"), {"Host": "evil.example"}, "http://jmap.example.org"),
        (listener("jmap.example.org:81"), {}, "http://jmap.example.org:81"),
    ],
    ids=str,
)
def test_urls_begin_with_what_is_configured_or_else_with_the_host_asked_for(
    configured: Listener, headers: dict[str, str], url: str
) -> None:
    assert url_of(configured, **headers) == url


def test_a_stranger_cannot_say_where_it_was_forwarded_from() -> None:
    forwarded = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "evil.example"}
    assert url_of(listener(), **forwarded) == "http://127.0.0.1:PORT"
    elsewhere = (ipaddress.IPv4Network("10.0.0.0/8"),)
    assert url_of(listener(trusted=elsewhere), **forwarded) == "http://127.0.0.1:PORT"


@pytest.mark.parametrize(
    ("configured", "headers", "url"),
    [
        (listener(trusted=HERE), {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "a.example"}, "https://a.example"),
        (listener(trusted=HERE), {"X_Forwarded_Proto": "https", "Host": "b.example"}, "https://b.example"),
        (listener(trusted=HERE), {"X_Forwarded_Host": "a.example, inner"}, "http://a.example"),
        (listener(trusted=HERE), {"X_Forwarded_Proto": "gopher", "Host": "b.example"}, "http://b.example"),
        (listener("c.example", trusted=HERE), {"X_Forwarded_Proto": "https"}, "https://c.example"),
        (listener("http://c.example", trusted=HERE), {"X_Forwarded_Proto": "https"}, "http://c.example"),
    ],
    ids=str,
)
def test_a_trusted_proxy_says_how_it_was_reached(configured: Listener, headers: dict[str, str], url: str) -> None:
    assert url_of(configured, **headers) == url


@pytest.mark.parametrize("host", ["a b", "a/b", "a@b", 'a"b', "a<b>", "[::1", "a:b", "a:123456", "-", "{accountId}"])
def test_a_host_that_is_none_is_refused(site: Site, host: str) -> None:
    answer = site.ask("GET", PATH, Host=host)
    assert answer.status == 400
    problem(answer)


def test_an_old_client_without_a_host_is_sent_where_it_is(site: Site) -> None:
    octets = site.raw(f"GET {PATH} HTTP/1.0\r\nAuthorization: {DEMO}\r\n\r\n".encode())
    assert f'"apiUrl":"http://127.0.0.1:{site.port}/jmap/"'.encode() in octets


def test_compression_can_be_switched_off() -> None:
    engine = FakeEngine(lambda body: b'"' + b"x" * 5000 + b'"')
    with serving_fakes(engine, settings=HTTPSettings(compression=False)) as site:
        answer = site.call(Accept_Encoding="gzip")
        assert answer.header("content-encoding") is None
        assert answer.header("vary") is None
