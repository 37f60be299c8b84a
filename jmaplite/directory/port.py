"""The directory's port: who you are, and which accounts you see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable


class DirectoryUnavailable(Exception):
    """The directory does not answer now: nobody can be told apart, so nobody is turned away for good."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody or some group that may own an account.

    `name` is the log-in name and never changes; `emails` has the primary address first; `quota` is in octets (0: none);
    `member_of` names the groups whose accounts this principal sees; `credential` says what it has logged in with,
    without giving that away, and `expires` until when that is good (seconds since the epoch; None: for ever). Neither
    makes another principal of it.
    """

    name: str
    kind: Literal["individual", "admin", "group"] = "individual"
    description: str = ""
    emails: tuple[str, ...] = ()
    quota: int = 0
    member_of: tuple[str, ...] = ()
    credential: str = field(default="", compare=False, repr=False)
    expires: float | None = field(default=None, compare=False, repr=False)


class Directory(Protocol):
    """Answers may take time (hashing, a network): call it outside the event loop. Any may raise DirectoryUnavailable.

    Addresses are compared without case.
    """

    def verify_password(self, name: str, password: str) -> Principal | None:
        """The principal of this log-in name (or address) and password, or None. Equal time for unknown names."""

    def verify_token(self, token: str) -> Principal | None:
        """The principal that a bearer token belongs to, or None."""

    def principal(self, name: str) -> Principal | None:
        """A principal by its name."""

    def principals(self) -> list[Principal]:
        """Every principal that can be listed here, by name."""

    def by_email(self, address: str) -> Principal | None:
        """The principal whose own an address is."""

    def recipients(self, address: str) -> tuple[Principal, ...]:
        """Everybody who receives mail for an address: whose own it is, or all who are on that mailing list."""

    def is_local(self, domain: str) -> bool:
        """Whether addresses of a domain are for this directory to know, so that an unknown one is nobody's."""

    def close(self) -> None:
        """Let go of every connection. Who asks again makes new ones."""


@runtime_checkable
class KnowsCredentials(Protocol):
    """What a directory is, too, that can tell which credentials hold without being shown them."""

    def credentials(self, name: str) -> frozenset[str]:
        """Every `Principal.credential` that a principal may be found with. Raises DirectoryUnavailable."""
