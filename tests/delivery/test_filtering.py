"""Scripts at work: mail comes in by LMTP, and is where the script wants it (RFC 5228 and its extensions)."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from jmaplite.delivery.filing import Delivery, make_ready
from tests.delivery.conftest import started
from tests.delivery.scripts import SENDER, Post, message, scripting, wait_until


@pytest.fixture
def post(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    with scripting(tmp_path, monkeypatch) as post:
        yield post


def test_without_a_script_everything_is_kept(post: Post) -> None:
    post.bring(message())
    assert post.filed() == {"Inbox": ["Hello"]}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("keep;", {"Inbox": ["Hello"]}),
        ("discard;", {}),
        ('require "fileinto"; fileinto "Archive";', {"Archive": ["Hello"]}),
        ('require "fileinto"; fileinto "inbox";', {"Inbox": ["Hello"]}),
        ('require ["fileinto", "copy"]; fileinto :copy "Archive";', {"Archive": ["Hello"], "Inbox": ["Hello"]}),
        ('require "fileinto"; fileinto "Archive"; fileinto "Sent";', {"Archive": ["Hello"], "Sent": ["Hello"]}),
        ('require "fileinto"; fileinto "Nowhere/There";', {"Inbox": ["Hello"]}),
        ('require ["fileinto", "mailbox"]; fileinto :create "A/B/Ü";', {"A/B/Ü": ["Hello"]}),
        ('require ["fileinto", "mailbox"]; fileinto :create "INBOX/Lists";', {"Inbox/Lists": ["Hello"]}),
        ('require ["fileinto", "mailbox"]; fileinto :create "////";', {"Inbox": ["Hello"]}),
        ('require ["fileinto", "special-use"]; fileinto :specialuse "\\\\Junk" "X";', {"Junk": ["Hello"]}),
        (
            'require ["fileinto", "special-use", "mailbox"]; fileinto :create :specialuse "\\\\Important" "Big";',
            {"Big": ["Hello"]},
        ),
        (
            'require "imap4flags"; keep :flags ["\\\\Seen", "\\\\Flagged", "Work"];',
            {"Inbox": ["Hello [$flagged $seen work]"]},
        ),
        ('require "imap4flags"; addflag "\\\\Deleted"; keep;', {"Inbox": ["Hello"]}),
        (
            'require ["editheader"]; addheader "X-New" "y"; deleteheader "Subject"; addheader "Subject" "Other";',
            {"Inbox": ["Other"]},
        ),
        ('require "environment"; if environment :is "host" "mx.example.org" { discard; }', {}),
        ('require ["subaddress", "envelope"]; if envelope :detail "to" "lists" { discard; }', {"Inbox": ["Hello"]}),
    ],
)
def test_a_message_is_where_the_script_wants_it(post: Post, script: str, expected: dict[str, list[str]]) -> None:
    post.script(script.replace("; ", ";\r\n"))
    assert post.bring(message()) == {}
    assert post.filed() == expected
    assert post.sent() == []


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('fileinto :copy :flags "\\\\Seen" "INBOX";', {"Inbox": ["Hello"]}),
        ('fileinto :flags "a" "Junk"; fileinto :flags "b" :specialuse "\\\\Junk" "Spam";', {"Junk": ["Hello [b]"]}),
        ('keep; fileinto :flags "a" "Nowhere";', {"Inbox": ["Hello [a]"]}),
        ('fileinto "Junk"; addheader "X-A" "1"; fileinto :specialuse "\\\\Junk" "Spam";', {"Junk": ["Hello"]}),
    ],
)
def test_a_mailbox_has_a_message_once_whatever_it_is_called(
    post: Post, script: str, expected: dict[str, list[str]]
) -> None:
    """RFC 5228 §2.10.3, RFC 5232 §3, RFC 5293 §7."""
    post.script(f'require ["fileinto", "copy", "imap4flags", "special-use", "editheader"]; {script}')
    post.bring(message())
    assert post.filed() == expected


def test_a_copy_of_an_answer_is_another_message(post: Post) -> None:
    """RFC 8580."""
    post.script('require ["vacation", "fcc"]; vacation :fcc "INBOX" "I am away.";')
    post.bring(message())
    assert post.filed() == {"Inbox": ["Auto: Hello", "Hello"]}


def test_a_mailbox_that_is_made_for_a_special_use_has_it(post: Post) -> None:
    """RFC 8579 §4."""
    post.script('require ["fileinto", "special-use", "mailbox"]; fileinto :create :specialuse "\\\\Important" "Big";')
    post.bring(message())
    boxes = post.call("Mailbox/get", ids=[post.boxes()["Big"]])["list"]
    assert boxes[0]["role"] == "important"
    assert boxes[0]["isSubscribed"] is True
    assert (boxes[0]["totalEmails"], boxes[0]["unreadEmails"]) == (1, 1)


def test_a_mailbox_may_be_meant_by_its_id(post: Post) -> None:
    """RFC 9042."""
    post.session("ann")
    post.script(f'require ["fileinto", "mailboxid"]; fileinto :mailboxid "{post.boxes()["Archive"]}" "gone";')
    post.bring(message())
    assert post.filed() == {"Archive": ["Hello"]}


def test_a_mailbox_may_be_meant_by_what_its_role_is_called_besides(tmp_path: Path) -> None:
    aliases = 'aliases = ["Deleted Items", "Papierkorb, Müll"]'
    for mail in started(tmp_path, more=f'[jmap.folders.trash]\nname = "Bin"\n{aliases}\n'):
        post = Post(mail)
        post.script(
            'require ["fileinto", "mailbox"]; if mailboxexists ["deleted items", "Bin"] { fileinto "MÜLL"; }'
            'fileinto :create "Papierkorb/Old"; fileinto :create "Deleted"; fileinto "Rubbish";'
        )
        post.bring(message())
        assert post.filed() == {name: ["Hello"] for name in ("Bin", "Bin/Old", "Deleted", "Inbox")}


def test_tests_of_mailboxes_see_those_of_the_user(post: Post) -> None:
    post.script(
        'require ["mailbox", "special-use", "fileinto"];'
        'if allof (mailboxexists "Archive", not mailboxexists "Nothing", specialuse_exists "\\\\Junk",'
        ' specialuse_exists "Junk" "\\\\Junk", not specialuse_exists "Archive" "\\\\Junk") { fileinto "Archive"; }'
    )
    post.bring(message())
    assert post.filed() == {"Archive": ["Hello"]}


def test_a_script_includes_another_of_the_user(post: Post) -> None:
    """RFC 6609."""
    post.script('require "fileinto"; fileinto "Archive";', name="other", active=False)
    post.script('require "include"; include :personal "other"; include :personal :optional "none";')
    post.bring(message())
    assert post.filed() == {"Archive": ["Hello"]}


def test_scripts_of_users_are_apart(post: Post) -> None:
    post.script("discard;")
    assert post.bring(message(), "ann@example.org", "bob@example.org") == {}
    assert (post.filed(), post.filed("bob")) == ({}, {"Inbox": ["Hello"]})


def test_what_fails_is_kept_as_it_came_and_user_and_log_are_told(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    """RFC 5228 §2.10.6."""
    post.script('require ["fileinto", "include"];\r\nfileinto "Archive";\r\ninclude :personal "missing";', name="mine")
    with caplog.at_level(logging.WARNING):
        post.bring(message())
    assert post.filed() == {"Inbox": ["Hello", 'The script "mine" has failed']}
    assert any("'mine' of ann" in one.message and "line 3" in one.message for one in caplog.records)
    found = [message_from_bytes(octets, policy=policy.default) for octets in post.mail.emails()]
    told = next(one for one in found if one["Subject"] != "Hello")
    assert (told["From"], told["To"]) == ("postmaster@mx.example.org", "ann@example.org")
    assert told["Auto-Submitted"] == "auto-generated"
    words = told.get_content()
    assert "line 3, column 1: there is no script 'missing'" in words
    assert "Message-ID: <Hello@example.net>" in words


def test_of_one_script_the_user_is_told_once_a_day(post: Post) -> None:
    post.script('require "ihave";\r\nerror "Not today";', name="mine")
    for subject in ("One", "Two"):
        post.bring(message(subject))
    assert post.filed() == {"Inbox": ["One", 'The script "mine" has failed', "Two"]}
    post.clock[0] += 86400
    post.bring(message("Three"))
    post.script('require "ihave";\r\nerror "Nor now";', name="other")
    post.bring(message("Two and a half"))
    told = [subject for subject in post.filed()["Inbox"] if "failed" in subject]
    assert told == ['The script "mine" has failed'] * 2 + ['The script "other" has failed']


def test_a_script_that_asks_for_what_is_not_there_any_more_keeps(tmp_path: Path) -> None:
    for mail in started(tmp_path):
        post = Post(mail)
        post.script('require "fileinto"; fileinto "Archive";', name="mine")
    off = '[sieve.untrusted]\ndisable-capabilities = ["fileinto"]'
    for mail in started(tmp_path, more=off):
        post = Post(mail)
        post.bring(message())
        assert post.filed() == {"Inbox": ["Hello", 'The script "mine" has failed']}


def test_without_the_capability_no_script_runs(tmp_path: Path) -> None:
    for mail in started(tmp_path):
        Post(mail).script("discard;")
    for mail in started(tmp_path, more="[jmap.capabilities]\nsieve = false\nvacationresponse = false"):
        mail_in = message()
        with mail.lmtp() as peer:
            peer.sendmail(SENDER, ["ann@example.org"], mail_in)
        assert len(mail.emails()) == 1


def test_a_redirected_message_goes_on_from_its_sender_with_its_trace(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 5228 §4.2; §10 (3) has it logged."""
    post.script('redirect "y@elsewhere.example";')
    with caplog.at_level(logging.INFO):
        post.bring(message())
    (sent,) = post.sent()
    assert (sent.sender, sent.recipients) == (SENDER, ["y@elsewhere.example"])
    assert sent.octets.endswith(message())
    assert "by mx.example.org with LMTP" in sent.message["Received"]
    assert "the script of ann sends mail on to <y@elsewhere.example>" in [one.message for one in caplog.records]
    assert post.filed() == {}


def test_a_report_is_redirected_without_a_sender(post: Post) -> None:
    post.script('require "copy"; redirect :copy "y@elsewhere.example";')
    post.bring(message(), sender="")
    assert [one.sender for one in post.sent()] == [""]
    assert post.filed() == {"Inbox": ["Hello"]}


def test_a_message_in_circles_is_not_redirected(post: Post) -> None:
    post.script('redirect "y@elsewhere.example";', name="mine")
    post.bring(message("Hello", *["Received: by a.example; Tue, 14 Nov 2023 22:13:20 +0000"] * 10))
    assert post.sent() == []
    assert post.filed() == {"Inbox": ["Hello", 'The script "mine" has failed']}


def test_a_redirection_within_the_server_arrives(post: Post) -> None:
    post.script('redirect "bob@example.org";')
    post.session("bob")
    post.bring(message())
    arrived = wait_for(post, "bob")
    assert b"Return-Path: <x@example.net>\r\nReceived: by mx.example.org" in arrived
    assert arrived.count(b"Return-Path:") == 1


def wait_for(post: Post, user: str) -> bytes:
    """The first message that comes into an account by the outbox."""
    wait_until(post, lambda: bool(post.mail.emails(user)))
    return post.mail.emails(user)[0]


def test_users_who_redirect_to_each_other_get_the_message_in_the_end(post: Post) -> None:
    """RFC 5228 §10: a loop ends, and nothing is lost in it."""
    post.session("bob")
    post.script('redirect "bob@example.org";')
    post.script('redirect "ann@example.org";', "bob")
    post.bring(message())
    wait_until(post, lambda: len(post.mail.emails("ann") + post.mail.emails("bob")) >= 2)
    found = [subject for user in ("ann", "bob") for subject in post.filed(user).get("Inbox", [])]
    assert [subject for subject in found if "has failed" not in subject] == ["Hello"]
    assert len(found) == 2


def test_a_sender_on_this_server_is_told_of_a_refusal(post: Post) -> None:
    """RFC 8621 §7 deliveryStatus, RFC 5429 §2.1."""
    post.script('require "ereject"; ereject "No thanks.";')
    post.session("bob")
    identity = post.call("Identity/get", "bob", ids=None)["list"][0]["id"]
    draft = {
        "mailboxIds": {post.boxes("bob")["Drafts"]: True},
        "from": [{"email": "bob@example.org"}],
        "to": [{"email": "ann@example.org"}],
        "subject": "Hello",
    }
    calls = [
        ("Email/set", {"create": {"d": draft}}),
        ("EmailSubmission/set", {"create": {"s": {"identityId": identity, "emailId": "#d"}}}),
    ]
    submitted = post.request("bob", *calls)[1][1]["created"]["s"]["id"]

    def status() -> dict[str, str]:
        (found,) = post.call("EmailSubmission/get", "bob", ids=[submitted])["list"]
        told: dict[str, str] = found["deliveryStatus"]["ann@example.org"]
        return told

    wait_until(post, lambda: status()["delivered"] == "no")
    assert status()["smtpReply"] == "550 5.7.1 No thanks."
    assert post.filed() == {}


@pytest.mark.parametrize("name", ["reject", "ereject"])
def test_a_message_is_refused_while_it_is_handed_over(post: Post, name: str) -> None:
    """RFC 5429 §2."""
    post.script(f'require "{name}"; {name} "No thanks.";')
    refused = post.bring(message(), "ann@example.org", "bob@example.org")
    assert refused == {"ann@example.org": (550, b"5.7.1 No thanks.")}
    assert (post.filed(), post.sent(), post.filed("bob")) == ({}, [], {"Inbox": ["Hello"]})
    # It is refused again when it comes again.
    assert post.bring(message()) == {"ann@example.org": (550, b"5.7.1 No thanks.")}


def test_a_reason_of_several_lines_is_a_reply_of_several_lines(post: Post) -> None:
    """RFC 5429 §2.5."""
    lines = ["AntiSpam engine thinks your message is spam.", "It is therefore being refused.", "Please call."]
    post.script('require "ereject";\r\nereject text:\r\n{}\r\n.\r\n;'.format("\r\n".join(lines)))
    reply = b"\n".join(b"5.7.1 " + line.encode() for line in lines)
    assert post.bring(message(), "ann@example.org", "bob@example.org") == {"ann@example.org": (550, reply)}
    with post.mail.smtp() as peer, pytest.raises(smtplib.SMTPDataError) as refused:
        peer.sendmail(SENDER, ["ann@example.org"], message())
    assert refused.value.smtp_error == reply


def test_a_refusal_in_other_words_is_a_report(post: Post) -> None:
    """RFC 5429 §2.2.1."""
    post.script('require "reject"; reject "Schöne Grüße";')
    assert post.bring(message()) == {}
    (sent,) = post.sent()
    assert (sent.sender, sent.recipients) == ("", [SENDER])
    assert sent.message["Content-Type"].params["report-type"] == "disposition-notification"
    assert sent.message["From"].addresses[0].addr_spec == "ann@example.org"
    assert post.filed() == {}


@pytest.mark.parametrize(("name", "kind"), [("reject", "disposition-notification"), ("ereject", "delivery-status")])
def test_whoever_shares_an_answer_with_others_refuses_by_a_report(post: Post, name: str, kind: str) -> None:
    """SMTP has one answer for all, and a list one for all on it: nobody must be told that bob did not get it."""
    post.script(f'require "{name}"; {name} "No thanks.";')
    post.bring_by_smtp(message("One"), "ann@example.org", "bob@example.org")
    assert post.bring(message("Two"), "all@example.org") == {}
    assert [one.message["Content-Type"].params["report-type"] for one in post.sent()] == [kind, kind]
    assert (post.filed(), post.filed("bob")) == ({}, {"Inbox": ["One", "Two"]})


def test_by_smtp_a_message_for_one_is_refused(post: Post) -> None:
    post.script('require "ereject"; ereject "No thanks.";')
    with post.mail.smtp() as peer, pytest.raises(smtplib.SMTPDataError) as refused:
        peer.sendmail(SENDER, ["ann@example.org"], message())
    assert refused.value.smtp_code == 550


def test_a_message_that_comes_twice_is_a_duplicate_for_a_while(post: Post) -> None:
    """RFC 7352."""
    post.script('require ["duplicate", "fileinto"]; if duplicate :seconds 60 { fileinto "Trash"; }')
    post.bring(message())
    post.bring(message("Hello", "X-Way: other"))
    assert post.filed() == {"Inbox": ["Hello"], "Trash": ["Hello"]}
    post.clock[0] += 61
    post.bring(message("Hello", "X-Way: third"))
    assert post.filed() == {"Inbox": ["Hello", "Hello"], "Trash": ["Hello"]}


def test_a_notification_is_sent_by_mail(post: Post) -> None:
    """RFC 5436."""
    post.script('require ["enotify", "fcc"]; notify :fcc "Sent" :message "News" "mailto:pager@elsewhere.example";')
    post.bring(message())
    (sent,) = post.sent()
    assert sent.recipients == ["pager@elsewhere.example"]
    assert sent.message["Subject"] == "News"
    assert sent.message["Auto-Submitted"].startswith("auto-notified")
    assert post.filed() == {"Inbox": ["Hello"], "Sent": ["News"]}


VACATION = 'require ["vacation", "vacation-seconds", "fcc", "mailbox"]; vacation {tags} "I am away.";'


def test_a_sender_is_answered_once_in_a_period(post: Post) -> None:
    """RFC 5230 §4.2, §5."""
    post.script(VACATION.format(tags=':days 7 :fcc "Answers" :create'))
    for subject in ("One", "Two"):
        post.bring(message(subject))
    (sent,) = post.sent()
    assert (sent.sender, sent.recipients) == ("", [SENDER])
    told = sent.message
    assert told["Subject"] == "Auto: One"
    assert told["From"].addresses[0].addr_spec == "ann@example.org"
    assert told["In-Reply-To"] == "<One@example.net>"
    assert told["Auto-Submitted"] == "auto-replied"
    assert told.get_content().strip() == "I am away."
    assert sent.parameters == {"NOTIFY": "NEVER"}
    assert post.filed() == {"Inbox": ["One", "Two"], "Answers": ["Auto: One"]}
    post.bring(message("Three"), sender="y@example.net")
    assert [one.recipients for one in post.sent()] == [[SENDER], ["y@example.net"]]
    post.clock[0] += 7 * 86400 + 1
    post.bring(message("Four"))
    assert len(post.sent()) == 3


def test_of_an_answer_of_no_stated_period_there_is_one_in_seven_days(post: Post) -> None:
    """RFC 5230 §4.1."""
    post.script('require "vacation"; vacation "I am away.";')
    for seconds in (0, 7 * 86400 - 1, 2):
        post.clock[0] += seconds
        post.bring(message(f"After {seconds}"))
    assert [one.message["Subject"] for one in post.sent()] == ["Auto: After 0", "Auto: After 2"]


@pytest.mark.parametrize(
    ("more", "sender"),
    [
        ("List-Id: <x.example>", SENDER),
        ("Auto-Submitted: auto-generated", SENDER),
        ("Precedence: bulk", SENDER),
        ("X: y", ""),
        ("X: y", "mailer-daemon@example.net"),
        ("X: y", "owner-list@example.net"),
        ("X: y", "a@example.org"),
    ],
)
def test_lists_programs_and_oneself_are_never_answered(post: Post, more: str, sender: str) -> None:
    """RFC 3834 §2, RFC 5230 §4.6."""
    post.script(VACATION.format(tags=""))
    post.call("VacationResponse/set", update={"singleton": {"isEnabled": True, "textBody": "Away"}})
    post.bring(message("Hello", more), sender=sender)
    assert post.sent() == []
    assert post.filed() == {"Inbox": ["Hello"]}


def test_what_is_not_addressed_to_the_user_is_not_answered(post: Post) -> None:
    """RFC 5230 §4.5."""
    post.script(VACATION.format(tags=""))
    post.bring(message(to="list@example.net"))
    assert post.sent() == []
    post.script(VACATION.format(tags=':addresses ["list@example.net"]'))
    post.bring(message("Two", to="list@example.net"))
    assert len(post.sent()) == 1


class TestVacationResponse:
    """RFC 8621 §8."""

    @pytest.fixture(autouse=True)
    def away(self, post: Post) -> None:
        self.post = post
        self.set(isEnabled=True, subject="Away", textBody="Ich bin für zwei Wochen weg.")

    def set(self, **patch: object) -> None:
        self.post.call("VacationResponse/set", update={"singleton": patch})

    def answers(self, subject: str = "Hello") -> int:
        """How many answers there are once a message has come."""
        assert self.post.bring(message(subject)) == {}
        return len(self.post.sent())

    def test_whoever_writes_is_answered_once(self) -> None:
        assert (self.answers("One"), self.answers("Two")) == (1, 1)
        told = self.post.sent()[0].message
        assert told["Subject"] == "Away"
        assert told["To"] == SENDER
        assert told.get_content() == "Ich bin für zwei Wochen weg.\r\n"
        assert self.post.filed() == {"Inbox": ["One", "Two"]}
        self.post.clock[0] += 31 * 86400
        assert self.answers("Three") == 2

    def test_nobody_is_answered_while_it_is_off(self) -> None:
        self.set(isEnabled=False)
        assert self.answers() == 0

    @pytest.mark.parametrize(
        ("begin", "end", "expected"),
        [
            ("2023-11-14T22:13:20Z", None, 1),
            ("2023-11-14T22:13:21Z", None, 0),
            (None, "2023-11-14T22:13:20Z", 0),
            (None, "2023-11-14T22:13:21Z", 1),
            ("2023-11-01T00:00:00Z", "2023-12-01T00:00:00Z", 1),
        ],
    )
    def test_it_begins_and_ends(self, begin: str | None, end: str | None, expected: int) -> None:
        self.set(fromDate=begin, toDate=end)
        assert self.answers() == expected

    def test_without_a_subject_it_has_that_of_the_message(self) -> None:
        self.set(subject=None)
        self.answers()
        assert self.post.sent()[0].message["Subject"] == "Auto: Hello"

    def test_html_is_there_in_both_forms(self) -> None:
        self.set(textBody=None, htmlBody="<p>I am <b>away</b>.</p>")
        self.answers()
        told = self.post.sent()[0].message
        assert told.get_content_type() == "multipart/alternative"
        plain, page = told.get_body(("plain",)), told.get_body(("html",))
        assert plain is not None
        assert plain.get_content().strip() == "I am away."
        assert page is not None
        assert page.get_content().strip() == "<p>I am <b>away</b>.</p>"

    def test_without_a_body_it_has_a_default_one(self) -> None:
        """RFC 8621 §8 textBody."""
        self.set(textBody=None, htmlBody=None)
        self.answers()
        told = self.post.sent()[0].message
        assert told.get_content_type() == "text/plain"
        assert "may not read your message" in told.get_content()

    def test_who_changes_it_answers_anew(self) -> None:
        self.answers("One")
        self.set(textBody="Back next week")
        assert self.answers("Two") == 2

    def test_it_is_beside_the_script(self) -> None:
        self.post.script('require ["fileinto", "mailbox"]; fileinto :create "Work";')
        assert self.answers() == 1
        assert self.post.filed() == {"Work": ["Hello"]}

    @pytest.mark.parametrize(
        "script",
        [
            "discard;",
            'require "fileinto"; fileinto "Junk";',
            'require "vacation"; if false { vacation "x"; } discard;',
            'require "reject"; reject "Nein, danke: ü";',
        ],
    )
    def test_what_is_not_wanted_is_not_answered_by_it(self, script: str) -> None:
        self.post.script(script)
        self.answers()
        assert [one.message["Subject"] for one in self.post.sent() if one.message["Subject"] == "Away"] == []

    def test_the_answer_of_the_script_is_enough(self) -> None:
        self.post.script('require "vacation"; vacation "By the script.";')
        assert self.answers() == 1
        assert self.post.sent()[0].message.get_content().strip() == "By the script."

    def test_mail_from_within_the_server_is_answered_too(self, post: Post) -> None:
        post.session("bob")
        post.call("VacationResponse/set", "bob", update={"singleton": {"isEnabled": True, "textBody": "Bob is away"}})
        post.script('redirect "bob@example.org";')
        post.bring(message(to="bob@example.org"))
        assert wait_for(post, "bob").endswith(message(to="bob@example.org"))
        assert [one.message.get_content().strip() for one in post.sent("bob")] == ["Bob is away"]


def test_of_two_messages_at_the_same_moment_one_is_answered(post: Post) -> None:
    """The period counts from the commit, whoever has decided first."""
    post.script(VACATION.format(tags=""))
    office = post.mail.server._edition.incoming.office
    (ann,) = office.directory.recipients("ann@example.org")
    account_id = office.account(ann)
    deliveries = [Delivery(account_id, ann, SENDER, "ann@example.org", message(subject)) for subject in ("One", "Two")]
    ready = [make_ready(office.services, delivery, office.decide) for delivery in deliveries]
    for one in ready:
        assert len(one.plan.sendings) == 1
        office.services.store.account(account_id).write(one.write)
    assert len(post.sent()) == 1
    assert post.filed() == {"Inbox": ["One", "Two"]}


def test_an_error_of_ours_keeps_the_message(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: object, **more: object) -> None:
        raise RuntimeError("broken")

    post.script("discard;")
    monkeypatch.setattr("jmaplite.formats.sieve.run", broken)
    assert post.bring(message()) == {}
    assert post.filed() == {"Inbox": ["Hello"]}
