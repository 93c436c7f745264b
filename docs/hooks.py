"""Shows MkDocs the pages outside of `docs/`, which stay where they are, and keeps the links between all pages working.

In the repository, a link is relative to the file that contains it. On the site, the pages of `docs/` are at the top, so links
are rewritten. A link to a file without a page leads to the repository.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
INDEX = "rules/index.md"
COMMANDS = "commands.md"
OUTSIDE = ("rules/*.md", "rules/pictures/*.svg", "benchmarks/README.md", "benchmarks/*.svg", "CHANGELOG.md", "CONTRIBUTING.md")
GROUPS = {
    "GRD0": "Files and comments",
    "GRD1": "The scale of the loss",
    "GRD2": "The window",
    "GRD3": "Clipping and mixed precision",
    "GRD4": "Schedules and averages",
    "GRD5": "Optimizer and model",
    "GRD6": "Distributed training",
    "GRD7": "Frameworks",
}
_HEAD = re.compile(r"# (?P<code>\w+) (?P<name>\S+)\n\n\*\*(?P<severity>\w+)\*\* · \*(?P<fix>.+) fix\*\n\n(?P<summary>.+?)\.\n")
_FENCED = re.compile(r"(^ *```.*?^ *```$)", re.M | re.S)
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|[#/])([^)\s#]+)(#[^)\s]+)?(?=\))")
_EXPECTED = re.compile(r"[ \t]*# GRD\d{3}(?:, GRD\d{3})*$", re.M)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the rules into the navigation, one group for each hundred."""
    rules: list[Any] = [{"All rules": INDEX}]
    for group, heads in groupby(_heads(), lambda head: head["code"][:4]):
        rules.append({GROUPS[group]: [{f"{head['code']} {head['name']}": f"rules/{head['code']}.md"} for head in heads]})
    for entry in config.nav or ():
        if "Rules" in entry:
            entry["Rules"] = rules
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files outside of `docs/`, a page with all rules, and one with all options."""
    for pattern in OUTSIDE:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File(name, str(ROOT), config.site_dir, config.use_directory_urls))
    files.append(File.generated(config, INDEX, content=_index()))
    files.append(File.generated(config, COMMANDS, content=_commands()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to the pages of the site, and highlight the line of each finding."""
    parts = _FENCED.split(markdown)  # text and code by turns
    parts[::2] = [_LINK.sub(lambda link: _moved(link, page.file, config, files), text) for text in parts[::2]]
    if page.file.src_uri.startswith("rules/"):
        parts[1::2] = map(_highlighted, parts[1::2])
    return "".join(parts)


def _moved(link: re.Match[str], home: File, config: MkDocsConfig, files: Files) -> str:
    path, anchor = link[1], link[2] or ""
    outside = home.src_dir == str(ROOT) or home.src_uri == INDEX
    here = home.src_uri if outside else f"docs/{home.src_uri}"
    there = posixpath.normpath(posixpath.join(posixpath.dirname(here), path))
    for uri in (there.removeprefix("docs/"), f"{there}/index.md"):
        if files.get_file_from_path(uri) is not None:
            return posixpath.relpath(uri, posixpath.dirname(home.src_uri) or ".") + anchor
    kind = "tree" if (ROOT / there).is_dir() else "blob"
    exists = not there.startswith("..") and (ROOT / there).exists()
    return f"{config.extra['repository']}/{kind}/main/{there}{anchor}" if exists else path + anchor


def _highlighted(fence: str) -> str:
    """A block of code without the markers of the tests; the lines that had one are marked."""
    rows = [str(row) for row, line in enumerate(fence.split("\n")) if _EXPECTED.search(line)]
    plain = _EXPECTED.sub("", fence)
    return plain.replace("```python\n", f'```python hl_lines="{" ".join(rows)}"\n', 1) if rows else plain


def _heads() -> Iterator[dict[str, str]]:
    for path in sorted(ROOT.glob("rules/GRD*.md")):
        found = _HEAD.match(path.read_text(encoding="utf-8"))
        if found is None:
            raise ValueError(f"{path.relative_to(ROOT)} does not begin like the other rule pages")
        yield found.groupdict()


def _index() -> str:
    """All rules in tables; severity and fix as their pages say."""
    lines = [
        "# All rules",
        "",
        "An *error* makes training wrong. A *warning* very likely makes it wrong, or slower than it could be. Rules with severity",
        "*info* are off by default: `--select ALL` turns them on. A *safe* fix writes the pattern your code was clearly aiming for,",
        "and `--fix` applies it. An *unsafe* fix changes something you may have chosen on purpose, and needs `--unsafe-fixes`.",
        "[Configuration](../docs/configuration.md#which-rules-run) explains how to choose rules. `gradlint rule GRD101` prints a page.",
    ]
    for group, heads in groupby(_heads(), lambda head: head["code"][:4]):
        lines += ["", f"## {GROUPS[group]}", "", "| code | name | severity | fix | what is wrong |", "|---|---|---|---|---|"]
        lines += [
            f"| [{head['code']}]({head['code']}.md) | {head['name']} | {head['severity']} | {head['fix']} | {head['summary']} |"
            for head in heads
        ]
    return "\n".join(lines) + "\n"


def _commands() -> str:
    """Every command with its options, as `--help` prints them."""
    import click

    from gradlint.cli import main

    root = click.Context(main, info_name="gradlint")
    parts = ["# Commands and options", "This is what `gradlint COMMAND --help` prints."]
    for name in main.list_commands(root):
        command = main.get_command(root, name)
        if command is not None:
            printed = command.get_help(
                click.Context(command, info_name=name, parent=root, terminal_width=84, max_content_width=84)
            )
            parts.append(f"## gradlint {name}\n\n```text\n{printed}\n```")
    return "\n\n".join(parts) + "\n"
