"""The Session object (RFC 8620 §2)."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jmaplite.core.accounts import account_of
from jmaplite.core.catalog import CORE, Catalog
from jmaplite.core.context import Access, Services
from jmaplite.core.errors import RequestError
from jmaplite.core.json import dumps
from jmaplite.directory import Directory, DirectoryUnavailable, Principal
from jmaplite.store import StoreUnavailable

MAX_SESSIONS = 1000
"""How many sessions are kept at hand."""

MAX_AGE = 60
"""Seconds until a session at hand is built anew, so that what the directory says of groups is seen."""

RETRY_SECONDS = 10
"""Seconds until a directory that did not answer is asked again about somebody's groups."""

_API = "/jmap/"
_DOWNLOAD = "/jmap/download/{accountId}/{blobId}/{name}?type={type}"
_UPLOAD = "/jmap/upload/{accountId}/"
_EVENT_SOURCE = "/jmap/eventsource/?types={types}&closeafter={closeafter}&ping={ping}"


@dataclass(frozen=True, slots=True)
class Session:
    """What a user sees: `state` changes exactly when the rest does; `primary` maps URNs to account ids."""

    username: str
    state: str
    accounts: Mapping[str, Access]
    capabilities: frozenset[str]
    primary: Mapping[str, str]
    document: dict[str, Any] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """The Session object, ready for the wire."""
        return dict(self.document)


class Sessions:
    """The sessions of a server's users, kept by principal and base URL; safe to use from any thread."""

    def __init__(self, services: Services, catalog: Catalog, directory: Directory) -> None:
        self._services = services
        self._catalog = catalog
        self._directory = directory
        self._kept: dict[tuple[Principal, str], tuple[float, Session]] = {}
        self._lock = threading.Lock()

    def get(self, principal: Principal, base_url: str) -> Session:
        """The session of a principal. Raises RequestError serverUnavailable."""
        key = (principal, base_url)
        now = self._services.clock()
        kept = self._kept.get(key)
        if kept is not None and 0 <= now - kept[0] < MAX_AGE:
            return kept[1]
        try:
            session = self._build(principal, base_url.rstrip("/"))
        except (StoreUnavailable, DirectoryUnavailable) as error:
            if kept is None or isinstance(error, StoreUnavailable):
                raise RequestError("serverUnavailable", "The accounts cannot be reached now.", status=503) from None
            # Who is still let in goes on with what the directory said last.
            now, session = now - MAX_AGE + RETRY_SECONDS, kept[1]
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (now, session)
            if len(self._kept) > MAX_SESSIONS:
                del self._kept[next(iter(self._kept))]
        return session

    def accounts(self, principal: Principal) -> dict[str, Access]:
        """The accounts that a principal sees, by id. Raises StoreUnavailable, DirectoryUnavailable."""
        return {access.account_id: access for access in self._accesses(principal)}

    def forget(self) -> None:
        """Build every session anew when it is next asked for."""
        with self._lock:
            self._kept.clear()

    def _build(self, principal: Principal, base_url: str) -> Session:
        accounts = self.accounts(principal)
        own = next(iter(accounts.values()))
        primary = {
            capability.urn: own.account_id
            for capability in self._catalog.capabilities
            if capability.urn in own.capabilities and capability.urn != CORE.urn
        }
        document = self._document(accounts, primary, principal.name, base_url)
        state = hashlib.blake2b(dumps(document), digest_size=8).hexdigest()
        document["state"] = state
        return Session(principal.name, state, accounts, frozenset(self._catalog.urns), primary, document)

    def _document(
        self, accounts: Mapping[str, Access], primary: Mapping[str, str], username: str, base_url: str
    ) -> dict[str, Any]:
        """The Session object but for its state."""
        limits = self._services.limits
        return {
            "capabilities": {
                capability.urn: capability.session(limits)
                | (capability.located(base_url) if capability.located is not None else {})
                for capability in self._catalog.capabilities
            },
            "accounts": {account_id: self._account(access) for account_id, access in accounts.items()},
            "primaryAccounts": dict(primary),
            "username": username,
            "apiUrl": base_url + _API,
            "downloadUrl": base_url + _DOWNLOAD,
            "uploadUrl": base_url + _UPLOAD,
            "eventSourceUrl": base_url + _EVENT_SOURCE,
            **{name: base_url + path for name, path in self._catalog.resources.items()},
        }

    def _account(self, access: Access) -> dict[str, Any]:
        """The Account object."""
        limits = self._services.limits
        return {
            "name": access.name,
            "isPersonal": access.is_personal,
            "isReadOnly": access.is_read_only,
            "accountCapabilities": {
                capability.urn: capability.account(limits, access)
                for capability in self._catalog.capabilities
                if capability.account is not None and capability.urn in access.capabilities
            },
        }

    def _accesses(self, principal: Principal) -> Iterator[Access]:
        """The principal's own account, then those of its groups; accounts that are missing are made."""
        yield self._access(principal, is_personal=True)
        for name in sorted(set(principal.member_of)):
            group = self._directory.principal(name)
            if group is not None and group.kind == "group":
                yield self._access(group, is_personal=False)

    def _access(self, owner: Principal, *, is_personal: bool) -> Access:
        store = self._services.store
        account_id = account_of(store, owner, self._catalog.fill)
        urns = frozenset(
            capability.urn
            for capability in self._catalog.capabilities
            if capability.account is not None and (is_personal or not capability.owner_only)
        )
        self._catalog.match(store.account(account_id), owner, urns)
        return Access(
            account_id,
            owner.description or (owner.emails[0] if owner.emails else owner.name),
            is_personal,
            False,
            urns,
            owner.emails,
        )
