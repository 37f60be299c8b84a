"""A run of a script: its variables, what it has decided so far, and how much it has done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from jmaplite.formats.sieve import dates, names
from jmaplite.formats.sieve.actions import Action, DuplicateMark, FileInto, Keep, Redirect, Reject, Vacation
from jmaplite.formats.sieve.errors import SieveError
from jmaplite.formats.sieve.letter import Edited, Letter, Section
from jmaplite.formats.sieve.limits import Limits
from jmaplite.formats.sieve.nodes import Node, Script, Value
from jmaplite.formats.sieve.outside import Outside
from jmaplite.formats.sieve.strings import Reference, Template, shortened, variable

_LONGEST_EXPANSION = 65_536
_PIECE_WORK = 32
_ITEM_WORK = 50
_FLAG_WORK = 20
_ADDRESS_WORK = 250
"""How many octets' worth of work it is to put a piece into a string, to look at a string of a list, at an octet of
flags, or at one of an address."""


class Stop(Exception):
    """The script ends here, with all that include it."""


class Return(Exception):
    """The script ends here, but not those that include it."""


class Break(Exception):
    """A loop ends: that of the name, or the nearest."""

    def __init__(self, name: bytes | None) -> None:
        super().__init__()
        self.name = name


@dataclass(frozen=True, slots=True)
class Envelope:
    """The addresses of the transport: sender ("" if it is null) and the one recipient."""

    sender: str = ""
    recipient: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """A command or test that was run: where, its name, and what came of it; `script` as in SieveError."""

    line: int
    column: int
    name: str
    result: str
    script: str = ""


@dataclass(slots=True)
class Frame:
    """A script under way, itself or included."""

    script: Script
    name: str
    enabled: set[str]
    base: Section | None = None
    """The part that the script takes for the whole message (RFC 6609 §3.5); None for the message."""
    variables: dict[str, bytes] = field(default_factory=dict)
    globals: set[str] = field(default_factory=set)
    captured: list[bytes] = field(default_factory=list)
    tainted: set[str] = field(default_factory=set)
    """Variables that hold something of the message."""


@dataclass(slots=True)
class Machine:
    """The state of a run. Its methods raise SieveError by way of fail(), with the place of the node at hand."""

    letter: Letter
    envelope: Envelope
    outside: Outside
    limits: Limits
    frame: Frame
    trace: Callable[[Trace], None] | None = None
    node: Node | None = None
    steps: int = 0
    work: int = 0
    globals: dict[str, bytes] = field(default_factory=dict)
    tainted_globals: set[str] = field(default_factory=set)
    flags: tuple[str, ...] = ()
    """The internal variable of RFC 5232 §3."""
    actions: list[Action] = field(default_factory=list)
    keeps_implicitly: bool = True
    outgoing: int = 0
    duplicates: dict[str, DuplicateMark | None] = field(default_factory=dict)
    seen: dict[str, bool] = field(default_factory=dict)
    included: set[tuple[str, bool]] = field(default_factory=set)
    including: list[tuple[str, bool]] = field(default_factory=list)
    """The names of the scripts under way, the script itself first, and whether each is one of the site."""
    include_count: int = 0
    loops: list[int] = field(default_factory=list)
    """Where in the list of parts the loops around stand."""
    section: Section | None = None
    """The part of the innermost loop."""
    known_parts: tuple[Section, list[Section], dict[int, int]] | None = None
    """The parts of a whole message, and how many parts there are in some of them."""
    moment: datetime | None = None
    enclosed: tuple[Edited | None, int] | None = None
    """The message as it was before the first "enclose", and how many Received fields it has."""
    vacation: Vacation | None = None
    reject: Reject | None = None

    def fail(self, message: str) -> SieveError:
        """The error of the node at hand."""
        node = self.node
        place = (node.line, node.column) if node is not None else (1, 1)
        return SieveError(message, *place, self.frame.name)

    def charge(self, octets: int) -> None:
        """Count octets that are about to be looked at."""
        self.work += octets
        if self.work > self.limits.work:
            raise self.fail("this script takes too much time")

    def step(self, node: Node) -> None:
        """Count a command or test that is about to run, and see whether it may."""
        self.node = node
        self.steps += 1
        if self.steps > self.limits.cpu:
            raise self.fail(f"this script runs more than {self.limits.cpu} commands and tests")
        if node.failure is not None:
            error = node.failure
            raise SieveError(error.message, error.line, error.column, self.frame.name)
        if not node.needs <= self.frame.enabled:
            missing = min(node.needs - self.frame.enabled)
            raise self.fail(f"{missing!r} has neither been required nor found by 'ihave'")

    # Strings

    def text(self, value: Value | None) -> bytes:
        """A string with its variables replaced."""
        if isinstance(value, bytes):
            return value
        assert isinstance(value, Template)
        return self._expand(value, without_tainted=False)

    def trusted_text(self, value: Value | None) -> bytes:
        """A string with those variables empty that hold something of the message."""
        return self._expand(value, without_tainted=True) if isinstance(value, Template) else self.text(value)

    def _expand(self, template: Template, *, without_tainted: bool) -> bytes:
        pieces: list[bytes] = []
        length = 0
        for piece in template.pieces:
            if isinstance(piece, Reference):
                piece = b"" if without_tainted and self.is_tainted(piece) else self.variable(piece)
            pieces.append(piece)
            length += len(piece)
            if length > _LONGEST_EXPANSION:
                break
        self.charge(length + _PIECE_WORK * len(pieces))
        return b"".join(pieces)[:_LONGEST_EXPANSION]

    def texts(self, value: Value | None, work: int = _ITEM_WORK) -> list[bytes]:
        """The strings of a list with their variables replaced; each is so much work."""
        assert isinstance(value, tuple)
        self.charge(work * len(value))
        return [self.text(each) for each in value]

    def words(self, value: Value | None) -> list[bytes]:
        """The strings of a list with flags in them."""
        found = self.texts(value)
        self.charge(_FLAG_WORK * sum(map(len, found)))
        return found

    def address(self, value: bytes) -> str | None:
        """The address of a sieve-address; None if it is none."""
        self.charge(_ADDRESS_WORK * len(value))
        return names.address(value)

    def string(self, value: Value | None) -> str:
        """A string as Unicode, whatever is no UTF-8 replaced."""
        return self.text(value).decode("utf-8", "replace")

    def optional_string(self, node: Node, tag: str) -> str | None:
        """The string after a tag, if it is there."""
        value = node.tags.get(tag)
        return None if value is None else self.string(value)

    def number(self, node: Node, tag: str) -> int | None:
        """The number after a tag, if it is there."""
        value = node.tags.get(tag)
        return value if isinstance(value, int) else None

    # Variables

    def variable(self, reference: Reference) -> bytes:
        """The value of a variable, empty if it has none."""
        frame = self.frame
        if reference.number is not None:
            return frame.captured[reference.number] if reference.number < len(frame.captured) else b""
        if reference.is_global or reference.name in frame.globals:
            return self.globals.get(reference.name, b"")
        return frame.variables.get(reference.name, b"")

    def is_tainted(self, reference: Reference) -> bool:
        """Whether a variable holds something of the message (RFC 5435 §8)."""
        if reference.number is not None:
            return True
        if reference.is_global or reference.name in self.frame.globals:
            return reference.name in self.tainted_globals
        return reference.name in self.frame.tainted

    def has_tainted(self, value: Value | None) -> bool:
        """Whether a string has such variables in it."""
        return isinstance(value, Template) and any(
            isinstance(piece, Reference) and self.is_tainted(piece) for piece in value.pieces
        )

    def reference(self, name: bytes) -> Reference:
        """The variable of a name that was checked."""
        return variable(name.decode("utf-8", "replace"), self.limits.variable_name_length, has_global=True)

    def store(self, name: bytes, value: bytes, *, is_tainted: bool) -> None:
        """Set a variable; what is too long is cut off (RFC 5229 §6)."""
        value = shortened(value, self.limits.variable_size)
        reference = self.reference(name)
        if reference.is_global or reference.name in self.frame.globals:
            values, tainted = self.globals, self.tainted_globals
        else:
            values, tainted = self.frame.variables, self.frame.tainted
        if reference.name not in values and len(values) >= self.limits.local_variables:
            raise self.fail(f"there are more than {self.limits.local_variables} variables")
        values[reference.name] = value
        (tainted.add if is_tainted else tainted.discard)(reference.name)

    # Matching

    def matches(self, node: Node, values: Iterable[bytes], *, captures: bool = True) -> bool:
        """Whether any value matches any key of a test; wildcards set match variables (RFC 5229 §3.2)."""
        match, given = node.match, node.positional[-1]
        assert match is not None
        keys = None if match.keys is not None else self.texts(given)
        if match.kind == "count":
            return match.count(sum(1 for _ in values), keys, self.charge)
        try:
            found = match.first(values, keys, self.charge)
        except ValueError as error:
            raise self.fail(str(error)) from None
        if found is None:
            return False
        if captures and match.kind in ("matches", "regex") and "variables" in self.frame.enabled:
            kept = found[: self.limits.match_variables + 1]
            self.frame.captured = [shortened(each, self.limits.variable_size) for each in kept]
        return True

    # The message

    @property
    def whole(self) -> Section:
        """What the script takes for the whole message."""
        return self.frame.base or self.letter.root

    @property
    def current(self) -> Section:
        """The part that tests of MIME fields look at (RFC 5703 §4.1)."""
        return self.section or self.whole

    def _parts(self) -> tuple[Section, list[Section], dict[int, int]]:
        whole = self.whole
        if self.known_parts is None or self.known_parts[0] is not whole:
            parts = list(whole.walk())
            self.charge(sum(section.part.size for section in parts if section.is_message) + len(parts))
            self.known_parts = (whole, parts, {})
        return self.known_parts

    def parts(self) -> list[Section]:
        """All parts of the whole message, depth first."""
        return self._parts()[1]

    def parts_end(self, around: int | None) -> int:
        """The number after the last part in the part of a number, or in the whole."""
        _, parts, counts = self._parts()
        if around is None:
            return len(parts)
        if around >= len(parts):
            return 0
        if around not in counts:
            counts[around] = sum(1 for _ in parts[around].walk())
            self.charge(counts[around])
        return around + counts[around]

    def refresh(self) -> None:
        """Find the part of the innermost loop in the message as it is now."""
        if self.loops:
            parts = self.parts()
            self.section = parts[min(self.loops[-1], len(parts) - 1)]

    def now(self) -> datetime:
        """The moment of the run, at local time; the same throughout (RFC 5260 §5)."""
        if self.moment is None:
            now = self.outside.now
            self.moment = dates.shifted(dates.at(now), self.outside.utc_offset(now))
        return self.moment

    # Decisions

    def send(self) -> None:
        """Count a message that goes out."""
        self.outgoing += 1
        if self.outgoing > self.limits.outgoing_messages:
            raise self.fail(f"this script sends more than {self.limits.outgoing_messages} messages")

    def message(self) -> Edited | None:
        """The message as it has been changed so far, or None."""
        self.charge(self.letter.cost)
        return self.letter.edited()

    def redirected(self) -> Edited | None:
        """What is redirected: the message as it has been changed, but for "enclose" (RFC 5703 §6)."""
        return self.message() if self.enclosed is None else self.enclosed[0]

    def hops(self) -> int:
        """How many Received fields there are in what is redirected."""
        if self.enclosed is not None:
            return self.enclosed[1]
        return sum(field.lower == "received" for field in self.letter.fields)

    def do(self, action: Action) -> None:
        """Take down an action."""
        if len(self.actions) >= self.limits.actions:
            raise self.fail(f"this script does more than {self.limits.actions} things")
        self.actions.append(action)

    def deliver(self, action: Keep | FileInto | Redirect) -> None:
        """Take down an action that delivers; a second one to the same place replaces the first (RFC 5228 §2.10.3)."""
        if self.reject is not None:
            raise self.fail("a message that is rejected cannot be delivered too")
        place = place_of(action)
        for at, other in enumerate(self.actions):
            if isinstance(other, Keep | FileInto | Redirect) and place_of(other) == place:
                self.actions[at] = action
                break
        else:
            self.do(action)
        if not getattr(action, "is_copy", False):
            self.keeps_implicitly = False


def place_of(action: Keep | FileInto | Redirect) -> tuple[str | None, ...]:
    """Where an action delivers."""
    if isinstance(action, Redirect):
        return "redirect", action.address
    if isinstance(action, Keep) or (
        action.mailbox.upper() == "INBOX" and action.special_use is None and action.mailbox_id is None
    ):
        return ("keep",)
    return "fileinto", action.mailbox, action.special_use, action.mailbox_id
