"""Fixes the branches of one loss together, or marks the fix as unsafe.

If only one branch is fixed, runs of the same script that take different branches train differently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from gradlint.analysis.located import Located
from gradlint.analysis.source import Problem, Source
from gradlint.diagnostic import Applicability

_OF_ARMS = "GRD101"
_NOTE = "the fix is not safe: the loss of another branch, on line {}, would stay as it is"


def of_all_arms(found: Sequence[Located], whole: Callable[[], Source | Problem]) -> Iterator[Located]:
    """Yield the findings. The fix of an undivided loss becomes unsafe if another one in the same function has no safe fix."""
    own = [each for each in found if each.diagnostic.code == _OF_ARMS]
    left = [each for each in own if not _is_safe(each)]
    bounds = _functions(whole()) if left and len(left) < len(own) else []
    for each in found:
        place = each.diagnostic.span.start.row
        other = next((o for o in left if _innermost(o.diagnostic.span.start.row, bounds) == _innermost(place, bounds)), None)
        if other is None or other is each or each.diagnostic.code != _OF_ARMS or not _is_safe(each):
            yield each
            continue
        fix, note = each.diagnostic.fix, _NOTE.format(other.diagnostic.span.start.row)
        assert fix is not None
        unsafe = replace(each.diagnostic, fix=replace(fix, applicability=Applicability.UNSAFE), note=each.diagnostic.note or note)
        yield replace(each, diagnostic=unsafe)


def _is_safe(each: Located) -> bool:
    return each.diagnostic.fix is not None and each.diagnostic.fix.applicability is Applicability.SAFE


def _functions(source: Source | Problem) -> list[tuple[int, int]]:
    if isinstance(source, Problem):
        return []
    return [(source.row_column(start)[0], source.row_column(end)[0]) for start, end in source.functions]


def _innermost(row: int, bounds: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    return min((each for each in bounds if each[0] <= row <= each[1]), key=lambda each: each[1] - each[0], default=None)
