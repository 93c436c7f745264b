"""Baselines: only new findings fail, whatever moves the lines of the old ones."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from samples import BOTH, CLEAN, SAFE, SYNTAX_ERROR, check, run, script

from gradlint.analysis.engine import analyze
from gradlint.registry import all_rules
from gradlint.suppression.baseline import Baseline, BaselineError, Entries, read_baseline, sort, to_renew, write_baseline
from gradlint.suppression.prints import Print, prints

SECOND = SAFE.replace("import torch\n\n\n", "").replace("def train", "def again")


def entries(source: str) -> Entries:
    found = analyze(source, "train.py", all_rules())
    return tuple((mark, 1) for mark in prints(source, found))


def new(source: str, known: Entries) -> list[str]:
    return [each.code for each in sort(source, analyze(source, "train.py", all_rules()), known).new]


def test_what_a_finding_is_known_by() -> None:
    assert [mark for mark, _ in entries(BOTH)] == [
        Print("GRD501", "train", "torch.optim.Adam(model.parameters(),lr=0.1,weight_decay=0.01)"),
        Print("GRD101", "train", "loss.backward()"),
    ]
    in_class = "import torch\n\n\nclass Trainer:\n" + "".join(f"    {line}\n" for line in SAFE.splitlines()[3:])
    assert entries(in_class)[0][0].scope == "Trainer.train"
    assert entries(SAFE.replace("def train(model, loader, criterion, accum_steps):", "if True:"))[0][0].scope == ""


@pytest.mark.parametrize(
    "change",
    [
        lambda s: "# a comment\n\n" + s,
        lambda s: s.replace("import torch\n", "import os\nimport torch\n\n\ndef other():\n    return os.name\n"),
        lambda s: s.replace("\n", "\r\n"),
        lambda s: s.replace("    ", "\t"),
        lambda s: s.replace("loss.backward()", "loss . backward( )  # still"),
        lambda s: s.replace("loss.backward()", "loss.backward(\n            # nothing\n        )"),
        lambda s: s.replace("weight_decay=0.01)", "\n        weight_decay=0.01,  # decays\n    )"),
        lambda s: s.replace("def train(", "@torch.enable_grad()\ndef train("),
        lambda s: s.replace("        loss = criterion", "        x = x.cuda()\n        loss = criterion"),
        lambda s: "if True:\n" + "".join(f"    {line}\n" if line else "\n" for line in s.splitlines()),
    ],
    ids=["above", "elsewhere", "crlf", "tabs", "spaces", "wrapped", "exploded", "decorated", "beside", "indented"],
)
def test_entries_survive(change: object) -> None:
    changed = change(BOTH)  # type: ignore[operator]
    assert changed != BOTH
    assert new(changed, entries(BOTH)) == []


def test_what_is_new() -> None:
    known = entries(SAFE)
    assert new(BOTH, known) == ["GRD501"]
    assert new(SAFE.replace("def train", "def fit"), known) == ["GRD101"]
    assert new(SAFE.replace("loss.backward()", "loss.backward(retain_graph=True)"), known) == ["GRD101"]
    assert new(f"{SAFE}\n\n{SECOND}", known) == ["GRD101"]


def test_duplicates_are_counted() -> None:
    twice = SAFE + SAFE[SAFE.index("    for ") :]
    assert entries(twice)[0][0] == entries(SAFE)[0][0]
    assert len(entries(twice)) == 2
    assert new(twice, entries(SAFE)) == ["GRD101"]
    assert new(twice, ((entries(SAFE)[0][0], 2),)) == []


def test_a_syntax_error_is_always_new() -> None:
    assert new(SYNTAX_ERROR, ((Print("GRD000", "", "loss.backward("), 1), (Print("GRD000", "", ""), 1))) == ["GRD000"]


def test_long_code_is_cut_and_still_told_apart() -> None:
    def made(value: int) -> str:
        return BOTH.replace("lr=0.1", f"lr={'0.1 * ' * 60}{value}")

    (mark, _) = entries(made(1))[0]
    assert len(mark.text) < 200
    assert new(made(1), entries(made(1))) == [] and new(made(2), entries(made(1))) == ["GRD501"]


def test_file_reads_and_writes_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    known = {"b/train.py": entries(SAFE), "a.py": ((Print("GRD101", "f", 'x["é\u2028"]'), 3), *entries(BOTH))}
    write_baseline(path, Baseline(tmp_path, known))
    text = path.read_text(encoding="ascii")
    assert read_baseline(path) == Baseline(tmp_path, {name: tuple(sorted(each)) for name, each in known.items()})
    rows = [line for line in text.splitlines() if '"path"' in line]
    assert len(rows) == 4 and rows == sorted(rows) and text.endswith("\n")
    assert json.loads(text)["version"] == 1 and '"count": 3' in text and text.count("count") == 1
    write_baseline(path, read_baseline(path))
    assert path.read_text() == text
    write_baseline(path, Baseline(tmp_path))
    assert json.loads(path.read_text()) == {"version": 1, "findings": []}


def test_merged_duplicates_add_up(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    row = {"path": "a.py", "rule": "GRD101", "scope": "f", "text": "x"}
    path.write_text(json.dumps({"version": 1, "findings": [row, {**row, "count": 2}]}))
    assert read_baseline(path).of(tmp_path / "a.py") == ((Print("GRD101", "f", "x"), 3),)


ROW = {"path": "a.py", "rule": "GRD101", "scope": "f", "text": "x"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a baseline: not valid JSON at line 1, column 1"),
        ('{"version": 1,\n<<<<<<< HEAD\n', "not a baseline: not valid JSON at line 2, column 1"),
        ("[" * 100_000, "not a baseline: not valid JSON"),
        ("[]", "not a baseline: it must be an object with the keys `version` and `findings`"),
        ("{}", "not a baseline: it must be an object"),
        ('{"version": 2, "findings": []}', "the baseline has version 2, but this gradlint reads version 1"),
        ('{"version": true, "findings": []}', "the baseline has version true"),
        ('{"version": 1}', "`findings` must be a list"),
        ('{"version": 1, "findings": [3]}', "finding 1 must be an object"),
        (json.dumps({"version": 1, "findings": [ROW, {**ROW, "rule": 3}]}), "finding 2: `rule` must be a string"),
        (json.dumps({"version": 1, "findings": [{**ROW, "count": 0}]}), "finding 1: `count` must be a positive number"),
        (json.dumps({"version": 1, "findings": [{**ROW, "count": True}]}), "finding 1: `count` must be a positive number"),
    ],
)
def test_a_broken_baseline_is_one_line_and_status_2(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(content)
    with pytest.raises(BaselineError) as error:
        read_baseline(path)
    assert str(path) in str(error.value) and message in str(error.value) and "\n" not in str(error.value)
    result = check("--baseline", path, script(tmp_path))
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.startswith(f"error: {path}: ") and message in result.stderr and result.stderr.count("\n") == 1
    if content:
        again = check("--write-baseline", path, script(tmp_path))
        assert again.exit_code == 2 and "gradlint does not overwrite it" in again.stderr and path.read_text() == content


def test_a_baseline_that_cannot_be_read(tmp_path: Path) -> None:
    missing, latin = tmp_path / "none.json", tmp_path / "latin.json"
    latin.write_bytes(b'{"version": "\xe9"}')
    for path, message in (
        (missing, f"there is no such baseline; `--write-baseline {missing}` creates it"),
        (tmp_path, "cannot be read: Is a directory"),
        (latin, "not a baseline: not valid JSON"),
    ):
        result = check("--baseline", path, script(tmp_path))
        assert result.exit_code == 2 and message in result.stderr and result.stderr.count("\n") == 1


def test_what_is_no_baseline_is_not_written_over(tmp_path: Path) -> None:
    path = script(tmp_path)
    result = check("--write-baseline", path, path)
    assert result.exit_code == 2 and "gradlint does not overwrite it" in result.stderr and path.read_text() == SAFE
    for target in (tmp_path, tmp_path / "no" / "baseline.json"):
        result = check("--write-baseline", target, path)
        assert result.exit_code == 2 and result.stderr.count("\n") == 1, target
        assert not (tmp_path / "no").exists()
    empty = tmp_path / "empty.json"
    empty.touch()
    assert to_renew(empty) == Baseline(tmp_path)


# The command


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two findings in one file and one in another, and their baseline."""
    script(tmp_path, BOTH, "src/a.py")
    script(tmp_path, SAFE, "src/deep/b.py")
    script(tmp_path, CLEAN, "src/c.py")
    monkeypatch.chdir(tmp_path)
    written = check("--write-baseline", "baseline.json", "src")
    assert written.exit_code == 0
    assert written.stdout.splitlines()[-1] == "Wrote 3 findings of 2 files to baseline.json."
    return tmp_path


def test_paths_are_relative_to_the_baseline_with_forward_slashes(project: Path) -> None:
    rows = json.loads((project / "baseline.json").read_text())["findings"]
    assert [row["path"] for row in rows] == ["src/a.py", "src/a.py", "src/deep/b.py"]


def test_only_new_findings_fail(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = check("--baseline", "baseline.json", "src")
    assert known.exit_code == 0 and known.stdout.splitlines()[-1] == "3 findings are held back by the baseline."
    assert check("--baseline", "baseline.json", "-q", "src").stdout == ""
    script(project, f"import os\n{SAFE}\n\n{SECOND}", "src/deep/b.py")
    found = check("--baseline", "baseline.json", "--output-format", "concise", "src")
    assert found.exit_code == 1 and found.stdout.count("GRD101") == 1
    assert found.stdout.startswith(f"src{os.sep}deep{os.sep}b.py:19:9: GRD101 ")
    assert "Found 1 error." in found.stdout and "3 findings are held back by the baseline." in found.stdout
    monkeypatch.chdir(project / "src" / "deep")
    assert check("--baseline", "../../baseline.json", "-q", "--output-format", "concise", "b.py").stdout.count("GRD") == 1


def test_machine_formats_hold_back_the_same_and_stay_valid(project: Path) -> None:
    found = check("--baseline", "baseline.json", "--output-format", "json", "src")
    assert json.loads(found.stdout) == [] and found.exit_code == 0
    assert found.stderr == "3 findings are held back by the baseline.\n"


def test_stale_entries_are_told_and_fail_nothing(project: Path) -> None:
    script(project, CLEAN, "src/a.py")
    (project / "src" / "deep" / "b.py").unlink()
    found = check("--baseline", "baseline.json", "src")
    assert found.exit_code == 0
    wanted = "3 entries of the baseline no longer occur; rewrite it with `--write-baseline` to drop them."
    assert found.stdout.splitlines()[-1] == wanted
    partial = check("--baseline", "baseline.json", "src/c.py")
    assert "no longer" not in partial.stdout
    one = check("--baseline", "baseline.json", "src/deep")
    assert "1 entry of the baseline no longer occurs; rewrite it with `--write-baseline` to drop it." in one.stdout
    assert check("--baseline", "baseline.json", "--write-baseline", "baseline.json", "src").exit_code == 0
    assert json.loads((project / "baseline.json").read_text())["findings"] == []


def test_a_renamed_file_is_new(project: Path) -> None:
    (project / "src" / "a.py").rename(project / "src" / "renamed.py")
    found = check("--baseline", "baseline.json", "src")
    assert found.exit_code == 1 and "2 entries of the baseline no longer occur" in found.stdout


def test_what_lies_elsewhere_stays_when_it_is_written_anew(project: Path) -> None:
    script(project, SAFE, "tests/d.py")
    assert (
        check("--write-baseline", "baseline.json", "tests").stdout.splitlines()[-1]
        == "Wrote 4 findings of 3 files to baseline.json."
    )
    assert check("--baseline", "baseline.json", "src", "tests").exit_code == 0


def test_a_run_answers_for_the_rules_that_it_runs(project: Path) -> None:
    partial = check("--baseline", "baseline.json", "--select", "GRD501", "src")
    assert partial.exit_code == 0 and "no longer" not in partial.stdout
    check("--select", "GRD2", "--write-baseline", "baseline.json", "src")
    assert len(json.loads((project / "baseline.json").read_text())["findings"]) == 3
    script(project, SAFE, "src/a.py")
    check("--select", "GRD501", "--write-baseline", "baseline.json", "src")
    rows = json.loads((project / "baseline.json").read_text())["findings"]
    assert [(row["path"], row["rule"]) for row in rows] == [("src/a.py", "GRD101"), ("src/deep/b.py", "GRD101")]


def test_entries_of_a_file_that_cannot_be_read_wait_for_it(project: Path) -> None:
    script(project, f"{BOTH}<<<<<<< HEAD\n", "src/a.py")
    found = check("--baseline", "baseline.json", "src")
    assert found.exit_code == 1 and "GRD000" in found.stdout and "no longer" not in found.stdout
    check("--write-baseline", "baseline.json", "src")
    assert len(json.loads((project / "baseline.json").read_text())["findings"]) == 3


def test_fixes_touch_what_is_new_only(project: Path) -> None:
    source = f"{BOTH}\n\n{SECOND}"
    path = script(project, source, "src/a.py")
    shown = check("--baseline", "baseline.json", "--diff", "src")
    assert shown.exit_code == 1 and shown.stdout.count("\n+ ") == 1
    fixed = check("--baseline", "baseline.json", "--fix", "--unsafe-fixes", "src")
    assert fixed.exit_code == 0
    head, tail = source.rsplit("loss.backward()", 1)
    assert path.read_text() == f"{head}(loss / accum_steps).backward(){tail}"
    assert "3 findings are held back by the baseline." in fixed.stdout


def test_a_fix_does_not_drag_along_what_is_held_back_on_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fix of GRD201 rewrites the guard that GRD202, which is accepted, points at."""
    monkeypatch.chdir(tmp_path)
    script(tmp_path, CLEAN.replace("(i + 1) % accum_steps == 0 or (i + 1) == len(loader)", "i % accum_steps == 0"))
    assert check("--select", "GRD202", "--write-baseline", "baseline.json", ".").exit_code == 0
    fixed = check("--baseline", "baseline.json", "--fix", ".")
    assert "1 finding is held back by the baseline." in fixed.stdout and fixed.exit_code == 0
    assert "if (i + 1) % accum_steps == 0:" in (tmp_path / "train.py").read_text()


def test_syntax_errors_are_never_accepted(project: Path) -> None:
    script(project, f"{SAFE}def f(:\n", "src/broken.py")
    for _ in range(2):
        found = check("--write-baseline", "baseline.json", "src")
        assert found.exit_code == 1 and "GRD000" in found.stdout and "Wrote 3 findings" in found.stdout
    assert check("--baseline", "baseline.json", "src").exit_code == 1


def test_unused_suppressions_can_be_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, CLEAN.replace("loss.backward()", "loss.backward()  # gradlint: ignore[GRD101]"))
    assert check("--write-baseline", "baseline.json").exit_code == check("--baseline", "baseline.json").exit_code == 0


def test_notebooks_are_known_whatever_cells_come_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def write(*sources: str) -> None:
        cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": source} for source in sources]
        (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}, indent=1))

    write("%matplotlib inline\n" + SAFE)
    assert check("--write-baseline", "baseline.json").exit_code == 0
    write("import os", "!ls\n\n" + SAFE)
    assert check("--baseline", "baseline.json").exit_code == 0


def test_configuration_names_one(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.gradlint]\nbaseline = "baseline.json"\n')
    assert run("check", "src").exit_code == 0
    assert run("check", "--isolated", "src").exit_code == 1
    script(project, SAFE, "src/new.py")
    assert run("check", "--output-format", "concise", "-q", "src").stdout.count("GRD") == 1
    (project / "baseline.json").unlink()
    missing = run("check", "src")
    assert missing.exit_code == 2 and "there is no such baseline" in missing.stderr


def test_many_files_in_a_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(45):
        script(tmp_path, SAFE, f"f{number:02}.py")
    assert "Wrote 45 findings of 45 files" in check("--write-baseline", "b.json").stdout
    assert check("--baseline", "b.json").exit_code == 0


@pytest.mark.parametrize("other", ["--diff", "--fix-only"])
def test_write_baseline_conflicts(project: Path, other: str) -> None:
    result = check("--write-baseline", "b.json", other, "src")
    assert result.exit_code == 2 and result.stderr == f"error: --write-baseline cannot be used with {other}\n"


def test_two_branches_merge_like_text(project: Path) -> None:
    """Entries that two branches add in different places merge without a conflict."""

    def git(*arguments: str) -> str:
        named = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main")
        return subprocess.run(["git", *named, *arguments], check=True, capture_output=True, text=True, cwd=project).stdout

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    for branch, name in (("left", "src/0.py"), ("right", "src/z.py")):
        git("checkout", "-q", "-b", branch, "main")
        script(project, SAFE, name)
        assert check("--write-baseline", "baseline.json", "src").exit_code == 0
        git("add", ".")
        git("commit", "-qm", branch)
    git("merge", "-q", "left", "-m", "both")
    assert check("--baseline", "baseline.json", "src").exit_code == 0


def test_what_earlier_runs_remember_changes_nothing(project: Path) -> None:
    for _ in range(2):
        assert "Found 2 errors and 1 warning." in check("src").stdout
        assert "3 findings are held back" in check("--baseline", "baseline.json", "src").stdout
