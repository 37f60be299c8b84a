"""Variables, relations, flags and sub-addresses (RFC 5229, RFC 5231, RFC 5232, RFC 5233)."""

from __future__ import annotations

import pytest

from jmaplite.formats.sieve import Envelope, FileInto, Keep, Limits, Redirect, SieveError, parse
from tests.formats.sieve.messages import WIDE, A, actions, is_true, message, outcome

IMPLICIT = (Keep(is_implicit=True),)


def value_of(statements: str, string: str, octets: bytes = A, require: str = "", limits: Limits = WIDE) -> str:
    """What a string with variables comes to after some statements."""
    names = ", ".join(f'"{name}"' for name in ["variables", "fileinto", *require.split()])
    (action,) = actions(f'require [{names}];\n{statements}\nfileinto "{string}x";', octets, limits=limits)
    assert isinstance(action, FileInto)
    return action.mailbox[:-1]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("&%${}!", "&%${}!"),
        ("${doh!}", "${doh!}"),
        ("${full}", ""),
        ("${company}", "ACME"),
        ("${COMPANY}", "ACME"),
        ("${BAD${Company}", "${BADACME"),
        ("${President, ${Company} Inc.}", "${President, ACME Inc.}"),
        ("${com\\pany}", "ACME"),
        ("${com\\\\pany}", "${com\\pany}"),
        ("\\${company}", "ACME"),
        ("\\\\${company}", "\\ACME"),
        ("regarding ${dollar}{beep}", "regarding ${beep}"),
    ],
)
def test_references_as_in_section_3(written: str, meant: str) -> None:
    assert value_of('set "company" "ACME"; set "dollar" "$";', written) == meant


def test_without_the_capability_nothing_is_replaced() -> None:
    assert actions('require "fileinto"; fileinto "${a}";') == (FileInto("${a}"),)


def test_encoded_characters_come_before_variables() -> None:
    script = """require ["encoded-character", "variables"];
      set "name" "Ethelbert";
      if header :contains "Subject" "dear${hex:20 24 7b 4e}ame}" { discard; }"""
    assert actions(script, b"Subject: dear Ethelbert\r\n\r\n")[0].__class__.__name__ == "Discard"


LISTS = """require ["fileinto", "variables"];

   if header :matches "List-ID" "*<*@*" {
       fileinto "INBOX.lists.${2}"; stop;
   }

   # Imagine the header
   # Subject: [acme-users] [fwd] version 1.0 is out
   if header :matches "Subject" "[*] *" {
       # ${1} will hold "acme-users",
       # ${2} will hold "[fwd] version 1.0 is out"
       fileinto "INBOX.lists.${1}"; stop;
   }

   # Imagine the header
   # To: coyote@ACME.Example.COM
   if address :matches ["To", "Cc"] ["coyote@**.com",
           "wile@**.com"] {
       # ${0} is the matching address
       # ${1} is always the empty string
       # ${2} is part of the domain name ("ACME.Example")
       fileinto "INBOX.business.${2}"; stop;
   } else {
       # Control wouldn't reach this block if any match was
       # successful, so no match variables are set at this
       # point.
   }

   if anyof (true, address :domain :matches "To" "*.com") {
       # The second test is never evaluated, so there are
       # still no match variables set.
       fileinto "none${0}";
       stop;
   }
"""


@pytest.mark.parametrize(
    ("header", "mailbox"),
    [
        ("List-ID: Acme Users <acme-users@lists.example>", "INBOX.lists.acme-users"),
        ("Subject: [acme-users] [fwd] version 1.0 is out", "INBOX.lists.acme-users"),
        ("To: coyote@ACME.Example.COM", "INBOX.business.ACME.Example"),
        ("To: someone@example.com", "none"),
    ],
)
def test_match_variables_as_in_section_3_2(header: str, mailbox: str) -> None:
    assert actions(LISTS, header.encode() + b"\r\n\r\n") == (FileInto(mailbox),)


def test_match_variables_hold_what_the_wildcards_stand_for() -> None:
    octets = b"Subject: [acme-users] [fwd] version 1.0 is out\r\n\r\n"
    statement = 'if header :matches "subject" "[*] *" { }'
    assert value_of(statement, "${1}|${2}|${0}|${01}|${3}", octets) == (
        "acme-users|[fwd] version 1.0 is out|[acme-users] [fwd] version 1.0 is out|acme-users|"
    )
    assert value_of('if header :matches "subject" "[?*-*" { }', "${1}|${2}|${3}", octets) == (
        "a|cme|users] [fwd] version 1.0 is out"
    )
    failing = statement + ' if header :matches "subject" "nothing" { }'
    assert value_of(failing, "${1}", octets) == "acme-users", "a match that fails leaves them alone"


@pytest.mark.parametrize(
    ("modifiers", "value", "result"),
    [
        ("", "${a}", "juMBlEd lETteRS"),
        (":length", "${a}", "15"),
        (":lower", "${a}", "jumbled letters"),
        (":upperfirst", "${a}", "JuMBlEd lETteRS"),
        (":upperfirst :lower", "${a}", "Jumbled letters"),
        (":quotewildcard", "Rock*", "Rock\\*"),
        (":quotewildcard", "a?\\\\", "a\\?\\\\"),
        (":lowerfirst :upper", "${a}", "jUMBLED LETTERS"),
        (":LENGTH", "äöü", "3"),
        (":upper", "äbc", "äBC"),
        (":length :quotewildcard", "*", "2"),
    ],
)
def test_modifiers_as_in_section_4_1(modifiers: str, value: str, result: str) -> None:
    assert value_of(f'set "a" "juMBlEd lETteRS"; set {modifiers} "b" "{value}";', "${b}") == result


@pytest.mark.parametrize(
    ("statement", "message_part"),
    [
        ('set "1" "x";', "match variables cannot be set"),
        ('set "a b" "x";', "is not the name of a variable"),
        ('set "a.b" "x";', "there is no namespace 'a'"),
        ('set "${a}" "x";', "must not have variables"),
        ('set :upper :lower "a" "x";', "exclude each other"),
        ('set :upperfirst :lowerfirst "a" "x";', "exclude each other"),
        ('set :bogus "a" "x";', "has no ':bogus'"),
        ('set "a" "${31}";', "no more than 30 match variables"),
        ('set "a" "${vnd.x}";', "there is no namespace 'vnd'"),
        ('set "a" "${global.x}";', "needs the capability 'include'"),
        (f'set "{"a" * 33}" "x";', "at most 32 characters"),
        ('set "a";', "takes a string more"),
    ],
)
def test_mistakes_with_variables_are_found_before_the_run(statement: str, message_part: str) -> None:
    with pytest.raises(SieveError, match=message_part):
        parse(f'require "variables"; {statement}'.encode())


def test_long_values_are_cut_off_between_characters() -> None:
    limits = Limits(variable_size=10)
    assert value_of('set "a" "123456789üx";', "${a}", limits=limits) == "123456789ü"
    assert value_of('set "a" "1234567890123";', "${a}", limits=limits) == "1234567890"
    assert value_of('if string :matches "üüüüüüüüüüü" "*" {}', "${1}", limits=limits) == "ü" * 10


def test_a_variable_holds_at_least_4000_characters() -> None:
    """RFC 5229 §6: characters, which take up to four octets."""
    twice = f'set "a" "{"𝄞" * 1000}"; set "b" "${{a}}${{a}}"; set "c" "${{b}}${{b}}"; set :length "d" "${{c}}";'
    assert value_of(twice, "${d}") == "4000"


def test_at_least_128_variables() -> None:
    statements = "\n".join(f'set "v{number}" "{number}";' for number in range(128))
    assert value_of(statements, "${v127}") == "127"
    found = outcome(f'require "variables"; {statements} set "more" "";')
    assert "more than 128 variables" in str(found.error)


def test_the_string_test_strips_nothing() -> None:
    script = """require "variables";
    set "state" "${state} pending";
    if string :matches " ${state} " "* pending *" { discard; }"""
    assert actions(script)[0].__class__.__name__ == "Discard"
    assert not is_true('string " a" "a"', require="variables")


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ('string :count "eq" ["a", "", "b"] "2"', True),
        ('string :count "eq" "" "0"', True),
        ('string :value "lt" "abc" "abd"', True),
        ('string :value "gt" "a" "B"', False),
        ('string :value "gt" :comparator "i;octet" "a" "B"', True),
        ('string :value "lt" :comparator "i;ascii-numeric" "9" "10"', True),
        ('string :value "eq" :comparator "i;ascii-numeric" "007x" "7"', True),
        ('string :value "gt" :comparator "i;ascii-numeric" "x" "4294967298"', True),
        ('string :is :comparator "i;ascii-numeric" "" "y"', True),
        ('string :value "ne" "a" ["a", "b"]', True),
        ('string :comparator "i;unicode-casemap" "ÄPFEL" "äpfel"', True),
        ('string :comparator "i;ascii-casemap" "ÄPFEL" "äpfel"', False),
        ('string :comparator "i;unicode-casemap" :matches "Äpfel" "?PFEL"', True),
        ('string :comparator "i;unicode-casemap" :contains "ein ǆ" "Ǆ"', True),
    ],
)
def test_relations_and_comparators(test: str, result: bool) -> None:
    require = "variables relational comparator-i;ascii-numeric comparator-i;unicode-casemap"
    assert is_true(test, require=require) is result


def test_what_a_wildcard_takes_is_the_value_s_own_under_any_comparator() -> None:
    octets = "Subject: ǆ Straße ß\r\n\r\n".encode()
    statement = 'if header :comparator "i;unicode-casemap" :matches "subject" "* STRASSE *" { }'
    assert value_of(statement, "${1}|${2}", octets, "comparator-i;unicode-casemap") == "|"
    accented = "Subject: é Straße\r\n\r\n".encode()
    statement = 'if header :comparator "i;unicode-casemap" :matches "subject" "? STRA?E" { }'
    assert value_of(statement, "${1}|${2}", accented, "comparator-i;unicode-casemap") == "é|ß"
    statement = 'if header :comparator "i;unicode-casemap" :matches "subject" "* STRAßE *" { }'
    assert value_of(statement, "${1}|${2}", octets, "comparator-i;unicode-casemap") == "ǆ|ß"


RECEIVED = message(
    """
received: ...
received: ...
subject: example
to: foo@example.com, baz@example.com
cc: qux@example.com

"""
)


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ('address :count "ge" :comparator "i;ascii-numeric" ["to", "cc"] ["3"]', True),
        (
            'anyof ( address :count "ge" :comparator "i;ascii-numeric" ["to"] ["3"],'
            ' address :count "ge" :comparator "i;ascii-numeric" ["cc"] ["3"] )',
            False,
        ),
        ('header :count "ge" :comparator "i;ascii-numeric" ["received"] ["3"]', False),
        ('header :count "ge" :comparator "i;ascii-numeric" ["received", "subject"] ["3"]', True),
        ('header :count "ge" :comparator "i;ascii-numeric" ["to", "cc"] ["3"]', False),
        ('envelope :count "eq" :comparator "i;ascii-numeric" "from" "0"', True),
        ('envelope :count "eq" :comparator "i;ascii-numeric" ["from", "to"] "1"', True),
    ],
)
def test_counts_as_in_rfc_5231_section_6(test: str, result: bool) -> None:
    require = "relational envelope comparator-i;ascii-numeric"
    assert is_true(test, RECEIVED, require, Envelope("", "a@example.org")) is result


RELATIONAL = """require ["relational", "comparator-i;ascii-numeric", "fileinto"];

   if header :value "lt" :comparator "i;ascii-numeric"
             ["x-priority"] ["3"]
   {
      fileinto "Priority";
   }

   elsif address :count "gt" :comparator "i;ascii-numeric"
              ["to"] ["5"]
   {
      # everything with more than 5 recipients in the "to" field
      # is considered SPAM
      fileinto "SPAM";
   }

   elsif address :value "gt" :all :comparator "i;ascii-casemap"
              ["from"] ["M"]
   {
      fileinto "From N-Z";
   } else {
      fileinto "From A-M";
   }

   if allof ( address :count "eq" :comparator "i;ascii-numeric"
                      ["to", "cc"] ["1"] ,
              address :all :comparator "i;ascii-casemap"
                      ["to", "cc"] ["me@foo.example.com"] )
   {
      fileinto "Only me";
   }
"""


@pytest.mark.parametrize(
    ("header", "mailboxes"),
    [
        ("X-Priority: 1 (high)", ["Priority"]),
        ("X-Priority: 3\r\nTo: a@x, b@x, c@x, d@x, e@x, f@x", ["SPAM"]),
        ("From: zoe@example.com\r\nTo: me@foo.example.com", ["From N-Z", "Only me"]),
        ("From: bob@example.com\r\nTo: me@foo.example.com\r\nCc: x@example.com", ["From A-M"]),
    ],
)
def test_the_extended_example_of_rfc_5231(header: str, mailboxes: list[str]) -> None:
    assert actions(RELATIONAL, header.encode() + b"\r\n\r\n") == tuple(map(FileInto, mailboxes))


@pytest.mark.parametrize("relation", ["xx", "", "g"])
def test_a_relation_is_one_of_six(relation: str) -> None:
    with pytest.raises(SieveError, match="a relation is one of"):
        parse(f'require "relational"; if header :value "{relation}" "a" "b" {{ }}'.encode())


FLAGS = 'require ["imap4flags", "variables", "fileinto", "relational", "comparator-i;ascii-numeric"];\n'


def test_flags_as_in_rfc_5232_section_3() -> None:
    assert actions(FLAGS + 'if size :over 500K { setflag "\\\\Deleted"; }') == IMPLICIT
    big = A + b"x" * 512_000
    assert actions(FLAGS + 'if size :over 500K { setflag "\\\\Deleted"; }', big) == (
        Keep(("\\Deleted",), is_implicit=True),
    )
    boss = """if header :contains "from" "boss@frobnitzm.example.edu" {
         setflag "flagvar" "\\\\Flagged";
         fileinto :flags "${flagvar}" "INBOX.From Boss";
     }"""
    assert actions(FLAGS + boss, b"From: boss@frobnitzm.example.edu\r\n\r\n") == (
        FileInto("INBOX.From Boss", ("\\Flagged",)),
    )
    remove = """if header :contains "Disposition-Notification-To" "mel@example.com" {
         addflag "flagvar" "$MDNRequired";
     }
     if header :contains "from" "imap@cac.washington.example.edu" {
         removeflag "flagvar" "$MDNRequired";
         fileinto :flags "${flagvar}" "INBOX.imap-list";
     }"""
    octets = b"From: imap@cac.washington.example.edu\r\nDisposition-Notification-To: mel@example.com\r\n\r\n"
    assert actions(FLAGS + remove, octets) == (FileInto("INBOX.imap-list"),)


@pytest.mark.parametrize(
    "script",
    [
        'addflag "flagvar" "\\\\Deleted"; addflag "flagvar" "\\\\Answered";',
        'addflag "flagvar" ["\\\\Deleted", "\\\\Answered"];',
        'addflag "flagvar" "\\\\Deleted \\\\Answered";',
        'addflag "flagvar" "  \\\\Deleted   \\\\Answered \\\\deleted ";',
        'setflag "flagvar" ["", "\\\\Deleted", "\\\\Answered", "\\\\Recent", "\\\\Bogus", "b(d", "ü"];',
    ],
)
def test_ways_to_say_the_same_flags(script: str) -> None:
    assert actions(FLAGS + script + 'keep :flags "${flagvar}";') == (Keep(("\\Deleted", "\\Answered")),)


@pytest.mark.parametrize(
    ("setting", "test", "result"),
    [
        ('setflag "A B";', 'hasflag :is "b A"', True),
        ('setflag "A B";', 'hasflag ["b","A"]', True),
        ("", 'hasflag "A"', False),
        *(
            ('set "MyVar" "NonJunk Junk gnus-forward $Forwarded NotJunk JunkRecorded $Junk $NotJunk";', test, result)
            for test, result in [
                ('hasflag :contains "MyVar" "Junk"', True),
                ('hasflag :contains "MyVar" "forward"', True),
                ('hasflag :contains "MyVar" ["label", "forward"]', True),
                ('hasflag :contains "MyVar" ["junk", "forward"]', True),
                ('hasflag :contains "MyVar" "junk forward"', True),
                ('hasflag :contains "MyVar" "forward junk"', True),
                ('hasflag :contains "MyVar" "label"', False),
                ('hasflag :contains "MyVar" ["label1", "label2"]', False),
            ]
        ),
        ('set "MyFlags" "A B";', 'hasflag :count "ge" :comparator "i;ascii-numeric" "MyFlags" "2"', True),
        ('set "MyFlags" "A a";', 'hasflag :count "ge" :comparator "i;ascii-numeric" "MyFlags" "2"', False),
        ('set "x" "A B"; set "y" "C";', 'hasflag :count "eq" ["x", "y"] "3"', True),
        ('set "x" "Alpha";', 'hasflag :matches "x" "al*"', True),
    ],
)
def test_hasflag_as_in_section_4(setting: str, test: str, result: bool) -> None:
    found = actions(f"{FLAGS}{setting} if {test} {{ discard; }}")
    assert (found[0].__class__.__name__ == "Discard") is result


def test_the_internal_variable_applies_where_no_flags_are_given() -> None:
    script = 'setflag "\\\\Seen"; fileinto "a"; fileinto :flags "x" "b"; removeflag "\\\\SEEN"; addflag "y"; keep;'
    script = FLAGS + script
    assert actions(script) == (FileInto("a", ("\\Seen",)), FileInto("b", ("x",)), Keep(("y",)))


def test_of_two_lists_of_flags_for_one_mailbox_the_last_wins() -> None:
    assert actions(FLAGS + 'fileinto :flags "a" "x"; fileinto :flags "b" "x";') == (FileInto("x", ("b",)),)


def test_naming_a_variable_of_flags_needs_variables() -> None:
    with pytest.raises(SieveError, match='the name of a variable needs: require "variables"'):
        parse(b'require "imap4flags"; addflag "flagvar" "a";')
    assert actions('require "imap4flags"; addflag "a";') == (Keep(("a",), is_implicit=True),)


SUBADDRESS = """require ["envelope", "subaddress", "fileinto"];

   # In this example the same user account receives mail for both
   # "ken@example.com" and "postmaster@example.com"

   # File all messages to postmaster into a single mailbox,
   # ignoring the :detail part.
   if envelope :user "to" "postmaster" {
       fileinto "inbox.postmaster";
       stop;
   }

   # File mailing list messages (subscribed as "ken+mta-filters").
   if envelope :detail "to" "mta-filters" {
       fileinto "inbox.ietf-mta-filters";
   }

   # Redirect all mail sent to "ken+foo".
   if envelope :detail "to" "foo" {
       redirect "ken@example.net";
   }
"""


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("postmaster@example.com", (FileInto("inbox.postmaster"),)),
        ("postmaster+x@example.com", (FileInto("inbox.postmaster"),)),
        ("ken+mta-filters@example.com", (FileInto("inbox.ietf-mta-filters"),)),
        ("ken+foo@example.com", (Redirect("ken@example.net"),)),
        ("ken@example.com", IMPLICIT),
    ],
)
def test_subaddresses_as_in_rfc_5233_section_4(recipient: str, expected: tuple[object, ...]) -> None:
    assert actions(SUBADDRESS, A, Envelope("x@example.net", recipient)) == expected


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ('address :user "to" "ken"', True),
        ('address :detail "to" "sieve"', True),
        ('address :detail "cc" ""', True),
        ('address :detail :matches "bcc" "*"', False),
        ('address :user "bcc" "plain"', True),
    ],
)
def test_user_and_detail(test: str, result: bool) -> None:
    octets = b"To: ken+sieve@example.org\r\nCc: ken+@example.org\r\nBcc: plain@example.org\r\n\r\n"
    assert is_true(test, octets, "subaddress") is result
