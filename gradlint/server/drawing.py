"""Draws the training loops of one version of a text, as `gradlint show --svg` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gradlint.collecting import without_collecting
from gradlint.config.load import ConfigError
from gradlint.run.review import Review
from gradlint.server.check import name_of
from gradlint.server.documents import Document, OpenNotebook
from gradlint.server.drawn import Drawing, Sketch
from gradlint.server.found import GoOn
from gradlint.server.policy import Policies
from gradlint.show.drawing import Undrawable, drawn, timeline_at
from gradlint.show.grid import At, Picture
from gradlint.show.svg import draw_svg
from gradlint.suppression.baseline import BaselineError

EXCLUDED = "The settings of gradlint exclude this file."


def draw(document: Document, policies: Policies, unsaved: Mapping[str, str], go_on: GoOn) -> Drawing:
    """Draw the loops of a document, with the modules around it. Raises Superseded."""
    go_on()
    try:
        policy = policies.of(document.path)
    except (ConfigError, BaselineError) as error:
        return Drawing(document, _nothing, str(error))
    if policy is None:
        return Drawing(document, _nothing, EXCLUDED)
    review = Review(name_of(document), document.code, policy.task, unsaved=unsaved, go_on=go_on)
    shown = document.path.name if document.path is not None else document.uri
    try:
        with without_collecting():
            found = drawn(document.code, shown, policy.task.selection, review.project, lambda row: _place(document, row))
    except Undrawable as error:
        return Drawing(document, _nothing, f"The text does not parse: {error}")

    def at(row: int) -> Sketch | None:
        here = timeline_at(found, row)
        if here is None:
            return None
        rows, timeline = here
        picture: Picture = replace(found.picture, timelines=(timeline,))
        start, stop = (rows.start, max(rows.stop - 1, rows.start)) if rows else (1, 1)
        return Sketch(draw_svg([picture]), timeline.function, start, stop, timeline.answer)

    others = "; ".join(f"{each.at.words}: {each.words}" for each in found.picture.undrawn)
    return Drawing(document, at, found.picture.note or others)


def _nothing(_: int) -> None:
    return None


def _place(document: Document, row: int) -> At:
    """Return the place of a row of the code, as the editor shows it."""
    if isinstance(document, OpenNotebook):
        cell, line = document.notebook.place(row)
        return At(line, cell)
    return At(row)
