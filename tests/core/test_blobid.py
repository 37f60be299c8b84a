"""blobIds: what they name, and parts of parts."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.core import blobid
from jmaplite.core.blobid import MOST_CUTS, BlobRef
from jmaplite.core.kinds import is_id

DIGEST = bytes(range(32))
CUTS = st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 2**40), st.sampled_from("nbq")), max_size=12)


@given(CUTS)
def test_what_is_written_is_read_back_and_is_an_id(cuts: list[tuple[int, int, str]]) -> None:
    ref = BlobRef(DIGEST)
    for cut in cuts:
        if ref.is_innermost:
            break
        ref = ref.part(*cut)
        assert is_id(str(ref))
        assert blobid.parse(str(ref)) == ref


ZEROS = "G" + "0" * 64


@pytest.mark.parametrize(
    "text",
    [
        "",
        "G",
        ZEROS[:-1],
        "G" + "A" * 64,
        ZEROS + "\n",
        ZEROS + "-1",
        ZEROS + "-01-2-n",
        ZEROS + "-1-2-x",
        ZEROS + "-0-9-n-0-1-n",
        ZEROS + "-0-9-b" * (MOST_CUTS + 1),
    ],
)
def test_nothing_else_is_a_blob_id(text: str) -> None:
    assert blobid.parse(text) is None


def test_a_part_of_an_unencoded_part_is_named_from_the_outermost() -> None:
    assert BlobRef(DIGEST).part(100, 50, "n").part(10, 5, "b") == BlobRef(DIGEST, 110, 5, "b")


def cut(ref: BlobRef, octets: bytes) -> bytes | None:
    start = ref.start or 0
    end = None if ref.length is None else start + ref.length
    return ref.decoded(octets[start:end], lambda found, encoding: base64.b64decode(found))


def test_a_part_of_an_encoded_part_is_cut_from_what_was_decoded() -> None:
    inner = base64.b64encode(b"0123456789")
    octets = b"xx" + base64.b64encode(b"yyy" + inner)
    whole = BlobRef(DIGEST).part(2, len(octets) - 2, "b")
    assert cut(whole, octets) == b"yyy" + inner
    part = whole.part(3, len(inner), "b")
    assert cut(part, octets) == b"0123456789"
    assert cut(part.part(2, 5, "n").part(1, 2, "n"), octets) == b"34"
    assert part.part(2, 5, "n").part(1, 2, "n") == part.part(3, 2, "n")


@pytest.mark.parametrize(("start", "length"), [(0, 11), (10, 1), (9, 2)])
def test_what_goes_beyond_the_end_names_nothing(start: int, length: int) -> None:
    octets = base64.b64encode(b"0123456789")
    assert cut(BlobRef(DIGEST).part(0, len(octets), "b").part(start, length, "n"), octets) is None
    assert cut(BlobRef(DIGEST).part(start, length + 10, "n"), octets) is None
