"""What a blobId says, it says in one way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.core import blobid
from jmaplite.core.blobid import BlobRef

DIGEST = bytes(range(32))
HEX = DIGEST.hex()

digests = st.binary(min_size=32, max_size=32)
numbers = st.integers(min_value=0, max_value=2**52 - 1)


@given(digests)
def test_the_id_of_a_whole_blob_names_its_digest(digest: bytes) -> None:
    assert blobid.parse(blobid.format(digest)) == BlobRef(digest)


@given(digests, numbers, numbers, st.sampled_from("nbq"))
def test_the_id_of_a_part_names_where_it_is_and_what_to_undo(
    digest: bytes, start: int, length: int, encoding: str
) -> None:
    found = blobid.parse(blobid.format(digest, start, length, encoding))
    assert found == BlobRef(digest, start, length, encoding)


@given(digests, numbers, numbers, st.sampled_from("nbq"))
def test_an_id_is_an_id_as_rfc_8620_has_it(digest: bytes, start: int, length: int, encoding: str) -> None:
    found = blobid.format(digest, start, length, encoding)
    assert len(found) <= 255
    assert all(c.isascii() and (c.isalnum() or c == "-") for c in found)


def test_ids_look_like_this() -> None:
    assert blobid.format(DIGEST) == f"G{HEX}"
    assert blobid.format(DIGEST, 0, 255, "b") == f"G{HEX}-0-ff-b"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "G",
        HEX,
        f"G{HEX[1:]}",
        f"G{HEX}0",
        f"g{HEX}",
        f"G{HEX.upper()}",
        f"G{HEX}\n",
        f"G{HEX}-",
        f"G{HEX}-0-1",
        f"G{HEX}-0-1-",
        f"G{HEX}-0-1-x",
        f"G{HEX}-0-1-B",
        f"G{HEX}-00-1-n",
        f"G{HEX}-0-01-n",
        f"G{HEX}-A-1-n",
        f"G{HEX}--1-1-n",
        f"G{HEX}-0-1-n-",
        f"G{HEX}-٣-1-n",
        f"G{HEX}-{'f' * 14}-1-n",
    ],
)
def test_what_format_cannot_have_written_names_nothing(text: str) -> None:
    assert blobid.parse(text) is None


@given(st.text(st.sampled_from("Gg0123456789abcfn-qb"), max_size=90))
def test_what_is_read_is_written_again_the_same(text: str) -> None:
    found = blobid.parse(text)
    if found is not None:
        assert blobid.format(found.digest, found.start, found.length, found.encoding) == text
