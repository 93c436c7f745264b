"""Two requests of gradlint's own: the verdict on the loops of a text, and the timeline of the loop at a position.

`gradlint/verdict` takes a `textDocument`. `gradlint/timeline` takes a `textDocument` and a `position`. Both answer null for a text
that is not open.
"""

from __future__ import annotations

from typing import Any

from lsprotocol import types

from gradlint.diagnostic import LoopVerdict, Place, Span
from gradlint.server.documents import Document
from gradlint.server.found import Checked
from gradlint.server.progress import told_if_slow
from gradlint.server.server import Server

VERDICT = "gradlint/verdict"
TIMELINE = "gradlint/timeline"
NO_LOOP = "none"
SILENCED = "silenced"
_WORST_FIRST = ("wrong", "unknown", SILENCED, "verified")


def answer_what_is_shown(server: Server) -> None:
    """Answer requests for verdicts and timelines."""
    session = server.session

    @server.feature(VERDICT)
    async def verdict(params: Any) -> dict[str, Any] | None:
        async with told_if_slow(server, "gradlint: judging the training loops"):
            checked = await session.judged(params.textDocument.uri)
        return _verdict(checked) if checked is not None else None

    @server.feature(TIMELINE)
    async def timeline(params: Any) -> dict[str, Any] | None:
        uri, position = params.textDocument.uri, types.Position(params.position.line, params.position.character)
        async with told_if_slow(server, "gradlint: drawing the training loop"):
            drawing = await session.drawn(uri)
        if drawing is None:
            return None
        document = drawing.document
        place = document.place(uri, position) or Place(1, 1)
        sketch = drawing.at(place.row)
        answer: dict[str, Any] = {"uri": document.uri, "version": document.version}
        if sketch is None:
            return {**answer, "svg": None, "note": drawing.note}
        shown = {"svg": sketch.svg, "function": sketch.function, "words": sketch.answer, "note": ""}
        return {**answer, **shown, "location": _location(document, sketch.first, sketch.last)}


def _verdict(checked: Checked) -> dict[str, Any]:
    document = checked.document
    answers = [_answer(each) for each in checked.loops]
    return {
        "uri": document.uri,
        "version": document.version,
        "answer": next((each for each in _WORST_FIRST if each in answers), NO_LOOP),
        "problem": checked.problem or ("gradlint itself failed; the output says how" if checked.crash is not None else None),
        "loops": [
            {
                "answer": answer,
                "words": each.words,
                "codes": list(each.codes),
                "location": _location(document, each.line, each.last_line),
            }
            for each, answer in zip(checked.loops, answers, strict=True)
        ],
    }


def _answer(loop: LoopVerdict) -> str:
    return SILENCED if loop.silenced else loop.answer


def _location(document: Document, first: int, last: int) -> types.Location | None:
    """Return where the editor shows some rows of the code, or at least the first of them."""
    start = Place(first, 1)
    return document.location(Span(start, Place(last, 1))) or document.location(Span(start, start))
