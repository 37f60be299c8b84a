"""What zipapp.spec and its builder put into the single file."""

from __future__ import annotations

import ast
import json
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

import pytest

from .conftest import ROOT, build


def write_wheel(path: Path, *names: str) -> Path:
    with ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return path


def checksums(archive: Path) -> dict[str, int]:
    with ZipFile(archive) as opened:
        return {info.filename: info.CRC for info in opened.infolist()}


@pytest.mark.pyz
def test_the_same_input_gives_the_same_octets(pyz: Path, tmp_path: Path) -> None:
    pins = tmp_path / "pins.txt"
    with ZipFile(pyz) as archive:
        pins.write_bytes(archive.read("pins.txt"))

    again = build(tmp_path / "again.pyz", "--pins", pins)

    assert checksums(again) == checksums(pyz)
    # Digests, because a failed comparison of megabytes would be explained difference by difference.
    assert sha256(again.read_bytes()).hexdigest() == sha256(pyz.read_bytes()).hexdigest()


@pytest.mark.pyz
def test_the_archive_is_tidy(pyz: Path) -> None:
    with ZipFile(pyz) as archive:
        names = archive.namelist()
        top = {name.partition("/")[0] for name in names}

    assert names[0] == "build.json"
    assert names[1:] == sorted(names[1:])
    assert top == {"LICENSE", "__main__.py", "build.json", "pins.txt", "site", "targets", "unpack.py"}
    assert [name for name in names if "/tests/" in name or name.endswith((".pyi", ".pyx", ".c", "RECORD"))] == []


@pytest.mark.pyz
def test_every_package_is_pinned_and_keeps_its_metadata_and_licence(pyz: Path) -> None:
    with ZipFile(pyz) as archive:
        names = archive.namelist()
        pins = archive.read("pins.txt").decode().splitlines()

    folders = {name.partition(".dist-info/")[0] for name in names if ".dist-info/" in name}
    licensed = {
        name.partition(".dist-info/")[0]
        for name in names
        if ".dist-info/" in name and ("licen" in name.lower() or "copying" in name.lower())
    }
    described = {name.partition(".dist-info/")[0] for name in names if name.endswith(".dist-info/METADATA")}
    assert len(pins) == len(folders) > 10
    assert all("==" in pin and "--hash=sha256:" in pin for pin in pins)
    assert described == folders
    assert licensed == folders


@pytest.mark.pyz
def test_every_file_has_the_size_that_the_archive_says(pyz: Path) -> None:
    with ZipFile(pyz) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist() if "/" in info.filename}
        files = json.loads(archive.read("build.json"))["files"]

    assert {f"{tree}/{path}": size for tree, paths in files.items() for path, size in paths.items()} == sizes


def test_times_in_the_archive_come_from_source_date_epoch(
    builder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("a")
    spec = builder.read_spec(ROOT / "zipapp.spec")
    dates = []
    for epoch in ("0", "1700000000"):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        builder.write_archive(spec, tmp_path, ["a.txt"], tmp_path / "out.pyz")
        with ZipFile(tmp_path / "out.pyz") as archive:
            dates.append(datetime(*archive.infolist()[0].date_time))

    assert dates == [datetime(1980, 1, 1), datetime(2023, 11, 14, 22, 13, 20)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[archive]\nname = "x"', "missing"),
        ('[archive]\ncolour = "blue"', "colour"),
    ],
)
def test_a_specification_with_a_mistake_is_refused(
    builder: ModuleType, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "zipapp.spec"
    path.write_text(text)
    with pytest.raises(builder.Mistake, match=message):
        builder.read_spec(path)


@pytest.mark.parametrize(
    ("tag", "name", "platform"),
    [
        ("cp312-manylinux_2_28_x86_64", "cpython-312-x86_64-linux-gnu", "--platform=manylinux2014_x86_64"),
        ("cp313-musllinux_1_2_aarch64", "cpython-313-aarch64-linux-musl", "--platform=musllinux_1_1_aarch64"),
        ("cp313-macosx_11_0_arm64", "cpython-313-darwin-arm64", "--platform=macosx_11_0_arm64"),
    ],
)
def test_a_target_is_named_by_its_wheel_tag(builder: ModuleType, tag: str, name: str, platform: str) -> None:
    target = builder.named_target(tag)
    assert target.name == name
    assert platform in target.pip


def test_a_target_of_another_form_is_refused(builder: ModuleType) -> None:
    with pytest.raises(builder.Mistake, match="not a target"):
        builder.named_target("py3-none-any")


def test_the_oldest_glibc_is_that_of_the_most_demanding_wheel(builder: ModuleType) -> None:
    wheels = [
        Path("a-1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"),
        Path("b-1-cp310-abi3-manylinux_2_26_x86_64.manylinux_2_28_x86_64.whl"),
        Path("c-1-py3-none-any.whl"),
    ]
    assert builder.glibc_of(wheels) == [2, 26]
    assert builder.glibc_of(wheels[2:]) == []


def test_of_a_wheel_only_what_python_imports_from_is_taken(builder: ModuleType, tmp_path: Path) -> None:
    wheel = write_wheel(
        tmp_path / "a.whl",
        "a/__init__.py",
        "a-1.data/purelib/b.py",
        "a-1.data/platlib/c.so",
        "a-1.data/scripts/run",
        "a-1.data/headers/a.h",
    )
    assert [name for name, _ in builder.wheel_files(wheel)] == ["a/__init__.py", "b.py", "c.so"]


def test_what_is_kept_is_kept_though_it_is_excluded(builder: ModuleType) -> None:
    spec = builder.read_spec(ROOT / "zipapp.spec")
    assert spec.includes("quart-0.22.0.dist-info/METADATA")
    assert not spec.includes("quart-0.22.0.dist-info/RECORD")
    assert spec.includes("jmaplite/web/__init__.py")
    assert not spec.includes("jmaplite/web/__pycache__/api.cpython-311.pyc")


def test_the_entry_is_written_so_that_an_old_python_understands_it() -> None:
    source = (ROOT / "packaging" / "entry.py").read_bytes()
    newer = (
        ast.JoinedStr,
        ast.AnnAssign,
        ast.NamedExpr,
        ast.Match,
        ast.Starred,
        ast.YieldFrom,
        ast.AsyncFunctionDef,
    )
    assert source.isascii()
    assert [node for node in ast.walk(ast.parse(source)) if isinstance(node, newer)] == []
