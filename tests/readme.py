"""The parts of the README and of the pages that gradlint itself writes: `python tests/readme.py --write` puts them in anew."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from blocks import played
from harness import PAGES, ROOT

from gradlint.registry import all_rules

README = ROOT / "README.md"
PAGES_URL = "https://github.com/torch-gradlint/torch-gradlint/blob/main/rules"
"""Links of the README are absolute, because the package index shows it too."""
WRITTEN = (README, *(ROOT / "docs" / f"{name}.md" for name in ("index", "model", "testing", "tutorial")))
_FIX = re.compile(r"^\*\*\w+\*\* · \*(.+) fix\*$", re.M)
_TABLE = re.compile(r"(?<=<!-- rules -->\n)(.*?)(?=<!-- /rules -->)", re.S)


def rule_table() -> str:
    """All rules, with links to their pages."""
    rows = ["| code | name | severity | fix | what is wrong |", "|---|---|---|---|---|"]
    for rule in all_rules():
        fix = _FIX.search((PAGES / f"{rule.code}.md").read_text(encoding="utf-8"))
        assert fix is not None, f"rules/{rule.code}.md does not say in its third line what kind of fix it has"
        rows.append(
            f"| [{rule.code}]({PAGES_URL}/{rule.code}.md) | {rule.name} | {rule.severity.value} | {fix.group(1)} | {rule.summary} |"
        )
    return "\n".join(rows)


def generated(path: Path) -> str:
    """A page with its generated parts as they must be now."""
    text = played(path.read_text(encoding="utf-8"))
    return _TABLE.sub(lambda _: f"\n{rule_table()}\n\n", text)


if __name__ == "__main__":
    stale = [path for path in WRITTEN if generated(path) != path.read_text(encoding="utf-8")]
    if "--write" in sys.argv[1:]:
        for each in stale:
            each.write_text(generated(each), encoding="utf-8")
    elif stale:
        sys.exit(f"out of date: {', '.join(each.name for each in stale)}: python tests/readme.py --write")
