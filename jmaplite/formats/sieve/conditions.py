"""The tests of the language, each a function of the run and its node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from jmaplite.formats import mime
from jmaplite.formats.mime.charsets import decode as decode_text
from jmaplite.formats.mime.parameters import content_disposition, content_type, parameter
from jmaplite.formats.sieve import dates, names
from jmaplite.formats.sieve.actions import DuplicateMark, key_of
from jmaplite.formats.sieve.grammar import ADDRESS_PARTS, NEVER_BY_IHAVE
from jmaplite.formats.sieve.letter import Field, Section
from jmaplite.formats.sieve.machine import Machine, Trace
from jmaplite.formats.sieve.nodes import Node

_FIELD_WORK = 16
_PART_WORK = 600
_STRUCTURE_WORK = 10
_DATE_WORK = 30
_TYPE_WORK = 60
_PAIR_WORK = 8
_QUESTION_WORK = 10_000
"""How many octets' worth of work it is to look at a field, a part, an octet of a structured field, an octet of one with
a date; to compare a type, or a flag; to ask the world."""


def holds(machine: Machine, node: Node) -> bool:
    """Whether a test is true. Raises SieveError."""
    machine.step(node)
    result = _TESTS[node.name](machine, node)
    if machine.trace is not None:
        shown = "true" if result else "false"
        machine.trace(Trace(node.line, node.column, node.name, shown, machine.frame.name))
    return result


def _not(machine: Machine, node: Node) -> bool:
    return not holds(machine, node.tests[0])


def _allof(machine: Machine, node: Node) -> bool:
    return all(holds(machine, test) for test in node.tests)


def _anyof(machine: Machine, node: Node) -> bool:
    return any(holds(machine, test) for test in node.tests)


def _size(machine: Machine, node: Node) -> bool:
    size, limit = machine.whole.size, node.positional[0]
    assert isinstance(limit, int)
    return size > limit if "over" in node.tags else size < limit


def field_names(machine: Machine, node: Node) -> list[str]:
    """The names of header fields that a test asks for, in lower case."""
    return [name.decode("utf-8", "replace").lower() for name in machine.texts(node.positional[0])]


def _sections(machine: Machine, node: Node) -> Iterator[Section]:
    """The parts whose header fields a test looks at (RFC 5703 §4.1)."""
    if "mime" not in node.tags:
        yield machine.whole
    elif "anychild" in node.tags:
        for section in machine.current.walk():
            machine.charge(_PART_WORK)
            yield section
    else:
        yield machine.current


def _exists(machine: Machine, node: Node) -> bool:
    wanted = set(field_names(machine, node))
    for section in _sections(machine, node):
        machine.charge(_FIELD_WORK * len(section.fields))
        wanted.difference_update(field.lower for field in section.fields)
        if not wanted:
            return True
    return not wanted


def chosen(machine: Machine, node: Node, found: Sequence[Field]) -> Sequence[Field]:
    """Of fields the one that ":index" names, or all (RFC 5260 §6)."""
    index = machine.number(node, "index")
    if index is None:
        return found
    if index > len(found):
        return ()
    return (found[-index if "last" in node.tags else index - 1],)


def _fields(machine: Machine, node: Node, wanted: Sequence[str]) -> Iterator[Field]:
    for section in _sections(machine, node):
        fields = section.fields
        machine.charge(_FIELD_WORK * len(fields) * len(wanted))
        if len(wanted) == 1:
            found = [field for field in fields if field.lower == wanted[0]]
        else:
            found = [field for name in dict.fromkeys(wanted) for field in fields if field.lower == name]
        yield from chosen(machine, node, found)


def _header(machine: Machine, node: Node) -> bool:
    fields = _fields(machine, node, field_names(machine, node))
    option = next((name for name in ("type", "subtype", "contenttype", "param") if name in node.tags), None)
    if option is None:
        return machine.matches(node, (field.text for field in fields))
    parameters = [each.decode("utf-8", "replace").lower() for each in machine.texts(node.tags.get("param", ()))]
    counts = node.match is not None and node.match.kind == "count"
    pieces = (value for field in fields for value in _pieces(machine, field, option, parameters, counts))
    return machine.matches(node, pieces)


def _pieces(machine: Machine, field: Field, option: str, parameters: Sequence[str], counts: bool) -> Iterator[bytes]:
    """What a MIME option makes of a field (RFC 5703 §4.1)."""
    machine.charge(_STRUCTURE_WORK * len(field.raw) * max(len(parameters), 1))
    if option == "param":
        for name in parameters:
            if (value := parameter(field.raw, name)) is not None:
                yield value.encode()
        return
    kind, subtype = "", ""
    if field.lower == "content-type":
        kind, _, subtype = content_type(field.raw).type.partition("/")
    elif field.lower == "content-disposition":
        kind = content_disposition(field.raw).disposition or ""
    if counts and not kind:
        return
    whole = f"{kind}/{subtype}" if subtype else kind
    yield {"type": kind, "subtype": subtype, "contenttype": whole}[option].encode()


def _address_part(machine: Machine, node: Node, value: str) -> str | None:
    """The part of an address that a test compares; None if the address has none (RFC 5228 §2.7.4, RFC 5233 §4)."""
    part = next((name for name in ADDRESS_PARTS if name in node.tags), "all")
    if part == "all":
        return value
    if not names.is_address(value):
        return None
    local, domain = names.halves(value)
    if part == "domain":
        return domain
    if part == "localpart":
        return local
    user, separator, detail = local.partition(machine.outside.separator)
    if part == "user":
        return user if separator else local
    return detail if separator else None


def _address(machine: Machine, node: Node) -> bool:
    wanted = field_names(machine, node)
    if "mime" not in node.tags:
        wanted = [name for name in wanted if name == "return-path" or "Addresses" in mime.allowed_forms(name)]
    return machine.matches(node, _addresses(machine, node, _fields(machine, node, wanted)))


def _addresses(machine: Machine, node: Node, fields: Iterable[Field]) -> Iterator[bytes]:
    for field in fields:
        machine.charge(field.cost)
        for address in field.addresses:
            if (part := _address_part(machine, node, address)) is not None:
                yield part.encode()


def _envelope(machine: Machine, node: Node) -> bool:
    values = []
    is_count = node.match is not None and node.match.kind == "count"
    for part in machine.texts(node.positional[0], _PART_WORK):
        if part.lower() not in names.ENVELOPE_PARTS:
            raise machine.fail(f"the envelope has no part {part.decode('utf-8', 'replace')!r}")
        is_sender = part.lower() == b"from"
        value = names.without_route(machine.envelope.sender if is_sender else machine.envelope.recipient)
        if not value:
            if is_sender and not is_count:
                values.append("")
        elif (found := _address_part(machine, node, value)) is not None:
            values.append(found)
    return machine.matches(node, (value.encode() for value in values))


def _body(machine: Machine, node: Node) -> bool:
    return machine.matches(node, _body_values(machine, node), captures=False)


def _body_values(machine: Machine, node: Node) -> Iterator[bytes]:
    """What a "body" test looks into (RFC 5173 §5); nothing where there is no body."""
    whole = machine.whole
    part = whole.part
    if part.body_start == part.header_end and part.header_end:
        return
    if "raw" in node.tags:
        yield whole.octets[part.body_start : part.body_end]
        return
    wanted = None
    if "content" in node.tags:
        wanted = [each.decode("utf-8", "replace").lower() for each in machine.texts(node.tags["content"])]
    for section in whole.walk():
        machine.charge(section.part.size + _PART_WORK + _TYPE_WORK * len(wanted or ()))
        if wanted is None:
            if section.part.type.startswith("text/"):
                machine.charge(section.plain_cost)
                yield section.plain()
        elif any(_is_type(each, section.part.type) for each in wanted):
            yield from _contents(section)


def _is_type(wanted: str, kind: str) -> bool:
    """Whether a content type is of a type with or without subtype (RFC 5173 §5.2)."""
    if "/" not in wanted:
        return not wanted or kind.partition("/")[0] == wanted
    return kind == wanted and wanted.count("/") == 1 and not wanted.startswith("/") and not wanted.endswith("/")


def _contents(section: Section) -> Iterator[bytes]:
    if section.part.sub_parts is not None:
        yield from section.around()
    elif section.is_message and section.children:
        inner = section.children[0]
        header = inner.octets[inner.part.header_start : inner.part.header_end]
        yield decode_text(header, "utf-8")[0].encode()
    else:
        yield section.text()


def _environment(machine: Machine, node: Node) -> bool:
    name = machine.string(node.positional[0]).lower()
    value = machine.outside.environment.get(name)
    if value is None:
        return False
    if node.match is not None and node.match.kind == "count":
        return machine.matches(node, [b""] if value else [])
    return machine.matches(node, [value.encode("utf-8", "replace")])


def _string(machine: Machine, node: Node) -> bool:
    values = machine.texts(node.positional[0])
    if node.match is not None and node.match.kind == "count":
        values = [value for value in values if value]
    return machine.matches(node, values)


def _hasflag(machine: Machine, node: Node) -> bool:
    variables = node.positional[0]
    if variables is None:
        lists = [machine.flags]
    else:
        lists = [names.flags([machine.variable(machine.reference(name))]) for name in machine.texts(variables)]
    values = [flag.encode() for flags in lists for flag in flags]
    match = node.match
    assert match is not None
    if match.kind in ("count", "value", "regex", "matches"):
        return machine.matches(node, values)
    keys = [word for key in machine.words(node.positional[-1]) for word in key.split(b" ") if word]
    return _has_any(machine, node, values, keys)


def _has_any(machine: Machine, node: Node, values: Sequence[bytes], keys: Sequence[bytes]) -> bool:
    match = node.match
    assert match is not None
    prepare = match.comparator.prepare
    machine.charge((sum(map(len, values)) + _PAIR_WORK * len(values)) * max(len(keys), 1))
    prepared, wanted = ([prepare(each) for each in given] for given in (values, keys))
    if match.kind == "contains":
        return any(key in value for key in wanted for value in prepared)
    return any(key in prepared for key in wanted)


def _date(machine: Machine, node: Node) -> bool:
    wanted = [machine.string(node.positional[0]).lower()]
    fields = _fields(machine, node, wanted)
    field = next(fields, None)
    moment = None
    if field is not None:
        machine.charge(_DATE_WORK * len(field.raw))
        moment = dates.of_field(field.raw)
    if moment is None:
        return machine.matches(node, []) if node.match is not None and node.match.kind == "count" else False
    if "originalzone" not in node.tags and "zone" not in node.tags:
        moment = dates.shifted(moment, machine.outside.utc_offset(moment.timestamp()))
    return _matches_part(machine, node, moment, 1)


def _currentdate(machine: Machine, node: Node) -> bool:
    return _matches_part(machine, node, machine.now(), 0)


def _matches_part(machine: Machine, node: Node, moment: datetime, at: int) -> bool:
    if "zone" in node.tags:
        zone = machine.text(node.tags["zone"])
        if not dates.is_zone(zone):
            raise machine.fail("a time zone is '+' or '-' and four digits")
        moment = dates.shifted(moment, dates.zone_of(zone))
    part = dates.PARTS.get(machine.text(node.positional[at]).lower())
    if part is None:
        raise machine.fail("a date has no such part")
    return machine.matches(node, [part(moment).encode()])


def _ihave(machine: Machine, node: Node) -> bool:
    frame = machine.frame
    wanted = {name.decode("utf-8", "replace") for name in machine.texts(node.positional[0])}
    new = wanted - frame.enabled
    if not new <= frame.script.capabilities or new & NEVER_BY_IHAVE:
        return False
    frame.enabled |= new
    if "vacation-seconds" in new:
        frame.enabled.add("vacation")
    return True


def _mailboxexists(machine: Machine, node: Node) -> bool:
    wanted = [names.mailbox(name) for name in machine.texts(node.positional[0])]
    machine.charge(_QUESTION_WORK * len(wanted))
    return all(name is not None and machine.outside.mailbox_exists(name) for name in wanted)


def _mailboxidexists(machine: Machine, node: Node) -> bool:
    wanted = [name.decode("utf-8", "replace") for name in machine.texts(node.positional[0])]
    machine.charge(_QUESTION_WORK * len(wanted))
    return all(machine.outside.mailbox_id_exists(each) for each in wanted)


def _specialuse_exists(machine: Machine, node: Node) -> bool:
    mailbox = None if node.positional[0] is None else machine.string(node.positional[0])
    uses = [use.decode("utf-8", "replace") for use in machine.texts(node.positional[1])]
    machine.charge(_QUESTION_WORK * len(uses))
    return all(machine.outside.special_use_exists(mailbox, use) for use in uses)


def _duplicate(machine: Machine, node: Node) -> bool:
    if "uniqueid" in node.tags:
        unique = machine.text(node.tags["uniqueid"])
    else:
        wanted = (machine.optional_string(node, "header") or "Message-ID").lower()
        fields = machine.whole.fields
        machine.charge(_FIELD_WORK * len(fields))
        field = next((field for field in fields if field.lower == wanted), None)
        if field is None:
            return False
        unique = field.text
    limits = machine.limits
    seconds = machine.number(node, "seconds")
    seconds = limits.duplicate_default if seconds is None else min(seconds, limits.duplicate_most)
    if not seconds:
        return False
    handle = node.tags.get("handle")
    key = key_of(None if handle is None else machine.text(handle), unique)
    if key not in machine.seen:
        if len(machine.seen) >= machine.limits.duplicates:
            raise machine.fail(f"more than {machine.limits.duplicates} messages are to be remembered")
        machine.seen[key] = machine.outside.seen(key)
    is_seen = machine.seen[key]
    machine.duplicates[key] = DuplicateMark(key, seconds) if not is_seen or "last" in node.tags else None
    return is_seen


def _valid_notify_method(machine: Machine, node: Node) -> bool:
    uris = [uri.decode("utf-8", "replace") for uri in machine.texts(node.positional[0])]
    machine.charge(_QUESTION_WORK * len(uris))
    return all(map(machine.outside.valid_notify_method, uris))


def _notify_method_capability(machine: Machine, node: Node) -> bool:
    uri, capability = machine.string(node.positional[0]), machine.string(node.positional[1]).lower()
    value = machine.outside.notify_capability(uri, capability)
    if value is None:
        return False
    if node.match is not None and node.match.kind == "count":
        return machine.matches(node, [b""] if value else [])
    return machine.matches(node, [value.encode()])


_TESTS: dict[str, Callable[[Machine, Node], bool]] = {
    "true": lambda machine, node: True,
    "false": lambda machine, node: False,
    "not": _not,
    "allof": _allof,
    "anyof": _anyof,
    "size": _size,
    "exists": _exists,
    "header": _header,
    "address": _address,
    "envelope": _envelope,
    "body": _body,
    "environment": _environment,
    "string": _string,
    "hasflag": _hasflag,
    "date": _date,
    "currentdate": _currentdate,
    "ihave": _ihave,
    "mailboxexists": _mailboxexists,
    "mailboxidexists": _mailboxidexists,
    "specialuse_exists": _specialuse_exists,
    "duplicate": _duplicate,
    "valid_notify_method": _valid_notify_method,
    "notify_method_capability": _notify_method_capability,
}
