"""An OpenLDAP server of the tests' own, on loopback, with TLS."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ldap3
import pytest
import trustme

from tests.ports import free_ports

BASE = "dc=example,dc=org"
ADMIN, ADMIN_SECRET = f"cn=admin,{BASE}", "the secret of the admin"

CONFIG = f"""
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
attributetype ( 1.3.6.1.4.1.99999.1 NAME 'mailAlias' EQUALITY caseIgnoreIA5Match SUBSTR caseIgnoreIA5SubstringsMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
attributetype ( 1.3.6.1.4.1.99999.2 NAME 'mailList' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
attributetype ( 1.3.6.1.4.1.99999.3 NAME 'diskQuota' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 )
objectclass ( 1.3.6.1.4.1.99999.4 NAME 'mailUser' SUP top AUXILIARY MAY ( mail $ mailAlias $ mailList $ diskQuota ) )
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
TLSCertificateFile FOLDER/certificate.pem
TLSCertificateKeyFile FOLDER/key.pem
pidfile FOLDER/slapd.pid
database mdb
suffix "{BASE}"
rootdn "{ADMIN}"
rootpw "{ADMIN_SECRET}"
directory FOLDER/data
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by users read by anonymous auth
"""


@dataclass
class Slapd:
    """A server that runs, or may be started again. `ca` is a file with the authority of its certificate."""

    program: str
    folder: Path
    port: int
    tls_port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"ldap://localhost:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"ldaps://localhost:{self.tls_port}"

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        where = f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.tls_port}"
        command = [self.program, "-f", f"{self.folder}/slapd.conf", "-h", where, "-d", "0"]
        self.process = process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.tls_port)).close()
                return
            except OSError:
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop it, whoever is connected."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def add(self, dn: str, classes: list[str], **attributes: object) -> None:
        """Add an entry beneath the base."""
        with ldap3.Connection(f"ldap://localhost:{self.port}", ADMIN, ADMIN_SECRET, raise_exceptions=True) as admin:
            admin.add(f"{dn},{BASE}" if dn else BASE, classes, attributes)  # type: ignore[no-untyped-call]


@contextmanager
def slapd() -> Iterator[Slapd]:
    """A server without a person, started; the test is skipped where there is none."""
    program = shutil.which("slapd") or shutil.which("slapd", path="/usr/sbin:/usr/local/sbin:/usr/libexec")
    if program is None:
        pytest.skip("needs slapd")
    folder = Path(tempfile.mkdtemp(prefix="jmaplite-ldap-"))
    try:
        (folder / "data").mkdir()
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost")
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
        certificate.cert_chain_pems[0].write_to_path(str(folder / "certificate.pem"))
        (folder / "slapd.conf").write_text(CONFIG.replace("FOLDER", str(folder)))
        port, tls_port = free_ports(2)
        server = Slapd(program, folder, port, tls_port)
        server.start()
        try:
            server.add("", ["top", "dcObject", "organization"], dc="example", o="Example")
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
