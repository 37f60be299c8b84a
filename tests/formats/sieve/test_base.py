"""RFC 5228: the language itself, and every script in its text."""

from __future__ import annotations

import pytest

from jmaplite.formats.sieve import (
    CAPABILITIES,
    Discard,
    Envelope,
    FileInto,
    Keep,
    Limits,
    Outside,
    Redirect,
    SieveError,
    parse,
    run,
)
from tests.formats.sieve.messages import A, B, actions, is_true, message, outcome

IMPLICIT = (Keep(is_implicit=True),)


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        ("$${hex:40}", b"$@"),
        ("${hex: 40 }", b"@"),
        ("${HEX: 40}", b"@"),
        ("${hex:40", b"${hex:40"),
        ("${hex:400}", b"${hex:400}"),
        ("${hex:4${hex:30}}", b"${hex:40}"),
        ("${unicode:40}", b"@"),
        ("${ unicode:40}", b"${ unicode:40}"),
        ("${UNICODE:40}", b"@"),
        ("${UnICoDE:0000040}", b"@"),
        ("${Unicode:40}", b"@"),
        ("${Unicode:Cool}", b"${Unicode:Cool}"),
    ],
)
def test_encoded_characters_as_in_section_2_4_2_4(value: str, octets: bytes) -> None:
    found = actions(f'require ["encoded-character", "fileinto"]; fileinto "{value}";')
    assert found == (FileInto(octets.decode()),)
    plain = actions(f'require "fileinto"; fileinto "{value}";')
    assert plain == (FileInto(value),), "without the capability nothing is replaced"


@pytest.mark.parametrize("value", ["${unicode:200000}", "${Unicode:DF01}"])
def test_what_is_no_character_is_an_error(value: str) -> None:
    with pytest.raises(SieveError, match=r"line 1, column 39: .* is not the number of a Unicode character"):
        parse(f'require "encoded-character"; redirect "{value}";'.encode())
    parse(f'if header "a" "{value}" {{ keep; }}'.encode())


def test_a_string_of_encoded_characters_is_compared_as_what_it_stands_for() -> None:
    script = 'require "encoded-character"; if header :contains "Subject" "$${hex:24 24}" { discard; }'
    assert actions(script, B) == (Discard(),)
    assert actions(script, A) == IMPLICIT


def test_comments_and_units_of_section_2_3() -> None:
    script = """if size :over 100k { # this is a comment
                discard;
             }
             if size :over 100K { /* this is a comment
                this is still a comment */ discard /* this is a comment
                */ ;
             }"""
    assert actions(script) == IMPLICIT
    assert actions(script, A + b"x" * 102_400) == (Discard(),)


@pytest.mark.parametrize(
    ("script", "on_a", "on_b"),
    [
        (
            'if anyof (not exists ["From", "Date"], header :contains "from" "fool@example.com") { discard; }',
            IMPLICIT,
            IMPLICIT,
        ),
        (
            'if header :contains :comparator "i;octet" "Subject" "MAKE MONEY FAST" { discard; }',
            IMPLICIT,
            IMPLICIT,
        ),
        ("if size :over 500K { discard; }", IMPLICIT, IMPLICIT),
        (
            """require "fileinto";
          if header :contains "from" "coyote" {
             discard;
          } elsif header :contains ["subject"] ["$$$"] {
             discard;
          } else {
             fileinto "INBOX";
          }""",
            (Discard(),),
            (Discard(),),
        ),
        (
            """if header :contains ["From"] ["coyote"] {
             redirect "acm@example.com";
          } elsif header :contains "Subject" "$$$" {
             redirect "postmaster@example.com";
          } else {
             redirect "field@example.com";
          }""",
            (Redirect("acm@example.com"),),
            (Redirect("postmaster@example.com"),),
        ),
        (
            'require "fileinto"; if header :contains ["from"] "coyote" { fileinto "INBOX.harassment"; }',
            (FileInto("INBOX.harassment"),),
            IMPLICIT,
        ),
        ('redirect "bart@example.com";', (Redirect("bart@example.com"),), (Redirect("bart@example.com"),)),
        ("if size :under 1M { keep; } else { discard; }", (Keep(),), (Keep(),)),
        ("if not size :under 1M { discard; }", IMPLICIT, IMPLICIT),
        ('if header :contains ["from"] ["idiot@example.com"] { discard; }', IMPLICIT, IMPLICIT),
        ('if address :is :all "from" "tim@example.com" { discard; }', IMPLICIT, IMPLICIT),
        ('require "envelope"; if envelope :all :is "from" "tim@example.com" { discard; }', IMPLICIT, IMPLICIT),
        ('if not exists ["From","Date"] { discard; }', IMPLICIT, IMPLICIT),
        (
            'if header :contains ["To", "Cc"] ["me@example.com", "me00@landru.example.com"] { discard; }',
            IMPLICIT,
            IMPLICIT,
        ),
    ],
)
def test_scripts_in_the_text(script: str, on_a: tuple[object, ...], on_b: tuple[object, ...]) -> None:
    assert actions(script, A) == on_a
    assert actions(script, B) == on_b


EXTENDED = """
    #
    # Example Sieve Filter
    # Declare any optional features or extension used by the script
    #
    require ["fileinto"];

    #
    # Handle messages from known mailing lists
    # Move messages from IETF filter discussion list to filter mailbox
    #
    if header :is "Sender" "owner-ietf-mta-filters@imc.org"
            {
            fileinto "filter";  # move to "filter" mailbox
            }
    #
    # Keep all messages to or from people in my company
    #
    elsif address :DOMAIN :is ["From", "To"] "example.com"
            {
            keep;               # keep in "In" mailbox
            }

    #
    # Try and catch unsolicited email.  If a message is not to me,
    # or it contains a subject known to be spam, file it away.
    #
    elsif anyof (NOT address :all :contains
                   ["To", "Cc", "Bcc"] "me@example.com",
                 header :matches "subject"
                   ["*make*money*fast*", "*university*dipl*mas*"])
            {
            fileinto "spam";   # move to "spam" mailbox
            }
    else
            {
            # Move all other (non-company) mail to "personal"
            # mailbox.
            fileinto "personal";
            }
"""


@pytest.mark.parametrize(
    ("octets", "action"),
    [
        (A, FileInto("spam")),
        (b"Sender: owner-ietf-mta-filters@imc.org\r\n\r\n", FileInto("filter")),
        (b"From: a@EXAMPLE.com\r\n\r\n", Keep()),
        (b"From: a@example.net\r\nTo: ME@example.com.invalid\r\nSubject: hello\r\n\r\n", FileInto("personal")),
        (b"To: me@example.com.invalid\r\nSubject: Make all your money fast!\r\n\r\n", FileInto("spam")),
    ],
)
def test_the_extended_example_of_section_9(octets: bytes, action: object) -> None:
    assert actions(EXTENDED, octets) == (action,)


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ("allof (false, false)", False),
        ("allof (false, true)", False),
        ("allof (true, true)", True),
        ("anyof (false, false)", False),
        ("anyof (false, true)", True),
        ("anyof (true, true)", True),
        ("not false", True),
        ("not not false", False),
        ('header :is ["X-Caffeine"] [""]', False),
        ('header :contains ["X-Caffeine"] [""]', True),
        ('header :contains "X-Tea" ""', False),
        ('not header :matches "Cc" "?*"', True),
        ('header "x-caffeine" "c8h10n4o2"', True),
        ('header :comparator "i;octet" "x-caffeine" "c8h10n4o2"', False),
        ('exists "x-CAFFEINE"', True),
        ('exists "x-caffeine:"', False),
        ('header "x-caffeine:" "c8h10n4o2"', False),
        ('header :matches "x-caffeine" "C?H*O?"', True),
        ('header :matches "x-caffeine" "C?H"', False),
        ('header :matches "x-stars" "\\\\*\\\\?"', True),
        ('header :matches "x-caffeine" "\\\\*\\\\?"', False),
        ('header "x-folded" "a  b"', True),
        ('header "x-word" "é"', True),
        ('header :comparator "i;octet" :matches "x-word" "??"', True),
        ('header "x-empty" ""', True),
        ("size :over 10", True),
        ("size :under 10", False),
    ],
)
def test_tests(test: str, result: bool) -> None:
    octets = message(
        """
X-Caffeine: C8H10N4O2
X-Stars: *?
X-Folded:  a
  b
X-Word: =?iso-8859-1?q?=E9?=
X-Empty:

"""
    )
    assert is_true(test, octets) is result


def test_a_size_is_neither_over_nor_under_itself() -> None:
    octets = b"x" * 4000
    assert not is_true("size :over 4000", octets)
    assert not is_true("size :under 4000", octets)


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ('address "from" "tim@example.com"', True),
        ('address :localpart "from" "TIM"', True),
        ('address :domain "from" "example.com"', True),
        ('address "to" "b@example.com"', True),
        ('address "to" "c@example.net"', True),
        ('address :contains "to" "Friends"', False),
        ('address :contains "to" "Bea"', False),
        ('address :localpart :matches "cc" "*"', False),
        ('address "cc" "nobody"', True),
        ('address :contains "subject" "tim"', False),
        ('address "x-original-to" "x@example.org"', True),
        ('address :localpart "x-quoted" "a \\"b\\" c"', True),
        ('address :domain "x-quoted" "example.org"', True),
        ('address :contains "x-invalid" "dot.@example.org"', True),
        ('address :domain "x-invalid" "example.org"', False),
    ],
)
def test_addresses(test: str, result: bool) -> None:
    """RFC 5228 §2.7.4, §5.1: what is no address has no parts."""
    octets = message(
        """
From: "tim, the first" <tim@example.com> (a@b.example)
To: Friends: Bea <b@example.com>, c@example.net;
Cc: nobody
Subject: tim@example.com
X-Original-To: x@example.org
X-Quoted: "a \\"b\\" c"@example.org
X-Invalid: <dot.@example.org>

"""
    )
    assert is_true(test, octets) is result


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ('envelope "from" ""', True),
        ('envelope :localpart "from" ""', True),
        ('envelope :domain "FROM" ""', True),
        ('envelope "to" "user@example.org"', True),
        ('envelope :domain ["from", "to"] "example.org"', True),
    ],
)
def test_envelopes(test: str, result: bool) -> None:
    envelope = Envelope("", "<@relay.example:user@example.org>")
    assert is_true(test, A, "envelope", envelope) is result


def test_an_unknown_part_of_the_envelope_is_an_error() -> None:
    with pytest.raises(SieveError, match="column 33: the envelope has no part 'auth'"):
        parse(b'require "envelope"; if envelope "auth" "x" { keep; }')
    found = outcome('require ["envelope", "variables"]; set "a" "auth"; if envelope "${a}" "" { discard; }')
    assert found.actions == IMPLICIT
    assert "no part 'auth'" in str(found.error)


def test_a_multi_line_string_is_unstuffed_and_keeps_its_last_line_end() -> None:
    script = 'require "reject"; reject text: # comment\r\nfirst\r\n..second\r\n.third\r\n.\r\n;'
    (action,) = actions(script)
    assert getattr(action, "reason", None) == "first\r\n.second\r\n.third\r\n"
    (same,) = actions(script.replace("\r\n", "\n"))
    assert same == action, "plain line ends are read too"


def test_backslashes_in_strings() -> None:
    assert actions('require "fileinto"; fileinto "a\\"\\\\\\b";') == (FileInto('a"\\b'),)


@pytest.mark.parametrize(
    ("script", "where"),
    [
        ("keep", (1, 5, "';' or '{' has to follow 'keep', but the script ends")),
        ("if true { keep }", (1, 16, "';' or '{' has to follow 'keep', not '}'")),
        ("keep;\r\n  bogus;", (2, 3, "there is no command 'bogus'")),
        ("if bogus { keep; }", (1, 4, "there is no test 'bogus'")),
        ('fileinto "x";', (1, 1, "'fileinto' needs: require \"fileinto\";")),
        ('require "bogus";', (1, 9, "there is no capability 'bogus'")),
        ('require ["fileinto", "FileInto"];', (1, 22, "there is no capability 'FileInto'")),
        ('keep; require "fileinto";', (1, 7, "'require' has to come before any other command")),
        ("else { keep; }", (1, 1, "'else' has to follow 'if' or 'elsif'")),
        ("if true { } keep; elsif true { }", (1, 19, "'elsif' has to follow 'if' or 'elsif'")),
        ("if keep { }", (1, 4, "'keep' is no test")),
        ("true;", (1, 1, "'true' is a test, and stands where a command is expected")),
        ("stop { }", (1, 1, "'stop' takes no block, but ends with ';'")),
        ("if true;", (1, 1, "a block has to follow 'if'")),
        ("if { }", (1, 1, "'if' takes a test")),
        ("if (true, false) { }", (1, 5, "'if' takes one test, without parentheses")),
        ("if allof true { }", (1, 10, "'allof' takes a list of tests in parentheses")),
        ("keep true;", (1, 6, "'keep' takes no test")),
        ("if size 100 { }", (1, 4, "'size' takes ':over' or ':under'")),
        ("if size :over :under 1 { }", (1, 15, "':under' and ':over' exclude each other")),
        ('if size :over "1" { }', (1, 15, "'size' takes a number here, not a string")),
        ('if header :is :is "a" "b" { }', (1, 15, "':is' is given twice")),
        ('if header :is :contains "a" "b" { }', (1, 15, "':contains' and ':is' exclude each other")),
        ('if header "a" :is "b" { }', (1, 15, "':is' has to come before other arguments")),
        ('if header "a" { }', (1, 4, "'header' takes a list of strings more")),
        ('if header "a" "b" "c" { }', (1, 19, "'header' takes no such argument")),
        ('if header :comparator "i;bogus" "a" "b" { }', (1, 11, "there is no comparator 'i;bogus'")),
        ('if header :comparator 1 "a" "b" { }', (1, 23, "':comparator' takes a string here, not a number")),
        (
            'if header :comparator "i;ascii-numeric" "a" "b" { }',
            (1, 11, "the comparator 'i;ascii-numeric' needs: require \"comparator-i;ascii-numeric\";"),
        ),
        (
            'require "comparator-i;ascii-numeric";\nif header :contains :comparator "i;ascii-numeric" "a" "b" { }',
            (2, 11, "'i;ascii-numeric' has no ':contains'"),
        ),
        ('if header :user "a" "b" { }', (1, 11, "'header' has no ':user'")),
        ('redirect ["a@example.com"];', (1, 10, "'redirect' takes a string here, not a list of strings")),
        ('redirect "not an address";', (1, 10, "this is not an address")),
        ('redirect "a@example.com, b@example.com";', (1, 10, "this is not an address")),
        ('redirect "a: b@example.com;";', (1, 10, "this is not an address")),
        ('redirect "<@relay.example:b@example.com>";', (1, 10, "this is not an address")),
        ('"keep";', (1, 1, "a command is expected here, not a string")),
        ('if header ["a" "b"] "c" { }', (1, 16, "',' or ']' is expected here, not a string")),
        ('if header [] "c" { }', (1, 12, "a string is expected here, not ']'")),
        ('if header ["a"', (1, 11, "this list is not closed by ']'")),
        ("if anyof (true", (1, 10, "this list of tests is not closed by ')'")),
        ("if true { keep;", (1, 9, "this block is not closed by '}'")),
        ('if header "é" "ü', (1, 15, "this string is not closed by '\"'")),
        ("/* keep;", (1, 1, "this comment is not closed by '*/'")),
        ('require "reject"; reject text:\nx\n', (1, 26, "this text is not ended by a line with a single dot")),
        ("if size :over 1Q { }", (1, 15, "a number is digits, and K, M or G after them")),
        ("if size :over 99999999999999999999 { }", (1, 15, "this number is too large")),
        ("if size :over -1 { }", (1, 15, "'-' has no meaning here")),
        ("keep\0;", (1, 5, "a script must not contain NUL")),
        ("keep :;", (1, 6, "a name has to follow ':'")),
        ("}", (1, 1, "a command is expected here, not '}'")),
        ("else if true { }", (1, 1, "'else' has to follow 'if' or 'elsif'")),
        ("if false { } else if true { }", (1, 19, "'else' takes no test")),
    ],
)
def test_mistakes_are_found_where_they_are(script: str, where: tuple[int, int, str]) -> None:
    with pytest.raises(SieveError) as caught:
        parse(script.encode())
    assert (caught.value.line, caught.value.column, caught.value.message) == where


def test_nothing_of_a_script_with_an_unknown_capability_is_run() -> None:
    with pytest.raises(SieveError):
        parse(b'require "nonesuch"; discard;')


def test_a_capability_may_be_withheld() -> None:
    with pytest.raises(SieveError, match="no capability 'reject'"):
        parse(b'require "reject"; keep;', capabilities=CAPABILITIES - {"reject"})


def test_the_comparators_of_the_base_need_no_require_and_may_have_one() -> None:
    script = 'require ["comparator-i;octet", "comparator-i;ascii-casemap"]; keep;'
    assert actions(script) == (Keep(),)
    assert is_true('header :comparator "i;octet" "subject" "I have a present for you"')


@pytest.mark.parametrize("kind", ["blocks", "tests", "test lists"])
def test_fifteen_levels_are_fine_and_one_more_is_not(kind: str) -> None:
    """RFC 5228 §2.10.7: the tests in the innermost list are no level of their own."""

    def nested(depth: int) -> bytes:
        if kind == "blocks":
            return b"if true {" * depth + b"discard;" + b"}" * depth
        if kind == "tests":
            return b"if " + b"not " * depth + b"%s { discard; }" % (b"false" if depth % 2 else b"true")
        return b"if " + b"anyof (" * depth + b"false, true" + b")" * depth + b"{ discard; }"

    parsed = parse(nested(15))
    assert run(parsed, A).actions == (Discard(),)
    with pytest.raises(SieveError, match="nested deeper than 15"):
        parse(nested(16))


def test_stop_ends_all_and_keeps_if_nothing_else_was_done() -> None:
    assert actions("stop; discard;") == IMPLICIT
    assert actions("if true { if true { stop; } } discard;") == IMPLICIT
    assert actions('redirect "a@example.com"; stop; discard;') == (Redirect("a@example.com"),)


def test_discard_goes_with_everything() -> None:
    assert actions('require "fileinto"; fileinto "a"; discard;') == (FileInto("a"), Discard())


def test_a_message_goes_to_a_mailbox_once() -> None:
    assert actions('require "fileinto"; fileinto "a"; keep; fileinto "a"; fileinto "inbox";') == (
        FileInto("a"),
        FileInto("inbox"),
    )


def test_an_error_of_the_run_leaves_only_an_implicit_keep_and_tells_where() -> None:
    found = outcome(
        'require ["fileinto", "variables"];\nfileinto "a";\nset "x" "nobody";\n  redirect "${x}";\ndiscard;'
    )
    assert found.actions == IMPLICIT
    assert str(found.error) == "line 4, column 3: this is not an address"


def test_redirects_are_limited() -> None:
    script = 'redirect "a@example.com"; redirect "A <a@example.com>"; redirect "b@example.com";'
    found = outcome(script, limits=Limits())
    assert found.actions == IMPLICIT
    assert "redirects to more than 1 addresses" in str(found.error)
    assert len(actions(script)) == 2, "the same address is the same redirect"


def test_a_message_in_a_loop_is_not_redirected() -> None:
    looping = b"Received: x\r\n" * 11 + A
    assert "is in a loop" in str(outcome('redirect "a@example.com";', looping).error)


def test_commands_are_counted() -> None:
    script = "if true { keep; }\n" * 100
    found = run(parse(script.encode()), A, limits=Limits(cpu=100))
    assert found.actions == IMPLICIT
    assert found.error is not None
    assert (found.error.line, found.error.message) == (34, "this script runs more than 100 commands and tests")


def test_actions_are_counted() -> None:
    script = 'require "fileinto";' + "".join(f'fileinto "{number}";' for number in range(33))
    assert "does more than 32 things" in str(outcome(script).error)
    assert outcome(script.replace('fileinto "32";', "")).error is None


def test_a_run_says_what_it_does_line_by_line() -> None:
    traces: list[tuple[int, str, str]] = []
    script = parse(b'if header :contains "from"\n  "coyote" {\n  keep;\n}\nelse { discard; }')
    run(script, A, trace=lambda trace: traces.append((trace.line, trace.name, trace.result)))
    assert traces == [(1, "if", ""), (1, "header", "true"), (3, "keep", "file into the inbox")]


def test_the_world_is_asked_by_one_object() -> None:
    class World(Outside):
        def mailbox_exists(self, name: str) -> bool:
            return name == "Partners"

    script = 'require ["mailbox", "fileinto"]; if mailboxexists "Partners" { fileinto "Partners"; }'
    assert actions(script, outside=World()) == (FileInto("Partners"),)
    assert actions(script) == IMPLICIT
