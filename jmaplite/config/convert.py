"""An imapd.conf of Cyrus becomes a TOML configuration, as far as that can be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from jmaplite.config.load import parse
from jmaplite.config.mistakes import ConfigError, Mistake

_LINE = re.compile(r"([A-Za-z0-9_-]+)\s*:\s*(.*?)\s*", re.ASCII)
_CERTIFICATE = ("tls_server_cert", "tls_server_key")
_LDAP = {
    "ldap_uri": "url",
    "ldap_base": "base-dn",
    "ldap_bind_dn": "bind.dn",
    "ldap_password": "bind.secret",
    "ldap_filter": "filter.name",
}
"""Options of Cyrus's LDAP, and what they are in a directory here."""

_HEAD = """\
# Written by jmaplite convert-config from {source}.
# Bring the mail in with jmaplite import, and make the users known to the directory below.

"""
_TLS = """\
[server.listener."jmap"]
bind = ["[::]:443"]
protocol = "jmap"
tls = {{ implicit = true, certificate = "cyrus" }}

[certificate."cyrus"]
cert = {cert}
private-key = {key}
"""
_PLAIN = """\
[server.listener."jmap"]
bind = ["127.0.0.1:8080"] # a proxy that speaks TLS has to stand in front before others may reach it
protocol = "jmap"
"""
_MEMORY = """
[jmap]
directory = "memory"

[directory."memory"]
type = "memory"

# [[directory."memory".principals]] # one table for each user
# name = "jane@example.org"
# secret = "..."
# email = ["jane@example.org"]
"""
_NOT_READ = "is no line of the form `option: value`"


@dataclass(slots=True)
class Converted:
    """A configuration in TOML, and what of the other one is not in it: line, option and reason."""

    text: str = ""
    left_out: list[tuple[int, str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Given:
    line: int
    name: str
    value: str


def convert(text: str, source: str) -> Converted:
    """Convert the text of an imapd.conf; `source` is its name for people."""
    result = Converted()
    given = _given(text, result)
    tls = _taken(given, _CERTIFICATE)
    ldap = _taken(given, _LDAP)
    above = (
        _HEAD.format(source=json.dumps(source, ensure_ascii=False)) + _listener(tls, given) + _directory(ldap, given)
    )
    while _leave_out(_mistakes(_whole(above, given.values())), given, result):
        pass
    result.left_out.sort()
    result.text = _whole(above, given.values())
    left_out = [f"#   {line}: {name}: {reason}\n" for line, name, reason in result.left_out]
    if left_out:
        result.text += "".join(["\n# Left out of it, by line:\n", *left_out])
    return result


def _leave_out(mistakes: list[Mistake], given: dict[str, _Given], result: Converted) -> bool:
    """Take out the options that have a mistake; whether there was one, so that others may need them no more."""
    before = len(given)
    for mistake in mistakes:
        table, _, rest = mistake.key.partition(".")
        name = rest.partition(".")[0]
        if table == "imapd" and name in given:
            result.left_out.append((given.pop(name).line, name, mistake.message))
    return len(given) < before


def _given(text: str, result: Converted) -> dict[str, _Given]:
    """Every option with its line; of one that is set twice, the last."""
    given: dict[str, _Given] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            result.left_out.append((number, _printable(line.strip()[:40]), _NOT_READ))
            continue
        name = match[1].lower()
        if name in given:
            result.left_out.append((given[name].line, name, f"is set again on line {number}"))
        given[name] = _Given(number, name, _printable(match[2]))
    return given


def _printable(text: str) -> str:
    return "".join(one for one in text if one.isprintable())


def _taken(given: dict[str, _Given], names: tuple[str, ...] | dict[str, str]) -> dict[str, _Given]:
    return {name: given[name] for name in names if name in given}


def _listener(tls: dict[str, _Given], given: dict[str, _Given]) -> str:
    """Where to listen: with TLS if Cyrus has a certificate, and its files are there."""
    files = [tls[name].value for name in _CERTIFICATE if name in tls]
    if len(files) < len(_CERTIFICATE) or not all(Path(file).is_file() for file in files):
        return _PLAIN
    made = _TLS.format(cert=json.dumps(files[0], ensure_ascii=False), key=json.dumps(files[1], ensure_ascii=False))
    if _mistakes(made + _MEMORY):
        return _PLAIN
    for name in _CERTIFICATE:
        del given[name]
    return made


def _directory(ldap: dict[str, _Given], given: dict[str, _Given]) -> str:
    """Who the users are: those that Cyrus finds by LDAP, or somebody to be written down."""
    lines = [
        f"{_LDAP[name]} = {json.dumps(one.value.replace('%u', '?').replace('%U', '?'), ensure_ascii=False)}"
        for name, one in ldap.items()
    ]
    if "ldap_filter" not in ldap:
        lines.append('filter.name = "(uid=?)"')
    lines.append('filter.email = "(mail=?)"')
    lines.append("bind.auth.enable = true")
    made = "\n".join(['\n[jmap]\ndirectory = "ldap"\n\n[directory."ldap"]\ntype = "ldap"', *lines, ""])
    if not {"ldap_uri", "ldap_base"} <= ldap.keys() or _mistakes(_PLAIN + made):
        return _MEMORY
    for name in ldap:
        del given[name]
    return made


def _whole(above: str, given: Iterable[_Given]) -> str:
    """A configuration with a table [imapd] for what is left."""
    options = [f"{one.name} = {json.dumps(one.value, ensure_ascii=False)}\n" for one in given]
    return above + ("\n[imapd]\n" + "".join(options) if options else "")


def _mistakes(text: str) -> list[Mistake]:
    try:
        parse(text, "imapd.toml", environ={})
    except ConfigError as error:
        return error.mistakes
    return []
