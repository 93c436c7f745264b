"""Prints what `gradlint check` found, or writes it to the output file: the findings or a diff, then the closing lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from gradlint import __version__
from gradlint.cli.terminal import colour, complain, emit, lost, warn, write
from gradlint.report.formats import advice, fix_summary, report
from gradlint.report.found import Report
from gradlint.report.links import hyperlinks
from gradlint.report.names import TEXT
from gradlint.report.paths import project_root
from gradlint.run.options import Options
from gradlint.run.plan import Plan
from gradlint.run.task import FileResult


def tell(results: Sequence[FileResult], plan: Plan, remarks: Sequence[str]) -> bool:
    """Print the report and its closing lines. Return False if an output file cannot be written."""
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
        for message in broken(results):
            complain(message)
    if aside:
        emit(remarks, err=True)
    if plan.idle and not options.quiet:
        warn(plan.idle)
    if options.diff and not options.quiet:
        emit(_diff_conclusion(results, plan), err=True)
    return True


def _report(results: Sequence[FileResult], plan: Plan) -> Iterator[str]:
    return report(plan.output_format, _found(results, plan), statistics=plan.options.statistics)


def _found(results: Sequence[FileResult], plan: Plan) -> Report:
    options = plan.options
    notebooks = {result.path: _whole(result, plan) for result in results if result.cells or _judged(result, plan)}
    terminal = options.output_file is None and sys.stdout.isatty()
    return Report(
        tuple(each for result in results for each in result.diagnostics),
        texts={
            **_others(results),
            **{(result.path, cell): text for result in results for cell, text in result.cells or ((None, result.text),)},
        },
        notebooks=notebooks,
        applied=() if options.add_ignore else tuple(each for result in results for each in result.applied),
        advice=() if options.add_ignore else _advice(results),
        failures=tuple((result.path, result.crash.splitlines()[-1]) for result in results if result.crash),
        files=len(plan.jobs),
        loops=tuple(each for result in results for each in result.loops),
        rules=_rules(plan) if plan.output_format == "sarif" else (),
        unchecked=bool(plan.idle or plan.found.problems),
        unsafe=plan.unsafe,
        fixing=options.fixing,
        quiet=options.quiet or (_accepts(options) and not any(result.diagnostics for result in results)),
        show_fixes=options.show_fixes,
        links=hyperlinks(terminal and colour(terminal), os.environ),
        columns=_columns() if terminal else None,
        root=project_root(os.environ),
        version=__version__,
    )


def _others(results: Sequence[FileResult]) -> dict[tuple[str, int | None], str]:
    """Return the texts of the other files that fixes change, by real path."""
    fixes = (each.fix for result in results for each in result.diagnostics if each.fix is not None)
    paths = {part.filename for fix in fixes for part in fix.elsewhere}
    if not paths:
        return {}
    from gradlint.files.decode import Decoded, decode
    from gradlint.files.read import content

    known = {os.path.realpath(result.path): result.after for result in results}
    found = {path: decode(known.get(path) or content(Path(path))) for path in paths if known.get(path) or Path(path).exists()}
    return {(path, None): each.text for path, each in found.items() if isinstance(each, Decoded)}


def _columns() -> int:
    import shutil  # runs that write to no terminal start faster without it

    return shutil.get_terminal_size().columns


def _rules(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Return the rules that ran on at least one file."""
    from gradlint.config.selection import ALWAYS_ON
    from gradlint.registry import all_rules

    chosen = {rule.code: rule.name for task in {job.task.selection for job in plan.jobs} for rule in task.choose(all_rules())}
    return ((ALWAYS_ON, "syntax-error"), *sorted(chosen.items()))


def _advice(results: Sequence[FileResult]) -> tuple[str, ...]:
    """Return what to watch for in training after these fixes, from the rules whose fixes were applied."""
    codes = {each.code for result in results for each in result.applied}
    if not codes:
        return ()
    from gradlint.registry import all_rules

    return tuple(f"{rule.code}: {rule.afterwards}" for rule in all_rules() if rule.code in codes and rule.afterwards)


def _accepts(options: Options) -> bool:
    """Whether the run accepts its findings, so that it reports this instead of the usual summary."""
    return options.add_ignore or options.write_baseline is not None


def _judged(result: FileResult, plan: Plan) -> bool:
    """Whether the output format needs the line numbers of a notebook's loops."""
    return plan.output_format == "sarif" and bool(result.loops) and result.path.endswith(".ipynb")


def _whole(result: FileResult, plan: Plan) -> str:
    """Return the current text of a notebook, or an empty string if the file is gone."""
    from gradlint.files.decode import Decoded, decode
    from gradlint.files.read import content

    try:
        decoded = decode(result.after or plan.piped or content(Path(result.path)))
    except OSError:
        return ""
    return decoded.text if isinstance(decoded, Decoded) else ""


def _closing(results: Sequence[FileResult], plan: Plan) -> Iterator[str]:
    """Yield what `--fix-only` and `--ask` print instead of the findings."""
    found = _found(results, plan)
    if plan.output_format not in TEXT or found.quiet:
        return
    if plan.options.ask:
        from gradlint.report.lines import summary

        yield from summary(found.diagnostics, found.applied, unsafe=found.unsafe, fixing=False)
        yield from advice(found)
    else:
        yield from fix_summary(found)


def _summary(results: Sequence[FileResult], plan: Plan) -> Iterator[str]:
    """Yield what `--summary markdown` adds to the report."""
    from gradlint.report.markdown import markdown

    found = _found(results, plan)
    return markdown(found.diagnostics, found.applied, unsafe=found.unsafe)


def _diff(results: Sequence[FileResult]) -> Iterator[str]:
    from gradlint.files.decode import Decoded, decode
    from gradlint.report.diff import diff

    for result in results:
        if result.before is not None and result.after is not None:
            old, new = decode(result.before), decode(result.after)
            if isinstance(old, Decoded) and isinstance(new, Decoded):
                yield from diff(result.path, old.text, new.text)


def _diff_conclusion(results: Sequence[FileResult], plan: Plan) -> Iterator[str]:
    """Yield the closing line. It goes to stderr so that the diff can be piped into `patch`."""
    from gradlint.report.lines import count, counted

    fixes = [each for result in results if result.before != result.after or result.together for each in result.applied]
    hidden = 0 if plan.unsafe else sum(each.fix is not None for result in results for each in result.diagnostics)
    more = f" ({count(hidden, 'more fix', 'more fixes')} available with `--unsafe-fixes`)" if hidden else ""
    yield f"Would fix {counted(fixes)}{more}." if fixes else f"Nothing would be fixed{more}."


def broken(results: Sequence[FileResult]) -> list[str]:
    """Return messages for the files that could not be read. They are reported even if findings are not."""
    return [
        f"{each.filename}:{each.span.start.row}:{each.span.start.column}: {each.message}"
        for result in results
        for each in result.diagnostics
        if each.code == "GRD000"
    ]
