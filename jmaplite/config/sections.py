"""How a section of the configuration is declared: a frozen dataclass whose fields are the options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, NamedTuple, TypeVar, dataclass_transform

from jmaplite.config.kinds import Kind

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Option:
    """One option as it was declared.

    `name` is dotted; `<id>` stands for a name that the user chooses, `[]` for the rows of an array of tables.
    `value` is the default, if it is a plain one; `default` is what the documentation shows for it, or None
    where the option is required. `everywhere` is the name under which it may be set for all of a section that
    repeats at once.
    """

    name: str
    kind: Kind[Any]
    doc: str
    value: object
    default: str | None
    aliases: tuple[str, ...]
    secret: bool
    field: str
    everywhere: str = ""

    @property
    def open(self) -> bool:
        """Whether the user chooses the last part of the name, so that the field is all pairs of name and value."""
        return self.name.endswith(".<id>")


def option(
    name: str,
    kind: Kind[T],
    doc: str,
    *,
    default: T | Any = MISSING,
    default_factory: Any = MISSING,
    shown: str | None = None,
    aliases: tuple[str, ...] = (),
    secret: bool = False,
    everywhere: str = "",
) -> Any:
    """A field that is an option, and required if it has no default.

    `name` and `aliases` are beneath the section's name, but an alias with a `/` in front is whole. `shown` is
    the default as the documentation shows it. A `secret` appears in no message. `everywhere` is whole. A name
    that is `<id>` takes every key of the section, and the field is a tuple of pairs.
    """
    about = {
        "name": name,
        "kind": kind,
        "doc": doc,
        "shown": shown,
        "aliases": aliases,
        "secret": secret,
        "everywhere": everywhere,
    }
    return field(default=default, default_factory=default_factory, repr=not secret, metadata=about)


def rows(row: type[T], *, default: tuple[T, ...] = ()) -> Any:
    """A field that holds the rows of another section, which repeats inside this one."""
    return field(default=default, metadata={"rows": row})


def part(inner: type[T]) -> Any:
    """A field that holds another section, which stands in the same table or beneath it."""
    return field(default_factory=inner, metadata={"part": inner})


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(option, rows, part))
def section(name: str) -> Callable[[type[T]], type[T]]:
    """Make a class a section: `name` is the dotted name of its table, as in Option.

    A section that ends in `<id>` has a field `id` for the name that the user chose.
    """

    def make(declared: type[T]) -> type[T]:
        # Written once for all: at every start, dataclass would take longer to write them for each than all else takes.
        for special, method in (("__eq__", _equal), ("__hash__", _hash), ("__repr__", _shown)):
            setattr(declared, special, method)
        made: type[T] = dataclass(frozen=True, kw_only=True, eq=False, repr=False)(declared)
        setattr(made, _ABOUT, _About(name, _options(name, made), _held(made, "rows"), _held(made, "part")))
        return made

    return make


def _values(of: Any) -> tuple[Any, ...]:
    return tuple(getattr(of, name) for name in of.__dataclass_fields__)


def _equal(self: Any, other: object) -> bool:
    return type(self) is type(other) and _values(self) == _values(other)


def _hash(self: Any) -> int:
    return hash(_values(self))


def _shown(self: Any) -> str:
    shown = (f"{made.name}={getattr(self, made.name)!r}" for made in fields(self) if made.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def section_name(declared: type[Any]) -> str:
    """The dotted name of a section."""
    return _about(declared).name


def options(declared: type[Any]) -> tuple[Option, ...]:
    """The options of one section, in the order of their declaration."""
    return _about(declared).options


def row_fields(declared: type[Any]) -> dict[str, type[Any]]:
    """The fields of a section that hold rows, with the section of the rows."""
    return _about(declared).rows


def part_fields(declared: type[Any]) -> dict[str, type[Any]]:
    """The fields of a section that hold a section of the same table."""
    return _about(declared).parts


class _About(NamedTuple):
    """What is known of a section since it was declared."""

    name: str
    options: tuple[Option, ...]
    rows: dict[str, type[Any]]
    parts: dict[str, type[Any]]


_ABOUT = "__section__"


def _about(declared: type[Any]) -> _About:
    about: _About = getattr(declared, _ABOUT)
    return about


def _options(prefix: str, declared: Any) -> tuple[Option, ...]:
    return tuple(_option(prefix, made) for made in fields(declared) if "kind" in made.metadata)


def _held(declared: Any, how: str) -> dict[str, type[Any]]:
    return {made.name: made.metadata[how] for made in fields(declared) if how in made.metadata}


def _option(prefix: str, made: Field[Any]) -> Option:
    about = made.metadata
    default = about["shown"]
    if default is None and made.default is not MISSING:
        default = _toml(made.default)
    return Option(
        name=_beneath(prefix, about["name"]),
        kind=about["kind"],
        doc=about["doc"],
        value=made.default,
        default=default,
        aliases=tuple(a[1:] if a.startswith("/") else _beneath(prefix, a) for a in about["aliases"]),
        secret=about["secret"],
        field=made.name,
        everywhere=about["everywhere"],
    )


def _beneath(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _toml(value: object) -> str:
    """A default as one would write it in TOML."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case tuple():
            return "[" + ", ".join(_toml(element) for element in value) + "]"
        case _:
            return f'"{value}"'
