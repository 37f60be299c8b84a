"""Address lists: the forms Addresses and GroupedAddresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.formats import mime
from jmaplite.formats.mime import addressing

RFC_EXAMPLE = (
    b'   "  James Smythe" <james@example.com>, Friends:\r\n'
    b"  jane@example.com, =?UTF-8?Q?John_Sm=C3=AEth?=\r\n  <john@example.com>;"
)


def mailboxes(value: bytes) -> list[tuple[str | None, str | None]]:
    return [(address["name"], address["email"]) for address in mime.addresses(value)]


def groups(value: bytes) -> list[tuple[object, object]]:
    return [(group["name"], group["addresses"]) for group in mime.grouped_addresses(value)]


class TestRfcExamples:
    def test_the_example_of_the_addresses_form(self) -> None:
        """RFC 8621 §4.1.2.3 (which prints the decoded name without its accent)."""
        assert mime.addresses(RFC_EXAMPLE) == [
            {"name": "James Smythe", "email": "james@example.com"},
            {"name": None, "email": "jane@example.com"},
            {"name": "John Smîth", "email": "john@example.com"},
        ]

    def test_the_example_of_the_grouped_addresses_form(self) -> None:
        """RFC 8621 §4.1.2.4."""
        assert mime.grouped_addresses(RFC_EXAMPLE) == [
            {"name": None, "addresses": [{"name": "James Smythe", "email": "james@example.com"}]},
            {
                "name": "Friends",
                "addresses": [
                    {"name": None, "email": "jane@example.com"},
                    {"name": "John Smîth", "email": "john@example.com"},
                ],
            },
        ]

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (b"John Doe <jdoe@machine.example>", [("John Doe", "jdoe@machine.example")]),
            (b'"Joe Q. Public" <john.q.public@example.com>', [("Joe Q. Public", "john.q.public@example.com")]),
            (
                b"Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
                [("Mary Smith", "mary@x.test"), (None, "jdoe@example.org"), ("Who?", "one@y.test")],
            ),
            (
                b'<boss@nil.test>, "Giant; \\"Big\\" Box" <sysservices@example.net>',
                [(None, "boss@nil.test"), ('Giant; "Big" Box', "sysservices@example.net")],
            ),
            (
                b'"Mary Smith: Personal Account" <smith@home.example>',
                [("Mary Smith: Personal Account", "smith@home.example")],
            ),
            (b"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", [("Pete", "pete@silly.test")]),
            (b"Joe Q. Public <john.q.public@example.com>", [("Joe Q. Public", "john.q.public@example.com")]),
            (
                b"Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
                [("Mary Smith", "mary@example.net"), (None, "jdoe@test.example")],
            ),
            (b"John Doe <jdoe@machine(comment).  example>", [("John Doe", "jdoe@machine.example")]),
            (b"Mary Smith\r\n  \r\n          <mary@example.net>", [("Mary Smith", "mary@example.net")]),
            (b"Pete <@a,@b:pete@c.test>", [("Pete", "pete@c.test")]),
        ],
    )
    def test_the_mailboxes_of_rfc_5322(self, value: bytes, expected: object) -> None:
        """Appendix A.1, A.2, A.5 and A.6."""
        assert mailboxes(value) == expected

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (
                b"A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
                [("A Group", ["c@a.test", "joe@where.test", "jdoe@one.test"])],
            ),
            (b"Undisclosed recipients:;", [("Undisclosed recipients", [])]),
            (
                b"A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n"
                b"         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
                [("A Group", ["c@public.example", "joe@example.org", "jdoe@one.test"])],
            ),
            (b"(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", [("Hidden recipients", [])]),
        ],
    )
    def test_the_groups_of_rfc_5322(self, value: bytes, expected: object) -> None:
        """Appendix A.1.3 and A.5."""
        found = mime.grouped_addresses(value)

        assert [(g["name"], [a["email"] for a in g["addresses"]]) for g in found] == expected  # type: ignore[attr-defined]

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (b"=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", ("Keith Moore", "moore@cs.utk.edu")),
            (b"=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>", ("Keld Jørn Simonsen", "keld@dkuug.dk")),
            (b"=?ISO-8859-1?Q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>", ("André Pirard", "PIRARD@vm1.ulg.ac.be")),
            (
                b"Nathaniel Borenstein <nsb@thumper.bellcore.com>\r\n (=?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?=)",
                ("Nathaniel Borenstein", "nsb@thumper.bellcore.com"),
            ),
            (b"a@b (=?ISO-8859-1?Q?a?=)", ("a", "a@b")),
            (b"a@b (=?ISO-8859-1?Q?a?= b)", ("a b", "a@b")),
            (b"a@b (=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", ("ab", "a@b")),
            (b"a@b (=?ISO-8859-1?Q?a_b?=)", ("a b", "a@b")),
        ],
    )
    def test_the_encoded_words_of_rfc_2047(self, value: bytes, expected: object) -> None:
        """§8."""
        assert mailboxes(value) == [expected]


class TestEncodedWords:
    def test_words_of_one_phrase_are_joined(self) -> None:
        assert mailboxes(b"=?utf-8?q?a=C3?=\r\n =?utf-8?q?=A9?= b <c@d>") == [("aé b", "c@d")]

    def test_special_characters_inside_one_do_not_split_the_list(self) -> None:
        assert mailboxes(b"=?utf-8?Q?Smith,_J._<x@y>?= <a@b>") == [("Smith, J. <x@y>", "a@b")]

    def test_one_right_before_the_angle_is_a_word_of_the_phrase(self) -> None:
        """RFC 2047 §6.1 (2)."""
        assert mailboxes(b"=?utf-8?q?a?=<a@b>") == [("a", "a@b")]

    @pytest.mark.parametrize("name", ["=?utf-8?q?a?=", "x =?utf-8?q?a?= y"])
    def test_a_quoted_string_is_not_decoded(self, name: str) -> None:
        assert mailboxes(f'"{name}" <a@b>'.encode()) == [(name, "a@b")]

    def test_one_that_touches_other_text_is_not_decoded(self) -> None:
        assert mailboxes(b"x=?utf-8?q?a?= <a@b>") == [("x=?utf-8?q?a?=", "a@b")]

    def test_an_address_is_not_decoded(self) -> None:
        assert mailboxes(b"=?utf-8?q?a?=@b, <=?utf-8?q?a?=@b>") == [(None, "=?utf-8?q?a?=@b")] * 2

    def test_a_group_name_is_decoded(self) -> None:
        assert groups(b"=?utf-8?q?=C3=A9?=: ;") == [("é", [])]


class TestBestEffort:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (b"", []),
            (b" , ;,", []),
            (b"<>", []),
            (b"Mailer <>", [("Mailer", "")]),
            (b"foo", [(None, "foo")]),
            (b'"foo"', [(None, "foo")]),
            (b"foo bar", [(None, "foo bar")]),
            (b"a@b (Name)", [("Name", "a@b")]),
            (b"<a@b> (Name)", [("Name", "a@b")]),
            (b"(Name) a@b", [(None, "a@b")]),
            (b"(first) a@b (second) (third)", [("second", "a@b")]),
            (b'"x" <a@b>, , ;', [("x", "a@b")]),
            (b'"" <a@b>', [(None, "a@b")]),
            (b"a@b; c@d", [(None, "a@b"), (None, "c@d")]),
            (b'"Foo <a@b>', [("Foo", "a@b")]),
            (b'Foo" <a@b>, x@y', [("Foo", "a@b"), (None, "x@y")]),
            (b"Foo (bar <a@b>", [("Foo bar", "a@b")]),
            (b"Foo) <a@b>", [("Foo)", "a@b")]),
            (b"Foo <a@b", [("Foo", "a@b")]),
            (b"Foo <a@b, Bar <c@d>", [("Foo", "a@b"), ("Bar", "c@d")]),
            (b"Foo <a@b> Bar <c@d>", [("Foo", "a@b"), ("Bar", "c@d")]),
            (b"Foo <a@b> junk, c@d", [("Foo", "a@b"), (None, "c@d")]),
            (b"Joe User joe@x.test", [("Joe User", "joe@x.test")]),
            (b"joe@x.test Joe User", [("Joe User", "joe@x.test")]),
            (b"a@b@c", [(None, "a@b@c")]),
            (b'"a b"@c', [(None, '"a b"@c')]),
            (b'X <"a b"@[1.2.3.4]>', [("X", '"a b"@[1.2.3.4]')]),
            (b"< a @ b >", [(None, "a@b")]),
            (b"<John Smith>", [(None, "John Smith")]),
            (b"a@b <a@b>", [("a@b", "a@b")]),
            (b'"Joe" Q. "Public" <a@b>', [("Joe Q. Public", "a@b")]),
            (b"O'Neil\t  X <a@b>", [("O'Neil X", "a@b")]),
            (b'"two  spaces\r\n here" <a@b>', [("two  spaces here", "a@b")]),
            ("Zoë <zoë@é.test>".encode(), [("Zoë", "zoë@é.test")]),
            (b"J\xf8rn <a@b>", [("J\ufffdrn", "a@b")]),
            ("Zoe\u0308 <a@b>".encode(), [("Zoë", "a@b")]),
            (b"\0\0a\0@b", [(None, "a@b")]),
        ],
    )
    def test_malformed_lists_yield_what_they_hold(self, value: bytes, expected: object) -> None:
        assert mailboxes(value) == expected

    def test_a_group_that_nothing_closes_holds_the_rest(self) -> None:
        assert [(name, len(members)) for name, members in groups(b"G: a@b, c@d")] == [("G", 2)]  # type: ignore[arg-type]

    def test_mailboxes_between_groups_are_collected_without_a_name(self) -> None:
        found = groups(b"a@b, c@d, G: e@f;, g@h")

        assert [(name, len(members)) for name, members in found] == [(None, 2), ("G", 1), (None, 1)]  # type: ignore[arg-type]

    @pytest.mark.parametrize("unit", ["(", '"', '\\"', "<", ",", ":", "@", "a@b ", "<a", "=?a?q?", "[", '<"a" ', "x "])
    def test_a_long_run_of_anything_is_read(self, unit: str) -> None:
        value = (unit * (100_000 // len(unit))).encode()

        mime.addresses(value)
        mime.addresses(b"x " * 25_000 + b"@" + value)


@given(
    st.lists(
        st.sampled_from(
            [
                "Joe",
                " ",
                '"',
                '"J. Q"',
                "<",
                ">",
                "a@b",
                "@",
                ".",
                ",",
                ";",
                ":",
                "(",
                ")",
                "\\",
                "=?utf-8?q?x?=",
                "\t",
                "é",
                "'",
                "[",
                "]",
            ]
        ),
        max_size=14,
    ).map("".join)
)
def test_plain_lists_are_read_alike_by_both_ways(value: str) -> None:
    """The quick way for plain lists answers what the reader of all lists answers, or nothing."""
    simple = addressing._read_simple(value)
    if simple is not None:
        assert simple == [address for _, members in addressing._Reader(value).groups for address in members]
