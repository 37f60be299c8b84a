"""`jmaplite deliver`: one message from standard input, for MTAs that hand mail over by a pipe."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from jmaplite.cli.options import config_option, printable
from jmaplite.config import Config


class _ForPipes(click.Command):
    """Ends with a code of sysexits whatever happens: no mail is to come back because something is wrong with us."""

    def make_context(self, *arguments: Any, **named: Any) -> click.Context:
        """Read the command line, and the configuration."""
        try:
            return super().make_context(*arguments, **named)
        except click.UsageError as error:
            error.show()
            raise click.exceptions.Exit(os.EX_USAGE) from error
        except click.exceptions.Exit as error:
            raise click.exceptions.Exit(os.EX_TEMPFAIL if error.exit_code == 1 else error.exit_code) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Deliver."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except Exception as error:
            click.echo(printable(f"the message cannot be delivered now: {error!r}"), err=True)
            raise click.exceptions.Exit(os.EX_TEMPFAIL) from error


@click.command("deliver", cls=_ForPipes)
@config_option
@click.option("-f", "--sender", default="", metavar="ADDRESS", help="The envelope's sender; none for reports.")
@click.argument("recipients", metavar="RECIPIENT...", nargs=-1, required=True)
def deliver(config: Config, sender: str, recipients: tuple[str, ...]) -> None:
    """Put the message on standard input into accounts.

    RECIPIENTs are addresses. Ends with the codes of sysexits: 0 when all have it, 75 when it is to be tried again
    (who has it is not given it again then) or the configuration has a mistake, 67 when there is no such recipient, 65
    when the message is refused, 64 when the command line is wrong. Lines may end with LF. The sender MAILER-DAEMON is
    none. A line `From ` at the beginning, as in an mbox, is left out.
    """
    from jmaplite.server.mail import deliver as delivered

    octets = sys.stdin.buffer.read(config.email.max_size + 1)
    if len(octets) > config.email.max_size:
        raise _TooLarge("the message is too large")
    if octets.startswith(b"From "):
        octets = octets.partition(b"\n")[2]
    octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    sender = sender.removeprefix("<").removesuffix(">")
    if sender.upper() == "MAILER-DAEMON":  # what Postfix's pipe says for none
        sender = ""
    answers = delivered(config, sender, recipients, octets)
    failed = [(one, answer) for one, answer in zip(recipients, answers, strict=True) if not answer.startswith("2")]
    for recipient, answer in failed:
        for line in answer.splitlines():
            click.echo(printable(f"{recipient}: {line}"), err=True)
    click.get_current_context().exit(_code([answer for _, answer in failed]))


class _TooLarge(click.ClickException):
    exit_code = os.EX_DATAERR


def _code(failed: list[str]) -> int:
    """The code of sysexits for replies that are no success."""
    if not failed:
        return os.EX_OK
    if any(answer.startswith("4") for answer in failed):
        return os.EX_TEMPFAIL
    return os.EX_NOUSER if all(" 5.1.1 " in answer or " 5.7.1 Mail" in answer for answer in failed) else os.EX_DATAERR
