"""How Emails are kept and read (RFC 8621 §4).

What lists and reading panes ask for stands ready in columns, as JSON text; an answer is put together from these. Only
header fields asked for by name and body values are cut out of the message's octets, at the offsets kept with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import islice
from typing import Any

from orjson import loads

from jmaplite.core.blobid import BlobRef
from jmaplite.core.context import Access, Context
from jmaplite.core.errors import SetError, invalid_properties
from jmaplite.core.json import Fragment, dumps, materialise
from jmaplite.core.kinds import is_utc_date, utc_date, utc_seconds
from jmaplite.core.ranks import ListSource
from jmaplite.core.records import Records, slots
from jmaplite.core.schema import DataType
from jmaplite.datatypes.mail import filing
from jmaplite.datatypes.mail.body import BODY_PROPERTIES, Body, check_body_properties
from jmaplite.datatypes.mail.capability import mail_settings
from jmaplite.datatypes.mail.composing import PLACE, Composed, compose_email
from jmaplite.datatypes.mail.draft_fields import Wrong
from jmaplite.datatypes.mail.header_properties import Header
from jmaplite.datatypes.mail.ingest import Inserted, Prepared, insert, prepare
from jmaplite.datatypes.mail.placing import read_placing
from jmaplite.datatypes.mail.tables import EMAIL, HEADER_COLUMNS, all_emails, mailbox_threads
from jmaplite.formats import mime
from jmaplite.formats.mailboxes import is_keyword
from jmaplite.store import Reader, Row, Writer

_READY = {
    "id": ("id", '"E%x"'),
    "blobId": ("blob", '"G%s"'),
    "threadId": ("thread", '"T%x"'),
    "mailboxIds": ("mailbox_ids", "%s"),
    "keywords": ("keywords", "%s"),
    "size": ("size", "%d"),
    "receivedAt": ("received_at", "%s"),
    "hasAttachment": ("CASE has_attachment WHEN 1 THEN 'true' ELSE 'false' END", "%s"),
    "preview": ("preview", "%s"),
    **{name: (column, "%s") for name, column in HEADER_COLUMNS.items()},
}
"""Properties that stand ready: the column's SQL, and how its value is written as JSON."""


@lru_cache(maxsize=512)
def _assembly(properties: tuple[str, ...]) -> tuple[str, str, tuple[int, ...]]:
    """For ready properties: the columns to select, the JSON to write them into, and which of them are octets."""
    names = ("id", *(name for name in properties if name != "id"))
    columns = ", ".join(_READY[name][0] for name in names)
    template = ",".join(f'"{name}":{_READY[name][1]}' for name in names)
    return columns, template, tuple(at for at, name in enumerate(names) if name == "blobId")


class EmailRecords(Records):
    """Emails."""

    order_key = "arrival"
    newest_first = True
    kin = "thread"

    def __init__(self, data_type: DataType) -> None:
        self.type = data_type
        self.table = EMAIL

    def serves(self, name: str) -> bool:
        """Everything is answered here."""
        return True

    def listed(self) -> ListSource:
        """All Emails."""
        return all_emails()

    def collapsed(self) -> ListSource:
        """The newest Email of every Thread."""
        return mailbox_threads(0)

    def read(
        self,
        ctx: Context,
        access: Access,
        tx: Reader,
        numbers: Sequence[int],
        properties: Sequence[str],
        arguments: Mapping[str, Any],
    ) -> dict[int, Any]:
        """Emails as ready JSON."""
        body_properties = arguments.get("bodyProperties", ())
        check_body_properties(body_properties)
        if not numbers:
            return {}
        ready = tuple(name for name in properties if name in _READY)
        rest = [name for name in properties if name not in _READY and name != "id"]
        columns, template, octets = _assembly(ready)
        marks, padded = slots(numbers)
        more = ", id, blob, structure" if rest else ""
        sql = f"SELECT {columns}{more} FROM email WHERE account=? AND id IN ({marks})"
        found: dict[int, Any] = {}
        for row in tx.rows(sql, tx.account, *padded):
            values: Row = row
            for at in octets:
                values = (*values[:at], values[at].hex(), *values[at + 1 :])
            if not rest:
                found[row[0]] = Fragment("{" + template % values + "}")
                continue
            json = template % values[:-3]
            extra = dumps(self._rest(ctx, tx, values[-2], values[-1], rest, dict(arguments)))
            found[row[0]] = Fragment("{" + json + "," + extra.decode()[1:])
        return found

    def _rest(
        self,
        ctx: Context,
        tx: Reader,
        digest: bytes,
        structure: str,
        names: list[str],
        arguments: dict[str, Any],
    ) -> dict[str, Any]:
        """Properties that do not stand ready."""
        message = mime.load(loads(structure))
        whole = cache(lambda: ctx.services.blobs.read(tx, digest))
        only_head = not any(name in BODY_PROPERTIES for name in names)
        head = (lambda: ctx.services.blobs.read(tx, digest, 0, message.root.header_end)) if only_head else whole
        properties = arguments.get("bodyProperties", ())
        body = Body(BlobRef(digest), message, whole, properties, mail_settings(ctx).guess_charsets)
        return email_properties(body, head, names, arguments)

    def exists(self, tx: Reader, number: int) -> bool:
        """Whether an Email of this number is there."""
        return tx.value("SELECT 1 FROM email WHERE account=? AND id=?", tx.account, number) is not None

    def prepare(self, ctx: Context, access: Access, given: Mapping[str, Any]) -> Composed:
        """The message of an Email to be made (RFC 8621 §4.6). Raises SetError."""
        wrong = Wrong()
        composed = compose_email(ctx, access, given, wrong)
        if composed is not None:
            return composed
        names = list(wrong.paths)
        with ctx.account(access).read() as tx:
            try:
                check_place(ctx, self.type, tx, self.complete(ctx, access, tx, given))
            except SetError as error:
                names += error.properties or ()
        raise invalid_properties("; ".join(f"{path}: {why}" for path, why in islice(wrong.paths.items(), 5)), *names)

    def complete(self, ctx: Context, access: Access, tx: Reader, given: Mapping[str, Any]) -> dict[str, Any]:
        """What an Email to be made has beside its message."""
        defaults = {"keywords": {}, "receivedAt": utc_date(int(ctx.services.clock()))}
        return defaults | {name: value for name, value in given.items() if name in PLACE}

    def insert(
        self, ctx: Context, access: Access, tx: Writer, record: Mapping[str, Any], prepared: Composed
    ) -> tuple[int, dict[str, Any]]:
        """Make an Email of a composed message; answers what RFC 8621 §4.6 lists, and the values that were defaults."""
        boxes, keywords, received = check_place(ctx, self.type, tx, record)
        made = insert(tx, ctx.services.blobs, prepared.message, boxes, keywords, received)
        place = {"keywords": dict.fromkeys(sorted(keywords), True), "receivedAt": utc_date(received)}
        return made.id, told(made, prepared.message) | place | prepared.defaults

    def original(self, ctx: Context, source: Access, target: Access, tx: Reader, number: int) -> Any:
        """The message, keywords and receivedAt of an Email."""
        digest, keywords, received = tx.rows(
            "SELECT blob, keywords, received_at FROM email WHERE account=? AND id=?", tx.account, number
        )[0]
        octets = ctx.services.blobs.read(tx, digest)
        return prepare(ctx.services, target.account_id, octets), loads(keywords), loads(received)

    def insert_copy(
        self, ctx: Context, access: Access, tx: Writer, original: Any, given: Mapping[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        """An Email with the message of another account's (RFC 8621 §4.7)."""
        prepared, keywords, received = original
        wrong = given.keys() - {"mailboxIds", "keywords", "receivedAt"}
        values = {"keywords": keywords, "receivedAt": received, **given}
        boxes, words, seconds = check_place(ctx, self.type, tx, values, *wrong)
        made = insert(tx, ctx.services.blobs, prepared, boxes, words, seconds)
        return made.id, told(made, prepared)

    def update(
        self, ctx: Context, access: Access, tx: Writer, number: int, changes: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Give an Email other Mailboxes or keywords; answers keywords that had to be put into lower case."""
        placing = read_placing(tx, number)
        assert placing is not None
        boxes, keywords = placing.mailboxes, placing.keywords
        if "mailboxIds" in changes:
            boxes = check_mailboxes(ctx, self.type, changes["mailboxIds"])
        if "keywords" in changes:
            keywords = check_keywords(ctx, changes["keywords"])
        filing.refile(tx, placing, boxes, keywords)
        if "keywords" in changes and keywords != changes["keywords"].keys():
            return {"keywords": dict.fromkeys(sorted(keywords), True)}
        return None

    def destroy(self, ctx: Context, access: Access, tx: Writer, number: int, arguments: Mapping[str, Any]) -> None:
        """End an Email."""
        placing = read_placing(tx, number)
        assert placing is not None
        filing.end(tx, ctx.services.blobs, placing)

    def normal_patch(self, ctx: Context, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Keywords are blind to case (RFC 8621 §4.1.1): to be taken away, one is looked for in lower case."""
        return {
            path.lower() if value is None and path.startswith("keywords/") else path: value
            for path, value in super().normal_patch(ctx, changes).items()
        }

    def current(
        self,
        ctx: Context,
        access: Access,
        tx: Reader,
        number: int,
        names: Sequence[str],
        changes: Mapping[str, Any],
    ) -> Any:
        """An Email to be patched; its bodyValues are those given, for a client may have fetched any of them."""
        given = changes.get("bodyValues")
        if not isinstance(given, dict):
            return super().current(ctx, access, tx, number, names, changes)
        arguments = {name: argument.default for name, argument in self.type.get_arguments.items()}
        record = self.read(ctx, access, tx, [number], names, {**arguments, "fetchAllBodyValues": True})[number]
        found = materialise(record)
        return found | {"bodyValues": {name: value for name, value in found["bodyValues"].items() if name in given}}

    def candidates(
        self, tx: Reader, since: int, mutable: frozenset[str], *, collapse: bool
    ) -> Iterable[tuple[int, int | None, bool]]:
        """Emails whose place in a query may differ since a state; whole Threads if the query looks at Threads."""
        made = "SELECT id, thread FROM email WHERE account=? AND id>?"
        touched: dict[int, int] = dict(tx.rows(made, tx.account, since))
        columns = [column for name, column in (("mailboxIds", "moved"), ("keywords", "keyed")) if name in mutable]
        if columns:
            changed = " OR ".join(f"{column}>?" for column in columns)
            sql = (
                f"SELECT id, thread FROM email WHERE account=? AND changed>? AND changed>id AND +id<=? AND ({changed})"
            )
            touched |= dict(tx.rows(sql, tx.account, since, since, *[since] * len(columns)))
        sql = "SELECT id, place, kin FROM tombstone WHERE account=? AND type='Email' AND ended>?"
        ended = tx.rows(sql, tx.account, since)
        if collapse or "threadId" in mutable:
            threads = {*touched.values(), *(row[2] for row in ended)}
            sql = "SELECT id FROM email WHERE account=? AND thread=?"
            for thread in threads:
                touched |= dict.fromkeys((row[0] for row in tx.rows(sql, tx.account, thread)), thread)
        for number in touched:
            yield number, None, False
        for number, place, _ in ended:
            if number <= since:
                yield number, place, True


def email_properties(
    body: Body, head: Callable[[], bytes], names: Iterable[str], arguments: dict[str, Any]
) -> dict[str, Any]:
    """Properties of an Email that are read from its message; `head` answers octets with at least the header."""
    answer: dict[str, Any] = {}
    header = None
    for name in names:
        if name in BODY_PROPERTIES:
            answer[name] = body.value(name, arguments)
            continue
        if header is None:
            root = body.message.root
            header = Header(mime.header_fields(head(), root.header_start, root.header_end))
        answer[name] = header.value(name)
    return answer


def told(made: Inserted, prepared: Prepared) -> dict[str, Any]:
    """What a client is told of an Email that was made (RFC 8621 §4.6)."""
    return {
        "id": f"E{made.id:x}",
        "blobId": f"G{prepared.staged.digest.hex()}",
        "threadId": f"T{made.thread:x}",
        "size": prepared.staged.size,
    }


def check_place(
    ctx: Context, email: DataType, tx: Reader, values: Mapping[str, Any], *also_wrong: str
) -> tuple[frozenset[int], frozenset[str], int]:
    """Mailboxes, keywords and seconds of mailboxIds, keywords and receivedAt.

    Raises SetError; invalidProperties names `also_wrong` properties too.
    """
    records, prop = email.records, email.properties["mailboxIds"]
    boxes = records.resolve(ctx, prop, values.get("mailboxIds"))
    wrong = list(also_wrong)
    for name, value in (("mailboxIds", boxes), ("keywords", values["keywords"])):
        if records.objection(ctx, tx, name, value):
            wrong.append(name)
    if not is_utc_date(values["receivedAt"]):
        wrong.append("receivedAt")
    if wrong:
        raise invalid_properties("unknown, missing, of the wrong kind, or not there", *wrong)
    seconds = int(utc_seconds(values["receivedAt"]) // 1)
    return check_mailboxes(ctx, email, boxes), check_keywords(ctx, values["keywords"]), seconds


def boxes_objection(ctx: Context, value: Mapping[str, bool]) -> str | None:
    """RFC 8621 §4.1.1 mailboxIds: at least one, and every value true."""
    good = value and all(value.values())
    return None if good else "an Email is in at least one Mailbox, and the values are all true"


def keywords_objection(ctx: Context, value: Mapping[str, bool]) -> str | None:
    """RFC 8621 §4.1.1 keywords: characters of which they consist, and every value true."""
    good = all(value.values()) and all(map(is_keyword, value))
    return None if good else "not keywords, or not all true"


def check_mailboxes(ctx: Context, email: DataType, value: Mapping[str, bool]) -> frozenset[int]:
    """The numbers of mailboxIds to which there is no objection. Raises SetError tooManyMailboxes."""
    most = mail_settings(ctx).max_mailboxes_per_email
    if most is not None and len(value) > most:
        raise SetError("tooManyMailboxes")
    numbers = (email.related["Mailbox"].parse_id(item) for item in value)
    return frozenset(number for number in numbers if number is not None)


def check_keywords(ctx: Context, value: Mapping[str, bool]) -> frozenset[str]:
    """Keywords to which there is no objection, in lower case. Raises SetError tooManyKeywords."""
    keywords = frozenset(keyword.lower() for keyword in value)
    if len(keywords) > mail_settings(ctx).max_keywords_per_email:
        raise SetError("tooManyKeywords")
    return keywords
