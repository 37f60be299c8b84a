"""Queries that go by a tree of parents: sortAsTree and filterAsTree (RFC 8621 §2.3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from jmaplite.core.conditions import EVERYTHING
from jmaplite.core.plan import Comparator, Plan, make_plan
from jmaplite.core.schema import DataType, snake
from jmaplite.store import Reader


@dataclass
class TreePlan:
    """The results of another plan, sorted or winnowed by the tree that the type's `tree` property spans."""

    data_type: DataType
    tx: Reader
    inner: Plan
    sort: bool
    winnow: bool
    comparators: list[Comparator]

    def total(self) -> int:
        """How many results there are."""
        return len(self.order)

    def window(self, position: int, limit: int) -> list[int]:
        """Numbers of the results from a position on, at most `limit`."""
        return self.order[position : position + limit]

    def places(self, numbers: Iterable[int]) -> dict[int, int]:
        """The index of each of these records that is in the results."""
        wanted = set(numbers)
        return {number: index for index, number in enumerate(self.order) if number in wanted}

    def affected(self, numbers: Iterable[int]) -> set[int]:
        """These records, as far as they are there, and all beneath them, whose places follow theirs."""
        parents = self._parents
        children: dict[int, list[int]] = {}
        for number, parent in parents.items():
            if parent is not None:
                children.setdefault(parent, []).append(number)
        left = [number for number in numbers if number in parents]
        found: set[int] = set()
        while left:
            number = left.pop()
            if number not in found:
                found.add(number)
                left.extend(children.get(number, ()))
        return found

    @cached_property
    def order(self) -> list[int]:
        """All results in order."""
        matching = self.inner.window(0, 1 << 31)
        parents = self._parents
        if self.winnow:
            kept = set(matching)
            matching = [number for number in matching if all(above in kept for above in _ancestors(number, parents))]
        return self._as_tree(set(matching)) if self.sort else matching

    @cached_property
    def _parents(self) -> dict[int, int | None]:
        column = snake(self.data_type.tree or "")
        sql = f"SELECT id, {column} FROM {self.data_type.records.table.name} WHERE account=?"
        return {row[0]: row[1] for row in self.tx.rows(sql, self.tx.account)}

    def _as_tree(self, matching: set[int]) -> list[int]:
        """Depth first; siblings by the comparators, whether they match or not, for they place those below them."""
        everything = make_plan(self.data_type, self.tx, EVERYTHING, self.comparators, collapse=False).window(0, 1 << 31)
        children: dict[int | None, list[int]] = {}
        for number in everything:
            children.setdefault(self._parents[number], []).append(number)
        order: list[int] = []
        left = list(reversed(children.get(None, [])))
        while left:
            number = left.pop()
            if number in matching:
                order.append(number)
            left.extend(reversed(children.get(number, [])))
        return order


def _ancestors(number: int, parents: dict[int, int | None]) -> Iterable[int]:
    above = parents[number]
    while above is not None:
        yield above
        above = parents[above]
