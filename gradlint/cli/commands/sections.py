"""Help text that groups options into sections, as Ruff's does."""

from __future__ import annotations

from typing import Any

import click

RULES, FILES, FIXING, ADOPTING, OUTPUT, STATUS, OTHER = (
    "Rule selection",
    "File selection",
    "Fixing",
    "Adopting",
    "Output",
    "Exit status",
    "Miscellaneous",
)


class Option(click.Option):
    """An option that belongs to a section of the help text."""

    def __init__(self, *arguments: Any, section: str = "Options", **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.section = section


class Sections(click.Command):
    """A command whose help lists its options by section, in the order in which the sections first occur."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                heading = OTHER if "--help" in parameter.opts else getattr(parameter, "section", "Options")
                sections.setdefault(heading, []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)
