"""Mailbox (RFC 8621 §2)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from jmaplite.core import collation, ranks
from jmaplite.core.conditions import Scan
from jmaplite.core.context import Access, Context
from jmaplite.core.errors import SetError, invalid_properties
from jmaplite.core.records import Records
from jmaplite.core.schema import Argument, DataType, Property, Sort
from jmaplite.datatypes.mail.capability import MAIL, mail_settings
from jmaplite.datatypes.mail.counts import recount_unread_threads
from jmaplite.datatypes.mail.filing import empty_mailbox
from jmaplite.datatypes.mail.placing import flush
from jmaplite.datatypes.mail.tables import mailbox_emails, mailbox_threads
from jmaplite.store import Column, Reader, Table, Writer

ROLES = frozenset(
    {
        "all", "archive", "drafts", "flagged", "important", "inbox", "junk", "memos", "scheduled", "sent", "snoozed",
        "subscribed", "trash",
    }
)  # fmt: skip
"""The IANA "IMAP Mailbox Name Attributes" that say what a Mailbox is for, in lower case."""

_BYTE_ORDER_MARK = "\ufeff"

_RIGHTS = (
    "mayReadItems", "mayAddItems", "mayRemoveItems", "maySetSeen", "maySetKeywords", "mayCreateChild", "mayRename",
    "mayDelete", "maySubmit",
)  # fmt: skip


def may_be_named(name: str) -> bool:
    """Whether a Mailbox may be called so, the length of the name aside."""
    return bool(name) and name[0] != _BYTE_ORDER_MARK and not any(map(_is_forbidden, name))


def _is_forbidden(character: str) -> bool:
    """Control characters, surrogates, unassigned code points, line and paragraph separators (RFC 5198 §2)."""
    return unicodedata.category(character) in ("Cc", "Cs", "Cn", "Zl", "Zp")


def _name_objection(ctx: Context, name: str) -> str | None:
    """RFC 8621 §2 name: a Net-Unicode string (RFC 5198 §2) of at least one character, not too long."""
    if not may_be_named(name):
        return "a name has at least one character, none of them unassigned, for control or to end lines"
    most = mail_settings(ctx).max_size_mailbox_name
    too_long = len(unicodedata.normalize("NFC", name).encode()) > most
    return f"a name has at most {most} octets" if too_long else None


def _role_objection(ctx: Context, role: str | None) -> str | None:
    """RFC 8621 §2 role: one of the registered names."""
    return None if role is None or role in ROLES else "not a registered role"


def _order_objection(ctx: Context, order: int) -> str | None:
    """RFC 8621 §2 sortOrder: less than 2^31."""
    return "sortOrder must be less than 2^31" if order >= 1 << 31 else None


_COUNT = Property("UnsignedInt", default=0, server_set=True)

MAILBOX = DataType(
    "Mailbox",
    MAIL,
    prefix="M",
    methods=("get", "changes", "set", "query", "queryChanges"),
    properties={
        "name": Property("String", index=True, collated=True, objection=_name_objection),
        "parentId": Property("Id|null", default=None, index=True, refers="Mailbox"),
        "role": Property("String|null", default=None, index=True, objection=_role_objection),
        "sortOrder": Property("UnsignedInt", default=0, objection=_order_objection),
        "totalEmails": _COUNT,
        "unreadEmails": _COUNT,
        "totalThreads": _COUNT,
        "unreadThreads": _COUNT,
        "myRights": Property("MailboxRights", server_set=True, stored=False),
        "isSubscribed": Property("Boolean", default=False, per_user=True),
    },
    kinds={"MailboxRights": dict.fromkeys(_RIGHTS, "Boolean")},
    sorts={
        "sortOrder": Sort("{a}.sort_order", mutable=frozenset({"sortOrder"})),
        "name": Sort("{a}.name_key", text="{a}.name", mutable=frozenset({"name"})),
    },
    tree="parentId",
    count_properties=("totalEmails", "unreadEmails", "totalThreads", "unreadThreads"),
    set_arguments={"onDestroyRemoveEmails": Argument("Boolean", False)},
    query_arguments={"sortAsTree": Argument("Boolean", False), "filterAsTree": Argument("Boolean", False)},
)


class MailboxRecords(Records):
    """Mailboxes, with the value at which their counts last changed beside that of all else."""

    revisions = ("changed", "counted")

    def __init__(self, data_type: DataType) -> None:
        self.type = data_type
        self.table: Table = data_type.generated_table((Column("counted", "integer"),))

    def complete(self, ctx: Context, access: Access, tx: Reader, given: Mapping[str, Any]) -> dict[str, Any]:
        """A Mailbox that a user makes is one that the user wants to see (RFC 8621 §2 isSubscribed)."""
        return super().complete(ctx, access, tx, {"isSubscribed": True, **given})

    def default(self, access: Access, name: str) -> Any:
        """What a property is set to by a patch of null: isSubscribed depends on whose account it is."""
        return access.is_personal if name == "isSubscribed" else super().default(access, name)

    def columns(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The name is kept in Net-Unicode's normal form (RFC 5198 §3)."""
        if "name" in record:
            record = {**record, "name": unicodedata.normalize("NFC", record["name"])}
        columns = super().columns(record)
        if "totalEmails" in record:
            columns["counted"] = 0
        return columns

    def insert(
        self, ctx: Context, access: Access, tx: Writer, record: Mapping[str, Any], prepared: Any
    ) -> tuple[int, dict[str, Any]]:
        """Make a Mailbox, empty."""
        empty = dict.fromkeys(self.type.count_properties, 0)
        made = super().insert(ctx, access, tx, {**record, **empty}, prepared)
        if record["role"] == "trash":
            recount_unread_threads(tx)
        return made

    def update(
        self, ctx: Context, access: Access, tx: Writer, number: int, changes: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Change a Mailbox; answers the name if it was put into normal form, unreadThreads if the role changed it."""
        was_trash = self._is_trash(tx, number)
        super().update(ctx, access, tx, number, changes)
        told: dict[str, Any] = {}
        if was_trash != self._is_trash(tx, number):
            before = self._unread_threads(tx, number)
            recount_unread_threads(tx)
            after = self._unread_threads(tx, number)
            if after != before:
                told["unreadThreads"] = after
        name = unicodedata.normalize("NFC", changes.get("name", ""))
        if name != changes.get("name", ""):
            told["name"] = name
        return told or None

    def destroy(self, ctx: Context, access: Access, tx: Writer, number: int, arguments: Mapping[str, Any]) -> None:
        """End a Mailbox. Raises SetError: forbidden, mailboxHasEmail (RFC 8621 §2.5)."""
        if tx.value("SELECT role FROM mailbox WHERE account=? AND id=?", tx.account, number) == "inbox":
            raise SetError("forbidden", "the inbox is where mail is delivered to")
        sql = "SELECT 1 FROM email_mailbox WHERE account=? AND mailbox=? LIMIT 1"
        if tx.value(sql, tx.account, number) is not None:
            if not arguments.get("onDestroyRemoveEmails"):
                raise SetError("mailboxHasEmail")
            empty_mailbox(tx, ctx.services.blobs, number)
            flush(tx)
        for source in (mailbox_emails(number), mailbox_threads(number)):
            ranks.forget(tx, source)
        was_trash = self._is_trash(tx, number)
        super().destroy(ctx, access, tx, number, arguments)
        if was_trash:
            recount_unread_threads(tx)

    def _is_trash(self, tx: Reader, number: int) -> bool:
        return bool(tx.value("SELECT role FROM mailbox WHERE account=? AND id=?", tx.account, number) == "trash")

    def _unread_threads(self, tx: Reader, number: int) -> int:
        return int(tx.value("SELECT unread_threads FROM mailbox WHERE account=? AND id=?", tx.account, number))


MAILBOX.records = MailboxRecords(MAILBOX)


@MAILBOX.compute("myRights")
def my_rights(ctx: Context, access: Access, tx: Reader, number: int, record: Mapping[str, Any]) -> dict[str, bool]:
    """RFC 8621 §2 MailboxRights: all of them, unless the account is read-only; the inbox stays."""
    rights = dict.fromkeys(_RIGHTS, not access.is_read_only)
    rights["mayReadItems"] = True
    rights["mayDelete"] = rights["mayDelete"] and record["role"] != "inbox"
    return rights


@MAILBOX.rule("name", "parentId")
def name_is_unique_among_siblings(ctx: Context, tx: Writer, number: int) -> None:
    """RFC 8621 §2 name: no two siblings have the same."""
    sql = (
        "SELECT 1 FROM mailbox a JOIN mailbox b ON b.account=a.account AND b.name=a.name AND b.id<>a.id"
        " AND coalesce(b.parent_id, 0)=coalesce(a.parent_id, 0) WHERE a.account=? AND a.id=?"
    )
    if tx.value(sql, tx.account, number) is not None:
        raise invalid_properties("a Mailbox of this name is already there", "name")


@MAILBOX.rule("parentId")
def parents_form_a_forest(ctx: Context, tx: Writer, number: int) -> None:
    """RFC 8621 §2 parentId: no loop; §1.3.1 maxMailboxDepth, for the Mailbox and those beneath."""
    most = mail_settings(ctx).max_mailbox_depth
    depth, above = 1, _parent(tx, number)
    while above is not None and depth <= most:
        if above == number:
            raise invalid_properties("a Mailbox cannot be beneath itself", "parentId")
        depth, above = depth + 1, _parent(tx, above)
    if depth + _height(tx, number, most) > most:
        raise invalid_properties("too deep", "parentId")


def _parent(tx: Reader, number: int) -> int | None:
    found: int | None = tx.value("SELECT parent_id FROM mailbox WHERE account=? AND id=?", tx.account, number)
    return found


def _height(tx: Reader, number: int, most: int) -> int:
    """How many generations are beneath a Mailbox; not counted beyond `most`, nor endlessly where there is a loop."""
    sql = (
        "WITH RECURSIVE beneath (id, height) AS (SELECT id, 0 FROM mailbox WHERE account=? AND id=? UNION"
        " SELECT m.id, b.height + 1 FROM beneath b JOIN mailbox m ON m.account=? AND m.parent_id=b.id"
        " WHERE b.height < ?) SELECT max(height) FROM beneath"
    )
    return int(tx.value(sql, tx.account, number, tx.account, most))


@MAILBOX.rule("parentId")
def parent_exists(ctx: Context, tx: Writer, number: int) -> None:
    """RFC 8621 §2 parentId: the id of a Mailbox that is there when everything is done."""
    parent = _parent(tx, number)
    if parent is not None and not MAILBOX.records.exists(tx, parent):
        raise invalid_properties("there is no such parent", "parentId")


@MAILBOX.rule("role")
def role_is_unique(ctx: Context, tx: Writer, number: int) -> None:
    """RFC 8621 §2 role: no two Mailboxes have the same."""
    role = tx.value("SELECT role FROM mailbox WHERE account=? AND id=?", tx.account, number)
    if role is not None and tx.value("SELECT count(*) FROM mailbox WHERE account=? AND role=?", tx.account, role) > 1:
        raise invalid_properties("another Mailbox has this role", "role")


@MAILBOX.destroy_rule
def no_child_is_left(ctx: Context, tx: Writer, number: int) -> None:
    """RFC 8621 §2.5: a Mailbox with children cannot be destroyed."""
    sql = "SELECT 1 FROM mailbox WHERE account=? AND parent_id=? LIMIT 1"
    if tx.value(sql, tx.account, number) is not None:
        raise SetError("mailboxHasChild")


@MAILBOX.condition("parentId", "Id|null")
def parent_id(ctx: Context, tx: Reader, value: str | None) -> Scan:
    """RFC 8621 §2.3: the same parentId."""
    mutable = frozenset({"parentId"})
    if value is None:
        return Scan("{a}.parent_id IS NULL", mutable=mutable)
    return Scan("{a}.parent_id=?", (MAILBOX.parse_id(value) or -1,), mutable=mutable)


@MAILBOX.condition("name", "String")
def name_contains(ctx: Context, tx: Reader, value: str) -> Scan:
    """RFC 8621 §2.3: the name contains the string, whatever the case."""
    part = collation.key(collation.DEFAULT, unicodedata.normalize("NFC", value))
    rows = tx.rows("SELECT id, name_key FROM mailbox WHERE account=?", tx.account)
    found = ",".join(str(number) for number, key in rows if part in key)
    return Scan(f"{{a}}.id IN ({found})" if found else "0=1", mutable=frozenset({"name"}))


@MAILBOX.condition("role", "String|null")
def role_is(ctx: Context, tx: Reader, value: str | None) -> Scan:
    """RFC 8621 §2.3: the same role."""
    mutable = frozenset({"role"})
    return Scan("{a}.role IS NULL", mutable=mutable) if value is None else Scan("{a}.role=?", (value,), mutable=mutable)


@MAILBOX.condition("hasAnyRole", "Boolean")
def has_any_role(ctx: Context, tx: Reader, value: bool) -> Scan:
    """RFC 8621 §2.3: any role at all, or none."""
    return Scan(f"{{a}}.role IS {'NOT ' if value else ''}NULL", mutable=frozenset({"role"}))


@MAILBOX.condition("isSubscribed", "Boolean")
def is_subscribed(ctx: Context, tx: Reader, value: bool) -> Scan:
    """RFC 8621 §2.3: the same isSubscribed, for the user who asks."""
    return Scan(
        f"{'' if value else 'NOT '}EXISTS (SELECT 1 FROM user_value u WHERE u.account={{a}}.account"
        " AND u.type='Mailbox' AND u.id={a}.id AND u.property='isSubscribed' AND u.\"user\"=? AND u.value='true')",
        (ctx.user,),
        mutable=frozenset({"isSubscribed"}),
    )
