"""Databases that have a table of their own: what stands there is lent to the directories that name them."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from jmaplite.config.kinds import quoted
from jmaplite.config.sections import options
from jmaplite.config.settings import Names, Setting, Settings, dotted
from jmaplite.config.table.directories import Database

_STORE = "store.<id>"
_DIRECTORY = "directory.<id>"

_LENT = {
    option.name: f"{_DIRECTORY}.{rest}"
    for option in options(Database)
    if (rest := option.name.removeprefix(f"{_STORE}.")).startswith(("query.", "pool."))
} | {f"{_STORE}.timeout": f"{_DIRECTORY}.pool.timeout.create"}
"""Options that mean the same in the table of a directory."""

_NEEDED = {"sqlite": "path", "postgresql": "database"}
_ONLY = {"sqlite": ("path",), "postgresql": ("host", "port", "database", "user", "password", "tls.")}


def lend(settings: Settings) -> None:
    """Settle for each directory what stands in the table of its database, and note what is wrong with those tables."""
    there = settings.instances(_STORE)
    used: set[Names] = set()
    for names, named in settings.all(f"{_DIRECTORY}.store").items():
        store: Names = (named.value,)
        used.add(store)
        if store not in there:
            settings.mistake(named.place, named.key, f"there is no table [store.{quoted(named.value)}]")
            settings.claim(f"{_DIRECTORY}.url", names, named)
            settings.claim(f"{_DIRECTORY}.query.name", names, named)
            continue
        for name, target in _LENT.items():
            if settings.was_wrong(name, store):
                settings.lend(target, names, settings.get(name, store) or named)
        settings.lend(
            f"{_DIRECTORY}.url", names, Setting(_url(settings, store), dotted(("store", *store)), there[store])
        )
    for store, place in there.items():
        kind = settings.get(f"{_STORE}.type", store)
        if kind is not None:
            _check(settings, kind, store)
            if store not in used:
                message = "no directory names it as its store, and mail is kept where [store] path says"
                settings.mistake(place, dotted(("store", *store)), message)


def _check(settings: Settings, kind: Setting, store: Names) -> None:
    needed = _NEEDED[kind.value]
    if not settings.was_wrong(f"{_STORE}.{needed}", store):
        settings.mistake(kind.place, dotted(("store", *store, needed)), f"a database of type {kind.value} needs it")
    for other, beginnings in _ONLY.items():
        for names, setting in settings.beginning(tuple(f"{_STORE}.{name}" for name in beginnings)):
            if names == store and other != kind.value:
                settings.mistake(setting.place, setting.key, f"is for databases of type {other}")


def _url(settings: Settings, store: Names) -> str:
    """Where a database is, as a directory has it."""

    def told(name: str, default: object) -> str:
        setting = settings.get(f"{_STORE}.{name}", store)
        return str(default if setting is None else setting.value)

    if told("type", "") == "sqlite":
        return f"sqlite://{told('path', '/')}"
    user, password, host, port = told("user", ""), told("password", ""), told("host", Database.host), told("port", 5432)
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "") + ("@" if user else "")
    more = {"host": host, "port": port} if host.startswith("/") else {}
    if told("tls.enable", False) == "True":
        anybody = told("tls.allow-invalid-certs", False) == "True"
        more |= {"sslmode": "require"} if anybody else {"sslmode": "verify-full", "sslrootcert": "system"}
    place = "" if host.startswith("/") else f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"postgresql://{login}{place}/{quote(told('database', ''), safe='')}" + (
        f"?{urlencode(more)}" if more else ""
    )
