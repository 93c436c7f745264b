"""Suppression comments."""

from __future__ import annotations

from pathlib import Path

import pytest
from samples import BOTH, SAFE, check, script

from gradlint import check_source, fix_source
from gradlint.suppression.comments import read_suppressions

LINE = "        loss.backward()\n"
TALL = SAFE.replace("loss.backward()", "loss.backward(\n            retain_graph=False,\n        )")


def codes(source: str) -> list[str]:
    """What is found, but for what is said of the comments themselves."""
    return [each.code for each in check_source(source, ignore=["GRD001"])]


@pytest.mark.parametrize(
    "comment",
    [
        "# gradlint: ignore",
        "# gradlint: ignore[GRD101]",
        "# gradlint: ignore[unscaled-loss]",
        "# gradlint: ignore[unscaled-loss, GRD301]",
        "# gradlint: ignore[GRD1]",
        "# gradlint: ignore[ALL]",
        "#gradlint:ignore[grd101]",
        "# a reason first  # gradlint: ignore[GRD101] and one after",
        "# noqa",
        "# NOQA",
        "# noqa: GRD101",
        "# noqa:E501,GRD101",
        "# noqa: unscaled-loss",
        "# noqa: GRD101 because the loss is a sum",
        "# type: ignore  # noqa: GRD101",
        "# gradlint: ignore[GRD301]  # gradlint: ignore[GRD101]",
    ],
)
def test_silences(comment: str) -> None:
    assert codes(SAFE.replace(LINE, f"{LINE.rstrip()}  {comment}\n")) == []


@pytest.mark.parametrize(
    "comment",
    [
        "# gradlint: ignore[GRD301]",
        "# gradlint: ignore[]",
        "# gradlint: ignore[GRD101",
        "# gradlint: ignored",
        "# gradlint",
        "# noqa: E501",
        "# noqa: because",
        "# noqa:",
        "# noqa-ish",
    ],
)
def test_does_not_silence(comment: str) -> None:
    assert codes(SAFE.replace(LINE, f"{LINE.rstrip()}  {comment}\n")) == ["GRD101"]


def test_only_its_own_line() -> None:
    assert codes(SAFE.replace(LINE, f"        # gradlint: ignore\n{LINE}        # noqa\n")) == ["GRD101"]


def test_first_or_last_line_of_what_is_found() -> None:
    assert codes(TALL) == ["GRD101"]
    assert codes(TALL.replace("backward(\n", "backward(  # noqa: GRD101\n")) == []
    assert codes(TALL.replace("        )\n        if", "        )  # noqa: GRD101\n        if")) == []
    assert codes(TALL.replace("retain_graph=False,", "retain_graph=False,  # noqa: GRD101")) == ["GRD101"]


def test_strings_are_no_comments() -> None:
    assert codes(SAFE.replace(LINE, f'{LINE.rstrip()}; "# noqa"; "# gradlint: ignore"\n')) == ["GRD101"]
    assert codes(f'"""\n# gradlint: skip-file\n"""\n{SAFE}') == ["GRD101"]


def test_skip_file() -> None:
    assert codes(f"# gradlint: skip-file\n{BOTH}") == []
    assert codes(f"{BOTH}# gradlint: skip-file (generated)\n") == []


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_other_newlines(newline: str) -> None:
    source = SAFE.replace(LINE, f"{LINE.rstrip()}  # noqa: GRD101\n").replace("\n", newline)
    assert codes(SAFE.replace("\n", newline)) == ["GRD101"]
    assert codes(source) == []


def test_silenced_findings_are_not_fixed() -> None:
    source = SAFE.replace(LINE, f"{LINE.rstrip()}  # gradlint: ignore[GRD101]\n")
    assert fix_source(source, unsafe_fixes=True).source == source


def test_syntax_errors_cannot_be_silenced(tmp_path: Path) -> None:
    assert check(script(tmp_path, "# gradlint: skip-file\nloss.backward(\n")).exit_code == 1


def test_a_text_that_cannot_be_tokenized_keeps_what_came_before() -> None:
    found = read_suppressions("x = 1  # noqa\ny = (\n")
    assert [(each.comment.row, each.selectors) for each in found.directives] == [(1, None)]
