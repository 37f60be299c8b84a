"""`jmaplite print-unit`: a unit for systemd."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from jmaplite import cli

CONFIG = """\
[server.listener.jmap]
bind = ["{bind}"]
[store]
path = "{store}"
[jmap]
directory = "memory"
[directory.memory]
type = "memory"
"""


def unit(tmp_path: Path, *, bind: str = "127.0.0.1:8080", store: str = "/var/lib/jmaplite") -> list[str]:
    file = tmp_path / "c.toml"
    file.write_text(CONFIG.format(bind=bind, store=store))
    result = CliRunner().invoke(cli.main, ["print-unit", "--config", str(file)])
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_it_serves_this_configuration_and_may_write_to_its_store_alone(tmp_path: Path) -> None:
    lines = unit(tmp_path)
    [start] = [line for line in lines if line.startswith("ExecStart=")]
    assert start.endswith(f" -m jmaplite serve {tmp_path}/c.toml")
    assert {"Type=notify", "User=jmaplite", "ProtectSystem=strict", "StateDirectory=jmaplite"} <= set(lines)
    assert "CapabilityBoundingSet=" in lines
    assert not [line for line in lines if line.startswith("ReadWritePaths")]
    assert "ReadWritePaths=/srv/mail" in unit(tmp_path, store="/srv/mail")


def test_low_ports_and_sockets_are_allowed_where_a_listener_has_one(tmp_path: Path) -> None:
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in unit(tmp_path, bind="0.0.0.0:443")
    assert "RuntimeDirectory=jmaplite" in unit(tmp_path, bind="unix:/run/jmaplite/lmtp.sock")
    assert "ReadWritePaths=/var/spool/postfix/private" in unit(tmp_path, bind="unix:/var/spool/postfix/private/x")


def test_paths_are_quoted_as_systemd_wants_it(tmp_path: Path) -> None:
    assert 'ReadWritePaths="/srv/my 100%% mail"' in unit(tmp_path, store="/srv/my 100% mail")


@pytest.mark.parametrize("store", ["/var/lib/jmaplite/data", "/srv/my 100% mail"])
def test_systemd_finds_nothing_wrong_with_it(store: str, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze (Debian: systemd) is missing")
    folder = tmp_path / "units"
    folder.mkdir()
    (folder / "jmaplite.service").write_text("\n".join(unit(tmp_path, store=store)) + "\n")
    done = subprocess.run(
        [analyze, "verify", "--man=no", folder / "jmaplite.service"], capture_output=True, text=True, check=False
    )
    assert not [line for line in done.stderr.splitlines() if "jmaplite.service" in line]
