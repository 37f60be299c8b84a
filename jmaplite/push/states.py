"""What a StateChange is made of: the state strings of the types in an account (RFC 8620 §7.1)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from jmaplite.core.catalog import Catalog
from jmaplite.core.context import Access
from jmaplite.store import Store

View = Mapping[str, frozenset[str]]
"""The accounts that a user sees, each with the types that have states in it."""

States = Mapping[str, str]
"""A TypeState object: state strings by the names of types."""


def pushed_types(catalog: Catalog, access: Access) -> tuple[str, ...]:
    """The names of the types whose changes in an account a user is told of; pseudo-types as EmailDelivery too."""
    return tuple(
        name
        for capability in catalog.capabilities
        if capability.urn in access.capabilities
        for name in (*(kind.name for kind in capability.types if not kind.user_level), *capability.signals)
    )


def view(catalog: Catalog, accounts: Mapping[str, Access]) -> View:
    """What a user who sees these accounts is told of."""
    return {account_id: frozenset(pushed_types(catalog, access)) for account_id, access in accounts.items()}


def states(store: Store, account_id: str, types: Collection[str]) -> dict[str, str]:
    """The state of each type, as its /get would answer it, all of one moment. Raises StoreError."""
    with store.account(account_id).read() as tx:
        return {name: f"{store.epoch}-{tx.state(name)}" for name in types}


def state_change(changed: Mapping[str, States]) -> dict[str, Any]:
    """A StateChange object: by account id, the types that changed and their states."""
    return {"@type": "StateChange", "changed": changed}
