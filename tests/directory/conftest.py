"""The same few people in every kind of directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from jmaplite.config import parse
from jmaplite.directory import Directory
from jmaplite.server.directories import directory
from tests.directory.people import LDAP, LDAP_PEOPLE, MEMORY, SQL, SQL_PEOPLE, STORED
from tests.directory.postgresql import PostgreSQL, postgresql
from tests.directory.slapd import Slapd, slapd

LISTENER = """
[server.listener.jmap]
bind = "127.0.0.1:0"
[store]
path = "data"
[jmap]
directory = "people"
"""


@pytest.fixture(scope="session")
def database() -> Iterator[PostgreSQL]:
    """A PostgreSQL with the people."""
    with postgresql() as server:
        server.execute(SQL_PEOPLE)
        yield server


@pytest.fixture(scope="session")
def ldap_server() -> Iterator[Slapd]:
    """An OpenLDAP with the people."""
    with slapd() as server:
        for dn, classes, attributes in LDAP_PEOPLE:
            server.add(dn, classes, **attributes)
        yield server


Told = Callable[[str, Path], str]
"""Makes the directory's tables of a configuration, of the name of a kind of directory and a folder to write into."""


@pytest.fixture
def told(request: pytest.FixtureRequest) -> Told:
    """What a configuration says of a kind of directory with the people."""

    def make(kind: str, folder: Path) -> str:
        if kind == "memory":
            return MEMORY
        if kind == "sqlite":
            apsw.Connection(str(folder / "people.db")).execute(SQL_PEOPLE)
            return SQL.format(url="sqlite://people.db")
        if kind == "postgresql":
            server: PostgreSQL = request.getfixturevalue("database")
            return SQL.format(url=server.url)
        if kind == "stored sqlite":
            apsw.Connection(str(folder / "people.db")).execute(SQL_PEOPLE)
            return STORED.format(place='type = "sqlite"\npath = "people.db"')
        if kind == "stored postgresql":
            of_socket = request.getfixturevalue("database").folder
            place = f'type = "postgresql"\nhost = "{of_socket}"\ndatabase = "postgres"\nuser = "tester"'
            return STORED.format(place=place)
        ldap: Slapd = request.getfixturevalue("ldap_server")
        return LDAP[kind].replace("PLAIN", ldap.url).replace("SECURE", ldap.tls_url).replace('"CA"', f'"{ldap.ca}"')

    return make


KINDS = ("memory", "sqlite", "postgresql", "stored sqlite", "stored postgresql", *LDAP)
"""Every kind of directory, and the ways to log in to one in LDAP."""


@pytest.fixture(params=KINDS)
def people(request: pytest.FixtureRequest, told: Told, tmp_path: Path) -> Iterator[Directory]:
    """The directory of the people, of each kind."""
    config = parse(LISTENER + told(request.param, tmp_path), tmp_path / "config.toml")
    made = directory(config)
    yield made
    made.close()
