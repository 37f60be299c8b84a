"""A user's scripts as ManageSieve has them; they are the SieveScripts of JMAP, changed by the same method."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from jmaplite.core import blobid, quota, uploads
from jmaplite.core.context import Context
from jmaplite.core.engine import Engine
from jmaplite.core.errors import MethodError
from jmaplite.core.methods import STANDARD
from jmaplite.datatypes.sieve import SIEVE, SIEVE_SCRIPT, SieveSettings, sieve_settings
from jmaplite.datatypes.sieve.parsed import parse
from jmaplite.datatypes.sieve.script import is_name, named
from jmaplite.directory import DirectoryUnavailable, Principal
from jmaplite.formats import sieve
from jmaplite.formats.sieve.nodes import Node
from jmaplite.store import Reader, StoreError

_SET = STANDARD["set"](SIEVE_SCRIPT)
_TRIES = 3
_MOST_WARNINGS = 10


class Refused(Exception):
    """A command is answered with NO: a response code (RFC 5804 §1.3; may be empty), and why, for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Gone(Exception):
    """The user is no more, or has no scripts."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What ManageSieve works with. `log_in` tells whom a name and a password belong to, told where from; None: nobody.

    It raises Refused where nobody may try now.
    """

    engine: Engine
    log_in: Callable[[str, str, str], Principal | None]

    @property
    def settings(self) -> SieveSettings:
        """What scripts may be and do."""
        return sieve_settings(self.engine.services)


class Scripts:
    """The scripts of one user. Everything takes time, and raises Refused or Gone."""

    def __init__(self, desk: Desk, principal: Principal) -> None:
        self._engine = desk.engine
        self._principal = principal
        self.settings = desk.settings

    def all(self) -> list[tuple[str, bool]]:
        """The names of all scripts, each with whether it is active."""
        with self._read() as tx:
            sql = "SELECT name, is_active FROM sieve_script WHERE account=? ORDER BY id"
            return [(name, bool(is_active)) for name, is_active in tx.rows(sql, tx.account)]

    def get(self, name: str) -> bytes:
        """The content of a script."""
        with self._read() as tx:
            digest = named(tx, name)
            if digest is None:
                raise _missing()
            return self._engine.services.blobs.read(tx, digest)

    def check(self, octets: bytes) -> list[str]:
        """See whether octets are a script; answers warnings about it."""
        if not octets:
            raise Refused("", "the script is empty")
        if len(octets) > self.settings.limits.script_size:
            raise too_large(self.settings)
        try:
            script = parse(self.settings, octets)
        except sieve.SieveError as error:
            raise Refused("", str(error)) from None
        return warnings(script, self.settings.limits)

    def have_space(self, name: str, size: int) -> None:
        """See whether a script of a size may be stored under a name."""
        self._check_name(name)
        if size > self.settings.limits.script_size:
            raise too_large(self.settings)
        with self._read() as tx:
            digest = named(tx, name)
            count = tx.value("SELECT count(*) FROM sieve_script WHERE account=?", tx.account)
            limit, used = quota.limit(tx), quota.used(tx)
            freed = 0 if digest is None else self._engine.services.blobs.size(tx, digest)
        if digest is None and count >= self.settings.max_scripts:
            raise Refused("QUOTA/MAXSCRIPTS", f"there are at most {self.settings.max_scripts} scripts")
        if limit is not None and used - freed + size > limit:
            raise Refused("QUOTA", "the account is full")

    def put(self, name: str, octets: bytes) -> list[str]:
        """Store a script under a name, in the place of another if there is one; answers warnings about it."""
        self._check_name(name)
        told = self.check(octets)
        context, account_id = self._context()
        services = self._engine.services
        staged = services.blobs.stage(account_id, octets)
        uploads.keep(services, account_id, self._principal.name, [staged])
        blob_id = blobid.format(staged.digest)
        for _ in range(_TRIES):
            script_id = self._id(name)
            if script_id is None:
                error = self._set(context, account_id, create={"s": {"name": name, "blobId": blob_id}})
            else:
                error = self._set(context, account_id, update={script_id: {"blobId": blob_id}})
            # Somebody else may have made or ended a script of this name in between.
            if error is None or error["type"] not in ("alreadyExists", "notFound"):
                break
        self._raise(error)
        return told

    def activate(self, name: str) -> None:
        """Make a script the active one; the empty name stands for none."""
        context, account_id = self._context()
        if not name:
            self._raise(self._set(context, account_id, onSuccessDeactivateScript=True))
        else:
            self._raise(self._set(context, account_id, onSuccessActivateScript=self._known(name)))

    def delete(self, name: str) -> None:
        """End a script."""
        context, account_id = self._context()
        self._raise(self._set(context, account_id, destroy=[self._known(name)]))

    def rename(self, old: str, new: str) -> None:
        """Give a script another name."""
        self._check_name(new)
        context, account_id = self._context()
        script_id = self._known(old)
        if self._id(new) is not None:  # the script itself has its name already (RFC 5804 §2.11)
            raise Refused("ALREADYEXISTS", "there is a script of this name")
        self._raise(self._set(context, account_id, update={script_id: {"name": new}}))

    def _context(self) -> tuple[Context, str]:
        """A request of the user's, and the id of the account that it is about."""
        try:
            present = self._engine.present(self._principal.name, self._principal.credential)
            accounts = {} if present is None else self._engine.accounts(present)
        except DirectoryUnavailable:
            raise Refused("TRYLATER", "the directory of users does not answer at the moment") from None
        for account_id, access in accounts.items():
            if access.is_personal and SIEVE in access.capabilities:
                services = self._engine.services
                return Context(services, self._principal.name, accounts, frozenset({SIEVE})), account_id
        raise Gone

    def _read(self) -> Any:
        _, account_id = self._context()
        return self._engine.services.store.account(account_id).read()

    def _id(self, name: str) -> str | None:
        with self._read() as tx:
            return _id_of(tx, name)

    def _known(self, name: str) -> str:
        found = self._id(name)
        if found is None:
            raise _missing()
        return found

    def _check_name(self, name: str) -> None:
        if not is_name(name) or len(name.encode()) > self.settings.max_name:
            raise Refused("", f"a name has 1 to {self.settings.max_name} octets and no control characters")

    def _set(self, context: Context, account_id: str, **arguments: Any) -> dict[str, Any] | None:
        """Call SieveScript/set; answers the error of what failed."""
        try:
            answer = _SET(context, {"accountId": account_id, **arguments})
        except MethodError as error:
            raise Refused("TRYLATER", error.description or error.type) from None
        except StoreError:
            raise Refused("TRYLATER", "the scripts cannot be reached at the moment") from None
        assert isinstance(answer, dict)
        for name in ("notCreated", "notUpdated", "notDestroyed"):
            for found in (answer[name] or {}).values():
                failure: dict[str, Any] = found
                return failure
        return None

    def _raise(self, error: dict[str, Any] | None) -> None:
        if error is None:
            return
        text = error.get("description") or error["type"]
        if error["type"] == "overQuota":
            with self._read() as tx:
                count = tx.value("SELECT count(*) FROM sieve_script WHERE account=?", tx.account)
            raise Refused("QUOTA/MAXSCRIPTS" if count >= self.settings.max_scripts else "QUOTA", text)
        raise Refused(_CODES.get(error["type"], ""), text)


_CODES = {
    "sieveIsActive": "ACTIVE",
    "notFound": "NONEXISTENT",
    "alreadyExists": "ALREADYEXISTS",
    "tooLarge": "QUOTA/MAXSIZE",
}


def too_large(settings: SieveSettings) -> Refused:
    """The refusal of a script that is too large."""
    return Refused("QUOTA/MAXSIZE", f"a script has at most {settings.limits.script_size} octets")


def _missing() -> Refused:
    return Refused("NONEXISTENT", "there is no script of this name")


def _id_of(tx: Reader, name: str) -> str | None:
    sql = "SELECT id FROM sieve_script WHERE account=? AND name=?"
    number = tx.value(sql, tx.account, unicodedata.normalize("NFC", name))
    return None if number is None else SIEVE_SCRIPT.format_id(number)


def warnings(script: sieve.Script, limits: sieve.Limits) -> list[str]:
    """What is no error in a script, but may not be what its author wants (RFC 5804 §2.6)."""
    redirects = [node.line for node in _nodes(script.nodes) if node.name == "redirect"]
    late = redirects[limits.redirects :] if limits.redirects else redirects
    return [
        f"line {line}: a message is redirected to at most {limits.redirects} addresses, this one may be too many"
        for line in late[:_MOST_WARNINGS]
    ]


def _nodes(nodes: tuple[Node, ...]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _nodes(node.block)
