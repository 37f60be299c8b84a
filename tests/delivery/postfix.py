"""A Postfix of its own on loopback: takes mail by AUTH over STARTTLS, and brings it back over LMTP."""

from __future__ import annotations

import base64
import os
import shutil
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pwd import getpwnam

import pytest
import trustme

from tests.ports import free_port

USERNAME, PASSWORD = "relay", "a password"

DAEMONS = Path("/usr/lib/postfix/sbin")

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log/postfix.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mta.example.org
myorigin = example.org
mydestination =
mynetworks =
alias_maps =
alias_database =
local_recipient_maps =
notify_classes =
lmtp_generic_maps = inline:{{ {renamed} }}
virtual_mailbox_domains = example.org {domain} box.example
virtual_mailbox_base = {folder}/boxes
virtual_mailbox_maps = static:box
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
transport_maps = inline:{{ {{ box.example = virtual: }} }}
virtual_transport = lmtp:unix:{lmtp}
default_transport = error:5.7.1 this is a test
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {folder}/auth
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_chain_files = {folder}/tls.pem
smtpd_tls_session_cache_database =
smtp_tls_session_cache_database =
"""

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, slots=True)
class Postfix:
    """One that runs: `lmtp` is the path where it brings mail, `ca` the file of who signed its certificate."""

    port: int
    lmtp: Path
    ca: Path
    log: Path


class _Auth(socketserver.StreamRequestHandler):
    """Says to Postfix, in Dovecot's protocol, who may log in."""

    def handle(self) -> None:
        cookie = "0123456789abcdef" * 2
        self.wfile.write(f"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t{cookie}\nDONE\n".encode())
        right = base64.b64encode(f"\0{USERNAME}\0{PASSWORD}".encode()).decode()
        for line in self.rfile:
            words = line.decode().rstrip("\n").split("\t")
            if words[0] == "AUTH":
                verdict = "OK" if words[-1] == f"resp={right}" else "FAIL"
                self.wfile.write(f"{verdict}\t{words[1]}\tuser={USERNAME}\n".encode())


@contextmanager
def postfix(domain: str, renamed: Mapping[str, str]) -> Iterator[Postfix]:
    """A Postfix that brings mail of a domain to other addresses; the test is skipped where there is none."""
    command = shutil.which("postfix", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if command is None or not DAEMONS.is_dir():
        pytest.skip("needs postfix")
    if os.geteuid() != 0:
        pytest.skip("needs root, to start postfix")
    folder = Path(tempfile.mkdtemp(prefix="jmaplite-postfix-"))
    try:
        folder.chmod(0o755)
        for name in ("queue", "data", "log", "etc", "boxes"):
            (folder / name).mkdir()
        for name in ("data", "boxes"):
            shutil.chown(folder / name, "postfix")
        owner = getpwnam("postfix")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "tls.pem"))
        port = free_port()
        listed = ", ".join(f"{{ {one} = {other} }}" for one, other in renamed.items())
        values = {
            "folder": folder,
            "daemons": DAEMONS,
            "lmtp": folder / "lmtp",
            "renamed": listed,
            "domain": domain,
            "uid": owner.pw_uid,
            "gid": owner.pw_gid,
        }
        (folder / "etc" / "main.cf").write_text(MAIN.format(**values))
        (folder / "etc" / "master.cf").write_text(MASTER.format(port=port))
        with socketserver.ThreadingUnixStreamServer(str(folder / "auth"), _Auth) as auth:
            auth.daemon_threads = True
            (folder / "auth").chmod(0o666)
            threading.Thread(target=auth.serve_forever, daemon=True).start()
            try:
                _run(command, folder, "start")
                try:
                    yield Postfix(port, folder / "lmtp", folder / "ca.pem", folder / "log" / "postfix.log")
                finally:
                    _run(command, folder, "stop")
            finally:
                auth.shutdown()
    finally:
        shutil.rmtree(folder)


def _run(command: str, folder: Path, verb: str) -> None:
    done = subprocess.run(
        [command, "-c", folder / "etc", verb], capture_output=True, text=True, timeout=60, check=False
    )
    log = folder / "log" / "postfix.log"
    assert done.returncode == 0, done.stdout + done.stderr + (log.read_text() if log.exists() else "")
