"""Sieve, the language of mail filters: scripts read and checked, run on a message, and what comes of it as values.

Nothing here looks at a clock, a disk or a network: what a script has to know of the world comes by Outside, and what it
wants done is a list of actions. A script cannot cost more than its Limits let it.
"""

from jmaplite.formats.sieve.actions import (
    Action,
    Discard,
    DuplicateMark,
    Fcc,
    FileInto,
    Keep,
    Notify,
    Outcome,
    Redirect,
    Reject,
    Vacation,
)
from jmaplite.formats.sieve.answers import Outgoing, Stamp, mime_reason, reasons_against, vacation_answer
from jmaplite.formats.sieve.errors import SieveError
from jmaplite.formats.sieve.grammar import CAPABILITIES, OPTIONAL_CAPABILITIES
from jmaplite.formats.sieve.letter import Edited
from jmaplite.formats.sieve.limits import Limits
from jmaplite.formats.sieve.machine import Envelope, Trace
from jmaplite.formats.sieve.mailto import NOTIFICATION_METHODS
from jmaplite.formats.sieve.nodes import Script
from jmaplite.formats.sieve.notices import failure_notice, notice
from jmaplite.formats.sieve.outside import Outside
from jmaplite.formats.sieve.parsing import parse
from jmaplite.formats.sieve.refusals import delivery_report, disposition_report, protocol_lines
from jmaplite.formats.sieve.run import run
from jmaplite.formats.sieve.wording import in_words

__all__ = [
    "CAPABILITIES",
    "NOTIFICATION_METHODS",
    "OPTIONAL_CAPABILITIES",
    "Action",
    "Discard",
    "DuplicateMark",
    "Edited",
    "Envelope",
    "Fcc",
    "FileInto",
    "Keep",
    "Limits",
    "Notify",
    "Outcome",
    "Outgoing",
    "Outside",
    "Redirect",
    "Reject",
    "Script",
    "SieveError",
    "Stamp",
    "Trace",
    "Vacation",
    "delivery_report",
    "disposition_report",
    "failure_notice",
    "in_words",
    "mime_reason",
    "notice",
    "parse",
    "protocol_lines",
    "reasons_against",
    "run",
    "vacation_answer",
]
