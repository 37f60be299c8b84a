"""A store and a directory in memory: as much of their ports as sessions need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from jmaplite.blobs import Blobs
from jmaplite.core.context import Services
from jmaplite.core.limits import Limits
from jmaplite.directory import Directory, DirectoryUnavailable, Principal
from jmaplite.store import Store, StoreUnavailable, Writer


class FakeWriter:
    """What `fill` is called with; it remembers nothing."""


@dataclass
class FakeAccount:
    """An account with nothing in it."""

    id: str
    account: int = 1

    @contextmanager
    def read(self) -> Iterator[FakeAccount]:
        yield self

    def value(self, sql: str, *parameters: Any) -> Any:
        return None


@dataclass
class FakeStore:
    """Accounts by owner, with a note of every call."""

    owners: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    unavailable: bool = False

    def account_of(self, owner: str) -> str | None:
        self.calls.append(f"account_of {owner}")
        if self.unavailable:
            raise StoreUnavailable("locked")
        return self.owners.get(owner)

    def account(self, account_id: str) -> FakeAccount:
        return FakeAccount(account_id)

    def create_account(self, owner: str, fill: Callable[[Writer], None]) -> str:
        self.calls.append(f"create_account {owner}")
        if owner not in self.owners:
            fill(cast(Writer, FakeWriter()))
            self.owners[owner] = f"a{len(self.owners) + 1}"
        return self.owners[owner]


@dataclass
class FakeDirectory:
    """Principals by name."""

    known: dict[str, Principal] = field(default_factory=dict)
    unavailable: bool = False

    def principal(self, name: str) -> Principal | None:
        if self.unavailable:
            raise DirectoryUnavailable
        return self.known.get(name)


@dataclass
class Clock:
    """Seconds that pass when told to."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def services(store: FakeStore, clock: Callable[[], float] | None = None, **limits: Any) -> Services:
    return Services(cast(Store, store), cast(Blobs, None), Limits(**limits), clock or Clock())


def directory(*principals: Principal) -> Directory:
    return cast(Directory, FakeDirectory({principal.name: principal for principal in principals}))
