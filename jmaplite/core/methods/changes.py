"""Foo/changes (RFC 8620 §5.2).

The log is the records themselves. Since a state, a record made later counts at the value at which it was made, one that
was there before at the value at which it last changed, and a tombstone at the value of its end; the answer is the first
`maxChanges` of these in order. A client that pages through is thus told of each record's making before its change.

The RFC leaves the order to the server, and thinks of the newest first. Oldest first, an intermediate state is one that
the account has been in: a number as any other, good for /queryChanges and after a restart, however much is written
meanwhile. Newest first, it would name two ends of a gap, and what fell into both would have to be coalesced. A client
that wants the newest on its screen first has /queryChanges, which is exact and has no pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jmaplite.core.context import Arguments, Context, Handler, Response
from jmaplite.core.errors import invalid_arguments
from jmaplite.core.methods.arguments import ACCOUNT_ID, Signature, parse_state
from jmaplite.core.schema import REQUIRED, Argument, DataType
from jmaplite.store import Reader

SIGNATURE = Signature(
    {
        "accountId": ACCOUNT_ID,
        "sinceState": Argument("String", REQUIRED),
        "maxChanges": Argument("UnsignedInt|null"),
    }
)


def changes(data_type: DataType) -> Handler:
    """The /changes method of a type."""

    def run(ctx: Context, given: Arguments) -> Response:
        access = ctx.access(given.get("accountId"), data_type.capability)
        arguments = SIGNATURE.read(given)
        if arguments["maxChanges"] == 0:
            raise invalid_arguments("maxChanges must be greater than 0")
        most = min(arguments["maxChanges"] or ctx.limits.max_changes, ctx.limits.max_changes)
        with ctx.account(access).read() as tx:
            since = parse_state(ctx, tx, data_type, arguments["sinceState"])
            current = tx.state(data_type.name)
            entries = [] if since == current else _entries(data_type, tx, since, most + 1)
            more = len(entries) > most
            entries = entries[:most]
            until = entries[-1].value if more else current
            answer: dict[str, Any] = {
                "accountId": access.account_id,
                "oldState": arguments["sinceState"],
                "newState": f"{ctx.services.store.epoch}-{until}",
                "hasMoreChanges": more,
                "created": [],
                "updated": [],
                "destroyed": [],
            }
            for kind, number in dict.fromkeys((entry.kind, entry.number) for entry in entries):
                answer[kind].append(data_type.format_id(number))
            if data_type.count_properties:
                answer["updatedProperties"] = _updated_properties(data_type, entries)
        return answer

    return run


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    """What happened to a record at a value; `only_counts` if no more than counts changed then."""

    value: int
    kind: str
    number: int
    only_counts: bool = False


def _entries(data_type: DataType, tx: Reader, since: int, limit: int) -> list[_Entry]:
    """At most `limit` entries of the log after a value, the oldest first."""
    table, account = data_type.records.table.name, tx.account
    made = tx.rows(f"SELECT id FROM {table} WHERE account=? AND id>? ORDER BY id LIMIT ?", account, since, limit)
    ended = tx.rows(
        "SELECT ended, id FROM tombstone WHERE account=? AND type=? AND ended>? AND id<=? ORDER BY ended LIMIT ?",
        account,
        data_type.name,
        since,
        since,
        limit,
    )
    entries = [_Entry(number, "created", number) for (number,) in made]
    entries += [_Entry(value, "destroyed", number) for value, number in ended]
    for column in data_type.records.revisions:
        changed = tx.rows(
            f"SELECT {column}, id FROM {table} WHERE account=? AND {column}>? AND {column}>id AND +id<=?"
            f" ORDER BY {column} LIMIT ?",
            account,
            since,
            since,
            limit,
        )
        entries += [_Entry(value, "updated", number, column != "changed") for value, number in changed]
    return sorted(entries)[:limit]


def _updated_properties(data_type: DataType, entries: list[_Entry]) -> list[str] | None:
    """The count properties if nothing else changed in what is answered as updated, else null (RFC 8621 §2.2)."""
    updated = [entry for entry in entries if entry.kind == "updated"]
    only_counts = bool(updated) and all(entry.only_counts for entry in updated)
    return list(data_type.count_properties) if only_counts else None
