"""`gradlint rules`: the list of all rules."""

from __future__ import annotations

import click

from gradlint.cli import CONTEXT


@click.command("rules", context_settings=CONTEXT)
@click.option(
    "--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print the list."
)
def command(output_format: str) -> None:
    """List every rule with its code, name, severity and summary."""
    import json

    from gradlint.registry import all_rules
    from gradlint.report.machine import page_url

    known = all_rules()
    if output_format == "json":
        rows = [
            {
                "code": each.code,
                "name": each.name,
                "severity": each.severity.value,
                "summary": each.summary,
                "default": each.on_by_default,
                "url": page_url(each.code),
            }
            for each in known
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    longest = max(len(each.name) for each in known)
    for each in known:
        default = "" if each.on_by_default else " (off by default)"
        click.echo(f"{each.code}  {each.name:<{longest}}  {each.severity.value:<7}  {each.summary}{default}")
