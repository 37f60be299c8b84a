"""How the records of a type are kept: in the table generated from its description, or in a way of the type's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orjson import loads

from jmaplite.core import collation
from jmaplite.core.context import Access, Context
from jmaplite.core.errors import invalid_properties
from jmaplite.core.json import dumps
from jmaplite.core.ranks import ListSource
from jmaplite.core.schema import REQUIRED, DataType, Property, snake, sort_key
from jmaplite.store import Reader, Row, Table, Writer

_SLOTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


_USER_VALUES = "SELECT id, value FROM user_value WHERE account=? AND type=? AND property=?"


def slots(numbers: Sequence[int]) -> tuple[str, Sequence[int]]:
    """Placeholders for `IN (...)` and numbers to fill them: few different lengths, so that statements stay prepared."""
    wanted = next((size for size in _SLOTS if size >= len(numbers)), len(numbers))
    padded = [*numbers, *([numbers[-1]] * (wanted - len(numbers)))]
    return ",".join("?" * wanted), padded


_NOT_SO = "unknown, missing, set by the server only, or of the wrong kind"


def _resolved(ctx: Context, value: Any) -> Any:
    return ctx.resolved(value) if isinstance(value, str) else value


class Records:
    """The records of one type, kept in its generated table."""

    order_key = "id"
    """The column that gives the type's own order, unique in an account."""
    newest_first = False
    """Whether records that compare equal come in descending order of the key."""
    kin: str | None = None
    """The column of the record that an order may be collapsed by."""
    revisions: tuple[str, ...] = ("changed",)
    """The columns with values at which a record last changed: `changed`, and one for counts alone if it has any."""

    def __init__(self, data_type: DataType) -> None:
        self.type = data_type
        self.table: Table = data_type.generated_table()

    def serves(self, name: str) -> bool:
        """Whether a property that is neither stored nor computed is answered here."""
        return False

    def listed(self) -> ListSource | None:
        """The kept list of all records in the type's own order, if there is one."""
        return None

    def collapsed(self) -> ListSource | None:
        """The kept list of the newest record of each kin, if there is one."""
        return None

    def exists(self, tx: Reader, number: int) -> bool:
        """Whether a record of this number is there."""
        sql = f"SELECT 1 FROM {self.table.name} WHERE account=? AND id=?"
        return tx.value(sql, tx.account, number) is not None

    def numbers(self, tx: Reader, limit: int) -> list[int]:
        """The numbers of all records, at most `limit`."""
        sql = f"SELECT id FROM {self.table.name} WHERE account=? ORDER BY id LIMIT ?"
        return [row[0] for row in tx.rows(sql, tx.account, limit)]

    def read(
        self,
        ctx: Context,
        access: Access,
        tx: Reader,
        numbers: Sequence[int],
        properties: Sequence[str],
        arguments: Mapping[str, Any],
    ) -> dict[int, Any]:
        """The records of these numbers that exist, as objects (or ready JSON) of `id` and the properties."""
        if not numbers:
            return {}
        stored = [name for name in properties if name in self.type.properties and self._is_column(name)]
        needed = [
            *stored,
            *(name for name in self.type.properties if self._is_column(name) and name not in stored),
        ]
        chosen = needed if any(name in self.type.computes for name in properties) else stored
        marks, padded = slots(numbers)
        columns = "".join(f", {snake(name)}" for name in chosen)
        sql = f"SELECT id{columns} FROM {self.table.name} WHERE account=? AND id IN ({marks})"
        apart = {
            name: self.user_values(ctx, tx, name, numbers)
            for name in properties
            if name != "id" and self.type.properties[name].per_user
        }
        found = {}
        for row in tx.rows(sql, tx.account, *padded):
            record = self._record(chosen, row)
            for name, values in apart.items():
                record[name] = values.get(row[0], self.type.properties[name].default)
            found[row[0]] = self._project(ctx, access, tx, row[0], record, properties)
        return found

    def _is_column(self, name: str) -> bool:
        prop = self.type.properties[name]
        return prop.stored and not prop.per_user

    def _record(self, names: Sequence[str], row: Row) -> dict[str, Any]:
        record = {"id": self.type.format_id(row[0])}
        for name, value in zip(names, row[1:], strict=True):
            record[name] = self.decode(self.type.properties[name], value)
        return record

    def _project(
        self,
        ctx: Context,
        access: Access,
        tx: Reader,
        number: int,
        record: dict[str, Any],
        properties: Sequence[str],
    ) -> dict[str, Any]:
        projected = {"id": record["id"]}
        for name in properties:
            if name == "id":
                continue
            if name in self.type.computes:
                projected[name] = self.type.computes[name](ctx, access, tx, number, record)
            else:
                projected[name] = record[name]
        return projected

    def user_values(self, ctx: Context, tx: Reader, name: str, numbers: Sequence[int]) -> dict[int, Any]:
        """A per-user property of those records that the user who asks has given a value of their own."""
        marks, padded = slots(numbers)
        sql = f'{_USER_VALUES} AND "user"=? AND id IN ({marks})'
        rows = tx.rows(sql, tx.account, self.type.name, name, ctx.user, *padded)
        return {number: loads(value) for number, value in rows}

    def set_user_value(self, tx: Writer, user: str, number: int, name: str, value: Any) -> None:
        """Keep a per-user property for a user."""
        tx.execute(
            'INSERT INTO user_value (account, type, id, property, "user", value) VALUES (?, ?, ?, ?, ?, ?)'
            ' ON CONFLICT (account, type, id, property, "user") DO UPDATE SET value=excluded.value',
            tx.account,
            self.type.name,
            number,
            name,
            user,
            dumps(value).decode(),
        )

    def decode(self, prop: Property, value: Any) -> Any:
        """A column's value as JSON has it."""
        if value is None:
            return None
        if prop.refers and not prop.is_json:
            return self.referred(prop).format_id(value)
        if prop.kind.startswith("Boolean"):
            return bool(value)
        return loads(value) if prop.is_json else value

    def encode(self, prop: Property, value: Any) -> Any:
        """A JSON value as its column keeps it."""
        if value is None:
            return None
        if prop.refers and not prop.is_json:
            return self.referred(prop).parse_id(value)
        if prop.kind.startswith("Boolean"):
            return int(value)
        return dumps(value).decode() if prop.is_json else value

    def referred(self, prop: Property) -> DataType:
        """The type that an Id property points at."""
        return self.type if prop.refers == self.type.name else self.type.related[str(prop.refers)]

    def complete(self, ctx: Context, access: Access, tx: Reader, given: Mapping[str, Any]) -> dict[str, Any]:
        """A record to be made of what a client gave, with defaults filled in. Raises SetError invalidProperties."""
        record: dict[str, Any] = {}
        wrong: dict[str, str] = {}
        for name, value in given.items():
            prop = self.type.properties.get(name)
            if prop is None or prop.server_set or self.type.withheld(name, ctx.using):
                wrong[name] = _NOT_SO
                continue
            record[name] = value = self.resolve(ctx, prop, value)
            if reason := self.objection(ctx, tx, name, value):
                wrong[name] = reason
        for name, prop in self.type.properties.items():
            if name in record or prop.server_set or name in wrong:
                continue
            if prop.default is REQUIRED:
                wrong[name] = _NOT_SO
            else:
                record[name] = prop.default
        if wrong:
            raise invalid_properties("; ".join(dict.fromkeys(wrong.values())), *wrong)
        return record

    def default(self, access: Access, name: str) -> Any:
        """What a property is set to by a patch of null (RFC 8620 §5.3)."""
        return self.type.properties[name].default

    def resolve(self, ctx: Context, prop: Property, value: Any) -> Any:
        """A value with creation references (`#` and a creation id) put right, if they are known (RFC 8620 §5.3)."""
        if prop.refers is None:
            return value
        if isinstance(value, str):
            return _resolved(ctx, value)
        if isinstance(value, list):
            return [_resolved(ctx, item) for item in value]
        return {_resolved(ctx, key): item for key, item in value.items()} if isinstance(value, dict) else value

    def objection(self, ctx: Context, tx: Reader, name: str, value: Any) -> str | None:
        """What is wrong with a value of a property: its kind, what it refers to, or what else the property demands."""
        prop = self.type.properties[name]
        if not self.type.check(name, value) or not self.refers_to_records(tx, prop, value):
            return _NOT_SO
        return prop.objection(ctx, value) if prop.objection is not None else None

    def refers_to_records(self, tx: Reader, prop: Property, value: Any) -> bool:
        """Whether every Id in a value of a property that refers is that of a record."""
        if prop.refers is None or value is None:
            return True
        other = self.referred(prop)
        numbers = (other.parse_id(item) for item in ([value] if isinstance(value, str) else value))
        return all(number is not None and other.records.exists(tx, number) for number in numbers)

    def normal_patch(self, ctx: Context, changes: Mapping[str, Any]) -> dict[str, Any]:
        """A PatchObject with its paths as they are kept: Ids that are keys may be creation references too."""
        return {self._normal_path(ctx, path): value for path, value in changes.items()}

    def _normal_path(self, ctx: Context, path: str) -> str:
        name, slash, below = path.partition("/")
        prop = self.type.properties.get(name) if slash else None
        return f"{name}/{_resolved(ctx, below)}" if prop is not None and prop.refers is not None else path

    def current(
        self,
        ctx: Context,
        access: Access,
        tx: Reader,
        number: int,
        names: Sequence[str],
        changes: Mapping[str, Any],
    ) -> Any:
        """A record that exists, to be patched: the properties that the changes name, as /get answers them."""
        arguments = {name: argument.default for name, argument in self.type.get_arguments.items()}
        return self.read(ctx, access, tx, [number], names, arguments)[number]

    def prepare(self, ctx: Context, access: Access, given: Mapping[str, Any]) -> Any:
        """What can be worked out about a record to be made before the transaction begins. Raises SetError."""
        return None

    def columns(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The columns that keep the values of a record, or of some of its properties."""
        columns = {}
        for name, value in record.items():
            prop = self.type.properties[name]
            if self._is_column(name):
                columns[snake(name)] = self.encode(prop, value)
            if prop.collated:
                columns[sort_key(name)] = None if value is None else collation.key(collation.DEFAULT, value)
        return columns

    def insert(
        self, ctx: Context, access: Access, tx: Writer, record: Mapping[str, Any], prepared: Any
    ) -> tuple[int, dict[str, Any]]:
        """Make a record of complete, valid values; answers its number, and what to tell of it to a client.

        What the client itself has sent is left out of that later. Raises SetError only before anything is written.
        """
        number = tx.change(self.type.name)
        columns = {"account": tx.account, "id": number, "changed": number, **self.columns(record)}
        marks = ", ".join("?" * len(columns))
        tx.execute(f"INSERT INTO {self.table.name} ({', '.join(columns)}) VALUES ({marks})", *columns.values())
        for name, value in record.items():
            if self.type.properties[name].per_user:
                self.set_user_value(tx, ctx.user, number, name, value)
        return number, self.read(ctx, access, tx, [number], tuple(self.type.properties), {})[number]

    def original(self, ctx: Context, source: Access, target: Access, tx: Reader, number: int) -> Any:
        """What /copy takes of a record that exists, made ready for the account that it is copied to."""
        names = tuple(name for name, prop in self.type.properties.items() if not prop.server_set)
        return self.read(ctx, source, tx, [number], names, {})[number]

    def insert_copy(
        self, ctx: Context, access: Access, tx: Writer, original: Any, given: Mapping[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        """Make the copy of an original, with the values given instead of its own; answers what the server set of it.

        Raises SetError.
        """
        values = {name: value for name, value in original.items() if name != "id"}
        record = self.complete(ctx, access, tx, values | dict(given))
        number, made = self.insert(ctx, access, tx, record, None)
        return number, {
            name: value for name, value in made.items() if name == "id" or self.type.properties[name].server_set
        }

    def update(
        self, ctx: Context, access: Access, tx: Writer, number: int, changes: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Give properties of a record new values; answers what else changed (RFC 8620 §5.3 `updated`).

        Raises SetError only before anything is written.
        """
        columns = {"changed": tx.change(self.type.name), **self.columns(changes)}
        sets = ", ".join(f"{name}=?" for name in columns)
        sql = f"UPDATE {self.table.name} SET {sets} WHERE account=? AND id=?"
        tx.execute(sql, *columns.values(), tx.account, number)
        for name, value in changes.items():
            if self.type.properties[name].per_user:
                self.set_user_value(tx, ctx.user, number, name, value)
        return None

    def destroy(self, ctx: Context, access: Access, tx: Writer, number: int, arguments: Mapping[str, Any]) -> None:
        """End a record. Raises SetError only before anything is written."""
        tx.execute(f"DELETE FROM {self.table.name} WHERE account=? AND id=?", tx.account, number)
        tx.execute("DELETE FROM user_value WHERE account=? AND type=? AND id=?", tx.account, self.type.name, number)
        bury(tx, self.type.name, number)

    def place(self, tx: Reader, number: int) -> int | None:
        """The order key of a record, or None when there is no such record."""
        sql = f"SELECT {self.order_key} FROM {self.table.name} WHERE account=? AND id=?"
        found = tx.value(sql, tx.account, number)
        return None if found is None else int(found)

    def candidates(
        self, tx: Reader, since: int, mutable: frozenset[str], *, collapse: bool
    ) -> Iterable[tuple[int, int | None, bool]]:
        """Records whose place in a query may differ since a state: number, place (None if unknown), whether it is gone.

        `mutable` are the properties that the query's filter and sort depend on.
        """
        sql = f"SELECT id FROM {self.table.name} WHERE account=? AND id>?"
        for row in tx.rows(sql, tx.account, since):
            yield row[0], None, False
        if mutable:
            sql = f"SELECT id FROM {self.table.name} WHERE account=? AND changed>? AND changed>id AND +id<=?"
            for row in tx.rows(sql, tx.account, since, since):
                yield row[0], None, False
        sql = "SELECT id, place FROM tombstone WHERE account=? AND type=? AND ended>? AND id<=?"
        for row in tx.rows(sql, tx.account, self.type.name, since, since):
            yield row[0], row[1], True


def bury(tx: Writer, type_name: str, number: int, *, kin: int | None = None, place: int | None = None) -> int:
    """Leave a tombstone for a record; answers the value of its end."""
    ended = tx.change(type_name)
    tx.execute(
        "INSERT INTO tombstone (account, type, ended, id, kin, place) VALUES (?, ?, ?, ?, ?, ?)",
        tx.account,
        type_name,
        ended,
        number,
        kin,
        place,
    )
    return ended
