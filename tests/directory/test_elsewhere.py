"""Directories elsewhere that do not do as they should: slow, silent, gone, or not what was asked for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from jmaplite.config import parse
from jmaplite.directory import Directory, DirectoryUnavailable, Principal
from jmaplite.directory.ldap_connection import LDAPServer
from jmaplite.directory.memory import Entry, MemoryDirectory
from jmaplite.directory.pool import Disconnected, Pool
from jmaplite.directory.routing import Routed, catch_all, mapped, subaddress
from jmaplite.directory.sql import Columns, Queries, SQLDirectory, numbered
from jmaplite.directory.sql_postgresql import PostgreSQLUsers
from jmaplite.directory.sql_sqlite import SQLiteUsers
from jmaplite.server.directories import directory, faults
from tests.directory.conftest import LISTENER, Told
from tests.directory.people import JANE, LDAP, PASSWORDS
from tests.directory.postgresql import PostgreSQL
from tests.directory.slapd import ADMIN, ADMIN_SECRET, Slapd


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_kept_connection_that_is_lost_is_made_anew_once() -> None:
    made: list[int] = []

    def connect() -> int:
        made.append(len(made))
        return made[-1]

    lost: set[int] = set()

    def work(connection: int) -> int:
        if connection in lost:
            raise Disconnected("gone")
        return connection

    closed: list[int] = []
    pool = Pool(connect, closed.append)
    assert [pool.use(work) for _ in range(3)] == [0, 0, 0]
    lost.add(0)
    assert pool.use(work) == 1
    lost.update({1, 2})
    with pytest.raises(DirectoryUnavailable, match="gone"):
        pool.use(work)
    assert closed == [0, 1, 2]


def test_a_connection_is_kept_for_its_time_and_no_more_are_made_than_may_be() -> None:
    clock, made = Clock(), iter(range(100))
    closed: list[int] = []
    pool = Pool(lambda: next(made), closed.append, size=2, wait=0, recycle=10, clock=clock)

    def within(connection: int) -> int:
        def innermost(other: int) -> int:
            with pytest.raises(DirectoryUnavailable, match="in use"):
                pool.use(lambda third: third)
            return other

        return connection + 10 * pool.use(innermost)

    assert pool.use(within) == 10
    clock.now = 11
    assert pool.use(lambda one: one) == 2
    assert sorted(closed) == [0, 1]
    pool.close()
    assert sorted(closed) == [0, 1, 2]


def test_who_comes_after_a_long_wait_in_vain_does_not_wait_as_long() -> None:
    clock = Clock()
    tried = 0

    def connect() -> int:
        nonlocal tried
        tried += 1
        clock.now += 3
        raise Disconnected("no answer")

    pool: Pool[int] = Pool(connect, lambda _: None, clock=clock)
    for _ in range(5):
        with pytest.raises(DirectoryUnavailable, match="no answer"):
            pool.use(lambda one: one)
    assert tried == 1
    clock.now += 3
    with pytest.raises(DirectoryUnavailable):
        pool.use(lambda one: one)
    assert tried == 2


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT ? FROM a WHERE b = ?", ("SELECT ?1 FROM a WHERE b = ?1", 1)),
        ("SELECT $1", ("SELECT ?1", 1)),
        ("SELECT '?', \"?\" /* ? */ FROM a -- ?", ("SELECT '?', \"?\" /* ? */ FROM a -- ?", 0)),
        ("SELECT a FROM b WHERE c ? 'd' AND e = $1", ("SELECT a FROM b WHERE c ? 'd' AND e = ?1", 1)),
        ("SELECT 'it''s', ?", ("SELECT 'it''s', ?1", 1)),
    ],
)
def test_a_parameter_may_be_written_in_two_ways(query: str, expected: tuple[str, int]) -> None:
    assert numbered(query, "?1") == expected


ENDLESS = "WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t) SELECT count(*), ? FROM t"


def test_a_query_of_sqlite_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    apsw.Connection(str(tmp_path / "a.db")).execute("CREATE TABLE a (name)")
    users = SQLDirectory(SQLiteUsers(tmp_path / "a.db", timeout=0.05), Queries(ENDLESS), Columns())
    with pytest.raises(DirectoryUnavailable, match="interrupted"):
        users.principal("jane")
    users.close()


def test_a_query_of_postgresql_that_takes_too_long_is_given_up(database: PostgreSQL) -> None:
    users = SQLDirectory(PostgreSQLUsers(database.url, timeout=0.1), Queries("SELECT pg_sleep(600), $1"), Columns())
    with pytest.raises(DirectoryUnavailable):
        users.principal("jane")
    users.close()


def test_a_value_that_a_query_of_postgresql_cannot_take_is_nobodys(database: PostgreSQL) -> None:
    queries = Queries("SELECT ?::int AS name", principals="SELECT 1 / 0")
    users = SQLDirectory(PostgreSQLUsers(database.url), queries, Columns())
    assert users.principal("joe") is None
    assert users.principal("7") == Principal("7")
    with pytest.raises(DirectoryUnavailable, match="by zero"):
        users.principals()
    users.close()


def test_a_postgresql_that_says_nothing_is_given_up(silent: int) -> None:
    users = SQLDirectory(
        PostgreSQLUsers(f"postgresql://a:secret@127.0.0.1:{silent}/b", timeout=0.1), Queries("SELECT ?"), Columns()
    )
    with pytest.raises(DirectoryUnavailable) as raised:
        users.principal("jane")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_an_ldap_server_that_says_nothing_is_given_up(silent: int, scheme: str) -> None:
    server = LDAPServer(f"{scheme}://127.0.0.1:{silent}", timeout=1)
    with pytest.raises(DirectoryUnavailable):
        server.accepts("cn=a", "b")


@pytest.mark.parametrize(
    "url", ["postgresql://u:SE CRET@h/x", "postgresql://u:SECRET%zz@h/x", 'postgresql://u:S"E CRET@h']
)
def test_a_url_that_cannot_be_read_is_not_quoted(url: str) -> None:
    with pytest.raises(ValueError, match="the url cannot be used") as raised:
        PostgreSQLUsers(url)
    assert "CRET" not in str(raised.value)


def test_a_certificate_that_nobody_vouches_for_is_not_believed(ldap_server: Slapd) -> None:
    for url, start_tls in ((ldap_server.tls_url, False), (ldap_server.url, True)):
        with pytest.raises(Disconnected, match=r"(?i)certificate"):
            LDAPServer(url, start_tls=start_tls).connect(ADMIN, ADMIN_SECRET)
        wrong_name = url.replace("localhost", "127.0.0.1")
        with pytest.raises(Disconnected, match=r"(?i)certificate"):
            LDAPServer(wrong_name, start_tls=start_tls, ca=ldap_server.ca).connect(ADMIN, ADMIN_SECRET)
        LDAPServer(url, start_tls=start_tls, allow_invalid_certs=True).connect(ADMIN, ADMIN_SECRET).close()


def configured(text: str, folder: Path) -> list[str]:
    return faults(parse(LISTENER + text, folder / "config.toml"))


def test_what_is_wrong_with_a_directory_is_told(told: Told, tmp_path: Path) -> None:
    for kind in ("memory", "sqlite", *LDAP):
        assert configured(told(kind, tmp_path), tmp_path) == []
    secure = told("ldap, binding as the entry", tmp_path)
    [fault] = configured(secure.replace(ADMIN_SECRET, "wrong"), tmp_path)
    assert "refuses to let" in fault
    assert "invalidCredentials" in fault
    sql = '[directory.people]\ntype = "sql"\nurl = "sqlite://people.db"\n[directory.people.query]\n'
    [fault] = configured(sql + 'name = "SELECT name FROM acounts WHERE name = ?"\n', tmp_path)
    assert "no such table: acounts" in fault
    [fault] = configured(sql.replace("people.db", "nowhere.db") + 'name = "SELECT ?"\n', tmp_path)
    assert "nowhere.db" in fault


def test_groups_may_name_their_members_by_what_they_are_called(ldap_server: Slapd, told: Told, tmp_path: Path) -> None:
    """As those of RFC 2307 do."""
    ldap_server.add("cn=crew", ["posixGroup"], gidNumber="1000", memberUid=["jane", "zoe"])
    text = told("ldap, groups by a filter", tmp_path)
    text = text.replace("groups = ", 'groups-by-name = "(&(objectClass=posixGroup)(memberUid=?))"\ngroups = ', 1)
    people = directory(parse(LISTENER + text, tmp_path / "config.toml"))
    members = [people.principal(name) for name in ("jane", "joe")]
    assert [one.member_of for one in members if one] == [("staff", "crew"), ()]
    people.close()


@pytest.mark.parametrize("filter_", ["(uid=?", "uid=?)", "(|(uid=?)", "no filter ?"])
def test_a_filter_that_is_none_is_told(told: Told, tmp_path: Path, filter_: str) -> None:
    text = told("ldap, comparing passwords", tmp_path)
    [fault] = configured(text.replace('email = "', f'expand = "{filter_}"\nemail = "', 1), tmp_path)
    assert "not a search filter" in fault


def test_whoever_is_of_another_kind_than_wanted_is_nobody(told: Told, tmp_path: Path) -> None:
    text = told("ldap, comparing passwords", tmp_path) + "[directory.people.object-classes]\nuser = "
    for wanted, is_there in (('"posixAccount"', False), ('["posixAccount", "INETORGPERSON"]', True)):
        users = directory(parse(LISTENER + text + wanted, tmp_path / "config.toml"))
        assert (users.principal("jane") is not None) is is_there
        assert (users.verify_password("jane", PASSWORDS["jane"]) is not None) is is_there
        assert bool(users.recipients("jane@example.org")) is is_there
        assert users.principal("joe") is not None, "an administrator by another attribute"
        assert users.principal("staff") is not None
        users.close()


def test_addresses_stand_for_others_by_rules() -> None:
    jane = Principal("jane", emails=("jane@example.org",))
    rest = Principal("rest", emails=("@example.org",))
    base = MemoryDirectory([Entry(jane), Entry(rest)])
    plain: Directory = Routed(base, domains=("Example.COM",))
    both: Directory = Routed(base, (subaddress, catch_all))
    own: Directory = Routed(base, (mapped(r"([^.]+)\.([^.]+)@(.+)", "${2}@$3"),))
    assert [one.recipients("jane+x@example.org") for one in (plain, both, own)] == [(), (jane,), ()]
    assert [one.recipients("x@Example.org") for one in (plain, both, own)] == [(), (rest,), ()]
    assert own.recipients("x.jane@example.org") == (jane,)
    assert [plain.is_local(one) for one in ("example.com", "example.org", "example.net")] == [True, True, False]
    for pattern, to in (("(", ""), ("a", "$1")):
        with pytest.raises(ValueError, match="expression"):
            mapped(pattern, to)


def test_rules_of_ones_own_stand_in_the_configuration() -> None:
    text = (
        LISTENER
        + """
    [directory.people]
    type = "memory"
    principals = { name = "jane", email = "jane@example.org" }
    options.subaddressing = { map = '([^.]+)\\.([^.]+)@(.+)', to = "${2}@$3" }
    options.catch-all = """
    )
    for rest, found in (("false", []), ("{ map = '(.+)@(.+)$', to = 'jane@${2}' }", ["jane"])):
        people = directory(parse(text + rest, "c.toml"))
        assert [one.name for one in people.recipients("x.jane@example.org")] == ["jane"]
        assert [one.name for one in people.recipients("nobody@example.org")] == found


def test_what_was_found_is_remembered_for_its_time(tmp_path: Path) -> None:
    clock = Clock()
    asked: list[str] = []

    class Counting(MemoryDirectory):
        def recipients(self, address: str) -> tuple[Principal, ...]:
            asked.append(address)
            return super().recipients(address)

    users = Routed(Counting([Entry(Principal("a", emails=("a@b",)))]), positive=100, negative=10, size=2, clock=clock)
    for _ in range(2):
        users.recipients("a@b")
        users.recipients("c@b")
    assert asked == ["a@b", "c@b"]
    clock.now = 11
    users.recipients("a@b")
    users.recipients("c@b")
    assert asked == ["a@b", "c@b", "c@b"]
    for number in range(5):
        users.recipients(f"{number}@b")
    users.recipients("a@b")
    assert asked.count("a@b") == 2


def test_a_directory_that_is_switched_off_knows_nobody(told: Told, tmp_path: Path) -> None:
    text = told("memory", tmp_path).replace('type = "memory"', 'type = "memory"\ndisable = true')
    users = directory(parse(LISTENER + text, tmp_path / "config.toml"))
    assert users.verify_password("jane", PASSWORDS["jane"]) is None
    assert users.principal(JANE.name) is None
