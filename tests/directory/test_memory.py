"""Who may log in to a directory in memory, and at what cost."""

from __future__ import annotations

import unicodedata
from typing import Literal

import argon2
import pytest

from jmaplite.directory import Directory, Principal, passwords
from jmaplite.directory.memory import Entry, MemoryDirectory
from jmaplite.directory.tokens import hash_token

CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

JANE = Principal("jane", emails=("Jane@Example.org", "j@example.org"), member_of=("staff",))
JOE = Principal("joe@example.org", "admin")
STAFF = Principal("staff", "group", emails=("staff@example.org",))


def directory(*entries: Entry) -> MemoryDirectory:
    return MemoryDirectory(entries)


@pytest.fixture
def people() -> Directory:
    return directory(
        Entry(JANE, (CHEAP.hash("first"), CHEAP.hash("second"), "third"), ("phone:" + hash_token("T-1"),)),
        Entry(JOE, ("joe's",), (hash_token("T-2"), hash_token("T-3"))),
        Entry(STAFF),
    )


@pytest.mark.parametrize("password", ["first", "second", "third"])
def test_any_of_the_secrets_lets_in(people: Directory, password: str) -> None:
    assert people.verify_password("jane", password) == JANE


@pytest.mark.parametrize("password", ["", "First", "joe's", "first ", "first\0", "\ud800", CHEAP.hash("first")])
def test_any_other_password_does_not(people: Directory, password: str) -> None:
    assert people.verify_password("jane", password) is None


@pytest.mark.parametrize("name", ["jane@example.org", "JANE@EXAMPLE.ORG", "J@Example.Org"])
def test_an_address_may_stand_for_the_name_in_any_case(people: Directory, name: str) -> None:
    assert people.verify_password(name, "first") == JANE


@pytest.mark.parametrize("name", ["Jane", "jane ", "", "nobody", "example.org", "\ud800"])
def test_a_name_is_taken_to_the_letter(people: Directory, name: str) -> None:
    assert people.verify_password(name, "first") is None


def test_a_name_that_is_somebody_elses_address_is_the_name() -> None:
    people = directory(Entry(Principal("a@x", emails=("b@x",)), ("A",)), Entry(Principal("b@x"), ("B",)))
    assert people.verify_password("b@x", "A") is None
    assert people.verify_password("b@x", "B") == Principal("b@x")


@pytest.mark.parametrize("password", ["", "None", "staff", "joe's"])
def test_who_has_no_secret_cannot_log_in(people: Directory, password: str) -> None:
    assert people.verify_password("staff", password) is None


def test_a_group_with_a_secret_can_log_in() -> None:
    assert directory(Entry(STAFF, ("x",))).verify_password("staff", "x") == STAFF


def test_names_and_passwords_are_the_same_however_accents_are_composed() -> None:
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    for kept in (composed, decomposed):
        for typed in (composed, decomposed):
            people = directory(Entry(Principal(kept, emails=(f"{kept}@x",)), (kept,)))
            assert people.verify_password(typed, typed)
            assert people.verify_password(f"{typed}@X", typed)
            assert passwords.verify(passwords.hash_password(kept), typed)


@pytest.mark.parametrize(("token", "whose"), [("T-1", JANE), ("T-2", JOE), ("T-3", JOE), ("T-4", None), ("", None)])
def test_a_token_belongs_to_its_principal(people: Directory, token: str, whose: Principal | None) -> None:
    assert people.verify_token(token) == whose


def test_the_hash_of_a_token_is_no_token(people: Directory) -> None:
    assert people.verify_token(hash_token("T-2")) is None
    assert people.verify_token(hash_token("T-2").removeprefix("sha256:")) is None


@pytest.mark.parametrize("stored", ["", "T-1", "sha256:", "sha256:ab", "sha256:" + "zz" * 32, "md5:" + "ab" * 32])
def test_what_is_no_hashed_token_is_refused(stored: str) -> None:
    with pytest.raises(ValueError, match=r"token|hex"):
        directory(Entry(JANE, (), (stored,)))


def test_principals_are_found_by_name_and_by_address(people: Directory) -> None:
    assert [one.name for one in people.principals()] == ["jane", "joe@example.org", "staff"]
    assert people.principal("jane") == JANE
    assert people.principal("JANE") is None
    assert people.principal("j@example.org") is None
    assert people.by_email("J@EXAMPLE.ORG") == JANE
    assert people.by_email("staff@example.org") == STAFF
    assert people.by_email("joe@example.org") is None


def test_each_password_is_a_credential_of_its_own() -> None:
    one, other = Entry(Principal("ann"), ("a", "b")), Entry(Principal("bob"), ("a",))
    people = MemoryDirectory([one, other])
    log_ins = [("ann", "a"), ("ann", "b"), ("bob", "a")]
    found = [people.verify_password(*log_in) for log_in in log_ins]
    credentials = [principal.credential for principal in found if principal]
    assert len(set(credentials)) == 3
    assert people.credentials("ann") == set(credentials[:2])
    assert MemoryDirectory([Entry(Principal("ann"), ("b",))]).credentials("ann") == {credentials[1]}


def test_no_secret_is_shown() -> None:
    entry = Entry(JANE, ("hunter2",), (hash_token("hunter3"),))
    for shown in (repr(entry), repr(directory(entry)), str(vars(directory(entry)))):
        assert "hunter2" not in shown
        assert hash_token("hunter3") not in shown


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every argon2 hash that a password is tried on, in order."""
    tried: list[str] = []

    class Counting(argon2.PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - its name
            tried.append(str(hash))
            return super().verify(hash, password)

    monkeypatch.setattr(passwords, "_hasher", lambda: Counting())
    return tried


NAMES = ["one", "two", "plain", "none", "nobody", "one@x", "nobody@x"]


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_costs_the_same_hashing_for_everybody(hashed: list[str], name: str) -> None:
    people = directory(
        Entry(Principal("one", emails=("one@x",)), (CHEAP.hash("a"),)),
        Entry(Principal("two"), (CHEAP.hash("a"), CHEAP.hash("b"), "c")),
        Entry(Principal("plain"), ("a",)),
        Entry(Principal("none")),
    )
    assert people.verify_password(name, "wrong") is None
    assert len(hashed) == 2
    assert {one.rsplit("$", 2)[0] for one in hashed} == {"$argon2id$v=19$m=8,t=1,p=1"}


@pytest.mark.parametrize("name", ["plain", "nobody"])
def test_nothing_is_hashed_where_all_passwords_are_plain(hashed: list[str], name: str) -> None:
    assert directory(Entry(Principal("plain"), ("a",))).verify_password(name, "wrong") is None
    assert hashed == []


def test_what_is_hashed_for_the_unknown_costs_as_much_as_most(hashed: list[str]) -> None:
    dear = argon2.PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    people = directory(
        Entry(Principal("a"), (CHEAP.hash("a"),)),
        Entry(Principal("b"), (dear.hash("a"),)),
        Entry(Principal("c"), (dear.hash("a"),)),
    )
    assert people.verify_password("nobody", "a") is None
    [one] = hashed
    assert one.startswith("$argon2id$v=19$m=8,t=2,p=1$")


def test_what_is_hashed_for_the_unknown_fits_no_password() -> None:
    people = directory(Entry(Principal("a"), (CHEAP.hash(""),)))
    assert people.verify_password("nobody", "") is None


def test_a_hash_is_made_of_a_password_and_fits_it_alone() -> None:
    made = passwords.hash_password("hunter2")
    assert passwords.is_hash(made)
    assert passwords.verify(made, "hunter2")
    assert not passwords.verify(made, "hunter3")
    assert made != passwords.hash_password("hunter2")


@pytest.mark.parametrize("damaged", ["$argon2id$", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA", "$argon2x"])
def test_a_damaged_hash_fits_no_password(damaged: str) -> None:
    assert not passwords.verify(damaged, "x")
    assert not passwords.verify(damaged, damaged)
