"""Messages of Email objects that clients create (RFC 8621 §4.6): every constraint, then the octets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from jmaplite.core.context import Access, Context
from jmaplite.core.errors import SetError
from jmaplite.core.kinds import utc_date
from jmaplite.datatypes.mail.capability import mail_settings
from jmaplite.datatypes.mail.draft_fields import CONVENIENCE, Fields, Wrong
from jmaplite.datatypes.mail.draft_parts import DraftPart, PartReader
from jmaplite.datatypes.mail.ingest import Prepared, prepare
from jmaplite.datatypes.mail.named_blobs import find_blob, read_blob
from jmaplite.formats import compose
from jmaplite.formats.compose import Entity

PLACE = frozenset({"mailboxIds", "keywords", "receivedAt"})
"""The properties of an Email that its message does not tell."""

_LISTS = ("textBody", "htmlBody", "attachments")
_BODY = frozenset({"bodyStructure", "bodyValues", *_LISTS})
_HOST = re.compile(r"[^@]+@([A-Za-z0-9](?:[A-Za-z0-9.-]{0,200}[A-Za-z0-9])?)")
_MOST_MESSAGES = 4
"""So many of the largest messages may be made in one request."""
_LOCAL_HOST = "localhost.localdomain"
_CID_URL = re.compile(r"cid:([^\"'\s<>)]+)", re.I)


@dataclass(frozen=True, slots=True)
class Composed:
    """A message made of an Email object, and what the server put into it of its own accord."""

    message: Prepared
    defaults: dict[str, Any]


def compose_email(ctx: Context, access: Access, given: Mapping[str, Any], wrong: Wrong) -> Composed | None:
    """The message of an Email object; None if any of its properties is `wrong`. Raises SetError for what else fails.

    Touches the database only to read blobs.
    """
    draft = _Draft(ctx, given, wrong)
    if wrong:
        return None
    written = ctx.scratch.setdefault(_Written, _Written())
    enough = _MOST_MESSAGES * mail_settings(ctx).max_size_email
    if written.octets >= enough:
        raise SetError("rateLimit", f"one request makes messages of about {enough} octets; go on in another one")
    draft.fill(access)
    defaults = draft.add_defaults(access)
    octets = draft.octets()
    written.octets += len(octets)
    most = mail_settings(ctx).max_size_email
    if len(octets) > most:
        raise SetError("tooLarge", f"the message would be larger than {most} octets")
    return Composed(prepare(ctx.services, access.account_id, octets), defaults)


@dataclass(slots=True)
class _Written:
    """How many octets of messages a request has made so far."""

    octets: int = 0


class _Draft:
    """An Email object on its way to a message."""

    def __init__(self, ctx: Context, given: Mapping[str, Any], wrong: Wrong) -> None:
        self.ctx = ctx
        self.wrong = wrong
        self.fields = Fields(wrong)
        self._read_fields(given)
        reader = PartReader(wrong, given.get("bodyValues"))
        self.structure: DraftPart | None = None
        self.lists: dict[str, list[DraftPart]] = {}
        if given.get("bodyStructure") is not None:
            for name in ("bodyStructure", *_LISTS):
                if given.get(name) is not None and any(given.get(other) is not None for other in _LISTS):
                    wrong.add(name, "either bodyStructure or textBody, htmlBody and attachments")
            self.structure = reader.read(given["bodyStructure"], "bodyStructure")
        else:
            self.lists = {name: self._read_list(reader, name, given.get(name)) for name in _LISTS}
        alone = self._alone()
        for field, path in alone.fields.owners.items() if alone else ():
            if field in self.fields.owners:
                wrong.add(path, "this header field is defined on the Email")

    def _read_fields(self, given: Mapping[str, Any]) -> None:
        convenient = [name for name in CONVENIENCE if name in given]
        for name in (*convenient, *(name for name in given if name not in CONVENIENCE)):
            if name in PLACE or name in _BODY:
                continue
            is_header = name in CONVENIENCE or name.startswith("header:")
            field = self.fields.add(name, name, given[name]) if is_header else None
            if field is None:
                self.wrong.add(name, "no property that can be given")
            elif field.startswith("content-"):
                self.wrong.add(name, "only a body part has it")

    def _read_list(self, reader: PartReader, name: str, given: Any) -> list[DraftPart]:
        if given is None:
            return []
        wanted = {"textBody": "text/plain", "htmlBody": "text/html"}.get(name)
        if not isinstance(given, list) or (wanted and len(given) != 1):
            self.wrong.add(name, f"must be exactly one part of type {wanted}" if wanted else "must be EmailBodyPart[]")
            return []
        parts = [reader.read(part, f"{name}/{number}", wanted) for number, part in enumerate(given)]
        for part in parts if wanted else ():
            if part.entity.type != wanted:
                self.wrong.add(part.fields.owners.get("content-type", f"{part.path}/type"), f"must be {wanted}")
        return parts

    def _alone(self) -> DraftPart | None:
        """The part whose header is that of the message, if the client gave one."""
        if self.structure is not None:
            return self.structure
        bodies = self.lists["textBody"] + self.lists["htmlBody"]
        return bodies[0] if len(bodies) == 1 and not self.lists["attachments"] else None

    def fill(self, access: Access) -> None:
        """Read the blobs that parts are made of. Raises SetError: blobNotFound, tooLarge."""
        parts = [self.structure] if self.structure else [part for parts in self.lists.values() for part in parts]
        leaves = [leaf for part in parts for leaf in part.leaves() if leaf.blob_id is not None]
        if not leaves:
            return
        most = mail_settings(self.ctx).max_size_attachments_per_email
        read: dict[str, bytes] = {}
        not_found: dict[str, None] = {}
        total = 0
        with self.ctx.account(access).read() as tx:
            for leaf in leaves:
                blob_id = str(leaf.blob_id)
                if blob_id not in read and total <= most:
                    ref = find_blob(self.ctx, tx, blob_id)
                    octets = None if ref is None else read_blob(self.ctx, tx, ref)
                    if octets is None:
                        not_found[blob_id] = None
                        continue
                    read[blob_id] = octets
                total += len(read.get(blob_id, b""))
        if not_found:
            raise SetError("blobNotFound", notFound=list(not_found))
        if total > most:
            raise SetError("tooLarge", f"attachments may have {most} octets together")
        for leaf in leaves:
            leaf.entity.octets = read[str(leaf.blob_id)]
            _guess_charset(leaf)

    def add_defaults(self, access: Access) -> dict[str, Any]:
        """Give the message the Date and Message-ID that it has to have; answers the properties that they are."""
        alone = self._alone()
        defaults: dict[str, Any] = {}
        lines = self.fields.lines
        there = {name for name, line in (lines | (alone.fields.lines if alone else {})).items() if line}
        if "date" not in there:
            defaults["sentAt"] = utc_date(int(self.ctx.services.clock()))
            lines["date"] = compose.field("Date", "Date", defaults["sentAt"])
        if "message-id" not in there:
            hosts = (_HOST.fullmatch(name) for name in (*access.addresses, access.name, self.ctx.user))
            host = next((found[1] for found in hosts if found), _LOCAL_HOST)
            octets = self.ctx.services.chance(f"message of {access.account_id}", 16)
            defaults["messageId"] = [f"{octets.hex()}@{host}"]
            lines["message-id"] = compose.field("Message-ID", "MessageIds", defaults["messageId"])
        return defaults

    def octets(self) -> bytes:
        """The message."""
        root = self._assembled() if self.structure is None else self.structure.finish()
        boundary = self.ctx.services.chance(f"boundary for {self.ctx.user}", 8)
        return compose.message(list(self.fields.lines.values()), root, boundary.hex())

    def _assembled(self) -> Entity:
        """The parts of the three lists as a tree: what the HTML shows beside it, the rest attached."""
        texts, htmls = self.lists["textBody"], self.lists["htmlBody"]
        shown, attached = _shown(htmls[0] if htmls else None, self.lists["attachments"])
        bodies = [part.finish() for part in (*texts, *htmls)]
        if shown:
            related = [bodies[-1], *(part.finish("inline") for part in shown)]
            bodies[-1] = Entity("multipart/related", parameters={"type": "text/html"}, parts=related)
        if len(bodies) == 2:
            bodies = [Entity("multipart/alternative", parts=bodies)]
        if attached:
            return Entity("multipart/mixed", parts=[*bodies, *(part.finish("attachment") for part in attached)])
        return bodies[0] if bodies else Entity("text/plain", parameters={"charset": "us-ascii"})


def _shown(html: DraftPart | None, attachments: list[DraftPart]) -> tuple[list[DraftPart], list[DraftPart]]:
    """Attachments that an HTML part shows by their cid, unless they are to be attached all the same; and the others."""
    content = b"" if html is None else html.entity.octets
    cids = set(map(unquote, _CID_URL.findall(content.decode("utf-8", "replace")))) if b":" in content else set()
    shown = [
        part
        for part in attachments
        if part.values.get("cid") in cids
        and part.values.get("disposition", "inline").lower() != "attachment"
        and "content-disposition" not in part.fields.lines
    ]
    return shown, [part for part in attachments if part not in shown]


def _guess_charset(leaf: DraftPart) -> None:
    """Tell the charset of text from a blob, where the client did not and it is plain to see."""
    entity = leaf.entity
    if not entity.type.startswith("text/") or "charset" in entity.parameters or entity.content_type is not None:
        return
    try:
        entity.octets.decode("utf-8")
    except UnicodeDecodeError:
        return
    entity.parameters["charset"] = "us-ascii" if entity.octets.isascii() else "utf-8"
