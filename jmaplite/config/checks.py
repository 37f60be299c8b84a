"""What one value alone cannot tell: references between tables, and things that must be different."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

from jmaplite.config import ciphers, directory_checks
from jmaplite.config.directory_checks import wrong
from jmaplite.config.kinds import quoted
from jmaplite.config.mistakes import Place
from jmaplite.config.reading import unreadable
from jmaplite.config.settings import Names, Setting, Settings, dotted
from jmaplite.config.table import Store, capabilities

_LISTENER = "server.listener.<id>"
_CERTIFICATE = "certificate.<id>"
_FOR = {"url": ("jmap",), "proxy.trusted-networks": ("jmap", "admin")}
"""Options of a listener that mean something with some protocols only."""

_DIRECTORY = "directory.<id>"
_SMTP = 25


def check(settings: Settings) -> None:
    """Note every mistake that lies between settings. What is missing or wrong by itself is left out here."""
    for one in (*_CHECKS, *directory_checks.CHECKS):
        one(settings)


def _names(found: Iterable[Names]) -> str:
    """The names that could have been used instead, in words."""
    shown = ", ".join(quoted(str(names[-1])) for names in islice(found, 5))
    return f" (there is {shown})" if shown else ""


def _there_is_a_listener(settings: Settings) -> None:
    if not settings.instances(_LISTENER):
        settings.mistake(settings.top(), "server.listener", "at least one listener is required")


def _directory_exists(settings: Settings) -> None:
    directory = settings.get("jmap.directory")
    found = settings.instances(_DIRECTORY)
    if directory is not None and (directory.value,) not in found:
        wrong(settings, directory, f"there is no directory {quoted(directory.value)}{_names(found)}")


def _certificates_exist(settings: Settings) -> None:
    found = settings.instances(_CERTIFICATE)
    named = [*settings.all(f"{_LISTENER}.tls.certificate").values(), settings.get("server.tls.certificate")]
    for name in (*named, *settings.all(f"{_LISTENER}.tls.sni[].certificate").values()):
        if name is not None and (name.value,) not in found:
            wrong(settings, name, f"there is no certificate {quoted(name.value)}{_names(found)}")


def has_default_certificate(settings: Settings) -> bool:
    """Whether there is a certificate for listeners that name none."""
    defaults = settings.all(f"{_CERTIFICATE}.default").values()
    return len(settings.instances(_CERTIFICATE)) == 1 or any(one.value for one in defaults)


def _tls_has_a_certificate(settings: Settings) -> None:
    certificates = settings.instances(_CERTIFICATE)
    default = has_default_certificate(settings)
    for names in settings.instances(_LISTENER):
        implicit = _listener(settings, "tls.implicit", names)
        certificate = settings.get(f"{_LISTENER}.tls.certificate", names)
        protocol = settings.get(f"{_LISTENER}.protocol", names)
        if implicit is not None and implicit.value and not default and not _is_set(settings, "tls.certificate", names):
            wrong(settings, implicit, "TLS needs a certificate, and tls.certificate is not set")
        starts = protocol is not None and protocol.value not in ("jmap", "admin")
        unused = not starts and not _is_set(settings, "tls.implicit", names)
        if certificate is not None and unused and (certificate.value,) in certificates:
            wrong(settings, certificate, "is not used: tls.implicit is not set")


def _listener(settings: Settings, name: str, names: Names) -> Setting | None:
    """An option of a listener as it is set there, or for all of them."""
    return settings.get(f"{_LISTENER}.{name}", names) or settings.get(f"server.{name}")


def _is_set(settings: Settings, name: str, names: Names) -> bool:
    """Whether an option of a listener is set, rightly or wrongly, there or for all of them."""
    return settings.was_wrong(f"{_LISTENER}.{name}", names) or settings.was_wrong(f"server.{name}", ())


def _listeners_have_nothing_of_another_protocol(settings: Settings) -> None:
    for name, protocols in _FOR.items():
        for names, setting in settings.all(f"{_LISTENER}.{name}").items():
            protocol = settings.get(f"{_LISTENER}.protocol", names)
            if protocol is not None and protocol.value not in protocols and setting.value:
                wanted = " or ".join(map(quoted, protocols))
                wrong(settings, setting, f"is for protocol {wanted}, and this one is {quoted(protocol.value)}")


def _lmtp_is_elsewhere_than_smtp(settings: Settings) -> None:
    """RFC 2033 §5."""
    for names, bind in settings.all(f"{_LISTENER}.bind").items():
        protocol = settings.get(f"{_LISTENER}.protocol", names)
        for element, address in enumerate(bind.value):
            if protocol is not None and protocol.value == "lmtp" and address.path is None and address.port == _SMTP:
                wrong(settings, bind, "LMTP must not be spoken on port 25, which is that of SMTP", element)


def _tls_has_a_version(settings: Settings) -> None:
    for names in settings.instances(_LISTENER):
        enabled = _listener(settings, "tls.protocols", names)
        disabled = _listener(settings, "tls.disable-protocols", names)
        if disabled is not None:
            left = set(enabled.value if enabled else ("TLSv1.2", "TLSv1.3")) - set(disabled.value)
            if not left:
                wrong(settings, disabled, "leaves no version of TLS that could be spoken")


def _ciphers_are_there(settings: Settings) -> None:
    for name in ("server.tls.ciphers", f"{_LISTENER}.tls.ciphers"):
        for names, chosen in settings.all(name).items():
            unknown = [element for element, cipher in enumerate(chosen.value) if not ciphers.known(cipher)]
            for element in unknown:
                wrong(settings, chosen, f"OpenSSL has no cipher {quoted(chosen.value[element])}", element)
            versions = _listener(settings, "tls.protocols", names)
            older = versions is None or "TLSv1.2" in versions.value
            if older and chosen.value and not unknown and not ciphers.before_1_3(chosen.value):
                wrong(settings, chosen, 'leaves none for TLS 1.2: name one, or say tls.protocols = "TLSv1.3"')


def _certificate_files_exist(settings: Settings) -> None:
    for name in (f"{_CERTIFICATE}.cert", f"{_CERTIFICATE}.private-key", f"{_DIRECTORY}.tls.ca"):
        for file in settings.all(name).values():
            try:
                reason = unreadable(file.value.stat().st_mode)
            except OSError as error:
                reason = error.strerror
            if reason is not None:
                wrong(settings, file, f"{quoted(str(file.value), 300)} cannot be used: {reason}")


def _keys_belong_to_their_certificates(settings: Settings) -> None:
    keys = settings.all(f"{_CERTIFICATE}.private-key")
    for names, cert in settings.all(f"{_CERTIFICATE}.cert").items():
        key = keys.get(names)
        if key is not None and _is_file(cert.value) and _is_file(key.value):
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
        wrong(settings, setting, f"{quoted(str(setting.value), 300)} {message}")
    except OSError as error:
        wrong(settings, setting, f"{quoted(str(setting.value), 300)} cannot be used: {error.strerror}")


def _is_file(path: Path) -> bool:
    """Whether there is a regular file that one may see."""
    try:
        return path.is_file()
    except OSError:
        return False


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
        settings.mistake(setting.place if setting else settings.top(), "store.path", message)


def _addresses_are_bound_once(settings: Settings) -> None:
    first: dict[str, Place] = {}
    for bind in settings.all(f"{_LISTENER}.bind").values():
        if not bind.value:
            wrong(settings, bind, "at least one address is required")
        for element, address in enumerate(bind.value):
            place = bind.places[element]
            earlier = first.setdefault(str(address), place)
            if (address.port or address.path) and (earlier != place or address in bind.value[:element]):
                wrong(settings, bind, f"{address} is bound already on {earlier.seen_from(place)}", element)


def _origins_are_let_in_by_one_rule(settings: Settings) -> None:
    """An allow-list of origins stands beside nothing else that lets pages in."""
    lists = [settings.get(f"jmap.http.cors.{name}") for name in ("allowed-origins", "wildmat")]
    found = sorted((one for one in lists if one and one.value), key=lambda one: settings.order(one.place))
    if not found:
        return
    origins, *others = found
    for other in others:
        wrong(settings, other, f"lets pages in as {origins.key} on {origins.place.seen_from(other.place)} does already")
    headers, permissive = settings.get("jmap.http.headers"), settings.get("server.http.permissive-cors")
    for element, (name, _) in enumerate(headers.value if headers else ()):
        if headers is not None and name.lower().startswith("access-control-"):
            where = origins.place.seen_from(headers.places[element])
            wrong(settings, headers, f"{name} is told by {origins.key} on {where}", element)
    if permissive is not None and permissive.value:
        where = origins.place.seen_from(permissive.place)
        wrong(settings, permissive, f"lets every page in, and {origins.key} on {where} only some")


def _capabilities_are_known(settings: Settings) -> None:
    first: dict[str, Setting] = {}
    known = [name.rpartition(":")[2] for name in capabilities.KNOWN]
    for (name,), setting in settings.all("jmap.capabilities.<id>").items():
        urn = capabilities.urn(str(name))
        if urn is None:
            near = difflib.get_close_matches(str(name)[:80].rpartition(":")[2], known, 1)
            meant = f"did you mean {quoted(near[0])}?" if near else f"there is {', '.join(map(quoted, known))}"
            wrong(settings, setting, f"there is no capability {quoted(str(name))} ({meant})")
        elif urn == capabilities.CORE and not setting.value:
            wrong(settings, setting, "cannot be switched off (RFC 8620 §2)")
        elif urn in first:
            earlier = first[urn]
            message = f"is the same as {earlier.key}, which is set on {earlier.place.seen_from(setting.place)}"
            wrong(settings, setting, message)
        first.setdefault(urn or "", setting)
    for urn, needed in capabilities.NEEDS.items():
        if urn in first and first[urn].value and needed in first and not first[needed].value:
            wrong(settings, first[urn], f"needs {needed}, which {first[needed].key} switches off")


_FIRST = ("inbox", "drafts", "sent", "archive", "junk", "trash")
"""Roles of the mailboxes that an account begins with, whose names are theirs unless another is set."""

_ROLES = ("inbox", "drafts", "sent", "archive", "junk", "trash", "all", "flagged", "important")


def _folders_have_roles(settings: Settings) -> None:
    """And names that differ."""
    inbox = settings.get("jmap.folders.<id>.create", ("inbox",))
    if inbox is not None and not inbox.value:
        wrong(settings, inbox, "there is no account without an inbox")
    called: dict[str, Setting | None] = {}
    for role in dict.fromkeys([*_FIRST, *(str(names[0]) for names in settings.instances("jmap.folders.<id>"))]):
        name, create = (settings.get(f"jmap.folders.<id>.{one}", (role,)) for one in ("name", "create"))
        if create is None or create.value:
            key = (name.value if name else role).casefold()
            other = called.setdefault(key, name)
            named = name or other
            if other is not name and named is not None:
                wrong(settings, named, f"{quoted(named.value)} is the name of another mailbox")
    for (unknown,), place in settings.instances("jmap.folders.<id>").items():
        if unknown not in _ROLES:
            message = f"{quoted(str(unknown))} is no role (there is {', '.join(map(quoted, _ROLES))})"
            settings.mistake(place, dotted(("jmap", "folders", unknown)), message)


def _aliases_are_of_one_role(settings: Settings) -> None:
    first: dict[str, tuple[object, Place]] = {}
    for (role,), aliases in settings.all("jmap.folders.<id>.aliases").items():
        for element, names in enumerate(aliases.value):
            for name in names.split(","):
                place = aliases.places[element]
                whose, earlier = first.setdefault(name.strip().casefold(), (role, place))
                if whose != role:
                    message = f"{quoted(name.strip())} is {quoted(str(whose))} already on {earlier.seen_from(place)}"
                    wrong(settings, aliases, message, element)


def _a_fixture_is_one_process(settings: Settings) -> None:
    """Its faults, its clock and its log are where its control API is."""
    enable, workers = settings.get("dev.enable"), settings.get("server.workers")
    if enable is not None and enable.value and workers is not None and workers.value > 1:
        message = f"cannot be more than 1 with dev.enable, which is set on {enable.place.seen_from(workers.place)}"
        wrong(settings, workers, message)


_CHECKS: tuple[Callable[[Settings], None], ...] = (
    _there_is_a_listener,
    _directory_exists,
    _certificates_exist,
    _tls_has_a_certificate,
    _tls_has_a_version,
    _ciphers_are_there,
    _listeners_have_nothing_of_another_protocol,
    _lmtp_is_elsewhere_than_smtp,
    _certificate_files_exist,
    _keys_belong_to_their_certificates,
    _store_may_be_a_directory,
    _addresses_are_bound_once,
    _origins_are_let_in_by_one_rule,
    _capabilities_are_known,
    _folders_have_roles,
    _aliases_are_of_one_role,
    _a_fixture_is_one_process,
)
