"""What is remembered between runs: a warm run says what a cold one says, and nothing that is wrong with a cache shows."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import FIXTURES
from samples import BOTH, CLEAN, SAFE, SYNTAX_ERROR, run, script

from gradlint.config.selection import Layer, Selection
from gradlint.diagnostic import Diagnostic
from gradlint.run import cache, cache_folder, candidates
from gradlint.run.cache import Cache
from gradlint.run.cache_folder import TAG
from gradlint.run.runner import run as run_jobs
from gradlint.run.task import FileResult, Job, Task

EVERYTHING = Task(Selection((Layer(("ALL",)),)))


@pytest.fixture(autouse=True)
def settled(_own_cache: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that a test has just written are remembered at once, and where users have it."""
    monkeypatch.delenv("GRADLINT_CACHE_DIR")
    monkeypatch.setattr(cache, "SETTLED", -60)


def jobs(tree: Path, task: Task = EVERYTHING) -> list[Job]:
    return [Job(path, task) for path in sorted((*tree.rglob("*.py"), *tree.rglob("*.ipynb")))]


def told(results: Iterator[FileResult]) -> list[tuple[str, tuple[Diagnostic, ...], str]]:
    """What came of the files that have findings, to the last word of every fix."""
    return [(each.path, each.diagnostics, each.text) for each in results if each.diagnostics]


class Reads:
    """Counts the files that are read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        honest = candidates.read_bytes

        def read_bytes(name: str) -> bytes:
            self.names.append(Path(name).name)
            return honest(name)

        monkeypatch.setattr(candidates, "read_bytes", read_bytes)


def store_in(folder: Path) -> Path:
    (found,) = folder.rglob("*.json")
    return found


def test_a_warm_run_says_what_a_cold_one_says(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(FIXTURES, tree)
    cold = told(run_jobs(jobs(tree), 1))
    assert len(cold) > 30 and told(run_jobs(jobs(tree), 1, cache=Cache(tmp_path / "c"))) == cold
    again = Cache(tmp_path / "c")
    assert told(run_jobs(jobs(tree), 1, cache=again)) == cold
    assert [each.diagnostics for each in run_jobs(jobs(tree), 1, cache=again)] == [
        each.diagnostics for each in run_jobs(jobs(tree), 1, cache=Cache(tmp_path / "other"))
    ]


def test_unchanged_files_without_findings_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, source in (("a", "x = 1\n"), ("b", CLEAN), ("c", SAFE)):
        script(tmp_path, source, f"{name}.py")
    first = told(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k")))
    reads = Reads(monkeypatch)
    monkeypatch.setattr("gradlint.run.runner.process", None)
    assert told(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k"))) == first
    assert reads.names == ["c.py"]  # its text is shown


def test_an_edit_is_seen_though_size_and_time_are_the_same(tmp_path: Path) -> None:
    path = script(tmp_path, SAFE)
    before = path.stat()
    assert len(told(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k")))) == 1
    path.write_text(SAFE.replace("loss.backward()", "loss.__repr__()"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert told(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k"))) == []


def test_files_that_were_just_written_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "SETTLED", 60)
    script(tmp_path, "x = 1\n", "a.py")
    list(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k")))
    reads = Reads(monkeypatch)
    list(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k")))
    assert reads.names == ["a.py"]


def test_a_touched_file_is_read_and_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(tmp_path, BOTH)
    first = told(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k")))
    os.utime(path, ns=(1, 1))
    monkeypatch.setattr("gradlint.run.runner.process", None)
    assert told(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k"))) == first


def test_other_settings_and_versions_know_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, BOTH)
    list(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k")))
    narrow = jobs(tmp_path, Task(Selection((Layer(("GRD501",)),))))
    assert [each.code for _, found, _ in told(run_jobs(narrow, 1, cache=Cache(tmp_path / "k"))) for each in found] == ["GRD501"]
    reads = Reads(monkeypatch)
    monkeypatch.setattr(cache, "__version__", "99.0")
    assert len(told(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k")))) == 1
    assert reads.names == ["train.py"]
    assert {path.parent.name for path in (tmp_path / "k").rglob("*.json")} == {"0.1.0", "99.0"}


def test_named_files_are_checked_for_syntax_though_a_search_passed_them_over(tmp_path: Path) -> None:
    path = script(tmp_path, "x = (\n")
    assert told(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k"))) == []
    named = [Job(path, EVERYTHING, named=True)]
    for _ in range(2):
        assert [found[0].code for _, found, _ in told(run_jobs(named, 1, cache=Cache(tmp_path / "k")))] == ["GRD000"]


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"null",
        b'{"home":[1,2],"files":{},"results":{}}',
        b"[" * 100_000,
        b'{"files":3}',
        b"\xff\xfe\x00",
        b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.",
    ],
)
def test_a_damaged_store_is_as_good_as_none(tmp_path: Path, damage: bytes) -> None:
    script(tmp_path, BOTH)
    first = told(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k")))
    store_in(tmp_path / "k").write_bytes(damage)
    assert told(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k"))) == first
    assert json.loads(store_in(tmp_path / "k").read_bytes())["files"]


def test_any_byte_may_be_wrong(tmp_path: Path) -> None:
    script(tmp_path, BOTH)
    script(tmp_path, CLEAN, "clean.py")
    first = told(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k")))
    whole = store_in(tmp_path / "k").read_bytes()
    chance = random.Random(7)
    for _ in range(150):
        broken = bytearray(whole)
        broken[chance.randrange(len(whole))] = chance.randrange(256)
        if chance.random() < 0.3:
            del broken[chance.randrange(len(whole)) :]
        store_in(tmp_path / "k").write_bytes(broken)
        found = told(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k")))
        # A letter of a message may have changed; nothing else can come of it.
        assert [path for path, _, _ in found] in ([path for path, _, _ in first], []), bytes(broken)


@pytest.mark.parametrize(
    "wrong", [[[1, 2, 3]], [["GRD101"]], [None], [[[0, 1, 1, 1], "a", "b", "c", "error", None, [], None]], 7]
)
def test_results_of_another_shape_are_not_believed(tmp_path: Path, wrong: object) -> None:
    script(tmp_path, BOTH)
    first = told(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k")))
    document = json.loads(store_in(tmp_path / "k").read_bytes())
    document["results"] = dict.fromkeys(document["results"], wrong)
    store_in(tmp_path / "k").write_text(json.dumps(document))
    assert told(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k"))) == first


def test_a_cache_that_was_copied_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, "x = 1\n", "a.py")
    list(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "k")))
    shutil.copytree(tmp_path / "k", tmp_path / "copy")
    reads = Reads(monkeypatch)
    list(run_jobs(jobs(tmp_path), 1, cache=Cache(tmp_path / "copy")))
    assert reads.names == ["a.py"]


def test_what_cannot_be_written_makes_no_noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "tree", BOTH)
    (tmp_path / "file").write_text("in the way")
    assert len(told(run_jobs(jobs(tmp_path / "tree"), 1, cache=Cache(tmp_path / "file")))) == 1

    def replace(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gradlint.run.cache_folder.os.replace", replace)
    assert len(told(run_jobs(jobs(tmp_path / "tree"), 1, cache=Cache(tmp_path / "full")))) == 1
    assert not list((tmp_path / "full").rglob("*.new")) and not list((tmp_path / "full").rglob("*.json"))


def test_a_pipe_or_a_link_in_place_of_a_store_is_left_alone(tmp_path: Path) -> None:
    script(tmp_path / "tree", BOTH)
    list(run_jobs(jobs(tmp_path / "tree"), 1, cache=Cache(tmp_path / "k")))
    store = store_in(tmp_path / "k")
    store.unlink()
    os.mkfifo(store)
    assert len(told(run_jobs(jobs(tmp_path / "tree"), 1, cache=Cache(tmp_path / "k")))) == 1
    store.unlink()
    (tmp_path / "precious").write_text("{}")
    store.symlink_to(tmp_path / "precious")
    assert len(told(run_jobs(jobs(tmp_path / "tree"), 1, cache=Cache(tmp_path / "k")))) == 1
    assert (tmp_path / "precious").read_text() == "{}" and not store.is_symlink()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    assert len(told(run_jobs(jobs(tmp_path / "tree"), 1, cache=Cache(tmp_path / "link")))) == 1
    assert os.listdir(tmp_path / "elsewhere") == []


def test_the_number_of_stores_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_folder, "MOST_STORES", 3)
    script(tmp_path, BOTH)
    for code in ("GRD101", "GRD102", "GRD103", "GRD104", "GRD201"):
        list(run_jobs(jobs(tmp_path, Task(Selection((Layer((code,)),)))), 1, cache=Cache(tmp_path / "k")))
    assert len(list((tmp_path / "k").rglob("*.json"))) == 3


def test_files_of_this_run_are_remembered_before_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST_FILES", 2)
    for name in ("a/x.py", "a/y.py", "b/x.py", "b/y.py"):
        script(tmp_path, "x = 1\n", name)
    list(run_jobs(jobs(tmp_path / "a"), 1, cache=Cache(tmp_path / "k")))
    list(run_jobs(jobs(tmp_path / "b"), 1, cache=Cache(tmp_path / "k")))
    files = json.loads(store_in(tmp_path / "k").read_bytes())["files"]
    assert sorted(files) == [str(tmp_path / "b" / "x.py"), str(tmp_path / "b" / "y.py")]


# The command


def tree(folder: Path) -> Path:
    for number in range(12):
        script(folder, SAFE if number == 3 else CLEAN, f"f{number:02}.py")
    script(folder, SYNTAX_ERROR, "broken.py")
    return folder


def test_the_cache_stands_beside_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree(tmp_path) / "gradlint.toml").write_text('ignore = ["GRD202"]\n')
    monkeypatch.chdir("/")
    first = run("check", tmp_path)
    folder = tmp_path / ".gradlint_cache"
    assert (folder / ".gitignore").read_text().endswith("\n*\n") and (folder / "CACHEDIR.TAG").read_text() == TAG
    script(folder, SAFE, "walked.py")
    assert run("check", tmp_path).output == first.output and first.exit_code == 1
    (folder / "walked.py").unlink()
    cleaned = run("clean", tmp_path)
    assert cleaned.exit_code == 0 and str(folder) in cleaned.stderr and not folder.exists()
    assert run("clean", tmp_path).output == ""


def test_no_cache_and_a_chosen_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path / "tree")
    monkeypatch.chdir(tmp_path)
    run("check", "--isolated", "--no-cache", "tree")
    assert os.listdir(tmp_path) == ["tree"]
    run("check", "--isolated", "--cache-dir", "one", "tree")
    run("check", "--isolated", "tree", env={"GRADLINT_CACHE_DIR": "two"})
    assert sorted(os.listdir(tmp_path)) == ["one", "tree", "two"]
    (tmp_path / "one" / "mine.txt").write_text("precious")
    assert run("clean", "--cache-dir", "one").exit_code == run("clean", env={"GRADLINT_CACHE_DIR": "two"}).exit_code == 0
    assert sorted(os.listdir(tmp_path)) == ["one", "tree"] and os.listdir(tmp_path / "one") == ["mine.txt"]
    assert run("clean", "--cache-dir", "tree").output == "" and len(os.listdir(tmp_path / "tree")) == 13


def test_fixes_come_from_the_file_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree(tmp_path))
    (tmp_path / "broken.py").unlink()
    run("check", "--isolated", ".")
    assert run("check", "--isolated", "--diff", ".").exit_code == 1
    assert run("check", "--isolated", "--fix", ".").exit_code == 0
    assert (tmp_path / "f03.py").read_text() == CLEAN.replace(" / accum_steps\n", "\n").replace(
        "loss.backward()", "(loss / accum_steps).backward()"
    )
    assert run("check", "--isolated", ".").exit_code == 0


def test_two_runs_at_once(tmp_path: Path) -> None:
    tree(tmp_path)
    command = [sys.executable, "-m", "gradlint", "check", "--isolated", "--select", "ALL", "--output-format", "concise", "."]
    expected = run("check", "--isolated", "--no-cache", "--select", "ALL", "--output-format", "concise", tmp_path).stdout
    for _ in range(2):
        both = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in "ab"]
        for each in both:
            out, err = each.communicate(timeout=120)
            assert (each.returncode, err) == (1, "") and len(out.splitlines()) == len(expected.splitlines())
    assert json.loads(store_in(tmp_path / ".gradlint_cache").read_bytes())["files"]
