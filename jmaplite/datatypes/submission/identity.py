"""Identity (RFC 8621 §6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jmaplite.core.context import Access, Context
from jmaplite.core.errors import SetError
from jmaplite.core.records import Records
from jmaplite.core.schema import DataType, Property
from jmaplite.datatypes.submission.addresses import folded, is_address, some_allows
from jmaplite.datatypes.submission.capability import SUBMISSION
from jmaplite.directory import Principal
from jmaplite.store import Account, Reader, Writer


def _is_name(name: str | None) -> bool:
    return name is None or not any(ord(character) < 32 or ord(character) == 127 for character in name)


def _name_objection(ctx: Context, name: str) -> str | None:
    """RFC 8621 §6 name: one that a header field can hold."""
    return None if _is_name(name) else "a name has no control characters"


def _email_objection(ctx: Context, email: str) -> str | None:
    """RFC 8621 §6 email: an address."""
    return None if is_address(email) else "not an address"


def _addresses_objection(ctx: Context, items: list[dict[str, Any]] | None) -> str | None:
    """RFC 8621 §4.1.2.3: addresses that are some, with names that a header field can hold."""
    good = all(is_address(item["email"]) and _is_name(item.get("name")) for item in items or ())
    return None if good else "not addresses, or names with control characters"


_ADDRESSES = Property("EmailAddress[]|null", default=None, objection=_addresses_objection)

IDENTITY = DataType(
    "Identity",
    SUBMISSION,
    prefix="I",
    methods=("get", "changes", "set"),
    properties={
        "name": Property("String", default="", objection=_name_objection),
        "email": Property("String", immutable=True, objection=_email_objection),
        "replyTo": _ADDRESSES,
        "bcc": _ADDRESSES,
        "textSignature": Property("String", default=""),
        "htmlSignature": Property("String", default=""),
        "mayDelete": Property("Boolean", default=True, server_set=True),
    },
    kinds={"EmailAddress": {"name": "String|null", "email": "String"}},
)


class IdentityRecords(Records):
    """Identities; those of the owner's own addresses are made by the server, and stay."""

    def insert(
        self, ctx: Context, access: Access, tx: Writer, record: Mapping[str, Any], prepared: Any
    ) -> tuple[int, dict[str, Any]]:
        """Make an Identity that may be destroyed again."""
        return super().insert(ctx, access, tx, {**_whole(record), "mayDelete": True}, prepared)

    def update(
        self, ctx: Context, access: Access, tx: Writer, number: int, changes: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Change an Identity; answers addresses that were given without a name."""
        whole = _whole(changes)
        super().update(ctx, access, tx, number, whole)
        return {name: value for name, value in whole.items() if value != changes[name]} or None

    def destroy(self, ctx: Context, access: Access, tx: Writer, number: int, arguments: Mapping[str, Any]) -> None:
        """End an Identity. Raises SetError forbidden for one that the server made (RFC 8621 §6 mayDelete)."""
        if not tx.value("SELECT may_delete FROM identity WHERE account=? AND id=?", tx.account, number):
            raise SetError("forbidden", "the Identity of an address of one's own stays")
        super().destroy(ctx, access, tx, number, arguments)


IDENTITY.records = IdentityRecords(IDENTITY)


def _whole(record: Mapping[str, Any]) -> dict[str, Any]:
    """The same with every EmailAddress complete (RFC 8621 §4.1.2.3)."""
    return {
        name: [{"name": item.get("name"), "email": item["email"]} for item in value]
        if value and name in ("replyTo", "bcc")
        else value
        for name, value in record.items()
    }


@IDENTITY.rule("name", "email", "replyTo", "bcc")
def address_is_allowed(ctx: Context, tx: Writer, number: int) -> None:
    """RFC 8621 §6.3 forbiddenFrom."""
    email = tx.value("SELECT email FROM identity WHERE account=? AND id=?", tx.account, number)
    if not some_allows(ctx.accounts[tx.account_id].addresses, email):
        raise SetError("forbiddenFrom", "the user may not send from this address")


@IDENTITY.rule("email")
def all_can_be_fetched_at_once(ctx: Context, tx: Writer, number: int) -> None:
    """RFC 8621 §6.1: Identity/get may ask for all, so there are no more than one /get may answer (RFC 8620 §5.1)."""
    if tx.value("SELECT count(*) FROM identity WHERE account=?", tx.account) > ctx.limits.max_objects_in_get:
        raise SetError("overQuota", f"at most {ctx.limits.max_objects_in_get} Identities")


def match_identities(account: Account, owner: Principal) -> None:
    """Give an account an Identity for each address of its owner; those of former addresses may be destroyed."""
    wanted = {folded(address): address for address in reversed(owner.emails)}
    with account.read() as tx:
        if _kept(tx).keys() == wanted.keys():
            return
    account.write(lambda tx: _match(tx, owner, wanted))


def _kept(tx: Reader) -> dict[str, int]:
    """The Identities that may not be destroyed, by address."""
    rows = tx.rows("SELECT email, id FROM identity WHERE account=? AND may_delete=0", tx.account)
    return {folded(email): number for email, number in rows}


def _match(tx: Writer, owner: Principal, wanted: Mapping[str, str]) -> None:
    kept = _kept(tx)
    others = {
        folded(email): number
        for email, number in tx.rows(
            "SELECT email, id FROM identity WHERE account=? AND may_delete=1 ORDER BY id DESC", tx.account
        )
    }
    for key in kept.keys() - wanted.keys():
        _set_may_delete(tx, kept[key], may_delete=True)
    for address in owner.emails:
        key = folded(address)
        if key in kept:
            continue
        if key in others:
            _set_may_delete(tx, others[key], may_delete=False)
        else:
            others[key] = _make(tx, owner.description, wanted[key])


def _set_may_delete(tx: Writer, number: int, *, may_delete: bool) -> None:
    sql = "UPDATE identity SET may_delete=?, changed=? WHERE account=? AND id=?"
    tx.execute(sql, int(may_delete), tx.change("Identity"), tx.account, number)


def _make(tx: Writer, name: str, email: str) -> int:
    number = tx.change("Identity")
    tx.execute(
        "INSERT INTO identity (account, id, changed, name, email, text_signature, html_signature, may_delete)"
        " VALUES (?, ?, ?, ?, ?, '', '', 0)",
        tx.account,
        number,
        number,
        name,
        email,
    )
    return number
