"""Every kind of mistake has its line, its key and its words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trustme

from jmaplite.config import ConfigError, load, parse

GOOD = """\
[server.listener.jmap]
bind = "127.0.0.1:8080"
[jmap]
directory = "memory"
[directory.memory]
type = "memory"
"""
"""A configuration without a mistake, of six lines; what is wrong comes behind it, from line 7."""


def mistakes(text: str, path: Path | str = "c.toml", **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        parse(text, path, environ=environ)
    assert str(raised.value) == "\n".join(raised.value.lines())
    return raised.value.lines()


def principal(line: str) -> str:
    """A configuration whose only principal has this on line 9."""
    return f'{GOOD}[[directory.memory.principals]]\nname = "jane"\n{line}\n'


def test_a_good_configuration_has_no_mistakes() -> None:
    assert parse(GOOD, "c.toml").directory.id == "memory"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[jmap.email]\nmax-size = [", "c.toml:8: invalid value"),
        ("[jmap.email]\n\n\nmax-size 5\n\n", "c.toml:10: expected '=' after a key in a key/value pair"),
        ("[jmap]\n", "c.toml:7: cannot declare 'jmap' twice"),
        ("[directory.memory]\n", "c.toml:7: cannot declare 'directory.memory' twice"),
        ("# \0", "c.toml:7: found invalid character '\\x00'"),
    ],
)
def test_a_syntax_error_has_its_line(text: str, line: str) -> None:
    assert [line] == mistakes(GOOD + text)


def test_text_that_is_not_utf_8_is_a_mistake_on_its_line(tmp_path: Path) -> None:
    from jmaplite.config import load

    file = tmp_path / "c.toml"
    file.write_bytes(b"# one\n# two \xff\n")
    with pytest.raises(ConfigError) as raised:
        load(file)
    assert [f"{file}:2: is not UTF-8"] == raised.value.lines()


def test_a_byte_order_mark_is_called_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(GOOD, encoding="utf-8-sig")
    with pytest.raises(ConfigError, match=r"c\.toml:1: begins with a byte order mark"):
        load(file)


def test_a_file_that_cannot_be_read_is_one_mistake_without_a_line(tmp_path: Path) -> None:
    from jmaplite.config import load

    with pytest.raises(ConfigError) as raised:
        load(tmp_path / "none.toml")
    assert [f"{tmp_path}/none.toml: cannot be read: No such file or directory"] == raised.value.lines()


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 5000 + "]" * 5000, "a = " + "{a=" * 5000 + "1" + "}" * 5000, "a = 1" + "0" * 5000],
)
def test_what_the_parser_cannot_take_is_a_mistake(text: str) -> None:
    [line] = mistakes(text)
    assert line.startswith("c.toml:1: ")
    assert len(line) < 200


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            '[server.listener.x]\nprot = "jmap"\nbind = "127.0.0.1:1"',
            "c.toml:8: server.listener.x.prot: unknown key (did you mean 'protocol'?)",
        ),
        ("[jmap.emial]\nmax-size = 5", "c.toml:7: jmap.emial: unknown key (did you mean 'email'?)"),
        (
            "[jmap.email]\nmax-depth = 5",
            "c.toml:8: jmap.email.max-depth: unknown key (did you mean 'jmap.mailbox.max-depth'?)",
        ),
        (
            "[jmap.email]\nlenient-sort = true",
            "c.toml:8: jmap.email.lenient-sort: unknown key (did you mean 'jmap.compat.lenient-sort'?)",
        ),
        (
            "[jmap.mailbox]\nmax-attachment-size = 5",
            "c.toml:8: jmap.mailbox.max-attachment-size: unknown key (did you mean 'jmap.email.max-attachment-size'?)",
        ),
        ('"a.b\\n" = 5', "c.toml:7: directory.memory.'a.b\\n': unknown key"),
        ("jmap2.x = 5", "c.toml:7: directory.memory.jmap2: unknown key"),
        (
            '[storage]\ndirectry = "memory"',
            "c.toml:8: storage.directry: unknown key (did you mean 'directory'?)",
        ),
    ],
)
def test_an_unknown_key_is_named_and_the_nearest_suggested(text: str, line: str) -> None:
    assert mistakes(GOOD + text) == [line]


WRONG_KINDS = [
    ("jmap.email.max-size", '"5XB"', """expected a size such as 50000000, "50MB" or "1G", found '5XB'"""),
    ("jmap.email.max-size", "true", 'expected a size such as 50000000, "50MB" or "1G", found true'),
    ("jmap.email.max-size", "-5", "the number -5 is out of range (0 to 2^53-1)"),
    ("jmap.email.max-size", "{a = 1}", 'expected a size such as 50000000, "50MB" or "1G", found a table'),
    ("jmap.mailbox.max-depth", '"5"', "expected a whole number, at least 1, found '5'"),
    ("jmap.mailbox.max-depth", "5.5", "expected a whole number, at least 1, found the number 5.5"),
    ("jmap.mailbox.max-depth", "0", "the number 0 is too small: at least 1"),
    ("jmap.mailbox.max-name-length", "99", "the number 99 is too small: at least 100"),
    ("jmap.http.compression", '"yes"', "expected true or false, found 'yes'"),
    ("jmap.http.compression", "[1, 2]", "expected true or false, found a list of 2"),
    (
        "jmap.protocol.upload.ttl",
        "3600",
        'expected a duration such as "30s", "5m", "1h" or "30d", found the number 3600',
    ),
    ("jmap.protocol.upload.ttl", '"1ms"', "'1ms' is not a whole number of seconds"),
    (
        "jmap.protocol.changes.max-history",
        "1979-05-27",
        'expected a duration such as "30s", "5m", "1h" or "30d", or false, found the date 1979-05-27',
    ),
    (
        "jmap.protocol.request.max-concurrent",
        "true",
        "expected a whole number, at least 1, or false, found true",
    ),
    ("store.type", '"oracle"', "expected \"sqlite\", found 'oracle'"),
    ("store.path", '""', "expected a path, found ''"),
    ("log.level", '"loud"', 'expected "debug" or "info" or "warning" or "error", found \'loud\''),
    ("log.level", "1", 'expected "debug" or "info" or "warning" or "error", found the number 1'),
    ("server.hostname", '"a b"', "expected a host name or an IP address, found 'a b'"),
    ("server", "5", "expected a table, found the number 5"),
    ("jmap.http.headers", '["X"]', "expected a header line \"Name: value\", found 'X'"),
    ("jmap.http.headers", "[5]", 'expected a header line "Name: value", found the number 5'),
    ("jmap.http.headers", '"X Y: z"', "'X Y' is not a header name"),
    (
        "jmap.http.headers",
        '"X: a\\nb"',
        "header X: control characters and characters outside ASCII are not allowed in its value",
    ),
    ("jmap.http.headers", '"content-length: 5"', "header content-length is set by the server itself"),
]


@pytest.mark.parametrize(("key", "value", "message"), WRONG_KINDS)
def test_a_wrong_value_says_what_was_expected_and_what_was_found(key: str, value: str, message: str) -> None:
    # In front of GOOD, as a dotted key of the root table, on line 2.
    text = GOOD.replace("[jmap]\n", "[jmap]\n#")
    top = f"#\n{key} = {value}\njmap.directory = 'memory'\n"
    text = top + text.replace('[jmap]\n#directory = "memory"\n', "")
    if key == "server":
        text = text.replace("[server.listener.jmap]", "[x]").replace("bind", "#")
        assert f"c.toml:2: {key}: {message}" in mistakes(text)
    else:
        text = text.replace("[server.listener.jmap]\nbind = ", "server.listener.jmap.bind = ")
        assert mistakes(text) == [f"c.toml:2: {key}: {message}"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('bind = ["127.0.0.1"]', "bind: expected an address and port such as"),
        ('bind = ["127.0.0.256:80"]', "bind: expected an address and port such as"),
        ('bind = ["::1:80"]', "bind: expected an address and port such as"),
        ('bind = ["[::g]:80"]', "bind: expected an address and port such as"),
        ('bind = [":80"]', "bind: expected an address and port such as"),
        ('bind = ["127.0.0.1:http"]', "bind: expected an address and port such as"),
        ('bind = ["127.0.0.1:65536"]', "bind: port 65536 is out of range (0 to 65535)"),
        ("bind = []", "bind: at least one address is required"),
        ('bind = "127.0.0.1:8080"', "bind: 127.0.0.1:8080 is bound already on line 2"),
        ('bind = "1.2.3.4:1"\nurl = "ftp://a"', "url: scheme 'ftp' is not served (use https or http)"),
        (
            'bind = "1.2.3.4:1"\nurl = "http://a/b"',
            "url: 'http://a/b' has a path: only scheme, host and port",
        ),
        (
            'bind = "1.2.3.4:1"\nurl = "http://a?b"',
            "url: 'http://a?b' has a path: only scheme, host and port",
        ),
        ('bind = "1.2.3.4:1"\nurl = "http://u@a"', "url: expected scheme, host and port such as"),
        ('bind = "1.2.3.4:1"\nurl = "http://"', "url: expected scheme, host and port such as"),
        ('bind = "1.2.3.4:1"\nurl = "http://a:99999"', "url: port 99999 is out of range (0 to 65535)"),
        (
            'bind = "1.2.3.4:1"\ntls.implicit = true',
            "tls.implicit: TLS needs a certificate, and tls.certificate",
        ),
        ('bind = "1.2.3.4:1"\ntls.certificate = "x"', "tls.certificate: there is no certificate 'x'"),
        ('bind = "1.2.3.4:1"\nprotocol = "imap"', "protocol: 'imap' is not spoken here: only JMAP clients"),
        (
            'bind = "1.2.3.4:1"\nproxy.trusted-networks = "10.0.0.0/33"',
            "proxy.trusted-networks: expected a network",
        ),
        (
            'protocol = "lmtp"\nbind = ["1.2.3.4:24", "1.2.3.4:25"]',
            "bind: LMTP must not be spoken on port 25, which is that of SMTP",
        ),
        (
            'protocol = "lmtp"\nbind = "1.2.3.4:1"\nproxy.trusted-networks = "10.0.0.1"',
            "proxy.trusted-networks: is for protocol 'jmap' or 'admin', and this one is 'lmtp'",
        ),
        (
            'bind = "1.2.3.4:1"\ntls.ciphers = ["ECDHE-RSA-AES256-GCM-SHA384", "AES999"]',
            "tls.ciphers: OpenSSL has no cipher 'AES999'",
        ),
        ('bind = "1.2.3.4:1"\ntls.ciphers = "TLS13_AES_512"', "tls.ciphers: OpenSSL has no cipher 'TLS_AES_512'"),
        (
            'bind = "1.2.3.4:1"\ntls.ciphers = "TLS13_AES_256_GCM_SHA384"',
            "tls.ciphers: leaves none for TLS 1.2: name one, or say tls.protocols",
        ),
        ('protocol = "smtp"\nbind = "1.2.3.4:1"\nurl = "a"', "url: is for protocol 'jmap', and this one is 'smtp'"),
    ],
)
def test_a_listener_that_cannot_be_is_a_mistake(line: str, message: str) -> None:
    at = 7 + line.count("\n") + 1
    [only] = mistakes(f"{GOOD}[server.listener.x]\n{line}\n")
    assert only.startswith(f"c.toml:{at}: server.listener.x.{message}")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://u:SE@CRET@h/x", "has an @ in the user name or the password: write %40"),
        ("postgres://u:SE CRET@h/x", "has a space: write %20"),
        ("postgresql://u:SE%CRET@h/x", "has a % that stands for itself: write %25"),
        ("postgresql://u:SE/CRET@h/x", "has a port that is no number; in a password, write %2F for a /"),
        ("postgresql://u:SE?CRET@h/x", "has a port that is no number; in a password, write %2F for a /"),
        ("mysql://u:SECRET@h/x", "expected"),
    ],
)
def test_the_url_of_a_database_is_coded_and_a_password_in_it_is_not_shown(url: str, message: str) -> None:
    [only] = mistakes(f'{GOOD}[directory.x]\ntype = "sql"\nquery.name = "SELECT ?"\nurl = "{url}"\n')
    assert only.startswith(f"c.toml:10: directory.x.url: {message}")
    assert "CRET" not in only


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%40%25@h:5432/x?sslmode=require",
        "postgresql://%2Frun%2Fpg/x?user=a@b",
        "postgresql:///x",
        "postgres://[::1]:5432/x",
        "postgresql://u@a:1,b:2/x",
        "sqlite:///a b@c%d",
    ],
)
def test_the_url_of_a_database_may_have_many_forms(url: str) -> None:
    text = f'{GOOD}[directory.x]\ntype = "sql"\nquery.name = "SELECT ?"\nurl = "{url}"\n'
    assert parse(text, "c.toml").directories[1].url == url


@pytest.mark.parametrize(
    ("cert", "key", "line", "name", "message"),
    [
        ("other.pem", "key.pem", 9, "private-key", "key.pem' holds the key of another certificate than '{}/other.pem'"),
        ("cert.pem", "cert.pem", 9, "private-key", "cert.pem' holds no private key, or one with a password"),
        ("key.pem", "key.pem", 8, "cert", "key.pem' holds no certificate"),
        ("cert.pem", "folder", 9, "private-key", "folder' cannot be used: Is a directory"),
    ],
)
def test_a_certificate_needs_its_own_key(
    cert: str, key: str, line: int, name: str, message: str, tmp_path: Path
) -> None:
    authority = trustme.CA()
    made = authority.issue_cert("localhost")
    made.private_key_pem.write_to_path(tmp_path / "key.pem")
    made.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.issue_cert("localhost").cert_chain_pems[0].write_to_path(tmp_path / "other.pem")
    (tmp_path / "folder").mkdir()
    [only] = mistakes(f'{GOOD}[certificate.x]\ncert = "{cert}"\nprivate-key = "{key}"\n', tmp_path / "c.toml")
    wanted = f"{tmp_path}/c.toml:{line}: certificate.x.{name}: '{tmp_path}/{message.format(tmp_path)}"
    assert only == wanted


@pytest.mark.parametrize("name", ["pipe", "zero"])
def test_what_may_never_end_is_not_read(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    text = f"""
    server = {{ hostname = "%{{file:{name}}}%", listener.jmap.bind = "127.0.0.1:8080" }}
    jmap.directory = "l"
    certificate.x = {{ cert = "{name}", private-key = "{name}" }}
    directory.l = {{ type = "ldap", url = "ldaps://a", base-dn = "x", filter.name = "(uid=?)", tls.ca = "{name}" }}
    """
    assert [one.partition(": ")[2] for one in mistakes(text, tmp_path / "c.toml")] == [
        f"server.hostname: '{name}' cannot be read: Is no regular file",
        f"certificate.x.cert: '{tmp_path}/{name}' cannot be used: Is no regular file",
        f"certificate.x.private-key: '{tmp_path}/{name}' cannot be used: Is no regular file",
        f"directory.l.tls.ca: '{tmp_path}/{name}' cannot be used: Is no regular file",
    ]
    included = mistakes(f'include = "{name}"\n{text}', tmp_path / "c.toml")
    assert f"{tmp_path}/{name}: cannot be read: Is no regular file" in included
    with pytest.raises(ConfigError, match="cannot be read: Is no regular file"):
        load(tmp_path / name)


def test_a_file_has_a_largest_size(tmp_path: Path) -> None:
    with (tmp_path / "c.toml").open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(ConfigError, match="cannot be read: File too large"):
        load(tmp_path / "c.toml")


@pytest.mark.parametrize("setting", ['store.path = "file"\n', 'store.path = "file/beneath"\n', ""])
def test_the_store_is_no_file(setting: str, tmp_path: Path) -> None:
    name = "file" if setting else "data"
    (tmp_path / name).touch()
    [only] = mistakes(setting + GOOD, tmp_path / "c.toml")
    assert only == f"{tmp_path}/c.toml:1: store.path: '{tmp_path}/{name}' is there already and is no directory"


def test_a_certificate_that_is_not_used_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "x.pem").touch()
    text = f"""{GOOD}[certificate.x]
cert = "x.pem"
private-key = "file://none.pem"
[server.listener.x]
bind = "127.0.0.1:0"
tls.certificate = "x"
"""
    assert mistakes(text, tmp_path / "c.toml") == [
        f"{tmp_path}/c.toml:9: certificate.x.private-key: '{tmp_path}/none.pem' cannot be used: "
        "No such file or directory",
        f"{tmp_path}/c.toml:12: server.listener.x.tls.certificate: is not used: tls.implicit is not set",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('member-of = ["jane"]', "member-of: 'jane' is of type 'individual', and only a group has members"),
        ('member-of = ["staff"]', "member-of: there is no group 'staff'"),
        ('email = ["jane"]', 'email: expected an e-mail address such as "jane@example.org"'),
        ('email = ["Jane <j@x.org>"]', "email: expected an e-mail address such as"),
        ('quota = "much"', "quota: expected a size such as"),
        ('type = "superuser"', 'type: expected "individual" or "admin" or "group", found'),
        ('tokens = ["sha256:abc"]', 'tokens: expected "sha256:HEX" or "TOKEN NAME:sha256:HEX", with 64'),
        ('secret = ""', "secret: is empty: nobody could log in, or everybody"),
        ('secret = "$2y$10$abc"', "secret: is no whole hash of the kind $2y$, or that kind is not supported"),
        ('secret = "$y$j9T$abc$def"', "secret: is no whole hash of the kind $y$, or that kind is not supported"),
        ('secret = "{SSHA}abc"', "secret: is no whole hash of the kind {SSHA}, or that kind is not supported"),
        ('secret = "{UNKNOWN}abc"', "secret: is no whole hash of the kind {UNKNOWN}, or that kind is not supported"),
        ('secret = "$argon2id$v=19$m=65536"', "secret: is not a whole argon2 hash"),
    ],
)
def test_a_principal_that_cannot_be_is_a_mistake(line: str, message: str) -> None:
    [only] = mistakes(principal(line))
    assert only.startswith(f"c.toml:9: directory.memory.principals[0].{message}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ('"a:b"', "'a:b' has a colon, which a log-in name cannot have (RFC 7617 §2)"),
        ('" a"', "' a' begins or ends with a space"),
        ('""', "is empty"),
        ('"a\\u0007"', "control characters are not allowed in 'a\\u0007'"),
    ],
)
def test_a_name_that_nobody_can_log_in_with_is_a_mistake(name: str, message: str) -> None:
    text = f"{GOOD}[[directory.memory.principals]]\nname = {name}\n"
    assert mistakes(text) == [f"c.toml:8: directory.memory.principals[0].name: {message}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('type = "ldap"', "c.toml:7: directory.x.url: a directory of type ldap needs it"),
        ('type = "sql"\nurl = "ldap://h"', "c.toml:9: directory.x.url: begins with sqlite:// or postgresql:// or"),
        ('type = "memory"\nbase-dn = "x"', "c.toml:9: directory.x.base-dn: is for directories of type ldap, and"),
        (
            'type = "memory"\nquery.name = "x ?"',
            "c.toml:9: directory.x.query.name: is for directories of type sql",
        ),
        ('type = "sql"\nquery.name = "SELECT 1"', "c.toml:9: directory.x.query.name: needs a ? where the value goes"),
        (
            'type = "memory"\noptions.catch-all = { map = "(", to = "x" }',
            "c.toml:9: directory.x.options.catch-all: '(' is not a regular expression: missing ), ",
        ),
        (
            'type = "memory"\noptions.subaddressing = { map = "(.)", to = "${2}" }',
            "c.toml:9: directory.x.options.subaddressing: '(.)' has no group 2",
        ),
        (
            'type = "memory"\noptions.catch-all = { to = "x" }',
            "c.toml:9: directory.x.options.catch-all: expected true, ",
        ),
        ('type = "oidc"', "c.toml:8: directory.x.type: 'oidc' is not known here"),
        ('type = "memory"\nstore = "y"', "c.toml:9: directory.x.store: is for directories of type sql, and this"),
        ('type = "sql"\nstore = "y"', "c.toml:9: directory.x.store: there is no table [store.'y']"),
        ('[store.y]\ntype = "redis"', "c.toml:9: store.y.type: 'redis' is not known here: mail is kept where [store]"),
        ('[store.y]\ntype = "sqlite"', "c.toml:9: store.y.path: a database of type sqlite needs it"),
        ('[store.y]\ntype = "sqlite"\npath = "x"', "c.toml:8: store.y: no directory names it as its store, and mail"),
        (
            '[store.y]\ntype = "postgresql"\ndatabase = "x"\npath = "x"',
            "c.toml:11: store.y.path: is for databases of type sqlite",
        ),
        (
            'type = "sql"\nstore = "y"\nurl = "sqlite:///x"\n[store.y]\ntype = "sqlite"\npath = "x"',
            "c.toml:10: directory.x.url: is set by store.y on line 11 already",
        ),
        (
            'type = "sql"\nstore = "y"\nquery.name = "?"\n[store.y]\ntype = "sqlite"\npath = "x"\nquery.name = "?"',
            "c.toml:10: directory.x.query.name: is set by store.y.query.name on line 14 already",
        ),
        (
            'type = "sql"\nstore = "y"\n[store.y]\ntype = "sqlite"\npath = "x"\nquery.name = "x"',
            "c.toml:13: store.y.query.name: needs a ? where the value goes that is looked for",
        ),
    ],
)
def test_a_directory_that_cannot_be_is_a_mistake(text: str, message: str) -> None:
    assert any(line.startswith(message) for line in mistakes(f"{GOOD}[directory.x]\n{text}\n"))


def test_the_role_of_a_folder_is_one_that_exists() -> None:
    [line] = mistakes(f'{GOOD}[jmap.folders.shared]\nname = "Shared"\n')
    assert line.startswith("c.toml:7: jmap.folders.shared: is a folder of IMAP")
    [line] = mistakes(f'{GOOD}[jmap.folders.spam]\nname = "Spam"\n')
    assert line.startswith("c.toml:7: jmap.folders.spam: 'spam' is no role (there is 'inbox', ")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('archive.name = "Sent"', "8: jmap.folders.archive.name: 'Sent' is the name of another mailbox"),
        (
            'sent.subscribe = false\narchive.name = "sent"',
            "9: jmap.folders.archive.name: 'sent' is the name of another",
        ),
        ('all.name = "A"\njunk.name = "A"', "8: jmap.folders.all.name: 'A' is the name of another mailbox"),
        (
            'junk.aliases = "Spam, X"\ntrash.aliases = ["Bin", "x"]',
            "9: jmap.folders.trash.aliases: 'x' is 'junk' already on line 8",
        ),
        ("inbox.create = false", "8: jmap.folders.inbox.create: there is no account without an inbox"),
    ],
)
def test_mailboxes_that_an_account_begins_with_differ_in_name(text: str, line: str) -> None:
    [only] = mistakes(f"{GOOD}[jmap.folders]\n{text}\n")
    assert only.startswith(f"c.toml:{line}")
    assert parse(f'{GOOD}[jmap.folders]\nsent.create = false\narchive.name = "Sent"\n', "c.toml").folders


def test_principals_must_differ_in_name_and_address() -> None:
    text = f"""{GOOD}[[directory.memory.principals]]
name = "jane"
email = ["jane@x.org", "j@x.org"]
[[directory.memory.principals]]
name = "jane"
[[directory.memory.principals]]
name = "joe"
email = [
  "joe@x.org",
  "J@X.org",
]
[[directory.memory.principals]]
name = "joe@x.org"
"""
    assert mistakes(text) == [
        "c.toml:11: directory.memory.principals[1].name: 'jane' is the name of another principal on line 8",
        "c.toml:15: directory.memory.principals[2].email: 'joe@x.org' belongs to another principal, on line 19",
        "c.toml:16: directory.memory.principals[2].email: 'J@X.org' belongs to another principal, on line 9",
    ]


def test_one_principal_may_be_named_by_its_own_address() -> None:
    text = GOOD + '[[directory.memory.principals]]\nname = "a@x.org"\nemail = ["A@x.org", "a@x.org"]\n'
    assert parse(text, "c.toml").directory.principals[0].emails == ("A@x.org", "a@x.org")


def test_what_is_required_and_missing_is_named_where_it_belongs() -> None:
    text = """\
[server]
hostname = "a"
[server.listener.x]
url = "http://a"
[certificate.c]
[directory.memory]
[[directory.memory.principals]]
[[directory.memory.principals]]
"""
    assert [line.partition(": is required: ")[0] for line in mistakes(text)] == [
        "c.toml:1: jmap.directory",
        "c.toml:3: server.listener.x.bind",
        "c.toml:5: certificate.c.cert",
        "c.toml:5: certificate.c.private-key",
        "c.toml:6: directory.memory.type",
        "c.toml:7: directory.memory.principals[0].name",
        "c.toml:8: directory.memory.principals[1].name",
    ]


def test_an_empty_file_lacks_a_listener_and_a_directory() -> None:
    assert mistakes("") == [
        "c.toml:1: jmap.directory: is required: a string of one line",
        "c.toml:1: server.listener: at least one listener is required",
    ]


def test_an_unknown_directory_is_a_mistake_that_names_those_there_are() -> None:
    assert mistakes(GOOD.replace('directory = "memory"', 'directory = "ldap"')) == [
        "c.toml:4: jmap.directory: there is no directory 'ldap' (there is 'memory')"
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            '[storage]\ndirectory = "memory"',
            "c.toml:8: storage.directory: is the same as jmap.directory, which is set on line 4",
        ),
        (
            '[http]\nheaders = []\n[jmap.http]\nheaders = ["A: b"]',
            "c.toml:10: jmap.http.headers: is the same as http.headers, which is set on line 8",
        ),
        (
            '[[directory.memory.principals]]\nname = "x"\ntype = "group"\n\nclass = "group"',
            "c.toml:11: directory.memory.principals[0].class: is the same as "
            "directory.memory.principals[0].type, which is set on line 9",
        ),
    ],
)
def test_the_same_thing_under_two_names_is_a_mistake_that_names_both_lines(text: str, line: str) -> None:
    assert mistakes(GOOD + text) == [line]


def test_five_mistakes_are_five_lines_in_order() -> None:
    text = """\
[server.listener.jmap]
bind = ["127.0.0.1:99999",
        "127.0.0.1:80", # this is good
        "nowhere"]
prot = "jmap"
[jmap]
directory = "memory"
mailbox = { max-depth = "ten" }
[directory.memory]
type = "memory"
principals = [ { name = "a" },
    { name = "b", member-of = "c" } ]
"""
    assert [line.split(": ")[0] for line in mistakes(text)] == [f"c.toml:{n}" for n in (2, 4, 5, 8, 12)]


def test_an_environment_variable_that_is_not_set_is_a_mistake() -> None:
    assert mistakes(principal('secret = "%{env:PW}%"')) == [
        "c.toml:9: directory.memory.principals[0].secret: the environment variable 'PW' is not set"
    ]


def test_a_file_that_cannot_be_put_in_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "octets").write_bytes(b"\xff")
    file = tmp_path / "c.toml"
    where = f"{file}:9: directory.memory.principals[0].secret"
    assert mistakes(principal('secret = "%{file:pw}%"'), file) == [
        f"{where}: 'pw' cannot be read: No such file or directory"
    ]
    assert mistakes(principal('secret = "%{file:octets}%"'), file) == [f"{where}: 'octets' is not a text file in UTF-8"]


def test_a_macro_of_ones_own_is_a_mistake() -> None:
    [line] = mistakes(f'{GOOD}[store]\npath = "%{{BASE_PATH}}%/data"\n')
    assert line.startswith("c.toml:8: store.path: '%{BASE_PATH}%' is unknown: there are %{env:NAME}%")


def test_an_unknown_macro_is_a_mistake() -> None:
    assert mistakes(principal('description = "%{cfg:x}%"')) == [
        "c.toml:9: directory.memory.principals[0].description: '%{cfg:x}%' is unknown: "
        "there are %{env:NAME}% and %{file:PATH}%"
    ]


def test_no_secret_appears_in_a_mistake() -> None:
    secret = "hunter2-" * 3
    for line in (f'secret = [["{secret}"]]', f'tokens = "{secret}"', f'secret = "$6${secret}"'):
        assert secret not in "".join(mistakes(principal(line)))
    [only] = mistakes(GOOD + '[[directory.memory.principals]]\nname = "%{env:PW}%"', PW=f"{secret}:")
    assert secret not in only
    for line in (
        'quota = "%{env:PW}%"',
        'email = "%{env:PW}%"',
        'type = "%{env:PW}%"',
        'tokens = "%{env:PW}%"',
    ):
        [only] = mistakes(principal(line), PW=secret)
        assert secret not in only
        assert only.endswith("found what '%{env:PW}%' stands for")


def test_a_long_key_is_cut_short() -> None:
    [line] = mistakes(GOOD + "a" * 10_000 + " = 1")
    assert len(line) < 200


def test_a_key_with_control_characters_is_shown_on_one_line() -> None:
    [line] = mistakes(GOOD + '"a\\u001b\\u2028\\u0085b" = 1')
    assert line.isprintable()


def test_a_fixture_is_one_process() -> None:
    text = GOOD + "[dev]\nenable = true\n[server]\nworkers = {}\n"
    assert parse(text.format(1), "c.toml").dev.enable
    assert mistakes(text.format(2)) == [
        "c.toml:10: server.workers: cannot be more than 1 with dev.enable, which is set on line 8"
    ]
