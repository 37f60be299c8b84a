"""The Session object and the catalog it announces (RFC 8620 §2)."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, cast

import pytest

from jmaplite.core.catalog import CORE, Capability, Catalog
from jmaplite.core.collation import ALGORITHMS
from jmaplite.core.context import Access, Method
from jmaplite.core.errors import RequestError
from jmaplite.core.json import dumps, loads
from jmaplite.core.limits import Limits
from jmaplite.core.session import MAX_AGE, MAX_SESSIONS, Session, Sessions
from jmaplite.directory import Principal
from jmaplite.store import Writer

from .fakes import Clock, FakeDirectory, FakeStore, FakeWriter, directory, services

MAIL = Capability(
    "urn:ietf:params:jmap:mail",
    lambda limits: {},
    lambda limits, access: {"mayCreateTopLevelMailbox": access.is_personal},
)
VACATION = Capability(
    "urn:ietf:params:jmap:vacationresponse", lambda limits: {}, lambda limits, access: {}, owner_only=True
)
CATALOG = Catalog((CORE, MAIL, VACATION))

ANN = Principal("ann", description="Ann Example", emails=("ann@example.org", "a@example.org"), member_of=("sales",))
SALES = Principal("sales", "group", "", ("sales@example.org",))
URL = "https://mail.example.org"


def sessions(
    store: FakeStore | None = None, *principals: Principal, catalog: Catalog = CATALOG, **limits: Any
) -> Sessions:
    return Sessions(services(store or FakeStore(), **limits), catalog, directory(*principals))


def session_of(principal: Principal = ANN, url: str = URL, *, catalog: Catalog = CATALOG, **limits: Any) -> Session:
    return sessions(None, SALES, catalog=catalog, **limits).get(principal, url)


def test_the_session_has_every_property_of_the_rfc_and_is_json() -> None:
    document = session_of().to_json()
    assert set(document) == {
        "capabilities", "accounts", "primaryAccounts", "username", "apiUrl", "downloadUrl", "uploadUrl",
        "eventSourceUrl", "state",
    }  # fmt: skip
    assert loads(dumps(document)) == document


def test_the_core_capability_announces_every_limit_and_the_collations() -> None:
    limits: dict[str, Any] = {
        "max_size_upload": 1,
        "max_concurrent_upload": 2,
        "max_size_request": 3,
        "max_concurrent_requests": 4,
        "max_calls_in_request": 5,
        "max_objects_in_get": 6,
        "max_objects_in_set": 7,
    }
    assert session_of(**limits).to_json()["capabilities"]["urn:ietf:params:jmap:core"] == {
        "maxSizeUpload": 1,
        "maxConcurrentUpload": 2,
        "maxSizeRequest": 3,
        "maxConcurrentRequests": 4,
        "maxCallsInRequest": 5,
        "maxObjectsInGet": 6,
        "maxObjectsInSet": 7,
        "collationAlgorithms": list(ALGORITHMS),
    }


def test_the_limits_are_no_lower_than_the_rfc_suggests() -> None:
    core = session_of().to_json()["capabilities"]["urn:ietf:params:jmap:core"]
    assert core["maxSizeUpload"] >= 50_000_000
    assert core["maxConcurrentUpload"] >= 4
    assert core["maxSizeRequest"] >= 10_000_000
    assert core["maxConcurrentRequests"] >= 4
    assert core["maxCallsInRequest"] >= 16
    assert core["maxObjectsInGet"] >= 500
    assert core["maxObjectsInSet"] >= 500


def test_urls_are_absolute_level_1_templates_with_the_variables_of_the_rfc() -> None:
    document = session_of().to_json()
    urls = {name: document[name] for name in ("apiUrl", "downloadUrl", "uploadUrl", "eventSourceUrl")}
    assert {name: set(re.findall(r"\{(\w+)\}", url)) for name, url in urls.items()} == {
        "apiUrl": set(),
        "downloadUrl": {"accountId", "blobId", "type", "name"},
        "uploadUrl": {"accountId"},
        "eventSourceUrl": {"types", "closeafter", "ping"},
    }
    assert urls == {
        "apiUrl": f"{URL}/jmap/",
        "downloadUrl": f"{URL}/jmap/download/{{accountId}}/{{blobId}}/{{name}}?type={{type}}",
        "uploadUrl": f"{URL}/jmap/upload/{{accountId}}/",
        "eventSourceUrl": f"{URL}/jmap/eventsource/?types={{types}}&closeafter={{closeafter}}&ping={{ping}}",
    }
    assert session_of(url=URL + "/").to_json() == document


def test_the_own_account_is_personal_and_the_groups_accounts_are_not() -> None:
    session = session_of()
    assert session.to_json()["accounts"] == {
        "a1": {
            "name": "Ann Example",
            "isPersonal": True,
            "isReadOnly": False,
            "accountCapabilities": {
                "urn:ietf:params:jmap:mail": {"mayCreateTopLevelMailbox": True},
                "urn:ietf:params:jmap:vacationresponse": {},
            },
        },
        "a2": {
            "name": "sales@example.org",
            "isPersonal": False,
            "isReadOnly": False,
            "accountCapabilities": {"urn:ietf:params:jmap:mail": {"mayCreateTopLevelMailbox": False}},
        },
    }
    assert session.accounts["a1"].capabilities == {MAIL.urn, VACATION.urn}
    assert session.accounts["a2"] == Access(
        "a2", "sales@example.org", False, False, frozenset({MAIL.urn}), ("sales@example.org",)
    )


def test_the_own_account_is_primary_for_all_it_can_but_the_core_is_not_listed() -> None:
    with_core = dataclasses.replace(CORE, account=lambda limits, access: {})
    session = session_of(catalog=Catalog((with_core, MAIL, VACATION)))
    assert CORE.urn in session.to_json()["accounts"]["a1"]["accountCapabilities"]
    assert session.to_json()["primaryAccounts"] == {MAIL.urn: "a1", VACATION.urn: "a1"} == session.primary


@pytest.mark.parametrize(
    ("principal", "name"),
    [
        (Principal("ann", description="Ann", emails=("ann@example.org",)), "Ann"),
        (Principal("ann", emails=("ann@example.org", "other@example.org")), "ann@example.org"),
        (Principal("ann"), "ann"),
    ],
)
def test_an_account_is_named_for_people(principal: Principal, name: str) -> None:
    assert session_of(principal).accounts["a1"].name == name
    assert session_of(principal).to_json()["username"] == "ann"


def test_groups_that_are_unknown_or_no_groups_are_skipped() -> None:
    bob = Principal("bob")
    ann = dataclasses.replace(ANN, member_of=("nobody", "bob", "sales", "sales"))
    assert list(sessions(None, SALES, bob).get(ann, URL).accounts) == ["a1", "a2"]


def test_accounts_are_made_filled_only_when_they_are_missing() -> None:
    filled: list[str] = []
    catalog = Catalog((CORE, dataclasses.replace(MAIL, fill=lambda tx, owner: filled.append(owner)), VACATION))
    store = FakeStore({"sales": "a9"})
    session = sessions(store, SALES, catalog=catalog).get(ANN, URL)
    assert list(session.accounts) == ["a2", "a9"]
    assert [call for call in store.calls if call.startswith("create")] == ["create_account ann"]
    assert filled == ["ann"]


def test_a_session_at_hand_costs_the_store_nothing() -> None:
    store = FakeStore()
    kept = sessions(store, SALES)
    session = kept.get(ANN, URL)
    calls = len(store.calls)
    assert kept.get(dataclasses.replace(ANN), URL) is session
    assert len(store.calls) == calls


def test_a_session_is_one_principals_at_one_url() -> None:
    kept = sessions(None, SALES)
    session = kept.get(ANN, URL)
    assert kept.get(dataclasses.replace(ANN, member_of=()), URL).accounts.keys() == {"a1"}
    assert kept.get(ANN, "http://localhost:8080").to_json()["apiUrl"] == "http://localhost:8080/jmap/"
    assert kept.get(ANN, URL) is session


def test_a_session_is_built_anew_after_a_while_or_when_forgotten() -> None:
    clock, store = Clock(), FakeStore()
    known = FakeDirectory({"sales": SALES})
    kept = Sessions(services(store, clock), CATALOG, cast(Any, known))
    first = kept.get(ANN, URL)
    known.known.clear()
    clock.now += MAX_AGE - 1
    assert kept.get(ANN, URL) is first
    clock.now += 1
    second = kept.get(ANN, URL)
    assert second.accounts.keys() == {"a1"}
    kept.forget()
    assert kept.get(ANN, URL) is not second


def test_a_clock_put_back_does_not_keep_a_session_for_ever() -> None:
    clock, store = Clock(), FakeStore()
    kept = Sessions(services(store, clock), CATALOG, directory(SALES))
    first = kept.get(ANN, URL)
    clock.now -= 10_000
    assert kept.get(ANN, URL) is not first


def test_the_number_of_sessions_at_hand_is_bounded() -> None:
    store = FakeStore()
    kept = sessions(store)
    first = kept.get(Principal("p0"), URL)
    for number in range(1, MAX_SESSIONS + 1):
        kept.get(Principal(f"p{number}"), URL)
    assert len(kept._kept) == MAX_SESSIONS
    assert kept.get(Principal("p0"), URL) is not first
    assert kept.get(Principal("p0"), URL).state == first.state


def test_the_state_is_the_same_as_long_as_the_rest_is() -> None:
    assert session_of().state == session_of().state == session_of().to_json()["state"]


def test_the_order_in_which_groups_are_named_is_not_part_of_the_session() -> None:
    support = Principal("support", "group")
    store = FakeStore({"ann": "a1", "sales": "a2", "support": "a3"})
    one, other = (
        sessions(store, SALES, support).get(dataclasses.replace(ANN, member_of=groups), URL)
        for groups in (("sales", "support"), ("support", "sales", "nobody"))
    )
    assert one.to_json() == other.to_json()
    assert len(one.accounts) == 3


@pytest.mark.parametrize(
    "other",
    [
        lambda: session_of(dataclasses.replace(ANN, name="anne")),
        lambda: session_of(dataclasses.replace(ANN, description="Anne")),
        lambda: session_of(dataclasses.replace(ANN, member_of=())),
        lambda: session_of(url="http://mail.example.org"),
        lambda: session_of(max_size_upload=51_000_000),
        lambda: session_of(catalog=CATALOG.without([VACATION.urn])),
        lambda: sessions(FakeStore({"ann": "a7"}), SALES).get(ANN, URL),
    ],
)
def test_the_state_changes_with_anything_else(other: Any) -> None:
    assert other().state != session_of().state


def test_changing_what_to_json_answers_does_not_change_the_session() -> None:
    session = session_of()
    session.to_json().clear()
    assert session.to_json()["username"] == "ann"


@pytest.mark.parametrize("broken", ["store", "directory"])
def test_what_cannot_be_reached_makes_the_session_unavailable_for_now(broken: str) -> None:
    store = FakeStore(unavailable=broken == "store")
    known = FakeDirectory({"sales": SALES}, unavailable=broken == "directory")
    kept = Sessions(services(store), CATALOG, cast(Any, known))
    with pytest.raises(RequestError) as error:
        kept.get(ANN, URL)
    assert error.value.to_json()["type"] == "urn:ietf:params:jmap:error:serverUnavailable"
    assert error.value.status == 503
    store.unavailable = known.unavailable = False
    assert len(kept.get(ANN, URL).accounts) == 2


def echo(name: str, capability: str) -> Method:
    return Method(name, capability, lambda context, arguments: arguments)


def test_a_catalog_finds_methods_and_capabilities_by_name() -> None:
    method = echo("Mailbox/get", MAIL.urn)
    catalog = Catalog((CORE, dataclasses.replace(MAIL, methods=(method,))))
    assert catalog.method("Mailbox/get") is method
    assert catalog.method("Core/echo") is CORE.methods[0]
    assert catalog.method("mailbox/get") is None
    assert catalog.capability(CORE.urn) is CORE
    assert catalog.capability("urn:x") is None


def test_a_capability_switched_off_is_as_if_it_had_never_been_written() -> None:
    filled: list[str] = []
    mail = dataclasses.replace(
        MAIL, methods=(echo("Mailbox/get", MAIL.urn),), fill=lambda tx, owner: filled.append(owner)
    )
    assert Catalog((CORE, mail, VACATION)).without([MAIL.urn, "urn:unknown"]) == Catalog((CORE, VACATION))
    without = Catalog((CORE, mail, VACATION)).without([MAIL.urn])
    assert without.method("Mailbox/get") is None
    assert without.capability(MAIL.urn) is None
    without.fill(cast(Writer, FakeWriter()), "john")
    assert filled == ["john"], "so that it can be switched on again"


def test_the_core_cannot_be_switched_off() -> None:
    with pytest.raises(ValueError, match="core"):
        CATALOG.without(["urn:ietf:params:jmap:core"])


def test_what_is_declared_twice_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match=MAIL.urn):
        Catalog((MAIL, CORE, MAIL))
    with pytest.raises(ValueError, match="Core/echo"):
        Catalog((CORE, dataclasses.replace(MAIL, methods=(echo("Core/echo", MAIL.urn),))))
    kind = dataclasses.make_dataclass("Kind", ["name"])("Todo")
    with pytest.raises(ValueError, match="Todo"):
        Catalog((dataclasses.replace(MAIL, types=(kind,)), dataclasses.replace(VACATION, types=(kind,))))


def test_every_capability_fills_a_new_account_in_order() -> None:
    seen: list[str] = []
    one = dataclasses.replace(MAIL, fill=lambda tx, owner: seen.append("mail"))
    other = dataclasses.replace(VACATION, fill=lambda tx, owner: seen.append("vacation"))
    Catalog((CORE, one, other)).fill(cast(Writer, FakeWriter()), "john")
    assert seen == ["mail", "vacation"]


def test_limits_reach_the_capabilities() -> None:
    seen: list[Limits] = []

    def account(limits: Limits, access: Access) -> dict[str, Any]:
        seen.append(limits)
        return {"id": access.account_id}

    session = session_of(catalog=Catalog((CORE, dataclasses.replace(MAIL, account=account))), max_history=5)
    assert session.to_json()["accounts"]["a2"]["accountCapabilities"] == {MAIL.urn: {"id": "a2"}}
    assert seen[0].max_history == 5


def test_a_capability_is_told_the_owner_of_each_account_that_has_it() -> None:
    told: list[tuple[str, Principal]] = []
    everywhere = dataclasses.replace(MAIL, match=lambda account, owner: told.append((account.id, owner)))
    at_home = dataclasses.replace(VACATION, match=lambda account, owner: told.append((f"{account.id} own", owner)))
    session = session_of(catalog=Catalog((CORE, everywhere, at_home)))
    assert told == [("a1", ANN), ("a1 own", ANN), ("a2", SALES)]
    assert session.accounts["a1"].addresses == ANN.emails
