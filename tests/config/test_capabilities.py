"""[jmap.capabilities]: what is switched off is as if it had never been written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jmaplite.config import ConfigError, parse
from jmaplite.config.table.capabilities import CORE, KNOWN, NEEDS
from jmaplite.core.session import Session
from jmaplite.datatypes import capabilities
from jmaplite.push.transports import push_capabilities
from jmaplite.server import compose
from jmaplite.server.parts import Parts

GOOD = """\
server.listener.jmap.bind = "127.0.0.1:0"
jmap.directory = "memory"
[directory.memory]
type = "memory"
[[directory.memory.principals]]
name = "jane"
[jmap.capabilities]
"""
"""Seven lines."""

MAIL = "urn:ietf:params:jmap:mail"


@contextmanager
def composed(path: Path, text: str) -> Iterator[tuple[Parts, Session]]:
    parts = compose(parse(GOOD + text, path / "c.toml", environ={}))
    try:
        jane = parts.directory.principal("jane")
        assert jane is not None
        yield parts, parts.engine.session(jane, "https://example.org")
    finally:
        parts.close()


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        parse(GOOD + text, "c.toml", environ={})
    return raised.value.lines()


def test_every_capability_that_there_is_can_be_named() -> None:
    assert {capability.urn for capability in (*capabilities(), *push_capabilities())} <= set(KNOWN)


@pytest.mark.parametrize("urn", [capability.urn for capability in capabilities() if capability.urn != CORE])
@pytest.mark.parametrize("short", [True, False])
def test_what_is_off_is_not_announced_and_has_no_methods(urn: str, short: bool, tmp_path: Path) -> None:
    name = urn.rpartition(":")[2] if short else f'"{urn}"'
    with composed(tmp_path, f"{name} = false\n") as (parts, session):
        document = session.to_json()
        assert urn not in document["capabilities"]
        assert all(urn not in account["accountCapabilities"] for account in document["accounts"].values())
        assert urn not in document["primaryAccounts"]
        methods = {method.name for one in capabilities() if one.urn == urn for method in one.methods}
        assert {method for method in methods if parts.engine.catalog.method(method)} == set()
        assert MAIL in document["capabilities"] or urn == MAIL


def test_what_needs_a_capability_goes_with_it(tmp_path: Path) -> None:
    with composed(tmp_path, "mail = false\n") as (_, session):
        announced = set(session.to_json()["capabilities"])
    assert announced.isdisjoint({MAIL, *NEEDS})
    assert "urn:ietf:params:jmap:blob" in announced


def test_blobs_are_not_looked_up_in_types_that_are_off(tmp_path: Path) -> None:
    with composed(tmp_path, "mail = false\n") as (_, session):
        [account] = session.to_json()["accounts"].values()
    assert "Email" not in account["accountCapabilities"]["urn:ietf:params:jmap:blob"]["supportedTypeNames"]


def test_what_is_on_again_has_what_an_account_begins_with(tmp_path: Path) -> None:
    with composed(tmp_path, "mail = false\n"):
        pass
    with composed(tmp_path, "mail = true\n") as (parts, session):
        [account] = session.accounts
        with parts.ground.store.account(account).read() as tx:
            assert tx.value("SELECT count(*) FROM mailbox WHERE account=? AND role='inbox'", tx.account) == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("core = false", "c.toml:8: jmap.capabilities.core: cannot be switched off (RFC 8620 §2)"),
        (
            "vacation = false",
            "c.toml:8: jmap.capabilities.vacation: there is no capability 'vacation' "
            "(did you mean 'vacationresponse'?)",
        ),
        ("quota = 'no'", "c.toml:8: jmap.capabilities.quota: expected true or false, found 'no'"),
        (
            'quota = true\n"urn:ietf:params:jmap:quota" = false',
            "c.toml:9: jmap.capabilities.'urn:ietf:params:jmap:quota': is the same as jmap.capabilities.quota, "
            "which is set on line 8",
        ),
        (
            "mail = false\nsubmission = true",
            "c.toml:9: jmap.capabilities.submission: needs urn:ietf:params:jmap:mail, "
            "which jmap.capabilities.mail switches off",
        ),
        (
            'vacationresponse = true\n[imapd]\njmap_vacation = "no"',
            "c.toml:10: imapd.jmap_vacation: is the same as jmap.capabilities.vacationresponse, which is set on line 8",
        ),
    ],
)
def test_what_cannot_be_chosen_is_a_mistake(text: str, line: str) -> None:
    assert mistakes(text) == [line]
