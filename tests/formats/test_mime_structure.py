"""The tree of parts: where each lies, what its header says, and how malformed trees are read."""

import pytest

from jmaplite.formats import mime
from jmaplite.formats.mime import Part
from jmaplite.formats.mime.structure import MAX_DEPTH, MAX_PARTS

Shape = tuple[str, list["Shape"] | None]


def message(content_type: str, *lines: str, end: str = "\r\n") -> bytes:
    return end.join(["Subject: x", f"Content-Type: {content_type}", "", *lines]).encode()


def shape(part: Part) -> object:
    """A leaf by its type, a multipart as (subtype, shapes)."""
    if part.sub_parts is None:
        return part.type
    return part.type.removeprefix("multipart/"), [shape(sub_part) for sub_part in part.sub_parts]


def bodies(octets: bytes) -> list[bytes]:
    return [octets[part.body_start : part.body_end] for part in mime.parse(octets).leaves()]


def root(*header: str, body: str = "") -> Part:
    return mime.parse("\r\n".join([*header, "", body]).encode()).root


RFC_2046 = b"""\
From: Nathaniel Borenstein <nsb@bellcore.com>
Subject: Sample message
MIME-Version: 1.0
Content-type: multipart/mixed; boundary="simple boundary"

This is the preamble.  It is to be ignored, though it
is a handy place for composition agents to include an
explanatory note to non-MIME conformant readers.

--simple boundary

This is implicitly typed plain US-ASCII text.
It does NOT end with a linebreak.
--simple boundary
Content-type: text/plain; charset=us-ascii

This is explicitly typed plain US-ASCII text.
It DOES end with a linebreak.

--simple boundary--

This is the epilogue.  It is also to be ignored.
"""


RFC_2049 = """\
MIME-Version: 1.0
From: Nathaniel Borenstein <nsb@nsb.fv.com>
Subject: A multipart example
Content-Type: multipart/mixed;
              boundary=unique-boundary-1

This is the preamble area of a multipart message.

--unique-boundary-1

... Some text appears here ...

--unique-boundary-1
Content-type: text/plain; charset=US-ASCII

This could have been part of the previous part.

--unique-boundary-1
Content-Type: multipart/parallel; boundary=unique-boundary-2

--unique-boundary-2
Content-Type: audio/basic
Content-Transfer-Encoding: base64

AAEC

--unique-boundary-2
Content-Type: image/jpeg
Content-Transfer-Encoding: base64

AAECAwQ=

--unique-boundary-2--

--unique-boundary-1
Content-type: text/enriched

This is <bold><italic>enriched.</italic></bold>

--unique-boundary-1
Content-Type: message/rfc822

From: (mailbox in US-ASCII)
Content-Type: Text/plain; charset=ISO-8859-1
Content-Transfer-Encoding: Quoted-printable

... Additional text in ISO-8859-1 goes here ...

--unique-boundary-1--
"""


class TestOffsets:
    def test_a_plain_message_is_one_part(self) -> None:
        octets = b"Subject: x\r\n\r\nHello\r\n"

        part = mime.parse(octets).root

        assert (part.header_start, part.header_end, part.body_start, part.body_end) == (0, 12, 14, 21)
        assert (part.part_id, part.type, part.charset, part.size) == ("1", "text/plain", "us-ascii", 7)

    @pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
    def test_the_example_of_rfc_2046(self, end: bytes) -> None:
        """§5.1.1: the line end before a delimiter belongs to it, whatever line ends the message has."""
        octets = RFC_2046.replace(b"\n", end)

        first, second = bodies(octets)

        assert first.endswith(b"It does NOT end with a linebreak.")
        assert second.endswith(b"It DOES end with a linebreak." + end)
        assert shape(mime.parse(octets).root) == ("mixed", ["text/plain", "text/plain"])

    def test_the_complex_example_of_rfc_2049(self) -> None:
        """Appendix A."""
        parsed = mime.parse(RFC_2049.encode())

        assert shape(parsed.root) == (
            "mixed",
            [
                "text/plain",
                "text/plain",
                ("parallel", ["audio/basic", "image/jpeg"]),
                "text/enriched",
                "message/rfc822",
            ],
        )
        assert [part.size for part in parsed.leaves()] == [31, 48, 3, 5, 48, 166]

    def test_parts_are_numbered_in_depth_first_order_and_multiparts_not_at_all(self) -> None:
        octets = message(
            "multipart/mixed; boundary=a",
            "--a", "", "1", "--a", "Content-Type: multipart/mixed; boundary=b", "",
            "--b", "", "2", "--b", "", "3", "--b--", "--a", "", "4", "--a--",
        )  # fmt: skip

        parsed = mime.parse(octets)

        assert [part.part_id for part in parsed.leaves()] == ["1", "2", "3", "4"]
        assert bodies(octets) == [b"1", b"2", b"3", b"4"]
        assert parsed.root.part_id is None

    def test_headers_of_parts_are_where_the_offsets_say(self) -> None:
        octets = message("multipart/mixed; boundary=a", "--a", "A: 1", "B: 2", "", "x", "--a--")
        (part,) = mime.parse(octets).leaves()

        assert mime.header_fields(octets, part.header_start, part.header_end) == [("A", b" 1"), ("B", b" 2")]

    def test_a_message_in_a_message_is_a_leaf(self) -> None:
        octets = message("message/rfc822", "Content-Type: multipart/mixed; boundary=a", "", "--a", "", "--a--")

        assert shape(mime.parse(octets).root) == "message/rfc822"

    @pytest.mark.parametrize("octets", [b"", b"\n", b"\r\n", b"\r", b"\0", b"-", b"--", b"\n--", b":", b" "])
    def test_next_to_nothing_is_a_message(self, octets: bytes) -> None:
        part = mime.parse(octets).root

        assert part.type == "text/plain"
        assert part.body_end == len(octets)

    def test_parts_of_a_digest_are_messages(self) -> None:
        """RFC 2046 §5.1.5."""
        octets = message(
            "multipart/digest; boundary=a", "--a", "", "A: b", "--a", "Content-Type: text/plain", "", "--a--"
        )

        assert shape(mime.parse(octets).root) == ("digest", ["message/rfc822", "text/plain"])


class TestHeaderAndBody:
    def test_a_header_alone_has_an_empty_body(self) -> None:
        part = mime.parse(b"Subject: x\r\nTo: y").root

        assert (part.header_end, part.body_start, part.body_end) == (17, 17, 17)

    def test_an_empty_line_first_ends_an_empty_header(self) -> None:
        assert bodies(b"\r\nSubject: x\r\n\r\nHello") == [b"Subject: x\r\n\r\nHello"]

    @pytest.mark.parametrize(
        "body", [b"Hello world\nthis is text\n\nmore", b"  indented text\n", b" indented: text", b"\xff\xfe"]
    )
    def test_octets_that_begin_with_no_field_are_all_body(self, body: bytes) -> None:
        assert bodies(body) == [body]

    @pytest.mark.parametrize("junk", [b"From x@y Tue Jul  1 10:52:37 2003\n", b">From x@y\r\n", b" folded junk\n"])
    def test_junk_before_the_first_field_belongs_to_the_header(self, junk: bytes) -> None:
        octets = junk + b"Content-Type: text/html\n\nx"

        assert mime.parse(octets).root.type == "text/html"
        assert bodies(octets) == [b"x"]

    def test_a_line_that_is_no_field_does_not_end_the_header(self) -> None:
        octets = b"Subject: x\nbroken fold\nContent-Type: text/html\n\nx"

        assert mime.parse(octets).root.type == "text/html"

    def test_line_ends_may_be_mixed(self) -> None:
        octets = b"A: b\r\nContent-Type: multipart/mixed; boundary=x\n\r\n--x\n\r\n1\r\n--x\r\n\n2\n--x--\r\n"

        assert bodies(octets) == [b"1", b"2"]

    def test_a_part_without_an_empty_line_is_header_or_body_by_its_first_line(self) -> None:
        octets = message("multipart/mixed; boundary=a", "--a", "Content-Type: image/png", "--a", "no field", "--a--")

        assert shape(mime.parse(octets).root) == ("mixed", ["image/png", "text/plain"])
        assert bodies(octets) == [b"", b"no field"]

    def test_a_space_before_the_colon_is_no_obstacle(self) -> None:
        assert root("Content-Type : text/html").type == "text/html"

    def test_of_two_fields_the_first_counts(self) -> None:
        assert root("Content-Type: text/html", "Content-Type: image/png").type == "text/html"


class TestDelimiters:
    def test_preamble_and_epilogue_are_no_parts(self) -> None:
        octets = message("multipart/mixed; boundary=a", "before", "--a", "", "x", "--a--", "after", "--a", "", "y")

        assert bodies(octets) == [b"x"]

    def test_white_space_may_follow(self) -> None:
        assert bodies(message("multipart/mixed; boundary=a", "--a \t", "", "x", "--a-- ", "y")) == [b"x"]

    def test_a_line_that_only_begins_like_one_is_content(self) -> None:
        octets = message("multipart/mixed; boundary=a", "--a", "", "--ab", "x--a", " --a", "--a-", "--a--")

        assert bodies(octets) == [b"--ab\r\nx--a\r\n --a\r\n--a-"]

    def test_a_boundary_may_be_the_prefix_of_another(self) -> None:
        octets = message(
            "multipart/mixed; boundary=a",
            "--a", "Content-Type: multipart/alternative; boundary=ab", "", "--ab", "", "1", "--ab--",
            "--a", "", "2", "--a--",
        )  # fmt: skip

        assert shape(mime.parse(octets).root) == ("mixed", [("alternative", ["text/plain"]), "text/plain"])

    def test_an_inner_boundary_may_look_like_the_outer_close(self) -> None:
        octets = message(
            "multipart/mixed; boundary=a",
            "--a", "Content-Type: multipart/mixed; boundary=a--", "", "--a--", "", "1", "--a----", "--a--",
        )  # fmt: skip

        assert shape(mime.parse(octets).root) == ("mixed", [("mixed", ["text/plain"])])

    def test_an_inner_boundary_may_be_the_same_as_the_outer(self) -> None:
        octets = message(
            "multipart/mixed; boundary=a",
            "--a", "Content-Type: multipart/mixed; boundary=a", "", "--a", "", "1", "--a--", "--a", "", "2", "--a--",
        )  # fmt: skip

        assert shape(mime.parse(octets).root) == ("mixed", [("mixed", ["text/plain"]), "text/plain"])

    @pytest.mark.parametrize(
        ("parameter", "boundary"),
        [
            ('"a b"', "a b"),
            ('"=_(x):?,/\'+."', "=_(x):?,/'+."),
            ("=_x:y", "=_x:y"),
            ('"a\\"b"', 'a"b'),
            ('"a "', "a"),
            ("a ; charset=x", "a"),
            ("(comment) a (comment)", "a"),
        ],
    )
    def test_boundaries_may_hold_special_characters(self, parameter: str, boundary: str) -> None:
        octets = message(f"multipart/mixed; boundary={parameter}", f"--{boundary}", "", "x", f"--{boundary}--")

        assert bodies(octets) == [b"x"]

    def test_a_missing_close_ends_with_the_message(self) -> None:
        assert bodies(message("multipart/mixed; boundary=a", "--a", "", "1", "--a", "", "2", "")) == [b"1", b"2\r\n"]

    def test_an_outer_delimiter_ends_what_is_open_inside(self) -> None:
        """RFC 2046 §5.1.2."""
        octets = message(
            "multipart/mixed; boundary=a",
            "--a", "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "1", "--a", "", "2", "--b", "--a--",
        )  # fmt: skip

        assert bodies(octets) == [b"1", b"2\r\n--b"]

    def test_an_outer_delimiter_ends_a_header_inside(self) -> None:
        octets = message(
            "multipart/mixed; boundary=a",
            "--a", "Content-Type: multipart/mixed; boundary=b", "--a", "", "2", "--a--",
        )  # fmt: skip

        assert shape(mime.parse(octets).root) == ("mixed", [("mixed", []), "text/plain"])

    @pytest.mark.parametrize("header", [("A: b",), ("A: b", ""), ("",), ()])
    def test_an_inner_multipart_that_an_outer_delimiter_ends_still_holds_its_last_part(
        self, header: tuple[str, ...]
    ) -> None:
        octets = message(
            "multipart/mixed; boundary=a",
            "--a", "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "1", "--b", *header, "--a", "", "--a--",
        )  # fmt: skip

        inner = (mime.parse(octets).root.sub_parts or [])[0]
        last = (inner.sub_parts or [])[-1]

        assert (
            last.header_end
            <= last.body_start
            <= last.body_end
            <= inner.body_end
            < octets.index(b"--a", last.body_end) + 1
        )

    @pytest.mark.parametrize("rest", [("--a--",), ("", "--a--"), ("--a",), ("--a", "", ""), ()])
    def test_a_multipart_may_be_empty(self, rest: tuple[str, ...]) -> None:
        assert shape(mime.parse(message("multipart/mixed; boundary=a", *rest)).root) == ("mixed", [])

    def test_parts_may_be_empty(self) -> None:
        assert bodies(message("multipart/mixed; boundary=a", "--a", "--a", "", "--a", "", "", "--a--")) == [b""] * 3

    def test_blank_lines_before_text_are_content(self) -> None:
        assert bodies(message("multipart/mixed; boundary=a", "--a", "", "", "", "x")) == [b"\r\n\r\nx"]

    def test_a_last_delimiter_in_place_of_the_closing_one_opens_nothing(self) -> None:
        octets = message("multipart/mixed; boundary=a", "--a", "", "x", "--a", "", "")

        assert bodies(octets) == [b"x"]


class TestUnsplitMultipart:
    """A multipart that cannot be taken apart keeps its type and holds its octets as one text/plain part."""

    @pytest.mark.parametrize(
        "content_type", ["multipart/mixed", 'multipart/mixed; boundary=""', "multipart/mixed; boundary=b"]
    )
    def test_without_boundary_or_delimiter_no_content_is_lost(self, content_type: str) -> None:
        octets = message(content_type, "--a", "", "x")

        assert shape(mime.parse(octets).root) == ("mixed", ["text/plain"])
        assert bodies(octets) == [b"--a\r\n\r\nx"]

    def test_ten_thousand_levels_are_cut_at_the_depth_limit(self) -> None:
        octets = b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level) for level in range(10_000)
        )

        part, depth = mime.parse(octets).root, 0
        while part.sub_parts:
            (part,) = part.sub_parts
            depth += 1

        assert depth == MAX_DEPTH + 1
        assert part.type == "text/plain"
        assert part.body_end == len(octets)

    def test_a_million_parts_are_cut_at_the_limit_and_the_last_holds_the_rest(self) -> None:
        octets = message("multipart/mixed; boundary=a") + b"\n--a\n" * 1_000_000

        leaves = list(mime.parse(octets).leaves())

        assert len(leaves) == MAX_PARTS + 1
        assert leaves[-1].body_end == len(octets)


@pytest.mark.parametrize(
    "unit",
    [
        b"\n--",
        b"\n--a",
        b"\n--a\n",
        b"--a--\n",
        b"A: b\n--a\n",
        b"\n\n",
        b"\r",
        b" \n",
        b"A:\n",
        b"\n--a\nContent-Type: multipart/mixed; boundary=a\n",
    ],
)
def test_structure_is_read_in_linear_time(unit: bytes) -> None:
    octets = message("multipart/mixed; boundary=a") + unit * (2_000_000 // len(unit))

    assert mime.parse(octets).root.body_end == len(octets)


def test_a_header_line_of_five_megabytes_is_read() -> None:
    octets = b"Subject: " + b"x" * 5_000_000 + b"\r\nContent-Type: text/html\r\n\r\n"

    assert mime.parse(octets).root.type == "text/html"
