"""`jmaplite backup` and `restore`: all that is stored, and clients that notice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from jmaplite.blobs.embedded import GRACE_SECONDS, EmbeddedBlobs
from jmaplite.config import load
from jmaplite.formats.mailboxes import Incoming
from jmaplite.server import backups, compose
from tests.cli.mail_site import Site, message


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site.make(tmp_path)
    site.bring(*(Incoming("", message(number, body="word " * 100), ()) for number in range(20)))
    site.bring(Incoming("", message(1, body="x" * 90_000), ()), account="bob")
    return site


def test_a_restored_store_has_all_that_was_backed_up(site: Site, tmp_path: Path) -> None:
    before = site.mail()
    made = site.run("backup", tmp_path / "copy")
    assert (made.exit_code, made.output) == (0, f"OK: 2 accounts in {tmp_path}/copy\n")
    site.bring(Incoming("", message(99), ()))
    shutil.rmtree(tmp_path / "data")
    restored = site.run("restore", tmp_path / "copy")
    assert (restored.exit_code, restored.output) == (0, f"OK: 2 accounts in {tmp_path}/data\n")
    assert site.mail() == before
    assert site.run("verify").output == "OK: 2 accounts\n"


def test_states_of_before_are_not_valid_in_a_restored_store(site: Site, tmp_path: Path) -> None:
    epochs = []
    for _ in range(2):
        parts = compose(load(site.config))
        epochs.append(parts.ground.store.epoch)
        parts.close()
        if len(epochs) == 1:
            site.run("backup", tmp_path / "copy")
            shutil.rmtree(tmp_path / "data")
            site.run("restore", tmp_path / "copy")
    assert epochs[0] != epochs[1]


def test_no_id_of_before_is_that_of_something_else_in_a_restored_store(site: Site, tmp_path: Path) -> None:
    """RFC 8620 §1.6.2: else the account would have to be another one, and clients would have to forget all of it."""
    site.run("backup", tmp_path / "copy")
    site.bring(Incoming("", message(98), ()))
    lost = site.ids()
    shutil.rmtree(tmp_path / "data")
    site.run("restore", tmp_path / "copy")
    kept = site.ids()
    site.bring(Incoming("", message(99), ()))
    assert len(lost) == len(kept) + 1
    assert len(site.ids() - kept) == 1
    assert site.ids() & lost == kept


def test_a_backup_is_for_its_owner_alone_and_says_what_it_is(site: Site, tmp_path: Path) -> None:
    site.run("backup", tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_mode & 0o077 == 0
    told = json.loads((tmp_path / "copy" / "backup.json").read_text())
    assert (told["format"], told["accounts"]) == (1, 2)


def test_a_backup_overwrites_nothing(site: Site, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    result = site.run("backup", tmp_path / "copy")
    assert (result.exit_code, "is there already" in result.stderr) == (1, True)


def test_a_store_in_use_is_not_restored_over(site: Site, tmp_path: Path) -> None:
    site.run("backup", tmp_path / "copy")
    result = site.run("restore", tmp_path / "copy")
    assert (result.exit_code, "move it away" in result.stderr) == (1, True)
    assert len(site.mail()) == 20


@pytest.mark.parametrize("manifest", [None, "{", "[]", '{"format": 99, "version": "9"}'])
def test_what_is_no_backup_is_told(site: Site, tmp_path: Path, manifest: str | None) -> None:
    (tmp_path / "copy").mkdir()
    if manifest is not None:
        (tmp_path / "copy" / "backup.json").write_text(manifest)
    shutil.rmtree(tmp_path / "data")
    result = site.run("restore", tmp_path / "copy")
    assert result.exit_code == 1
    assert f"{tmp_path}/copy" in result.stderr
    assert not (tmp_path / "data").exists()


def test_a_backup_that_is_broken_off_leaves_no_half_one(site: Site, tmp_path: Path) -> None:
    (tmp_path / "data" / "accounts" / "nonsense").write_text("")
    (tmp_path / ".copy.part").mkdir()
    (tmp_path / ".copy.part" / "rest").write_text("of an earlier one")
    site.run("backup", tmp_path / "copy")
    assert not (tmp_path / ".copy.part").exists()
    assert not (tmp_path / "copy" / "rest").exists()


def test_a_restore_that_is_broken_off_is_no_store_and_begins_anew(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a server would come up with some of the accounts, and make the others anew, empty."""
    before = site.mail()
    site.run("backup", tmp_path / "copy")
    shutil.rmtree(tmp_path / "data")
    copy, done = shutil.copyfile, list[object]()

    def fails(*arguments: Any) -> Any:
        if done:
            raise OSError("No space left on device")
        done.append(copy(*arguments))

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfile", fails)
        assert site.run("restore", tmp_path / "copy").exit_code == 1
    verified = site.run("verify")
    assert (verified.exit_code, "run it again" in verified.stderr) == (1, True)
    assert site.run("restore", tmp_path / "copy").exit_code == 0
    assert site.mail() == before
    assert site.run("verify").output == "OK: 2 accounts\n"


def test_a_copy_that_takes_longer_than_files_are_kept_is_begun_again(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied, copies = EmbeddedBlobs.copy_to, list[str]()

    def slowly(blobs: EmbeddedBlobs, account_id: str, directory: Path) -> None:
        copied(blobs, account_id, directory)
        copies.append(account_id)
        if len(copies) == 1:
            site.bring(Incoming("", message(99), ()))
        else:
            monkeypatch.setattr(backups, "GRACE_SECONDS", GRACE_SECONDS)

    monkeypatch.setattr(EmbeddedBlobs, "copy_to", slowly)
    monkeypatch.setattr(backups, "GRACE_SECONDS", 0)
    assert site.run("backup", tmp_path / "copy").exit_code == 0
    assert len(copies) == 3
    shutil.rmtree(tmp_path / "data")
    site.run("restore", tmp_path / "copy")
    assert message(99) in site.mail()
    assert site.run("verify").output == "OK: 2 accounts\n"


def test_a_backup_that_fails_takes_no_room(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(EmbeddedBlobs, "copy_to", fails)
    result = site.run("backup", tmp_path / "copy")
    assert (result.exit_code, "No space left" in result.stderr) == (1, True)
    assert [one.name for one in tmp_path.iterdir() if "copy" in one.name] == []
