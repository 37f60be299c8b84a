"""How much a script may be, and may do (RFC 5228 §2.10.7, §10)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a script and of one run of it; sizes are in octets, times in seconds.

    Beyond those of the script's text, reaching one is an error of the run, with an implicit keep.
    """

    script_size: int = 1_048_576
    string_length: int = 4096
    """Of a string in a script."""
    commands: int = 10_000
    """Commands and tests in a script."""
    nested_blocks: int = 15
    nested_tests: int = 15
    nested_foreverypart: int = 3
    variable_name_length: int = 32
    variable_size: int = 4096
    """In characters; what is more is cut off (RFC 5229 §6)."""
    match_variables: int = 30
    local_variables: int = 128
    header_size: int = 1024
    """Of a header field that a script adds."""
    includes: int = 10
    nested_includes: int = 3
    """The script itself is the first (RFC 6609 §3.1)."""
    cpu: int = 5000
    """Commands and tests that one run may execute."""
    work: int = 256_000_000
    """Octets that one run may look at or put together."""
    actions: int = 32
    duplicates: int = 100
    """Messages that one run may ask to be remembered."""
    redirects: int = 1
    received_headers: int = 10
    """A message with more Received fields is in a loop, and is not redirected (RFC 5228 §4.2)."""
    outgoing_messages: int = 3
    vacation_default: int = 7 * 86400
    vacation_least: int = 86400
    """For ":days"; ":seconds" may be less (RFC 6131 §2)."""
    vacation_seconds_least: int = 0
    vacation_most: int = 90 * 86400
    duplicate_default: int = 7 * 86400
    duplicate_most: int = 90 * 86400
    protected_headers: frozenset[str] = frozenset({"received", "auto-submitted", "original-subject", "original-from"})
    """Lower-case names of header fields that are not deleted (RFC 5293 §6, RFC 5703 §5)."""


DEFAULT_LIMITS = Limits()
