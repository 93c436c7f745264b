"""Draws the pictures of the documentation from what its pages contain.

`python -m benchmarks.page_pictures` writes `docs/pictures/*.svg`; with `--check` it writes nothing and names those that are out of date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from gradlint import check_source
from gradlint.cli.run_show import show
from gradlint.diagnostic import Diagnostic
from gradlint.show.svg import draw_svg

DOCS = Path(__file__).resolve().parent.parent / "docs"
FOLDER = DOCS / "pictures"
_PYTHON = re.compile(r"^```python[^\n]*\n(.*?)^```$", re.M | re.S)
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
_CHARACTER, _LINE, _MARGIN, _BAR = 7.83, 20, 16, 32
_STYLE = """
.panel { --ink: #1f2328; --soft: #59636e; --page: #ffffff; --bar: #eef1f4; --error: #cf222e; --good: #1a7f37; }
@media (prefers-color-scheme: dark) {
  .panel { --ink: #e6edf3; --soft: #9198a1; --page: #0d1117; --bar: #1c232c; --error: #ff7b72; --good: #3fb950; }
}
.panel text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: var(--ink); }
.panel .soft { fill: var(--soft); }
.panel .error { fill: var(--error); }
.panel .good { fill: var(--good); }
.panel .page { fill: var(--page); stroke: var(--bar); }
.panel .bar { fill: var(--bar); }
.panel .wave { fill: none; stroke: var(--error); stroke-width: 1.5; }
""".strip()


@dataclass(frozen=True)
class Picture:
    """A picture of a page: `draw` makes the SVG of the page's text, and `alt` says the same in words."""

    page: str
    alt: str
    draw: Callable[[str], str]

    @property
    def target(self) -> Path:
        return FOLDER / f"{self.page}.svg"

    @property
    def drawn(self) -> str:
        """The SVG as it should be."""
        return self.draw((DOCS / f"{self.page}.md").read_text(encoding="utf-8"))


def _loop(name: str, holding: str) -> Callable[[str], str]:
    """The timeline of the first Python block of a page that holds some words."""

    def draw(text: str) -> str:
        source = next(block for block in _PYTHON.findall(text) if holding in block)
        return draw_svg([show(re.sub(r"  # GRD.*", "", source), name).picture])

    return draw


@dataclass(frozen=True)
class _Text:
    """A piece of a line: the column it begins in, its text, and its colour."""

    column: int
    text: str
    kind: str = ""


def _panel(title: str, lines: Sequence[Sequence[_Text]], extra: Sequence[str] = ()) -> str:
    """A window with a title and lines of text."""
    longest = max(piece.column + len(piece.text) for line in lines for piece in line)
    width, height = round(longest * _CHARACTER) + 2 * _MARGIN, _BAR + len(lines) * _LINE + 2 * _MARGIN
    words = " ".join(piece.text.strip() for line in lines for piece in line)
    rows = [
        f'<text x="{_x(piece.column):g}" y="{_y(row) + 14:g}" class="{piece.kind}">{escape(piece.text)}</text>'
        for row, line in enumerate(lines)
        for piece in line
    ]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="panel" role="img" aria-labelledby="panel-title panel-desc" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f'<title id="panel-title">{escape(title)}</title>',
        f'<desc id="panel-desc">{escape(words)}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="page" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
        f'<rect class="bar" x="1" y="1" width="{width - 2}" height="{_BAR}" rx="8"/>',
        f'<text x="{_MARGIN}" y="21" class="soft">{escape(title)}</text>',
        *rows,
        *extra,
        "</svg>",
        "",
    ]
    return "\n".join(parts)


def _x(column: int) -> float:
    return round(_MARGIN + column * _CHARACTER, 2)


def _y(row: int) -> float:
    return _BAR + _MARGIN + row * _LINE


def _terminal(text: str) -> str:
    """The commands about baselines and what they print, in a terminal."""
    lines = [line for block in _CONSOLE.findall(text)[:2] for line in block.splitlines()]
    shown = [line for line in lines if not line.startswith(("{", "}", "  ", "$ cat"))]
    return _panel("Terminal", [[_Text(0, line, _kind(line))] for line in shown])


def _kind(line: str) -> str:
    if line.startswith("$"):
        return ""
    return "good" if line.startswith("All checks passed!") else "soft"


def _editor(text: str) -> str:
    """A script in an editor: its finding is underlined, with the message and the quick fix below."""
    source = next(block for block in _PYTHON.findall(text) if "loss.backward()" in block)
    found = check_source(source)
    lines: list[list[_Text]] = []
    waves: list[str] = []
    for row, line in enumerate(source.rstrip("\n").split("\n"), 1):
        code = line.lstrip()
        lines.append([_Text(0, f"{row:>2}".lstrip(), "soft"), _Text(4 + len(line) - len(code), code)])
        for each in (each for each in found if each.span.start.row == row):
            waves.append(_wave(4 + each.span.start.column - 1, 4 + each.span.end.column - 1, len(lines) - 1))
            lines.extend(_said(each, 4 + each.span.start.column - 1))
    return _panel("train.py", lines, waves)


def _said(each: Diagnostic, column: int) -> Iterator[list[_Text]]:
    yield [_Text(column, f"{each.code} {each.message}".replace("`", ""), "error")]
    if each.fix is not None:
        yield [_Text(column, f"Quick fix: {each.fix.message}".replace("`", ""), "good")]


def _wave(start: int, end: int, row: int) -> str:
    steps = max(2, round((end - start) * _CHARACTER / 4))
    return f'<path class="wave" d="M{_x(start):g} {_y(row) + 18:g}{"l2 -2l2 2" * (steps)}"/>'


PICTURES = (
    Picture(
        "index",
        "The loop above as a timeline of micro-batches, before and after the fix: wrong and missing calls are marked",
        _loop("train.py", "scheduler = CosineAnnealingLR"),
    ),
    Picture(
        "model",
        "The simulated run of the loop: the optimizer steps on the first micro-batch of each window, and should step on the last",
        _loop("trainer.py", "class Trainer:"),
    ),
    Picture(
        "show",
        "The loop above before and after the fix: the loss is not divided, the gradients are clipped and the schedule advances on every "
        "micro-batch, and the optimizer steps on the first micro-batch of each window",
        _loop("train.py", "if i % N == 0:"),
    ),
    Picture(
        "engines",
        "The loop above before and after the fix: with Accelerate, the script must not divide the loss again, and clips, steps "
        "and schedules once per window",
        _loop("train.py", "optimizer.zero_grad()  # GRD203"),
    ),
    Picture(
        "editors",
        "A training script in an editor: the backward pass is underlined, with the message of GRD101 and the quick fix below it",
        _editor,
    ),
    Picture(
        "adopting",
        "A terminal: one command writes the baseline, and the next run holds back the findings in it and passes",
        _terminal,
    ),
)


def main() -> int:
    """Write the pictures, or name those that are out of date: 1 if there are any."""
    stale = [each for each in PICTURES if not each.target.is_file() or each.target.read_text(encoding="utf-8") != each.drawn]
    for each in stale:
        if "--check" not in sys.argv[1:]:
            each.target.write_text(each.drawn, encoding="utf-8")
        print(each.target.relative_to(DOCS.parent))
    return int(bool(stale) and "--check" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
