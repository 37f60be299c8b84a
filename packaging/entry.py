"""The archive's `__main__`: turns away a Python that the archive was not built for, in one sentence.

This module has to be understood by any Python that somebody may try, back to 2.7.
"""

import json
import os
import sys
import zipimport

archive = os.path.dirname(__file__)
build = json.loads(zipimport.zipimporter(archive).get_data("build.json").decode("utf-8"))

try:
    import importlib.machinery

    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
except ImportError:  # before 3.3
    suffix = ""
machine = os.uname()[4] if hasattr(os, "uname") else ""
try:
    glibc = [int(part) for part in str(os.confstr("CS_GNU_LIBC_VERSION")).split()[-1].split(".")[:2]]
except (AttributeError, OSError, ValueError):  # not Linux, or another C library
    glibc = []

target = None
for candidate in build["targets"]:
    # macOS leaves the machine out of the suffix; everywhere else the suffix says it all.
    same_machine = "darwin" not in suffix or candidate["machine"] == machine
    if candidate["suffix"] == suffix and same_machine and glibc >= candidate["glibc"]:
        target = candidate

if target is None:
    import platform

    sys.stderr.write(
        "%s: this file was built for %s, not for %s %d.%d%s on %s %s%s; "
        "run it with another Python, or build one for this.\n"
        % (
            build["name"],
            " and ".join(candidate["says"] for candidate in build["targets"]),
            platform.python_implementation(),
            sys.version_info[0],
            sys.version_info[1],
            getattr(sys, "abiflags", ""),
            platform.system(),
            platform.machine(),
            " (glibc %d.%d)" % tuple(glibc) if glibc else " (musl)" if "musl" in suffix else "",
        )
    )
    sys.exit(2)

# Only now: it is not written for an old Python.
from unpack import start  # type: ignore[import-not-found]  # noqa: E402

start(archive, build, target)
