"""What `gradlint check` does, from options to the exit status."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from gradlint.config import Config, ConfigError, find_config, load_config
from gradlint.diagnostic import Diagnostic
from gradlint.discover import discover
from gradlint.report.concise import concise
from gradlint.report.lines import safe, summary
from gradlint.runner import FileResult, Task, run


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
    output_format: str | None = None
    output_file: Path | None = None
    statistics: bool = False
    config_file: Path | None = None
    isolated: bool = False
    exit_zero: bool = False
    jobs: int | None = None
    quiet: bool = False


def run_check(options: Options) -> int:
    """Check, report, and say how to exit: 0 clean, 1 findings, 2 usage or internal error."""
    try:
        config = _config(options)
        codes = _codes(options, config)
    except ValueError as error:
        click.echo(f"error: {safe(str(error))}", err=True)
        return 2
    unsafe = config.unsafe_fixes if options.unsafe_fixes is None else options.unsafe_fixes
    found = discover(options.paths, (*config.exclude, *(options.exclude or ())))
    for problem in found.problems:
        click.echo(f"error: {safe(problem)}", err=True)
    task = Task(codes, fix=options.fixing or options.diff, unsafe=unsafe)
    results = list(run(found.files, task, options.jobs, named=found.named))
    failed = bool(found.problems)
    for result in results:
        if result.crash is not None:
            failed = True
            click.echo(f"error: {safe(result.path)}: gradlint failed on this file:", err=True)
            click.echo(safe_block(result.crash), err=True)
    if options.diff:
        return _show_diff(results, failed)
    if options.fixing:
        failed = _write(results) or failed
    try:
        _report(results, options, options.output_format or config.output_format, unsafe=unsafe)
    except OSError as error:
        click.echo(f"error: {options.output_file}: {error.strerror or error}", err=True)
        return 2
    if failed:
        return 2
    return int(any(result.diagnostics for result in results) and not options.exit_zero)


def _config(options: Options) -> Config:
    if options.config_file is not None:
        return load_config(options.config_file)
    if options.isolated:
        return Config()
    first = options.paths[0]
    start = Path(os.path.abspath(first if first.is_dir() else first.parent))
    path = find_config(start)
    return load_config(path) if path is not None else Config()


def _codes(options: Options, config: Config) -> tuple[str, ...]:
    from gradlint.registry import all_rules
    from gradlint.selection import UnknownRule, choose

    select = options.select if options.select is not None else config.select
    ignore = (*(config.ignore or ()), *(options.ignore or ()))
    try:
        return tuple(rule.code for rule in choose(all_rules(), select, ignore))
    except UnknownRule as error:
        raise ConfigError(str(error)) from error


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
                click.echo(f"error: {safe(result.path)}: cannot be written: {error.strerror or error}", err=True)
    return failed


def _show_diff(results: Sequence[FileResult], failed: bool) -> int:
    import difflib

    from gradlint.decode import Decoded, decode

    changed = 0
    for result in results:
        if result.before is None or result.after is None or result.before == result.after:
            continue
        changed += len(result.applied)
        old, new = decode(result.before), decode(result.after)
        if isinstance(old, Decoded) and isinstance(new, Decoded):
            lines = difflib.unified_diff(
                old.text.splitlines(keepends=True), new.text.splitlines(keepends=True), result.path, result.path
            )
            for line in lines:
                ended = line.endswith(("\n", "\r"))
                click.echo(safe(line.rstrip("\r\n")) + ("" if ended else "\n\\ No newline at end of file"))
    if changed:
        click.echo(f"Would fix {changed} {'error' if changed == 1 else 'errors'}.", err=True)
    else:
        click.echo("No fixes to apply.", err=True)
    return 2 if failed else int(changed > 0)


def _report(results: Sequence[FileResult], options: Options, form: str, *, unsafe: bool) -> None:
    lines = list(_lines(results, options, form, unsafe=unsafe))
    if options.output_file is not None:
        text = click.unstyle("\n".join(lines))
        options.output_file.write_text(text + "\n" if text else "", encoding="utf-8")
        return
    colour = _colour()
    for line in lines:
        click.echo(line, color=colour)


def _colour() -> bool | None:
    """NO_COLOR and FORCE_COLOR win over what the stream is."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return None if sys.stdout.isatty() else False


def _lines(results: Sequence[FileResult], options: Options, form: str, *, unsafe: bool) -> Iterator[str]:
    diagnostics = [d for result in results for d in result.diagnostics]
    if form == "json":
        from gradlint.report.machine import to_json

        yield to_json(diagnostics)
        return
    if options.statistics:
        yield from _statistics(diagnostics)
    elif form == "concise":
        yield from concise(diagnostics, unsafe=unsafe)
    else:
        from gradlint.report.full import full

        for result in results:
            yield from full(result.diagnostics, result.text, unsafe=unsafe)
    if not options.quiet:
        fixed = sum(len(result.applied) for result in results)
        yield from summary(diagnostics, fixed, unsafe=unsafe, fixing=options.fixing)


def _statistics(diagnostics: Sequence[Diagnostic]) -> Iterator[str]:
    counts = Counter((each.code, each.name) for each in diagnostics)
    for (code, name), count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield f"{count:>5}  {code}  {name}"


def safe_block(text: str) -> str:
    """Foreign text of several lines, without control characters."""
    return "\n".join(f"  {safe(line)}" for line in text.splitlines())
