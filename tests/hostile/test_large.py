"""Files of any size: what cannot matter is passed over, and what is too much is refused, and said so."""

from __future__ import annotations

from pathlib import Path

import libcst
import pytest
from samples import SAFE, run, script

from gradlint import check_source, fix_source, judge_source
from gradlint.analysis.source import Source, read, read_rows


def told(text: str) -> list[tuple[str, int]]:
    return [(each.code, each.span.start.row) for each in check_source(text)]


@pytest.mark.parametrize(
    "filler", ["x = 1\n" * 40_000, "".join(f"value_{n} = {n}\n" for n in range(40_000))], ids=["same", "own"]
)
def test_constants_that_nothing_reads_are_not_parsed(filler: str) -> None:
    text = filler + SAFE
    source = read(text)
    assert isinstance(source, Source) and len(source.statements) < 10
    assert told(text) == [("GRD101", 40_008)]


def test_a_constant_that_is_read_is_kept() -> None:
    """The last of many values counts, and so does one that something reads before it is overwritten."""
    for before in ("accum_steps = 2\naccum_steps = 4\n", "accum_steps = 4\nprint(accum_steps)\naccum_steps = 4\n"):
        source = read(before + SAFE)
        assert isinstance(source, Source)
        assert ("GRD101", 8 + before.count("\n")) in told(before + SAFE)


def test_no_step_of_a_check_or_a_fix_parses_what_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    parse = libcst.parse_module

    def counted(source: str, *settings: object) -> libcst.Module:
        parsed.append(len(source))
        return parse(source, *settings)  # type: ignore[arg-type]

    monkeypatch.setattr(libcst, "parse_module", counted)
    clip = "        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
    faulty = SAFE.replace("loss.backward()\n", f"loss.backward()\n{clip}")
    assert {each.code for each in fix_source("x = 1\n" * 40_000 + faulty).applied} == {"GRD101", "GRD301"}
    assert parsed and max(parsed) < 1000


def test_large_code_that_matters_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    parse = libcst.parse_module
    monkeypatch.setattr(libcst, "parse_module", lambda source: (parsed.append(len(source)), parse(source))[1])
    clean = SAFE.replace("loss = criterion(model(x), y)", "loss = criterion(model(x), y) / accum_steps")
    check_source("x.append(1)\n" * 6_000 + clean)
    assert len(parsed) == 1


@pytest.mark.parametrize(
    "line", ["z = [" + "1," * 100_000 + "]", "\n        ".join(["z = f(x, y, i)"] * 20_010)], ids=["list", "calls"]
)
def test_what_must_be_parsed_and_is_too_much_is_refused(line: str) -> None:
    (only,) = check_source(SAFE.replace("        loss.backward()", f"        {line}\n        loss.backward()"))
    assert only.code == "GRD000" and "too large to be checked: it has 200,1" in only.message


def test_a_module_that_is_followed_keeps_to_the_limit() -> None:
    assert read_rows("x = 1\ny = 2\n", [(1, 1)]) is not None
    assert read_rows(f"x = [{'1,' * 100_000}]\ny = 2\n", [(2, 2)]) is not None
    assert read_rows(f"x = [{'1,' * 100_000}]\ny = 2\n", [(1, 1)]) is None


def test_the_server_keeps_to_the_limit() -> None:
    server = pytest.importorskip("gradlint.server.check", reason="the extra lsp is not installed")
    from gradlint.server.documents import Script
    from gradlint.server.policy import Policies
    from gradlint.server.text import Text

    text = SAFE.replace("        loss.backward()", f"        z = [{'1,' * 100_000}]\n        loss.backward()")
    (only,) = server.check(Script("file:///nowhere/train.py", 1, Text(text)), Policies(), {}, lambda: None).findings
    assert only.code == "GRD000" and "too large to be checked" in only.message


def test_the_configuration_raises_the_limit(tmp_path: Path) -> None:
    path = script(tmp_path, SAFE.replace("        loss.backward()", f"        z = [{'1,' * 100_000}]\n        loss.backward()"))
    assert "`max-size` in the configuration raises this" in run("check", path).stdout
    (tmp_path / "gradlint.toml").write_text("max-size = 1_000_000\n")
    assert "GRD101" in run("check", path).stdout and "GRD101" in run("show", path).stdout
    assert "max-size = 1000000" in run("check", "--show-settings", path).stdout
    (tmp_path / "gradlint.toml").write_text("max-size = 100\n")
    assert "too large" in run("check", script(tmp_path, SAFE, "small.py")).stdout


def test_a_file_that_is_given_up_does_not_pass_for_a_clean_one() -> None:
    """Eight helpers, each of which calls all of them."""
    inner = "".join(f"    helper_{k}(loss, optimizer)\n" for k in range(8))
    helpers = "".join(
        f"def helper_{k}(loss, optimizer):\n{inner}    loss.backward()\n    optimizer.step()\n\n\n" for k in range(8)
    )
    answers = judge_source(helpers + SAFE.replace("loss.backward()", "helper_0(loss, optimizer)"))
    assert {(each.answer, each.reason) for each in answers} == {("unknown", "the run takes too many steps to follow")}


@pytest.mark.parametrize("filler", ["x = 1\n" * 20_000, "x.append(1)\n" * 12_000], ids=["overwritten", "calls"])
def test_many_statements_of_a_module_leave_steps_for_its_loop_or_it_is_unknown(filler: str) -> None:
    (answer,) = judge_source(filler + SAFE)
    if "=" in filler:
        assert (answer.answer, answer.codes) == ("wrong", ("GRD101",))
    else:
        assert (answer.answer, answer.reason) == ("unknown", "the run takes too many steps to follow")
        assert answer.line == filler.count("\n") + 6


def test_show_says_that_a_run_was_given_up(tmp_path: Path) -> None:
    shown = run("show", script(tmp_path, "x.append(1)\n" * 12_000 + SAFE)).stdout
    assert "train: unknown: the run takes too many steps to follow" in shown


def test_a_text_of_many_megabytes_is_refused_at_once() -> None:
    (only,) = check_source("x = 1\n" * 2_000_000 + SAFE)
    assert only.code == "GRD000" and "more than 4 MB of code" in only.message
