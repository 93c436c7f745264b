"""GRD001: comments that silence nothing are found and removed, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from samples import CLEAN, SAFE, check, script

from gradlint import check_source, fix_source
from gradlint.analysis.engine import examine
from gradlint.analysis.text_changes import apply
from gradlint.registry import all_rules
from gradlint.relevance.prefilter import mentions_suppression, worth_reading
from gradlint.suppression.unused import holds_directives

LINE = "        loss.backward()"


def commented(source: str, comment: str) -> str:
    return source.replace(LINE, f"{LINE}  {comment}")


def said(source: str, **options: object) -> list[str]:
    return [each.sentence for each in check_source(source, **options) if each.code == "GRD001"]  # type: ignore[arg-type]


def cleaned(source: str) -> str:
    return fix_source(source, select=["GRD001"]).source


@pytest.mark.parametrize(
    ("comment", "message", "left"),
    [
        ("# gradlint: ignore[GRD301]", "`GRD301` silences nothing here", ""),
        ("# gradlint: ignore[GRD301, GRD101]", "`GRD301` silences nothing here", "# gradlint: ignore[GRD101]"),
        ("# gradlint: ignore[GRD101,GRD301]", "`GRD301` silences nothing here", "# gradlint: ignore[GRD101]"),
        (
            "# gradlint: ignore[GRD301, GRD101, GRD2 , unscaled-loss]",
            "`GRD301` and `GRD2` silence nothing here",
            "# gradlint: ignore[GRD101 , unscaled-loss]",
        ),
        ("# gradlint: ignore[GRD3, GRD4, GRD5]", "`GRD3`, `GRD4` and `GRD5` silence nothing here", ""),
        ("# gradlint: ignore[GRD101, grd101]", "`grd101` is named twice", "# gradlint: ignore[GRD101]"),
        ("# gradlint: ignore[]", "`# gradlint: ignore[]` names no rule", ""),
        ("# gradlint: ignore[GRD000]", "`GRD000` cannot be silenced", ""),
        ("# gradlint: ignore[GRD101, zzz]", "unknown rule `zzz`", "# gradlint: ignore[GRD101]"),
        (
            "# gradlint: ignore[unscaled-los]",
            "unknown rule `unscaled-los`; did you mean `unscaled-loss`?",
            "",
        ),
        ("# noqa: GRD301", "`GRD301` silences nothing here", ""),
        ("# noqa: E501, GRD301", "`GRD301` silences nothing here", "# noqa: E501"),
        ("# noqa: GRD301,E501 too long", "`GRD301` silences nothing here", "# noqa: E501 too long"),
        ("# noqa: GRD999", "unknown rule `GRD999`; did you mean `GRD309`?", ""),
        ("# type: ignore  # gradlint: ignore[GRD301]", "`GRD301` silences nothing here", "# type: ignore"),
        ("# gradlint: ignore[GRD301]  # fmt: skip", "`GRD301` silences nothing here", "# fmt: skip"),
        ("# a  # noqa: GRD301  # b", "`GRD301` silences nothing here", "# a  # b"),
        ("# gradlint: ignore[GRD301] - as the loss is a sum", "`GRD301` silences nothing here", "# as the loss is a sum"),
        ("#\tgradlint:ignore[GRD301]\t", "`GRD301` silences nothing here", ""),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_what_is_said_and_what_is_left(comment: str, message: str, left: str, newline: str) -> None:
    source = commented(SAFE.replace("import torch\n", "import torch  # größe 日本 🙂\n\f\n"), comment).replace("\n", newline)
    assert said(source) == [message]
    assert cleaned(source) == commented(SAFE.replace("import torch\n", "import torch  # größe 日本 🙂\n\f\n"), left).replace(
        f"{LINE}  \n", f"{LINE}\n"
    ).replace("\n", newline)


@pytest.mark.parametrize(
    "comment",
    [
        "# gradlint: ignore",
        "# gradlint: ignore[GRD101]",
        "# gradlint: ignore[GRD1]",
        "# gradlint: ignore[ALL]",
        "# gradlint: ignore[Unscaled-Loss]",
        "# gradlint: ignore[GRD101, GRD001, GRD301]",
        "# gradlint: ignore[GRD301, unused-suppression]",
        "# noqa",
        "# noqa: E501",
        "# noqa: unscaled-loss, no-such-rule",
        "# gradlint: ignored",
    ],
)
def test_silence(comment: str) -> None:
    source = commented(SAFE, comment)
    assert said(source) == []
    assert cleaned(source) == source


def test_a_comment_does_not_vouch_for_itself() -> None:
    for comment in ("# gradlint: ignore", "# gradlint: ignore[ALL]", "# gradlint: ignore[GRD0]", "# gradlint: ignore  # noqa"):
        assert len(said(commented(CLEAN, comment))) == 1, comment


def test_the_verdict_does_not_depend_on_the_selection() -> None:
    used, idle = commented(SAFE, "# gradlint: ignore[GRD101]"), commented(CLEAN, "# gradlint: ignore[GRD101]")
    off_by_default = CLEAN.replace(LINE, f"{LINE}\n        print(loss.item())  # gradlint: ignore[GRD106]")
    for select in (None, ["GRD001"], ["GRD0", "GRD2"], ["ALL"]):
        assert said(used, select=select) == said(off_by_default, select=select) == []
        assert len(said(idle, select=select)) == 1
    assert said(idle, select=["GRD1"]) == said(idle, ignore=["GRD001"]) == said(idle, ignore=["unused-suppression"]) == []


def test_a_line_of_its_own_goes_as_a_whole() -> None:
    source = SAFE.replace(LINE, f"        # gradlint: ignore[GRD101]\n{LINE}")
    assert said(source) == ["`GRD101` silences nothing: the comment must be at the end of the line that it is about"]
    assert cleaned(source) == SAFE
    assert cleaned(f"{SAFE}# gradlint: ignore") == SAFE
    kept = SAFE.replace(LINE, f"        # the loss is a sum\n{LINE}")
    assert cleaned(SAFE.replace(LINE, f"        # gradlint: ignore[GRD301] the loss is a sum\n{LINE}")) == kept


def test_several_directives_of_one_line_go_one_by_one() -> None:
    assert cleaned(commented(CLEAN, "# noqa: GRD301  # gradlint: ignore[GRD4]  # gradlint: ignore")) == CLEAN


def test_a_fix_that_brings_up_what_a_comment_silences_is_not_made() -> None:
    """Where its step moves under the guard, the last micro-batches of this script would be lost."""
    guard = "        if (i + 1) % accum_steps == 0 or (i + 1) == len(loader):\n            optimizer.step()\n"
    source = CLEAN.replace(guard, "        optimizer.step()\n        if (i + 1) % accum_steps == 0:\n")
    assert [each.code for each in check_source(source, select=["GRD204"])] == ["GRD204"]
    assert fix_source(source, select=["GRD204"], unsafe_fixes=True).source == source


def test_changes_are_what_the_edits_say() -> None:
    source = commented(SAFE, "# gradlint: ignore[GRD301, GRD101]").replace("\n", "\r\n")
    (located,) = [each for each in examine(source, "train.py", all_rules()) if each.diagnostic.code == "GRD001"]
    assert located.diagnostic.fix is not None
    (edit,) = located.diagnostic.fix.edits
    assert edit.span.start.row == edit.span.end.row == located.diagnostic.span.start.row == 8
    line = source.splitlines()[7]
    changed = line[: edit.span.start.column - 1] + edit.content + line[edit.span.end.column - 1 :]
    assert changed in apply(source, located.changes).splitlines()


def test_skipped_broken_and_quoted_text_is_left_alone() -> None:
    idle = commented(CLEAN, "# gradlint: ignore[GRD101]")
    assert check_source(f"# gradlint: skip-file\n{idle}") == ()
    assert [each.code for each in check_source(f"{idle}def f(:\n")] == ["GRD000"]
    assert said('text = "# gradlint: ignore"\n') == []
    assert not holds_directives('text = "# gradlint: ignore"\n# noqa: E501\n')


def test_files_without_training_code_are_read_for_their_comments_alone(tmp_path: Path) -> None:
    script(tmp_path, "import os  # gradlint: ignore[GRD101]\nname = os.name  # noqa: GRD2\n", "paths.py")
    script(tmp_path, 'TEXT = "# gradlint: ignore"\n', "text.py")
    shown = check("--output-format", "concise", tmp_path).stdout
    assert "paths.py:1:12: GRD001 [*] `GRD101`" in shown and "paths.py:2:17: GRD001 [*] `GRD2`" in shown
    assert "text.py" not in shown
    assert check("--fix", tmp_path).exit_code == 0
    assert (tmp_path / "paths.py").read_text() == "import os\nname = os.name\n"


def test_prefilter() -> None:
    assert mentions_suppression(b"x = 1  # gradlint: ignore") and mentions_suppression(b"x  # noqa: E1, GRD101")
    for other in (b"x = 1  # noqa", b"x = 1  # noqa: E501", b"import gradlint", b"# gradlint: skip-file", b"GRD101"):
        assert not mentions_suppression(other) and not worth_reading(other)


def test_notebooks(tmp_path: Path) -> None:
    source = ["import os  # gradlint: ignore[GRD101]\n", "print(os.name)"]
    cell: dict[str, object] = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n")
    assert ":cell 1:1:12: GRD001 [*] " in check("--output-format", "concise", tmp_path).stdout
    assert check("--fix", path).exit_code == 0
    assert json.loads(path.read_text())["cells"][0]["source"] == ["import os\n", "print(os.name)"]
