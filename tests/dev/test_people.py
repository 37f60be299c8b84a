"""Who is taken away is gone at once: from the log-in, from streams, and from what is stored."""

from __future__ import annotations

import pytest

from tests.dev.conftest import Site
from tests.dev.test_pushes import served
from tests.web import events

CAROL = {"name": "carol@example.org", "token": "carol-token", "password": "carol's"}
WAYS = [("DELETE", "/users/carol@example.org"), ("POST", "/reset"), ("POST", "/snapshots/without/restore")]


@pytest.fixture
def with_carol(site: Site) -> Site:
    site.control("PUT", "/snapshots/without")
    site.control("POST", "/users", CAROL)
    return site


@pytest.mark.parametrize(("method", "path"), WAYS)
def test_whoever_was_taken_away_is_not_let_in_any_more(with_carol: Site, method: str, path: str) -> None:
    assert with_carol.session("carol-token")["username"] == "carol@example.org"
    with events.stream(served(with_carol), "*", Authorization="Bearer carol-token") as found:
        found.block()
        with_carol.control(method, path)
        assert with_carol.ask("GET", "/.well-known/jmap", token="carol-token")[0] == 401
        while found.block() is not None:
            pass
    assert "carol@example.org" not in [one["name"] for one in with_carol.control("GET", "/")["users"]]


def test_whoever_comes_after_has_another_account_and_password(with_carol: Site) -> None:
    first = with_carol.account("carol-token")
    with_carol.control("DELETE", "/users/carol@example.org")
    with_carol.control("POST", "/users", {**CAROL, "token": "another-token"})
    assert with_carol.ask("GET", "/.well-known/jmap", token="carol-token")[0] == 401
    assert with_carol.account("another-token") != first
