"""Which parts are body and which attachments, what is in them, and how a message is stored."""

import codecs
import encodings.aliases

import orjson
import pytest

from jmaplite.formats import mime
from jmaplite.formats.mime import Message
from jmaplite.formats.mime.charsets import codec


def multipart(subtype: str, *parts: str, depth: int = 0) -> str:
    """A multipart entity of entities."""
    boundary = f"{subtype}-{len(''.join(parts))}"
    inside = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return f"Content-Type: multipart/{subtype}; boundary={boundary}\n\n{inside}--{boundary}--\n"


def leaf(content_type: str, content: str = "", *header: str) -> str:
    return "\n".join([f"Content-Type: {content_type}", *header, "", content])


def lettered(content_type: str, letter: str, disposition: str = "") -> str:
    header = [f"Content-Disposition: {disposition}"] if disposition else []
    return leaf(content_type, letter, *header)


def views(octets: bytes) -> tuple[str, str, str]:
    """The contents of textBody, htmlBody and attachments, each joined."""
    parsed = mime.parse(octets)
    text, html, attached = (
        b" ".join(mime.part_octets(octets, part) for part in parts).decode()
        for parts in (parsed.text_body, parsed.html_body, parsed.attachments)
    )
    return text, html, attached


def parse(entity: str) -> Message:
    return mime.parse(entity.encode())


def value(
    octets: bytes, charset: str | None = None, kind: str = "text/plain", max_bytes: int = 0, *, guess: bool = True
) -> tuple[str, bool, bool]:
    parameter = f"; charset={charset}" if charset else ""
    whole = f"Content-Type: {kind}{parameter}\n\n".encode() + octets
    return mime.body_value(whole, mime.parse(whole).root, max_bytes, guess=guess)


class TestDecomposition:
    def test_the_example_of_rfc_8621(self) -> None:
        """§4.1.4: both versions of a text that went through a list."""
        entity = multipart(
            "mixed",
            lettered("text/plain", "A", "inline"),
            multipart(
                "mixed",
                multipart(
                    "alternative",
                    multipart(
                        "mixed",
                        lettered("text/plain", "B", "inline"),
                        lettered("image/jpeg", "C", "inline"),
                        lettered("text/plain", "D", "inline"),
                    ),
                    multipart("related", lettered("text/html", "E"), lettered("image/jpeg", "F")),
                ),
                lettered("image/jpeg", "G", "attachment"),
                lettered("application/x-excel", "H"),
                lettered("message/rfc822", "J"),
            ),
            lettered("text/plain", "K", "inline"),
        )

        assert views(entity.encode()) == ("A B C D K", "A E K", "C F G H J")

    @pytest.mark.parametrize(
        ("entity", "expected"),
        [
            (lettered("text/plain", "A"), ("A", "A", "")),
            (lettered("text/html", "A"), ("A", "A", "")),
            (lettered("image/png", "A"), ("A", "A", "")),
            (lettered("application/pdf", "A"), ("", "", "A")),
            (lettered("text/plain", "A", "attachment"), ("", "", "A")),
            (lettered("text/calendar", "A"), ("", "", "A")),
            (multipart("alternative", lettered("text/plain", "A"), lettered("text/html", "B")), ("A", "B", "")),
            (multipart("alternative", lettered("text/html", "B")), ("B", "B", "")),
            (multipart("alternative", lettered("text/plain", "A")), ("A", "A", "")),
            (
                multipart("alternative", lettered("text/plain", "A"), lettered("text/calendar", "B")),
                ("A", "A", "B"),
            ),
            (
                multipart("mixed", lettered("text/plain", "A"), lettered("text/plain; name=x", "B")),
                ("A", "A", "B"),
            ),
            (multipart("mixed", lettered("text/plain; name=x", "A")), ("A", "A", "")),
            (multipart("mixed", lettered("text/plain", "A"), lettered("image/png; name=x", "B")), ("A B", "A B", "")),
            (multipart("related", lettered("text/html", "A"), lettered("image/png", "B")), ("A", "A", "B")),
            (multipart("digest", leaf("message/rfc822", "A")), ("", "", "A")),
        ],
    )
    def test_parts_are_body_or_attachment(self, entity: str, expected: tuple[str, str, str]) -> None:
        assert views(entity.encode()) == expected

    @pytest.mark.parametrize(
        ("entity", "expected"),
        [
            (leaf("text/plain"), False),
            (leaf("application/pdf"), True),
            (leaf("application/pdf", "", "Content-Disposition: inline"), False),
            (
                multipart(
                    "related", leaf("text/html", '<img src="cid:a%40b">'), leaf("image/png", "", "Content-ID: <a@b>")
                ),
                False,
            ),
            (
                multipart(
                    "related", leaf("text/html", '<img src="cid:x">'), leaf("image/png", "", "Content-ID: <a@b>")
                ),
                True,
            ),
            (multipart("related", leaf("text/html", "cid:a"), leaf("application/pdf", "", "Content-ID: <a>")), True),
            (
                multipart(
                    "related",
                    leaf("text/html", "cid:a"),
                    leaf("image/png", "", "Content-ID: <a>", "Content-Disposition: attachment"),
                ),
                True,
            ),
        ],
    )
    def test_images_that_html_shows_are_no_attachment(self, entity: str, expected: bool) -> None:
        """RFC 8621 §4.1.4 hasAttachment."""
        assert parse(entity).has_attachment is expected


class TestStorage:
    def test_a_message_comes_back_from_json_as_it_was(self) -> None:
        entity = multipart(
            "mixed",
            multipart("alternative", lettered("text/plain", "A"), lettered("text/html", "B")),
            leaf("application/pdf; name=é", "C", "Content-ID: <x>", "Content-Language: de", "Content-Location: y"),
        )
        parsed = parse(entity)

        again = mime.load(orjson.loads(orjson.dumps(mime.dump(parsed))))

        assert again == parsed
        assert again.attachments[0] is list(again.leaves())[2]

    def test_a_plain_message_is_stored_in_few_octets(self) -> None:
        assert len(orjson.dumps(mime.dump(mime.parse(b"A: b\n\nx")))) < 80


class TestTransferEncoding:
    @pytest.mark.parametrize(
        ("raw_body", "expected"),
        [
            (b"aGVsbG8=", b"hello"),
            (b"aGVs\r\nbG8=\r\n", b"hello"),
            (b"aGVsbG8", b"hello"),
            (b"aGVsbG", b"hell"),
            (b"aGVsb", b"hel"),
            (b"a", b""),
            (b"a!G\0V*s \xff", b"hel"),
            (b"aGVs====", b"hel"),
            (b"aGU=\r\n-- \r\nlist footer", b"he"),
            (b"", b""),
            (b"=", b""),
        ],
    )
    def test_base64_yields_what_it_holds(self, raw_body: bytes, expected: bytes) -> None:
        """RFC 2045 §6.8: other characters are ignored, and the first "=" is the end."""
        assert mime.decode(raw_body, "b") == expected

    @pytest.mark.parametrize(
        ("raw_body", "expected"),
        [
            (b"caf=C3=A9", b"caf\xc3\xa9"),
            (b"caf=c3=a9", b"caf\xc3\xa9"),
            (b"soft=\r\n break=\n and=\r again", b"soft break and again"),
            (b"soft=  \r\nbreak", b"softbreak"),
            (b"trailing \t\r\nspace  ", b"trailing\r\nspace"),
            (b"kept=20\r\n", b"kept \r\n"),
            (b"1=2 =zz =", b"1=2 =zz "),
            (b"==41=", b"=A"),
            (b"=4", b"=4"),
            (b"a_b\xe9\0", b"a_b\xe9\0"),
        ],
    )
    def test_quoted_printable_keeps_what_is_no_escape(self, raw_body: bytes, expected: bytes) -> None:
        """RFC 2045 §6.7."""
        assert mime.decode(raw_body, "q") == expected

    def test_uuencode_is_not_decoded(self) -> None:
        octets = b"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n"

        assert mime.part_octets(octets, mime.parse(octets).root) == b"begin 644 x\n"

    def test_an_unknown_encoding_is_a_problem(self) -> None:
        octets = b"Content-Transfer-Encoding: x-foo\n\nabc"

        assert mime.body_value(octets, mime.parse(octets).root) == ("abc", True, False)


class TestCharset:
    @pytest.mark.parametrize(
        ("octets", "charset", "expected"),
        [
            (b"abc", None, "abc"),
            ("é".encode(), "utf-8", "é"),
            ("é".encode(), '"UTF-8"', "é"),
            ("é".encode(), None, "é"),
            ("é".encode(), "us-ascii", "é"),
            (b"\xe9", "iso-8859-1", "é"),
            (b"\x93\xe9\x94", "iso-8859-1", "“é”"),
            (b"\x93\x81", "iso-8859-1", "“\x81"),
            (b"\xa4", "iso-8859-15", "€"),
            ("汉".encode("gb2312"), "gb2312", "汉"),
            ("㐀".encode("gb18030"), "gb2312", "㐀"),
            ("①".encode("cp932"), "shift_jis", "①"),
            ("日本".encode("iso2022_jp"), "iso-2022-jp", "日本"),
            ("똠".encode("cp949"), "ks_c_5601-1987", "똠"),
            ("é".encode("utf-16-be"), "utf-16", "é"),
            (codecs.BOM_UTF16_LE + "é".encode("utf-16-le"), "utf-16", "é"),
            (codecs.BOM_UTF8 + b"x", "utf-8", "x"),
            ("привет".encode("koi8-r"), "koi8-r", "привет"),
            (b"\xce", "windows-1253", "Ξ"),
            (b"\xa1", "windows-874", "ก"),
        ],
    )
    def test_text_is_decoded_as_mail_means_its_charset(self, octets: bytes, charset: str | None, expected: str) -> None:
        assert value(octets, charset) == (expected, False, False)

    @pytest.mark.parametrize(
        ("octets", "charset", "expected"),
        [
            (b"a\xe9", "utf-8", "a\ufffd"),
            (b"a\xe9", None, "aé"),
            (b"a\xe9", "us-ascii", "aé"),
            (b"abc", "x-unheard-of", "abc"),
            ("é".encode(), "x-unheard-of", "é"),
            (b"\xe9", "unknown-8bit", "é"),
            (b"\xa4\xff", "gb18030", "\ufffd\ufffd"),
        ],
    )
    def test_malformed_or_guessed_text_is_a_problem(self, octets: bytes, charset: str | None, expected: str) -> None:
        """RFC 8621 §4.1.4 isEncodingProblem."""
        assert value(octets, charset) == (expected, True, False)

    def test_html_may_say_its_own_charset(self) -> None:
        html = b'<meta http-equiv="x" content="text/html; charset=koi8-r">' + "привет".encode("koi8-r")

        assert "привет" in value(html, kind="text/html")[0]
        assert "привет" not in value(html)[0]

    @pytest.mark.parametrize(
        ("octets", "charset", "expected"),
        [
            (b"abc", None, ("abc", False)),
            ("é".encode(), "utf-8", ("é", False)),
            ("é".encode(), None, ("\ufffd\ufffd", True)),
            ("é".encode(), "us-ascii", ("\ufffd\ufffd", True)),
            ("é".encode(), "x-unheard-of", ("\ufffd\ufffd", True)),
            (b"\x93\xe9", "iso-8859-1", ("\x93é", False)),
            (b"\x93\xe9", "windows-1252", ("“é", False)),
            (b"+ADw-b+AD4-", "utf-7", ("+ADw-b+AD4-", True)),
            (b"a\xff\0", "utf-8", ("a\ufffd", True)),
        ],
    )
    def test_without_guesses_a_charset_is_what_it_says(
        self, octets: bytes, charset: str | None, expected: tuple[str, bool]
    ) -> None:
        """RFC 8621 §9.1."""
        assert value(octets, charset, "text/html", guess=False) == (*expected, False)

    @pytest.mark.parametrize(
        "name",
        ["rot13", "zlib", "base64", "hex", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined",
         "charmap", "mbcs", "oem", "uu", "bz2", "quopri", "__init__", "aliases", "a\0b", "", "x" * 99, "é"],
    )  # fmt: skip
    def test_names_of_what_is_no_charset_are_unknown(self, name: str) -> None:
        assert codec(name) is None

    @pytest.mark.parametrize("name", sorted(set(encodings.aliases.aliases.values())))
    def test_every_charset_of_python_is_decoded_or_unknown(self, name: str) -> None:
        """None of them raises, or lets through what JSON cannot carry."""
        octets = bytes(range(256)) * 2 + b"+2AA- \\ud800 =?"

        for guess in (True, False):
            orjson.dumps(value(octets, name, guess=guess)[0])

    def test_what_json_cannot_carry_is_replaced(self) -> None:
        """RFC 7493 §2.1."""
        assert value("a\0b\ufffe\ufdd0\U0001ffff".encode(), "utf-8")[0] == "ab\ufffd\ufffd\ufffd"
        assert value(b"+2AA-x", "utf-7")[0] == "\ufffdx"


class TestBodyValue:
    def test_crlf_becomes_lf_and_a_bare_cr_stays(self) -> None:
        assert value(b"a\r\nb\nc\rd")[0] == "a\nb\nc\rd"

    @pytest.mark.parametrize(
        ("octets", "limit", "expected"),
        [
            (b"abc", 3, ("abc", False, False)),
            (b"abcd", 3, ("abc", False, True)),
            ("ééé".encode(), 3, ("é", False, True)),
            ("ééé".encode(), 6, ("ééé", False, False)),
            ("😀".encode(), 3, ("", False, True)),
            (b"a\r\nbc", 4, ("a\nbc", False, False)),
        ],
    )
    def test_it_is_truncated_between_characters(self, octets: bytes, limit: int, expected: object) -> None:
        assert value(octets, "utf-8", max_bytes=limit) == expected

    @pytest.mark.parametrize(
        ("html", "limit", "expected"),
        [
            (b'ab<a href="x">c', 6, "ab"),
            (b'ab<a href="x">c', 3, "ab"),
            (b'ab<a href="x">cd', 15, 'ab<a href="x">c'),
            (b"1 < 2 and so on", 9, "1 < 2 and"),
            (b"ab</b>cd", 4, "ab"),
            (b'ab<a title="x > y">cd', 17, "ab"),
            (b"ab<a title = 'x > y'>cd", 22, "ab<a title = 'x > y'>c"),
            (b"<p don't>ab<p>c", 10, "<p don't>a"),
            (b'ab<!-- c="d -->ef', 16, 'ab<!-- c="d -->e'),
        ],
    )
    def test_html_is_not_truncated_inside_a_tag(self, html: bytes, limit: int, expected: str) -> None:
        """RFC 8621 §4.2 maxBodyValueBytes."""
        assert value(html, kind="text/html", max_bytes=limit) == (expected, False, True)

    def test_plain_text_is_truncated_anywhere(self) -> None:
        assert value(b"ab<a href", max_bytes=5)[0] == "ab<a "
