"""VacationResponse (RFC 8621 §8): one object in every personal account, there from the beginning."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jmaplite.core.catalog import Capability
from jmaplite.core.context import Access, Context
from jmaplite.core.errors import SetError
from jmaplite.core.kinds import utc_seconds
from jmaplite.core.methods import STANDARD
from jmaplite.core.records import Records
from jmaplite.core.schema import DataType, Property
from jmaplite.store import Reader, Writer

VACATION_RESPONSE = "urn:ietf:params:jmap:vacationresponse"

_ID = "singleton"
_NUMBER = 1
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Singleton(DataType):
    """A type with one object, whose Id is given."""

    def format_id(self, number: int) -> str:
        """The Id of the one object."""
        return _ID

    def parse_id(self, value: str) -> int | None:
        """The number of the one object, or None for any other Id."""
        return _NUMBER if value == _ID else None

    def check(self, name: str, value: Any) -> bool:
        """Whether a value is of a property's kind; a subject is one line."""
        return super().check(name, value) and not (name == "subject" and value and _CONTROL.search(value))


VACATION = Singleton(
    "VacationResponse",
    VACATION_RESPONSE,
    prefix="V",
    methods=("get", "set"),
    properties={
        "isEnabled": Property("Boolean", default=False),
        "fromDate": Property("UTCDate|null", default=None),
        "toDate": Property("UTCDate|null", default=None),
        "subject": Property("String|null", default=None),
        "textBody": Property("String|null", default=None),
        "htmlBody": Property("String|null", default=None),
    },
)


class SingletonRecords(Records):
    """The one object; it has a row from its first change on."""

    def exists(self, tx: Reader, number: int) -> bool:
        """It always is there."""
        return number == _NUMBER

    def numbers(self, tx: Reader, limit: int) -> list[int]:
        """Its number."""
        return [_NUMBER][:limit]

    def read(
        self,
        ctx: Context,
        access: Access,
        tx: Reader,
        numbers: Sequence[int],
        properties: Sequence[str],
        arguments: Mapping[str, Any],
    ) -> dict[int, Any]:
        """The object, made of defaults as long as nobody has changed it."""
        if not numbers:
            return {}
        wanted = [name for name in properties if name != "id"]
        defaults = {"id": _ID, **{name: self.type.properties[name].default for name in wanted}}
        return {_NUMBER: defaults} | super().read(ctx, access, tx, numbers, properties, arguments)

    def prepare(self, ctx: Context, access: Access, given: Mapping[str, Any]) -> Any:
        """There cannot be another one. Raises SetError singleton (RFC 8620 §5.3)."""
        raise SetError("singleton")

    def update(
        self, ctx: Context, access: Access, tx: Writer, number: int, changes: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Change the object."""
        sql = (
            "INSERT INTO vacation_response (account, id, changed, is_enabled) VALUES (?, ?, 0, 0)"
            " ON CONFLICT DO NOTHING"
        )
        tx.execute(sql, tx.account, number)
        return super().update(ctx, access, tx, number, changes)

    def destroy(self, ctx: Context, access: Access, tx: Writer, number: int, arguments: Mapping[str, Any]) -> None:
        """It cannot be destroyed. Raises SetError singleton (RFC 8620 §5.3)."""
        raise SetError("singleton")


VACATION.records = SingletonRecords(VACATION)


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered: a subject (None: that of the message), plain text and HTML."""

    subject: str | None
    text: str | None
    html: str | None


def response(tx: Reader, now: float) -> Response | None:
    """What messages that come in at a time (in seconds) are answered with; None while nobody is away."""
    row = tx.row(
        "SELECT from_date, to_date, subject, text_body, html_body FROM vacation_response"
        " WHERE account=? AND is_enabled=1",
        tx.account,
    )
    if row is None:
        return None
    begin, end, subject, text, html = row
    if (begin is not None and now < utc_seconds(begin)) or (end is not None and now >= utc_seconds(end)):
        return None
    return Response(subject, text, html)


def vacation() -> Capability:
    """The capability `urn:ietf:params:jmap:vacationresponse` (RFC 8621 §1.3.3)."""
    return Capability(
        urn=VACATION_RESPONSE,
        session=lambda limits: {},
        account=lambda limits, access: {},
        methods=VACATION.freeze().standard_methods(STANDARD),
        types=(VACATION,),
        owner_only=True,
    )
