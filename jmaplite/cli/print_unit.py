"""`jmaplite print-unit`: a unit for systemd that lets the server do no more than it needs."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import click

from jmaplite.cli.options import config_option
from jmaplite.config import Config

UNIT = """\
# Save as /etc/systemd/system/jmaplite.service, then: systemctl daemon-reload; systemctl enable --now jmaplite
[Unit]
Description=jmaplite, a JMAP server
Documentation=https://datatracker.ietf.org/doc/html/rfc8620
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
ExecStart={start}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=2
TimeoutStopSec=60
{who}
UMask=0077
LimitNOFILE=65536
# Variables for %{{env:NAME}}%, if there are any: NAME=value, a line for each.
EnvironmentFile=-{folder}/environment
Environment=XDG_CACHE_HOME=%C/jmaplite
CacheDirectory=jmaplite

# What it may write, and nothing else.
ProtectSystem=strict
{paths}
ProtectHome={home}
PrivateTmp=yes
PrivateDevices=yes

# What it may do, and nothing else.
{capabilities}
NoNewPrivileges=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources

[Install]
WantedBy=multi-user.target
"""

_PRIVILEGED = 1024
_STATE = Path("/var/lib")
_RUN = Path("/run")
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))


@click.command("print-unit")
@config_option
@click.option("--user", default="jmaplite", show_default=True, help="Who the server runs as.")
def print_unit(config: Config, user: str) -> None:
    """Print a systemd unit for this configuration.

    The server runs as a user of its own, made by `useradd --system jmaplite`. It may write to its store and nowhere
    else, and bind ports below 1024 only where a listener has one.
    """
    click.echo(unit(config, user), nl=False)


def unit(config: Config, user: str) -> str:
    """The text of the unit."""
    ports = [address.port for listener in config.listeners for address in listener.bind if address.path is None]
    low = any(0 < port < _PRIVILEGED for port in ports)
    sockets = [address.path for listener in config.listeners for address in listener.bind if address.path is not None]
    touched = [config.path, config.store.path, *sockets, Path(sys.executable).resolve(), Path(sys.argv[0]).resolve()]
    return UNIT.format(
        folder=str(config.path.parent).replace("%", "%%"),
        start=" ".join(_quoted(one) for one in [*_program(), "serve", str(config.path)]),
        who=f"User={user}",
        paths="\n".join(_writable(config.store.path, sockets)),
        home="read-only" if any(one.is_relative_to(home) for one in touched for home in _HOMES) else "yes",
        capabilities="\n".join(
            ["CapabilityBoundingSet=CAP_NET_BIND_SERVICE", "AmbientCapabilities=CAP_NET_BIND_SERVICE"]
            if low
            else ["CapabilityBoundingSet=", "AmbientCapabilities="]
        ),
    )


def _program() -> list[str]:
    """How this program was started."""
    started = Path(sys.argv[0]).resolve()
    if zipfile.is_zipfile(started):
        return [sys.executable, str(started)]
    return [sys.executable, "-m", "jmaplite"]


def _writable(store: Path, sockets: list[Path]) -> list[str]:
    """The lines that let the server write to its store and its sockets."""
    lines = []
    if store.parent == _STATE or store.parent.parent == _STATE:
        lines.append(f"StateDirectory={_quoted(str(store.relative_to(_STATE)))}")
        lines.append("StateDirectoryMode=0700")
    else:
        lines.append(f"ReadWritePaths={_quoted(str(store))}")
    for folder in sorted({path.parent for path in sockets}):
        if folder.parent == _RUN:
            lines.append(f"RuntimeDirectory={_quoted(folder.name)}")
        else:
            lines.append(f"ReadWritePaths={_quoted(str(folder))}")
    return lines


def _quoted(word: str) -> str:
    """A word as systemd.syntax(7) wants it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if any(character in escaped for character in " '\"\t;#\\") else escaped
