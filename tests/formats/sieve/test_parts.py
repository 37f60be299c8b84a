"""MIME parts: loops, tests, text extracted, parts replaced, messages enclosed (RFC 5703)."""

from __future__ import annotations

import email
import email.policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jmaplite.formats.sieve import FileInto, Keep, Limits, Outside, Redirect, SieveError, parse
from tests.formats.sieve.messages import A, actions, is_true, message, outcome
from tests.formats.sieve.test_mail import PARTS, octets_of
from tests.formats.sieve.test_scripts import Repository

IMPLICIT = (Keep(is_implicit=True),)

REPORT = message(
    """
From: tim@example.com
Subject: two parts
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: text/plain; charset=iso-8859-1; format=flowed
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe
--x
Content-Type: application/PDF; name*=utf-8''%C3%BC.pdf
Content-Disposition: attachment; filename="an important.com"
Content-From: "Tim" <tim@example.com>
Content-MD5: abc=

%PDF
--x--
"""
)

ALL = 'require ["foreverypart", "mime", "variables", "fileinto", "extracttext", "replace", "enclose", "relational"];\n'


def visited(octets: bytes, loop: str = "") -> list[str]:
    """The types of the parts that a loop comes by."""
    script = f"""{ALL} foreverypart {{ if header :mime :contenttype :matches "Content-Type" "*" {{
        set "seen" "${{seen}} ${{1}}"; }} else {{ set "seen" "${{seen}} -"; }} {loop} }} fileinto "${{seen}}";"""
    (action,) = actions(script, octets)
    assert isinstance(action, FileInto)
    return action.mailbox.split()


def test_a_loop_goes_by_every_part_depth_first() -> None:
    assert visited(PARTS) == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "message/rfc822",
        "-",
    ]
    assert visited(A) == ["-"]


def test_a_loop_in_a_loop_goes_by_what_is_in_the_part() -> None:
    script = f"""{ALL} foreverypart {{
      if header :mime :subtype "content-type" "alternative" {{
        foreverypart {{ if header :mime :subtype :matches "content-type" "*" {{ set "s" "${{s}}${{1}}-"; }} }} }} }}
      fileinto "${{s}}";"""
    assert actions(script, PARTS) == (FileInto("plain-html-"),)
    script = f"{ALL} foreverypart {{ foreverypart {{ fileinto 'never'; }} }}".replace("'", '"')
    assert actions(script, A) == IMPLICIT, "there is nothing in a single part"


def test_break_ends_the_loop_that_it_names() -> None:
    nested = """{head} foreverypart :name "a" {{ foreverypart :name "b" {{ {inner} }} set "n" "${{n}}+"; }}
       fileinto "n${{n}}";"""
    assert actions(nested.format(head=ALL, inner='break :name "a";'), PARTS) == (FileInto("n"),)
    assert actions(nested.format(head=ALL, inner='break :name "b";'), PARTS) == (FileInto("n++++++"),)
    assert actions(nested.format(head=ALL, inner="break;"), PARTS) == (FileInto("n++++++"),)


@pytest.mark.parametrize(
    ("script", "part"),
    [
        ("break;", "'break' stands in no 'foreverypart'"),
        ('foreverypart { break :name "x"; }', "no 'foreverypart' of this name"),
        ('extracttext "a";', "'extracttext' stands in no 'foreverypart'"),
        ('foreverypart { extracttext "1"; }', "match variables cannot be set"),
        ("foreverypart;", "a block has to follow"),
        ('if header :anychild "a" "b" { }', "':anychild' goes with ':mime' only"),
        ('if header :type "a" "b" { }', "':type' goes with ':mime' only"),
        ('if header :mime :type :subtype "a" "b" { }', "exclude each other"),
        ('replace :mime :subject "x" "y";', "':mime' leaves no room"),
        ('replace :from "nonsense" "y";', "not a list of addresses"),
        ("foreverypart { " * 4 + "}" * 4, "nested deeper than 3"),
    ],
)
def test_mistakes_with_parts(script: str, part: str) -> None:
    with pytest.raises(SieveError, match=part):
        parse((ALL + script).encode())


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ('header :mime :type "Content-Type" "multipart"', True),
        ('header :mime :subtype "Content-Type" "mixed"', True),
        ('header :mime :contenttype "Content-Type" "multipart/mixed"', True),
        ('header :mime :contenttype "Content-Type" "application/pdf"', False),
        ('header :mime :anychild :contenttype "Content-Type" "application/pdf"', True),
        ('header :mime :anychild :type "Content-Disposition" "attachment"', True),
        ('header :mime :anychild :contenttype "Content-Disposition" "attachment"', True),
        ('header :mime :anychild :subtype "Content-Disposition" ""', True),
        ('header :mime :anychild :type "Subject" ""', True),
        ('header :mime :anychild :param "name" "Content-Type" "ü.pdf"', True),
        ('header :mime :anychild :param ["filename", "name"] :contains "Content-Disposition" "IMPORTANT"', True),
        ('header :mime :param "boundary" "content-type" "x"', True),
        ('header :mime :anychild :param "format" "content-type" "flowed"', True),
        ('header :mime :anychild :param "bogus" :matches "content-type" "*"', False),
        ('header :mime :anychild :count "eq" :type "content-type" "3"', True),
        ('header :mime :anychild :count "eq" :param "name" "content-type" "1"', True),
        ('header "content-md5" "abc="', False),
        ('exists :mime :anychild "content-md5"', True),
        ('exists :mime "content-md5"', False),
        ('exists :mime :anychild ["content-md5", "subject"]', True),
        ('address :mime :is :all "content-from" "tim@example.com"', False),
        ('address :mime :anychild :is :all "content-from" "tim@example.com"', True),
        ('address :mime :domain "from" "example.com"', True),
    ],
)
def test_tests_of_mime_fields(test: str, result: bool) -> None:
    assert is_true(test, REPORT, "mime relational") is result


def test_the_scripts_of_section_4() -> None:
    images = """require ["mime", "fileinto"];

if header :mime :type "Content-Type" "image"
{
    fileinto "INBOX.images";
}"""
    assert actions(images, b"Content-Type: image/png\r\n\r\n") == (FileInto("INBOX.images"),)
    html = """require ["mime", "fileinto"];

if header :mime :anychild :contenttype
          "Content-Type" "text/html"
{
    fileinto "INBOX.html";
}"""
    assert actions(html, PARTS) == (FileInto("INBOX.html"),)
    assert actions(html, REPORT) == IMPLICIT
    important = """require ["mime", "foreverypart", "fileinto"];

foreverypart
{
    if allof (
      header :mime :param "filename" :contains
         "Content-Disposition" "important",
      header :mime :subtype "Content-Type" "pdf",
      size :over 100)
    {
        fileinto "INBOX.important";
        break;
    }
}"""
    assert actions(important, REPORT) == (FileInto("INBOX.important"),)
    sender = """require ["mime", "fileinto"];

if address :mime :is :all "content-from" "tim@example.com"
{
    fileinto "INBOX.part-from-tim";
}"""
    assert actions(sender, b"Content-From: tim@example.com\r\n\r\n") == (FileInto("INBOX.part-from-tim"),)
    md5 = """require ["mime", "fileinto"];

if exists :mime :anychild "content-md5"
{
    fileinto "INBOX.md5";
}"""
    assert actions(md5, REPORT) == (FileInto("INBOX.md5"),)


EXTRACT = """require ["mime", "variables", "extracttext", "foreverypart", "fileinto"];

if header :contains "from" "boss@example.org"
{
  # :matches is used to get the value of the Subject header
  if header :matches "Subject" "*"
  {
    set "subject" "${1}";
  }

  # extract the first 100 characters of the first text/* part
  foreverypart
  {
    if header :mime :type :is "Content-Type" "text"
    {
      extracttext :first 100 "msgcontent";
      break;
    }
  }

  # if it's not a 'for your information' message
  if not header :contains "subject" "FYI:"
  {
    fileinto "${subject}: ${msgcontent}";
  }
}"""


def test_text_is_extracted_as_in_section_9_3() -> None:
    octets = REPORT.replace(b"tim@example.com\r\nSubject", b"boss@example.org\r\nSubject", 1)
    assert actions(EXTRACT, octets) == (FileInto("two parts: Grüße"),)


@pytest.mark.parametrize(
    ("arguments", "value"), [("", "Grüße"), (":first 3", "Grü"), (":upper :first 2", "GR"), (":length", "5")]
)
def test_extracted_text_takes_modifiers(arguments: str, value: str) -> None:
    script = f"""{ALL} foreverypart {{ if header :mime :type "content-type" "text" {{
       extracttext {arguments} "a"; }} }} fileinto "${{a}}";"""
    assert actions(script, REPORT) == (FileInto(value),)


@pytest.mark.parametrize(
    "field",
    [
        "Content-Transfer-Encoding: x-unknown",
        "Content-Type: image/png",
        "Content-Type: text/plain; charset=x-unknown",
        "Content-Type: text/plain; charset=utf-8",
    ],
)
def test_what_cannot_be_decoded_is_no_text(field: str) -> None:
    """RFC 5703 §7: nor is what is none of its charset."""
    script = ALL + 'foreverypart { extracttext "a"; } fileinto "a${a}";'
    assert actions(script, field.encode() + b"\r\n\r\nbody\xff") == (FileInto("a"),)


REMOVE = """require [ "foreverypart", "mime", "replace" ];
foreverypart
{
  if anyof (
         header :mime :contenttype :is
           "Content-Type" "application/exe",
         header :mime :param "filename"
           :matches ["Content-Type", "Content-Disposition"] "*.com" )
  {
    replace "Executable attachment removed by user filter";
  }
}"""


def test_a_part_is_replaced_as_in_section_9_1() -> None:
    (kept,) = actions(REMOVE, REPORT)
    parsed = email.message_from_bytes(octets_of(kept), policy=email.policy.default.clone(raise_on_defect=True))
    assert parsed["Subject"] == "two parts"
    first, second = parsed.iter_parts()
    assert first.get_content().strip() == "Grüße"
    assert second.get_content().strip() == "Executable attachment removed by user filter"
    assert second.get_filename() is None
    assert actions(REMOVE, PARTS) == IMPLICIT


def test_parts_of_a_replaced_multipart_are_gone_at_once() -> None:
    loop = 'if header :mime :subtype "content-type" "alternative" { replace "gone"; }'
    assert visited(PARTS, loop) == ["multipart/mixed", "multipart/alternative", "message/rfc822", "-"]
    later = ALL + f'foreverypart {{ {loop} }} if header :mime :anychild :subtype "content-type" "html" {{ discard; }}'
    assert actions(later, PARTS)[0].__class__.__name__ == "Keep"


def test_the_whole_message_is_replaced_but_for_its_other_fields() -> None:
    script = ALL + 'replace :subject "Neues für dich" :from "Me <me@example.org>" "Grüße";'
    (kept,) = actions(script, REPORT)
    parsed = email.message_from_bytes(octets_of(kept), policy=email.policy.default.clone(raise_on_defect=True))
    assert parsed["Subject"] == "Neues für dich"
    assert parsed["From"] == "Me <me@example.org>"
    assert parsed["Original-Subject"] == "two parts"
    assert parsed["Original-From"] == "tim@example.com"
    assert parsed.get_content_type() == "text/plain"
    assert parsed.get_content().strip() == "Grüße"
    guarded = ALL.replace('"mime"', '"mime", "editheader"') + (
        'replace :subject "x" "y"; deleteheader "Original-Subject"; addheader "Original-From" "z";'
    )
    found = octets_of(actions(guarded, REPORT)[0])
    assert b"\r\nOriginal-Subject: two parts\r\n" in found
    assert b"Original-From" not in found


def test_a_mime_entity_replaces_with_its_own_fields() -> None:
    script = ALL + "replace :mime text:\nContent-Type: text/html\n\n<p>Hi</p>\n.\n;"
    found = octets_of(actions(script, REPORT)[0])
    assert found.endswith(b"MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<p>Hi</p>\r\n")


ENCLOSE = """require [ "foreverypart", "mime", "enclose" ];

foreverypart
{
  if header :mime :param "filename"
     :matches ["Content-Type", "Content-Disposition"]
       ["*.com", "*.exe", "*.vbs", "*.scr",
        "*.pif", "*.hta", "*.bat", "*.zip" ]
  {
    # these attachment types are executable
    enclose :subject "Warning" text:
WARNING! The enclosed message contains executable attachments.
These attachment types may contain a computer virus program
that can infect your computer and potentially damage your data.

Before clicking on these message attachments, you should verify
with the sender that this message was sent by them and not a
computer virus.

.
;
    break;
  }
}"""


def test_a_message_is_enclosed_as_in_section_9_2() -> None:
    world = Outside(now=1_000_000_000, addresses=("me@example.org",))
    (kept,) = actions(ENCLOSE, REPORT, outside=world)
    parsed = email.message_from_bytes(octets_of(kept), policy=email.policy.default)
    assert parsed.get_content_type() == "multipart/mixed"
    assert (parsed["Subject"], parsed["From"]) == ("Warning", "me@example.org")
    assert parsed["Date"] == "Sun, 09 Sep 2001 01:46:40 +0000"
    words, inner = parsed.iter_parts()
    assert words.get_content().startswith("WARNING!")
    assert inner.get_content()["Subject"] == "two parts"
    assert REPORT.rstrip() in octets_of(kept)


def test_named_fields_are_copied_and_later_tests_see_the_new_message() -> None:
    script = ALL + 'enclose :headers ["From", "X-A"] "See below"; if header "from" "tim@example.com" { fileinto "a"; }'
    (filed,) = actions(script, b"X-A: 1\r\n" + REPORT)
    found = octets_of(filed)
    header = found.partition(b"\r\n\r\n")[0]
    assert b"From: tim@example.com" in header
    assert b"X-A: 1" in header
    assert b"Subject: two parts" in header, "taken from the message if none is given"
    assert found.count(b"Content-Type: multipart/mixed") == 2


def test_what_is_redirected_is_not_enclosed() -> None:
    """RFC 5703 §6: not even what was changed afterwards."""
    head = 'require ["enclose", "editheader"]; addheader "X-A" "1"; enclose "See below"; addheader "X-B" "2";'
    redirect, kept = actions(f'{head} redirect "a@example.com"; keep;', REPORT)
    assert octets_of(redirect) == b"X-A: 1\r\n" + REPORT
    assert octets_of(kept).startswith(b"X-B: 2\r\nSubject: two parts\r\n")
    unchanged = actions('require "enclose"; enclose "x"; enclose "y"; redirect "a@example.com";', REPORT)[0]
    assert isinstance(unchanged, Redirect)
    assert unchanged.message is None


def test_a_message_in_a_loop_is_not_redirected_for_being_enclosed() -> None:
    found = outcome('require "enclose"; enclose "x"; redirect "a@example.com";', b"Received: x\r\n" * 11 + REPORT)
    assert "11 Received fields is in a loop" in str(found.error)


def test_an_included_script_takes_the_part_for_the_message() -> None:
    inner = Repository(a='require "fileinto"; if header :contains "content-type" "text/html" { fileinto "html"; }')
    script = 'require ["include", "foreverypart"]; foreverypart { include "a"; }'
    assert actions(script, PARTS, outside=inner) == (FileInto("html"),)
    assert actions('require "include"; include "a";', PARTS, outside=inner) == IMPLICIT


def test_a_message_cannot_be_made_ever_larger() -> None:
    script = ALL + f'enclose "{"x" * 4000}";\n' * 240
    found = outcome(script, A, limits=Limits(work=10**10))
    assert "the message becomes too large" in str(found.error)
    assert found.actions == IMPLICIT
    assert "takes too much time" in str(outcome(script, A).error)


def test_parts_may_be_nested_as_deep_as_they_like() -> None:
    octets = b"Subject: innermost\r\n\r\nneedle\r\n"
    for message_number in range(12):
        for number in range(98):
            boundary = b"b%d-%d" % (message_number, number)
            head = b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n--%b\r\n" % (boundary, boundary)
            octets = head + octets + b"\r\n--%b--\r\n" % boundary
        octets = b"Content-Type: message/rfc822\r\n\r\n" + octets
    script = (
        ALL.replace('"mime"', '"mime", "body"')
        + """if body :contains "needle" { }
      if header :mime :anychild "subject" "innermost" { } foreverypart { foreverypart { foreverypart { } break; } }"""
    )
    found = outcome(script, octets)
    assert found.error is None
    assert len(found.actions) == 1


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["replace", "enclose", "replace :mime", 'replace :subject "s"']))
def test_anything_can_be_replaced_and_enclosed(octets: bytes, command: str) -> None:
    found = actions(f'{ALL} {command} "new text"; foreverypart {{ replace "part"; }}', octets)
    assert b"part" in octets_of(found[0])


@pytest.mark.parametrize("octets", [b"", b"body only", b"Subject: a", b"Subject: a\n\nb", b"\r\nbody", b"X: 1\r\n"])
def test_what_is_replaced_is_still_header_and_body(octets: bytes) -> None:
    (kept,) = actions(ALL + 'replace :subject "new" "text";', octets)
    parsed = email.message_from_bytes(octets_of(kept), policy=email.policy.default.clone(raise_on_defect=True))
    assert parsed["Subject"] == "new"
    assert parsed["MIME-Version"] == "1.0"
    assert parsed.get_content().strip() == "text"
    (kept,) = actions(ALL + 'replace :mime "no field";', octets)
    parsed = email.message_from_bytes(octets_of(kept), policy=email.policy.default.clone(raise_on_defect=True))
    assert parsed["MIME-Version"] == "1.0"
    assert str(parsed.get_payload()).strip() == "no field"
