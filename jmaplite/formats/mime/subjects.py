"""Subjects without what clients and lists add: for sorting (RFC 5256 §2.1) and for threads (RFC 8621 §3)."""

from __future__ import annotations

import re

_BLOB = re.compile(r"\[[^\[\]]*+\] ?")
_REFWD = re.compile(r"(?:re|fwd?) ?(?:\[[^\[\]]*+\] ?)?:", re.I)
_FORWARD = re.compile(r"\[fwd:", re.I)
_PREFIX = re.compile(
    r"(?:re|fwd?|aw|wg|antw(?:ort)?|sv|vs|vb|vl|fs|odp|pd|rif|res|enc|ref|réf|rép|tr|rv|ynt|i̇lt|ilt|bls|trs|atb|doorst"
    r"|r|i|vá|továbbítás|απ|πρθ|σχετ|yml|رد|תגובה|הועבר|回复|回覆|答复|答覆|转发|轉寄|転送|返信)"
    r" ?(?:\[[^\[\]]*+\]|\(\d{1,4}\)|\^?\d{1,4})? ?[:：]"
)


def base_subject(subject: str) -> str:
    """The base subject of a decoded subject, its case kept (RFC 5256 §2.1)."""
    return _strip(" ".join(subject.split()), _REFWD)


def thread_subject(subject: str) -> str:
    """What subjects of one thread have in common: casefolded, without white space, prefixes of replies and
    forwards in many languages, and [List-Tag]s."""
    return _strip(" ".join(subject.casefold().split()), _PREFIX).replace(" ", "")


def _strip(string: str, prefix: re.Pattern[str]) -> str:
    """RFC 5256 §2.1 steps 2 to 6, moving two ends inwards rather than copying."""
    start, end = 0, len(string)
    while True:
        end = _trailers_start(string, start, end)
        start = _leaders_end(string, start, end, prefix)
        forward = _FORWARD.match(string, start, end)
        if forward is None or string[end - 1] != "]":
            return string[start:end]
        start, end = forward.end(), end - 1


def _trailers_start(string: str, start: int, end: int) -> int:
    while end > start:
        if string[end - 1] == " ":
            end -= 1
        elif string[end - 5 : end].lower() == "(fwd)" and end - 5 >= start:
            end -= 5
        else:
            break
    return end


def _leaders_end(string: str, start: int, end: int, prefix: re.Pattern[str]) -> int:
    """Where prefixes and blobs end; the last blob stays if nothing follows it."""
    while True:
        while start < end and string[start] == " ":
            start += 1
        after, last_blob = start, start
        while blob := _BLOB.match(string, after, end):
            last_blob, after = after, blob.end()
        if found := prefix.match(string, after, end):
            start = found.end()
        elif after == start:
            return start
        else:
            return after if after < end else last_blob
