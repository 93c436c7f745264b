"""The output formats: what a reader sees, and that nothing which is read can take over a terminal."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import click
import pytest
from samples import BOTH, SAFE, check, run, script

from gradlint.diagnostic import Applicability, Diagnostic, Place, Related, Severity, Span, TextEdit, TextFix
from gradlint.report.full import full
from gradlint.report.lines import cut, expand, safe, width


def span(row: int, column: int, end_row: int, end_column: int) -> Span:
    return Span(Place(row, column), Place(end_row, end_column))


def diagnostic(where: Span, message: str = "wrong", **more: object) -> Diagnostic:
    return Diagnostic("a.py", where, "GRD101", "unscaled-loss", message, Severity.ERROR, **more)  # type: ignore[arg-type]


def plain(each: Diagnostic, text: str) -> str:
    return click.unstyle("\n".join(full([each], text, unsafe=False)))


def test_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert (
        check("train.py", "-q").stdout
        == """\
error[GRD101]: The loss is not divided by `accum_steps` before `backward()`
  --> train.py:8:9
   |
 6 |     for i, (x, y) in enumerate(loader):
 7 |         loss = criterion(model(x), y)
 8 |         loss.backward()
   |         ^^^^^^^^^^^^^^^
 9 |         if (i + 1) % accum_steps == 0 or (i + 1) == len(loader):
10 |             optimizer.step()
   |             ---------------- the accumulated gradients are used here
11 |             optimizer.zero_grad()
   |
note: assuming a mean loss, `optimizer.step()` uses the sum of the window's gradients, not their mean; with SGD, each step is N times as long
help: [*] Divide the loss by `accum_steps`
   |
 8 -         loss.backward()
 8 +         (loss / accum_steps).backward()
   |

"""
    )


NUMBERS = "".join(f"line_{number}\n" for number in range(1, 31))


def test_distant_places_have_excerpts_of_their_own() -> None:
    each = diagnostic(span(20, 1, 20, 5), related=(Related(span(3, 1, 3, 7), "seen here"),), note="a remark")
    assert (
        plain(each, NUMBERS)
        == """\
error[GRD101]: wrong
  --> a.py:20:1
   |
18 | line_18
19 | line_19
20 | line_20
   | ^^^^
21 | line_21
22 | line_22
   |
  ::: a.py:3:1
   |
 1 | line_1
 2 | line_2
 3 | line_3
   | ------ seen here
 4 | line_4
 5 | line_5
   |
note: a remark
"""
    )


def test_places_of_several_lines() -> None:
    text = "before\ncall(\n\targument,\n)\nafter\n"
    assert (
        plain(diagnostic(span(2, 1, 4, 2)), text)
        == """\
error[GRD101]: wrong
 --> a.py:2:1
  |
1 |   before
2 | / call(
3 | |     argument,
4 | | )
  | |_^
5 |   after
  |
"""
    )


def test_long_places_are_shortened() -> None:
    shown = plain(diagnostic(span(5, 1, 25, 5)), NUMBERS)
    assert "7 | | line_7\n   | | ...\n24 | | line_24\n25 | | line_25\n   | |____^\n" in shown
    assert "line_12" not in shown


def test_carets_under_tabs_and_wide_characters() -> None:
    text = '\t"日本"; call()\n'
    shown = plain(diagnostic(span(1, 8, 1, 14)), text).splitlines()
    assert shown[3] == '1 |     "日本"; call()'
    assert width(shown[4].split("^")[0]) == width(shown[3].split("call")[0])
    assert shown[4].count("^") == len("call()")


def test_long_lines_are_cut_around_the_place() -> None:
    text = f"short\n{'x' * 300}; call(); {'y' * 300}\n"
    shown = plain(diagnostic(span(2, 303, 2, 309)), text).splitlines()
    assert max(map(width, shown)) <= 145
    assert shown[4].startswith("2 | …xxx") and shown[4].endswith("yyy…")
    assert shown[5].index("^") == shown[4].index("call()") and shown[5].count("^") == 6
    assert plain(diagnostic(span(2, 1, 2, 5)), text).splitlines()[4].startswith("2 | xxx")


def test_cut_keeps_columns() -> None:
    assert cut("abcdef", 0, 6) == "abcdef"
    assert cut("abcdefgh", 0, 6) == "abcde…"
    assert cut("abcdefgh", 2, 6) == "…de…"
    assert cut("abcdefgh", 4, 12) == "…fgh"
    assert cut("ab", 4, 12) == ""
    assert width("日本e\u0301") == 5


def test_places_beyond_the_text_do_not_fail() -> None:
    assert plain(diagnostic(span(9, 9, 9, 9)), "one\ntwo\n").startswith("error[GRD101]: wrong\n --> a.py:9:9\n")
    assert plain(diagnostic(span(1, 1, 1, 1)), "") == "error[GRD101]: wrong\n --> a.py:1:1\n"
    assert "^" in plain(diagnostic(span(3, 1, 3, 1)), "one\ntwo\n")


def test_unsafe_fixes_are_named_as_such() -> None:
    fix = TextFix("Use AdamW", Applicability.UNSAFE, ())
    assert "help: Use AdamW (unsafe fix)\n" in plain(diagnostic(span(1, 1, 1, 2), fix=fix), "x\n")


def edit(row: int, column: int, end_row: int, end_column: int, content: str) -> TextEdit:
    return TextEdit(span(row, column, end_row, end_column), content)


def help_of(*edits: TextEdit, text: str = NUMBERS) -> list[str]:
    """What the help for a fix shows of its lines."""
    fix = TextFix("Do this", Applicability.SAFE, edits)
    return plain(diagnostic(span(1, 1, 1, 2), fix=fix), text).partition("Do this\n")[2].splitlines()


def test_help_shows_the_lines_that_the_fix_changes() -> None:
    assert help_of(edit(5, 1, 5, 5, "word"), edit(7, 1, 8, 1, "")) == [
        "  |",
        "5 - line_5",
        "5 + word_5",
        "6   line_6",
        "7 - line_7",
        "  |",
    ]
    assert help_of(edit(2, 1, 2, 1, "new\r\n"), edit(20, 1, 20, 5, "word")) == [
        "   |",
        " 2 + new",
        "...",
        "20 - line_20",
        "21 + word_20",
        "   |",
    ]


def test_help_shortens_a_long_change() -> None:
    shown = help_of(edit(1, 1, 1, 1, "".join(f"new_{number}\n" for number in range(40))))
    assert shown[1] == " 1 + new_0" and len(shown) == 15 and shown[-2:] == ["...", "   |"]


def test_help_shows_no_lines_of_another_text() -> None:
    assert help_of(edit(99, 1, 99, 2, "x")) == [] and help_of() == []


def test_code_is_cut_to_the_terminal() -> None:
    each = diagnostic(span(1, 1, 1, 5), fix=TextFix("Do this", Applicability.SAFE, (edit(1, 1, 1, 5, "right"),)))
    for columns in (60, 80, 120):
        shown = list(map(click.unstyle, full([each], f"wrong{'x' * 300}\n", unsafe=False, columns=columns)))
        excerpt = [line for line in shown if " | " in line]
        assert excerpt and max(map(width, excerpt)) == columns, shown


def test_added_lines_are_not_cut_to_the_terminal() -> None:
    """What is new is often at the end of the line."""
    each = diagnostic(span(1, 1, 1, 5), fix=TextFix("Do this", Applicability.SAFE, (edit(1, 101, 1, 101, " or flush"),)))
    shown = "\n".join(map(click.unstyle, full([each], f"{'x' * 100}\n", unsafe=False, columns=60)))
    assert f"1 + {'x' * 100} or flush\n" in shown


def test_concise_is_one_line_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, SAFE.replace("loss.backward()", "loss.backward(\n            retain_graph=False\n        )"))
    monkeypatch.chdir(tmp_path)
    lines = check("train.py", "--output-format", "concise", "-q").stdout.splitlines()
    assert len(lines) == 1 and lines[0].startswith("train.py:8:9: GRD101 [*] ")


def test_json(tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    rows = json.loads(check(path, "--output-format", "json").stdout)
    assert [row["code"] for row in rows] == ["GRD501", "GRD101"]
    row = rows[1]
    assert row.keys() >= {"code", "name", "message", "severity", "filename", "location", "end_location", "fix", "url", "related"}
    assert (row["name"], row["severity"], row["filename"]) == ("unscaled-loss", "error", str(path))
    assert (row["location"], row["end_location"]) == ({"row": 8, "column": 9}, {"row": 8, "column": 24})
    assert row["fix"]["applicability"] == "safe" and rows[0]["fix"]["applicability"] == "unsafe"
    line = BOTH.splitlines()[7]
    for edit in reversed(row["fix"]["edits"]):
        assert (edit["location"]["row"], edit["end_location"]["row"]) == (8, 8)
        line = line[: edit["location"]["column"] - 1] + edit["content"] + line[edit["end_location"]["column"] - 1 :]
    assert line.strip() == "(loss / accum_steps).backward()"
    assert row["related"][0]["location"]["row"] == 10
    assert json.loads(check(script(tmp_path, "x = 1\n"), "--output-format", "json").stdout) == []


EVIL = "\x1b[31mred\x1b]0;title\x07[bold]\u202e\x9b"


def test_code_cannot_inject_escapes(tmp_path: Path) -> None:
    source = SAFE.replace("loss.backward()", f"loss.backward()  # {EVIL}")
    for form in ("full", "concise", "json"):
        shown = check(script(tmp_path, source), "--output-format", form).stdout
        assert not set(shown) & set("\x1b\x07\x9b\u202e")
    shown = check(script(tmp_path, source), "--diff").stdout
    assert "+" in shown and not set(shown) & set("\x1b\x07\x9b\u202e")
    shown = run("show", script(tmp_path, source.replace("accum_steps", "accum_steps"))).stdout
    assert not set(shown) & set("\x1b\x07\x9b\u202e")


def test_file_names_cannot_inject_escapes(tmp_path: Path) -> None:
    name = "\x1b[31m[red]a\n.py"
    for form in ("full", "concise", "json"):
        shown = check(script(tmp_path, SAFE, name), "--output-format", form).stdout
        assert "\x1b" not in shown and "[red]a" in shown
    result = check(tmp_path / f"no{name}")
    assert "\x1b" not in result.stderr and result.stderr.count("\n") == 1


def test_file_names_that_are_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.py")
    script(tmp_path, SAFE, name)
    for form in ("full", "concise", "json"):
        assert "GRD101" in check(tmp_path, "--output-format", form).stdout


def test_safe_and_expand() -> None:
    assert safe("plain ä 日本 🙂") == "plain ä 日本 🙂"
    assert safe("a\x00b\x1bc\u200bd") == "a\ufffdb\ufffdc\ufffdd"
    assert expand("\tx\ty") == "    x   y"


def _terminal(arguments: list[str], **environment: str) -> str:
    """What the command writes to a terminal."""
    primary, secondary = pty.openpty()
    names = ("NO_COLOR", "FORCE_COLOR", "FORCE_HYPERLINK", "TERM_PROGRAM", "TMUX", "VTE_VERSION", "WT_SESSION", "KONSOLE_VERSION")
    settings = {key: value for key, value in os.environ.items() if key not in names}
    settings |= {"TERM": "xterm-256color", **environment}
    with subprocess.Popen([sys.executable, "-m", "gradlint", *arguments], stdout=secondary, env=settings) as process:
        os.close(secondary)
        shown = io.BytesIO()
        try:
            while block := os.read(primary, 4096):
                shown.write(block)
        except OSError:
            pass
        process.wait()
    os.close(primary)
    return shown.getvalue().decode()


def test_colour_only_on_a_terminal(tmp_path: Path) -> None:
    arguments = ["check", "--isolated", str(script(tmp_path))]
    assert "\x1b[31m" in _terminal(arguments)
    assert "\x1b" not in _terminal(arguments, NO_COLOR="1")
    assert "\x1b" not in _terminal(arguments, TERM="dumb")
    assert "\x1b" not in check(*arguments[2:]).stdout


def test_links_only_on_a_terminal_that_follows_them(tmp_path: Path) -> None:
    path, link = str(script(tmp_path)), "\x1b]8;;https://github.com/torch-gradlint/torch-gradlint/blob/main/rules/GRD101.md\x1b\\"
    for form in ("full", "concise", "grouped"):
        arguments = ["check", "--isolated", "--output-format", form, path]
        assert link in _terminal(arguments, TERM_PROGRAM="WezTerm")
        assert link not in _terminal(arguments, TERM_PROGRAM="WezTerm", NO_COLOR="1")
        assert link not in _terminal(arguments, TERM_PROGRAM="WezTerm", TMUX="1")
        assert link not in _terminal([*arguments, "--output-file", str(tmp_path / "report")], TERM_PROGRAM="WezTerm")
    assert "\x1b" not in _terminal(["check", "--isolated", "--output-format", "pylint", path], TERM_PROGRAM="WezTerm")


def test_colour_can_be_forced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[31m" in check(script(tmp_path)).stdout
    monkeypatch.setenv("FORCE_COLOR", "0")
    assert "\x1b" not in check(script(tmp_path)).stdout


def test_pages_are_rendered_on_a_terminal_only() -> None:
    assert "\x1b[" in _terminal(["rule", "GRD101"])
    assert run("rule", "GRD101").output.startswith("# GRD101")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_label_that_does_not_fit_beside_its_mark_is_below_it(columns: int) -> None:
    place = Span(Place(1, 1), Place(1, 4))
    far = Related(Span(Place(2, columns - 20), Place(2, columns - 10)), "the accumulated gradients are used here")
    each = Diagnostic("train.py", place, "GRD101", "unscaled-loss", "wrong", Severity.ERROR, related=(far,))
    shown = [click.unstyle(line) for line in full([each], f"loss\n{'x' * (columns - 8)}\n", unsafe=False, columns=columns)]
    assert max(map(width, shown)) <= columns
    mark = next(number for number, line in enumerate(shown) if "----------" in line)
    assert shown[mark + 1].endswith(" the accumulated gradients are used here")
