"""`jmaplite queue`: what waits to be sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jmaplite.config import load
from jmaplite.datatypes.submission import queue
from jmaplite.server import compose
from jmaplite.server.parts import office
from tests.cli.mail_site import Site

OCTETS = b"From: ann@example.org\r\n\r\nHi\r\n"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site.make(tmp_path)
    for person, recipients in (("ann", ("x@there.example", "y@there.example")), ("bob", ("z@there.example",))):
        send(site, person, recipients)
    return site


def send(site: Site, person: str, recipients: tuple[str, ...]) -> None:
    parts = compose(load(site.config))
    principal = parts.directory.principal(person)
    assert principal is not None
    blobs = parts.ground.blobs
    account = parts.ground.store.account(office(parts, load(site.config)).account(principal))
    staged = blobs.stage(account.id, OCTETS)
    account.write(lambda tx: queue.send(tx, blobs, staged, 25, f"{person}@example.org", recipients, 1_700_000_000))
    parts.close()


def listed(site: Site, *words: str) -> list[dict[str, object]]:
    result = site.run("queue", "list", "--json", *words)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines()]


def recipients(site: Site, *words: str) -> list[dict[str, object]]:
    return [one for entry in listed(site, *words) for one in entry["recipients"]]  # type: ignore[attr-defined]


def test_messages_are_listed_with_their_recipients(site: Site) -> None:
    lines = site.run("queue", "list").output.splitlines()
    assert len(lines) == 5
    assert "2023-11-14T22:13:20Z  from <ann@example.org> (ann)" in lines[0]
    assert lines[1].strip().startswith("<x@there.example>  next 2023-11-14T22:13:20Z, tried 0 times: 250 2.1.5 ")
    (entry,) = listed(site, "--account", "bob@example.org")
    assert (entry["owner"], entry["from"], entry["release"]) == ("bob", "bob@example.org", "2023-11-14T22:13:20Z")
    assert entry["recipients"] == [
        {
            "address": "z@there.example",
            "elsewhere": False,
            "attempts": 0,
            "held": False,
            "next": "2023-11-14T22:13:20Z",
            "smtpReply": "250 2.1.5 Accepted, in the queue",
        }
    ]


def test_what_is_held_waits_until_it_is_to_be_tried(site: Site) -> None:
    name = str(listed(site, "--account", "ann")[0]["message"])
    assert site.run("queue", "hold", name).output == "1 message held\n"
    assert [one["held"] for one in recipients(site, "--account", "ann")] == [True, True]
    assert [one["held"] for one in recipients(site, "--account", "bob")] == [False]
    assert "held, tried 0 times" in site.run("queue", "list", "--account", "ann").output
    assert site.run("queue", "retry", "--all").output == "2 messages will be tried now\n"
    assert [one["held"] for one in recipients(site)] == [False] * 3
    assert {str(one["next"]) > "2023-11-15" for one in recipients(site)} == {True}


def test_what_is_removed_is_gone(site: Site) -> None:
    assert site.run("queue", "remove", "--account", "ann").output == "1 message removed\n"
    assert [entry["owner"] for entry in listed(site)] == ["bob"]
    assert site.run("queue", "remove", "--all").output == "1 message removed\n"
    assert site.run("queue", "list").output == "nothing waits\n"
    assert listed(site) == []


@pytest.mark.parametrize("name", ["x", "u1/S1", "S1", "{account}/S999", "{account}/", "{account}/E1", "\x1b/S1"])
def test_a_message_that_is_not_there_is_told_before_anything_is_done(site: Site, name: str) -> None:
    entry = listed(site, "--account", "ann")[0]
    result = site.run("queue", "remove", name.format(account=entry["accountId"]))
    assert (result.exit_code, "there is no message" in result.output) == (1, True)
    assert "\x1b" not in result.output
    assert len(listed(site)) == 2


@pytest.mark.parametrize("words", [(), ("--all", "--account", "ann"), ("u1/S1", "--all")])
@pytest.mark.parametrize("command", ["retry", "hold", "remove"])
def test_what_is_meant_has_to_be_said_once(site: Site, command: str, words: tuple[str, ...]) -> None:
    assert site.run("queue", command, *words).exit_code == 2
