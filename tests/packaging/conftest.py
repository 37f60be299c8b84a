"""The single file, built once per run, and the modules that build it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def module(name: str) -> ModuleType:
    """A module of the folder packaging, which is no package."""
    spec = importlib.util.spec_from_file_location(f"jmaplite_packaging_{name}", ROOT / "packaging" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded  # dataclasses look their module up
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="session")
def builder() -> ModuleType:
    return module("build")


@pytest.fixture(scope="session")
def unpack() -> ModuleType:
    return module("unpack")


def build(output: Path, *arguments: str | Path) -> Path:
    """Build an archive as `make pyz` does; skips where pip reaches no index."""
    command = [sys.executable, ROOT / "packaging" / "build.py", "--output", output, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "pip found no wheels" in done.stderr:
        pytest.skip("needs a package index that pip can reach")
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file under test: the one that JMAPLITE_PYZ names, or one built now."""
    given = os.environ.get("JMAPLITE_PYZ")
    return Path(given) if given else build(tmp_path_factory.mktemp("pyz") / "jmaplite.pyz")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """An empty cache directory, where `run` unpacks into `cache / "jmaplite"`."""
    path = tmp_path / "cache"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def environment(tmp_path: Path, cache: Path) -> dict[str, str]:
    """What `run` starts the file with: nothing of the caller's but what a shell needs."""
    temporary = tmp_path / "temporary"
    temporary.mkdir(mode=0o700)
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/dev/null",
        "TMPDIR": str(temporary),
        "XDG_CACHE_HOME": str(cache),
    }


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Start Python with arguments, isolated from the environment's site, in the root directory."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", *arguments],
            cwd="/",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
