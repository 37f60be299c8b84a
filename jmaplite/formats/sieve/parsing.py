"""Scripts from octets: every command is checked here, so that a run has only to run (RFC 5228 §2.10.5)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from jmaplite.formats.sieve import checks, grammar
from jmaplite.formats.sieve.comparators import COMPARATORS
from jmaplite.formats.sieve.errors import NotAvailable, SieveError
from jmaplite.formats.sieve.grammar import FORMS, Form, Tag
from jmaplite.formats.sieve.limits import DEFAULT_LIMITS, Limits
from jmaplite.formats.sieve.matching import RELATIONS, Match
from jmaplite.formats.sieve.nodes import Node, Script, Value
from jmaplite.formats.sieve.strings import Text, decode_characters, template
from jmaplite.formats.sieve.syntax import Argument, Command, read
from jmaplite.formats.sieve.tokens import Source

_MOST_REGEX_STEPS = 50_000

_KINDS = {
    grammar.STRING: "a string",
    grammar.STRINGS: "a list of strings",
    grammar.NUMBER: "a number",
    grammar.CONSTANT: "a string",
    grammar.CONSTANTS: "a list of strings",
}


def parse(
    script: bytes,
    *,
    capabilities: Collection[str] = grammar.CAPABILITIES,
    limits: Limits = DEFAULT_LIMITS,
) -> Script:
    """The script of octets, wholly checked. Raises SieveError.

    `capabilities` are those that it may require, of CAPABILITIES and OPTIONAL_CAPABILITIES.
    """
    if len(script) > limits.script_size:
        raise SieveError(f"this script is longer than {limits.script_size} octets")
    source = Source(script)
    commands = read(source, limits)
    checker = _Checker(source, frozenset(capabilities) | grammar.BUILT_IN, limits)
    nodes = checker.script(commands)
    return Script(nodes, frozenset(checker.required), checker.offered, len(script))


@dataclass(slots=True)
class _Checker:
    """Makes nodes of commands."""

    source: Source
    offered: frozenset[str]
    limits: Limits
    required: set[str] = field(default_factory=set)
    loops: list[bytes | None] = field(default_factory=list)
    """The names of the loops around the command."""
    regex_steps: int = 0
    needs: set[str] = field(default_factory=set)
    """What the command at hand uses without a require."""

    def script(self, commands: list[Command]) -> tuple[Node, ...]:
        self.required |= grammar.BUILT_IN
        rest = 0
        while rest < len(commands) and commands[rest].name == "require":
            self._require(commands[rest])
            rest += 1
        return self._block(commands[rest:])

    def _require(self, command: Command) -> None:
        self._shape(command, FORMS["require"])
        if len(command.arguments) != 1 or command.arguments[0].strings is None:
            raise self.source.error(command.offset, "'require' takes a list of strings")
        for value, offset in command.arguments[0].strings:
            name = value.decode("utf-8", "replace")
            if name not in self.offered:
                raise self.source.error(offset, f"there is no capability {name!r}")
            self.required.add(name)
            if name in grammar.IMPLIED:
                self.required.add(grammar.IMPLIED[name])

    def _block(self, commands: list[Command]) -> tuple[Node, ...]:
        nodes: list[Node] = []
        previous = ""
        for command in commands:
            if command.name in ("elsif", "else") and previous not in ("if", "elsif"):
                raise self.source.error(command.offset, f"{command.name!r} has to follow 'if' or 'elsif'")
            if command.name == "require":
                raise self.source.error(command.offset, "'require' has to come before any other command")
            nodes.append(self._node(command, is_test=False))
            previous = command.name
        return tuple(nodes)

    def _node(self, command: Command, *, is_test: bool) -> Node:
        """The node of a command or test; with "ihave", what is not available fails when it is reached."""
        outer, self.needs = self.needs, set()
        try:
            return self._checked(command, is_test=is_test)
        except NotAvailable as error:
            if "ihave" not in self.required:
                raise
            return Node(command.name, *self.source.place(command.offset), failure=error)
        finally:
            self.needs = outer

    def _checked(self, command: Command, *, is_test: bool) -> Node:
        form = FORMS.get(command.name)
        what = "test" if is_test else "command"
        if form is None:
            raise self.source.not_available(command.offset, f"there is no {what} {command.name!r}")
        if (form.kind == grammar.TEST) is not is_test:
            wrong = "is no test" if is_test else "is a test, and stands where a command is expected"
            raise self.source.error(command.offset, f"{command.name!r} {wrong}")
        self._use(form.capability, command.offset, repr(command.name))
        self._shape(command, form)
        node = Node(command.name, *self.source.place(command.offset))
        count = self._tags(command, form, node)
        self._positional(command, form, node, command.arguments[count:])
        self._match(command, node)
        checks.check(node, command, self.source, self.limits, self)
        node.needs = frozenset(self.needs)
        node.tests = tuple(self._node(test, is_test=True) for test in command.tests or ())
        if command.block is not None:
            node.block = self._inner(command, node)
        return node

    def _inner(self, command: Command, node: Node) -> tuple[Node, ...]:
        assert command.block is not None
        if command.name != "foreverypart":
            return self._block(command.block)
        if len(self.loops) >= self.limits.nested_foreverypart:
            raise self.source.error(
                command.offset, f"'foreverypart' is nested deeper than {self.limits.nested_foreverypart}"
            )
        name = node.tags.get("name")
        self.loops.append(name if isinstance(name, bytes) else None)
        nodes = self._block(command.block)
        self.loops.pop()
        return nodes

    def _use(self, capability: str, offset: int, what: str) -> None:
        """Note that something of a capability is used, which has to be required or found by "ihave"."""
        if not capability or capability in self.required:
            return
        if capability not in self.offered:
            raise self.source.not_available(offset, f"{what} is not known: there is no capability {capability!r}")
        if "ihave" not in self.required or capability in grammar.NEVER_BY_IHAVE:
            raise self.source.not_available(offset, f'{what} needs: require "{capability}";')
        self.needs.add(capability)

    def _shape(self, command: Command, form: Form) -> None:
        """Whether tests and block are there as the form has them."""
        if form.tests and not command.tests:
            raise self.source.error(command.offset, f"{command.name!r} takes a test")
        if command.tests and form.tests != ("list" if command.is_test_list else "one"):
            if not form.tests:
                wrong = "takes no test"
            elif form.tests == "one":
                wrong = "takes one test, without parentheses"
            else:
                wrong = "takes a list of tests in parentheses"
            raise self.source.error(command.tests[0].offset, f"{command.name!r} {wrong}")
        if form.has_block and command.block is None:
            raise self.source.error(command.offset, f"a block has to follow {command.name!r}")
        if command.block is not None and not form.has_block:
            raise self.source.error(command.offset, f"{command.name!r} takes no block, but ends with ';'")

    def _tags(self, command: Command, form: Form, node: Node) -> int:
        """Read the tagged arguments; how many arguments they are."""
        tags: dict[str, Value] = {}
        groups: dict[str, str] = {}
        at = 0
        arguments = command.arguments
        known = {tag.name: tag for tag in form.tags}
        while at < len(arguments) and (name := arguments[at].tag) is not None:
            offset = arguments[at].offset
            tag = known.get(name)
            if tag is None:
                raise self.source.not_available(offset, f"{command.name!r} has no ':{name}'")
            self._use(tag.capability, offset, f"':{name}'")
            if name in tags:
                raise self.source.error(offset, f"':{name}' is given twice")
            if tag.group and (other := groups.setdefault(tag.group, name)) != name:
                raise self.source.error(offset, f"':{name}' and ':{other}' exclude each other")
            at += 1
            tags[name] = True
            if tag.value:
                if at == len(arguments) or arguments[at].tag is not None:
                    raise self.source.error(offset, f"':{name}' is followed by {_KINDS[tag.value]}")
                tags[name] = self._value(arguments[at], tag.value, f"':{name}' takes")
                at += 1
        self._companions(command, known, tags)
        node.tags = tags
        return at

    def _companions(self, command: Command, known: dict[str, Tag], tags: dict[str, Value]) -> None:
        for argument in command.arguments:
            tag = known.get(argument.tag or "")
            if tag is not None and tag.with_tag and tag.with_tag not in tags:
                raise self.source.error(argument.offset, f"':{tag.name}' goes with ':{tag.with_tag}' only")

    def _positional(self, command: Command, form: Form, node: Node, given: list[Argument]) -> None:
        kinds = form.positional
        for argument in given:
            if argument.tag is not None:
                raise self.source.error(argument.offset, f"':{argument.tag}' has to come before other arguments")
        missing = len(kinds) - len(given)
        if missing < 0:
            raise self.source.error(given[len(kinds)].offset, f"{command.name!r} takes no such argument")
        if missing > abs(form.optional):
            wanted = kinds[len(given)] if form.optional < 0 else kinds[len(given) + form.optional - missing]
            raise self.source.error(command.offset, f"{command.name!r} takes {_KINDS[wanted]} more")
        before = missing if form.optional > 0 else 0
        values: list[Value | None] = [None] * before
        for kind, argument in zip(kinds[before:], given, strict=False):
            values.append(self._value(argument, kind, f"{command.name!r} takes"))
        values += [None] * (len(kinds) - len(values))
        node.positional = tuple(values)

    def _value(self, argument: Argument, kind: str, taker: str) -> Value:
        """The value of an argument that has to be of a kind."""
        if kind == grammar.NUMBER:
            if argument.number is None:
                raise self.source.error(argument.offset, f"{taker} a number here, not {argument.kind}")
            return argument.number
        is_single = kind in (grammar.STRING, grammar.CONSTANT)
        if argument.strings is None or (is_single and argument.is_list):
            raise self.source.error(argument.offset, f"{taker} {_KINDS[kind]} here, not {argument.kind}")
        texts = tuple(self.text(value, offset) for value, offset in argument.strings)
        if kind in (grammar.CONSTANT, grammar.CONSTANTS):
            for text, (_, offset) in zip(texts, argument.strings, strict=True):
                if not isinstance(text, bytes):
                    raise self.source.error(offset, "a string here must not have variables in it")
        return texts[0] if is_single else texts

    def text(self, value: bytes, offset: int) -> Text:
        """A string with what its capabilities make of it."""
        try:
            if "encoded-character" in self.required:
                value = decode_characters(value)
            if "variables" in self.required:
                return template(value, self.limits.match_variables, has_global="include" in self.required)
        except ValueError as error:
            raise self.source.error(offset, str(error)) from None
        return value

    def _match(self, command: Command, node: Node) -> None:
        """How a test compares, if it does."""
        form = FORMS[command.name]
        keys = node.positional[-1] if node.positional else None
        if keys is None or not any(tag.name == "comparator" for tag in form.tags):
            return  # without keys it does not matter how they would be compared (RFC 5293 §5)
        match = Match()
        for kind in grammar.MATCH_TAGS:
            if kind in node.tags:
                match.kind = kind
                relation = node.tags[kind]
                if isinstance(relation, bytes):
                    if relation.lower() not in RELATIONS:
                        raise self._at_tag(command, kind, "a relation is one of gt, ge, lt, le, eq and ne")
                    match.relation = RELATIONS[relation.lower()]
        name = node.tags.get("comparator")
        if isinstance(name, bytes):
            shown = name.decode("utf-8", "replace")
            offset = next(argument.offset for argument in command.arguments if argument.tag == "comparator")
            if shown not in COMPARATORS:
                raise self.source.not_available(offset, f"there is no comparator {shown!r}")
            self._use(f"comparator-{shown}", offset, f"the comparator {shown!r}")
            match.comparator = COMPARATORS[shown]
        if not match.comparator.has_substrings and match.kind in ("contains", "matches", "regex"):
            raise self._at_tag(command, match.kind, f"{match.comparator.name!r} has no ':{match.kind}'")
        if isinstance(keys, tuple) and all(isinstance(key, bytes) for key in keys):
            try:
                constant = [key for key in keys if isinstance(key, bytes)]
                self.regex_steps += match.fix_keys(constant, _MOST_REGEX_STEPS - self.regex_steps)
            except ValueError as error:
                raise self.source.error(command.arguments[-1].offset, str(error)) from None
        node.match = match

    def _at_tag(self, command: Command, name: str, message: str) -> SieveError:
        offset = next((each.offset for each in command.arguments if each.tag == name), command.offset)
        return self.source.error(offset, message)
