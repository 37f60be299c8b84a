"""EmailPush: what has arrived, told with properties of one's choice (draft-ietf-jmap-emailpush-03)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jmaplite.core.conditions import Predicates, parse_filter
from jmaplite.core.context import Access, Context
from jmaplite.core.errors import MethodError, invalid_properties
from jmaplite.core.json import dumps, materialise
from jmaplite.core.schema import DataType
from jmaplite.push.capability import EMAIL_PUSH, subscription_settings
from jmaplite.store import Reader

CONFIG = {"filter": "String[*]|null", "properties": "String[]", "urgency": "String|null"}
"""An EmailPushConfig (§4)."""

URGENCIES = ("very-low", "low", "normal", "high")
"""The values of the Urgency header (RFC 8030 §5.3)."""

MOST_PROPERTIES = 50
MOST_OCTETS = 16_384
"""Bounds on what a client may have kept here, as JSON."""

MOST_EMAILS = 20
"""How many messages are read for one EmailPush; what fits into it is fewer as a rule."""

MOST_PENDING = 200
"""How many messages are told of that arrived since the last EmailPush; of more, the newest."""

_UNREAD = {
    "operator": "NOT",
    "conditions": [{"hasKeyword": "$draft"}, {"hasKeyword": "$seen"}],
}
"""What has been delivered and not been read: neither one's own drafts, nor copies of what one has sent."""


def check(ctx: Context, configs: Mapping[str, Mapping[str, Any]] | None) -> None:
    """Raise SetError invalidProperties unless every EmailPushConfig can be followed."""
    emails = subscription_settings(ctx.services).emails
    if configs is None or emails is None:
        return
    if len(dumps(configs)) > MOST_OCTETS:
        raise _invalid("it is too large")
    for account_id, config in configs.items():
        access = ctx.accounts.get(account_id)
        if access is None or EMAIL_PUSH not in access.capabilities:
            raise _invalid(f"{account_id[:64]!r} is no account whose messages can be pushed")
        properties = config["properties"]
        if len(properties) > MOST_PROPERTIES:
            raise _invalid(f"more than {MOST_PROPERTIES} properties")
        unknown = [name for name in properties if not emails.known(name) or emails.withheld(name, ctx.using)]
        if unknown:
            raise _invalid(f"an Email has no property {unknown[0][:64]!r}")
        if (config.get("urgency") or "normal") not in URGENCIES:
            raise _invalid("urgency is none of " + ", ".join(URGENCIES))
        try:
            with ctx.account(access).read() as tx:
                parse_filter(emails, ctx, tx, config.get("filter"))
        except MethodError as error:
            raise _invalid(str(error)) from error


def baseline(ctx: Context, configs: Mapping[str, Any]) -> dict[str, int]:
    """The value of the newest message in each of these accounts: later ones are news."""
    emails = subscription_settings(ctx.services).emails
    found = {}
    for account_id in configs if emails is not None else ():
        with ctx.account(ctx.accounts[account_id]).read() as tx:
            found[account_id] = tx.state(emails.name)  # type: ignore[union-attr]
    return found


def email_push(
    ctx: Context, emails: DataType, access: Access, config: Mapping[str, Any], since: int, most_octets: int
) -> tuple[dict[str, Any] | None, int]:
    """The EmailPush for the oldest messages that arrived after a value, and the value up to which it tells of them.

    There is none if no message is to be told of. It has at most `most_octets` (§3). Raises StoreError, MethodError.
    """
    with ctx.account(access).read() as tx:
        current = tx.state(emails.name)
        numbers = _arrived(ctx, tx, emails, config.get("filter"), since) if current > since else []
        if not numbers:
            return None, current
        names = tuple(dict.fromkeys(config["properties"]))
        arguments = {name: argument.default for name, argument in emails.get_arguments.items()}
        some = numbers[:MOST_EMAILS]
        found = emails.records.read(ctx, access, tx, some, names, arguments)
        push: dict[str, Any] = {
            "@type": "EmailPush",
            "accountId": access.account_id,
            "emails": [],
            "state": f"{ctx.services.store.epoch}-{current}",
        }
        told = since
        for number in some:
            if number in found:
                email = _fitting(push, materialise(found[number]), names, most_octets)
                if email is None:
                    return push, told
                push["emails"].append(email)
            told = number
    return push, current if len(some) == len(numbers) else told


def _arrived(ctx: Context, tx: Reader, emails: DataType, wanted: Any, since: int) -> list[int]:
    """The numbers of messages that arrived after a value and that a filter lets through, in order.

    One that was begun again in another Thread has a number above it, and was born before (RFC 8621 §3).
    """
    conditions = [_UNREAD] if wanted is None else [_UNREAD, wanted]
    node = parse_filter(emails, ctx, tx, {"operator": "AND", "conditions": conditions})
    records = emails.records
    predicates = Predicates(records.table.name, records.order_key, "s", own_row=True)
    where = predicates.sql(node)
    sql = (
        f"SELECT s.id FROM {records.table.name} s WHERE s.account=? AND s.id>? AND s.born>? AND {where}"
        f" ORDER BY s.id DESC LIMIT {MOST_PENDING}"
    )
    return sorted(row[0] for row in tx.rows(sql, tx.account, since, since, *predicates.parameters))


def _fitting(
    push: Mapping[str, Any], email: Mapping[str, Any], names: Sequence[str], most_octets: int
) -> dict[str, Any] | None:
    """What of an Email fits beside those that are in an EmailPush: all of it, or None.

    The first one has whatever fits, in the order of the properties that were asked for (§3).
    """
    free = most_octets - len(dumps(push)) - 3
    whole = {name: email[name] for name in names if name in email}
    if len(dumps(whole)) <= free:
        return whole
    if push["emails"]:
        return None
    some: dict[str, Any] = {}
    for name, value in whole.items():
        if len(dumps({**some, name: value})) <= free:
            some[name] = value
    return some


def _invalid(reason: str) -> Exception:
    return invalid_properties(f"this emailPush cannot be followed: {reason}", "emailPush")
