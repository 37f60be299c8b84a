"""Anything at all as a script or a message: an error with a place, or an outcome, and never beyond the bounds."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jmaplite.formats.sieve import (
    CAPABILITIES,
    OPTIONAL_CAPABILITIES,
    Envelope,
    FileInto,
    Keep,
    Limits,
    Outcome,
    Outside,
    Script,
    SieveError,
    Trace,
    parse,
    run,
)
from jmaplite.formats.sieve.grammar import FORMS, Form, Tag
from tests.formats.sieve.messages import A, B

EVERYTHING = CAPABILITIES | OPTIONAL_CAPABILITIES
REQUIRE = "require [" + ", ".join(f'"{name}"' for name in sorted(EVERYTHING)) + "];\n"

STRING_VALUES = st.one_of(
    st.sampled_from(
        [
            *("", "*", "?", "from", "subject", "a@example.com", "mailto:a@example.com", "${1}", "${a}", "${global.b}"),
            *(
                "date",
                "year",
                "+0100",
                "gt",
                "i;octet",
                "i;unicode-casemap",
                "INBOX",
                "text",
                "text/plain",
                "multipart",
            ),
            *(
                "(a|b)*c",
                "[[:alpha:]]{1,3}",
                "a",
                "b",
                "x-spam",
                "${hex:41}",
                "\\\\Seen",
                "1",
                "Content-Type",
                "script",
            ),
        ]
    ),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
)


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


STRING = st.one_of(STRING_VALUES.map(quoted), st.just("text:\nline\n..dot\n.\n"))
STRINGS = st.one_of(STRING, st.lists(STRING, min_size=1, max_size=3).map(lambda each: f"[{', '.join(each)}]"))
NUMBER = st.sampled_from(["0", "1", "2", "10K", "1000"])
KINDS = {"string": STRING, "constant": STRING, "strings": STRINGS, "constants": STRINGS, "number": NUMBER}


VARIABLE = st.sampled_from(['"a"', '"b"', '"global.b"', '"x"'])
ADDRESS = st.sampled_from(['"a@example.com"', '"B <b@example.org>"', '"${a}"'])
FITTING = {
    "redirect": [ADDRESS],
    "set": [VARIABLE, STRING],
    "setflag": [VARIABLE, STRINGS],
    "addflag": [VARIABLE, STRINGS],
    "removeflag": [VARIABLE, STRINGS],
    "hasflag": [VARIABLE, STRINGS],
    "extracttext": [VARIABLE],
    "global": [VARIABLE],
    "include": [VARIABLE],
    "addheader": [st.sampled_from(['"X-Spam"', '"Subject"', '"${a}"']), STRING],
    "deleteheader": [st.sampled_from(['"X-Spam"', '"Subject"', '"${a}"']), STRINGS],
    "fileinto": [st.sampled_from(['"INBOX"', '"a"', '"${1}"', '"${a}-x"'])],
    "date": [st.just('"date"'), st.just('"iso8601"'), STRINGS],
    "currentdate": [st.just('"std11"'), STRINGS],
    "envelope": [st.sampled_from(['"from"', '["from", "to"]']), STRINGS],
    "notify": [st.sampled_from(['"mailto:a@example.com"', '"mailto:${a}@example.com?subject=${1}"'])],
    "ihave": [st.sampled_from(['"body"', '["fileinto", "bogus"]', '"variables"'])],
}
"""Positional arguments that some commands are more likely to take."""

VALUES = {
    "count": st.just('"ge"'),
    "value": st.just('"lt"'),
    "comparator": st.sampled_from(['"i;octet"', '"i;ascii-casemap"', '"i;unicode-casemap"', '"i;ascii-numeric"']),
    "importance": st.just('"1"'),
    "from": ADDRESS,
    "fcc": st.just('"INBOX"'),
    "options": st.just('"a=b"'),
    "zone": st.sampled_from(['"+0100"', '"${a}"']),
}
"""The same of tags."""


@st.composite
def arguments(draw: st.DrawFn, form: Form) -> str:
    """Arguments that a command could have."""
    tags: list[Tag] = draw(st.lists(st.sampled_from(form.tags), max_size=3, unique=True)) if form.tags else []
    words = []
    by_group = {tag.group or tag.name: tag for tag in tags}
    needed = {tag.with_tag for tag in by_group.values()} - set(by_group)
    for tag in [*by_group.values(), *(tag for tag in form.tags if tag.name in needed)]:
        words.append(f":{tag.name}")
        if tag.value:
            words.append(draw(VALUES.get(tag.name, KINDS[tag.value])))
    fitting = FITTING.get(form.name, [KINDS[kind] for kind in form.positional])
    left_out = draw(st.integers(0, abs(form.optional)))
    fitting = fitting[left_out:] if form.optional >= 0 else fitting[: len(fitting) - left_out]
    words += [draw(each) for each in fitting]
    return " ".join(words)


TEST_FORMS = [form for form in FORMS.values() if form.kind == "test"]
COMMAND_FORMS = [
    form for form in FORMS.values() if form.kind != "test" and form.name not in ("require", "else", "elsif")
]


@st.composite
def conditions(draw: st.DrawFn, depth: int) -> str:
    form = draw(st.sampled_from([form for form in TEST_FORMS if depth or not form.tests]))
    if form.tests == "one":
        return f"{form.name} {draw(conditions(depth - 1))}"
    if form.tests == "list":
        return f"{form.name} ({', '.join(draw(st.lists(conditions(depth - 1), min_size=1, max_size=3)))})"
    return f"{form.name} {draw(arguments(form))}"


@st.composite
def commands(draw: st.DrawFn, depth: int = 2) -> str:
    form = draw(st.sampled_from([form for form in COMMAND_FORMS if depth or not form.has_block]))
    words = f"{form.name} {draw(arguments(form))}"
    if form.tests:
        words += " " + draw(conditions(2))
    if not form.has_block:
        return words + ";\n"
    block = "{ " + "".join(draw(st.lists(commands(depth - 1), max_size=3))) + "}\n"
    if form.name == "if" and draw(st.booleans()):
        block += "else { " + "".join(draw(st.lists(commands(depth - 1), max_size=2))) + "}\n"
    return words + block


SCRIPTS = st.lists(commands(), min_size=1, max_size=5).map(lambda each: REQUIRE + "".join(each))

NESTED = b"""Subject: =?utf-8?q?=C3=A9?= x\r
From: "A" <a@example.com>\r
Content-Type: multipart/mixed; boundary=b\r
\r
pre\r
--b\r
Content-Type: text/html; charset=utf-8\r
\r
<p>hi</p>\r
--b\r
Content-Type: message/rfc822\r
\r
Content-Type: multipart/mixed; boundary=c\r
\r
--c\r
\r
deep\r
--c--\r
--b\r
Content-Type: application/pdf; name="x.pdf"\r
Content-Transfer-Encoding: base64\r
\r
AAAA\r
--b--\r
"""
MESSAGES = st.one_of(st.sampled_from([A, B, NESTED, b""]), st.binary(max_size=200))
LIMITS = Limits(cpu=300, work=3_000_000, redirects=2, outgoing_messages=3, includes=5)


class World(Outside):
    """A world that has whatever is asked for, and a script that includes itself."""

    def mailbox_exists(self, name: str) -> bool:
        return len(name) % 2 == 0

    def seen(self, key: str) -> bool:
        return key < "8"

    def script(self, name: str, *, is_global: bool) -> Script | None:
        if name.startswith("a"):
            return parse(b'require ["include", "fileinto"]; fileinto "x"; include :global "b"; return; discard;')
        if name.startswith("b"):
            return parse(b'require "include"; include "a";') if is_global else parse(b"bogus")
        return None


def read(source: bytes) -> Script | SieveError:
    """A script, or why it is none."""
    try:
        return parse(source, capabilities=EVERYTHING)
    except SieveError as error:
        return error


def checked(script: Script, octets: bytes) -> Outcome:
    """An outcome, with what is true of any."""
    traces: list[Trace] = []
    envelope = Envelope("a@example.com", "b+c@example.org")
    outcome = run(script, octets, envelope, World(addresses=("b@example.org",)), limits=LIMITS, trace=traces.append)
    assert outcome.steps <= LIMITS.cpu + 1
    assert len(traces) <= outcome.steps
    if outcome.error is not None:
        assert outcome.actions == (Keep(is_implicit=True),)
        assert outcome.duplicates == ()
        assert outcome.error.line >= 1
        assert outcome.error.column >= 1
    names = [action.__class__.__name__ for action in outcome.actions]
    assert names, "a message never vanishes unsaid"
    assert names.count("Redirect") <= LIMITS.redirects
    assert sum(names.count(name) for name in ("Redirect", "Reject", "Vacation", "Notify")) <= LIMITS.outgoing_messages
    assert names.count("Reject") <= 1
    assert names.count("Vacation") <= 1
    assert not ("Reject" in names and {"Keep", "FileInto", "Redirect", "Vacation"} & set(names))
    for action in outcome.actions:
        edited = getattr(action, "message", None)
        if edited is not None and not isinstance(edited, str):
            assert len(edited.octets) <= len(octets) + 1_500_000
    return outcome


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(SCRIPTS, MESSAGES)
def test_scripts_of_real_commands(source: str, octets: bytes) -> None:
    script = read(source.encode())
    if isinstance(script, SieveError):
        lines = source.split("\n")
        assert 1 <= script.line <= len(lines)
        assert 1 <= script.column <= len(lines[script.line - 1]) + 1
        return
    first = checked(script, octets)
    assert checked(script, octets) == first or first.error is not None, "a script may be run again"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
@example(b'if header "a" "\xff')
@example(b"\xef\xbb\xbfkeep;")
@example(b"text:")
def test_any_octets_as_script(source: bytes) -> None:
    script = read(source)
    if isinstance(script, SieveError):
        assert script.line >= 1
        assert script.column >= 1
        assert str(script)
    else:
        checked(script, A)


PIECES = ["if", "elsif", "else", "{", "}", "(", ")", "[", "]", ",", ";", ":is", ":over", "1K", '"a"', "not", "anyof"]
WORDS = st.lists(st.sampled_from([*PIECES, *FORMS, "#c\n", "/*", "*/", "text:\n", ".\n"]), max_size=25)


@settings(max_examples=400, deadline=None)
@given(WORDS, st.booleans())
def test_any_words_as_script(words: list[str], requires: bool) -> None:
    source = (REQUIRE if requires else "") + " ".join(words)
    script = read(source.encode())
    if isinstance(script, SieveError):
        return
    checked(script, NESTED)


@pytest.mark.parametrize(
    "source",
    [
        "if " * 5000,
        "if not " + "not " * 50_000 + "true {}",
        "if anyof (" * 20_000,
        "if true {" * 20_000,
        "[" * 100_000,
        'if header :matches "a" [' + ",".join(f'"*{n}?*"' for n in range(60_000)) + "] {}",
        'require "regex"; if header :regex "a" [' + ",".join(f'"(a?){{{n}}}"' for n in range(100, 250)) + "] {}",
        'require "regex"; if header :regex "a" [' + ",".join(f'"(a?){{99}}{n}"' for n in range(50_000)) + "] {}",
        'require "regex"; if header :regex "a" "' + "(((((a{2}){2}){2}){2}){2}){2}" * 100 + '" {}',
        'keep "' + "\\" * 100_001,
        "/*" * 100_000,
        "#" * 1_000_000,
        "keep;" * 200_000,
        "require [" + '"fileinto",' * 90_000 + '"fileinto"];',
        'require "variables"; ' + 'set "a" "${a}${a}";' * 20_000,
    ],
)
def test_large_scripts_cost_no_more_than_they_are_long(source: str) -> None:
    script = read(source.encode())
    if isinstance(script, SieveError):
        return
    checked(script, A)


GREEDY = 'require ["variables", "body", "regex", "foreverypart", "mime", "extracttext", "editheader", "replace"];\n'


@pytest.mark.parametrize(
    "body",
    [
        'set "a" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";'
        + 'set "a" "${a}${a}${a}${a}";' * 8
        + 'if body :raw :matches "*${a}${a}${a}?${a}" { discard; }' * 200,
        'if body :raw :matches "' + "*a?" * 1300 + '*b" { discard; }',
        'if body :raw :regex "(a*)*(a|aa)+(a|a?)+b$" { discard; }' * 20,
        'if body :raw :regex "' + "(a?){20}" * 20 + "a{100}" + '" { discard; }',
        'if header :regex "subject" "((a{1,50}){1,50}){1,50}" { discard; }',
        'foreverypart { foreverypart { foreverypart { if body :raw :contains "b" { stop; } } } }',
        'foreverypart { replace "' + "x" * 4000 + '"; }',
        'addheader "X" "' + "x " * 450 + '";' * 1,
    ],
)
def test_greedy_scripts_come_to_an_end(body: str) -> None:
    parts = b"".join(b"--b\r\n\r\n" + b"a" * 50 + b"\r\n" for _ in range(2000))
    octets = (
        b"Subject: " + b"a" * 5000 + b"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + parts + b"--b--\r\n"
    )
    script = read((GREEDY + body).encode())
    if isinstance(script, SieveError):
        return
    outcome = run(script, octets, limits=LIMITS)
    assert outcome.actions


def is_too_much(body: str, octets: bytes, work: int) -> bool:
    """Whether a script would take more work than it may."""
    names = (
        "variables body imap4flags enotify date comparator-i;unicode-casemap foreverypart mime include regex envelope"
    )
    head = "require [" + ", ".join(f'"{name}"' for name in [*names.split(), "vacation", "relational"]) + "];\n"
    script = read((head + body).encode())
    assert isinstance(script, Script)
    error = run(script, octets, limits=Limits(work=work)).error
    assert error is None or "takes too much time" in error.message
    return error is not None


@pytest.mark.parametrize(
    ("slow", "plain", "octets"),
    [
        ('if body "x" {}', 'if body :content "text" "x" {}', b"Content-Type: text/html\r\n\r\n" + b"<p>a" * 2500),
        ('set :encodeurl "b" "${a}";' * 3, 'set :upper "b" "${a}";' * 3, A),
        ('addflag ["f g h i j"]; if hasflag ["${b}"] {}', 'if string "f g h" ["${b}"] {}', A),
        (
            'if header :contains :comparator "i;unicode-casemap" "subject" "x" {}',
            'if header :contains "subject" "x" {}',
            "Subject: {}\r\n\r\n".format("ü" * 5000).encode(),
        ),
        ('if date "x" "year" "1" {}', 'if header "x" "1" {}', b"X: " + b"(a)" * 1500 + b"1 Jan 2000 00:00 GMT\r\n\r\n"),
    ],
)
def test_slow_work_counts_more(slow: str, plain: str, octets: bytes) -> None:
    given = f'set "a" "{"x" * 4000}"; set "b" "{"g " * 2000}"; '
    assert is_too_much(given + slow, octets, 60_000)
    assert not is_too_much(given + plain, octets, 60_000)


def listed(item: str, count: int = 1000) -> str:
    return "[" + ", ".join([f'"{item}"'] * count) + "]"


@pytest.mark.parametrize(
    "command",
    [
        f'if string {listed("${q}${q}", 100)} "x" {{}}',
        f'if string {listed("")} "x" {{}}',
        f"if exists :mime {listed('a')} {{}}",
        f'if header :mime {listed("a")} "x" {{}}',
        f'if header :mime :param {listed("a")} "b" "x" {{}}',
        f'if envelope {listed("from")} "x" {{}}',
        f'if string :contains "" {listed("x")} {{}}',
        f'if string :value "gt" "" {listed("x")} {{}}',
        f'if string :regex "x" {listed("(a?){99}${q}", 5)} {{}}',
        f"addflag {listed('a ' * 200, 1)};",
        f"keep :flags {listed('a ' * 200, 1)};",
        f"if hasflag {listed('a ' * 200, 1)} {{}}",
        f"global {listed('a')};",
        'set :quotewildcard "b" "{}";'.format("*" * 4000),
        f'notify :options {listed("a=b")} "mailto:a@b.example";',
    ],
)
def test_what_costs_no_octet_of_the_message_costs_nevertheless_in_a_loop(command: str) -> None:
    parts = b"--b\r\n\r\na\r\n" * 1000
    octets = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts + b"--b--\r\n"
    assert not is_too_much(command, octets, 2_000_000)
    assert is_too_much(f"foreverypart {{ {command} }}", octets, 2_000_000)


def test_what_is_too_long_for_an_address_is_not_looked_at() -> None:
    given = f'set "a" "{"<@" * 2000}"; '
    assert not is_too_much(given + 'vacation :addresses ["${a}"] "x";', A, 2_000_000)
    assert is_too_much(given + f'vacation :addresses {listed("${a}", 3)} "x";', A, 2_000_000)


def test_html_is_made_text_of_once() -> None:
    octets = b"Content-Type: text/html\r\n\r\n" + b"<p>a" * 2500
    assert not is_too_much('if body "x" {}' * 5, octets, 200_000)


def test_of_a_large_part_only_the_beginning_is_extracted() -> None:
    """However it is encoded, and whatever comes later."""
    head = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    octets = head + b"=F0=9D=84=9E=\r\n" * 100_000 + b"=FF"
    script = read(
        b'require ["foreverypart", "extracttext", "variables", "fileinto"];'
        b'foreverypart { extracttext :length "a"; } fileinto "${a}";'
    )
    assert isinstance(script, Script)
    assert run(script, octets, limits=Limits(work=2_000_000)).actions == (FileInto("4096"),)
