"""SieveScript (RFC 9661 §2): scripts by their names, of which one may be active."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from jmaplite.blobs import Staged, UnknownBlob
from jmaplite.core import blobid, collation, quota
from jmaplite.core.blobid import BlobRef
from jmaplite.core.conditions import Scan
from jmaplite.core.context import Access, Context
from jmaplite.core.errors import SetError, invalid_properties
from jmaplite.core.named_blobs import find_blob
from jmaplite.core.records import Records
from jmaplite.core.schema import Argument, DataType, Property, Sort
from jmaplite.datatypes.sieve.capability import SIEVE, SieveSettings, sieve_settings
from jmaplite.datatypes.sieve.memory import MEMORY
from jmaplite.datatypes.sieve.parsed import parse
from jmaplite.formats import mime, sieve
from jmaplite.store import Reader, Writer

_FORBIDDEN = re.compile(r"[\0-\x1f\x7f-\x9f\u2028\u2029]")


def is_name(name: str) -> bool:
    """Whether a script may be called so, its length aside (RFC 9661 §2.1, RFC 5804 §1.6)."""
    return bool(name) and not _FORBIDDEN.search(name)


class ScriptType(DataType):
    """The type SieveScript."""

    def check(self, name: str, value: Any) -> bool:
        """Whether a value is of a property's kind."""
        return super().check(name, value) and not (name == "name" and value is not None and not is_name(value))


SIEVE_SCRIPT = ScriptType(
    "SieveScript",
    SIEVE,
    prefix="F",
    methods=("get", "changes", "set", "query", "queryChanges"),
    properties={
        "name": Property("String|null", default=None, collated=True),
        "blobId": Property("Id"),
        "isActive": Property("Boolean", default=False, server_set=True),
    },
    sorts={
        "name": Sort("{a}.name_key", text="{a}.name", mutable=frozenset({"name"})),
        "isActive": Sort("{a}.is_active", mutable=frozenset({"isActive"})),
    },
    set_arguments={
        "onSuccessActivateScript": Argument("String|null"),
        "onSuccessDeactivateScript": Argument("Boolean|null"),
    },
    extra_tables=(MEMORY,),
    uses_quota=True,
)


class ScriptRecords(Records):
    """Scripts; what they consist of is in blobs."""

    def resolve(self, ctx: Context, prop: Property, value: Any) -> Any:
        """A blobId may be # and the creation id of a blob (RFC 9404 §4.1)."""
        if prop is self.type.properties["blobId"] and isinstance(value, str):
            return ctx.resolved(value)
        return super().resolve(ctx, prop, value)

    def columns(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The name is kept in Net-Unicode's normal form (RFC 5198 §3)."""
        if record.get("name") is not None:
            record = {**record, "name": unicodedata.normalize("NFC", record["name"])}
        return super().columns(record)

    def prepare(self, ctx: Context, access: Access, given: Mapping[str, Any]) -> Staged | None:
        """The content of a script to be made. Raises SetError: blobNotFound, tooLarge, invalidSieve."""
        if not isinstance(given.get("blobId"), str):
            return None  # that is refused later on, with all else that is wrong
        with ctx.account(access).read() as tx:
            return _checked(ctx, tx, given["blobId"])

    def insert(
        self, ctx: Context, access: Access, tx: Writer, record: Mapping[str, Any], prepared: Any
    ) -> tuple[int, dict[str, Any]]:
        """Make a script, not active; without a name it is called by its id. Raises SetError overQuota."""
        quota.take(tx, self.type.name, prepared.size)
        record = {**record, "blobId": blobid.format(prepared.digest), "isActive": False}
        number, told = super().insert(ctx, access, tx, record, prepared)
        if record["name"] is None:
            told["name"] = self._name_by_id(tx, number)
        ctx.services.blobs.put(tx, prepared)
        ctx.services.blobs.refer(tx, prepared.digest, self.type.name, number)
        return number, told

    def update(
        self, ctx: Context, access: Access, tx: Writer, number: int, changes: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Change the name or the content. Raises SetError: blobNotFound, tooLarge, invalidSieve, overQuota."""
        values = dict(changes)
        if "blobId" in changes:
            staged, blobs = _checked(ctx, tx, changes["blobId"]), ctx.services.blobs
            old = digest_of(tx, number)
            quota.take(tx, self.type.name, staged.size)
            quota.give_back(tx, self.type.name, blobs.size(tx, old))
            values["blobId"] = blobid.format(staged.digest)
            blobs.unrefer(tx, old, self.type.name, number)
            blobs.put(tx, staged)
            blobs.refer(tx, staged.digest, self.type.name, number)
        super().update(ctx, access, tx, number, values)
        if "name" in values:
            values["name"] = (
                self._name_by_id(tx, number) if values["name"] is None else unicodedata.normalize("NFC", values["name"])
            )
        return {name: value for name, value in values.items() if value != changes[name]} or None

    def destroy(self, ctx: Context, access: Access, tx: Writer, number: int, arguments: Mapping[str, Any]) -> None:
        """End a script. Raises SetError sieveIsActive."""
        if tx.value("SELECT is_active FROM sieve_script WHERE account=? AND id=?", tx.account, number):
            raise SetError("sieveIsActive", "the script is active")
        digest, blobs = digest_of(tx, number), ctx.services.blobs
        quota.give_back(tx, self.type.name, blobs.size(tx, digest))
        blobs.unrefer(tx, digest, self.type.name, number)
        super().destroy(ctx, access, tx, number, arguments)

    def _name_by_id(self, tx: Writer, number: int) -> str:
        name = self.type.format_id(number)
        columns = self.columns({"name": name})
        sets = ", ".join(f"{column}=?" for column in columns)
        tx.execute(f"UPDATE sieve_script SET {sets} WHERE account=? AND id=?", *columns.values(), tx.account, number)
        return name


SIEVE_SCRIPT.records = ScriptRecords(SIEVE_SCRIPT)


def _checked(ctx: Context, tx: Reader, blob_id: str) -> Staged:
    """The script that a blobId names, staged. Raises SetError: blobNotFound, tooLarge, invalidSieve."""
    octets = content(ctx, tx, blob_id)
    check(sieve_settings(ctx.services), octets)
    return ctx.services.blobs.stage(tx.account_id, octets)


def content(ctx: Context, tx: Reader, blob_id: str) -> bytes:
    """The octets that a blobId names. Raises SetError: blobNotFound, and tooLarge for what no script can be."""
    ref, blobs = find_blob(ctx, tx, blob_id), ctx.services.blobs
    most = sieve_settings(ctx.services).limits.script_size
    try:
        if ref is not None:
            size = blobs.size(tx, ref.digest) if ref.length is None else ref.length
            if size > (most if ref.encoding == "n" and not ref.then else 4 * most):
                raise _too_large(most)
            octets = ref.decoded(blobs.read(tx, ref.digest, ref.start or 0, ref.length), mime.decode)
            if octets is not None:
                return octets
    except UnknownBlob:
        pass
    raise SetError("blobNotFound", "there is no such blob", notFound=[blob_id])


def check(settings: SieveSettings, octets: bytes) -> None:
    """See whether octets are a script. Raises SetError: tooLarge, invalidSieve (with `line` and `column`)."""
    if len(octets) > settings.limits.script_size:
        raise _too_large(settings.limits.script_size)
    try:
        parse(settings, octets)
    except sieve.SieveError as error:
        raise SetError("invalidSieve", str(error), line=error.line, column=error.column) from None


def _too_large(most: int) -> SetError:
    return SetError("tooLarge", f"a script has at most {most} octets", maxSize=most)


@SIEVE_SCRIPT.rule("name")
def name_is_short_and_nobodys(ctx: Context, tx: Writer, number: int) -> None:
    """RFC 9661 §2.1: at most maxSizeScriptName octets, unlike that of any other script."""
    name = tx.value("SELECT name FROM sieve_script WHERE account=? AND id=?", tx.account, number)
    most = sieve_settings(ctx.services).max_name
    if len(name.encode()) > most:
        raise invalid_properties(f"a name has at most {most} octets", "name")
    sql = "SELECT id FROM sieve_script WHERE account=? AND name=? AND id<>? LIMIT 1"
    other = tx.value(sql, tx.account, name, number)
    if other is not None:
        existing = SIEVE_SCRIPT.format_id(other)
        raise SetError("alreadyExists", "another script has this name", properties=["name"], existingId=existing)


@SIEVE_SCRIPT.rule("blobId")
def there_are_not_too_many(ctx: Context, tx: Writer, number: int) -> None:
    """RFC 9661 §1.2.1: maxNumberScripts."""
    most = sieve_settings(ctx.services).max_scripts
    if tx.value("SELECT count(*) FROM sieve_script WHERE account=?", tx.account) > most:
        raise SetError("overQuota", f"an account has at most {most} scripts")


@SIEVE_SCRIPT.condition("name", "String")
def name_contains(ctx: Context, tx: Reader, value: str) -> Scan:
    """RFC 9661 §2.5: the name contains the string, whatever the case."""
    part = collation.key(collation.DEFAULT, value)
    rows = tx.rows("SELECT id, name FROM sieve_script WHERE account=?", tx.account)
    found = ",".join(str(number) for number, name in rows if part in collation.key(collation.DEFAULT, name))
    return Scan(f"{{a}}.id IN ({found or 'NULL'})", mutable=frozenset({"name"}))


@SIEVE_SCRIPT.condition("isActive", "Boolean")
def is_active(ctx: Context, tx: Reader, value: bool) -> Scan:
    """RFC 9661 §2.5: whether the script is active."""
    return Scan("{a}.is_active=?", (int(value),), mutable=frozenset({"isActive"}))


@SIEVE_SCRIPT.referring
def scripts(ctx: Context, access: Access, tx: Reader, ref: BlobRef) -> list[int]:
    """The scripts whose content a blob is."""
    return ctx.services.blobs.referring(tx, ref.digest, SIEVE_SCRIPT.name) if ref.start is None else []


def digest_of(tx: Reader, number: int) -> bytes:
    """The digest of the content of a script that is there."""
    return _digest(tx.value("SELECT blob_id FROM sieve_script WHERE account=? AND id=?", tx.account, number))


def active(tx: Reader) -> tuple[str, bytes] | None:
    """The name of the script that is active and the digest of its content, if one is."""
    row = tx.row("SELECT name, blob_id FROM sieve_script WHERE account=? AND is_active=1", tx.account)
    return None if row is None else (row[0], _digest(row[1]))


def named(tx: Reader, name: str) -> bytes | None:
    """The digest of the content of the script of a name."""
    sql = "SELECT blob_id FROM sieve_script WHERE account=? AND name=?"
    found = tx.value(sql, tx.account, unicodedata.normalize("NFC", name))
    return None if found is None else _digest(found)


def _digest(blob_id: str) -> bytes:
    ref = blobid.parse(blob_id)
    assert ref is not None
    return ref.digest


def activate(tx: Writer, number: int | None) -> dict[int, bool]:
    """Make a script the active one (None: none is); answers the scripts of which that is news."""
    before = {row[0] for row in tx.rows("SELECT id FROM sieve_script WHERE account=? AND is_active=1", tx.account)}
    after = set() if number is None else {number}
    changed = {one: one in after for one in before ^ after}
    for one, is_now in changed.items():
        sql = "UPDATE sieve_script SET is_active=?, changed=? WHERE account=? AND id=?"
        tx.execute(sql, int(is_now), tx.change(SIEVE_SCRIPT.name), tx.account, one)
    return changed
