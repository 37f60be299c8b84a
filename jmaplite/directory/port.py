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
    without giving that away, and makes no other principal of it.
    """

    name: str
    kind: Literal["individual", "admin", "group"] = "individual"
    description: str = ""
    emails: tuple[str, ...] = ()
    quota: int = 0
    member_of: tuple[str, ...] = ()
    credential: str = field(default="", compare=False, repr=False)


class Directory(Protocol):
    """Answers may take time (hashing, a network): call it outside the event loop."""

    def verify_password(self, name: str, password: str) -> Principal | None:
        """The principal of this log-in name (or address) and password, or None. Equal time for unknown names.

        Raises DirectoryUnavailable.
        """

    def verify_token(self, token: str) -> Principal | None:
        """The principal that a bearer token belongs to, or None. Raises DirectoryUnavailable."""

    def principal(self, name: str) -> Principal | None:
        """A principal by its name. Raises DirectoryUnavailable."""

    def principals(self) -> list[Principal]:
        """Every principal that is known here, by name. Raises DirectoryUnavailable."""

    def by_email(self, address: str) -> Principal | None:
        """The principal that receives mail for an address. Raises DirectoryUnavailable."""


@runtime_checkable
class KnowsCredentials(Protocol):
    """What a directory is, too, that can tell which credentials hold without being shown them."""

    def credentials(self, name: str) -> frozenset[str]:
        """Every `Principal.credential` that a principal may be found with. Raises DirectoryUnavailable."""
