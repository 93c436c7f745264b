"""`--add-ignore`: comments that silence exactly what was found, beside those that are there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from harness import faulty_fixtures, read_marked
from samples import BOTH, CLEAN, SAFE, SYNTAX_ERROR, check, script

from gradlint.analysis.engine import analyze
from gradlint.diagnostic import Diagnostic
from gradlint.registry import all_rules
from gradlint.suppression.add_ignore import add_ignores, is_reason
from gradlint.suppression.comments import keep

LINE = "        loss.backward()"


def judge(text: str) -> tuple[Diagnostic, ...]:
    return keep(text, analyze(text, "train.py", all_rules()))


def annotated(source: str, reason: str = "") -> str:
    result = add_ignores(source, judge, reason)
    assert judge(result.text) == result.left
    assert add_ignores(result.text, judge, reason).text == result.text
    return result.text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "  # gradlint: ignore[GRD101]"),
        ("   ", "  # gradlint: ignore[GRD101]"),
        ("  # type: ignore", "  # type: ignore  # gradlint: ignore[GRD101]"),
        ("  # noqa: E501", "  # noqa: E501  # gradlint: ignore[GRD101]"),
        ("  # ends with a backslash \\", "  # ends with a backslash \\  # gradlint: ignore[GRD101]"),
        (";", ";  # gradlint: ignore[GRD101]"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_beside_what_is_there(before: str, after: str, newline: str) -> None:
    source = SAFE.replace(LINE, LINE + before).replace("\n", newline)
    assert annotated(source) == SAFE.replace(LINE, LINE + after).replace("\n", newline)


def test_codes_join_those_that_are_there() -> None:
    guard = "        if (i + 1) % accum_steps == 0 or (i + 1) == len(loader):"
    wrong = SAFE.replace(guard, "        if i % accum_steps == 0:")
    once = annotated(wrong)
    assert "if i % accum_steps == 0:  # gradlint: ignore[GRD201, GRD202]\n" in once
    half = once.replace("ignore[GRD201, GRD202]", "ignore[GRD201 ] on purpose")
    assert "  # gradlint: ignore[GRD201, GRD202 ] on purpose\n" in annotated(half)
    empty = once.replace("ignore[GRD201, GRD202]", "ignore[]")
    assert "  # gradlint: ignore[]  # gradlint: ignore[GRD201, GRD202]\n" in add_ignores(empty, judge).text


def test_reason() -> None:
    assert LINE + "  # gradlint: ignore[GRD101] tuned for sums\n" in annotated(SAFE, "tuned for sums")
    named = SAFE.replace(LINE, LINE + "  # gradlint: ignore[GRD999]")
    assert "# gradlint: ignore[GRD999, GRD101] tuned\n" in add_ignores(named, judge, "tuned").text
    kept = SAFE.replace(LINE, LINE + "  # gradlint: ignore[GRD999] old")
    assert "# gradlint: ignore[GRD999, GRD101] old\n" in add_ignores(kept, judge, "tuned").text
    assert is_reason("a sum, not a mean (größe)") and is_reason("")
    for wrong in ("a\nb", "# noqa", "x]", "\x1b[31m", "a\rb", "a\u2028b", "a\x85b"):
        assert not is_reason(wrong)


def test_first_line_that_can_carry_a_comment() -> None:
    wrapped = SAFE.replace("loss.backward()", "loss.backward(\n            retain_graph=False,\n        )")
    assert "loss.backward(  # gradlint: ignore[GRD101]\n" in annotated(wrapped)
    continued = SAFE.replace("loss.backward()", "loss \\\n            .backward()")
    assert "            .backward()  # gradlint: ignore[GRD101]\n" in annotated(continued)


@pytest.mark.parametrize("quotes", ['"""', "'''"])
@pytest.mark.parametrize("prefix", ["", "f", "rb"])
def test_not_inside_a_string(quotes: str, prefix: str) -> None:
    source = BOTH.replace("lr=0.1,", f"lr=float({prefix}{quotes}0.1\n{quotes}.strip()),")
    text = annotated(source)
    assert "strip()), weight_decay=0.01)  # gradlint: ignore[GRD501]\n" in text
    inside = SAFE.replace(LINE, f"        loss.backward(); {prefix}{quotes}\n{quotes}")
    result = add_ignores(inside, judge)
    assert result.text == inside and [each.code for each in result.left] == ["GRD101"]


def test_what_cannot_be_silenced_is_left_and_told(tmp_path: Path) -> None:
    source = SAFE.replace("loss.backward()", 'loss.backward(); """\n        """')
    result = add_ignores(source, judge)
    assert [each.code for each in result.left] == ["GRD101"] and result.text == source
    path = script(tmp_path, source)
    shown = check("--add-ignore", "--output-format", "concise", path)
    assert shown.exit_code == 1 and path.read_text() == source
    assert "GRD101" in shown.stdout
    assert shown.stdout.splitlines()[-2:] == [
        "Wrote ignore comments for 0 findings.",
        "1 finding cannot be silenced by a comment.",
    ]


def test_unused_comments_and_syntax_errors_are_not_silenced() -> None:
    idle = CLEAN.replace(LINE, f"{LINE}  # gradlint: ignore[GRD101]")
    assert add_ignores(idle, judge).text == idle
    assert [each.code for each in add_ignores(SYNTAX_ERROR, judge).left] == ["GRD000"]


def test_text_that_would_change_is_given_back() -> None:
    """A judge that finds something else after a comment has come is not believed."""
    answers = iter([judge(SAFE), judge(BOTH)])
    assert add_ignores(SAFE, lambda _: next(answers)).text == SAFE


@pytest.mark.parametrize("path", faulty_fixtures(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_fixture_can_be_silenced(path: Path) -> None:
    source = read_marked(path.read_text(encoding="utf-8")).source
    result = add_ignores(source, judge)
    assert {each.code for each in result.left} <= {"GRD001"}
    assert len(result.silenced) == len([each for each in judge(source) if each.code != "GRD001"])
    assert len(result.text.splitlines()) == len(source.splitlines())


# The command


def test_command(tmp_path: Path) -> None:
    script(tmp_path, BOTH.replace("\n", "\r\n"), "a.py")
    script(tmp_path, SAFE, "b.py")
    script(tmp_path, CLEAN, "c.py")
    result = check("--add-ignore", "--reason", "see the wiki", tmp_path)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "Wrote ignore comments for 3 findings in 2 files."
    text = (tmp_path / "a.py").read_bytes()
    assert text.count(b"# gradlint: ignore[GRD101] see the wiki\r\n") == text.count(b"ignore[GRD501] see the wiki\r\n") == 1
    assert check(tmp_path).exit_code == 0
    before = (tmp_path / "b.py").stat().st_mtime_ns
    assert check("--add-ignore", tmp_path).stdout.splitlines()[-1] == "Wrote ignore comments for 0 findings."
    assert (tmp_path / "b.py").stat().st_mtime_ns == before


def test_selection_and_baseline_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = script(tmp_path, BOTH)
    check("--select", "GRD501", "--write-baseline", "b.json", path)
    assert check("--add-ignore", "--baseline", "b.json", path).exit_code == 0
    assert "GRD101]" in path.read_text() and "GRD501" not in path.read_text()


def test_encoding_is_kept_or_the_file_left_alone(tmp_path: Path) -> None:
    source = ("# coding: latin-1\n# caf\xe9\n" + SAFE).encode("latin-1")
    path = tmp_path / "train.py"
    path.write_bytes(source)
    check("--add-ignore", "--reason", "d\xe9j\xe0", path)
    assert b"ignore[GRD101] d\xe9j\xe0\n" in path.read_bytes()
    path.write_bytes(source)
    result = check("--add-ignore", "--reason", "日本", path)
    assert result.exit_code == 1 and path.read_bytes() == source and "cannot be silenced" in result.stdout


def test_notebooks(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": each.splitlines(keepends=True)}
        for each in ("%time\nimport torch", SAFE.rstrip("\n"))
    ]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}, indent=1))
    assert check("--add-ignore", path).exit_code == 0
    written = json.loads(path.read_text())["cells"]
    assert written[0] == cells[0] and "        loss.backward()  # gradlint: ignore[GRD101]\n" in written[1]["source"]
    assert check(path).exit_code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--add-ignore", "--fix"), "--add-ignore cannot be used with --fix"),
        (("--add-ignore", "--diff"), "--add-ignore cannot be used with --diff"),
        (("--add-ignore", "--reason", "a # b"), "--reason must be one line without `#`, `[` and `]`"),
        (("--reason", "x"), "--reason needs --add-ignore"),
    ],
)
def test_misuse(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    path = script(tmp_path)
    result = check(*options, path)
    assert result.exit_code == 2 and result.stderr == f"error: {message}\n" and path.read_text() == SAFE
