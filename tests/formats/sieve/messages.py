"""The messages of RFC 5228 §1.2, and short ways to run a script on them."""

from __future__ import annotations

from jmaplite.formats.sieve import CAPABILITIES, Action, Envelope, Limits, Outcome, Outside, parse, run

A = b"""\
Date: Tue, 1 Apr 1997 09:06:31 -0800 (PST)
From: coyote@desert.example.org
To: roadrunner@acme.example.com
Subject: I have a present for you

Look, I'm sorry about the whole anvil thing, and I really
didn't mean to try and drop it on you from the top of the
cliff.
--
Wile E. Coyote   "Super Genius"   coyote@desert.example.org
""".replace(b"\n", b"\r\n")

B = b"""\
From: youcouldberich!@reply-by-postal-mail.invalid
Sender: b1ff@de.res.example.com
To: rube@landru.example.com
Date:  Mon, 31 Mar 1997 18:26:10 -0800
Subject: $$$ YOU, TOO, CAN BE A MILLIONAIRE! $$$

YOU MAY HAVE ALREADY WON TEN MILLION DOLLARS, BUT I DOUBT
IT!  SO JUST POST THIS TO SIX HUNDRED NEWSGROUPS!
""".replace(b"\n", b"\r\n")

WIDE = Limits(includes=20, redirects=10, outgoing_messages=20, cpu=100_000)
ALL = CAPABILITIES | {"regex"}


def message(text: str) -> bytes:
    """A message written with plain line ends."""
    return text.lstrip("\n").replace("\n", "\r\n").encode()


def outcome(
    script: str | bytes,
    octets: bytes = A,
    envelope: Envelope | None = None,
    outside: Outside | None = None,
    limits: Limits = WIDE,
) -> Outcome:
    """What a script comes to."""
    source = script if isinstance(script, bytes) else script.encode()
    parsed = parse(source, capabilities=ALL, limits=limits)
    envelope = envelope or Envelope("coyote@desert.example.org", "roadrunner@acme.example.com")
    return run(parsed, octets, envelope, outside, limits=limits)


def actions(
    script: str | bytes,
    octets: bytes = A,
    envelope: Envelope | None = None,
    outside: Outside | None = None,
    limits: Limits = WIDE,
) -> tuple[Action, ...]:
    """The actions of a script that runs to its end."""
    found = outcome(script, octets, envelope, outside, limits)
    assert found.error is None, str(found.error)
    return found.actions


def is_true(test: str, octets: bytes = A, require: str = "", envelope: Envelope | None = None) -> bool:
    """Whether a test is true; `require` has capabilities with spaces between."""
    names = ", ".join(f'"{name}"' for name in require.split())
    head = f"require [{names}];\n" if names else ""
    found = actions(f"{head}if {test} {{ discard; }}", octets, envelope)
    return found[0].__class__.__name__ == "Discard"
