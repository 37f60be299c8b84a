"""Body parts and body values of an Email as JSON has them (RFC 8621 §4.1.4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from jmaplite.core.blobid import BlobRef
from jmaplite.core.errors import invalid_arguments
from jmaplite.core.methods.get import MOST_PROPERTIES
from jmaplite.core.schema import Argument
from jmaplite.datatypes.mail.header_properties import Header, parse_header_property
from jmaplite.formats import mime
from jmaplite.formats.mime import Message, Part

PART_PROPERTIES = (
    "partId", "blobId", "size", "headers", "name", "type", "charset", "disposition", "cid", "language", "location",
    "subParts",
)  # fmt: skip

DEFAULT_BODY_PROPERTIES = (
    "partId", "blobId", "size", "name", "type", "charset", "disposition", "cid", "language", "location",
)  # fmt: skip

BODY_ARGUMENTS = {
    "bodyProperties": Argument("String[]", DEFAULT_BODY_PROPERTIES),
    "fetchTextBodyValues": Argument("Boolean", False),
    "fetchHTMLBodyValues": Argument("Boolean", False),
    "fetchAllBodyValues": Argument("Boolean", False),
    "maxBodyValueBytes": Argument("UnsignedInt", 0),
}
"""The arguments that Email/get and Email/parse share (RFC 8621 §4.2, §4.9)."""

BODY_PROPERTIES = frozenset({"bodyStructure", "textBody", "htmlBody", "attachments", "bodyValues"})


def check_body_properties(names: Collection[str]) -> None:
    """Raises MethodError invalidArguments for a name that is no property of an EmailBodyPart, or too many of them."""
    if len(names) > MOST_PROPERTIES:
        raise invalid_arguments(f"bodyProperties: more than {MOST_PROPERTIES}")
    for name in names:
        if name not in PART_PROPERTIES and parse_header_property(name) is None:
            raise invalid_arguments(f"bodyProperties: EmailBodyPart has no property {name!r}"[:200])


@dataclass(slots=True)
class Body:
    """One message with what its parts are told by: the blob that it is, and its octets, read when needed."""

    blob: BlobRef
    message: Message
    octets: Callable[[], bytes]
    properties: Sequence[str]
    guess: bool
    """Whether charsets may be guessed (RFC 8621 §9.1)."""

    def value(self, name: str, arguments: dict[str, Any]) -> Any:
        """One of the body properties of an Email."""
        if name == "bodyStructure":
            return self.part(self.message.root, nested=True)
        if name == "bodyValues":
            return self.values(arguments)
        parts = {
            "textBody": self.message.text_body,
            "htmlBody": self.message.html_body,
            "attachments": self.message.attachments,
        }[name]
        return [self.part(part) for part in parts]

    def part(self, part: Part, *, nested: bool = False) -> dict[str, Any]:
        """An EmailBodyPart; `nested` ones have their subParts."""
        answer: dict[str, Any] = {}
        header = None
        for name in self.properties:
            if name == "headers" or name.startswith("header:"):
                if header is None:
                    header = Header(mime.header_fields(self.octets(), part.header_start, part.header_end))
                answer[name] = header.value(name)
            elif name != "subParts":
                answer[name] = self._simple(part, name)
        if nested and part.sub_parts is not None:
            answer["subParts"] = [self.part(child, nested=True) for child in part.sub_parts]
        elif "subParts" in self.properties:
            answer["subParts"] = None
        return answer

    def _simple(self, part: Part, name: str) -> Any:
        if name == "partId":
            return part.part_id
        if name == "blobId":
            if part.sub_parts is not None:
                return None
            return str(self.blob.part(part.body_start, part.body_end - part.body_start, part.encoding or "n"))
        return getattr(part, name)

    def values(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The bodyValues that the arguments ask for (RFC 8621 §4.2)."""
        parts: list[Part] = []
        if arguments["fetchAllBodyValues"]:
            parts = list(self.message.leaves())
        else:
            if arguments["fetchTextBodyValues"]:
                parts += self.message.text_body
            if arguments["fetchHTMLBodyValues"]:
                parts += self.message.html_body
        found: dict[str, Any] = {}
        for part in parts:
            if part.part_id is None or part.part_id in found or not part.type.startswith("text/"):
                continue
            most = arguments["maxBodyValueBytes"]
            value, problem, truncated = mime.body_value(self.octets(), part, most, guess=self.guess)
            found[part.part_id] = {"value": value, "isEncodingProblem": problem, "isTruncated": truncated}
        return found
