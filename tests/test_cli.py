"""The command line: what is printed, what is written, and the exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from samples import BOTH, CLEAN, SAFE, SYNTAX_ERROR, check, run, script

from gradlint import __version__
from gradlint.registry import all_rules


def test_exit_status(tmp_path: Path) -> None:
    assert check(script(tmp_path, CLEAN)).exit_code == 0
    assert check(script(tmp_path, SAFE)).exit_code == 1
    assert check("--exit-zero", script(tmp_path, SAFE)).exit_code == 0
    assert check("--nonsense").exit_code == 2
    assert check(tmp_path / "missing.py").exit_code == 2


@pytest.mark.parametrize(("least", "statuses"), [("error", (1, 0)), ("warning", (1, 1)), ("info", (1, 1)), ("never", (0, 0))])
def test_fail_on_a_severity(tmp_path: Path, least: str, statuses: tuple[int, int]) -> None:
    path = script(tmp_path, BOTH)
    found = [check("--fail-on", least, "--select", code, path).exit_code for code in ("GRD101", "GRD501")]
    assert tuple(found) == statuses


def test_every_loop_has_an_answer_in_the_summary(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(CLEAN)
    (tmp_path / "b.py").write_text(SAFE)
    (tmp_path / "c.py").write_text(SAFE.replace("loss.backward()", "loss.backward()  # gradlint: ignore[GRD101]"))
    (tmp_path / "d.py").write_text(CLEAN.replace("optimizer.step()", "advance(optimizer)"))
    (tmp_path / "e.py").write_text("x = 1\n")
    told = "Checked 5 files, 4 training loops: 1 verified, 1 wrong, 1 silenced, 1 unknown (`gradlint show` explains).\n"
    for _ in range(2):  # the second run remembers
        assert told in check(tmp_path).stdout
    assert "Checked 5 files, 4 training loops: 2 verified, 1 silenced, 1 unknown" in check("--fix", tmp_path).stdout
    assert "Checked" not in check("-q", tmp_path).output


def test_a_run_that_checks_nothing_does_not_pass(tmp_path: Path) -> None:
    nothing = check(tmp_path)
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert nothing.stderr == f"warning: no Python files or notebooks found under {tmp_path}\n"
    without = check("--ignore", "ALL", script(tmp_path, BOTH))
    assert (without.stdout, without.stderr) == ("", "warning: no rule is selected\n")
    missing = check(tmp_path / "missing.py", script(tmp_path, CLEAN))
    assert missing.exit_code == 2 and missing.stdout == ""


def test_clean_run_says_so(tmp_path: Path) -> None:
    told = "Checked 1 file, 1 training loop: 1 verified.\nAll checks passed!\n"
    assert check(script(tmp_path, CLEAN)).output == told
    assert check("-q", script(tmp_path, CLEAN)).output == ""


def test_default_is_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert check("--output-format", "concise").stdout.startswith("train.py:8:9: GRD101 [*] ")


def test_summary(tmp_path: Path) -> None:
    lines = check(script(tmp_path, BOTH)).stdout.splitlines()
    assert lines[-2:] == [
        "Found 1 error and 1 warning.",
        "[*] 1 fixable with the `--fix` option (1 hidden fix can be enabled with the `--unsafe-fixes` option).",
    ]
    lines = check("--unsafe-fixes", script(tmp_path, BOTH)).stdout.splitlines()
    assert lines[-2:] == ["Found 1 error and 1 warning.", "[*] 2 fixable with the `--fix` option."]
    lines = check("--select", "GRD501", script(tmp_path, BOTH)).stdout.splitlines()
    assert lines[-1] == "No fixes available (1 hidden fix can be enabled with the `--unsafe-fixes` option)."


def test_fix_writes_safe_fixes_and_reports_the_rest(tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    result = check("--fix", path)
    assert result.exit_code == 1
    assert "GRD501" in result.stdout and "GRD101 " not in result.stdout
    assert "Found 1 error and 1 warning (1 fixed, 1 remaining)." in result.stdout
    assert path.read_text() == BOTH.replace("loss.backward()", "(loss / accum_steps).backward()")
    assert check("--fix", "--unsafe-fixes", path).exit_code == 0
    assert "AdamW(" in path.read_text()


def test_after_a_fix_the_author_is_told_what_it_means_for_the_rate(tmp_path: Path) -> None:
    path = script(tmp_path)
    assert "note: GRD101" not in check(path).stdout
    told = [line for line in check("--fix", path).stdout.splitlines() if line.startswith("note: ")]
    assert len(told) == 1 and "GRD101" in told[0] and "learning rate" in told[0]
    assert "note: " not in check("--fix", path).stdout


def test_without_fix_nothing_is_written(tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    before = path.stat().st_mtime_ns
    check(path)
    check("--unsafe-fixes", path)
    assert path.read_text() == BOTH and path.stat().st_mtime_ns == before


def test_diff_shows_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(tmp_path, BOTH)
    monkeypatch.chdir(tmp_path)
    result = check("--diff", "train.py")
    assert result.exit_code == 1 and path.read_text() == BOTH
    assert result.stderr == "Would fix 1 error (1 more fix available with `--unsafe-fixes`).\n"
    assert result.stdout.startswith("--- a/train.py\n+++ b/train.py\n@@ ")
    assert "-        loss.backward()\n+        (loss / accum_steps).backward()\n" in result.stdout
    subprocess.run(["patch", "-s", "-p1"], input=result.stdout.encode(), check=True)
    assert path.read_text() == BOTH.replace("loss.backward()", "(loss / accum_steps).backward()")
    assert check("--diff", "--fix", script(tmp_path, CLEAN)).exit_code == 0


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("gradlint rule GRD40", "GRD401"),
        ("gradlint rule sched", "scheduler-per-micro-batch"),
        ("gradlint check --select GRD101,DROP", "GRD101,dropped-tail"),
        ("gradlint show --why unscaled", "unscaled-loss"),
        ("gradlint ch", "check"),
        ("gradlint check --output-format git", "gitlab"),
    ],
)
def test_shells_complete_rules_commands_and_values(words: str, offered: str) -> None:
    environment = {**os.environ, "_GRADLINT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    program = "import sys; sys.argv[0] = 'gradlint'; from gradlint.cli import main; main(prog_name='gradlint')"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert f"plain,{offered}" in done.stdout.splitlines()


def test_diff_is_for_git_apply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my src").mkdir()
    path = script(tmp_path, SAFE)
    path = path.rename(tmp_path / "my src" / "train.py")
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    for named in ("my src", str(path)):
        before = path.read_text()
        subprocess.run(["git", "apply"], input=check("--diff", named).stdout_bytes, check=True)
        assert path.read_text() == SAFE.replace("loss.backward()", "(loss / accum_steps).backward()") != before
        path.write_text(before)


def test_diff_of_windows_newlines_applies(tmp_path: Path) -> None:
    source = SAFE.replace("\n", "\r\n")
    path = script(tmp_path, source)
    subprocess.run(["patch", "-s", "--binary", str(path)], input=check("--diff", path).stdout_bytes, check=True)
    assert path.read_bytes() == source.replace("loss.backward()", "(loss / accum_steps).backward()").encode()


def test_diff_names_what_does_not_parse(tmp_path: Path) -> None:
    result = check("--diff", script(tmp_path, SYNTAX_ERROR))
    assert result.exit_code == 1
    assert "train.py:" in result.stderr and "Nothing would be fixed." in result.stderr


@pytest.mark.parametrize("selectors", ["GRD101", "GRD1", "grd101", "unscaled-loss", "ALL", "GRD2,unscaled-loss"])
def test_select_takes_codes_prefixes_and_names(tmp_path: Path, selectors: str) -> None:
    assert "GRD101" in check("--select", selectors, script(tmp_path)).stdout


def test_ignore(tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    assert check("--ignore", "GRD1,adam-weight-decay", path).exit_code == 0
    assert check("--select", "GRD101", "--ignore", "GRD1", path).exit_code == 1
    assert check("--select", "GRD1", "--ignore", "GRD101", path).exit_code == 0


@pytest.mark.parametrize("option", ["--select", "--ignore"])
@pytest.mark.parametrize(
    ("selector", "hint"), [("GRD999", ""), ("unscaled-los", "did you mean `unscaled-loss`?"), ("GRD000", "always on")]
)
def test_unknown_rule_is_told(tmp_path: Path, option: str, selector: str, hint: str) -> None:
    result = check(option, selector, script(tmp_path))
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ") and selector in result.stderr and hint in result.stderr


def test_informational_rules_are_off_by_default(tmp_path: Path) -> None:
    source = CLEAN.replace("        loss.backward()\n", "        loss.backward()\n        print(loss.item())\n")
    assert check(script(tmp_path, source)).exit_code == 0
    assert "GRD106" in check("--select", "ALL", script(tmp_path, source)).stdout


def test_statistics(tmp_path: Path) -> None:
    script(tmp_path, BOTH, "a.py")
    script(tmp_path, SAFE, "b.py")
    lines = check("--statistics", tmp_path).stdout.splitlines()
    assert lines[:2] == ["2\tGRD101\t[*] unscaled-loss", "1\tGRD501\t[ ] adam-weight-decay"]
    assert lines[3] == "Found 2 errors and 1 warning."
    rows = json.loads(check("--statistics", "--output-format", "json", tmp_path).stdout)
    assert rows[0] == {"code": "GRD101", "name": "unscaled-loss", "count": 2, "fixable": 2}


def test_output_file(tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    result = check("--output-format", "concise", "-o", report, script(tmp_path))
    assert result.exit_code == 1 and result.stdout == ""
    assert "train.py:8:9: GRD101 [*] " in report.read_text() and "\x1b" not in report.read_text()
    result = check("-o", tmp_path / "no" / "report.txt", script(tmp_path))
    assert result.exit_code == 2 and "cannot be written" in result.stderr


def test_many_files_run_in_a_pool_and_keep_their_order(tmp_path: Path) -> None:
    names = [f"f{number:02}.py" for number in range(45)]
    for name in names:
        script(tmp_path, SAFE, name)
    seen = json.loads(check("--output-format", "json", tmp_path).stdout)
    assert [Path(each["filename"]).name for each in seen] == names
    assert seen == json.loads(check("--output-format", "json", "-j", "1", tmp_path).stdout)


def test_one_failure_does_not_stop_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, SAFE, "bad.py")
    script(tmp_path, SAFE, "good.py")
    from gradlint.run import runner

    honest = runner.process

    def broken(name: str, *rest: object) -> object:
        if name.endswith("bad.py"):
            raise ZeroDivisionError("a fault of ours")
        return honest(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(runner, "process", broken)
    result = check("--output-format", "concise", tmp_path)
    assert result.exit_code == 2
    assert "bad.py: gradlint itself failed on this file" in result.stderr and "a fault of ours" in result.stderr
    assert "good.py:8:9: GRD101" in result.stdout


def test_a_process_that_dies_takes_one_file_with_it(tmp_path: Path) -> None:
    for number in range(42):
        script(tmp_path, SAFE, f"f{number:02}.py")
    program = (
        "import os, multiprocessing; multiprocessing.set_start_method('fork')\n"
        "from gradlint import cli\nfrom gradlint.run import runner\n"
        "honest = runner.process\n"
        "def process(name, data, task):\n"
        "    return os._exit(11) if name.endswith('f07.py') else honest(name, data, task)\n"
        "runner.process, runner.POOL_FROM = process, 0\n"
        f"cli.main(['check', '--isolated', '--output-format', 'concise', {str(tmp_path)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("f07.py: gradlint itself failed") == done.stderr.count("error: ") == 1
    assert done.stdout.count("GRD101") == 41


def test_version_and_help() -> None:
    assert run("--version").output == f"gradlint {__version__}\n"
    for command in ("check", "rule", "rules", "show"):
        assert f"Usage: gradlint {command}" in run(command, "--help").output
    shown = run("check", "--help").output
    for heading in ("Rule selection:", "File selection:", "Output:", "Miscellaneous:"):
        assert heading in shown


def test_a_file_is_no_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path)
    result = run("train.py")
    assert result.exit_code == 2 and "'train.py' is not a command. Did you mean `gradlint check`?" in result.stderr


def test_a_misspelt_command_is_recognized() -> None:
    result = run("chekc")
    assert result.exit_code == 2 and "'chekc' is not a command. Did you mean `gradlint check`?" in result.stderr
    assert run("zzz").stderr.endswith("'zzz' is not a command.\n")


def test_help_is_a_command() -> None:
    assert run("help").output.startswith("Usage: gradlint [OPTIONS] COMMAND")
    assert run("help", "check").output == run("check", "--help").output
    assert run("help", "chekc").exit_code == 2


def test_rule_shows_the_page() -> None:
    page = run("rule", "GRD101")
    assert page.exit_code == 0 and page.output.startswith("# GRD101 unscaled-loss\n")
    assert run("rule", "unscaled-loss").output == page.output
    assert run("rule", "grd000").output.startswith("# GRD000 syntax-error\n")
    rendered = run("rule", "GRD101", "--output-format", "text").output
    assert "GRD101 unscaled-loss" in rendered and "## " not in rendered
    unknown = run("rule", "unscaled-los")
    assert unknown.exit_code == 2 and "unknown rule `unscaled-los`; did you mean `unscaled-loss`?" in unknown.stderr


def test_rule_shows_several_pages() -> None:
    family = run("rule", "grd70").output
    assert [line.split()[1] for line in family.splitlines() if line.startswith("# ")] == [
        "GRD701",
        "GRD702",
        "GRD703",
        "GRD704",
        "GRD705",
    ]
    assert run("rule", "GRD401", "grd70", "GRD702").output == run("rule", "GRD401").output + "\n" + family
    every = run("rule", "--all").output
    assert all(f"# {rule.code} {rule.name}\n" in every for rule in all_rules())
    for wrong in ((), ("GRD101", "--all")):
        asked = run("rule", *wrong)
        assert asked.exit_code == 2 and "name one or more rules, or give --all" in asked.stderr


def test_every_rule_has_a_page_to_show() -> None:
    for rule in all_rules():
        assert run("rule", rule.code).output.startswith(f"# {rule.code} {rule.name}\n")


def test_rules_lists_all() -> None:
    lines = run("rules").output.splitlines()
    assert [line.split()[0] for line in lines] == [rule.code for rule in all_rules()]
    rows = json.loads(run("rules", "--output-format", "json").output)
    assert [row["code"] for row in rows] == [rule.code for rule in all_rules()]
    assert {row["default"] for row in rows if row["severity"] == "info"} == {False}


def test_show(tmp_path: Path) -> None:
    result = run("show", script(tmp_path))
    assert result.exit_code == 0 and "accum_steps" in result.output and "per update" in result.output
    result = run("show", tmp_path / "missing.py", script(tmp_path))
    assert result.exit_code == 2 and "missing.py: No such file" in result.stderr and "per update" in result.stdout


HEAVY = {
    "libcst", "rich", "pathspec", "pygments", "markdown_it", "pygls", "watchfiles", "yaml", "torch", "json", "difflib", "traceback",
    "concurrent", "multiprocessing", "asyncio", "subprocess", "tempfile", "shutil", "tomllib", "tomli", "pkgutil", "textwrap", "email",
}  # fmt: skip
"""What a short run must not pay for."""

if sys.version_info < (3, 11):
    HEAVY.discard("subprocess")  # click imports uuid, which imports it there


def _imported(*arguments: str) -> set[str]:
    """The modules that a command imports, besides those of an empty program."""
    code = (
        "import sys\nbefore = set(sys.modules)\nfrom gradlint.cli import main\n"
        f"try:\n    main({list(arguments)!r})\nexcept SystemExit:\n    pass\nprint('|'.join(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split("|"))


def test_what_only_tools_of_the_parser_need_is_not_imported(tmp_path: Path) -> None:
    """And whoever shares the process has them all the same."""
    modules = _imported("check", "--isolated", "--no-cache", str(script(tmp_path)))
    assert "libcst" in modules and not modules & {"libcst.metadata", "libcst.metadata.type_inference_provider"}
    code = (
        "from gradlint.run.parser_import import import_parser\nimport_parser()\nimport libcst, libcst.metadata\n"
        "tree = libcst.MetadataWrapper(libcst.parse_module('x = 1'))\n"
        "print(len(tree.resolve(libcst.metadata.PositionProvider)) > 1, libcst.metadata.MetadataWrapper is libcst.MetadataWrapper)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True True\n"


def _roots(modules: set[str]) -> set[str]:
    return {name.split(".")[0] for name in modules}


def _ours(modules: set[str]) -> set[str]:
    return {name.removeprefix("gradlint.") for name in modules if name.startswith("gradlint.")}


def test_a_command_imports_only_what_it_needs(tmp_path: Path) -> None:
    other = str(script(tmp_path, "import os\n\nprint(os.name)\n", "other.py"))
    version = _imported("--version")
    assert not _roots(version) & (HEAVY | {"dataclasses", "pathlib"}) and _ours(version) == {"cli", "cli.streams"}
    plain = _imported("check", other)
    assert not _roots(plain) & HEAVY
    needless = "analysis.engine fixes.fixer registry config.schema files.notebook files.write suppression.comments report.full"
    assert not _ours(plain) & {*needless.split(), "cli.describe_run"}
    assert not _roots(_imported("check", "--isolated", "--select", "GRD1,ALL", other)) & HEAVY
    (tmp_path / "pyproject.toml").write_text('[tool.ruff]\nselect = ["ALL"]\n')
    assert not _roots(_imported("check", other)) & HEAVY
    (tmp_path / "pyproject.toml").write_text('[tool.gradlint]\nselect = ["GRD1"]\n')
    assert _roots(_imported("check", other)) & HEAVY <= {"tomllib", "tomli"}
    assert "rich" not in _roots(_imported("check", "--isolated", str(script(tmp_path))))


def test_module_runs_as_a_program(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "gradlint", "check", str(script(tmp_path))], capture_output=True, text=True)
    assert done.returncode == 1 and "GRD101" in done.stdout


def test_output_without_unicode_does_not_fail(tmp_path: Path) -> None:
    path = script(tmp_path, SAFE.replace("    optimizer =", "    # größe 日本\n    optimizer ="))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-m", "gradlint", "check", str(path)], capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and "GRD101" in done.stdout and done.stderr == ""


# Fixing


def test_exit_non_zero_on_fix(tmp_path: Path) -> None:
    assert check("--fix", "--exit-non-zero-on-fix", script(tmp_path)).exit_code == 1
    assert check("--fix", "--exit-non-zero-on-fix", tmp_path).exit_code == 0
    assert check("--fix", "--exit-non-zero-on-fix", "--exit-zero", script(tmp_path)).exit_code == 0


def test_fix_only(tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    result = check("--fix-only", path)
    assert (result.exit_code, result.stderr) == (0, "")
    first, told = result.stdout.splitlines()
    assert first == "Fixed 1 error (1 more fix available with `--unsafe-fixes`)." and told.startswith("note: GRD101: ")
    assert path.read_text() == BOTH.replace("loss.backward()", "(loss / accum_steps).backward()")
    assert check("--fix-only", path).output.startswith("Nothing fixed")
    assert check("--fix-only", "--exit-non-zero-on-fix", script(tmp_path)).exit_code == 1
    assert check("--fix-only", "-q", script(tmp_path)).output == ""
    result = check("--fix-only", "--diff", script(tmp_path))
    assert result.exit_code == 1 and result.stdout.startswith("--- ") and path.read_text() == SAFE


def test_fix_only_tells_what_it_could_not_read(tmp_path: Path) -> None:
    result = check("--fix-only", script(tmp_path, SYNTAX_ERROR))
    assert result.exit_code == 0 and result.stdout == "Nothing fixed.\n"
    assert result.stderr.startswith("error: ") and "train.py:" in result.stderr and result.stderr.count("\n") == 1


def test_show_fixes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, BOTH, "a.py")
    script(tmp_path, SAFE + "\n\n" + SAFE.replace("import torch\n", "").replace("train", "again"), "b.py")
    result = check("--fix", "--show-fixes", "--output-format", "concise")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("a.py:5:17: GRD501 ")
    assert lines.pop().startswith("note: GRD101: ")
    assert lines[1:] == [
        "Fixed 3 errors:",
        "- a.py:",
        "    1 \N{MULTIPLICATION SIGN} GRD101 (unscaled-loss)",
        "- b.py:",
        "    2 \N{MULTIPLICATION SIGN} GRD101 (unscaled-loss)",
        "",
        "Checked 2 files, 3 training loops: 3 verified.",
        "Found 3 errors and 1 warning (3 fixed, 1 remaining).",
        "No safe fixes left (1 hidden fix can be enabled with the `--unsafe-fixes` option).",
    ]
    assert "Fixed" not in check("--show-fixes").stdout
    result = check("--show-fixes", "--diff", "a.py")
    assert result.exit_code == 2 and "--show-fixes cannot be used with --diff" in result.stderr


def test_unfixable(tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    every = ("--fix", "--unsafe-fixes", "--output-format", "concise")
    result = check(*every, "--unfixable", "GRD5", path)
    assert (
        ": GRD501 `Adam` turns `weight_decay` into" in result.stdout
        and "[*]" not in result.stdout
        and "AdamW" not in path.read_text()
    )
    path = script(tmp_path, BOTH)
    check(*every, "--fixable", "GRD5", path)
    assert "AdamW" in path.read_text() and "(loss / accum_steps)" not in path.read_text()
    assert json.loads(check("--output-format", "json", "--unfixable", "ALL", path).stdout)[0]["fix"] is None
    assert check("--fixable", "GRD110", path).stderr == "error: unknown rule `GRD110`; did you mean `GRD101`?\n"


# The summary for a pull request


def test_summary_for_a_pull_request(tmp_path: Path) -> None:
    shown = check("--fix-only", "--summary", "markdown", script(tmp_path, BOTH)).stdout
    assert shown.startswith("### [gradlint](") and "2 findings (1 fixed, 1 remaining)" in shown
    shown = check("--summary", "markdown", script(tmp_path, SAFE)).stdout
    assert "Found 1 error." in shown and "\n\n### [gradlint](" in shown


def test_summary_is_appended_to_a_file(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    for _ in range(2):
        result = check("--summary-file", summary, "--output-format", "json", script(tmp_path, SAFE))
        assert len(json.loads(result.stdout)) == 1
    assert summary.read_text().count("### [gradlint](") == 2
    result = check("--summary-file", tmp_path / "no" / "summary.md", script(tmp_path, SAFE))
    assert result.exit_code == 2 and result.stderr.endswith("summary.md: cannot be written: No such file or directory\n")


def test_a_summary_does_not_spoil_what_a_program_reads(tmp_path: Path) -> None:
    for options, place in ((("--output-format", "json"), "the format json"), (("--diff",), "the diff")):
        result = check("--summary", "markdown", *options, script(tmp_path, SAFE))
        assert result.exit_code == 2
        assert result.stderr == f"error: --summary cannot be part of {place}; write it to a file with --summary-file\n"


# What would be checked


def test_show_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, SAFE, "b.py")
    script(tmp_path, SAFE, "a\x1b.py")
    script(tmp_path, SAFE, "venv/c.py")
    assert check("--show-files").stdout == "a\N{REPLACEMENT CHARACTER}.py\nb.py\n"
    result = check("--show-files", "missing.py", "b.py")
    assert result.exit_code == 2 and result.stdout == "b.py\n" and "missing.py: No such file" in result.stderr


def test_show_settings_can_be_used_as_settings(tmp_path: Path) -> None:
    path = script(tmp_path / "code", BOTH)
    (tmp_path / "code" / "gradlint.toml").write_text(
        'select = ["GRD1", "GRD5"]\nunfixable = ["GRD101"]\nextend-exclude = ["old"]\nunsafe-fixes = true\n'
        'severity = { GRD502 = "warning" }\nper-file-ignores = { "!train.py" = ["GRD1"] }\nnames.optimizers = ["opt"]\n'
    )
    result = run("check", "--show-settings", path)
    assert result.exit_code == 0 and result.stdout.startswith(f"# Settings for {path}\n# from {tmp_path}/code/gradlint.toml\n")
    (tmp_path / "code" / "gradlint.toml").write_text(result.stdout)
    assert run("check", "--show-settings", path).stdout == result.stdout
    assert "# There is no file to check." in run("check", "--show-settings", tmp_path / "missing").stdout


@pytest.mark.parametrize(("variable", "coloured"), [("NO_COLOR", False), ("FORCE_COLOR", True)])
def test_colours_on_both_streams(tmp_path: Path, variable: str, coloured: bool) -> None:
    script(tmp_path)
    command = [sys.executable, "-m", "gradlint", "check", "--isolated", str(tmp_path), str(tmp_path / "missing.py")]
    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    done = subprocess.run(command, capture_output=True, text=True, env={**environment, variable: "1"})
    assert ("\x1b[" in done.stdout, "\x1b[" in done.stderr) == (coloured, coloured)
    done = subprocess.run(command, capture_output=True, text=True, env={**environment, "FORCE_COLOR": "1", "NO_COLOR": "1"})
    assert "\x1b[" not in done.stdout + done.stderr
