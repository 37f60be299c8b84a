"""`jmaplite conversations`: what ctl_conversationsdb does."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from jmaplite.formats.mailboxes import Incoming
from tests.cli.mail_site import Site, message


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site.make(tmp_path)
    site.bring(*(Incoming("", message(number, header="References: <1@example.org>\r\n"), ()) for number in range(3)))
    site.bring(Incoming("", message(1), ()), account="bob")
    return site


def test_clear_audit_and_rebuild_of_one_account(site: Site) -> None:
    assert site.run("conversations", "audit", "--all").output == "OK: 2 accounts\n"
    cleared = site.run("conversations", "clear", "--account", "ann")
    assert (cleared.exit_code, cleared.stderr) == (0, "")
    assert "(ann): 3 Threads, 0 Emails moved" in cleared.output
    rebuilt = site.run("conversations", "rebuild", "--all")
    assert (rebuilt.exit_code, len(rebuilt.output.splitlines())) == (0, 2)


def test_dump_is_a_json_object_for_each_thread(site: Site) -> None:
    lines = [json.loads(line) for line in site.run("conversations", "dump", "--account", "ann").output.splitlines()]
    assert [email["subject"] for line in lines for email in line["emails"]] == [f"message {n}" for n in range(3)]


@pytest.mark.parametrize("words", [(), ("--all", "--account", "ann")])
@pytest.mark.parametrize("command", ["rebuild", "clear", "audit", "dump"])
def test_one_account_or_all_have_to_be_named(site: Site, command: str, words: tuple[str, ...]) -> None:
    result = site.run("conversations", command, *words)
    assert result.exit_code == 2
    assert "--account NAME" in result.stderr


def test_a_wrong_name_is_told(site: Site) -> None:
    result = site.run("conversations", "audit", "--account", "nobody")
    assert (result.exit_code, "no account" in result.stderr) == (1, True)


def test_whoever_reads_a_dump_may_have_read_enough(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def enough(*_: object, **__: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("jmaplite.cli.conversations.click.echo", enough)
    result = site.run("conversations", "dump", "--all")
    assert (result.exit_code, result.stderr) == (1, "")
