"""Builds the single file from zipapp.spec: the same input gives the same octets.

Versions are resolved by pip against its index and recorded in the archive as `pins.txt`, with the digest of
every wheel; given back with `--pins`, that file makes the same archive again, whatever the index offers then.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
EPOCH_OF_ZIP = 315532800  # 1980-01-01, the earliest time that a zip file can hold

MACHINE_SUFFIX = {
    "manylinux": "-{machine}-linux-gnu",
    "musllinux": "-{machine}-linux-musl",
    "macosx": "-darwin",
}
OLD_MANYLINUX = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


class Mistake(Exception):
    """The specification or its surroundings do not allow a build; the argument says why."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What zipapp.spec says; the file itself explains each."""

    name: str
    entry: str
    interpreter: str
    bytecode: bool
    own: tuple[str, ...]
    extras: tuple[str, ...]
    build: tuple[str, ...]
    exclude: tuple[str, ...]
    keep: tuple[str, ...]

    def includes(self, path: str) -> bool:
        """Whether a file goes in, by its path inside its wheel or beneath the repository."""
        return any(fnmatchcase(path, pattern) for pattern in self.keep) or not any(
            fnmatchcase(path, pattern) for pattern in self.exclude
        )


@dataclass(frozen=True, slots=True)
class Target:
    """A Python on a machine: how its native modules are named, and what makes pip choose wheels for it."""

    suffix: str
    machine: str
    version: str
    pip: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of its directory in the archive."""
        name = self.suffix.strip(".").removesuffix(".so")
        return f"{name}-{self.machine}" if name.endswith("darwin") else name

    def says(self, glibc: list[int]) -> str:
        """How people call it."""
        system = "Darwin" if self.name.endswith(f"darwin-{self.machine}") else "Linux"
        libc = f" (glibc {glibc[0]}.{glibc[1]} or newer)" if glibc else " (musl)" if "musl" in self.suffix else ""
        return f"CPython {self.version} on {system} {self.machine}{libc}"


def read_spec(path: Path) -> Spec:
    """Raises Mistake for what is missing, unknown or of the wrong type."""
    values: dict[str, Any] = {}
    for table in tomllib.loads(path.read_text("utf-8")).values():
        values |= {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    try:
        return Spec(**values)
    except TypeError as error:
        raise Mistake(f"{path}: {error}") from error


def this_target() -> Target:
    """The Python that runs this."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}{sys.abiflags}"
    return Target(EXTENSION_SUFFIXES[0], platform.machine(), version)


def named_target(tag: str) -> Target:
    """The target of a wheel tag such as cp312-manylinux_2_28_x86_64. Raises Mistake."""
    match = re.fullmatch(r"cp3(\d+)-((manylinux|musllinux|macosx)_(\d+)_(\d+)_(\w+))", tag)
    if match is None:
        raise Mistake(f"{tag}: not a target like cp312-manylinux_2_28_x86_64")
    minor, exact, system, major, least, machine = match.groups()
    tags = [exact]
    if system != "macosx":  # pip counts down by itself for macOS only
        for older in range(int(least), -1, -1):
            tags += [f"{system}_{major}_{older}_{machine}"]
            tags += [f"{OLD_MANYLINUX[older]}_{machine}"] if system == "manylinux" and older in OLD_MANYLINUX else []
    return Target(
        suffix=f".cpython-3{minor}{MACHINE_SUFFIX[system].format(machine=machine)}.so",
        machine=machine,
        version=f"3.{minor}",
        pip=(
            *("--implementation", "cp", "--python-version", f"3.{minor}"),
            *(f"--platform={tag}" for tag in dict.fromkeys(tags)),
        ),
    )


def requirements(spec: Spec) -> list[str]:
    """What pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    optional = project["optional-dependencies"]
    return [*project["dependencies"], *(wanted for extra in spec.extras for wanted in optional[extra])]


def download(folder: Path, *arguments: str) -> list[Path]:
    """Wheels by pip, sorted. Raises Mistake."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-qq",
        "--only-binary=:all:",
        f"--dest={folder}",
        *arguments,
    ]
    if subprocess.run(command, check=False).returncode:
        raise Mistake(f"pip found no wheels for {' '.join(arguments)}")
    return sorted(folder.glob("*.whl"))


def fetch(spec: Spec, targets: list[Target], pins: Path | None, folder: Path) -> dict[Target, list[Path]]:
    """The wheels of every target, in the versions of `pins`, else of a new resolution for this Python."""
    wanted = ["--no-deps", "--require-hashes", f"--requirement={pins}"] if pins else []
    wheels = {}
    if not pins:
        here = this_target()
        wheels[here] = download(folder / here.name, *requirements(spec))
        wanted = ["--no-deps", *("{}=={}".format(*wheel.name.split("-")[:2]) for wheel in wheels[here])]
    for target in targets:
        if target not in wheels:
            wheels[target] = download(folder / target.name, *target.pip, *wanted)
    return {target: wheels[target] for target in targets}


def pinned(wheels: dict[Target, list[Path]]) -> str:
    """The resolution, as a requirements file of pip with the digests of all wheels."""
    digests: dict[str, set[str]] = {}
    for wheel in (wheel for each in wheels.values() for wheel in each):
        name, version = wheel.name.split("-")[:2]
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        digests.setdefault(f"{name.replace('_', '-')}=={version}", set()).add(f"--hash=sha256:{digest}")
    return "".join(f"{pin} {' '.join(sorted(digests[pin]))}\n" for pin in sorted(digests))


def wheel_files(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """The files that installing a wheel would put into site-packages."""
    with ZipFile(wheel) as archive:
        for info in archive.infolist():
            top, _, rest = info.filename.partition("/")
            scheme, _, inner = rest.partition("/")
            if not top.endswith(".data"):
                inner = info.filename
            elif scheme not in ("purelib", "platlib"):
                continue
            if not info.is_dir():
                yield inner, archive.read(info)


def glibc_of(wheels: list[Path]) -> list[int]:
    """The oldest glibc that all native wheels work with, [] if that does not apply."""
    needed = []
    for wheel in wheels:
        tags = wheel.stem.rpartition("-")[2]
        for minor, alias in OLD_MANYLINUX.items():
            tags = tags.replace(alias, f"manylinux_2_{minor}")
        if versions := [[int(a), int(b)] for a, b in re.findall(r"manylinux_(\d+)_(\d+)", tags)]:
            needed.append(min(versions))
    return max(needed, default=[])


def put(stage: Path, path: str, content: bytes) -> None:
    """Write one staged file."""
    place = stage / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def stage_files(spec: Spec, wheels: dict[Target, list[Path]], stage: Path) -> None:
    """Lay out the archive: `site` for all targets, `targets/NAME` for what is native, and what runs first."""
    put(stage, "__main__.py", (HERE / "entry.py").read_bytes())
    put(stage, "unpack.py", (HERE / "unpack.py").read_bytes())
    put(stage, "LICENSE", (ROOT / "LICENSE").read_bytes())
    put(stage, "pins.txt", pinned(wheels).encode())
    for path in (path for folder in spec.own for path in (ROOT / folder).rglob("*") if path.is_file()):
        name = path.relative_to(ROOT).as_posix()
        if spec.includes(name):
            put(stage, f"site/{name}", path.read_bytes())
    for target, each in wheels.items():
        for wheel in each:
            tree = "site" if wheel.stem.endswith("-any") else f"targets/{target.name}"
            for name, content in wheel_files(wheel):
                if spec.includes(name):
                    put(stage, f"{tree}/{name}", content)


def compile_for(target: Target, stage: Path) -> None:
    """Bytecode that is used unchecked, for the building Python alone: it goes with that target's files."""
    own = stage / "targets" / target.name
    mode = ("--invalidation-mode", "unchecked-hash")
    command = [
        sys.executable,
        "-m",
        "compileall",
        "-q",
        *mode,
        "-s",
        str(stage),
        str(stage / "site"),
        str(own),
    ]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONOPTIMIZE": ""})
    for path in list((stage / "site").rglob("__pycache__/*.pyc")):
        place = own / path.relative_to(stage / "site")
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(place)


def description(spec: Spec, wheels: dict[Target, list[Path]], stage: Path, names: list[str]) -> dict[str, Any]:
    """`build.json`: what the archive's first modules need to know. The digest covers all other files."""
    digest = hashlib.sha256()
    trees: dict[str, dict[str, int]] = {"site": {}, **{f"targets/{target.name}": {} for target in wheels}}
    for name in names:
        content = (stage / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
        tree = next((tree for tree in trees if name.startswith(f"{tree}/")), None)
        if tree:
            trees[tree][name.removeprefix(f"{tree}/")] = len(content)
    targets = []
    for target, each in wheels.items():
        glibc = glibc_of(each) if target.suffix.endswith("-gnu.so") else []
        described = {"name": target.name, "suffix": target.suffix, "machine": target.machine}
        targets.append({**described, "glibc": glibc, "says": target.says(glibc)})
    return {
        "name": spec.name,
        "entry": spec.entry,
        "digest": digest.hexdigest(),
        "targets": targets,
        "files": trees,
    }


def write_archive(spec: Spec, stage: Path, names: list[str], output: Path) -> None:
    """Zip the staged files, in order, with one time for all; the output appears whole or not at all."""
    moment = max(int(os.environ.get("SOURCE_DATE_EPOCH", EPOCH_OF_ZIP)), EPOCH_OF_ZIP)
    date = time.gmtime(moment)[:6]
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(f"{output.name}.{os.getpid()}")
    with unfinished.open("wb") as file:
        file.write(f"#!{spec.interpreter}\n".encode())
        with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=9) as archive:
            for name in names:
                info = ZipInfo(name, date)
                info.external_attr = 0o100644 << 16
                info.compress_type = ZIP_DEFLATED
                archive.writestr(info, (stage / name).read_bytes(), compresslevel=9)
    unfinished.chmod(0o755)
    unfinished.rename(output)


def build(spec: Spec, pins: Path | None, output: Path) -> None:
    """Resolve, fetch, lay out, compile, write. Raises Mistake."""
    targets = [this_target() if tag == "this" else named_target(tag) for tag in spec.build]
    if len({target.name for target in targets}) < len(targets):
        raise Mistake("the same target is named twice")
    with tempfile.TemporaryDirectory(prefix=f"{spec.name}-build-") as folder:
        stage = Path(folder, "stage")
        wheels = fetch(spec, targets, pins, Path(folder, "wheels"))
        stage_files(spec, wheels, stage)
        here = next((target for target in targets if target.suffix == EXTENSION_SUFFIXES[0]), None)
        if spec.bytecode and here:
            compile_for(here, stage)
        names = sorted(path.relative_to(stage).as_posix() for path in stage.rglob("*") if path.is_file())
        put(stage, "build.json", json.dumps(description(spec, wheels, stage, names), sort_keys=True).encode())
        write_archive(spec, stage, ["build.json", *names], output)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Build the single file that zipapp.spec describes.")
    parser.add_argument("--spec", type=Path, default=ROOT / "zipapp.spec")
    parser.add_argument("--pins", type=Path, help="versions and digests to use: the pins.txt of an earlier archive")
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "jmaplite.pyz")
    arguments = parser.parse_args()
    try:
        build(read_spec(arguments.spec), arguments.pins, arguments.output)
    except Mistake as error:
        sys.exit(f"{parser.prog}: {error}")
    print(f"{arguments.output}: {arguments.output.stat().st_size:,} octets")


if __name__ == "__main__":
    main()
