"""Log-ins over the wire, with users who stand elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from jmaplite.config import parse
from jmaplite.directory.tokens import hash_token
from jmaplite.server import Server
from tests.directory.conftest import KINDS, LISTENER, Told
from tests.directory.people import PASSWORDS
from tests.directory.postgresql import PostgreSQL
from tests.directory.slapd import Slapd
from tests.web.serving import Loop, Site, basic, problem

PATH = "/.well-known/jmap"
JANE, JOE = basic("jane", PASSWORDS["jane"]), basic("joe", PASSWORDS["joe"])


def token(user: str, secret: str, more: str = "") -> str:
    """A token of a user, as it stands in the file."""
    return f'[[directory.people.tokens]]\nuser = "{user}"\nname = "{secret}"\nhash = "{hash_token(secret)}"\n{more}\n'


@contextmanager
def serving(folder: Path, text: str) -> Iterator[Site]:
    """A server with these users."""
    with Loop() as loop:
        server = Server(parse(LISTENER + text, folder / "config.toml"))
        loop.run(server.start())
        try:
            port = urlsplit(server.urls["jmap"][0]).port
            assert port is not None
            yield Site(port, loop)
        finally:
            loop.run(server.stop())


@pytest.mark.parametrize("kind", KINDS)
def test_a_user_logs_in_and_sees_the_account_of_the_group(kind: str, told: Told, tmp_path: Path) -> None:
    text = told(kind, tmp_path) + token("jane", "t-1") + token("joe", "t-2") + token("gone", "t-3")
    text += token("jane", "t-4", "expires = 2001-01-01T00:00:00Z") + token("jane", "t-5", "expires = 2999-01-01")
    with serving(tmp_path, text) as site:
        session = site.ask("GET", PATH, authorization=JANE).json
        assert session["username"] == "jane"
        assert {one["name"]: one["isPersonal"] for one in session["accounts"].values()} == {
            "Jane Doe": True,
            "The staff": False,
        }
        for good in ("Bearer t-1", "Bearer t-5", basic("jane", "t-1"), basic("J@example.org", "t-5")):
            assert site.ask("GET", PATH, authorization=good).json["username"] == "jane"
        assert len(site.ask("GET", PATH, authorization="Bearer t-2").json["accounts"]) == 1
        for bad in (
            "Bearer t-3",
            "Bearer t-4",
            "Bearer jane",
            basic("joe", "t-1"),
            basic("jane", "t-4"),
            basic("jane", "x"),
        ):
            answer = site.ask("GET", PATH, authorization=bad)
            assert answer.status == 401
            problem(answer)


@pytest.mark.parametrize("kind", ["postgresql", "ldap, comparing passwords", "ldap, binding by name"])
def test_while_a_directory_is_down_nobody_is_turned_away_for_good(
    kind: str, told: Told, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jmaplite.core.session.MAX_AGE", 0)
    elsewhere: PostgreSQL | Slapd = request.getfixturevalue("database" if kind == "postgresql" else "ldap_server")
    with serving(tmp_path, told(kind, tmp_path) + token("joe", "t-2")) as site:
        before = site.ask("GET", PATH, authorization=JANE)
        assert before.status == 200
        elsewhere.stop()
        try:
            for unknown in (JOE, "Bearer t-2", basic("jane", "wrong")):
                answer = site.ask("GET", PATH, authorization=unknown)
                assert answer.status == 503
                assert answer.header("retry-after")
                problem(answer)
            assert site.ask("GET", PATH, authorization=JANE).json == before.json, "who was recognised goes on"
            assert site.call(["Core/echo", {"a": 1}, "0"], authorization=JANE).status == 200
        finally:
            elsewhere.start()
        assert site.ask("GET", PATH, authorization=JOE).status == 200
        assert site.ask("GET", PATH, authorization="Bearer t-2").status == 200
        assert site.ask("GET", PATH, authorization=basic("jane", "wrong")).status == 401
