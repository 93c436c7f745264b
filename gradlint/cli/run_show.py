"""What `gradlint show` does: reads the files, draws their loops, and says how to exit."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from gradlint.cli.terminal import colour, complain
from gradlint.config.load import ConfigError, Configs
from gradlint.files.decode import Undecodable, decode
from gradlint.files.read import content
from gradlint.model.names.vocabulary import UNTAUGHT, Taught
from gradlint.report.lines import safe
from gradlint.run.outputs import require_apart
from gradlint.show.grid import At, Picture

FAILED = 2
STDIN = "-"


@dataclass(frozen=True)
class Shown:
    """One file: what the run of each loop does in words, and their picture."""

    words: tuple[tuple[str, ...], ...]
    picture: Picture


class Unreadable(ValueError):
    """A file cannot be read, decoded or parsed; the message says which and why."""


def run_show(paths: Sequence[Path], svg: Path | None = None, output_format: str = "text") -> int:
    """Show every loop of some files as text, as JSON or as one SVG: 0, or 2 where a file could not be read or written."""
    try:
        require_apart({"--svg": svg}, paths)
    except ConfigError as error:
        complain(str(error))
        return FAILED
    shown: list[Shown] = []
    failed = False
    for path in paths:
        try:
            text, name = _read(path)
            shown.append(show(text, name, _taught(path)))
        except (Unreadable, ConfigError) as error:
            complain(str(error))
            failed = True
    if svg is not None:
        failed = not _write_svg(shown, svg) or failed
    elif output_format == "json":
        click.echo(_json(shown))
    else:
        coloured = colour(sys.stdout.isatty())
        for line in _text(shown):
            click.echo(line, color=coloured)
    return FAILED if failed else 0


def _read(path: Path) -> tuple[str, str]:
    """The text of a file, or of stdin for `-`, and its name."""
    name = "<stdin>" if str(path) == STDIN else str(path)
    try:
        data = sys.stdin.buffer.read() if str(path) == STDIN else content(path)
    except (OSError, ValueError) as error:
        raise Unreadable(f"{name}: {getattr(error, 'strerror', None) or error}") from error
    decoded = decode(data)
    if isinstance(decoded, Undecodable):
        raise Unreadable(f"{name}:{decoded.row}: {decoded.message}")
    return decoded.text, name


def _taught(path: Path) -> Taught:
    """The names that the configuration of a file's folder adds to the field's own, as for `gradlint check`. Raises ConfigError."""
    config = Configs().of(path.parent)
    names = config.names
    return Taught(names.optimizers, names.schedulers, names.accumulation_steps, names.boundaries, config.max_size)


def show(text: str, filename: str, taught: Taught = UNTAUGHT) -> Shown:
    """What the runs of a script do, or of a notebook by its name. Raises Unreadable."""
    from gradlint.analysis.neighbours import neighbours_of
    from gradlint.analysis.project import Project
    from gradlint.analysis.source import Problem, read
    from gradlint.registry import all_rules
    from gradlint.show.reading import Reading
    from gradlint.show.timeline import draw_all
    from gradlint.show.words import words

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Python's parser has to say of the code that is shown
        code, place = _code(text, filename)
        try:
            source = read(code, taught, every_loop=True)
            if isinstance(source, Problem):
                at = place(source.row)
                cell = f"cell {at.cell}:" if at.cell is not None else ""
                raise Unreadable(f"{filename}:{cell}{at.line}:{source.column}: {source.message}")
            reading = Reading(source, filename, place)
            drawn = draw_all(reading, all_rules(), Project(taught, neighbours_of(filename, code)))
            told = (tuple(words(*each, drawn.reading)) for each in drawn.loops)
            return Shown(tuple(told), drawn.picture)
        except RecursionError as error:
            raise Unreadable(f"{filename}: the code is nested too deeply to be read") from error


def _code(text: str, filename: str) -> tuple[str, Callable[[int], At]]:
    """The Python of a file, and where its rows stand for a reader."""
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


def _text(shown: Sequence[Shown]) -> Iterator[str]:
    from gradlint.show.text import draw, legend, style_for

    style = style_for(getattr(sys.stdout, "encoding", None))
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
            yield from draw(timeline, style)
        for other in each.picture.unrun:
            place = f"cell {other.at.cell}:{other.at.line}" if other.at.cell is not None else str(other.at.line)
            yield safe(f"{each.picture.filename}:{place} {other.function}: {other.why}")
        for verdict in each.picture.elsewhere:
            yield safe(f"{each.picture.filename}: {verdict.code} {verdict.name}, {verdict.at.words} (not on a timeline)")
    timelines = [timeline for each in shown for timeline in each.picture.timelines]
    if timelines:
        yield ""
        yield from legend(timelines, style)


def _json(shown: Sequence[Shown]) -> str:
    import json

    return json.dumps([asdict(each.picture) for each in shown], indent=2)


def _write_svg(shown: Sequence[Shown], target: Path) -> bool:
    """Write the picture; False where there is none, or where it cannot be written."""
    from gradlint.show.svg import draw_svg

    pictures = [each.picture for each in shown if each.picture.timelines]
    if not pictures:
        for each in shown:
            complain(f"{each.picture.filename}: {each.picture.note}")
        return False
    document = draw_svg(pictures)
    if str(target) == STDIN:
        click.echo(document, nl=False)
        return True
    try:
        target.write_text(document, encoding="ascii", newline="")
    except (OSError, ValueError) as error:
        complain(f"{target}: cannot be written: {getattr(error, 'strerror', None) or error}")
        return False
    return True
