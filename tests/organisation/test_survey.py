"""A survey under Dask: rows in Parquet, one bad repository stops nothing, and it goes on after `kill -9`."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="surveys need the extra `organisation`")
pytest.importorskip("pyarrow", reason="surveys need the extra `organisation`")
pytest.importorskip("psutil", reason="surveys need the extra `organisation`")

from repositories import WRONG, repository

from gradlint.organisation.store import Store, files_of, read_rows

ROOT = Path(__file__).parents[2]


def command(folder: Path, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "gradlint.organisation", "survey", *map(str, arguments), "-o", str(folder), "--workers", "1"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}


def test_a_survey_and_its_resumption(tmp_path: Path) -> None:
    good = [repository(tmp_path / name) for name in ("one", "two")]
    (tmp_path / "plain").mkdir()
    listed = tmp_path / "list.txt"
    listed.write_text(f"# all of them\n{good[0]}\n{tmp_path / 'plain'}\n\nfile://{good[1]}\n{good[0]}\n")
    first = subprocess.run(command(tmp_path / "out", listed), capture_output=True, text=True, env=environment(), timeout=120)
    assert first.returncode == 0, first.stderr
    assert "3 repositories, 1 failed in this run" in first.stdout and "[3/3]" in first.stderr
    assert "plain failed: this is not a git repository" in first.stderr
    rows = list(read_rows([tmp_path / "out" / "findings.parquet"]))
    assert sorted(row["state"] for row in rows if row["kind"] == "repository") == ["done", "done", "failed"]
    assert [row["rule"] for row in rows if row["kind"] == "finding"] == ["GRD101", "GRD101"]
    again = subprocess.run(command(tmp_path / "out", listed), capture_output=True, text=True, env=environment(), timeout=120)
    assert "0 failed in this run" in again.stdout and not again.stderr
    assert list(read_rows([tmp_path / "out" / "findings.parquet"])) == rows


def test_it_goes_on_after_a_kill(tmp_path: Path) -> None:
    names = [str(repository(tmp_path / f"r{number}", {f"{n}.py": WRONG for n in range(6)})) for number in range(6)]
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(names))
    out = tmp_path / "out"
    process = subprocess.Popen(command(out, listed), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment())
    end = time.monotonic() + 100
    while not (out.exists() and files_of(out)) and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in files_of(out)}
    assert kept and all(row["state"] == "done" for row in read_rows(kept) if row["kind"] == "repository")
    done = subprocess.run(command(out, listed), capture_output=True, text=True, env=environment(), timeout=200)
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    rows = list(read_rows([out / "findings.parquet"]))
    assert sorted(row["repository"] for row in rows if row["kind"] == "repository") == sorted(names)
    assert sum(row["kind"] == "finding" for row in rows) == 36


def test_failed_repositories_can_be_tried_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    row = {"repository": "a", "kind": "repository", "state": "timeout"}
    store.write("a", [row])
    assert store.is_done("a") and not store.is_done("a", retry=True) and not store.is_done("b")
    store.write("a", [{**row, "state": "done"}])
    assert store.is_done("a", retry=True)


def test_a_worker_that_dies_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import Client

    module = importlib.import_module("gradlint.organisation.survey")

    def check(name: str, *_: object) -> list[dict[str, object]]:
        if name == "b":
            raise MemoryError("the worker died\nwith its task")
        return [{"repository": name, "kind": "repository", "state": "done", "message": ""}]

    monkeypatch.setattr(module, "check_repository", check)
    monkeypatch.setattr(module, "_client", lambda *_: Client(processes=False, n_workers=1, dashboard_address=None))
    found = {each.repository: (each.state, each.message) for each in module.survey(iter("abc"), tmp_path)}
    assert found == {"a": ("done", ""), "b": ("crashed", "MemoryError: the worker died"), "c": ("done", "")}
