"""Draws the charts of a report as SVG with Altair, once for a light page and once for a dark one."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from gradlint.organisation.totals import Totals

_COLOURS = {"verified": "#2a9d6f", "wrong": "#d1495b", "unknown": "#8d99ae", "silenced": "#b08968"}
_FIXES = {"safe": "#2a9d6f", "unsafe": "#e0a030", "no": "#8d99ae"}
_INK = {"light": "#1f2430", "dark": "#e6e8ee"}
_GRID = {"light": "#d9dce3", "dark": "#3a4150"}
_WIDTH = 230
"""Narrow enough for a phone: a page shows the charts side by side if it has the room."""


def bars_of_rules(totals: Totals, most: int = 15) -> list[str]:
    """Draw how often each rule is found, and how much of that can be fixed."""
    shown = [rule for rule, _ in totals.rules.most_common(most)]
    rows = [{"rule": rule, "fix": kind, "findings": count} for (rule, kind), count in totals.fixes.items() if rule in shown]
    return _bars(rows, "rule", "findings", "fix", _FIXES, shown)


def bars_of_engines(totals: Totals) -> list[str]:
    """Draw the verdicts on the loops of each engine."""
    rows = [{"engine": engine, "verdict": answer, "loops": count} for (engine, answer), count in totals.engines.items()]
    loops: Counter[str] = Counter()
    for (engine, _), count in totals.engines.items():
        loops[engine] += count
    order = [engine for engine, _ in loops.most_common()]
    return _bars(rows, "engine", "loops", "verdict", _COLOURS, order)


def lines_over_time(surveys: Sequence[Totals]) -> list[str]:
    """Draw the share of each verdict, survey by survey."""
    rows = [
        {"survey": each.name, "verdict": answer, "share": 100 * count / each.loops}
        for each in surveys
        for answer, count in each.verdicts.items()
    ]
    names = [each.name for each in surveys]
    chart = alt.Chart(alt.Data(values=rows)).mark_line(point=True)
    return _drawn(
        chart.encode(
            x=alt.X("survey:N", sort=names, title=None),
            y=alt.Y("share:Q", title="% of the loops"),
            color=_colour("verdict", _COLOURS),
        )
    )


def _bars(
    rows: Sequence[Mapping[str, Any]], name: str, count: str, part: str, colours: dict[str, str], order: list[str]
) -> list[str]:
    if not rows:
        return []
    chart = alt.Chart(alt.Data(values=list(rows))).mark_bar()
    return _drawn(
        chart.encode(
            y=alt.Y(f"{name}:N", sort=order, title=None),
            x=alt.X(f"{count}:Q", title=count, axis=alt.Axis(tickMinStep=1, tickCount=5)),
            color=_colour(part, colours),
            order=alt.Order(f"{part}:N"),
        )
    )


def _colour(part: str, colours: dict[str, str]) -> Any:
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Color(f"{part}:N", scale=scale, legend=alt.Legend(orient="bottom", columns=2, title=part))


def _drawn(chart: Any) -> list[str]:
    """Return the chart for light pages and for dark ones."""
    return [_svg(chart, mode) for mode in ("light", "dark")]


def _svg(chart: Any, mode: str) -> str:
    ink = {f"{each}Color": _INK[mode] for each in ("label", "title")}
    styled = (
        chart.properties(width=_WIDTH)
        .configure(background="transparent", font="sans-serif")
        .configure_axis(**ink, gridColor=_GRID[mode], domainColor=_GRID[mode], tickColor=_GRID[mode], labelLimit=150)
        .configure_legend(**ink)
        .configure_view(stroke=None)
    )
    target = io.StringIO()
    styled.save(target, format="svg", engine="vl-convert")
    return target.getvalue()
