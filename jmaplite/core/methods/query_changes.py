"""Foo/queryChanges (RFC 8620 §5.6): exact for every filter and sort.

Every record whose place may have changed since the state is taken out (if it was there at all) and put in again where
it now is. Which records these are follows from the properties that the filter and the sort depend on.
"""

from __future__ import annotations

from typing import Any

from jmaplite.core.conditions import Node
from jmaplite.core.context import Arguments, Context, Handler, Response
from jmaplite.core.errors import MethodError
from jmaplite.core.methods.arguments import Signature, parse_state, state
from jmaplite.core.methods.query import QUERY_ARGUMENTS, is_tree, plan_of
from jmaplite.core.plan import Comparator, Plan
from jmaplite.core.schema import REQUIRED, Argument, DataType
from jmaplite.core.tree import TreePlan
from jmaplite.store import Reader


def query_changes(data_type: DataType) -> Handler:
    """The /queryChanges method of a type."""
    signature = Signature(
        {
            **QUERY_ARGUMENTS,
            "sinceQueryState": Argument("String", REQUIRED),
            "maxChanges": Argument("UnsignedInt|null"),
            "upToId": Argument("Id|null"),
            "calculateTotal": Argument("Boolean", False),
            **data_type.query_arguments,
        }
    )

    def run(ctx: Context, given: Arguments) -> Response:
        access = ctx.access(given.get("accountId"), data_type.capability)
        arguments = signature.read(given)
        with ctx.account(access).read() as tx:
            plan, node, comparators = plan_of(data_type, ctx, tx, arguments)
            since = parse_state(ctx, tx, data_type, arguments["sinceQueryState"])
            answer: dict[str, Any] = {
                "accountId": access.account_id,
                "oldQueryState": arguments["sinceQueryState"],
                "newQueryState": state(ctx, tx, data_type),
            }
            if arguments["calculateTotal"]:
                answer["total"] = plan.total()
            removed: list[int] = []
            added: list[tuple[int, int]] = []
            if answer["newQueryState"] != answer["oldQueryState"]:
                removed, added = _difference(data_type, tx, since, arguments, plan, node, comparators)
        if arguments["maxChanges"] is not None and len(removed) + len(added) > arguments["maxChanges"]:
            raise MethodError("tooManyChanges")
        return answer | {
            "removed": [data_type.format_id(number) for number in removed],
            "added": [{"id": data_type.format_id(number), "index": index} for index, number in added],
        }

    return run


def _difference(
    data_type: DataType,
    tx: Reader,
    since: int,
    arguments: dict[str, Any],
    plan: Plan,
    node: Node,
    comparators: list[Comparator],
) -> tuple[list[int], list[tuple[int, int]]]:
    """The numbers removed, and (index, number) of those added, in order of index."""
    mutable = frozenset().union(*(scan.mutable for scan in node.scans()), *(c.mutable for c in comparators))
    if is_tree(arguments):
        mutable |= {"*"}
    collapse = bool(arguments.get("collapseThreads"))
    candidates = {
        number: (place, gone)
        for number, place, gone in data_type.records.candidates(tx, since, mutable, collapse=collapse)
    }
    if isinstance(plan, TreePlan):
        for number in plan.affected(candidates):
            candidates.setdefault(number, (None, False))
    places = plan.places([number for number, (_, gone) in candidates.items() if not gone])
    removed = [number for number in candidates if number <= since]
    added = sorted((index, number) for number, index in places.items())
    up_to = arguments["upToId"]
    last = data_type.parse_id(up_to) if up_to is not None and not mutable and not collapse else None
    if last is not None:
        end = plan.places([last]).get(last)
        if end is not None:
            added = [item for item in added if item[0] <= end]
            removed = [
                number for number in removed if not _beyond(data_type, tx, comparators, last, candidates[number])
            ]
    return removed, added


def _beyond(
    data_type: DataType,
    tx: Reader,
    comparators: list[Comparator],
    last: int,
    candidate: tuple[int | None, bool],
) -> bool:
    """Whether a record that is gone came after `last`, as far as the type's own order tells."""
    place, gone = candidate
    if not gone or place is None or len(comparators) > 1 or (comparators and not comparators[0].is_key):
        return False
    end = data_type.records.place(tx, last)
    descending = comparators[0].descending if comparators else data_type.records.newest_first
    return end is not None and (place < end if descending else place > end)
