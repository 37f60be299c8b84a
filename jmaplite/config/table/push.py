"""How clients are told of changes (RFC 8620 §7, RFC 8887)."""

from __future__ import annotations

from jmaplite.config.addresses import CONTACT
from jmaplite.config.kinds import BOOLEAN, DURATION, at_least
from jmaplite.config.sections import option, section


@section("jmap.event-source")
class EventSource:
    """Changes as server-sent events (RFC 8620 §7.3)."""

    throttle: float = option(
        "throttle", DURATION, "Least time between two events of one client.", default=1.0, shown='"1s"'
    )


@section("jmap.web-socket")
class WebSocket:
    """JMAP over WebSocket (RFC 8887)."""

    throttle: float = option(
        "throttle",
        DURATION,
        "Least time between two StateChanges to one client.",
        default=1.0,
        shown='"1s"',
        aliases=("/jmap.web-sockets.throttle",),
    )
    timeout: float = option(
        "timeout",
        DURATION,
        "How long a client may say nothing, not even answer a ping.",
        default=600.0,
        shown='"10m"',
        aliases=("/jmap.web-sockets.timeout",),
    )
    heartbeat: float = option(
        "heartbeat",
        DURATION,
        "Time between two pings.",
        default=60.0,
        shown='"1m"',
        aliases=("/jmap.web-sockets.heartbeat",),
    )


@section("jmap.push")
class Push:
    """Push subscriptions (RFC 8620 §7.2), and whether there is push at all."""

    enable: bool = option(
        "enable",
        BOOLEAN,
        "Tell clients of changes at all: event source, push over WebSocket and push subscriptions.",
        default=True,
    )
    max_total: int = option("max-total", at_least(1), "Push subscriptions of one user.", default=100)
    throttle: float = option(
        "throttle", DURATION, "Least time between two messages to one subscription.", default=1.0, shown='"1s"'
    )
    attempts_interval: float = option(
        "attempts.interval",
        DURATION,
        "Time until a message that failed is tried again; it doubles each time.",
        default=60.0,
        shown='"1m"',
    )
    attempts_max: int = option("attempts.max", at_least(1), "How often a message is tried.", default=3)
    retry_interval: float = option(
        "retry.interval", DURATION, "How often it is looked for messages to try again.", default=1.0, shown='"1s"'
    )
    timeout_request: float = option(
        "timeout.request", DURATION, "How long a push service may take to answer.", default=10.0, shown='"10s"'
    )
    timeout_verify: float = option(
        "timeout.verify",
        DURATION,
        "In how much time a user may ask for ten verifications, and no more.",
        default=60.0,
        shown='"1m"',
    )
    allow_private: bool = option(
        "allow-private",
        BOOLEAN,
        "Push to addresses of private networks and of this machine too, and without TLS to the latter.",
        default=False,
    )
    contact: str = option(
        "contact",
        CONTACT,
        "Whom a push service may turn to (RFC 8292 §2.1). Without it, postmaster at `server.hostname`.",
        default="",
        aliases=("/jmap.push.vapid.contact",),
    )
