"""PushSubscription (RFC 8620 §7.2): where a user's devices want to be told of changes.

It belongs to a user and is kept in the user's own account, so that it moves and is backed up with the rest. Each is
seen with those credentials only that it was made with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jmaplite.core.catalog import CORE
from jmaplite.core.context import Access, Context
from jmaplite.core.errors import SetError, invalid_properties
from jmaplite.core.kinds import utc_date, utc_seconds
from jmaplite.core.records import Records
from jmaplite.core.schema import DataType, Property
from jmaplite.push import emails, progress
from jmaplite.push.addresses import LONGEST_URL, parse_url
from jmaplite.push.capability import EMAIL_PUSH, subscription_settings
from jmaplite.push.encryption import Keys
from jmaplite.push.progress import Told
from jmaplite.store import Reader, Table, Writer

LIFETIME = 7 * 86400
"""Seconds until a subscription ends that nobody renews, at most (§7.2: at least two days, seven are better)."""

_MOST_TYPES = 200
_END_OF_DATES = 253_402_300_799
_LONGEST = 255
_CODE_OCTETS = 20
_KEYS = {"PushKeys": {"p256dh": "String", "auth": "String"}, "EmailPushConfig": emails.CONFIG}


def _url_objection(ctx: Context, url: str) -> str | None:
    """RFC 8620 §7.2 url: one that may be posted to."""
    try:
        parse_url(url, allow_private=subscription_settings(ctx.services).allow_private)
    except ValueError as error:
        return str(error)
    return None


def _keys_objection(ctx: Context, keys: dict[str, str] | None) -> str | None:
    """RFC 8620 §7.2 keys: those of RFC 8291."""
    try:
        if keys is not None:
            Keys.parse(keys)
    except ValueError as error:
        return f"these keys cannot be used: {error}"
    return None


class PushSubscriptionType(DataType):
    """The description, with bounds on what a client may have kept here."""

    def check(self, name: str, value: Any) -> bool:
        """Whether a value is of a property's kind, and not larger than anybody needs."""
        if not super().check(name, value):
            return False
        match name:
            case "deviceClientId":
                return 0 < len(value) <= _LONGEST
            case "url":
                return len(value) <= LONGEST_URL
            case "verificationCode":
                return value is None or len(value) <= _LONGEST
            case "types":
                return value is None or (len(value) <= _MOST_TYPES and all(len(item) <= _LONGEST for item in value))
        return True


PUSH_SUBSCRIPTION = PushSubscriptionType(
    "PushSubscription",
    CORE.urn,
    prefix="P",
    methods=("get", "set"),
    properties={
        "deviceClientId": Property("String", immutable=True),
        "url": Property("String", immutable=True, secret=True, objection=_url_objection),
        "keys": Property("PushKeys|null", default=None, immutable=True, secret=True, objection=_keys_objection),
        "verificationCode": Property("String|null", default=None),
        "expires": Property("UTCDate|null", default=None),
        "types": Property("String[]|null", default=None),
        "emailPush": Property("Id[EmailPushConfig]|null", default=None, capability=EMAIL_PUSH),
    },
    kinds=_KEYS,
    user_level=True,
)


class SubscriptionRecords(Records):
    """The subscriptions of one user: those of the same credentials are all that there is for a request."""

    def __init__(self, data_type: DataType) -> None:
        super().__init__(data_type)
        self.table: Table = data_type.generated_table(progress.COLUMNS)

    def read(
        self,
        ctx: Context,
        access: Access,
        tx: Reader,
        numbers: Sequence[int],
        properties: Sequence[str],
        arguments: Mapping[str, Any],
    ) -> dict[int, Any]:
        """The subscriptions of these numbers that were made with the credentials of the request and have not ended."""
        now = ctx.services.clock()
        alive = [number for number in numbers if progress.is_alive(tx, number, ctx.credential, now)]
        return super().read(ctx, access, tx, alive, properties, arguments)

    def current(
        self,
        ctx: Context,
        access: Access,
        tx: Reader,
        number: int,
        names: Sequence[str],
        changes: Mapping[str, Any],
    ) -> Any:
        """A subscription to be patched. Raises SetError notFound for one of other credentials."""
        found = self.read(ctx, access, tx, [number], names, {})
        if number not in found:
            raise SetError("notFound")
        return found[number]

    def complete(self, ctx: Context, access: Access, tx: Reader, given: Mapping[str, Any]) -> dict[str, Any]:
        """A subscription to be made. Raises SetError invalidProperties."""
        record = super().complete(ctx, access, tx, given)
        if record["verificationCode"] is not None:
            raise invalid_properties("no code has been sent yet", "verificationCode")
        if record["emailPush"] is not None and record["keys"] is None:
            # What is in a message is for nobody on its way (draft-ietf-jmap-emailpush-03 §6).
            raise invalid_properties("EmailPush objects are only sent encrypted; keys are needed", "emailPush", "keys")
        emails.check(ctx, record["emailPush"])
        return {**record, "expires": _bounded(ctx, record["expires"])}

    def prepare(self, ctx: Context, access: Access, given: Mapping[str, Any]) -> Any:
        """What the client knows, or can know, when the subscription is made: what comes later is news."""
        return progress.baseline(ctx)

    def insert(
        self, ctx: Context, access: Access, tx: Writer, record: Mapping[str, Any], prepared: Told
    ) -> tuple[int, dict[str, Any]]:
        """Make a subscription. Raises SetError: overQuota, rateLimit."""
        settings = subscription_settings(ctx.services)
        now = ctx.services.clock()
        progress.end_expired(tx, now)
        if progress.count(tx) >= settings.max_total:
            raise SetError("overQuota", f"no more than {settings.max_total} push subscriptions")
        if not progress.may_ask(tx, now, settings.verify_gap):
            raise SetError("rateLimit", "too many push subscriptions were made of late")
        number = tx.change(self.type.name)
        told = Told(prepared.states, emails.baseline(ctx, record["emailPush"] or {}))
        code = ctx.services.chance(f"code for {ctx.user}", _CODE_OCTETS).hex()
        first = progress.first_columns(ctx.credential, code, told)
        columns = {"account": tx.account, "id": number, "changed": number, **self.columns(record), **first}
        marks = ", ".join("?" * len(columns))
        tx.execute(f"INSERT INTO {self.table.name} ({', '.join(columns)}) VALUES ({marks})", *columns.values())
        return number, self.read(ctx, access, tx, [number], tuple(self.type.properties), {})[number]

    def update(
        self, ctx: Context, access: Access, tx: Writer, number: int, changes: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Renew, verify or change a subscription; answers the time that it ends if that is another than asked for."""
        if "verificationCode" in changes and not progress.is_code(tx, number, changes["verificationCode"]):
            raise invalid_properties("this is not the code that was sent", "verificationCode")
        told: dict[str, Any] = {}
        if "expires" in changes:
            bounded = _bounded(ctx, changes["expires"])
            told = {"expires": bounded} if bounded != changes["expires"] else {}
        if "emailPush" in changes:
            self._check_emails(ctx, tx, number, changes["emailPush"])
            progress.note_arrivals(tx, number, emails.baseline(ctx, changes["emailPush"] or {}))
        super().update(ctx, access, tx, number, {**changes, **told})
        return told or None

    def _check_emails(self, ctx: Context, tx: Reader, number: int, configs: Mapping[str, Any] | None) -> None:
        if configs is not None:
            keys = tx.value("SELECT keys FROM push_subscription WHERE account=? AND id=?", tx.account, number)
            if keys is None:
                raise invalid_properties(
                    "EmailPush objects are only sent encrypted, and there are no keys", "emailPush"
                )
            emails.check(ctx, configs)

    def destroy(self, ctx: Context, access: Access, tx: Writer, number: int, arguments: Mapping[str, Any]) -> None:
        """End a subscription. Raises SetError notFound for one of other credentials."""
        if not progress.is_alive(tx, number, ctx.credential, ctx.services.clock()):
            raise SetError("notFound")
        progress.end(tx, number)


def _bounded(ctx: Context, expires: str | None) -> str:
    """When a subscription ends that is to end then (RFC 8620 §7.2). Raises SetError invalidProperties for the past."""
    now = int(ctx.services.clock())
    # Credentials with an end of their own are what bounds it, and nothing else does.
    latest = now + LIFETIME if ctx.expires is None else min(int(ctx.expires), _END_OF_DATES)
    if expires is None:
        return utc_date(latest)
    wanted = utc_seconds(expires)
    if wanted <= now:
        raise invalid_properties("the time must be in the future", "expires")
    return expires if wanted <= latest else utc_date(latest)


PUSH_SUBSCRIPTION.records = SubscriptionRecords(PUSH_SUBSCRIPTION)
PUSH_SUBSCRIPTION.extra_tables = (progress.VERIFICATION,)
PUSH_SUBSCRIPTION.freeze()
