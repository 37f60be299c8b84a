"""Foo/query (RFC 8620 §5.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jmaplite.core.conditions import Node, parse_filter
from jmaplite.core.context import Arguments, Context, Handler, Response
from jmaplite.core.errors import MethodError, invalid_arguments
from jmaplite.core.kinds import MAX_INT
from jmaplite.core.methods.arguments import ACCOUNT_ID, Signature, state
from jmaplite.core.plan import Comparator, Plan, make_plan, parse_sort
from jmaplite.core.schema import Argument, DataType
from jmaplite.core.tree import TreePlan
from jmaplite.store import Reader

QUERY_ARGUMENTS = {
    "accountId": ACCOUNT_ID,
    "filter": Argument("*"),
    "sort": Argument("*"),
}


def query(data_type: DataType) -> Handler:
    """The /query method of a type."""
    signature = Signature(
        {
            **QUERY_ARGUMENTS,
            "position": Argument("Int", 0),
            "anchor": Argument("Id|null"),
            "anchorOffset": Argument("Int", 0),
            "limit": Argument("Int|null"),
            "calculateTotal": Argument("Boolean", False),
            **data_type.query_arguments,
        }
    )

    def run(ctx: Context, given: Arguments) -> Response:
        access = ctx.access(given.get("accountId"), data_type.capability)
        arguments = signature.read(given)
        wanted = arguments["limit"]
        if wanted is not None and wanted < 0:
            raise invalid_arguments("limit must not be negative")
        most = ctx.limits.max_query_results
        limit = most if wanted is None else min(wanted, most)
        with ctx.account(access).read() as tx:
            plan, _, _ = plan_of(data_type, ctx, tx, arguments)
            total = plan.total() if arguments["calculateTotal"] else None
            position = _position(data_type, plan, arguments, total)
            numbers = plan.window(position, limit) if limit else []
            current = state(ctx, tx, data_type)
        answer = {
            "accountId": access.account_id,
            "queryState": current,
            "canCalculateChanges": True,
            "position": position,
            "ids": [data_type.format_id(number) for number in numbers],
        }
        if total is not None:
            answer["total"] = total
        if wanted is None or wanted > most:
            answer["limit"] = limit
        return answer

    return run


def plan_of(
    data_type: DataType, ctx: Context, tx: Reader, arguments: Mapping[str, Any]
) -> tuple[Plan, Node, list[Comparator]]:
    """The plan for the filter, sort and own arguments of a query, and what they were parsed to."""
    node = parse_filter(data_type, ctx, tx, arguments["filter"])
    comparators = parse_sort(data_type, ctx, arguments["sort"])
    plan = make_plan(data_type, tx, node, comparators, collapse=arguments.get("collapseThreads", False))
    if is_tree(arguments):
        plan = TreePlan(data_type, tx, plan, arguments["sortAsTree"], arguments["filterAsTree"], comparators)
    return plan, node, comparators


def is_tree(arguments: Mapping[str, Any]) -> bool:
    """Whether the query goes by the tree of parents (RFC 8621 §2.3)."""
    return bool(arguments.get("sortAsTree") or arguments.get("filterAsTree"))


def _position(data_type: DataType, plan: Plan, arguments: Mapping[str, Any], total: int | None) -> int:
    """The index of the first result to answer. Raises MethodError anchorNotFound."""
    if arguments["anchor"] is not None:
        number = data_type.parse_id(arguments["anchor"])
        index = None if number is None else plan.places([number]).get(number)
        if index is None:
            raise MethodError("anchorNotFound")
        return min(max(0, index + int(arguments["anchorOffset"])), MAX_INT)
    position = int(arguments["position"])
    if position < 0:
        return max(0, position + (plan.total() if total is None else total))
    return position
