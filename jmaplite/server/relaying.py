"""The way to other servers, as a configuration has it."""

from __future__ import annotations

from jmaplite.config import Config, table
from jmaplite.delivery import NoRelay, Relay
from jmaplite.delivery.conversation import Host
from jmaplite.delivery.smarthosts import Smarthosts

_UNIX = "unix:"


def relay(config: Config) -> Relay:
    """What sends mail to other servers. It does nothing before it is used."""
    if not config.relays:
        return NoRelay()
    return Smarthosts([_host(config, one) for one in config.relays])


def _host(config: Config, told: table.Relay) -> Host:
    is_socket = told.host.startswith(_UNIX)
    return Host(
        "localhost" if is_socket else told.host,
        told.port,
        told.host.removeprefix(_UNIX) if is_socket else "",
        ourselves=config.server.hostname,
        protocol=told.protocol,
        implicit_tls=told.tls_implicit,
        starttls=told.tls_starttls,
        any_certificate=told.tls_allow_invalid_certs,
        username=told.auth_username,
        password=told.auth_secret,
        timeout=told.timeout,
    )
