"""Account files with the schema in use: new ones cloned from a template, old ones upgraded when opened."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import apsw

from jmaplite.store.ddl import APPLICATION, MIGRATIONS, Migration, create, digest, latest, upgrade
from jmaplite.store.disk import create_file, on_disk, sync
from jmaplite.store.port import Schema, StoreDamaged, Writer
from jmaplite.store.sqlite_account import FILE
from jmaplite.store.sqlite_connection import Session, connect, translated
from jmaplite.store.sqlite_text import TextStatements, text_statements
from jmaplite.store.sqlite_transaction import Ledger, SQLiteWriter

_PAGE_OCTETS = 4096


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an account file says that it is."""

    id: str
    owner: str


class AccountFiles:
    """Makes and checks account files of one schema; `templates` is a directory of the store."""

    def __init__(
        self, templates: Path, schema: Schema, migrations: tuple[Migration, ...] = MIGRATIONS, *, durable: bool = True
    ) -> None:
        self._durable = durable
        self._schema = schema
        self._migrations = migrations
        self._digest = digest(schema)
        self._template_path = templates / f"{self._digest}.{latest(migrations)}.sqlite"
        self._template: bytes | None = None
        self.texts: Mapping[str, TextStatements] = {text.name: text_statements(text) for text in schema.texts}

    def make(self, directory: Path, identity: Identity, fill: Callable[[Writer], None]) -> dict[str, int]:
        """Make an account's file in an empty directory, filled and durable; answers its types' values."""
        path = directory / FILE
        create_file(path, self._template_octets())
        try:
            session = connect(path, writes=True)
            try:
                values = self._fill(session, identity, fill)
            finally:
                session.close()
        except apsw.Error as error:
            raise translated(error) from error
        if self._durable:
            sync(path)
            sync(directory)
        return values

    def _fill(self, session: Session, identity: Identity, fill: Callable[[Writer], None]) -> dict[str, int]:
        # Nobody else sees the file yet, and it is made durable as a whole: no shared memory, no disk to wait
        # for.
        for pragma in ("locking_mode = EXCLUSIVE", "synchronous = OFF"):
            session.rows(f"PRAGMA {pragma}")
        session.execute("BEGIN IMMEDIATE")
        session.execute("UPDATE store_account SET id = ?, owner = ?", (identity.id, identity.owner))
        ledger = Ledger(session)
        writer = SQLiteWriter(session, identity.id, self.texts, ledger)
        try:
            fill(writer)
            writer.flush()
        finally:
            writer.end()
        ledger.write(session)
        session.execute("COMMIT")
        return ledger.values

    def check(self, path: Path, session: Session) -> None:
        """See that a file has the schema in use, or upgrade it. Raises StoreDamaged if that cannot be.

        Raises StoreUnavailable.
        """
        version = _version(path, session)
        if version > latest(self._migrations):
            raise StoreDamaged(
                f"{path} was written by a newer version of this program (its format is {version}, "
                f"this program knows formats up to {latest(self._migrations)})"
            )
        if version < latest(self._migrations) or _schema(session) != self._digest:
            with on_disk():
                self._upgrade(path)

    def _upgrade(self, path: Path) -> None:
        session = connect(path, writes=True)
        try:
            if _version(path, session) < latest(self._migrations):
                _back_up(path, session)
            session.execute("BEGIN IMMEDIATE")
            version = _version(path, session)
            if version < latest(self._migrations) or _schema(session) != self._digest:
                upgrade(session.rows, self._schema, version, self._migrations)
            session.execute("COMMIT")
        finally:
            session.close()

    def _template_octets(self) -> bytes:
        if self._template is None:
            if not self._template_path.exists():
                self._make_template()
            self._template = self._template_path.read_bytes()
        return self._template

    def _make_template(self) -> None:
        """Make the template under another name first, so that a file of this name is always whole."""
        directory = self._template_path.parent
        with tempfile.TemporaryDirectory(dir=directory) as made:
            path = Path(made) / FILE
            create_file(path)
            session = connect(path, writes=True)
            try:
                run = session.rows
                for pragma in (f"page_size = {_PAGE_OCTETS}", "auto_vacuum = NONE", "journal_mode = WAL"):
                    run(f"PRAGMA {pragma}")
                run("BEGIN IMMEDIATE")
                create(run, self._schema, self._migrations)
                run("COMMIT")
            finally:
                session.close()
            sync(path)
            for old in directory.glob("*.sqlite"):
                old.unlink(missing_ok=True)
            path.rename(self._template_path)
        sync(directory)


def identity(path: Path) -> Identity:
    """Who an account file says that it is. Raises StoreDamaged, StoreUnavailable."""
    session = connect(path, writes=False)
    try:
        _version(path, session)
        rows = session.rows("SELECT id, owner FROM store_account")
    except apsw.Error as error:
        raise translated(error) from error
    finally:
        session.close()
    if not rows:
        raise StoreDamaged("it does not say whose account it is")
    return Identity(*rows[0])


def _version(path: Path, session: Session) -> int:
    application, version = session.rows(
        "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version"
    )[0]
    if application != APPLICATION:
        raise StoreDamaged(f"{path} is not the database of an account")
    return int(version)


def _schema(session: Session) -> str:
    rows = session.rows("SELECT schema FROM store_account")
    return str(rows[0][0]) if rows else ""


def _back_up(path: Path, session: Session) -> None:
    """Keep a copy of a file as it is before its format changes; it is the way back to an older program."""
    version = _version(path, session)
    copy = path.with_name(f"{path.name}.format-{version}")
    whole = path.with_name(f"{copy.name}.{os.getpid()}")
    whole.unlink(missing_ok=True)
    create_file(whole)
    session.execute("VACUUM INTO ?", (os.fspath(whole),))
    sync(whole)
    whole.rename(copy)
    sync(path.parent)
