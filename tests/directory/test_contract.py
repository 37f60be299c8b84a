"""What every kind of directory answers alike."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jmaplite.directory import Directory, KnowsCredentials, Principal
from jmaplite.directory.credentials import PASSWORD
from tests.directory.people import JANE, JOE, LIST, PASSWORDS, STAFF, ZOE

PEOPLE = {"jane": JANE, "joe": JOE, "zoë": ZOE}


@pytest.mark.parametrize("name", PEOPLE)
def test_a_name_and_its_password_are_somebody(people: Directory, name: str) -> None:
    assert people.verify_password(name, PASSWORDS[name]) == PEOPLE[name]


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("jane", "joe's"),
        ("jane", ""),
        ("jane", "\0"),
        ("jane", "\ud800"),
        ("joe", "Joe's"),
        ("nobody", "joe's"),
        ("", "joe's"),
        ("\0", "x"),
        ("\ud800", "x"),
        ("staff", ""),
        ("staff", "staff"),
        ("*", "joe's"),
        ("j*e", "joe's"),
        ("joe)(uid=*", "joe's"),
        ("joe' OR 'a'='a", "joe's"),
        ("joe'; DROP TABLE accounts; --", "joe's"),
        ("joe,ou=people", "joe's"),
        ("x" * 100_000, "x"),
        ("joe", "x" * 100_000),
    ],
)
def test_nobody_else_is_let_in(people: Directory, name: str, password: str) -> None:
    assert people.verify_password(name, password) is None
    assert people.verify_password("joe", "joe's") == JOE, "and nothing was broken"


def test_an_address_may_stand_for_the_name(people: Directory) -> None:
    for address in ("jane@example.org", "J@Example.org"):
        assert people.verify_password(address, PASSWORDS["jane"]) == JANE
    assert people.verify_password(LIST, PASSWORDS["jane"]) is None


@pytest.mark.parametrize("name", PASSWORDS)
def test_what_somebody_logs_in_with_is_known_where_that_can_be(people: Directory, name: str) -> None:
    """LDAP does not tell of passwords, and takes any for as good as another."""
    found = people.verify_password(name, PASSWORDS[name])
    assert found is not None
    assert isinstance(people, KnowsCredentials)
    assert (found.credential or PASSWORD) in people.credentials(name)
    assert all(found.credential not in people.credentials(other) for other in {*PASSWORDS, "nobody"} - {name})


def test_tokens_stand_elsewhere(people: Directory) -> None:
    assert people.verify_token("jane") is None


@pytest.mark.parametrize("one", [JANE, JOE, ZOE, STAFF])
def test_a_principal_is_found_by_its_name(people: Directory, one: Principal) -> None:
    assert people.principal(one.name) == one


@pytest.mark.parametrize("name", ["nobody", "", "*", "jane@example.org", "\0", "\ud800"])
def test_no_other_name_is_anybodys(people: Directory, name: str) -> None:
    assert people.principal(name) is None


def test_everybody_is_listed(people: Directory) -> None:
    assert people.principals() == sorted([JANE, JOE, ZOE, STAFF], key=lambda one: one.name)


@pytest.mark.parametrize(
    ("address", "everybody"),
    [
        ("jane@example.org", (JANE,)),
        ("JANE@EXAMPLE.ORG", (JANE,)),
        ("j@example.org", (JANE,)),
        ("jane+news@example.org", (JANE,)),
        ("staff@example.org", (STAFF,)),
        ("staff+a+b@example.org", (STAFF,)),
        (LIST, (JANE, JOE)),
        ("nobody@example.org", ()),
        ("nobody@example.net", ()),
        ("@example.org", ()),
        ("jane", ()),
        ("", ()),
        ("*@example.org", ()),
        ("'@example.org", ()),
        ("jane@%", ()),
        ("jane@\\", ()),
        ("\0@example.org", ()),
        ("\ud800@example.org", ()),
        ("x" * 100_000 + "@example.org", ()),
    ],
)
def test_mail_for_an_address_is_for_somebody(people: Directory, address: str, everybody: tuple[Principal, ...]) -> None:
    for _ in range(2):
        assert sorted(people.recipients(address), key=lambda one: one.name) == list(everybody)


@pytest.mark.parametrize(
    ("address", "owner"), [("j@example.org", JANE), ("J@EXAMPLE.ORG", JANE), (LIST, None), ("x@example.org", None)]
)
def test_an_address_belongs_to_one(people: Directory, address: str, owner: Principal | None) -> None:
    assert people.by_email(address) == owner


@pytest.mark.parametrize(
    ("domain", "is_local"),
    [
        ("example.org", True),
        ("EXAMPLE.net", True),
        ("example.com", False),
        ("", False),
        ("*", False),
        ("ample.org", False),
        ("%", False),
        ("%.org", False),
        ("\\", False),
        ("'", False),
        ("jane@example.org", False),
        ("example.org\n", False),
    ],
)
def test_a_domain_is_local_if_somebody_has_an_address_there(people: Directory, domain: str, is_local: bool) -> None:
    assert people.is_local(domain) is is_local


@given(name=st.text(), password=st.text())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_nothing_that_anybody_types_breaks_it(people: Directory, name: str, password: str) -> None:
    assert people.verify_password(name, password) is None
    people.principal(name)
    people.recipients(name + "@" + password)
    people.is_local(password)
