"""`jmaplite conversations`: the Threads of accounts, made anew, cleared, checked and listed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from jmaplite.cli.options import config_option, printable
from jmaplite.cli.telling import told_plainly
from jmaplite.config import Config
from jmaplite.server import Owner, Transfer, transfer

F = TypeVar("F", bound=Callable[..., Any])


@click.group("conversations")
def conversations() -> None:
    """Make Threads anew, clear, check or list them.

    What ctl_conversationsdb does for Cyrus: rebuild is its -b, clear -z, audit -A, dump -d, and --all its -r. All may
    run beside the server. An Email whose Thread changes gets a new id (RFC 8621 §3), so clients fetch it again.
    """


def accounts_option(command: F) -> F:
    """Give a command `--account` and `--all`, of which one has to be named, and `--config`."""
    command = click.option("--all", "everybody", is_flag=True, help="Every account.")(command)
    command = click.option(
        "--account", metavar="NAME", help="The name or an address of a principal, or the id of an account."
    )(command)
    return config_option(command)


@conversations.command("rebuild")
@accounts_option
def rebuild(config: Config, account: str | None, everybody: bool) -> None:
    """Make Threads what they would be if all mail came in now."""
    with _accounts(config, account, everybody) as (mail, owners):
        for owner in owners:
            told = mail.rebuild_threads(owner)
            click.echo(f"{_name(owner)}: {_count(told.threads, 'Thread')}, {_count(told.moved, 'Email')} moved")


@conversations.command("clear")
@accounts_option
def clear(config: Config, account: str | None, everybody: bool) -> None:
    """Make every Email a Thread of its own; `rebuild` puts them together again."""
    with _accounts(config, account, everybody) as (mail, owners):
        for owner in owners:
            told = mail.clear_threads(owner)
            click.echo(f"{_name(owner)}: {_count(told.threads, 'Thread')}, {_count(told.moved, 'Email')} moved")


@conversations.command("audit")
@accounts_option
def audit(config: Config, account: str | None, everybody: bool) -> None:
    """Tell where Threads or their counts are not as they should be; ends with 1 if anything is told."""
    faulty = False
    with _accounts(config, account, everybody) as (mail, owners):
        for owner in owners:
            for fault in mail.audit_threads(owner):
                faulty = True
                click.echo(f"{_name(owner)}: {fault}")
    if faulty:
        click.get_current_context().exit(1)
    click.echo(f"OK: {_count(len(owners), 'account')}")


@conversations.command("dump")
@accounts_option
def dump(config: Config, account: str | None, everybody: bool) -> None:
    """List Threads with their Emails, one JSON object a line."""
    with _accounts(config, account, everybody) as (mail, owners):
        for owner in owners:
            for thread in mail.threads(owner):
                emails = [{"id": one[0], "messageId": list(one[1]), "subject": one[2]} for one in thread.emails]
                click.echo(json.dumps({"accountId": owner.account_id, "threadId": thread.id, "emails": emails}))


@contextmanager
def _accounts(config: Config, account: str | None, everybody: bool) -> Iterator[tuple[Transfer, list[Owner]]]:
    """The accounts that a command is for."""
    if (account is None) != everybody:
        raise click.UsageError("name one account with --account NAME, or take --all of them")
    with told_plainly("what was done is whole; the command may be given again"), transfer(config, create=False) as mail:
        yield mail, mail.owners() if account is None else [mail.owner(account)]


def _name(owner: Owner) -> str:
    return printable(f"{owner.account_id} ({owner.name})")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
