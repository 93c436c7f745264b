"""The GitHub Action and the snippets for build servers: what stands in `action.yml` and `docs/ci.md` is what runs here."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from formats import commands
from harness import ROOT
from samples import BOTH, SAFE, run, script

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
BASH = shutil.which("bash") or ""
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
SNIPPETS = [yaml.load(text, yaml.BaseLoader) for text in re.findall(r"^```yaml[^\n]*\n(.*?)^```$", PAGE, re.M | re.S)]
needs_bash = pytest.mark.skipif(not BASH or os.name == "nt", reason="there is no bash")


def step(name: str) -> dict[str, Any]:
    (found,) = (each for each in ACTION["runs"]["steps"] if each["name"] == name)
    return dict(found)


def act(script_of: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The script of a step, as the runner runs it: written to a file, the inputs in the environment."""
    temp = folder.parent / "temp"
    temp.mkdir(exist_ok=True)
    file = temp / "step.sh"
    file.write_text(step(script_of)["run"], encoding="utf-8")
    settings = {
        "SUMMARY": "false",
        "ISOLATED": "false",
        "FAIL_ON": "info",
        "CHANGED_ONLY": "false",
        "PATH": os.environ["PATH"],
        "RUNNER_TEMP": str(temp),
        "GITHUB_OUTPUT": str(temp / "output"),
        **environment,
    }
    command = [BASH, "--noprofile", "--norc", "-e", "-o", "pipefail", str(file)]
    return subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with this Python and this gradlint, as the step before leaves them."""
    home = tmp_path / "programs"
    home.mkdir()
    for name, arguments in (("python", ""), ("gradlint", " -m gradlint")):
        path = home / name
        path.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}"{arguments} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
    return home


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    script(folder, SAFE)
    script(folder, SAFE, "a folder/other.py")
    return folder


# The action


def test_inputs_reach_scripts_through_the_environment_only() -> None:
    steps = ACTION["runs"]["steps"]
    scripts = [each for each in steps if "run" in each]
    assert len(scripts) == 2 and not any("${{" in each["run"] for each in scripts)
    used = json.dumps([[each.get(key) for key in ("env", "with", "if", "working-directory")] for each in steps])
    assert {name for name in ACTION["inputs"] if f"inputs.{name} " in used} == set(ACTION["inputs"])
    for each in scripts:
        assert each["shell"] == "bash"
        assert all(f"${name}" in each["run"] for name in each["env"])
    assert all(value["description"] and "default" in value for value in ACTION["inputs"].values())


def test_actions_are_pinned_by_hash() -> None:
    used = [each["uses"] for each in ACTION["runs"]["steps"] if "uses" in each]
    assert used and all(re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", each) for each in used)


@needs_bash
def test_the_action_can_ignore_the_settings_of_the_repository(programs: Path, repository: Path) -> None:
    (repository / "gradlint.toml").write_text('exclude = ["*"]\n', encoding="utf-8")
    for isolated, told in (("false", 0), ("true", 2)):
        inputs = {"PROGRAMS": str(programs), "PATHS": ".", "ARGS": "", "OUTPUT_FORMAT": "github", "ISOLATED": isolated}
        assert len(commands(act("Check", repository, **inputs).stdout)) == told


@needs_bash
def test_the_action_annotates_and_fails(programs: Path, repository: Path) -> None:
    done = act("Check", repository, PROGRAMS=str(programs), PATHS=".", ARGS="", OUTPUT_FORMAT="github")
    assert done.returncode == 1, done.stderr
    assert {command.properties["file"] for command in commands(done.stdout)} == {"a folder/other.py", "train.py"}


@needs_bash
def test_the_action_writes_a_summary_of_the_job(programs: Path, repository: Path, tmp_path: Path) -> None:
    inputs = {
        "PROGRAMS": str(programs),
        "PATHS": ".",
        "OUTPUT_FORMAT": "github",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    done = act("Check", repository, **inputs, ARGS="", SUMMARY="true")
    assert done.returncode == 1 and len(commands(done.stdout)) == 2 and done.stdout.count("\n") == 2, done.stdout
    assert "2 findings" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    (tmp_path / "summary.md").unlink()
    act("Check", repository, **inputs, ARGS="", SUMMARY="false")
    assert not (tmp_path / "summary.md").exists()


@needs_bash
def test_inputs_are_split_like_a_shell_and_not_run(programs: Path, repository: Path) -> None:
    done = act("Check", repository, PROGRAMS=str(programs), PATHS="'a folder'\n", ARGS="-q --exit-zero", OUTPUT_FORMAT="concise")
    assert done.returncode == 0 and done.stdout.startswith("a folder/other.py:8:9: GRD101"), done.stderr
    for hostile in ("$(touch pwned)", "`touch pwned`", "; touch pwned", "* && touch pwned", "> pwned"):
        for paths, arguments in ((hostile, ""), (".", hostile)):
            done = act("Check", repository, PROGRAMS=str(programs), PATHS=paths, ARGS=arguments, OUTPUT_FORMAT="github")
            assert done.returncode == 2 and not (repository / "pwned").exists(), done.stdout
    done = act("Check", repository, PROGRAMS=str(programs), PATHS="--fix", ARGS="", OUTPUT_FORMAT="github")
    assert done.returncode == 2 and (repository / "train.py").read_text(encoding="utf-8") == SAFE
    done = act("Check", repository, PROGRAMS=str(programs), PATHS=".", ARGS="--select 'GRD101", OUTPUT_FORMAT="github")
    assert done.returncode == 2 and commands(done.stderr)[0].data == "The input 'args': No closing quotation"


@needs_bash
def test_modules_of_the_repository_are_not_imported(programs: Path, repository: Path) -> None:
    for name in ("shlex.py", "sitecustomize.py", "venv.py", "pip.py"):
        script(repository, "open('pwned', 'w')\n", name)
    act("Check", repository, PROGRAMS=str(programs), PATHS="train.py", ARGS="-q", OUTPUT_FORMAT="github")
    python = programs / "python"
    act("Install gradlint", repository, PYTHON=str(python), VERSION="==0", GITHUB_ACTION_PATH="", PIP_NO_INDEX="1")
    assert not (repository / "pwned").exists()


@needs_bash
@pytest.mark.parametrize(
    ("version", "wanted"),
    [("", "/the/action"), ("0.1.0", "torch-gradlint==0.1.0"), (">=0.1,<0.2", "torch-gradlint>=0.1,<0.2")],
)
def test_the_version_that_is_installed(version: str, wanted: str, tmp_path: Path, repository: Path) -> None:
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\n[ "$3" = venv ] || { echo "$@"; exit; }\nmkdir -p "$4/bin" && cp "$0" "$4/bin/python"\n', encoding="utf-8"
    )
    python.chmod(0o755)
    done = act("Install gradlint", repository, PYTHON=str(python), VERSION=version, GITHUB_ACTION_PATH="/the/action")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"-I -m pip install --quiet --disable-pip-version-check {wanted}\n"
    assert (tmp_path / "temp" / "output").read_text(encoding="utf-8") == f"programs={tmp_path}/temp/gradlint/bin\n"


@needs_bash
@pytest.mark.parametrize(
    "version", ["--index-url=https://e.vil", " @ https://e.vil/x.whl", "0.1; touch pwned", "$(touch pwned)", "../x"]
)
def test_what_is_no_version_is_not_installed(version: str, tmp_path: Path, repository: Path) -> None:
    done = act("Install gradlint", repository, PYTHON="/bin/false", VERSION=version, GITHUB_ACTION_PATH="/the/action")
    (command,) = commands(done.stdout)
    assert done.returncode == 2 and "version" in command.data and not (repository / "pwned").exists()


@needs_bash
def test_the_outputs_of_the_action(programs: Path, repository: Path, tmp_path: Path) -> None:
    script(repository, BOTH, "both.py")
    inputs = {"PROGRAMS": str(programs), "PATHS": ".", "OUTPUT_FORMAT": "github"}
    assert act("Check", repository, **inputs, ARGS="").returncode == 1
    output = tmp_path / "temp" / "output"
    found = dict(line.split("=", 1) for line in output.read_text(encoding="utf-8").splitlines())
    assert found == {"errors": "3", "warnings": "1", "fixable": "3", "sarif": str(tmp_path / "temp" / "gradlint.sarif")}
    assert set(found) == set(ACTION["outputs"])
    assert len(json.loads(Path(found["sarif"]).read_text(encoding="utf-8"))["runs"][0]["results"]) == 4
    output.unlink()
    assert act("Check", repository, **inputs, ARGS="--select GRD999").returncode == 2 and not output.exists()
    assert act("Check", repository, **inputs, ARGS="--diff").returncode == 1 and output.read_text(encoding="utf-8") == ""


@needs_bash
def test_the_action_fails_from_a_severity_on(programs: Path, repository: Path) -> None:
    inputs = {"PROGRAMS": str(programs), "PATHS": ".", "OUTPUT_FORMAT": "github"}
    for level, status in (("error", 0), ("warning", 1), ("info", 1), ("never", 0)):
        assert (
            act("Check", repository, **inputs, ARGS="--config severity.GRD101='\"warning\"'", FAIL_ON=level).returncode == status
        )
    assert act("Check", repository, **inputs, ARGS="", FAIL_ON="sometimes").returncode == 2


@needs_bash
def test_the_action_can_report_only_what_a_pull_request_changes(programs: Path, repository: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=repository, check=True)

    git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--quiet", "--message=before")
    git("update-ref", "refs/remotes/origin/main", "main")
    script(repository, SAFE, "new.py")
    inputs = {"PROGRAMS": str(programs), "PATHS": ".", "ARGS": "", "OUTPUT_FORMAT": "github", "CHANGED_ONLY": "true"}
    done = act("Check", repository, **inputs, GITHUB_BASE_REF="main")
    assert [command.properties["file"] for command in commands(done.stdout)] == ["new.py"]
    assert len(commands(act("Check", repository, **inputs).stdout)) == 3  # not a pull request
    done = act("Check", repository, **inputs, GITHUB_BASE_REF="gone")
    assert done.returncode == 2 and "git knows no commit 'origin/gone'" in done.stderr


# The page


def test_the_page_names_every_input_and_its_default() -> None:
    for name, value in ACTION["inputs"].items():
        (row,) = re.findall(rf"^\| `{name}` \| (.*?) \|", PAGE, re.M)
        assert row.strip("`") == value["default"] or name in ("args", "version")


def test_the_page_names_every_format() -> None:
    from gradlint.report.names import NAMES

    table = PAGE.partition("\n\n## ")[0]
    assert all(f"`{name}`" in table for name in NAMES)


def jobs(snippet: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in snippet.get("jobs", {}).values():
        yield from job["steps"]


def test_workflows_use_the_action_by_its_inputs() -> None:
    workflows = [each for each in SNIPPETS if "jobs" in each]
    assert len(workflows) == 4 and all(each["on"] for each in workflows)
    used = [each for snippet in workflows for each in jobs(snippet) if each.get("uses", "").startswith("torch-gradlint/")]
    assert len(used) == 3 and all(set(each["with"]) <= set(ACTION["inputs"]) for each in used)


@needs_bash
def test_the_workflow_for_code_scanning_uploads_what_the_action_writes(programs: Path, repository: Path) -> None:
    (snippet,) = (each for each in SNIPPETS if "security-events" in each.get("permissions", {}))
    ours, upload = list(jobs(snippet))[1:]
    inputs = {name: ours["with"].get(name, value["default"]) for name, value in ACTION["inputs"].items()}
    done = act(
        "Check",
        repository,
        PROGRAMS=str(programs),
        PATHS=inputs["paths"],
        ARGS=inputs["args"],
        OUTPUT_FORMAT=inputs["output-format"],
    )
    assert done.returncode == 0, done.stderr
    log = json.loads((repository / upload["with"]["sarif_file"]).read_text(encoding="utf-8"))
    assert len(log["runs"][0]["results"]) == 2


def lines_of_gradlint(texts: Iterator[str] | list[str]) -> list[list[str]]:
    return [shlex.split(text)[1:] for text in texts if text.startswith("gradlint ")]


def test_the_job_for_gitlab(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (snippet,) = (each for each in SNIPPETS if "gradlint" in each)
    monkeypatch.chdir(repository)
    (arguments,) = lines_of_gradlint(snippet["gradlint"]["script"])
    assert run(*arguments).exit_code == 1
    report = Path(snippet["gradlint"]["artifacts"]["reports"]["codequality"]).read_text(encoding="utf-8")
    assert {issue["location"]["path"] for issue in json.loads(report)} == {"a folder/other.py", "train.py"}
    assert snippet["gradlint"]["artifacts"]["when"] == "always"  # the report is what a failed job is for


def test_the_pipeline_for_jenkins(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = re.findall(r"^```groovy[^\n]*\n(.*?)^```$", PAGE, re.M | re.S)
    (arguments,) = lines_of_gradlint(re.findall(r"sh '([^']*)'", text))
    (results,) = re.findall(r"testResults: '([^']*)'", text)
    monkeypatch.chdir(repository)
    assert run(*arguments).exit_code == 0
    assert ET.parse(repository / results).getroot().get("failures") == "2"


def test_the_commands_for_programs(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    text = next(block for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S) if "json" in block)
    lines, statistics = (run(*shlex.split(line.partition(" | ")[0])[1:]).stdout for line in text.splitlines())
    fields = set(re.findall(r"`(\w+)`", PAGE.partition("Each object has ")[2].partition("`--statistics`")[0]))
    objects = [json.loads(line) for line in lines.splitlines()]
    assert len(objects) == 2 and set(objects[0]) <= fields
    assert json.loads(statistics)[0]["count"] == 2


def test_the_command_for_verdicts(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    text = next(block for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S) if "verdicts" in block)
    loops = json.loads(run(*shlex.split(text.partition(" | ")[0])[1:]).stdout)
    fields = set(re.findall(r"`(\w+)`", PAGE.partition("on each training loop. Each object has ")[2].partition("```sh")[0]))
    assert [each["verdict"] for each in loops] == ["wrong", "wrong"]
    assert all(set(each) <= fields for each in loops)


def test_the_command_for_a_pull_request(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    text = next(block for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S) if "--summary" in block)
    assert run(*shlex.split(text)[1:]).exit_code == 0
    assert "2 findings (2 fixed, 0 remaining)" in Path("summary.md").read_text(encoding="utf-8")


def test_the_plain_workflow(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    shown = [each["run"] for snippet in SNIPPETS for each in jobs(snippet) if "run" in each]
    (arguments,) = lines_of_gradlint(shown)
    assert len(commands(run(*arguments).stdout)) == 2
    assert "pip install torch-gradlint" in shown
