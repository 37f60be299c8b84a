"""What cannot be done is refused with a status and a sentence that names what is wrong, and changes nothing."""

from __future__ import annotations

from tests.dev.conftest import Site

LONG = "9" * 5000

WRONG = [
    ("POST", "/clock", {"set": "yesterday"}, 400, "set must be UTCDate"),
    ("POST", "/clock", {"set": "0001-01-01T00:00:00Z"}, 400, "set leads out"),
    ("POST", "/clock", {"set": "2030-01-01T00:00:00Z", "advance": 1e300}, 400, "advance leads out"),
    ("GET", "/outbox?wait=-1", None, 400, "wait must be 0 or more"),
    ("GET", "/outbox?wait=31", None, 400, "wait must be 30 or less"),
    ("GET", "/outbox?wait=soon", None, 400, "wait must be Number"),
    ("GET", f"/outbox?atLeast={LONG}", None, 400, "atLeast must be UnsignedInt"),
    ("GET", f"/exchanges/{LONG}", None, 404, "there is no exchange"),
    ("DELETE", "/snapshots/initial", None, 409, "what a reset goes back to"),
    ("POST", "/users", {"name": "with space"}, 400, "name must be"),
    ("POST", "/users", {"emails": ["carol"]}, 400, "emails must be addresses, and 'carol' is none"),
    ("POST", "/users", {"emails": ["Alice@example.org"]}, 409, "an address of alice@example.org"),
    ("POST", "/users", {"groups": ["nobody"]}, 400, "groups must be names of groups, and 'nobody' is none"),
    ("POST", "/users", {"groups": ["alice@example.org"]}, 400, "groups must be names of groups"),
    ("POST", "/users", {"token": ""}, 400, "token must be"),
    ("POST", "/users", {"token": "alice-token"}, 409, "this token is somebody's already"),
    ("POST", "/generate", {"account": "alice@example.org", "threads": 10_001}, 400, "threads must be 10000 or less"),
    ("POST", "/deliver", {"account": "alice@example.org", "base64": "***"}, 400, "base64 must be"),
    ("POST", "/wait", {"user": "alice@example.org", "method": "Nope/get", "arguments": {}}, 400, "unknownMethod"),
    ("PATCH", "/settings", {"options": {"server.listener.jmap.bind": []}}, 400, "server.listener.jmap.bind"),
    ("PATCH", "/settings", {"options": {"server": {}}}, 400, "server cannot be chosen"),
    ("POST", "/faults", {"effect": {"status": 503}, "match": {"nth": 1, "every": 2}}, 400, "not nth and every"),
    ("POST", "/faults", {"effect": {"status": 503, "of": "create"}}, 400, "effect.of is for a setError"),
    ("POST", "/faults", {"effect": {"cut": True, "retryAfter": 1}}, 400, "effect.retryAfter is for a status"),
    ("POST", "/faults", {"effect": {"methodError": ""}}, 400, "effect.methodError must be"),
    ("POST", "/faults", {"effect": {"delay": 1}, "id": "a/b"}, 400, "id must be"),
    ("POST", "/faults", {"effect": {"delay": 1}, "match": {"transport": "imap"}}, 400, "match.transport must fit"),
    ("POST", "/faults", {"effect": {"dropStream": True}, "match": {"transport": "push"}}, 400, "match.transport must"),
    ("POST", "/faults", {"effect": {"methodError": "x"}, "match": {"path": "/jmap/"}}, 400, "match.path is of"),
    ("POST", "/faults", {"effect": {"push": "drop"}, "match": {"method": "Email/*"}}, 400, "match.method is of"),
]  # fmt: skip


def test_what_is_wrong_is_named(site: Site) -> None:
    before = site.control("GET", "/"), site.control("GET", "/faults")
    for method, path, body, status, detail in WRONG:
        assert detail in site.control(method, path, body, status=status)["detail"]
    after = site.control("GET", "/"), site.control("GET", "/faults")
    assert after[0] | {"clock": None} == before[0] | {"clock": None}
    assert after[1] == before[1]


def test_a_pointer_is_one_of_rfc_6901(site: Site) -> None:
    site.control("POST", "/generate", {"account": "alice@example.org", "threads": 1})
    wanted = {"user": "alice@example.org", "method": "Email/query", "arguments": {}, "timeout": 0}
    for pointer, status in (("/ids/0", 200), ("ids", 400), ("/~2", 400), (f"/ids/{LONG}", 408), ("/ids/00", 408)):
        site.control("POST", "/wait", {**wanted, "pointer": pointer}, status=status)


def test_what_is_waited_for_may_be_null(site: Site) -> None:
    wanted = {"user": "alice@example.org", "method": "Mailbox/get", "arguments": {}, "timeout": 0, "equals": None}
    site.control("POST", "/wait", {**wanted, "pointer": "/list/0/parentId"}, status=200)
    site.control("POST", "/wait", {**wanted, "pointer": "/list/0/name"}, status=408)


def test_a_time_that_cannot_be_leaves_the_clock_as_it_is(site: Site) -> None:
    site.control("POST", "/clock", {"set": "2030-01-01T00:00:00Z", "frozen": True})
    before = site.control("GET", "/clock")
    site.control("POST", "/clock", {"set": "2031-01-01T00:00:00Z", "advance": -1e15, "frozen": False}, status=400)
    assert site.control("GET", "/clock") == before


def test_a_clock_that_is_set_and_stopped_tells_just_that_time(site: Site) -> None:
    site.control("POST", "/clock", {"set": "2030-01-01T00:00:00Z", "frozen": True})
    assert site.control("GET", "/clock") == {"now": "2030-01-01T00:00:00Z", "seconds": 1893456000, "frozen": True}
    site.control("POST", "/clock", {"set": "2030-01-01T00:00:00Z", "advance": 0.5, "frozen": True})
    assert site.control("GET", "/clock")["seconds"] == 1893456000.5


def test_to_wait_for_mail_may_take_part_of_a_second(site: Site) -> None:
    assert site.control("GET", "/outbox?wait=0.01") == {"messages": []}
    assert site.control("GET", "/outbox?wait=1e-3") == {"messages": []}


def test_a_made_up_id_of_a_rule_is_one_that_is_free(site: Site) -> None:
    effect = {"delay": 0}
    site.control("POST", "/faults", {"id": "fault1", "effect": effect})
    assert site.control("POST", "/faults", {"effect": effect})["id"] == "fault2"


def test_where_a_server_says_that_it_is_may_be_chosen(site: Site) -> None:
    site.control("PATCH", "/settings", {"options": {"server.listener.jmap.url": "https://mail.example.org"}})
    assert site.session()["apiUrl"] == "https://mail.example.org/jmap/"


def test_the_description_says_what_a_number_and_a_rule_may_be(site: Site) -> None:
    paths = site.control("GET", "/openapi.json")["paths"]
    body = paths["/wait"]["post"]["requestBody"]
    timeout = body["content"]["application/json"]["schema"]["properties"]["timeout"]
    assert (body["required"], timeout["type"]) == (True, ["number", "null"])
    assert (timeout["minimum"], timeout["maximum"]) == (0, 300)
    rule = paths["/faults"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"methodError", "status", "cut", "push"} <= rule["properties"]["effect"]["properties"].keys()


def test_a_snapshot_brings_back_who_was_there(site: Site) -> None:
    made = site.control("POST", "/users", {"name": "carol@example.org", "token": "carol-token"})
    site.control("PUT", "/snapshots/with-carol")
    site.control("DELETE", "/users/carol@example.org")
    site.control("POST", "/users", {"name": "dave@example.org"})
    site.control("POST", "/snapshots/with-carol/restore")
    assert site.account("carol-token") == made["accountId"]
    names = [one["name"] for one in site.control("GET", "/")["users"]]
    assert "carol@example.org" in names
    assert "dave@example.org" not in names
    site.control("POST", "/reset")
    assert "carol@example.org" not in [one["name"] for one in site.control("GET", "/")["users"]]
