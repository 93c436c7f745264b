"""Completes the rules in options and arguments on the command line, for the shells that click supports."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem


def rules(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the codes and names of rules that continue a word, the last one of a list with commas."""
    from click.shell_completion import CompletionItem

    from gradlint.registry import all_rules

    del context, parameter
    before, comma, begun = incomplete.rpartition(",")
    words = [(word, rule.summary) for rule in all_rules() for word in (rule.code, rule.name)]
    return [
        CompletionItem(f"{before}{comma}{word}", help=summary)
        for word, summary in words
        if word.lower().startswith(begun.lower()) and (begun or word.startswith("GRD"))
    ]
