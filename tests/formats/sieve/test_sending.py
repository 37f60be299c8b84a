"""Answers, refusals and notifications as a script asks for them (RFC 5230, RFC 6131, RFC 5429, RFC 5435, RFC 8580)."""

from __future__ import annotations

import pytest

from jmaplite.formats.sieve import (
    Action,
    Envelope,
    Fcc,
    FileInto,
    Keep,
    Limits,
    Notify,
    Outside,
    Redirect,
    Reject,
    SieveError,
    Vacation,
    parse,
)
from tests.formats.sieve.messages import A, B, actions, is_true, outcome

IMPLICIT = (Keep(is_implicit=True),)


def vacation(script: str, octets: bytes = A) -> Vacation:
    """The answer that a script gives, besides which it keeps."""
    answer, kept = actions(script, octets)
    assert isinstance(answer, Vacation)
    assert kept == Keep(is_implicit=True), "vacation does not affect the implicit keep"
    return answer


CYRUS_BUG = """require "vacation";
if header :contains "subject" "cyrus" {
    vacation "I'm out -- send mail to cyrus-bugs";
} else {
    vacation "I'm out -- call me at +1 304 555 0123";
}"""

RAN_AWAY = """require "vacation";
if header :contains "subject" "lunch" {
    vacation :handle "ran-away" "I'm out and can't meet for lunch";
} else {
    vacation :handle "ran-away" "I'm out";
}"""

EXPANDED = """require ["vacation", "variables"];
if header :matches "subject" "*" {
    vacation :subject "Automatic response to: ${1}"
             "I'm away -- send mail to foo in my absence";
}"""


def test_answers_are_told_apart_as_in_rfc_5230_section_4_2() -> None:
    bug, dinner = b"Subject: Cyrus bug\r\n\r\n", b"Subject: come over for dinner\r\n\r\n"
    assert vacation(CYRUS_BUG, bug).key != vacation(CYRUS_BUG, dinner).key
    lunch = b"Subject: lunch?\r\n\r\n"
    assert vacation(RAN_AWAY, lunch).key == vacation(RAN_AWAY, dinner).key
    assert vacation(RAN_AWAY, lunch).reason != vacation(RAN_AWAY, dinner).reason
    first, second = vacation(EXPANDED, lunch), vacation(EXPANDED, dinner)
    assert first.key == second.key, "variables do not make another answer"
    assert (first.subject, second.subject) == (
        "Automatic response to: lunch?",
        "Automatic response to: come over for dinner",
    )


def test_the_same_string_for_another_argument_is_another_answer() -> None:
    keys = {
        vacation(f'require "vacation"; vacation {arguments};').key
        for arguments in (
            '"x"',
            ':mime "x"',
            ':subject "x" "x"',
            ':from "x@y" "x"',
            ':handle "x" "x"',
            ':handle "y" "x"',
        )
    }
    assert len(keys) == 6


MIME = """require "vacation";
vacation :mime text:
Content-Type: multipart/alternative; boundary=foo

--foo

I'm at the beach relaxing.  Mmmm, surf...

--foo
Content-Type: text/html; charset=us-ascii

<HTML><HEAD><TITLE>How to relax</TITLE></HEAD>
<BODY><P>I'm at the <A HREF="beach.gif">beach</A> relaxing.
</BODY></HTML>

--foo--
.
;
"""


def test_the_scripts_of_rfc_5230_sections_4_4_and_4_8() -> None:
    assert vacation(MIME).is_mime
    assert vacation(MIME).reason.startswith("Content-Type: multipart/alternative; boundary=foo\r\n\r\n--foo\r\n")
    answer = vacation("""require "vacation";
vacation :days 23 :addresses ["tjs@example.edu",
                              "ts4z@landru.example.edu"]
"I'm away until October 19.
If it's an emergency, call 911, I guess." ;""")
    assert answer.period == 23 * 86400
    assert answer.addresses == ("tjs@example.edu", "ts4z@landru.example.edu")
    assert answer.reason == "I'm away until October 19.\r\nIf it's an emergency, call 911, I guess."
    boss = """require "vacation";
if header :contains "from" "boss@example.edu" {
    redirect "pleeb@isp.example.org";
} else {
    vacation "Sorry, I'm away, I'll read your
message when I get around to it.";
}"""
    assert actions(boss, b"From: boss@example.edu\r\n\r\n") == (Redirect("pleeb@isp.example.org"),)
    assert vacation(boss).key


@pytest.mark.parametrize(
    ("arguments", "period"),
    [
        ("", 7 * 86400),
        (":days 1", 86400),
        (":days 0", 86400),
        (":days 30", 30 * 86400),
        (":days 99999", 90 * 86400),
        (":seconds 1800", 1800),
        (":seconds 0", 0),
        (":seconds 2147483648", 90 * 86400),
    ],
)
def test_periods_are_kept_within_what_is_allowed(arguments: str, period: int) -> None:
    assert vacation(f'require "vacation-seconds"; vacation {arguments} "x";').period == period


def test_the_scripts_of_rfc_6131() -> None:
    meeting = """require ["vacation-seconds"];
vacation :addresses ["tjs@example.edu", "ts4z@landru.example.edu"]
         :seconds 1800
         "I am in a meeting, and do not have access to email.";"""
    received = """require ["vacation-seconds"];

vacation :handle "auto-resp" :seconds 0
    "Your request has been received.  A service
     representative will contact you as soon as
     possible, usually within one business day.";"""
    assert vacation(meeting).period == 1800
    assert vacation(received).period == 0


@pytest.mark.parametrize(
    ("script", "part"),
    [
        ('require "vacation-seconds"; vacation :days 1 :seconds 2 "x";', "':seconds' and ':days' exclude each other"),
        ('require "vacation"; vacation :seconds 2 "x";', 'needs: require "vacation-seconds"'),
        ('require "vacation"; vacation :from "nonsense" "x";', "not a list of addresses"),
        ('require "vacation"; vacation;', "takes a string more"),
        ('require "vacation"; vacation :mime "Content-Type: text/plain; x=ü\n\nü";', "US-ASCII"),
    ],
)
def test_mistakes_with_vacation(script: str, part: str) -> None:
    with pytest.raises(SieveError, match=part):
        parse(script.encode())


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ('vacation "x"; vacation "y";', "once only"),
        ('vacation "x"; reject "y";', "cannot be rejected"),
        ('reject "y"; vacation "x";', "cannot be answered"),
        ('ereject "y"; vacation "x";', "cannot be answered"),
        ('reject "y"; reject "x";', "once only"),
        ('ereject "y"; reject "x";', "once only"),
        ('reject "y"; keep;', "cannot be delivered"),
        ('fileinto "y"; ereject "x";', "cannot be rejected"),
        ('redirect "a@example.com"; reject "x";', "cannot be rejected"),
    ],
)
def test_what_does_not_go_together(body: str, part: str) -> None:
    found = outcome(f'require ["vacation", "reject", "ereject", "fileinto"]; {body}')
    assert found.actions == IMPLICIT
    assert part in str(found.error)


def test_vacation_goes_with_deliveries() -> None:
    found = actions('require ["vacation", "fileinto"]; vacation "x"; fileinto "y"; keep; discard;')
    assert [action.__class__.__name__ for action in found] == ["Vacation", "FileInto", "Keep", "Discard"]


def test_the_scripts_of_rfc_5429() -> None:
    early = """require ["ereject"];

            if address "from" "someone@example.com" {
                ereject "I no longer accept mail from this address";
            }"""
    assert actions(early, b"From: someone@example.com\r\n\r\n") == (
        Reject("I no longer accept mail from this address", is_early=True),
    )
    big = """require ["reject"];

           if size :over 100K {
               reject text:
Your message is too big.  If you want to send me a big attachment,
put it on a public web site and send me a URL.
.
               ;
           }"""
    (refused,) = actions(big, A + b"x" * 102_401)
    assert isinstance(refused, Reject)
    assert refused.reason.endswith("send me a URL.\r\n")
    assert actions(big) == IMPLICIT
    coyote = """require ["reject"];

            if header :contains "from" "coyote@desert.example.org" {
                reject text:
I am not taking mail from you, and I don't
want your birdseed, either!
.
                ;
            }"""
    reason = "I am not taking mail from you, and I don't\r\nwant your birdseed, either!\r\n"
    assert actions(coyote) == (Reject(reason),)
    assert actions(coyote, B) == IMPLICIT


IMPORTANT = """require ["enotify", "fileinto", "variables"];

    if header :contains "from" "boss@example.org" {
        notify :importance "1"
            :message "This is probably very important"
                        "mailto:alm@example.com";
        # Don't send any further notifications
        stop;
    }

    if header :contains "to" "sievemailinglist@example.org" {
        # :matches is used to get the value of the Subject header
        if header :matches "Subject" "*" {
            set "subject" "${1}";
        }

        # :matches is used to get the value of the From header
        if header :matches "From" "*" {
            set "from" "${1}";
        }

        notify :importance "3"
            :message "[SIEVE] ${from}: ${subject}"
            "mailto:alm@example.com";
        fileinto "INBOX.sieve";
    }"""


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            "From: boss@example.org",
            (Notify("mailto:alm@example.com", "This is probably very important", importance=1), *IMPLICIT),
        ),
        (
            "To: sievemailinglist@example.org\r\nFrom: x@example.com\r\nSubject: hi",
            (Notify("mailto:alm@example.com", "[SIEVE] x@example.com: hi", importance=3), FileInto("INBOX.sieve")),
        ),
        ("From: x@example.com", IMPLICIT),
    ],
)
def test_example_1_of_rfc_5435(header: str, expected: tuple[Action, ...]) -> None:
    assert actions(IMPORTANT, header.encode() + b"\r\n\r\n") == expected


def test_example_2_of_rfc_5435() -> None:
    script = """require ["enotify", "fileinto", "variables", "envelope"];

    if header :matches "from" "*@*.example.org" {
        # :matches is used to get the MAIL FROM address
        if envelope :all :matches "from" "*" {
            set "env_from" " [really: ${1}]";
        }

        # :matches is used to get the value of the Subject header
        if header :matches "Subject" "*" {
            set "subject" "${1}";
        }

        # :matches is used to get the address from the From header
        if address :matches :all "from" "*" {
            set "from_addr" "${1}";
        }
        notify :message "${from_addr}${env_from}: ${subject}"
                        "mailto:alm@example.com";
    }"""
    octets = b"From: a@b.example.org\r\nSubject: s\r\n\r\n"
    assert actions(script, octets, Envelope("e@example.net", "x@example.com")) == (
        Notify("mailto:alm@example.com", "a@b.example.org [really: e@example.net]: s"),
        *IMPLICIT,
    )


class Phone(Outside):
    """Notifies by XMPP and telephone too."""

    def valid_notify_method(self, uri: str) -> bool:
        return uri.startswith(("xmpp:", "tel:")) or super().valid_notify_method(uri)


def test_example_3_of_rfc_5435() -> None:
    script = """require ["enotify", "variables"];

  set "notif_method"
  "xmpp:tim@example.com?message;subject=SIEVE;body=You%20got%20mail";

  if header :contains "subject" "Your dog" {
      set "notif_method" "tel:+14085551212";
  }

  if header :contains "to" "sievemailinglist@example.org" {
      set "notif_method" "";
  }

  if not string :is "${notif_method}" "" {
      notify "${notif_method}";
  }

  if header :contains "from" "boss@example.org" {
      # :matches is used to get the value of the Subject header
      if header :matches "Subject" "*" {
          set "subject" "${1}";
      }

      # don't need high importance notification for
      # a 'for your information'
      if not header :contains "subject" "FYI:" {
          notify :importance "1" :message "BOSS: ${subject}"
                             "tel:+14085551212";
      }
  }"""
    octets = b"From: boss@example.org\r\nSubject: Your dog barks\r\n\r\n"
    assert actions(script, octets, outside=Phone()) == (
        Notify("tel:+14085551212"),
        Notify("tel:+14085551212", "BOSS: Your dog barks", importance=1),
        *IMPLICIT,
    )
    assert actions(script, b"To: sievemailinglist@example.org\r\n\r\n", outside=Phone()) == IMPLICIT
    found = outcome(script, octets)
    assert "no notification can be sent by 'tel:" in str(found.error), "an unsupported method is an error"


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ('not valid_notify_method ["mailto:", "http://gw.example.net/notify?test"]', True),
        ('valid_notify_method "mailto:a@example.com?subject=x"', True),
        ('valid_notify_method "MAILTO:a@example.com,b@example.com?cc=c@example.com"', True),
        ('valid_notify_method ["mailto:a@example.com", "mailto:nonsense"]', False),
        ('valid_notify_method "mailto:a@example.com?subject"', False),
        ('valid_notify_method "mailto:a@example.com?subject=%zz"', False),
        ('valid_notify_method "mailto:a@example.com?x y=z"', False),
        ('valid_notify_method "mailto:a@example.com%0aBcc:b@example.com"', False),
        ('notify_method_capability "mailto:a@example.com" "Online" "maybe"', True),
        ('notify_method_capability "mailto:a@example.com" "online" ["yes", "no"]', False),
        ('notify_method_capability "mailto:a@example.com" "bogus" "maybe"', False),
        ('notify_method_capability :contains "xmpp:a@example.com" "online" ""', False),
        ('notify_method_capability "mailto:" "fcc" "yes"', True),
        ('notify_method_capability "xmpp:" "fcc" "yes"', False),
        ('notify_method_capability :count "eq" "mailto:a@example.com" "online" "1"', True),
    ],
)
def test_notification_methods(test: str, result: bool) -> None:
    assert is_true(test, A, "enotify relational") is result


def test_example_5_of_rfc_5435() -> None:
    script = """require ["enotify"];

          if notify_method_capability
                 "xmpp:tim@example.com?message;subject=SIEVE"
                 "Online"
                 "yes" {
              notify :importance "1" :message "You got mail"
                   "xmpp:tim@example.com?message;subject=SIEVE";
          } else {
              notify :message "You got mail" "tel:+14085551212";
          }"""
    assert actions(script, outside=Phone())[0] == Notify("tel:+14085551212", "You got mail")


def test_example_6_of_rfc_5435() -> None:
    script = """require ["enotify", "variables"];

    set :encodeurl "body_param" "Safe body&evil=evilbody";

    notify "mailto:tim@example.com?body=${body_param}";"""
    assert actions(script)[0] == Notify("mailto:tim@example.com?body=Safe%20body%26evil%3Devilbody")


def test_a_message_must_not_choose_who_is_notified() -> None:
    head = 'require ["enotify", "variables"]; if header :matches "subject" "*" { set "s" "${1}"; }'
    evil = b"Subject: a@example.com\r\n\r\n"
    assert "must not say where" in str(outcome(f'{head} notify "mailto:${{s}}";', evil).error)
    injected = b"Subject: x&to=evil@example.com\r\n\r\n"
    body = 'notify "mailto:me@example.com?subject=${s}";'
    assert "must not say where" in str(outcome(head + body, injected).error)
    assert outcome(head + body, b"Subject: fine\r\n\r\n").error is None
    assert outcome(f'{head} set "s" "me@example.com"; notify "mailto:${{s}}";', evil).error is None


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (':importance "4"', "importance is"),
        (':options ["a"]', "an option is written"),
        (':bogus "x"', "has no ':bogus'"),
        (":create", "goes with ':fcc' only"),
    ],
)
def test_mistakes_with_notify(arguments: str, part: str) -> None:
    with pytest.raises(SieveError, match=part):
        parse(f'require ["enotify", "fcc", "mailbox"]; notify {arguments} "mailto:a@example.com";'.encode())


def test_notifications_are_counted_and_the_same_one_goes_once() -> None:
    same = 'notify "mailto:a@example.com";' * 5
    assert len(actions('require "enotify"; ' + same)) == 2
    several = "".join(f'notify "mailto:a{number}@example.com";' for number in range(4))
    assert "sends more than 3 messages" in str(outcome('require "enotify"; ' + several, limits=Limits()).error)


def test_copies_of_what_is_sent_as_in_rfc_8580() -> None:
    fishing = """require ["vacation", "fcc", "mailbox", "special-use", "imap4flags"];

vacation :days 7
         :from "hemingway@example.com"
         :specialuse "\\\\Sent" :create
         :fcc "INBOX.Sent" :flags ["\\\\Seen"] "Gone Fishin'";"""  # tags come before other arguments (RFC 5228 §2.6.2)
    assert vacation(fishing).fcc == Fcc("INBOX.Sent", ("\\Seen",), create=True, special_use="\\Sent")
    mail = """require ["enotify", "fcc"];

notify :fcc "INBOX.Sent"
       :message "You got mail!"
       "mailto:ken@example.com";"""
    assert actions(mail)[0] == Notify("mailto:ken@example.com", "You got mail!", fcc=Fcc("INBOX.Sent"))
    either = """require ["enotify", "fcc"];

if notify_method_capability "xmpp:" "fcc" "yes" {
    notify :fcc "INBOX.Sent"
           :message "You got mail"
           "xmpp:ken@example.com?message;subject=SIEVE";
} else {
    notify :fcc "INBOX.Sent"
           :message "You got mail!"
           "mailto:ken@example.com";
}"""
    assert actions(either)[0] == Notify("mailto:ken@example.com", "You got mail!", fcc=Fcc("INBOX.Sent"))
    found = outcome('require ["enotify", "fcc"]; notify :fcc "x" "tel:+1";', outside=Phone())
    assert "no copy of this notification can be filed" in str(found.error)


@pytest.mark.parametrize("command", ["reject", "ereject", "fileinto", "redirect"])
def test_nothing_else_has_such_copies(command: str) -> None:
    with pytest.raises(SieveError, match="has no ':fcc'"):
        parse(f'require ["fcc", "reject", "ereject", "fileinto"]; {command} :fcc "x" "a@example.com";'.encode())
