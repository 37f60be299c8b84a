"""Query plans: a filter and a sort as an order of records that can be windowed, counted and looked up (RFC 8620 §5.5).

A plan over a kept list answers everything in a few index look-ups. The others run one generated statement, whose cost
is in proportion to what the best index of the filter finds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from jmaplite.core import collation
from jmaplite.core.conditions import Node, Predicates
from jmaplite.core.context import Context
from jmaplite.core.errors import MethodError, invalid_arguments
from jmaplite.core.ranks import ListSource, Ranks
from jmaplite.core.schema import DataType, Sort
from jmaplite.store import Reader, Row, Value

logger = logging.getLogger(__name__)

_MOST_COMPARATORS = 32


@dataclass(frozen=True, slots=True)
class Comparator:
    """One parsed Comparator (RFC 8620 §5.5). `collation` is None for the default one."""

    expression: str
    descending: bool
    parameters: tuple[Value, ...] = ()
    mutable: frozenset[str] = frozenset()
    is_key: bool = False
    text: str | None = None
    decode: Callable[[Any], str] = str
    collation: str | None = None


def parse_sort(data_type: DataType, ctx: Context, value: Any) -> list[Comparator]:
    """A sort argument. Raises MethodError: invalidArguments, unsupportedSort."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid_arguments("sort must be Comparator[]|null")
    if len(value) > _MOST_COMPARATORS:
        raise MethodError("unsupportedSort", f"more than {_MOST_COMPARATORS} comparators")
    if ctx.services.leniency.sort:
        value = [known for item in value if (known := _what_is_known(data_type, item)) is not None]
    return [_comparator(data_type, ctx, item) for item in value]


def _what_is_known(data_type: DataType, value: Any) -> Any:
    """A Comparator without what is unknown in it, or None if there is no such sort order; for lenient servers."""
    if not isinstance(value, dict) or not isinstance(value.get("property"), str):
        return value
    sort = data_type.sorts.get(value["property"])
    if sort is None or (isinstance(wanted := value.get("collation"), str) and wanted not in collation.ALGORITHMS):
        logger.info("lenient-sort: passed over an order of %s by %.200r", data_type.name, value)
        return None
    names = _members(sort)
    if not value.keys() <= names:
        logger.info("lenient-sort: passed over %.200r in a Comparator", sorted(value.keys() - names))
    return {name: item for name, item in value.items() if name in names}


def _members(sort: Sort) -> set[str]:
    """What a Comparator of a sort order may have (RFC 8620 §5.5, RFC 8621 §4.4.2)."""
    return {"property", "isAscending", "collation"} | ({"keyword"} if sort.keyword else set())


def _comparator(data_type: DataType, ctx: Context, value: Any) -> Comparator:
    if not isinstance(value, dict) or not isinstance(value.get("property"), str):
        raise invalid_arguments("sort: a Comparator is an object with a property")
    ascending, wanted = value.get("isAscending", True), value.get("collation")
    if not isinstance(ascending, bool):
        raise invalid_arguments("sort: isAscending must be Boolean")
    if wanted is not None and not isinstance(wanted, str):
        raise invalid_arguments("sort: collation must be String")
    if wanted is not None and wanted not in collation.ALGORITHMS:
        raise MethodError("unsupportedSort", f"sort: unknown collation {wanted!r}"[:200])
    sort = data_type.sorts.get(value["property"])
    if sort is None:
        raise MethodError("unsupportedSort", f"sort: cannot sort by {value['property']!r}"[:200])
    known = _members(sort)
    if not value.keys() <= known:
        raise invalid_arguments(f"sort: unknown {sorted(value.keys() - known)[0]!r} in a Comparator"[:200])
    parameters: tuple[Value, ...] = ()
    if sort.keyword is not None:
        if not isinstance(value.get("keyword"), str):
            raise invalid_arguments(f"sort: {value['property']} needs a keyword")
        parameters = (sort.keyword(ctx, value["keyword"]),)
    other = wanted if sort.text is not None and wanted != collation.DEFAULT else None
    return Comparator(
        sort.expression, not ascending, parameters, sort.mutable, sort.is_key, sort.text, sort.decode, other
    )


class Plan(Protocol):
    """The ordered results of a query."""

    def total(self) -> int:
        """How many results there are."""

    def window(self, position: int, limit: int) -> list[int]:
        """Numbers of the results from a position on, at most `limit`."""

    def places(self, numbers: Iterable[int]) -> dict[int, int]:
        """The index of each of these records that is in the results."""


@dataclass(slots=True)
class ListPlan:
    """The order of a kept list, or its reverse."""

    data_type: DataType
    tx: Reader
    source: ListSource
    descending: bool
    ranks: Ranks = field(init=False)

    def __post_init__(self) -> None:
        self.ranks = Ranks(self.tx, self.source)

    def total(self) -> int:
        """How many results there are."""
        return self.ranks.total()

    def window(self, position: int, limit: int) -> list[int]:
        """Numbers of the results from a position on, at most `limit`."""
        tx, source = self.tx, self.source
        sql = f"SELECT id FROM {source.table} WHERE {source.condition()}"
        parameters: list[Value] = [tx.account, *source.parameters]
        if position:
            start = self.ranks.select(self.total() - 1 - position if self.descending else position)
            if start is None:
                return []
            sql += f" AND {source.key}{'<=' if self.descending else '>='}?"
            parameters.append(start)
        sql += f" ORDER BY {source.key}{' DESC' if self.descending else ''} LIMIT ?"
        return [row[0] for row in tx.rows(sql, *parameters, limit)]

    def places(self, numbers: Iterable[int]) -> dict[int, int]:
        """The index of each of these records that is in the results."""
        tx, source = self.tx, self.source
        sql = f"SELECT id FROM {source.table} WHERE {source.condition()} AND {source.key}=?"
        last = self.total() - 1
        found = {}
        for number in numbers:
            key = self.data_type.records.place(tx, number)
            if key is None or tx.value(sql, tx.account, *source.parameters, key) != number:
                continue
            before = self.ranks.rank(key)
            found[number] = last - before if self.descending else before
        return found


@dataclass
class SearchPlan:
    """The results of one generated statement. `counted` is a kept list that has as many entries, if there is one."""

    data_type: DataType
    tx: Reader
    node: Node
    comparators: list[Comparator]
    collapse: bool = False
    counted: ListSource | None = None

    def total(self) -> int:
        """How many results there are."""
        if self.counted is not None:
            return Ranks(self.tx, self.counted).total()
        if "order" in self.__dict__:
            return len(self.order)
        what = f"count(DISTINCT s.{self.data_type.records.kin})" if self.collapse else "count(*)"
        sql, parameters = self._statement(what, ordered=False)
        return int(self.tx.value(sql, *parameters))

    def window(self, position: int, limit: int) -> list[int]:
        """Numbers of the results from a position on, at most `limit`."""
        if "order" in self.__dict__ or self._in_python:
            return self.order[position : position + limit]
        if not self.collapse:
            sql, parameters = self._statement("s.id")
            rows = self.tx.rows(f"{sql} LIMIT ? OFFSET ?", *parameters, limit, position)
            return [row[0] for row in rows]
        return self._collapsed(position + limit)[position:]

    def places(self, numbers: Iterable[int]) -> dict[int, int]:
        """The index of each of these records that is in the results."""
        wanted = set(numbers)
        return {number: index for index, number in enumerate(self.order) if number in wanted} if wanted else {}

    @cached_property
    def order(self) -> list[int]:
        """All results in order."""
        if self._in_python:
            return self._sorted()
        if self.collapse:
            return self._collapsed(None)
        sql, parameters = self._statement("s.id")
        return [row[0] for row in self.tx.rows(sql, *parameters)]

    def _collapsed(self, wanted: int | None) -> list[int]:
        sql, parameters = self._statement(f"s.id, s.{self.data_type.records.kin}")
        if wanted is None:
            return _first_of_kin(self.tx.rows(sql, *parameters))
        take = max(4 * wanted, 64)
        while True:
            rows = self.tx.rows(f"{sql} LIMIT ?", *parameters, take)
            ids = _first_of_kin(rows)
            if len(ids) >= wanted or len(rows) < take:
                return ids[:wanted]
            take *= 4

    @property
    def _in_python(self) -> bool:
        return any(comparator.collation for comparator in self.comparators)

    def _sorted(self) -> list[int]:
        """Results ordered by comparators that SQL cannot compute (another collation)."""
        kin = self.data_type.records.kin or "id"
        values = [c.text if c.collation and c.text else c.expression for c in self.comparators]
        columns = "".join(f", {value.format(a=self._base)}" for value in values)
        sql, parameters = self._statement(
            f"s.id, s.{kin}, s.{self.data_type.records.order_key}{columns}", ordered=False
        )
        bound = [
            value for comparator in self.comparators if not comparator.collation for value in comparator.parameters
        ]
        rows = self.tx.rows(sql, *bound, *parameters)
        rows.sort(key=lambda row: row[2], reverse=self._ties_descend)
        for place in range(len(self.comparators) - 1, -1, -1):
            rows.sort(key=_key(self.comparators[place], place + 3), reverse=self.comparators[place].descending)
        return _first_of_kin(rows) if self.collapse else [row[0] for row in rows]

    def _statement(self, select: str, *, ordered: bool = True) -> tuple[str, list[Value]]:
        records = self.data_type.records
        base, key = records.table.name, records.order_key
        driver = self._driver
        text = driver.scan.text if driver and driver.scan else None
        source = driver.scan.source if driver and driver.scan else None
        own_row = source is None
        needs_base = self._base == "r"
        order = self._order() if ordered else ""
        parameters: list[Value] = []
        tables = f"{source or base} s" + (f" CROSS JOIN {base} r" if needs_base else "")
        where = ["s.account=?"]
        if text is not None:
            tables = f"{text.source} CROSS JOIN {base} s"
            where = [text.where, "s.account=?", f"s.{key}={text.source}.{text.key}"]
            parameters += text.parameters
        parameters.append(self.tx.account)
        if needs_base:
            where.append("r.account=s.account AND r.id=s.id")
        if driver is not None and driver.scan is not None and text is None:
            where.append(driver.scan.where.format(a="s"))
            parameters += driver.scan.parameters
        predicates = Predicates(base, key, "s", own_row)
        rest = predicates.sql(_without(self.node, driver))
        if rest != "1=1":
            where.append(rest)
            parameters += predicates.parameters
        if ordered:
            parameters += [value for comparator in self.comparators for value in comparator.parameters]
            if text is not None:
                order = order.replace(f"ORDER BY s.{key}", f"ORDER BY {text.source}.{text.key}")
        return f"SELECT {select} FROM {tables} WHERE {' AND '.join(where)}{order}", parameters

    @cached_property
    def _driver(self) -> Node | None:
        """The scan that the statement starts from."""
        return _driver(self.node)

    @cached_property
    def _base(self) -> str:
        """The alias of the type's own row: the driver's, or one joined because the order needs its columns."""
        driver = self._driver
        if driver is None or driver.scan is None or driver.scan.source is None:
            return "s"
        return "r" if any(not comparator.is_key for comparator in self.comparators) else "s"

    @property
    def _starts_from_own_index(self) -> bool:
        """Whether an index of the type's own table is known to find only few."""
        driver = self._driver
        return driver is not None and driver.scan is not None and not driver.scan.source and not driver.scan.text

    @property
    def _ties_descend(self) -> bool:
        """Whether records that all comparators find equal come in descending order of the key."""
        last = self.comparators[-1] if self.comparators else None
        return last.descending if last is not None and last.is_key else self.data_type.records.newest_first

    def _order(self) -> str:
        comparators = self.comparators
        if comparators and comparators[-1].is_key:
            comparators = comparators[:-1]
        parts = [c.expression.format(a=self._base) + (" DESC" if c.descending else "") for c in comparators]
        # A plus sign keeps the engine from walking the whole order to find the few that an index of the filter has.
        plus = "+" if self._starts_from_own_index else ""
        parts.append(f"{plus}s.{self.data_type.records.order_key}{' DESC' if self._ties_descend else ''}")
        return " ORDER BY " + ", ".join(parts)


def _key(comparator: Comparator, column: int) -> Callable[[Row], Any]:
    """What rows are sorted by for a comparator; NULLs come first."""
    name = comparator.collation
    if name is None:
        return lambda row: (row[column] is not None, row[column])
    return lambda row: collation.key(name, comparator.decode(row[column]))


def _first_of_kin(rows: Iterable[Row]) -> list[int]:
    """The first number of each kin, in order (RFC 8621 §4.4.3)."""
    seen: dict[int, int] = {}
    for row in rows:
        seen.setdefault(row[1], row[0])
    return list(seen.values())


def _driver(node: Node) -> Node | None:
    """The scan to start from: words first, then the index with the fewest rows; None for the type's own table."""
    leaves = (
        [node] if node.scan is not None else [child for child in node.nodes if node.operator == "AND" and child.scan]
    )
    text = [leaf for leaf in leaves if leaf.scan is not None and leaf.scan.text is not None]
    if text:
        return text[0]
    known = [leaf for leaf in leaves if leaf.scan is not None and leaf.scan.estimate is not None]
    return known[0] if len(known) == 1 else min(known, key=_estimate, default=None)


def _estimate(node: Node) -> int:
    return node.scan.estimate() if node.scan is not None and node.scan.estimate is not None else 0


def _without(node: Node, driver: Node | None) -> Node:
    """The filter without the scan that the statement starts from."""
    if driver is None:
        return node
    if node is driver:
        return Node("AND")
    return Node("AND", tuple(child for child in node.nodes if child is not driver))


def make_plan(data_type: DataType, tx: Reader, node: Node, comparators: list[Comparator], *, collapse: bool) -> Plan:
    """The best plan for a filter and a sort."""
    records = data_type.records
    in_key_order = not comparators or (len(comparators) == 1 and comparators[0].is_key)
    descending = comparators[0].descending if comparators else records.newest_first
    counted = _kept_list(data_type, node, collapse=collapse)
    if counted is not None and in_key_order and (descending or not collapse):
        return ListPlan(data_type, tx, counted, descending)
    return SearchPlan(data_type, tx, node, comparators, collapse, counted)


def _kept_list(data_type: DataType, node: Node, *, collapse: bool) -> ListSource | None:
    """The kept list of what a filter finds, if there is one; a collapsed list has the newest record of each kin."""
    if node.scan is not None:
        return node.scan.collapsed if collapse else node.scan.listed
    if node.operator != "AND" or node.nodes:
        return None
    return data_type.records.collapsed() if collapse else data_type.records.listed()
