"""Reading fixtures and pages: markers, expected findings, and the runs that every test derives from them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gradlint.analysis.engine import analyze
from gradlint.diagnostic import Diagnostic
from gradlint.fixes.fixer import fix
from gradlint.registry import all_rules
from gradlint.suppression.comments import keep

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"
PAGES = ROOT / "rules"
_EXPECT = re.compile(r"[ \t]*# (?:expect: )?(GRD\d{3}(?:, ?GRD\d{3})*)[ \t]*(?=\r?$)", re.M)
_AT_THE_END = re.compile(r"\n# expect: (GRD\d{3} on line \d+(?:, GRD\d{3} on line \d+)*)\n\Z")
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Marked:
    """A source without its markers, and the `(row, code)` pairs that they stood for."""

    source: str
    expected: frozenset[tuple[int, str]]


def read_marked(text: str) -> Marked:
    """Strip the markers from a source: `# expect: GRD101`, and on a page `# GRD101`.

    A script that readers see in excerpts names its findings at the end: `# expect: GRD101 on line 7, GRD201 on line 9`.
    """
    expected: set[tuple[int, str]] = set()
    end = _AT_THE_END.search(text)
    for each in end[1].split(", ") if end is not None else ():
        code, _, row = each.partition(" on line ")
        expected.add((int(row), code))
    text = _AT_THE_END.sub("", text)
    for row, line in enumerate(text.split("\n"), 1):
        for match in _EXPECT.finditer(line):
            expected.update((row, code.strip()) for code in match.group(1).split(","))
    return Marked(_EXPECT.sub("", text), frozenset(expected))


@lru_cache(maxsize=4096)
def found(source: str, filename: str = "fixture.py") -> tuple[Diagnostic, ...]:
    """Everything that all rules, the informational ones too, say of a source."""
    return keep(source, analyze(source, filename, all_rules()))


def places(diagnostics: tuple[Diagnostic, ...]) -> frozenset[tuple[int, str]]:
    """Row and code of each finding."""
    return frozenset((each.span.start.row, each.code) for each in diagnostics)


@lru_cache(maxsize=4096)
def fixed(source: str, codes: tuple[str, ...] | None = None, *, unsafe: bool = True) -> str:
    """A source after all fixes, the unsafe ones too unless they are left out."""
    rules = [rule for rule in all_rules() if codes is None or rule.code in codes]
    return fix(source, "fixture.py", rules, unsafe=unsafe, keep=keep).text


def difference(source: str, diagnostics: tuple[Diagnostic, ...], expected: frozenset[tuple[int, str]]) -> str:
    """What was found and not expected, and the reverse, each with its line; empty where they agree."""
    lines = source.split("\n")
    seen = places(diagnostics)
    report = [f"unexpected {code} at {row}: {lines[row - 1].strip()}" for row, code in sorted(seen - expected)]
    report += [f"missing {code} at {row}: {lines[row - 1].strip()}" for row, code in sorted(expected - seen)]
    return "\n".join(report)


@dataclass(frozen=True)
class Page:
    """The parts of a rule page that tests execute."""

    code: str
    text: str
    example: str
    instead: str
    silent: tuple[str, ...]


def read_page(path: Path) -> Page:
    """Split a page into its blocks of code."""
    text = path.read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    blocks = {name: tuple(_BLOCK.findall(body)) for name, body in sections.items()}
    return Page(path.stem, text, blocks["Example"][0], blocks["Use instead"][0], blocks["Not reported"])


def pages() -> list[Path]:
    """The pages of all rules but GRD000, which is no rule."""
    return sorted(path for path in PAGES.glob("GRD*.md") if path.stem != "GRD000")


def faulty_fixtures() -> list[Path]:
    """Scripts that carry markers."""
    return sorted(p for p in FIXTURES.glob("*/*.py") if p.parent.name[:3] in ("GRD", "six") and p.suffixes == [".py"])
