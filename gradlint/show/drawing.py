"""Draws the loops of a text with the settings that apply to it."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from gradlint.analysis.project import Project
from gradlint.analysis.source import Problem, read
from gradlint.config.selection import Selection
from gradlint.registry import all_rules
from gradlint.show.grid import At, Timeline
from gradlint.show.reading import Reading
from gradlint.show.timeline import Drawn, draw_all


class Undrawable(ValueError):
    """A text that does not parse. The message says where and why."""


def drawn(code: str, filename: str, selection: Selection, project: Project, place: Callable[[int], At] = At) -> Drawn:
    """Draw the loops of some code. `place` maps its rows to places in the file. Raises Undrawable."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's parser warns about the code that is shown
        try:
            source = read(code, project.taught, every_loop=True)
            if isinstance(source, Problem):
                at = place(source.row)
                cell = f"cell {at.cell}:" if at.cell is not None else ""
                raise Undrawable(f"{filename}:{cell}{at.line}:{source.column}: {source.message}")
            rules, chosen = all_rules(), {rule.code: rule for rule in selection.choose(all_rules())}
            reading = Reading(source, filename, place)
            return draw_all(reading, [chosen.get(rule.code, rule) for rule in rules], project, chosen.keys())
        except RecursionError as error:
            raise Undrawable(f"{filename}: the code is nested too deeply to be read") from error


def rows_of(drawn: Drawn) -> list[tuple[range, frozenset[int], Timeline]]:
    """Return the rows that each timeline draws: those of its loop, and those of its calls, which may be in helpers."""
    source = drawn.reading.source
    found = []
    for loop, lanes, timeline in drawn.loops:
        span = source.span(loop.node) if loop.node is not None else None
        first, last = (source.row_column(each)[0] for each in span) if span is not None else (1, 0)
        calls = (source.row_of(node) for lane in lanes for node in lane.nodes)
        found.append((range(first, last + 1), frozenset(each for each in calls if each is not None), timeline))
    return found


def timeline_at(drawn: Drawn, row: int) -> tuple[range, Timeline] | None:
    """Return the timeline for a row: of the innermost loop around it, else of a loop that calls it, else of the closest loop."""

    def distance(each: tuple[range, frozenset[int], Timeline]) -> tuple[bool, bool, int]:
        own, calls, _ = each
        inside = row in own
        away = len(own) if inside else min((abs(row - other) for other in (*own[:1], *own[-1:], *calls)), default=row)
        return not inside, row not in calls, away

    found = min(rows_of(drawn), key=distance, default=None)
    return (found[0], found[2]) if found is not None else None
