"""Scripts that ask for extensions, include others, remember messages and choose mailboxes.

RFC 5463, RFC 6609, RFC 7352, RFC 5490, RFC 9042, RFC 8579.
"""

from __future__ import annotations

import pytest

from jmaplite.formats.sieve import (
    Discard,
    DuplicateMark,
    FileInto,
    Keep,
    Limits,
    Notify,
    Outcome,
    Outside,
    Reject,
    Script,
    SieveError,
    Vacation,
    parse,
    run,
)
from tests.formats.sieve.messages import A, actions, is_true, message, outcome

IMPLICIT = (Keep(is_implicit=True),)


def test_ihave_makes_an_extension_usable_from_then_on() -> None:
    script = 'require "ihave"; if ihave ["fileinto", "copy"] { fileinto :copy "a"; } fileinto "b";'
    assert actions(script) == (FileInto("a", is_copy=True), FileInto("b"))


def test_ihave_fails_as_a_whole_and_then_enables_nothing() -> None:
    script = 'require "ihave"; if ihave ["fileinto", "bogus"] { bogus :x "y"; } elsif bogus { bogus2; } keep;'
    found = outcome(script)
    assert found.actions == IMPLICIT
    assert found.error is not None
    assert (found.error.column, found.error.message) == (73, "there is no test 'bogus'")
    assert actions('require "ihave"; if ihave "bogus" { bogus; } else { keep; }') == (Keep(),)
    late = outcome('require "ihave"; if not ihave ["fileinto", "bogus"] { fileinto "a"; }')
    assert "neither been required nor found" in str(late.error)


@pytest.mark.parametrize("name", ["variables", "encoded-character"])
def test_ihave_never_has_what_changes_how_scripts_are_read(name: str) -> None:
    assert not is_true(f'ihave "{name}"', require="ihave")
    assert is_true(f'ihave "{name}"', require=f"ihave {name}"), "unless it was required"


def test_use_before_ihave_is_an_error_of_the_run() -> None:
    found = outcome('require "ihave"; fileinto "a"; if ihave "fileinto" { keep; }')
    assert "column 18: 'fileinto' has neither been required nor found by 'ihave'" in str(found.error)


def test_ihave_with_comparators() -> None:
    script = """require "ihave"; if allof (ihave "comparator-i;ascii-numeric",
       header :comparator "i;ascii-numeric" "x" "7") { discard; }"""
    assert actions(script, b"X: 007\r\n\r\n") == (Discard(),)


def test_ihave_takes_constants_and_error_says_what_it_is_told() -> None:
    with pytest.raises(SieveError, match="must not have variables"):
        parse(b'require ["ihave", "variables"]; if ihave "${a}" { }')
    found = outcome('require "ihave"; if not ihave "bogus" { error "bogus is needed, leider für alle"; }')
    assert found.actions == IMPLICIT
    assert str(found.error) == "line 1, column 41: bogus is needed, leider für alle"


class Repository(Outside):
    """Scripts by name; those of the site begin with "global:"."""

    def __init__(self, **scripts: str) -> None:
        super().__init__()
        self.scripts = scripts

    def script(self, name: str, *, is_global: bool) -> Script | None:
        source = self.scripts.get(f"global_{name}" if is_global else name)
        return None if source is None else parse(source.encode())


EXAMPLE = Repository(
    always_allow="""if address :is "from" "boss@example.com"
   {
       keep;
   }
   elsif address :is "from" "ceo@example.com"
   {
       keep;
   }""",
    spam_tests="""require ["reject"];

   if header :contains "Subject" "XXXX"
   {
       reject "Subject XXXX is unacceptable.";
   }
   elsif address :is "from" "money@example.com"
   {
       reject "Mail from this sender is unwelcome.";
   }""",
    mailing_lists="""require ["fileinto"];

   if header :is "List-ID" "sieve.ietf.org"
   {
       fileinto "lists.sieve";
   }
   elsif header :is "List-ID" "ietf-imapext.imc.org"
   {
       fileinto "lists.imapext";
   }""",
    global_spam_tests="""require ["reject"];

   if anyof (header :contains "Subject" "$$",
             header :contains "Subject" "Make money")
   {
       reject "No thank you.";
   }""",
)

DEFAULT = """require ["include"];

   include :personal "always_allow";
   include :global "spam_tests";
   include :personal "spam_tests";
   include :personal "mailing_lists";
"""


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("From: boss@example.com", Keep()),
        ("Subject: Make money!", Reject("No thank you.")),
        ("Subject: XXXX", Reject("Subject XXXX is unacceptable.")),
        ("From: money@example.com", Reject("Mail from this sender is unwelcome.")),
        ("List-ID: sieve.ietf.org", FileInto("lists.sieve")),
        ("Subject: hello", Keep(is_implicit=True)),
    ],
)
def test_included_scripts_as_in_rfc_6609_section_3_2(header: str, expected: object) -> None:
    found = actions(DEFAULT, header.encode() + b"\r\n\r\n", outside=EXAMPLE, limits=Limits())
    assert found == (expected,), "within the usual limits"


SUBROUTINE = """require ["fileinto", "include", "variables", "relational"];
   global "test";
   global "test_mailbox";

   set "test" "$$";
   include "subject_tests";

   set "test" "Make money";
   include "subject_tests";

   if string :count "eq" "${test_mailbox}" "1"
   {
       fileinto "${test_mailbox}";
       stop;
   }"""

SUBJECT_TESTS = """require ["include", "variables"];
   global ["test", "test_mailbox"];

   if header :contains "Subject" "${test}"
   {
       set "test_mailbox" "spam-${test}";
   }"""


@pytest.mark.parametrize(
    ("subject", "expected"),
    [("$$", FileInto("spam-$$")), ("make MONEY now", FileInto("spam-Make money")), ("x", Keep(is_implicit=True))],
)
def test_global_variables_as_in_section_3_4_1(subject: str, expected: object) -> None:
    octets = f"Subject: {subject}\r\n\r\n".encode()
    assert actions(SUBROUTINE, octets, outside=Repository(subject_tests=SUBJECT_TESTS)) == (expected,)


def test_the_namespace_global_as_in_section_3_4_2() -> None:
    script = """require ["variables", "include", "vacation"];
   global "i_am_on_vacation";

   set "global.i_am_on_vacation" "1";

   if string :is "${i_am_on_vacation}" "1"
   {
       vacation "It's true, I am on vacation.";
   }"""
    assert isinstance(actions(script)[0], Vacation)
    parse(b'require ["variables", "include"]; set "global.i_am_on_vacation" "1";')
    private = 'require ["include", "variables", "fileinto"]; set "a" "mine"; include "x"; fileinto "${a}${global.a}";'
    other = 'require ["include", "variables"]; set "a" "theirs"; set "global.a" "-ours";'
    assert actions(private, outside=Repository(x=other)) == (FileInto("mine-ours"),)


@pytest.mark.parametrize(
    ("script", "part"),
    [
        ('require "include"; global "a";', 'needs: require "variables"'),
        ('require "variables"; global "a";', 'needs: require "include"'),
        ('require ["include", "variables"]; global "1";', "match variables cannot be set"),
        ('require ["include", "variables"]; global "global.a";', "without a namespace"),
        ('require ["include", "variables"]; set "global.a.b" "x";', "is not the name of a variable"),
        ('require ["include", "variables"]; set "global.12" "x";', "is not the name of a variable"),
        ('require ["include", "variables"]; include "${a}";', "must not have variables"),
        ('require "include"; include "./../..//etc/passwd";', "not the name of a script"),
        ('require "include"; include :personal :global "a";', "exclude each other"),
        ('require "include"; include "";', "not the name of a script"),
        ('include "a";', 'needs: require "include"'),
        ("return;", 'needs: require "include"'),
    ],
)
def test_mistakes_with_include(script: str, part: str) -> None:
    with pytest.raises(SieveError, match=part):
        parse(script.encode())


def test_a_variable_that_is_set_cannot_become_global() -> None:
    found = outcome('require ["include", "variables"]; set "a" "x"; global "a";')
    assert "before it was made global" in str(found.error)


def test_missing_and_invalid_scripts() -> None:
    assert "there is no script 'a'" in str(outcome('require "include"; include "a";').error)
    assert actions('require "include"; include :optional "a"; keep;') == (Keep(),)
    found = outcome('require "include"; include "a";', outside=Repository(a="keep;\n bogus;"))
    assert found.actions == IMPLICIT
    assert str(found.error) == "script 'a', line 2, column 2: there is no command 'bogus'"
    running = Repository(a='require "ihave";\nerror "no";')
    assert str(outcome('require "include"; include "a";', outside=running).error) == "script 'a', line 2, column 1: no"


def test_a_script_has_its_own_require() -> None:
    found = outcome('require ["include", "fileinto"]; include "a";', outside=Repository(a='fileinto "x";'))
    assert "needs: require" in str(found.error)


def test_stop_ends_all_and_return_only_the_script() -> None:
    scripts = Repository(stops="keep; stop;", returns='require "include"; return; keep;')
    assert actions('require "include"; include "stops"; discard;', outside=scripts) == (Keep(),)
    assert actions('require "include"; include "returns"; discard;', outside=scripts) == (Discard(),)
    assert actions('require "include"; return; discard;') == IMPLICIT


def test_recursion_is_an_error_unless_once() -> None:
    again = Repository(a='require "include"; include "b";', b='require "include"; include "a";')
    assert "includes itself" in str(outcome('require "include"; include "a";', outside=again, limits=DEEP).error)
    once = Repository(a='require "include"; keep; include :once "a";')
    assert actions('require "include"; include :once "a"; include :once "a";', outside=once) == (Keep(),)


def test_a_script_cannot_include_itself_whatever_way_it_came_to_run() -> None:
    """RFC 6609 §3.1, §3.2: the active script is one of those that have been included already."""

    def run_as_main(source: str) -> Outcome:
        world = Repository(main=source, other='require "include"; include :once "main"; include "main";')
        return run(parse(source.encode()), A, outside=world, name="main")

    twice = run_as_main('require ["include", "imap4flags"]; addflag "a"; include :once "main"; setflag "b";')
    assert twice.actions == (Keep(("b",), is_implicit=True),)
    assert twice.steps == 3
    assert "'main' includes itself" in str(run_as_main('require "include"; include "main";').error)
    assert "script 'other', line 1, column 42: the" in str(run_as_main('require "include"; include "other";').error)


DEEP = Limits(nested_includes=10, includes=10)


def test_three_levels_of_scripts_and_no_more() -> None:
    chain = Repository(a='require "include"; include "b";', b="keep;", c='require "include"; include "a";')
    assert actions('require "include"; include "a";', outside=chain) == (Keep(),)
    found = outcome('require "include"; include "c";', outside=chain)
    assert "deeper than 3" in str(found.error)


def test_header_changes_go_in_and_out_of_included_scripts() -> None:
    inner = Repository(
        a="""require ["editheader", "fileinto"];
        if allof (exists "X-New", not exists "Subject") { fileinto "seen"; } addheader "X-Inner" "1";"""
    )
    script = """require ["include", "editheader", "fileinto"]; addheader "X-New" "1"; deleteheader "Subject";
      include "a"; if exists "X-Inner" { fileinto "too"; }"""
    assert [getattr(action, "mailbox", "") for action in actions(script, outside=inner)] == ["seen", "too"]


class Memory(Outside):
    """Remembers what runs have left."""

    def __init__(self, *keys: str) -> None:
        super().__init__()
        self.keys = set(keys)
        self.asked = 0

    def seen(self, key: str) -> bool:
        self.asked += 1
        return key in self.keys


def twice(script: str, first: bytes, second: bytes) -> tuple[object, ...]:
    """The actions on a second message after those on a first."""
    memory = Memory()
    found = outcome(script, first, outside=memory)
    assert found.error is None
    memory.keys |= {mark.key for mark in found.duplicates}
    return actions(script, second, outside=memory)


WITH_ID = message("Message-ID: <a@example.com>\nSubject: ALERT: fire\n\n")
OTHER_ID = message("Message-ID: <b@example.com>\nSubject: ALERT: fire\n\n")


@pytest.mark.parametrize(
    "script",
    [
        'require "duplicate"; if duplicate { discard; }',
        'require "duplicate"; if duplicate :header "message-id" { discard; }',
        """require ["duplicate", "variables"];
        if header :matches "message-id" "*" { if duplicate :uniqueid "${0}" { discard; } }""",
    ],
)
def test_duplicates_as_in_rfc_7352_section_3_2(script: str) -> None:
    assert twice(script, WITH_ID, WITH_ID) == (Discard(),)
    assert twice(script, WITH_ID, OTHER_ID) == IMPLICIT
    assert twice(script, A, A) == IMPLICIT, "without the field nothing is a duplicate"
    same = 'require "duplicate"; if duplicate { discard; }'
    assert outcome(script, WITH_ID).duplicates == outcome(same, WITH_ID).duplicates, "all of them share one list"


def test_the_examples_of_rfc_7352_section_5() -> None:
    trash = 'require ["duplicate", "fileinto", "mailbox"]; if duplicate { fileinto :create "Trash/Duplicate"; }'
    assert twice(trash, WITH_ID, WITH_ID) == (FileInto("Trash/Duplicate", create=True),)
    alerts = """require ["duplicate", "variables", "imap4flags",
  "fileinto"];

if header :matches "subject" "ALERT: *" {
  if duplicate :seconds 60 :uniqueid "${1}" {
    setflag "\\\\seen";
  }
  fileinto "Alerts";
}"""
    assert twice(alerts, WITH_ID, OTHER_ID) == (FileInto("Alerts", ("\\Seen",)),)
    assert outcome(alerts, WITH_ID).duplicates[0].seconds == 60
    notify = """require ["variables", "envelope", "enotify", "duplicate"];

if envelope :matches "from" "*" { set "sender" "${1}"; }
if header :matches "subject" "*" { set "subject" "${1}"; }

# account for 'Re:' prefix
if string :comparator "i;ascii-casemap"
  :matches "${subject}" "Re:*"
{
  set "subject" "${1}";
}
if not duplicate :seconds 1800
  :uniqueid "${sender} ${subject}"
{
  notify :message "[SIEVE] ${sender}: ${subject}"
    "mailto:user@im.example.com";
}"""
    assert twice(notify, b"Subject: x\r\n\r\n", b"Subject: Re:x\r\n\r\n") == IMPLICIT
    assert isinstance(twice(notify, b"Subject: x\r\n\r\n", b"Subject: y\r\n\r\n")[0], Notify)
    two = """require ["duplicate", "imap4flags"];

if duplicate :header "X-Event-ID" :handle "notifier" {
  discard;
}
if allof (
  duplicate :header "X-Ticket-ID" :handle "support",
  address "to" "support@example.com",
  header :contains "subject" "fileserver")
{
  setflag "\\\\seen";
}"""
    event = b"X-Event-ID: 17\r\n\r\n"
    ticket = b"X-Ticket-ID: 17\r\nTo: support@example.com\r\nSubject: the fileserver\r\n\r\n"
    assert twice(two, event, event) == (Discard(),)
    assert twice(two, event, ticket) == IMPLICIT, "another handle"
    assert twice(two, ticket, ticket) == (Keep(("\\Seen",), is_implicit=True),)


def test_marks_are_left_by_runs_that_succeed_and_tests_that_run() -> None:
    assert outcome('require ["duplicate", "ihave"]; if duplicate { } error "x";', WITH_ID).duplicates == ()
    assert outcome('require "duplicate"; if allof (false, duplicate) { }', WITH_ID).duplicates == ()
    (mark,) = outcome('require "duplicate"; if duplicate { }', WITH_ID).duplicates
    assert mark == DuplicateMark(mark.key, 7 * 86400)
    known = Memory(mark.key)
    assert outcome('require "duplicate"; if duplicate { }', WITH_ID, outside=known).duplicates == ()
    again = outcome('require "duplicate"; if duplicate :last :seconds 60 { }', WITH_ID, outside=known)
    assert again.duplicates == (DuplicateMark(mark.key, 60),)


def test_within_a_run_a_test_says_the_same() -> None:
    memory = Memory()
    script = 'require "duplicate"; if duplicate { discard; } if duplicate { discard; }'
    assert actions(script, WITH_ID, outside=memory) == IMPLICIT
    assert memory.asked == 1


@pytest.mark.parametrize(
    ("arguments", "seconds"), [(":seconds 0", None), (":seconds 60", 60), (":seconds 1000000000", 90 * 86400)]
)
def test_how_long_a_mark_lasts(arguments: str, seconds: int | None) -> None:
    marks = outcome(f'require "duplicate"; if duplicate {arguments} {{ }}', WITH_ID).duplicates
    assert [mark.seconds for mark in marks] == ([] if seconds is None else [seconds])


def test_one_source_of_the_unique_id() -> None:
    with pytest.raises(SieveError, match="exclude each other"):
        parse(b'require "duplicate"; if duplicate :header "a" :uniqueid "b" { }')
    assert actions('require "duplicate"; if duplicate :header "a b:" { discard; }') == IMPLICIT


class Store(Outside):
    """Has a mailbox "Partners" with the id F1 and the use \\Junk."""

    def mailbox_exists(self, name: str) -> bool:
        return name in ("INBOX", "Partners")

    def mailbox_id_exists(self, mailbox_id: str) -> bool:
        return mailbox_id == "F1"

    def special_use_exists(self, mailbox: str | None, use: str) -> bool:
        return mailbox in (None, "Partners") and use.lower() == "\\junk"


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ('mailboxexists "Partners"', True),
        ('mailboxexists ["Partners", "INBOX"]', True),
        ('mailboxexists ["Partners", "Other"]', False),
        ('mailboxidexists "F1"', True),
        ('mailboxidexists ["F1", "F2"]', False),
        ('specialuse_exists "\\\\Junk"', True),
        ('specialuse_exists ["\\\\Junk", "\\\\Sent"]', False),
        ('specialuse_exists "Partners" "\\\\Junk"', True),
        ('specialuse_exists "INBOX" "\\\\Junk"', False),
    ],
)
def test_what_exists(test: str, result: bool) -> None:
    found = actions(f'require ["mailbox", "mailboxid", "special-use"]; if {test} {{ discard; }}', outside=Store())
    assert (found == (Discard(),)) is result


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            """require ["fileinto", "reject", "mailbox"];
     if mailboxexists "Partners" { fileinto "Partners"; }
     else { reject "This message was not accepted by the Mailstore"; }""",
            FileInto("Partners"),
        ),
        (
            """require "fileinto"; require "mailboxid";
if header :contains ["from"] "coyote" {
    fileinto :mailboxid "F6352ae03-b7f5-463c-896f-d8b48ee3"
             "INBOX.harassment";
}""",
            FileInto("INBOX.harassment", mailbox_id="F6352ae03-b7f5-463c-896f-d8b48ee3"),
        ),
        (
            """require "fileinto"; require "mailboxid"; require "mailbox";

fileinto :mailboxid "Fnosuch"
         :create
         "INBOX.no-such-folder";
            # creates INBOX.no-such-folder, but it doesn't
            # get the "Fnosuch" mailboxid.""",
            FileInto("INBOX.no-such-folder", create=True, mailbox_id="Fnosuch"),
        ),
        (
            """require "fileinto"; require "mailboxid";
if header :contains ["from"] "coyote" {
    if mailboxidexists "F6352ae03-b7f5-463c-896f-d8b48ee3" {
        fileinto :mailboxid "F6352ae03-b7f5-463c-896f-d8b48ee3"
                            "INBOX.name.will.not.be.used";
    } else {
        fileinto "INBOX.harassment";
    }
}""",
            FileInto("INBOX.harassment"),
        ),
        (
            'require "fileinto"; require "special-use"; fileinto :specialuse "\\\\Archive" "INBOX/Archive";',
            FileInto("INBOX/Archive", special_use="\\Archive"),
        ),
        (
            'require "fileinto"; require "special-use"; fileinto :specialuse "\\\\Junk" "Spam";',
            FileInto("Spam", special_use="\\Junk"),
        ),
        (
            """require "fileinto"; require "special-use"; require "mailbox";
            fileinto :specialuse "\\\\Junk" :create "Spam";""",
            FileInto("Spam", create=True, special_use="\\Junk"),
        ),
    ],
)
def test_the_scripts_of_rfc_5490_rfc_9042_and_rfc_8579(script: str, expected: object) -> None:
    assert actions(script, outside=Store()) == (expected,)


def test_the_copy_of_a_notification_goes_by_id() -> None:
    script = """require ["enotify", "fcc", "mailboxid"];
notify :fcc "INBOX.Sent"
       :mailboxid "F6352ae03-b7f5-463c-896f-d8b48ee3"
       :message "You got mail!"
       "mailto:ken@example.com";"""
    (notify, _) = actions(script)
    assert isinstance(notify, Notify)
    assert notify.fcc is not None
    assert notify.fcc.mailbox_id == "F6352ae03-b7f5-463c-896f-d8b48ee3"


def test_a_mailbox_is_chosen_by_id_or_by_use_not_both() -> None:
    with pytest.raises(SieveError, match="exclude each other"):
        parse(b'require ["fileinto", "mailboxid", "special-use"]; fileinto :mailboxid "a" :specialuse "b" "c";')


@pytest.mark.parametrize("name", ["", "a\r\nb", "x" * 2000])
def test_what_is_no_mailbox(name: str) -> None:
    with pytest.raises(SieveError, match="not the name of a mailbox"):
        parse(f'require "fileinto"; fileinto "{name}";'.encode())
