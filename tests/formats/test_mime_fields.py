"""Header fields: how a section is cut, and the forms Raw, Text, MessageIds, Date and URLs."""

import pytest

from jmaplite.formats import mime


class TestHeaderFields:
    def test_values_keep_their_folds_and_leave_the_line_end(self) -> None:
        octets = b"Subject: one\r\n two\r\n\tthree\r\nTo: x\r\n"

        assert mime.header_fields(octets) == [("Subject", b" one\r\n two\r\n\tthree"), ("To", b" x")]

    @pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r"])
    def test_any_line_end_ends_a_field(self, line_end: bytes) -> None:
        octets = line_end.join([b"A: 1", b"B: 2", b"C: 3", b""])

        assert mime.header_fields(octets) == [("A", b" 1"), ("B", b" 2"), ("C", b" 3")]

    def test_mixed_line_ends_end_fields_alike(self) -> None:
        assert mime.header_fields(b"A: 1\r\nB: 2\nC: 3") == [("A", b" 1"), ("B", b" 2"), ("C", b" 3")]

    def test_a_bare_cr_beside_lfs_is_content(self) -> None:
        assert mime.header_fields(b"A: 1\rB: 2\r\n") == [("A", b" 1\rB: 2")]

    def test_names_keep_their_case_and_lose_space_before_the_colon(self) -> None:
        assert mime.header_fields(b"sUbJect \t: x\n") == [("sUbJect", b" x")]

    def test_a_whitespace_only_line_continues_a_field(self) -> None:
        assert mime.header_fields(b"To: Mary\r\n  \r\n <m@x>\r\nA: b") == [
            ("To", b" Mary\r\n  \r\n <m@x>"),
            ("A", b" b"),
        ]

    @pytest.mark.parametrize(
        "junk", [b"From x@y Tue Jul  1 10:52:37 2003", b">From x", b"no colon here", b": x", b"\xe9: x"]
    )
    def test_lines_that_are_no_field_are_passed_over(self, junk: bytes) -> None:
        assert mime.header_fields(junk + b"\nA: 1\n" + junk + b"\nB: 2\n") == [("A", b" 1"), ("B", b" 2")]

    def test_a_window_of_a_message_is_read_alone(self) -> None:
        octets = b"A: 1\nB: 2\nC: 3\n"

        assert mime.header_fields(octets, 5, 10) == [("B", b" 2")]

    def test_an_empty_value_is_a_value(self) -> None:
        assert mime.header_fields(b"A:\r\nB: \r\n") == [("A", b""), ("B", b" ")]


class TestRaw:
    def test_utf8_is_read_and_what_violates_it_replaced(self) -> None:
        assert mime.raw(b" caf\xc3\xa9 caf\xe9\xff!") == " café caf\ufffd\ufffd!"

    def test_nul_is_dropped(self) -> None:
        assert mime.raw(b"a\0b\0\xc3\xa9") == "abé"

    def test_folds_stay(self) -> None:
        assert mime.raw(b" a\r\n b") == " a\r\n b"


class TestText:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (b" =?US-ASCII?Q?Keith_Moore?= ", "Keith Moore "),
            (
                b"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n"
                b" =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
                "If you can read this you understand the example.",
            ),
            (b" =?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard"),
            (b" =?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?=", "םולש ןב ילטפנ"),
            (b" =?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"),
            (b"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
            (b"=?ISO-8859-1?Q?a?=  \r\n\t =?ISO-8859-1?Q?b?=", "ab"),
            (b"=?ISO-8859-1?Q?a?= b", "a b"),
            (b"=?utf-8?q??= x", " x"),
        ],
    )
    def test_encoded_words_are_decoded(self, value: bytes, expected: object) -> None:
        """The examples of RFC 2047 §8 and RFC 2231 §5."""
        assert mime.text(value) == expected

    @pytest.mark.parametrize(
        "value",
        [
            "(=?ISO-8859-1?Q?a?=)",
            "x=?utf-8?q?a?=",
            "=?utf-8?q?a?=x",
            "=?utf-8?q?a?==?utf-8?q?b?=",
            "=?utf-8?q?a b?=",
            "=?utf-8?x?a?=",
            "=?utf-8?q?a?b?=",
            "=?utf-8?q?a",
            '"=?utf-8?q?a?="',
            "=?x-unheard-of?q?a?=",
            "=?rot13?q?a?=",
        ],
    )
    def test_what_only_looks_like_an_encoded_word_stays(self, value: str) -> None:
        """RFC 8621 §4.1.2.2 step 4."""
        assert mime.text(value.encode()) == value

    def test_a_character_split_between_words_is_joined(self) -> None:
        assert mime.text(b"=?utf-8?b?w6nD?= =?UTF-8?Q?=A9?=") == "éé"

    def test_words_of_a_stateful_charset_each_begin_in_ascii(self) -> None:
        assert mime.text(b"=?iso-2022-jp?b?GyRCRnw=?= =?iso-2022-jp?q?abc?=") == "日abc"

    def test_encoded_control_characters_are_dropped(self) -> None:
        assert mime.text(b"=?utf-8?q?a=00=07=0D=0A=09=7Fb=C2=85?=") == "ab"

    def test_failing_octets_are_replaced(self) -> None:
        assert mime.text(b"=?utf-8?q?a=E9b?=") == "a\ufffdb"

    @pytest.mark.parametrize(("word", "expected"), [(b"w6k", "é"), (b"w6l!", "é"), (b"w", ""), (b"====", "")])
    def test_sloppy_base64_yields_what_it_holds(self, word: bytes, expected: str) -> None:
        assert mime.text(b"=?utf-8?b?" + word + b"?=") == expected

    def test_it_is_unfolded_and_loses_space_in_front(self) -> None:
        assert mime.text(b"   one\r\n two\r\n\tthree ") == "one two\tthree "

    def test_it_is_in_normalization_form_c(self) -> None:
        assert mime.text("e\u0301".encode()) == "é"
        assert mime.text(b"=?utf-8?q?e=CC=81?=") == "é"

    def test_a_long_value_is_normalized_too(self) -> None:
        assert mime.text(("e\u0301 " * 500).encode()) == "é " * 500
        assert mime.text(("か\u3099" * 500).encode()) == "が" * 500

    def test_gb2312_means_gb18030(self) -> None:
        assert mime.text(b"=?gb2312?b?" + b"jEQ=" + b"?=") == b"\x8cD".decode("gb18030")


class TestMessageIds:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (b" <1234@local.machine.example>", ["1234@local.machine.example"]),
            (b" <a@b>\r\n <c@d>", ["a@b", "c@d"]),
            (b"<a@b><c@d>", ["a@b", "c@d"]),
            (b"(x) <a@b> (y <no@no>) <c@d>", ["a@b", "c@d"]),
            (b" <1234   @   local(blah)  .machine .example>", ["1234@local.machine.example"]),
            (b'<"a b"@c>', ['"a b"@c']),
            (b"<a@[1.2.3.4]>", ["a@[1.2.3.4]"]),
            (b"<a@b>, <c@d>", ["a@b", "c@d"]),
            (b" <a@b> from Foo at Tue, 1 Jul", ["a@b"]),
            (b' Your message of "Tue, 1 Jul <x@y>" <a@b>', ["a@b"]),
            (b" <long@part\r\n of.id>", ["long@partof.id"]),
            ("<é@b>".encode(), ["é@b"]),
            (b"<no-at>", ["no-at"]),
        ],
    )
    def test_ids_lose_brackets_comments_and_space(self, value: bytes, expected: object) -> None:
        assert mime.message_ids(value) == expected

    @pytest.mark.parametrize("value", [b"", b" ", b"a@b", b"<>", b"<a@b", b"a@b>", b"(<a@b>)", b"foo's mail"])
    def test_a_value_without_an_id_is_null(self, value: bytes) -> None:
        assert mime.message_ids(value) is None


class TestDate:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (b" Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00"),
            (b"Tue, 1 Jul 2003 10:52:37 +0200", "2003-07-01T10:52:37+02:00"),
            (b"Thu, 13 Feb 1969 23:32:54 -0330", "1969-02-13T23:32:54-03:30"),
            (
                b"Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n"
                b"               -0330 (Newfoundland Time)",
                "1969-02-13T23:32:00-03:30",
            ),
            (b"21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06Z"),
            (b"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21T09:55:06-06:00"),
            (b"Tue, 1 Jul 03 10:52:37 +0200 (CEST)", "2003-07-01T10:52:37+02:00"),
            (b"1 Jul 49 1:02 UT", "2049-07-01T01:02:00Z"),
            (b"Tue, 1 Jul 2003 7:2:5 +0200", "2003-07-01T07:02:05+02:00"),
            (b"1 Jul 50 01:02 +0000", "1950-07-01T01:02:00Z"),
            (b"1 Jul 103 01:02 EDT", "2003-07-01T01:02:00-04:00"),
            (b"Mon, 29 Feb 2016 00:00:00 PST", "2016-02-29T00:00:00-08:00"),
            (b"1 Jul 2003 01:02 -0000", "2003-07-01T01:02:00-00:00"),
            (b"1 Jul 2003 01:02 A", "2003-07-01T01:02:00-00:00"),
            (b"1 Jul 2003 01:02 CEST", "2003-07-01T01:02:00-00:00"),
            (b"1 Jul 2003 01:02 z", "2003-07-01T01:02:00Z"),
            (b"31 Dec 2016 23:59:60 +0000", "2016-12-31T23:59:59Z"),
            (b"Thu,19 Jun 2003 00:00:00 +2359", "2003-06-19T00:00:00+23:59"),
        ],
    )
    def test_a_date_time_keeps_its_offset(self, value: bytes, expected: object) -> None:
        """RFC 5322 appendix A.1, A.5, A.6 and §4.3."""
        assert mime.date(value) == expected

    @pytest.mark.parametrize(
        "value",
        [
            b"",
            b"2003-07-01",
            b"Tue Jul  1 10:52:37 2003",
            b"1 Jul 2003 10:52:37",
            b"1 Jul 2003 10:52:37 +2400",
            b"1 Jul 2003 10:52:37 +0260",
            b"1 Jul 2003 10:52:37 +02000",
            b"1 Jul 2003 24:00:00 +0000",
            b"1 Jul 2003 10:60:00 +0000",
            b"1 Jul 2003 10:52:61 +0000",
            b"32 Jul 2003 10:52:37 +0000",
            b"0 Jul 2003 10:52:37 +0000",
            b"29 Feb 2003 10:52:37 +0000",
            b"1 Foo 2003 10:52:37 +0000",
            b"1 Jul 1899 10:52:37 +0000",
            b"1 Jul 20030 10:52:37 +0000",
            "١ Jul 2003 10:52:37 +0000".encode(),
        ],
    )
    def test_anything_else_is_null(self, value: bytes) -> None:
        assert mime.date(value) is None


class TestUrls:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (b" <mailto:list@host.com?subject=help> (List Instructions)", ["mailto:list@host.com?subject=help"]),
            (
                b" <http://www.host.com/list.cgi?cmd=sub&lst=list>,\r\n (x) <mailto:list-request@host.com>",
                ["http://www.host.com/list.cgi?cmd=sub&lst=list", "mailto:list-request@host.com"],
            ),
            (b"(see) <ftp://x/(a)\r\n b>", ["ftp://x/(a)b"]),
            (b"<a:b> junk, <c:d>", ["a:b"]),
            (b"<a:b>, c:d, <e:f>", ["a:b"]),
        ],
    )
    def test_urls_lose_brackets_comments_and_space(self, value: bytes, expected: object) -> None:
        """RFC 2369 §2 and its examples."""
        assert mime.urls(value) == expected

    @pytest.mark.parametrize(
        "value", [b"", b" NO (posting not allowed on this list)", b"http://x <a:b>", b"<", b"(<a:b>"]
    )
    def test_a_field_that_begins_otherwise_is_null(self, value: bytes) -> None:
        assert mime.urls(value) is None


class TestReceivedAt:
    def test_the_topmost_received_field_says_when(self) -> None:
        fields = [
            ("Return-Path", b"<x@y>"),
            ("Received", b" from x.y.test\r\n by example.net; (a;b) 21 Nov 1997 10:05:43 -0600"),
            ("Received", b" by x.y.test; 21 Nov 1997 10:01:22 -0600"),
        ]

        assert mime.received_at(fields) == 880128343

    def test_a_field_without_a_readable_date_is_passed_over(self) -> None:
        fields = [("RECEIVED", b"by x"), ("received", b"by x; soon"), ("Received", b"by x; 1 Jan 1970 00:00:10 -0001")]

        assert mime.received_at(fields) == 70

    def test_without_one_it_is_unknown(self) -> None:
        assert mime.received_at([("Date", b"1 Jan 1970 00:00:10 +0000")]) is None


class TestAllowedForms:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("subject", {"Raw", "Text"}),
            ("KEYWORDS", {"Raw", "Text"}),
            ("Resent-Reply-To", {"Raw", "Addresses", "GroupedAddresses"}),
            ("from", {"Raw", "Addresses", "GroupedAddresses"}),
            ("In-Reply-To", {"Raw", "MessageIds"}),
            ("Resent-Date", {"Raw", "Date"}),
            ("List-Archive", {"Raw", "URLs"}),
            ("Received", {"Raw"}),
            ("return-path", {"Raw"}),
        ],
    )
    def test_a_field_of_rfc_5322_or_2369_has_its_own_forms_only(self, name: str, expected: set[str]) -> None:
        assert mime.allowed_forms(name) == expected

    @pytest.mark.parametrize("name", ["List-Id", "X-Anything", "Delivered-To"])
    def test_any_other_field_has_all_forms(self, name: str) -> None:
        assert mime.allowed_forms(name) == set(mime.FORMS)

    def test_there_are_the_seven_forms_of_the_rfc(self) -> None:
        names = {"Raw", "Text", "Addresses", "GroupedAddresses", "MessageIds", "Date", "URLs"}

        assert set(mime.FORMS) == names


HOSTILE = [
    *(
        "(",
        ")",
        '"',
        "\\",
        '\\"',
        "<",
        "<a",
        "<a@b> ",
        '<"a" ',
        "@",
        ":",
        ";",
        ",",
        "; a=b",
        ";a*0=b",
        "=",
        "=?",
        "=?a?q?",
    ),
    *(
        "=?utf-8?q?a?= ",
        "=?utf-8?b?YQ==?=",
        " ",
        "\t",
        "\r\n ",
        "\n\t",
        "\u0323\u0301",
        "\u0f75",
        "1",
        "1 Jul ",
        "%41",
        "a'",
    ),
]


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize("before", ["", '"', "<", "(", "1 Jul 2003 10:52", "text/plain; name="])
def test_hostile_values_take_linear_time(unit: str, before: str) -> None:
    """Quadratic work on values of this length would not end."""
    value = (before + unit * (120_000 // len(unit))).encode()

    for form in ("Raw", "Text", "MessageIds", "Date", "URLs"):
        mime.FORMS[form](value)
    mime.parse(b"Content-Type: %s\nContent-Disposition: %s\nContent-ID: %s\nContent-Language: %s\n\n" % ((value,) * 4))
