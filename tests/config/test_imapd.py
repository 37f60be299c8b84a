"""Options of Cyrus in the table [imapd]: each is honoured, or refused with the reason."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.config import UNLIMITED, Config, ConfigError, parse
from jmaplite.config.cyrus import Cyrus
from jmaplite.config.table.imapd import OPTIONS
from jmaplite.config.table.imapd_refused import PREFIXES
from jmaplite.config.walk import by_name

DOCS = Path(__file__).parents[2] / "docs" / "config.md"

GOOD = """\
server.listener.jmap.bind = "127.0.0.1:0"
jmap.directory = "memory"
directory.memory.type = "memory"
"""


def made(text: str) -> Config:
    return parse(f"{GOOD}[imapd]\n{text}\n", "c.toml", environ={})


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        made(text)
    return raised.value.lines()


def test_sizes_numbers_and_durations_are_honoured_in_cyruss_forms() -> None:
    config = made(
        """
jmap_max_size_upload = "1G"
jmap_max_concurrent_upload = "5"
jmap_max_size_request = "10M"
jmap_max_calls_in_request = 50
jmap_max_objects_in_get = 4096
jmap_mail_max_size_attachments_per_email = "12345B"
jmap_max_delayed_send = "512d"
conversations_expire_after = "1d12h"
conversations_max_thread = 100
httptimeout = 5
sieve_maxscripts = 5
sieve_maxscriptsize = 32
sieve_vacation_min_response = "3d"
maxmessagesize = "20m"
"""
    )
    assert config.limits.max_size_upload == 2**30
    assert config.limits.max_concurrent_upload == 5
    assert config.limits.max_size_request == 10 * 2**20
    assert (config.limits.max_calls_in_request, config.limits.max_objects_in_get) == (50, 4096)
    assert config.email.max_attachment_size == 12345
    assert config.submission.max_delayed_send == 512 * 86400
    assert (config.conversations.expire_after, config.conversations.max_thread) == (129600, 100)
    assert config.http.keep_alive == 300
    assert (config.sieve.max_scripts, config.sieve.max_script_size, config.sieve.vacation_min) == (5, 32768, 259200)
    assert config.email.max_size == 20 * 2**20


def test_a_number_without_a_unit_is_in_the_one_that_it_always_was() -> None:
    """As imapd.conf(5) has it: kilobytes, and seconds, minutes or days."""
    config = made(
        """
jmap_max_size_upload = 1048576
jmap_max_size_request = "10240"
jmap_mail_max_size_attachments_per_email = 10240
jmap_max_delayed_send = 86400
jmap_pushpoll = 30
conversations_expire_after = 90
websocket_timeout = 30
sieve_vacation_min_response = 3600
sieve_vacation_max_response = 7200
sieve_duplicate_max_expiration = 3600
maxmessagesize = 1000000
"""
    )
    assert (config.limits.max_size_upload, config.limits.max_size_request) == (2**30, 10 * 2**20)
    assert (config.email.max_attachment_size, config.email.max_size) == (10 * 2**20, 1_000_000)
    assert (config.submission.max_delayed_send, config.conversations.expire_after) == (86400, 90 * 86400)
    assert (config.event_source.throttle, config.web_socket.timeout) == (30, 1800)
    assert (config.sieve.vacation_min, config.sieve.vacation_max) == (3600, 7200)
    assert config.sieve.duplicate_max == 3600


@pytest.mark.parametrize("word", ['"yes"', '"on"', '"t"', '"true"', "1", '"1"', "true", '"Yes"'])
def test_a_switch_is_on_in_any_of_its_forms(word: str) -> None:
    assert made(f"conversations = {word}").conversations.enable is True


@pytest.mark.parametrize("word", ['"no"', '"off"', '"f"', '"false"', "0", '"0"', "false", '"NO"'])
def test_a_switch_is_off_in_any_of_its_forms(word: str) -> None:
    assert made(f"conversations = {word}").conversations.enable is False


def test_what_is_not_set_keeps_the_default_of_this_server() -> None:
    config = made("")
    assert config.conversations.enable is True
    assert config.limits.max_size_upload == 50_000_000
    assert config.conversations.max_thread == UNLIMITED


def test_pushpoll_is_how_often_a_client_is_told_and_0_is_never() -> None:
    config = made('jmap_pushpoll = "60s"')
    assert (config.event_source.throttle, config.web_socket.throttle, config.push.enable) == (60, 60, True)
    assert made("jmap_pushpoll = 0").push.enable is False


def test_a_web_socket_timeout_of_0_takes_the_capability_away() -> None:
    config = made('websocket_timeout = "30m"')
    assert (config.web_socket.timeout, config.capabilities.chosen) == (1800, ())
    assert dict(made("websocket_timeout = 0").capabilities.chosen) == {"websocket": False}


def test_vacation_can_be_switched_off() -> None:
    assert dict(made('jmap_vacation = "no"').capabilities.chosen) == {"vacationresponse": False}


def test_origins_and_flags_are_words_or_a_list() -> None:
    config = made(
        """
httpallowcors = "https://a.example.org https://*.example.com"
conversations_counted_flags = ['\\Flagged', "$important"]
"""
    )
    assert config.cors.wildmat == "https://a.example.org https://*.example.com"
    assert config.conversations.counted_flags == ("\\Flagged", "$important")


def test_the_host_for_outgoing_mail_is_a_relay() -> None:
    config = made('smtp_host = "mail.example.org:465/tls"\nsmtp_auth_authname = "me"\nsmtp_auth_password = "hush"')
    [relay] = config.relays
    assert (relay.host, relay.port, relay.tls_starttls) == ("mail.example.org", 465, "require")
    assert (relay.auth_username, relay.auth_secret) == ("me", "hush")


def test_the_same_thing_set_twice_names_both_lines() -> None:
    text = f'{GOOD}jmap.protocol.upload.max-size = "2G"\n[imapd]\njmap_max_size_upload = "1G"\n'
    with pytest.raises(ConfigError) as raised:
        parse(text, "c.toml", environ={})
    assert raised.value.lines() == [
        "c.toml:6: imapd.jmap_max_size_upload: is the same as jmap.protocol.upload.max-size, which is set on line 4"
    ]
    assert mistakes('conversations_expire_after = "90d"\nconversations_expire_days = 90') == [
        "c.toml:6: imapd.conversations_expire_days: is the same as imapd.conversations_expire_after, "
        "which is set on line 5"
    ]


@pytest.mark.parametrize("database", ["skiplist", "sql", "twoskip", "twom", "zeroskip"])
def test_the_database_of_conversations_is_accepted_and_explained(database: str) -> None:
    [remark] = made(f'conversations_db = "{database}"').remarks
    assert remark.severity == "note"
    assert remark.shown().startswith("c.toml:5: imapd.conversations_db: note: threads are kept in the store")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('conversations = "maybe"', "conversations: expected yes or no (also 1, on, t, true; 0, off, f, false), found"),
        ('jmap_max_size_upload = "1X"', "jmap_max_size_upload: expected a size such as"),
        ("jmap_max_calls_in_request = 0", "jmap_max_calls_in_request: the number 0 is too small: at least 1"),
        ("jmap_max_calls_in_request = true", "jmap_max_calls_in_request: expected a whole number, found true"),
        ('jmap_nonstandard_extensions = "yes"', "jmap_nonstandard_extensions: can only be no, found yes: nothing is"),
        ('search_snippet_length = 100', "search_snippet_length: can only be 255, found the number 100: a snippet"),
        ('httpmodules = "caldav jmap"', "httpmodules: caldav: only jmap is served here"),
        ('httpmodules = "admin"', "httpmodules: has to contain jmap"),
        ('smtp_backend = "sendmail"', "smtp_backend: can only be 'host', found 'sendmail': mail leaves by SMTP"),
        ('smtp_auth_password = ["hush"]', "smtp_auth_password: expected a string, found a list of 1"),
        ('caldav_realm = "x"', "caldav_realm: is refused: calendars are not served"),
        ('partition-default = "/var/spool"', "partition-default: is refused: [store] path says where mail is kept"),
        ('jmap_max_size_uplaod = "1G"', "jmap_max_size_uplaod: unknown key (did you mean 'jmap_max_size_upload'?)"),
        ('smtp_auth_authname = "me"', "smtp_auth_authname: needs smtp_host beside it"),
        ('smtp_backend = "host"', "smtp_backend: needs smtp_host beside it"),
        ('allowanonymouslogin = "yes"', "allowanonymouslogin: can only be no, found yes: nobody is let in without"),
        ('calendar_component_set = "VEVENT"', "calendar_component_set: is refused: calendars are not served"),
        ('tls_session_timeout = "1h"', "tls_session_timeout: is refused: TLS is set in [server.listener.NAME.tls]"),
        ('lmtpsocket = "/run/lmtp"', 'lmtpsocket: is bind = "unix:PATH" of a listener with protocol = "lmtp"'),
        ('lmtp_downcase_rcpt = "yes"', "lmtp_downcase_rcpt: is refused: mail comes in by a listener"),
        ('sync_host = "x"', "sync_host: is the backup's business: `jmaplite backup`"),
        ('mboxname_lockpath = "/run"', "mboxname_lockpath: is refused: the store has one kind of files"),
        ("flavour = 1", "flavour: unknown key"),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused_with_the_reason(line: str, message: str) -> None:
    [only] = mistakes(line)
    assert only.startswith(f"c.toml:5: imapd.{message}")


def test_an_absurd_origin_is_a_mistake_on_its_line() -> None:
    [only] = mistakes('\nhttpallowcors = ["*.example.com"]')
    assert only.startswith("c.toml:6: imapd.httpallowcors: expected ")


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_cyruss_default_is_taken_or_refused_for_a_reason(option: Cyrus) -> None:
    """Never with `expected ...`: whatever Cyrus takes as its own default is a form that is known."""
    try:
        made(f'{option.name} = "{option.default}"')
    except ConfigError as error:
        if option.default:
            [mistake] = error.mistakes
            assert mistake.message.endswith(option.reason)
            assert option.reason


def test_every_option_is_documented_and_none_is_there_twice() -> None:
    text = DOCS.read_text("utf-8")
    names = [option.name for option in OPTIONS]
    assert len(names) == len(set(names))
    assert [name for name in names if f"| `{name}` |" not in text] == []
    assert [prefix for prefix in PREFIXES if f"| `{prefix}...` |" not in text] == []


def test_every_option_becomes_something_that_is_there() -> None:
    for option in OPTIONS:
        for value in (True, 5, "host", ("x",)):
            try:
                targets = option.becomes(value) if option.becomes else ()
            except (TypeError, AttributeError):
                continue  # a value of another kind
            assert all(target.option in by_name() for target in targets)


@given(
    st.sampled_from([option.name for option in OPTIONS]),
    st.one_of(
        st.booleans().map(lambda value: str(value).lower()),
        st.integers(-5, 10**15).map(str),
        st.from_regex(r"[ -!#-\[\]-~]{0,12}", fullmatch=True).map(lambda text: f'"{text}"'),
        st.sampled_from(["[]", "{}", "1.5", "nan", "1979-05-27", '["a", 5]', '"٣"', '"\\u0000"', '"%{env:X}%"']),
    ),
)
def test_no_value_is_answered_with_more_than_mistakes_on_its_line(name: str, value: str) -> None:
    with suppress(ConfigError):
        made(f"{name} = {value}")
        return
    assert all(line.startswith(("c.toml:5: ", "c.toml:2: ")) for line in mistakes(f"{name} = {value}"))
