"""An account on another JMAP server as a stream of what is found in it; and mail from here into one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jmaplite.client import CORE, JMAPClient, JMAPError
from jmaplite.formats.mailboxes import Flags, Folder, Found, Incoming, MailboxPath, Unreadable

PAGE = 100
"""Emails that are asked for at a time, or fewer where the server has it so."""

_DEEPEST = 100
"""Mailboxes above one another that are followed; there may be a circle."""

_ROLE_PATHS: Mapping[str, MailboxPath] = {
    "inbox": (),
    "drafts": ("Drafts",),
    "sent": ("Sent",),
    "trash": ("Trash",),
    "junk": ("Junk",),
    "archive": ("Archive",),
}
"""Where the Mailbox of a role is, whatever it is called there."""


@dataclass(frozen=True, slots=True)
class RemoteEmail:
    """An Email there: its id, and how it becomes one here: a message for each Mailbox that it is in."""

    id: str
    found: tuple[Found, ...]


@dataclass(slots=True)
class RemoteAccount:
    """The account for mail of whoever a client is logged in as. All raise JMAPError and OSError."""

    client: JMAPClient
    _paths: dict[str, MailboxPath] = field(default_factory=dict)

    def folders(self) -> list[Folder]:
        """Every Mailbox, parents first."""
        boxes = {box["id"]: box for box in self._mailboxes()}
        for number in boxes:
            self._paths[number] = _path(number, boxes)
        return [Folder("/".join(path) or "Inbox", path) for path in sorted(self._paths.values())]

    def _mailboxes(self) -> list[dict[str, Any]]:
        """All of them at once, or by their ids where there are more than the server gives at once (RFC 8620 §5.1)."""
        try:
            return list(self.client.call("Mailbox/get", ids=None)["list"])
        except JMAPError as error:
            if error.type != "requestTooLarge":
                raise
        pages = self._pages("Mailbox/query")
        return [box for ids in pages for box in self.client.call("Mailbox/get", ids=ids)["list"]]

    def count(self) -> int:
        """How many Emails there are."""
        answer = self.client.call("Email/query", limit=1, calculateTotal=True)
        return int(answer.get("total") or 0)

    def emails(self, known: set[str]) -> Iterator[RemoteEmail]:
        """Every Email, the oldest first, but for those whose ids are known."""
        properties = ["blobId", "mailboxIds", "keywords", "receivedAt"]
        for ids in self._pages("Email/query", "receivedAt"):
            wanted = [number for number in ids if number not in known]
            if not wanted:
                continue
            for record in self.client.call("Email/get", ids=wanted, properties=properties)["list"]:
                yield RemoteEmail(record["id"], tuple(self._found(record)))

    def _pages(self, method: str, by: str | None = None) -> Iterator[list[str]]:
        """All ids that there are, each once, in as many at a time as the server gives; sorted where it can do that."""
        most = self.client.session["capabilities"].get(CORE, {}).get("maxObjectsInGet")
        arguments: dict[str, Any] = {"limit": min(PAGE, most) if isinstance(most, int) and most > 0 else PAGE}
        if by is not None:
            sort = [{"property": by, "isAscending": True}]
            try:
                self.client.call(method, limit=1, sort=sort)
                arguments["sort"] = sort
            except JMAPError as error:
                if error.type != "unsupportedSort":
                    raise
        position, seen = 0, set[str]()
        while ids := self.client.call(method, position=position, **arguments)["ids"]:
            position += len(ids)
            new = [number for number in dict.fromkeys(ids) if number not in seen]
            if not new:
                return  # a server that begins again and again
            seen.update(new)
            for start in range(0, len(new), arguments["limit"]):
                yield new[start : start + arguments["limit"]]

    def identities(self) -> list[dict[str, Any]]:
        """The Identities, as they may be made here; none where there are no such."""
        try:
            found = self.client.call("Identity/get", ids=None)["list"]
        except JMAPError:
            return []
        names = ("name", "email", "replyTo", "bcc", "textSignature", "htmlSignature")
        return [{name: one[name] for name in names if one.get(name)} for one in found]

    def _found(self, record: Mapping[str, Any]) -> Iterator[Found]:
        where = f"Email {record['id']}"
        try:
            octets = self.client.download(record["blobId"], "message/rfc822")
        except JMAPError as error:
            yield Unreadable(where, f"cannot be fetched: {error}", 1)
            return
        flags = Flags(
            frozenset(keyword.lower() for keyword, is_set in (record.get("keywords") or {}).items() if is_set)
        )
        boxes = [
            number for number, is_in in (record.get("mailboxIds") or {}).items() if is_in and number in self._paths
        ]
        for at, number in enumerate(boxes or [""]):
            path = self._paths.get(number, ())
            yield Incoming(
                where, octets, path, flags, received=_seconds(record.get("receivedAt") or ""), weight=int(at == 0)
            )


def _path(number: str, boxes: Mapping[str, Mapping[str, Any]]) -> MailboxPath:
    """The path of a Mailbox; what has a role that we have too is where ours is."""
    names: list[str] = []
    at: str | None = number
    while at is not None and at in boxes and len(names) < _DEEPEST:
        box = boxes[at]
        if box.get("role") in _ROLE_PATHS:
            return (*(_ROLE_PATHS[box["role"]] or (("Inbox",) if names else ())), *reversed(names))
        names.append(str(box["name"]))
        at = box.get("parentId")
    return tuple(reversed(names))


def _seconds(date: str) -> int | None:
    from datetime import datetime

    try:
        return int(datetime.fromisoformat(date).timestamp())
    except (ValueError, OverflowError):
        return None


@dataclass(slots=True)
class RemoteTarget:
    """Mail from here into an account there. All raise JMAPError and OSError."""

    client: JMAPClient
    _boxes: dict[MailboxPath, str] = field(default_factory=dict)

    def begin(self) -> None:
        """Look which Mailboxes there are."""
        account = RemoteAccount(self.client)
        account.folders()
        self._boxes = {path: number for number, path in account._paths.items()}

    def mailbox(self, path: MailboxPath) -> str:
        """The id of the Mailbox of a path there, made if it is not there."""
        if path == ("Inbox",):  # above what is beneath it
            path = ()
        if path not in self._boxes:
            parent = self.mailbox(path[:-1]) if len(path) > 1 else None
            create = {"name": path[-1] if path else "Inbox", "parentId": parent}
            answer = self.client.call("Mailbox/set", create={"new": create})
            if not answer.get("created"):
                error = answer["notCreated"]["new"]
                raise JMAPError(error["type"], error)
            self._boxes[path] = str(answer["created"]["new"]["id"])
        return self._boxes[path]

    def put(self, octets: bytes, paths: set[MailboxPath], keywords: frozenset[str], received: str) -> str:
        """Put a message into Mailboxes; answers what became of it: imported, or present already."""
        email = {
            "blobId": self.client.upload(octets, "message/rfc822"),
            "mailboxIds": {self.mailbox(path): True for path in sorted(paths)},
            "keywords": dict.fromkeys(sorted(keywords), True),
            "receivedAt": received,
        }
        answer = self.client.call("Email/import", emails={"new": email})
        if answer.get("created"):
            return "imported"
        error = answer["notCreated"]["new"]
        if error["type"] == "alreadyExists":
            return "present"
        raise JMAPError(error["type"], error)
