"""What single commands ask of their arguments beyond kinds, as far as these are constant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from jmaplite.formats.sieve import dates, names
from jmaplite.formats.sieve.errors import SieveError
from jmaplite.formats.sieve.limits import Limits
from jmaplite.formats.sieve.nodes import Node
from jmaplite.formats.sieve.strings import variable
from jmaplite.formats.sieve.syntax import Command
from jmaplite.formats.sieve.tokens import Source


class Surroundings(Protocol):
    """What a check may know of the script around a command."""

    required: set[str]
    loops: list[bytes | None]
    offered: frozenset[str]


class _Context:
    """A command under check, and how to complain about it."""

    def __init__(
        self, node: Node, command: Command, source: Source, limits: Limits, surroundings: Surroundings
    ) -> None:
        self.node = node
        self.command = command
        self.source = source
        self.limits = limits
        self.surroundings = surroundings

    def error(self, message: str, at: int | None = None) -> SieveError:
        """An error at the argument of an index, or at the command."""
        offset = self.command.offset if at is None else self.command.arguments[at].offset
        return self.source.error(offset, message)

    def after(self, tag: str) -> int:
        """The index of the argument that follows a tag."""
        return next(at for at, argument in enumerate(self.command.arguments) if argument.tag == tag) + 1


def check(node: Node, command: Command, source: Source, limits: Limits, surroundings: Surroundings) -> None:
    """Check a command by its name. Raises SieveError."""
    found = _CHECKS.get(node.name)
    context = _Context(node, command, source, limits, surroundings)
    if found is not None:
        found(context)
    if node.tags.get("index") == 0:
        raise context.error("':index' counts from 1", context.after("index"))
    zone = node.tags.get("zone")
    if isinstance(zone, bytes) and not dates.is_zone(zone):
        raise context.error("a time zone is '+' or '-' and four digits", context.after("zone"))


def _size(context: _Context) -> None:
    if not context.node.tags:
        raise context.error("'size' takes ':over' or ':under'")


def _envelope(context: _Context) -> None:
    parts = context.node.positional[0]
    assert isinstance(parts, tuple)
    for part in parts:
        if isinstance(part, bytes) and part.lower() not in names.ENVELOPE_PARTS:
            raise context.error(f"the envelope has no part {part.decode('utf-8', 'replace')!r}", -2)


def _variable_name(context: _Context, value: object, at: int) -> None:
    if not isinstance(value, bytes):
        return
    try:
        variable(
            value.decode("utf-8", "replace"),
            context.limits.variable_name_length,
            has_global="include" in context.surroundings.required,
        )
    except ValueError as error:
        raise context.error(str(error), at) from None


def _set(context: _Context) -> None:
    _variable_name(context, context.node.positional[0], -2)


def _flags(context: _Context) -> None:
    names_given = context.node.positional[0]
    if names_given is None:
        return
    if "variables" not in context.surroundings.required:
        raise context.error('the name of a variable needs: require "variables";', -2)
    for name in names_given if isinstance(names_given, tuple) else (names_given,):
        _variable_name(context, name, -2)


def _global(context: _Context) -> None:
    if "variables" not in context.surroundings.required:
        raise context.error("'global' needs: require \"variables\";")
    given = context.node.positional[0]
    assert isinstance(given, tuple)
    for name in given:
        if isinstance(name, bytes) and b"." in name:
            raise context.error("'global' takes names without a namespace", -1)
        _variable_name(context, name, -1)


def _date_part(at: int) -> Callable[[_Context], None]:
    def check_part(context: _Context) -> None:
        part = context.node.positional[at]
        if isinstance(part, bytes) and part.lower() not in dates.PARTS:
            raise context.error(f"a date has no part {part.decode('utf-8', 'replace')!r}", -2)

    return check_part


def _header_name(context: _Context) -> None:
    name = context.node.positional[0]
    is_last = context.node.positional[1] is None
    if isinstance(name, bytes) and not names.FIELD_NAME.fullmatch(name):
        raise context.error("this is not the name of a header field", -1 if is_last else -2)


def _importance(context: _Context) -> None:
    value = context.node.tags.get("importance")
    if isinstance(value, bytes) and value not in (b"1", b"2", b"3"):
        raise context.error('importance is "1", "2" or "3"', context.after("importance"))
    options = context.node.tags.get("options")
    for option in options if isinstance(options, tuple) else ():
        if isinstance(option, bytes) and not names.NOTIFY_OPTION.fullmatch(option):
            raise context.error("an option is written 'name=value'", context.after("options"))


def _vacation(context: _Context) -> None:
    sender = context.node.tags.get("from")
    if isinstance(sender, bytes) and not names.mailbox_list(sender):
        raise context.error("this is not a list of addresses", context.after("from"))
    reason = context.node.positional[0]
    header = reason.partition(b"\r\n\r\n")[0] if isinstance(reason, bytes) else b""
    if "mime" in context.node.tags and not header.isascii():
        raise context.error("the header of a MIME entity is US-ASCII", -1)
    seconds = context.node.tags.get("seconds")
    if isinstance(seconds, int) and seconds > 2**31:
        raise context.error("this is too long a time", context.after("seconds"))


def _redirect(context: _Context) -> None:
    address = context.node.positional[0]
    if isinstance(address, bytes) and names.address(address) is None:
        raise context.error("this is not an address", -1)


def _mailbox(context: _Context) -> None:
    mailbox = context.node.positional[0]
    if isinstance(mailbox, bytes) and names.mailbox(mailbox) is None:
        raise context.error("this is not the name of a mailbox", -1)


def _include(context: _Context) -> None:
    name = context.node.positional[0]
    assert isinstance(name, bytes)
    if names.script_name(name) is None:
        raise context.error("this is not the name of a script", -1)


def _break(context: _Context) -> None:
    loops = context.surroundings.loops
    if not loops:
        raise context.error("'break' stands in no 'foreverypart'")
    name = context.node.tags.get("name")
    if name is not None and name not in loops:
        raise context.error("there is no 'foreverypart' of this name around", context.after("name"))


def _extracttext(context: _Context) -> None:
    if "variables" not in context.surroundings.required:
        raise context.error("'extracttext' needs: require \"variables\";")
    if not context.surroundings.loops:
        raise context.error("'extracttext' stands in no 'foreverypart'")
    _variable_name(context, context.node.positional[0], -1)


def _replace(context: _Context) -> None:
    tags = context.node.tags
    if "mime" in tags and ("subject" in tags or "from" in tags):
        raise context.error("':mime' leaves no room for ':subject' and ':from'")
    sender = tags.get("from")
    if isinstance(sender, bytes) and not names.mailbox_list(sender):
        raise context.error("this is not a list of addresses", context.after("from"))


_CHECKS: dict[str, Callable[[_Context], None]] = {
    "size": _size,
    "envelope": _envelope,
    "set": _set,
    "setflag": _flags,
    "addflag": _flags,
    "removeflag": _flags,
    "hasflag": _flags,
    "global": _global,
    "date": _date_part(1),
    "currentdate": _date_part(0),
    "addheader": _header_name,
    "deleteheader": _header_name,
    "notify": _importance,
    "vacation": _vacation,
    "redirect": _redirect,
    "fileinto": _mailbox,
    "include": _include,
    "break": _break,
    "extracttext": _extracttext,
    "replace": _replace,
}
