"""Filters: each condition has one form, a scan of an index, that drives a query or tests a record (RFC 8620 §5.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jmaplite.core.context import Context
from jmaplite.core.errors import MethodError, invalid_arguments
from jmaplite.core.ranks import ListSource
from jmaplite.store import Reader, TextMatch, Value

if TYPE_CHECKING:
    from jmaplite.core.schema import DataType

_DEEPEST = 32
_MOST = 500
_MOST_PARAMETERS = 5000
_MOST_WEIGHT = 512


@dataclass(frozen=True, slots=True)
class Scan:
    """The rows that fulfil a condition.

    `where` is SQL over the alias `{a}` of `source` (None: the type's own table, one row for each record), whose rows
    carry the type's order key, `id` and, where the type has one, its kin. A scan `on_key` looks at the order key alone,
    so that any source can answer it. `text` stands for words in a text index instead. `mutable` names the properties
    whose change can move a record in or out. `listed` is the kept list that the scan walks, if it is one; `estimate`
    tells how many rows it will find, if that is known (less is a better start; of the type's own table, only if few).
    `weight` is what it takes of all that a filter may ask for beyond the comparison of values: 1 for every word.
    """

    where: str = ""
    parameters: tuple[Value, ...] = ()
    source: str | None = None
    on_key: bool = False
    text: TextMatch | None = None
    mutable: frozenset[str] = frozenset()
    listed: ListSource | None = None
    collapsed: ListSource | None = None
    estimate: Callable[[], int] | None = None
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """A FilterOperator (`AND`, `OR`, `NOT`) over nodes, or a scan."""

    operator: str
    nodes: tuple[Node, ...] = ()
    scan: Scan | None = None

    def scans(self) -> Iterator[Scan]:
        """Every scan beneath."""
        if self.scan is not None:
            yield self.scan
        for node in self.nodes:
            yield from node.scans()


EVERYTHING = Node("AND")


def parse_filter(data_type: DataType, ctx: Context, tx: Reader, value: Any) -> Node:
    """A filter argument as a tree of scans. Raises MethodError: invalidArguments, unsupportedFilter."""
    node = _Parser(data_type, ctx, tx).node(value, 0) if value is not None else EVERYTHING
    if data_type.narrowing is None:
        return node
    return _all_of((Node("", scan=data_type.narrowing(ctx, tx)), node))


@dataclass(slots=True)
class _Parser:
    data_type: DataType
    ctx: Context
    tx: Reader
    seen: int = field(default=0)
    parameters: int = field(default=0)
    weight: int = field(default=0)

    def node(self, value: Any, depth: int) -> Node:
        if not isinstance(value, dict):
            raise invalid_arguments("filter: a FilterOperator or FilterCondition is an object")
        if depth > _DEEPEST:
            raise MethodError("unsupportedFilter", f"nested deeper than {_DEEPEST} operators")
        self.seen += 1
        if self.seen > _MOST:
            raise MethodError("unsupportedFilter", f"more than {_MOST} conditions")
        return self.operator(value, depth) if "operator" in value else self.condition(value)

    def operator(self, value: dict[str, Any], depth: int) -> Node:
        operator, conditions = value["operator"], value.get("conditions")
        if operator not in ("AND", "OR", "NOT"):
            raise invalid_arguments("filter: operator must be AND, OR or NOT")
        if not isinstance(conditions, list):
            raise invalid_arguments("filter: conditions must be an array")
        if len(value) > 2:
            raise invalid_arguments("filter: a FilterOperator has an operator and conditions only")
        nodes = tuple(self.node(item, depth + 1) for item in conditions)
        if operator == "AND":
            return _all_of(nodes)
        return nodes[0] if operator == "OR" and len(nodes) == 1 else Node(operator, nodes)

    def condition(self, value: dict[str, Any]) -> Node:
        leaves = []
        for name, wanted in value.items():
            condition = self.data_type.conditions.get(name)
            if condition is None:
                raise MethodError("unsupportedFilter", f"filter: unknown condition {name!r}"[:200])
            if not condition.check(wanted):
                raise invalid_arguments(f"filter: {name} must be {condition.kind}")
            scan = condition.scan(self.ctx, self.tx, wanted)
            self.parameters += len(scan.parameters)
            if self.parameters > _MOST_PARAMETERS:
                raise MethodError("unsupportedFilter", f"more than {_MOST_PARAMETERS} values to compare with")
            self.weight += scan.weight
            if self.weight > _MOST_WEIGHT:
                raise MethodError("unsupportedFilter", "too many words and header fields to look for at once")
            leaves.append(Node("", scan=scan))
        return _all_of(tuple(leaves))


def _all_of(nodes: tuple[Node, ...]) -> Node:
    """Nodes that must all match; an AND among them is taken apart, so that each of its scans may drive the query."""
    flat: list[Node] = []
    for node in nodes:
        flat.extend(node.nodes if node.operator == "AND" else (node,))
    return flat[0] if len(flat) == 1 else Node("AND", tuple(flat))


@dataclass(slots=True)
class Predicates:
    """Turns nodes into SQL that tests one row, gathering parameters on the way."""

    table: str
    key: str
    driver: str
    """The alias of the row under test, and whether that row is one of the type's own table."""
    own_row: bool
    parameters: list[Value] = field(default_factory=list)
    aliases: int = 0

    def sql(self, node: Node) -> str:
        """The SQL condition of a node."""
        if node.scan is not None:
            return self._scan(node.scan)
        if not node.nodes:
            return "0=1" if node.operator == "OR" else "1=1"
        parts = [self.sql(child) for child in node.nodes]
        if node.operator == "NOT":
            return "NOT (" + " OR ".join(parts) + ")"
        return "(" + f" {node.operator} ".join(parts) + ")"

    def _scan(self, scan: Scan) -> str:
        row = self.driver
        if scan.text is not None:
            self.parameters.extend(scan.text.parameters)
            return f"{row}.{self.key} IN (SELECT {scan.text.key} FROM {scan.text.source} WHERE {scan.text.where})"
        self.parameters.extend(scan.parameters)
        if scan.on_key or (scan.source is None and self.own_row):
            return f"({scan.where.format(a=row)})"
        self.aliases += 1
        other = f"c{self.aliases}"
        source, key = (self.table, "id") if scan.source is None else (scan.source, self.key)
        return (
            f"EXISTS (SELECT 1 FROM {source} {other} WHERE {other}.account={row}.account"
            f" AND {scan.where.format(a=other)} AND {other}.{key}={row}.{key})"
        )
