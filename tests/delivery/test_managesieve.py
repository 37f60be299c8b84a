"""ManageSieve (RFC 5804), over the wire: octet by octet, and by clients that are not ours."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jmaplite.config import parse
from tests.delivery.conftest import CONFIG, Mail, started
from tests.delivery.scripts import Post, message

LISTENER = """
[server.listener.sieve]
protocol = "managesieve"
bind = "127.0.0.1:0"
"""
TLS = """
[server.listener.sieve]
protocol = "managesieve"
bind = "127.0.0.1:0"
[certificate.here]
cert = "certificate.pem"
private-key = "key.pem"
"""


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    for mail in started(tmp_path, more=LISTENER):
        post = Post(mail)
        post.session("ann")
        yield post


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Post]:
    """The same with STARTTLS; the CA is in ca.pem."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "certificate.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for mail in started(tmp_path, more=TLS):
        yield Post(mail)


@dataclass
class Peer:
    """A client that says exactly what it is told to."""

    connection: socket.socket

    def __post_init__(self) -> None:
        self.file = self.connection.makefile("rb")

    def close(self) -> None:
        self.file.close()
        self.connection.close()

    def hear(self) -> list[bytes]:
        """The lines of a response, the last of which begins with OK, NO or BYE; none at the end."""
        lines = []
        while line := self.file.readline():
            octets = line.rstrip(b"\r\n")
            if octets.endswith(b"}") and b"{" in octets:
                length = int(octets[octets.rindex(b"{") + 1 : -1])
                octets = octets[: octets.rindex(b"{")] + b"=" + self.file.read(length)
                octets += self.file.readline().rstrip(b"\r\n")
            lines.append(octets)
            if octets[:2].upper() in (b"OK", b"NO") or octets[:3].upper() == b"BYE":
                break
        return lines

    def say(self, *lines: bytes) -> list[bytes]:
        self.connection.sendall(b"\r\n".join(lines) + b"\r\n")
        return self.hear()

    def log_in(self, name: str = "ann", password: str = "pw") -> bytes:
        initial = b64encode(f"\0{name}\0{password}".encode())
        return self.say(b'AUTHENTICATE "PLAIN" "%s"' % initial)[-1]

    def put(self, name: str, script: bytes) -> list[bytes]:
        return self.say(b'PUTSCRIPT "%s" {%d+}' % (name.encode(), len(script)), script)


def connect(mail: Mail) -> Peer:
    return Peer(socket.create_connection(("127.0.0.1", mail.port("sieve")), timeout=30))


@pytest.fixture
def stranger(post: Post) -> Iterator[Peer]:
    peer = connect(post.mail)
    assert peer.hear()[-1].startswith(b"OK")
    yield peer
    peer.close()


@pytest.fixture
def peer(stranger: Peer) -> Peer:
    assert stranger.log_in().startswith(b"OK")
    return stranger


def test_the_greeting_tells_what_can_be_done(post: Post) -> None:
    """RFC 5804 §1.7."""
    peer = connect(post.mail)
    *lines, last = peer.hear()
    assert last.startswith(b"OK")
    told = dict([*line.split(b" ", 1), b""][:2] for line in lines)
    assert told[b'"VERSION"'] == b'"1.0"'
    assert told[b'"SASL"'] == b'"PLAIN"'
    assert told[b'"NOTIFY"'] == b'"mailto"'
    assert b" fileinto " in told[b'"SIEVE"']
    assert told[b'"IMPLEMENTATION"'].startswith(b'"jmaplite ')
    assert told[b'"MAXREDIRECTS"'] == b'"1"'
    assert not {b'"STARTTLS"', b'"OWNER"'} & told.keys()
    assert peer.log_in().startswith(b"OK")
    assert b'"OWNER" "ann"' in peer.say(b"capability")
    peer.close()


def test_without_tls_one_logs_in_on_this_machine_by_an_address_of_any_kind(tmp_path: Path) -> None:
    for mail in started(tmp_path, more=LISTENER.replace("127.0.0.1", "[::]")):
        peer = connect(mail)
        assert b'"SASL" "PLAIN"' in peer.hear()
        assert peer.log_in().startswith(b"OK")
        peer.close()


def test_a_script_that_is_put_is_a_script_of_jmap_and_runs(post: Post, peer: Peer) -> None:
    script = b'require "fileinto";\r\nfileinto "Archive";\r\n'
    assert peer.put("mine", script) == [b"OK"]
    assert peer.say(b"LISTSCRIPTS") == [b'"mine"', b"OK"]
    assert peer.say(b'setactive "mine"') == [b"OK"]
    assert peer.say(b"LISTSCRIPTS") == [b'"mine" ACTIVE', b"OK"]
    assert peer.say(b'GETSCRIPT "mine"') == [b"=" + script, b"OK"]
    (told,) = post.call("SieveScript/get", ids=None)["list"]
    assert (told["name"], told["isActive"]) == ("mine", True)
    post.bring(message())
    assert post.filed() == {"Archive": ["Hello"]}
    # In the place of the one that is there, which stays active.
    assert peer.put("mine", b"discard;\r\n") == [b"OK"]
    assert peer.say(b"LISTSCRIPTS") == [b'"mine" ACTIVE', b"OK"]
    post.bring(message("Two"))
    assert post.filed() == {"Archive": ["Hello"]}


def test_what_is_wrong_is_said_with_its_line(peer: Peer) -> None:
    (answer,) = peer.put("mine", b"keep;\r\nInvalidSieveCommand\r\n")
    assert answer.startswith(b'NO "line 3')
    assert peer.say(b"LISTSCRIPTS") == [b"OK"]
    assert peer.say(b"CHECKSCRIPT {5+}", b"keep;") == [b"OK"]
    assert peer.say(b"CheckScript {4+}", b"keep")[0].startswith(b'NO "line 1')
    assert peer.put("mine", b"")[0].startswith(b"NO")


def test_a_script_with_too_many_redirects_is_warned_of(peer: Peer) -> None:
    """RFC 5804 §2.6."""
    script = b'redirect "a@example.com";\r\nif true { redirect "b@example.com"; }\r\n'
    (answer,) = peer.put("mine", script)
    assert answer.startswith(b'OK (WARNINGS) "line 2')
    assert peer.say(b"LISTSCRIPTS") == [b'"mine"', b"OK"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (b'GETSCRIPT "none"', b"(NONEXISTENT)"),
        (b'SETACTIVE "none"', b"(NONEXISTENT)"),
        (b'DELETESCRIPT "none"', b"(NONEXISTENT)"),
        (b'DELETESCRIPT "active"', b"(ACTIVE)"),
        (b'RENAMESCRIPT "none" "x"', b"(NONEXISTENT)"),
        (b'RENAMESCRIPT "other" "active"', b"(ALREADYEXISTS)"),
        (b'RENAMESCRIPT "active" "active"', b"(ALREADYEXISTS)"),
        (b'HAVESPACE "x" 99999999', b"(QUOTA/MAXSIZE)"),
        (b'PUTSCRIPT "" "keep;"', b'"'),
        (b'RENAMESCRIPT "other" "a\x7fb"', b'"'),
        (b'HAVESPACE "' + b"x" * 600 + b'" 7', b'"'),
        (b'HAVESPACE "x" "7"', b'"'),
        (b"HAVESPACE x 7", b'"'),
        (b'AUTHENTICATE "PLAIN" "AGFubgBwdw=="', b'"'),
        (b"STARTTLS", b'"'),
        (b"FLY", b'"'),
        (b'GETSCRIPT "a" "b"', b'"'),
        (b'GETSCRIPT "unfinished', b'"'),
        (b'GETSCRIPT "\xff"', b'"'),
        (b"()", b'"'),
        (b"", b'"'),
        (b'"LISTSCRIPTS"', b'"'),
    ],
)
def test_what_cannot_be_done_is_refused_and_the_conversation_goes_on(peer: Peer, command: bytes, code: bytes) -> None:
    peer.put("active", b"keep;")
    peer.put("other", b"stop;")
    peer.say(b'SETACTIVE "active"')
    (answer,) = peer.say(command)
    assert answer.startswith(b"NO " + code)
    assert peer.say(b"LISTSCRIPTS") == [b'"active" ACTIVE', b'"other"', b"OK"]


def test_a_script_is_renamed_and_stays_active(peer: Peer) -> None:
    peer.put("old", b"keep;")
    peer.say(b'SETACTIVE "old"')
    assert peer.say('RENAMESCRIPT "old" "neu \\" \\\\ ü"'.encode()) == [b"OK"]
    assert peer.say(b"LISTSCRIPTS") == ['"neu \\" \\\\ ü" ACTIVE'.encode(), b"OK"]
    assert peer.say(b'SETACTIVE ""') == [b"OK"]
    assert peer.say('DELETESCRIPT {14+}\r\nneu " \\ ü'.encode().replace(b"14", b"10")) == [b"OK"]
    assert peer.say(b"LISTSCRIPTS") == [b"OK"]


def test_there_are_not_more_scripts_than_may_be(tmp_path: Path) -> None:
    for mail in started(tmp_path, more=f"{LISTENER}\n[sieve.untrusted.limits]\nmax-scripts = 1\nscript-size = 10"):
        peer = connect(mail)
        peer.hear()
        peer.log_in()
        assert peer.say(b'HAVESPACE "a" 10') == [b"OK"]
        assert peer.put("a", b"keep;") == [b"OK"]
        assert peer.say(b'HAVESPACE "a" 10') == [b"OK"]
        assert peer.say(b'HAVESPACE "b" 10')[0].startswith(b"NO (QUOTA/MAXSCRIPTS)")
        assert peer.put("b", b"keep;")[0].startswith(b"NO (QUOTA/MAXSCRIPTS)")
        assert peer.put("a", b"#" * 11)[0].startswith(b"NO (QUOTA/MAXSIZE)")
        assert peer.put("a", b"#" * 20_000)[0].startswith(b"NO (QUOTA/MAXSIZE)")
        assert peer.say(b"NOOP") == [b'OK "done"']
        peer.close()


def test_a_full_account_takes_no_script(post: Post) -> None:
    peer = connect(post.mail)
    peer.hear()
    assert peer.log_in("tiny").startswith(b"OK")
    assert peer.say(b'HAVESPACE "a" 501')[0].startswith(b"NO (QUOTA)")
    assert peer.put("a", b"#" * 501)[0].startswith(b"NO (QUOTA)")
    assert peer.put("a", b"#" * 400) == [b"OK"]
    peer.close()


def test_strangers_can_do_nothing_and_not_say_much(stranger: Peer) -> None:
    for command in (b"LISTSCRIPTS", b'GETSCRIPT "x"', b'PUTSCRIPT "x" "keep;"', b"UNAUTHENTICATE", b'SETACTIVE ""'):
        assert stranger.say(command)[0].startswith(b"NO")
    assert stranger.say(b'NOOP "tag"') == [b'OK (TAG "tag") "done"']
    assert stranger.say(b"NOOP {8193+}", b"x" * 8193)[0].startswith(b"NO")
    assert stranger.say(b"NOOP {999999999+}")[0].startswith(b"BYE")
    assert stranger.hear() == []


def test_a_log_in_may_take_a_second_line_and_fail_twice(stranger: Peer) -> None:
    """RFC 5804 §2.1."""
    stranger.connection.sendall(b'AUTHENTICATE "plain"\r\n')
    assert stranger.file.readline() == b'""\r\n'
    assert stranger.say(b'"*"')[0].startswith(b"NO")
    assert stranger.say(b'AUTHENTICATE "SCRAM-SHA-1"')[0].startswith(b"NO")
    assert stranger.log_in(password="wrong").startswith(b"NO")
    stranger.connection.sendall(b'AUTHENTICATE "PLAIN"\r\n')
    assert stranger.file.readline() == b'""\r\n'
    assert stranger.say(b'"%s"' % b64encode(b"ann\0ann\0pw"))[0].startswith(b"OK")
    assert stranger.say(b"UNAUTHENTICATE") == [b"OK"]
    assert stranger.say(b"LISTSCRIPTS")[0].startswith(b"NO")
    assert stranger.log_in("bob").startswith(b"OK")


def test_a_log_in_may_be_canceled_as_often_as_one_likes(stranger: Peer) -> None:
    """RFC 5804 §2.1: the answer is NO, and nothing was guessed."""
    for _ in range(4):
        stranger.connection.sendall(b'AUTHENTICATE "PLAIN"\r\n')
        assert stranger.file.readline() == b'""\r\n'
        assert stranger.say(b'"*"')[0].startswith(b"NO")
    assert stranger.log_in().startswith(b"OK")


def test_the_strings_of_a_command_have_one_bound_together(stranger: Peer) -> None:
    one = b" {4096+}\r\n" + b"x" * 4096
    assert stranger.say(b"NOOP" + one * 2) == [b'NO "NOOP does not take these arguments"']
    assert stranger.say(b"NOOP" + one * 3)[0].startswith(b"NO (QUOTA/MAXSIZE)")
    assert stranger.say(b"NOOP") == [b'OK "done"']


def test_who_guesses_is_cut_off(stranger: Peer) -> None:
    assert [stranger.log_in(password=str(n))[:3] for n in range(3)] == [b"NO ", b"NO ", b"BYE"]
    assert stranger.hear() == []


def test_nobody_acts_for_somebody_else(stranger: Peer) -> None:
    initial = b64encode(b"bob\0ann\0pw")
    assert stranger.say(b'AUTHENTICATE "PLAIN" "%s"' % initial)[0].startswith(b"NO")


def test_whoever_logs_out_is_told_so_and_nothing_after_counts(peer: Peer) -> None:
    assert peer.say(b"LOGOUT", b'PUTSCRIPT "x" "keep;"')[0].startswith(b"OK")
    assert peer.hear() == []


def test_users_see_their_own_scripts_only(post: Post, peer: Peer) -> None:
    peer.put("mine", b"keep;")
    other = connect(post.mail)
    other.hear()
    other.log_in("bob")
    assert other.say(b"LISTSCRIPTS") == [b"OK"]
    other.close()


def test_a_server_that_stops_says_so(tmp_path: Path) -> None:
    for mail in started(tmp_path, more=LISTENER):
        peer = connect(mail)
        peer.hear()
        peer.log_in()
    assert peer.hear()[0].startswith(b"BYE (TRYLATER)")
    assert peer.hear() == []
    peer.close()


def test_starttls_forgets_what_was_said_before(secured: Post, tmp_path: Path) -> None:
    """RFC 5804 §2.2."""
    peer = connect(secured.mail)
    assert b'"STARTTLS"' in peer.hear()
    assert peer.say(b"STARTTLS")[0].startswith(b"OK")
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    peer.file.close()
    safe = Peer(context.wrap_socket(peer.connection, server_hostname="localhost"))
    *lines, last = safe.hear()
    assert last.startswith(b"OK")
    assert b'"STARTTLS"' not in lines
    assert safe.log_in().startswith(b"OK")
    assert safe.put("mine", b"keep;") == [b"OK"]
    safe.close()


def test_what_follows_starttls_in_the_clear_ends_it(secured: Post) -> None:
    peer = connect(secured.mail)
    peer.hear()
    answer = peer.say(b"STARTTLS", b'AUTHENTICATE "PLAIN" "AGFubgBwdw=="')
    assert answer[0].startswith(b"BYE")
    peer.close()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.binary(max_size=60) | st.sampled_from([b'"', b"{3+}", b"{", b"\\", b"(", b"PUTSCRIPT ", b"NOOP"])))
def test_nothing_that_is_said_breaks_it(post: Post, pieces: list[bytes]) -> None:
    peer = connect(post.mail)
    peer.hear()
    peer.connection.sendall(b"".join(pieces) + b"\r\n" + b"NOOP\r\n" * 6 + b"LOGOUT\r\n")
    while answer := peer.hear():
        assert answer[-1][:2] in (b"OK", b"NO", b"BY")
        assert b"unexpectedly" not in answer[-1]
    peer.close()


def test_sievelib_keeps_scripts_here(post: Post) -> None:
    """A client that nobody here wrote, in Python."""
    from sievelib.managesieve import Client

    client = Client("127.0.0.1", post.mail.port("sieve"))
    with pytest.warns(UserWarning, match="unencrypted"):
        assert client.connect("ann", "pw", starttls=False, authmech="PLAIN")
    assert client.havespace("rules", 100)
    assert client.putscript("rules", 'require "fileinto";\r\nfileinto "Archive";\r\n')
    assert client.checkscript("keep;")
    assert not client.putscript("broken", "nothing")
    assert client.setactive("rules")
    assert client.listscripts() == ("rules", [])
    assert "Archive" in str(client.getscript("rules"))
    assert client.renamescript("rules", "regeln")
    assert not client.deletescript("regeln")
    assert client.setactive("")
    assert client.deletescript("regeln")
    client.logout()


def test_sieve_connect_keeps_scripts_here_by_starttls(secured: Post, tmp_path: Path) -> None:
    """Debian's client, in Perl."""
    program = shutil.which("sieve-connect")
    if program is None:
        pytest.skip("needs sieve-connect")
    script = tmp_path / "rules.sieve"
    script.write_bytes(b'require "fileinto";\r\nfileinto "Archive";\r\n')

    def run(*options: str | Path) -> str:
        base = ["--server", "localhost", "--port", str(secured.mail.port("sieve")), "--4", "--user", "ann"]
        base += ["--authmech", "PLAIN", "--tlscafile", str(tmp_path / "ca.pem"), "--passwordfd", "0"]
        done = subprocess.run(
            [program, *base, *map(str, options)], input="pw\n", capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("--upload", "--localsieve", script, "--remotesieve", "rules")
    run("--activate", "--remotesieve", "rules")
    assert '"rules" ACTIVE' in run("--list")
    run("--download", "--remotesieve", "rules", "--localsieve", tmp_path / "back.sieve")
    assert (tmp_path / "back.sieve").read_bytes() == script.read_bytes()
    secured.bring(message())
    assert secured.filed() == {"Archive": ["Hello"]}
    commands = tmp_path / "commands"
    commands.write_text("deactivate\ndelete rules\nquit\n")
    run("--exec", commands)
    assert secured.call("SieveScript/get", ids=None)["list"] == []


def test_another_configuration_holds_for_new_connections_and_ends_a_listener_that_is_no_more(tmp_path: Path) -> None:
    for mail in started(tmp_path, more=LISTENER):
        before = connect(mail)
        before.hear()
        before.log_in()
        changed = f"{LISTENER}\n[sieve.untrusted.limits]\nredirects = 7"
        mail.loop.run(mail.server.reload(parse(CONFIG.format(tls="", more=changed), tmp_path / "config.toml")))
        assert before.put("x", b"keep;") == [b"OK"]
        after = connect(mail)
        assert b'"MAXREDIRECTS" "7"' in after.hear()
        mail.loop.run(mail.server.reload(parse(CONFIG.format(tls="", more=""), tmp_path / "config.toml")))
        assert before.hear()[0].startswith(b"BYE")
        assert "sieve" not in mail.server.urls
        before.close()
        after.close()
