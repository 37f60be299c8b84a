"""Messages that were damaged at random are read here as the standard library's email package reads them.

Where the two differ on purpose there is a reason below: either the damage is repaired and both have to agree on what
is left, or what they make of it is brought to one form. Whatever else differs is a mistake of one of them.
"""

from __future__ import annotations

import base64
import email
import gzip
import quopri
import random
import re
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jmaplite.formats import compose, mime
from jmaplite.formats.compose import Entity
from jmaplite.formats.mime import Part

ROOT = Path(__file__).parents[2]
CORPUS = ROOT.parent / "shared" / "corpus" / "dovecot-list.mbox.gz"

Tree = tuple[str, Any]
"""A media type, and the trees of a multipart or the content of a leaf (None if the library has taken it apart)."""

FRAGMENTS = [
    b"\r\n", b"\n", b"\r\n\r\n", b"--", b" folded\r\n", b"\tfolded\r\n", b"no field\r\n", b"\xff", b"\r", b";", b'"',
    b"(", b")", b"=", b"=C3=A9", b"YWJj", b"--xx\r\n", b"--xx--\r\n", b"Content-Type: text/html; charset=utf-8\r\n",
    b"Content-Type: multipart/mixed; boundary=xx\r\n", b"Content-Type: multipart/digest; boundary=xx\r\n",
    b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n",
]  # fmt: skip


def samples() -> list[bytes]:
    """Messages that come with the program, and some of the corpus of real mail where it is there."""
    found = [path.read_bytes() for path in sorted((ROOT / "examples").rglob("*")) if path.suffix == ".eml"]
    if CORPUS.exists():
        messages = re.split(rb"(?m)^From [^\n]*\n", gzip.decompress(CORPUS.read_bytes()))[1:]
        found += messages[::80] + [octets for octets in messages if b"\nContent-Type: multipart" in octets][::10]
    return found


SAMPLES = samples()


def damaged(octets: bytes, rnd: random.Random) -> bytes:
    """The message with one to three things wrong, mostly where its structure is."""
    for _ in range(rnd.randint(1, 3)):
        lines = octets.split(b"\n")
        hot = [n for n, line in enumerate(lines) if line[:2] == b"--" or b"ontent-" in line or not line.strip()]
        at = rnd.choice(hot) if hot and rnd.random() < 0.6 else rnd.randrange(len(lines))
        place = rnd.randrange(len(octets) + 1)
        match rnd.randrange(8):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[rnd.randrange(len(lines))])
            case 2:
                lines.insert(at, rnd.choice(FRAGMENTS).removesuffix(b"\n"))
            case 3:
                column = rnd.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:column] + rnd.choice(FRAGMENTS) + lines[at][column:]
            case 4:
                lines = [line.removesuffix(b"\r") for line in lines]
            case 5:
                lines = [octets[:place]]
            case 6:
                lines = [octets[:place] + rnd.choice(FRAGMENTS) + octets[place:]]
            case 7:
                lines = [octets[:place] + bytes([rnd.randrange(1, 256)]) + octets[place + 1 :]]
        octets = b"\n".join(lines)
    return octets


def ours(octets: bytes) -> Tree:
    """What this reader makes of a message."""

    def tree(part: Part) -> Tree:
        if part.sub_parts is not None:
            return part.type, [tree(each) for each in part.sub_parts]
        return part.type, mime.part_octets(octets, part)

    return tree(mime.parse(octets).root)


def theirs(octets: bytes) -> Tree:
    """What the library makes of it, each content decoded by the library if the encoding is as it has to be."""

    def tree(part: Message) -> Tree:
        kind, payload = part.get_content_type(), part.get_payload()
        if isinstance(payload, list):
            is_divided = part.get_content_maintype() == "multipart"
            inner = [each for each in payload if isinstance(each, Message)]
            if is_divided:
                return kind, [tree(each) for each in inner]
            return kind, None if any(each.keys() or each.get_payload() for each in inner) else b""
        encoding = encoding_of(part)
        del part["content-transfer-encoding"]
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        if part.get_content_maintype() == "multipart":
            return kind, [("text/plain", content)]
        if encoding in WELL_FORMED:
            packed = b"".join(content.split()) if encoding == "base64" else content
            is_good = WELL_FORMED[encoding].fullmatch(packed)
            content = DECODERS[encoding](content) if is_good else mime.decode(content, encoding[0])
        return kind, content

    return tree(email.message_from_bytes(octets))


DECODERS: dict[str, Callable[[bytes], bytes]] = {"base64": base64.b64decode, "quoted-printable": quopri.decodestring}

WELL_FORMED = {
    "base64": re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}[A-Za-z0-9+/=]=)?"),
    "quoted-printable": re.compile(rb"(?:[^=\r\n\t ]|[\t ](?![\r\n])|=[0-9A-F]{2}|=?\r\n|=?\n)*(?<![\t ])"),
}
"""Well-formed content. In other base64 each reader saves what it can: the library nothing when a character is missing,
this one all before it. In other quoted-printable, white space before a line end goes here (RFC 2045 §6.7 rule 3)."""


def encoding_of(part: Message) -> str:
    """The encoding by its first word: the library wants nothing beside it."""
    found = re.match(r"[\s\"]*([A-Za-z0-9-]*)", str(part.get("content-transfer-encoding", "")))
    return found[1].lower() if found else ""


CONTENT_TYPE = re.compile(rb'\s*[\w.+-]+/[\w.+-]+(?:\s*;\s*[\w*-]+=(?:"[^"\\]*"|[^\s";()]+))*\s*;?\s*', re.A)


def has_odd_type(octets: bytes) -> bool:
    """A Content-Type that is more or less than two words and parameters: each reader takes what it can from it."""
    for start, end in headers(octets):
        for name, value in mime.header_fields(octets, start, end):
            if name.lower() == "content-type" and not CONTENT_TYPE.fullmatch(value):
                return True
    return False


def headers(octets: bytes) -> list[tuple[int, int]]:
    """Where the header sections are that this reader finds."""

    def places(part: Part) -> list[tuple[int, int]]:
        below = [place for each in part.sub_parts or () for place in places(each)]
        return [(part.header_start, part.header_end), *below]

    return places(mime.parse(octets).root)


def without_stray_lines(octets: bytes) -> bytes:
    """A line in a header that is no field: this reader passes over it, the library ends the header there.

    Nobody's mail is to lose its subject and its structure because of one bad line.
    """
    for start, end in reversed(headers(octets)):
        lines = octets[start:end].splitlines(keepends=True)
        kept: list[bytes] = []
        for number, line in enumerate(lines):
            is_mbox = number == 0 and start == 0 and re.match(rb">?From ", line)
            is_field = re.match(rb"[!-9;-~]+:", line) or (line[:1] in b" \t" and kept and line.strip())
            kept += [line] if is_field and not is_mbox else []
        octets = octets[:start] + b"".join(kept) + octets[end:]
    return octets


def without_bare_cr(octets: bytes) -> bytes:
    """A CR alone: a line end for the library; here only where there are no others (RFC 5322 §2.3 has none)."""
    return re.sub(rb"\r(?!\n)", b" ", octets) if b"\n" in octets else octets


def without_leading_continuations(octets: bytes) -> bytes:
    """A line that continues none, or names no field, at a part's beginning: content here, dropped by the library."""
    return re.sub(rb"(\A|\n--[^\n]*\n)(?:[ \t:][^\n]*(?:\n|\Z))+", rb"\1", octets)


def without_doubled_delimiters(octets: bytes) -> bytes:
    """A delimiter right after another begins a second part, or closes; the library takes it for the same again."""
    return re.sub(rb"(?<![^\n])(--[^\r\n]+)\r?\n(?=\1)", b"", octets)


REPAIRS: list[Callable[[bytes], bytes]] = [
    without_bare_cr,
    without_leading_continuations,
    without_doubled_delimiters,
    without_stray_lines,
]


def repaired(octets: bytes) -> bytes:
    """A message with every repair made; one may be the occasion of another."""
    before = None
    while octets != before:
        before = octets
        for repair in REPAIRS:
            octets = repair(octets)
    return octets


def compared(tree: Tree, *, is_last: bool = True) -> Tree:
    """A tree in one form.

    Blank parts go: after a last delimiter that does not close, the library sees one more, this reader none. Of the very
    last content the final line end goes: where the closing delimiter is missing, the library counts it to that,
    and so does it with all that is in a multipart without delimiters. Of such a one it leaves out what comes from a
    closing delimiter on, and this reader nothing.
    """
    kind, content = tree
    if isinstance(content, list):
        content = [each for each in content if each not in BLANK]
        is_only = len(content) == 1
        if is_only and isinstance(content[0][1], bytes):
            content = [(content[0][0], CLOSING.sub(b"", content[0][1]))]
        content = [compared(each, is_last=is_only or (is_last and each is content[-1])) for each in content]
        return kind, [each for each in content if each not in BLANK]
    return kind, content.rstrip(b"\r\n") if is_last and content else content


BLANK = (("text/plain", b""), ("message/rfc822", b""))
CLOSING = re.compile(rb"(?:\A|\n)--[^\n]+--\s*(?:\n.*)?\Z", re.S)


def same(one: Tree, other: Tree) -> bool:
    """Whether two trees are; what the library has taken apart further is content here."""
    if one[0] != other[0] or isinstance(one[1], list) != isinstance(other[1], list):
        return False
    if isinstance(one[1], list):
        return len(one[1]) == len(other[1]) and all(map(same, one[1], other[1]))
    return one[1] is None or other[1] is None or bool(one[1] == other[1])


@settings(max_examples=1500)
@given(st.sampled_from(SAMPLES), st.integers(0, 1 << 64))
def test_damaged_messages_are_read_as_the_standard_library_reads_them(sample: bytes, seed: int) -> None:
    octets = repaired(damaged(sample, random.Random(seed)))
    if not has_odd_type(octets):
        assert same(compared(ours(octets)), compared(theirs(octets)))


@settings(max_examples=500)
@given(st.sampled_from(SAMPLES), st.integers(0, 1 << 64))
def test_header_fields_of_damaged_messages_are_those_that_the_library_finds(sample: bytes, seed: int) -> None:
    octets = repaired(damaged(sample, random.Random(seed)))
    start, end = headers(octets)[0]
    found = [(name, value.strip(b" \t\r\n")) for name, value in mime.header_fields(octets, start, end)]
    assert found == [
        (name, str(value).encode("ascii", "surrogateescape").strip(b" \t\r\n"))
        for name, value in email.message_from_bytes(octets).raw_items()
    ]


@pytest.mark.parametrize("sample", SAMPLES)
def test_whole_messages_are_read_alike_without_any_repair(sample: bytes) -> None:
    assert same(compared(ours(sample)), compared(theirs(sample)))


MULTIPART = b"Content-Type: multipart/mixed; boundary=b\n"
PLAIN = b"--b\n\none\n"


@pytest.mark.parametrize(
    ("octets", "repair"),
    [
        (MULTIPART + b"\n" + PLAIN + b"\r--b\n\ntwo\n--b--\n", without_bare_cr),
        (MULTIPART + b"\n--b\n folded\n\none\n--b--\n", without_leading_continuations),
        (MULTIPART + b"\n" + PLAIN + b"--b\n--b--\n\ntwo\n--b--\n", without_doubled_delimiters),
        (b"Subject: x\nno field\n" + MULTIPART + b"\n" + PLAIN + b"--b--\n", without_stray_lines),
    ],
)
def test_every_repair_is_of_something_that_is_read_differently(octets: bytes, repair: Callable[[bytes], bytes]) -> None:
    assert not same(compared(ours(octets)), compared(theirs(octets)))
    assert same(compared(ours(repair(octets))), compared(theirs(repair(octets))))


def test_what_stands_before_a_closing_delimiter_is_not_lost_with_the_opening_one() -> None:
    """It was, before this comparison found it: the multipart seemed to be empty."""
    octets = MULTIPART + b"\n\none\n--b--\n"
    kind, parts = ours(octets)
    assert (kind, [each for each, _ in parts]) == ("multipart/mixed", ["text/plain"])
    assert b"one" in parts[0][1]
    assert ours(MULTIPART + b"\n--b--\n") == ("multipart/mixed", [])


BUILT = ("name", "type", "charset", "disposition", "cid", "language", "location")


def rebuilt(octets: bytes, part: Part) -> Entity:
    """A part to be written anew, from nothing but what was read of it."""
    lines = []
    if part.disposition:
        lines.append(compose.structured("Content-Disposition", part.disposition, {"filename": part.name or ""}))
    if part.cid:
        lines.append(compose.field("Content-ID", "MessageIds", [part.cid]))
    if part.language:
        lines.append(compose.field("Content-Language", "Text", ", ".join(part.language)))
    if part.location:
        lines.append(compose.field("Content-Location", "Text", part.location))
    given = {"charset": part.charset, "name": None if part.disposition else part.name}
    entity = Entity(part.type, lines, {name: value for name, value in given.items() if value})
    if part.sub_parts is not None:
        entity.parts = [rebuilt(octets, each) for each in part.sub_parts]
    else:
        entity.octets = mime.part_octets(octets, part)
    return entity


def described(octets: bytes, part: Part) -> tuple[Any, ...]:
    """All that is told of a part, and its content; messages inside have CRLF at the end of their lines."""
    told = tuple(getattr(part, name) for name in BUILT)
    if part.sub_parts is not None:
        return told, [described(octets, each) for each in part.sub_parts]
    content = mime.part_octets(octets, part)
    return told, re.sub(rb"\r\n|\r|\n", b"\r\n", content) if part.type.startswith("message/") else content


@settings(max_examples=500)
@given(st.sampled_from(SAMPLES), st.integers(0, 1 << 64) | st.none())
def test_what_was_read_and_is_written_anew_is_read_as_the_same(sample: bytes, seed: int | None) -> None:
    """Whole or damaged: reading undoes writing."""
    octets = sample if seed is None else damaged(sample, random.Random(seed))
    first = mime.parse(octets)
    try:
        again = compose.message([], rebuilt(octets, first.root), "seed")
    except compose.NotWritable:
        return
    second = mime.parse(again)
    assert described(again, second.root) == described(octets, first.root)
    assert second.has_attachment == first.has_attachment
    for name in ("text_body", "html_body", "attachments"):
        assert [part.part_id for part in getattr(second, name)] == [part.part_id for part in getattr(first, name)]
