"""Writes one HTML page about one survey or several. It loads nothing, runs no script, and escapes what repositories contain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gradlint.organisation.charts import bars_of_engines, bars_of_rules, lines_over_time
from gradlint.organisation.store import files_of, read_rows
from gradlint.organisation.totals import Totals, totals_of
from gradlint.registry import all_rules

MOST = 50
"""The maximum number of lines of a table."""


def read_surveys(paths: Sequence[Path]) -> list[Totals]:
    """Read and add up surveys, the oldest first. The name of a survey is that of its folder."""
    found = [totals_of(_name(path), read_rows(files_of(path))) for path in paths]
    return sorted(found, key=lambda each: each.begun)


def write_report(paths: Sequence[Path], target: Path) -> None:
    """Write the page about some surveys."""
    target.write_text(page(read_surveys(paths)), encoding="utf-8")


def page(surveys: Sequence[Totals]) -> str:
    """Return the page: the last survey in full, and all of them over time."""
    last = surveys[-1]
    environment = Environment(
        loader=PackageLoader("gradlint.organisation", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    charts = [
        ("Findings by rule", bars_of_rules(last)),
        ("Training loops by engine", bars_of_engines(last)),
        ("Verdicts over time", lines_over_time(surveys) if len(surveys) > 1 else []),
    ]
    written: str = environment.get_template("report.html").render(
        surveys=surveys,
        last=last,
        charts=[(title, [Markup(each) for each in drawn]) for title, drawn in charts if drawn],
        summaries={rule.code: rule.summary for rule in all_rules()},
        most=MOST,
    )
    return written


def _name(path: Path) -> str:
    path = path.resolve()
    return path.name if path.is_dir() else path.parent.name if path.name == "findings.parquet" else path.stem
