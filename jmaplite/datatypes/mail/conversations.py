"""Threads looked at and made anew as a whole (what Cyrus calls conversations).

Threads are made as mail comes in. What came while there were none, or under other settings, is brought in line by
`rebuild`; `clear` makes every Email a Thread of its own. Both end Emails whose Thread changes and begin them again
under new ids (RFC 8621 §3: a threadId never changes), in steps that are each complete, beside a server or without.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from orjson import loads

from jmaplite.core.context import Services
from jmaplite.core.records import slots
from jmaplite.datatypes.mail import counts
from jmaplite.datatypes.mail.capability import Threading, settings_of
from jmaplite.datatypes.mail.ingest import reference_keys
from jmaplite.datatypes.mail.threads import end_if_empty, move, new_thread, refer
from jmaplite.store import Account, Reader, Writer

_STEP = 200
"""Groups that are written in one transaction."""

_EMAILS = 100
"""Emails with which one transaction has enough."""

_PAUSE_SECONDS = 0.01
"""Time between two transactions in which others may write: a server that works on the same account."""

_COLUMNS = "id, thread, message_id, in_reply_to, reference_ids, subject"


@dataclass(frozen=True, slots=True)
class Filed:
    """An Email: its number, its Thread, and the keys of the message ids that it has or names."""

    number: int
    thread: int
    references: tuple[int, ...]


@dataclass(slots=True)
class Group:
    """Emails that belong together, in the order of arrival."""

    emails: list[Filed] = field(default_factory=list)
    keys: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Told:
    """What a change did: Threads there are now, and Emails that were given new ids."""

    threads: int
    moved: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A Thread as it is listed: its id, and its Emails (id, message ids and subject of each), the oldest first."""

    id: str
    emails: tuple[tuple[str, tuple[str, ...], str | None], ...]


def rebuild(services: Services, account_id: str) -> Told:
    """Make an account's Threads what they would be if all its mail came in now. Raises StoreError."""
    return _settle(services, account_id, settings_of(services).threading)


def clear(services: Services, account_id: str) -> Told:
    """Make every Email a Thread of its own, and forget which message ids were seen. Raises StoreError."""
    told = _settle(services, account_id, Threading(enabled=False))
    account = services.store.account(account_id)
    account.write(lambda tx: tx.execute("DELETE FROM email_reference WHERE account=?", tx.account))
    return told


def audit(services: Services, account_id: str) -> list[str]:
    """Where Threads are not what `rebuild` would make them, and counts that are wrong, a sentence each."""
    with services.store.account(account_id).read() as tx:
        groups = _groups(tx, settings_of(services).threading)
        faults = counts.faults(tx)
        known = {row[0] for row in tx.rows("SELECT id FROM thread WHERE account=?", tx.account)}
    holders: dict[int, set[int]] = {}
    for at, group in enumerate(groups):
        threads = sorted({filed.thread for filed in group.emails})
        if len(threads) > 1:
            faults.append(f"Threads {', '.join(f'T{thread:x}' for thread in threads)} belong together")
        for thread in threads:
            holders.setdefault(thread, set()).add(at)
    faults += [
        f"Thread T{thread:x} holds what is of {len(at)} Threads" for thread, at in holders.items() if len(at) > 1
    ]
    faults += [f"Thread T{thread:x} has Emails, but is not there" for thread in sorted(holders.keys() - known)]
    faults += [f"Thread T{thread:x} has no Email" for thread in sorted(known - holders.keys())]
    return faults


def dump(services: Services, account_id: str) -> Iterator[Listed]:
    """Every Thread, the oldest first. Raises StoreError."""
    with services.store.account(account_id).read() as tx:
        sql = "SELECT thread, id, message_id, subject FROM email WHERE account=? ORDER BY thread, arrival"
        found: dict[int, list[tuple[str, tuple[str, ...], str | None]]] = {}
        for thread, number, message_id, subject in tx.rows(sql, tx.account):
            found.setdefault(thread, []).append((f"E{number:x}", tuple(loads(message_id) or ()), loads(subject)))
    for thread, emails in found.items():
        yield Listed(f"T{thread:x}", tuple(emails))


def forget(tx: Writer, threading: Threading, now: int, most: int = 200) -> int:
    """Forget message ids that have expired and that no Email of their Thread has or names; answers how many.

    At most `most` are looked at; those in use are looked at again when as much time has passed.
    """
    if not threading.expire_after:
        return 0
    before = now - threading.expire_after
    rows = tx.rows(
        "SELECT key, thread FROM email_reference WHERE account=? AND seen<? ORDER BY seen LIMIT ?",
        tx.account,
        before,
        most,
    )
    used: dict[int, set[int]] = {}
    for thread in {row[1] for row in rows}:
        used[thread] = {key for filed in _read(tx, thread) for key in filed.references}
    gone = [(tx.account, key) for key, thread in rows if key not in used[thread]]
    tx.executemany("DELETE FROM email_reference WHERE account=? AND key=?", gone)
    kept = [(now, tx.account, key) for key, thread in rows if key in used[thread]]
    tx.executemany("UPDATE email_reference SET seen=? WHERE account=? AND key=?", kept)
    return len(gone)


def _settle(services: Services, account_id: str, threading: Threading) -> Told:
    """Bring Threads in line with settings, and again for what came meanwhile, until nothing is left to do."""
    account = services.store.account(account_id)
    moved = 0
    while True:
        with account.read() as tx:
            groups = _groups(tx, threading)
        now = int(services.clock())
        step = 0
        for part in _parts(_assigned(groups)):
            moved_now = _write(account, services, part, now, threading)
            step += moved_now
            if moved_now:
                time.sleep(_PAUSE_SECONDS)
        moved += step
        if not step:
            return Told(len(groups), moved)


def _read(tx: Reader, thread: int | None = None) -> list[Filed]:
    """Every Email (of a Thread) in the order of arrival."""
    where, more = ("", ()) if thread is None else (" AND thread=?", (thread,))
    sql = f"SELECT {_COLUMNS} FROM email WHERE account=?{where} ORDER BY arrival"
    return [
        Filed(number, one, reference_keys(loads(own), loads(answered), loads(named), loads(subject) or ""))
        for number, one, own, answered, named, subject in tx.rows(sql, tx.account, *more)
    ]


def _groups(tx: Reader, threading: Threading) -> list[Group]:
    """Which Emails belong together, as if they came in now, one after the other (`threads.find_thread`).

    What is known of message ids counts too: messages may belong together by one that is not there any more. Only where
    Threads are bounded it does not, for it tells of the last of them alone.
    """
    seeds: dict[int, Group] = {}
    holders: dict[int, Group] = {}
    if threading.enabled and not threading.max_emails:
        for key, thread in tx.rows("SELECT key, thread FROM email_reference WHERE account=?", tx.account):
            holders[key] = seeds.setdefault(thread, Group())
            holders[key].keys.add(key)
    groups = list(seeds.values())
    for filed in _read(tx):
        keys = filed.references if threading.enabled else ()
        found = list({id(holders[key]): holders[key] for key in keys if key in holders}.values())
        found.sort(key=lambda group: -len(group.emails))
        moves_on = False
        if not found:
            group = Group()
            groups.append(group)
        elif not threading.max_emails or sum(len(one.emails) for one in found) < threading.max_emails:
            group = found[0]
            for other in found[1:]:
                _join(group, other, holders)
        else:
            room = [one for one in found if len(one.emails) < threading.max_emails]
            moves_on = not room
            group = room[0] if room else Group()
            if moves_on:
                groups.append(group)
        group.emails.append(filed)
        for key in keys:
            if moves_on or key not in holders:
                holders[key] = group
                group.keys.add(key)
    for group in groups:
        group.keys = {key for key in group.keys if holders[key] is group}
    return [group for group in groups if group.emails]


def _join(group: Group, other: Group, holders: dict[int, Group]) -> None:
    """Make one group part of another."""
    group.emails += other.emails
    group.keys |= other.keys
    for key in other.keys:
        if holders[key] is other:
            holders[key] = group
    other.emails, other.keys = [], set()


def _assigned(groups: Sequence[Group]) -> list[tuple[Group, int | None]]:
    """Each group with the Thread that it becomes: the one that holds most of it and is nobody else's, or a new one."""
    claims = [
        (count, -at, thread)
        for at, group in enumerate(groups)
        for thread, count in Counter(filed.thread for filed in group.emails).items()
    ]
    taken: dict[int, int] = {}
    given: dict[int, int] = {}
    for _, minus_at, thread in sorted(claims, reverse=True):
        if thread not in taken and -minus_at not in given:
            taken[thread], given[-minus_at] = -minus_at, thread
    return [(group, given.get(at)) for at, group in enumerate(groups)]


def _parts(assigned: Sequence[tuple[Group, int | None]]) -> Iterator[Sequence[tuple[Group, int | None]]]:
    part: list[tuple[Group, int | None]] = []
    moving = 0
    for group, thread in _in_steps(assigned):
        part.append((group, thread))
        moving += sum(filed.thread != thread for filed in group.emails)
        if moving >= _EMAILS or len(part) >= _STEP:
            yield part
            part, moving = [], 0
    yield part


def _in_steps(assigned: Iterable[tuple[Group, int | None]]) -> Iterator[tuple[Group, int | None]]:
    """The same, a group of many Emails in pieces, of which the last knows the keys of them all."""
    for group, thread in assigned:
        emails = group.emails
        if thread is not None and len(emails) > _EMAILS:
            last = (len(emails) - 1) // _EMAILS * _EMAILS
            for begin in range(0, last, _EMAILS):
                yield Group(emails[begin : begin + _EMAILS]), thread
            yield Group(emails[last:], group.keys), thread
        else:
            yield group, thread


def _write(
    account: Account, services: Services, part: Sequence[tuple[Group, int | None]], now: int, threading: Threading
) -> int:
    """Write some groups; answers how many Emails were moved. An Email that has moved or gone meanwhile is left."""

    def work(tx: Writer) -> int:
        return sum(_settle_group(tx, services, group, thread, now, threading) for group, thread in part)

    return account.write(work)


def _settle_group(
    tx: Writer, services: Services, group: Group, thread: int | None, now: int, threading: Threading
) -> int:
    numbers = [filed.number for filed in group.emails]
    there: dict[int, int] = {}
    for begin in range(0, len(numbers), _STEP):
        marks, padded = slots(numbers[begin : begin + _STEP])
        sql = f"SELECT id, thread FROM email WHERE account=? AND id IN ({marks})"
        there.update(tx.rows(sql, tx.account, *padded))
    moving = [number for number in numbers if number in there and there[number] != thread]
    if moving:
        there_is = "SELECT id FROM thread WHERE account=? AND id=?"
        thread = tx.value(there_is, tx.account, thread) or new_thread(tx)
        for number in moving:
            move(tx, services.blobs, number, thread)
        for one in sorted({there[number] for number in moving} | {thread}):
            end_if_empty(tx, one)
    # Where all Emails have gone meanwhile, so has the Thread: its message ids lead nowhere, or to where others are.
    if there and thread is not None and threading.enabled:
        refer(tx, sorted(group.keys), thread, now, anew=True)
    return len(moving)
