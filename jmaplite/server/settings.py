"""What each room is told, out of a configuration: plain arguments, so that no room knows what a configuration is."""

from __future__ import annotations

from dataclasses import fields

from jmaplite.config import UNLIMITED, Config, table
from jmaplite.core.context import Leniency
from jmaplite.core.limits import Limits
from jmaplite.datatypes.mail.capability import FIRST_MAILBOXES, FirstMailbox, MailSettings, Threading
from jmaplite.datatypes.sieve import SieveSettings
from jmaplite.datatypes.submission import SubmissionSettings
from jmaplite.delivery import Relay
from jmaplite.formats import sieve
from jmaplite.push.transports import WEBSOCKET
from jmaplite.web import TLS, Cors, HTTPSettings, Listener, PushSettings, Rate, RateLimits, SocketOptions, Timeouts


def limits(config: Config) -> Limits:
    """The limits of the core, which are called the same in a configuration."""
    return Limits(**{one.name: getattr(config.limits, one.name) for one in fields(Limits)})


def leniency(config: Config) -> Leniency:
    """What the core lets pass."""
    return Leniency(using=config.compat.lenient_using, sort=config.compat.lenient_sort)


def mail_settings(config: Config) -> MailSettings:
    """The limits of mail."""
    return MailSettings(
        max_mailbox_depth=config.mailbox.max_depth,
        max_size_mailbox_name=config.mailbox.max_name_length,
        max_size_attachments_per_email=config.email.max_attachment_size,
        max_size_email=config.email.max_size,
        max_parse_items=config.email.parse_max_items,
        max_snippets=config.limits.max_snippets,
        threading=_threading(config.conversations),
        first_mailboxes=_first_mailboxes(config.folders),
        aliases={alias.casefold(): folder.id for folder in config.folders for alias in folder.further_names},
        expunge_after=0 if config.email.auto_expunge == UNLIMITED else config.email.auto_expunge,
        guess_charsets=config.email.guess_charsets,
    )


def _first_mailboxes(folders: tuple[table.Folder, ...]) -> tuple[FirstMailbox, ...]:
    """Those of any account, named and left out as the configuration says, and behind them what else it names."""
    told = {folder.id: folder for folder in folders}
    roles = dict.fromkeys([*(one.role for one in FIRST_MAILBOXES), *told])
    return tuple(
        FirstMailbox(told[role].name or role.capitalize(), role, told[role].subscribe)
        if role in told
        else FirstMailbox(role.capitalize(), role)
        for role in roles
        if role not in told or told[role].create
    )


def _threading(told: table.Conversations) -> Threading:
    counted = frozenset(flag.replace("\\", "$").lower() for flag in told.counted_flags)
    return Threading(
        enabled=told.enable,
        max_emails=0 if told.max_thread == UNLIMITED else told.max_thread,
        expire_after=0 if told.expire_after == UNLIMITED else told.expire_after,
        counted_keywords=counted or None,
    )


def submission_settings(config: Config, relay: Relay) -> SubmissionSettings:
    """The limits of sending, and what the relay offers."""
    told = config.submission
    return SubmissionSettings(
        max_size=config.email.max_size,
        max_recipients=told.max_recipients,
        max_delayed_send=told.max_delayed_send,
        max_queued=told.max_queued,
        rate=(told.rate_limit.count, told.rate_limit.seconds),
        passed_on=tuple(one.upper() for one in told.extensions),
        offers=lambda: relay.offers,
    )


def sieve_settings(config: Config) -> SieveSettings:
    """What scripts may be and do."""
    told = config.sieve
    names = {one.name for one in fields(sieve.Limits)} - {"protected_headers"}
    same = {one.name: getattr(told, one.name) for one in fields(told) if one.name in names}
    limits = sieve.Limits(
        **same,
        script_size=told.max_script_size,
        redirects=told.max_redirects,
        vacation_default=told.vacation_expiry,
        vacation_least=max(told.vacation_min, 86400),
        vacation_seconds_least=told.vacation_min,
        vacation_most=told.vacation_max,
        duplicate_default=told.duplicate_expiry,
        duplicate_most=told.duplicate_max,
        protected_headers=frozenset(name.lower() for name in told.protected_headers),
    )
    methods = tuple(one for one in sieve.NOTIFICATION_METHODS if one in told.notification_uris)
    off = {*told.disabled, *(() if methods else ("enotify",))}
    return SieveSettings(
        limits,
        (sieve.CAPABILITIES | set(told.enabled)) - off,
        methods,
        told.max_name_length,
        told.max_scripts,
        told.vacation_subject,
        told.vacation_prefix,
    )


def http_settings(config: Config, timeouts: Timeouts | None = None) -> HTTPSettings:
    """How JMAP is carried over HTTP."""
    return HTTPSettings(
        headers=config.http.headers,
        cors=_cors(config.cors),
        permissive=config.server_http.permissive_cors,
        hsts=config.server_http.hsts,
        access_log=config.log.access,
        compression=config.http.compression,
        lenient_content_type=config.compat.lenient_content_type,
        timeouts=timeouts or Timeouts(keep_alive=config.http.keep_alive),
        rates=_rates(config.rate_limit),
        push=PushSettings(
            enabled=config.push.enable,
            event_source_throttle=config.event_source.throttle,
            socket_throttle=config.web_socket.throttle,
            socket_timeout=0 if WEBSOCKET in config.capabilities.off else config.web_socket.timeout,
            socket_heartbeat=config.web_socket.heartbeat,
        ),
    )


def _rates(told: table.RateLimit) -> RateLimits:
    account, anonymous, authentication = (
        Rate(one.count, one.seconds) if one.count else None
        for one in (told.account, told.anonymous, told.authentication)
    )
    return RateLimits(account, anonymous, authentication, told.cache_size)


def _cors(cors: table.Cors) -> Cors | None:
    if not cors.allowed_origins and not cors.wildmat:
        return None
    return Cors(cors.allowed_origins, cors.wildmat, cors.allow_credentials, cors.max_age)


def listeners(config: Config) -> tuple[Listener, ...]:
    """The listeners, with the files of their certificates."""
    return tuple(_listener(config, one) for one in config.listeners)


def _listener(config: Config, listener: table.Listener) -> Listener:
    ipv4 = {one.port for other in config.listeners for one in other.bind if one.port and ":" not in one.host}
    return Listener(
        listener.id,
        tuple(one.path or (one.host, one.port) for one in listener.bind),
        listener.url or None,
        listener.protocol,
        _tls(config, listener) if _speaks_tls(config, listener) else None,
        listener.trusted_networks,
        listener.max_connections,
        SocketOptions(
            backlog=listener.backlog,
            reuse_address=listener.reuse_addr,
            reuse_port=listener.reuse_port,
            nodelay=listener.nodelay,
            send_buffer=listener.send_buffer_size,
            receive_buffer=listener.recv_buffer_size,
            ttl=listener.ttl,
            tos=listener.tos,
            mode=listener.socket_mode,
            v6_only=any(one.port in ipv4 for one in listener.bind if ":" in one.host),
        ),
        config.server_http.use_x_forwarded,
        listener.tls_implicit,
    )


def _speaks_tls(config: Config, listener: table.Listener) -> bool:
    """Whether TLS is spoken from the first octet, or may be begun by STARTTLS."""
    begun = listener.protocol in ("lmtp", "smtp", "managesieve") and config.has_certificate(listener.tls_certificate)
    return listener.tls_enable and (listener.tls_implicit or begun)


def _tls(config: Config, listener: table.Listener) -> TLS:
    certificate = config.certificate(listener.tls_certificate)
    named = [(one.subject, config.certificate(one.certificate)) for one in listener.tls_sni]
    return TLS(
        certificate.cert,
        certificate.private_key,
        tuple((subject, pair.cert, pair.private_key) for subject, pair in named),
        listener.tls_versions,
        ":".join(listener.tls_1_2_ciphers),
        listener.tls_ignore_client_order,
        listener.tls_timeout,
    )
