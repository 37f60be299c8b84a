"""The Quart application, and the connections under it: JMAP over HTTP (RFC 8620 §2, §3.1, §6)."""

from jmaplite.web.admin import create_admin
from jmaplite.web.app import App, create_app
from jmaplite.web.listening import CannotListen, Listening, certified, urls
from jmaplite.web.metrics import Family, Metrics
from jmaplite.web.settings import (
    TLS,
    Cors,
    HTTPSettings,
    Listener,
    PushSettings,
    Rate,
    RateLimits,
    SocketOptions,
    Timeouts,
)
from jmaplite.web.sockets import ListeningSocket, opened, shown
from jmaplite.web.status import Status
from jmaplite.web.tls import Certificates
from jmaplite.web.tracing import REQUEST_ID

__all__ = [
    "REQUEST_ID",
    "TLS",
    "App",
    "CannotListen",
    "Certificates",
    "Cors",
    "Family",
    "HTTPSettings",
    "Listener",
    "Listening",
    "ListeningSocket",
    "Metrics",
    "PushSettings",
    "Rate",
    "RateLimits",
    "SocketOptions",
    "Status",
    "Timeouts",
    "certified",
    "create_admin",
    "create_app",
    "opened",
    "shown",
    "urls",
]
