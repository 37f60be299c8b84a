"""Body parts of an Email that a client wants made (RFC 8621 §4.1.4, §4.6): checked, and ready to be filled."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jmaplite.core.kinds import compile_kind
from jmaplite.datatypes.mail.draft_fields import Fields, Wrong
from jmaplite.formats import compose
from jmaplite.formats.compose import Entity
from jmaplite.formats.mime.parameters import content_type

_CHECKS = {
    name: compile_kind(kind)
    for name, kind in {
        "partId": "String|null",
        "blobId": "String|null",
        "size": "UnsignedInt|null",
        "name": "String|null",
        "type": "String|null",
        "charset": "String|null",
        "disposition": "String|null",
        "cid": "String|null",
        "language": "String[]|null",
        "location": "String|null",
        "subParts": "*[]|null",
    }.items()
}
_FIELDS = {
    "type": "Content-Type",
    "charset": "Content-Type",
    "disposition": "Content-Disposition",
    "name": "Content-Disposition",
    "cid": "Content-ID",
    "language": "Content-Language",
    "location": "Content-Location",
}
"""The header field that each property of an EmailBodyPart stands for."""

_TOKEN = re.compile(r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]{1,60}")
_LANGUAGE = re.compile(r"[A-Za-z0-9]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_LOCATION = re.compile(r"\S+")
_CHARSET_PARAMETER = re.compile(rb";\s*charset\s*=", re.I)

DEEPEST = 50
"""How many multiparts may be within each other."""

MOST_PARTS = 1000


@dataclass(slots=True)
class DraftPart:
    """A part to be made: a multipart with its `parts`, or a leaf of a text or a blob."""

    path: str
    entity: Entity
    fields: Fields
    values: Mapping[str, Any]
    """The properties that the client gave and that are in order."""
    text: str | None = None
    blob_id: str | None = None
    parts: list[DraftPart] = field(default_factory=list)

    def leaves(self) -> list[DraftPart]:
        """All leaves, itself if it is one."""
        return [leaf for part in self.parts for leaf in part.leaves()] if self.parts else [self]

    def finish(self, default_disposition: str | None = None) -> Entity:
        """The entity, with the fields that its properties stand for."""
        values, lines = self.values, self.fields.lines
        disposition, name = values.get("disposition"), (values.get("name") or "").strip()
        if "content-disposition" not in lines:
            disposition = disposition or default_disposition
            if disposition:
                given = {"filename": name} if name else {}
                lines["content-disposition"] = compose.structured("Content-Disposition", disposition.lower(), given)
            elif name:
                self.entity.parameters["name"] = name
        self.entity.fields = list(lines.values())
        if self.parts:
            self.entity.parts = [part.finish() for part in self.parts]
        return self.entity


class PartReader:
    """Reads the EmailBodyParts of one Email; what is wrong with them goes to `wrong`."""

    def __init__(self, wrong: Wrong, body_values: Any) -> None:
        self._wrong = wrong
        self._values = self._body_values(body_values)
        self._part_ids: dict[str, str] = {}
        self._count = 0

    def _body_values(self, given: Any) -> dict[str, str]:
        if given is None:
            return {}
        if not isinstance(given, dict):
            self._wrong.add("bodyValues", "must be String[EmailBodyValue]")
            return {}
        found = {}
        for part_id, value in given.items():
            path = f"bodyValues/{_escaped(part_id)}"
            found[part_id] = ""
            if not isinstance(value, dict):
                self._wrong.add(path, "must be an EmailBodyValue")
                continue
            for name, item in value.items():
                is_flag = name in ("isEncodingProblem", "isTruncated")
                if (is_flag and item is not False) or (not is_flag and name != "value"):
                    self._wrong.add(f"{path}/{_escaped(name)}", "must be false or omitted")
            if not isinstance(value.get("value"), str):
                self._wrong.add(f"{path}/value", "must be String")
            else:
                found[part_id] = value["value"]
        return found

    def read(self, given: Any, path: str, default_type: str | None = None, depth: int = 0) -> DraftPart:
        """One EmailBodyPart with all beneath it; `default_type` is that of a part which does not tell its own."""
        part = DraftPart(path, Entity(""), Fields(self._wrong), {})
        self._count += 1
        if not isinstance(given, dict) or depth > DEEPEST or self._count > MOST_PARTS:
            self._wrong.add(path, "must be an EmailBodyPart, and there may not be too many")
            return part
        part.values = self._properties(part, given)
        part.entity.type = self._type(part, default_type)
        if part.entity.type.startswith("multipart/"):
            self._multipart(part, depth)
        else:
            self._leaf(part)
        self._write_fields(part)
        return part

    def _properties(self, part: DraftPart, given: Mapping[str, Any]) -> dict[str, Any]:
        """The properties that are in order, header fields apart, those that are null left out."""
        values = {}
        for name, value in given.items():
            path = f"{part.path}/{_escaped(name)}"
            if name in _CHECKS:
                if not _CHECKS[name](value):
                    self._wrong.add(path, "of the wrong kind")
                elif value is not None:
                    values[name] = value
                    if name in _FIELDS and name not in ("charset", "name"):
                        part.fields.claim(_FIELDS[name], path)
            elif not name.startswith("header:") or part.fields.add(path, name, value) in (
                None,
                "content-transfer-encoding",
            ):
                self._wrong.add(path, "this cannot be given")
        for name in ("charset", "name"):
            if name in values and _FIELDS[name].lower() in part.fields.lines:
                part.fields.claim(_FIELDS[name], f"{part.path}/{name}")
        return values

    def _type(self, part: DraftPart, default: str | None) -> str:
        """The media type in lower case."""
        values, path = part.values, f"{part.path}/type"
        line = part.fields.lines.pop("content-type", None)
        if line is not None:
            found = content_type(line.partition(b":")[2].rstrip(b"\r\n"))
            part.entity.content_type = line
            if found.boundary is not None:
                self._wrong.add(part.fields.owners["content-type"], "the server chooses the boundary")
            return found.type
        if "type" in values:
            if not compose.TYPE_NAME.fullmatch(values["type"]):
                self._wrong.add(path, "not a media type")
            return str(values["type"]).lower()
        if "subParts" in values:
            return "multipart/mixed"
        return default or ("application/octet-stream" if "blobId" in values else "text/plain")

    def _multipart(self, part: DraftPart, depth: int) -> None:
        for name in ("partId", "blobId", "charset"):
            if name in part.values:
                self._wrong.add(f"{part.path}/{name}", "a multipart has none")
        children = part.values.get("subParts")
        if not children:
            self._wrong.add(f"{part.path}/subParts", "a multipart has at least one part")
            return
        part.parts = [
            self.read(child, f"{part.path}/subParts/{number}", None, depth + 1) for number, child in enumerate(children)
        ]
        if part.entity.type == "multipart/related" and part.entity.content_type is None:
            part.entity.parameters["type"] = part.parts[0].entity.type

    def _leaf(self, part: DraftPart) -> None:
        values, path = part.values, part.path
        if "subParts" in values:
            self._wrong.add(f"{path}/subParts", "only a multipart has parts")
        if ("partId" in values) == ("blobId" in values):
            for name in ("partId", "blobId"):
                self._wrong.add(f"{path}/{name}", "a part has either a partId or a blobId")
        elif "blobId" in values:
            part.blob_id = values["blobId"]
        else:
            self._text(part, values["partId"])
        charset = values.get("charset")
        if charset is not None and "partId" not in values:
            if not _TOKEN.fullmatch(charset):
                self._wrong.add(f"{path}/charset", "not the name of a charset")
            part.entity.parameters["charset"] = charset

    def _text(self, part: DraftPart, part_id: str) -> None:
        """Fill in a part whose content is among the bodyValues."""
        path = part.path
        part.text = self._values.get(part_id)
        if part.text is None:
            self._wrong.add(f"{path}/partId", "not in bodyValues")
            return
        first = self._part_ids.setdefault(part_id, f"{path}/partId")
        if first != f"{path}/partId":
            self._wrong.add(f"{path}/partId", "the partId of another part")
        for name in ("charset", "size"):
            if name in part.values:
                self._wrong.add(f"{path}/{name}", "must be omitted with a partId")
        octets = part.text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode()
        part.entity.octets = octets
        line = part.entity.content_type
        if line is None or not _CHARSET_PARAMETER.search(line):
            if line is None or not octets.isascii():
                part.entity.parameters["charset"] = "us-ascii" if octets.isascii() else "utf-8"
        else:
            charset = (content_type(line.partition(b":")[2].rstrip(b"\r\n")).charset or "").lower()
            if charset != "utf-8" and not (charset == "us-ascii" and octets.isascii()):
                self._wrong.add(part.fields.owners["content-type"], "text is written in UTF-8")

    def _write_fields(self, part: DraftPart) -> None:
        """Write the fields that the properties stand for, but for those that depend on where the part goes."""
        values = part.values
        writers: dict[str, Callable[[Any], bytes]] = {
            "disposition": lambda value: _matching(_TOKEN, value),
            "name": lambda value: "".join(compose.parameters({"filename": value})).encode(),
            "cid": lambda value: compose.field("Content-ID", "MessageIds", [value]),
            "language": _language,
            "location": lambda value: compose.field("Content-Location", "Text", _matching(_LOCATION, value).decode()),
        }
        for name, write in writers.items():
            if name in values:
                try:
                    line = write(values[name])
                except ValueError as error:
                    self._wrong.add(f"{part.path}/{name}", str(error))
                else:
                    if name not in ("disposition", "name") and line:
                        part.fields.lines[_FIELDS[name].lower()] = line


def _language(tags: list[str]) -> bytes:
    return compose.field("Content-Language", "Text", ", ".join(_matching(_LANGUAGE, tag).decode() for tag in tags))


def _matching(pattern: re.Pattern[str], value: str) -> bytes:
    if not pattern.fullmatch(value):
        raise compose.NotWritable("not what this property may be")
    return value.encode()


def _escaped(name: str) -> str:
    """A name as a piece of a path (RFC 6901 §3), not too long."""
    return name[:100].replace("~", "~0").replace("/", "~1")
