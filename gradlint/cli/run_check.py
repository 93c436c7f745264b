"""What `gradlint check` does, from options to exit status: plans the run, checks the files, writes fixes, and reports."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gradlint.cli.accepted import conclude
from gradlint.cli.applying import apply
from gradlint.cli.check_output import broken, tell
from gradlint.cli.progress import progress
from gradlint.cli.terminal import complain, emit, lost
from gradlint.config.load import ConfigError
from gradlint.config.selection import UnknownRule
from gradlint.diagnostic import Severity
from gradlint.report.formats import UnsupportedStatistics, require_statistics
from gradlint.run.jointly import settled
from gradlint.run.options import Options
from gradlint.run.plan import Plan, make_plan
from gradlint.run.runner import run
from gradlint.run.task import FileResult

if TYPE_CHECKING:
    from gradlint.run.cache import Cache
    from gradlint.timings import Timings

FAILED = 2
CACHE_FROM = 10
"""Number of files from which reading the cache costs less than checking them."""

INTERRUPTED = 130


def run_check(options: Options) -> int:
    """Check the files and report.

    Return 0 if clean, 1 for findings, 2 for usage or internal errors, 130 if interrupted while asking.
    """
    if options.watch:
        from gradlint.cli.watch import watch

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
        from gradlint.cli.describe_run import describe

        emit(describe(plan), err=True)
    results = list(run(plan.jobs, options.jobs, progress(quiet=options.quiet), _cache(plan), timings))
    failed = False
    if options.ask:
        from gradlint.cli.ask import go_through

        try:
            results, failed = go_through(plan.jobs, results)
        except KeyboardInterrupt:
            complain("interrupted: gradlint has not changed this file, and has applied your answers to the earlier ones")
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
    """Return the cache of earlier runs, unless the files are few or the user is asked about each fix."""
    options = plan.options
    if options.no_cache or options.ask or options.from_stdin or len(plan.jobs) < CACHE_FROM:
        return None
    from gradlint.run.cache import cache_for

    return cache_for(options.cache_dir, plan.found.targets[0].config.source)


def _planned(options: Options) -> Plan | None:
    """Return the plan of the run, or None after reporting why there is no plan."""
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
    """Write the fixes, report, and return the exit status."""
    results = settled(plan.jobs, results)
    failed = _tell_crashes(results) or bool(plan.found.problems)
    if plan.options.applies:
        results, unwritten = apply(results, plan)
        failed = failed or unwritten
    try:
        remarks, results = conclude(plan, results)
    except ConfigError as error:
        complain(str(error))
        return FAILED
    if not tell(results, plan, remarks):
        failed = True
    return FAILED if failed else _status(results, plan)


def _show(plan: Plan) -> int:
    """Print what would be checked and how, for `--show-files` and `--show-settings`."""
    from gradlint.cli.describe_run import files, settings

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
        complain(f"{result.path}: gradlint itself failed on this file, and has not changed it:")
        emit((f"  {safe(line)}" for line in (result.crash or "").splitlines()), err=True)
    return bool(crashed)


def _status(results: Sequence[FileResult], plan: Plan) -> int:
    options = plan.options
    if options.exit_zero or options.fail_on == "never":
        return 0
    changed = any(result.after is not None and result.after != result.before for result in results)
    if options.diff:
        return int(changed or bool(broken(results)))
    if changed and options.exit_non_zero_on_fix:
        return 1
    severities = list(Severity)
    least = severities.index(Severity(options.fail_on))
    found = (each.severity for result in results for each in result.diagnostics)
    return int(not options.fix_only and any(severities.index(severity) <= least for severity in found))
