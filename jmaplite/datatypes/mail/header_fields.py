"""The header fields of messages as text, for searches (RFC 8621 §4.4.1 header)."""

from __future__ import annotations

from dataclasses import dataclass, field

from orjson import loads

from jmaplite.core.context import Context
from jmaplite.formats import mime
from jmaplite.store import Reader

_MOST_KEPT = 16_000_000  # octets of headers


def searched_text(value: str) -> str:
    """A value, or what is looked for in it, with differences of case and white space gone."""
    return " ".join(value.lower().split())


@dataclass(slots=True)
class HeaderFields:
    """The fields of one header; `texts` are made when they are first asked for."""

    fields: list[tuple[str, bytes]]
    """Names in lower case, and values."""
    _texts: dict[str, list[str]] = field(default_factory=dict)

    def texts(self, name: str) -> list[str]:
        """The values of the fields of a name (in lower case), as they are searched."""
        found = self._texts.get(name)
        if found is None:
            found = [searched_text(mime.text(value)) for other, value in self.fields if other == name]
            self._texts[name] = found
        return found


@dataclass(slots=True)
class _Kept:
    """Headers read in one request, by the digests of their messages, and how many octets they have together."""

    headers: dict[bytes, HeaderFields] = field(default_factory=dict)
    octets: int = 0


@dataclass(slots=True)
class HeaderReader:
    """Reads headers of Emails, each once for a whole request as long as they are not too large together."""

    ctx: Context
    tx: Reader
    kept: _Kept

    def __call__(self, number: int, digest: bytes) -> HeaderFields:
        """The header of an Email, by its number and the digest of its message."""
        found = self.kept.headers.get(digest)
        if found is not None:
            return found
        structure = self.tx.value("SELECT structure FROM email WHERE account=? AND id=?", self.tx.account, number)
        root = mime.load(loads(structure)).root
        octets = self.ctx.services.blobs.read(self.tx, digest, 0, root.header_end)
        fields = mime.header_fields(octets, root.header_start, root.header_end)
        header = HeaderFields([(name.lower(), value) for name, value in fields])
        if self.kept.octets + len(octets) <= _MOST_KEPT:
            self.kept.octets += len(octets)
            self.kept.headers[digest] = header
        return header


def header_reader(ctx: Context, tx: Reader) -> HeaderReader:
    """What reads headers in a snapshot, for the request under way."""
    return HeaderReader(ctx, tx, ctx.scratch.setdefault(_Kept, _Kept()))
