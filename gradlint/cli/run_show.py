"""What `gradlint show` does: reads the files, draws their loops, and returns the exit status."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gradlint.cli.show_files import STDIN, Script, Unreadable, scripts
from gradlint.cli.terminal import colour, complain, emit, warn
from gradlint.config.load import ConfigError
from gradlint.config.selection import Selection, UnknownRule, named
from gradlint.model.names.vocabulary import UNTAUGHT, Taught
from gradlint.report.lines import safe
from gradlint.run.outputs import require_apart
from gradlint.show.grid import At, Picture

if TYPE_CHECKING:
    from gradlint.rule import Rule
    from gradlint.show.timeline import Drawn

FAILED = 2
EVERY_RULE = Selection()


@dataclass(frozen=True)
class Shown:
    """One file: its loops in words, and their picture."""

    words: tuple[tuple[str, ...], ...]
    picture: Picture


@dataclass(frozen=True)
class Question:
    """What to show: everything, only the `unknown` loops, or `why` the given rules report each loop or not."""

    unknown: bool = False
    why: tuple[str, ...] = ()


@dataclass
class _Reader:
    """Draws the loops of files one by one, and remembers whether a file could not be read."""

    paths: Sequence[Path]
    failed: bool = field(default=False)

    def drawn(self) -> Iterator[tuple[Script, Drawn]]:
        """Yield every named file, and those files in folders that may contain a training loop."""
        for script in scripts(self.paths, self._fail):
            try:
                text = script.text()
                drawn = _drawn(text, script) if text is not None else None
            except Unreadable as error:
                self._fail(str(error))
                continue
            if drawn is not None and (script.named or drawn.loops or drawn.picture.undrawn):
                yield script, drawn

    def _fail(self, message: str) -> None:
        complain(message)
        self.failed = True


def run_show(
    paths: Sequence[Path], svg: Path | None = None, output_format: str = "text", question: Question | None = None
) -> int:
    """Show every loop of the files as text, JSON or one SVG. Return 0, or 2 if a file could not be read or written."""
    reader = _Reader(paths)
    try:
        require_apart({"--svg": svg}, paths)
        found = reader.drawn()
        if question is not None and question.why:
            emit(_why(found, _rules(question.why)))
        elif question is not None and question.unknown:
            emit(_unjudged(found, output_format))
        elif svg is not None:
            reader.failed = not _write_svg([each.picture for _, each in found], svg) or reader.failed
        elif output_format == "json":
            click.echo(_json([each.picture for _, each in found]))
        else:
            coloured = colour(sys.stdout.isatty())
            empty = True
            for line in _text(_shown(each) for _, each in found):
                click.echo(line, color=coloured)
                empty = False
            if empty and not reader.failed:
                warn(f"no training loop found under {', '.join(map(str, paths))}")
    except (ConfigError, UnknownRule) as error:
        complain(str(error))
        return FAILED
    return FAILED if reader.failed else 0


def _rules(selectors: Sequence[str]) -> list[Rule]:
    """Return the rules that these selectors name. Raises UnknownRule."""
    from gradlint.registry import all_rules

    rules = all_rules()
    return list(dict.fromkeys(rule for selector in selectors for rule in named(rules, selector)))


def show(text: str, filename: str, taught: Taught = UNTAUGHT) -> Shown:
    """Describe and draw the loops of a script, or of a notebook if the file name says so. Raises Unreadable."""
    return _shown(draw(text, filename, taught))


def _shown(drawn: Drawn) -> Shown:
    from gradlint.show.words import words

    return Shown(tuple(tuple(words(*each, drawn.reading)) for each in drawn.loops), drawn.picture)


def _drawn(text: str, script: Script) -> Drawn:
    return draw(text, script.name, script.taught, script.selection, follow=script.config.follow)


def draw(text: str, filename: str, taught: Taught = UNTAUGHT, selection: Selection = EVERY_RULE, *, follow: bool = True) -> Drawn:
    """Draw the loops of a script or notebook with the given settings. The file name says which it is. Raises Unreadable."""
    from gradlint.analysis.neighbours import neighbours_of
    from gradlint.analysis.project import Project
    from gradlint.show.drawing import Undrawable, drawn

    code, place = _code(text, filename)
    try:
        project = Project(taught, neighbours_of(filename, code) if follow else None)
        return drawn(code, filename, selection, project, place)
    except Undrawable as error:
        raise Unreadable(str(error)) from error


def _code(text: str, filename: str) -> tuple[str, Callable[[int], At]]:
    """Return the Python code of a file, and a function that maps its rows to places in the file."""
    if not filename.endswith(".ipynb"):
        return text, At
    from gradlint.files.notebook import NotANotebook, read_notebook

    try:
        notebook = read_notebook(text)
    except NotANotebook as error:
        raise Unreadable(f"{filename}: {error}") from error

    def place(row: int) -> At:
        cell, line = notebook.place(row)
        return At(line, cell)

    return notebook.code, place


def _text(shown: Iterator[Shown]) -> Iterator[str]:
    from gradlint.show.text import draw as drawn_as_text
    from gradlint.show.text import legend, style_for

    style = style_for(getattr(sys.stdout, "encoding", None))
    timelines = []
    for number, each in enumerate(shown):
        if number:
            yield ""
        if each.picture.note is not None:
            yield safe(f"{each.picture.filename}: {each.picture.note}")
        for index, (told, timeline) in enumerate(zip(each.words, each.picture.timelines, strict=True)):
            if index:
                yield ""
            yield from (safe(line) for part in told for line in part.split("\n"))
            yield ""
            yield from drawn_as_text(timeline, style)
            timelines.append(timeline)
        for other in each.picture.undrawn:
            yield safe(f"{each.picture.filename}:{other.at.pointer} {other.function}: {other.words}")
        for verdict in each.picture.elsewhere:
            yield safe(f"{each.picture.filename}: {verdict.code} {verdict.name}, {verdict.at.words} (not on a timeline)")
    if timelines:
        yield ""
        yield from legend(timelines, style)


def _why(found: Iterator[tuple[Script, Drawn]], rules: Sequence[Rule]) -> Iterator[str]:
    from gradlint.show.silence import why

    for script, drawn in found:
        if drawn.picture.note is not None:
            yield safe(f"{drawn.picture.filename}: {drawn.picture.note}")
        for rule in rules:
            yield from map(safe, why(rule, drawn, runs=script.runs(rule)))
        yield from (safe(f"{script.name}:{each.at.pointer} {each.function}: {each.words}") for each in drawn.picture.undrawn)


def _unjudged(found: Iterator[tuple[Script, Drawn]], output_format: str) -> Iterator[str]:
    from gradlint.show.unjudged import as_json, as_text

    pictures = (drawn.picture for _, drawn in found)
    return as_json(pictures) if output_format == "json" else as_text(pictures)


def _json(pictures: Sequence[Picture]) -> str:
    import json

    return json.dumps([asdict(each) for each in pictures], indent=2)


def _write_svg(pictures: Sequence[Picture], target: Path) -> bool:
    """Write the picture. Return False if there is nothing to draw, or the file cannot be written."""
    from gradlint.show.svg import draw_svg

    full = [each for each in pictures if each.timelines]
    if not full:
        for each in pictures:
            complain(f"{each.filename}: {each.note}")
        return False
    document = draw_svg(full)
    if str(target) == STDIN:
        click.echo(document, nl=False)
        return True
    try:
        target.write_text(document, encoding="ascii", newline="")
    except (OSError, ValueError) as error:
        complain(f"{target}: cannot be written: {getattr(error, 'strerror', None) or error}")
        return False
    return True
