"""Comments that head a paragraph of code, and stay there when its first statement is moved away."""

from __future__ import annotations

import re

_OF_AN_UPDATE = re.compile(
    r"grad|zero|clear|reset|optim|clip|norm|\blr\b|rate|sched|warm|scal|step|updat|accum|ema\b|averag|window|batch|sync|reduc",
    re.I,
)
"""Words of a comment that is about the statement itself: fixes move the parts of an update."""


def heads_paragraph(comment: str, above: str, below: str, indent: str) -> bool:
    """Whether a comment is about the lines that follow a statement, and not about it alone.

    It begins a paragraph (the line `above` is blank or opens a block), the paragraph goes on `below` at the same indentation, and
    the comment has no word of an update.
    """
    begins = not above.strip() or above.rstrip().endswith(":")
    goes_on = bool(below.strip()) and below.startswith(indent) and not below[len(indent) : len(indent) + 1].isspace()
    return bool(comment.strip()) and begins and goes_on and _OF_AN_UPDATE.search(comment) is None
