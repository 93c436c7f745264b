"""The Python interface: typed functions for sources and paths.

Results and errors can be pickled, so you can map the functions over process pools and clusters, whether their processes are
forked or spawned. You can call them from several threads at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gradlint.analysis.engine import analysis, analyze
from gradlint.analysis.loop_verdicts import loop_verdicts
from gradlint.analysis.project import BARE
from gradlint.analysis.source import Problem, read
from gradlint.analysis.validation import Validator
from gradlint.collecting import without_collecting
from gradlint.config.load import ConfigError, is_file
from gradlint.config.selection import choose
from gradlint.diagnostic import Diagnostic, LoopVerdict, unreadable
from gradlint.files.parser_warnings import Quiet
from gradlint.fixes.fixer import fix
from gradlint.registry import all_rules
from gradlint.rule import Rule
from gradlint.run.options import Options
from gradlint.run.plan import make_plan
from gradlint.run.runner import run
from gradlint.run.task import FileResult
from gradlint.suppression.comments import keep

_QUIET = Quiet()
"""One for the process, because warning filters belong to the whole process."""


@dataclass(frozen=True)
class FixedSource:
    """A fixed source, the findings whose fixes were applied, in order, and the findings that remain."""

    source: str
    applied: tuple[Diagnostic, ...]
    remaining: tuple[Diagnostic, ...]

    @property
    def changed(self) -> bool:
        """Whether the fixes changed the source."""
        return bool(self.applied)


class CheckFailed(RuntimeError):
    """gradlint itself failed on a file. The message contains its name and the traceback."""


def check_source(
    source: str, filename: str = "<string>", *, select: Iterable[str] | None = None, ignore: Iterable[str] | None = None
) -> tuple[Diagnostic, ...]:
    """Return what gradlint finds in the source of a script, sorted by place. No configuration is read.

    `filename` only names the file in the findings. `select` and `ignore` take the values of `--select` and `--ignore`. Without
    `select`, every rule with severity error or warning runs. If the source does not parse, the only finding is GRD000.

    Raises UnknownRule if a selector names no rule.
    """
    rules = choose(all_rules(), select, ignore)
    with _QUIET, without_collecting():
        return _found(source, filename, rules)


def judge_source(
    source: str, filename: str = "<string>", *, select: Iterable[str] | None = None, ignore: Iterable[str] | None = None
) -> tuple[LoopVerdict, ...]:
    """Return the verdict on each training loop of a script, by line: verified, wrong or unknown.

    Takes the arguments of `check_source`. The result is empty if the source does not parse or trains nothing.

    Raises UnknownRule if a selector names no rule.
    """
    rules = choose(all_rules(), select, ignore)
    with _QUIET, without_collecting():
        try:
            known = analysis(source, filename, rules)
            if known.runs is not None:
                return known.loops(keep(source, known.diagnostics), filename)
            whole = read(source, every_loop=True)
            return (
                ()
                if isinstance(whole, Problem)
                else loop_verdicts(Validator(whole, BARE), keep(source, known.diagnostics), filename)
            )
        except RecursionError:
            return ()


def fix_source(
    source: str,
    filename: str = "<string>",
    *,
    unsafe_fixes: bool = False,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] | None = None,
) -> FixedSource:
    """Return the source of a script after all safe fixes, or with `unsafe_fixes` after all fixes.

    Takes the arguments of `check_source`. A source that does not parse is returned unchanged.

    Raises UnknownRule if a selector names no rule.
    """
    rules = choose(all_rules(), select, ignore)
    with _QUIET, without_collecting():
        try:
            outcome = fix(source, filename, rules, unsafe=unsafe_fixes, keep=keep)
        except RecursionError:
            return FixedSource(source, (), _found(source, filename, rules))
        return FixedSource(outcome.text, outcome.applied, _found(outcome.text, filename, rules))


def check_paths(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] | None = None,
    config: str | os.PathLike[str] | None = None,
    isolated: bool = False,
    jobs: int | None = 1,
    changed_since: str | None = None,
    diff_base: str | None = None,
) -> tuple[Diagnostic, ...]:
    """Return what `gradlint check` finds in files and folders, file by file and sorted by place.

    As in the command, `.gitignore` is respected, and each file uses the closest configuration. `config` uses one file for
    everything, and `isolated` uses none. `select` and `ignore` override the configuration. Nothing is written.

    `jobs` is the maximum number of processes, or None for one per core. They start only for many files. Leave it at 1 in a
    process that is itself part of a pool.

    With `changed_since` or `diff_base`, return only what a change in git reaches, as the options of these names do.

    Raises UnknownRule if a selector names no rule, ConfigError if a configuration or a baseline cannot be read or if git cannot
    say what has changed, FileNotFoundError if a path cannot be checked, and CheckFailed if gradlint itself fails on a file.
    """
    results = _results(paths, select, ignore, config, isolated, jobs, changed_since, diff_base)
    return tuple(each for result in results for each in result.diagnostics)


def judge_paths(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] | None = None,
    config: str | os.PathLike[str] | None = None,
    isolated: bool = False,
    jobs: int | None = 1,
) -> tuple[LoopVerdict, ...]:
    """Return the verdict on each training loop in files and folders, file by file and by line.

    These are the loops that the summary of `gradlint check` counts. Arguments and errors are those of `check_paths`. The result is
    empty if no rule about training loops is selected.
    """
    results = _results(paths, select, ignore, config, isolated, jobs)
    return tuple(each for result in results for each in result.loops)


def _results(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    select: Iterable[str] | None,
    ignore: Iterable[str] | None,
    config: str | os.PathLike[str] | None,
    isolated: bool,
    jobs: int | None,
    changed_since: str | None = None,
    diff_base: str | None = None,
) -> list[FileResult]:
    some = (paths,) if isinstance(paths, (str, os.PathLike)) else paths
    wanted = tuple(Path(path) for path in some)
    if not wanted:
        return []
    options = Options(
        wanted,
        select=None if select is None else tuple(select),
        ignore=None if ignore is None else tuple(ignore),
        config=() if config is None else (_existing(config),),
        isolated=isolated,
        changed_since=changed_since,
        diff_base=diff_base,
    )
    plan = make_plan(options)
    if plan.found.problems:
        raise FileNotFoundError("; ".join(plan.found.problems))
    with _QUIET:
        results = list(run(plan.jobs, jobs))
    for result in results:
        if result.crash is not None:
            raise CheckFailed(f"{result.path}: {result.crash}")
    return results


def _existing(config: str | os.PathLike[str]) -> str:
    """Return the name of a configuration file.

    A missing file must fail here, or its name could be read as a `key = value` setting.
    """
    if not is_file(Path(config)):
        raise ConfigError(f"{os.fspath(config)}: there is no such file")
    return os.fspath(config)


def _found(source: str, filename: str, rules: tuple[Rule, ...]) -> tuple[Diagnostic, ...]:
    try:
        return keep(source, analyze(source, filename, rules))
    except RecursionError:
        return (unreadable(filename, 1, 1, "the code is nested too deeply to be checked"),)
