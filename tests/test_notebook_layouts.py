"""Notebooks in arbitrary JSON: after a rewrite every character outside of the sources is what it was, and the sources are new."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gradlint.files.notebook import Notebook, read_notebook
from gradlint.run.runner import process
from gradlint.run.task import Task

NUMBERS = ("0", "-0", "1.0e5", "1E+2", "0.10", "1e400", "NaN", "-Infinity", "123456789012345678901234567890")
STRINGS = ("", "a", "é", "日本", "🔥", "a/b", "</div>", '"', "\\", "\t\n", "\u2028", "\x00", "source", "cells")
LINES = (
    "import torch", "x = 1", "x = 2", "", "y = 'é/\\\"<b>'", "# 日本 / 🔥", "# a\u2028", "z = '\\n\\t\\\\'", "# \x0c and \x7f",
    "!ls /tmp", "%time x = 1", "len?", "if x:\n    x = 3",
)  # fmt: skip
LOOP = """\
import torch
for i, (x, y) in enumerate(loader):
    # é / <b> 🔥
    loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    if (i + 1) % 4 == 0 or (i + 1) == len(loader):
        optimizer.step()
        optimizer.zero_grad()"""


@dataclass(frozen=True)
class Pairs:
    """An object whose keys may stand in it more than once."""

    pairs: Sequence[tuple[str, Any]]


@dataclass(frozen=True)
class Literal:
    """A value as it is written."""

    text: str


@dataclass(frozen=True)
class Source:
    """The source of a cell that is code; `number` is None for one that a later key hides."""

    number: int | None
    value: str | list[str]


@dataclass(frozen=True)
class Layout:
    """Writes JSON in a style of its own, and now and then in another one."""

    random: Random
    newline: str
    indent: str
    comma: str
    colon: str
    ascii_only: bool
    slash: str
    upper: bool
    chance: float
    """How often something is written in another way."""

    parts: list[tuple[int | None, str]] = field(default_factory=list)
    """What was written; with a number where it is the value of that cell's source."""

    def written(self, value: Any) -> str:
        self.write(value, 0)
        return "".join(text for _, text in self.parts)

    def write(self, value: Any, level: int, number: int | None = None) -> None:
        if isinstance(value, Source):
            inner = Layout(**{**self.__dict__, "parts": []})
            inner.write(value.value, level)
            self.parts.append((value.number, "".join(text for _, text in inner.parts)))
        elif isinstance(value, str):
            self.put(self.string(value))
        elif isinstance(value, Literal):
            self.put(value.text)
        elif isinstance(value, list):
            self.items("[]", [(None, each) for each in value], level)
        else:
            self.items("{}", value.pairs, level)

    def items(self, brackets: str, items: Sequence[tuple[str | None, Any]], level: int) -> None:
        self.put(brackets[0])
        for index, (key, value) in enumerate(items):
            if index:
                self.put(self.comma)
            self.put(self.line(level + 1))
            if key is not None:
                self.put(self.string(key) + self.blanks(self.colon))
            self.write(value, level + 1)
        self.put((self.line(level) if items else "") + brackets[1])

    def put(self, text: str) -> None:
        self.parts.append((None, text))

    def line(self, level: int) -> str:
        return self.blanks(self.newline + self.indent * level if self.newline else "")

    def blanks(self, usual: str) -> str:
        if self.random.random() >= self.chance:
            return usual
        return self.random.choice(("", " ", "\t", "\n", "\r\n", " \r ")) + (":" if ":" in usual else "")

    def string(self, text: str) -> str:
        return '"' + "".join(map(self.char, text)) + '"'

    def char(self, char: str) -> str:
        odd = self.random.random() < self.chance
        if char == "/":
            return "\\/" if (self.slash == "\\/") != odd else "/"
        written = json.dumps(char, ensure_ascii=self.ascii_only != (odd and not char.isascii()))[1:-1]
        if odd and char.isascii():
            written = f"\\u{ord(char):04x}"
        return re.sub("[a-f0-9]{4}", lambda match: match.group().upper(), written) if self.upper else written


layouts = st.builds(
    Layout,
    random=st.integers(0, 2**32).map(Random),
    newline=st.sampled_from(["", "\n", "\r\n", "\r"]),
    indent=st.sampled_from(["", " ", "   ", "\t"]),
    comma=st.sampled_from([",", ", ", " ,"]),
    colon=st.sampled_from([":", ": ", " : "]),
    ascii_only=st.booleans(),
    slash=st.sampled_from(["/", "\\/"]),
    upper=st.booleans(),
    chance=st.sampled_from([0, 0, 0.05, 0.3]),
)  # fmt: skip
values = st.recursive(
    st.sampled_from([*STRINGS, *map(Literal, (*NUMBERS, "true", "null"))]),
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(st.sampled_from(STRINGS), inner), max_size=3).map(Pairs),
    max_leaves=5,
)
codes = st.lists(st.sampled_from(LINES), max_size=6).map("\n".join).flatmap(lambda code: st.sampled_from([code, code + "\n"]))


@st.composite
def cut(draw: st.DrawFn, code: str) -> str | list[str]:
    """A source as one string, as its lines, or as pieces of any kind."""
    kind = draw(st.sampled_from(["string", "lines", "lines", "pieces"]))
    if kind == "string":
        return code
    if kind == "lines":
        return code.splitlines(keepends=True)
    places = sorted(draw(st.lists(st.integers(0, len(code)), max_size=4)))
    return [code[a:b] for a, b in zip([0, *places], [*places, len(code)], strict=True)]


@st.composite
def notebooks(draw: st.DrawFn, code: st.SearchStrategy[str]) -> Pairs:
    cells = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        kind = draw(st.sampled_from(["code", "code", "markdown"]))
        source = Source(number if kind == "code" else None, draw(cut(draw(code))))
        pairs = [("cell_type", kind), ("source", source), ("outputs", draw(values)), ("metadata", draw(values))]
        pairs = draw(st.permutations(pairs))
        if draw(st.booleans()):
            pairs.insert(0, ("source", Source(None, "hidden = 1")))
        cells.append(Pairs(pairs))
    document = [("cells", cells), ("nbformat", Literal("4")), ("other", draw(values))]
    document = draw(st.permutations(document))
    if draw(st.booleans()):
        document.insert(0, ("cells", [Pairs([("cell_type", "code"), ("source", Source(None, ["hidden = 1"]))])]))
    return Pairs(document)


def sources_of(text: str) -> list[str]:
    return ["".join(each["source"]) for each in json.loads(text)["cells"]]


def assert_only_sources_differ(layout: Layout, new: str) -> None:
    at = 0
    for number, part in layout.parts:
        if number is None:
            assert new[at : at + len(part)] == part
            at += len(part)
            continue
        value, end = json.JSONDecoder().raw_decode(new, at)
        old = json.loads(part)
        assert type(value) is type(old)
        assert (value == old) == (new[at:end] == part)
        if isinstance(old, list) and old == "".join(old).splitlines(keepends=True):
            assert value == "".join(value).splitlines(keepends=True)
            before, after = strings_of(part), strings_of(new[at:end])
            same = in_common(old, value)
            rest = in_common(old[same:][::-1], value[same:][::-1])
            assert before[:same] == after[:same]
            assert before[len(before) - rest :] == after[len(after) - rest :]
        at = end
    assert at == len(new)


def in_common(one: list[str], other: list[str]) -> int:
    return sum(takewhile(bool, (a == b for a, b in zip(one, other, strict=False))))


def strings_of(text: str) -> list[str]:
    """The strings in a list, as they are written."""
    found, at = [], 0
    while (at := text.find('"', at)) >= 0:
        end = json.JSONDecoder().raw_decode(text, at)[1]
        found.append(text[at:end])
        at = end
    return found


def edited(source: str, random: Random) -> str:
    """A source with lines added, changed and taken away; its magics stay."""
    lines = source.splitlines(keepends=True)
    for _ in range(random.choice((0, 1, 1, 2, 4))):
        place = random.randint(0, len(lines))
        kept = place == len(lines) or lines[place].lstrip().startswith("pass  # gradlint: magic")
        if kept or random.random() < 0.4:
            lines.insert(place, random.choice(("new = 'é/<ü>'\n", "\n", "# 🔥\u2028\n", 'x = "\\t"\n')))
            if place and not lines[place - 1].endswith("\n"):
                lines[place - 1] += "\n"
        elif random.random() < 0.5:
            lines[place] = random.choice((f"a{lines[place]}", lines[place].replace("x", "x / x"), f"    {lines[place]}"))
        else:
            del lines[place]
    return "".join(lines)


def body(notebook: Notebook, number: int) -> str:
    """The code of a cell, with placeholders for its magics."""
    return re.split(r"^# gradlint: cell \d+\n\n", notebook.code, flags=re.M)[notebook.cells.index(number) + 1].removesuffix("\n")


@settings(deadline=None, max_examples=300)
@given(notebooks(codes), layouts, st.integers(0, 2**32))
def test_any_code_is_written_into_any_layout(document: Pairs, layout: Layout, seed: int) -> None:
    text, random = layout.written(document), Random(seed)
    notebook = read_notebook(text)
    assert notebook.rewritten(notebook.code) == text
    bodies = {number: body(notebook, number) for number in notebook.cells}
    assert "".join(f"# gradlint: cell {number}\n\n{each}\n" for number, each in bodies.items()) == notebook.code
    wanted = {number: edited(each, random) for number, each in bodies.items()}
    code = "".join(f"# gradlint: cell {number}\n\n{each}\n" for number, each in wanted.items())
    new = notebook.rewritten(code)
    assert_only_sources_differ(layout, new)
    for number, each in wanted.items():
        for index, magic in enumerate(notebook.masked):
            each = each.replace(f"pass  # gradlint: magic {index}\n", f"{magic}\n")
            each = each[: -len(f"pass  # gradlint: magic {index}")] + magic if each.endswith(f"magic {index}") else each
        assert sources_of(new)[number - 1] == each


@settings(deadline=None, max_examples=60)
@given(notebooks(st.just(LOOP)), layouts)
def test_a_fix_is_written_into_any_layout(document: Pairs, layout: Layout) -> None:
    text = layout.written(document)
    result = process("train.ipynb", text.encode("utf-8"), Task(fix=True))
    assert result.diagnostics == ()
    new = (result.after or text.encode("utf-8")).decode("utf-8")
    assert_only_sources_differ(layout, new)
    code = [number for number, _ in layout.parts if number is not None]
    assert bool(result.applied) == (new != text) == bool(code)
    fixed = LOOP.replace("loss.backward()", "(loss / 4).backward()")
    for number, source in enumerate(sources_of(new), 1):
        assert source == (fixed if number in code else LOOP)
