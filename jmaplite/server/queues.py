"""The queues of outgoing mail, for whoever runs a server; beside one that runs, or without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from jmaplite.config import Config
from jmaplite.datatypes.mail.transfer import Owner, Transfer, TransferFailed
from jmaplite.datatypes.submission import EMAIL_SUBMISSION, upkeep
from jmaplite.datatypes.submission.transfer import take_identities
from jmaplite.server.ground import CannotServe
from jmaplite.server.parts import Parts, compose
from jmaplite.store import StoreError, Writer


@dataclass(frozen=True, slots=True)
class Entry:
    """A message in the queue of an account. `name` is what it is called, over all accounts."""

    name: str
    owner: Owner
    waiting: upkeep.Waiting


class Queues:
    """Every queue. All raise TransferFailed."""

    def __init__(self, parts: Parts) -> None:
        self._services = parts.engine.services
        self._accounts = Transfer(self._services, parts.directory, parts.engine.catalog.fill, take_identities)

    def entries(self, account: str | None = None) -> Iterator[Entry]:
        """What waits, of one account (by the name or an address of its owner, or its id) or of all, by owner."""
        owners = self._accounts.owners() if account is None else [self._accounts.owner(account)]
        for owner in sorted(owners, key=lambda one: one.name):
            with _told(), self._services.store.account(owner.account_id).read() as tx:
                found = upkeep.waiting(tx)
            for one in found:
                yield Entry(f"{owner.account_id}/{EMAIL_SUBMISSION.format_id(one.number)}", owner, one)

    def retry(self, names: Sequence[str]) -> None:
        """Try messages now."""
        now = int(self._services.clock())
        self._each(names, lambda tx, number: upkeep.retry(tx, number, now))

    def hold(self, names: Sequence[str]) -> None:
        """Try messages no more until they are to be tried."""
        self._each(names, upkeep.hold)

    def remove(self, names: Sequence[str]) -> None:
        """Take messages out."""
        self._each(names, lambda tx, number: upkeep.remove(tx, self._services.blobs, number))

    def _each(self, names: Sequence[str], work: Callable[[Writer, int], bool]) -> None:
        """Do something with messages; all of them are looked up before anything is done."""
        known = {owner.account_id for owner in self._accounts.owners()}
        found = []
        for name in names:
            account_id, _, record_id = name.partition("/")
            number = EMAIL_SUBMISSION.parse_id(record_id)
            if number is None or account_id not in known:
                raise TransferFailed(f"there is no message “{name}” in a queue")
            found.append((name, account_id, number))
        for name, account_id, number in found:
            with _told():
                account = self._services.store.account(account_id)
                done = account.write(lambda tx, number=number: work(tx, number))  # type: ignore[misc]
            if not done:
                raise TransferFailed(f"there is no message “{name}” in a queue")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise TransferFailed(str(error)) from error


@contextmanager
def queues(config: Config) -> Iterator[Queues]:
    """The queues of a configuration's store. Raises TransferFailed."""
    try:
        parts = compose(config, create=False)
    except CannotServe as error:
        raise TransferFailed(str(error)) from error
    try:
        yield Queues(parts)
    finally:
        parts.close()
