"""Shortens a picture that would be too wide, by leaving out micro-batches on which the same happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gradlint.show.grid import Column, Grid, Mark, Timeline

_SHORTEST = 4
"""A run of at least this many columns is drawn as its first column, a gap, and its last column."""


def shortened(timeline: Timeline) -> Timeline:
    """Return the timeline with a gap in every long run of columns that are alike in both grids."""
    grids = (timeline.grid, *((timeline.better,) if timeline.better is not None else ()))
    looks = [tuple(row.marks[index] for grid in grids for row in grid.rows) for index in range(len(timeline.grid.columns))]
    kept: list[int | None] = []
    for run in _runs(timeline.grid.columns, looks):
        kept.extend((run[0], None, run[-1]) if len(run) >= _SHORTEST else run)
    better = _kept(timeline.better, kept) if timeline.better is not None else None
    return replace(timeline, grid=_kept(timeline.grid, kept), better=better)


def _runs(columns: Sequence[Column], looks: Sequence[tuple[Mark, ...]]) -> list[list[int]]:
    """Group neighbouring columns of the same part that look alike."""
    runs: list[list[int]] = []
    for index, column in enumerate(columns):
        last = runs[-1][-1] if runs else None
        if last is not None and columns[last].part is column.part and looks[last] == looks[index] and column.number is not None:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs


def _kept(grid: Grid, indices: Sequence[int | None]) -> Grid:
    columns: list[Column] = []
    for index in indices:
        columns.append(grid.columns[index] if index is not None else Column(columns[-1].part))
    rows = (replace(row, marks=tuple(Mark.GAP if index is None else row.marks[index] for index in indices)) for row in grid.rows)
    return Grid(tuple(columns), tuple(rows))
