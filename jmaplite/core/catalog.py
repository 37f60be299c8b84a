"""What a server can do: its capabilities with their methods and data types (RFC 8620 §1.8, §2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jmaplite.core.collation import ALGORITHMS
from jmaplite.core.context import Access, Method
from jmaplite.core.echo import ECHO
from jmaplite.core.limits import Limits
from jmaplite.directory import Principal
from jmaplite.store import Account, TextIndex, Writer


@dataclass(frozen=True, slots=True)
class Capability:
    """A specification that a request may be using.

    `session` answers its value in Session.capabilities, `located` what else is in it, told what every URL begins with;
    `account` answers the one in an account's accountCapabilities (None: it has no methods for accounts). `types` are
    descriptions of data types and `texts` text indexes, both only handed on from here; `signals` are names of which
    there is nothing but a state (EmailDelivery, RFC 8621 §1.5). `fill` writes what a new account gets, told the name of
    its owner; `match` brings what an account has in line with what the directory says of its owner, and writes only if
    that has changed.
    `owner_only` keeps the capability out of accounts that are not personal.
    """

    urn: str
    session: Callable[[Limits], dict[str, Any]]
    account: Callable[[Limits, Access], dict[str, Any]] | None
    methods: tuple[Method, ...] = ()
    types: tuple[Any, ...] = ()
    texts: tuple[TextIndex, ...] = ()
    signals: tuple[str, ...] = ()
    fill: Callable[[Writer, str], None] | None = None
    match: Callable[[Account, Principal], None] | None = None
    owner_only: bool = False
    located: Callable[[str], dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """The capabilities of a server, in order. Raises ValueError if a URN, a method or a type occurs twice.

    `absent` are those that are switched off: they are as if never written, but new accounts get what they begin with,
    so that they can be switched on again. `resources` are paths of what there is beside the API, by the names of the
    properties of the Session that tell of them.
    """

    capabilities: tuple[Capability, ...]
    absent: tuple[Capability, ...] = field(default=(), compare=False)
    resources: Mapping[str, str] = field(default_factory=dict)
    _capability: dict[str, Capability] = field(init=False, repr=False, compare=False)
    _method: dict[str, Method] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        methods = [method for capability in self.capabilities for method in capability.methods]
        types = [kind.name for capability in self.capabilities for kind in capability.types]
        for names in (self.urns, tuple(method.name for method in methods), tuple(types)):
            twice = sorted(name for name in set(names) if names.count(name) > 1)
            if twice:
                raise ValueError(f"declared twice: {', '.join(twice)}")
        object.__setattr__(self, "_capability", {capability.urn: capability for capability in self.capabilities})
        object.__setattr__(self, "_method", {method.name: method for method in methods})

    @property
    def urns(self) -> tuple[str, ...]:
        """The URNs of all capabilities."""
        return tuple(capability.urn for capability in self.capabilities)

    def method(self, name: str) -> Method | None:
        """A method by its name."""
        return self._method.get(name)

    def capability(self, urn: str) -> Capability | None:
        """A capability by its URN."""
        return self._capability.get(urn)

    def without(self, urns: Collection[str]) -> Catalog:
        """The same without some capabilities, as if never written. Raises ValueError for the core."""
        if CORE.urn in urns:
            raise ValueError(f"{CORE.urn} cannot be switched off (RFC 8620 §2)")
        kept = tuple(capability for capability in self.capabilities if capability.urn not in urns)
        gone = tuple(capability for capability in self.capabilities if capability.urn in urns)
        return replace(self, capabilities=kept, absent=(*self.absent, *gone))

    def fill(self, tx: Writer, owner: str) -> None:
        """Write what every capability puts into a new account."""
        for capability in (*self.capabilities, *self.absent):
            if capability.fill is not None:
                capability.fill(tx, owner)

    def match(self, account: Account, owner: Principal, urns: Collection[str]) -> None:
        """Bring what these capabilities keep in an account in line with what the directory says of its owner."""
        for capability in self.capabilities:
            if capability.match is not None and capability.urn in urns:
                capability.match(account, owner)


def _core(limits: Limits) -> dict[str, Any]:
    """The value of the core capability (RFC 8620 §2)."""
    return {
        "maxSizeUpload": limits.max_size_upload,
        "maxConcurrentUpload": limits.max_concurrent_upload,
        "maxSizeRequest": limits.max_size_request,
        "maxConcurrentRequests": limits.max_concurrent_requests,
        "maxCallsInRequest": limits.max_calls_in_request,
        "maxObjectsInGet": limits.max_objects_in_get,
        "maxObjectsInSet": limits.max_objects_in_set,
        "collationAlgorithms": list(ALGORITHMS),
    }


CORE = Capability(ECHO.capability, session=_core, account=None, methods=(ECHO,))
