"""The control commands: blocks, loops and included scripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from jmaplite.formats.sieve import names
from jmaplite.formats.sieve.conditions import holds
from jmaplite.formats.sieve.errors import SieveError
from jmaplite.formats.sieve.machine import Break, Frame, Machine, Return, Stop, Trace
from jmaplite.formats.sieve.nodes import Node

_NAME_WORK = 300  # octets' worth of work to see which variable a name means

Actions = Mapping[str, Callable[[Machine, Node], str]]
"""Action commands by name; each tells in words what it did."""


def run_block(machine: Machine, nodes: Sequence[Node], actions: Actions) -> None:
    """Run commands one after the other. Raises SieveError, Stop, Return and Break."""
    is_open = False  # whether no branch of the last "if" has been taken yet
    for node in nodes:
        name = node.name
        if name in ("if", "elsif", "else"):
            if name != "if" and not is_open:
                continue
            machine.step(node)
            if machine.trace is not None:
                _tell(machine, node, "")
            if name == "else" or holds(machine, node.tests[0]):
                is_open = False
                run_block(machine, node.block, actions)
            else:
                is_open = True
            continue
        machine.step(node)
        action = actions.get(name)
        if action is not None:
            result = action(machine, node)
            if machine.trace is not None:
                _tell(machine, node, result)
        else:
            _control(machine, node, actions)


def _tell(machine: Machine, node: Node, result: str) -> None:
    assert machine.trace is not None
    machine.trace(Trace(node.line, node.column, node.name, result, machine.frame.name))


def _control(machine: Machine, node: Node, actions: Actions) -> None:
    if machine.trace is not None:
        _tell(machine, node, "")
    if node.name == "stop":
        raise Stop
    if node.name == "return":
        raise Return
    if node.name == "error":
        raise machine.fail(machine.string(node.positional[0]))
    if node.name == "global":
        _global(machine, node)
    elif node.name == "include":
        _include(machine, node, actions)
    elif node.name == "foreverypart":
        _foreverypart(machine, node, actions)
    else:
        name = node.tags.get("name")
        raise Break(name if isinstance(name, bytes) else None)


def _global(machine: Machine, node: Node) -> None:
    for name in machine.texts(node.positional[0], _NAME_WORK):
        reference = machine.reference(name)
        if reference.name in machine.frame.variables:
            raise machine.fail(f"the variable {reference.name!r} has been set before it was made global")
        machine.frame.globals.add(reference.name)


def _include(machine: Machine, node: Node, actions: Actions) -> None:
    """Run another script here (RFC 6609 §3.2)."""
    name = names.script_name(machine.text(node.positional[0]))
    assert name is not None
    is_global = "global" in node.tags
    key = (name, is_global)
    is_around = key in machine.including
    if "once" in node.tags and (is_around or key in machine.included):
        return
    if is_around:
        raise machine.fail(f"the script {name!r} includes itself")
    if len(machine.including) >= machine.limits.nested_includes:
        raise machine.fail(f"scripts include each other deeper than {machine.limits.nested_includes}")
    machine.include_count += 1
    if machine.include_count > machine.limits.includes:
        raise machine.fail(f"more than {machine.limits.includes} scripts are included")
    try:
        script = machine.outside.script(name, is_global=is_global)
    except SieveError as error:
        raise SieveError(error.message, error.line, error.column, name) from None
    if script is None:
        if "optional" in node.tags:
            return
        raise machine.fail(f"there is no script {name!r}")
    outer, outer_section, outer_loops = machine.frame, machine.section, machine.loops
    machine.included.add(key)
    machine.including.append(key)
    machine.frame = Frame(script, name, set(script.requires), machine.section or outer.base)
    machine.section, machine.loops = None, []
    with suppress(Return):
        run_block(machine, script.nodes, actions)
    machine.frame, machine.section, machine.loops = outer, outer_section, outer_loops
    machine.including.pop()


def _foreverypart(machine: Machine, node: Node, actions: Actions) -> None:
    """Run a block for every part, or for those in the part of the loop around (RFC 5703 §3).

    Parts are numbered depth first, so that a part that is replaced leaves the numbers before it as they are.
    """
    outer = machine.section
    name = node.tags.get("name")
    around = machine.loops[-1] if machine.loops else None
    machine.loops.append(0 if around is None else around + 1)
    further = None
    try:
        while (at := machine.loops[-1]) < machine.parts_end(around):
            machine.section = machine.parts()[at]
            machine.charge(1)
            run_block(machine, node.block, actions)
            machine.loops[-1] += 1
    except Break as broken:
        if broken.name is not None and broken.name != name:
            further = broken
    machine.loops.pop()
    machine.section = outer
    machine.refresh()
    if further is not None:
        raise further
