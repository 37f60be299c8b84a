"""What the header of a part says of it."""

import pytest

from jmaplite.formats import mime
from jmaplite.formats.mime import Part


def root(*header: str, body: str = "") -> Part:
    return mime.parse("\r\n".join([*header, "", body]).encode()).root


class TestContentType:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("TEXT/Html", "text/html"),
            ("(a) text (b (c)) / (d) html (e); x=y", "text/html"),
            ("text/html;", "text/html"),
            ("text", "text/plain"),
            ("", "text/plain"),
            ("text/", "text/plain"),
            ("?/?", "text/plain"),
            ("application/vnd.x+json\r\n ;x=y", "application/vnd.x+json"),
        ],
    )
    def test_the_type_loses_comments_and_parameters(self, value: str, expected: str) -> None:
        assert root(f"Content-Type: {value}").type == expected

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("X: y", "us-ascii"),
            ("Content-Type: text/html", "us-ascii"),
            ("Content-Type: text/html; charset=", "us-ascii"),
            ("Content-Type: image/png", None),
            ("Content-Type: text/plain; charset=ISO-8859-1 (Latin)", "ISO-8859-1"),
            ('Content-Type: text/plain; CHARSET = "utf-8"', "utf-8"),
            ("Content-Type: text/plain charset=utf-8", "utf-8"),
            ("Content-Type: text/plain; charset*=us-ascii'en'utf-8", "utf-8"),
            ("Content-Type: text/plain; charset=a; charset=b", "a"),
            ("Content-Type: application/xml; charset=utf-8", "utf-8"),
        ],
    )
    def test_the_charset_is_the_parameter_or_implicit(self, header: str, expected: str | None) -> None:
        """RFC 8621 §4.1.4 charset."""
        assert root(header).charset == expected


class TestName:
    @pytest.mark.parametrize(
        ("parameters", "expected"),
        [
            ('filename="a b.txt"', "a b.txt"),
            ("filename=a b.txt ; x=y", "a b.txt"),
            (r'filename="a\"b\\c"', 'a"b\\c'),
            ("FileName=x", "x"),
            ("filename*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", "This is ***fun***"),
            (
                "filename*0*=us-ascii'en'This%20is%20even%20more%20;\r\n filename*1*=%2A%2A%2Afun%2A%2A%2A%20;\r\n"
                ' filename*2="isn\'t it!"',
                "This is even more ***fun*** isn't it!",
            ),
            ('filename*0="ftp://";\r\n filename*1="cs.utk.edu/x.tar"', "ftp://cs.utk.edu/x.tar"),
            ("filename*1=b; filename*0=a; filename*3=d", "ab"),
            ("filename*=utf-8''%C3%A9.txt; filename=e.txt", "é.txt"),
            ("filename=e.txt; filename*=utf-8''%C3%A9.txt", "é.txt"),
            ("filename*=iso-8859-1''%E9", "é"),
            ("filename*=''%C3%A9", "é"),
            ("filename*=x-unheard-of''%C3%A9", "é"),
            ("filename*=%C3%A9.txt", "é.txt"),
            ("filename*=utf-8''%E9%", "\ufffd%"),
            ('filename="=?utf-8?q?=C3=A9?= =?utf-8?b?w6k=?=.txt"', "éé.txt"),
            ('filename="=?utf-8?q?a b?="', "a b"),
            ('filename*0="=?utf-8?q?=C3"; filename*1="=A9?="', "é"),
            ('filename="é.txt"', "é.txt"),
            ('filename="a\x07b\x00"', "ab"),
            ('filename=""', None),
            ('filename="unclosed', "unclosed"),
            ("filename*9999999999=x", None),
            ("nothing", None),
        ],
    )
    def test_the_filename_is_decoded(self, parameters: str, expected: str | None) -> None:
        """RFC 2231 §3, §4 and §4.1; encoded words are taken where mailers put them."""
        assert root(f"Content-Disposition: attachment; {parameters}").name == expected

    def test_the_name_of_the_content_type_is_second_best(self) -> None:
        field = "Content-Type: image/png; name==?utf-8?q?=C3=A9?="

        assert root(field).name == "é"
        assert root(field, "Content-Disposition: inline; filename=x").name == "x"


class TestOtherFields:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [("Inline", "inline"), ("(x) ATTACHMENT (y); filename=z", "attachment"), ("", None), ('"inline"', "inline")],
    )
    def test_the_disposition_is_the_value_alone(self, value: str, expected: str | None) -> None:
        assert root(f"Content-Disposition: {value}").disposition == expected

    @pytest.mark.parametrize(
        ("value", "expected"), [("<a@b>", "a@b"), (" (x) <a@b> (y)", "a@b"), ("a@b", "a@b"), ("<>", None), ("", None)]
    )
    def test_the_cid_loses_brackets_and_comments(self, value: str, expected: str | None) -> None:
        assert root(f"Content-ID: {value}").cid == expected

    def test_languages_are_listed(self) -> None:
        assert root("Content-Language: en, (x) de-AT ,").language == ["en", "de-AT"]
        assert root("X: y").language is None

    def test_a_folded_location_is_put_together(self) -> None:
        """RFC 2557 §4.4."""
        assert root("Content-Location: http://x/\r\n y(z)").location == "http://x/y(z)"

    @pytest.mark.parametrize(
        ("value", "encoding", "is_unknown"),
        [
            ("base64", "b", False),
            (" Quoted-Printable (x)", "q", False),
            ("BINARY", "", False),
            ("8bit;", "", False),
            ("", "", False),
            ("x-uuencode", "", True),
            ("base-64", "", True),
        ],
    )
    def test_the_encoding_is_known_or_none(self, value: str, encoding: str, is_unknown: bool) -> None:
        part = root(f"Content-Transfer-Encoding: {value}", body="YQ==")

        assert (part.encoding, part.is_encoding_unknown) == (encoding, is_unknown)

    def test_size_counts_decoded_octets_whatever_the_line_ends(self) -> None:
        octets = b"Content-Transfer-Encoding: quoted-printable\r\rone =\rtwo=20\r"
        part = mime.parse(octets).root

        assert mime.part_octets(octets, part) == b"one two \r"
        assert part.size == 9

    def test_size_counts_decoded_octets(self) -> None:
        assert root("Content-Transfer-Encoding: base64", body="aGVs\r\nbG8=\r\n").size == 5
        assert root("Content-Transfer-Encoding: quoted-printable", body="=C3=A9=\r\n").size == 2
        assert root("Content-Transfer-Encoding: x-uuencode", body="abc").size == 3
