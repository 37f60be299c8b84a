"""`jmaplite import`: mail from mbox files, Maildirs and .eml files into an account."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from jmaplite.cli.mail_files import Plan, Quoting, eml_plan, maildir_plan, mbox_plan
from jmaplite.cli.options import config_option
from jmaplite.cli.remote import import_jmap
from jmaplite.cli.telling import account_option, ended, progress, tell, told_plainly
from jmaplite.config import Config
from jmaplite.formats.mailboxes import MailboxPath
from jmaplite.server import transfer

F = TypeVar("F", bound=Callable[..., Any])


def mailbox_path(_: click.Context, __: click.Parameter, value: str | None) -> MailboxPath:
    """The path that `--mailbox NAME` names."""
    return tuple(name for name in (value or "").split("/") if name)


def _import_options(command: F) -> F:
    paths = click.argument(
        "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
    )
    mailbox = click.option(
        "--mailbox",
        metavar="NAME",
        callback=mailbox_path,
        help="The mailbox that mail goes into, `Lists/dovecot` if it is beneath another; made if it is not "
        "there. Folders become mailboxes beneath it. Default: the inbox, and folders at the top.",
    )
    return config_option(account_option(mailbox(paths(command))))


@click.group("import")
def import_() -> None:
    """Bring mail in from files.

    A message whose exact octets the account has already is not imported again: it is put into the mailbox
    that it is for as well, if it is in others only. So a broken-off import can be begun again, and it goes on
    where it was. It may run beside the server.

    Folders called Inbox, Sent, Drafts, Trash, Junk or Spam, and Archive become the mailboxes of these roles;
    mail marked for deletion goes to the trash. Lines that end with LF are stored with CRLF.
    """


@import_.command("mbox")
@_import_options
@click.option(
    "--quoting",
    type=click.Choice(["auto", "mboxrd", "none"]),
    default="auto",
    show_default=True,
    help="Whether `>From ` at the beginning of a line stands for `From `: always with mboxrd; with auto in "
    "files where no line of a message begins with `From `, since whoever wrote them must have quoted.",
)
@click.option(
    "--flags/--no-flags",
    default=True,
    show_default=True,
    help="Take keywords from the fields Status, X-Status, X-Keywords, X-Mozilla-Status and X-Mozilla-Keys. "
    "The message keeps them.",
)
def import_mbox(
    config: Config, account: str, mailbox: MailboxPath, paths: tuple[Path, ...], quoting: Quoting, flags: bool
) -> None:
    """Import mbox files, packed with gzip or not.

    A file goes into the inbox or --mailbox; of a directory, each file into the mailbox that its path names
    (`Lists/dovecot.mbox`, Thunderbird's `Lists.sbd/dovecot`). The time of receipt is the date of the
    separator line, made exact by the topmost Received field where the line leaves the time zone open.
    """
    limit = config.email.max_size
    _run(config, account, mbox_plan(paths, mailbox, quoting=quoting, flags=flags, limit=limit))


@import_.command("maildir")
@_import_options
def import_maildir(config: Config, account: str, mailbox: MailboxPath, paths: tuple[Path, ...]) -> None:
    """Import Maildirs with their folders, flags and keywords (dovecot-keywords).

    The time of receipt is the earlier of the file's own and the one that its name begins with.
    """
    _run(config, account, maildir_plan(paths, mailbox, limit=config.email.max_size))


@import_.command("eml")
@_import_options
def import_eml(config: Config, account: str, mailbox: MailboxPath, paths: tuple[Path, ...]) -> None:
    """Import .eml files and directories of them; folders become mailboxes.

    Letters after the last comma of a name are flags as in a Maildir: `01-welcome,SF.eml` is seen and flagged.
    The time of receipt is that of the topmost Received field, else the Date field, else the file's.
    """
    _run(config, account, eml_plan(paths, mailbox, limit=config.email.max_size))


def _run(config: Config, account: str, plan: Plan) -> None:
    """Import, tell failures as they come and a summary at the end; with any, the program ends with 1."""
    counts: Counter[str] = Counter()
    started = time.monotonic()
    with told_plainly("run the same command again to bring in the rest"), transfer(config) as mail:
        owner = mail.owner(account, make=True)
        try:
            with progress(plan.weight, "Importing") as advance:
                for result in mail.run(owner, plan.items):
                    counts[result.outcome] += 1
                    advance(result.weight)
                    if result.outcome == "failed":
                        tell(f"{result.where}: {result.reason}")
        finally:
            ended(counts, time.monotonic() - started)
    if counts["failed"]:
        click.get_current_context().exit(1)


import_.add_command(import_jmap)
