"""No edit, attribute or source is lost to a run, and nothing is left behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from samples import SAFE, check, run, script

from gradlint.cli import applying
from gradlint.files import write


def test_a_save_that_is_made_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, other = script(tmp_path, SAFE), script(tmp_path, SAFE, "other.py")
    saved = SAFE + "# a thought\n"
    begin = applying.apply

    def after_a_save(*arguments: object) -> object:
        path.write_text(saved)
        return begin(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("gradlint.cli.run_check.apply", after_a_save)
    result = check("--fix", tmp_path)
    assert (path.read_text(), result.exit_code) == (saved, 2) and other.read_text() != SAFE
    assert f"{path}: cannot be written: the file changed in the meantime, so gradlint did not write it" in result.stderr
    assert "(1 fixed, 0 remaining)" in result.stdout


@pytest.mark.parametrize("name", ["n" * 252 + ".py", "m" * 240 + ".py"])
def test_names_as_long_as_they_can_be(tmp_path: Path, name: str) -> None:
    path = script(tmp_path, SAFE, name)
    assert check("--fix", path).exit_code == 0 and path.read_text() != SAFE


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="this system has no extended attributes")
def test_extended_attributes_are_kept(tmp_path: Path) -> None:
    path = script(tmp_path, SAFE)
    try:
        os.setxattr(path, "user.origin", b"here")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    check("--fix", path)
    assert path.read_text() != SAFE and os.getxattr(path, "user.origin") == b"here"


def test_what_a_killed_run_has_left_is_removed(tmp_path: Path) -> None:
    script(tmp_path, SAFE)
    old, fresh, foreign = (tmp_path / name for name in (".gradlint-a1b2.tmp", ".gradlint-c3d4.tmp", ".other.tmp"))
    for each in (old, fresh, foreign):
        each.write_text("x")
    for each in (old, foreign):
        os.utime(each, (time.time() - 2 * write._ABANDONED,) * 2)
    check("--fix", tmp_path)
    assert [each.exists() for each in (old, fresh, foreign)] == [False, True, True]


def test_what_a_killed_run_has_left_in_the_cache_is_removed(tmp_path: Path) -> None:
    path, cache = script(tmp_path, SAFE), tmp_path / "cache"
    for number in range(10):  # fewer are checked without a cache
        script(tmp_path, SAFE, f"{number}.py")
    run("check", "--cache-dir", cache, tmp_path)
    (folder,) = (each for each in cache.iterdir() if each.is_dir())
    old, fresh = folder / ".a1b2.new", folder / ".c3d4.new"
    for each in (old, fresh):
        each.write_text("x")
    os.utime(old, (time.time() - 2 * write._ABANDONED,) * 2)
    run("check", "--cache-dir", cache, path, script(tmp_path, SAFE, "other.py").parent)
    assert (old.exists(), fresh.exists()) == (False, True)


def test_a_link_out_of_the_tree_is_written_only_where_it_is_named(tmp_path: Path) -> None:
    outside = script(tmp_path, SAFE, "elsewhere/train.py")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link.py").symlink_to(outside)
    result = check("--fix", tree)
    assert (outside.read_text(), result.exit_code) == (SAFE, 2) and "not among the files to check" in result.stderr
    assert check("--fix", tree / "link.py").exit_code == 0 and outside.read_text() != SAFE


def test_a_link_within_the_tree_is_written(tmp_path: Path) -> None:
    inside = script(tmp_path, SAFE, "below/train.py")
    (tmp_path / "link.py").symlink_to(inside)
    assert check("--fix", tmp_path).exit_code == 0 and inside.read_text() != SAFE and (tmp_path / "link.py").is_symlink()


# Outputs

OUTPUTS = {
    "report": ("--output-file", "train.py"),
    "report of a name that a shell put there": ("-otrain.py",),
    "new source": ("-o", "new.py"),
    "summary": ("--summary", "markdown", "--summary-file", "train.py"),
    "baseline": ("--write-baseline", "new.py"),
    "file that is checked": ("-o", "script", "script"),
    "link to one": ("-o", "link", "train.py"),
    "link to a source that is not checked": ("-o", "away.txt"),
    "configuration": ("-opyproject.toml",),
    "link to a configuration": ("-o", "settings.txt"),
}


@pytest.mark.parametrize("arguments", OUTPUTS.values(), ids=OUTPUTS)
def test_no_output_goes_over_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, SAFE)
    script(tmp_path, SAFE, "script")
    Path("link").symlink_to("train.py")
    Path("away.txt").symlink_to(script(tmp_path, SAFE, "other/away.py"))
    Path("pyproject.toml").write_text("[tool]\n")
    Path("settings.txt").symlink_to("pyproject.toml")
    result = check(*arguments, "train.py", "script")
    assert result.exit_code == 2 and "does not overwrite it" in result.stderr
    assert Path("pyproject.toml").read_text() == "[tool]\n" and Path("away.txt").read_text() == SAFE
    assert Path("train.py").read_text() == Path("script").read_text() == SAFE and not Path("new.py").exists()


def test_no_picture_goes_over_a_source(tmp_path: Path) -> None:
    path, other = script(tmp_path, SAFE), script(tmp_path, SAFE, "script")
    for target in (path, other):
        result = run("show", "--svg", target, path, other)
        assert result.exit_code == 2 and "does not overwrite it" in result.stderr
    assert path.read_text() == other.read_text() == SAFE


def test_a_report_is_written_again(tmp_path: Path) -> None:
    path, target = script(tmp_path, SAFE), tmp_path / "report.txt"
    for _ in range(2):
        assert check("-o", target, path).exit_code == 1 and target.read_text().count("GRD101") == 1
