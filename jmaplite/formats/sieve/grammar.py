"""Every command and test as data: its arguments, and the capability that brings it."""

from __future__ import annotations

from dataclasses import dataclass

CAPABILITIES = frozenset(
    {
        "body",
        "comparator-i;ascii-casemap",
        "comparator-i;ascii-numeric",
        "comparator-i;octet",
        "comparator-i;unicode-casemap",
        "copy",
        "date",
        "duplicate",
        "editheader",
        "enclose",
        "encoded-character",
        "enotify",
        "envelope",
        "environment",
        "ereject",
        "extracttext",
        "fcc",
        "fileinto",
        "foreverypart",
        "ihave",
        "imap4flags",
        "include",
        "index",
        "mailbox",
        "mailboxid",
        "mime",
        "reject",
        "relational",
        "replace",
        "special-use",
        "subaddress",
        "vacation",
        "vacation-seconds",
        "variables",
    }
)
"""What a script may require where nothing else is said."""

OPTIONAL_CAPABILITIES = frozenset({"regex"})
"""What is known too, and has to be asked for."""

BUILT_IN = frozenset({"comparator-i;octet", "comparator-i;ascii-casemap"})
"""Capabilities that need no require (RFC 5228 §6.1)."""

IMPLIED = {"vacation-seconds": "vacation"}
"""Capabilities that bring another along (RFC 6131 §2)."""

NEVER_BY_IHAVE = frozenset({"encoded-character", "variables"})
"""What changes how a script is read, so that "ihave" does not have it (RFC 5463 §4)."""

STRING, STRINGS, NUMBER = "string", "strings", "number"
CONSTANT, CONSTANTS = "constant", "constants"
"""Kinds of arguments; constant ones have no variables in them."""

ACTION, CONTROL, TEST = "action", "control", "test"


@dataclass(frozen=True, slots=True)
class Tag:
    """A tagged argument: what follows it, its capability, and the name of the set of which one is allowed."""

    name: str
    value: str = ""
    capability: str = ""
    group: str = ""
    with_tag: str = ""
    """Another tag that has to be there too."""


@dataclass(frozen=True, slots=True)
class Form:
    """A command or test: its positional arguments, and what may come before and after them.

    `optional` counts the first positional arguments that may be left out; `tests` is "", "one" or "list".
    """

    name: str
    kind: str
    positional: tuple[str, ...] = ()
    tags: tuple[Tag, ...] = ()
    capability: str = ""
    optional: int = 0
    tests: str = ""
    has_block: bool = False


_MATCH = (
    Tag("is", group="match type"),
    Tag("contains", group="match type"),
    Tag("matches", group="match type"),
    Tag("count", CONSTANT, "relational", "match type"),
    Tag("value", CONSTANT, "relational", "match type"),
    Tag("regex", "", "regex", "match type"),
    Tag("comparator", CONSTANT),
)
_PART = (
    Tag("all", group="address part"),
    Tag("localpart", group="address part"),
    Tag("domain", group="address part"),
    Tag("user", "", "subaddress", "address part"),
    Tag("detail", "", "subaddress", "address part"),
)
_INDEX = (Tag("index", NUMBER, "index"), Tag("last", "", "index", with_tag="index"))
_EDIT_INDEX = (Tag("index", NUMBER), Tag("last", with_tag="index"))
_MIME = (Tag("mime", "", "mime"), Tag("anychild", "", "mime", with_tag="mime"))
_MIME_OPTIONS = (
    Tag("type", "", "mime", "MIME option", "mime"),
    Tag("subtype", "", "mime", "MIME option", "mime"),
    Tag("contenttype", "", "mime", "MIME option", "mime"),
    Tag("param", STRINGS, "mime", "MIME option", "mime"),
)
_ZONE = (Tag("zone", STRING, group="zone"),)
_FLAGS = Tag("flags", STRINGS, "imap4flags")
_MAILBOX = (
    Tag("create", "", "mailbox"),
    Tag("specialuse", STRING, "special-use", "mailbox chosen otherwise"),
    Tag("mailboxid", STRING, "mailboxid", "mailbox chosen otherwise"),
)
_COPY = Tag("copy", "", "copy")
_FCC = (
    Tag("fcc", STRING, "fcc"),
    Tag("flags", STRINGS, "imap4flags", with_tag="fcc"),
    Tag("create", "", "mailbox", with_tag="fcc"),
    Tag("specialuse", STRING, "special-use", "mailbox chosen otherwise", "fcc"),
    Tag("mailboxid", STRING, "mailboxid", "mailbox chosen otherwise", "fcc"),
)
_MODIFIERS = (
    Tag("lower", group="modifier of letters"),
    Tag("upper", group="modifier of letters"),
    Tag("lowerfirst", group="modifier of the first letter"),
    Tag("upperfirst", group="modifier of the first letter"),
    Tag("quotewildcard", group="modifier of quoting"),
    Tag("quoteregex", "", "regex", "modifier of quoting"),
    Tag("encodeurl", "", "enotify"),
    Tag("length"),
)

_FORMS = (
    # RFC 5228
    Form("require", CONTROL, (CONSTANTS,)),
    Form("if", CONTROL, tests="one", has_block=True),
    Form("elsif", CONTROL, tests="one", has_block=True),
    Form("else", CONTROL, has_block=True),
    Form("stop", CONTROL),
    Form("keep", ACTION, (), (_FLAGS,)),
    Form("discard", ACTION),
    Form("fileinto", ACTION, (STRING,), (_COPY, _FLAGS, *_MAILBOX), "fileinto"),
    Form("redirect", ACTION, (STRING,), (_COPY,)),
    Form("true", TEST),
    Form("false", TEST),
    Form("not", TEST, tests="one"),
    Form("allof", TEST, tests="list"),
    Form("anyof", TEST, tests="list"),
    Form("size", TEST, (NUMBER,), (Tag("over", group="comparison"), Tag("under", group="comparison"))),
    Form("exists", TEST, (STRINGS,), _MIME),
    Form("header", TEST, (STRINGS, STRINGS), (*_MATCH, *_INDEX, *_MIME, *_MIME_OPTIONS)),
    Form("address", TEST, (STRINGS, STRINGS), (*_MATCH, *_PART, *_INDEX, *_MIME)),
    Form("envelope", TEST, (STRINGS, STRINGS), (*_MATCH, *_PART), "envelope"),
    # RFC 5173, RFC 5183
    Form(
        "body",
        TEST,
        (STRINGS,),
        (
            *_MATCH,
            Tag("raw", group="body transform"),
            Tag("content", STRINGS, group="body transform"),
            Tag("text", group="body transform"),
        ),
        "body",
    ),
    Form("environment", TEST, (STRING, STRINGS), _MATCH, "environment"),
    # RFC 5229
    Form("set", ACTION, (CONSTANT, STRING), _MODIFIERS, "variables"),
    Form("string", TEST, (STRINGS, STRINGS), _MATCH, "variables"),
    # RFC 5232
    Form("setflag", ACTION, (CONSTANT, STRINGS), (), "imap4flags", optional=1),
    Form("addflag", ACTION, (CONSTANT, STRINGS), (), "imap4flags", optional=1),
    Form("removeflag", ACTION, (CONSTANT, STRINGS), (), "imap4flags", optional=1),
    Form("hasflag", TEST, (CONSTANTS, STRINGS), _MATCH, "imap4flags", optional=1),
    # RFC 5230, RFC 6131, RFC 8580
    Form(
        "vacation",
        ACTION,
        (STRING,),
        (
            Tag("days", NUMBER, group="period"),
            Tag("seconds", NUMBER, "vacation-seconds", "period"),
            Tag("subject", STRING),
            Tag("from", STRING),
            Tag("addresses", STRINGS),
            Tag("mime"),
            Tag("handle", STRING),
            *_FCC,
        ),
        "vacation",
    ),
    # RFC 5260
    Form(
        "date",
        TEST,
        (STRING, STRING, STRINGS),
        (*_MATCH, *_INDEX, *_ZONE, Tag("originalzone", group="zone")),
        "date",
    ),
    Form("currentdate", TEST, (STRING, STRINGS), (*_MATCH, *_ZONE), "date"),
    # RFC 5293
    Form("addheader", ACTION, (STRING, STRING), (Tag("last"),), "editheader"),
    Form("deleteheader", ACTION, (STRING, STRINGS), (*_MATCH, *_EDIT_INDEX), "editheader", optional=-1),
    # RFC 5429
    Form("reject", ACTION, (STRING,), (), "reject"),
    Form("ereject", ACTION, (STRING,), (), "ereject"),
    # RFC 5435
    Form(
        "notify",
        ACTION,
        (STRING,),
        (Tag("from", STRING), Tag("importance", STRING), Tag("options", STRINGS), Tag("message", STRING), *_FCC),
        "enotify",
    ),
    Form("valid_notify_method", TEST, (STRINGS,), (), "enotify"),
    Form("notify_method_capability", TEST, (STRING, STRING, STRINGS), _MATCH, "enotify"),
    # RFC 5463
    Form("ihave", TEST, (CONSTANTS,), (), "ihave"),
    Form("error", CONTROL, (STRING,), (), "ihave"),
    # RFC 5490, RFC 9042, RFC 8579
    Form("mailboxexists", TEST, (STRINGS,), (), "mailbox"),
    Form("mailboxidexists", TEST, (STRINGS,), (), "mailboxid"),
    Form("specialuse_exists", TEST, (STRING, STRINGS), (), "special-use", optional=1),
    # RFC 6609
    Form(
        "include",
        CONTROL,
        (CONSTANT,),
        (Tag("personal", group="location"), Tag("global", group="location"), Tag("once"), Tag("optional")),
        "include",
    ),
    Form("return", CONTROL, (), (), "include"),
    Form("global", CONTROL, (CONSTANTS,), (), "include"),
    # RFC 7352
    Form(
        "duplicate",
        TEST,
        (),
        (
            Tag("handle", STRING),
            Tag("header", STRING, group="source of the unique id"),
            Tag("uniqueid", STRING, group="source of the unique id"),
            Tag("seconds", NUMBER),
            Tag("last"),
        ),
        "duplicate",
    ),
    # RFC 5703
    Form("foreverypart", CONTROL, (), (Tag("name", CONSTANT),), "foreverypart", has_block=True),
    Form("break", CONTROL, (), (Tag("name", CONSTANT),), "foreverypart"),
    Form("replace", ACTION, (STRING,), (Tag("mime"), Tag("subject", STRING), Tag("from", STRING)), "replace"),
    Form("enclose", ACTION, (STRING,), (Tag("subject", STRING), Tag("headers", STRINGS)), "enclose"),
    Form("extracttext", ACTION, (CONSTANT,), (*_MODIFIERS, Tag("first", NUMBER)), "extracttext"),
)

FORMS = {form.name: form for form in _FORMS}
"""Commands and tests by name."""

MATCH_TAGS = tuple(tag.name for tag in _MATCH if tag.group)
ADDRESS_PARTS = tuple(tag.name for tag in _PART)
