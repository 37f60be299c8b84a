"""Files and directories of mail as a stream of what is found in them: mbox, Maildir, .eml."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal, cast

from jmaplite.formats.mailboxes import (
    Flags,
    Folder,
    Found,
    Incoming,
    MailboxPath,
    NotMbox,
    Unreadable,
    decode_export_block,
    eml_flags,
    maildir_flags,
    maildir_time,
    parse_keyword_letters,
    path_of_folder,
    quotes,
    split,
    status_flags,
    to_crlf,
    unquote,
)

Quoting = Literal["auto", "mboxrd", "none"]

_GZIP = b"\x1f\x8b"
_PIECE = 1 << 18
_MBOX_SUFFIX = re.compile(r"(\.mbox|\.mbx)?(\.gz)?\Z", re.IGNORECASE)
_TO_ESCAPE = re.compile(r"[%/\x00-\x1f\x7f]|\A\.|\.(?=(?:sbd|mbox|mbx|msf|gz)\Z)", re.IGNORECASE)
_ESCAPED = re.compile(r"%(25|2F|2E|[01][0-9A-F]|7F)")


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to import, and the weight of all of it together."""

    items: Iterable[Found]
    weight: int


def mbox_plan(
    paths: Iterable[Path], root: MailboxPath, *, quoting: Quoting, flags: bool, limit: int
) -> Plan:
    """The messages of mbox files, and of those beneath directories; `limit` is in octets.

    A file given by itself goes into the Mailbox `root`, one beneath a directory into that of its own name.
    """
    jobs: list[tuple[Path, MailboxPath] | Unreadable] = []
    for path in paths:
        if not path.is_dir():
            jobs.append((path, root))
            continue
        beneath = [
            (file, (*root, *_mbox_name(parts))) for file, parts in _walk(path, jobs) if _may_be_mbox(file)
        ]
        jobs += beneath or [Unreadable(str(path), "there is no mbox file in this directory")]

    def items() -> Iterator[Found]:
        for job in jobs:
            if isinstance(job, Unreadable):
                yield job
            else:
                yield Folder(str(job[0]), job[1])
                yield from _mbox(*job, quoting=quoting, flags=flags, limit=limit)

    return Plan(items(), sum(_size(job[0]) for job in jobs if not isinstance(job, Unreadable)))


def maildir_plan(paths: Iterable[Path], root: MailboxPath, *, limit: int) -> Plan:
    """The messages of Maildirs, the oldest first, with their folders."""
    folders: list[Folder | Unreadable] = []
    messages: list[_File] = []
    for path in paths:
        found = list(_maildir_folders(path, folders))
        if not found:
            folders.append(Unreadable(str(path), "this is no Maildir: it has no directory cur or new"))
        for folder, parts in found:
            box = (*root, *path_of_folder(parts))
            folders.append(Folder(str(folder), box))
            messages += _maildir_messages(folder, box, folders)
    messages.sort(key=lambda file: (file.received or 0, str(file.path)))
    return _plan(folders, messages, limit)


def eml_plan(paths: Iterable[Path], root: MailboxPath, *, limit: int) -> Plan:
    """The messages of .eml files, and of those beneath directories, whose folders are Mailboxes."""
    wrong: list[Unreadable] = []
    messages: list[_File] = []
    for path in paths:
        if not path.is_dir():
            messages.append(_File(path, root, eml_flags(path.name), _size(path)))
            continue
        files = [(file, parts) for file, parts in _walk(path, wrong) if file.suffix.lower() == ".eml"]
        if not files:
            wrong.append(Unreadable(str(path), "there is no .eml file in this directory"))
        for file, parts in files:
            box = (*root, *path_of_folder([part.lstrip(".") for part in parts[:-1]]))
            messages.append(_File(file, box, eml_flags(file.name), _size(file)))
    return _plan(wrong, messages, limit)
