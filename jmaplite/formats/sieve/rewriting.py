"""The actions of RFC 5703: text out of a part, a part replaced, a message enclosed in another."""

from __future__ import annotations

import re
from collections.abc import Callable

from jmaplite.formats import compose, mime
from jmaplite.formats.sieve import dates, names
from jmaplite.formats.sieve.commands import modified
from jmaplite.formats.sieve.machine import Machine
from jmaplite.formats.sieve.nodes import Node

_FIELD = re.compile(rb"[!-9;-~]++[ \t]*+:")
_MIME_FIELDS = "content-"
_TEXT_WORK = 3  # to decode an octet
_LARGEST_GROWTH = 1_000_000  # octets that a message may gain by a script


def _extracttext(machine: Machine, node: Node) -> str:
    section = machine.current
    part = section.part
    first = machine.number(node, "first")
    most = machine.limits.variable_size if first is None else min(first, machine.limits.variable_size)
    value = b""
    if part.sub_parts is None and part.type.startswith("text/") and not part.is_encoding_unknown:
        value, octets = section.beginning(most)
        machine.charge(_TEXT_WORK * octets)
    name = machine.text(node.positional[0])
    machine.store(name, modified(machine, node, value), is_tainted=True)
    return f"{name.decode('utf-8', 'replace')} = {len(value)} octets of text"


def _entity(machine: Machine, node: Node) -> bytes:
    """The replacement as a MIME entity: its header fields, an empty line, and content."""
    text = machine.text(node.positional[0])
    if "mime" in node.tags:
        return text if _FIELD.match(text) or text.startswith(b"\r\n") else b"\r\n" + text
    leaf = compose.Entity("text/plain", parameters={"charset": "utf-8"}, octets=text)
    return compose.message([], leaf, "").partition(b"MIME-Version: 1.0\r\n")[2]


def _replace(machine: Machine, node: Node) -> str:
    if machine.frame.base is not None:
        raise machine.fail("'replace' has no place in a script that is included for a part")
    letter, section = machine.letter, machine.section
    if section is not None and section is not letter.root:
        if section.octets is not letter.octets:
            return "not done: the part is inside a message that is encoded, or attached"
        part = section.part
        entity = _entity(machine, node)
        octets = letter.octets[: part.header_start] + entity + letter.octets[part.body_end :]
        _rewrite(machine, octets, keeps_fields=True)
    else:
        _replace_whole(machine, node)
    machine.refresh()
    return "replace"


def _replace_whole(machine: Machine, node: Node) -> None:
    """Replace all but the header fields that are not about MIME (RFC 5703 §5)."""
    letter = machine.letter
    sender = machine.optional_string(node, "from")
    if sender is not None and not names.mailbox_list(sender.encode()):
        raise machine.fail("':from' of 'replace' is not a list of addresses")
    for name, given in (("Subject", machine.optional_string(node, "subject")), ("From", sender)):
        if given is None:
            continue
        old = [field for field in letter.fields if field.lower == name.lower()]
        for field in old:
            letter.add(f"Original-{name}", b"Original-%b:%b\r\n" % (name.encode(), field.raw), is_last=True)
        letter.remove(old)
        _add(machine, name, given)
    gone = [field for field in letter.fields if field.lower.startswith(_MIME_FIELDS) or field.lower == "mime-version"]
    letter.remove(gone)
    machine.charge(letter.cost)
    header = b"".join(letter.header())
    _rewrite(machine, header + b"MIME-Version: 1.0\r\n" + _entity(machine, node), keeps_fields=False)


def _add(machine: Machine, name: str, value: str) -> None:
    form = "Addresses" if name == "From" else "Text"
    try:
        line = compose.field(name, form, mime.addresses(value.encode()) if form == "Addresses" else value)
    except compose.NotWritable as error:
        raise machine.fail(str(error)) from None
    machine.letter.add(name, line, is_last=True)


def _rewrite(machine: Machine, octets: bytes, *, keeps_fields: bool) -> None:
    """Go on with another message, with the header as it was edited if that is not in it yet."""
    letter = machine.letter
    if keeps_fields and (edited := machine.message()) is not None and edited.body_of is letter.octets:
        octets = b"".join(edited.pieces) + octets[edited.body_start :]
    if len(octets) > len(letter.original) + _LARGEST_GROWTH:
        raise machine.fail("the message becomes too large")
    machine.charge(4 * len(octets))
    letter.replace_octets(octets)


def _enclose(machine: Machine, node: Node) -> str:
    """Make the message an attachment of a new one (RFC 5703 §6)."""
    letter = machine.letter
    edited = machine.message()
    if machine.enclosed is None:
        machine.enclosed = (edited, machine.hops())
    inner = letter.octets if edited is None else edited.octets
    wanted = [name.decode("utf-8", "replace").lower() for name in machine.texts(node.tags.get("headers", ()))]
    fields = [
        b"%b:%b\r\n" % (field.name.encode("ascii"), field.raw) for field in letter.fields if field.lower in wanted
    ]
    subject = machine.optional_string(node, "subject")
    try:
        if subject is not None:
            fields.append(compose.field("Subject", "Text", subject))
        elif "subject" not in wanted:
            fields += [b"Subject:%b\r\n" % field.raw for field in letter.fields if field.lower == "subject"][:1]
        if "from" not in wanted:
            owner = (*machine.outside.addresses, machine.envelope.recipient, "")[0]
            fields.append(compose.field("From", "Addresses", [{"name": None, "email": owner}]))
        if "date" not in wanted:
            fields.append(f"Date: {dates.std11(machine.now())}\r\n".encode())
        parts = [
            compose.Entity("text/plain", parameters={"charset": "utf-8"}, octets=machine.text(node.positional[0])),
            compose.Entity("message/rfc822", octets=inner),
        ]
        octets = compose.message(fields, compose.Entity("multipart/mixed", parts=parts), f"{machine.steps}{len(inner)}")
    except compose.NotWritable as error:
        raise machine.fail(str(error)) from None
    _rewrite(machine, octets, keeps_fields=False)
    machine.refresh()
    return "enclose"


REWRITING: dict[str, Callable[[Machine, Node], str]] = {
    "extracttext": _extracttext,
    "replace": _replace,
    "enclose": _enclose,
}
"""These actions by name."""
