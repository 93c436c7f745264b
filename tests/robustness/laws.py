"""What must hold for gradlint on any text: each law yields what breaks it."""

from __future__ import annotations

import ast
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gradlint.analysis.located import Located
from gradlint.analysis.source import Problem, read_whole
from gradlint.analysis.text_changes import apply
from gradlint.diagnostic import Diagnostic
from gradlint.suppression.comments import keep

from .trial import Trial, comments, edited, line_starts, parsed, same_program, strings

Law = Callable[[Trial], Iterator[str]]


@dataclass(frozen=True)
class Broken:
    """A law that a text breaks. Texts with the same `law` and `key` are taken to show the same bug."""

    law: str
    key: str
    detail: str


def places_lie_in_the_text(trial: Trial) -> Iterator[str]:
    """A finding, what is related to it and what its fix edits stand inside the text, start before end."""
    ends = [*line_starts(trial.text)[1:], len(trial.text) + 1]
    lengths = [end - start for start, end in zip(line_starts(trial.text), ends, strict=True)]
    for each in trial.found:
        found = each.diagnostic
        spans = [found.span, *(r.span for r in found.related), *(e.span for e in (found.fix.edits if found.fix else ()))]
        for span in spans if found.code != "GRD000" else ():
            if not span.start <= span.end:
                yield f"{found.code}: {span} ends before it starts"
            for place in (span.start, span.end):
                if not (1 <= place.row <= len(lengths) and 1 <= place.column <= lengths[place.row - 1] + 1):
                    yield f"{found.code}: {place} is not in the text"
        if found.code == "GRD000" and not 1 <= found.span.start.row <= len(lengths) + 1:
            yield f"GRD000: row {found.span.start.row} of {len(lengths)}"


def fast_reader_sees_what_the_plain_one_sees(trial: Trial) -> Iterator[str]:
    """Reading only the statements that can matter loses nothing and adds nothing; nor does it change a fix."""
    fast, plain = Counter(_told(trial.found)), Counter(_told(trial.found_plainly))
    for code, span, *_ in fast - plain:
        yield f"{code}: only the fast reader has it so, at {span}"
    for code, span, *_ in plain - fast:
        yield f"{code}: only the plain reader has it so, at {span}"


def _told(located: Iterable[Located]) -> list[tuple[object, ...]]:
    return [
        (d.code, d.span, d.message, d.note, d.fix, d.related)
        for d in (each.diagnostic for each in located)
        # What is no Python is told in the words of the parser that saw it.
        if d.code != "GRD000"
    ]


def text_without_fixes_is_kept(trial: Trial) -> Iterator[str]:
    """Where no finding has a fix, no character changes."""
    if not any(each.changes for each in trial.found) and trial.output != trial.text:
        yield "the text changed"


def fixes_settle(trial: Trial) -> Iterator[str]:
    """The rounds end, what is offered is applied, and a second run changes nothing."""
    outcome, rounds = trial.fixed
    if rounds and rounds[-1].offered and not rounds[-1].applied and outcome.text == trial.text:
        codes = sorted({d.diagnostic.code for d in trial.found if d.diagnostic.fix})
        yield f"{' '.join(codes)}: the rounds do not settle, or what is offered is refused"
    again = Trial(outcome.text)
    if outcome.text != trial.text and again.output != outcome.text:
        yield f"{' '.join(sorted({d.code for d in again.fixed[0].applied}))}: a second run changes the text again"


def edits_tell_every_change(trial: Trial) -> Iterator[str]:
    """Round by round, the edits of the applied fixes, carried out by rows and columns, give the next text."""
    outcome, rounds = trial.fixed
    if outcome.applied:
        for this, following in zip(rounds, [*(r.text for r in rounds[1:]), outcome.text], strict=True):
            edits = tuple(edit for d in this.applied if d.fix for edit in d.fix.edits)
            if edited(this.text, edits) != following:
                yield f"{' '.join(sorted({d.code for d in this.applied}))}: the edits do not lead to the next text"


def every_fix_stands_alone(trial: Trial) -> Iterator[str]:
    """Each fix that is offered, carried out alone, leaves a text that parses: an editor applies one at a time."""
    if trial.tree is None:
        return
    for each in trial.found:
        if each.changes and parsed(apply(trial.text, each.changes)) is None:
            yield f"{each.diagnostic.code}: the text does not parse after its fix"


def replacements_hold_together(trial: Trial) -> Iterator[str]:
    """An expression that a fix writes is not torn apart by what stands around it: parentheses would change nothing."""
    if trial.tree is None:
        return
    for each in trial.found:
        for change in each.changes:
            if change.start == change.end or not _is_expression(change.content):
                continue
            closed = tuple(replace(c, content=f"({c.content})") if c is change else c for c in each.changes)
            bare, safe = apply(trial.text, each.changes), apply(trial.text, closed)
            if parsed(safe) is not None and not same_program(bare, safe):
                yield f"{each.diagnostic.code}: `{change.content}` is torn apart"


def _is_expression(content: str) -> bool:
    try:
        ast.parse(content, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def output_parses(trial: Trial) -> Iterator[str]:
    """What is written parses for the interpreter and for LibCST wherever the input did."""
    if trial.output == trial.text:
        return
    applied = " ".join(sorted({d.code for d in trial.fixed[0].applied}))
    if trial.tree is not None and parsed(trial.output) is None:
        yield f"{applied}: the output does not parse"
    if isinstance(read_whole(trial.output), Problem):
        yield f"{applied}: LibCST does not parse the output"


def comments_and_strings_survive(trial: Trial) -> Iterator[str]:
    """No comment and no string is lost or altered, unless with a statement that the fix removes."""
    _, rounds = trial.fixed
    texts = [*(r.text for r in rounds[1:]), trial.output]
    for this, following in zip(rounds, texts, strict=True):
        if not this.applied:
            continue
        codes = " ".join(sorted({d.code for d in this.applied}))
        removed = "".join(_removed(this.text, d) for d in this.applied)
        before, after = comments(this.text), comments(following)
        if before is not None and after is not None:
            for lost in before - after:
                if lost not in removed:
                    yield f"{codes}: the comment {lost!r} is lost"
        old, new = parsed(this.text), parsed(following)
        if old is not None and new is not None:
            for gone in strings(old) - strings(new):
                if str(gone) not in removed:
                    yield f"{codes}: the string {gone!r} is lost"


def _removed(text: str, diagnostic: Diagnostic) -> str:
    """What a fix takes out without writing anything elsewhere."""
    edits = diagnostic.fix.edits if diagnostic.fix else ()
    if any(edit.content for edit in edits):
        return ""
    starts = line_starts(text)
    return "".join(
        text[starts[e.span.start.row - 1] + e.span.start.column - 1 : starts[e.span.end.row - 1] + e.span.end.column - 1]
        for e in edits
    )


def a_comment_silences(trial: Trial) -> Iterator[str]:
    """`# gradlint: ignore` behind the first or the last line of a finding silences it, wherever a comment can stand."""
    if trial.tree is None:
        return
    starts = line_starts(trial.text)
    lines = [trial.text[a:b] for a, b in zip(starts, [*starts[1:], len(trial.text)], strict=True)]
    for each in [e for e in trial.found if e.diagnostic.code != "GRD000"][:6]:
        found = each.diagnostic
        for row in {found.span.start.row, found.span.end.row}:
            line = lines[row - 1]
            bare = line.rstrip("\r\n")
            noted = "".join([*lines[: row - 1], f"{bare}  # gradlint: ignore{line[len(bare) :]}", *lines[row:]])
            if not same_program(noted, trial.text):
                continue
            left = [d for d in keep(noted, tuple(e.diagnostic for e in Trial(noted).found)) if d.code == found.code]
            if any(d.span.start == found.span.start for d in left):
                yield f"{found.code}: not silenced at {row}"


CORE: tuple[Law, ...] = (
    places_lie_in_the_text,
    fast_reader_sees_what_the_plain_one_sees,
    text_without_fixes_is_kept,
    fixes_settle,
    edits_tell_every_change,
    every_fix_stands_alone,
    replacements_hold_together,
    output_parses,
    comments_and_strings_survive,
)
"""Laws about one text."""


def judge(trial: Trial, laws: Iterable[Law] = CORE) -> Iterator[Broken]:
    """Every law that a text breaks; an exception out of gradlint breaks the law that nothing crashes."""
    for law in laws:
        try:
            for detail in law(trial):
                yield Broken(law.__name__, detail.split(":")[0], detail)
        except Exception as error:
            yield crash(error)
            return


def crash(error: BaseException) -> Broken:
    """An exception, keyed by where gradlint was when it came."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/gradlint/" in f.filename]
    own = next((f"{Path(f.filename).name}:{f.name}" for f in reversed(frames) if "site-packages" not in f.filename), "?")
    return Broken("nothing_crashes", f"{type(error).__name__} in {own}", "".join(traceback.format_exception(error)[-6:]))
