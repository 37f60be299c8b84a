"""The formats in which people have their passwords."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.config.kinds import SECRET, Wrong
from jmaplite.directory.passwords import is_hash, verify

PASSWORD = "sésame"


def ldap(scheme: str, algorithm: str, salt: bytes = b"") -> str:
    digest = hashlib.new(algorithm, PASSWORD.encode() + salt).digest()
    return f"{{{scheme}}}{base64.b64encode(digest + salt).decode()}"


HASHES = [
    # argon2-cffi's, bcrypt's, and those that `openssl passwd` makes; two are libpass's own
    "$argon2id$v=19$m=8,t=1,p=1$3vFr3C9pHir/qYs9LAoOxw$/KLUmtHDQU58ztjFx/49whDcD7LH3NT6rwBAxEyjc6o",
    "$2b$04$.GLxLoG4bwlPDz69NgYjtO5/HPATBz259njPxHLnfcO54YilKCabW",
    "$2y$04$.GLxLoG4bwlPDz69NgYjtO5/HPATBz259njPxHLnfcO54YilKCabW",
    "$5$saltsalt$jxcF/AzFTsaZRYCpw4KMEVWneGifj8ZZCvttPbWlUv2",
    "$6$saltsalt$FLtSHh7tnKh6BgFpeFNodUKOWj2l8emsHWk.C.YPwxzQdzU4Sy8z3g4.8ZkVpc8f4TXuNOd7geBsuHrzdxUap/",
    "$1$saltsalt$L32LRA1aCOPagi/CDImQj/",
    "$pbkdf2-sha256$100$S0mJ0ZpzLsVYCyHE.F.LkQ$4aQAld.j0Y8hz2D/7c17HDMP1oAIznx42Dznb4nyer0",
    "$scrypt$ln=4,r=8,p=1$/783JkRorXXOmZOy9j7H2A$amFFBg59M06UugQ9c2qV0nmk33DnHdlazfzr5dqlibQ",
    ldap("SHA", "sha1"),
    ldap("SSHA", "sha1", b"salt"),
    ldap("ssha", "sha1", b"saltsalt"),
    ldap("SSHA256", "sha256", b"saltsalt"),
    ldap("SSHA512", "sha512", b"saltsalt"),
    ldap("MD5", "md5"),
    ldap("SMD5", "md5", b"salt"),
]

WRAPPED = [
    "{CRYPT}$1$saltsalt$L32LRA1aCOPagi/CDImQj/",
    "{MD5-CRYPT}$1$saltsalt$L32LRA1aCOPagi/CDImQj/",
    "{BLF-CRYPT}$2y$04$.GLxLoG4bwlPDz69NgYjtO5/HPATBz259njPxHLnfcO54YilKCabW",
    "{ARGON2}$argon2id$v=19$m=8,t=1,p=1$3vFr3C9pHir/qYs9LAoOxw$/KLUmtHDQU58ztjFx/49whDcD7LH3NT6rwBAxEyjc6o",
]


@pytest.mark.parametrize("secret", HASHES + WRAPPED)
def test_a_password_fits_its_hash_and_nothing_else_does(secret: str) -> None:
    assert is_hash(secret)
    assert verify(secret, PASSWORD)
    for other in ("", "sesame", PASSWORD + "x", secret):
        assert not verify(secret, other)
    assert SECRET.parse(secret) == secret, "and it may stand in the configuration"


@pytest.mark.parametrize("secret", ["{PLAIN}{SHA}x", "{clear}{SHA}x", "{CLEARTEXT}{SHA}x"])
def test_a_plain_password_may_be_marked_as_one(secret: str) -> None:
    assert not is_hash(secret)
    assert verify(secret, "{SHA}x")
    assert not verify(secret, secret)
    assert SECRET.parse(secret)


@pytest.mark.parametrize(
    "secret",
    [
        "$y$j9T$salt$hash",
        "{UNKNOWN}x",
        "$7$x",
        "$2b$04$short",
        "{SSHA}!!",
        "{SSHA}",
        "$6$",
        "$5$rounds=x$a$b",
        "$argon2id$",
    ],
)
def test_what_is_unknown_or_damaged_lets_nobody_in(secret: str) -> None:
    """Not even whoever has stolen it."""
    assert not verify(secret, secret)
    assert not verify(secret, "")
    with pytest.raises(Wrong):
        SECRET.parse(secret)


@pytest.mark.parametrize(
    "secret",
    [
        "$6$rounds=999999999$saltsalt$" + "x" * 86,
        "$2b$31$.GLxLoG4bwlPDz69NgYjtO5/HPATBz259njPxHLnfcO54YilKCabW",
        "$pbkdf2-sha256$4000000000$S0mJ0ZpzLsVYCyHE.F.LkQ$4aQAld.j0Y8hz2D/7c17HDMP1oAIznx42Dznb4nyer0",
        "$scrypt$ln=30,r=8,p=1$/783JkRorXXOmZOy9j7H2A$amFFBg59M06UugQ9c2qV0nmk33DnHdlazfzr5dqlibQ",
        "$argon2id$v=19$m=999999999,t=1,p=1$3vFr3C9pHir/qYs9LAoOxw$/KLUmtHDQU58ztjFx/49whDcD7LH3NT6rwBAxEyjc6o",
    ],
)
def test_a_hash_that_would_take_for_ever_is_not_tried(secret: str) -> None:
    """People may write their own hashes into an LDAP server."""
    assert not verify(secret, PASSWORD)


@given(secret=st.text() | st.sampled_from(HASHES).flatmap(lambda one: st.text(max_size=5).map(one[:-3].__add__)))
def test_no_secret_breaks_it(secret: str) -> None:
    verify(secret, "x")


def test_a_long_password_fits_the_hash_that_bcrypt_made_of_its_beginning() -> None:
    import bcrypt

    kept = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    assert verify(kept, "x" * 100)
    assert not verify(kept, "x" * 71)
