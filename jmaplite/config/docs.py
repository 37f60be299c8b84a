"""docs/config.md, written from the table of options: `python -m jmaplite.config.docs docs/config.md`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jmaplite.config.cyrus import Cyrus, written
from jmaplite.config.sections import Option, options, section_name
from jmaplite.config.table import REFUSED
from jmaplite.config.table.imapd import OPTIONS as IMAPD
from jmaplite.config.table.imapd_refused import PREFIXES
from jmaplite.config.walk import sections

_HEAD = """\
# Configuration

<!-- Written by `python -m jmaplite.config.docs docs/config.md` from jmaplite/config/table. -->

One TOML file says everything: `jmaplite serve config.toml`. `jmaplite check-config config.toml` shows every
mistake in it at once, a line `FILE:LINE: key: message` for each, on standard output; it ends with 1 then, and
with 0 and `OK` when there is none. The other commands show the same lines on standard error.

## Values

- **size**: octets, as a number or with a unit: `"50MB"` is 50 × 10⁶, `"50M"` and `"50MiB"` are 50 × 2²⁰
  (k, M, G and T).
- **duration**: a number and `ms`, `s`, `m`, `h` or `d`, as in `"30d"`.
- **rate**: times in a duration, as in `"1000/1m"`; `false` is without limit.
- **list**: one value that stands alone is a list of one.
- **path**, **file**: relative to the directory of the file that names it.
- In every text, `%{env:NAME}%` stands for an environment variable and `%{file:PATH}%` for a file's text,
  without the end of its last line.

`<id>` in a name stands for a name of your choice, `[[...]]` for a table that may be repeated. Where an option
has other names, they mean the same, and only one of them may be used.
"""

_REFUSED = """
## What is refused by name

Stalwart's documents have these names as well. A file with one of them, or with anything beneath it, is not accepted.
"""

_IMAPD = """
## `[imapd]`

Options of Cyrus under their own names and in its own forms: `yes`, `1`, `on`, `t`, `no`, `0`, `off`, `f`; sizes such as
`64B`, `32K`, `10M`, `1G`; durations such as `60s`, `30m`, `1h30m`, `90d`; lists with spaces; a number without a unit is
in that of imapd.conf(5). Each is honoured as an option of ours, which then may not be set besides, or it is refused
with the reason. What is not set keeps the default of this server, not Cyrus's. `jmaplite convert-config` makes such a
table from an imapd.conf.
"""


def render() -> str:
    """The whole page, in Markdown."""
    return (
        _HEAD + "".join(_section(declared) for declared in sorted(sections(), key=section_name)) + _imapd() + _refused()
    )


def _section(declared: type[Any]) -> str:
    name = section_name(declared)
    title = f"[[{name.removesuffix('[]')}]]" if name.endswith("[]") else f"[{name}]"
    heading = f"`{title}`" if name else "Above all tables"
    about = inspect.cleandoc(declared.__doc__ or "")
    return "\n".join(["", f"## {heading}", "", about, "", *_table(options(declared)), ""])


def _table(listed: Iterable[Option]) -> Iterator[str]:
    yield "| option | kind | default | meaning |"
    yield "|---|---|---|---|"
    for one in listed:
        name = f"`{one.name.replace('[]', '')}`"
        others = "".join(f" Also `{alias.replace('[]', '')}`." for alias in one.aliases)
        if one.everywhere:
            others += f" For all at once: `{one.everywhere}`."
        yield f"| {name} | {one.kind.name} | {_default(one)} | {one.doc}{others} |"


def _imapd() -> str:
    rows = (f"| `{one.name}` | {_default_of(one)} | {_becomes(one)} |" for one in IMAPD)
    beginnings = (f"| `{prefix}...` | | refused: {reason} |" for prefix, reason in PREFIXES.items())
    return "\n".join([_IMAPD, "| option | Cyrus's default | here |", "|---|---|---|", *rows, *beginnings, ""])


def _default_of(one: Cyrus) -> str:
    return f"`{one.default}`" if one.default else ""


def _becomes(one: Cyrus) -> str:
    if one.note:
        return f"accepted: {one.reason}"
    if one.only:
        values = " or ".join(written(value) for value in one.only)
        return f"only {values}: {one.reason}" + (f" ({one.doc})" if one.doc else "")
    if one.becomes is not None:
        return one.doc
    return f"refused: {one.reason}"


def _refused() -> str:
    rows = (f"| `{name}` | {reason} |" for name, reason in sorted(REFUSED.items()))
    return "\n".join([_REFUSED, "| name | reason |", "|---|---|", *rows, ""])


def _default(one: Option) -> str:
    match one.default:
        case None:
            return "required"
        case '""' | "[]":
            return ""
        case shown:
            return f"`{shown}`"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(), encoding="utf-8")
