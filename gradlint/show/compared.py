"""Compares the rows of a loop with those of its fixed text: what happens but should not, and what should happen but does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gradlint.show.grid import Mark
from gradlint.show.labels import LABELS
from gradlint.show.lanes import Lane, Marks
from gradlint.simulate.trace import What

_SAID = (LABELS[What.REPORT], LABELS[What.CALL])
"""Rows that no loop lacks."""
_RUNS = (Mark.HAPPENS, Mark.MAYBE, Mark.UNKNOWN)


@dataclass(frozen=True, eq=False)
class Answers:
    """What the fixes of rules change, by code: which kinds of row a fix moves events of, and which fixes move window ends."""

    moves: Callable[[str, str], bool]
    windows: frozenset[str]


def held_against(lanes: Sequence[Lane], better: Sequence[Lane] | None, left: frozenset[str], answers: Answers) -> list[Lane]:
    """Return the rows with wrong marks, including rows that are missing.

    `better` are the rows of the fixed text, or None if there is none. `left` are the codes of faults that the fixed text still
    has. `answers` says what the fix of a rule changes.
    """
    if not any(lane.codes for lane in lanes):
        return list(lanes)
    if better is None:
        return [_accused(lane, answers) if lane.codes else lane for lane in lanes]
    pairs = _paired(lanes, better)
    twins = [(lane, pairs.get(id(lane))) for lane in lanes]
    changed = [lane for lane, twin in twins if _changes(lane, twin)]
    rows = []
    for lane, twin in twins:
        codes = lane.codes or (_shared(lane, changed, lanes, answers) if _moves(lane, twin) else ())
        lane = replace(lane, codes=codes)
        rows.append(_accused(lane, answers) if set(codes) & left else _marked(lane, _wanted(lane, twin)) if codes else lane)
    for index, lane in enumerate(better):
        if lane.kind not in _SAID and not any(twin is lane for twin in pairs.values()):
            _insert(rows, _absent(lane, lanes, answers), better[:index], pairs)
    return _without_idle(rows, changed)


def _paired(lanes: Sequence[Lane], better: Sequence[Lane]) -> dict[int, Lane]:
    """Pair each row with a row of the fixed text of the same kind, preferring the most similar name."""
    pairs: dict[int, Lane] = {}
    for likeness in (_label, _owner, _kind):
        for lane in lanes:
            free = (each for each in better if not any(each is twin for twin in pairs.values()))
            twin = next((each for each in free if likeness(each) == likeness(lane)), None) if id(lane) not in pairs else None
            if twin is not None:
                pairs[id(lane)] = twin
    return pairs


def _label(lane: Lane) -> tuple[str, ...]:
    return lane.kind, lane.owner, lane.label


def _owner(lane: Lane) -> tuple[str, ...]:
    return lane.kind, lane.owner


def _kind(lane: Lane) -> tuple[str, ...]:
    return (lane.kind,)


def _wanted(lane: Lane, twin: Lane | None) -> Marks:
    return twin.marks if twin is not None else (Mark.NOTHING,) * len(lane.marks)


def _moves(lane: Lane, twin: Lane | None) -> bool:
    """Whether the marks of a row are in other places in the fixed text."""
    wanted = _wanted(lane, twin)
    return any((now in _RUNS) is not (then in _RUNS) for now, then in zip(lane.marks, wanted, strict=True))


def _changes(lane: Lane, twin: Lane | None) -> bool:
    return bool(lane.codes) and (_moves(lane, twin) or (twin is not None and twin.label != lane.label))


def _shared(lane: Lane, changed: Sequence[Lane], lanes: Sequence[Lane], answers: Answers) -> tuple[str, ...]:
    """Return the codes for a row that moves with others: those of changed rows with the same marks, or of all changed rows."""
    alike = [each for each in changed if each.marks == lane.marks] or list(changed) or [each for each in lanes if each.codes]
    return _answering(lane.kind, {code for each in alike for code in each.codes}, answers)


def _answering(kind: str, codes: set[str], answers: Answers) -> tuple[str, ...]:
    """Return the codes whose fix is about this kind of row, or all of them if there are none."""
    return tuple(sorted({code for code in codes if answers.moves(code, kind)} or codes))


def _accused(lane: Lane, answers: Answers) -> Lane:
    """Mark a row as wrong wherever it runs, as no fixed text shows where it should. Leave it if only its windows are wrong."""
    return lane if set(lane.codes) <= answers.windows else _marked(lane, lane.marks)


def _marked(lane: Lane, wanted: Marks) -> Lane:
    """Mark where the row should not run, and where it should but does not. If nothing moves, it is wrong wherever it runs."""
    if wanted == lane.marks:
        return replace(lane, marks=tuple(Mark.WRONG if mark in _RUNS[:2] else mark for mark in lane.marks))
    return replace(lane, marks=tuple(map(_against, lane.marks, wanted)))


def _against(now: Mark, then: Mark) -> Mark:
    if now in _RUNS and then is Mark.NOTHING:
        return Mark.WRONG
    return Mark.MISSING if now is Mark.NOTHING and then in _RUNS[:2] else now


def _absent(lane: Lane, lanes: Sequence[Lane], answers: Answers) -> Lane:
    """Return a row that only the fixed text has."""
    marks = tuple(Mark.MISSING if mark in _RUNS[:2] else mark for mark in lane.marks)
    codes = _answering(lane.kind, {code for each in lanes for code in each.codes}, answers)
    return replace(lane, nodes=(), marks=marks, codes=codes)


def _insert(rows: list[Lane], lane: Lane, above: Sequence[Lane], pairs: dict[int, Lane]) -> None:
    """Insert a missing row where the fixed text has it: after the nearest row above it."""
    kinds = [(each.kind, each.owner) for each in above]
    places = [index for index, row in enumerate(rows) if (row.kind, row.owner) in kinds[-1:]]
    rows.insert(places[-1] + 1 if places else 0, lane)


def _without_idle(rows: Sequence[Lane], changed: Sequence[Lane]) -> list[Lane]:
    """Return the rows without accusing those that are right themselves, and only lack a call beside them."""
    lacking = {code for row in rows if not row.nodes for code in row.codes}
    found = []
    for row in rows:
        spared = row.nodes and not set(row.codes) - lacking and not any(each.nodes == row.nodes for each in changed)
        found.append(replace(row, codes=(), marks=_unmarked(row)) if spared and set(row.codes) else row)
    return found


def _unmarked(row: Lane) -> Marks:
    return tuple(Mark.HAPPENS if mark is Mark.WRONG else mark for mark in row.marks)
