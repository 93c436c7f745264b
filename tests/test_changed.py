"""`--changed-since` and `--diff-base`: only the findings of a change are reported, and a repository cannot run a program."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from harness import ROOT
from hypothesis import given
from hypothesis import strategies as st
from samples import BOTH, CLEAN, SAFE, SYNTAX_ERROR, check, run, script

from gradlint import ConfigError, check_paths
from gradlint.changes.lines import ALL, Lines, moved, rows
from gradlint.changes.patch import changed_lines

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

AGAIN = SAFE.replace("import torch\n", "").replace("def train", "def again")
TWO = SAFE + AGAIN
"""Two functions with the same finding, at lines 8 and 18."""

HELPED = """\
import torch


def backward(loss):
    loss.backward()


def train(model, loader, criterion, accum_steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y)
        backward(loss)
        if (i + 1) % accum_steps == 0 or (i + 1) == len(loader):
            optimizer.step()
            optimizer.zero_grad()


def other():
    return 1
"""


def git(folder: Path, *arguments: str) -> str:
    identity = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    settings = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-c", "protocol.file.allow=always", *arguments]
    done = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path, message: str = "a change") -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--no-verify", "--message", message)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a script of two findings, on the branch `main`, as the current folder."""
    folder = tmp_path / "repository"
    script(folder, TWO)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit(folder, "the beginning")
    monkeypatch.chdir(folder)
    return folder


def rows_of(*arguments: str) -> list[str]:
    """The places of what is reported since `HEAD`, or since another commit."""
    if not any(each.startswith(("--changed-since", "--diff-base")) for each in arguments):
        arguments = (*arguments, "--changed-since=HEAD")
    done = check("--output-format", "concise", "-q", *arguments)
    assert done.exit_code in (0, 1), done.stderr
    return [":".join(line.split(":")[:-2]) for line in done.stdout.splitlines()]


def changed(source: str, old: str, new: str, which: int = 1) -> str:
    """The source with the first or second occurrence of a text replaced."""
    parts = source.split(old)
    return old.join(parts[:which]) + new + old.join(parts[which:])


# Which findings


@pytest.mark.parametrize(
    ("old", "new", "reported"),
    [
        ("loss.backward()", "loss.backward()  # now", [1]),
        ("            optimizer.zero_grad()\n", "            optimizer.zero_grad(set_to_none=True)\n", [1]),
        ("        loss = criterion(model(x), y)\n", "        x = x.cuda()\n        loss = criterion(model(x), y)\n", [1]),
        ("enumerate(loader)", "enumerate( loader)", [1]),
        ("def train(model, loader", "def train(model , loader", []),
        ("import torch\n", "import torch\nimport os\n", []),
    ],
    ids=["the line", "elsewhere in the loop", "a new line", "the head of the loop", "another line", "above"],
)
def test_a_finding_belongs_to_a_change_of_its_loop(repository: Path, old: str, new: str, reported: list[int]) -> None:
    text = script(repository, changed(TWO, old, new)).read_text()
    places = [index + 1 for index, line in enumerate(text.splitlines()) if "loss.backward()" in line]
    assert rows_of() == [f"train.py:{places[each - 1]}" for each in reported]


def test_a_deleted_line_belongs_to_its_loop(repository: Path) -> None:
    script(repository, changed(TWO, "            optimizer.zero_grad()\n", "", 2))
    assert {each.partition(":")[2] for each in rows_of("--select", "ALL")} <= {str(row) for row in range(13, 24)}
    assert "train.py:18" in rows_of()


def test_a_statement_of_several_lines_is_one_place(repository: Path) -> None:
    split = TWO.replace(
        "SGD(model.parameters(), lr=0.1)",
        "Adam(\n        model.parameters(),\n        lr=0.1,\n        weight_decay=0.1,\n    )",
        1,
    )
    script(repository, split)
    commit(repository)
    script(repository, split.replace("lr=0.1", "lr=0.2", 1))
    assert rows_of("--select", "GRD501") == ["train.py:5"]


def test_a_change_of_the_loop_reaches_a_finding_in_a_function_that_it_runs(repository: Path) -> None:
    script(repository, HELPED)
    commit(repository)
    script(repository, HELPED.replace("loss = criterion(model(x), y)", "loss = criterion(model(x), y.long())"))
    assert rows_of() == ["train.py:5"]
    script(repository, HELPED.replace("return 1", "return 2"))
    assert rows_of() == []


def test_what_cannot_be_parsed_is_reported(repository: Path) -> None:
    script(repository, TWO + "\n" + SYNTAX_ERROR)
    assert len(rows_of()) == 1


def test_nothing_has_changed(repository: Path) -> None:
    done = check("--changed-since", "HEAD")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "All checks passed!\nNo Python file or notebook has changed since HEAD.\n"


def test_the_rest_is_counted(repository: Path) -> None:
    script(repository, changed(TWO, "loss.backward()", "loss.backward()  # now"))
    done = check("--changed-since", "HEAD")
    assert done.exit_code == 1
    assert "Checked 1 file, 2 training loops: 2 wrong" in done.stdout
    assert "Found 1 error.\n" in done.stdout and "1 finding is outside of the change since HEAD.\n" in done.stdout
    done = check("--changed-since", "HEAD", "--output-format", "json")
    assert len(json.loads(done.stdout)) == 1 and done.stderr == "1 finding is outside of the change since HEAD.\n"


def test_no_file_at_all_is_no_good_news(repository: Path) -> None:
    (repository / "empty").mkdir()
    assert "no Python files or notebooks found" in check("empty", "--changed-since", "HEAD").stderr


# Which files


def test_new_moved_and_deleted_files(repository: Path) -> None:
    script(repository, "import os\n", "gone.py")
    commit(repository)
    script(repository, SAFE, "new.py")
    (repository / "gone.py").unlink()
    (repository / "sub").mkdir()
    (repository / "train.py").rename(repository / "sub" / "moved.py")
    git(repository, "add", "--all", "sub", "train.py")
    assert rows_of() == ["new.py:8"]
    script(repository, changed(TWO, "loss.backward()", "loss.backward()  # now", 2), "sub/moved.py")
    assert rows_of() == ["new.py:8", "sub/moved.py:18"]
    assert rows_of("sub") == ["sub/moved.py:18"]
    git(repository, "add", "--all")
    assert rows_of() == ["new.py:8", "sub/moved.py:18"]
    commit(repository)
    assert rows_of() == [] and rows_of("--changed-since=HEAD^") == ["new.py:8", "sub/moved.py:18"]


def test_an_ignored_file_is_no_change(repository: Path) -> None:
    script(repository, "/scratch.py\n", ".gitignore")
    script(repository, SAFE, "scratch.py")
    assert rows_of("scratch.py") == []


@pytest.mark.parametrize(
    "name", ["a b.py", "é.py", 'q"uo\\te.py', "tab\t.py", "new\nline.py", "-x.py", "sub/[a].py", ":(top)x.py"]
)
def test_unusual_names(repository: Path, name: str) -> None:
    script(repository, TWO, name)
    assert len(json.loads(check("--changed-since", "HEAD", "--output-format", "json").stdout)) == 2
    commit(repository)
    script(repository, changed(TWO, "loss.backward()", "loss.backward()  # now"), name)
    (found,) = json.loads(check("--changed-since", "HEAD", "--output-format", "json").stdout)
    assert found["filename"] == str(repository / name) and found["location"]["row"] == 8


def test_a_named_file_with_another_suffix(repository: Path) -> None:
    script(repository, TWO, "train.txt")
    commit(repository)
    script(repository, changed(TWO, "loss.backward()", "loss.backward()  # now"), "train.txt")
    assert rows_of("train.txt") == ["train.txt:8"]


def test_lines_that_look_like_the_head_of_a_file(repository: Path) -> None:
    script(repository, SAFE, "other.py")
    script(repository, "-- b/other.py\n", "notes.py")
    commit(repository)
    script(repository, "++ b/other.py\n@@ -1 +1,99 @@\n", "notes.py")
    script(repository, CLEAN, "new.py")
    assert all(each.startswith("notes.py") for each in rows_of())


def test_from_a_folder_below_and_from_another_worktree(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(repository, TWO, "sub/deep.py")
    commit(repository)
    git(repository, "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    script(repository, changed(TWO, "loss.backward()", "loss.backward()  # now"), "sub/deep.py")
    script(repository, SAFE, "new.py")
    monkeypatch.chdir(repository / "sub")
    assert rows_of() == ["deep.py:8"] and rows_of("..") == ["../new.py:8", "../sub/deep.py:8"]
    script(tmp_path / "side", changed(TWO, "loss.backward()", "loss.backward()  # now", 2))
    monkeypatch.chdir(tmp_path)
    assert rows_of("side") == ["side/train.py:18"]


def test_a_link_to_the_repository(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(repository, changed(TWO, "loss.backward()", "loss.backward()  # now"))
    (tmp_path / "link").symlink_to(repository, target_is_directory=True)
    monkeypatch.chdir(tmp_path / "link")
    assert rows_of() == ["train.py:8"] and rows_of(str(tmp_path / "link")) == [f"{tmp_path}/link/train.py:8"]


def test_a_merge_with_conflicts(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "-b", "side")
    script(repository, changed(TWO, "loss.backward()", "loss.backward()  # theirs"))
    commit(repository)
    git(repository, "checkout", "--quiet", "main")
    script(repository, changed(TWO, "loss.backward()", "loss.backward()  # ours"))
    commit(repository)
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "merge", "side")
    assert len(rows_of()) == 1  # the markers do not parse


def test_two_ways_to_compare(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "-b", "feature")
    script(repository, changed(TWO, "loss.backward()", "loss.backward()  # mine"))
    commit(repository)
    git(repository, "checkout", "--quiet", "main")
    script(repository, changed(TWO, "loss.backward()", "loss.backward()  # later", 2))
    commit(repository)
    git(repository, "checkout", "--quiet", "feature")
    assert rows_of("--diff-base=main") == ["train.py:8"]
    assert rows_of("--changed-since=main") == ["train.py:8", "train.py:18"]
    done = check("--diff-base", "main")
    assert "1 finding is outside of the change since the merge base with main.\n" in done.stdout


# Notebooks


def notebook(folder: Path, *cells: str, outputs: str = "") -> None:
    code: list[dict[str, Any]] = [
        {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [outputs] * bool(outputs), "source": each}
        for each in (cell.splitlines(keepends=True) for cell in cells)
    ]
    script(folder, json.dumps({"cells": code, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1), "nb.ipynb")


def test_cells_of_a_notebook(repository: Path) -> None:
    second = SAFE.replace("def train", "def again")
    notebook(repository, SAFE, second)
    commit(repository)
    notebook(repository, SAFE, second, outputs="a picture")
    assert rows_of() == []
    notebook(repository, SAFE, second.replace("optimizer.step()", "optimizer.step()  # now"))
    assert rows_of() == ["nb.ipynb:cell 2:8"]
    notebook(repository, SAFE.replace("optimizer.step()", "optimizer.step()  # now"), second)
    assert rows_of() == ["nb.ipynb:cell 1:8"]
    notebook(repository, "import os\n", SAFE, second)
    assert rows_of() == []


def test_only_cells_of_the_change_are_fixed(repository: Path) -> None:
    second = SAFE.replace("def train", "def again")
    notebook(repository, SAFE, second)
    commit(repository)
    notebook(repository, SAFE, second.replace("optimizer.step()", "optimizer.step()  # now"))
    assert check("--changed-since", "HEAD", "--fix").exit_code == 0
    sources = ["".join(cell["source"]) for cell in json.loads((repository / "nb.ipynb").read_text())["cells"]]
    assert sources[0] == SAFE and "(loss / accum_steps).backward()" in sources[1]


# With other options


def test_only_findings_of_the_change_are_fixed(repository: Path) -> None:
    script(repository, "# a comment\n" + changed(TWO, "loss.backward()", "loss.backward()  # now", 2))
    done = check("--changed-since", "HEAD", "--fix")
    fixed = (repository / "train.py").read_text()
    assert done.exit_code == 0 and fixed.count("(loss / accum_steps).backward()") == 1
    assert fixed.index("(loss / accum_steps)") > fixed.index("def again")
    assert "Found 1 error (1 fixed, 0 remaining).\n" in done.stdout and "1 finding is outside" in done.stdout
    assert check("--changed-since", "HEAD", "--fix").exit_code == 0 and (repository / "train.py").read_text() == fixed


def test_only_fixes_of_the_change_are_shown(repository: Path) -> None:
    script(repository, changed(TWO, "loss.backward()", "loss.backward()  # now", 2))
    done = check("--changed-since", "HEAD", "--diff")
    assert done.exit_code == 1 and done.stdout.count("\n+") == 2  # the head and one line


def test_comments_are_added_for_the_change_only(repository: Path) -> None:
    script(repository, changed(TWO, "loss.backward()", "loss.backward()  # now", 2))
    assert check("--changed-since", "HEAD", "--add-ignore").exit_code == 0
    assert (repository / "train.py").read_text().count("gradlint: ignore[GRD101]") == 1


def test_a_baseline_holds_its_own(repository: Path) -> None:
    check("--write-baseline", "baseline.json")
    commit(repository)
    assert rows_of("--baseline", "baseline.json") == []
    script(repository, changed(TWO, "loss.backward()", "loss.backward()  # now") + AGAIN.replace("again", "more"))
    assert rows_of("--baseline", "baseline.json") == ["train.py:28"]
    done = check("--changed-since", "HEAD", "--baseline", "baseline.json")
    assert "2 findings are held back by the baseline.\n" in done.stdout and "outside" not in done.stdout


def test_the_cache_knows_all_findings(repository: Path) -> None:
    for number in range(12):
        script(repository, TWO, f"m{number}.py")
    commit(repository)
    for number in range(12):
        script(repository, changed(TWO, "loss.backward()", "loss.backward()  # now"), f"m{number}.py")
        os.utime(repository / f"m{number}.py", (1, 1))
    for _ in range(2):
        assert len(rows_of()) == 12
        assert len(check("--output-format", "concise", "-q").stdout.splitlines()) == 26


def test_files_that_have_not_changed_are_not_checked(repository: Path) -> None:
    script(repository, SAFE, "new.py")
    assert check("--changed-since", "HEAD", "--show-files").stdout == "new.py\n"
    assert "left out: train.py (unchanged since HEAD)\n" in check("--changed-since", "HEAD", "-v").stderr


def test_the_interface_for_python(repository: Path) -> None:
    script(repository, changed(TWO, "loss.backward()", "loss.backward()  # now", 2))
    assert [each.span.start.row for each in check_paths(".", isolated=True, changed_since="HEAD")] == [18]
    assert [each.span.start.row for each in check_paths(".", isolated=True, diff_base="HEAD")] == [18]
    with pytest.raises(ConfigError, match="no commit 'nothing'"):
        check_paths(".", changed_since="nothing")


def test_the_commands_of_the_page_about_ci(repository: Path) -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    text = next(block for block in re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S) if "--diff-base" in block)
    git(repository, "tag", "v1.0")
    git(repository, "update-ref", "refs/remotes/origin/main", "main")
    script(repository, SAFE, "new.py")
    for line in text.splitlines():
        assert rows_of(*shlex.split(line, comments=True)[2:]) == ["new.py:8"]


# What cannot be answered


def refusal(*arguments: str) -> str:
    done = check(*arguments)
    assert done.exit_code == 2 and done.stdout == "" and done.stderr.count("\n") == 1, done.output
    return done.stderr.strip()


def test_what_git_does_not_know(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for ref in ("nothing", "", "--output=x", "main:train.py", "main..main"):
        assert refusal("--changed-since", ref).endswith(f"git knows no commit {ref!r}")
        assert refusal("--diff-base", ref).endswith(f"git knows no commit {ref!r}")
    script(tmp_path, SAFE, "outside.py")
    assert "not in the git repository" in refusal(".", "../outside.py", "--changed-since", "HEAD")
    monkeypatch.chdir(tmp_path)
    assert "not in a git repository" in refusal(".", "--changed-since", "HEAD")


def test_a_repository_without_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, SAFE)
    git(tmp_path, "init", "--quiet")
    monkeypatch.chdir(tmp_path)
    assert "git knows no commit 'HEAD'" in refusal("--changed-since", "HEAD")


def test_a_shallow_clone(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(repository, "checkout", "--quiet", "-b", "feature")
    script(repository, SAFE, "new.py")
    commit(repository)
    git(repository, "checkout", "--quiet", "main")
    script(repository, SAFE, "later.py")
    commit(repository)
    git(tmp_path, "clone", "--quiet", "--depth=1", "--branch=feature", repository.as_uri(), "shallow")
    monkeypatch.chdir(tmp_path / "shallow")
    assert "fetch-depth: 0" in refusal("--diff-base", "origin/main")
    git(tmp_path / "shallow", "fetch", "--quiet", "--depth=1", "origin", "main:refs/remotes/origin/main")
    assert "does not contain the merge base of origin/main and HEAD" in refusal("--diff-base", "origin/main")
    git(tmp_path / "shallow", "fetch", "--quiet", "--unshallow", "origin")
    assert rows_of("--diff-base=origin/main") == ["new.py:8"]


def test_branches_with_nothing_in_common(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "--orphan", "other")
    commit(repository)
    assert "no commit in common" in refusal("--diff-base", "main")
    assert rows_of("--changed-since=main") == []


def test_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert refusal("--changed-since", "HEAD").endswith("git is not installed, and only git knows what has changed")


def test_options_that_contradict_it(repository: Path) -> None:
    assert "--diff-base" in refusal("--changed-since", "HEAD", "--diff-base", "main")
    assert "--write-baseline" in refusal("--changed-since", "HEAD", "--write-baseline", "b.json")
    assert "stdin" in refusal("-", "--diff-base", "HEAD")


# A repository that was not written by its user


def test_a_repository_cannot_run_a_program(repository: Path, tmp_path: Path) -> None:
    marker = tmp_path / "pwned"
    evil = script(tmp_path, f"#!/bin/sh\ntouch '{marker}'\ncat\n", "evil.sh")
    evil.chmod(0o755)
    hook = script(repository, f"#!/bin/sh\ntouch '{marker}'\n", ".git/hooks/post-index-change")
    hook.chmod(0o755)
    script(repository, evil.read_text(), "git").chmod(0o755)
    script(repository, "*.py filter=x diff=x\n*.ipynb filter=y diff=x\n", ".gitattributes")
    settings = {
        "core.fsmonitor": evil,
        "core.pager": evil,
        "diff.external": evil,
        "diff.x.command": evil,
        "diff.x.textconv": evil,
        "filter.x.clean": evil,
        "filter.x.smudge": evil,
        "filter.x.required": "true",
        "filter.y.process": evil,
        "filter.y.required": "true",
        "filter.z Z.clean": evil,
        "core.hooksPath": repository / ".git" / "hooks",
        "alias.diff": f"!{evil}",
        "diff.noprefix": "true",
        "diff.relative": "true",
        "diff.interHunkContext": "9",
        "color.ui": "always",
    }
    for key, value in settings.items():
        git(repository, "config", key, str(value))
    marker.unlink(missing_ok=True)
    script(repository, changed(TWO, "loss.backward()", "loss.backward()  # now", 2))
    notebook(repository, SAFE)
    assert rows_of() == ["nb.ipynb:cell 1:8", "train.py:18"]
    assert rows_of("--diff-base=main") == ["nb.ipynb:cell 1:8", "train.py:18"]
    assert not marker.exists()


def test_a_filter_that_cannot_be_turned_off(repository: Path) -> None:
    with (repository / ".git" / "config").open("a") as file:
        file.write('[filter "a=b"]\n\tclean = cat\n')
    script(repository, SAFE, "new.py")
    assert "a filter that cannot be turned off" in refusal("--changed-since", "HEAD")


def test_names_cannot_inject_escapes(repository: Path) -> None:
    git(repository, "tag", "a\u202eb")
    assert "\u202e" not in check("--changed-since", "a\u202eb").output
    assert "\x1b" not in check("--changed-since", "\x1b[31m").output


# The parts


def test_lines_of_a_patch() -> None:
    patch = b"""\
diff --git a/a.py b/a.py
--- a/a.py
+++ b/a.py
@@ -1 +1,2 @@ def f():
-old
+new
+++ b/trap.py
@@ -9,2 +10,0 @@
-one
-two
diff --git a/b c.py b/b c.py
--- /dev/null
+++ b/b c.py\t
@@ -0,0 +1 @@
+x
\\ No newline at end of file
diff --git a/gone.py b/gone.py
--- a/gone.py
+++ /dev/null
@@ -1 +0,0 @@
-x
* Unmerged path d.py
"""
    assert changed_lines(patch) == {
        b"a.py": Lines(((1, 2), (10, 11))),
        b"b c.py": Lines(((1, 1),)),
        b"d.py": ALL,
    }


def test_lines_that_end_in_a_carriage_return_alone() -> None:
    assert rows(Lines(((2, 2),)), "a\rb\nc\rd\r\ne\n") == Lines(((3, 4),))
    assert rows(Lines(((1, 1),)), "a\rb\rc") == Lines(((1, 3),))
    assert rows(Lines(((2, 2),)), "a\r\nb\n") == Lines(((2, 2),))


LINES = st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=8)


@given(LINES, LINES, st.sets(st.integers(1, 8)))
def test_what_a_fix_writes_is_touched(old: list[str], new: list[str], numbers: set[int]) -> None:
    touched = Lines(tuple((number, number) for number in sorted(numbers)))
    before, after = "\n".join(old), "\n".join(new)
    found = moved(touched, before, after)
    assert found.ranges == tuple(sorted(found.ranges))
    if before == after:
        assert found == touched
    unchanged = [line for index, line in enumerate(new, 1) if not found.touch(index, index)]
    assert all(line in old for line in unchanged)


def test_run_from_the_command_line(repository: Path) -> None:
    script(repository, BOTH, "new.py")
    assert run("check", "--changed-since", "HEAD", "--statistics").stdout.startswith("1\tGRD101")
