"""What `gradlint check` does, from options to the exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from gradlint.config import Config, ConfigError, Configs, load_config
from gradlint.discover import Target, discover
from gradlint.report.lines import count, safe, summary
from gradlint.runner import FileResult, Job, Task, run
from gradlint.selection import UnknownRule, require_known

FAILED = 2


@dataclass(frozen=True)
class Options:
    """The options of the command, as given."""

    paths: tuple[Path, ...]
    fixing: bool = False
    unsafe_fixes: bool | None = None
    diff: bool = False
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    force_exclude: bool = False
    output_format: str | None = None
    output_file: Path | None = None
    statistics: bool = False
    config_file: Path | None = None
    isolated: bool = False
    exit_zero: bool = False
    jobs: int | None = None
    quiet: bool = False


@dataclass(frozen=True)
class _Settings:
    """What options and configuration come to for the whole run."""

    options: Options
    unsafe: bool
    output_format: str


def run_check(options: Options) -> int:
    """Check, report, and say how to exit: 0 clean, 1 findings, 2 usage or internal error."""
    try:
        require_known((*(options.select or ()), *(options.ignore or ())))
        configs = _configs(options)
        settings = _settings(options, configs)
        found = discover(options.paths, configs, options.exclude or (), force_exclude=options.force_exclude)
    except (ConfigError, UnknownRule) as error:
        _complain(str(error))
        return FAILED
    for problem in found.problems:
        _complain(problem)
    results = list(run((_job(target, settings) for target in found.targets), options.jobs))
    failed = bool(found.problems)
    for result in results:
        if result.crash is not None:
            failed = True
            _complain(f"{result.path}: gradlint itself failed on this file, which was left alone:")
            click.echo("\n".join(f"  {safe(line)}" for line in result.crash.splitlines()), err=True)
    if options.fixing and not options.diff:
        failed = _write(results) or failed
    lines = _diff(results) if options.diff else _report(results, settings)
    try:
        _print(lines, options.output_file)
    except OSError as error:
        if options.output_file is None:
            raise
        _complain(f"{options.output_file}: cannot be written: {error.strerror or error}")
        return FAILED
    if options.diff:
        return FAILED if failed else _conclude_diff(results, settings)
    return FAILED if failed else int(any(result.diagnostics for result in results) and not options.exit_zero)


def _complain(message: str) -> None:
    click.echo(f"{click.style('error', fg='red', bold=True)}: {safe(message)}", err=True, color=_colour(sys.stderr.isatty()))


def _configs(options: Options) -> Configs:
    if options.config_file is not None:
        return Configs(load_config(options.config_file))
    return Configs(Config() if options.isolated else None)


def _settings(options: Options, configs: Configs) -> _Settings:
    """What is one for a whole run comes from the configuration that is nearest to the first path."""
    first = options.paths[0]
    config = configs.of(first if first.is_dir() else first.parent)
    unsafe = config.unsafe_fixes if options.unsafe_fixes is None else options.unsafe_fixes
    return _Settings(options, unsafe, options.output_format or config.output_format)


def _job(target: Target, settings: _Settings) -> Job:
    options, config = settings.options, target.config
    select = options.select if options.select is not None else config.select
    ignore = (*config.ignore, *(options.ignore or ()))
    task = Task(select, ignore, fix=options.fixing or options.diff, unsafe=settings.unsafe)
    return Job(target.path, task, target.named)


def _write(results: Sequence[FileResult]) -> bool:
    """Write what was fixed; True where a file could not be written."""
    from gradlint.writer import write_atomically

    failed = False
    for result in results:
        if result.after is not None and result.after != result.before:
            try:
                write_atomically(Path(result.path), result.after)
            except OSError as error:
                failed = True
                _complain(f"{result.path}: cannot be written: {error.strerror or error}")
    return failed


# Reporting


def _print(lines: Iterator[str], output_file: Path | None) -> None:
    if output_file is not None:
        output_file.write_text("".join(f"{click.unstyle(line)}\n" for line in lines), encoding="utf-8", newline="")
        return
    colour = _colour(sys.stdout.isatty())
    for line in lines:
        click.echo(line, color=colour)


def _colour(terminal: bool) -> bool:
    """NO_COLOR and FORCE_COLOR win over what the stream is."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return terminal and os.environ.get("TERM") != "dumb"


def _report(results: Sequence[FileResult], settings: _Settings) -> Iterator[str]:
    options, unsafe = settings.options, settings.unsafe
    diagnostics = [each for result in results for each in result.diagnostics]
    if settings.output_format == "json":
        from gradlint.report.machine import statistics_to_json, to_json

        yield statistics_to_json(diagnostics, unsafe=unsafe) if options.statistics else to_json(diagnostics)
        return
    if options.statistics:
        from gradlint.report.statistics import statistics

        yield from statistics(diagnostics, unsafe=unsafe)
    elif settings.output_format == "concise":
        from gradlint.report.concise import concise

        yield from concise(diagnostics, unsafe=unsafe)
    else:
        from gradlint.report.full import full

        for result in results:
            cells = dict(result.cells)
            for each in result.diagnostics if cells else ():
                yield from full((each,), cells.get(each.cell or 0, ""), unsafe=unsafe)
            if not cells:
                yield from full(result.diagnostics, result.text, unsafe=unsafe)
    if not options.quiet and (diagnostics or not any(result.crash for result in results)):
        fixed = sum(len(result.applied) for result in results)
        yield from summary(diagnostics, fixed, unsafe=unsafe, fixing=options.fixing)


def _diff(results: Sequence[FileResult]) -> Iterator[str]:
    from gradlint.decode import Decoded, decode
    from gradlint.report.diff import diff

    for result in results:
        if result.before is not None and result.after is not None:
            old, new = decode(result.before), decode(result.after)
            if isinstance(old, Decoded) and isinstance(new, Decoded):
                yield from diff(result.path, old.text, new.text)


def _conclude_diff(results: Sequence[FileResult], settings: _Settings) -> int:
    """The closing line goes to stderr, so that the diff can be piped into `patch`."""
    fixes = sum(len(result.applied) for result in results if result.before != result.after)
    hidden = 0 if settings.unsafe else sum(each.fix is not None for result in results for each in result.diagnostics)
    broken = [each for result in results for each in result.diagnostics if each.code == "GRD000"]
    for each in broken:
        _complain(f"{each.filename}:{each.span.start.row}:{each.span.start.column}: {each.message}")
    if not settings.options.quiet:
        more = f" ({count(hidden, 'more fix', 'more fixes')} available with `--unsafe-fixes`)" if hidden else ""
        click.echo(
            f"Would fix {count(fixes, 'error', 'errors')}{more}." if fixes else f"No errors would be fixed{more}.", err=True
        )
    return int(bool(fixes or broken) and not settings.options.exit_zero)
