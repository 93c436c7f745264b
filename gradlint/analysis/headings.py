"""Recognises comments that head a paragraph of code. They stay in place when the first statement below them moves."""

from __future__ import annotations

import re

_OF_AN_UPDATE = re.compile(
    r"grad|zero|clear|reset|optim|clip|norm|\blr\b|rate|sched|warm|scal|step|updat|accum|ema\b|averag|window|batch|sync|reduc",
    re.I,
)
"""Words of a comment about the statement itself, because fixes move the parts of an update."""


def heads_paragraph(comment: str, above: str, below: str, indent: str) -> bool:
    """Whether a comment is about the lines below a statement as well, not only about the statement.

    It must begin a paragraph: the line `above` is blank or opens a block. The paragraph must continue `below` at the same
    indentation, and the comment must not contain a word about updates.
    """
    begins = not above.strip() or above.rstrip().endswith(":")
    goes_on = bool(below.strip()) and below.startswith(indent) and not below[len(indent) : len(indent) + 1].isspace()
    return bool(comment.strip()) and begins and goes_on and _OF_AN_UPDATE.search(comment) is None
