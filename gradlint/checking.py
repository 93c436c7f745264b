"""What `gradlint check` does, from options to the exit status: plan, run, write, report."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from gradlint import __version__
from gradlint.adoption import conclude
from gradlint.config import ConfigError
from gradlint.plan import Options as Options
from gradlint.plan import Plan, make_plan
from gradlint.progress import progress
from gradlint.report.formats import UnsupportedStatistics, fix_summary, report, require_statistics
from gradlint.report.found import Report
from gradlint.report.links import hyperlinks
from gradlint.report.names import TEXT
from gradlint.report.paths import project_root
from gradlint.runner import FileResult, run
from gradlint.selection import UnknownRule
from gradlint.terminal import colour, complain, emit, emit_bytes, lost, write

if TYPE_CHECKING:
    from gradlint.cache import Cache
    from gradlint.timings import Timings

FAILED = 2
CACHE_FROM = 10
"""Files from which looking into a cache costs less than checking them."""

INTERRUPTED = 130


def run_check(options: Options) -> int:
    """Check, report, and say how to exit: 0 clean, 1 findings, 2 usage or internal error, 130 interrupted while asking."""
    if options.watch:
        from gradlint.watch import watch

        return watch(options, _planned, _finish)
    timings = _timings(options)
    plan = _planned(options)
    if plan is None:
        return FAILED
    if timings is not None:
        timings.lap("walk")
    if options.show_files or options.show_settings:
        return _show(plan)
    if options.verbose:
        from gradlint.verbose import describe

        emit(describe(plan), err=True)
    results = list(run(plan.jobs, options.jobs, progress(quiet=options.quiet), _cache(plan), timings))
    failed = False
    if options.ask:
        from gradlint.ask import go_through

        try:
            results, failed = go_through(plan.jobs, results)
        except KeyboardInterrupt:
            complain("interrupted: the file in question is as it was, what was said of the files before is done")
            return INTERRUPTED
    if timings is not None:
        timings.lap()
    status = _finish(plan, results)
    if timings is not None:
        timings.lap("report")
        emit([timings.to_json()] if plan.output_format == "json" else timings.lines(), err=True)
    return FAILED if failed else status


def _timings(options: Options) -> Timings | None:
    if not options.timings:
        return None
    from gradlint.timings import Timings

    return Timings.begun()


def _cache(plan: Plan) -> Cache | None:
    """What earlier runs found, unless the files are few or a person is asked about each."""
    options = plan.options
    if options.no_cache or options.ask or options.from_stdin or len(plan.jobs) < CACHE_FROM:
        return None
    from gradlint.cache import cache_for

    return cache_for(options.cache_dir, plan.found.targets[0].config.source)


def _planned(options: Options) -> Plan | None:
    """What the run will do; None where that cannot be said, after it was told why."""
    try:
        if options.ask and not sys.stdin.isatty():
            raise ConfigError("--ask needs a terminal to ask on; --fix applies all safe fixes, --diff shows them")
        plan = make_plan(options)
        if options.statistics:
            require_statistics(plan.output_format)
    except (ConfigError, UnknownRule, UnsupportedStatistics) as error:
        complain(str(error))
        return None
    except OSError as error:
        complain(f"{error.filename or 'the current folder'}: {error.strerror or error}")
        return None
    for problem in plan.found.problems:
        complain(problem)
    return plan


def _finish(plan: Plan, results: Sequence[FileResult]) -> int:
    """Write what is to be written, report, and say how to exit."""
    failed = _tell_crashes(results) or bool(plan.found.problems)
    if plan.options.applies:
        failed = _apply(results, plan) or failed
    try:
        remarks, results = conclude(plan, results)
    except ConfigError as error:
        complain(str(error))
        return FAILED
    if not _output(results, plan, remarks):
        failed = True
    return FAILED if failed else _status(results, plan)


def _show(plan: Plan) -> int:
    """`--show-files` and `--show-settings`: what would be checked, and how."""
    from gradlint.verbose import files, settings

    try:
        emit(files(plan) if plan.options.show_files else settings(plan))
    except OSError as error:
        lost(error)
        return FAILED
    return FAILED if plan.found.problems else 0


def _tell_crashes(results: Sequence[FileResult]) -> bool:
    from gradlint.report.lines import safe

    crashed = [result for result in results if result.crash is not None]
    for result in crashed:
        complain(f"{result.path}: gradlint itself failed on this file, which was left alone:")
        emit((f"  {safe(line)}" for line in (result.crash or "").splitlines()), err=True)
    return bool(crashed)


def _apply(results: Sequence[FileResult], plan: Plan) -> bool:
    """Write what was fixed; True where a file could not be written."""
    if plan.piped is not None:
        fixed = next((result.after for result in results if result.after is not None), plan.piped)
        try:
            emit_bytes(fixed)
        except OSError as error:
            lost(error)
            return True
        return False
    from gradlint.writer import write_atomically

    failed = False
    for result in results:
        if result.after is not None and result.after != result.before:
            try:
                write_atomically(Path(result.path), result.after)
            except OSError as error:
                failed = True
                complain(f"{result.path}: cannot be written: {error.strerror or error}")
    return failed


def _status(results: Sequence[FileResult], plan: Plan) -> int:
    options = plan.options
    if options.exit_zero:
        return 0
    changed = any(result.after is not None and result.after != result.before for result in results)
    if options.diff:
        return int(changed or bool(_broken(results)))
    if changed and options.exit_non_zero_on_fix:
        return 1
    return int(not options.fix_only and any(result.diagnostics for result in results))


def _broken(results: Sequence[FileResult]) -> list[str]:
    """What could not be read, which is told even where findings are not."""
    return [
        f"{each.filename}:{each.span.start.row}:{each.span.start.column}: {each.message}"
        for result in results
        for each in result.diagnostics
        if each.code == "GRD000"
    ]


# Reporting


def _output(results: Sequence[FileResult], plan: Plan, remarks: Sequence[str]) -> bool:
    """Print the report and what it closes with; False where a file for it cannot be written."""
    options = plan.options
    target = options.output_file
    try:
        lines = _report(results, plan)
        if options.diff:
            lines = _diff(results)
        elif options.fix_only or options.ask:
            lines = _closing(results, plan)
        aside = options.diff or plan.output_format not in TEXT
        if not aside:
            lines = chain(lines, remarks)
        if options.summary is not None and options.summary_file is None:
            lines = _summary(results, plan) if options.fix_only else chain(lines, ("",), _summary(results, plan))
        if target is not None:
            write(lines, target)
        else:
            emit(lines, err=plan.piped is not None and options.applies)
        target = options.summary_file
        if target is not None:
            write(_summary(results, plan), target, append=True)
    except OSError as error:
        if target is None:
            lost(error)
        else:
            complain(f"{target}: cannot be written: {error.strerror or error}")
        return False
    if options.diff or options.fix_only:
        for message in _broken(results):
            complain(message)
    if aside:
        emit(remarks, err=True)
    if options.diff and not options.quiet:
        emit(_diff_conclusion(results, plan), err=True)
    return True


def _report(results: Sequence[FileResult], plan: Plan) -> Iterator[str]:
    return report(plan.output_format, _found(results, plan), statistics=plan.options.statistics)


def _found(results: Sequence[FileResult], plan: Plan) -> Report:
    options = plan.options
    terminal = options.output_file is None and sys.stdout.isatty()
    return Report(
        tuple(each for result in results for each in result.diagnostics),
        texts={(result.path, cell): text for result in results for cell, text in result.cells or ((None, result.text),)},
        notebooks={result.path: _whole(result, plan) for result in results if result.cells},
        applied=() if options.add_ignore else tuple(each for result in results for each in result.applied),
        failures=tuple((result.path, result.crash.splitlines()[-1]) for result in results if result.crash),
        unsafe=plan.unsafe,
        fixing=options.fixing,
        quiet=options.quiet or (_accepts(options) and not any(result.diagnostics for result in results)),
        show_fixes=options.show_fixes,
        links=hyperlinks(terminal and colour(terminal), os.environ),
        root=project_root(os.environ),
        version=__version__,
    )


def _accepts(options: Options) -> bool:
    """Whether the run is for accepting what it finds, and says so in place of the usual summary."""
    return options.add_ignore or options.write_baseline is not None


def _whole(result: FileResult, plan: Plan) -> str:
    """The text of a notebook as it is now; nothing where it is gone."""
    from gradlint.decode import Decoded, decode

    try:
        decoded = decode(result.after or plan.piped or Path(result.path).read_bytes())
    except OSError:
        return ""
    return decoded.text if isinstance(decoded, Decoded) else ""


def _closing(results: Sequence[FileResult], plan: Plan) -> Iterator[str]:
    """What `--fix-only` and `--ask` say in place of the findings."""
    found = _found(results, plan)
    if plan.output_format not in TEXT or found.quiet:
        return
    if plan.options.ask:
        from gradlint.report.lines import summary

        yield from summary(found.diagnostics, len(found.applied), unsafe=found.unsafe, fixing=False)
    else:
        yield from fix_summary(found)


def _summary(results: Sequence[FileResult], plan: Plan) -> Iterator[str]:
    """What `--summary markdown` writes beside the report."""
    from gradlint.report.markdown import markdown

    found = _found(results, plan)
    return markdown(found.diagnostics, found.applied, unsafe=found.unsafe)


def _diff(results: Sequence[FileResult]) -> Iterator[str]:
    from gradlint.decode import Decoded, decode
    from gradlint.report.diff import diff

    for result in results:
        if result.before is not None and result.after is not None:
            old, new = decode(result.before), decode(result.after)
            if isinstance(old, Decoded) and isinstance(new, Decoded):
                yield from diff(result.path, old.text, new.text)


def _diff_conclusion(results: Sequence[FileResult], plan: Plan) -> Iterator[str]:
    """The closing line, on stderr so that the diff can be piped into `patch`."""
    from gradlint.report.lines import count

    fixes = sum(len(result.applied) for result in results if result.before != result.after)
    hidden = 0 if plan.unsafe else sum(each.fix is not None for result in results for each in result.diagnostics)
    more = f" ({count(hidden, 'more fix', 'more fixes')} available with `--unsafe-fixes`)" if hidden else ""
    yield f"Would fix {count(fixes, 'error', 'errors')}{more}." if fixes else f"No errors would be fixed{more}."
