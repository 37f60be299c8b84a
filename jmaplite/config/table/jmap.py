"""What concerns JMAP as a whole: its carriage over HTTP, its limits, leniencies and capabilities."""

from __future__ import annotations

from jmaplite.config.addresses import HEADER, ORIGIN
from jmaplite.config.kinds import (
    BOOLEAN,
    LINE,
    RATE,
    SECONDS,
    SIZE,
    STRING,
    UNLIMITED,
    Rate,
    at_least,
    many,
    or_false,
)
from jmaplite.config.sections import option, section


@section("jmap")
class Jmap:
    """What all of JMAP shares."""

    directory: str = option(
        "directory",
        LINE,
        "The name of the `directory` table that knows the users.",
        aliases=("/storage.directory",),
    )


@section("jmap.http")
class Http:
    """How JMAP is carried over HTTP."""

    headers: tuple[tuple[str, str], ...] = option(
        "headers",
        many(HEADER),
        "Header lines that are added to every answer.",
        default=(),
        aliases=("/server.http.headers", "/http.headers"),
    )
    compression: bool = option("compression", BOOLEAN, "Compress answers for clients that accept it.", default=True)
    keep_alive: int = option(
        "keep-alive", SECONDS, "How long a connection may wait for the next request.", default=75, shown='"75s"'
    )


@section("jmap.http.cors")
class Cors:
    """Which web pages of other origins a browser lets in."""

    allowed_origins: tuple[str, ...] = option(
        "allowed-origins",
        many(ORIGIN),
        "Origins whose pages may ask; `*` stands for any, or for labels of a host. The answer names the one that asks.",
        default=(),
        aliases=("/server.http.allowed-origins", "/http.cors.allowed-origins"),
    )
    wildmat: str = option(
        "wildmat",
        STRING,
        "The same in Cyrus's form: patterns with commas between them, of which the last that fits decides; one with "
        "`!` in front keeps out.",
        default="",
    )
    allow_credentials: bool = option(
        "allow-credentials",
        BOOLEAN,
        "Let browsers add cookies and certificates. Nothing here needs it: a page sends Authorization itself.",
        default=False,
    )
    max_age: int = option(
        "max-age", SECONDS, "How long a browser may remember the answer to a preflight.", default=3600, shown='"1h"'
    )


@section("jmap.protocol")
class Limits:
    """The limits of RFC 8620 §2 and of its methods. `false`, where it may stand, takes a limit away."""

    max_objects_in_get: int = option(
        "get.max-objects", at_least(1), "maxObjectsInGet: objects that one /get may ask for.", default=500
    )
    max_objects_in_set: int = option(
        "set.max-objects", at_least(1), "maxObjectsInSet: objects that one /set may touch.", default=500
    )
    max_concurrent_requests: int = option(
        "request.max-concurrent",
        or_false(at_least(1)),
        "maxConcurrentRequests: requests of one user at the same time.",
        default=4,
    )
    max_size_request: int = option(
        "request.max-size", SIZE, "maxSizeRequest: size of a request to the API.", default=10_000_000
    )
    max_calls_in_request: int = option(
        "request.max-calls", at_least(1), "maxCallsInRequest: method calls in one request.", default=16
    )
    max_query_results: int = option(
        "query.max-results", at_least(1), "Ids that one /query answers at most.", default=5000
    )
    max_changes: int = option(
        "changes.max-results", at_least(1), "Ids that one /changes answers at most.", default=5000
    )
    max_history: int = option(
        "changes.max-history",
        or_false(SECONDS),
        "How long destroyed objects are remembered; older states answer cannotCalculateChanges.",
        default=30 * 86400,
        shown='"30d"',
    )
    max_snippets: int = option(
        "search-snippet.max-results", at_least(1), "Emails that one SearchSnippet/get may name.", default=100
    )
    max_size_upload: int = option(
        "upload.max-size", SIZE, "maxSizeUpload: size of one uploaded file.", default=50_000_000
    )
    max_concurrent_upload: int = option(
        "upload.max-concurrent",
        or_false(at_least(1)),
        "maxConcurrentUpload: uploads of one user at the same time.",
        default=4,
    )
    upload_ttl: int = option(
        "upload.ttl",
        SECONDS,
        "How long an upload is kept that nothing refers to.",
        default=3600,
        shown='"1h"',
    )
    upload_quota_files: int = option(
        "upload.quota.files",
        at_least(0),
        "Uploads of one account that nothing refers to yet; 0 is without limit.",
        default=1000,
    )
    upload_quota_size: int = option(
        "upload.quota.size",
        SIZE,
        "Octets of one account's uploads that nothing refers to yet; 0 is without limit.",
        default=50_000_000,
    )


@section("jmap.mailbox")
class Mailbox:
    """Limits of mailboxes (RFC 8621 §1.3.1)."""

    max_depth: int = option("max-depth", at_least(1), "maxMailboxDepth: levels of mailboxes.", default=10)
    max_name_length: int = option(
        "max-name-length", at_least(100), "maxSizeMailboxName: octets of a mailbox's name.", default=255
    )


@section("jmap.email")
class Email:
    """Limits of messages (RFC 8621 §1.3.1)."""

    max_attachment_size: int = option(
        "max-attachment-size",
        SIZE,
        "maxSizeAttachmentsPerEmail: size of all attachments of one message.",
        default=50_000_000,
    )
    max_size: int = option("max-size", SIZE, "Size of a whole message.", default=75_000_000)
    parse_max_items: int = option("parse.max-items", at_least(1), "Blobs that one Email/parse may name.", default=10)
    auto_expunge: int = option(
        "auto-expunge",
        or_false(SECONDS),
        "End what has been nowhere but in the trash and among junk for so long, from when it came there; `false` or "
        "0: never. The time begins no earlier than this is set.",
        default=UNLIMITED,
        shown="false",
    )
    guess_charsets: bool = option(
        "guess-charsets",
        BOOLEAN,
        "Read bodies as they are meant where they are not in the charset that they tell, or tell none; `false`: to the "
        "letter, UTF-7 not at all (RFC 8621 §9.1).",
        default=True,
    )


@section("jmap.compat")
class Compat:
    """Leniencies towards clients that keep less than the RFCs ask for. All are off unless asked for."""

    lenient_content_type: bool = option(
        "lenient-content-type",
        BOOLEAN,
        "Accept requests to the API whose Content-Type is not application/json.",
        default=False,
    )
    lenient_using: bool = option(
        "lenient-using",
        BOOLEAN,
        "Accept method calls whose capability is missing in `using`.",
        default=False,
    )
    lenient_sort: bool = option(
        "lenient-sort",
        BOOLEAN,
        "Pass over what is not known in a `sort`: members of a Comparator, sort orders and collations.",
        default=False,
    )


@section("jmap.folders.<id>")
class Folder:
    """A mailbox that a new account begins with. The name of the table is a role.

    Roles are inbox, drafts, sent, archive, junk, trash and the others of RFC 8621 §2.
    """

    id: str
    name: str = option("name", LINE, "What it is called; not set: a name that suits the role.", default="")
    aliases: tuple[str, ...] = option(
        "aliases",
        many(LINE),
        "Further names that scripts and `jmaplite import` find the mailbox of this role by, in any case, where no "
        "mailbox at the top has them: a list, or one text with commas between them.",
        default=(),
    )
    create: bool = option("create", BOOLEAN, "Make it in a new account.", default=True)
    subscribe: bool = option("subscribe", BOOLEAN, "Whether its isSubscribed begins as true.", default=True)

    @property
    def further_names(self) -> tuple[str, ...]:
        """The aliases, each by itself."""
        return tuple(name.strip() for alias in self.aliases for name in alias.split(",") if name.strip())


@section("jmap.session.cache")
class SessionCache:
    """Log-ins that have been verified, so that the next request of the same client is quick."""

    ttl: int = option("ttl", SECONDS, "How long one is good for.", default=300, shown='"5m"')
    size: int = option("size", at_least(1), "How many are remembered.", default=10_000)


@section("jmap.rate-limit")
class RateLimit:
    """How often somebody may ask; who asks more often is answered 429 with Retry-After. `false` is without limit."""

    account: Rate = option(
        "account",
        RATE,
        "Requests of one user.",
        default=Rate(0, 1),
        shown="false",
        aliases=("/http.rate-limit.account",),
    )
    anonymous: Rate = option(
        "anonymous",
        RATE,
        "Requests without a log-in of one address (of IPv6: a /64). This machine's own addresses are not counted.",
        default=Rate(1000, 60),
        shown='"1000/1m"',
        aliases=("/http.rate-limit.anonymous",),
    )
    authentication: Rate = option(
        "authentication",
        RATE,
        "Log-ins of one address that fail; this machine's own are not counted. From the fifth failure on, the address "
        "has to wait longer and longer for its next log-in to the same account, up to five minutes.",
        default=Rate(10, 60),
        shown='"10/1m"',
    )
    cache_size: int = option("cache.size", at_least(1), "Users, and addresses, that are counted.", default=10_000)


@section("conversations")
class Conversations:
    """How messages become threads."""

    enable: bool = option(
        "enable",
        BOOLEAN,
        "Put messages that answer each other into one Thread; `false`: each is its own.",
        default=True,
    )
    max_thread: int = option(
        "max-thread",
        or_false(at_least(1)),
        "Emails in a Thread; the next begins another.",
        default=UNLIMITED,
        shown="false",
    )
    expire_after: int = option(
        "expire-after",
        or_false(SECONDS),
        "How long the message ids of Emails that are gone still find their Thread.",
        default=90 * 86400,
        shown='"90d"',
    )
    counted_flags: tuple[str, ...] = option(
        "counted-flags",
        many(LINE),
        "Keywords that are counted for each Thread, as IMAP flags (`\\\\Flagged`) or keywords (`$flagged`).",
        default=(),
    )


@section("jmap.submission")
class Submission:
    """Limits of sending (RFC 8621 §1.3.2)."""

    max_delayed_send: int = option(
        "max-delayed-send",
        SECONDS,
        "maxDelayedSend: how long a message may be held.",
        default=30 * 86400,
        shown='"30d"',
    )
    max_recipients: int = option("max-recipients", at_least(1), "Recipients of one message.", default=1000)
    max_queued: int = option(
        "max-queued", at_least(1), "Messages of one account that may wait to be delivered.", default=1000
    )
    rate_limit: Rate = option(
        "rate-limit", RATE, "Recipients that one account may send to.", default=Rate(0, 1), shown="false"
    )
    extensions: tuple[str, ...] = option(
        "extensions",
        many(LINE),
        "submissionExtensions: extensions of SMTP that clients may use where the relay offers them. Parameters of ones "
        "that are not known here are passed on as they stand.",
        default=("DSN", "MT-PRIORITY", "REQUIRETLS"),
    )
