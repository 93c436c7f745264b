"""Turns the runs of a file into its picture: each loop as it is, and as its fixed text runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from gradlint.analysis.located import Located
from gradlint.analysis.loop_verdicts import UNUSUAL, loop_verdicts, node_of
from gradlint.analysis.project import Project
from gradlint.analysis.source import Problem, Source
from gradlint.analysis.validation import Validator
from gradlint.diagnostic import Diagnostic, LoopVerdict, Severity
from gradlint.fixes.fixer import fix, fixed_together
from gradlint.rule import Rule
from gradlint.show.compared import Answers, held_against
from gradlint.show.findings import Charge, charges, faults_left, found_in, is_about
from gradlint.show.grid import Column, Grid, Mark, Part, Picture, Row, Timeline, Verdict
from gradlint.show.helps import help_for
from gradlint.show.labels import LABELS
from gradlint.show.lanes import UNSYNCED, Lane, lanes_of
from gradlint.show.loops import Loop, loops_of
from gradlint.show.notes import notes_of
from gradlint.show.reading import Reading
from gradlint.show.undrawn import answer, undrawn, unknown, why_empty
from gradlint.simulate.verdicts import verdicts as answers_of
from gradlint.suppression.comments import keep

_PLAIN = 4
"""The number of micro-batches to draw if each has a separate update."""
_LONGEST_NAME = 40


@dataclass(frozen=True, eq=False)
class Drawn:
    """A picture, with the loop and rows behind each of its timelines. `reading` is about the text that runs.

    `found` are the findings that no comment silences, and `silenced` the others.
    """

    picture: Picture
    reading: Reading
    loops: tuple[tuple[Loop, tuple[Lane, ...], Timeline], ...] = ()
    found: tuple[Diagnostic, ...] = ()
    silenced: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, eq=False)
class _Script:
    """A text with its runs, loops and findings. `unfixed` are the codes of findings without a fix."""

    runs: Validator
    whole: Source
    loops: tuple[Loop, ...]
    found: tuple[Charge, ...]
    located: tuple[Located, ...] = ()
    unfixed: frozenset[str] = frozenset()
    silenced: tuple[Diagnostic, ...] = ()

    def rows(self, loop: Loop) -> list[Lane]:
        """Return the rows of a loop, with the codes of the findings about them."""
        own = [each for each in self.found if is_about(each, loop, self.whole)]
        lanes = lanes_of(loop, frozenset().union(*(charge.nodes for charge in own)))
        codes: dict[int, set[str]] = {}
        for code, about in ((charge.code, about) for charge in own for about in charge.events):
            known = [lane for node in about.nodes for lane in lanes if any(each is node for each in lane.nodes)]
            if known:
                first = [lane for lane in known if set(map(id, lane.nodes)) & set(map(id, known[0].nodes))]
                lane = next((each for each in first if each.kind == about.kind), known[0])
                codes.setdefault(id(lane), set()).add(code)
        return [replace(each, codes=tuple(sorted(codes.get(id(each), ())))) for each in lanes]


def draw_all(reading: Reading, rules: Sequence[Rule], project: Project, reports: Collection[str]) -> Drawn:
    """Draw every training loop of a text. What the rules find counts as wrong unless a comment silences it.

    `reports` are the codes of the rules that the settings let run. Findings of other rules are drawn, but count as silenced in
    the verdict.
    """
    script = _read(reading.source, rules, project)
    if script is None:
        return Drawn(Picture(reading.filename, (), note=why_empty(reading.source.statements)), reading)
    repaired = _repaired(script, rules, project)
    reading = replace(reading, source=script.whole)
    verdicts = {each.line: each for each in loop_verdicts(script.runs, _counted(script, reports), reading.filename)}
    rows = [reading.source.row_of(node_of(loop.node, loop.simulation)) or 1 for loop in script.loops]
    drawn = [
        _timeline(loop, script, repaired, reading, rules, verdicts.get(row)) for loop, row in zip(script.loops, rows, strict=True)
    ]
    told = {id(each) for loop in script.loops for each in script.found if is_about(each, loop, script.whole)}
    rest = [_verdict(each, reading, drawn=False) for each in script.found if id(each) not in told]
    others = tuple(undrawn(script.runs, tuple(verdicts.values()), set(rows), reading))
    note = None if drawn or others else why_empty(script.whole.statements)
    picture = Picture(reading.filename, tuple(each for each, _ in drawn), tuple(dict.fromkeys(rest)), note, others)
    loops = tuple((loop, lanes, each) for loop, (each, lanes) in zip(script.loops, drawn, strict=True))
    return Drawn(picture, reading, loops, tuple(each.diagnostic for each in script.located), script.silenced)


def _read(source: Source, rules: Sequence[Rule], project: Project) -> _Script | None:
    known = found_in(source, rules, project)
    located, runs = known.kept, known.runs
    whole = runs.whole
    if isinstance(whole, Problem):
        return None
    loops = tuple(loops_of(runs.before))
    unfixed = frozenset(each.diagnostic.code for each in located if each.diagnostic.fix is None)
    found = tuple(charges(located, rules, runs, loops))
    return _Script(runs, whole, loops, found, located, unfixed, known.silenced)


def _counted(script: _Script, reports: Collection[str]) -> list[Diagnostic]:
    """Return what counts for the verdict on a loop: what `gradlint check` reports, and findings of severity info."""
    found = (each.diagnostic for each in script.located)
    return [each for each in found if each.code in reports or each.severity is Severity.INFO]


def _repaired(script: _Script, rules: Sequence[Rule], project: Project) -> _Script | None:
    """Return the text after all fixes, or None if there is nothing to fix."""
    if not any(charge.events for charge in script.found) or not any(each.changes for each in script.located):
        return None
    text, settled = fixed_together(script.whole.text, script.located, project)
    mended = _run(text, project) if settled else None
    if mended is None or mended.found:  # one fix may make another one possible, or reveal why it is needed
        mended = _run(fix(text, "", rules, unsafe=True, keep=keep, project=project).text, project)
    return mended


def _run(text: str, project: Project) -> _Script | None:
    runs = Validator(Source(text, ()), project)
    whole = runs.whole
    return _Script(runs, whole, tuple(loops_of(runs.before)), tuple(faults_left(runs))) if isinstance(whole, Source) else None


# One loop


def _timeline(
    loop: Loop,
    script: _Script,
    repaired: _Script | None,
    reading: Reading,
    rules: Sequence[Rule],
    judged: LoopVerdict | None,
) -> tuple[Timeline, tuple[Lane, ...]]:
    mine = [each for each in script.found if is_about(each, loop, script.whole)]
    lanes = script.rows(loop)
    mended = next((each for each in repaired.loops if each.name == loop.name), None) if repaired is not None else None
    better = repaired.rows(mended) if mended is not None and repaired is not None else None
    left = {code for lane in better or () for code in lane.codes}
    left |= {each.code for each in mine if each.scene is None} & script.unfixed
    length = max((len(lane.marks) for lane in (*lanes, *(better or ()))), default=2)
    lanes, better = _of_length(lanes, length), _of_length(better, length) if better is not None else None
    rows = held_against(lanes, better, frozenset(left), _answers(rules))
    codes = {code for row in rows for code in row.codes}
    size = max(loop.size, mended.size if mended is not None and codes else 0)
    columns, used = columns_of(loop, size, length, (*rows, *(better or ())))
    shown = better is not None and codes and not codes & left
    ideal = (
        Grid(columns, tuple(replace(row_of(each, used, reading), at=(), codes=()) for each in better or ())) if shown else None
    )
    verdicts = tuple(dict.fromkeys(_verdict(each, reading, drawn=bool({each.code} & codes)) for each in mine))
    node = node_of(loop.node, loop.simulation)
    judged = judged or LoopVerdict(reading.filename, script.whole.row_of(node) or 1, 1, "unknown", reason=UNUSUAL)
    timeline = Timeline(
        reading.filename,
        reading.at(node),
        reading.function(node),
        steps_of(loop, size),
        Grid(columns, tuple(row_of(each, used, reading) for each in rows)),
        ideal,
        tuple(notes_of(loop)),
        verdicts,
        answer(judged, reading),
        unknown(judged, reading, _help(loop, judged, script)),
    )
    return timeline, tuple(lanes)


def _help(loop: Loop, judged: LoopVerdict, script: _Script) -> str:
    """Return what would help with a loop that cannot be judged."""
    if judged.answer != "unknown":
        return ""
    own = (each for each in answers_of(loop.simulation) if each.loop is loop.node and each.reason == judged.reason)
    neighbours = script.runs.project.neighbours
    why = neighbours.unseen if neighbours is not None else lambda _: ""
    return help_for(loop, next((each.node for each in own), None), script.whole.statements, why)


def _answers(rules: Sequence[Rule]) -> Answers:
    promises = {rule.code: rule.promise for rule in rules}

    def moves(code: str, kind: str) -> bool:
        promise = promises[code]
        return promise.synchronisation if kind == UNSYNCED else any(LABELS.get(what) == kind for what in promise.events)

    return Answers(moves, frozenset(code for code, promise in promises.items() if promise.windows))


def _of_length(lanes: Sequence[Lane], length: int) -> list[Lane]:
    """Return the rows with as many micro-batches as the longest of them."""
    nothing = (Mark.NOTHING,)
    return [replace(each, marks=each.marks[:-1] + nothing * (length - len(each.marks)) + each.marks[-1:]) for each in lanes]


def columns_of(loop: Loop, size: int, length: int, lanes: Sequence[Lane]) -> tuple[tuple[Column, ...], tuple[int | None, ...]]:
    """Return the columns to draw, and the index of the mark for each of them: None for a gap."""
    count = length - 2
    whole = min(2 * size, count) if size > 1 else min(_PLAIN, count)
    tail = count % size if size > 1 and loop.passes[0].ends and count > whole else 0
    indices = [*range(whole), *range(count - tail, count)]
    columns: list[Column] = []
    used: list[int | None] = []
    for place in (-1, *indices, count):
        if place in (-1, count) and all(lane.marks[place + 1] is Mark.NOTHING for lane in lanes):
            continue
        if place == count - tail > whole and tail:
            columns.append(Column(Part.TAIL))
            used.append(None)
        columns.append(Column(_part(place, size, whole, count), place + 1 if 0 <= place < count else None))
        used.append(place + 1)
    return tuple(columns), tuple(used)


def _part(place: int, size: int, whole: int, count: int) -> Part:
    if not 0 <= place < count:
        return Part.BEFORE if place < 0 else Part.AFTER
    if size < 2:
        return Part.PLAIN
    return Part.FIRST if place < size else Part.SECOND if place < whole else Part.TAIL


def row_of(lane: Lane, used: Sequence[int | None], reading: Reading) -> Row:
    at = tuple(sorted({reading.at(node) for node in lane.nodes}, key=lambda each: (each.cell or 0, each.line)))
    marks = tuple(Mark.GAP if index is None else lane.marks[index] for index in used)
    return Row(lane.label, at, marks, lane.codes)


def _verdict(charge: Charge, reading: Reading, *, drawn: bool) -> Verdict:
    return Verdict(charge.code, charge.name, reading.place(charge.row), drawn)


def steps_of(loop: Loop, size: int) -> str:
    """Return what N is, as the text writes it, or that there is none."""
    if size < 2:
        return "an update after every micro-batch" if loop.views else "no window was found"
    if not loop.steps:
        literal = size in loop.trace.literals
        return f"N = {size}" if literal else "N is not known"
    actual = loop.trace.actual_n
    name = _short(loop.steps)
    known = (
        f"N = {actual}" if name == "N" and actual else "N" if name == "N" else f"N = {name}" + (f" = {actual}" if actual else "")
    )
    return known if actual == size else f"{known} (drawn as {size})"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
