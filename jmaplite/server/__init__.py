"""The composition root: a configuration becomes a running server. Nothing else picks drivers."""

from jmaplite.datatypes.mail.transfer import MailboxAt, Owner, Stored, Transfer, TransferFailed
from jmaplite.server.chores import Chores
from jmaplite.server.ground import CannotServe
from jmaplite.server.logs import JSONLines
from jmaplite.server.parts import compose, transfer
from jmaplite.server.running import Server
from jmaplite.server.serving import run, run_to_end

__all__ = [
    "CannotServe",
    "Chores",
    "JSONLines",
    "MailboxAt",
    "Owner",
    "Server",
    "Stored",
    "Transfer",
    "TransferFailed",
    "compose",
    "run",
    "run_to_end",
    "transfer",
]
