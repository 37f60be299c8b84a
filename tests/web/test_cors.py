"""Which web pages of other origins are let in, and what they are told (the Fetch standard's CORS protocol)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.config import ConfigError, parse
from jmaplite.server.settings import http_settings
from jmaplite.web import Cors, HTTPSettings
from jmaplite.web.cors import Origins
from tests.web.fakes import FakeEngine
from tests.web.serving import CONFIG, Answer, Site, serving, serving_fakes
from tests.web.test_headers import everything

PAGE = "https://app.example.org"
TWICE = f"Origin: {PAGE}\r\n" * 2
ASKS = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization,content-type"}


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A whole server with an allow-list."""
    more = f'[jmap.http.cors]\nallowed-origins = ["{PAGE}", "https://*.example.com"]'
    with serving(tmp_path_factory.mktemp("cors"), more) as site:
        yield site


def elements(answer: Answer, name: str) -> set[str]:
    """The elements of a header that is a list, in lower case."""
    return {one.strip().lower() for one in (answer.header(name) or "").split(",") if one.strip()}


@pytest.mark.parametrize("path", ["/.well-known/jmap", "/jmap/", "/jmap/upload/a/", "/jmap/download/a/b/c"])
def test_a_preflight_is_answered_without_authentication(listed: Site, path: str) -> None:
    answer = listed.ask("OPTIONS", path, authorization=None, Origin=PAGE, **ASKS)
    assert answer.status == 204
    assert answer.octets == b""
    assert answer.header("access-control-allow-origin") == PAGE
    assert {"get", "post"} <= elements(answer, "access-control-allow-methods")
    assert {"authorization", "content-type", "last-event-id"} <= elements(answer, "access-control-allow-headers")
    assert answer.header("access-control-max-age") == "3600"
    assert answer.header("access-control-allow-credentials") is None


def test_every_answer_names_the_origin_that_asks_and_none_else(listed: Site) -> None:
    for origin in (PAGE, "https://a.b.example.com"):
        for answer in (
            listed.ask("GET", "/.well-known/jmap", Origin=origin),
            listed.ask("GET", "/.well-known/jmap", authorization=None, Origin=origin),
            listed.call(Origin=origin),
            listed.ask("POST", f"/jmap/upload/{listed.account}/", b"x", Origin=origin),
            listed.ask("GET", f"/jmap/download/{listed.account}/{listed.upload(bytes(3_000_000))}/x", Origin=origin),
            listed.ask("GET", "/nowhere", Origin=origin),
            listed.ask("PUT", "/jmap/", Origin=origin),
        ):
            assert answer.header("access-control-allow-origin") == origin
            assert "origin" in elements(answer, "vary")
            assert "retry-after" in elements(answer, "access-control-expose-headers")
            assert answer.header("access-control-allow-methods") is None


@pytest.mark.parametrize("origin", ["https://evil.example", "http://app.example.org", f"{PAGE}.evil.example", "null"])
def test_pages_that_are_not_listed_are_told_nothing(listed: Site, origin: str) -> None:
    for answer in (
        listed.ask("OPTIONS", "/jmap/", authorization=None, Origin=origin, **ASKS),
        listed.ask("GET", "/.well-known/jmap", Origin=origin),
    ):
        assert not [name for name, _ in answer.lines if name.startswith("access-control-")]
        assert "origin" in elements(answer, "vary")


def test_whoever_is_no_page_is_told_only_that_pages_are_told_more(listed: Site) -> None:
    answer = listed.ask("GET", "/.well-known/jmap")
    assert answer.status == 200
    assert not [name for name, _ in answer.lines if name.startswith("access-control-")]
    assert elements(answer, "vary") == {"origin", "accept-encoding"}


def test_two_origins_are_none(listed: Site) -> None:
    answer = listed.raw(f"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{TWICE}\r\n".encode())
    assert b"access-control" not in answer


def test_stalwarts_list_of_headers_is_taken_as_it_is_with_authorization_added(tmp_path: Path) -> None:
    more = """[jmap.http]
headers = ["Access-Control-Allow-Origin: *",
           "Access-Control-Allow-Methods: POST, GET, HEAD, OPTIONS",
           "Access-Control-Allow-Headers: *"]"""
    with serving(tmp_path, more) as site:
        answer = site.ask("OPTIONS", "/jmap/", authorization=None, Origin=PAGE, **ASKS)
        assert answer.status == 204
        assert answer.header("access-control-allow-origin") == "*"
        assert answer.header("access-control-allow-headers") == "*, Authorization"
        for one in everything(site):
            assert one.header("access-control-allow-origin") == "*"


@pytest.mark.parametrize("value", ["Authorization, *", "*, authorization", "Content-Type"])
def test_a_list_of_headers_that_has_no_gap_stays_as_it_is(value: str) -> None:
    settings = HTTPSettings(headers=(("Access-Control-Allow-Headers", value),))
    with serving_fakes(FakeEngine(), settings=settings) as site:
        assert site.ask("OPTIONS", "/jmap/").header("access-control-allow-headers") == value


def test_permissive_cors_lets_every_page_in_and_yields_to_what_is_configured(tmp_path: Path) -> None:
    more = '[server.http]\npermissive-cors = true\nheaders = ["Access-Control-Allow-Methods: GET"]'
    with serving(tmp_path, more) as site:
        answer = site.ask("OPTIONS", "/jmap/", authorization=None, Origin=PAGE, **ASKS)
        assert answer.header("access-control-allow-origin") == "*"
        assert answer.header("access-control-allow-methods") == "GET"
        assert {"authorization", "content-type", "x-requested-with"} <= elements(answer, "access-control-allow-headers")


def test_credentials_are_allowed_only_when_asked_for(tmp_path: Path) -> None:
    more = f'[jmap.http.cors]\nallowed-origins = "{PAGE}"\nallow-credentials = true\nmax-age = "5m"'
    with serving(tmp_path, more) as site:
        answer = site.ask("OPTIONS", "/jmap/", authorization=None, Origin=PAGE, **ASKS)
        assert answer.header("access-control-allow-credentials") == "true"
        assert answer.header("access-control-max-age") == "300"


def test_tls_is_asked_for_where_there_is_tls() -> None:
    with serving_fakes(FakeEngine(), settings=HTTPSettings(hsts=True)) as site:
        assert site.ask("GET", "/").header("strict-transport-security") is None
        forwarded = site.ask("GET", "/", X_Forwarded_Proto="https")
        assert forwarded.header("strict-transport-security") == "max-age=31536000; includeSubDomains; preload"


def test_an_allow_list_beside_other_rules_is_a_mistake_that_names_both_lines(tmp_path: Path) -> None:
    more = f"""[jmap.http]
headers = ["X-Y: z", "Access-Control-Allow-Origin: *"]
cors.allowed-origins = "{PAGE}"
[server.http]
permissive-cors = true"""
    with pytest.raises(ConfigError) as caught:
        parse(CONFIG.format(listener="", more=more), tmp_path / "config.toml")
    first, second = str(caught.value).splitlines()
    assert re.search(r"jmap.http.headers: Access-Control-Allow-Origin is told by .*allowed-origins on line \d+", first)
    assert re.search(r"permissive-cors: lets every page in, and .*allowed-origins on line \d+ only some", second)


def test_two_lists_are_a_mistake_that_names_both_lines(tmp_path: Path) -> None:
    more = f'[imapd]\nhttpallowcors = "*"\n[jmap.http.cors]\nallowed-origins = "{PAGE}"'
    with pytest.raises(ConfigError) as caught:
        parse(CONFIG.format(listener="", more=more), tmp_path / "config.toml")
    assert re.search(r"allowed-origins: lets pages in as imapd.httpallowcors on line \d+ does", str(caught.value))


def test_cyruss_list_of_origins_is_taken_as_it_is(tmp_path: Path) -> None:
    with serving(tmp_path, '[imapd]\nhttpallowcors = "https://*.example.org, !https://bad.example.org"') as site:
        assert site.ask("GET", "/", Origin=PAGE).header("access-control-allow-origin") == PAGE
        assert site.ask("GET", "/", Origin="https://bad.example.org").header("access-control-allow-origin") is None


def test_the_configuration_says_it_all(tmp_path: Path) -> None:
    more = f'[jmap.http.cors]\nallowed-origins = "{PAGE}"\n[server.http]\nhsts = true'
    settings = http_settings(parse(CONFIG.format(listener="", more=more), tmp_path / "config.toml"))
    assert settings.cors == Cors((PAGE,))
    assert settings.hsts
    assert not settings.permissive


@pytest.mark.parametrize(
    ("pattern", "origin", "allowed"),
    [
        ("https://a.example", "https://a.example", True),
        ("https://A.example/", "https://a.example", True),
        ("https://a.example:443", "https://a.example", True),
        ("http://a.example:80", "http://a.example", True),
        ("https://a.example", "https://a.example:8443", False),
        ("https://a.example", "https://aXexample", False),
        ("https://*.example", "https://a.b.example", True),
        ("https://*.example", "https://example", False),
        ("https://*.example", "https://x/.example", False),
        ("https://*.example", "https://evil.test#.example", False),
        ("https://*.example", "https://user@b.example", False),
        ("http://localhost:*", "http://localhost:5173", True),
        ("http://localhost:*", "http://localhost", False),
        ("http://localhost:*", "http://localhost:5.evil.test", False),
        ("moz-extension://*", "moz-extension://3c1b-44", True),
        ("*", "https://any.example", True),
        ("*", "null", True),
        ("*", "a\r\nb", False),
    ],
)
def test_a_pattern_lets_in_what_it_says(pattern: str, origin: str, allowed: bool) -> None:
    assert Origins(Cors((pattern,))).allows(origin) is allowed


@pytest.mark.parametrize(
    ("wildmat", "origin", "allowed"),
    [
        ("https://*.example.org", "https://a.example.org", True),
        ("https://*.example.org", "https://a.example.com", False),
        ("*", "https://a.example.com", True),
        ("*, !*.evil.example", "https://a.evil.example", False),
        ("*,@*.evil.example", "https://a.evil.example", False),
        ("*,!*.evil.example,https://b.evil.example", "https://b.evil.example", True),
        ("http?://a", "https://a", True),
        ("http://[a-c]", "http://b", True),
        ("http://[^a-c]", "http://b", False),
        ("http://[]x]", "http://]", True),
        (r"http://\*", "http://*", True),
        (r"http://\*", "http://x", False),
        ("http://[", "http://[", True),
        ("", "http://x", False),
    ],
)
def test_a_wildmat_is_read_as_cyrus_reads_it(wildmat: str, origin: str, allowed: bool) -> None:
    assert Origins(Cors(wildmat=wildmat)).allows(origin) is allowed


@given(st.text(alphabet=st.sampled_from(r"ab-]^[\*?!,@&~|."), max_size=30), st.text(max_size=30))
def test_no_wildmat_fails(wildmat: str, origin: str) -> None:
    Origins(Cors(wildmat=wildmat)).allows(origin)


@given(st.from_regex(r"\A[!-~]{1,40}\Z"))
def test_a_plain_origin_is_a_wildmat_of_itself_alone(origin: str) -> None:
    escaped = re.sub(r"([\\*?\[,])", r"\\\1", origin)
    if "," not in origin and origin[0] not in "!@":
        assert Origins(Cors(wildmat=escaped)).allows(origin)
        assert not Origins(Cors(wildmat=escaped)).allows(origin + "x")
