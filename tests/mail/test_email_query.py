"""Email/query (RFC 8621 §4.4)."""

from __future__ import annotations

from typing import Any

import pytest

from jmaplite.core.limits import Limits
from jmaplite.datatypes.mail import header_fields
from tests.mail.jmap import Client, Server, message

NEWEST_FIRST = [{"property": "receivedAt", "isAscending": False}]


def ids(client: Client, wanted: Any = None, **more: Any) -> list[str]:
    found: list[str] = client.call("Email/query", filter=wanted, **more)["ids"]
    return found


def add(client: Client, subject: str = "Hello", body: str = "Hello, world.", **more: Any) -> str:
    """The id of a new Email; arguments of `message` and of `Client.import_` may be mixed."""
    placing = {name: more.pop(name) for name in ("mailboxes", "keywords", "received") if name in more}
    return str(client.import_(message(subject, body, **more), **placing)["id"])


def second(number: int) -> str:
    return f"2020-01-01T00:00:{number:02}Z"


@pytest.fixture
def three(alice: Client) -> list[str]:
    """The oldest first."""
    return [add(alice, received=second(number)) for number in range(3)]


# The answer


def test_the_answer_has_what_it_must(alice: Client, three: list[str]) -> None:
    answer = alice.call("Email/query", sort=NEWEST_FIRST)
    assert answer.keys() == {"accountId", "queryState", "canCalculateChanges", "position", "ids", "limit"}
    assert (answer["accountId"], answer["position"], answer["ids"]) == (alice.account, 0, three[::-1])
    assert answer["canCalculateChanges"] is True


def test_total_is_there_only_if_asked_for(alice: Client, three: list[str]) -> None:
    assert "total" not in alice.call("Email/query", calculateTotal=False)
    assert alice.call("Email/query", calculateTotal=True, limit=1)["total"] == 3


def test_the_query_state_changes_when_the_results_do(alice: Client, three: list[str]) -> None:
    before = alice.call("Email/query")["queryState"]
    assert alice.call("Email/query")["queryState"] == before
    add(alice)
    assert alice.call("Email/query")["queryState"] != before


PLANS: list[dict[str, Any]] = [
    {"sort": NEWEST_FIRST},
    {"sort": [{"property": "receivedAt"}]},
    {"sort": NEWEST_FIRST, "collapseThreads": True},
    {"sort": [{"property": "receivedAt"}], "collapseThreads": True},
    {"sort": NEWEST_FIRST, "filter": {"inMailbox": "M1"}},
    {"sort": NEWEST_FIRST, "filter": {"inMailbox": "M1"}, "collapseThreads": True},
    {"sort": [{"property": "receivedAt"}], "filter": {"inMailbox": "M1"}, "collapseThreads": True},
    {"sort": [{"property": "subject"}, {"property": "receivedAt"}], "filter": {"hasKeyword": "work"}},
    {"sort": [{"property": "subject", "collation": "i;ascii-casemap"}, {"property": "receivedAt"}]},
    {"sort": NEWEST_FIRST, "filter": {"text": "hello"}},
    {"sort": NEWEST_FIRST, "filter": {"text": "hello", "inMailbox": "M1"}, "collapseThreads": True},
]


@pytest.fixture
def ten(alice: Client) -> list[str]:
    return [add(alice, received=second(number), keywords=["work"]) for number in range(10)]


@pytest.mark.parametrize("query", PLANS)
def test_every_window_is_a_part_of_the_whole(alice: Client, ten: list[str], query: dict[str, Any]) -> None:
    """RFC 8620 §5.5: position from either end, limit, and both beyond the results."""
    whole = alice.call("Email/query", **query, calculateTotal=True)
    every = whole["ids"]
    assert sorted(every) == sorted(ten)
    assert whole["total"] == 10
    for position in (0, 1, 5, 9, 10, 11, 1000, 2**53 - 1, -1, -5, -10, -11, -(2**53) + 1):
        for limit in (0, 1, 3, 10, 2**53 - 1):
            for total in (False, True):
                page = alice.call("Email/query", **query, position=position, limit=limit, calculateTotal=total)
                start = position if position >= 0 else max(0, 10 + position)
                assert (page["position"], page["ids"]) == (start, every[start : start + limit])
                assert page.get("total", 10) == 10


@pytest.mark.parametrize("query", PLANS)
def test_every_anchor_is_found(alice: Client, ten: list[str], query: dict[str, Any]) -> None:
    every = ids(alice, **{"wanted": query.get("filter"), **{k: v for k, v in query.items() if k != "filter"}})
    for index, anchor in enumerate(every):
        for offset in (-100, -2, 0, 3, 100):
            page = alice.call("Email/query", **query, anchor=anchor, anchorOffset=offset, limit=2, position=7)
            start = max(0, index + offset)
            assert (page["position"], page["ids"]) == (start, every[start : start + 2])


def test_no_offset_leads_beyond_what_a_position_can_be(alice: Client, three: list[str]) -> None:
    """RFC 8620 §1.3, §5.5: the position of an answer is an UnsignedInt, wherever the anchor is."""
    answer = alice.call("Email/query", sort=NEWEST_FIRST, anchor=three[0], anchorOffset=2**53 - 1)
    assert (answer["position"], answer["ids"]) == (2**53 - 1, [])


@pytest.mark.parametrize("query", PLANS)
def test_an_anchor_outside_the_results_is_not_found(alice: Client, ten: list[str], query: dict[str, Any]) -> None:
    gone = add(alice)
    alice.call("Email/set", destroy=[gone])
    for anchor in (gone, "E1", "nothing", "M1"):
        assert alice.error("Email/query", **query, anchor=anchor) == "anchorNotFound"


def test_an_anchor_that_the_filter_or_its_thread_hides_is_not_found(alice: Client) -> None:
    old = add(alice, message_id="a@x", received=second(1))
    new = add(alice, message_id="b@x", references=["a@x"], received=second(2))
    collapsed = {"sort": NEWEST_FIRST, "collapseThreads": True}
    assert alice.call("Email/query", **collapsed, anchor=new)["position"] == 0
    for wanted in (None, {"inMailbox": "M1"}, {"text": "hello"}):
        assert alice.error("Email/query", **collapsed, filter=wanted, anchor=old) == "anchorNotFound"
    assert alice.error("Email/query", filter={"inMailbox": alice.mailbox("sent")}, anchor=old) == "anchorNotFound"


def test_anchor_offset_alone_is_ignored(alice: Client, three: list[str]) -> None:
    answer = alice.call("Email/query", sort=NEWEST_FIRST, anchor=None, anchorOffset=2)
    assert (answer["position"], answer["ids"]) == (0, three[::-1])


def test_a_limit_of_the_server_s_is_told(tmp_path: Any) -> None:
    server = Server(tmp_path / "limited", limits=Limits(max_query_results=2))
    client = server.client()
    every = [add(client, received=second(number)) for number in range(3)]
    for asked in ({}, {"limit": None}, {"limit": 3}):
        answer = client.call("Email/query", sort=NEWEST_FIRST, **asked)
        assert (answer["limit"], answer["ids"]) == (2, every[:0:-1])
    for limit in (0, 1, 2):
        answer = client.call("Email/query", sort=NEWEST_FIRST, limit=limit)
        assert "limit" not in answer
        assert len(answer["ids"]) == limit
    server.close()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [({"limit": -1}, "invalidArguments"), ({"limit": 1.5}, "invalidArguments"), ({"position": "0"}, "invalidArguments"),
     ({"anchor": "a b"}, "invalidArguments"), ({"anchorOffset": None}, "invalidArguments"),
     ({"calculateTotal": 1}, "invalidArguments"), ({"collapseThreads": None}, "invalidArguments"),
     ({"sortAsTree": True}, "invalidArguments"), ({"filter": "x"}, "invalidArguments"),
     ({"filter": {"inMailbox": None}}, "invalidArguments"), ({"filter": {"inMailbox": "#k"}}, "invalidArguments"),
     ({"filter": {"inMailboxOtherThan": "M1"}}, "invalidArguments"),
     ({"filter": {"before": "2020-01-01"}}, "invalidArguments"),
     ({"filter": {"after": "2020-01-01T00:00:00+01:00"}}, "invalidArguments"),
     ({"filter": {"minSize": -1}}, "invalidArguments"), ({"filter": {"maxSize": 1.5}}, "invalidArguments"),
     ({"filter": {"hasKeyword": True}}, "invalidArguments"), ({"filter": {"hasAttachment": None}}, "invalidArguments"),
     ({"filter": {"text": None}}, "invalidArguments"), ({"filter": {"header": "Subject"}}, "invalidArguments"),
     ({"filter": {"header": []}}, "invalidArguments"), ({"filter": {"header": ["a", "b", "c"]}}, "invalidArguments"),
     ({"filter": {"header": ["a:b"]}}, "invalidArguments"), ({"filter": {"header": [""]}}, "invalidArguments"),
     ({"filter": {"header": [1]}}, "invalidArguments"), ({"filter": {"nonsense": 1}}, "unsupportedFilter"),
     ({"filter": {"operator": "and", "conditions": []}}, "invalidArguments"),
     ({"filter": {"operator": "OR", "conditions": None}}, "invalidArguments"),
     ({"sort": [{"property": "nonsense"}]}, "unsupportedSort"),
     ({"sort": [{"property": "subject", "collation": "nonsense"}]}, "unsupportedSort"),
     ({"sort": [{"property": "hasKeyword"}]}, "invalidArguments"),
     ({"sort": [{"property": "hasKeyword", "keyword": None}]}, "invalidArguments"),
     ({"sort": [{"property": "size", "keyword": "x"}]}, "invalidArguments"),
     ({"sort": [{"property": "size"}] * 100}, "unsupportedSort")],
)  # fmt: skip
def test_what_is_refused(alice: Client, arguments: dict[str, Any], error: str) -> None:
    assert alice.error("Email/query", **arguments) == error
    if not arguments.keys() & {"limit", "position", "anchor", "anchorOffset"}:
        state = alice.call("Email/query")["queryState"]
        assert alice.error("Email/queryChanges", sinceQueryState=state, **arguments) == error


def nested(depth: int, leaf: Any) -> Any:
    for level in range(depth):
        leaf = {"operator": ("AND", "OR", "NOT")[level % 3], "conditions": [leaf]}
    return leaf


def test_a_filter_may_be_deep_and_long_but_not_endlessly(alice: Client, three: list[str]) -> None:
    assert len(ids(alice, nested(30, {"text": "hello"}))) == 3
    assert alice.error("Email/query", filter=nested(100, {})) == "unsupportedFilter"
    for leaf in (
        {"text": "hello"},
        {"hasKeyword": "$seen"},
        {"inMailbox": "M1"},
        {"someInThreadHaveKeyword": "x"},
        {"minSize": 9},
    ):
        many = {"operator": "OR", "conditions": [leaf] * 499}
        assert isinstance(ids(alice, many), list)
        assert isinstance(
            ids(alice, {"operator": "AND", "conditions": [{"operator": "NOT", "conditions": [leaf] * 497}]}), list
        )
    assert alice.error("Email/query", filter={"operator": "OR", "conditions": [{}] * 500}) == "unsupportedFilter"


def test_a_list_of_mailboxes_may_be_long(alice: Client, three: list[str]) -> None:
    other = [f"M{number:x}" for number in range(1, 40_000)]
    assert ids(alice, {"inMailboxOtherThan": other}) == []
    assert len(ids(alice, {"inMailboxOtherThan": other[1:]})) == 3


# Conditions


def test_in_mailbox_and_in_another_than(alice: Client) -> None:
    inbox, archive, trash = (alice.mailbox(role) for role in ("inbox", "archive", "trash"))
    both = add(alice, mailboxes=[inbox, trash], received=second(3))
    only = add(alice, mailboxes=[trash], received=second(2))
    third = add(alice, mailboxes=[archive], received=second(1))
    assert ids(alice, {"inMailbox": trash}) == [both, only]
    assert ids(alice, {"inMailbox": "M99"}) == ids(alice, {"inMailbox": "nothing"}) == []
    assert ids(alice, {"inMailboxOtherThan": [trash]}) == [both, third]
    assert ids(alice, {"inMailboxOtherThan": [trash, inbox]}) == [third]
    assert ids(alice, {"inMailboxOtherThan": [trash, trash, "M99", "nothing"]}) == [both, third]
    assert ids(alice, {"inMailboxOtherThan": []}) == [both, only, third]
    assert ids(alice, {"operator": "NOT", "conditions": [{"inMailbox": trash}]}) == [third]
    assert ids(alice, {"operator": "NOT", "conditions": [{"inMailboxOtherThan": [trash]}]}) == [only]


def test_before_is_exclusive_and_after_inclusive(alice: Client) -> None:
    a, b = add(alice, received=second(1)), add(alice, received=second(2))
    cases: list[tuple[str, str, list[str]]] = [
        ("before", "01", []),
        ("before", "02", [a]),
        ("before", "01.5", [a]),
        ("before", "00.999", []),
        ("after", "01", [b, a]),
        ("after", "02", [b]),
        ("after", "01.001", [b]),
        ("after", "02.5", []),
    ]
    for name, moment, expected in cases:
        assert ids(alice, {name: f"2020-01-01T00:00:{moment}Z"}) == expected, (name, moment)
    assert ids(alice, {"after": "0000-01-01T00:00:00Z", "before": "9999-12-31T23:59:59Z"}) == [b, a]
    old = add(alice, received="0001-01-01T00:00:00Z")
    new = add(alice, received="9999-12-31T23:59:59Z")
    assert ids(alice) == [new, b, a, old]
    assert ids(alice, {"before": "1970-01-01T00:00:00Z"}) == [old]
    assert ids(alice, {"after": "9999-12-31T23:59:59Z"}) == [new]


def test_min_size_is_inclusive_and_max_size_exclusive(alice: Client) -> None:
    made = add(alice)
    size = alice.get("Email", made)["size"]
    assert ids(alice, {"minSize": size}) == ids(alice, {"maxSize": size + 1}) == [made]
    assert ids(alice, {"minSize": size + 1}) == ids(alice, {"maxSize": size}) == []
    assert ids(alice, {"minSize": 0, "maxSize": 2**53 - 1}) == [made]


def test_keywords_are_looked_for_whatever_their_case(alice: Client) -> None:
    seen, flagged, neither = (add(alice, keywords=words) for words in (["$seen"], ["$Flagged", "$SEEN"], []))
    for keyword in ("$seen", "$SEEN", "$Seen"):
        assert set(ids(alice, {"hasKeyword": keyword})) == {seen, flagged}
        assert ids(alice, {"notKeyword": keyword}) == [neither]
        assert set(ids(alice, {"someInThreadHaveKeyword": keyword})) == {seen, flagged}
        assert ids(alice, {"noneInThreadHaveKeyword": keyword}) == [neither]
    assert set(ids(alice, {"notKeyword": "$FLAGGED"})) == {seen, neither}
    sort = [{"property": "hasKeyword", "keyword": "$FLAGGED", "isAscending": False}]
    assert ids(alice, None, sort=sort)[0] == flagged


@pytest.mark.parametrize("keyword", ["", " unseen", "a b", "ü", "(", "x" * 300])
def test_what_is_no_keyword_no_email_has(alice: Client, keyword: str) -> None:
    add(alice)
    for name in ("hasKeyword", "someInThreadHaveKeyword", "allInThreadHaveKeyword"):
        assert ids(alice, {name: keyword}) == []
    for name in ("notKeyword", "noneInThreadHaveKeyword"):
        assert len(ids(alice, {name: keyword})) == 1


def test_thread_conditions_look_at_every_email_of_the_thread(alice: Client) -> None:
    a = add(alice, message_id="a@x", keywords=["$seen", "work"])
    b = add(alice, message_id="b@x", references=["a@x"], keywords=["$seen"])
    c = add(alice, keywords=["work"])
    assert set(ids(alice, {"allInThreadHaveKeyword": "$seen"})) == {a, b}
    assert set(ids(alice, {"allInThreadHaveKeyword": "work"})) == {c}
    assert set(ids(alice, {"someInThreadHaveKeyword": "work"})) == {a, b, c}
    assert set(ids(alice, {"noneInThreadHaveKeyword": "$seen"})) == {c}
    assert set(ids(alice, {"noneInThreadHaveKeyword": "work"})) == set()
    assert set(ids(alice, {"hasKeyword": "$seen", "allInThreadHaveKeyword": "$seen", "notKeyword": "work"})) == {b}
    alice.call("Email/set", destroy=[a])
    assert set(ids(alice, {"noneInThreadHaveKeyword": "work"})) == {b}


def test_has_attachment(alice: Client) -> None:
    plain = add(alice)
    pdf = "Content-Disposition: attachment; filename=x.pdf\r\nContent-Type: application/pdf"
    parts = f"--b\r\n\r\ntext\r\n--b\r\n{pdf}\r\n\r\nx\r\n--b--"
    attached = add(alice, body=parts, more="MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b")
    assert ids(alice, {"hasAttachment": True}) == [attached]
    assert ids(alice, {"hasAttachment": False}) == [plain]
    assert ids(alice, {"hasAttachment": True, "inMailbox": "M1"}) == [attached]
    assert ids(alice, {"text": "pdf"}) == [attached]


@pytest.fixture
def mail(alice: Client) -> dict[str, str]:
    html = (
        "<html><head><title>hidden</title><style>css { }</style></head><body class='attribute'><script>code()</script>"
        "<p>Visible <b>wor</b>ds</p><img alt='picture of a cat'></body></html>"
    )
    return {
        "ann": add(alice, "Grüße aus Köln", "The quick brown fox.", sender="Ann Example <ann@example.com>",
                   to="Bob <bob@example.net>", more="Cc: carol@example.org\r\nBcc: dave@example.org"),
        "encoded": add(alice, "=?UTF-8?Q?Caf=C3=A9_society?=", "Say \"hello\" to it's owner.",
                       sender="=?ISO-8859-1?Q?J=F6rg?= <joerg@example.com>"),
        "html": add(alice, "Newsletter", html, more="MIME-Version: 1.0\r\nContent-Type: text/html"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [({"text": "quick"}, "ann"), ({"text": "QUICK Fox"}, "ann"), ({"text": "fox quick"}, "ann"), ({"text": "quic"}, ""),
     ({"text": "quick wolf"}, ""), ({"text": "ann"}, "ann"), ({"text": "bob@example.net"}, "ann"),
     ({"text": "carol"}, "ann"), ({"text": "dave"}, "ann"), ({"text": "köln"}, "ann"),
     ({"text": "quick ann köln"}, "ann"),
     ({"from": "ann"}, "ann"), ({"from": "bob"}, ""), ({"to": "bob"}, "ann"), ({"to": "carol"}, ""),
     ({"cc": "carol"}, "ann"), ({"bcc": "dave"}, "ann"), ({"bcc": "carol"}, ""), ({"subject": "grüße"}, "ann"),
     ({"subject": "quick"}, ""), ({"body": "quick"}, "ann"), ({"body": "köln"}, ""),
     ({"from": "example.com"}, "ann encoded html"),
     ({"subject": "café"}, "encoded"), ({"subject": "utf"}, ""), ({"from": "Jörg"}, "encoded"),
     ({"from": "ISO"}, ""), ({"body": "visible words"}, "html"), ({"body": "hidden"}, ""), ({"body": "css"}, ""),
     ({"body": "code"}, ""), ({"body": "attribute"}, ""), ({"body": "cat"}, "html"), ({"text": "class"}, ""),
     ({"text": ""}, "ann encoded html"), ({"text": "   "}, "ann encoded html"),
     ({"body": '"quick brown"'}, "ann"), ({"body": '"brown quick"'}, ""), ({"body": "'quick brown'"}, "ann"),
     ({"body": "'brown quick'"}, ""), ({"text": '"quick brown" ann'}, "ann"),
     ({"text": '"quick brown" carol "brown fox"'}, "ann"),
     ({"body": '"say \\"hello\\" to"'}, "encoded"), ({"body": "'to it\\'s owner'"}, "encoded"),
     ({"body": "it's"}, "encoded"), ({"body": '"quick'}, "ann"),
     ({"body": "quick'"}, "ann"), ({"body": 'quick"brown'}, "ann"),
     ({"text": '""'}, "ann encoded html"), ({"from": "ann", "subject": "köln", "body": "fox"}, "ann"),
     ({"from": "ann", "subject": "newsletter"}, "")],
)  # fmt: skip
def test_text_search(alice: Client, mail: dict[str, str], wanted: dict[str, Any], expected: str) -> None:
    found = ids(alice, wanted)
    assert {name for name, record_id in mail.items() if record_id in found} == set(expected.split())


@pytest.mark.parametrize("text", ["'\\' " * 20_000, '"\\" ' * 20_000, "'" * 100_000 + "a"])
def test_a_search_with_many_quotes_ends(alice: Client, text: str) -> None:
    add(alice)
    assert ids(alice, {"text": text}) == []


@pytest.mark.parametrize("name", ["text", "from", "to", "cc", "bcc", "subject", "body"])
@pytest.mark.parametrize(
    "pattern", ["{}", '"{}"', "'{}' x", "x {}"], ids=["words", "phrase", "single quotes", "words behind"]
)
def test_a_search_string_has_at_most_64_words(alice: Client, name: str, pattern: str) -> None:
    more = pattern.count("x")
    assert ids(alice, {name: pattern.format("the " * (64 - more))}) == []
    for words in ("the " * (65 - more), "a.b " * 40, "漢字" * 40, "the " * 100_000):
        assert alice.error("Email/query", filter={name: pattern.format(words)}) == "unsupportedFilter"


def test_all_search_strings_of_a_filter_have_at_most_512_words(alice: Client) -> None:
    found = add(alice, body="the end")
    phrases: list[Any] = [{"body": '"' + "the " * 8 + '"'} for _ in range(63)]
    full = {"operator": "OR", "conditions": [*phrases, {"operator": "AND", "conditions": [{"body": "the " * 8}]}]}
    assert ids(alice, full) == [found]
    more = {"operator": "OR", "conditions": [full, {"operator": "NOT", "conditions": [{"subject": "one"}]}]}
    assert alice.error("Email/query", filter=more) == "unsupportedFilter"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [(["List-Id"], "list"), (["list-id"], "list"), (["LIST-ID", ""], "list"), (["List-Id", "Some"], "list"),
     (["List-Id", "some list"], "list"), (["List-Id", "list  SOME"], "list"), (["List-Id", '"some list"'], "list"),
     (["List-Id", '"list some"'], ""), (["List-Id", "some other"], ""), (["List-Id", "other"], ""),
     (["X-None"], ""), (["X"], ""), (["List"], ""),
     (["Subject", "café"], "plain"), (["Subject", "CAFÉ"], "plain"), (["Subject", "utf-8"], ""),
     (["Subject", ""], "list plain"), (["X_%"], ""), (["Received", "second"], "plain"),
     (["Received", "first"], "plain"),
     (["x-odd_name%"], "plain"), (["X-OddXname%"], "")],
)  # fmt: skip
def test_header_condition(alice: Client, wanted: list[str], expected: str) -> None:
    made = {
        "list": add(alice, more="List-Id: Some\r\n List <x.example.com>"),
        "plain": add(alice, "=?UTF-8?Q?Caf=C3=A9?=", more="Received: first\r\nReceived: second\r\nX-Odd_Name%: 1"),
    }
    found = ids(alice, {"header": wanted})
    assert {name for name, record_id in made.items() if record_id in found} == set(expected.split())


def headers(*texts: str) -> dict[str, Any]:
    return {"operator": "OR", "conditions": [{"header": ["List-Id", text]} for text in texts]}


def test_words_to_find_in_a_header_field_have_to_be_in_the_same_one(alice: Client) -> None:
    found = add(alice, more="X-A: one two\r\nX-A: three")
    assert ids(alice, {"header": ["X-A", "two one"]}) == [found]
    assert ids(alice, {"header": ["X-A", "one three"]}) == []


def test_words_to_find_in_a_header_field_count_like_others(alice: Client) -> None:
    assert ids(alice, {"header": ["X-A", "the " * 64]}) == []
    assert alice.error("Email/query", filter={"header": ["X-A", "the " * 65]}) == "unsupportedFilter"
    assert alice.error("Email/query", filter=headers(*["one two"] * 16)) == "unsupportedFilter"


def test_messages_inside_are_searched(alice: Client) -> None:
    """RFC 8621 §4.4.1 body: parts of text/* and message/* are not left out."""
    inner = "Subject: Marsupials\r\nFrom: Wombat <w@x.test>\r\n\r\nburrowing"
    found = add(alice, body=inner, more="MIME-Version: 1.0\r\nContent-Type: message/rfc822")
    for word in ("marsupials", "wombat", "burrowing"):
        assert ids(alice, {"body": word}) == ids(alice, {"text": word}) == [found]
    assert ids(alice, {"subject": "marsupials"}) == ids(alice, {"from": "wombat"}) == []


def test_text_to_find_in_a_header_field_is_short(alice: Client) -> None:
    found = add(alice, more="List-Id: " + "\r\n ".join(["x" * 500] * 2))
    assert ids(alice, {"header": ["List-Id", "x" * 500 + " " + "x" * 499]}) == [found]
    assert alice.error("Email/query", filter={"header": ["List-Id", "x" * 1001]}) == "unsupportedFilter"


def test_a_filter_looks_into_headers_at_most_16_times(alice: Client) -> None:
    found = add(alice, more="List-Id: n15.example.com")
    assert ids(alice, headers(*(f"n{number}." for number in range(16)))) == [found]
    assert alice.error("Email/query", filter=headers(*map(str, range(17)))) == "unsupportedFilter"
    names = {"operator": "OR", "conditions": [{"header": ["List-Id"]}] * 100}
    assert ids(alice, names) == [found]


@pytest.mark.parametrize("most_kept", [0, 300, 1 << 20])
def test_a_header_is_read_once_for_a_whole_request_unless_headers_are_large(
    alice: Client, monkeypatch: pytest.MonkeyPatch, most_kept: int
) -> None:
    monkeypatch.setattr(header_fields, "_MOST_KEPT", most_kept)
    one, two = add(alice, more="List-Id: One\r\nList-Id: other"), add(alice, more="List-Id: Two")
    reads: list[bytes] = []
    read = alice.server.blobs.read

    def counted(tx: Any, digest: bytes, *where: Any) -> bytes:
        reads.append(digest)
        return read(tx, digest, *where)

    monkeypatch.setattr(alice.server.blobs, "read", counted)
    assert set(ids(alice, headers("one", "TWO", "three"))) == {one, two}
    assert len(reads) == {0: 6, 300: 4, 1 << 20: 2}[most_kept]
    assert ids(alice, headers("OTHER")) == [one]


# Operators


def test_operators(alice: Client) -> None:
    a, b, c = (add(alice, keywords=words) for words in (["a"], ["b"], ["a", "b"]))
    has_a, has_b = {"hasKeyword": "a"}, {"hasKeyword": "b"}

    def both(operator: str, *conditions: Any) -> set[str]:
        return set(ids(alice, {"operator": operator, "conditions": list(conditions)}))

    assert both("AND", has_a, has_b) == {c}
    assert both("OR", has_a, has_b) == {a, b, c}
    assert both("NOT", has_a, has_b) == set()
    assert both("NOT", has_a) == {b}
    assert both("AND") == both("NOT") == {a, b, c}
    assert both("OR") == set()
    assert both("AND", {}) == both("OR", {}, has_a) == {a, b, c}
    assert both("NOT", {}) == both("NOT", {"operator": "AND", "conditions": []}) == set()
    assert both("NOT", {"operator": "OR", "conditions": []}) == {a, b, c}
    assert both("AND", has_a, {"operator": "NOT", "conditions": [has_b]}) == {a}
    assert set(ids(alice, {})) == set(ids(alice, None)) == {a, b, c}


# Sorting


def order(client: Client, made: dict[str, str], *sort: Any, **more: Any) -> str:
    names = {record_id: name for name, record_id in made.items()}
    comparators = [{"property": one} if isinstance(one, str) else one for one in sort]
    return "".join(names[record_id] for record_id in ids(client, None, sort=comparators, **more))


def descending(name: str, **more: Any) -> dict[str, Any]:
    return {"property": name, "isAscending": False, **more}


def test_sorts(alice: Client) -> None:
    made = {
        "a": add(alice, "Zebra", sender="bob@example.com", to="Zoe <a@x>", received=second(1), date=300, body="x" * 50),
        "b": add(alice, "Re: apple", sender="Ann <zed@example.com>", to="b@x", received=second(2), date=100),
        "c": add(alice, "[list] Banana", sender='"" <carl@example.com>', to="", received=second(3), date=200, body=""),
    }
    assert order(alice, made, "receivedAt") == "abc"
    assert order(alice, made, descending("receivedAt")) == "cba"
    assert order(alice, made, "size") == order(alice, made, descending("size"))[::-1] == "cba"
    assert order(alice, made, "from") == order(alice, made, descending("from"))[::-1] == "bac"
    assert order(alice, made, "to") == order(alice, made, descending("to"))[::-1] == "cba"
    assert order(alice, made, "subject") == order(alice, made, descending("subject"))[::-1] == "bca"
    assert order(alice, made, "sentAt") == order(alice, made, descending("sentAt"))[::-1] == "bca"


def test_what_is_missing_sorts_first(alice: Client) -> None:
    bare = alice.import_(b"X: y\r\n\r\nbody", received=second(9))["id"]
    made = {"a": add(alice, "Apple", received=second(1), more="Cc: x@y"), "b": bare}
    for name in ("from", "to", "subject", "sentAt"):
        assert order(alice, made, name) == "ba", name
        assert order(alice, made, descending(name)) == "ab", name


def test_keyword_sorts(alice: Client) -> None:
    made = {
        "a": add(alice, message_id="a@x", keywords=["k"], received=second(1)),
        "b": add(alice, message_id="b@x", references=["a@x"], received=second(2)),
        "c": add(alice, keywords=["k"], received=second(3)),
        "d": add(alice, received=second(4)),
    }
    assert order(alice, made, descending("hasKeyword", keyword="k"), "receivedAt") == "acbd"
    assert order(alice, made, {"property": "hasKeyword", "keyword": "k"}, "receivedAt") == "bdac"
    assert order(alice, made, descending("someInThreadHaveKeyword", keyword="k"), "receivedAt") == "abcd"
    assert order(alice, made, descending("allInThreadHaveKeyword", keyword="k"), "receivedAt") == "cabd"
    assert (
        order(alice, made, descending("hasKeyword", keyword="k"), descending("receivedAt"), collapseThreads=True)
        == "cad"
    )


def test_collations_differ(alice: Client) -> None:
    subjects = {"a": "éclair", "b": "Zebra", "c": "zoo", "d": "10 apples", "e": "9 pears"}
    made = {
        name: add(alice, f"=?UTF-8?Q?{''.join(f'={octet:02X}' for octet in subject.encode())}?=")
        for name, subject in subjects.items()
    }

    def by(collation: str, ascending: bool = True) -> str:
        return order(
            alice, made, {"property": "subject", "collation": collation, "isAscending": ascending}, "receivedAt"
        )

    assert by("i;unicode-casemap") == order(alice, made, "subject", "receivedAt") == "deabc"
    assert by("i;ascii-casemap") == "debca"
    assert by("i;ascii-casemap", ascending=False) == "acbed"
    assert by("i;ascii-numeric")[:2] == "ed"


@pytest.mark.parametrize("collation", [None, "i;ascii-casemap"])
@pytest.mark.parametrize("last", [[], [{"property": "receivedAt"}], NEWEST_FIRST])
def test_ties_are_in_the_order_of_arrival(alice: Client, collation: str | None, last: list[Any]) -> None:
    """And the same whichever collation the comparator before has."""
    made = [add(alice, "Same", received=second(0)) for _ in range(4)]
    by_subject = {"property": "subject"} | ({"collation": collation} if collation else {})
    found = ids(alice, None, sort=[by_subject, *last])
    assert found == (made if last and last != NEWEST_FIRST else made[::-1])
    assert ids(alice, None, sort=[by_subject, *last], limit=2, position=1) == found[1:3]


# Threads collapsed


def test_the_first_of_each_thread_in_the_order_stays(alice: Client) -> None:
    inbox, archive = alice.mailbox("inbox"), alice.mailbox("archive")
    a = add(alice, message_id="a@x", received=second(1), mailboxes=[archive], body="short")
    b = add(alice, message_id="b@x", references=["a@x"], received=second(2), mailboxes=[inbox], body="longer" * 9)
    c = add(alice, message_id="c@x", received=second(3), mailboxes=[inbox], body="x" * 200)
    d = add(alice, message_id="d@x", references=["a@x"], received=second(4), mailboxes=[archive, inbox], keywords=["k"])

    def collapsed(wanted: Any, *sort: Any) -> list[str]:
        more = {"sort": list(sort), "collapseThreads": True}
        answer = alice.call("Email/query", filter=wanted, **more, calculateTotal=True)
        assert answer["total"] == len(answer["ids"])
        return list(answer["ids"])

    assert collapsed(None, descending("receivedAt")) == [d, c]
    assert collapsed(None, {"property": "receivedAt"}) == [a, c]
    assert collapsed(None, {"property": "size"}) in ([a, c], [b, c], [d, c])
    assert collapsed({"inMailbox": inbox}, {"property": "receivedAt"}) == [b, c]
    assert collapsed({"inMailbox": inbox}, descending("receivedAt")) == [d, c]
    assert collapsed({"notKeyword": "k"}, descending("receivedAt")) == [c, b]
    assert collapsed({"inMailbox": archive, "notKeyword": "k"}) == [a]
    assert collapsed({"text": "short"}) == [a]


def test_the_total_of_a_mailbox_is_its_count(alice: Client) -> None:
    add(alice, message_id="a@x")
    add(alice, references=["a@x"])
    add(alice)
    box = alice.get("Mailbox", "M1")
    for sort in (NEWEST_FIRST, [{"property": "receivedAt"}], [{"property": "subject"}]):
        for collapse, name in ((False, "totalEmails"), (True, "totalThreads")):
            answer = alice.call(
                "Email/query", filter={"inMailbox": "M1"}, sort=sort, collapseThreads=collapse, calculateTotal=True
            )
            assert answer["total"] == box[name] == len(answer["ids"])
