"""Who asks (RFC 7617, RFC 6750)."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice

import pytest

from jmaplite.directory import DirectoryUnavailable
from jmaplite.web import auth
from tests.web.fakes import FakeEngine, FakeVerifier
from tests.web.serving import TOKEN, Answer, Site, basic, problem, serving_fakes

PATH = "/.well-known/jmap"


def challenges(answer: Answer) -> list[str]:
    return [value for name, value in answer.lines if name == "www-authenticate"]


def test_who_does_not_say_who_it_is_is_told_how_to(site: Site) -> None:
    answer = site.ask("GET", PATH, authorization=None)
    assert answer.status == 401
    assert challenges(answer) == ['Basic realm="jmaplite", charset="UTF-8"', 'Bearer realm="jmaplite"']
    problem(answer)


@pytest.mark.parametrize(("name", "password"), [("demo", "de:mo"), ("demo@example.org", "de:mo"), ("zoë", "pässwörd")])
def test_a_name_and_a_password_are_let_in(site: Site, name: str, password: str) -> None:
    assert site.ask("GET", PATH, authorization=basic(name, password)).status == 200


def test_a_token_is_let_in(site: Site) -> None:
    answer = site.ask("GET", PATH, authorization=f"Bearer {TOKEN}")
    assert answer.status == 200
    assert answer.json["username"] == "demo"


def test_a_wrong_token_is_told_so(site: Site) -> None:
    answer = site.ask("GET", PATH, authorization="Bearer wrong")
    assert answer.status == 401
    assert challenges(answer)[1] == 'Bearer realm="jmaplite", error="invalid_token"'


@pytest.mark.parametrize(
    "authorization",
    [
        basic("demo", "wrong"),
        basic("nobody", "de:mo"),
        basic("team", ""),
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic " + base64.b64encode(b"nocolon").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Digest x",
        "",
        "Bearer",
        "\x80\xff",
    ],
)
def test_anything_else_stays_outside(site: Site, authorization: str) -> None:
    answer = site.ask("GET", PATH, authorization=authorization)
    assert answer.status == 401
    assert len(challenges(answer)) == 2


def test_the_log_tells_of_a_failed_log_in_without_the_secret(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    header = basic("mallory", "sesame-open")
    site.ask("GET", PATH, authorization=header)
    assert "mallory" in caplog.text
    assert "127.0.0.1" in caplog.text
    assert "sesame" not in caplog.text
    assert header.removeprefix("Basic ") not in caplog.text


def test_a_name_cannot_write_lines_into_the_log(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.ask("GET", PATH, authorization=basic("x\ny", "z"))
    assert all("\n" not in record.getMessage() for record in caplog.records)


def test_a_name_takes_no_more_of_the_log_than_a_name_does(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.ask("GET", PATH, authorization=basic("\x01" * 40_000, "z"))
    (message,) = [record.getMessage() for record in caplog.records if "log-in failed" in record.getMessage()]
    assert len(message) < 600


def test_a_directory_that_does_not_answer_turns_nobody_away_for_good() -> None:
    with serving_fakes(FakeEngine(), FakeVerifier(DirectoryUnavailable("down"), cached=False)) as site:
        answer = site.ask("GET", PATH)
        assert answer.status == 503
        assert answer.header("retry-after") is not None


def test_log_ins_wait_for_each_other_and_too_many_are_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "MAX_WAITING", 3)
    verifier = FakeVerifier(cached=False)
    verifier.go_on.clear()
    with serving_fakes(FakeEngine(), verifier) as site, ThreadPoolExecutor(10) as pool:
        asked = [pool.submit(site.ask, "GET", PATH) for _ in range(10)]
        assert len(list(islice(as_completed(asked, timeout=30), 7))) == 7
        verifier.go_on.set()
        answers = [one.result() for one in asked]
    assert sorted(answer.status for answer in answers) == [200] * 3 + [429] * 7
    assert all(answer.header("retry-after") for answer in answers if answer.status == 429)


def test_passwords_are_hashed_beside_the_threads_that_serve() -> None:
    verifier = FakeVerifier(cached=False)
    with serving_fakes(FakeEngine(), verifier) as site:
        site.ask("GET", PATH)
    assert all(name.startswith("log-in") for name in verifier.threads)


def test_a_preflight_asks_without_credentials(site: Site) -> None:
    for path, allow in ((PATH, "GET, HEAD, OPTIONS"), ("/jmap/", "OPTIONS, POST"), ("/nowhere", "OPTIONS")):
        answer = site.ask("OPTIONS", path, authorization=None, Origin="https://example.org")
        assert answer.status == 204
        assert answer.octets == b""
        assert answer.header("allow") == allow
        assert answer.header("content-length") is None
        assert answer.header("content-type") is None
