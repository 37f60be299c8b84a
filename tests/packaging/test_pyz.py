"""The single file at work: where it unpacks to, what it refuses, and that everything in it runs."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from base64 import b64encode
from contextlib import closing
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

import pytest

import jmaplite

from .conftest import ROOT, Run

pytestmark = pytest.mark.pyz

VERSION = f"jmaplite {jmaplite.__version__}\n"

INSIDE = """
import json, sys
from importlib.machinery import EXTENSION_SUFFIXES
from zipfile import ZipFile

archive = sys.argv[1]
with ZipFile(archive) as opened:
    build = json.loads(opened.read("build.json"))
target = next(target for target in build["targets"] if target["suffix"] == EXTENSION_SUFFIXES[0])
sys.path.insert(0, archive)
import unpack
home = str(unpack.prepare(archive, build, target))
"""


def builds(cache: Path) -> list[Path]:
    """The unpacked builds in a cache."""
    return sorted((cache / "jmaplite").glob("*"))


def change_target(pyz: Path, output: Path, **changes: object) -> Path:
    """A copy of the archive that says something else of its only target."""
    with ZipFile(pyz) as source, ZipFile(output, "w") as copy:
        for name in ("__main__.py", "unpack.py"):
            copy.writestr(name, source.read(name))
        build = json.loads(source.read("build.json"))
        build["targets"] = [build["targets"][0] | changes]
        copy.writestr("build.json", json.dumps(build))
    return output


def test_it_brings_every_file_of_the_inspector(pyz: Path) -> None:
    page = ROOT / "jmaplite" / "dev" / "inspector" / "page"
    with ZipFile(pyz) as archive:
        found = {Path(name).name for name in archive.namelist() if "/dev/inspector/page/" in name}
    assert found == {one.name for one in page.iterdir()}


def test_it_runs_from_any_directory_and_isolated(pyz: Path, run: Run) -> None:
    done = run(pyz, "--version")
    assert (done.stdout, done.stderr, done.returncode) == (VERSION, "", 0)


def test_it_runs_as_a_program(pyz: Path, environment: dict[str, str]) -> None:
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    assert subprocess.run([pyz, "--version"], env=environment, capture_output=True, text=True).stdout == VERSION


def test_a_relative_path_to_it_works(pyz: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, pyz.name, "--version"]
    assert subprocess.run(command, env=environment, cwd=pyz.parent, capture_output=True, text=True).stdout == VERSION


def test_a_mistake_on_the_command_line_is_told_by_the_exit_code(pyz: Path, run: Run) -> None:
    done = run(pyz, "no-such-command")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_it_imports_from_its_own_files_only(pyz: Path, run: Run, cache: Path) -> None:
    done = run(
        "-c",
        INSIDE + "import jmaplite, quart; print(home, sys.path[0], jmaplite.__file__, quart.__file__)",
        pyz,
    )
    home = str(builds(cache)[0])
    assert done.stdout.split() == [home, home, f"{home}/jmaplite/__init__.py", f"{home}/quart/__init__.py"], done.stderr


def test_argon2_hashes_inside(pyz: Path, run: Run, cache: Path) -> None:
    code = """
import argon2, _argon2_cffi_bindings
hasher = argon2.PasswordHasher()
print(hasher.verify(hasher.hash("secret"), "secret"), _argon2_cffi_bindings.__file__)
"""
    done = run("-c", INSIDE + code, pyz)
    verified, file = done.stdout.split()
    assert verified == "True"
    assert Path(file).is_relative_to(builds(cache)[0])


def test_watchfiles_sees_a_change_inside(pyz: Path, run: Run, tmp_path: Path) -> None:
    code = """
from pathlib import Path
import watchfiles
folder = Path(sys.argv[2])
# The first turn without changes means that watching has begun.
for changes in watchfiles.watch(folder, yield_on_timeout=True, rust_timeout=50):
    if changes:
        print(*(Path(path).name for _, path in changes))
        break
    (folder / "config.toml").touch()
"""
    watched = tmp_path / "watched"
    watched.mkdir()
    done = run("-c", INSIDE + code, pyz, watched)
    assert done.stdout == "config.toml\n", done.stderr


def test_apsw_opens_a_database_with_full_text_search_inside(pyz: Path, run: Run, tmp_path: Path) -> None:
    code = """
import apsw
connection = apsw.Connection(sys.argv[2])
connection.execute("create virtual table t using fts5(a, content='', contentless_delete=1)")
connection.execute("insert into t(rowid, a) values (7, 'hello world')")
print(connection.execute("select rowid from t('world')").fetchall())
"""
    done = run("-c", INSIDE + code, pyz, tmp_path / "t.db")
    assert done.stdout == "[(7,)]\n", done.stderr


def test_orjson_and_uvloop_work_inside(pyz: Path, run: Run) -> None:
    code = """
import asyncio, orjson, uvloop
print(orjson.dumps({"a": uvloop.run(asyncio.sleep(0, 1))}).decode())
"""
    done = run("-c", INSIDE + code, pyz)
    assert done.stdout == '{"a":1}\n', done.stderr


def test_bytecode_is_used_as_it_comes(pyz: Path, run: Run, cache: Path) -> None:
    run(pyz, "--version")
    compiled = builds(cache)[0] / "jmaplite" / "cli" / "__pycache__" / f"__init__.{sys.implementation.cache_tag}.pyc"
    octets = compiled.read_bytes()

    run(pyz, "--version")

    assert int.from_bytes(octets[4:8], "little") == 0b01, "not hash-based and unchecked (PEP 552)"
    assert sha256(compiled.read_bytes()).digest() == sha256(octets).digest()


def test_it_serves_the_quickstart_to_the_user_that_make_run_names(
    pyz: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    told = dict(re.findall(r'@echo "(User|Password): +(.+)"', (ROOT / "Makefile").read_text()))
    credentials = b64encode(f"{told['User']}:{told['Password']}".encode()).decode()
    config = tmp_path / "config.toml"
    quickstart = (ROOT / "examples" / "quickstart.toml").read_text()
    config.write_text(quickstart.replace('bind = ["127.0.0.1:8080"]', 'bind = ["127.0.0.1:0"]'))
    command = [sys.executable, "-I", str(pyz), "serve", str(config)]

    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            port = re.search(r"http://127\.0\.0\.1:([1-9]\d*)", server.stdout.readline())
            assert port, "the first line names no address"
            with closing(HTTPConnection("127.0.0.1", int(port[1]))) as client:
                client.request("GET", "/.well-known/jmap", headers={"Authorization": f"Basic {credentials}"})
                response = client.getresponse()
                assert (response.status, json.load(response)["username"]) == (200, told["User"])
        finally:
            server.terminate()
    assert server.returncode == 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"suffix": ".cpython-399-x86_64-linux-gnu.so", "says": "CPython 3.99 on Linux"},
            "CPython 3.99 on Linux",
        ),
        ({"glibc": [99, 0], "says": "CPython (glibc 99.0 or newer)"}, "(glibc 99.0 or newer)"),
    ],
)
def test_a_python_that_it_is_not_for_is_told_so_in_one_sentence(
    pyz: Path, run: Run, tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    done = run(change_target(pyz, tmp_path / "other.pyz", **changes), "--version")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert told in done.stderr
    assert f"not for CPython {sys.version_info.major}.{sys.version_info.minor}" in done.stderr


def test_other_pythons_of_this_machine_are_told_so_too(pyz: Path, environment: dict[str, str]) -> None:
    folders = [Path("/usr/bin"), *Path.home().glob(".pyenv/versions/*/bin")]
    running = f"python{sys.version_info.major}.{sys.version_info.minor}"
    others = [
        path for folder in folders for path in folder.glob("python[23].*") if path.name[6:].replace(".", "").isdigit()
    ]
    for other in others:
        if other.name != running:
            done = subprocess.run(
                [other, pyz, "--version"], env=environment, capture_output=True, text=True, check=False
            )
            assert (done.returncode, done.stderr.count("\n")) == (2, 1), (other, done.stderr)


def test_the_cache_is_private_to_the_user(pyz: Path, run: Run, cache: Path) -> None:
    run(pyz, "--version")
    (home,) = builds(cache)
    assert (home.parent.stat().st_mode & 0o777, home.stat().st_mode & 0o777) == (0o700, 0o700)
    assert [path for path in home.rglob("*") if path.is_file() and path.stat().st_mode & 0o077] == []


def test_first_starts_at_once_do_not_disturb_each_other(pyz: Path, environment: dict[str, str], cache: Path) -> None:
    command = [sys.executable, "-I", str(pyz), "--version"]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate() for process in started] == [(VERSION, "")] * 4
    assert len(builds(cache)) == 1
    assert list(builds(cache)[0].glob(".unpacking-*")) == []


def test_a_damaged_cache_is_made_good(pyz: Path, run: Run, cache: Path) -> None:
    run(pyz, "--version")
    (home,) = builds(cache)
    (home / "jmaplite" / "__init__.py").unlink()
    native = next(home.glob("apsw/*.so"))
    octets = native.read_bytes()
    native.write_bytes(octets[:1000])

    done = run(pyz, "--version")

    assert done.stdout == VERSION
    assert (home / "jmaplite" / "__init__.py").is_file()
    assert native.stat().st_size == len(octets)
    assert sha256(native.read_bytes()).digest() == sha256(octets).digest()


def test_a_first_start_removes_builds_that_nobody_runs(pyz: Path, run: Run, cache: Path) -> None:
    (cache / "jmaplite").mkdir(mode=0o700)
    old, running = cache / "jmaplite" / "0ld-cpython", cache / "jmaplite" / "runn1ng-cpython"
    old.mkdir()
    running.mkdir()
    lock = os.open(running, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        run(pyz, "--version")
    finally:
        os.close(lock)

    assert not old.exists()
    assert running.exists()
    assert len(builds(cache)) == 2


def test_without_a_writable_cache_it_runs_from_a_temporary_directory(
    pyz: Path, run: Run, environment: dict[str, str]
) -> None:
    environment["XDG_CACHE_HOME"] = "/dev/null/cache"
    done = run(pyz, "--version")
    assert (done.stdout, done.stderr) == (VERSION, "")
    assert list(Path(environment["TMPDIR"]).iterdir()) == [], "the directory was left behind"


def test_without_a_home_directory_it_runs_from_a_temporary_directory(
    pyz: Path, run: Run, environment: dict[str, str]
) -> None:
    del environment["XDG_CACHE_HOME"]
    assert run(pyz, "--version").stdout == VERSION


def test_a_cache_that_others_can_write_to_is_not_used(pyz: Path, run: Run, cache: Path) -> None:
    cache.chmod(0o777)
    assert run(pyz, "--version").stdout == VERSION
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("bait", ["link", "open"])
def test_a_directory_that_somebody_put_there_is_not_used(
    pyz: Path, run: Run, cache: Path, tmp_path: Path, bait: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if bait == "link":
        (cache / "jmaplite").symlink_to(elsewhere)
    else:
        (cache / "jmaplite").mkdir()
        (cache / "jmaplite").chmod(0o777)

    assert run(pyz, "--version").stdout == VERSION
    assert builds(cache) == []


def test_with_no_place_at_all_one_sentence_says_what_to_do(
    pyz: Path, unpack: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Path:
        raise unpack.Unusable("no room")

    monkeypatch.setattr(unpack, "cache_home", refuse)
    monkeypatch.setattr(unpack, "temporary_home", refuse)
    build = {"name": "jmaplite", "digest": "0" * 64, "entry": "jmaplite.cli:main"}
    with pytest.raises(SystemExit) as exit_info:
        unpack.start(str(pyz), build, {"name": "cpython"})
    assert str(exit_info.value).startswith("jmaplite: found no directory to unpack into (no room; no room)")
    assert "XDG_CACHE_HOME" in str(exit_info.value)


def test_a_place_that_forbids_native_code_is_not_used(
    unpack: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mounted:
        f_flag = os.ST_NOEXEC

    monkeypatch.setattr(unpack.os, "statvfs", lambda _: Mounted)
    with pytest.raises(unpack.Unusable, match="noexec"):
        unpack.check_executable(tmp_path)
