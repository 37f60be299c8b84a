"""Tables, indexes and text indexes as SQLite makes them, and how a file is brought up to a newer schema."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from jmaplite.store.port import Column, Index, Row, Schema, StoreDamaged, Table, TextIndex
from jmaplite.store.sqlite_text import text_ddl

APPLICATION = 0x4A4D4150
"""Marks the files as ours ("JMAP")."""

ACCOUNT = 1
"""The number of the account in its own file: always the same, so that a file is a unit of its own."""

Run = Callable[..., list[Row]]
"""Runs a statement (and its parameters) and answers its rows."""


@dataclass(frozen=True, slots=True)
class Migration:
    """A step from the version before `number` to `number`, for what comparing the schemas cannot find out."""

    number: int
    title: str
    statements: tuple[str, ...]


FIRST_VERSION = 1
MIGRATIONS: tuple[Migration, ...] = ()

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_RESERVED = ("store_", "sqlite_")
_KINDS = {"integer": "INTEGER", "text": "TEXT", "blob": "BLOB", "real": "REAL"}
_ROWS = 1_000_000
_INDEXES = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL"

_OWN_TABLES = (
    "CREATE TABLE store_account (account INTEGER PRIMARY KEY CHECK (account = 1), id TEXT NOT NULL, "
    "owner TEXT NOT NULL, schema TEXT NOT NULL) STRICT",
    "CREATE TABLE store_type (account INTEGER NOT NULL, type TEXT NOT NULL, value INTEGER NOT NULL, "
    "PRIMARY KEY (account, type)) STRICT, WITHOUT ROWID",
    "ANALYZE",
)


def latest(migrations: tuple[Migration, ...]) -> int:
    """The version of a file after all migrations."""
    return migrations[-1].number if migrations else FIRST_VERSION


def digest(schema: Schema) -> str:
    """A name for a schema: two schemas with the same make the same files."""
    parts = [*_OWN_TABLES, *_statements(schema), *map(repr, statistics(schema))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def create(run: Run, schema: Schema, migrations: tuple[Migration, ...]) -> None:
    """Fill an empty file, the template of all accounts. Raises ValueError for impossible names and keys."""
    for statement in (*_OWN_TABLES, *_statements(schema)):
        run(statement)
    _write_statistics(run, schema)
    run("INSERT INTO store_account VALUES (?, '', '', ?)", (ACCOUNT, digest(schema)))
    run(f"PRAGMA application_id = {APPLICATION}")
    run(f"PRAGMA user_version = {latest(migrations)}")


def _statements(schema: Schema) -> Iterator[str]:
    for table in schema.tables:
        yield table_ddl(table)
        yield from (index_ddl(table, index) for index in table.indexes)
    for text in schema.texts:
        for name in (text.name, *text.columns):
            _checked(name)
        yield from text_ddl(text)


def table_ddl(table: Table) -> str:
    """CREATE TABLE for a table."""
    _checked(table.name)
    columns = [f"account INTEGER NOT NULL DEFAULT {ACCOUNT} CHECK (account = {ACCOUNT})"]
    if not table.clustered:
        _check_number(table)
        columns.append(f'"{table.key[0]}" INTEGER PRIMARY KEY')
    columns += [column_ddl(column) for column in table.columns if table.clustered or column.name != table.key[0]]
    if table.clustered:
        columns.append(f"PRIMARY KEY ({_listed(('account', *table.key))})")
    ending = "STRICT, WITHOUT ROWID" if table.clustered else "STRICT"
    return f'CREATE TABLE "{table.name}" ({", ".join(columns)}) {ending}'


def column_ddl(column: Column) -> str:
    """One column, as CREATE TABLE and ALTER TABLE have it."""
    _checked(column.name)
    default = "" if column.default is None else f" DEFAULT {_literal(column.default)}"
    return f'"{column.name}" {_KINDS[column.kind]}{"" if column.null else " NOT NULL"}{default}'


def index_ddl(table: Table, index: Index) -> str:
    """CREATE INDEX for an index, `account` first."""
    _checked(index.name)
    unique = "UNIQUE " if index.unique else ""
    where = f" WHERE {index.where}" if index.where else ""
    columns = _listed(("account", *index.columns))
    return f'CREATE {unique}INDEX "{index.name}" ON "{table.name}" ({columns}){where}'


def statistics(schema: Schema) -> Iterator[tuple[str, str | None, str]]:
    """Rows of sqlite_stat1 that tell the planner what it cannot guess, and keep its plans the same for ever.

    `account`, first in every index, tells no rows apart. In tables that are not clustered, entries of an
    index are made out to be larger than rows: else one that begins with `account` would be read as a whole,
    and its keys sorted, to answer the newest rows by key.
    """
    for table in schema.tables:
        sizes = ("", "") if table.clustered else (" sz=100", " sz=400")
        key = _spread(len(table.key), _ROWS, unique=True) if table.clustered else str(_ROWS)
        yield table.name, table.name if table.clustered else None, key + sizes[0]
        for index in table.indexes:
            rows = _ROWS // 2 if index.where else _ROWS
            yield table.name, index.name, _spread(len(index.columns), rows, unique=index.unique) + sizes[1]


def _spread(columns: int, rows: int, *, unique: bool) -> str:
    """How many rows there are, and how many share the first column, the first two, ...: as SQLite guesses."""
    shared = [max(5, 10 - place) for place in range(columns)]
    if unique:
        shared[-1] = 1
    return " ".join(map(str, (rows, rows, *shared)))


def _write_statistics(run: Run, schema: Schema) -> None:
    run("DELETE FROM sqlite_stat1")
    for row in statistics(schema):
        run("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", row)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _literal(value: int | float | str | bytes) -> str:
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def _checked(name: str) -> None:
    if not _NAME.fullmatch(name) or name.startswith(_RESERVED):
        raise ValueError(f"{name!r} cannot be the name of a table, column or index")


def _check_number(table: Table) -> None:
    kinds = {column.name: column.kind for column in table.columns}
    if len(table.key) != 1 or kinds.get(table.key[0], "integer") != "integer":
        raise ValueError(f"the key of table {table.name}, which is not clustered, is not one integer")


def upgrade(run: Run, schema: Schema, version: int, migrations: tuple[Migration, ...]) -> None:
    """Bring a file of an older version or another schema up to this one; inside a transaction.

    Raises StoreDamaged when what the file has cannot become what the schema asks for.
    """
    for migration in migrations:
        if migration.number > version:
            for statement in migration.statements:
                run(statement)
    for table in schema.tables:
        if run("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (table.name,)):
            _fit_table(run, table)
        else:
            _run_all(run, _statements(Schema((table,))))
    for text in schema.texts:
        _fit_text(run, text)
    _write_statistics(run, schema)
    run("UPDATE store_account SET schema = ?", (digest(schema),))
    run(f"PRAGMA user_version = {latest(migrations)}")


def _fit_table(run: Run, table: Table) -> None:
    """Add the columns that a table lacks and make its indexes what the schema says."""
    there = {row[1]: row for row in run(f'PRAGMA table_info("{table.name}")')}
    key = tuple(name for name, row in sorted(there.items(), key=lambda item: item[1][5]) if row[5])
    if key != (("account", *table.key) if table.clustered else table.key):
        raise StoreDamaged(f"table {table.name} has another key ({', '.join(key)}) than this version expects")
    known = {"account", *table.key, *(column.name for column in table.columns)}
    for name in there.keys() - known:
        if there[name][3] and there[name][4] is None:
            raise StoreDamaged(f"column {name} of table {table.name}, unknown to this version, needs a value")
    for column in table.columns:
        if column.name not in there:
            if not column.null and column.default is None:
                raise StoreDamaged(f"table {table.name} has no column {column.name}, which has no default")
            run(f'ALTER TABLE "{table.name}" ADD COLUMN {column_ddl(column)}')
        elif there[column.name][2] != _KINDS[column.kind]:
            raise StoreDamaged(f"column {table.name}.{column.name} is not {column.kind} but {there[column.name][2]}")
    _fit_indexes(run, table)


def _fit_indexes(run: Run, table: Table) -> None:
    there: dict[str, str] = dict(run(_INDEXES, (table.name,)))
    wanted = {index.name: index for index in table.indexes}
    for name, sql in there.items():
        if name not in wanted or sql != index_ddl(table, wanted[name]):
            run(f'DROP INDEX "{name}"')
    for name, index in wanted.items():
        if there.get(name) != index_ddl(table, index):
            run(index_ddl(table, index))


def _fit_text(run: Run, text: TextIndex) -> None:
    there = tuple(row[1] for row in run(f'PRAGMA table_info("{text.name}")'))
    if not there:
        _run_all(run, _statements(Schema((), (text,))))
    elif there != text.columns:
        raise StoreDamaged(f"text index {text.name} has other columns ({', '.join(there)}) than this version expects")


def _run_all(run: Run, statements: Iterable[str]) -> None:
    for statement in statements:
        run(statement)
