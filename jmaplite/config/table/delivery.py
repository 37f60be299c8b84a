"""Mail that goes out and comes in, and Sieve scripts."""

from __future__ import annotations

from jmaplite.config.addresses import PORT, WAY
from jmaplite.config.kinds import BOOLEAN, LINE, SECONDS, SECRET_TEXT, SIZE, STRING, at_least, choice, many, or_false
from jmaplite.config.sections import option, section


@section("relay[]")
class Relay:
    """A server that takes mail for other places (a smarthost). `[relay]`, or a `[[relay]]` for each of several.

    They are tried in their order. Without one, mail to elsewhere waits, and comes back when `queue.expire` is over.
    """

    host: str = option(
        "host", WAY, "Where it is: a name or an address, or `unix:` and the path of a socket.", aliases=("address",)
    )
    port: int = option("port", PORT, "Its port.", default=587)
    protocol: str = option("protocol", choice("smtp", "lmtp"), "What is spoken with it.", default="smtp")
    tls_implicit: bool = option("tls.implicit", BOOLEAN, "It speaks TLS from the first octet.", default=False)
    tls_starttls: str = option(
        "tls.starttls",
        choice("optional", "require", "disable"),
        "Whether to begin TLS with STARTTLS. A password is never sent without TLS, except to this machine. "
        "Where TLS is optional and no password is sent, any certificate will do.",
        default="optional",
    )
    tls_allow_invalid_certs: bool = option(
        "tls.allow-invalid-certs", BOOLEAN, "Accept a certificate of anybody.", default=False
    )
    auth_username: str = option("auth.username", LINE, "The name to log in with.", default="")
    auth_secret: str = option("auth.secret", SECRET_TEXT, "The password to log in with.", default="", secret=True)
    timeout: int = option("timeout", SECONDS, "How long it may take to answer.", default=60, shown='"1m"')


@section("queue")
class Queue:
    """How mail that could not be delivered at once is tried again."""

    retry: tuple[int, ...] = option(
        "retry",
        many(SECONDS),
        "Time until the next attempt, after the first, the second and so on; the last one repeats.",
        default=(120, 300, 600, 1800, 3600, 7200, 14400),
        shown='["2m", "5m", "10m", "30m", "1h", "2h", "4h"]',
        aliases=("/queue.schedule.retry",),
    )
    notify: tuple[int, ...] = option(
        "notify",
        many(SECONDS),
        "When the sender is told that a message is late.",
        default=(86400,),
        shown='["1d"]',
        aliases=("/queue.schedule.notify",),
    )
    expire: int = option(
        "expire",
        SECONDS,
        "When a message is given up and the sender told.",
        default=5 * 86400,
        shown='"5d"',
        aliases=("/queue.schedule.expire",),
    )


@section("session.rcpt")
class Recipients:
    """What is accepted from other mail servers."""

    max_recipients: int = option("max-recipients", at_least(1), "Recipients of one message.", default=100)
    duplicate_expiry: int = option(
        "duplicate-expiry",
        or_false(SECONDS),
        "How long a message is known, so that it is not delivered twice to the same mailbox. One without Received, "
        "Message-ID and Date is not known again.",
        default=7 * 86400,
        shown='"7d"',
    )


_LIMITS = "limits."


@section("sieve.untrusted")
class Sieve:
    """Sieve scripts of users, and what one run of one may cost (RFC 5228, RFC 9661)."""

    max_name_length: int = option(
        f"{_LIMITS}name-length", at_least(1), "maxSizeScriptName: octets of a script's name.", default=512
    )
    max_scripts: int = option(
        f"{_LIMITS}max-scripts", at_least(1), "maxNumberScripts: scripts of one account.", default=256
    )
    max_script_size: int = option(
        f"{_LIMITS}script-size",
        SIZE,
        "maxSizeScript: octets of one script.",
        default=1_048_576,
        aliases=("max-script-size",),
    )
    string_length: int = option(f"{_LIMITS}string-length", at_least(1), "Octets of one string.", default=4096)
    variable_name_length: int = option(
        f"{_LIMITS}variable-name-length", at_least(1), "Characters of a variable's name.", default=32
    )
    variable_size: int = option(f"{_LIMITS}variable-size", SIZE, "Characters of a variable's value.", default=4096)
    nested_blocks: int = option(f"{_LIMITS}nested-blocks", at_least(1), "Blocks within each other.", default=15)
    nested_tests: int = option(f"{_LIMITS}nested-tests", at_least(1), "Tests within each other.", default=15)
    nested_foreverypart: int = option(
        f"{_LIMITS}nested-foreverypart", at_least(1), "Loops over parts within each other.", default=3
    )
    match_variables: int = option(
        f"{_LIMITS}match-variables", at_least(0), "Match variables that are kept.", default=30
    )
    local_variables: int = option(
        f"{_LIMITS}local-variables", at_least(0), "Variables of one script, and those that all share.", default=128
    )
    header_size: int = option(
        f"{_LIMITS}header-size", SIZE, "Octets of a header field that a script adds.", default=1024
    )
    includes: int = option(f"{_LIMITS}includes", at_least(0), "Scripts that one run may include.", default=10)
    nested_includes: int = option(
        f"{_LIMITS}nested-includes", at_least(0), "Scripts within each other, the outermost counted.", default=3
    )
    cpu: int = option(f"{_LIMITS}cpu", at_least(1), "Steps of one run.", default=5000)
    max_redirects: int = option(
        f"{_LIMITS}redirects",
        at_least(0),
        "maxNumberRedirects: addresses that one run may redirect to.",
        default=1,
        aliases=("max-redirects",),
    )
    received_headers: int = option(
        f"{_LIMITS}received-headers", at_least(1), "Received fields above which a message goes in circles.", default=10
    )
    outgoing_messages: int = option(
        f"{_LIMITS}outgoing-messages", at_least(0), "Messages that one run may send.", default=3
    )
    vacation_subject: str = option(
        "vacation.default-subject",
        LINE,
        "The subject of an automatic answer to one without.",
        default="Automated reply",
    )
    vacation_prefix: str = option(
        "vacation.subject-prefix", STRING, "What stands before the subject in an automatic answer.", default="Auto: "
    )
    vacation_expiry: int = option(
        "default-expiry.vacation",
        SECONDS,
        "How long one correspondent is not answered again.",
        default=7 * 86400,
        shown='"7d"',
    )
    vacation_min: int = option(
        "vacation.min-response", SECONDS, "The shortest such time that a script may choose.", default=0, shown='"0s"'
    )
    vacation_max: int = option(
        "vacation.max-response",
        SECONDS,
        "The longest such time that a script may choose.",
        default=90 * 86400,
        shown='"90d"',
    )
    duplicate_expiry: int = option(
        "default-expiry.duplicate",
        SECONDS,
        "How long the test `duplicate` remembers.",
        default=7 * 86400,
        shown='"7d"',
    )
    duplicate_max: int = option(
        "max-expiry.duplicate", SECONDS, "How long it may be told to remember.", default=90 * 86400, shown='"90d"'
    )
    disabled: tuple[str, ...] = option(
        "disable-capabilities",
        many(LINE),
        "Extensions that scripts may not use.",
        default=(),
        aliases=("disabled-capabilities",),
    )
    enabled: tuple[str, ...] = option(
        "enable-capabilities",
        many(choice("regex")),
        "Extensions beyond the usual ones that scripts may use: `regex`.",
        default=(),
    )
    notification_uris: tuple[str, ...] = option(
        "notification-uris", many(LINE), "notificationMethods: schemes that `notify` may use.", default=("mailto",)
    )
    protected_headers: tuple[str, ...] = option(
        "protected-headers",
        many(LINE),
        "Header fields that scripts may not delete.",
        default=("Original-Subject", "Original-From", "Received", "Auto-Submitted"),
    )
