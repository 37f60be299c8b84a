"""What a configuration says is what the server is told."""

from __future__ import annotations

import dataclasses
import ipaddress
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from jmaplite.config import UNLIMITED, Address, Config, load, parse
from jmaplite.config.kinds import RATE, Rate
from jmaplite.core.limits import Limits

HASH = "$argon2id$v=19$m=65536,t=3,p=4$MFRQiIbSDxdTXjEZn4u6sA$FMwksxpvx6pPWnLWY0UmqjekxUnw/a57FTQJPh+EelA"

MINIMAL = """\
server.listener.jmap.bind = "127.0.0.1:0"
jmap.directory = "memory"
directory.memory.type = "memory"
"""


def made(text: str = "", path: Path | str = "/etc/jmaplite/c.toml", **environ: str) -> Config:
    return parse(MINIMAL + text, path, environ=environ)


def test_a_minimal_configuration_has_the_defaults() -> None:
    config = made()
    assert [(one.id, one.protocol, one.url, one.tls_implicit) for one in config.listeners] == [
        ("jmap", "jmap", "", False)
    ]
    assert config.http.headers == ()
    assert config.store.type == "sqlite"
    assert config.log.level == "info"
    assert config.compat.lenient_content_type is False
    assert config.server.hostname
    assert config.certificates == ()


def test_the_limits_are_those_of_core_with_the_same_defaults() -> None:
    limits = dataclasses.asdict(made().limits)
    core = dataclasses.asdict(Limits())
    assert {name: limits[name] for name in core} == core


def test_values_become_plain() -> None:
    config = made(
        """
[server.listener.jmap.proxy]
trusted-networks = ["10.1.2.3/8", "::1"]
[server.listener.two]
bind = ["[::1]:443", "localhost:80"]
url = "HTTPS://Mail.Example.org/"
[jmap.http]
headers = ["X-A:  b ", "X-B:", "X-A: c: d"]
compression = false
[jmap.protocol]
upload = { max-size = "5MB", ttl = "2h", max-concurrent = false }
request.max-size = "1M"
changes.max-history = false
[jmap.email]
max-size = 5
"""
    )
    one, two = config.listeners
    assert one.trusted_networks == (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1/128"))
    assert two.bind == (Address("::1", 443), Address("localhost", 80))
    assert [str(address) for address in two.bind] == ["[::1]:443", "localhost:80"]
    assert two.url == "https://mail.example.org"
    assert config.http.headers == (("X-A", "b"), ("X-B", ""), ("X-A", "c: d"))
    assert config.http.compression is False
    assert config.limits.max_size_upload == 5_000_000
    assert config.limits.upload_ttl == 7200
    assert config.limits.max_concurrent_upload == UNLIMITED
    assert config.limits.max_size_request == 2**20
    assert config.limits.max_history == UNLIMITED
    assert config.email.max_size == 5


@pytest.mark.parametrize(
    ("size", "octets"),
    [("5", 5), ("5b", 5), ("5k", 5 * 2**10), ("5 kB", 5000), ("5KiB", 5 * 2**10), ("5M", 5 * 2**20),
     ("5MB", 5 * 10**6), ("5G", 5 * 2**30), ("5gb", 5 * 10**9), ("5TiB", 5 * 2**40)],
)  # fmt: skip
def test_a_size_has_a_unit(size: str, octets: int) -> None:
    assert made(f'jmap.email.max-size = "{size}"').email.max_size == octets


@pytest.mark.parametrize(
    ("rate", "value"), [("1000/1m", Rate(1000, 60)), ("3 / 500ms", Rate(3, 0.5)), (False, Rate(0, 1))]
)
def test_a_rate_is_a_number_of_times_in_a_duration(rate: object, value: Rate) -> None:
    assert RATE.parse(rate) == value


def test_a_principal_is_told_whole() -> None:
    digest = "ab" * 32
    config = made(
        f"""
[[directory."memory".principals]]
name = "jane"
class = "admin"
description = "Jane Doe"
secret = ["one", "{HASH}"]
email = "jane@example.org"
email-list = ["all@example.org"]
quota = "1G"
member-of = "staff"
tokens = ["sha256:{digest}", "my phone:sha256:{digest}"]
[[directory."memory".principals]]
name = "staff"
type = "group"
"""
    )
    jane, staff = config.directory.principals
    assert (jane.name, jane.type, jane.description) == ("jane", "admin", "Jane Doe")
    assert jane.secrets == ("one", HASH)
    assert (jane.emails, jane.email_lists) == (("jane@example.org",), ("all@example.org",))
    assert (jane.quota, jane.member_of) == (2**30, ("staff",))
    assert jane.tokens == (f"sha256:{digest}", f"my phone:sha256:{digest}")
    assert (staff.name, staff.type, staff.secrets) == ("staff", "group", ())


def test_principals_belong_to_the_directory_they_stand_in() -> None:
    config = made(
        """
directory.memory.principals = [{ name = "a" }]
directory.other = { type = "memory", principals = [{ name = "a" }, { name = "b" }] }
"""
    )
    assert [(d.id, [p.name for p in d.principals]) for d in config.directories] == [
        ("memory", ["a"]),
        ("other", ["a", "b"]),
    ]
    assert config.directory.id == "memory"


def test_a_configuration_shows_no_secrets() -> None:
    config = made('directory.memory.principals = [{ name = "a", secret = "hunter2" }]')
    assert config.directory.principals[0].secrets == ("hunter2",)
    assert "hunter2" not in repr(config)


@pytest.mark.parametrize("key", ["jmap.http.headers", "server.http.headers", "http.headers"])
def test_headers_may_be_set_under_later_names(key: str) -> None:
    assert made(f'{key} = ["A: b"]').http.headers == (("A", "b"),)


def test_the_directory_may_be_set_under_its_later_name() -> None:
    text = MINIMAL.replace("jmap.directory", "storage.directory")
    assert parse(text, "c.toml").directory.id == "memory"


def test_relative_paths_begin_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "c.toml"
    file.write_text(MINIMAL + 'store.path = "mail"')
    monkeypatch.chdir(tmp_path.parent)
    assert load(f"{tmp_path.name}/c.toml").store.path == tmp_path / "mail"
    assert made("store.path = '/var/mail'").store.path == Path("/var/mail")
    assert made().store.path == Path("/etc/jmaplite/data")


@pytest.mark.parametrize("form", ["tls.pem", "file://tls.pem", "%{file:tls.pem}%", "file://%{env:HERE}%/tls.pem"])
def test_a_certificate_is_named_by_its_file_in_three_ways(form: str, tmp_path: Path) -> None:
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "tls.pem")
    text = f"""
server.listener.jmap.tls = {{ implicit = true, certificate = "main" }}
[certificate."main"]
cert = "{form}"
private-key = "{form}"
"""
    config = made(text, tmp_path / "c.toml", HERE=str(tmp_path))
    certificate = config.certificate(config.listeners[0].tls_certificate)
    assert (certificate.cert, certificate.private_key) == (tmp_path / "tls.pem", tmp_path / "tls.pem")
    with pytest.raises(KeyError):
        config.certificate("other")


def test_a_listener_takes_what_is_set_for_all_unless_it_says_otherwise() -> None:
    config = made(
        """
[server.socket]
backlog = 7
[server.proxy]
trusted-networks = "::1"
[server.listener.two]
proxy.trusted-networks = []
bind = "unix:run/jmap.sock"
protocol = "http"
socket.mode = "600"
"""
    )
    one, two = config.listeners
    assert (one.trusted_networks, one.backlog, one.socket_mode) == ((ipaddress.ip_network("::1"),), 7, 0o660)
    assert (two.trusted_networks, two.backlog, two.socket_mode) == ((), 7, 0o600)
    assert two.protocol == "jmap"
    assert two.bind == (Address("", 0, Path("/etc/jmaplite/run/jmap.sock")),)
    assert str(two.bind[0]) == "unix:/etc/jmaplite/run/jmap.sock"


@pytest.mark.parametrize("table", ["[relay]", "[[relay]]"])
def test_one_relay_needs_no_list(table: str) -> None:
    [relay] = made(f'{table}\naddress = "mail.example.org"\nauth = {{ username = "jane", secret = "x" }}').relays
    assert (relay.host, relay.port, relay.auth_username, relay.auth_secret) == ("mail.example.org", 587, "jane", "x")
    assert "'x'" not in repr(relay)


def test_users_and_groups_of_the_first_versions_are_principals() -> None:
    config = made(
        """
directory.memory.options.superuser-group = "superusers"
[[directory.memory.users]]
name = "jane"
secret = "x"
member-of = ["superusers"]
[[directory.memory.users]]
name = "joe"
[[directory.memory.groups]]
name = "superusers"
"""
    )
    assert [(one.name, one.type) for one in config.directory.principals] == [
        ("jane", "admin"),
        ("joe", "individual"),
        ("superusers", "group"),
    ]


def test_a_directory_has_what_its_type_has() -> None:
    config = made(
        """
[directory.staff]
type = "ldap"
address = "ldap://localhost:389"
base-dn = "dc=example,dc=org"
filter.name = "(uid=?)"
attributes = { class = "objectClass", email-alias = ["a", "b"] }
[directory.base]
type = "sql"
url = "sqlite:///users.db"
query.name = "SELECT name, type, secret, description, quota FROM accounts WHERE name = ?"
"""
    )
    _, staff, base = config.directories
    assert (staff.url, staff.ldap.base_dn, staff.ldap.attribute_email_alias) == (
        "ldap://localhost:389",
        "dc=example,dc=org",
        ("a", "b"),
    )
    assert base.sql.query_name.endswith("?")


def test_a_database_of_a_table_of_its_own_is_that_of_the_directories_that_name_it() -> None:
    config = made(
        """
[store."pg"]
type = "postgresql"
host = "db.example.org"
database = "mail/x"
user = "me@here"
password = "a:b/c"
timeout = "5s"
tls.enable = true
pool.max-connections = 3
query.name = "SELECT 1 WHERE name = ?"
[directory.staff]
type = "sql"
store = "pg"
[directory.guests]
type = "sql"
store = "pg"
query.members = "SELECT 2 WHERE name = ?"
"""
    )
    _, staff, guests = config.directories
    assert (
        staff.url
        == guests.url
        == ("postgresql://me%40here:a%3Ab%2Fc@db.example.org:5432/mail%2Fx?sslmode=verify-full&sslrootcert=system")
    )
    assert (staff.sql.query_name, guests.sql.query_name) == ("SELECT 1 WHERE name = ?",) * 2
    assert (staff.sql.query_members, guests.sql.query_members) == ("", "SELECT 2 WHERE name = ?")
    assert (staff.pool_max_connections, staff.pool_timeout_create) == (3, 5)
    assert "a:b/c" not in repr(config)


def test_capabilities_are_chosen_by_any_name() -> None:
    config = made('[jmap.capabilities]\n"urn:ietf:params:jmap:quota" = false\nblob = true')
    assert dict(config.capabilities.chosen) == {"urn:ietf:params:jmap:quota": False, "blob": True}


def test_macros_stand_for_the_environment_and_for_files(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("hunter2\n")
    config = made(
        """
directory.memory.principals = [{ name = "%{env:WHO}%-x", secret = ["%{file:pw}%"] }]
jmap.email.max-size = "%{env:SIZE}%"
jmap.mailbox.max-depth = "%{env:DEPTH}%"
jmap.http.compression = "%{env:SWITCH}%"
jmap.protocol.request.max-concurrent = "%{env:SWITCH}%"
store.path = "%{env:WHO}%"
""",
        tmp_path / "c.toml",
        WHO="jane",
        SIZE="5",
        DEPTH="6",
        SWITCH="false",
    )
    [jane] = config.directory.principals
    assert (jane.name, jane.secrets) == ("jane-x", ("hunter2",))
    assert (config.email.max_size, config.mailbox.max_depth) == (5, 6)
    assert config.http.compression is False
    assert config.limits.max_concurrent_requests == UNLIMITED
    assert config.store.path == tmp_path / "jane"


def test_reading_a_configuration_needs_no_slow_library() -> None:
    code = "import sys, jmaplite.config; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "jmaplite.config.load" in loaded
    assert {"tomlkit", "click", "argon2", "asyncio", "quart", "ssl"}.isdisjoint(loaded)
