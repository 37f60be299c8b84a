"""One configuration in several files."""

from __future__ import annotations

from pathlib import Path

import pytest

from jmaplite.config import ConfigError, load

MAIN = """\
include = ["conf.d/*.toml"]
server.listener.jmap.bind = "127.0.0.1:0"
jmap.directory = "memory"
directory.memory.type = "memory"
directory.memory.principals = [{ name = "jane" }]
"""


@pytest.fixture
def main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("conf.d").mkdir()
    Path("config.toml").write_text(MAIN)
    return Path("config.toml")


def mistakes() -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load("config.toml")
    return raised.value.lines()


def test_what_is_included_counts_as_if_it_stood_there(main: Path) -> None:
    Path("conf.d/a.toml").write_text("[jmap.email]\nmax-size = 5\n")
    Path("conf.d/b.toml").write_text('[[directory.memory.principals]]\nname = "joe"\n')
    config = load(main)
    assert config.email.max_size == 5
    assert [one.name for one in config.directory.principals] == ["jane", "joe"]
    assert config.files == tuple(Path(name).absolute() for name in ("config.toml", "conf.d/a.toml", "conf.d/b.toml"))


def test_a_pattern_that_nothing_matches_includes_nothing_but_a_name_has_to_be_there(main: Path) -> None:
    assert load(main).files == (main.absolute(),)
    main.write_text(MAIN.replace("conf.d/*", "conf.d/none"))
    assert mistakes() == ["config.toml:1: include: there is no file 'conf.d/none.toml'"]


def test_stalwarts_name_of_the_option_is_known(main: Path) -> None:
    Path("conf.d/a.toml").write_text("jmap.email.max-size = 5\n")
    main.write_text(MAIN.replace('include = ["conf.d/*.toml"]', 'include.files = ["conf.d/a.toml"]'))
    assert load(main).email.max_size == 5


def test_relative_paths_begin_from_the_file_they_stand_in(main: Path) -> None:
    Path("conf.d/a.toml").write_text('store.path = "mail"\ndirectory.memory.principals = { name = "%{file:name}%" }')
    Path("conf.d/name").write_text("joe\n")
    config = load(main)
    assert config.store.path == Path("conf.d/mail").absolute()
    assert [one.name for one in config.directory.principals] == ["jane", "joe"]


def test_a_mistake_names_the_file_it_stands_in_and_the_other_one(main: Path) -> None:
    Path("conf.d/a.toml").write_text('\n[[directory.memory.principals]]\nname = "jane"\nquota = "much"\n')
    Path("conf.d/b.toml").write_text("\n\njmap.directory = 'x'\n[[directory.memory.principals]]\n")
    main.write_text(f"{MAIN}\njmap.emial = 5\n")
    assert mistakes() == [
        "config.toml:7: jmap.emial: unknown key (did you mean 'email'?)",
        "conf.d/a.toml:3: directory.memory.principals[0].name: 'jane' is the name of another principal on line 5 of "
        "config.toml",
        'conf.d/a.toml:4: directory.memory.principals[0].quota: expected a size such as 50000000, "50MB" or "1G", '
        "found 'much'",
        "conf.d/b.toml:3: jmap.directory: is the same as jmap.directory, which is set on line 3 of config.toml",
        "conf.d/b.toml:4: directory.memory.principals[0].name: is required: a name to log in with",
    ]


def test_a_file_that_cannot_be_read_leaves_out_what_would_only_follow_from_it(main: Path) -> None:
    main.write_text(MAIN.replace('directory.memory.type = "memory"\n', "store.path = 5\n"))
    Path("conf.d/a.toml").write_text('directory.memory.type = "memory\n')
    Path("conf.d/b.toml").write_bytes(b"# \xff\n")
    assert [line.partition(": ")[0] for line in mistakes()] == ["config.toml:4", "conf.d/a.toml:1", "conf.d/b.toml:1"]


def test_a_file_that_includes_itself_or_more_is_read_once(main: Path) -> None:
    main.write_text(MAIN.replace("conf.d/*", "*"))
    assert load(main).files == (main.absolute(),)
    Path("other.toml").write_text('include = "more.toml"\n')
    assert mistakes() == ["other.toml:1: include: is the same as include, which is set on line 1 of config.toml"]
