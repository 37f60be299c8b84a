"""Previews, the text that is searched, and HTML to text."""

import base64

import pytest

from jmaplite.formats import mime
from jmaplite.formats.html import to_text


def preview(text: str, kind: str = "text/plain") -> str:
    octets = f"Content-Type: {kind}; charset=utf-8\n\n{text}".encode()
    return mime.preview(octets, mime.parse(octets))


def searched(octets: bytes, limit: int = 10_000) -> str:
    return mime.search_text(octets, mime.parse(octets), limit)


class TestPreview:
    def test_white_space_is_collapsed(self) -> None:
        assert preview("  one\r\n\r\n\ttwo   three \n") == "one two three"

    def test_it_has_at_most_256_characters(self) -> None:
        """RFC 8621 §4.1.4 preview."""
        assert preview("😀" * 300) == "😀" * 256
        assert preview("ab " * 100) == ("ab " * 100)[:256].strip()

    @pytest.mark.parametrize(
        "text",
        [
            "> quoted\n>> twice\nNew words",
            "On Tue, 1 Jul 2003, Foo wrote:\n> quoted\nNew words",
            "On Tue, 1 Jul 2003 at 10:52, Foo Bar\n<foo@bar.test> wrote:\n\n> quoted\n\nNew words",
            "Am Freitag, 21. November 2003 15:23 schrieb Foo:\n> quoted\nNew words",
            "* Foo <foo@bar.test> (20040417 05:42):\n> quoted\nNew words",
            "Foo Bar <foo@bar.test> writes:\n> quoted\nNew words",
            "Foo> quoted\nNew words",
            "New words\n-- \nA. Signature",
            "New words\n--\nA. Signature",
            "Hi all,\n\nNew words",
            "Dear Mr. Foo,\nNew words",
            "New words\n\n-----Original Message-----\nFrom: x",
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA1\n\nNew words\n-----BEGIN PGP SIGNATURE-----\niD8DBQ",
        ],
    )
    def test_only_the_authors_own_words_are_shown(self, text: str) -> None:
        assert preview(text) == "New words"

    @pytest.mark.parametrize(
        "text", ["Hi there!", "Hello,", "> only quoted", "-- \nJust a signature", "On it, he wrote:"]
    )
    def test_what_is_skipped_elsewhere_is_shown_where_there_is_nothing_else(self, text: str) -> None:
        assert preview(text) == " ".join(text.split())

    @pytest.mark.parametrize(
        "text", ["See my config:\n> x=1", "Hi there, here is what I found.\nMore", "On Monday we met."]
    )
    def test_sentences_are_not_taken_for_what_they_begin_like(self, text: str) -> None:
        assert preview(text).startswith(text.split("\n")[0])

    def test_html_is_shown_as_text(self) -> None:
        html = "<html><head><title>T</title><style>p{}</style></head><p>One &amp;<br>two<p>three"

        assert preview(html, "text/html") == "One & two three"

    def test_plain_text_is_preferred(self) -> None:
        octets = (
            b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/html\n\n<p>html\n"
            b"--a\nContent-Type: text/plain\n\nplain\n--a--"
        )

        assert mime.preview(octets, mime.parse(octets)) == "plain"

    def test_an_empty_part_gives_way_to_the_next(self) -> None:
        octets = b"Content-Type: multipart/mixed; boundary=a\n\n--a\n\n \n--a\n\nsecond\n--a--"

        assert mime.preview(octets, mime.parse(octets)) == "second"

    def test_it_is_empty_without_text(self) -> None:
        octets = b"Content-Type: image/png\n\nxyz"

        assert mime.preview(octets, mime.parse(octets)) == ""

    def test_invisible_characters_are_dropped(self) -> None:
        assert preview("a\u200bb\x07c\ufeff") == "abc"

    @pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "8bit"])
    def test_only_the_beginning_of_a_long_text_is_decoded(self, encoding: str) -> None:
        body = "wörter ohne ende\n".encode() * 300_000
        if encoding == "base64":
            body = base64.encodebytes(body)
        octets = f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n".encode() + body

        assert mime.preview(octets, mime.parse(octets)).startswith("wörter ohne ende wörter")


class TestSearchText:
    OCTETS = (
        b"Content-Type: multipart/mixed; boundary=a\n\n--a\n\nplain words\n"
        b"--a\nContent-Type: text/html\n\n<b>bold</b> words<img alt=picture>\n"
        b"--a\nContent-Type: text/csv; name=table.csv\n\n1,2\n"
        b"--a\nContent-Type: image/png; name=photo.png\n\nPNG\n--a--"
    )

    def test_it_holds_all_text_and_all_names(self) -> None:
        assert searched(self.OCTETS).split() == [
            "plain",
            "words",
            "bold",
            "words",
            "picture",
            "1,2",
            "table.csv",
            "photo.png",
        ]

    def test_it_is_bounded_but_names_stay(self) -> None:
        assert searched(self.OCTETS, 11).split() == ["plain", "words", "table.csv", "photo.png"]

    @pytest.mark.parametrize("kind", ["message/rfc822", "message/global"])
    def test_it_holds_what_a_reader_sees_of_messages_inside(self, kind: str) -> None:
        """RFC 8621 §4.4.1 body."""
        inner = (
            b"From: =?utf-8?q?J=C3=B6rg?= <j@x.test>\nTo: t@x.test\nSubject: Inside\nX-Other: hidden\n"
            b"Content-Type: text/html\n\n<b>bold</b><!-- hidden -->"
        )
        octets = b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: %b\n\n%b\n--a--" % (
            kind.encode(),
            inner,
        )
        assert searched(octets).split() == ["Inside", "Jörg", "j@x.test", "t@x.test", "bold"]
        encoded = b"Content-Type: %b\nContent-Transfer-Encoding: base64\n\n%b" % (
            kind.encode(),
            base64.b64encode(inner),
        )
        assert searched(encoded).split() == ["Inside", "Jörg", "j@x.test", "t@x.test", "bold"]

    def test_it_holds_reports(self) -> None:
        assert searched(b"Content-Type: message/delivery-status\n\nAction: failed\n").split() == ["Action:", "failed"]

    def test_messages_in_messages_are_looked_into_up_to_a_depth(self) -> None:
        octets = b"Subject: deepest\n\n"
        for depth in range(11):
            octets = b"Subject: s%d\nContent-Type: message/rfc822\n\n%b" % (depth, octets)
        assert searched(octets).split() == [f"s{depth}" for depth in range(9, -1, -1)]

    def test_a_long_part_is_cut_at_a_line(self) -> None:
        assert searched(b"\nfirst line\nsecond line\n", 15) == "first line\n"


class TestHtmlToText:
    @pytest.mark.parametrize(
        ("html", "expected"),
        [
            ("plain", "plain"),
            ("<p>a</p><p>b</p>", "a\nb"),
            ("a<br>b<BR/>c", "a\nb\nc"),
            ("<b>bo</b>ld <i>it</i>", "bold it"),
            ("one\n two", "one two"),
            ("<td>a</td><td>b</td>", "a b"),
            ("<img alt='A pic' title=\"T\" src=x>", "A pic T"),
            ("<a title=Tip>x</a>", "Tip x"),
            ("<a data-alt=no>x</a>", "x"),
            ("a<!-- x > y -->b", "ab"),
            ("a<!-->b<!--->c", "abc"),
            ("a<!-- never closed", "a"),
            ("<!DOCTYPE html>a<?xml x?>b<![if !mso]>c<![endif]>", "abc"),
            ("<script>x<b>y</script >z", "z"),
            ("<style>p{}</style\n>z", "z"),
            ("<STYLE>p{}</sTyLe>z", "z"),
            ("<style>never closed", ""),
            ("<head><title>x</title></head>y", "y"),
            ("&lt;p&gt; &amp;amp; &eacute;&#233;&#xe9;&nbsp;!", "<p> &amp; ééé !"),
            ("&nosuch; &#xD800; &#0; &#99999999999;", "&nosuch; \ufffd \ufffd \ufffd"),
            ("1 < 2 > 1 <3", "1 < 2 > 1 <3"),
            ('<a href=">">x</a>', "x"),
            ("<a href='unclosed>x", ""),
            ("<p don't>x", "x"),
            ("a<b", "a"),
            ("soft&shy;hyphen", "softhyphen"),
            ("</p>a</ >b", "ab"),
        ],
    )
    def test_it_is_what_a_reader_sees(self, html: str, expected: str) -> None:
        assert to_text(html) == expected

    @pytest.mark.parametrize(
        "unit",
        ["<", "<a ", '<a href="', "<a href='", "<!--", "<!", "<script>", "<title>", "</", "&", "&#", "=", '="',
         "<a =", "alt=", "<p>", "<p", "-->", "<a alt ", " ", "&#9", "&amp", "<?", "<style", "</style"],
    )  # fmt: skip
    def test_hostile_html_takes_linear_time(self, unit: str) -> None:
        for before in ("", "<a ", "<a x=", "<style>", "&#", "<!--"):
            to_text(before + unit * (500_000 // len(unit)))
