"""`jmaplite export`: an import of what was exported gives the same mail, octet for octet."""

from __future__ import annotations

import mailbox
import os
from pathlib import Path

import pytest

from jmaplite.formats.mailboxes import Flags, Incoming
from tests.cli.mail_site import CONFIG, Site, message
from tests.formats.test_mbox import CORPUS

AWKWARD = (
    message(1, body="From here\r\n>From there\r\n>>From nowhere"),
    message(2, body="From a@b Tue Jul 23 19:39:23 2002\r\nSubject: pasted\r\n\r\nx"),
    message(3, header="Content-Length: 3\r\n"),
    message(4, header="Status: RO\r\nX-Status: F\r\n"),
    b"Status: O\r\nX-Exported-By: jmaplite\r\nSubject: an export within\r\n\r\nx\r\n",
    message(6, body="blank lines follow\r\n\r\n\r\n"),
    message(7, body="a lone \r, and CR CR LF\r\r\nx"),
    b"Subject: only a header\r\n",
    message(9, body="\r\n" * 3 + "\xe9\xff\0"),
)
"""Messages that stand in an mbox only with care."""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site.make(tmp_path)
    found = [
        Incoming("", octets, ("Inbox",), Flags(frozenset({"$seen"})), received=1000 + number)
        for number, octets in enumerate(AWKWARD)
    ]
    found += [
        Incoming("", AWKWARD[0], ("Work",), received=7),
        Incoming("", message(20), ("Work", "a.b/c & d%2F", "Ü"), Flags(frozenset({"work", "$draft"})), received=5),
        Incoming("", message(21), (".hidden", "x.mbox"), Flags(frozenset({"$forwarded"})), received=6),
        Incoming("", message(22), ("Inbox", "beneath"), Flags(frozenset({"$flagged"})), received=2_000_000_000),
        Incoming("", message(23), (), Flags(frozenset({"$answered"}), deleted=True), received=1),
    ]
    assert set(site.bring(*found)) == {"imported", "added"}
    return site


@pytest.mark.parametrize("kind", ["mbox", "maildir"])
def test_a_whole_account_comes_back_the_same(site: Site, tmp_path: Path, kind: str) -> None:
    result = site.run("export", kind, "--account", "ann", tmp_path / "out")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{len(AWKWARD) + 5} messages written to {tmp_path}/out, 0 failed\n"
    result = site.run("import", kind, "--account", "bob", tmp_path / "out")
    assert (result.exit_code, result.stderr) == (0, "")
    assert site.mail("bob") == site.mail("ann")
    assert site.folders("bob") == site.folders("ann")


@pytest.mark.parametrize("kind", ["mbox", "maildir"])
def test_one_mailbox_comes_back_the_same(site: Site, tmp_path: Path, kind: str) -> None:
    result = site.run("export", kind, "--account", "ann", "--mailbox", "Inbox", tmp_path / "out")
    assert result.stdout.startswith(f"{len(AWKWARD)} messages written")
    site.run("import", kind, "--account", "bob", tmp_path / "out")
    inbox = {octets: mail for octets, mail in site.mail("ann").items() if "Inbox" in mail.mailboxes}
    got = site.mail("bob")
    assert got.keys() == inbox.keys()
    assert {mail.received for mail in got.values()} == {mail.received for mail in inbox.values()}


@pytest.mark.parametrize("kind", ["mbox", "maildir"])
def test_an_export_is_read_by_the_standard_library(site: Site, tmp_path: Path, kind: str) -> None:
    site.run("export", kind, "--account", "ann", "--mailbox", "Inbox", tmp_path / "out")
    if kind == "mbox":
        read: mailbox.Mailbox[mailbox.Message] = mailbox.mbox(tmp_path / "out", create=False)
    else:
        read = mailbox.Maildir(tmp_path / "out", create=False)
    assert len(read) == len(AWKWARD)
    assert all("S" in found.get_flags() or "R" in found.get_flags() for found in read)  # type: ignore[attr-defined]
    read.close()


def test_lines_end_with_lf_unless_that_could_not_be_undone(site: Site, tmp_path: Path) -> None:
    site.run("export", "maildir", "--account", "ann", "--mailbox", "Inbox", tmp_path / "out")
    files = {path.read_bytes() for path in (tmp_path / "out" / "cur").iterdir()}
    assert AWKWARD[2].replace(b"\r\n", b"\n") in files
    assert AWKWARD[6] in files


def test_without_flags_an_mbox_holds_nothing_but_the_messages(site: Site, tmp_path: Path) -> None:
    site.run("export", "mbox", "--account", "ann", "--mailbox", "Trash", "--no-flags", tmp_path / "out")
    expected = b"From MAILER-DAEMON Thu Jan  1 00:00:01 +0000 1970\n" + message(23).replace(b"\r\n", b"\n") + b"\n"
    assert (tmp_path / "out").read_bytes() == expected


def test_the_separator_names_the_sender(site: Site, tmp_path: Path) -> None:
    site.bring(Incoming("", message(30, header="From: Ann <ann@example.org>\r\n"), ("Sent",), received=0))
    site.run("export", "mbox", "--account", "ann", "--mailbox", "sent", tmp_path / "out")
    assert (tmp_path / "out").read_bytes().startswith(b"From ann@example.org Thu Jan  1 00:00:00 +0000 1970\n")


def test_a_file_of_a_maildir_has_the_time_of_receipt(site: Site, tmp_path: Path) -> None:
    site.run("export", "maildir", "--account", "ann", "--mailbox", "Inbox/beneath", tmp_path / "out")
    (path,) = (tmp_path / "out" / "cur").iterdir()
    assert path.stat().st_mtime == 2_000_000_000
    assert path.name.startswith("2000000000.")
    assert path.name.endswith(":2,F")


# What is there already


@pytest.mark.parametrize("kind", ["mbox", "maildir"])
def test_nothing_is_written_over_unless_forced(site: Site, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    site.run("export", kind, "--account", "ann", out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    result = site.run("export", kind, "--account", "ann", out)
    assert (result.exit_code, result.stderr) == (1, f"Error: {out} is there already; --force writes over it\n")
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    result = site.run("export", kind, "--account", "ann", "--force", out)
    assert result.exit_code == 0
    site.run("import", kind, "--account", "bob", out)
    assert site.mail("bob") == site.mail("ann")
    assert set(out.rglob("*")) == set(before)


def test_a_forced_export_to_a_maildir_brings_flags_up_to_date(site: Site, tmp_path: Path) -> None:
    site.run("export", "maildir", "--account", "ann", "--mailbox", "Trash", tmp_path / "out")
    (path,) = (tmp_path / "out" / "cur").iterdir()
    path.rename(path.with_name(path.name.replace(":2,R", ":2,S")))
    (tmp_path / "out" / "new" / "1.other").touch()
    site.run("export", "maildir", "--account", "ann", "--mailbox", "Trash", "--force", tmp_path / "out")
    assert [found.name for found in (tmp_path / "out" / "cur").iterdir()] == [path.name]
    assert (tmp_path / "out" / "new" / "1.other").exists()


def test_an_empty_directory_may_be_written_to(site: Site, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert site.run("export", "maildir", "--account", "ann", tmp_path / "out").exit_code == 0


@pytest.mark.parametrize("words", [("mbox", "--mailbox", "Inbox"), ("maildir",), ("mbox",)])
def test_a_file_is_not_taken_for_a_directory_nor_a_directory_for_a_file(
    site: Site, tmp_path: Path, words: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    if "--mailbox" in words:
        out.mkdir()
    else:
        out.touch()
    result = site.run("export", *words, "--account", "ann", "--force", out)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {out} is there already and is no ")


# What goes wrong


def test_a_message_without_a_header_is_named_and_left_out_of_an_mbox(site: Site, tmp_path: Path) -> None:
    site.bring(Incoming("", b"\r\nno header\r\n", ("Odd",), received=1), Incoming("", message(40), ("Odd",)))
    result = site.run("export", "mbox", "--account", "ann", "--mailbox", "Odd", tmp_path / "out")
    assert result.exit_code == 1
    assert "begins with no header field; an export to a Maildir can hold it" in result.stderr
    assert result.stdout.startswith("1 messages written")
    result = site.run("export", "maildir", "--account", "ann", "--mailbox", "Odd", tmp_path / "maildir")
    assert result.exit_code == 0


def test_a_last_line_without_end_is_told_by_an_mbox_and_kept_by_a_maildir(site: Site, tmp_path: Path) -> None:
    site.bring(Incoming("", b"Subject: x\r\n\r\nno end", ("Odd",), received=1))
    result = site.run("export", "mbox", "--account", "ann", "--mailbox", "Odd", tmp_path / "out")
    assert (result.exit_code, result.stderr) == (
        0,
        "1 messages had no end of their last line and were given one\n",
    )
    site.run("export", "maildir", "--account", "ann", "--mailbox", "Odd", tmp_path / "maildir")
    site.run("import", "maildir", "--account", "bob", "--mailbox", "Odd", tmp_path / "maildir")
    assert b"Subject: x\r\n\r\nno end" in site.mail("bob")


def test_keywords_beyond_the_letters_of_a_maildir_are_told(site: Site, tmp_path: Path) -> None:
    many = Flags(frozenset(f"k{number:02}" for number in range(30)))
    site.bring(Incoming("", message(40), ("Odd",), many))
    result = site.run("export", "maildir", "--account", "ann", "--mailbox", "Odd", tmp_path / "out")
    assert result.exit_code == 0
    assert result.stderr == "keywords that found no letter, 26 for each folder: k26 k27 k28 k29\n"


def test_a_wrong_mailbox_is_told_with_a_suggestion(site: Site, tmp_path: Path) -> None:
    result = site.run("export", "mbox", "--account", "ann", "--mailbox", "Wrok", tmp_path / "out")
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: there is no mailbox “Wrok” (did you mean “Work”?)\n",
    )
    assert not (tmp_path / "out").exists()


def test_a_destination_that_cannot_be_written_is_told(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = site.run("export", "mbox", "--account", "ann", "--mailbox", "Inbox", tmp_path / "file" / "out")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "Not a directory" in result.stderr or "File exists" in result.stderr


def test_an_export_that_fails_leaves_the_old_file_and_no_part_of_a_new_one(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = site.run("export", "mbox", "--account", "ann", "--mailbox", "Inbox", "--force", tmp_path / "out")
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: {tmp_path}/out cannot be written: No space left on device\n",
    )
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("out")) == ["out"]
    assert (tmp_path / "out").read_bytes() == b"old"


# Real mail


@pytest.mark.corpus
def test_a_real_archive_comes_back_the_same_from_an_mbox_and_from_a_maildir(tmp_path: Path) -> None:
    if not CORPUS.is_file():
        pytest.skip("needs the corpus (JMAPLITE_CORPUS)")
    site = Site.make(tmp_path, CONFIG.replace("100_000", "10_000_000"))
    result = site.run("import", "mbox", "--account", "ann", "--mailbox", "Lists/dovecot", CORPUS)
    assert result.stdout.startswith("3,237 imported, 0 already there, 0 failed; ")
    expected = site.mail("ann")
    assert len(expected) == 3237
    for kind, source, target in (("mbox", "ann", "bob"), ("maildir", "bob", "cat")):
        site.run("export", kind, "--account", source, tmp_path / kind)
        site.run("import", kind, "--account", target, tmp_path / kind)
        assert site.mail(target) == expected
    result = site.run("verify")
    assert (result.exit_code, result.output) == (0, "OK: 3 accounts\n")


def test_a_maildir_that_cannot_be_written_is_told_with_its_file(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    result = site.run("export", "maildir", "--account", "ann", "--mailbox", "Inbox", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {tmp_path}/out/tmp/")
    assert result.stderr.endswith(" cannot be written: No space left on device\n")


def test_where_there_is_no_store_none_is_made(tmp_path: Path) -> None:
    site = Site.make(tmp_path)
    result = site.run("export", "mbox", "--account", "ann", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{tmp_path}/data" in result.stderr
    assert "there is no store" in result.stderr
    assert not (tmp_path / "data").exists()
