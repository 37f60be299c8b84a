"""An imapd.conf of Cyrus becomes a TOML configuration, as far as that can be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from jmaplite.config.load import parse
from jmaplite.config.mistakes import ConfigError, Mistake
from jmaplite.config.table.imapd import OPTIONS

_LINE = re.compile(r"([A-Za-z0-9_-]+)\s*:\s*(.*?)\s*", re.ASCII)
_CERTIFICATE = ("tls_server_cert", "tls_server_key")
_ALSO = {"tls_cert_file": "tls_server_cert", "tls_key_file": "tls_server_key"}
"""What options were called in Cyrus 2."""

_SERVICE = re.compile(r"(https?|imaps?|pop3s?|nntps?|lmtp(?:unix)?|sieve)_(.+)")
"""An option for one service alone: of those that cyrus.conf usually names, JMAP is a part of the first two."""

_LDAP = {
    "ldap_uri": "url",
    "ldap_base": "base-dn",
    "ldap_bind_dn": "bind.dn",
    "ldap_password": "bind.secret",
    "ldap_filter": "filter.name",
    "ldap_start_tls": "tls.enable",
    "ldap_ca_file": "tls.ca",
    "ldap_tls_cacert_file": "tls.ca",
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
_ELSEWHERE = "is another file: convert that as well"
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
    alone: dict[str, _Given] = {}
    for number, line in _lines(text):
        match = _LINE.fullmatch(line)
        if match is None:
            reason = _ELSEWHERE if line.lower().startswith("@include") else _NOT_READ
            result.left_out.append((number, _printable(line[:40]), reason))
            continue
        written = match[1].lower()
        service, name = _of_service(_ALSO.get(written, written))
        if service is not None and not service.startswith("http"):
            result.left_out.append((number, written, f"is for the service {service} alone"))
            continue
        into = given if service is None else alone
        if name in into:
            result.left_out.append((into[name].line, written, f"is set again on line {number}"))
        into[name] = _Given(number, name, _printable(match[2]))
    for name in given.keys() & alone.keys():
        result.left_out.append((given[name].line, name, f"is set for the service on line {alone[name].line}"))
    return given | alone


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """What is no comment, each with the number of its first line; a backslash at the end goes on on the next."""
    whole, first = "", 1
    for number, line in enumerate([*text.splitlines(), ""], 1):
        whole += line
        if whole.endswith("\\") and number <= text.count("\n"):
            whole = whole[:-1]
            continue
        if whole.strip() and not whole.lstrip().startswith("#"):
            yield first, whole.strip()
        whole, first = "", number + 1


def _of_service(name: str) -> tuple[str | None, str]:
    """The service that an option is for alone, and the option; None where it is for all of them."""
    match = _SERVICE.fullmatch(name)
    known = {option.name for option in OPTIONS}
    return (match[1], match[2]) if match and name not in known and match[2] in known else (None, name)


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
    lines = [f"{_LDAP[name]} = {_of_ldap(name, one.value)}" for name, one in ldap.items()]
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


def _of_ldap(name: str, value: str) -> str:
    if name == "ldap_start_tls":
        return "true" if value.lower() in ("yes", "on", "t", "true", "1") else "false"
    return json.dumps(value.replace("%u", "?").replace("%U", "?"), ensure_ascii=False)


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
