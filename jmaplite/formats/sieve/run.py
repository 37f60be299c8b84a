"""Running a script on a message."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from contextlib import suppress

from jmaplite.formats import mime
from jmaplite.formats.sieve import controls
from jmaplite.formats.sieve.actions import Keep, Outcome
from jmaplite.formats.sieve.commands import ACTIONS
from jmaplite.formats.sieve.errors import SieveError
from jmaplite.formats.sieve.letter import Letter
from jmaplite.formats.sieve.limits import DEFAULT_LIMITS, Limits
from jmaplite.formats.sieve.machine import Break, Envelope, Frame, Machine, Return, Stop, Trace
from jmaplite.formats.sieve.nodes import Script
from jmaplite.formats.sieve.outside import Outside
from jmaplite.formats.sieve.rewriting import REWRITING

_ACTIONS = ACTIONS | REWRITING
_NOWHERE = Envelope()


def run(
    script: Script,
    message: bytes,
    envelope: Envelope = _NOWHERE,
    outside: Outside | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    name: str = "",
    structure: mime.Message | None = None,
    trace: Callable[[Trace], None] | None = None,
) -> Outcome:
    """What a script makes of a message; never raises SieveError.

    `name` is that of the script among the user's, if it has one, so that it does not include itself; `structure` spares
    reading a message that has been parsed; `trace` hears of every command and test as it is run.
    """
    outside = outside or Outside()
    letter = Letter(message, structure)
    frame = Frame(script, "", set(script.requires))
    machine = Machine(letter, envelope, outside, limits, frame, trace)
    machine.including.append((unicodedata.normalize("NFC", name), False))
    try:
        with suppress(Stop, Return, Break):
            controls.run_block(machine, script.nodes, _ACTIONS)
        actions = [*machine.actions]
        if machine.keeps_implicitly:
            actions.append(Keep(machine.flags, machine.message(), is_implicit=True))
    except SieveError as error:
        return Outcome((Keep(is_implicit=True),), error, (), machine.steps)
    marks = tuple(mark for mark in machine.duplicates.values() if mark is not None)
    return Outcome(tuple(actions), None, marks, machine.steps)
