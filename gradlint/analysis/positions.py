"""Where every node of a module stands, as LibCST writes it."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst
from libcst._nodes.internal import CodegenState


def positions(module: cst.Module, base: int, pieces: Sequence[tuple[int, int]] = ()) -> dict[int, tuple[int, int]]:
    """Between which characters each node stands, by its identity, of a module that begins at `base`.

    `pieces` say for each run of lines where it begins in the module, and where in the file's text.
    """
    state = _Recorder(module)
    module._codegen(state)
    offsets = [base]
    for token in state.tokens:
        offsets.append(offsets[-1] + len(token))
    offsets.append(offsets[-1])  # the last token may have been taken back, and a node ends behind it
    begins, ends = (_placed(offsets, pieces), _placed(offsets, pieces, ending=True)) if pieces else (offsets, offsets)
    return {node: (begins[start], ends[end]) for node, (start, end) in state.marks.items()}


def _placed(offsets: Sequence[int], pieces: Sequence[tuple[int, int]], *, ending: bool = False) -> list[int]:
    """Growing offsets in what was parsed, as offsets in the file's text; an end belongs to the piece before it."""
    found, place = [], 0
    for offset in offsets:
        while place + 1 < len(pieces) and pieces[place + 1][0] + ending <= offset:
            place += 1
        found.append(offset - pieces[place][0] + pieces[place][1])
    return found


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

    def record_syntactic_position(  # type: ignore[override]  # whoever asks enters it, and no more
        self, node: cst.CSTNode, *, start_node: cst.CSTNode | None = None, end_node: cst.CSTNode | None = None
    ) -> _Within:
        return _Within(self, node, start_node, end_node)


class _Within:
    """Notes where a node stands without its layout; a class, as a generator for each node takes longer."""

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
