"""Mail to begin with, from files of any kind that can be imported."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from jmaplite.cli.mail_files import Plan, eml_plan, maildir_plan, mbox_plan
from jmaplite.datatypes.mail.transfer import Owner, Transfer

logger = logging.getLogger(__name__)

_LIMIT = 1 << 30


def bring(mail: Transfer, owner: Owner, paths: Iterable[Path]) -> int:
    """Bring mail in from files and directories; answers how many messages came in. What cannot be read is logged."""
    count = 0
    for path in paths:
        for plan in _plans(path):
            for result in mail.run(owner, plan.items):
                count += result.outcome == "imported"
                if result.outcome == "failed":
                    logger.warning("%s: %s", result.where, result.reason)
    return count


def _plans(path: Path) -> Iterator[Plan]:
    """What a path is taken for: a Maildir, a message, an mbox, or a directory with any of these."""
    if not path.is_dir():
        is_message = path.suffix.lower() == ".eml"
        yield eml_plan([path], (), limit=_LIMIT) if is_message else _mbox([path])
    elif (path / "cur").is_dir() or (path / "new").is_dir():
        yield maildir_plan([path], (), limit=_LIMIT)
    else:
        if any(path.rglob("*.eml")):
            yield eml_plan([path], (), limit=_LIMIT)
        boxes = sorted(one for one in path.rglob("*") if one.suffix.lower() in (".mbox", ".mbx"))
        if boxes:
            yield _mbox(boxes)


def _mbox(paths: list[Path]) -> Plan:
    return mbox_plan(paths, (), quoting="auto", flags=True, limit=_LIMIT)
