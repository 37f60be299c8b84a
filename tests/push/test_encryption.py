"""Encryption and signatures, against the examples of their RFCs and a decryption written apart."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.push.encryption import MOST_OCTETS, MOST_TEXT, Keys, decode, encode, encrypt
from jmaplite.push.vapid import LIFETIME, Vapid, new_key
from tests.push.receiver import Push, Reader, open_records, un64

RFC8291 = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_y"
    "l95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)
WATERMELON = b"When I grow up, I want to be a watermelon"


def private(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(un64(text), "big"), ec.SECP256R1())


READER = Reader(private("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"), un64("BTBZMqHH6r4Tts7J_aSIgg"))


def test_a_message_is_encrypted_as_in_the_example() -> None:
    """RFC 8291 §5."""
    sender, salt = private("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), un64("DGv6ra1nlYgDCS1FRnbzlw")
    assert encrypt(WATERMELON, Keys.parse(READER.keys), private=sender, salt=salt) == un64(RFC8291)


def test_the_tests_own_decryption_reads_the_examples() -> None:
    """RFC 8291 §5, RFC 8188 §3.1 and §3.2."""
    assert READER.read(un64(RFC8291)) == WATERMELON
    one = "I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg"
    assert open_records(un64(one), un64("yqdlZ-tYemfogSmv7Ws5PQ")) == b"I am the walrus"
    two = "uNCkWiNYzKTnBN9ji3-qWAAAABkCYTHOG8chz_gnvgOqdGYovxyjuqRyJFjEDyoF1Fvkj6hQPdPHI51OEUKEpgz3SsLWIqS_uA"
    assert open_records(un64(two), un64("BO3ZVPxUlnLORbVGMpbT1Q")) == b"I am the walrus"


@given(st.binary(max_size=MOST_TEXT))
def test_whatever_is_encrypted_is_read_again(text: bytes) -> None:
    body = encrypt(text, Keys.parse(READER.keys))
    assert READER.read(body) == text
    assert len(body) <= MOST_OCTETS


def test_what_does_not_fit_is_refused() -> None:
    assert len(encrypt(bytes(MOST_TEXT), Keys.parse(READER.keys))) == MOST_OCTETS
    with pytest.raises(ValueError, match="too long"):
        encrypt(bytes(MOST_TEXT + 1), Keys.parse(READER.keys))


def test_no_two_messages_are_encrypted_alike() -> None:
    keys = Keys.parse(READER.keys)
    first, second = encrypt(b"x", keys), encrypt(b"x", keys)
    assert first[:16] != second[:16]
    assert first[21:86] != second[21:86]


@given(st.binary(max_size=100))
def test_base64url_is_read_with_padding_and_without(octets: bytes) -> None:
    text = encode(octets)
    assert decode(text, "x") == decode(text + "=" * (-len(text) % 4), "x") == octets


@given(st.text(max_size=100))
def test_any_text_for_keys_is_taken_or_refused(text: str) -> None:
    try:
        Keys.parse({"p256dh": text, "auth": text})
    except ValueError:
        return
    raise AssertionError("no text can be both")


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def signed(vapid: Vapid, audience: str = "https://push.example.net") -> Push:
    return Push("/", {"authorization": vapid.authorization(audience)}, b"")


def test_a_token_says_who_pushes_and_to_whom() -> None:
    clock = Clock()
    vapid = Vapid(new_key, "mailto:push@example.com", clock)
    claims = signed(vapid).check_vapid(vapid.application_server_key, "https://push.example.net", clock.now)
    assert claims == {"aud": "https://push.example.net", "exp": clock.now + LIFETIME, "sub": "mailto:push@example.com"}
    other = Vapid(new_key, "", clock)
    assert "sub" not in signed(other).check_vapid(other.application_server_key, "https://push.example.net", clock.now)


def test_a_token_is_used_again_for_a_while() -> None:
    clock = Clock()
    vapid = Vapid(new_key, "", clock)
    first = vapid.authorization("https://a.example")
    clock.now += LIFETIME / 2
    assert vapid.authorization("https://a.example") == first
    assert vapid.authorization("https://b.example") != first
    clock.now += 1
    assert vapid.authorization("https://a.example") != first
    clock.now -= 10 * LIFETIME
    signed(vapid, "https://a.example").check_vapid(vapid.application_server_key, "https://a.example", clock.now)


def test_the_key_stays_the_same_with_what_is_kept() -> None:
    pem = new_key()
    assert (
        Vapid(lambda: pem, "", Clock()).application_server_key == Vapid(lambda: pem, "", Clock()).application_server_key
    )
    assert Vapid(new_key, "", Clock()).application_server_key != Vapid(lambda: pem, "", Clock()).application_server_key


def test_no_more_tokens_are_kept_than_allowed() -> None:
    vapid = Vapid(new_key, "", Clock())
    for number in range(1100):
        vapid.authorization(f"https://{number}.example")
    assert len(vapid._tokens) == 1000
