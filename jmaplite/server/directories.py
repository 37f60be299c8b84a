"""The directory of users that a configuration names, its driver picked."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from jmaplite.config import Config, table
from jmaplite.config.kinds import Rewriting
from jmaplite.directory import Directory, DirectoryUnavailable, Principal
from jmaplite.directory.app_tokens import AppToken, AppTokens
from jmaplite.directory.memory import Entry, MemoryDirectory
from jmaplite.directory.routing import Routed, Rule, catch_all, mapped, subaddress
from jmaplite.directory.sql import Columns, Queries, SQLDirectory
from jmaplite.server.ground import CannotServe

_NOBODY = "jmaplite-tries-the-directory"
"""A log-in name that nobody has, to see whether a directory answers."""


def directory(config: Config, clock: Callable[[], float] = time.time) -> Directory:
    """The directory in use. `clock` tells when tokens expire. Raises CannotServe."""
    return _made(config, config.directory, clock)


def _made(config: Config, told: table.Directory, clock: Callable[[], float] = time.time) -> Directory:
    """One of the directories of a configuration. Nothing is connected yet. Raises CannotServe."""
    try:
        users = _DRIVERS[told.type](config, told) if not told.disable else MemoryDirectory(())
    except ImportError as error:
        message = f"a directory of type {told.type} needs the Python package {error.name}"
        raise CannotServe(f"directory {told.id}: {message} (pip install 'jmaplite[{_extra(told)}]')") from None
    except (ValueError, OSError) as error:
        raise CannotServe(f"directory {told.id}: {error}") from None
    is_elsewhere = told.type != "memory"
    routed = Routed(
        users,
        (*_rules(told.subaddressing, subaddress), *_rules(told.catch_all, catch_all)),
        domains=told.domains,
        positive=told.cache_ttl_positive,
        negative=told.cache_ttl_negative,
        size=told.cache_size if is_elsewhere else 0,
    )
    tokens = () if told.disable else told.tokens
    return AppTokens(routed, [AppToken(one.user, one.hash, one.expires) for one in tokens], clock)


def _rules(told: bool | Rewriting, usual: Rule) -> tuple[Rule, ...]:
    if isinstance(told, Rewriting):
        return (mapped(told.pattern, told.to),)
    return (usual,) if told else ()


def faults(config: Config) -> list[str]:
    """What is wrong with the directory in use when it is asked, in sentences; nothing if all is well."""
    try:
        users = directory(config)
    except CannotServe as error:
        return [str(error)]
    found = []
    questions: dict[str, Callable[[], object]] = {
        "a principal": lambda: users.principal(_NOBODY),
        "an address": lambda: users.recipients(f"{_NOBODY}@example.invalid"),
        "a domain": lambda: users.is_local("example.invalid"),
    }
    for what, ask in questions.items():
        try:
            ask()
        except DirectoryUnavailable as error:
            found.append((what, str(error)))
    users.close()
    if len({reason for _, reason in found}) == 1:
        return [f"does not answer: {found[0][1]}"]
    return [f"does not answer when {what} is looked for: {reason}" for what, reason in found]


def _memory(_: Config, told: table.Directory) -> Directory:
    return MemoryDirectory(map(_entry, told.principals))


def _sql(config: Config, told: table.Directory) -> Directory:
    sql = told.sql
    queries = Queries(
        sql.query_name,
        sql.query_members,
        sql.query_recipients,
        sql.query_emails,
        sql.query_expand,
        sql.query_domains,
        sql.query_secrets,
        sql.query_principals,
    )
    columns = Columns(
        sql.column_name,
        sql.column_description,
        sql.column_secret,
        sql.column_email,
        sql.column_quota,
        sql.column_type,
    )
    scheme, _, rest = told.url.partition("://")
    timeout, size = told.pool_timeout_create, told.pool_max_connections
    wait, recycle = told.pool_timeout_wait, told.pool_timeout_recycle
    if scheme == "sqlite":
        from jmaplite.directory.sql_sqlite import SQLiteUsers

        path = config.path.parent / Path(rest.partition("?")[0])
        return SQLDirectory(SQLiteUsers(path, timeout=timeout, size=size, wait=wait, recycle=recycle), queries, columns)
    from jmaplite.directory.sql_postgresql import PostgreSQLUsers

    users = PostgreSQLUsers(told.url, timeout=timeout, size=size, wait=wait, recycle=recycle)
    return SQLDirectory(users, queries, columns)


def _ldap(_: Config, told: table.Directory) -> Directory:
    from jmaplite.directory.ldap import Attributes, Bind, Filters, LDAPDirectory
    from jmaplite.directory.ldap_connection import LDAPServer

    ldap = told.ldap
    server = LDAPServer(
        told.url,
        start_tls=ldap.tls_enable,
        allow_invalid_certs=ldap.tls_allow_invalid_certs,
        ca=ldap.tls_ca,
        timeout=ldap.timeout,
    )
    return LDAPDirectory(
        server,
        ldap.base_dn,
        Filters(
            ldap.filter_name,
            ldap.filter_email,
            ldap.filter_expand,
            ldap.filter_domains,
            ldap.filter_groups,
            ldap.filter_groups_by_name,
        ),
        Attributes(
            ldap.attribute_name,
            ldap.attribute_type,
            ldap.attribute_description,
            ldap.attribute_secret,
            ldap.attribute_groups,
            ldap.attribute_email,
            ldap.attribute_email_alias,
            ldap.attribute_quota,
        ),
        Bind(ldap.bind_dn, ldap.bind_secret, ldap.bind_auth_enable, ldap.bind_auth_dn, ldap.bind_auth_search),
        classes=ldap.class_group,
        people=ldap.class_user,
        size=told.pool_max_connections,
        wait=told.pool_timeout_wait,
        recycle=told.pool_timeout_recycle,
    )


_DRIVERS: dict[str, Callable[[Config, table.Directory], Directory]] = {"memory": _memory, "sql": _sql, "ldap": _ldap}


def _extra(told: table.Directory) -> str:
    return "ldap" if told.type == "ldap" else "postgresql"


def _entry(principal: table.Principal) -> Entry:
    return Entry(
        Principal(
            principal.name,
            principal.type,  # type: ignore[arg-type]
            principal.description,
            principal.emails,
            principal.quota,
            principal.member_of,
        ),
        principal.secrets,
        principal.tokens,
        principal.email_lists,
    )
