"""`jmaplite sieve`: scripts checked and tried out."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jmaplite import cli

MESSAGE = "From: x@example.net\r\nTo: ann@example.org\r\nSubject: Hello\r\nMessage-ID: <1@example.net>\r\n\r\nText\r\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "message.eml").write_text(MESSAGE)
    return tmp_path


def sieve(*words: object, stdin: str = "") -> Result:
    return CliRunner().invoke(cli.main, ["sieve", *map(str, words)], input=stdin)


def tried(folder: Path, script: str, *options: object) -> Result:
    (folder / "mine.sieve").write_text(script)
    return sieve("test", *options, folder / "mine.sieve", folder / "message.eml")


def test_a_good_script_is_passed_without_a_word(folder: Path) -> None:
    (folder / "good.sieve").write_text('require "regex"; keep;')
    done = sieve("check", folder / "good.sieve")
    assert (done.exit_code, done.output) == (0, "")


def test_a_mistake_is_told_with_its_place(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / f"{name}.sieve").write_text("keep;\n  nothing;\n")
    done = sieve("check", folder / "a.sieve", folder / "b.sieve")
    assert done.exit_code == 1
    lines = done.stderr.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [f"{folder}/a.sieve:2:3", f"{folder}/b.sieve:2:3"]
    assert sieve("check", "-", stdin="keep").stderr.startswith("<stdin>:1:5: ")


def test_a_configuration_says_what_scripts_may_use(folder: Path) -> None:
    config = folder / "config.toml"
    config.write_text(
        '[server.listener.jmap]\nbind = "127.0.0.1:0"\n[jmap]\ndirectory = "d"\n[directory.d]\ntype = "memory"\n'
    )
    (folder / "mine.sieve").write_text('require "regex"; keep;')
    done = sieve("check", "--config", config, folder / "mine.sieve")
    assert done.exit_code == 1
    assert "'regex'" in done.stderr


def test_a_trial_shows_each_step_and_what_would_be_done(folder: Path) -> None:
    script = 'require ["fileinto", "mailbox"];\nif header :is "subject" "hello" {\n  fileinto :create "A";\n}\n'
    done = tried(folder, script)
    assert done.exit_code == 0
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[0] == "from <x@example.net> to <ann@example.org>"
    assert any(line.startswith("2:4  header: ") for line in lines)
    assert any(line.startswith("3:3  fileinto: ") for line in lines)
    assert lines[-2:] == ["what would be done:", 'file it into "A" (made if it is missing)']


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", "keep it in the inbox (nothing else was done with it)"),
        ("discard;", "throw it away"),
        ('redirect "y@example.com";', "send it on to y@example.com"),
        ('require "reject"; reject "No.";', "refuse it: No."),
        ('require "imap4flags"; keep :flags "\\\\Seen";', "keep it in the inbox, with \\Seen"),
        ('require "editheader"; addheader "X" "y"; keep;', "keep it in the inbox, as the script has changed it"),
        ('require ["vacation"]; vacation :days 1 "Away";', "answer the sender, again after 86400 seconds: Away"),
        ('require ["enotify"]; notify :message "M" "mailto:a@example.com";', "notify mailto:a@example.com: M"),
        (
            'require ["fileinto", "special-use", "mailboxid"]; fileinto :specialuse "\\\\Junk" "J";',
            'file it into the mailbox for \\Junk, else "J"',
        ),
    ],
)
def test_every_action_is_told_in_words(folder: Path, script: str, expected: str) -> None:
    assert expected.replace("\\", "\\\\") in tried(folder, script).stdout.replace("\\", "\\\\")


def test_the_world_is_as_it_is_told(folder: Path) -> None:
    (folder / "other.sieve").write_text("discard;")
    script = (
        'require ["date", "envelope", "mailbox", "duplicate", "include"];'
        'if allof (currentdate :is "date" "2026-01-31", envelope "from" "a@example.com", envelope "to" "b@example.com",'
        ' mailboxexists "Work", not mailboxexists "Play", duplicate) { include "other"; }'
    )
    told = ["--time", "2026-01-31T09:30:00Z", "-f", "a@example.com", "-t", "b@example.com", "--mailbox", "Work"]
    assert "throw it away" in tried(folder, script, *told, "--duplicate").stdout
    assert "throw it away" not in tried(folder, script, *told).stdout
    assert tried(folder, script, "--time", "soon").exit_code == 2


def test_why_nobody_is_answered_is_told(folder: Path) -> None:
    done = tried(folder, 'require "vacation"; vacation "Away";', "-f", "")
    assert "no answer is sent: the sender of the envelope is empty" in done.stdout


def test_a_script_that_fails_ends_with_1_and_keeps(folder: Path) -> None:
    done = tried(folder, 'require "include";\ninclude "missing";\n')
    assert done.exit_code == 1
    assert done.stderr.startswith("mine.sieve:2:1: ")
    assert "keep it in the inbox" in done.stdout
    assert tried(folder, "nothing;").exit_code == 1
    itself = tried(folder, 'require "include";\ninclude "mine";\n')
    assert itself.stderr == "mine.sieve:2:1: the script 'mine' includes itself\n"


def test_what_steers_a_terminal_is_not_shown_as_it_is(folder: Path) -> None:
    done = tried(folder, 'require "reject"; reject "\x1b[31mNo";')
    assert "\x1b" not in done.stdout
