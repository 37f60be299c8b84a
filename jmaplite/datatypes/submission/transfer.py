"""Identities from another server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jmaplite.core.context import Access, Context, Services
from jmaplite.core.methods.set import set_
from jmaplite.datatypes.submission.addresses import folded, some_allows
from jmaplite.datatypes.submission.capability import SUBMISSION
from jmaplite.datatypes.submission.identity import IDENTITY

_SET = set_(IDENTITY)


def take_identities(
    services: Services, account_id: str, user: str, addresses: tuple[str, ...], found: Sequence[Mapping[str, Any]]
) -> int:
    """Give an account Identities like those found, where the user may use their addresses; answers how many.

    An Identity that is there for an address takes over the name and signatures instead of standing beside another.
    """
    access = Access(account_id, user, True, False, frozenset({SUBMISSION}), addresses)
    context = Context(services, user, {account_id: access}, frozenset({SUBMISSION}))
    with services.store.account(account_id).read() as tx:
        rows = tx.rows("SELECT email, id FROM identity WHERE account=? ORDER BY id DESC", tx.account)
    there = {folded(email): IDENTITY.format_id(number) for email, number in rows}
    taken = 0
    for one in found:
        if not some_allows(addresses, str(one.get("email", ""))):
            continue
        known = there.pop(folded(str(one["email"])), None)
        patch = {name: value for name, value in one.items() if name != "email"}
        change = {"update": {known: patch}} if known else {"create": {"new": dict(one)}}
        answer = _SET(context, {"accountId": account_id, **change})
        assert isinstance(answer, dict)
        taken += bool(answer["updated"] or answer["created"])
    return taken
