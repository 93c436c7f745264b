"""Lists what was fixed, file by file, for `--show-fixes`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from gradlint.diagnostic import Diagnostic
from gradlint.report.lines import counted, safe


def fixes(applied: Mapping[str, Sequence[Diagnostic]]) -> Iterator[str]:
    """Yield the fixes that were applied to each file, the most frequent first."""
    yield f"Fixed {counted(each for diagnostics in applied.values() for each in diagnostics)}:"
    for name, diagnostics in applied.items():
        if diagnostics:
            yield f"- {safe(name)}:"
            rules = Counter((each.code, each.name) for each in diagnostics)
            digits = len(str(max(rules.values())))
            for (code, rule), times in sorted(rules.items(), key=lambda item: (-item[1], item[0])):
                yield f"    {times:>{digits}} \N{MULTIPLICATION SIGN} {code} ({rule})"
