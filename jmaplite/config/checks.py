"""What one value alone cannot tell: references between tables, and things that must be different."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

from jmaplite.config.kinds import quoted
from jmaplite.config.mistakes import Mistake
from jmaplite.config.settings import Names, Setting, Settings
from jmaplite.config.table import Store

_LISTENER = "server.listener.<id>"
_CERTIFICATE = "certificate.<id>"
_DIRECTORY = "directory.<id>"
_PRINCIPAL = "directory.<id>.principals[]"


def check(settings: Settings) -> None:
    """Note every mistake that lies between settings. What is missing or wrong by itself is left out here."""
    for one in _CHECKS:
        one(settings)


def _wrong(settings: Settings, setting: Setting, message: str, element: int | None = None) -> None:
    line = setting.line if element is None else setting.lines[element]
    settings.mistakes.append(Mistake(line, setting.key, message))


def _names(found: dict[Names, int]) -> str:
    """The names that could have been used instead, in words."""
    shown = ", ".join(quoted(str(names[-1])) for names in list(found)[:5])
    return f" (there is {shown})" if shown else ""


def _there_is_a_listener(settings: Settings) -> None:
    if not settings.instances(_LISTENER):
        settings.mistakes.append(Mistake(1, "server.listener", "at least one listener is required"))


def _directory_exists(settings: Settings) -> None:
    directory = settings.get("jmap.directory")
    found = settings.instances(_DIRECTORY)
    if directory is not None and (directory.value,) not in found:
        _wrong(settings, directory, f"there is no directory {quoted(directory.value)}{_names(found)}")


def _tls_has_a_certificate(settings: Settings) -> None:
    found = settings.instances(_CERTIFICATE)
    for names, certificate in settings.all(f"{_LISTENER}.tls.certificate").items():
        if (certificate.value,) not in found:
            _wrong(settings, certificate, f"there is no certificate {quoted(certificate.value)}{_names(found)}")
        elif not settings.was_wrong(f"{_LISTENER}.tls.implicit", names):
            _wrong(settings, certificate, "is not used: tls.implicit is not set")
    for names, implicit in settings.all(f"{_LISTENER}.tls.implicit").items():
        if implicit.value and not settings.was_wrong(f"{_LISTENER}.tls.certificate", names):
            _wrong(settings, implicit, "TLS needs a certificate, and tls.certificate is not set")


def _certificate_files_exist(settings: Settings) -> None:
    for name in ("cert", "private-key"):
        for file in settings.all(f"{_CERTIFICATE}.{name}").values():
            try:
                file.value.stat()
            except OSError as error:
                _wrong(settings, file, f"{quoted(str(file.value), 300)} cannot be used: {error.strerror}")


def _keys_belong_to_their_certificates(settings: Settings) -> None:
    keys = settings.all(f"{_CERTIFICATE}.private-key")
    for names, cert in settings.all(f"{_CERTIFICATE}.cert").items():
        key = keys.get(names)
        if key is not None and _is_there(cert.value) and _is_there(key.value):
            _load(settings, cert, key)


def _load(settings: Settings, cert: Setting, key: Setting) -> None:
    """Load a certificate and its key as TLS will, and note what is wrong with them."""
    import ssl  # only those who have certificates wait for it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    setting, message = cert, "holds no certificate"
    try:
        context.load_verify_locations(cert.value)
        setting, message = key, "holds no private key, or one with a password"
        context.load_cert_chain(cert.value, key.value, password=str)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            message = f"holds the key of another certificate than {quoted(str(cert.value), 300)}"
        _wrong(settings, setting, f"{quoted(str(setting.value), 300)} {message}")
    except OSError as error:
        _wrong(settings, setting, f"{quoted(str(setting.value), 300)} cannot be used: {error.strerror}")


def _is_there(path: Path) -> bool:
    """Whether there is a file or directory that one may see."""
    try:
        return path.exists()
    except OSError:
        return False


def _store_may_be_a_directory(settings: Settings) -> None:
    setting = settings.get("store.path")
    if setting is None and settings.was_wrong("store.path", ()):
        return
    path: Path = setting.value if setting else settings.path.parent / Store.path
    there = next(one for one in (path, *path.parents) if _is_there(one))
    if not there.is_dir():
        message = f"{quoted(str(there), 300)} is there already and is no directory"
        settings.mistakes.append(Mistake(setting.line if setting else 1, "store.path", message))


def _addresses_are_bound_once(settings: Settings) -> None:
    first: dict[tuple[str, int], int] = {}
    for bind in settings.all(f"{_LISTENER}.bind").values():
        if not bind.value:
            _wrong(settings, bind, "at least one address is required")
        for element, address in enumerate(bind.value):
            line = bind.lines[element]
            earlier = first.setdefault((address.host, address.port), line)
            if address.port and (earlier != line or address in bind.value[:element]):
                _wrong(settings, bind, f"{address} is bound already on line {earlier}", element)


def _principals_differ(settings: Settings) -> None:
    """Within a directory, names differ, addresses differ, and nobody's name is another's address."""
    first: dict[tuple[object, str], tuple[Names, int]] = {}
    for names, name in sorted(settings.all(f"{_PRINCIPAL}.name").items(), key=lambda item: item[1].line):
        key = (names[0], name.value)
        if key in first:
            _wrong(
                settings,
                name,
                f"{quoted(name.value)} is the name of another principal on line {first[key][1]}",
            )
        else:
            first[key] = (names, name.line)
    folded = {(directory, _folded(name)): whose for (directory, name), whose in first.items()}
    for names, emails in sorted(settings.all(f"{_PRINCIPAL}.email").items(), key=lambda item: item[1].line):
        for element, address in enumerate(emails.value):
            key = (names[0], _folded(address))
            whose, line = folded.setdefault(key, (names, emails.lines[element]))
            if whose != names:
                _wrong(
                    settings,
                    emails,
                    f"{quoted(address)} belongs to another principal, on line {line}",
                    element,
                )


def _folded(address: str) -> str:
    return unicodedata.normalize("NFC", address).casefold()


def _groups_exist(settings: Settings) -> None:
    types = {names: kind.value for names, kind in settings.all(f"{_PRINCIPAL}.type").items()}
    known = {
        (names[0], name.value): types.get(names, "individual")
        for names, name in settings.all(f"{_PRINCIPAL}.name").items()
    }
    for names, member_of in settings.all(f"{_PRINCIPAL}.member-of").items():
        for element, group in enumerate(member_of.value):
            kind = known.get((names[0], group))
            if kind is None:
                _wrong(settings, member_of, f"there is no group {quoted(group)}", element)
            elif kind != "group":
                message = f"{quoted(group)} is of type {quoted(kind)}, and only a group has members"
                _wrong(settings, member_of, message, element)


_CHECKS: tuple[Callable[[Settings], None], ...] = (
    _there_is_a_listener,
    _directory_exists,
    _tls_has_a_certificate,
    _certificate_files_exist,
    _keys_belong_to_their_certificates,
    _store_may_be_a_directory,
    _addresses_are_bound_once,
    _principals_differ,
    _groups_exist,
)
