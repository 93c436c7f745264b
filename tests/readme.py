"""The parts of the README that gradlint itself writes: `python tests/readme.py --write` puts them in anew."""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner
from harness import PAGES, ROOT

from gradlint.cli import main
from gradlint.registry import all_rules

README = ROOT / "README.md"
_FIX = re.compile(r"^\*\*\w+\*\* · \*(.+) fix\*$", re.M)


def rule_table() -> str:
    """All rules, with links to their pages."""
    rows = ["| code | name | severity | fix | what is wrong |", "|---|---|---|---|---|"]
    for rule in all_rules():
        fix = _FIX.search((PAGES / f"{rule.code}.md").read_text(encoding="utf-8"))
        assert fix is not None, f"rules/{rule.code}.md does not say in its third line what kind of fix it has"
        rows.append(
            f"| [{rule.code}](rules/{rule.code}.md) | {rule.name} | {rule.severity.value} | {fix.group(1)} | {rule.summary} |"
        )
    return "\n".join(rows)


def example(text: str) -> str:
    """The example's script as it stands, and its commands with what they print."""
    script = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)[0]
    commands = re.findall(r"^\$ (.+)$", text, re.M)
    with tempfile.TemporaryDirectory() as folder:
        here = Path.cwd()
        os.chdir(folder)
        try:
            Path("train.py").write_text(script, encoding="utf-8")
            shown = [f"$ {command}\n{_run(command)}" for command in commands]
        finally:
            os.chdir(here)
    console = "\n".join(each.rstrip("\n") + "\n" for each in shown)
    return f"```python\n{script}```\n\n```console\n{console}```"


def _run(command: str) -> str:
    program, *arguments = shlex.split(command)
    if program == "cat":
        return Path(arguments[0]).read_text(encoding="utf-8")
    assert program == "gradlint"
    return CliRunner().invoke(main, arguments).output


def replaced(text: str, name: str, write: Callable[[str], str]) -> str:
    """A text in which what stands between the markers of a name is written anew from what stood there."""
    pattern = re.compile(rf"(?<=<!-- {name} -->\n)(.*?)(?=<!-- /{name} -->)", re.S)
    assert pattern.search(text), f"README.md has no markers <!-- {name} --> and <!-- /{name} -->"
    return pattern.sub(lambda found: f"\n{write(found.group())}\n\n", text)


def generated(text: str) -> str:
    """The README with its generated parts as they must be now."""
    return replaced(replaced(text, "example", example), "rules", lambda _: rule_table())


if __name__ == "__main__":
    old = README.read_text(encoding="utf-8")
    new = generated(old)
    if "--write" in sys.argv[1:]:
        README.write_text(new, encoding="utf-8")
    sys.exit(0 if "--write" in sys.argv[1:] or old == new else "README.md is out of date: python tests/readme.py --write")
