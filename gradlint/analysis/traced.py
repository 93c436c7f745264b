"""Adds what only a simulated run shows to what the rules find in the model, each fault once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from gradlint.analysis.source import Source
from gradlint.finding import Finding
from gradlint.rule import Rule
from gradlint.simulate.scene import Scene


def shown(
    found: Sequence[Scene], rules: Iterable[Rule[Any]], known: Iterable[tuple[str, int]], source: Source
) -> Iterator[tuple[Rule[Any], Finding]]:
    """The findings for faults that `known`, the codes and rows of the findings so far, does not have.

    A finding elsewhere in the loop or function of a fault is taken for the same fault, reported at another of its places, unless
    that place has a fault of its own.
    """
    placed = [(scene, row) for scene in found if (row := source.row_of(scene.place)) is not None]
    for rule in rules:
        if rule.shown is None:
            continue
        own = [(scene, row) for scene, row in placed if scene.fault.code == rule.code]
        rows = {row for _, row in own}
        reported = {row for code, row in known if code == rule.code}
        for scene, row in own:
            if row not in reported and not any(_holds(scene, each, source) for each in reported - rows):
                finding = rule.shown(scene)
                yield rule, replace(finding, message=finding.message + scene.where)


def _holds(scene: Scene, row: int, source: Source) -> bool:
    """Whether a row belongs to the loop of a fault, or to the function that it is reported in."""
    place = source.span(scene.place)
    around = [scene.loop, *scene.event.loops[-1:]]
    spans = [span for node in around if node is not None and (span := source.span(node)) is not None]
    if place is not None:
        spans += [span for span in source.functions if span[0] <= place[0] < span[1]] or [(0, len(source.text))]
    return any(source.row_column(start)[0] <= row <= source.row_column(end)[0] for start, end in spans)
