"""What the language server keeps from one version of a text to the next changes nothing but the time that it takes."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import libcst
import pytest
from harness import FIXTURES, faulty_fixtures, read_marked
from samples import BOTH, SAFE

from gradlint.analysis.engine import analyze
from gradlint.config.selection import Selection
from gradlint.diagnostic import Diagnostic
from gradlint.registry import all_rules
from gradlint.server.check import Memory, check
from gradlint.server.documents import Script
from gradlint.server.found import Superseded
from gradlint.server.policy import Policies
from gradlint.server.text import Text
from gradlint.suppression.comments import keep

HELPER = '\n\ndef helper(x):\n    """What nobody calls."""\n    return x + 1\n\n\n'


def found(text: str, memories: dict[str, Memory]) -> tuple[Diagnostic, ...]:
    checked = check(Script("file:///nowhere/train.py", 1, Text(text)), Policies(), memories, lambda: None)
    assert checked.crash is None and checked.problem is None
    return checked.findings


def told(findings: tuple[Diagnostic, ...]) -> list[tuple[object, ...]]:
    """Everything about findings: most of it does not count when they are compared."""
    return [(each, each.fix, each.related, each.note, each.severity) for each in findings]


def alike(text: str, memories: dict[str, Memory]) -> None:
    assert told(found(text, memories)) == told(found(text, {}))


def boundaries(text: str) -> list[int]:
    """The rows, from 0, at which top-level statements begin."""
    return [
        min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))]) - 1 for node in ast.parse(text).body
    ]


def test_a_backward_pass_that_comes_and_goes() -> None:
    path = FIXTURES / "GRD202" / "flush_one_too_late.py"
    text = read_marked(path.read_text(encoding="utf-8")).source
    without = "\n".join(line for line in text.split("\n") if "backward" not in line)
    assert without != text
    memories: dict[str, Memory] = {}
    for each in (text, without, text, without):
        alike(each, memories)


@pytest.mark.parametrize("path", faulty_fixtures()[::4], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_statements_that_come_and_go(path: Path) -> None:
    text = read_marked(path.read_text(encoding="utf-8")).source
    lines = text.split("\n")
    memories: dict[str, Memory] = {}
    alike(text, memories)
    for row in boundaries(text)[1:]:
        alike("\n".join(lines[:row]) + HELPER + "\n".join(lines[row:]), memories)
        alike("\n".join(lines[:row]) + HELPER.replace("x + 1", "(\n        x\n    )") + "\n".join(lines[row:]), memories)
        alike("\n".join([*lines[:row], "# a comment", *lines[row:]]), memories)


@pytest.mark.parametrize("path", faulty_fixtures()[::4], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_lines_that_are_deleted_doubled_and_swapped(path: Path) -> None:
    chance = random.Random(path.stem)
    text = read_marked(path.read_text(encoding="utf-8")).source
    memories: dict[str, Memory] = {}
    for _ in range(12):
        lines = text.split("\n")
        row = chance.randrange(len(lines) - 1)
        kind = chance.choice(("delete", "double", "swap"))
        if kind == "delete":
            del lines[row]
        elif kind == "double":
            lines.insert(row, lines[row])
        else:
            lines[row], lines[row + 1] = lines[row + 1], lines[row]
        alike("\n".join(lines), memories)


def test_a_keystroke_elsewhere_parses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    text = SAFE.replace("def train", f"{HELPER.lstrip()}def train")
    memories: dict[str, Memory] = {}
    before = found(text, memories)
    parsed: list[str] = []
    real = libcst.parse_module

    def parse(part: str) -> libcst.Module:
        parsed.append(part)
        return real(part)

    monkeypatch.setattr(libcst, "parse_module", parse)
    (moved,) = found(text.replace("x + 1", "(\n        x\n    )"), memories)
    assert parsed == [] and moved.span.start.row == before[0].span.start.row + 2
    found(text.replace("criterion(model(x), y)", "criterion(model(x), y).mean()"), memories)
    assert len(parsed) == 3  # the statement that changed, as the rules see it and as runs do, and what its fix makes of it
    assert all("def train" in each and "def helper" not in each for each in parsed)


def test_equal_statements_do_not_share_places() -> None:
    loop = SAFE.partition("\n\n\n")[2]
    text = SAFE + "\n\n" + loop
    memories: dict[str, Memory] = {}
    assert [each.span.start.row for each in found(text, memories)] == [8, 18]
    alike(f"import os\n{text}", memories)
    alike(text.replace("import torch\n", "import torch\nx = 1\n"), memories)


def test_what_begins_to_matter_is_seen() -> None:
    """A helper with a comment for other tools is passed over until something calls it."""
    helper = "\n\ndef divided(loss, accum_steps):  # noqa: E501\n    return loss / accum_steps\n"
    memories: dict[str, Memory] = {}
    text = SAFE + helper
    alike(text, memories)
    alike(text.replace("loss.backward()", "divided(loss, accum_steps).backward()"), memories)
    alike(text.replace("noqa: E501", "noqa: E502"), memories)
    alike(text, memories)


def test_who_else_reads_a_name_is_seen_wherever_that_is() -> None:
    """A length that a function shows which is passed over is given to the schedule itself."""
    path = FIXTURES / "GRD402" / "read_in_another_function.py"
    text = read_marked(path.read_text(encoding="utf-8")).source
    memories: dict[str, Memory] = {}
    for each in (text, text.replace("{total} batches", "many"), text, text.replace("headline", "title")):
        alike(each, memories)


def test_suppression_comments_are_seen_wherever_they_are() -> None:
    memories: dict[str, Memory] = {}
    text = SAFE + HELPER
    alike(text, memories)
    for old, new in (
        ("x + 1", "x + 1  # gradlint: ignore[GRD101]"),
        ("x + 1", "x + 1  # gradlint: skip-file"),
        ("nobody", "no body"),
    ):
        alike(text.replace(old, new), memories)
    assert "GRD001" in [each.code for each in found(text.replace("x + 1", "x + 1  # gradlint: ignore[GRD101]"), memories)]


def test_what_other_settings_found_is_not_used(tmp_path: Path) -> None:
    document = Script((tmp_path / "train.py").as_uri(), 1, Text(BOTH))
    memories: dict[str, Memory] = {}
    policies = Policies()
    for settings, expected in (
        ("", ["GRD501", "GRD101"]),
        ('select = ["GRD1"]', ["GRD101"]),
        ('[names]\nschedulers = ["x"]', 2 * [""]),
    ):
        (tmp_path / "gradlint.toml").write_text(settings)
        assert len(check(document, policies, memories, lambda: None).findings) == len(expected)


def test_a_session_sees_what_the_command_sees() -> None:
    rules = Selection().choose(all_rules())
    for path in faulty_fixtures():
        text = read_marked(path.read_text(encoding="utf-8")).source
        assert told(found(text, {})) == told(keep(text, analyze(text, "/nowhere/train.py", rules))), path


def test_a_check_ends_once_it_is_in_vain() -> None:
    steps = 0

    def go_on() -> None:
        nonlocal steps
        steps += 1
        if steps > 3:
            raise Superseded

    with pytest.raises(Superseded):
        check(Script("file:///nowhere/train.py", 1, Text(SAFE)), Policies(), {}, go_on)
    assert steps == 4
