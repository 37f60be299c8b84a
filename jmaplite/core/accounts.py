"""The accounts of principals."""

from __future__ import annotations

from collections.abc import Callable

from jmaplite.core import quota
from jmaplite.core.kinds import MAX_INT
from jmaplite.directory import Principal
from jmaplite.store import Store, Writer


def account_of(store: Store, principal: Principal, fill: Callable[[Writer, str], None]) -> str:
    """The id of a principal's account: made if it is missing, and filled; with the quota that the directory tells.

    Whoever lets anything into an account finds it here, so that what it may hold is known there. Raises StoreError.
    """
    owner = principal.name
    account_id = store.account_of(owner) or store.create_account(owner, lambda tx: fill(tx, owner))
    account = store.account(account_id)
    octets = min(principal.quota, MAX_INT)
    with account.read() as tx:
        is_settled = (quota.limit(tx) or 0) == octets
    if not is_settled:
        account.write(lambda tx: quota.settle(tx, octets))
    return account_id
