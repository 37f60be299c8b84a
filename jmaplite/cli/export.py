"""`jmaplite export`: an account's mail to mbox files or a Maildir."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click

from jmaplite.cli.imports import mailbox_path
from jmaplite.cli.mail_files import file_of_mailbox
from jmaplite.cli.options import config_option, printable
from jmaplite.cli.remote import export_jmap
from jmaplite.cli.telling import account_option, progress, tell, told_plainly
from jmaplite.config import Config
from jmaplite.formats.mailboxes import (
    MailboxPath,
    assign_letters,
    entry,
    folder_of_path,
    format_keyword_letters,
    maildir_info,
    may_be_entry,
    parse_keyword_letters,
    to_lf,
)
from jmaplite.server import MailboxAt, Owner, Stored, Transfer, transfer

F = TypeVar("F", bound=Callable[..., Any])


def _export_options(command: F) -> F:
    destination = click.argument("destination", metavar="DEST", type=click.Path(path_type=Path))
    mailbox = click.option(
        "--mailbox",
        metavar="NAME",
        callback=mailbox_path,
        help="Only this mailbox, `Lists/dovecot` if it is beneath another. Default: all of them.",
    )
    force = click.option("--force", is_flag=True, help="Replace what is there already.")
    return config_option(account_option(mailbox(force(destination(command)))))


@dataclass(slots=True)
class _Tally:
    """What there is to say at the end."""

    written: int = 0
    lengthened: int = 0
    failed: int = 0
    lost: set[str] = field(default_factory=set)

    def fail(self, line: str) -> None:
        self.failed += 1
        tell(line)

    def end(self, destination: Path) -> None:
        """Print the summary; the program ends with 1 if a message is missing."""
        if self.lengthened:
            tell(f"{self.lengthened:,} messages had no end of their last line and were given one")
        if self.lost:
            tell(f"keywords that found no letter, 26 for each folder: {' '.join(sorted(self.lost))}")
        click.echo(printable(f"{self.written:,} messages written to {destination}, {self.failed:,} failed"))
        if self.failed:
            click.get_current_context().exit(1)


@click.group("export")
def export() -> None:
    """Write an account's mail to files.

    An import of what was exported gives the same messages, octet for octet, with the same mailboxes, keywords
    and times. Lines end with LF, as other programs expect, but for messages in which that could not be undone
    (those with a lone LF, or CR CR LF): these are written as they are. It may run beside the server.
    """


@export.command("mbox")
@_export_options
@click.option(
    "--flags/--no-flags",
    default=True,
    show_default=True,
    help="Write keywords as fields Status, X-Status and X-Keywords above each message, for other programs to "
    "read. An import takes these fields away again.",
)
def export_mbox(
    config: Config, account: str, mailbox: MailboxPath, destination: Path, force: bool, flags: bool
) -> None:
    """Write mbox files (mboxrd): with --mailbox the file DEST, else one for each mailbox in directory DEST.

    A message that begins with no header field cannot be told from text in an mbox: it is named and left out.
    """
    tally = _Tally()
    with told_plainly("what is written is not complete"), transfer(config, create=False) as mail:
        owner = mail.owner(account)
        chosen = _chosen(mail, owner, mailbox)
        files = [(box, destination if mailbox else destination / file_of_mailbox(box.path)) for box in chosen]
        _refuse(destination, is_directory=not mailbox, force=force)
        with progress(sum(box.total for box in chosen), "Exporting") as advance:
            for box, path in files:
                path.parent.mkdir(parents=True, exist_ok=True)
                with _replaced(path) as file:
                    for email in mail.emails(owner, box):
                        _write_entry(file, email, tally, flags=flags)
                        advance(1)
    tally.end(destination)


@export.command("maildir")
@_export_options
def export_maildir(config: Config, account: str, mailbox: MailboxPath, destination: Path, force: bool) -> None:
    """Write a Maildir (Maildir++) to the directory DEST: the inbox (or --mailbox) at its top, others beneath.

    The time of each file is that of receipt. With --force, messages of an earlier export are replaced and
    others stay.
    """
    tally = _Tally()
    with told_plainly("what is written is not complete"), transfer(config, create=False) as mail:
        owner = mail.owner(account)
        chosen = _chosen(mail, owner, mailbox)
        _refuse(destination, is_directory=True, force=force)
        with progress(sum(box.total for box in chosen), "Exporting") as advance:
            for box in chosen:
                folder = _Folder(destination, () if mailbox else _maildir_path(box, chosen))
                for email in mail.emails(owner, box):
                    tally.lost |= folder.write(email)
                    tally.written += 1
                    advance(1)
                folder.close()
    tally.end(destination)


export.add_command(export_jmap)


def _chosen(mail: Transfer, owner: Owner, mailbox: MailboxPath) -> list[MailboxAt]:
    return [mail.mailbox(owner, mailbox)] if mailbox else mail.mailboxes(owner)


def _refuse(destination: Path, *, is_directory: bool, force: bool) -> None:
    """Raises ClickException if something would be overwritten, or cannot be."""
    if destination.exists() and destination.is_dir() != is_directory:
        kind = "directory" if is_directory else "file"
        raise click.ClickException(printable(f"{destination} is there already and is no {kind}"))
    if not force and destination.exists() and (not is_directory or any(destination.iterdir())):
        raise click.ClickException(printable(f"{destination} is there already; --force writes over it"))


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """What fails inside is told with the file that was to be written. Raises ClickException."""
    try:
        yield
    except OSError as error:
        where = printable(str(error.filename or path))
        raise click.ClickException(f"{where} cannot be written: {error.strerror or error}") from error


@contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    """A new file in the place of another, which stays until the new one is complete."""
    part = path.with_name(path.name + ".part")
    try:
        with _naming(path):
            with part.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def _write_entry(file: BinaryIO, email: Stored, tally: _Tally, *, flags: bool) -> None:
    if not may_be_entry(email.octets):
        tally.fail(f"Email {email.id} begins with no header field; an export to a Maildir can hold it")
        return
    tally.lengthened += not email.octets.endswith(b"\n")
    tally.written += 1
    file.write(entry(email.octets, email.sender, email.received, email.keywords if flags else None))


def _maildir_path(box: MailboxAt, boxes: Iterable[MailboxAt]) -> MailboxPath:
    """The folder of a Mailbox: the inbox is the top, whatever its name; what is beneath it is in INBOX."""
    inbox = next((one.path for one in boxes if one.role == "inbox"), None)
    if inbox is None or box.path[: len(inbox)] != inbox:
        return box.path
    return ("INBOX", *box.path[len(inbox) :]) if len(box.path) > len(inbox) else ()


class _Folder:
    """A folder of a Maildir that is being written."""

    def __init__(self, top: Path, path: MailboxPath) -> None:
        self._folder = top / folder_of_path(path) if path else top
        for name in ("cur", "new", "tmp"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        if path:
            (self._folder / "maildirfolder").touch()
        self._keywords = self._folder / "dovecot-keywords"
        self._letters: dict[str, str] = {}
        with suppress(FileNotFoundError):
            self._letters = parse_keyword_letters(self._keywords.read_bytes())
        self._there: dict[str, list[Path]] = {}
        for path_there in (*self._folder.glob("cur/*"), *self._folder.glob("new/*")):
            self._there.setdefault(path_there.name.partition(":")[0], []).append(path_there)

    def write(self, email: Stored) -> frozenset[str]:
        """Write a message in the place of itself; answers keywords that found no letter."""
        lost = assign_letters(self._letters, email.keywords)
        octets = to_lf(email.octets)
        base = f"{email.received}.{email.digest.hex()[:32]}.jmaplite,S={len(octets)}"
        part = self._folder / "tmp" / base
        with _naming(part):
            part.write_bytes(octets)
            os.utime(part, (email.received, email.received))
            for old in self._there.pop(base, ()):
                old.unlink()
            part.replace(self._folder / "cur" / (base + maildir_info(email.keywords, self._letters)))
        return lost

    def close(self) -> None:
        """Write what the letters of the folder mean."""
        if self._letters:
            with _replaced(self._keywords) as file:
                file.write(format_keyword_letters(self._letters))
