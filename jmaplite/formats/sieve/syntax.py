"""The grammar of Sieve without the meaning of any command (RFC 5228 §8.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from jmaplite.formats.sieve.limits import Limits
from jmaplite.formats.sieve.tokens import Source, Token, number, tokens


@dataclass(slots=True)
class Argument:
    """A tag in lower case, a number, or strings with the offset of each; `is_list` tells brackets were written."""

    offset: int
    tag: str | None = None
    number: int | None = None
    strings: list[tuple[bytes, int]] | None = None
    is_list: bool = False

    @property
    def kind(self) -> str:
        """What it is, in words."""
        if self.tag is not None:
            return "a tag"
        if self.number is not None:
            return "a number"
        return "a list of strings" if self.is_list else "a string"


@dataclass(slots=True)
class Command:
    """A command or test as it is written; `block` is None where none is, `tests` too."""

    name: str
    offset: int
    arguments: list[Argument] = field(default_factory=list)
    tests: list[Command] | None = None
    is_test_list: bool = False
    block: list[Command] | None = None


def read(source: Source, limits: Limits) -> list[Command]:
    """The commands of a script. Raises SieveError."""
    return _Reader(source, limits).script()


class _Reader:
    """Reads token by token; blocks and tests are as deep as the limits let them be."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        self._count = 0
        self._tokens: Iterator[Token] = tokens(source)
        self._token = next(self._tokens)

    def _take(self) -> Token:
        token = self._token
        if token.kind != "end":
            self._token = next(self._tokens)
        return token

    def _at(self, special: bytes) -> bool:
        return self._token.kind == "special" and self._token.text == special

    def script(self) -> list[Command]:
        commands = self._commands(0)
        if self._token.kind != "end":
            raise self._unexpected("a command is expected here")
        return commands

    def _commands(self, depth: int) -> list[Command]:
        commands = []
        while self._token.kind == "word":
            commands.append(self._command(depth))
        return commands

    def _command(self, depth: int) -> Command:
        command = self._name()
        self._arguments(command, 0)
        if self._at(b"{"):
            if depth >= self._limits.nested_blocks:
                raise self._source.error(
                    self._token.offset, f"blocks are nested deeper than {self._limits.nested_blocks}"
                )
            opening = self._take()
            command.block = self._commands(depth + 1)
            if self._token.kind == "end":
                raise self._source.error(opening.offset, "this block is not closed by '}'")
            if not self._at(b"}"):
                raise self._unexpected("a command or '}' is expected here")
            self._take()
        elif self._at(b";"):
            self._take()
        else:
            raise self._unexpected(f"';' or '{{' has to follow {command.name!r}")
        return command

    def _name(self) -> Command:
        token = self._take()
        self._count += 1
        if self._count > self._limits.commands:
            raise self._source.error(token.offset, f"there are more than {self._limits.commands} commands and tests")
        return Command(token.text.decode("ascii").lower(), token.offset)

    def _arguments(self, command: Command, depth: int) -> None:
        while (argument := self._argument()) is not None:
            command.arguments.append(argument)
        if self._token.kind != "word" and not self._at(b"("):
            return
        if depth > self._limits.nested_tests:
            raise self._source.error(self._token.offset, f"tests are nested deeper than {self._limits.nested_tests}")
        if self._token.kind == "word":
            command.tests = [self._test(depth + 1)]
        else:
            opening = self._take()
            command.is_test_list = True
            command.tests = [self._test(depth + 1)]
            while self._at(b","):
                self._take()
                command.tests.append(self._test(depth + 1))
            if not self._at(b")"):
                if self._token.kind == "end":
                    raise self._source.error(opening.offset, "this list of tests is not closed by ')'")
                raise self._unexpected("',' or ')' is expected here")
            self._take()

    def _test(self, depth: int) -> Command:
        if self._token.kind != "word":
            raise self._unexpected("a test is expected here")
        command = self._name()
        self._arguments(command, depth)
        return command

    def _argument(self) -> Argument | None:
        token = self._token
        if token.kind == "tag":
            self._take()
            return Argument(token.offset, tag=token.text[1:].decode("ascii").lower())
        if token.kind == "number":
            self._take()
            return Argument(token.offset, number=number(self._source, token))
        if token.kind == "string":
            return Argument(token.offset, strings=[self._string()])
        if not self._at(b"["):
            return None
        self._take()
        strings = [self._string()]
        while self._at(b","):
            self._take()
            strings.append(self._string())
        if not self._at(b"]"):
            if self._token.kind == "end":
                raise self._source.error(token.offset, "this list is not closed by ']'")
            raise self._unexpected("',' or ']' is expected here")
        self._take()
        return Argument(token.offset, strings=strings, is_list=True)

    def _string(self) -> tuple[bytes, int]:
        token = self._token
        if token.kind != "string":
            raise self._unexpected("a string is expected here")
        if len(token.text) > self._limits.string_length:
            raise self._source.error(token.offset, f"this string is longer than {self._limits.string_length} octets")
        self._take()
        return token.text, token.offset

    def _unexpected(self, message: str) -> Exception:
        token = self._token
        if token.kind == "end":
            return self._source.error(token.offset, f"{message}, but the script ends")
        shown = "a string" if token.kind == "string" else repr(token.text.decode("utf-8", "replace"))
        return self._source.error(token.offset, f"{message}, not {shown}")
