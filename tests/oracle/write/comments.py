"""Comments in awkward places."""

from __future__ import annotations

import random
from collections.abc import Sequence


def commented(text: str, seed: int) -> str:
    """Comments at the ends of lines and between them, each with a word of its own."""
    chance = random.Random(seed)
    lines: list[str] = []
    for number, line in enumerate(text.splitlines()):
        code: Sequence[str] = (line,)
        if line and chance.random() < 0.25:
            code = (f"{line}  # note {number}",)
        elif line and chance.random() < 0.15 and not line.lstrip().startswith(("else", "except", "elif")):
            code = (f"{line[: len(line) - len(line.lstrip())]}# about line {number}", line)
        lines += code
    return "\n".join(lines) + "\n"
