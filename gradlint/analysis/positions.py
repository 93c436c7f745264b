"""Computes the position of every node of a module, by generating its code with LibCST."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst
from libcst._nodes.internal import CodegenState


def positions(module: cst.Module, base: int, pieces: Sequence[tuple[int, int]] = ()) -> dict[int, tuple[int, int]]:
    """Map the identity of each node to its start and end offsets. The module begins at `base` in the file's text.

    For each run of lines, `pieces` gives its offset in the module and its offset in the file's text.
    """
    state = _Recorder(module)
    module._codegen(state)
    offsets = [base]
    for token in state.tokens:
        offsets.append(offsets[-1] + len(token))
    offsets.append(offsets[-1])  # the last token may have been removed again, and a node may end after it
    begins, ends = (_placed(offsets, pieces), _placed(offsets, pieces, ending=True)) if pieces else (offsets, offsets)
    return {node: (begins[start], ends[end]) for node, (start, end) in state.marks.items()}


def _placed(offsets: Sequence[int], pieces: Sequence[tuple[int, int]], *, ending: bool = False) -> list[int]:
    """Convert increasing offsets in the parsed text to offsets in the file's text. An end belongs to the piece before it."""
    found, place = [], 0
    for offset in offsets:
        while place + 1 < len(pieces) and pieces[place + 1][0] + ending <= offset:
            place += 1
        found.append(offset - pieces[place][0] + pieces[place][1])
    return found


class _Recorder(CodegenState):
    """Generates code and records the first and last token of every node."""

    def __init__(self, module: cst.Module) -> None:
        super().__init__(default_indent=module.default_indent, default_newline=module.default_newline)
        self.marks: dict[int, tuple[int, int]] = {}
        self.open: list[int] = []

    def before_codegen(self, node: cst.CSTNode) -> None:
        self.open.append(len(self.tokens))

    def after_codegen(self, node: cst.CSTNode) -> None:
        start = self.open.pop()
        self.marks.setdefault(id(node), (start, len(self.tokens)))

    def record_syntactic_position(  # type: ignore[override]  # LibCST only uses the result as a context manager
        self, node: cst.CSTNode, *, start_node: cst.CSTNode | None = None, end_node: cst.CSTNode | None = None
    ) -> _Within:
        return _Within(self, node, start_node, end_node)


class _Within:
    """Records the position of a node without its layout. This is a class because a generator per node is slower."""

    __slots__ = ("between", "node", "start", "state")

    def __init__(self, state: _Recorder, node: cst.CSTNode, first: cst.CSTNode | None, last: cst.CSTNode | None) -> None:
        self.state, self.node, self.between, self.start = state, node, (first, last), 0

    def __enter__(self) -> None:
        self.start = len(self.state.tokens)

    def __exit__(self, *_: object) -> None:
        marks, (first, last) = self.state.marks, self.between
        start = self.start if first is None else marks[id(first)][0]
        end = len(self.state.tokens) if last is None else marks[id(last)][1]
        marks[id(self.node)] = (start, end)
