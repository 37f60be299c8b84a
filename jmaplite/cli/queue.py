"""`jmaplite queue`: what waits to be sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from jmaplite.cli.options import config_option, printable
from jmaplite.cli.telling import told_plainly
from jmaplite.config import Config

if TYPE_CHECKING:
    from jmaplite.server.queues import Entry, Queues


@click.group("queue")
def queue() -> None:
    """List what waits to be sent; try it now, hold it, take it out.

    Beside a server that runs, too: it takes up at once what is to be tried. A message is called by its account and its
    own id, as `list` shows them.
    """


def _messages(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the names of messages, or `--all` with or without `--account`."""
    command = click.option("--all", "everything", is_flag=True, help="Every message.")(command)
    command = click.option("--account", metavar="NAME", help="Every message of an account.")(command)
    command = click.argument("messages", nargs=-1, metavar="[MESSAGE]...")(command)
    return config_option(command)


@queue.command("list")
@config_option
@click.option("--account", metavar="NAME", help="The name or an address of a principal, or the id of an account.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def show(config: Config, account: str | None, as_json: bool) -> None:
    """List messages, each with its recipients beneath it."""
    count = 0
    with _opened(config) as queues:
        for entry in queues.entries(account):
            count += 1
            for line in [json.dumps(_plain(entry))] if as_json else _lines(entry):
                click.echo(line)
    if not count and not as_json:
        click.echo("nothing waits")


@queue.command("retry")
@_messages
def retry(config: Config, messages: tuple[str, ...], account: str | None, everything: bool) -> None:
    """Try messages now, held ones too."""
    _do(config, messages, account, everything, lambda queues, names: queues.retry(names), "will be tried now")


@queue.command("hold")
@_messages
def hold(config: Config, messages: tuple[str, ...], account: str | None, everything: bool) -> None:
    """Try messages no more until `retry`."""
    _do(config, messages, account, everything, lambda queues, names: queues.hold(names), "held")


@queue.command("remove")
@_messages
def remove(config: Config, messages: tuple[str, ...], account: str | None, everything: bool) -> None:
    """Take messages out: they are not sent, and nobody is told by mail."""
    _do(config, messages, account, everything, lambda queues, names: queues.remove(names), "removed")


def _do(
    config: Config,
    messages: tuple[str, ...],
    account: str | None,
    everything: bool,
    work: Callable[[Queues, list[str]], None],
    done: str,
) -> None:
    if bool(messages) + (account is not None) + everything != 1:
        raise click.UsageError("name messages as `list` shows them, or --account NAME, or --all")
    with _opened(config) as queues:
        names = list(messages) or [entry.name for entry in queues.entries(account)]
        work(queues, names)
    click.echo(f"{len(names)} message{'' if len(names) == 1 else 's'} {done}")


@contextmanager
def _opened(config: Config) -> Iterator[Queues]:
    from jmaplite.server.queues import queues

    with told_plainly("what was done is whole; the command may be given again"), queues(config) as found:
        yield found


def _lines(entry: Entry) -> Iterator[str]:
    told = entry.waiting
    yield printable(f"{entry.name}  {_time(told.release)}  from <{told.sender}> ({entry.owner.name})")
    for one in told.recipients:
        when = "held" if one.next_attempt is None else f"next {_time(one.next_attempt)}"
        yield printable(f"    <{one.address}>  {when}, tried {one.attempts} times: {one.reply}")


def _plain(entry: Entry) -> dict[str, Any]:
    told = entry.waiting
    return {
        "message": entry.name,
        "accountId": entry.owner.account_id,
        "owner": entry.owner.name,
        "from": told.sender,
        "release": _time(told.release),
        "recipients": [
            {
                "address": one.address,
                "elsewhere": one.is_elsewhere,
                "attempts": one.attempts,
                "held": one.next_attempt is None,
                "next": None if one.next_attempt is None else _time(one.next_attempt),
                "smtpReply": one.reply,
            }
            for one in told.recipients
        ],
    }


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
