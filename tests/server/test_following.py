"""A server in a process of its own follows its configuration file."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme

from tests.server.load import Load
from tests.server.process import CONFIG, DEMO, PATIENCE, Process, core, session, until, upload_limit, with_limit
from tests.web import serving as web
from tests.web.events import stream
from tests.web.serving import basic


def in_place(path: Path, text: str) -> None:
    path.write_text(text)


def by_renaming(path: Path, text: str) -> None:
    """As most editors do."""
    new = path.with_name(path.name + "~")
    new.write_text(text)
    new.rename(path)


def by_moving_away(path: Path, text: str) -> None:
    """As vim does with a backup."""
    path.rename(path.with_name("config.bak"))
    path.write_text(text)


@pytest.mark.parametrize("write", [in_place, by_renaming, by_moving_away])
def test_however_an_editor_writes_the_file_it_is_read(start: Callable[..., Process], write: Any) -> None:
    server = start()
    url = server.url()
    for limit in (1_000_000, 2_000_000, 3_000_000):
        write(server.config, with_limit(limit))
        until(lambda limit=limit: upload_limit(url) == limit)  # type: ignore[misc]


def test_links_that_are_turned_elsewhere_are_followed(start: Callable[..., Process], tmp_path: Path) -> None:
    """As a volume of a ConfigMap: config.toml is ..data/config.toml, and ..data is a link that is replaced."""
    for name, limit in (("..1", 1_000_000), ("..2", 2_000_000)):
        (tmp_path / "volume" / name).mkdir(parents=True)
        (tmp_path / "volume" / name / "config.toml").write_text(with_limit(limit))
    (tmp_path / "volume" / "..data").symlink_to("..1")
    (tmp_path / "volume" / "config.toml").symlink_to(Path("..data", "config.toml"))
    url = start(path="volume/config.toml").url()
    assert upload_limit(url) == 1_000_000
    (tmp_path / "volume" / "..tmp").symlink_to("..2")
    (tmp_path / "volume" / "..tmp").rename(tmp_path / "volume" / "..data")
    until(lambda: upload_limit(url) == 2_000_000)


def test_a_folder_that_is_exchanged_is_noticed(start: Callable[..., Process], tmp_path: Path) -> None:
    text = CONFIG.replace('"data"', f'"{tmp_path}/data"')
    for name, more in (("etc", "[jmap.protocol]\nupload.max-size = 1000000\n"), ("new", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.toml").write_text(text + more)
    url = start(path="etc/config.toml").url()
    (tmp_path / "etc").rename(tmp_path / "old")
    (tmp_path / "new").rename(tmp_path / "etc")
    until(lambda: upload_limit(url) == 50_000_000)
    (tmp_path / "etc" / "config.toml").write_text(text + "[jmap.protocol]\nupload.max-size = 3000000\n")
    until(lambda: upload_limit(url) == 3_000_000)


def test_mistakes_are_logged_as_check_config_prints_them_and_change_nothing(start: Callable[..., Process]) -> None:
    server = start()
    url = server.url()
    server.config.write_text(CONFIG + "[nonsense\n")
    server.logs(f"{server.config}:{(CONFIG + 'x').count(chr(10)) + 1}: ")
    server.config.write_text(CONFIG + "[log]\nlevl = 5\n")
    check = subprocess.run(
        [sys.executable, "-m", "jmaplite", "check-config", str(server.config)],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in check.stdout.splitlines():
        server.logs(line)
    assert upload_limit(url) == 50_000_000
    server.config.write_text(with_limit(1_000_000))
    until(lambda: upload_limit(url) == 1_000_000)


def test_what_the_file_includes_is_followed(start: Callable[..., Process], tmp_path: Path) -> None:
    """A file, one that a mistake is in, another that matches a pattern, and what a macro stands for."""
    (tmp_path / "more.toml").write_text("[jmap.protocol]\nupload.max-size = 1000000\n")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "size").write_text("10")
    macro = '[jmap.protocol.set]\nmax-objects = "%{file:size}%"\n'
    server = start('include = ["more.toml", "conf.d/*.toml"]\n' + CONFIG + macro)
    url = server.url()
    assert upload_limit(url) == 1_000_000
    (tmp_path / "more.toml").write_text("[jmap.protocol]\nupload.max-size = 'much'\n")
    server.logs(f"{tmp_path / 'more.toml'}:2: jmap.protocol.upload.max-size")
    (tmp_path / "more.toml").write_text("")
    until(lambda: upload_limit(url) == 50_000_000)
    (tmp_path / "conf.d" / "new.toml").write_text("[jmap.protocol]\nupload.max-size = 2000000\n")
    until(lambda: upload_limit(url) == 2_000_000)
    (tmp_path / "conf.d" / "new.toml").unlink()
    until(lambda: upload_limit(url) == 50_000_000)
    (tmp_path / "size").write_text("20")
    until(lambda: core(url)["maxObjectsInSet"] == 20)


def test_the_file_may_be_gone_for_a_while(start: Callable[..., Process]) -> None:
    server = start()
    url = server.url()
    server.config.unlink()
    server.logs("cannot be read")
    assert session(url)[0] == 200
    server.config.write_text(with_limit(1_000_000))
    until(lambda: upload_limit(url) == 1_000_000)


def test_the_signal_reads_it_again(start: Callable[..., Process]) -> None:
    server = start()
    server.url()
    server.process.send_signal(signal.SIGHUP)
    server.logs("the configuration was read and is in use")


def test_what_needs_a_start_is_said_and_the_rest_is_taken_up(start: Callable[..., Process], tmp_path: Path) -> None:
    server = start()
    url = server.url()
    server.config.write_text(with_limit(1_000_000).replace('"data"', '"elsewhere"'))
    until(lambda: upload_limit(url) == 1_000_000)
    server.logs(f"the store stays in {tmp_path / 'data'}")
    assert not (tmp_path / "elsewhere").exists()


def test_the_log_follows(start: Callable[..., Process]) -> None:
    server = start()
    url = server.url()
    server.config.write_text(CONFIG + '[log]\nlevel = "debug"\nformat = "json"\n')
    server.logs("is in use")
    assert session(url, basic("demo", "wrong"))[0] == 401
    server.logs('"level": "warning"')
    server.config.write_text(CONFIG + '[log]\nlevel = "error"\n')
    until(lambda: sum("is in use" in line for line in server.logged) == 2)
    server.config.write_text(CONFIG + '[log]\nlevel = "error"\nnonsense = 1\n')
    server.logs("ERROR jmaplite.server.reloading")


def certified(folder: Path, authority: trustme.CA) -> None:
    made = authority.issue_cert("127.0.0.1")
    made.private_key_pem.write_to_path(folder / "key.pem")
    made.cert_chain_pems[0].write_to_path(folder / "cert.pem")


def test_a_certificate_that_is_renewed_is_used(start: Callable[..., Process], tmp_path: Path) -> None:
    first, second = trustme.CA(), trustme.CA()
    certified(tmp_path, first)
    tls = '[server.listener.jmap.tls]\nimplicit = true\ncertificate = "x"\n'
    server = start(CONFIG + tls + '[certificate.x]\ncert = "cert.pem"\nprivate-key = "key.pem"\n')
    address = urlsplit(server.url()).netloc

    def trusted(authority: trustme.CA) -> bool:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        connection = http.client.HTTPSConnection(address, context=context, timeout=30)
        try:
            connection.request("GET", "/.well-known/jmap", headers={"Authorization": DEMO})
            return connection.getresponse().status == 200
        except ssl.SSLError:
            return False
        finally:
            connection.close()

    assert trusted(first)
    certified(tmp_path, second)
    until(lambda: trusted(second))
    assert not trusted(first)
    (tmp_path / "cert.pem").write_text("no certificate")
    server.logs("holds no certificate")
    assert trusted(second)


def test_a_service_manager_is_told(start: Callable[..., Process], tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        server = start(environ={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(1000) == b"READY=1"
        server.process.send_signal(signal.SIGHUP)
        assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", manager.recv(1000))
        assert manager.recv(1000) == b"READY=1"
        server.told_to_end = True
        server.process.send_signal(signal.SIGTERM)
        assert manager.recv(1000) == b"STOPPING=1"


@pytest.mark.parametrize("number", [1, 2])
def test_ten_edits_under_load_fail_no_request_and_drop_no_stream(start: Callable[..., Process], number: int) -> None:
    top, more = f"[server]\nworkers = {number}\n", 'event-source.throttle = "0s"\n'
    server = start(top + web.CONFIG.format(listener="", more=more))
    port = urlsplit(server.url()).port
    assert port is not None
    site = web.Site(port, web.Loop())
    with stream(site) as events, Load(site, clients=2) as load:
        for edit in range(10):
            seen = load.answered
            headers = f'[jmap.http]\nheaders = ["X-Number: {edit}"]\n'
            other = f'[server.listener.n{edit}]\nbind = "127.0.0.1:0"\n'
            by_renaming(server.config, top + web.CONFIG.format(listener="", more=more + headers + other))
            until(lambda edit=edit: site.ask("GET", "/").header("x-number") == str(edit))  # type: ignore[misc]
            until(lambda seen=seen: load.answered > seen + 3)  # type: ignore[misc]
        create = {"accountId": site.account, "create": {"a": {"name": "x"}}}
        assert site.call(["Mailbox/set", create, "0"], using=("urn:ietf:params:jmap:mail",)).status == 200
        assert events.next().kind == "state"
    assert load.failures == []
