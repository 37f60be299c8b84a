"""Blob/upload (RFC 9404 §4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from jmaplite.blobs import Staged, UnknownBlob
from jmaplite.core import blobid
from jmaplite.core.context import Access, Arguments, Context, Response
from jmaplite.core.errors import MethodError, SetError
from jmaplite.core.methods.arguments import ACCOUNT_ID, Signature, writable
from jmaplite.core.schema import REQUIRED, Argument
from jmaplite.core.uploads import keep
from jmaplite.datatypes.blob.capability import BLOB
from jmaplite.datatypes.blob.octets import Budget, Octets, Pieces, at_hand, find_octets, stage
from jmaplite.datatypes.blob.sources import UploadObject, read_upload, wrong_data
from jmaplite.store import Reader

UNKNOWN_TYPE = "application/octet-stream"
"""The media type of what the client did not give one, as that of an upload without a Content-Type."""

_SIGNATURE = Signature({"accountId": ACCOUNT_ID, "create": Argument("Id[String[*]]", REQUIRED)})


def upload(ctx: Context, given: Arguments) -> Response:
    """Put blobs together from octets in the request and from other blobs."""
    access = ctx.access(given.get("accountId"), BLOB)
    create = _SIGNATURE.read(given)["create"]
    if len(create) > ctx.limits.max_objects_in_set:
        raise MethodError("requestTooLarge", f"at most {ctx.limits.max_objects_in_set} blobs to create")
    writable(access)
    most = 2 * ctx.limits.max_size_upload
    batch = _Batch(ctx, access, Budget(most), Budget(most))
    batch.run(create)
    return {
        "accountId": access.account_id,
        "created": batch.created or None,
        "notCreated": {name: error.to_json() for name, error in batch.failed.items()} or None,
    }


@dataclass(slots=True)
class _Batch:
    """The creations of one call, and what became of each; `reading` is of what has to be decoded for them."""

    ctx: Context
    access: Access
    writing: Budget
    reading: Budget
    wanted: dict[str, UploadObject] = field(default_factory=dict)
    created: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, SetError] = field(default_factory=dict)
    decoded: Octets | None = None
    """What was decoded last, for the next slice of it."""

    def run(self, create: dict[str, Any]) -> None:
        """Create everything, whatever is referred to before what refers to it."""
        for name, given in create.items():
            try:
                self.wanted[name] = read_upload(given)
            except SetError as error:
                self.failed[name] = error
        # A reference to its own name means what has had that name before.
        before = {name: one.back_references() & (create.keys() - {name}) for name, one in self.wanted.items()}
        sorter = TopologicalSorter(before)
        # What is in a circle, or after one, never gets ready.
        with suppress(CycleError):
            sorter.prepare()
        while ready := sorter.get_ready() if sorter.is_active() else ():
            self._create([name for name in create if name in ready and name in self.wanted], before)
            sorter.done(*ready)
        for name in self.wanted.keys() - self.created.keys() - self.failed.keys():
            self.failed[name] = wrong_data("it would be made of itself")

    def _create(self, names: Iterable[str], before: dict[str, set[str]]) -> None:
        """Create blobs that do not refer to each other, durably."""
        opened: dict[str, tuple[int, list[Pieces]]] = {}
        with self.ctx.account(self.access).read() as tx:
            for name in names:
                try:
                    missing = before[name] & self.failed.keys()
                    if missing:
                        raise wrong_data(f"#{min(missing)} was not created")
                    opened[name] = self._open(tx, self.wanted[name])
                except SetError as error:
                    self.failed[name] = error
        blobs = self.ctx.services.blobs
        staged = {name: stage(blobs, self.access.account_id, size, pieces) for name, (size, pieces) in opened.items()}
        if staged:
            keep(self.ctx.services, self.access.account_id, self.ctx.user, staged.values())
        for name, one in staged.items():
            self._tell(name, one)

    def _tell(self, name: str, one: Staged) -> None:
        blob_id = blobid.format(one.digest)
        self.created[name] = {"id": blob_id, "type": self.wanted[name].type or UNKNOWN_TYPE, "size": one.size}
        self.ctx.created_ids[name] = blob_id

    def _open(self, tx: Reader, wanted: UploadObject) -> tuple[int, list[Pieces]]:
        """The octets of all sources, and their number. Raises SetError."""
        most = self.ctx.limits.max_size_upload
        ranges = list(self._ranges(tx, wanted))
        size = sum(len(one) if isinstance(one, bytes) else one[2] for one in ranges)
        if size > most:
            raise SetError("tooLarge", f"a blob may have {most} octets, not {size}")
        if not self.writing.allows(size):
            raise _busy(self.writing)
        opened = [at_hand(one) if isinstance(one, bytes) else one[0].pieces(*one[1:]) for one in ranges]
        return size, opened

    def _ranges(self, tx: Reader, wanted: UploadObject) -> Iterator[bytes | tuple[Octets, int, int]]:
        """Octets given, and octets of blobs with where the wanted ones start and their number. Raises SetError."""
        for number, source in enumerate(wanted.sources):
            if isinstance(source, bytes):
                yield source
                continue
            try:
                octets = self._find(tx, source.blob_id)
            except UnknownBlob:
                raise wrong_data(f"source {number}: there is no such blob") from None
            left = octets.size - source.offset
            length = left if source.length is None else source.length
            if not 0 <= length <= left:
                raise wrong_data(f"source {number} is beyond the end of its blob")
            yield octets, source.offset, length

    def _find(self, tx: Reader, blob_id: str) -> Octets:
        """The octets of a blob, any encoding undone. Raises UnknownBlob, and SetError rateLimit."""
        octets = find_octets(self.ctx, tx, blob_id)
        if octets is None:
            raise UnknownBlob(blob_id)
        if not octets.is_encoded:
            return octets
        if self.decoded is None or self.decoded.ref != octets.ref:
            if not self.reading.allows(octets.raw_size):
                raise _busy(self.reading)
            octets.decode()
            self.decoded = octets
        return self.decoded


def _busy(budget: Budget) -> SetError:
    return SetError("rateLimit", f"one call takes no more than {budget.most} octets; go on in another one")
