"""SearchSnippet/get (RFC 8621 §5): where Emails have the words that were looked for."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.datatypes.mail.snippets import cut
from jmaplite.store import WordFinder
from tests.mail.jmap import Client, Server, message


def snippet(client: Client, octets: bytes, query: Any) -> dict[str, Any]:
    """The snippet of a message."""
    made = client.import_(octets)
    answer = client.call("SearchSnippet/get", filter=query, emailIds=[made["id"]])
    assert answer["notFound"] is None
    [found] = answer["list"]
    assert found.keys() == {"emailId", "subject", "preview"}
    assert found["emailId"] == made["id"]
    return dict(found)


def marked(text: str | None) -> list[str]:
    return re.findall("<mark>(.*?)</mark>", text or "")


def test_the_example_of_the_rfc(alice: Client) -> None:
    competition = "Every year the foosball competition takes place. This year the foo sball will be in the Stadium de"
    ids = [
        alice.import_(message("Nothing here", "foosball"))["id"],
        alice.import_(message("The Foo sball competition", competition))["id"],
        alice.import_(message("Methods", "the Foo/bar method results often returns <1 widget rather"))["id"],
    ]
    answer = alice.call("SearchSnippet/get", filter={"text": "foo"}, emailIds=[*ids, "E99999"])
    assert answer == {
        "accountId": alice.account,
        "list": [
            {"emailId": ids[0], "subject": None, "preview": None},
            {
                "emailId": ids[1],
                "subject": "The <mark>Foo</mark> sball competition",
                "preview": "…year the foosball competition takes place. This year the <mark>foo</mark> sball will be "
                "in the Stadium de",
            },
            {
                "emailId": ids[2],
                "subject": None,
                "preview": "the <mark>Foo</mark>/bar method results often returns &lt;1 widget rather",
            },
        ],
        "notFound": ["E99999"],
    }


@pytest.mark.parametrize(
    ("query", "subject", "preview"),
    [
        ({"text": "alpha"}, ["alpha"], ["Alpha"]),
        ({"subject": "alpha"}, ["alpha"], []),
        ({"body": "alpha"}, [], ["Alpha"]),
        ({"text": "alpha", "body": "beta"}, ["alpha"], ["Alpha", "beta"]),
        ({"operator": "NOT", "conditions": [{"text": "alpha"}]}, [], []),
        (
            {
                "operator": "AND",
                "conditions": [
                    {"operator": "NOT", "conditions": [{"operator": "OR", "conditions": [{"text": "alpha"}]}]},
                    {"operator": "OR", "conditions": [{"body": "beta"}, {"hasKeyword": "x"}]},
                ],
            },
            [],
            ["beta"],
        ),
        ({"from": "joe", "minSize": 1}, [], []),
        ({"text": '"alpha beta"'}, [], ["Alpha, beta"]),
        ({"text": "alp"}, [], []),
        ({"text": "..."}, [], []),
        (None, [], []),
        ({}, [], []),
    ],
)
def test_the_words_of_a_filter_are_marked(alice: Client, query: Any, subject: list[str], preview: list[str]) -> None:
    found = snippet(alice, message("an alpha", "Alpha, beta and gamma"), query)
    assert (marked(found["subject"]), marked(found["preview"])) == (subject, preview)
    assert (found["subject"] is None, found["preview"] is None) == (not subject, not preview)


def test_words_match_as_in_a_search(alice: Client) -> None:
    octets = message("Ärger", "DÉJÀ vu, 全文検索", more="Content-Type: text/plain; charset=utf-8")
    for text, expected in (("arger", ([], ["Ärger"])), ("deja", (["DÉJÀ"], [])), ("検索", (["検索"], []))):
        made = alice.import_(octets)["id"]
        assert made in alice.call("Email/query", filter={"text": text})["ids"]
        found = snippet(alice, octets, {"text": text})
        assert (marked(found["preview"]), marked(found["subject"])) == expected


def test_html_is_searched_as_its_text(alice: Client) -> None:
    body = "<style>needle{}</style><p>a &lt;b&gt; <b>nee</b>dle &amp; more</p>"
    found = snippet(alice, message("x", body, more="Content-Type: text/html"), {"body": "needle"})
    assert found["preview"] == "a &lt;b&gt; <mark>needle</mark> &amp; more"


def test_the_html_is_searched_when_the_plain_text_has_no_match(alice: Client) -> None:
    body = "--b\r\n\r\nplain\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>needle</p>\r\n--b--"
    found = snippet(
        alice, message("x", body, more="Content-Type: multipart/alternative; boundary=b"), {"body": "needle"}
    )
    assert found["preview"] == "<mark>needle</mark>"


def test_encoded_parts_are_searched(alice: Client) -> None:
    body = "--b\r\nContent-Transfer-Encoding: base64\r\n\r\naGF5IG5lZWRsZSBoYXk=\r\n--b--"
    found = snippet(alice, message("x", body, more="Content-Type: multipart/mixed; boundary=b"), {"body": "needle"})
    assert found["preview"] == "hay <mark>needle</mark> hay"


def test_messages_inside_are_searched(alice: Client) -> None:
    body = "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: a needle\r\n\r\nhay and needle\r\n--b--"
    octets = message("x", body, more="Content-Type: multipart/mixed; boundary=b")
    assert snippet(alice, octets, {"body": "hay"})["preview"] == "<mark>hay</mark> and needle"
    assert snippet(alice, octets, {"text": "needle"})["preview"] == "a <mark>needle</mark>"


def test_the_densest_place_is_shown(alice: Client) -> None:
    body = "alpha first " + "hay " * 200 + "then alpha beta alpha " + "hay " * 200 + "beta"
    found = snippet(alice, message("x", body), {"body": "alpha beta"})
    assert "then <mark>alpha</mark> <mark>beta</mark> <mark>alpha</mark> hay" in found["preview"]
    assert found["preview"].startswith("…")
    assert found["preview"].endswith("…")


def test_a_match_beyond_what_is_searched_is_not_looked_for(alice: Client) -> None:
    lines = "hay hay hay\r\n" * 40_000
    assert snippet(alice, message("x", lines + "needle"), {"body": "needle"})["preview"] is None
    assert snippet(alice, message("x", "needle " + lines), {"body": "needle"})["preview"] is not None


def test_ids_that_are_no_emails_are_not_found(alice: Client) -> None:
    made = alice.import_(message())["id"]
    answer = alice.call("SearchSnippet/get", filter=None, emailIds=[made, "x", made, "M1"])
    assert [item["emailId"] for item in answer["list"]] == [made]
    assert answer["notFound"] == ["x", "M1"]


def test_an_email_without_a_subject_has_no_snippet_of_it(alice: Client) -> None:
    assert snippet(alice, b"From: a@b\r\n\r\nneedle", {"text": "needle"})["subject"] is None


def test_more_emails_than_the_limit_are_too_many(server: Server) -> None:
    alice = server.client()
    ids = [f"E{number:x}" for number in range(101)]
    assert alice.error("SearchSnippet/get", filter=None, emailIds=ids) == "requestTooLarge"
    assert len(alice.call("SearchSnippet/get", filter=None, emailIds=ids[1:])["notFound"]) == 100


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"nonsense": 1}, "unsupportedFilter"),
        ({"text": 5}, "invalidArguments"),
        ("x", "invalidArguments"),
        ({"operator": "XOR", "conditions": []}, "invalidArguments"),
    ],
)
def test_a_filter_that_email_query_refuses_is_refused(alice: Client, query: Any, expected: str) -> None:
    assert alice.error("Email/query", filter=query) == expected
    assert alice.error("SearchSnippet/get", filter=query, emailIds=[]) == expected


PIECES = st.sampled_from(
    ["needle", "two words", "hay", "<b>", "&amp;", "&", " ", "\n", "漢字", "\U0001f600", "é" * 40, "x" * 90]
)


@given(st.lists(PIECES, max_size=60).map("".join) | st.lists(PIECES, max_size=60).map(" ".join))
def test_a_preview_is_short_whole_and_balanced(text: str) -> None:
    finder = WordFinder([("needle",), ("two", "words"), ("漢字",), ("x" * 90,)])
    shown = cut(text, finder)
    assert (shown is None) == (not finder.find(text))
    if shown is not None:
        assert len(shown.encode()) <= 255
        assert re.fullmatch(r"(?:[^<>&]|&(?:amp|lt|gt);|<mark>(?:[^<>&]|&(?:amp|lt|gt);)+</mark>)*", shown)
        assert "<mark>" in shown
        plain = unescape(re.sub("</?mark>", "", shown)).strip("…")
        assert plain.strip() in " ".join(text.split())


def test_a_match_longer_than_a_preview_is_cut_within_its_mark() -> None:
    shown = cut("a " + "漢" * 60 + " " + "漢" * 40, WordFinder([("漢" * 60,)]))
    assert shown == "a <mark>" + "漢" * 60 + "</mark> " + "漢" * 17 + "…"
    shown = cut("a " + "漢" * 60, WordFinder([("漢" * 60,)]))
    assert shown == "a <mark>" + "漢" * 60 + "</mark>"
    words = " ".join(["word" * 5] * 20)
    shown = cut(f"a {words} b", WordFinder([words.split()]))
    assert shown == f"a <mark>{words[:234]}</mark>…"
