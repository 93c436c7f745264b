"""The model by itself: `# reveal:` comments say what it must have seen at a line; with `;`, what each of several loops saw."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from harness import FIXTURES

from gradlint.analysis.source import Source, read_whole
from gradlint.model.build import build
from gradlint.model.types import Event, TrainingLoop

_REVEAL = re.compile(r"# reveal: (.+)$")


def revealed(loop: TrainingLoop, event: Event) -> str:
    """An event as a reveal comment writes it: kind, cadence, and N, phase or loss scale where they are known."""
    parts = [event.kind.value, event.cadence.value]
    if event.kind.value == "optimizer step" and event.cadence.value == "per update":
        parts.append(f"N={loop.steps.source if loop.steps else '?'}")
        if event.boundary is not None:
            parts.append(event.boundary.phase.value)
    if event.scale is not None:
        parts.append(event.scale.scale.value)
    return ", ".join(parts)


@pytest.mark.parametrize("path", sorted((FIXTURES / "model").glob("*.py")), ids=lambda path: path.stem)
def test_reveals(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    source = read_whole(text)
    assert isinstance(source, Source)
    seen: dict[int, set[str]] = {}
    for loop in build(source.statements).loops:
        for event in loop.events:
            span = source.span(event.node)
            assert span is not None
            seen.setdefault(source.row_column(span[0])[0], set()).add(revealed(loop, event))
    wanted = {row: m.group(1) for row, line in enumerate(text.split("\n"), 1) if (m := _REVEAL.search(line))}
    assert wanted
    assert {row: sorted(seen.get(row, set())) for row in wanted} == {
        row: sorted(what.split("; ")) for row, what in wanted.items()
    }
