"""The plan of the house, as a test: who may import whom, and how large anything may grow.

The tables below are the document; docs/architecture.md tells the reasons. All imports count, those
inside functions too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import jmaplite

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "jmaplite"

PORTS = frozenset({"store", "blobs", "directory"})
"""Rooms that others enter only by the port: the package itself or its `port` module, never a driver."""

MAY_IMPORT: dict[str, frozenset[str]] = {
    "formats": frozenset(),
    "config": frozenset(),
    "store": frozenset(),
    "directory": frozenset(),
    "blobs": frozenset({"store"}),
    "core": PORTS,
    "datatypes": PORTS | {"core", "formats"},
    "push": PORTS | {"core"},
    "web": PORTS | {"core", "push"},
    "delivery": PORTS | {"core", "datatypes", "formats"},
    "server": PORTS | {"config", "core", "datatypes", "delivery", "dev", "formats", "push", "web"},
    "client": frozenset(),
    "cli": frozenset({"client", "config", "dev", "formats", "server"}),
    "dev": PORTS | {"cli", "client", "config", "core", "datatypes", "delivery", "formats", "push", "server", "web"},
    "__main__": frozenset({"cli"}),
}
"""Each room, and the rooms that it may import. Everybody may import the package itself (for its version)."""

DRIVERS_ARE_PICKED_BY = frozenset({"server", "dev"})
"""Rooms that may import the modules behind a port."""

ENTERED_ON_REQUEST = frozenset({"dev"})
"""Rooms that others import only inside a function, that is only when they are asked for."""

BETWEEN_SLICES: dict[str, frozenset[str]] = {
    "submission": frozenset({"mail"}),
    "mdn": frozenset({"mail", "submission"}),
    "smime": frozenset({"mail"}),
    "contacts": frozenset({"sharing"}),
    "calendars": frozenset({"sharing"}),
    "tasks": frozenset({"sharing"}),
}
"""Each slice of datatypes, and the slices that its RFC builds on. `datatypes` itself lists them all."""

WEB_FRAMEWORK = frozenset({"quart", "hypercorn", "werkzeug", "flask"})
KEPT_OUT: dict[str, frozenset[str]] = {
    # Bytes to plain values and back: no clock, no disk, no network, no loop.
    "formats": WEB_FRAMEWORK
    | {
        "asyncio",
        "apsw",
        "io",
        "os",
        "pathlib",
        "random",
        "secrets",
        "socket",
        "sqlite3",
        "threading",
        "time",
    },
    # One request enters core the same way from HTTP and from WebSocket.
    "core": WEB_FRAMEWORK,
    "datatypes": WEB_FRAMEWORK,
    "store": WEB_FRAMEWORK,
    "blobs": WEB_FRAMEWORK,
    "directory": WEB_FRAMEWORK,
}
"""Libraries that a room does without."""

NAMES_THAT_SAY_NOTHING = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"})

LONGEST_MODULE = 400
LONG_MODULES: dict[str, str] = {}
"""Modules that may be longer, and why."""

LONGEST_FUNCTION = 60
LONG_FUNCTIONS: dict[str, str] = {}
"""Functions that may be longer, as `path:name`, and why."""


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module by its full name, where that is written, and whether only a function imports it."""

    name: str
    where: str
    in_function: bool

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.name.split("."))


@dataclass(frozen=True, slots=True)
class Module:
    """A module of ours: its dotted name and its syntax tree."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def room(self) -> str:
        """The room it stands in: the first name beneath the package, or "" for the package itself."""
        return room_of(self.name)

    @property
    def shown(self) -> str:
        return self.path.relative_to(ROOT).as_posix()


def room_of(name: str) -> str:
    """The room of a module of ours."""
    return name.partition(".")[2].partition(".")[0]


def is_module(name: str) -> bool:
    """Whether a dotted name is a module of ours, and not a name within one."""
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """All modules in folders of the repository."""
    found = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(Module(name, path, ast.parse(path.read_bytes(), path)))
    return tuple(found)


def imports(module: Module) -> Iterator[Import]:
    """Every import of a module, at any depth, relative ones made absolute."""
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]

    def walk(node: ast.AST, in_function: bool) -> Iterator[Import]:
        where = f"{module.shown}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, where, in_function)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                source = ".".join([*above, source] if source else above)
            for alias in node.names:
                name = f"{source}.{alias.name}"
                yield Import(name if is_module(name) else source, where, in_function)
        inside = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, inside)

    yield from walk(module.tree, in_function=False)


def own_imports() -> Iterator[tuple[Module, Import]]:
    """Every import of a module of ours by a module of ours in another room."""
    for module in modules("jmaplite"):
        for imported in imports(module):
            if imported.parts[0] == "jmaplite" and room_of(imported.name) not in ("", module.room):
                yield module, imported


def functions(module: Module) -> Iterator[tuple[str, int]]:
    """Every function as `path:name` with its length in lines, decorators not counted."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{module.shown}:{node.name}", node.end_lineno - node.lineno + 1


def test_every_module_stands_in_a_room_of_the_plan() -> None:
    strangers = [module.shown for module in modules("jmaplite") if module.room and module.room not in MAY_IMPORT]
    assert strangers == []


def test_a_room_imports_only_the_rooms_that_the_plan_allows() -> None:
    wrong = [
        f"{imported.where}: {module.room} imports {imported.name}"
        for module, imported in own_imports()
        if module.room and room_of(imported.name) not in MAY_IMPORT.get(module.room, ())
    ]
    assert wrong == []


def test_the_package_itself_imports_nothing_of_ours() -> None:
    assert [imported.where for module, imported in own_imports() if not module.room] == []


def test_a_driver_is_imported_by_nobody_but_the_composition_root() -> None:
    wrong = [
        f"{imported.where}: {module.room} imports {imported.name}"
        for module, imported in own_imports()
        if room_of(imported.name) in PORTS and imported.parts[2:] not in ((), ("port",))
        if module.room not in DRIVERS_ARE_PICKED_BY
    ]
    assert wrong == []


def test_the_dev_room_is_entered_only_when_asked_for() -> None:
    wrong = [
        f"{imported.where}: {module.room} imports {imported.name} at its top"
        for module, imported in own_imports()
        if room_of(imported.name) in ENTERED_ON_REQUEST and not imported.in_function
    ]
    assert wrong == []


def test_a_slice_imports_only_the_slices_that_its_rfc_builds_on() -> None:
    wrong = []
    for module in modules("jmaplite/datatypes"):
        parts = module.name.split(".")
        for imported in imports(module) if len(parts) > 2 else ():
            if imported.parts[:2] != ("jmaplite", "datatypes"):
                continue
            theirs = imported.parts[2] if len(imported.parts) > 2 else "datatypes"
            if theirs not in {parts[2], *BETWEEN_SLICES.get(parts[2], ())}:
                wrong.append(f"{imported.where}: {parts[2]} imports {imported.name}")
    assert wrong == []


def test_a_room_does_without_the_libraries_that_are_not_its_business() -> None:
    wrong = [
        f"{imported.where}: {module.room} imports {imported.name}"
        for module in modules("jmaplite")
        for imported in imports(module)
        if imported.parts[0] in KEPT_OUT.get(module.room, ())
    ]
    assert wrong == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    wrong = [
        module.shown
        for module in modules("jmaplite", "packaging")
        if NAMES_THAT_SAY_NOTHING & {part.strip("_") for part in module.name.split(".")}
    ]
    assert wrong == []


def test_no_module_is_longer_than_its_limit() -> None:
    lengths = {module.shown: len(module.path.read_bytes().splitlines()) for module in modules("jmaplite", "packaging")}
    too_long = {shown: length for shown, length in lengths.items() if length > LONGEST_MODULE}
    assert {shown: length for shown, length in too_long.items() if shown not in LONG_MODULES} == {}
    assert LONG_MODULES.keys() - too_long.keys() == set(), "exceptions that are not needed any more"


def test_no_function_is_longer_than_its_limit() -> None:
    lengths = dict(item for module in modules("jmaplite", "packaging") for item in functions(module))
    too_long = {shown: length for shown, length in lengths.items() if length > LONGEST_FUNCTION}
    assert {shown: length for shown, length in too_long.items() if shown not in LONG_FUNCTIONS} == {}
    assert LONG_FUNCTIONS.keys() - too_long.keys() == set(), "exceptions that are not needed any more"


def test_the_changelog_names_the_version() -> None:
    assert jmaplite.__version__ in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import jmaplite.store.port", "jmaplite.store.port"),
        ("from jmaplite.store import port", "jmaplite.store.port"),
        ("from jmaplite.store import Store", "jmaplite.store"),
        ("from . import limits", "jmaplite.core.limits"),
        ("from .errors import MethodError", "jmaplite.core.errors"),
        ("from ..store.port import Store", "jmaplite.store.port"),
        ("from .. import __version__", "jmaplite"),
        ("def f():\n    if True:\n        import jmaplite.web", "jmaplite.web"),
    ],
)
def test_an_import_is_seen_however_it_is_written(source: str, expected: str) -> None:
    module = Module("jmaplite.core.context", PACKAGE / "core" / "context.py", ast.parse(source))
    assert [imported.name for imported in imports(module)] == [expected]
