"""How commands that take a while tell of it, and how they end."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from jmaplite.cli.options import printable
from jmaplite.server import TransferFailed

F = TypeVar("F", bound=Callable[..., Any])

_NEWS_EVERY = 1000
"""Messages between two lines of progress where there is no terminal for a bar."""


def account_option(command: F) -> F:
    """Give a command `--account NAME`."""
    return click.option(
        "--account",
        required=True,
        metavar="NAME",
        help="Whose mail: the name or an address of a principal, or the id of an account.",
    )(command)


@contextmanager
def told_plainly(again: str) -> Iterator[None]:
    """End a command with a sentence and 1 if it cannot go on or is interrupted; `again` is what then to do."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever reads what is printed has read enough
    except (TransferFailed, OSError) as error:
        raise click.ClickException(printable(str(error))) from error
    except KeyboardInterrupt:
        raise click.ClickException(f"interrupted: {again}") from None


def ended(counts: Counter[str], seconds: float) -> None:
    """Tell how it went."""
    click.echo(_summary(counts, seconds))


def _summary(counts: Counter[str], seconds: float) -> str:
    added = f"{counts['added']:,} put into another mailbox, " if counts["added"] else ""
    rate = counts.total() / max(seconds, 0.001)
    return (
        f"{counts['imported']:,} imported, {added}{counts['present']:,} already there, "
        f"{counts['failed']:,} failed; {seconds:,.1f} s, {rate:,.0f} messages a second"
    )


@contextmanager
def progress(length: int, label: str) -> Iterator[Callable[[int], None]]:
    """A bar of a length on a terminal, else a line every thousand steps; yields how to go on by a weight."""
    if sys.stderr.isatty():
        with click.progressbar(length=max(length, 1), label=label, file=sys.stderr) as bar:
            yield bar.update
        return
    steps = 0

    def advance(_: int) -> None:
        nonlocal steps
        steps += 1
        if steps % _NEWS_EVERY == 0:
            tell(f"{steps:,} messages")

    yield advance


def tell(line: str) -> None:
    """A line on standard error, in place of a bar that may stand there."""
    click.echo(("\r\x1b[K" if sys.stderr.isatty() else "") + printable(line), err=True)
