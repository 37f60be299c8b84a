"""Foo/set (RFC 8620 §5.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from jmaplite.core import patch
from jmaplite.core.context import Access, Arguments, Context, Handler, Response
from jmaplite.core.errors import MethodError, SetError, invalid_arguments, invalid_properties
from jmaplite.core.json import materialise
from jmaplite.core.kinds import is_id
from jmaplite.core.methods.arguments import Signature, access_of, account_argument, check_in_state, state, writable
from jmaplite.core.schema import Argument, DataType
from jmaplite.store import Writer


def set_(data_type: DataType) -> Handler:
    """The /set method of a type."""
    signature = Signature(
        {
            **account_argument(data_type),
            **({} if data_type.user_level else {"ifInState": Argument("String|null")}),
            "create": Argument("Id[String[*]]|null"),
            "update": Argument("String[String[*]]|null"),
            "destroy": Argument("String[]|null"),
            **data_type.set_arguments,
        },
        data_type.kinds,
    )

    def run(ctx: Context, given: Arguments) -> Response:
        access = access_of(ctx, data_type, given)
        arguments = signature.read(given)
        create, update = arguments["create"] or {}, arguments["update"] or {}
        destroy = list(dict.fromkeys(arguments["destroy"] or ()))
        _check_ids([*update, *destroy])
        most = ctx.limits.max_objects_in_set
        if len(create) + len(update) + len(destroy) > most:
            raise MethodError("requestTooLarge", f"at most {most} objects to create, update and destroy")
        writable(access)
        prepared: dict[str, Any] = {}
        failed: dict[str, SetError] = {}
        for creation_id, record in create.items():
            try:
                prepared[creation_id] = data_type.records.prepare(ctx, access, record)
            except SetError as error:
                failed[creation_id] = error

        def work(tx: Writer) -> dict[str, Any]:
            check_in_state(ctx, tx, data_type, arguments.get("ifInState"))
            old_state = state(ctx, tx, data_type)
            batch = _commit(ctx, access, tx, data_type, arguments, (create, prepared, failed), update, destroy)
            if data_type.conclude is not None:
                data_type.conclude(batch)
            return batch.answer(old_state, state(ctx, tx, data_type))

        return ctx.account(access).write(work)

    return run


def _check_ids(ids: Iterable[str]) -> None:
    if not all(is_id(value.removeprefix("#")) for value in ids):
        raise invalid_arguments("update and destroy take Ids, or # and a creation id")


_NOT_SO = "unknown, set by the server only, immutable, or of the wrong kind"


class _Violated(Exception):
    """A rule is broken once everything is done: do one thing after the other instead."""


def _commit(
    ctx: Context,
    access: Access,
    tx: Writer,
    data_type: DataType,
    arguments: dict[str, Any],
    creates: tuple[dict[str, Any], dict[str, Any], dict[str, SetError]],
    update: dict[str, Any],
    destroy: list[str],
) -> Batch:
    """All of a /set in a transaction.

    The final state must be valid, the way there need not be (RFC 8620 §5.3): so first everything is done and then the
    rules are asked. Only if one is broken, everything is undone and done again one by one, each on its own.
    """
    before = dict(ctx.created_ids)

    def batch(*, deferred: bool) -> Batch:
        done = Batch(ctx, access, tx, data_type, arguments, destroy, deferred)
        done.run(*creates, update)
        return done

    if not data_type.rules and not data_type.destroy_rules:
        return batch(deferred=False)
    if len(creates[0]) + len(update) + len(destroy) > 1:
        try:
            with tx.savepoint():
                return batch(deferred=True)
        except _Violated:
            ctx.created_ids.clear()
            ctx.created_ids.update(before)
    return batch(deferred=False)


@dataclass(slots=True)
class Batch:
    """The creates, updates and destroys of one call under way, and what became of each."""

    ctx: Context
    access: Access
    tx: Writer
    data_type: DataType
    arguments: dict[str, Any]
    destroy: list[str]
    deferred: bool
    created: dict[str, Any] = field(default_factory=dict)
    updated: dict[str, Any] = field(default_factory=dict)
    destroyed: list[str] = field(default_factory=list)
    not_created: dict[str, SetError] = field(default_factory=dict)
    not_updated: dict[str, SetError] = field(default_factory=dict)
    not_destroyed: dict[str, SetError] = field(default_factory=dict)
    to_check: list[tuple[int, frozenset[str] | None]] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)

    def run(
        self,
        create: dict[str, Any],
        prepared: dict[str, Any],
        failed: dict[str, SetError],
        update: dict[str, Any],
    ) -> None:
        """Do everything; errors of single records are kept. Raises _Violated when deferred and a rule is broken."""
        self.not_created.update(failed)
        self._passes(
            self._in_order({name: given for name, given in create.items() if name not in failed}),
            lambda name: self._create(name, create[name], prepared[name]),
            self.not_created,
        )
        self._passes(list(update), lambda name: self._update(name, update[name]), self.not_updated)
        self._passes(self.destroy, self._destroy, self.not_destroyed)
        try:
            for number, names in self.to_check:
                if number not in self.ended:
                    self.data_type.check_rules(self.ctx, self.tx, number, names)
            for number in self.ended if self.deferred else ():
                for rule in self.data_type.destroy_rules:
                    rule(self.ctx, self.tx, number)
        except SetError as error:
            raise _Violated from error

    def answer(self, old_state: str, new_state: str) -> dict[str, Any]:
        """The arguments of the response."""
        whose = {"accountId": self.access.account_id, "oldState": old_state, "newState": new_state}
        return {
            **({} if self.data_type.user_level else whose),
            "created": self.created or None,
            "updated": self.updated or None,
            "destroyed": self.destroyed or None,
            "notCreated": _errors(self.not_created),
            "notUpdated": _errors(self.not_updated),
            "notDestroyed": _errors(self.not_destroyed),
        }

    def _passes(self, names: list[str], do: Callable[[str], None], errors: dict[str, SetError]) -> None:
        """Do each; try again those that failed for as long as that gets any further (they may have been in the way)."""
        while names:
            failed = {}
            for name in names:
                try:
                    do(name)
                except SetError as error:
                    failed[name] = error
            if len(failed) == len(names) or not failed or not self.data_type.rules:
                errors.update(failed)
                return
            names = list(failed)

    def _in_order(self, create: dict[str, Any]) -> list[str]:
        """Creation ids, each after those in the same call that its record refers to (RFC 8620 §5.3).

        Records that refer to each other in a circle come last, to be refused.
        """
        own = [name for name, prop in self.data_type.properties.items() if prop.refers == self.data_type.name]
        if not own:
            return list(create)
        sorter: TopologicalSorter[str] = TopologicalSorter()
        for creation_id, given in create.items():
            referred = [reference[1:] for name in own for reference in _references(given.get(name))]
            sorter.add(creation_id, *(other for other in referred if other in create))
        # What is not in a circle can be had even when there is one.
        with suppress(CycleError):
            sorter.prepare()
        found: dict[str, None] = {}
        while ready := sorter.get_ready():
            found.update(dict.fromkeys(ready))
            sorter.done(*ready)
        return list(found | dict.fromkeys(create))

    def _create(self, creation_id: str, given: dict[str, Any], prepared: Any) -> None:
        records = self.data_type.records

        def make() -> tuple[int, dict[str, Any]]:
            record = records.complete(self.ctx, self.access, self.tx, given)
            return records.insert(self.ctx, self.access, self.tx, record, prepared)

        number, whole = self._atomic(make, lambda made: (made[0], None))
        missing = object()
        told = {
            name: value
            for name, value in whole.items()
            if given.get(name, missing) != value and not self.data_type.withheld(name, self.ctx.using)
        }
        self.created[creation_id] = told
        self.ctx.created_ids[creation_id] = self.data_type.format_id(number)

    def _update(self, given_id: str, changes: dict[str, Any]) -> None:
        record_id, number = self._existing(given_id)
        if given_id in self.destroy or record_id in self.destroy:
            raise SetError("willDestroy")
        values = self._patched(number, changes)

        def make() -> dict[str, Any] | None:
            if not values:
                return None
            before = self._computed(number)
            told = self.data_type.records.update(self.ctx, self.access, self.tx, number, values)
            follows = {name: value for name, value in self._computed(number).items() if value != before[name]}
            return {**follows, **(told or {})} or None

        self.updated[record_id] = self._atomic(make, lambda _: (number, frozenset(values)))

    def _computed(self, number: int) -> dict[str, Any]:
        """The computed properties of a record, to find which of them change with others (RFC 8620 §5.3 `updated`)."""
        data_type = self.data_type
        if not data_type.computes:
            return {}
        names = tuple(data_type.computes)
        current = data_type.records.current(self.ctx, self.access, self.tx, number, names, {})
        found: dict[str, Any] = materialise(current)
        return found

    def _destroy(self, given_id: str) -> None:
        record_id, number = self._existing(given_id)

        def make() -> None:
            self.data_type.records.destroy(self.ctx, self.access, self.tx, number, self.arguments)
            if not self.deferred:
                for rule in self.data_type.destroy_rules:
                    rule(self.ctx, self.tx, number)

        if self.deferred or not self.data_type.destroy_rules:
            make()
        else:
            with self.tx.savepoint():
                make()
        self.ended.append(number)
        self.destroyed.append(record_id)

    def _atomic(self, make: Callable[[], Any], touched: Callable[[Any], tuple[int, frozenset[str] | None]]) -> Any:
        """Make a change; its rules are asked at once, and break only this change, unless they are deferred."""
        if self.deferred or not self.data_type.rules:
            made = make()
            if self.data_type.rules:
                self.to_check.append(touched(made))
            return made
        with self.tx.savepoint():
            made = make()
            number, names = touched(made)
            self.data_type.check_rules(self.ctx, self.tx, number, names)
        return made

    def _existing(self, given_id: str) -> tuple[str, int]:
        """A record's id and number. Raises SetError notFound."""
        record_id = self.ctx.resolved(given_id)
        number = self.data_type.parse_id(record_id)
        if number is None or not self.data_type.records.exists(self.tx, number):
            raise SetError("notFound")
        return record_id, number

    def _patched(self, number: int, changes: dict[str, Any]) -> dict[str, Any]:
        """The values that a PatchObject changes. Raises SetError: invalidPatch, invalidProperties."""
        data_type, records = self.data_type, self.data_type.records
        changes = records.normal_patch(self.ctx, changes)
        touched = patch.touched(changes)
        using = self.ctx.using
        names = [name for name in touched if data_type.known(name) and not data_type.withheld(name, using)]
        current = materialise(records.current(self.ctx, self.access, self.tx, number, names, changes))
        defaults = {name: records.default(self.access, name) for name in touched if name in data_type.properties}
        patched = patch.apply(current, changes, defaults)
        values: dict[str, Any] = {}
        wrong = {name: _NOT_SO for name in touched if name not in names}
        for name in names:
            value, prop = patched.get(name), data_type.properties.get(name)
            if prop is None or prop.server_set or prop.immutable:
                if value != current.get(name):
                    wrong[name] = _NOT_SO
                continue
            value = records.resolve(self.ctx, prop, value)
            if not data_type.check(name, value) or not records.refers_to_records(self.tx, prop, value):
                wrong[name] = _NOT_SO
            elif value != current.get(name):
                values[name] = value
                if prop.objection is not None and (reason := prop.objection(self.ctx, value)):
                    wrong[name] = reason
        if wrong:
            raise invalid_properties("; ".join(dict.fromkeys(wrong.values())), *wrong)
        return values


def _references(value: Any) -> Iterator[str]:
    """The creation references in a value of a property that refers to records."""
    for item in value if isinstance(value, (list, dict)) else [value]:
        if isinstance(item, str) and item.startswith("#"):
            yield item


def _errors(errors: dict[str, SetError]) -> dict[str, Any] | None:
    return {name: error.to_json() for name, error in errors.items()} or None
