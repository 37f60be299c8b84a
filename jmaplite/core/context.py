"""What a method call is given: who asks, for which accounts, with which capabilities, over which store."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jmaplite.blobs import Blobs
from jmaplite.core.errors import MethodError, invalid_arguments
from jmaplite.core.limits import Limits
from jmaplite.store import Account, Store

Arguments = dict[str, Any]
Response = dict[str, Any] | list[tuple[str, dict[str, Any]]]
"""The arguments of a method's response, or several named responses (a method that makes implicit calls, §5.4)."""


@dataclass(frozen=True, slots=True)
class Access:
    """One account as one user sees it (the Account object of RFC 8620 §2).

    `addresses` are those of the account's owner: mail for them comes here, and may be sent from them.
    """

    account_id: str
    name: str
    is_personal: bool
    is_read_only: bool
    capabilities: frozenset[str]
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Leniency:
    """What is let pass although an RFC forbids it, for clients that do it; whatever is gets logged.

    `using`: a method whose capability the request does not use (RFC 8620 §1.8). `sort`: what is not known in a
    Comparator, and Comparators that are not supported (§3.9, §5.5).
    """

    using: bool = False
    sort: bool = False


def random_octets(purpose: str, octets: int) -> bytes:
    """So many octets that nobody can guess, whatever they are for."""
    return secrets.token_bytes(octets)


@dataclass(frozen=True, slots=True)
class Services:
    """What every request of a server shares.

    `clock` answers seconds since the epoch; `settings` has what a capability's own methods go by, under its URN;
    `chance` answers so many octets for a purpose, which tests may want to be the same each time.
    """

    store: Store
    blobs: Blobs
    limits: Limits
    clock: Callable[[], float]
    settings: Mapping[str, Any] = field(default_factory=dict)
    leniency: Leniency = Leniency()
    chance: Callable[[str, int], bytes] = random_octets


@dataclass(slots=True)
class Context:
    """One request under way. `created_ids` maps creation ids to record ids (RFC 8620 §3.3, §5.3).

    `scratch` is for what a request's method calls keep from one piece of work to the next, each under a key of its own;
    `credential` tells the credentials of the request from others of the same user, and `expires` until when they are
    good (seconds since the epoch; None: for ever).
    """

    services: Services
    user: str
    accounts: Mapping[str, Access]
    using: frozenset[str]
    created_ids: dict[str, str] = field(default_factory=dict)
    scratch: dict[object, Any] = field(default_factory=dict)
    credential: str = ""
    expires: float | None = None

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return self.services.limits

    def resolved(self, reference: str) -> str:
        """The Id that a creation reference stands for (`#` and a creation id), if it is known; else the string itself.

        RFC 8620 §3.3, §5.3.
        """
        return self.created_ids.get(reference[1:], reference) if reference.startswith("#") else reference

    def access(self, account_id: object, capability: str, *, argument: str = "accountId") -> Access:
        """The account of an argument, checked in the order of RFC 8620 §3.6.2.

        Raises MethodError: invalidArguments, accountNotFound, accountNotSupportedByMethod, or the `from` forms (§5.4).
        """
        found = self.any_access(account_id, argument=argument)
        if capability not in found.capabilities:
            raise MethodError(f"{_prefix(argument)}NotSupportedByMethod")
        return found

    def any_access(self, account_id: object, *, argument: str = "accountId") -> Access:
        """The same for a method of the core, which every account has.

        Raises MethodError: invalidArguments, accountNotFound, fromAccountNotFound.
        """
        if not isinstance(account_id, str):
            raise invalid_arguments(f"{argument} must be an Id")
        found = self.accounts.get(account_id)
        if found is None:
            raise MethodError(f"{_prefix(argument)}NotFound")
        return found

    def own_access(self) -> Access:
        """The user's personal account, where what belongs to the user and to no account is kept.

        Raises MethodError forbidden.
        """
        for access in self.accounts.values():
            if access.is_personal:
                return access
        raise MethodError("forbidden", "this user has no account")

    def account(self, access: Access) -> Account:
        """The store's account behind an access."""
        return self.services.store.account(access.account_id)


def _prefix(argument: str) -> str:
    """How the errors for an account begin that an argument names."""
    return "fromAccount" if argument == "fromAccountId" else "account"


Handler = Callable[[Context, Arguments], Response]


@dataclass(frozen=True, slots=True)
class Method:
    """A method by its name, with the capability that a request must be using to call it (RFC 8620 §1.8)."""

    name: str
    capability: str
    handler: Handler
