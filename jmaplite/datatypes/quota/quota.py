"""Quota (RFC 9425 §4): what `core/quota.py` keeps, as records.

Each account that has a limit has one Quota, of octets, for all types that count. A request is told of the types only
whose capability it uses, and of a Quota only if there are any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jmaplite.core import collation, quota
from jmaplite.core.conditions import Scan
from jmaplite.core.context import Access, Context
from jmaplite.core.records import Records
from jmaplite.core.schema import QUOTA as TABLE
from jmaplite.core.schema import DataType, Property, Sort
from jmaplite.store import Reader, Table

QUOTA = "urn:ietf:params:jmap:quota"

_USED = "(SELECT coalesce(sum(u.octets), 0) FROM usage u WHERE u.account={a}.account)"
_NOTHING = Scan("0=1", on_key=True)
_EVERYTHING = Scan("1=1", on_key=True)


class QuotaType(DataType):
    """Quota has no table of its own: the core keeps what it tells, whether or not anybody may ask."""

    def tables(self) -> Iterable[Table]:
        """None."""
        return ()


class QuotaRecords(Records):
    """Quotas, with the value at which `used` last changed beside that of all else."""

    revisions = ("changed", "counted")

    def __init__(self, data_type: DataType, types: Mapping[str, str]) -> None:
        self.type = data_type
        self.table = TABLE
        self._types = types

    def types(self, ctx: Context) -> list[str]:
        """The types that count and that the request may know of (RFC 9425 §4.1 types)."""
        return [name for name, capability in self._types.items() if capability in ctx.using]

    def read(
        self,
        ctx: Context,
        access: Access,
        tx: Reader,
        numbers: Sequence[int],
        properties: Sequence[str],
        arguments: Mapping[str, Any],
    ) -> dict[int, Any]:
        """Quotas, unless the request knows none of their types."""
        return super().read(ctx, access, tx, numbers, properties, arguments) if self.types(ctx) else {}

    def candidates(
        self, tx: Reader, since: int, mutable: frozenset[str], *, collapse: bool
    ) -> Iterable[tuple[int, int | None, bool]]:
        """Quotas whose place in a query may differ since a state: `used` changes without the rest."""
        yield from super().candidates(tx, since, mutable, collapse=collapse)
        if "used" in mutable:
            for row in tx.rows(
                "SELECT id FROM quota WHERE account=? AND counted>? AND id<=?", tx.account, since, since
            ):
                yield row[0], None, False


def describe(types: Iterable[DataType]) -> DataType:
    """The type Quota of a server on which those of these types that use quota count."""
    described = QuotaType(
        "Quota",
        QUOTA,
        prefix="Q",
        methods=("get", "changes", "query", "queryChanges"),
        properties={
            "resourceType": Property("String", server_set=True),
            "used": Property("UnsignedInt", server_set=True, stored=False),
            "hardLimit": Property("UnsignedInt", server_set=True),
            "scope": Property("String", server_set=True),
            "name": Property("String", server_set=True),
            "types": Property("String[]", server_set=True, stored=False),
            "warnLimit": Property("UnsignedInt|null", server_set=True, stored=False),
            "softLimit": Property("UnsignedInt|null", server_set=True, stored=False),
            "description": Property("String|null", server_set=True, stored=False),
        },
        sorts={
            "name": Sort("{a}.name", text="{a}.name"),
            "used": Sort(_USED, mutable=frozenset({"used"})),
        },
        count_properties=("used",),
    )
    records = QuotaRecords(described, {one.name: one.capability for one in types if one.uses_quota})
    described.records = records
    described.compute("used")(lambda ctx, access, tx, number, record: quota.used(tx))
    described.compute("types")(lambda ctx, access, tx, number, record: records.types(ctx))
    for name in ("warnLimit", "softLimit", "description"):
        described.compute(name)(lambda ctx, access, tx, number, record: None)
    described.narrow(lambda ctx, tx: _EVERYTHING if records.types(ctx) else _NOTHING)
    _hang_conditions(described, records)
    return described.freeze()


def _hang_conditions(described: DataType, records: QuotaRecords) -> None:
    """The properties of a FilterCondition (RFC 9425 §4.4)."""

    @described.condition("name", "String")
    def name_contains(ctx: Context, tx: Reader, value: str) -> Scan:
        """The name contains the string, whatever the case."""
        part = collation.key(collation.DEFAULT, value)
        rows = tx.rows("SELECT id, name FROM quota WHERE account=?", tx.account)
        found = ",".join(str(number) for number, name in rows if part in collation.key(collation.DEFAULT, name))
        return Scan(f"{{a}}.id IN ({found})") if found else _NOTHING

    @described.condition("scope", "String")
    def scope_is(ctx: Context, tx: Reader, value: str) -> Scan:
        """The same scope."""
        return Scan("{a}.scope=?", (value,))

    @described.condition("resourceType", "String")
    def resource_type_is(ctx: Context, tx: Reader, value: str) -> Scan:
        """The same resourceType."""
        return Scan("{a}.resource_type=?", (value,))

    @described.condition("type", "String")
    def type_counts(ctx: Context, tx: Reader, value: str) -> Scan:
        """The types contain the value."""
        return _EVERYTHING if value in records.types(ctx) else _NOTHING
