"""The fenced blocks of Markdown pages, and pages with what their commands print now."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from samples import run

_FENCE = re.compile(
    r'^(?P<indent> *)```(?P<language>\w+)(?: title="(?P<title>.+?)")?\n(?P<body>.*?)^(?P=indent)```$', re.M | re.S
)
_CONSOLE = re.compile(r"(?<=^```console\n)(.*?)(?=^```$)", re.M | re.S)
_SHOWN = re.compile(r"(?<=^<!-- show )(\S+) -->\n\n```text\n.*?^```$", re.M | re.S)

_DIFF = re.compile(r"(?<=^<!-- diff )(\S+) -->\n\n```diff\n.*?^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it stands for, its text, and the row of its fence in the page."""

    language: str
    title: str | None
    body: str
    row: int


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a page that name their language."""
    for found in _FENCE.finditer(text):
        yield Block(found["language"], found["title"], found["body"], text.count("\n", 0, found.start()) + 1)


def anchors(text: str) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w -]", "", re.sub(r"\[(.+?)\]\(.+?\)", r"\1", each.lower())).replace(" ", "-") for each in headings}


def played(text: str) -> str:
    """A page as it must be: its console blocks print what they show, and so do `gradlint show` and
    `gradlint check --diff` where a comment names a file.

    All blocks with a title are files in an empty folder, in which the commands run in their order.
    """
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for block in blocks(text):
                if block.title is not None:
                    Path(block.title).parent.mkdir(parents=True, exist_ok=True)
                    Path(block.title).write_text(block.body, encoding="utf-8")
            text = _SHOWN.sub(lambda found: f"{found[1]} -->\n\n```text\n{_words(found[1])}\n```", text)
            text = _DIFF.sub(
                lambda found: f"{found[1]} -->\n\n```diff\n{_output(f'gradlint check {found[1]} --diff -q')}```", text
            )
            return _CONSOLE.sub(lambda found: _printed(re.findall(r"^\$ (.+)$", found[1], re.M)), text)
        finally:
            os.chdir(here)


def _words(name: str) -> str:
    """What `gradlint show` says of the first loop of a file, without the timeline."""
    return run("show", name).stdout.partition("\n\n")[0]


def _printed(commands: list[str]) -> str:
    shown = (f"$ {command}\n{_output(command)}".rstrip("\n") + "\n" for command in commands)
    return "\n".join(shown)


def _output(command: str) -> str:
    program, *arguments = shlex.split(command)
    if program == "cat":
        return Path(arguments[0]).read_text(encoding="utf-8")
    assert program == "gradlint", f"a console block shows `{command}`, which this does not play"
    return run(*arguments).output
