"""`gradlint show` as a picture: it says what `check` says, in the terminal and as SVG, and invents nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from harness import FIXTURES, ROOT, faulty_fixtures, fixed, found, read_marked
from hypothesis import example, given, settings
from hypothesis import strategies as st
from samples import CLEAN, SAFE, SYNTAX_ERROR, run, script

from gradlint.analysis.source import Source, read_whole
from gradlint.cli import main
from gradlint.cli.run_show import show
from gradlint.report.lines import width
from gradlint.show.grid import Grid, Mark, Picture, Row
from gradlint.show.svg import draw_svg
from gradlint.show.text import ASCII, UNICODE, draw
from gradlint.simulate.simulation import simulate
from gradlint.simulate.trace import What

IDIOMS = sorted((FIXTURES / "idioms").glob("*.py"))
FOR_FIXES = sorted(
    path
    for path in faulty_fixtures()
    if path.stem == "plain"
    and path.parent.name != "GRD106"
    and path.parent.name[:5] in ("GRD10", "GRD20", "GRD30", "GRD40", "GRD60")
)
PAGE = ROOT / "docs" / "show.md"
BAD = {Mark.WRONG, Mark.MISSING}

LOOP = """\
import torch

accum_steps = {n}


def train(model, loader, criterion, optimizer, scheduler):
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y) / accum_steps
        loss.backward()
        if {test}:
            optimizer.step()
            optimizer.zero_grad()
"""


def picture(source: str, name: str = "train.py") -> Picture:
    return show(source, name).picture


def loop(test: str, n: object = 4) -> str:
    return LOOP.format(test=test, n=n)


def plain(lines: object) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]  # type: ignore[attr-defined]


def drawn(source: str, row: str) -> str:
    """The marks of the first grid's row of a label, without blanks."""
    grid = picture(source).timelines[0].grid
    return marks(next(each for each in grid.rows if each.label == row))


def marks(row: Row) -> str:
    return "".join(UNICODE.glyphs[mark] for mark in row.marks)


def look(grid: Grid) -> list[tuple[str, str]]:
    return [(row.label, marks(row)) for row in grid.rows]


# Every fixture


@pytest.mark.parametrize("path", [*faulty_fixtures(), *IDIOMS], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_picture_and_check_agree(path: Path) -> None:
    source = read_marked(path.read_text(encoding="utf-8")).source
    seen = picture(source, path.name)
    diagnostics = [each for each in found(source) if each.code != "GRD001"]
    verdicts = {*seen.elsewhere, *(verdict for timeline in seen.timelines for verdict in timeline.verdicts)}
    assert {(v.code, v.at.line) for v in verdicts if v.code != "GRD001"} == {(d.code, d.span.start.row) for d in diagnostics}
    for timeline in seen.timelines:
        on_it = {verdict.code for verdict in timeline.verdicts if verdict.drawn}
        assert {code for row in timeline.grid.rows for code in row.codes} == on_it
        assert not any(BAD & set(row.marks) for row in timeline.grid.rows if not row.codes)
        assert timeline.better is None or not any(BAD & set(row.marks) for row in timeline.better.rows)
        assert timeline.better is None or on_it
        assert all(width(line) <= 80 for style in (UNICODE, ASCII) for line in plain(draw(timeline, style)))
        if path.parent.name == "idioms":
            assert not timeline.marks & BAD


@pytest.mark.parametrize("path", FOR_FIXES, ids=lambda path: path.parent.name)
def test_better_is_how_the_fixed_text_runs(path: Path) -> None:
    source = read_marked(path.read_text(encoding="utf-8")).source
    before, after = picture(source, path.name), picture(fixed(source), path.name)
    for old, new in zip(before.timelines, after.timelines, strict=True):
        assert look(new.grid) == look(old.better or old.grid)
        assert new.grid.columns == old.grid.columns


# What is drawn


def test_six_bugs() -> None:
    source = read_marked((FIXTURES / "six_bugs" / "six_bugs.py").read_text(encoding="utf-8")).source
    timeline = picture(source).timelines[0]
    assert plain(draw(timeline, UNICODE)) == SIX_BUGS.splitlines()
    ascii_only = "\n".join(plain(draw(timeline, ASCII)))
    assert ascii_only == SIX_BUGS.translate(str.maketrans("●✗□·│", "*X!.|")).rstrip("\n")


SIX_BUGS = """\
  before the fix, N = ACCUM_STEPS = 4
                                 window 1      window 2      tail
  line                           1  2  3  4 │  5  6  7  8 │  9 10
    57  backward scaled loss     ✗  ✗  ✗  ✗ │  ✗  ✗  ✗  ✗ │  ✗  ✗  GRD101
        unscale                  ·  ·  ·  □ │  ·  ·  ·  □ │  ·  □  GRD301 GRD302
    59  clip                     ✗  ✗  ✗  ● │  ✗  ✗  ✗  ● │  ✗  ●  GRD301 GRD302
    63  scaler step              ✗  ·  ·  □ │  ✗  ·  ·  □ │  ✗  ●  GRD201
    64  scaler update            ✗  ·  ·  □ │  ✗  ·  ·  □ │  ✗  ●  GRD201
    66  zero_grad                ✗  ·  ·  □ │  ✗  ·  ·  □ │  ✗  ●  GRD201
    68  schedule                 ✗  ✗  ✗  ● │  ✗  ✗  ✗  ● │  ✗  ●  GRD401

  after the fix
                                 window 1      window 2      tail
                                 1  2  3  4 │  5  6  7  8 │  9 10
        backward scaled loss/N   ●  ●  ●  ● │  ●  ●  ●  ● │  ●  ●
        unscale                  ·  ·  ·  ● │  ·  ·  ·  ● │  ·  ●
        clip                     ·  ·  ·  ● │  ·  ·  ·  ● │  ·  ●
        scaler step              ·  ·  ·  ● │  ·  ·  ·  ● │  ·  ●
        scaler update            ·  ·  ·  ● │  ·  ·  ·  ● │  ·  ●
        zero_grad                ·  ·  ·  ● │  ·  ·  ·  ● │  ·  ●
        schedule                 ·  ·  ·  ● │  ·  ·  ·  ● │  ·  ●

  GRD101 unscaled-loss, line 57
  GRD301 clip-inside-window, line 59
  GRD302 clip-without-unscale, line 59
  GRD201 first-step-boundary, line 61
  GRD401 scheduler-per-micro-batch, line 68
"""


@given(n=st.integers(2, 8), first=st.integers(0, 7), flushed=st.booleans())
@example(n=4, first=2, flushed=False)
@example(n=2, first=1, flushed=False)
@example(n=3, first=1, flushed=False)
@settings(max_examples=12, deadline=None)
def test_marks_are_where_the_guard_holds(n: int, first: int, flushed: bool) -> None:
    """The drawn steps are those of the guard itself, evaluated on each micro-batch."""
    guard = f"i % accum_steps == {first % n}"
    test = f"{guard} or i + 1 == len(loader)" if flushed else guard
    seen = picture(loop(test, n)).timelines[0]
    length = len(seen.grid.columns)
    row = next(each for each in seen.grid.rows if each.label == "step")
    assert length > 2 * n and [column.number for column in seen.grid.columns] == list(range(1, length + 1))
    runs = [mark in (Mark.HAPPENS, Mark.WRONG) for mark in row.marks]
    assert runs == [bool(eval(test, {"i": i, "accum_steps": n, "loader": range(length)})) for i in range(length)]
    right = [i % n == n - 1 or i == length - 1 for i in range(length)]
    assert seen.better is None or [mark in (Mark.HAPPENS, Mark.MISSING) for mark in row.marks] == right
    assert all(width(line) <= 80 for line in plain(draw(seen, UNICODE)))


@pytest.mark.parametrize("name", ["hand_counter", "helper", "inner_loop"])
def test_marks_are_the_events_of_the_run(name: str) -> None:
    """Each row has as many marks as its line has micro-batches with an event, in the first pass of the run."""
    source = (FIXTURES / "verdicts" / f"{name}.py").read_text(encoding="utf-8")
    whole = read_whole(source)
    assert isinstance(whole, Source)
    trace = simulate(whole.statements)[0].main.trace
    (timeline,) = picture(source).timelines
    last = timeline.grid.columns[-1].number or 0
    for row in (each for each in timeline.grid.rows if not each.codes):
        micros = {e.micro for e in trace.events if whole.row_of(e.node) in {at.line for at in row.at} and e.what is not What.CALL}
        assert len([micro for micro in micros if 0 <= micro < last]) == sum(mark is not Mark.NOTHING for mark in row.marks), row


def test_a_large_n_is_drawn_small() -> None:
    seen = picture(loop("(i + 1) % accum_steps == 0 or i + 1 == len(loader)", 512)).timelines[0]
    assert seen.steps == "N = accum_steps = 512 (drawn as 3)" and [c.number for c in seen.grid.columns] == list(range(1, 9))
    odd = picture(loop("i % 16 == 5 or i + 1 == len(loader)", 16)).timelines[0]
    step = next(row for row in odd.grid.rows if row.label == "step")
    wrong = [column.number for column, mark in zip(odd.grid.columns, step.marks, strict=True) if mark is Mark.WRONG]
    assert odd.steps == "N = accum_steps = 16" and wrong[:2] == [6, 22]
    lines = plain(draw(odd, UNICODE))
    assert all(width(line) <= 80 for line in lines) and any("…" in line for line in lines)


@pytest.mark.parametrize("n", ["10**12", "0", "-3", "2.5", "'4'", "None", "args.n"])
def test_a_strange_number_of_steps_is_not_drawn(n: str) -> None:
    seen = picture(loop("(i + 1) % accum_steps == 0 or i + 1 == len(loader)", n)).timelines[0]
    assert "drawn as 3" in seen.steps or seen.steps == "N is not known"
    assert all(row.label.startswith("backward") or Mark.NOTHING in row.marks for row in seen.grid.rows)


def test_what_is_not_known_is_not_drawn() -> None:
    source = loop("foo(i)")
    assert set(drawn(source, "step")) == {"?"} and set(drawn(source, "zero_grad")) == {"?"}
    endless = loop("(i + 1) % accum_steps == 0").replace("enumerate(loader)", "enumerate(itertools.cycle(loader))")
    assert drawn(endless, "step") == "···●···●"


def test_before_and_after_the_pass() -> None:
    source = (
        SAFE.replace("    for i", "    optimizer.zero_grad()\n    for i").replace(" or (i + 1) == len(loader)", "")
        + "    optimizer.step()\n"
    )
    text = "\n".join(plain(draw(picture(source).timelines[0], UNICODE)))
    assert re.search(r"line +pre │ .* │ end$", text, re.M)
    assert re.search(r"step +· │   ·   ·   ● │   ·   ·   ● │   ·   · │   ●$", text, re.M)
    assert re.search(r"zero_grad +● │", text)


def test_a_silenced_finding_is_not_accused() -> None:
    assert "GRD101" in str(picture(SAFE))
    silenced = SAFE.replace("loss.backward()", "loss.backward()  # gradlint: ignore[GRD101] on purpose")
    (timeline,) = picture(silenced).timelines
    assert not timeline.marks & BAD and not timeline.verdicts and not picture(silenced).elsewhere
    assert timeline.answer == "wrong: GRD101 (silenced by comments or settings)" and timeline.unknown is None


def test_alternatives_share_a_row_where_they_do_the_same() -> None:
    path = FIXTURES / "idioms" / "torch_amp_scaler_arms.py"
    rows = picture(path.read_text(encoding="utf-8")).timelines[0].grid.rows
    assert [row.label for row in rows].count("step") == 1
    assert len(next(row for row in rows if row.label == "step").at) == 2


def test_a_call_that_is_lacking_stands_where_it_should() -> None:
    path = FIXTURES / "GRD306" / "unscaled_backward.py"
    source = read_marked(path.read_text(encoding="utf-8")).source
    timeline = picture(re.sub(r".*\.update\(\)\n", "", source)).timelines[0]
    row = next(each for each in timeline.grid.rows if each.label == "scaler update")
    assert (marks(row), row.at, row.codes) == ("··□··□·□", (), ("GRD306", "GRD307"))
    assert timeline.better is not None and ("scaler update", "··●··●·●") in look(timeline.better)


def test_each_optimizer_has_its_row() -> None:
    rows = picture((FIXTURES / "verdicts" / "several_optimizers.py").read_text(encoding="utf-8")).timelines[0].grid.rows
    assert [row.label for row in rows if row.label.startswith("step")] == ["step critic_optimizer", "step gen_optimizer"]
    assert marks(rows[-1]) == "●··●··●·"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("accelerate_accumulate_basic", "Accelerate: `accelerator.backward()` divides"),
        ("deepspeed_engine", "DeepSpeed: the engine divides"),
    ],
)
def test_what_an_engine_does_is_said(name: str, said: str) -> None:
    seen = picture((FIXTURES / "idioms" / f"{name}.py").read_text(encoding="utf-8"))
    assert any(note.startswith(said) for note in seen.timelines[0].notes)


def test_what_no_run_comes_to_is_one_line() -> None:
    shown = run("show", FIXTURES / "idioms" / "lightning_automatic.py").stdout.splitlines()
    assert len(shown) == 1 and "lightning_automatic.py:27 LitAutoEncoder.training_step: Lightning runs it by itself" in shown[0]
    unmet = loop("(i + 1) % accum_steps == 0").replace("for i,", "if False:\n            loss.backward()\n    for i,")
    said = "<stdin>:6 train: unknown: no simulated run reaches `loss.backward()` (line 8)\n"
    assert said in run("show", "-", input=unmet).stdout


def test_a_method_that_a_framework_calls_is_drawn_for_one_epoch() -> None:
    shown = run("show", FIXTURES / "GRD101" / "lightning_two_optimizers.fixed.py").stdout
    assert "it updates after micro-batch 3, 6, 8 of 8" in shown


def test_the_trainer_is_named_where_it_owns_the_loop() -> None:
    result = run("show", FIXTURES / "idioms" / "hf_trainer_plain_arguments.py")
    assert result.exit_code == 0 and "the Hugging Face Trainer runs it" in result.stdout
    assert "Trainer" not in run("show", FIXTURES / "idioms" / "eval_loops_only.py").stdout


# The command


def test_words_come_first_and_the_legend_last(tmp_path: Path) -> None:
    lines = run("show", script(tmp_path)).stdout.splitlines()
    assert lines[0].endswith("train.py:6 training loop in train") and "  events" in lines
    assert "before the fix, N = accum_steps (drawn as 3)" in lines[lines.index("") + 1]
    assert "  A window is the N micro-batches that share one optimizer step." in lines
    clean = run("show", script(tmp_path, CLEAN)).stdout
    assert "Nothing wrong was found on this timeline." in clean and "after the fix" not in clean and "✗" not in clean


def test_ascii_where_the_stream_can_do_no_more(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "gradlint", "show", str(script(tmp_path))]
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    text = done.stdout.decode("ascii")
    assert re.search(r"backward loss +X +X +X \|", text) and "\\u" not in text


def test_colour_only_where_it_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(tmp_path)
    without = run("show", path).stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = CliRunner().invoke(main, ["show", str(path)], color=True).stdout
    assert "\x1b" not in without and "\x1b[31m" in coloured and plain([coloured]) == [without]
    monkeypatch.setenv("NO_COLOR", "1")
    assert CliRunner().invoke(main, ["show", str(path)]).stdout == without


def notebook(folder: Path, *cells: str) -> Path:
    document = {"cells": [{"cell_type": "code", "metadata": {}, "source": cell} for cell in cells], "nbformat": 4}
    return script(folder, json.dumps(document), "train.ipynb")


def test_notebooks_name_the_cell(tmp_path: Path) -> None:
    path = notebook(tmp_path, "%pip list\nimport torch", "\n".join(SAFE.splitlines()[1:]))
    shown = run("show", path).stdout
    assert "train.ipynb:cell 2:5 training loop in train" in shown
    assert "cell 2, line 7 backward" in shown and re.search(r"2:7 +backward loss +✗", shown)
    assert "GRD101 unscaled-loss, cell 2, line 7" in shown
    assert run("show", script(tmp_path, "{}", "no.ipynb")).stderr.splitlines()[0].startswith("error: ")


def test_stdin() -> None:
    result = CliRunner().invoke(main, ["show", "-"], input=SAFE)
    assert result.exit_code == 0 and result.stdout.startswith("<stdin>:6 training loop in train")


def test_json(tmp_path: Path) -> None:
    (seen,) = json.loads(run("show", script(tmp_path), "--output-format", "json").stdout)
    grid = seen["timelines"][0]["grid"]
    backward = next(row for row in grid["rows"] if row["label"] == "backward loss")
    assert backward["codes"] == ["GRD101"] and backward["at"] == [{"line": 8, "cell": None}]
    assert set(backward["marks"]) == {"happens and is wrong"} and len(backward["marks"]) == len(grid["columns"])


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    binary = tmp_path / "binary.py"
    binary.write_bytes(b"x = 1\n\0")
    deep = script(tmp_path, "loss.backward" + "(" * 3000, "deep.py")
    for path, said in (
        (tmp_path / "missing.py", "No such file or directory"),
        (script(tmp_path, SYNTAX_ERROR, "broken.py"), "broken.py:3:14: "),
        (binary, "NUL byte"),
        (deep, "deep.py"),
    ):
        for options in ((), ("--svg", str(tmp_path / "out.svg"))):
            result = run("show", path, *options)
            assert result.exit_code == 2 and result.stdout == "", path
            assert said in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "out.svg").exists()
    both = run("show", tmp_path / "missing.py", script(tmp_path))
    assert both.exit_code == 2 and both.stderr.count("\n") == 1 and "before the fix" in both.stdout


def test_a_configuration_teaches_names(tmp_path: Path) -> None:
    source = CLEAN.replace("optimizer.step", "self.mover.step").replace("optimizer =", "unused =")
    path = script(tmp_path, source)
    assert "No optimizer step was found" in run("show", path).stdout
    script(tmp_path, '[tool.gradlint.names]\noptimizers = ["mover"]\n', "pyproject.toml")
    assert "No optimizer step was found" not in run("show", path).stdout
    script(tmp_path, "[tool.gradlint]\nnonsense = 1\n", "pyproject.toml")
    result = run("show", path)
    assert result.exit_code == 2 and "nonsense" in result.stderr and result.stdout == ""


# SVG

SVG = "{http://www.w3.org/2000/svg}"


def test_svg_is_self_contained_and_accessible(tmp_path: Path) -> None:
    target = tmp_path / "loop.svg"
    result = run("show", script(tmp_path), "--svg", target)
    assert result.exit_code == 0 and result.output == ""
    text = target.read_text(encoding="ascii")
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg" and root.get("role") == "img"
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None and description is not None
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert "train.py" in str(title.text)
    assert "backward loss: is wrong on every micro-batch (GRD101)" in str(description.text)
    assert "prefers-color-scheme: dark" in text
    allowed = {"svg", "title", "desc", "style", "rect", "text", "g", "circle", "path"}
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= allowed
    assert not re.search(r"url\(|@import|href|https?://(?!www\.w3\.org/2000/svg)", text)
    assert not any(name.startswith("on") for each in root.iter() for name in each.attrib)


def test_svg_draws_the_same_marks() -> None:
    for name in ("GRD201/plain.py", "GRD301/plain.py", "idioms/grads_divided_before_step.py", "GRD202/plain.py"):
        seen = picture((FIXTURES / name).read_text(encoding="utf-8"), name)
        root = ElementTree.fromstring(draw_svg([seen]))
        names = {
            Mark.HAPPENS: "happens",
            Mark.MAYBE: "maybe",
            Mark.WRONG: "wrong",
            Mark.MISSING: "missing",
            Mark.NOTHING: "nothing",
            Mark.UNKNOWN: "unknown",
        }
        drawn_rows = [
            [kind for each in group if (kind := each.get("class", "").removesuffix(" middle")) in names.values()]
            for group in root.iter(f"{SVG}g")
        ]
        grids = [grid for each in seen.timelines for grid in (each.grid, each.better) if grid is not None]
        assert drawn_rows == [[names[mark] for mark in row.marks] for grid in grids for row in grid.rows]


def test_svg_escapes_foreign_text(tmp_path: Path) -> None:
    path = script(tmp_path, SAFE.replace("accum_steps", "größe"), "<script>&\"'\x1b[31m\u202e.py")
    text = run("show", path, "--svg", "-").stdout
    root = ElementTree.fromstring(text)
    assert not list(root.iter(f"{SVG}script")) and "<script>" in str(root.findtext(f"{SVG}title"))
    assert text.isascii() and "\x1b" not in text and "größe" in "".join(root.itertext())
    assert "\u202e" not in "".join(root.itertext())


def test_svg_of_several_loops_and_files(tmp_path: Path) -> None:
    twice = SAFE + "\n\n" + SAFE.replace("def train", "def finetune").removeprefix("import torch\n")
    text = run("show", script(tmp_path, twice), script(tmp_path, CLEAN, "other.py"), "--svg", "-").stdout
    root = ElementTree.fromstring(text)
    titles = [each for each in root.iter(f"{SVG}text") if each.get("class") == "title"]
    assert [str(each.text).split()[-1] for each in titles] == ["train", "finetune", "train"]
    tops = [float(each.get("y", "0")) for each in titles]
    assert tops == sorted(set(tops)) and tops[-1] < float(root.get("height", "0"))


def test_svg_that_cannot_be_made(tmp_path: Path) -> None:
    result = run("show", script(tmp_path), "--svg", tmp_path / "no" / "out.svg")
    assert (
        result.exit_code == 2 and result.stderr.count("\n") == 1 and "out.svg: cannot be written: No such file" in result.stderr
    )
    result = run("show", script(tmp_path, "print(1)\n"), "--svg", tmp_path / "out.svg")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1 and "no backward pass was found" in result.stderr
    assert not (tmp_path / "out.svg").exists()


# The page


def test_the_page_shows_what_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """`pytest --update-fixed tests/test_timeline.py` writes the timeline, and `benchmarks/page_pictures.py` the picture."""
    text = PAGE.read_text(encoding="utf-8")
    (source,) = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    block, *_ = re.findall(r"^```text\n(.*?)^```$", text, re.M | re.S)
    (command,) = re.findall(r"^```sh\ngradlint (.*?)\n```$", text, re.M)
    monkeypatch.chdir(tmp_path)
    script(tmp_path, source)
    result = run("show", "train.py")
    shown = result.stdout[result.stdout.index("  before the fix") :]
    assert run(*command.split()).exit_code == 0
    image = (tmp_path / "train.svg").read_text(encoding="ascii")
    if request.config.getoption("--update-fixed"):
        PAGE.write_text(text.replace(block, shown), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8").count(shown) == 1
    assert (PAGE.parent / "pictures" / "show.svg").read_text(encoding="ascii") == image


def test_the_page_explains_every_mark() -> None:
    rows = re.findall(r"^\| `(.)` \| `(.)` \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.M)
    from gradlint.show.legend import MEANINGS

    assert rows == [(UNICODE.glyphs[mark], ASCII.glyphs[mark], meaning) for mark, meaning in MEANINGS.items()]
