"""From paths to files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from samples import SAFE, check, run, script

from gradlint.config.load import Config, Configs
from gradlint.files.discover import discover


def files(tree: Path, *paths: Path, **settings: Any) -> list[str]:
    given = {key.replace("_", "-"): value for key, value in settings.items()}
    configs = Configs(Config().with_settings(given, Path.cwd(), "a test"))
    return [os.path.relpath(target.path, tree) for target in discover(paths or (tree,), configs).targets]


def make(tree: Path, *names: str) -> None:
    for name in names:
        script(tree, "", name)


def test_python_files_in_a_stable_order(tmp_path: Path) -> None:
    make(tmp_path, "b.py", "a.py", "sub/c.py", "readme.md", "stub.pyi", "sub/deep/d.py")
    assert files(tmp_path) == ["a.py", "b.py", "sub/c.py", "sub/deep/d.py"]


def test_usual_folders_are_left_out(tmp_path: Path) -> None:
    make(
        tmp_path, "a.py", *(f"{name}/x.py" for name in (".git", ".venv", "venv", "node_modules", "build", "dist", "__pycache__"))
    )
    make(tmp_path, "lib/site-packages/x.py", ".eggs/x.py", "sub/.tox/x.py", "builder/x.py")
    assert files(tmp_path) == ["a.py", "builder/x.py"]
    assert files(tmp_path, tmp_path / "build") == ["build/x.py"]


def test_gitignore_files_nest(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "gen/x.py", "sub/a.py", "sub/keep.py", "sub/gen/x.py", "sub/deep/local.py", "sub/deep/keep.py")
    (tmp_path / ".gitignore").write_text("gen/\nkeep.py\n")
    (tmp_path / "sub" / ".gitignore").write_text("/a.py\n!keep.py\n")
    (tmp_path / "sub" / "deep" / ".gitignore").write_text("local.py\n")
    assert files(tmp_path) == ["a.py", "sub/keep.py", "sub/deep/keep.py"]


def test_gitignore_above_the_path_counts_in_a_repository(tmp_path: Path) -> None:
    make(tmp_path, "sub/gen/x.py", "sub/a.py")
    (tmp_path / ".gitignore").write_text("gen\n")
    assert files(tmp_path, tmp_path / "sub") == ["sub/a.py", "sub/gen/x.py"]
    (tmp_path / ".git").mkdir()
    assert files(tmp_path, tmp_path / "sub") == ["sub/a.py"]


def test_named_files_are_always_checked(tmp_path: Path) -> None:
    make(tmp_path, "build/x.py", "ignored.py", "script")
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    named = [tmp_path / "build" / "x.py", tmp_path / "ignored.py", tmp_path / "script"]
    assert files(tmp_path, *named) == ["build/x.py", "ignored.py", "script"]


def test_exclude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "a.py", "old/x.py", "sub/old/x.py", "sub/b_test.py", "venv/x.py")
    assert files(tmp_path, extend_exclude=("/old", "*_test.py")) == ["a.py", "sub/old/x.py"]
    assert files(tmp_path, exclude=("/old", "*_test.py")) == ["a.py", "sub/old/x.py", "venv/x.py"]
    assert files(tmp_path, exclude=(), extend_exclude=("old",)) == ["a.py", "sub/b_test.py", "venv/x.py"]


def test_exclude_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "a.py", "b.py", "c.py", "venv/x.py")
    (tmp_path / "gradlint.toml").write_text('exclude = ["a.py", "venv/"]\n')

    def listed(*arguments: str) -> list[str]:
        return run("check", "--show-files", *arguments).stdout.split()

    assert listed() == ["b.py", "c.py"]
    assert listed("--extend-exclude", "b.py") == ["c.py"]
    assert listed("--exclude", "b.py,c.py") == ["a.py", "venv/x.py"]
    assert listed("--isolated") == ["a.py", "b.py", "c.py"]


def test_force_exclude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "a.py", "old/x.py", "sub/venv/x.py")
    paths = [Path("a.py"), Path("old/x.py"), Path("sub/venv/x.py")]
    assert len(files(tmp_path, *paths, extend_exclude=["old/"])) == 3
    assert files(tmp_path, *paths, extend_exclude=["old/"], force_exclude=True) == ["a.py"]
    assert files(tmp_path, *paths, exclude=["old/"], force_exclude=True) == ["a.py", "sub/venv/x.py"]


def test_gitignore_can_be_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "gen/x.py")
    (tmp_path / ".gitignore").write_text("gen/\n")
    assert files(tmp_path) == ["a.py"]
    assert files(tmp_path, respect_gitignore=False) == ["a.py", "gen/x.py"]


@pytest.mark.parametrize("pattern", ["[", "a**b", "!", "\\", "***", "[z-a]", "a/**/", "{", "(", "\0"])
def test_odd_patterns_do_no_harm(tmp_path: Path, pattern: str) -> None:
    make(tmp_path, "a.py", "gen/x.py")
    (tmp_path / ".gitignore").write_text(f"{pattern}\ngen/\n")
    assert files(tmp_path) in (["a.py"], [])


@pytest.mark.parametrize("pattern", ["!", "\\", "[z-a]"])
def test_what_is_no_pattern_is_told(tmp_path: Path, pattern: str) -> None:
    make(tmp_path, "a.py")
    message = f"`{pattern}` is not a .gitignore pattern\n"
    for option in ("--exclude", "--extend-exclude"):
        assert check(option, pattern, tmp_path).stderr == f"error: {message}"
    assert check("--per-file-ignores", f"{pattern}:GRD1", tmp_path).exit_code == (0 if pattern == "!" else 2)
    path = tmp_path / "gradlint.toml"
    path.write_text(f"extend-exclude = [\n  'a',\n  '{pattern}',\n]\n")
    assert run("check", tmp_path).stderr == f"error: {path}:3: `extend-exclude`: {message}"


def test_what_is_left_out_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "a.py", "venv/x.py", "gen/x.py", "old/x.py", "b.py", "notes/readme.md")
    (tmp_path / ".gitignore").write_text("gen/\n")
    (tmp_path / "gradlint.toml").write_text('extend-exclude = ["old"]\n')
    shown = check_here("-v", "--extend-exclude", "b.py").stderr.splitlines()
    assert shown == [
        "left out: b.py (the command line)",
        "left out: gen (.gitignore)",
        f"left out: old ({tmp_path / 'gradlint.toml'})",
        "left out: venv (usually left out)",
        f"1 file to check with the settings of {tmp_path / 'gradlint.toml'}",
    ]
    told = check_here("-v", "--force-exclude", "old/x.py").stderr.splitlines()
    assert told == [
        f"left out: old/x.py ({tmp_path / 'gradlint.toml'})",
        "warning: no Python files or notebooks found under old/x.py",
    ]


def check_here(*arguments: str) -> Result:
    return run("check", *arguments)


def test_each_file_once(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "sub/b.py")
    (tmp_path / "link.py").symlink_to(tmp_path / "a.py")
    assert files(tmp_path, tmp_path, tmp_path / "sub", tmp_path / "a.py") == ["a.py", "sub/b.py"]


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    make(tmp_path, "a.py")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "loop.py").symlink_to(tmp_path)
    assert files(tmp_path) == ["a.py"]


def test_pipes_are_not_read(tmp_path: Path) -> None:
    make(tmp_path, "a.py")
    os.mkfifo(tmp_path / "pipe.py")
    assert files(tmp_path) == ["a.py"]


@pytest.mark.parametrize(
    ("name", "message"), [("missing.py", "No such file"), ("broken.py", "broken link"), ("loop.py", "leads back to itself")]
)
def test_paths_that_are_none(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "broken.py").symlink_to("nowhere")
    (tmp_path / "loop.py").symlink_to("loop.py")
    script(tmp_path, SAFE)
    result = check("--output-format", "concise", tmp_path / name, tmp_path / "train.py")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1 and f"{name}: " in result.stderr and message in result.stderr
    assert "GRD101" in result.stdout


def test_broken_links_in_a_folder_are_diagnostics(tmp_path: Path) -> None:
    (tmp_path / "broken.py").symlink_to("nowhere")
    (tmp_path / "loop.py").symlink_to("loop.py")
    script(tmp_path, SAFE)
    result = check("--output-format", "concise", tmp_path)
    assert result.exit_code == 1
    shown = [line.split(": ", 1)[1] for line in result.stdout.splitlines()[:3]]
    assert shown[0].startswith("GRD000 the file cannot be read: No such file")
    assert shown[1].startswith("GRD000 the file cannot be read: Too many levels")
    assert shown[2].startswith("GRD101")
