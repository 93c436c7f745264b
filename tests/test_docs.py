"""Every page: its commands run, its settings are accepted, its code compiles and is judged as it says, its links lead somewhere."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest
from blocks import Block, anchors, blocks
from harness import ROOT, found
from readme import WRITTEN, generated
from samples import BOTH, script

from gradlint.cli import main
from gradlint.config.load import load_config
from gradlint.config.toml import loads

PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("rules/*.md")})
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PAGES}
BLOCKS = [(page, block) for page, text in TEXTS.items() for block in blocks(text)]
COMMANDS = ("sh", "bash", "shell", "console")

ELSEWHERE = {
    ("docs/adopting.md", "console"): (4, "test_docs_adopting.py::test_what_is_shown_is_what_is_printed"),
    ("docs/adopting.md", "sh"): (1, "test_docs_adopting.py::test_what_is_shown_is_what_is_printed"),
    ("docs/ci.md", "sh"): (
        4,
        "test_changed.py::test_the_commands_of_the_page_about_ci, "
        "test_ci.py::test_the_commands_for_programs, test_ci.py::test_the_command_for_verdicts, "
        "test_ci.py::test_the_command_for_a_pull_request",
    ),
    ("docs/codemod.md", "console"): (1, "test_docs_settings.py::test_fixes_are_listed_as_shown"),
    ("docs/codemod.md", "sh"): (7, "test_docs_settings.py::test_commands_run"),
    ("docs/configuration.md", "console"): (
        2,
        "test_docs_settings.py::test_a_mistake_is_told_as_shown, test_docs_settings.py::test_private_framework",
    ),
    ("docs/configuration.md", "sh"): (1, "test_docs_settings.py::test_commands_run"),
    ("docs/observe.md", "console"): (1, "observe/test_page.py::test_what_is_shown_is_what_is_printed"),
    ("docs/observe.md", "sh"): (1, "observe/test_page.py::test_commands_run"),
    ("docs/suppression.md", "console"): (1, "test_docs_adopting.py::test_what_is_shown_is_what_is_printed"),
}
"""Blocks with commands that another test runs: how many there are, and by which tests."""

UNRUN = {
    "pip install": "needs the network; .ci/run installs the project as the README says",
    "git clone": "needs the network",
    "cd torch-gradlint": "the clone is not there",
    "pytest": "would run itself",
    ".ci/run": "would run itself",
    "pre-commit": "installs from the network; test_precommit.py runs the hooks under the real pre-commit",
    "SKIP=gradlint git commit": "there is nothing to commit; SKIP is pre-commit's own",
    "gradlint server": "talks to an editor; test_server.py does so",
    "gradlint-organisation survey": "organisation/test_survey.py surveys repositories that it makes",
    "gradlint-organisation report": "organisation/test_survey_report.py writes reports",
    "gradlint-organisation branches": "organisation/test_branches.py prepares branches",
    "git -C branches": "there is no branch; organisation/test_branches.py makes one",
    "gh pr create": "needs the network",
    "export GRADLINT_GIT_TOKEN": "there is no token",
    "python -m tests.oracle": "trains under PyTorch for an hour; oracle/test_oracle.py::test_command runs it for a moment",
    "python -m tests.robustness": "reads every installed package for an hour; robustness/test_laws.py holds the same laws",
    "python -m benchmarks": "measures for many minutes, against programs that it downloads",
    "cd editors/vscode": ".ci/run builds the extension, where npm is installed",
    "npm": "needs the network; .ci/run does the same in a copy",
    "code --install-extension": "needs Visual Studio Code; editors/vscode/test.sh installs the extension in code-server",
    "./test.sh": "opens an editor in a browser for some minutes",
    "mkdocs": "test_the_site_is_built builds the site",
}
"""Beginnings of commands that are not run here, and why."""


def where(page: str, block: Block) -> str:
    return f"{page}:{block.row}"


def of(*languages: str) -> list[tuple[str, Block]]:
    return [(page, block) for page, block in BLOCKS if block.language in languages]


def named(each: object) -> str | None:
    """The name of a parameter: `docs/ci.md:12`; the row alone would change with every line that is added above."""
    return each if isinstance(each, str) else str(each.row) if isinstance(each, Block) else None


# Generated parts


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_what_is_shown_is_what_is_printed(path: Path) -> None:
    assert generated(path) == path.read_text(encoding="utf-8"), "run `python tests/readme.py --write`"


# Commands


def unrun(line: str) -> str | None:
    return next((beginning for beginning in UNRUN if line.startswith(beginning)), None)


def lines(block: Block) -> list[str]:
    """The commands of a block that nothing keeps from being run: chains are taken apart where a part is not."""
    kept = []
    for line in block.body.splitlines():
        parts = line.split(" && ")
        kept.append(line if not any(map(unrun, parts)) else " && ".join(part for part in parts if not unrun(part)))
    return [line for line in kept if line]


SHELL = [(page, block) for page, block in of("sh", "bash", "shell") if (page, block.language) not in ELSEWHERE]


@pytest.fixture
def project(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A repository with training scripts in it, and an environment in which `gradlint` fails only where it should not."""
    folder = tmp_path / "project"
    for name in ("train.py", "src/train.py", "fixtures/six_bugs/six_bugs.py"):
        script(folder, BOTH, name)
    program = tmp_path / "bin" / "gradlint"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n"{sys.executable}" -m gradlint "$@"\nstatus=$?\n[ $status -eq 1 ] && exit 0\nexit $status\n')
    program.chmod(0o755)
    (program.parent / "python").symlink_to(sys.executable)
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder, environment


@pytest.mark.parametrize(("page", "block"), [(page, block) for page, block in SHELL if lines(block)], ids=named)
def test_commands_run(page: str, block: Block, project: tuple[Path, dict[str, str]]) -> None:
    folder, environment = project
    program = "\n".join(lines(block))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0 and "rror:" not in done.stderr, f"{where(page, block)}\n{program}\n{done.stderr}"


def test_no_command_is_left_out() -> None:
    """A block with commands is run here, or written anew here, or a test that is named runs it."""
    for (page, language), (count, tests) in ELSEWHERE.items():
        seen = [block for at, block in of(language) if at == page]
        assert len(seen) == count, f"{page} has {len(seen)} blocks of {language} instead of {count}: does {tests} run them all?"
        for name, _, function in (each.partition("::") for each in tests.split(", ")):
            text = (ROOT / "tests" / name).read_text(encoding="utf-8")
            assert f"def {function}(" in text and page.rsplit("/", 1)[-1].removesuffix(".md") in text.lower(), (
                f"{name}::{function}"
            )
    written = {path.relative_to(ROOT).as_posix() for path in WRITTEN}
    for page, block in of("console"):
        assert page in written or (page, "console") in ELSEWHERE, f"nothing plays the commands at {where(page, block)}"
    for page, block in BLOCKS:
        if page.startswith("rules/"):
            assert block.language == "python", f"{where(page, block)}: the pages of rules show code only"


def test_every_reason_is_needed() -> None:
    parts = [part for _, block in SHELL for line in block.body.splitlines() for part in line.split(" && ")]
    for beginning in UNRUN:
        assert any(part.startswith(beginning) for part in parts), f"no page has a command `{beginning}`"


# Settings, data and code


@pytest.mark.parametrize(("page", "block"), of("toml"), ids=named)
def test_toml_is_valid(page: str, block: Block, tmp_path: Path) -> None:
    table = loads(block.body)
    name = Path(block.title or "").name
    if name in ("gradlint.toml", ".gradlint.toml") or "gradlint" in table.get("tool", {}):
        (tmp_path / "pyproject.toml").write_text("[tool.gradlint]\n")
        path = tmp_path / (block.title or "pyproject.toml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(block.body)
        load_config(path)


@pytest.mark.parametrize(("page", "block"), of("json", "yaml", "yml"), ids=named)
def test_data_is_valid(page: str, block: Block) -> None:
    if block.language == "json":
        assert json.loads(block.body)
    else:
        yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
        assert yaml.safe_load(block.body)


@pytest.mark.parametrize(("page", "block"), [each for each in of("python") if not each[0].startswith("rules/")], ids=named)
def test_python_compiles(page: str, block: Block) -> None:
    """The code of the rules' pages is judged by test_pages.py, that of GRD000 is broken on purpose."""
    ast.parse(textwrap.dedent(block.body), where(page, block))


_CLAIM = re.compile(r"# (GRD\d{3})(?=: |$)", re.M)


_JUDGED = ("docs/engines.md", "docs/is-this-right.md")


@pytest.mark.parametrize(("page", "block"), [each for each in of("python") if each[0] in _JUDGED], ids=named)
def test_code_is_judged_as_the_page_says(page: str, block: Block) -> None:
    rows = enumerate(block.body.splitlines(), 1)
    claimed = {(row, code) for row, line in rows for code in _CLAIM.findall(line)}
    assert {(each.span.start.row, each.code) for each in found(block.body)} == claimed, where(page, block)


def test_page_on_engines_shows_good_and_bad() -> None:
    shown = [bool(_CLAIM.search(block.body)) for page, block in of("python") if page == "docs/engines.md"]
    assert shown.count(True) >= 7 and shown.count(False) >= 4


def test_an_engine_that_is_told_not_to_divide() -> None:
    source = """\
import deepspeed


def train(model, loader, criterion, accum_steps):
    engine, _, _, _ = deepspeed.initialize(model=model, config="ds_config.json")
    for x, y in loader:
        loss = criterion(engine(x), y) / accum_steps
        engine.backward(loss, scale_wrt_gas=False)
        engine.step()
"""
    assert not found(source)


def test_first_loop_of_the_home_page_is_that_of_the_readme() -> None:
    first = {page: next(block for at, block in of("python") if at == page) for page in ("README.md", "docs/index.md")}
    assert first["README.md"].body == first["docs/index.md"].body


def test_hooks_of_pre_commit_are_those_that_there_are() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    ours = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))}
    text = TEXTS["docs/pre-commit.md"]
    shown = [
        (repo["repo"], hook)
        for page, block in of("yaml")
        if page == "docs/pre-commit.md"
        for repo in yaml.safe_load(block.body)["repos"]
        for hook in repo["hooks"]
    ]
    assert {hook["id"] for _, hook in shown} == set(ours)
    for place, hook in shown:
        if place == "local":
            keys = ("entry", "types_or", "require_serial")
            assert {key: hook[key] for key in keys} == {key: ours[hook["id"]][key] for key in keys}
    for name, hook in ours.items():
        assert f"| `{name}` | `{hook['entry']}` |" in text


def test_arguments_of_hooks_are_accepted(project: tuple[Path, dict[str, str]]) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    folder, environment = project
    for page, block in of("yaml"):
        for repo in yaml.safe_load(block.body).get("repos", ()) if page == "docs/pre-commit.md" else ():
            for hook in repo["hooks"]:
                command = ["gradlint", "check", *hook.get("args", ()), "train.py"]
                done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stderr


# Links

_LINK = re.compile(r"\]\((?![a-z]+:)([^)\s#]*)(?:#([^)\s]+))?\)")
_CODE = re.compile(r"^ *```.*?^ *```$|`[^`\n]+`", re.M | re.S)


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page: str) -> None:
    for target, anchor in _LINK.findall(_CODE.sub("", TEXTS[page])):
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.exists(), f"{page}: {target}"
        if anchor and path.suffix == ".md":
            assert anchor in anchors(path.read_text(encoding="utf-8")), f"{page}: {target}#{anchor}"


# The site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("material", reason="mkdocs-material is not installed: pip install '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_site_is_built(site: Path) -> None:
    for path in ROOT.glob("rules/GRD*.md"):
        shown = (site / "rules" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert "# expect:" not in shown
        for picture in re.findall(r"\]\((pictures/\w+\.svg)\)", TEXTS[f"rules/{path.name}"]):
            assert f'src="{picture}"' in shown and (site / "rules" / picture).is_file()
    index = (site / "search" / "search_index.json").read_text(encoding="utf-8")
    assert all(path.stem in index for path in ROOT.glob("rules/GRD*.md"))
    assert not list(site.rglob("*.py"))


def test_every_page_is_in_the_navigation(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    for page in TEXTS:
        if "/" in page and page != "docs/index.md":
            address = page.removeprefix("docs/").replace("README", "index").removesuffix(".md") + ".html"
            assert f'href="{address}"' in home, f"{page} is not in the navigation of mkdocs.yml"


def test_every_option_is_on_the_page_of_commands(site: Path) -> None:
    shown = (site / "commands.html").read_text(encoding="utf-8")
    root = click.Context(main, info_name="gradlint")
    for name in main.list_commands(root):
        command = main.get_command(root, name)
        assert command is not None and f"Usage: gradlint {name} " in shown
        options = [
            option for each in command.params for option in each.opts if option.startswith("--") and not vars(each).get("hidden")
        ]
        assert all(option in shown for option in options), name
    assert "--unsafe-fixes" in shown and "Usage: gradlint check" in shown


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loads_from = re.compile(
        r"<(?:script|img|iframe|link(?=[^>]*stylesheet)|source)\b[^>]*(?:src|href)=\"?((?:https?:)?//[^\"\s>]+)"
    )
    for path in site.rglob("*.html"):
        assert not loads_from.findall(path.read_text(encoding="utf-8")), path.name
    for path in site.rglob("*.css"):
        assert not re.search(r"@import|url\(['\"]?(?:https?:)?//", path.read_text(encoding="utf-8")), path.name


def test_the_pictures_of_the_pages_are_up_to_date() -> None:
    command = [sys.executable, "-m", "benchmarks.page_pictures", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("name", ["index", "model", "show", "engines", "editors", "adopting"])
def test_pages_that_one_would_rather_look_at_have_a_picture(name: str) -> None:
    pictures = re.findall(r"^!\[([^\]]+)\]\(([\w/]+\.svg)\)$", TEXTS[f"docs/{name}.md"], re.M)
    assert pictures
    for alt, target in pictures:
        assert len(alt.split()) > 5
        text = (ROOT / "docs" / target).read_text(encoding="utf-8")
        assert 'role="img"' in text and "<desc" in text and "prefers-color-scheme: dark" in text
