"""`jmaplite deliver`: one message from standard input, for MTAs that hand mail over by a pipe."""

from __future__ import annotations

import os
import sys

import click

from jmaplite.cli.options import config_option, printable
from jmaplite.config import Config


@click.command("deliver")
@config_option
@click.option("-f", "--sender", default="", metavar="ADDRESS", help="The envelope's sender; none for reports.")
@click.argument("recipients", metavar="RECIPIENT...", nargs=-1, required=True)
def deliver(config: Config, sender: str, recipients: tuple[str, ...]) -> None:
    """Put the message on standard input into accounts.

    RECIPIENTs are addresses. Ends with the codes of sysexits: 0 when all have it, 75 when it is to be tried again (who
    has it is not given it again then), 67 when there is no such recipient, 65 when the message is refused. Lines may
    end with LF. The sender MAILER-DAEMON is none. A line `From ` at the beginning, as in an mbox, is left out.
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
