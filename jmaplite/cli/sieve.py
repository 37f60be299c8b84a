"""`jmaplite sieve`: scripts checked and tried out, without a server and without touching anything."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click

from jmaplite.cli.options import loaded, printable
from jmaplite.formats import mime, sieve

_EVERYTHING = sieve.CAPABILITIES | sieve.OPTIONAL_CAPABILITIES
_LARGEST = 100_000_000


@click.group("sieve")
def sieve_group() -> None:
    """Check a Sieve script, or show what it would do."""


def _config_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--config", metavar="FILE", help="Use the limits and extensions of a configuration; else all, and the usual."
    )(command)


@sieve_group.command("check")
@_config_option
@click.argument("scripts", metavar="SCRIPT...", nargs=-1, required=True, type=click.File("rb"))
def check(scripts: tuple[BinaryIO, ...], config: str | None) -> None:
    """Check Sieve scripts.

    Prints the first mistake of each, as `FILE:LINE:COLUMN: MESSAGE`, and ends with 1 if there is one. `-` is standard
    input.
    """
    limits, capabilities = _rules(config)
    good = True
    for file in scripts:
        good &= _parsed(getattr(file, "name", "<stdin>"), file.read(_LARGEST), limits, capabilities) is not None
    if not good:
        click.get_current_context().exit(1)


def _time(context: click.Context, parameter: click.Parameter, value: str | None) -> float:
    if value is None:
        return time.time()
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter("expected a time such as 2026-01-31T09:30:00Z") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


@sieve_group.command("test")
@_config_option
@click.option("-f", "--from", "sender", metavar="ADDRESS", help="The envelope's sender; else that in From.")
@click.option("-t", "--to", "recipient", metavar="ADDRESS", help="The envelope's recipient; else the first in To.")
@click.option("--time", "now", metavar="TIME", callback=_time, help="When it comes, as 2026-01-31T09:30:00Z; else now.")
@click.option("--mailbox", "mailboxes", metavar="NAME", multiple=True, help="A mailbox that is there; several times.")
@click.option("--duplicate", is_flag=True, help="The message has come before.")
@click.argument("script", metavar="SCRIPT", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("message", metavar="MESSAGE", type=click.File("rb"))
def test(
    script: Path,
    message: BinaryIO,
    config: str | None,
    sender: str | None,
    recipient: str | None,
    now: float,
    mailboxes: tuple[str, ...],
    *,
    duplicate: bool,
) -> None:
    """Show what a Sieve script would do with a message.

    A line for each command and test that is run, with its line and column and what came of it; then what would be done.
    Scripts that it includes are looked for beside it, as NAME.sieve. `-` is standard input. Ends with 1 if the script
    cannot be read, or fails.
    """
    limits, capabilities = _rules(config)
    parsed = _parsed(str(script), script.read_bytes(), limits, capabilities)
    if parsed is None:
        click.get_current_context().exit(1)
    octets = message.read(_LARGEST)
    envelope = _envelope(octets, sender, recipient)
    places = frozenset(("INBOX", *mailboxes))
    world = _World(
        now, addresses=(envelope.recipient,), folder=script.parent, places=places, duplicate=duplicate, limits=limits
    )
    world.capabilities = capabilities
    click.echo(printable(f"from <{envelope.sender}> to <{envelope.recipient}>"))
    outcome = sieve.run(parsed, octets, envelope, world, limits=limits, name=_name(script), trace=_show)
    if outcome.error is not None:
        error = outcome.error
        where = f"{error.script}.sieve" if error.script else script.name
        click.echo(printable(f"{where}:{error.line}:{error.column}: {error.message}"), err=True)
    click.echo("what would be done:")
    for action in outcome.actions:
        click.echo(printable(f"  {sieve.in_words(action)}"))
        if isinstance(action, sieve.Vacation):
            for reason in sieve.reasons_against(action, octets, envelope, world.addresses):
                click.echo(printable(f"    no answer is sent: {reason}"))
    if outcome.error is not None:
        click.get_current_context().exit(1)


@dataclass(kw_only=True)
class _World(sieve.Outside):
    """What is told on the command line, and the scripts in a folder."""

    folder: Path
    places: frozenset[str]
    duplicate: bool
    limits: sieve.Limits
    capabilities: frozenset[str] = field(default_factory=lambda: _EVERYTHING)

    def mailbox_exists(self, name: str) -> bool:
        """Whether a mailbox was named."""
        return name in self.places or name.upper() == "INBOX"

    def seen(self, key: str) -> bool:
        """Whether the message is said to have come before."""
        return self.duplicate

    def script(self, name: str, *, is_global: bool) -> sieve.Script | None:
        """The script in a file beside the one that is tried."""
        file = self.folder / f"{name}.sieve"
        if is_global or not file.is_file():
            return None
        return sieve.parse(file.read_bytes(), capabilities=self.capabilities, limits=self.limits)


def _name(script: Path) -> str:
    """What other scripts in the folder may include a script by."""
    return script.stem if script.suffix == ".sieve" else ""


def _rules(config: str | None) -> tuple[sieve.Limits, frozenset[str]]:
    """Limits and capabilities of a configuration, or the usual ones and all."""
    if config is None:
        return sieve.Limits(), _EVERYTHING
    from jmaplite.server.settings import sieve_settings

    settings = sieve_settings(loaded(config))
    return settings.limits, settings.capabilities


def _parsed(name: str, octets: bytes, limits: sieve.Limits, capabilities: frozenset[str]) -> sieve.Script | None:
    """A script; None once its mistake has been told."""
    try:
        return sieve.parse(octets, capabilities=capabilities, limits=limits)
    except sieve.SieveError as error:
        click.echo(printable(f"{name}:{error.line}:{error.column}: {error.message}"), err=True)
        return None


def _envelope(octets: bytes, sender: str | None, recipient: str | None) -> sieve.Envelope:
    """The envelope as told; what is not told is taken from the header."""
    fields = mime.header_fields(octets, 0, mime.parse(octets).root.header_end)

    def first(name: str) -> str:
        found = next((value for field, value in fields if field.lower() == name), b"")
        return next((one["email"] or "" for one in mime.addresses(found)), "")

    return sieve.Envelope(
        first("from") if sender is None else sender.strip("<>"),
        first("to") if recipient is None else recipient.strip("<>"),
    )


def _show(trace: sieve.Trace) -> None:
    where = f"{trace.script}:{trace.line}:{trace.column}" if trace.script else f"{trace.line}:{trace.column}"
    result = f": {trace.result}" if trace.result else ""
    click.echo(printable(f"{where:>8}  {trace.name}{result}"))
