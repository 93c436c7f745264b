"""The pages about adopting and suppression: their scripts and commands, in their order, print what they show."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from harness import ROOT
from samples import SAFE, run, script

from gradlint.config.load import load_config
from gradlint.suppression.comments import read_suppressions

ADOPTING = (ROOT / "docs" / "adopting.md").read_text(encoding="utf-8")
SUPPRESSION = (ROOT / "docs" / "suppression.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r'^```(\w+)(?: title="(.+?)")?\n(.*?)^```$', re.M | re.S)


def played(page: str) -> str:
    """What the page's console blocks would be, played from the top in the current folder; files are put where they come."""
    shown = []
    for language, title, body in _BLOCK.findall(page):
        if language == "sh":
            subprocess.run(body, shell=True, check=True)
        elif title and language == "python":
            Path(title).write_text(body, encoding="utf-8")
        elif language == "console":
            for command in re.findall(r"^\$ (.+)$", body, re.M):
                program, *arguments = shlex.split(command)
                printed = Path(arguments[0]).read_text() if program == "cat" else run(*arguments).output
                shown.append(f"$ {command}\n{printed}")
    return "".join(shown)


@pytest.mark.parametrize("page", [ADOPTING, SUPPRESSION], ids=["adopting", "suppression"])
def test_what_is_shown_is_what_is_printed(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert played(page) == "".join(body for language, _, body in _BLOCK.findall(page) if language == "console")
    if page is ADOPTING:
        last = [body for language, title, body in _BLOCK.findall(page) if language == "python" and not title][-1]
        assert last in (tmp_path / "train.py").read_text()


def test_configuration_is_valid(tmp_path: Path) -> None:
    for _, title, body in (each for each in _BLOCK.findall(ADOPTING) if each[0] == "toml"):
        path = tmp_path / title
        path.write_text(body)
        assert load_config(path).baseline == tmp_path / "gradlint-baseline.json"


def test_every_comment_of_the_list_silences(tmp_path: Path) -> None:
    (listed,) = [body for language, title, body in _BLOCK.findall(SUPPRESSION) if language == "python" and not title]
    assert len(read_suppressions(listed).directives) == len(listed.splitlines())
    table = re.findall(r"`(# (?:gradlint|noqa).*?)`", SUPPRESSION.partition("## What cannot")[0])
    lines = [line.partition("  ")[2] for line in listed.splitlines()]
    for comment in (*lines, *(each for each in table if "GRD3]" not in each)):
        path = script(tmp_path, SAFE.replace("loss.backward()", f"loss.backward()  {comment}"))
        assert run("check", "--isolated", "--ignore", "GRD001", path).exit_code == 0, comment


def test_links_lead_somewhere() -> None:
    for page in (ADOPTING, SUPPRESSION):
        for target, anchor in re.findall(r"\]\(([\w-]*\.md)?(?:#([\w-]+))?\)", page):
            text = (ROOT / "docs" / target).read_text(encoding="utf-8") if target else page
            headings = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in re.findall(r"^#+ (.+)$", text, re.M)}
            assert not anchor or anchor in headings, (target, anchor)
