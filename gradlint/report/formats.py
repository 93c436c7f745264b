"""The output formats by name, and the entry point for reports. The module of a format is imported on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from gradlint.report.names import TEXT

if TYPE_CHECKING:
    from gradlint.diagnostic import Diagnostic
    from gradlint.report.found import Report


class UnsupportedStatistics(ValueError):
    """The format cannot show statistics. The message names those that can."""


def report(name: str, found: Report, *, statistics: bool = False) -> Iterator[str]:
    """Yield the lines of a report: the findings or, with `statistics`, how often each rule was found.

    A text format ends with a summary, unless the report is quiet. A machine format prints only its document, which is valid even
    if there are no findings. Raises KeyError for a name that is not in `names.NAMES`, and UnsupportedStatistics as
    `require_statistics` does.
    """
    if statistics:
        require_statistics(name)
        yield from _STATISTICS[name](found)
    elif found.diagnostics or name not in TEXT:
        yield from _WRITERS[name](found)
    if name in TEXT and not found.quiet and (found.diagnostics or not (found.failures or found.unchecked)):
        from gradlint.report.lines import checked, summary

        yield from _fixes(found)
        if found.files:
            yield checked(found.files, found.loops)
        yield from summary(found.diagnostics, found.applied, unsafe=found.unsafe, fixing=found.fixing)
        yield from advice(found)


def fix_summary(found: Report) -> Iterator[str]:
    """Yield what was fixed and not what was found, for `--fix-only`."""
    from gradlint.diagnostic import Applicability
    from gradlint.report.lines import count, counted

    yield from _fixes(found)
    fixes = [each.fix for each in found.diagnostics if each.fix is not None]
    hidden = 0 if found.unsafe else sum(each.applicability is Applicability.UNSAFE for each in fixes)
    more = f" ({count(hidden, 'more fix', 'more fixes')} available with `--unsafe-fixes`)" if hidden else ""
    yield f"Fixed {counted(found.applied)}{more}." if found.applied else f"Nothing fixed{more}."
    yield from advice(found)


def advice(found: Report) -> Iterator[str]:
    """Yield what to know about training after a fix."""
    yield from (f"note: {each}." for each in found.advice)


def _fixes(found: Report) -> Iterator[str]:
    if found.show_fixes and found.applied:
        from gradlint.report.fixes import fixes

        applied: dict[str, list[Diagnostic]] = {}
        for each in found.applied:
            applied.setdefault(each.filename, []).append(each)
        yield from fixes(applied)
        yield ""


def require_statistics(name: str) -> None:
    """Raise UnsupportedStatistics for a format that cannot show how often each rule was found."""
    if name not in _STATISTICS:
        raise UnsupportedStatistics(f"`--statistics` does not work with the format `{name}`; use one of {', '.join(_STATISTICS)}")


def _full(found: Report) -> Iterator[str]:
    if not found.diagnostics:
        return  # the command starts faster without the module that draws excerpts
    from itertools import groupby

    from gradlint.report.full import full

    for place, group in groupby(found.diagnostics, lambda each: (each.filename, each.cell)):
        yield from full(
            tuple(group),
            found.texts.get(place, ""),
            unsafe=found.unsafe,
            links=found.links,
            columns=found.columns,
            texts=found.texts,
        )


def _concise(found: Report) -> Iterator[str]:
    from gradlint.report.concise import concise

    return concise(found.diagnostics, unsafe=found.unsafe, links=found.links)


def _grouped(found: Report) -> Iterator[str]:
    from gradlint.report.grouped import grouped

    return grouped(found.diagnostics, unsafe=found.unsafe, links=found.links)


def _json(found: Report) -> Iterator[str]:
    from gradlint.report.machine import to_json

    yield to_json(found.diagnostics)


def _json_lines(found: Report) -> Iterator[str]:
    from gradlint.report.machine import to_json_lines

    return to_json_lines(found.diagnostics)


def _verdicts(found: Report) -> Iterator[str]:
    from gradlint.report.machine import verdicts_to_json

    yield verdicts_to_json(found.loops)


def _sarif(found: Report) -> Iterator[str]:
    from gradlint.report.sarif import sarif

    yield sarif(found)


def _github(found: Report) -> Iterator[str]:
    from gradlint.report.github import github

    return github(found)


def _gitlab(found: Report) -> Iterator[str]:
    from gradlint.report.gitlab import gitlab

    yield gitlab(found)


def _junit(found: Report) -> Iterator[str]:
    from gradlint.report.junit import junit

    yield junit(found)


def _checkstyle(found: Report) -> Iterator[str]:
    from gradlint.report.checkstyle import checkstyle

    yield checkstyle(found)


def _pylint(found: Report) -> Iterator[str]:
    from gradlint.report.pylint import pylint

    return pylint(found)


def _rdjson(found: Report) -> Iterator[str]:
    from gradlint.report.rdjson import rdjson

    yield rdjson(found)


def _text_statistics(found: Report) -> Iterator[str]:
    from gradlint.report.statistics import statistics

    return statistics(found.diagnostics, unsafe=found.unsafe)


def _json_statistics(found: Report) -> Iterator[str]:
    from gradlint.report.machine import statistics_to_json

    yield statistics_to_json(found.diagnostics, unsafe=found.unsafe)


def _json_lines_statistics(found: Report) -> Iterator[str]:
    from gradlint.report.machine import statistics_to_json_lines

    return statistics_to_json_lines(found.diagnostics, unsafe=found.unsafe)


Writer = Callable[["Report"], Iterator[str]]
_WRITERS: Mapping[str, Writer] = {
    "full": _full,
    "concise": _concise,
    "grouped": _grouped,
    "json": _json,
    "json-lines": _json_lines,
    "verdicts": _verdicts,
    "sarif": _sarif,
    "github": _github,
    "gitlab": _gitlab,
    "junit": _junit,
    "checkstyle": _checkstyle,
    "pylint": _pylint,
    "rdjson": _rdjson,
}
_STATISTICS: Mapping[str, Writer] = {
    "full": _text_statistics,
    "concise": _text_statistics,
    "grouped": _text_statistics,
    "json": _json_statistics,
    "json-lines": _json_lines_statistics,
}
