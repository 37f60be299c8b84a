"""The action commands, each a function of the run and its node that tells in words what it did."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote_from_bytes

from jmaplite.formats import compose
from jmaplite.formats.sieve import names
from jmaplite.formats.sieve.actions import Discard, Fcc, FileInto, Keep, Notify, Redirect, Reject, Vacation, key_of
from jmaplite.formats.sieve.conditions import chosen
from jmaplite.formats.sieve.machine import Machine
from jmaplite.formats.sieve.mailto import parse_mailto
from jmaplite.formats.sieve.nodes import Node, Value
from jmaplite.formats.sieve.strings import Template

_FIELD_WORK = 16  # octets' worth of work to look at the name of a field
_URL_WORK = 10  # to encode an octet
_MODIFIER_WORK = 3  # to change or quote an octet
_OPTION_WORK = 150  # to look at an option
_REGEX_SPECIAL = b"\\^$.[]|()?*+{}"
_WILDCARD = b"\\*?"


def _shown(flags: tuple[str, ...]) -> str:
    return f" with {' '.join(flags)}" if flags else ""


def _flags_of(machine: Machine, node: Node) -> tuple[str, ...]:
    if "flags" in node.tags:
        return names.flags(machine.words(node.tags["flags"]))
    return machine.flags


def _keep(machine: Machine, node: Node) -> str:
    flags = _flags_of(machine, node)
    machine.deliver(Keep(flags, machine.message(), line=node.line))
    return f"file into the inbox{_shown(flags)}"


def _discard(machine: Machine, node: Node) -> str:
    machine.keeps_implicitly = False
    if Discard() not in machine.actions:
        machine.do(Discard(node.line))
    return "no implicit keep"


def _mailbox(machine: Machine, value: Value | None) -> str:
    name = names.mailbox(machine.text(value))
    if name is None:
        raise machine.fail("this is not the name of a mailbox")
    return name


def _fileinto(machine: Machine, node: Node) -> str:
    mailbox = _mailbox(machine, node.positional[0])
    action = FileInto(
        mailbox,
        _flags_of(machine, node),
        "create" in node.tags,
        machine.optional_string(node, "specialuse"),
        machine.optional_string(node, "mailboxid"),
        "copy" in node.tags,
        machine.message(),
        node.line,
    )
    machine.deliver(action)
    return f"file {'a copy ' if action.is_copy else ''}into {mailbox!r}{_shown(action.flags)}"


def _redirect(machine: Machine, node: Node) -> str:
    address = machine.address(machine.text(node.positional[0]))
    if address is None:
        raise machine.fail("this is not an address")
    limits = machine.limits
    machine.charge(_FIELD_WORK * len(machine.letter.fields))
    received = machine.hops()
    if received > limits.received_headers:
        raise machine.fail(f"a message with {received} Received fields is in a loop, and is not redirected")
    known = {action.address for action in machine.actions if isinstance(action, Redirect)}
    if address not in known:
        if len(known) >= limits.redirects:
            raise machine.fail(f"this script redirects to more than {limits.redirects} addresses")
        machine.send()
    machine.deliver(Redirect(address, "copy" in node.tags, machine.redirected(), node.line))
    return f"send {'a copy ' if 'copy' in node.tags else ''}on to {address}"


def _reject(machine: Machine, node: Node) -> str:
    if machine.reject is not None:
        raise machine.fail("a message can be rejected once only")
    if machine.vacation is not None:
        raise machine.fail("a message that is answered by 'vacation' cannot be rejected")
    if any(isinstance(action, Keep | FileInto | Redirect) for action in machine.actions):
        raise machine.fail("a message that is delivered cannot be rejected")
    reason = machine.string(node.positional[0])
    machine.send()
    machine.reject = Reject(reason, node.name == "ereject", node.line)
    machine.do(machine.reject)
    machine.keeps_implicitly = False
    return "refuse the message"


def _fcc(machine: Machine, node: Node) -> Fcc | None:
    if "fcc" not in node.tags:
        return None
    return Fcc(
        _mailbox(machine, node.tags["fcc"]),
        names.flags(machine.words(node.tags["flags"])) if "flags" in node.tags else (),
        "create" in node.tags,
        machine.optional_string(node, "specialuse"),
        machine.optional_string(node, "mailboxid"),
    )


def _source(value: Value | None) -> bytes | None:
    """A string as it is written, before any variable is replaced (RFC 5230 §4.2)."""
    if isinstance(value, Template):
        return value.source
    return value if isinstance(value, bytes) else None


def _vacation(machine: Machine, node: Node) -> str:
    if machine.vacation is not None:
        raise machine.fail("'vacation' can be done once only")
    if machine.reject is not None:
        raise machine.fail("a message that is rejected cannot be answered by 'vacation'")
    limits, tags = machine.limits, node.tags
    days, seconds = machine.number(node, "days"), machine.number(node, "seconds")
    if seconds is not None:
        period = max(seconds, limits.vacation_seconds_least)
    elif days is not None:
        period = max(days * 86400, limits.vacation_least)
    else:
        period = max(limits.vacation_default, limits.vacation_least)
    sender = machine.optional_string(node, "from")
    if sender is not None and not names.mailbox_list(sender.encode()):
        raise machine.fail("':from' of 'vacation' is not a list of addresses")
    if "handle" in tags:
        key = key_of(b"handle", _source(tags["handle"]))
    else:
        mime = b"mime" if "mime" in tags else None
        key = key_of(_source(tags.get("subject")), _source(tags.get("from")), mime, _source(node.positional[0]))
    addresses = tuple(
        found for each in machine.texts(tags.get("addresses", ())) if (found := machine.address(each)) is not None
    )
    machine.send()
    machine.vacation = Vacation(
        machine.string(node.positional[0]),
        key,
        min(period, limits.vacation_most),
        machine.optional_string(node, "subject"),
        sender,
        addresses,
        "mime" in tags,
        _fcc(machine, node),
        machine.message(),
        node.line,
    )
    machine.do(machine.vacation)
    return f"answer, once in {machine.vacation.period} seconds"


def _notify(machine: Machine, node: Node) -> str:
    method = machine.string(node.positional[0])
    if not machine.outside.valid_notify_method(method):
        raise machine.fail(f"no notification can be sent by {method[:100]!r}")
    if machine.has_tainted(node.positional[0]):
        trusted = parse_mailto(machine.trusted_text(node.positional[0]).decode("utf-8", "replace"))
        found = parse_mailto(method)
        if trusted is None or found is None or (trusted.to, trusted.cc) != (found.to, found.cc):
            raise machine.fail("the message itself must not say where a notification goes")
    importance = machine.optional_string(node, "importance") or "2"
    if importance not in ("1", "2", "3"):
        raise machine.fail("importance is '1', '2' or '3'")
    options = machine.texts(node.tags.get("options", ()), _OPTION_WORK)
    if not all(map(names.NOTIFY_OPTION.fullmatch, options)):
        raise machine.fail("an option is written 'name=value'")
    fcc = _fcc(machine, node)
    if fcc is not None and machine.outside.notify_capability(method, "fcc") != "yes":
        raise machine.fail("no copy of this notification can be filed")
    action = Notify(
        method,
        machine.optional_string(node, "message"),
        machine.optional_string(node, "from"),
        int(importance),
        tuple(option.decode("utf-8", "replace") for option in options),
        fcc,
        machine.message(),
        node.line,
    )
    if action in machine.actions:
        return "the same notification once more"
    machine.send()
    machine.do(action)
    return f"notify {method}"


def modified(machine: Machine, node: Node, value: bytes) -> bytes:
    """A value with the modifiers of "set" applied, those of high precedence first (RFC 5229 §4.1)."""
    tags = node.tags
    if "lower" in tags:
        value = value.lower()
    if "upper" in tags:
        value = value.upper()
    if "lowerfirst" in tags:
        value = value[:1].lower() + value[1:]
    if "upperfirst" in tags:
        value = value[:1].upper() + value[1:]
    machine.charge(_MODIFIER_WORK * len(value) if tags else 0)
    for tag, special in (("quotewildcard", _WILDCARD), ("quoteregex", _REGEX_SPECIAL)):
        for octet in special if tag in tags else ():  # the backslash comes first
            value = value.replace(b"%c" % octet, b"\\%c" % octet)
    if "encodeurl" in tags:
        machine.charge(_URL_WORK * len(value))
        value = quote_from_bytes(value, safe="").encode()
    if "length" in tags:
        value = b"%d" % len(value.decode("utf-8", "replace"))
    return value


def _set(machine: Machine, node: Node) -> str:
    name, given = node.positional
    value = modified(machine, node, machine.text(given))
    machine.store(machine.text(name), value, is_tainted=machine.has_tainted(given))
    return f"{machine.string(name)} = {value[:100].decode('utf-8', 'replace')!r}"


def _flag_action(machine: Machine, node: Node) -> str:
    name, given = node.positional
    reference = None if name is None else machine.reference(machine.text(name))
    before = machine.flags if reference is None else names.flags([machine.variable(reference)])
    new = names.flags(machine.words(given))
    if node.name == "addflag":
        new = names.flags(flag.encode() for flag in (*before, *new))
    elif node.name == "removeflag":
        gone = {flag.lower() for flag in new}
        new = tuple(flag for flag in before if flag.lower() not in gone)
    if reference is None:
        if sum(map(len, new)) > machine.limits.variable_size:
            raise machine.fail("there are too many flags")
        machine.flags = new
    else:
        value = " ".join(new).encode()
        machine.store(machine.text(name), value, is_tainted=machine.is_tainted(reference))
    return f"flags are now {' '.join(new)}" if new else "no flags now"


def _field_name(machine: Machine, node: Node) -> str:
    name = machine.text(node.positional[0])
    if not names.FIELD_NAME.fullmatch(name):
        raise machine.fail("this is not the name of a header field")
    return name.decode("ascii")


def _addheader(machine: Machine, node: Node) -> str:
    name, value = _field_name(machine, node), machine.string(node.positional[1])
    if name.lower() in ("original-subject", "original-from"):
        return "not permitted"
    value = " ".join(value.replace("\t", " ").split("\r\n")) if "\r\n" in value else value
    try:
        line = compose.field(name, "Text", value)
    except compose.NotWritable as error:
        raise machine.fail(str(error)) from None
    if len(line) > machine.limits.header_size:
        raise machine.fail(f"this header field is longer than {machine.limits.header_size} octets")
    machine.charge(len(line) + len(machine.letter.fields))
    if len(machine.letter.fields) > _MOST_FIELDS:
        raise machine.fail("this message has too many header fields")
    machine.letter.add(name, line, is_last="last" in node.tags)
    return f"add {name}"


_MOST_FIELDS = 100_000


def _deleteheader(machine: Machine, node: Node) -> str:
    name = _field_name(machine, node).lower()
    if name in machine.limits.protected_headers:
        return "not permitted"
    fields = machine.letter.fields
    machine.charge(_FIELD_WORK * len(fields))
    found = chosen(machine, node, [field for field in fields if field.lower == name])
    if node.positional[1] is not None:
        found = [field for field in found if machine.matches(node, [field.text], captures=False)]
    machine.letter.remove(found)
    return f"delete {len(found)} fields"


ACTIONS: dict[str, Callable[[Machine, Node], str]] = {
    "keep": _keep,
    "discard": _discard,
    "fileinto": _fileinto,
    "redirect": _redirect,
    "reject": _reject,
    "ereject": _reject,
    "vacation": _vacation,
    "notify": _notify,
    "set": _set,
    "setflag": _flag_action,
    "addflag": _flag_action,
    "removeflag": _flag_action,
    "addheader": _addheader,
    "deleteheader": _deleteheader,
}
"""Action commands by name."""
