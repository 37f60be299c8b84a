"""What each room is told, out of a configuration: plain arguments, so that no room knows what a configuration is."""

from __future__ import annotations

from dataclasses import fields

from jmaplite.config import UNLIMITED, Config, table
from jmaplite.core.limits import Limits
from jmaplite.datatypes.mail.capability import MailSettings, Threading
from jmaplite.datatypes.submission import SubmissionSettings
from jmaplite.web import TLS, HTTPSettings, Listener, Timeouts


def limits(config: Config) -> Limits:
    """The limits of the core, which are called the same in a configuration."""
    return Limits(**{one.name: getattr(config.limits, one.name) for one in fields(Limits)})


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
    )


def _threading(told: table.Conversations) -> Threading:
    counted = frozenset(flag.replace("\\", "$").lower() for flag in told.counted_flags)
    return Threading(
        enabled=told.enable,
        max_emails=0 if told.max_thread == UNLIMITED else told.max_thread,
        expire_after=0 if told.expire_after == UNLIMITED else told.expire_after,
        counted_keywords=counted or None,
    )


def submission_settings(config: Config) -> SubmissionSettings:
    """The limits of sending."""
    return SubmissionSettings(max_size=config.email.max_size)


def http_settings(config: Config, timeouts: Timeouts | None = None) -> HTTPSettings:
    """How JMAP is carried over HTTP."""
    return HTTPSettings(
        headers=config.http.headers,
        compression=config.http.compression,
        lenient_content_type=config.compat.lenient_content_type,
        timeouts=timeouts or Timeouts(),
    )


def listeners(config: Config) -> tuple[Listener, ...]:
    """The listeners, with the files of their certificates."""
    return tuple(_listener(config, one) for one in config.listeners)


def _listener(config: Config, listener: table.Listener) -> Listener:
    tls = None
    if listener.tls_enable and listener.tls_implicit:
        certificate = config.certificate(listener.tls_certificate)
        tls = TLS(certificate.cert, certificate.private_key)
    return Listener(
        listener.id,
        tuple((address.host, address.port) for address in listener.bind),
        listener.url or None,
        listener.protocol,
        tls,
        listener.trusted_networks,
        listener.max_connections,
    )
