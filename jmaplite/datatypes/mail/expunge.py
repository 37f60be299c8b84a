"""What has long been in the trash or among junk comes to an end by itself, where a configuration says so."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from jmaplite.core import history
from jmaplite.core.context import Services
from jmaplite.datatypes.mail import filing
from jmaplite.datatypes.mail.capability import settings_of
from jmaplite.datatypes.mail.placing import read_placing
from jmaplite.store import Account, Reader, Writer

_STEP = 100
"""Emails that end in one transaction."""

_SECONDS_ARE_KNOWN_BY = "expunge"


def expunge(services: Services, account: Account, is_stopped: Callable[[], bool] = lambda: False) -> int:
    """End the Emails of an account that have been nowhere but in the trash and among junk for as long as is set.

    The time counts from when they came there, and not before this was first called; answers how many ended. Raises
    StoreError.
    """
    seconds = settings_of(services).expunge_after
    if not seconds:
        return 0
    now = int(services.clock())
    state = account.write(lambda tx: history.state_before(tx, "Email", _SECONDS_ARE_KNOWN_BY, now, seconds))
    with account.read() as tx:
        found = _due(tx, state) if state else []
    ended = 0
    for first in range(0, len(found), _STEP):
        if is_stopped():
            break
        ended += account.write(partial(_end, services=services, state=state, numbers=found[first : first + _STEP]))
    return ended


def _mailboxes(tx: Reader) -> frozenset[int]:
    sql = "SELECT id FROM mailbox WHERE account=? AND role IN ('trash', 'junk')"
    return frozenset(row[0] for row in tx.rows(sql, tx.account))


def _due(tx: Reader, state: int) -> list[int]:
    """Emails that are in one of these Mailboxes, and whose Mailboxes are the same as in a state."""
    sql = (
        "SELECT email.id FROM email_mailbox JOIN email ON email.account=email_mailbox.account AND "
        "email.id=email_mailbox.id WHERE email_mailbox.account=? AND mailbox=? AND email_mailbox.id<=? AND moved<=?"
    )
    found = (row[0] for mailbox in _mailboxes(tx) for row in tx.rows(sql, tx.account, mailbox, state, state))
    return sorted(set(found))


def _end(tx: Writer, *, services: Services, state: int, numbers: list[int]) -> int:
    """End those of these Emails that are still due, and in no other Mailbox; answers how many."""
    mailboxes, ended = _mailboxes(tx), 0
    for number in numbers:
        placing = read_placing(tx, number)
        moved = tx.value("SELECT moved FROM email WHERE account=? AND id=?", tx.account, number)
        if placing is not None and moved <= state and placing.mailboxes <= mailboxes:
            filing.end(tx, services.blobs, placing)
            ended += 1
    return ended
