"""`jmaplite import`: where messages go, when they were received, and what happens when something goes wrong."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jmaplite.core.context import Services
from jmaplite.core.methods.set import set_
from jmaplite.datatypes.mail import MAILBOX
from jmaplite.datatypes.mail.ingest import Prepared, prepare
from jmaplite.datatypes.mail.transfer import importer
from jmaplite.formats.mailboxes import Flags, Found, Incoming
from jmaplite.store import StoreUnavailable
from tests.cli.mail_site import CONFIG, Mail, Site, message, separated

SECOND = 1027453163
"""Tue Jul 23 19:39:23 2002 in UTC."""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site.make(tmp_path)


def mail(*mailboxes: str, keywords: tuple[str, ...] = (), received: int = SECOND) -> Mail:
    return Mail(frozenset(mailboxes), frozenset(keywords), received)


# Where messages go


def test_an_mbox_goes_into_the_inbox_with_crlf_line_ends(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(separated(message(1), message(2)))
    result = site.run("import", "mbox", "--account", "ann", tmp_path / "a.mbox")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("2 imported, 0 already there, 0 failed; ")
    assert site.mail() == {message(1): mail("Inbox"), message(2): mail("Inbox")}


def test_a_second_run_imports_nothing(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(separated(*(message(number) for number in range(120))))
    site.run("import", "mbox", "--account", "ann", tmp_path / "a.mbox")
    before = site.mail()
    result = site.run("import", "mbox", "--account", "ann", tmp_path / "a.mbox")
    assert result.stdout.startswith("0 imported, 120 already there, 0 failed; ")
    assert site.mail() == before
    assert len(before) == 120


def test_what_is_twice_in_a_file_is_imported_once(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(separated(message(1), message(1), message(2), message(1)))
    result = site.run("import", "mbox", "--account", "ann", tmp_path / "a.mbox")
    assert result.stdout.startswith("2 imported, 2 already there, 0 failed; ")
    assert len(site.mail()) == 2


@pytest.mark.parametrize("together", [True, False])
def test_the_same_octets_in_another_mailbox_are_one_email_in_both(site: Site, tmp_path: Path, together: bool) -> None:
    for name in ("one", "two"):
        (tmp_path / "mail" / name).mkdir(parents=True)
        (tmp_path / "mail" / name / "1.eml").write_bytes(message(1, header="Date: 1 Jan 2001 00:00:00 +0000\r\n"))
    if together:
        outputs = [site.run("import", "eml", "--account", "ann", tmp_path / "mail").stdout]
    else:
        outputs = [
            site.run("import", "eml", "--account", "ann", "--mailbox", name, tmp_path / "mail" / name / "1.eml").stdout
            for name in ("one", "two")
        ]
    assert ("0 imported, 1 put" in outputs[-1]) is not together
    assert "1 put into another mailbox, 0 already there" in outputs[-1]
    assert [email.mailboxes for email in site.mail().values()] == [{"one", "two"}]


def test_a_mailbox_may_be_named_by_its_path_and_is_made(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(separated(message(1)))
    site.run("import", "mbox", "--account", "ann", "--mailbox", "Lists/dovecot", tmp_path / "a.mbox")
    assert site.mail() == {message(1): mail("Lists/dovecot")}
    assert site.folders()["Lists"] is None


@pytest.mark.parametrize(
    ("name", "box"), [("SPAM", "Junk"), ("inbox", "Inbox"), ("Sent Items", "Sent"), ("Archives", "Archive")]
)
def test_a_well_known_name_is_the_mailbox_of_its_role(site: Site, tmp_path: Path, name: str, box: str) -> None:
    (tmp_path / "a.mbox").write_bytes(separated(message(1)))
    site.run("import", "mbox", "--account", "ann", "--mailbox", name, tmp_path / "a.mbox")
    assert site.mail() == {message(1): mail(box)}


def test_an_existing_name_comes_before_a_role(site: Site) -> None:
    assert site.bring(Incoming("", message(1), ("Lists",))) == ["imported"]
    assert site.bring(Incoming("", message(2), ("Lists", "Sent"))) == ["imported"]
    assert site.mail()[message(2)].mailboxes == {"Lists/Sent"}
    assert site.folders()["Lists/Sent"] is None


def test_mbox_files_beneath_a_directory_go_into_mailboxes_of_their_names(site: Site, tmp_path: Path) -> None:
    top = tmp_path / "profile"
    files = {
        "Inbox": 1,
        "Sent.mbox": 2,
        "Lists.sbd/dovecot": 3,
        "Work/old.mbx.gz": 4,
        "Apple.mbox/mbox": 5,
        "a%2Fb.mbox": 6,
    }
    for name, number in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        octets = separated(message(number))
        (top / name).write_bytes(gzip.compress(octets) if name.endswith(".gz") else octets)
    for name in ("Inbox.msf", ".hidden", "Apple.mbox/table_of_contents"):
        (top / name).write_bytes(b"From here on no mbox")
    (top / "Empty.mbox").touch()
    (top / ".hidden").write_bytes(separated(message(9)))
    (top / "Inbox.msf").write_bytes(b"// <!-- <mdb:mork:z v=1.4/> -->")
    (top / "Apple.mbox/table_of_contents").write_bytes(b"\0\1")
    result = site.run("import", "mbox", "--account", "ann", top)
    assert (result.exit_code, result.stderr) == (0, "")
    boxes = {number: "".join(site.mail()[message(number)].mailboxes) for number in files.values()}
    assert boxes == {1: "Inbox", 2: "Sent", 3: "Lists/dovecot", 4: "Work/old", 5: "Apple", 6: "a/b"}
    assert len(site.mail()) == 6
    assert "Empty" in site.folders()


def test_a_maildir_comes_with_folders_flags_and_keywords(site: Site, tmp_path: Path) -> None:
    top = tmp_path / "Maildir"
    files = {
        "cur/1026744000.a:2,S": 1,
        "new/1026744000.b": 2,
        "cur/1026744000.c:2,FRSa": 3,
        ".Sent/cur/1026744000.d:2,S": 4,
        ".Archive.2024/cur/1026744000.e:2,DP": 5,
        ".INBOX.Entw&APw-rfe/cur/1026744000.f:2,": 6,
        "cur/1026744000.g:2,ST": 7,
        "tmp/1026744000.h": 8,
        "cur/.nfs0001": 9,
    }
    for name, number in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(message(number).replace(b"\r\n", b"\n"))
    (top / ".Empty" / "new").mkdir(parents=True)
    (top / "dovecot-keywords").write_bytes(b"0 Work\n")
    result = site.run("import", "maildir", "--account", "ann", top)
    assert (result.exit_code, result.stderr) == (0, "")
    received = 1026744000
    assert site.mail() == {
        message(1): mail("Inbox", keywords=("$seen",), received=received),
        message(2): mail("Inbox", received=received),
        message(3): mail("Inbox", keywords=("$flagged", "$answered", "$seen", "work"), received=received),
        message(4): mail("Sent", keywords=("$seen",), received=received),
        message(5): mail("Archive/2024", keywords=("$draft", "$forwarded"), received=received),
        message(6): mail("Inbox/Entwürfe", received=received),
        message(7): mail("Trash", keywords=("$seen",), received=received),
    }
    assert "Empty" in site.folders()
    result = site.run("import", "maildir", "--account", "ann", top)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("0 imported, 7 already there, 0 failed; ")


def test_a_maildir_message_was_received_at_the_earlier_of_its_name_and_its_file(site: Site, tmp_path: Path) -> None:
    (tmp_path / "m" / "cur").mkdir(parents=True)
    for number, (name, modified) in enumerate([("2000.a", 1000), ("1000.b", 2000), ("name", 1500), ("0.d", 1600)]):
        path = tmp_path / "m" / "cur" / f"{name}:2,"
        path.write_bytes(message(number))
        os.utime(path, (modified, modified))
    site.run("import", "maildir", "--account", "ann", tmp_path / "m")
    assert [site.mail()[message(number)].received for number in range(4)] == [1000, 1000, 1500, 1600]


def test_eml_files_go_where_their_folders_say(site: Site, tmp_path: Path) -> None:
    top = tmp_path / "mail"
    header = "Received: by x; Tue, 23 Jul 2002 21:39:23 +0200\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\n"
    files = {"01-welcome,SF.eml": 1, "Spam/02.EML": 2, "R&D/New/03,ST.eml": 3, "R&D/04.eml": 4, "05.txt": 5}
    for name, number in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(message(number, header=header))
    result = site.run("import", "eml", "--account", "ann", top)
    assert (result.exit_code, result.stderr) == (0, "")
    assert site.mail() == {
        message(1, header=header): mail("Inbox", keywords=("$seen", "$flagged")),
        message(2, header=header): mail("Junk"),
        message(3, header=header): mail("Trash", keywords=("$seen",)),
        message(4, header=header): mail("R&D"),
    }


def test_folders_may_be_called_what_the_configuration_says_besides(site: Site, tmp_path: Path) -> None:
    with site.config.open("a") as config:
        config.write('[jmap.folders.trash]\naliases = "Sent, Rubbish"\n')
    for folder, number in {"Rubbish": 1, "Sent": 2, "Spam": 3}.items():
        (tmp_path / "mail" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "mail" / folder / "1.eml").write_bytes(message(number))
    site.run("import", "eml", "--account", "ann", tmp_path / "mail")
    assert [site.mail()[message(number)].mailboxes for number in (1, 2, 3)] == [{"Trash"}, {"Sent"}, {"Junk"}]


def test_with_a_mailbox_given_folders_are_made_beneath_it(site: Site, tmp_path: Path) -> None:
    (tmp_path / "mail" / "Sent").mkdir(parents=True)
    (tmp_path / "mail" / "1.eml").write_bytes(message(1))
    (tmp_path / "mail" / "Sent" / "2.eml").write_bytes(message(2))
    site.run("import", "eml", "--account", "ann", "--mailbox", "Old", tmp_path / "mail")
    assert [set(site.mail()[message(number)].mailboxes) for number in (1, 2)] == [{"Old"}, {"Old/Sent"}]


def test_flags_of_mbox_programs_become_keywords_unless_not_wanted(site: Site, tmp_path: Path) -> None:
    octets = message(1, header="Status: RO\r\nX-Status: AF\r\nX-Keywords: Work\r\n")
    deleted = message(2, header="X-Mozilla-Status: 0009\r\n")
    (tmp_path / "a.mbox").write_bytes(separated(octets, deleted))
    site.run("import", "mbox", "--account", "ann", tmp_path / "a.mbox")
    assert site.mail() == {
        octets: mail("Inbox", keywords=("$seen", "$answered", "$flagged", "work")),
        deleted: mail("Trash", keywords=("$seen",)),
    }
    site.run("import", "mbox", "--account", "bob", "--no-flags", tmp_path / "a.mbox")
    assert site.mail("bob") == {octets: mail("Inbox"), deleted: mail("Inbox")}


QUOTED = message(1, body=">From here\r\n>>From there")
PLAIN = message(1, body="From here\r\n>From there")


@pytest.mark.parametrize(
    ("quoting", "other", "expected"),
    [
        ("auto", "no such line", PLAIN),
        ("auto", "From TODO:", QUOTED),
        ("mboxrd", "From TODO:", PLAIN),
        ("none", "no such line", QUOTED),
    ],
)
def test_quoting_is_undone_where_the_file_was_quoted(
    site: Site, tmp_path: Path, quoting: str, other: str, expected: bytes
) -> None:
    (tmp_path / "a.mbox").write_bytes(separated(QUOTED, message(2, body=other)))
    site.run("import", "mbox", "--account", "ann", "--quoting", quoting, tmp_path / "a.mbox")
    assert expected in site.mail()


def test_an_mbox_may_be_packed_with_gzip_whatever_its_name(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(gzip.compress(separated(message(1), message(2))))
    result = site.run("import", "mbox", "--account", "ann", tmp_path / "a.mbox")
    assert result.exit_code == 0
    assert len(site.mail()) == 2


# When they were received


@pytest.mark.parametrize(
    ("incoming", "received", "sent", "expected"),
    [
        (Incoming("", b"", (), received=500), 700, 600, 500),
        (Incoming("", b"", (), local=500), 700, 600, 700),
        (Incoming("", b"", (), local=500), 500 + 15 * 3600, 600, 500 + 15 * 3600),
        (Incoming("", b"", (), local=500), 501 + 15 * 3600, 600, 500),
        (Incoming("", b"", (), local=500), None, 600, 500),
        (Incoming("", b"", (), modified=500), 700, 600, 700),
        (Incoming("", b"", (), modified=500), None, 600, 600),
        (Incoming("", b"", (), modified=500), None, None, 500),
        (Incoming("", b"", (), modified=500), None, 10_001, 500),
        (Incoming("", b"", ()), None, 10_001, 10_000),
        (Incoming("", b"", ()), None, -5, 10_000),
        (Incoming("", b"", ()), None, None, 10_000),
        (Incoming("", b"", (), received=-5), None, None, 0),
        (Incoming("", b"", (), received=1 << 60), None, None, 253_402_300_799),
    ],
)
def test_the_time_of_receipt_is_the_surest_that_there_is(
    incoming: Incoming, received: int | None, sent: int | None, expected: int
) -> None:
    prepared = Prepared.__new__(Prepared)
    object.__setattr__(prepared, "received", received)
    object.__setattr__(prepared, "sent", sent)
    assert importer.received_at(incoming, prepared, now=10_000) == expected


# Whose mail


@pytest.mark.parametrize("name", ["ann", "ann@example.org", "A@example.net"])
def test_an_account_is_named_by_its_principal_or_an_address(site: Site, tmp_path: Path, name: str) -> None:
    (tmp_path / "a.mbox").write_bytes(separated(message(1)))
    assert site.run("import", "mbox", "--account", name, tmp_path / "a.mbox").exit_code == 0
    assert len(site.mail("ann")) == 1


def test_an_account_is_named_by_its_id_too(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(separated(message(1)))
    with site.transfer() as transfer:
        account_id = transfer.owner("bob", make=True).account_id
    assert site.run("import", "mbox", "--account", account_id, tmp_path / "a.mbox").exit_code == 0
    assert len(site.mail("bob")) == 1


def test_a_wrong_name_is_told_with_a_suggestion(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(separated(message(1)))
    result = site.run("import", "mbox", "--account", "bob@example.com", tmp_path / "a.mbox")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: there is no account, principal or address “bob@example.com” (did you mean “bob@example.org”?)\n"
    )


# What goes wrong


def test_what_is_no_mbox_is_told_and_makes_no_mailbox_and_others_go_on(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(message(1))
    (tmp_path / "b.mbox").write_bytes(separated(message(2)))
    result = site.run("import", "mbox", "--account", "ann", tmp_path / "a.mbox", tmp_path / "b.mbox")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{tmp_path}/a.mbox: this is no mbox file: it does not begin with")
    assert result.stdout.startswith("1 imported, 0 already there, 1 failed; ")
    result = site.run("import", "mbox", "--account", "ann", "--mailbox", "New", tmp_path / "a.mbox")
    assert result.exit_code == 1
    assert "New" not in site.folders()


def test_a_damaged_gzip_file_is_imported_up_to_the_damage(site: Site, tmp_path: Path) -> None:
    whole = gzip.compress(separated(*(message(number) for number in range(3000))))
    (tmp_path / "a.mbox.gz").write_bytes(whole[: len(whole) // 2])
    result = site.run("import", "mbox", "--account", "ann", "--quoting", "none", tmp_path / "a.mbox.gz")
    assert result.exit_code == 1
    assert "after offset" in result.stderr
    assert "the gzip file is damaged" in result.stderr
    assert 0 < len(site.mail()) < 3000


def test_a_message_above_the_limit_is_named_with_its_offset_and_others_go_on(site: Site, tmp_path: Path) -> None:
    first = separated(message(1))
    (tmp_path / "a.mbox").write_bytes(first + separated(message(2, body="x" * 100_000), message(3)))
    result = site.run("import", "mbox", "--account", "ann", tmp_path / "a.mbox")
    assert result.exit_code == 1
    assert result.stderr == f"{tmp_path}/a.mbox, offset {len(first)}: it is larger than 100,000 octets\n"
    assert set(site.mail()) == {message(1), message(3)}


def test_files_that_cannot_be_read_are_named_and_others_go_on(site: Site, tmp_path: Path) -> None:
    top = tmp_path / "mail"
    top.mkdir()
    (top / "1.eml").write_bytes(message(1))
    (top / "2.eml").symlink_to("nowhere")
    (top / "3.eml").write_bytes(message(3, body="x" * 100_000))
    (top / "4.eml").write_bytes(b"\x1f\x8b not gzip")
    result = site.run("import", "eml", "--account", "ann", top)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{top}/2.eml: it cannot be read: No such file or directory",
        f"{top}/3.eml: it is larger than 100,000 octets",
        f"{top}/4.eml: the gzip file is damaged: Unknown compression method",
    ]
    assert list(site.mail()) == [message(1)]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("mbox", "there is no mbox file in this directory"),
        ("maildir", "this is no Maildir: it has no directory cur or new"),
        ("eml", "there is no .eml file in this directory"),
    ],
)
def test_a_directory_without_mail_is_told(site: Site, tmp_path: Path, kind: str, sentence: str) -> None:
    (tmp_path / "empty").mkdir()
    result = site.run("import", kind, "--account", "ann", tmp_path / "empty")
    assert (result.exit_code, result.stderr) == (1, f"{tmp_path}/empty: {sentence}\n")


def test_a_path_that_is_not_there_is_a_wrong_call(site: Site, tmp_path: Path) -> None:
    result = site.run("import", "mbox", "--account", "ann", tmp_path / "nothing")
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


def test_a_name_that_no_mailbox_may_have_is_told_for_each_message(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(separated(message(1), message(2)))
    result = site.run("import", "mbox", "--account", "ann", "--mailbox", "x" * 300, tmp_path / "a.mbox")
    assert result.exit_code == 1
    assert result.stderr.count("cannot be made: a name has at most") >= 2
    assert site.mail() == {}


def test_a_message_that_cannot_be_stored_fails_alone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something unforeseen in one message does not take those of its batch along."""

    def failing(services: Services, account_id: str, octets: bytes) -> Prepared:
        if octets == message(2):
            raise OverflowError("too much")
        return prepare(services, account_id, octets)

    monkeypatch.setattr(importer, "prepare", failing)
    assert site.bring(*(Incoming("", message(number), ()) for number in range(5))) == [
        "imported",
        "imported",
        "failed",
        "imported",
        "imported",
    ]


def test_a_message_with_too_many_keywords_fails(site: Site) -> None:
    many = Flags(frozenset(f"k{number}" for number in range(200)))
    assert site.bring(Incoming("", message(1), (), many), Incoming("", message(2), ())) == ["failed", "imported"]


def test_a_store_that_cannot_be_written_ends_the_import_with_a_sentence(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreUnavailable("database or disk is full")

    (tmp_path / "a.mbox").write_bytes(separated(*(message(number) for number in range(60))))
    with site.transfer() as mail:
        mail.owner("ann", make=True)
    monkeypatch.setattr(importer, "insert", full)
    result = site.run("import", "mbox", "--account", "ann", tmp_path / "a.mbox")
    assert result.exit_code == 1
    assert result.stderr == "Error: the store cannot be used: database or disk is full\n"


def test_a_mailbox_that_ends_during_the_import_is_made_again(site: Site) -> None:
    with site.transfer() as transfer:
        owner = transfer.owner("ann", make=True)

        def found() -> Iterator[Found]:
            for number in range(importer.BATCH + 1):
                yield Incoming("", message(number), ("Lists",))
            box = transfer.mailbox(owner, ("Lists",))
            ids = [MAILBOX.format_id(box.number)]
            run = importer.Importer(transfer._services, owner.account_id, owner.name)
            arguments = {"accountId": owner.account_id, "destroy": ids, "onDestroyRemoveEmails": True}
            set_(MAILBOX)(run._context, arguments)

        assert {result.outcome for result in transfer.run(owner, found())} == {"imported"}
    assert set(site.mail()) == {message(importer.BATCH)}
    assert site.run("verify").exit_code == 0


def test_a_mailbox_that_another_import_makes_at_the_same_time_is_shared(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = importer.Importer._look
    assert site.bring(Incoming("", message(1), ("Lists",))) == ["imported"]
    seen: list[int | None] = []

    def late(self: importer.Importer, named: tuple[str, ...]) -> int | None:
        seen.append(look(self, named))
        return None if len(seen) == 1 else seen[-1]

    monkeypatch.setattr(importer.Importer, "_look", late)
    assert site.bring(Incoming("", message(2), ("Lists",))) == ["imported"]
    assert len(seen) == 2
    assert site.mail().keys() == {message(1), message(2)}


# What is no message, and names that are no text


@pytest.mark.parametrize("kind", ["mbox", "eml", "maildir"])
def test_a_pipe_beneath_a_directory_is_named_and_left_out(site: Site, tmp_path: Path, kind: str) -> None:
    top = tmp_path / "top"
    (top / "cur").mkdir(parents=True)
    pipe = top / {"mbox": "pipe.mbox", "eml": "pipe.eml", "maildir": "dovecot-keywords"}[kind]
    os.mkfifo(pipe)
    good = top / {"mbox": "good.mbox", "eml": "good.eml", "maildir": "cur/1.good:2,"}[kind]
    good.write_bytes(separated(message(1)) if kind == "mbox" else message(1))
    result = site.run("import", kind, "--account", "ann", top)
    assert (result.exit_code, result.stderr) == (1, f"{pipe}: it is neither a file nor a directory\n")
    assert result.stdout.startswith("1 imported, 0 already there, 1 failed; ")


def test_a_pipe_is_no_eml_file(site: Site, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    result = site.run("import", "eml", "--account", "ann", tmp_path / "pipe")
    assert (result.exit_code, result.stderr) == (1, f"{tmp_path}/pipe: it is neither a file nor a directory\n")


@pytest.mark.parametrize("kind", ["mbox", "eml"])
def test_a_device_is_named_and_left_out(site: Site, kind: str) -> None:
    result = site.run("import", kind, "--account", "ann", "/dev/zero")
    assert (result.exit_code, result.stderr) == (1, "/dev/zero: it is neither a file nor a directory\n")


def test_an_empty_message_is_named_and_left_out(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.eml").touch()
    result = site.run("import", "eml", "--account", "ann", tmp_path / "a.eml")
    assert (result.exit_code, result.stderr) == (1, f"{tmp_path}/a.eml: it is empty, and a message is not\n")
    assert result.stdout.startswith("0 imported, 0 already there, 1 failed; ")
    assert site.mail() == {}


def test_names_cannot_steer_a_terminal_or_end_a_line(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a\x1b[2J\n\u202eb.eml").touch()
    result = site.run("import", "eml", "--account", "ann", tmp_path)
    assert result.stderr == f"{tmp_path}/a\\x1b[2J\\n\\u202eb.eml: it is empty, and a message is not\n"


def test_an_import_of_nothing_says_so(site: Site, tmp_path: Path) -> None:
    (tmp_path / "m" / "cur").mkdir(parents=True)
    result = site.run("import", "maildir", "--account", "ann", tmp_path / "m")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("0 imported, 0 already there, 0 failed; ")


# Interruption, and a server beside it


class Running:
    """An import in a process of its own that gets its mbox through a pipe, so that it cannot end before its time."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._end = threading.Event()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if hasattr(self, "process"):
            self.process.kill()
            self.process.communicate()

    def start(self, octets: bytes) -> None:
        pipe = self._site.config.parent / "pipe"
        os.mkfifo(pipe)

        def feed() -> None:
            with suppress(BrokenPipeError), pipe.open("wb", buffering=0) as file:
                file.write(octets)
                self._end.wait()

        threading.Thread(target=feed, daemon=True).start()
        command = [sys.executable, "-m", "jmaplite", "import", "mbox", "--config", str(self._site.config)]
        self.process = subprocess.Popen(
            [*command, "--account", "ann", str(pipe)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def wait_for(self, line: str) -> None:
        assert self.process.stderr is not None
        for found in self.process.stderr:
            if found == line:
                return
        raise AssertionError("the import ended")

    def finish(self) -> tuple[str, str]:
        self._end.set()
        return self.process.communicate()


@pytest.fixture
def running(site: Site) -> Iterator[Running]:
    with Running(site) as started:
        yield started


def generated(count: int) -> bytes:
    return separated(*(message(number, body="word " * 50) for number in range(count)))


def test_an_import_that_was_killed_leaves_a_sound_store_and_is_finished_by_a_second_run(
    site: Site, tmp_path: Path, running: Running
) -> None:
    (tmp_path / "a.mbox").write_bytes(generated(1500))
    running.start(generated(1500))
    running.wait_for("1,000 messages\n")
    running.process.kill()
    running.finish()
    assert running.process.returncode == -signal.SIGKILL
    result = site.run("verify")
    assert (result.exit_code, result.output) == (0, "OK: 1 account\n")
    there = len(site.mail())
    assert there >= 1000
    result = site.run("import", "mbox", "--account", "ann", tmp_path / "a.mbox")
    assert f"{1500 - there:,} imported, {there:,} already there, 0 failed" in result.stdout
    assert len(site.mail()) == 1500
    assert site.run("verify").exit_code == 0


def test_an_interrupted_import_says_how_far_it_came_and_how_to_go_on(site: Site, running: Running) -> None:
    running.start(generated(1500))
    running.wait_for("1,000 messages\n")
    running.process.send_signal(signal.SIGINT)
    output, errors = running.finish()
    assert running.process.returncode == 1
    assert errors == "Error: interrupted: run the same command again to bring in the rest\n"
    told = int(output.split()[0].replace(",", ""))
    assert told >= 1000
    assert len(site.mail()) >= told
    assert site.run("verify").exit_code == 0


def test_an_import_runs_beside_others_on_the_same_account(site: Site, running: Running) -> None:
    """A server that has the store open goes on writing meanwhile, and sees what was imported."""
    with site.transfer() as server:
        owner = server.owner("ann", make=True)
        running.start(generated(1100))
        mine = (Incoming("", message(number), ("Mine",)) for number in range(5000, 5200))
        assert {result.outcome for result in server.run(owner, mine)} == {"imported"}
        running.wait_for("1,000 messages\n")
        output, _ = running.finish()
        assert running.process.returncode == 0
        assert output.startswith("1,100 imported, 0 already there, 0 failed; ")
        totals = {"/".join(box.path): box.total for box in server.mailboxes(owner)}
        assert (totals["Inbox"], totals["Mine"]) == (1100, 200)
        assert server.verify(owner) == []


def test_on_a_terminal_there_is_a_bar(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(separated(message(1)) + separated(message(2, body="x" * 100_000)))
    command = [sys.executable, "-m", "jmaplite", "import", "mbox", "--config", str(site.config)]
    ours, theirs = os.openpty()
    process = subprocess.run(
        [*command, "--account", "ann", str(tmp_path / "a.mbox")], stdout=subprocess.PIPE, stderr=theirs, text=True
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # a terminal without a program at its other end
        while piece := os.read(ours, 65536):
            shown += piece
    os.close(ours)
    assert process.returncode == 1
    assert b"Importing" in shown
    assert b"100%" in shown
    assert b"is larger than 100,000 octets\r\n" in shown
    assert process.stdout.startswith("1 imported, 0 already there, 1 failed; ")


def test_every_option_is_told_by_help(site: Site) -> None:
    for kind in ("mbox", "maildir", "eml"):
        help_text = site.run("import", kind, "--help").stdout
        assert "--account NAME" in help_text
        assert "--mailbox NAME" in help_text


def test_the_limit_of_a_message_is_that_of_the_configuration(tmp_path: Path) -> None:
    site = Site.make(tmp_path, CONFIG.replace("100_000", "150_000"))
    (tmp_path / "a.mbox").write_bytes(separated(message(1, body="x" * 100_000)))
    assert site.run("import", "mbox", "--account", "ann", tmp_path / "a.mbox").exit_code == 0
