"""Combinations that are allowed and still worth a word."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from jmaplite.config import parse

GOOD = """\
server.listener.jmap.bind = "127.0.0.1:0"
jmap.directory = "memory"
directory.memory.type = "memory"
"""
"""Three lines."""

ORIGINS = 'jmap.http.cors.allowed-origins = "https://a.example.org"\n'
LDAP = 'directory.x = { type = "ldap", base-dn = "x", filter.name = "(uid=?)", url = "%s", tls.enable = %s }'


def warnings(text: str) -> list[str]:
    return [remark.shown() for remark in parse(GOOD + text, "c.toml", environ={}).remarks]


@pytest.mark.parametrize(
    "text",
    [
        "",
        'server.listener.x = { bind = ["[::1]:0", "localhost:0", "unix:/run/x.sock"] }',
        'server.listener.x = { bind = "0.0.0.0:0", proxy.trusted-networks = "10.0.0.1" }',
        'server.proxy.trusted-networks = "10.0.0.1"\nserver.listener.x.bind = "0.0.0.0:0"',
        'server.listener.x = { bind = "0.0.0.0:0", protocol = "admin", proxy.trusted-networks = "10.0.0.1" }',
        'server.listener.x = { bind = "127.0.0.1:0", protocol = "lmtp" }\nrelay.host = "localhost"',
        'jmap.http.headers = ["Access-Control-Allow-Origin: *"]',
        ORIGINS,
        'relay = { host = "localhost", auth.secret = "x" }',
        'relay = { host = "mail.example.org", auth.secret = "x", tls.starttls = "require" }',
        'relay = { host = "mail.example.org", auth.secret = "x", tls.implicit = true }',
        LDAP % ("ldaps://ldap.example.org", "false"),
        LDAP % ("ldap://ldap.example.org", "true"),
        LDAP % ("ldap://[::1]:389", "false"),
        "dev.enable = true",
    ],
)
def test_what_is_sound_has_no_warning(text: str) -> None:
    assert warnings(text) == []


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ('server.listener.x.bind = "0.0.0.0:80"', "server.listener.x.bind", "passwords come in without TLS at 0.0.0.0"),
        ('server.listener.x.bind = "[::]:80"', "server.listener.x.bind", "passwords come in without TLS at [::]:80"),
        (
            'server.listener.x = { bind = "0.0.0.0:80", protocol = "managesieve" }',
            "server.listener.x.bind",
            "passwords come in without TLS",
        ),
        (
            'server.listener.x = { bind = "unix:s", protocol = "lmtp", tls.enable = true }\nrelay.host = "localhost"',
            "server.listener.x.tls.enable",
            "changes nothing: there is no certificate, so STARTTLS is not offered",
        ),
        (
            'server.listener.x = { bind = "0.0.0.0:80", protocol = "admin" }',
            "server.listener.x.bind",
            "health and metrics can be read by whoever reaches 0.0.0.0:80",
        ),
        (
            'server.listener.x = { bind = "0.0.0.0:24", protocol = "lmtp" }\nrelay.host = "localhost"',
            "server.listener.x.bind",
            "whoever reaches 0.0.0.0:24 can deliver mail",
        ),
        (
            'jmap.http.headers = ["Access-Control-Allow-Origin: *", "access-control-allow-credentials: true"]',
            "jmap.http.headers",
            "browsers refuse * together with Access-Control-Allow-Credentials",
        ),
        (
            'jmap.http.headers = ["Access-Control-Allow-Origin: https://*.example.org"]',
            "jmap.http.headers",
            "browsers take one origin or *, and no pattern",
        ),
        (
            'jmap.http.headers = ["Access-Control-Allow-Origin: https://a.org, https://b.org"]',
            "jmap.http.headers",
            "browsers take one origin or *, and no pattern",
        ),
        (
            'jmap.http.headers = ["Access-Control-Allow-Origin: https://a.org", "Access-Control-Allow-Origin: https://b.org"]',
            "jmap.http.headers",
            "browsers take one origin or *, and no pattern",
        ),
        (
            'server.listener.x = { bind = "127.0.0.1:24", protocol = "lmtp" }',
            "server.listener.x.protocol",
            "mail to other places waits in vain",
        ),
        ("jmap.rate-limit.use-forwarded = true", "jmap.rate-limit.use-forwarded", "changes nothing: nobody is trusted"),
        ("server.http.hsts = true", "server.http.hsts", "changes nothing: browsers believe it over TLS only"),
        (
            'relay = { host = "mail.example.org", auth.secret = "x" }',
            "relay.auth.secret",
            "is not sent where mail.example.org offers no TLS",
        ),
        (
            'relay = { host = "localhost", tls.allow-invalid-certs = true }',
            "relay.tls.allow-invalid-certs",
            "whoever stands in between can read passwords",
        ),
        (LDAP % ("ldap://ldap.example.org", "false"), "directory.x.url", "passwords go to 'ldap.example.org' without"),
        (
            'server.proxy.trusted-networks = "::1"\ndev.enable = true\nserver.listener.x.bind = "0.0.0.0:0"',
            "dev.enable",
            "is for tests, and others than this machine can reach a listener",
        ),
    ],
)
def test_what_is_more_often_a_slip_has_a_warning_on_its_line(text: str, key: str, message: str) -> None:
    [warning] = warnings(text)
    assert warning.partition(": ")[2].startswith(f"{key}: warning: {message}")
    line = int(warning.split(":")[1])
    assert key.rpartition(".")[2] in (GOOD + text).splitlines()[line - 1]


def test_a_setting_that_does_nothing_here_has_a_note() -> None:
    text = LDAP.replace("filter.name =", 'filter.verify = "(mail=?)", filter.name =') % ("ldapi:///", "false")
    assert [one.partition(": ")[2] for one in warnings(text)] == [
        "directory.x.filter.verify: note: is not used: nobody is told who is there (VRFY)"
    ]


def test_what_begins_tls_takes_the_certificate_that_is_the_default(tmp_path: Path) -> None:
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "pair.pem")
    pair = f'{{ cert = "{tmp_path}/pair.pem", private-key = "{tmp_path}/pair.pem" }}'
    listener = '\nserver.listener.x = { bind = "0.0.0.0:80", protocol = "managesieve" }'
    assert warnings(f"certificate.a = {pair}{listener}") == []
    [warning] = warnings(f"certificate = {{ a = {pair}, b = {pair} }}{listener}")
    assert "passwords come in without TLS" in warning
