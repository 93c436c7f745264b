"""What must hold for a file's bytes, through the worker of the command."""

from __future__ import annotations

import json
from collections.abc import Iterator

from gradlint.config.selection import Layer, Selection
from gradlint.files.decode import Undecodable, decode
from gradlint.files.notebook import NotANotebook, read_notebook
from gradlint.run.runner import process
from gradlint.run.task import FileResult, Task

from .laws import Broken, crash
from .trial import parsed

EVERYTHING = Task(Selection((Layer(("ALL",)),)), fix=True, unsafe=True)


def judge_file(name: str, data: bytes) -> tuple[list[Broken], FileResult | None]:
    """Check and fix a file's bytes: nothing crashes, and what is written is written for a reason, parses and is stable."""
    try:
        result = process(name, data, EVERYTHING)
        return [Broken("bytes", each.split(":")[0], each) for each in _wrong(name, data, result)], result
    except Exception as error:
        return [crash(error)], None


def _wrong(name: str, data: bytes, result: FileResult) -> Iterator[str]:
    if isinstance(decode(data), Undecodable) and [d.code for d in result.diagnostics] != ["GRD000"]:
        yield "what cannot be decoded is not told as GRD000"
    if any(d.span.start.row < 1 for d in result.diagnostics):
        yield "a finding stands before the first row"
    if result.after is None:
        return
    if result.after == data:
        yield "fixes are told, and nothing changes"
    if not result.applied:
        yield "the file changes, and no fix is told"
    again = process(name, result.after, EVERYTHING)
    if again.after is not None:
        yield f"{' '.join(sorted({d.code for d in again.applied}))}: a second run changes the file again"
    if any(d.code == "GRD000" for d in again.diagnostics):
        yield "what is written cannot be read"
    if name.endswith(".ipynb"):
        yield from _wrong_notebook(data, result.after)


def _wrong_notebook(before: bytes, after: bytes) -> Iterator[str]:
    old, new = json.loads(before), json.loads(after)
    for one, other in zip(old["cells"], new["cells"], strict=True):
        if not isinstance(one, dict) or one.get("cell_type") != "code":
            same = one == other
        else:
            same = {**one, "source": ""} == {**other, "source": ""} and type(one.get("source")) is type(other.get("source"))
        if not same:
            yield "a fix changes more of a cell than its source"
            break
    if {**old, "cells": 0} != {**new, "cells": 0}:
        yield "a fix changes more of a notebook than its cells"
    try:
        if (
            parsed(read_notebook(before.decode("utf-8-sig")).code) is not None
            and parsed(read_notebook(after.decode("utf-8-sig")).code) is None
        ):
            yield "the cells no longer parse"
    except NotANotebook:
        yield "what is written is no notebook"
