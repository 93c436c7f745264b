"""Applies fixes until nothing changes: non-overlapping ones together, with the text analysed again after each round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gradlint.analysis.engine import examine
from gradlint.analysis.located import Located
from gradlint.analysis.project import BARE, Project
from gradlint.analysis.text_changes import Change, apply
from gradlint.analysis.together import spoils
from gradlint.diagnostic import Applicability, Diagnostic
from gradlint.files.parse import parse
from gradlint.rule import Rule
from gradlint.suppression.comments import UNUSED

MAX_ROUNDS = 25
Keep = Callable[[str, tuple[Diagnostic, ...]], tuple[Diagnostic, ...]]


@dataclass(frozen=True)
class FixOutcome:
    """The fixed text and the findings that were fixed, in order."""

    text: str
    applied: tuple[Diagnostic, ...]


def fix(text: str, filename: str, rules: Sequence[Rule], *, unsafe: bool, keep: Keep, project: Project = BARE) -> FixOutcome:
    """Apply every admitted fix until none is left.

    `keep(text, diagnostics)` drops suppressed findings. Unused suppression comments are removed last, because another fix may
    bring up the findings that they silence. Returns the input unchanged if the rounds do not settle, and skips a fix whose result
    does not parse. Fixes that conflict are applied one at a time, each judged on the result of the previous ones.
    """
    current = text
    applied: list[Diagnostic] = []
    refused: set[tuple[str, str, int]] = set()
    for _ in range(MAX_ROUNDS):
        candidates = [each for each in admitted(current, filename, rules, unsafe, keep, project) if _key(each) not in refused]
        chosen = _disjoint([each for each in candidates if each.diagnostic.code != UNUSED[0]] or candidates)
        if not chosen:
            return FixOutcome(current, tuple(applied))
        changed = apply(current, tuple(change for each in chosen for change in each.changes))
        if not _parses(changed, current) or (len(chosen) > 1 and spoils(current, changed, project)):
            chosen = chosen[:1]
            changed = apply(current, chosen[0].changes)
            if not _parses(changed, current):
                refused.add(_key(chosen[0]))
                continue
        current = changed
        applied.extend(each.diagnostic for each in chosen)
    return FixOutcome(text, ())


def fixed_together(text: str, located: Sequence[Located], project: Project) -> tuple[str, bool]:
    """Return the text after all fixes that can be applied at once, and whether that is every fix."""
    chosen = _disjoint([each for each in located if each.changes])
    changed = apply(text, tuple(change for each in chosen for change in each.changes))
    if not _parses(changed, text) or (len(chosen) > 1 and spoils(text, changed, project)):
        return text, False
    return changed, len(chosen) == len([each for each in located if each.changes])


def apply_one(text: str, located: Located) -> str | None:
    """Return the text with one fix applied, or None if it would no longer parse."""
    changed = apply(text, located.changes)
    return changed if _parses(changed, text) else None


def admitted(text: str, filename: str, rules: Sequence[Rule], unsafe: bool, keep: Keep, project: Project) -> list[Located]:
    """The findings whose fixes may be applied to the text alone, in order of position. `keep` is as for `fix`."""
    located = examine(text, filename, rules, project=project)
    kept = {id(each) for each in keep(text, tuple(each.diagnostic for each in located))}
    return [
        each
        for each in located
        if id(each.diagnostic) in kept
        and each.diagnostic.fix is not None
        and each.changes
        and not each.diagnostic.fix.elsewhere
        and (unsafe or each.diagnostic.fix.applicability is Applicability.SAFE)
    ]


def _disjoint(located: Sequence[Located]) -> list[Located]:
    """A set of fixes that do not touch each other. Lower codes come first, so the result does not depend on positions."""
    chosen: list[Located] = []
    taken: list[Change] = []
    for each in sorted(located, key=lambda one: (one.diagnostic.code, one.diagnostic)):
        if not any(_touch(a, b) for a in each.changes for b in taken):
            chosen.append(each)
            taken.extend(each.changes)
    return chosen


def _touch(a: Change, b: Change) -> bool:
    return a.start <= b.end and b.start <= a.end


def _key(located: Located) -> tuple[str, str, int]:
    return located.diagnostic.code, located.diagnostic.sentence, len(located.changes)


def _parses(text: str, before: str) -> bool:
    """Whether the new text parses. LibCST decides if `ast` cannot parse the original text either."""
    try:
        parse(text, len(text))
        return True
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    try:
        parse(before, len(before))
        return False
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        import libcst

        try:
            libcst.parse_module(text)
            return True
        except (libcst.ParserSyntaxError, RecursionError):
            return False
