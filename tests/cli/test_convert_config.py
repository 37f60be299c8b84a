"""`jmaplite convert-config`: from Cyrus to here."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from jmaplite import cli
from jmaplite.config import Config, parse
from jmaplite.config.convert import convert
from jmaplite.config.table.imapd import OPTIONS

IMAPD_CONF = """\
# Debian defaults for Cyrus IMAP server/clusters implementation
configdirectory: /var/lib/cyrus
partition-default: /var/spool/cyrus/mail
unixhierarchysep: yes
admins: cyrus
sasl_pwcheck_method: saslauthd
servername: mail.example.org
conversations: 1
conversations_db: twoskip
conversations_max_thread: 100
httpmodules: caldav jmap
httpallowcors: https://webmail.example.org
jmap_max_size_upload: 1G
jmap_nonstandard_extensions: yes
smtp_backend: host
smtp_host: localhost:587/tls
smtp_auth_authname: me
smtp_auth_password: hush
sieve_maxscripts: 10

this is no option
flavour: strawberry
jmap_pushpoll: 30s
jmap_pushpoll: 60s
"""


def converted(text: str) -> tuple[Config, list[tuple[int, str, str]]]:
    result = convert(text, "imapd.conf")
    return parse(result.text, "c.toml", environ={}), result.left_out


def test_what_can_be_carried_over_is() -> None:
    config, _ = converted(IMAPD_CONF)
    assert config.server.hostname == "mail.example.org"
    assert (config.conversations.enable, config.conversations.max_thread) == (True, 100)
    assert config.cors.wildmat == "https://webmail.example.org"
    assert config.limits.max_size_upload == 2**30
    assert config.relays[0].auth_secret == "hush"
    assert config.sieve.max_scripts == 10
    assert config.event_source.throttle == 60


def test_what_cannot_is_told_line_by_line_with_the_reason() -> None:
    _, left_out = converted(IMAPD_CONF)
    assert [(line, option) for line, option, _ in left_out] == [
        (2, "configdirectory"),
        (3, "partition-default"),
        (4, "unixhierarchysep"),
        (5, "admins"),
        (6, "sasl_pwcheck_method"),
        (11, "httpmodules"),
        (14, "jmap_nonstandard_extensions"),
        (21, "this is no option"),
        (22, "flavour"),
        (23, "jmap_pushpoll"),
    ]
    reasons = {option: reason for _, option, reason in left_out}
    assert reasons["unixhierarchysep"] == "is refused: IMAP, POP and NNTP are not served"
    assert reasons["jmap_nonstandard_extensions"].startswith("can only be no, found yes: nothing is spoken here")
    assert reasons["flavour"] == "unknown key"
    assert reasons["this is no option"] == "is no line of the form `option: value`"
    assert reasons["jmap_pushpoll"] == "is set again on line 24"


def test_a_part_that_needs_another_is_left_out_without_it() -> None:
    config, left_out = converted("smtp_auth_authname: me\nsmtp_auth_password: hush\n")
    assert config.relays == ()
    assert {option for _, option, _ in left_out} == {"smtp_auth_authname", "smtp_auth_password"}


def test_the_certificate_is_taken_over_if_it_is_there(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("mail.example.org")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    config, left_out = converted(f"tls_server_cert: {tmp_path}/cert.pem\ntls_server_key: {tmp_path}/key.pem\n")
    assert left_out == []
    [listener] = config.listeners
    assert (listener.tls_implicit, listener.tls_certificate, listener.bind[0].port) == (True, "cyrus", 443)
    (tmp_path / "key.pem").unlink()
    config, left_out = converted(f"tls_server_cert: {tmp_path}/cert.pem\ntls_server_key: {tmp_path}/key.pem\n")
    assert str(config.listeners[0].bind[0]) == "127.0.0.1:8080"
    assert [line for line, _, _ in left_out] == [1, 2]


def test_users_in_ldap_are_found_there() -> None:
    config, left_out = converted(
        "ldap_uri: ldap://ldap.example.org\nldap_base: dc=example,dc=org\nldap_bind_dn: cn=reader\n"
        "ldap_password: hush\nldap_filter: (uid=%U)\nldap_scope: sub\nldap_start_tls: yes\n"
    )
    assert [option for _, option, _ in left_out] == ["ldap_scope"]
    directory = config.directory
    assert directory.ldap.tls_enable
    assert (directory.type, directory.url, directory.ldap.base_dn) == (
        "ldap",
        "ldap://ldap.example.org",
        "dc=example,dc=org",
    )
    assert (directory.ldap.bind_dn, directory.ldap.bind_secret, directory.ldap.filter_name) == (
        "cn=reader",
        "hush",
        "(uid=?)",
    )


def test_what_is_for_the_web_alone_counts_and_what_is_for_other_services_does_not() -> None:
    config, left_out = converted(
        "servername: all.example.org\nhttp_servername: web.example.org\nimap_servername: imap.example.org\n"
        "sieve_maxscripts: 7\nhttp_jwt_max_age: 1\n"
    )
    assert (config.server.hostname, config.sieve.max_scripts) == ("web.example.org", 7)
    assert [(line, option) for line, option, _ in left_out] == [
        (1, "servername"),
        (3, "imap_servername"),
        (5, "http_jwt_max_age"),
    ]
    assert [reason for _, _, reason in left_out[:2]] == [
        "is set for the service on line 2",
        "is for the service imap alone",
    ]


def test_lines_go_on_after_a_backslash_and_other_files_are_told() -> None:
    config, left_out = converted(
        "httpallowcors: https://a.example, \\\n  https://b.example\n@include: /etc/more.conf\nconversations: no"
    )
    assert config.cors.wildmat == "https://a.example,   https://b.example"
    assert config.conversations.enable is False
    assert left_out == [(3, "@include: /etc/more.conf", "is another file: convert that as well")]


def test_the_command_keeps_the_two_apart(tmp_path: Path) -> None:
    (tmp_path / "imapd.conf").write_text("conversations: 0\nadmins: cyrus\n")
    result = CliRunner().invoke(cli.main, ["convert-config", str(tmp_path / "imapd.conf")])
    assert result.exit_code == 0
    assert parse(result.stdout, "c.toml").conversations.enable is False
    assert result.stderr.startswith(f"{tmp_path}/imapd.conf:2: admins: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.main, ["convert-config", str(tmp_path / "none")])
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: {tmp_path}/none cannot be read: No such file or directory\n",
    )


LINES = st.tuples(
    st.sampled_from([option.name for option in OPTIONS]) | st.sampled_from(["ldap_uri", "ldap_base", "ldap_filter"]),
    st.sampled_from(["yes", "0", "1G", "60s", "90d", "jmap", "host", "localhost:587", "ldap://h", "(uid=%u)", "-1", ""])
    | st.text(max_size=10),
).map(lambda pair: f"{pair[0]}: {pair[1]}")


@given(st.lists(LINES | st.text(max_size=30), max_size=12))
@pytest.mark.filterwarnings("ignore")
def test_whatever_stands_in_it_the_outcome_is_a_configuration(lines: list[str]) -> None:
    converted("\n".join(lines))
