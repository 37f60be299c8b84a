"""Files and directories of mail as a stream of what is found in them: mbox, Maildir, .eml."""

from __future__ import annotations

import gzip
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

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

    items: Iterator[Found]
    weight: int


@dataclass(frozen=True, slots=True)
class _File:
    """A file with one message; times are in seconds since the epoch, as in Incoming."""

    path: Path
    box: MailboxPath
    flags: Flags
    size: int
    received: int | None = None
    modified: int | None = None


def mbox_plan(paths: Iterable[Path], root: MailboxPath, *, quoting: Quoting, flags: bool, limit: int) -> Plan:
    """The messages of mbox files, and of those beneath directories; `limit` is octets of a message.

    A file given by itself goes into the Mailbox `root`, one beneath a directory into that of its own name.
    """
    jobs: list[tuple[Path, MailboxPath]] = []
    wrong: list[Unreadable] = []
    for path in paths:
        if not path.is_dir():
            if path.is_fifo() or not (special := _special(path)):  # a pipe that is named waits for its writer
                jobs.append((path, root))
            else:
                wrong.append(special)
            continue
        files = [(file, parts) for file, parts in _walk(path, wrong) if _may_be_mbox(file)]
        jobs += [(file, (*root, *mailbox_of_file(parts))) for file, parts in files]
        if not files:
            wrong.append(Unreadable(str(path), "there is no mbox file in this directory"))

    def items() -> Iterator[Found]:
        yield from wrong
        for path, box in jobs:
            yield from _mbox(path, box, quoting=quoting, flags=flags, limit=limit)

    return Plan(items(), sum(_size(path) for path, _ in jobs))


def maildir_plan(paths: Iterable[Path], root: MailboxPath, *, limit: int) -> Plan:
    """The messages of Maildirs, the oldest first, with their folders; `limit` is octets of a message."""
    folders: list[Folder | Unreadable] = []
    files: list[_File] = []
    for path in paths:
        found = list(_maildir_folders(path, folders))
        if not found:
            folders.append(Unreadable(str(path), "this is no Maildir: it has no directory cur or new"))
        for folder, parts in found:
            box = (*root, *path_of_folder(parts))
            folders.append(Folder(str(folder), box))
            files += _maildir_files(folder, box, folders)
    files.sort(key=lambda file: (file.received or 0, str(file.path)))
    return Plan(_messages(folders, files, limit), sum(file.size for file in files))


def eml_plan(paths: Iterable[Path], root: MailboxPath, *, limit: int) -> Plan:
    """The messages of .eml files, and of those beneath directories, whose folders are Mailboxes."""
    wrong: list[Unreadable] = []
    files: list[_File] = []
    for path in paths:
        if special := _special(path):
            wrong.append(special)
            continue
        found = list(_walk(path, wrong)) if path.is_dir() else [(path, (path.name,))]
        if path.is_dir():
            found = [(file, parts) for file, parts in found if file.suffix.lower() == ".eml"]
        if not found:
            wrong.append(Unreadable(str(path), "there is no .eml file in this directory"))
        for file, parts in found:
            box = (*root, *(_text(part) for part in parts[:-1]))
            try:
                status = file.stat()
            except OSError as error:
                wrong.append(Unreadable(str(file), _reason(error)))
                continue
            modified = int(status.st_mtime)
            files.append(_File(file, box, eml_flags(file.name), status.st_size, modified=modified))
    return Plan(_messages(wrong, files, limit), sum(file.size for file in files))


def mailbox_of_file(parts: Sequence[str]) -> MailboxPath:
    """The Mailbox of an mbox file, by its path beneath a directory: `Lists/dovecot.mbox`.

    Thunderbird keeps what is beneath `Lists` in `Lists.sbd`; Apple Mail exports `Lists.mbox/mbox`.
    """
    *folders, name = parts
    if name == "mbox" and folders and folders[-1].lower().endswith(".mbox"):
        name = folders.pop()
    names = [*(folder.removesuffix(".sbd") for folder in folders), _MBOX_SUFFIX.sub("", name, count=1)]
    return tuple(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), _text(name)) for name in names if name)


def file_of_mailbox(path: MailboxPath) -> Path:
    """The mbox file of a Mailbox beneath a directory; `mailbox_of_file` undoes it."""
    *folders, name = (_TO_ESCAPE.sub(lambda found: f"%{ord(found[0]):02X}", name) for name in path)
    return Path(*folders, f"{name}.mbox")


def _mbox(path: Path, box: MailboxPath, *, quoting: Quoting, flags: bool, limit: int) -> Iterator[Found]:
    """The messages of one mbox file."""
    where, done = str(path), 0
    try:
        quoted = quoting != "none"
        if quoting == "auto" and path.is_file():  # a pipe can be read only once
            with _pieces(path) as (pieces, _):
                quoted = quotes(pieces)
        with _pieces(path) as (pieces, position):
            for message in split(pieces, limit=limit):
                where = f"{path}, offset {message.offset}"
                now = position()
                weight, done = now - done, now
                if message.octets is None:
                    yield Unreadable(where, f"it is larger than {limit:,} octets", weight)
                    continue
                octets = unquote(message.octets) if quoted else message.octets
                octets, told = decode_export_block(to_crlf(octets))
                if told is None:
                    told = status_flags(octets) if flags else Flags()
                date, exact = message.separator.date, message.separator.exact
                times = {"received": date} if exact else {"local": date}
                yield Incoming(where, octets, box, told, **times, weight=weight)
                where = f"{path}, after offset {message.offset}"
        yield Folder(str(path), box)
    except NotMbox as error:
        yield Unreadable(str(path), f"this is no mbox file: {error}")
    except (OSError, EOFError, zlib.error) as error:
        yield Unreadable(where, _reason(error))


def _messages(folders: Iterable[Folder | Unreadable], files: Iterable[_File], limit: int) -> Iterator[Found]:
    """Folders, then the messages of files that hold one each."""
    yield from folders
    for file in files:
        where = str(file.path)
        try:
            with _pieces(file.path) as (pieces, _):
                octets = b"".join(_up_to(pieces, limit))
        except (OSError, EOFError, zlib.error) as error:
            yield Unreadable(where, _reason(error), file.size)
            continue
        if len(octets) > limit:
            yield Unreadable(where, f"it is larger than {limit:,} octets", file.size)
        elif not octets:
            yield Unreadable(where, "it is empty, and a message is not")
        else:
            octets = to_crlf(octets)
            times = {"received": file.received, "modified": file.modified}
            yield Incoming(where, octets, file.box, file.flags, **times, weight=file.size)


def _maildir_folders(top: Path, wrong: list[Folder | Unreadable]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Every directory with messages, and the directories that lead to it."""
    for folder, names, _ in os.walk(top, onerror=lambda error: wrong.append(_unlisted(error))):
        here = {"cur", "new"}.intersection(names)
        names[:] = sorted(set(names) - {"cur", "new", "tmp"})
        if here:
            yield Path(folder), Path(folder).relative_to(top).parts


def _maildir_files(folder: Path, box: MailboxPath, wrong: list[Folder | Unreadable]) -> Iterator[_File]:
    letters = {}
    keywords = folder / "dovecot-keywords"
    try:
        if special := _special(keywords):
            wrong.append(special)
        else:
            letters = parse_keyword_letters(keywords.read_bytes())
    except FileNotFoundError:
        pass
    except OSError as error:
        wrong.append(Unreadable(str(keywords), _reason(error)))
    for part in ("cur", "new"):
        try:
            with os.scandir(folder / part) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or not entry.is_file():
                        continue
                    status = entry.stat()
                    # A copy is younger than its message, a message filed by a client older than its name.
                    times = (maildir_time(entry.name), int(status.st_mtime))
                    received = min((time for time in times if time is not None and time > 0), default=None)
                    flags = maildir_flags(entry.name, letters)
                    yield _File(Path(entry.path), box, flags, status.st_size, received)
        except FileNotFoundError:
            continue
        except OSError as error:
            wrong.append(Unreadable(str(folder / part), _reason(error)))


def _walk(top: Path, wrong: list[Unreadable]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Every file beneath a directory in the order of their paths, hidden ones left out, and what is no file."""
    for folder, names, files in os.walk(top, onerror=lambda error: wrong.append(_unlisted(error))):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                path = Path(folder, name)
                if special := _special(path):
                    wrong.append(special)
                else:
                    yield path, path.relative_to(top).parts


def _special(path: Path) -> Unreadable | None:
    """What to say of a pipe, socket or device, where reading may never end; what is not there is for others to tell."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    return Unreadable(str(path), "it is neither a file nor a directory")


def _may_be_mbox(path: Path) -> bool:
    """Whether a file is called an mbox or begins like one; one that cannot be read may be."""
    if (found := _MBOX_SUFFIX.search(path.name)) and found[1]:
        return True
    try:
        with _pieces(path, size=8) as (pieces, _):
            return next(pieces, b"").removeprefix(b"\xef\xbb\xbf").startswith(b"From ")
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return False
    except OSError:
        return True


@contextmanager
def _pieces(path: Path, size: int = _PIECE) -> Iterator[tuple[Iterator[bytes], Callable[[], int]]]:
    """A file's octets in pieces, unpacked if it is a gzip file, and how far the file itself has been read."""
    with path.open("rb") as file:
        packed = file.peek(2)[:2] == _GZIP
        reader = gzip.GzipFile(fileobj=file) if packed else file
        position = file.tell if path.is_file() else lambda: 0
        yield iter(partial(reader.read1, size), b""), position


def _up_to(pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Pieces until they are more than `limit` octets."""
    total = 0
    for piece in pieces:
        yield piece
        total += len(piece)
        if total > limit:
            return


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _text(name: str) -> str:
    """A name of a file as text, whatever octets it has."""
    return os.fsencode(name).decode("utf-8", "replace")


def _unlisted(error: OSError) -> Unreadable:
    return Unreadable(str(error.filename), _reason(error))


def _reason(error: Exception) -> str:
    if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error):
        return f"the gzip file is damaged: {error}"
    return f"it cannot be read: {getattr(error, 'strerror', None) or error}"
