"""Texts that differ in what no reader would call a difference: gradlint must say and do the same of both."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from gradlint.files.decode import Decoded, decode
from gradlint.run.runner import process

from .files import EVERYTHING
from .laws import Law, a_comment_silences
from .trial import Trial, line_starts, parsed, same_program, without_names

_INDENT = re.compile(r"^(?: {4})+", re.M)
_BLANK = re.compile(r"(?<=\n)\n")


def _differences(one: Trial, other: Trial) -> Iterator[str]:
    mine, theirs = without_names(one.found), without_names(other.found)
    for code, message in mine - theirs:
        yield f"{code}: not found in the twin: {message}"
    for code, message in theirs - mine:
        yield f"{code}: found in the twin only: {message}"


def line_endings_do_not_matter(trial: Trial) -> Iterator[str]:
    """With CRLF and with CR the same is found at the same places, and the same is written with those endings."""
    if "\r" in trial.text or (trial.tree is None and not trial.found):
        return
    for ending in ("\r\n", "\r"):
        twin = Trial(trial.text.replace("\n", ending))
        mine, theirs = ({(e.diagnostic.code, e.diagnostic.span) for e in t.found} for t in (trial, twin))
        if mine != theirs:
            yield f"{' '.join(sorted({code for code, _ in mine ^ theirs}))}: found with one ending only"
        elif twin.output != trial.output.replace("\n", ending):
            codes = {d.code for t in (trial, twin) for d in t.fixed[0].applied}
            yield f"{' '.join(sorted(codes))}: {ending!r} changes what is written"


def bytes_around_the_text_survive(trial: Trial) -> Iterator[str]:
    """A byte-order mark and the encoding of a cookie come through the command's own path, from bytes to bytes."""
    for start, cookie, encoding in ((b"\xef\xbb\xbf", "", "utf-8"), (b"", "# -*- coding: latin-1 -*-\n", "latin-1")):
        text = cookie + trial.text
        try:
            data = start + text.encode(encoding)
        except UnicodeEncodeError:
            continue
        decoded = decode(data)
        if not isinstance(decoded, Decoded) or decoded.text != text:
            continue
        result = process("trial.py", data, EVERYTHING)
        written = data if result.after is None else result.after
        if result.crash or written != start + _suppressing(text).encode(encoding):
            yield f"{encoding}: other bytes than the text has"


def _suppressing(text: str) -> str:
    from gradlint import fix_source

    return fix_source(text, unsafe_fixes=True, select=["ALL"]).source


def final_newline_does_not_matter(trial: Trial) -> Iterator[str]:
    """A text that ends without a newline is fixed as one that does."""
    bare = trial.text.rstrip("\n")
    if trial.tree is None or bare == trial.text or not same_program(bare, trial.text):
        return
    twin = Trial(bare)
    yield from _differences(trial, twin)
    if twin.output.rstrip("\n") != trial.output.rstrip("\n"):
        yield f"{' '.join(sorted({d.code for d in twin.fixed[0].applied}))}: other lines are written"


def _same_after(transform: Callable[[str], str], trial: Trial) -> Iterator[str]:
    """The twin means the same, so what is found and what its fixes mean must be the same."""
    other = transform(trial.text)
    if trial.tree is None or other == trial.text or not same_program(other, trial.text):
        return
    twin = Trial(other)
    different = list(_differences(trial, twin))
    yield from different
    if not different and trial.fixed[0].applied and not same_program(trial.output, twin.output):
        codes = {d.code for t in (trial, twin) for d in t.fixed[0].applied}
        yield f"{' '.join(sorted(codes))}: another program is written"


def tabs_do_not_matter(trial: Trial) -> Iterator[str]:
    """Indented by tabs, the same is found and the same program is written."""
    yield from _same_after(lambda text: _INDENT.sub(lambda match: "\t" * (len(match.group()) // 4), text), trial)


def form_feeds_do_not_matter(trial: Trial) -> Iterator[str]:
    """Form feeds on blank lines change nothing."""
    yield from _same_after(lambda text: _BLANK.sub("\f\n", text), trial)


def comments_between_lines_do_not_matter(trial: Trial) -> Iterator[str]:
    """A comment and a blank line above every statement change nothing."""
    if trial.tree is None:
        return
    starts = line_starts(trial.text)
    rows = {node.lineno: node.col_offset for node in ast.walk(trial.tree) if isinstance(node, ast.stmt)}
    rows |= {d.lineno: 0 for node in ast.walk(trial.tree) for d in getattr(node, "decorator_list", ())}
    parts = []
    for row, (start, end) in enumerate(zip(starts, [*starts[1:], len(trial.text)], strict=True), 1):
        line = trial.text[start:end]
        indent = line[: len(line) - len(line.lstrip(" \t"))]
        if row in rows and not trial.text[:start].endswith("\\\n"):
            parts.append(f"\n{indent}# what follows\n")
        parts.append(line)
    yield from _same_after(lambda _: "".join(parts), trial)


def layout_does_not_matter(trial: Trial) -> Iterator[str]:
    """The program as the interpreter would print it, without comments and with its own parentheses and quotes."""
    if trial.tree is not None:
        printed = ast.unparse(trial.tree) + "\n"
        if parsed(printed) is not None:
            yield from _differences(trial, Trial(printed))


def a_main_function_does_not_matter(trial: Trial) -> Iterator[str]:
    """A flat script is judged as its statements in `main()`, which is then called."""
    tree = trial.tree
    if tree is None or not tree.body or any(_needs_the_module(node) for node in ast.walk(tree)):
        return
    wrapped = ast.parse("def main():\n    pass\nmain()")
    function = wrapped.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = tree.body
    flat, inside = ast.unparse(tree) + "\n", ast.unparse(wrapped) + "\n"
    if parsed(inside) is not None and same_program(flat, trial.text):
        yield from _differences(Trial(flat), Trial(inside))


def _needs_the_module(node: ast.AST) -> bool:
    """What means something else, or can be reached otherwise, inside a function."""
    if isinstance(node, ast.ImportFrom):
        return node.module == "__future__" or node.names[0].name == "*"
    return isinstance(node, (ast.Global, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


TWINS: tuple[Law, ...] = (
    a_comment_silences,
    line_endings_do_not_matter,
    bytes_around_the_text_survive,
    final_newline_does_not_matter,
    tabs_do_not_matter,
    form_feeds_do_not_matter,
    comments_between_lines_do_not_matter,
    layout_does_not_matter,
    a_main_function_does_not_matter,
)
"""Laws about a text and its twins; each costs as much as all laws about one text."""
