"""Where every node of a parsed module stands, by the tokens that its code is generated from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import libcst as cst
from libcst._nodes.internal import CodegenState


class _Recorder(CodegenState):
    """Code generation that notes, for every node, between which tokens it stands."""

    def __init__(self, module: cst.Module) -> None:
        super().__init__(default_indent=module.default_indent, default_newline=module.default_newline)
        self.marks: dict[int, tuple[int, int]] = {}
        self.open: list[int] = []

    def before_codegen(self, node: cst.CSTNode) -> None:
        self.open.append(len(self.tokens))

    def after_codegen(self, node: cst.CSTNode) -> None:
        start = self.open.pop()
        self.marks.setdefault(id(node), (start, len(self.tokens)))

    @contextmanager
    def record_syntactic_position(
        self, node: cst.CSTNode, *, start_node: cst.CSTNode | None = None, end_node: cst.CSTNode | None = None
    ) -> Iterator[None]:
        start = len(self.tokens)
        yield
        end = len(self.tokens)
        if start_node is not None:
            start = self.marks[id(start_node)][0]
        if end_node is not None:
            end = self.marks[id(end_node)][1]
        self.marks[id(node)] = (start, end)


def spans_of(module: cst.Module, base: int, pieces: Sequence[tuple[int, int]] = ()) -> dict[int, tuple[int, int]]:
    """Character offsets in a file's text, by node identity; `base` and `pieces` say where the module begins in it, as in a slice."""
    state = _Recorder(module)
    module._codegen(state)
    offsets = [base]
    for token in state.tokens:
        offsets.append(offsets[-1] + len(token))
    begins, ends = (_placed(offsets, pieces), _placed(offsets, pieces, ending=True)) if pieces else (offsets, offsets)
    last = len(offsets) - 1
    return {node: (begins[min(a, last)], ends[min(b, last)]) for node, (a, b) in state.marks.items()}


def _placed(offsets: Sequence[int], pieces: Sequence[tuple[int, int]], *, ending: bool = False) -> list[int]:
    """Growing offsets in what was parsed, as offsets in the file's text; an end belongs to the piece before it."""
    found, place = [], 0
    for offset in offsets:
        while place + 1 < len(pieces) and pieces[place + 1][0] + ending <= offset:
            place += 1
        found.append(offset - pieces[place][0] + pieces[place][1])
    return found
