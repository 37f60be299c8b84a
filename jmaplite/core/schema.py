"""A data type is data: its properties, conditions and sort orders, and what the standard methods make of them.

A `DataType` is written down once, spelled as its RFC spells it. The decorators hang beneath it what data cannot say.
`freeze` checks the description when the server starts; from then on it does not change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from jmaplite.core.blobid import BlobRef
from jmaplite.core.context import Access, Context, Handler, Method
from jmaplite.core.errors import SetError, invalid_properties
from jmaplite.core.kinds import Checker, compile_kind
from jmaplite.store import Column, Index, Reader, Table, Value, Writer

if TYPE_CHECKING:
    from jmaplite.core.conditions import Scan
    from jmaplite.core.methods.set import Batch
    from jmaplite.core.records import Records

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED"})()
"""The default of a property that has none: a client must give it when creating."""

STANDARD_METHODS = ("get", "changes", "set", "copy", "query", "queryChanges")


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a type.

    `kind` is the RFC's notation; `refers` names the type that an Id points at; a `per_user` value is kept for each user
    apart; one that is not `stored` has a compute. A String that is `collated` is also kept as it is sorted, in a column
    of its own (`sort_key`). What is `secret` is set by clients and never answered. One with a `capability` is there for
    requests that use it only. `objection` says what is wrong with a value of the kind, if anything.
    """

    kind: str
    default: Any = REQUIRED
    server_set: bool = False
    immutable: bool = False
    index: bool = False
    per_user: bool = False
    refers: str | None = None
    stored: bool = True
    collated: bool = False
    secret: bool = False
    capability: str | None = None
    objection: Callable[[Context, Any], str | None] | None = None

    @property
    def column_kind(self) -> Literal["integer", "real", "text"]:
        """What a table keeps the value as: whole numbers, flags and references as integers, the rest as text."""
        base = self.kind.removesuffix("|null")
        if base == "Number":
            return "real"
        is_integer = base in ("Boolean", "Int", "UnsignedInt") or (self.refers is not None and base == "Id")
        return "integer" if is_integer else "text"

    @property
    def is_json(self) -> bool:
        """Whether the table keeps the value as JSON text (objects and arrays)."""
        return self.column_kind == "text" and self.kind.removesuffix("|null") not in _TEXTS


_TEXTS = frozenset({"String", "Id", "Date", "UTCDate"})


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument that a type adds to a standard method; `default` stands for it when it is left out."""

    kind: str
    default: Any = None


@dataclass(frozen=True, slots=True)
class Condition:
    """A property of a FilterCondition: its kind, and its one form, a scan of an index."""

    kind: str
    check: Checker
    scan: Callable[[Context, Reader, Any], Scan]


@dataclass(frozen=True, slots=True)
class Sort:
    """A property that a Comparator may name.

    `expression` is SQL over the type's own table (alias `{a}`) that orders as the default collation does; `text` that
    of what `decode` makes the string of, for Comparators that name another collation; `mutable` are the properties
    whose change moves a record; with `keyword`, the Comparator must carry a `keyword`, and this makes of it what is
    bound to the `?` of `expression` or raises MethodError; `is_key` says that the order is, but for ties, that of the
    type's order key.
    """

    expression: str
    text: str | None = None
    decode: Callable[[Any], str] = str
    mutable: frozenset[str] = frozenset()
    keyword: Callable[[Context, str], Value] | None = None
    is_key: bool = False


Rule = Callable[[Context, Writer, int], None]
Compute = Callable[[Context, Access, Reader, int, Mapping[str, Any]], Any]
Lookup = Callable[[Context, Access, Reader, BlobRef], Iterable[int]]


@cache
def snake(name: str) -> str:
    """A property's or type's name as a column's or table's (`sortOrder` -> `sort_order`)."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def sort_key(name: str) -> str:
    """The column that keeps a `collated` property as the default collation orders it."""
    return f"{snake(name)}_key"


class DescriptionError(Exception):
    """A description of a data type contradicts itself; found when the server starts."""


@dataclass(eq=False)
class DataType:
    """The description of one data type.

    `uses_quota` says that its records count against the quota of their account. A `user_level` type belongs to a user
    and to no account: its methods take and answer no account and no state, and its records are in the personal account.
    """

    name: str
    capability: str
    prefix: str
    methods: tuple[str, ...]
    properties: dict[str, Property]
    kinds: Mapping[str, Any] = field(default_factory=dict)
    sorts: dict[str, Sort] = field(default_factory=dict)
    tree: str | None = None
    get_arguments: dict[str, Argument] = field(default_factory=dict)
    set_arguments: dict[str, Argument] = field(default_factory=dict)
    query_arguments: dict[str, Argument] = field(default_factory=dict)
    default_properties: tuple[str, ...] | None = None
    count_properties: tuple[str, ...] = ()
    uses_quota: bool = False
    user_level: bool = False
    records: Records = field(init=False, repr=False)
    computes: dict[str, Compute] = field(default_factory=dict)
    conditions: dict[str, Condition] = field(default_factory=dict)
    rules: list[tuple[frozenset[str], Rule]] = field(default_factory=list)
    destroy_rules: list[Rule] = field(default_factory=list)
    conclude: Callable[[Batch], None] | None = None
    related: dict[str, DataType] = field(default_factory=dict, repr=False)
    extra_methods: dict[str, Handler] = field(default_factory=dict)
    extra_tables: tuple[Table, ...] = ()
    lookup: Lookup | None = None
    narrowing: Callable[[Context, Reader], Scan] | None = None
    checkers: dict[str, Checker] = field(default_factory=dict, repr=False)

    def rule(self, *properties: str) -> Callable[[Rule], Rule]:
        """Hang a rule beneath the type: run inside the transaction when a record is new or a property of these changed.

        It looks at the record as it now is and raises SetError.
        """

        def hang(rule: Rule) -> Rule:
            self.rules.append((frozenset(properties), rule))
            return rule

        return hang

    def check_rules(self, ctx: Context, tx: Writer, number: int, names: Collection[str] | None = None) -> None:
        """Ask every rule about a record that is new, or of which the properties `names` changed.

        Raises SetError; invalidProperties names what is wrong by any rule (RFC 8620 §5.3).
        """
        errors: list[SetError] = []
        for properties, rule in self.rules:
            if names is None or not properties.isdisjoint(names):
                try:
                    rule(ctx, tx, number)
                except SetError as error:
                    if error.type != "invalidProperties":
                        raise
                    errors.append(error)
        if errors:
            wrong = {name for error in errors for name in error.properties or ()}
            raise invalid_properties("; ".join(error.description or "" for error in errors), *wrong)

    def destroy_rule(self, rule: Rule) -> Rule:
        """Hang a rule beneath the type that is run when a record has been destroyed; it raises SetError."""
        self.destroy_rules.append(rule)
        return rule

    def concluding(self, conclude: Callable[[Batch], None]) -> Callable[[Batch], None]:
        """Hang what /set does last in its transaction, told what became of everything; it may add to the answer."""
        self.conclude = conclude
        return conclude

    def compute(self, name: str) -> Callable[[Compute], Compute]:
        """Hang the computation of a property that is not stored."""

        def hang(compute: Compute) -> Compute:
            self.computes[name] = compute
            return compute

        return hang

    def condition(
        self, name: str, kind: str
    ) -> Callable[[Callable[[Context, Reader, Any], Scan]], Callable[[Context, Reader, Any], Scan]]:
        """Hang a filter condition."""

        def hang(scan: Callable[[Context, Reader, Any], Scan]) -> Callable[[Context, Reader, Any], Scan]:
            if name == "operator":
                raise DescriptionError(f"{self.name}: a FilterCondition has no 'operator' (RFC 8620 §5.5)")
            self.conditions[name] = Condition(kind, compile_kind(kind, self.kinds), scan)
            return scan

        return hang

    def referring(self, lookup: Lookup) -> Lookup:
        """Hang what finds the records that refer to a blob (RFC 9404 §4.3): those only that the user may see."""
        self.lookup = lookup
        return lookup

    def narrow(self, scan: Callable[[Context, Reader], Scan]) -> Callable[[Context, Reader], Scan]:
        """Hang a scan of the records that a request may be told of: every query is narrowed to them."""
        self.narrowing = scan
        return scan

    def method(self, name: str) -> Callable[[Handler], Handler]:
        """Hang a method beyond the standard ones (`import`, `parse`)."""

        def hang(handler: Handler) -> Handler:
            self.extra_methods[name] = handler
            return handler

        return hang

    def format_id(self, number: int) -> str:
        """A record's number as its Id (RFC 8620 §1.2: one letter first, lower case, so that no two differ by case)."""
        return f"{self.prefix}{number:x}"

    def parse_id(self, value: str) -> int | None:
        """The number of an Id of this type, or None when no record can have it."""
        if not _ID.match(value) or value[0] != self.prefix or len(value) > 17:
            return None
        number = int(value[1:], 16)
        return number if number < 1 << 63 else None

    def check(self, name: str, value: Any) -> bool:
        """Whether a value is of a property's kind."""
        return self.checkers[name](value)

    def known(self, name: str) -> bool:
        """Whether a property of this name may be asked for (a type with names by pattern widens this)."""
        return name == "id" or name in self.properties

    def offered(self, using: Collection[str]) -> tuple[str, ...]:
        """The properties that are answered to a request that uses these capabilities and asks for none by name."""
        if self.default_properties is not None:
            return self.default_properties
        return tuple(
            name
            for name, prop in self.properties.items()
            if not prop.secret and (prop.capability is None or prop.capability in using)
        )

    def withheld(self, name: str, using: Collection[str]) -> bool:
        """Whether a property does not exist for a request that uses these capabilities."""
        prop = self.properties.get(name)
        return prop is not None and prop.capability is not None and prop.capability not in using

    @property
    def table_name(self) -> str:
        """The name of the type's table."""
        return snake(self.name)

    def tables(self) -> Iterable[Table]:
        """The type's table, generated from its properties, and those that it brings."""
        yield self.records.table
        yield from self.extra_tables

    def standard_methods(self, handlers: Mapping[str, Callable[[DataType], Handler]]) -> tuple[Method, ...]:
        """Every method of the type, standard ones first."""
        if not self.checkers:
            raise DescriptionError(f"{self.name}: the description was never frozen")
        standard = [Method(f"{self.name}/{verb}", self.capability, handlers[verb](self)) for verb in self.methods]
        extra = [Method(f"{self.name}/{verb}", self.capability, run) for verb, run in self.extra_methods.items()]
        return (*standard, *extra)

    def freeze(self) -> DataType:
        """Check the description and compile its kinds. Raises DescriptionError."""
        for name, prop in self.properties.items():
            try:
                self.checkers[name] = compile_kind(prop.kind, self.kinds)
            except ValueError as error:
                raise DescriptionError(f"{self.name}.{name}: {error}") from error
            self._check_property(name, prop)
        unknown = [verb for verb in self.methods if verb not in STANDARD_METHODS]
        if unknown:
            raise DescriptionError(f"{self.name}: {unknown[0]} is not a standard method")
        if len(self.prefix) != 1 or not self.prefix.isalpha():
            raise DescriptionError(f"{self.name}: the prefix of ids is one letter")
        return self

    def _check_property(self, name: str, prop: Property) -> None:
        where = f"{self.name}.{name}"
        if prop.default is not REQUIRED and not self.checkers[name](prop.default):
            raise DescriptionError(f"{where}: the default {prop.default!r} is not of kind {prop.kind}")
        if prop.index and (prop.is_json or not prop.stored):
            raise DescriptionError(f"{where}: an object or a computed value cannot be indexed")
        if not prop.stored and not prop.per_user and name not in self.computes and not self.records.serves(name):
            raise DescriptionError(f"{where}: neither stored nor computed")
        if prop.collated and prop.kind.removesuffix("|null") != "String":
            raise DescriptionError(f"{where}: only a String is collated")
        if prop.refers and prop.kind.removesuffix("|null") not in ("Id", "Id[]", "Id[Boolean]"):
            raise DescriptionError(f"{where}: only Ids refer to another type")

    def generated_table(self, extra: tuple[Column, ...] = (), indexes: tuple[Index, ...] = ()) -> Table:
        """The table of the stored properties: id, change values, a column for each, indexes where asked for."""
        columns = [Column("id", "integer"), Column("changed", "integer")]
        made = [Index(f"{self.table_name}_changed", ("changed", "id"), where="changed > id")]
        for name, prop in self.properties.items():
            if not prop.stored or prop.per_user:
                continue
            columns.append(Column(snake(name), prop.column_kind, null=prop.kind.endswith("|null")))
            if prop.collated:
                columns.append(Column(sort_key(name), "blob", null=prop.kind.endswith("|null")))
            if prop.index:
                made.append(Index(f"{self.table_name}_{snake(name)}", (snake(name),)))
        return Table(self.table_name, (*columns, *extra), ("id",), (*made, *indexes), clustered=False)


_ID = re.compile(r"[a-zA-Z](?:0|[1-9a-f][0-9a-f]*)\Z")

TOMBSTONE = Table(
    "tombstone",
    (
        Column("type", "text"),
        Column("ended", "integer"),
        Column("id", "integer"),
        Column("kin", "integer", null=True),
        Column("place", "integer", null=True),
    ),
    ("type", "ended"),
)
"""Records that were: their number (the value at which they were made), the value of their end, the record they belonged
to (an Email's Thread), and their place in the type's own order."""

USER_VALUE = Table(
    "user_value",
    (
        Column("type", "text"),
        Column("id", "integer"),
        Column("property", "text"),
        Column("user", "text"),
        Column("value", "text"),
    ),
    ("type", "id", "property", "user"),
)
"""Values that every user has apart (`per_user` properties), as JSON text."""

NOTED_STATE = Table(
    "noted_state", (Column("type", "text"), Column("at", "integer"), Column("value", "integer")), ("type", "at")
)
"""What a type's state was from time to time (seconds since the epoch), to age tombstones by."""

USAGE = Table("usage", (Column("type", "text"), Column("octets", "integer")), ("type",))
"""How many octets the records of each type take up that counts against the quota of its account."""

QUOTA = Table(
    "quota",
    (
        Column("id", "integer"),
        Column("changed", "integer"),
        Column("counted", "integer"),
        Column("resource_type", "text"),
        Column("scope", "text"),
        Column("name", "text"),
        Column("hard_limit", "integer"),
    ),
    ("id",),
    clustered=False,
)
"""What an account may hold, if there is a limit: the records of Quota (RFC 9425 §4.1), whoever may ask for them."""

CORE_TABLES = (TOMBSTONE, USER_VALUE, NOTED_STATE, USAGE, QUOTA)
