"""The Python interface."""

from __future__ import annotations

import multiprocessing
import pickle
import re
import subprocess
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest
from harness import ROOT
from samples import BOTH, CLEAN, SAFE, SYNTAX_ERROR, run, script

import gradlint
from gradlint import (
    CheckFailed,
    ConfigError,
    Diagnostic,
    Severity,
    UnknownRule,
    check_paths,
    check_source,
    fix_source,
    judge_paths,
    judge_source,
)
from gradlint.files.parser_warnings import Quiet
from gradlint.run import runner as runner_module

DEEP = "x = " + "(" * 3000 + "1" + ")" * 3000 + "\nloss.backward()\n"


def test_check_source() -> None:
    assert check_source(CLEAN) == ()
    (found,) = check_source(SAFE, "train.py")
    assert (found.filename, found.code, found.span.start.row) == ("train.py", "GRD101", 8)
    assert found.severity is Severity.ERROR
    assert [each.code for each in check_source(BOTH, ignore=["GRD1"])] == ["GRD501"]
    assert [each.code for each in check_source(SYNTAX_ERROR)] == ["GRD000"]
    with pytest.raises(UnknownRule, match="GRD999") as raised:
        check_source(SAFE, select=["GRD999"])
    assert raised.value.selector == "GRD999"


@pytest.mark.parametrize("source", [DEEP, "loss.backward()\0", "loss.backward()  # \ud800", "\r", "\x0c"])
def test_no_source_is_an_error(source: str) -> None:
    assert {each.code for each in check_source(source)} <= {"GRD000"}
    fixed = fix_source(source)
    assert fixed.source == source and not fixed.changed


def test_what_the_parser_says_of_the_code_is_not_passed_on() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_source(CLEAN + '\npattern = "\\d"\n') == ()


def test_verdicts_on_the_loops_of_files(tmp_path: Path) -> None:
    names = [str(script(tmp_path, source, name)) for name, source in (("a.py", CLEAN), ("b.py", SAFE))]
    told = [(each.filename, each.line, each.answer) for each in judge_paths(tmp_path)]
    assert told == [(names[0], 6, "verified"), (names[1], 6, "wrong")]
    (silenced,) = judge_paths(names[1], ignore=["GRD101"])
    assert silenced.silenced and silenced.words.startswith("wrong: GRD101 (silenced")
    assert judge_paths([]) == judge_paths(names, select=["GRD501"]) == ()
    with pytest.raises(FileNotFoundError):
        judge_paths(tmp_path / "missing.py")


def test_each_loop_is_verified_wrong_or_unknown() -> None:
    (verified,) = judge_source(CLEAN)
    assert (verified.answer, verified.codes, verified.reason) == ("verified", (), "")
    (wrong,) = judge_source(SAFE)
    assert (wrong.answer, wrong.codes) == ("wrong", ("GRD101",)) and wrong.line < 8 <= wrong.last_line
    loss = "criterion(model(x), y)"
    assert loss in CLEAN
    (unknown,) = judge_source(CLEAN.replace(loss, f"{loss} * y.mean()"))
    assert (unknown.answer, unknown.reason) == ("unknown", "the loss is multiplied by something that varies")
    assert "backward" in CLEAN.splitlines()[unknown.reason_line - 1]
    assert judge_source(SYNTAX_ERROR) == judge_source("x = 1\n") == judge_source(DEEP) == ()
    with pytest.raises(UnknownRule):
        judge_source(CLEAN, select=["GRD999"])


def test_fix_source() -> None:
    fixed = fix_source(BOTH)
    assert fixed.changed
    assert [each.code for each in fixed.applied] == ["GRD101"]
    assert [each.code for each in fixed.remaining] == ["GRD501"]
    assert fix_source(BOTH, unsafe_fixes=True).remaining == ()
    again = fix_source(fixed.source)
    assert again.source == fixed.source and not again.changed
    assert fix_source(BOTH, unsafe_fixes=True, select=["GRD501"]).source == BOTH.replace("Adam(", "AdamW(")


def codes(diagnostics: tuple[Diagnostic, ...]) -> list[str]:
    return [each.code for each in diagnostics]


def test_check_paths(tmp_path: Path) -> None:
    script(tmp_path, SAFE, "a.py")
    script(tmp_path, BOTH, "sub/b.py")
    assert codes(check_paths([tmp_path])) == ["GRD101", "GRD501", "GRD101"]
    assert check_paths(tmp_path) == check_paths(str(tmp_path)) == check_paths(iter([tmp_path]), jobs=None)
    assert codes(check_paths([str(tmp_path)], select=["GRD5"])) == ["GRD501"]
    assert check_paths([]) == ()
    with pytest.raises(FileNotFoundError, match=r"missing\.py"):
        check_paths([tmp_path / "missing.py"])
    with pytest.raises(UnknownRule, match="GRD110"):
        check_paths(tmp_path, ignore=["GRD110"])


def test_check_paths_finds_what_the_command_finds(tmp_path: Path) -> None:
    script(tmp_path, BOTH, "a.py")
    script(tmp_path, BOTH, "part/b.py")
    script(tmp_path, BOTH, "left_out/c.py")
    (tmp_path / "pyproject.toml").write_text('[tool.gradlint]\nignore = ["GRD501"]\nextend-exclude = ["left_out"]\n')
    (tmp_path / "part" / "gradlint.toml").write_text('select = ["GRD501"]\n')
    shown = run("check", "--output-format", "concise", tmp_path).stdout.splitlines()
    found = [f"{each.filename}:{each.span.start.row}:{each.span.start.column}: {each.code}" for each in check_paths(tmp_path)]
    assert found == [re.sub(r"(GRD\d+).*", r"\1", line) for line in shown if ": GRD" in line]
    assert [each.rpartition(" ")[2] for each in found] == ["GRD101", "GRD501"]
    assert len(check_paths(tmp_path, isolated=True)) == 6
    assert codes(check_paths(tmp_path, config=tmp_path / "part" / "gradlint.toml")) == ["GRD501"] * 3


def test_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    script(tmp_path)
    path = tmp_path / "pyproject.toml"
    path.write_text("[tool.gradlint]\nignored = []\n")
    with pytest.raises(ConfigError, match=r"pyproject\.toml:2: unknown key `ignored`"):
        check_paths(tmp_path)
    assert codes(check_paths(tmp_path, isolated=True)) == ["GRD101"]
    for name in ("nowhere.toml", "a = 1"):
        with pytest.raises(ConfigError, match=f"{name}: there is no such file"):
            check_paths(tmp_path, config=name)
    with pytest.raises(ConfigError, match="isolated"):
        check_paths(tmp_path, config=path, isolated=True)


def test_a_failure_of_gradlint_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("broken on purpose")

    path = script(tmp_path)
    monkeypatch.setattr(runner_module, "process", broken)
    with pytest.raises(CheckFailed, match=rf"{path}: [\s\S]*broken on purpose"):
        check_paths(tmp_path)


# Processes and threads


@pytest.mark.parametrize("method", sorted({"fork", "spawn"} & set(multiprocessing.get_all_start_methods())))
def test_functions_can_be_mapped_over_processes(tmp_path: Path, method: str) -> None:
    script(tmp_path, BOTH)
    with ProcessPoolExecutor(max_workers=2, mp_context=multiprocessing.get_context(method)) as pool:
        assert list(pool.map(check_source, [BOTH, SAFE], timeout=60)) == [check_source(BOTH), check_source(SAFE)]
        assert list(pool.map(fix_source, [BOTH], timeout=60)) == [fix_source(BOTH)]
        assert list(pool.map(check_paths, [tmp_path], timeout=60)) == [check_paths(tmp_path)]
        with pytest.raises(UnknownRule, match="GRD999") as raised:
            pool.submit(partial(check_source, select=["GRD999"]), SAFE).result(timeout=60)
        assert raised.value.selector == "GRD999"
        with pytest.raises(FileNotFoundError):
            pool.submit(check_paths, tmp_path / "missing.py").result(timeout=60)


@pytest.mark.parametrize(
    "value", [check_source(BOTH), fix_source(BOTH), check_source(SYNTAX_ERROR)], ids=lambda each: str(type(each))
)
def test_results_can_be_pickled(value: object) -> None:
    assert pickle.loads(pickle.dumps(value)) == value


@pytest.mark.parametrize(
    "error", [UnknownRule("no such rule", "GRD999"), ConfigError("wrong"), CheckFailed("a.py: failed")], ids=repr
)
def test_errors_can_be_pickled(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = script(tmp_path, BOTH + '\npattern = "\\d"\n')
    together = Barrier(8)

    def work(number: int) -> object:
        together.wait()
        return check_paths(path) if number % 2 else check_source(path.read_text(), str(path))

    filters, show = list(warnings.filters), warnings.showwarning
    for _ in range(5):
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(work, range(8))) == {check_paths(path)}
        assert (list(warnings.filters), warnings.showwarning) == (filters, show)


def test_silence_ends_with_the_last_that_asked_for_it() -> None:
    before, quiet = warnings.filters, Quiet()
    quiet.__enter__()
    quiet.__enter__()
    with warnings.catch_warnings(record=True) as caught:
        quiet.__exit__(None, None, None)
        warnings.warn("while one is still at work", stacklevel=1)
        assert caught == []
    quiet.__exit__(None, None, None)
    assert warnings.filters is before


# The package


def test_importing_the_package_imports_nothing_else() -> None:
    program = "import sys; before = set(sys.modules); import gradlint; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names} == {"gradlint"}


def test_every_public_name_is_there() -> None:
    for name in gradlint.__all__:
        assert getattr(gradlint, name) is not None
        assert name in dir(gradlint)
    with pytest.raises(AttributeError, match="nothing"):
        gradlint.nothing  # noqa: B018


# What the page and the example say


PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the page names."""
    script(tmp_path, SAFE, "src/models.py")
    script(tmp_path, BOTH, "experiments/adam.py")
    script(tmp_path, CLEAN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_page_says_what_happens(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.M | re.S)
    shown = []
    for (language, body), (following, output) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if language == "python":
            exec(compile(body, "docs/api.md", "exec"), {"__name__": "__main__"})
            shown.append(capsys.readouterr().out)
            if following == "text":
                assert shown[-1] == output
    assert "['GRD101']\n" in shown and "src 1\nexperiments 2\n" in shown


def test_page_names_everything_public() -> None:
    for name in set(gradlint.__all__) - {"__version__", "Place", "Related", "Span", "TextEdit", "TextFix", "FixedSource"}:
        assert re.search(rf"\b{name}\b", PAGE), name
