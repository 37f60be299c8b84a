"""`jmaplite import jmap` and `jmaplite export jmap`: an account from another JMAP server, or into one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from jmaplite.cli.options import config_option, printable
from jmaplite.cli.remote_mail import RemoteAccount, RemoteEmail, RemoteTarget
from jmaplite.cli.telling import account_option, ended, progress, tell, told_plainly
from jmaplite.client import JMAPClient, JMAPError
from jmaplite.config import Config
from jmaplite.server import Owner, Transfer, transfer

_BATCH = 50


def remote_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--config` and `--account`, and a client of the server that URL and what goes with it name."""

    @wraps(command)
    def with_client(
        url: str, user: str, password_file: Path | None, token_file: Path | None, ca: str | None, **others: Any
    ) -> None:
        command(client=_client(url, user, password_file, token_file, ca), **others)

    url = click.argument("url", metavar="URL")
    user = click.option("--user", default="", metavar="NAME", help="The name to log in with there.")
    secret = click.option(
        "--password-file",
        metavar="FILE",
        type=click.Path(exists=True, path_type=Path),
        help="A file with the password; it is asked for if there is neither this nor a token.",
    )
    token = click.option(
        "--token-file",
        metavar="FILE",
        type=click.Path(exists=True, path_type=Path),
        help="A file with a bearer token, in the place of name and password.",
    )
    ca = click.option(
        "--ca", metavar="FILE", type=click.Path(exists=True), help="A file with the CA of its certificate."
    )
    return config_option(account_option(user(secret(token(ca(url(with_client)))))))


@click.command("jmap")
@remote_options
def import_jmap(config: Config, account: str, client: JMAPClient) -> None:
    """Import an account from another JMAP server: mailboxes, mail with keywords, identities.

    URL is that of its session object, or its host. What has come is not fetched again by another run.
    """
    counts: Counter[str] = Counter()
    started = time.monotonic()
    with _told(), transfer(config) as mail:
        owner = mail.owner(account, make=True)
        remote = RemoteAccount(client)
        place = f"from {urlsplit(client.api_url).netloc} {client.account_id}"
        known = mail.transferred(owner, place)
        list(mail.run(owner, remote.folders()))
        try:
            with progress(remote.count() - len(known), "Importing") as advance:
                for batch in _batches(remote.emails(known)):
                    _take(mail, owner, place, batch, counts)
                    advance(len(batch))
        finally:
            ended(counts, time.monotonic() - started)
        taken = mail.identities(owner, remote.identities())
        click.echo(f"{taken} identit{'y' if taken == 1 else 'ies'}")
    if counts["failed"]:
        click.get_current_context().exit(1)


@click.command("jmap")
@remote_options
def export_jmap(config: Config, account: str, client: JMAPClient) -> None:
    """Put an account's mail into one on another JMAP server: mailboxes, mail with keywords.

    URL is that of its session object, or its host. What has gone there does not go again by another run.
    """
    counts: Counter[str] = Counter()
    started = time.monotonic()
    with _told(), transfer(config, create=False) as mail:
        owner = mail.owner(account)
        target = RemoteTarget(client)
        target.begin()
        place = f"to {urlsplit(client.api_url).netloc} {client.account_id}"
        known = mail.transferred(owner, place)
        for path in mail.folders(owner):
            try:
                target.mailbox(path)
            except JMAPError as error:
                counts["failed"] += 1
                tell(f"Mailbox {'/'.join(path)}: {error}")
        total = sum(box.total for box in mail.mailboxes(owner))
        try:
            with progress(total, "Exporting") as advance:
                for email, paths in mail.everything(owner, known):
                    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(email.received))
                    try:
                        counts[target.put(email.octets, set(paths), email.keywords, date)] += 1
                    except JMAPError as error:
                        counts["failed"] += 1
                        tell(f"Email {email.id}: {error}")
                    else:
                        mail.note_transferred(owner, place, [email.id])
                    advance(1)
        finally:
            ended(counts, time.monotonic() - started)
    if counts["failed"]:
        click.get_current_context().exit(1)


def _take(mail: Transfer, owner: Owner, place: str, batch: list[RemoteEmail], counts: Counter[str]) -> None:
    """Bring in some Emails, durably, and note those that need not come again."""
    failed: set[str] = set()
    for result in mail.run(owner, [found for email in batch for found in email.found]):
        counts[result.outcome] += 1
        if result.outcome == "failed":
            failed.add(result.where)
            tell(f"{result.where}: {result.reason}")
    mail.note_transferred(owner, place, [email.id for email in batch if f"Email {email.id}" not in failed])


def _batches(emails: Iterable[RemoteEmail]) -> Iterator[list[RemoteEmail]]:
    iterator = iter(emails)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def _client(url: str, user: str, password_file: Path | None, token_file: Path | None, ca: str | None) -> JMAPClient:
    """A client of the other server. Raises UsageError."""
    if "://" not in url:
        url = f"https://{url}"
    if not urlsplit(url).path.strip("/"):
        url = f"{url.rstrip('/')}/.well-known/jmap"
    if token_file is not None:
        return JMAPClient(url, token=_first_line(token_file), ca=ca, patient=True)
    if not user:
        raise click.UsageError("log in with --user NAME, or --token-file FILE")
    password = _first_line(password_file) if password_file else click.prompt("Password", hide_input=True, err=True)
    return JMAPClient(url, user=user, password=password, ca=ca, patient=True)


def _first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].strip()


@contextmanager
def _told() -> Iterator[None]:
    """What the other server refuses, as a sentence."""
    with told_plainly("run the same command again to go on where it was"):
        try:
            yield
        except JMAPError as error:
            raise click.ClickException(printable(f"the other server says: {error}"[:1000])) from error
        except KeyError as error:
            raise click.ClickException(printable(f"the other server leaves out {error}"[:1000])) from error
        except (TypeError, ValueError, AttributeError, IndexError) as error:
            raise click.ClickException(f"the other server's answers make no sense: {error!r}"[:1000]) from error
