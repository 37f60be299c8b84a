"""What may be meant, but is more often a slip: combinations that let strangers in, or that do nothing."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from jmaplite.config.checks import has_default_certificate
from jmaplite.config.kinds import quoted
from jmaplite.config.settings import Names, Setting, Settings

_LISTENER = "server.listener.<id>"
_BEGIN_TLS = ("lmtp", "smtp", "managesieve")
"""Protocols in which TLS may begin with a command."""


def warn(settings: Settings) -> None:
    """Note what is remarkable between settings."""
    for one in _WARNINGS:
        one(settings)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and nobody else can reach it there."""
    if host.startswith("unix:"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _remark(settings: Settings, setting: Setting, message: str, element: int | None = None) -> None:
    settings.remark(setting.place if element is None else setting.places[element], setting.key, message)


def _value(settings: Settings, name: str, names: Names, default: object) -> object:
    """An option of a listener as it counts."""
    setting = settings.get(f"{_LISTENER}.{name}", names) or settings.get(f"server.{name}")
    return setting.value if setting else default


def _exposed(settings: Settings, *protocols: str) -> list[tuple[Names, Setting, int]]:
    """Listeners of some protocols with each address where others can reach them."""
    found = []
    for names, bind in settings.all(f"{_LISTENER}.bind").items():
        if _value(settings, "protocol", names, "jmap") in protocols:
            for element, address in enumerate(bind.value):
                if address.path is None and not is_loopback(address.host):
                    found.append((names, bind, element))
    return found


def _passwords_in_clear(settings: Settings) -> None:
    for names, bind, element in _exposed(settings, "jmap", "managesieve"):
        protocol = _value(settings, "protocol", names, "jmap")
        tls = _value(settings, "tls.implicit", names, False) or protocol != "jmap"
        certified = tls and (protocol == "jmap" or _is_certified(settings, names))
        if not (certified and _value(settings, "tls.enable", names, True)) and not (
            protocol == "jmap" and _value(settings, "proxy.trusted-networks", names, ())
        ):
            message = (
                f"passwords come in without TLS at {bind.value[element]}: set tls.implicit and a certificate, bind "
                "127.0.0.1, or name the proxy that speaks TLS in proxy.trusted-networks"
            )
            _remark(settings, bind, message, element)


def _is_certified(settings: Settings, names: Names) -> bool:
    return bool(_value(settings, "tls.certificate", names, "")) or has_default_certificate(settings)


def _tls_without_a_certificate(settings: Settings) -> None:
    for names, enabled in settings.all(f"{_LISTENER}.tls.enable").items():
        begins = _value(settings, "protocol", names, "jmap") in _BEGIN_TLS
        if enabled.value and begins and not _is_certified(settings, names):
            _remark(settings, enabled, "changes nothing: there is no certificate, so STARTTLS is not offered")


def _metrics_for_everybody(settings: Settings) -> None:
    for names, bind, element in _exposed(settings, "admin"):
        if _value(settings, "proxy.trusted-networks", names, ()):
            continue  # then it serves nobody else
        message = f"health and metrics can be read by whoever reaches {bind.value[element]}: there is no log-in"
        _remark(settings, bind, message, element)


def _mail_from_everybody(settings: Settings) -> None:
    for _, bind, element in _exposed(settings, "lmtp", "smtp"):
        message = f"whoever reaches {bind.value[element]} can deliver mail: a mail transfer agent should stand in front"
        _remark(settings, bind, message, element)


def _every_page_with_credentials(settings: Settings) -> None:
    headers = settings.get("jmap.http.headers")
    found = {name.lower(): (value, n) for n, (name, value) in enumerate(headers.value if headers else ())}
    value, element = found.get("access-control-allow-origin", ("", 0))
    if headers is None or not value:
        return
    if value == "*" and found.get("access-control-allow-credentials", ("",))[0].lower() == "true":
        message = (
            "browsers refuse * together with Access-Control-Allow-Credentials: "
            "name the origins in [jmap.http.cors] allowed-origins"
        )
        _remark(settings, headers, message, element)


def _origins_that_no_browser_takes(settings: Settings) -> None:
    """The header names one origin, as it is, or `*` (Fetch standard)."""
    headers = settings.get("jmap.http.headers")
    found = [
        (value, element)
        for element, (name, value) in enumerate(headers.value if headers else ())
        if name.lower() == "access-control-allow-origin"
    ]
    for number, (value, element) in enumerate(found):
        if headers and (number or (value != "*" and re.search(r"[*,\s]", value))):
            message = "browsers take one origin or *, and no pattern: name them in [jmap.http.cors] allowed-origins"
            _remark(settings, headers, message, element)


def _forwarded_by_nobody(settings: Settings) -> None:
    setting = settings.get("server.http.use-x-forwarded")
    trusted = [
        settings.get("server.proxy.trusted-networks"),
        *settings.all(f"{_LISTENER}.proxy.trusted-networks").values(),
    ]
    if setting and setting.value and not any(one and one.value for one in trusted):
        _remark(settings, setting, "changes nothing: nobody is trusted in proxy.trusted-networks")


def _relay_without_tls(settings: Settings) -> None:
    for names, secret in settings.all("relay[].auth.secret").items():
        host, starttls = settings.get("relay[].host", names), settings.get("relay[].tls.starttls", names)
        implicit = settings.get("relay[].tls.implicit", names)
        if (implicit and implicit.value) or (starttls and starttls.value == "require"):
            continue
        if host and not is_loopback(host.value):
            _remark(settings, secret, f'is not sent where {host.value} offers no TLS: say tls.starttls = "require"')


def _no_way_out(settings: Settings) -> None:
    """A server that other servers bring mail to, and that cannot send any."""
    dev = settings.get("dev.enable")
    if settings.rows("relay[]", ()) or (dev and dev.value):
        return
    for setting in settings.all(f"{_LISTENER}.protocol").values():
        if setting.value in ("lmtp", "smtp"):
            _remark(settings, setting, "mail to other places waits in vain, and comes back: there is no [relay]")
            return


def _any_certificate(settings: Settings) -> None:
    for name in ("relay[].tls.allow-invalid-certs", "directory.<id>.tls.allow-invalid-certs"):
        for setting in settings.all(name).values():
            if setting.value:
                _remark(settings, setting, "whoever stands in between can read passwords")


def _nobody_is_told_who_is_there(settings: Settings) -> None:
    for name in ("directory.<id>.query.verify", "directory.<id>.filter.verify"):
        for setting in settings.all(name).values():
            settings.remark(setting.place, setting.key, "is not used: nobody is told who is there (VRFY)", "note")


def _directory_without_tls(settings: Settings) -> None:
    for names, url in settings.all("directory.<id>.url").items():
        scheme, _, rest = url.value.partition("://")
        host = rest.partition("/")[0].rpartition("@")[2]
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        tls = settings.get("directory.<id>.tls.enable", names)
        if scheme == "ldap" and not is_loopback(name) and not (tls and tls.value):
            _remark(settings, url, f"passwords go to {quoted(name)} without TLS: use ldaps:// or tls.enable")


def _fixture_for_everybody(settings: Settings) -> None:
    enable = settings.get("dev.enable")
    for name in ("dev.enable", "dev.auto-provision"):
        setting = settings.get(name)
        if enable and enable.value and setting and setting.value and _exposed(settings, "jmap"):
            _remark(settings, setting, "is for tests, and others than this machine can reach a listener")


def _hsts_without_tls(settings: Settings) -> None:
    hsts = settings.get("server.http.hsts")
    if hsts is None or not hsts.value:
        return
    listeners = settings.instances(_LISTENER)
    if not any(
        _value(settings, "tls.implicit", names, False) or _value(settings, "proxy.trusted-networks", names, ())
        for names in listeners
    ):
        _remark(settings, hsts, "changes nothing: browsers believe it over TLS only, and no listener speaks it")


_WARNINGS: tuple[Callable[[Settings], None], ...] = (
    _passwords_in_clear,
    _tls_without_a_certificate,
    _metrics_for_everybody,
    _mail_from_everybody,
    _every_page_with_credentials,
    _origins_that_no_browser_takes,
    _forwarded_by_nobody,
    _relay_without_tls,
    _no_way_out,
    _any_certificate,
    _nobody_is_told_who_is_there,
    _directory_without_tls,
    _fixture_for_everybody,
    _hsts_without_tls,
)
