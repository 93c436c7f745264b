"""The worker checks one repository, whatever is in it, within its limits."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("psutil", reason="surveys need the extra `organisation`")

from repositories import WRONG, git, repository

from gradlint.organisation.git import environment, is_url, without_password
from gradlint.organisation.worker import Limits, check_repository


def kinds(rows: list[dict[str, Any]]) -> list[str]:
    return [row["kind"] for row in rows]


def test_rows_of_a_working_tree(tmp_path: Path) -> None:
    folder = repository(tmp_path / "one")
    verdict, finding, whole = check_repository(str(folder))
    commit = git(folder, "rev-parse", "HEAD")
    assert {row["commit"] for row in (verdict, finding, whole)} == {commit}
    assert (verdict["kind"], verdict["verdict"], verdict["line"], verdict["n"], verdict["engine"]) == (
        "verdict",
        "wrong",
        6,
        4,
        "plain",
    )
    assert (finding["rule"], finding["path"], finding["line"], finding["severity"]) == ("GRD101", "train.py", 8, "error")
    assert (finding["fixable"], finding["n"], finding["engine"]) == ("safe", 4, "plain")
    assert (whole["state"], whole["files"]) == ("done", 1) and whole["memory"] > 0 and whole["seconds"] > 0


def test_a_clone_gives_the_same_rows_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = repository(tmp_path / "one", {"a/train.py": WRONG, "data.bin": "x"})
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr("tempfile.tempdir", None)
    here, there = check_repository(str(folder)), check_repository(f"file://{folder}")
    told = ("kind", "commit", "path", "line", "rule", "message", "state")
    assert [[row[name] for name in told] for row in here] == [[row[name] for name in told] for row in there]
    assert there[-1]["repository"] == f"file://{folder}" and not list((tmp_path / "scratch").iterdir())


def test_what_a_server_may_leave_out_is_not_fetched(tmp_path: Path) -> None:
    folder = repository(tmp_path / "one", {"train.py": WRONG, "large.py": "x = 1\n" * 1_000_000})
    git(folder, "config", "uploadpack.allowFilter", "true")
    rows = check_repository(f"file://{folder}")
    assert kinds(rows) == ["verdict", "finding", "repository"] and rows[-1]["files"] == 1


def test_a_bare_repository(tmp_path: Path) -> None:
    folder = repository(tmp_path / "one")
    git(tmp_path, "clone", "--quiet", "--bare", str(folder), "bare")
    assert kinds(check_repository(str(tmp_path / "bare"))) == ["verdict", "finding", "repository"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("plain", "this is not a git repository"),
        ("missing", "there is no such folder"),
        ("empty", "the repository has no commit"),
    ],
)
def test_what_is_no_repository_is_a_row(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "--quiet")
    (row,) = check_repository(str(tmp_path / name))
    assert (row["kind"], row["state"], row["message"]) == ("repository", "failed", message)


def test_a_broken_file_is_a_finding_beside_the_others(tmp_path: Path) -> None:
    rows = check_repository(str(repository(tmp_path / "one", {"broken.py": WRONG + "loss.backward(\n", "train.py": WRONG})))
    assert {row["rule"] for row in rows if row["kind"] == "finding"} == {"GRD000", "GRD101"} and rows[-1]["state"] == "done"


@pytest.mark.parametrize(("limits", "state"), [(Limits(seconds=0.01), "timeout"), (Limits(memory=1), "memory")])
def test_limits(tmp_path: Path, limits: Limits, state: str) -> None:
    (row,) = check_repository(str(repository(tmp_path / "one")), limits)
    assert (row["kind"], row["state"]) == ("repository", state) and row["message"]


def test_nothing_of_a_cloned_repository_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = repository(tmp_path / "one", {"train.py": WRONG, ".gitattributes": "*.py filter=evil\n", "x.gitignore": ""})
    script = tmp_path / "evil"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\ncat\n")
    script.chmod(0o755)
    config = tmp_path / "config"
    config.write_text(f'[filter "evil"]\nsmudge = {script}\nclean = {script}\n[core]\nhooksPath = {tmp_path}/hooks\n')
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "post-checkout").symlink_to(script)
    (folder / "link.py").symlink_to("/etc/passwd")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=second")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    rows = check_repository(f"file://{folder}")
    assert rows[-1]["files"] == 1 and not (tmp_path / "ran").exists()


# The token


def test_the_token_is_a_header_for_one_host_and_in_no_argument() -> None:
    made = environment({"GRADLINT_GIT_TOKEN": "geheim", "PATH": "/bin", "GIT_DIR": "/x"})
    named = {made[f"GIT_CONFIG_KEY_{place}"]: made[f"GIT_CONFIG_VALUE_{place}"] for place in range(int(made["GIT_CONFIG_COUNT"]))}
    assert named["http.https://github.com/.extraHeader"].startswith("Authorization: Basic ")
    assert "GRADLINT_GIT_TOKEN" not in made and "GIT_DIR" not in made and "geheim" not in json.dumps(made)
    assert made["GIT_TERMINAL_PROMPT"] == "0"


def test_the_token_is_in_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GRADLINT_GIT_TOKEN", "geheim")
    rows = check_repository(f"file://{tmp_path}/geheim")
    with_password = check_repository("https://me:geheim@example.org/a.git")
    assert rows[-1]["state"] == "failed" and "not" in rows[-1]["message"]
    assert rows[-1]["message"].count("geheim") == 0
    assert with_password[-1]["repository"] == "https://example.org/a.git"
    assert "geheim" not in json.dumps(with_password) and "geheim" not in "".join(capfd.readouterr())
    assert os.environ["GRADLINT_GIT_TOKEN"] == "geheim"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://me:secret@host/a", "https://host/a"),
        ("https://secret@host:8080/a", "https://host:8080/a"),
        ("ssh://git@host/a", "ssh://git@host/a"),
        ("git@host:a/b.git", "git@host:a/b.git"),
        ("/folder/with@sign", "/folder/with@sign"),
    ],
)
def test_addresses_without_passwords(given: str, shown: str) -> None:
    assert without_password(given) == shown and is_url(given) == (not given.startswith("/"))
