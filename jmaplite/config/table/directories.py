"""Who the users are: directories in this file, in a database, or in LDAP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jmaplite.config.addresses import DATABASE_HOST, DIRECTORY_URL, EMAIL, HOST, PORT, RECEIVER
from jmaplite.config.kinds import (
    BOOLEAN,
    FILE,
    LINE,
    LOGIN,
    MOMENT,
    PATH,
    RULE,
    SECONDS,
    SECRET,
    SECRET_TEXT,
    SIZE,
    STRING,
    TOKEN,
    Rewriting,
    at_least,
    choice,
    many,
)
from jmaplite.config.sections import option, part, rows, section

_OTHERS = ("internal", "imap", "smtp", "lmtp", "oidc")
_WHY = 'is not known here: there are "memory", "sql" and "ldap"'


@section("directory.<id>.principals[]")
class Principal:
    """A person or a group of a directory in memory. One `[[directory.\"NAME\".principals]]` for each."""

    name: str = option("name", LOGIN, "The name to log in with, which also names the account. It never changes.")
    type: str = option(
        "type",
        choice("individual", "admin", "group"),
        "`individual` is a person, `group` a shared account. `admin` is taken for a person: whoever may write this "
        "file administers, and nobody by a log-in.",
        default="individual",
        aliases=("class",),
    )
    description: str = option("description", STRING, "The name that people see.", default="")
    secrets: tuple[str, ...] = option(
        "secret",
        many(SECRET),
        "Password, plain or as a hash; each of several is good. Without one there is no logging in.",
        default=(),
        secret=True,
    )
    emails: tuple[str, ...] = option(
        "email",
        many(RECEIVER),
        "Addresses that receive mail here; the first is the sender of new mail. `@example.org` is all of a domain "
        "that nobody else receives.",
        default=(),
    )
    email_lists: tuple[str, ...] = option(
        "email-list", many(EMAIL), "Addresses of mailing lists that this principal is on.", default=()
    )
    quota: int = option("quota", SIZE, "Octets that the account may hold; 0 is without limit.", default=0)
    member_of: tuple[str, ...] = option(
        "member-of", many(LINE), "Groups whose accounts this principal sees.", default=()
    )
    tokens: tuple[str, ...] = option(
        "tokens",
        many(TOKEN),
        "Bearer tokens by their SHA-256 in hexadecimal, with or without a name in front.",
        default=(),
        secret=True,
    )


@section("directory.<id>.users[]")
class User(Principal):
    """A person, as the first versions of Stalwart have it. One `[[directory.\"NAME\".users]]` for each."""

    type: str = "individual"


@section("directory.<id>.groups[]")
class Group(Principal):
    """A group, as the first versions of Stalwart have it. One `[[directory.\"NAME\".groups]]` for each."""

    type: str = "group"


@section("directory.<id>.tokens[]")
class Token:
    """A token of a user of any kind of directory, good as a bearer token and in place of the password.

    `jmaplite token` writes them. One `[[directory.\"NAME\".tokens]]` for each.
    """

    user: str = option("user", LOGIN, "The name of the principal that it lets in.")
    name: str = option("name", LINE, "What it is called, such as the device that has it.")
    hash: str = option("hash", TOKEN, "Its SHA-256: `sha256:` and 64 hexadecimal digits.", secret=True)
    created: float | None = option("created", MOMENT, "When it was made.", default=None, shown="unknown")
    expires: float | None = option("expires", MOMENT, "Until when it is good.", default=None, shown="never")


@section("directory.<id>")
class Sql:
    """What a directory of type `sql` needs besides. Queries are given one value, for which `?` stands."""

    query_name: str = option(
        "query.name", STRING, "Answers one row about the principal of a log-in name, in the columns below.", default=""
    )
    query_members: str = option(
        "query.members", STRING, "Answers the groups that the principal of a name is a member of.", default=""
    )
    query_recipients: str = option(
        "query.recipients", STRING, "Answers the names of those who receive mail for an address.", default=""
    )
    query_emails: str = option(
        "query.emails", STRING, "Answers the addresses of the principal of a name, the first as sender.", default=""
    )
    query_secrets: str = option(
        "query.secrets", STRING, "Answers further secrets of the principal of a name.", default=""
    )
    query_verify: str = option("query.verify", STRING, "Taken, but nobody is told who is there (VRFY).", default="")
    query_expand: str = option("query.expand", STRING, "Answers the addresses on a mailing list.", default="")
    query_principals: str = option(
        "query.principals",
        STRING,
        "Answers the names of all principals, without a value; for commands that go through every account.",
        default="",
    )
    query_domains: str = option("query.domains", STRING, "Answers a row if a domain is at home here.", default="")
    column_name: str = option("columns.name", LINE, "The column with the name.", default="name")
    column_type: str = option(
        "columns.type", LINE, "The column with the type.", default="type", aliases=("columns.class",)
    )
    column_description: str = option(
        "columns.description", LINE, "The column with the name for people.", default="description"
    )
    column_secret: str = option("columns.secret", LINE, "The column with the secret.", default="secret")
    column_email: str = option("columns.email", LINE, "The column with the addresses.", default="email")
    column_quota: str = option("columns.quota", LINE, "The column with the quota, in octets.", default="quota")


_KEPT = "is not known here: mail is kept where [store] path says, and directories read sqlite and postgresql"


@section("store.<id>")
class Database:
    """A database that directories of type `sql` read, as later versions of Stalwart have it. One table for each."""

    id: str
    type: str = option(
        "type",
        choice(
            *("sqlite", "postgresql"),
            refused=dict.fromkeys(("mysql", "rocksdb", "foundationdb", "redis", "s3", "fs", "elasticsearch"), _KEPT),
        ),
        "The kind of database.",
    )
    path: Path | None = option("path", PATH, "The file of one of type `sqlite`.", default=None, shown='""')
    host: str = option(
        "host",
        DATABASE_HOST,
        "Where one of type `postgresql` is: a host, or the directory of its socket.",
        default="localhost",
    )
    port: int = option("port", PORT, "Its port.", default=5432)
    database: str = option("database", LINE, "Its name there.", default="")
    user: str = option("user", LINE, "Whom to log in as; not set: who runs the server.", default="")
    password: str = option("password", SECRET_TEXT, "The password for that.", default="", secret=True)
    tls_enable: bool = option("tls.enable", BOOLEAN, "Speak nothing but TLS with it.", default=False)
    tls_allow_invalid_certs: bool = option(
        "tls.allow-invalid-certs", BOOLEAN, "Accept a certificate of anybody.", default=False
    )
    timeout: int = option("timeout", SECONDS, "How long a connection may take.", default=30, shown='"30s"')
    pool_max_connections: int = option("pool.max-connections", at_least(1), "Connections to it.", default=10)
    query_name: str = option("query.name", STRING, "As in the table of a directory, and so are the others.", default="")
    query_members: str = option("query.members", STRING, "The groups of somebody.", default="")
    query_recipients: str = option("query.recipients", STRING, "Who receives mail for an address.", default="")
    query_emails: str = option("query.emails", STRING, "The addresses of somebody.", default="")
    query_secrets: str = option("query.secrets", STRING, "Further secrets of somebody.", default="")
    query_verify: str = option("query.verify", STRING, "Taken, but nobody is told who is there (VRFY).", default="")
    query_expand: str = option("query.expand", STRING, "The addresses on a mailing list.", default="")
    query_principals: str = option("query.principals", STRING, "The names of all principals.", default="")
    query_domains: str = option("query.domains", STRING, "Whether a domain is at home here.", default="")


@section("directory.<id>")
class Ldap:
    """What a directory of type `ldap` needs besides. In filters and names, `?` stands for what is looked for."""

    base_dn: str = option("base-dn", LINE, "Where entries are searched beneath.", default="")
    timeout: int = option("timeout", SECONDS, "How long the server may take to answer.", default=30, shown='"30s"')
    bind_dn: str = option("bind.dn", LINE, "As whom to search; not set: as nobody.", default="")
    bind_secret: str = option("bind.secret", SECRET_TEXT, "The password for that.", default="", secret=True)
    bind_auth_enable: bool = option(
        "bind.auth.enable",
        BOOLEAN,
        "Check passwords by binding as the user, not by the entry's secret.",
        default=False,
    )
    bind_auth_dn: str = option(
        "bind.auth.dn",
        LINE,
        "The DN to bind as, with a `?` for the log-in name; not set: the DN of the entry that is found.",
        default="",
    )
    bind_auth_search: bool = option(
        "bind.auth.search", BOOLEAN, "Then search for the entry as that user, not as `bind.dn`.", default=True
    )
    tls_enable: bool = option("tls.enable", BOOLEAN, "Begin TLS with StartTLS.", default=False)
    tls_allow_invalid_certs: bool = option(
        "tls.allow-invalid-certs", BOOLEAN, "Accept a certificate of anybody.", default=False
    )
    tls_ca: Path | None = option(
        "tls.ca",
        FILE,
        "A file of certificates to believe, in PEM.",
        default=None,
        shown="the system's",
    )
    filter_name: str = option("filter.name", LINE, "Finds the entry of a log-in name.", default="")
    filter_email: str = option("filter.email", LINE, "Finds the entries of an address.", default="")
    filter_verify: str = option("filter.verify", LINE, "Taken, but nobody is told who is there (VRFY).", default="")
    filter_expand: str = option("filter.expand", LINE, "Finds the entries that are on a mailing list.", default="")
    filter_domains: str = option("filter.domains", LINE, "Finds whether a domain is at home here.", default="")
    filter_groups: str = option(
        "filter.groups",
        LINE,
        "Finds the groups of a member by its DN, such as `(&(objectClass=groupOfNames)(member=?))`, where entries "
        "do not name their groups themselves.",
        default="",
    )
    filter_groups_by_name: str = option(
        "filter.groups-by-name",
        LINE,
        "Finds the groups of a member by its name, such as `(&(objectClass=posixGroup)(memberUid=?))`.",
        default="",
    )
    attribute_name: tuple[str, ...] = option(
        "attributes.name", many(LINE), "The attribute with the name.", default=("uid",)
    )
    attribute_type: tuple[str, ...] = option(
        "attributes.type",
        many(LINE),
        "The attribute that tells people from groups.",
        default=("objectClass",),
        aliases=("attributes.class",),
    )
    attribute_description: tuple[str, ...] = option(
        "attributes.description", many(LINE), "The attribute with the name for people.", default=("description",)
    )
    attribute_secret: tuple[str, ...] = option(
        "attributes.secret", many(LINE), "The attribute with the secret.", default=("userPassword",)
    )
    attribute_groups: tuple[str, ...] = option(
        "attributes.groups", many(LINE), "The attribute with the groups, by name or by DN.", default=("memberOf",)
    )
    attribute_email: tuple[str, ...] = option(
        "attributes.email", many(LINE), "The attribute with the first address.", default=("mail",)
    )
    attribute_email_alias: tuple[str, ...] = option(
        "attributes.email-alias", many(LINE), "The attribute with further addresses.", default=()
    )
    attribute_quota: tuple[str, ...] = option(
        "attributes.quota", many(LINE), "The attribute with the quota, in octets.", default=()
    )
    class_user: tuple[str, ...] = option(
        "object-classes.user",
        many(LINE),
        "Object classes of people. Not set: whatever the filters find, and is no group, is a person.",
        default=(),
    )
    class_group: tuple[str, ...] = option(
        "object-classes.group", many(LINE), "Object classes of groups.", default=("posixGroup", "groupOfNames")
    )


@section("directory.<id>")
class Directory:
    """A directory of users. One table for each; `jmap.directory` names the one in use."""

    id: str
    type: str = option(
        "type",
        choice("memory", "sql", "ldap", refused=dict.fromkeys(_OTHERS, _WHY)),
        "Where the users stand: `memory` is this file, `sql` a database, `ldap` an LDAP server.",
    )
    url: str = option(
        "url",
        DIRECTORY_URL,
        "Where a database (`sqlite:///PATH`, `postgresql://HOST/NAME`) or an LDAP server (`ldap://HOST`) is.",
        default="",
        aliases=("address",),
        secret=True,
    )
    store: str = option(
        "store",
        LINE,
        "The name of the `store` table that says where a database is and what is asked there, in place of `url` and "
        "`query`.",
        default="",
    )
    principal_rows: tuple[Principal, ...] = rows(Principal)
    user_rows: tuple[User, ...] = rows(User)
    group_rows: tuple[Group, ...] = rows(Group)
    tokens: tuple[Token, ...] = rows(Token)
    sql: Sql = part(Sql)
    ldap: Ldap = part(Ldap)
    disable: bool = option("disable", BOOLEAN, "Let nobody of this directory in.", default=False)
    superuser_group: str = option(
        "options.superuser-group", LINE, "The group whose members are of type `admin`.", default=""
    )
    subaddressing: bool | Rewriting = option(
        "options.subaddressing",
        RULE,
        "Deliver mail for `jane+news@example.org` to `jane@example.org`, or as a rule of your own says: what matches "
        "`map`, a regular expression, as a whole is taken for `to`, where `${1}` stands for the first group.",
        default=True,
        everywhere="session.rcpt.sub-addressing",
    )
    catch_all: bool | Rewriting = option(
        "options.catch-all",
        RULE,
        "Deliver mail for unknown addresses of a domain to whoever has `@` and the domain among the addresses, or as a "
        'rule of your own says, such as `{ map = "(.+)@(.+)", to = "info@${2}" }`.',
        default=True,
        everywhere="session.rcpt.catch-all",
    )
    domains: tuple[str, ...] = option(
        "lookup.domains",
        many(HOST),
        "Domains that are at home here besides those of the addresses: unknown addresses in them are refused.",
        default=(),
    )
    cache_size: int = option(
        "cache.size",
        at_least(0),
        "Answers of a database or an LDAP server that are remembered; 0 remembers none.",
        default=10_000,
        aliases=("cache.entries",),
    )
    cache_ttl_positive: int = option(
        "cache.ttl.positive",
        SECONDS,
        "How long somebody who is there is remembered; also, how long whoever has logged in may go on while the "
        "directory does not answer.",
        default=300,
        shown='"5m"',
    )
    cache_ttl_negative: int = option(
        "cache.ttl.negative", SECONDS, "How long it is remembered that nobody is there.", default=30, shown='"30s"'
    )
    pool_max_connections: int = option(
        "pool.max-connections", at_least(1), "Connections to the database or LDAP server.", default=10
    )
    pool_timeout_create: int = option(
        "pool.timeout.create", SECONDS, "How long a new connection may take.", default=30, shown='"30s"'
    )
    pool_timeout_wait: int = option(
        "pool.timeout.wait", SECONDS, "How long to wait for one that is free.", default=30, shown='"30s"'
    )
    pool_timeout_recycle: int = option(
        "pool.timeout.recycle", SECONDS, "When an idle one is looked at before it is used.", default=30, shown='"30s"'
    )

    @property
    def principals(self) -> tuple[Principal, ...]:
        """All people and groups that stand in the file, whichever way; members of `superuser_group` are admins."""
        listed = (*self.principal_rows, *self.user_rows, *self.group_rows)
        if not self.superuser_group:
            return listed
        return tuple(
            replace(one, type="admin") if one.type == "individual" and self.superuser_group in one.member_of else one
            for one in listed
        )
