"""The table `[imapd]`: Cyrus's options, and what each becomes here. What is not set keeps our defaults, not Cyrus's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from jmaplite.config.cyrus import (
    BYTES,
    DAYS,
    KILOBYTES,
    MINUTES,
    NUMBER,
    SECONDS,
    SWITCH,
    TEXT,
    WORDS,
    Cyrus,
    Names,
    Target,
    one_of,
)
from jmaplite.config.kinds import Kind, Wrong
from jmaplite.config.table.imapd_refused import REASONS

_LIMITS = "jmap.protocol"
_SIEVE = "sieve.untrusted"
_FIRST_RELAY: Names = (0,)


def _is(name: str, kind: Kind[Any], default: str, option: str, names: Names = (), *, secret: bool = False) -> Cyrus:
    """An option that is one of ours under another name."""

    def becomes(value: object) -> tuple[Target, ...]:
        return (Target(option, value, names),)

    return Cyrus(name, kind, default, f"`{option.replace('[]', '')}`", becomes, secret=secret)


def _lasts(name: str, kind: Kind[int], default: str, option: str) -> Cyrus:
    """A duration that is one of ours under another name."""
    return Cyrus(name, kind, default, f"`{option}`", lambda seconds: (Target(option, f"{seconds}s"),))


def _becomes(
    name: str, kind: Kind[Any], default: str, doc: str, becomes: Callable[[Any], tuple[Target, ...]], **more: Any
) -> Cyrus:
    return Cyrus(name, kind, default, doc, becomes, **more)


def _only(name: str, kind: Kind[Any], default: str, *values: Any, reason: str) -> Cyrus:
    """An option of which this server does one thing only."""
    return Cyrus(name, kind, default, only=values, reason=reason)


def _note(name: str, default: str, reason: str, kind: Kind[Any] = TEXT) -> Cyrus:
    """An option that is accepted and changes nothing that a client could see."""
    return Cyrus(name, kind, default, reason=reason, note=True)


def _pushpoll(seconds: int) -> tuple[Target, ...]:
    if not seconds:
        return (Target("jmap.push.enable", False),)
    return (Target("jmap.event-source.throttle", f"{seconds}s"), Target("jmap.web-socket.throttle", f"{seconds}s"))


def _websocket(seconds: int) -> tuple[Target, ...]:
    if not seconds:
        return (Target("jmap.capabilities.<id>", False, ("websocket",)),)
    return (Target("jmap.web-socket.timeout", f"{seconds}s"),)


def _vacation(on: bool) -> tuple[Target, ...]:
    return (Target("jmap.capabilities.<id>", on, ("vacationresponse",)),)


def _modules(value: object) -> tuple[str, ...]:
    modules: tuple[str, ...] = WORDS.parse(value)
    if "jmap" not in modules:
        raise Wrong("has to contain jmap")
    others = [one for one in modules if one not in ("jmap", "admin", "prometheus", "tzdist")]
    if others:
        raise Wrong(f"{', '.join(others)}: only jmap is served here, and health and metrics on an admin listener")
    return modules


def _smtp_host(text: str) -> tuple[Target, ...]:
    if text.startswith("/"):
        return (Target("relay[].host", f"unix:{text}", _FIRST_RELAY),)
    host, *words = text.split("/")
    name, _, port = host.rpartition(":") if re.search(r":\d+$", host) else (host, "", "")
    targets = [Target("relay[].host", name or host, _FIRST_RELAY)]
    if port:
        targets.append(Target("relay[].port", int(port), _FIRST_RELAY))
    if "tls" in words:
        targets.append(Target("relay[].tls.starttls", "require", _FIRST_RELAY))
    return tuple(targets)


def _host(value: object) -> str:
    text: str = TEXT.parse(value)
    if not text.startswith("/") and not re.fullmatch(
        r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:\d{1,5})?(/tls|/noauth)*", text
    ):
        raise Wrong
    return text


_HOST = Kind("host", 'a host such as "localhost:587", with "/tls" or "/noauth" behind it', _host)
_MODULES = Kind("words", "names of modules with spaces between them", _modules)


def _max_size(octets: int) -> tuple[Target, ...]:
    return (Target("jmap.email.max-size", octets),) if octets else ()


def _expire_days(days: int) -> tuple[Target, ...]:
    return (Target("conversations.expire-after", f"{days}d"),)


_STORED = "everything is kept in the store, and none of it in mailboxes"
_INDEXED = "queries and searches are answered from indexes that are always there"

OPTIONS: tuple[Cyrus, ...] = (
    _is("jmap_max_size_upload", KILOBYTES, "1G", f"{_LIMITS}.upload.max-size"),
    _is("jmap_max_concurrent_upload", NUMBER, "5", f"{_LIMITS}.upload.max-concurrent"),
    _is("jmap_max_size_request", KILOBYTES, "10M", f"{_LIMITS}.request.max-size"),
    _is("jmap_max_concurrent_requests", NUMBER, "5", f"{_LIMITS}.request.max-concurrent"),
    _is("jmap_max_calls_in_request", NUMBER, "50", f"{_LIMITS}.request.max-calls"),
    _is("jmap_max_objects_in_get", NUMBER, "4096", f"{_LIMITS}.get.max-objects"),
    _is("jmap_max_objects_in_set", NUMBER, "4096", f"{_LIMITS}.set.max-objects"),
    _is("jmap_mail_max_size_attachments_per_email", KILOBYTES, "10M", "jmap.email.max-attachment-size"),
    _lasts("jmap_max_delayed_send", SECONDS, "512d", "jmap.submission.max-delayed-send"),
    _only("jmap_nonstandard_extensions", SWITCH, "no", False, reason="nothing is spoken here that has no standard"),
    _only("jmap_preview_length", BYTES, "64B", 256, reason="a preview has up to 256 characters (RFC 8621 §4.1.4)"),
    _only(
        "jmap_set_has_attachment",
        SWITCH,
        "yes",
        False,
        reason="hasAttachment is a property of each message, and no keyword is set for it",
    ),
    _becomes(
        "jmap_pushpoll",
        SECONDS,
        "60s",
        "`jmap.event-source.throttle` and `jmap.web-socket.throttle`; 0: `jmap.push.enable = false`",
        _pushpoll,
    ),
    _note("jmap_querycache_max_age", "0m", _INDEXED, MINUTES),
    _note("jmap_emailsearch_db_path", "", _INDEXED),
    _becomes("jmap_vacation", SWITCH, "yes", "`jmap.capabilities.vacationresponse`", _vacation),
    _note("jmapuploadfolder", "#jmap", _STORED),
    _note("jmapsubmissionfolder", "#jmapsubmission", _STORED),
    _note("jmapnotificationfolder", "#jmapnotification", _STORED),
    _note("jmappushsubscriptionfolder", "#jmappushsubscription", _STORED),
    _only(
        "jmapsubmission_deleteonsend",
        SWITCH,
        "yes",
        False,
        reason="an EmailSubmission stays when it is sent, so that its deliveryStatus can be read",
    ),
    _is("conversations", SWITCH, "no", "conversations.enable"),
    _note(
        "conversations_db",
        "skiplist",
        "threads are kept in the store, whatever kind of database is named; "
        "`jmaplite conversations` does what ctl_conversationsdb does",
        one_of("skiplist", "sql", "twoskip", "twom", "zeroskip"),
    ),
    _is("conversations_counted_flags", WORDS, "", "conversations.counted-flags"),
    _lasts("conversations_expire_after", DAYS, "90d", "conversations.expire-after"),
    _becomes("conversations_expire_days", NUMBER, "", "`conversations.expire-after`", _expire_days),
    _only(
        "conversations_keep_existing",
        SWITCH,
        "yes",
        True,
        reason="the message ids of Emails that are there always find their Thread",
    ),
    _is("conversations_max_thread", NUMBER, "100", "conversations.max-thread"),
    _only(
        "quota_use_conversations",
        SWITCH,
        "no",
        True,
        reason="a message in several mailboxes is one Email, and counts once",
    ),
    _becomes("httpmodules", _MODULES, "", "checked: has to contain `jmap`", lambda _: ()),
    _is("httpallowcors", TEXT, "", "jmap.http.cors.wildmat"),
    _is("httpallowcompress", SWITCH, "yes", "jmap.http.compression"),
    _only("httpallowtrace", SWITCH, "no", False, reason="TRACE is never answered"),
    _only("httpcontentmd5", SWITCH, "no", False, reason="Content-MD5 is obsolete (RFC 7231)"),
    _only("httpprettytelemetry", SWITCH, "no", False, reason="JSON is always compact"),
    _lasts("httptimeout", MINUTES, "5m", "jmap.http.keep-alive"),
    _note("httpkeepalive", "20s", "answers begin before anything provisional would be needed", SECONDS),
    _becomes(
        "websocket_timeout",
        MINUTES,
        "30m",
        "`jmap.web-socket.timeout`; 0: `jmap.capabilities.websocket = false`",
        _websocket,
    ),
    _only(
        "allowplaintext",
        SWITCH,
        "no",
        True,
        reason="log-ins without TLS are not refused: use TLS, or bind to this machine alone behind a proxy that does",
    ),
    _only("allowanonymouslogin", SWITCH, "no", False, reason="nobody is let in without a log-in"),
    _note("search_engine", "none", _INDEXED, one_of("none", "squat", "xapian")),
    _note("defaultsearchtier", "", _INDEXED),
    _only("search_snippet_length", NUMBER, "255", 255, reason="a snippet has up to 255 octets (RFC 8621 §5)"),
    _only("search_index_headers", SWITCH, "yes", True, reason="headers can always be searched"),
    _only("search_index_language", SWITCH, "no", False, reason="words are searched as they are, in any language"),
    _only("search_skipdiacrit", SWITCH, "yes", True, reason="accents make no difference in a search"),
    _only("search_fuzzy_always", SWITCH, "no", False, reason="searches follow RFC 8621 §4.4.1"),
    _note("search_whitespace", "merge", _INDEXED),
    _note("search_batchsize", "20", _INDEXED, NUMBER),
    _note("search_queryscan", "5000", _INDEXED, NUMBER),
    _note("search_normalisation_max", "1000", _INDEXED, NUMBER),
    _note("search_maxtime", "", _INDEXED),
    _note("search_indexed_db", "twoskip", _INDEXED),
    _is("sieve_maxscripts", NUMBER, "5", f"{_SIEVE}.limits.max-scripts"),
    _is("sieve_maxscriptsize", KILOBYTES, "32K", f"{_SIEVE}.limits.script-size"),
    _lasts("sieve_vacation_min_response", SECONDS, "3d", f"{_SIEVE}.vacation.min-response"),
    _lasts("sieve_vacation_max_response", SECONDS, "90d", f"{_SIEVE}.vacation.max-response"),
    _lasts("sieve_duplicate_max_expiration", SECONDS, "90d", f"{_SIEVE}.max-expiry.duplicate"),
    _note("sieve_folder", "#sieve", _STORED),
    _note("sievedir", "/usr/sieve", _STORED),
    _only("sieveusehomedir", SWITCH, "no", False, reason=f"there are no home directories: {_STORED}"),
    _only("sieve_use_lmtp_reject", SWITCH, "yes", True, reason="a message is refused while it is handed over"),
    _only("sieve_utf8fileinto", SWITCH, "no", True, reason="names of mailboxes in scripts are UTF-8"),
    _becomes(
        "smtp_backend",
        one_of("host", "sendmail"),
        "sendmail",
        "`relay.protocol`",
        lambda _: (Target("relay[].protocol", "smtp", _FIRST_RELAY),),
        only=("host",),
        reason="mail leaves by SMTP, to smtp_host",
    ),
    _becomes("smtp_host", _HOST, "localhost:587", "`relay.host`, `relay.port`, `relay.tls.starttls`", _smtp_host),
    _is("smtp_auth_authname", TEXT, "", "relay[].auth.username", _FIRST_RELAY),
    _is("smtp_auth_password", TEXT, "", "relay[].auth.secret", _FIRST_RELAY, secret=True),
    _becomes("maxmessagesize", BYTES, "0", "`jmap.email.max-size`; 0 leaves it as it is", _max_size),
    _is("servername", TEXT, "", "server.hostname"),
    _becomes(
        "duplicatesuppression",
        SWITCH,
        "yes",
        "`session.rcpt.duplicate-expiry = false` where it is off",
        lambda on: () if on else (Target("session.rcpt.duplicate-expiry", False),),
    ),
    _note("serverinfo", "on", "a Server header can be set with jmap.http.headers", one_of("on", "off", "min")),
    _note("temp_path", "/tmp", "what is received goes beneath the store, or where TMPDIR says"),  # noqa: S108
    _only("delete_mode", one_of("immediate", "delayed"), "delayed", "immediate", reason="what is destroyed is gone"),
    _only(
        "expunge_mode",
        one_of("immediate", "default", "delayed"),
        "delayed",
        "immediate",
        reason="what is destroyed is gone",
    ),
    *(Cyrus(name, TEXT, "", reason=reason) for name, reason in REASONS.items()),
)
"""Every option that is known, each once."""
