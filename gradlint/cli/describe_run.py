"""What a run would check, and with which settings: `--show-files`, `--show-settings`, and the preamble of `--verbose`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from gradlint.config.settings import Config, Globs
from gradlint.report.lines import count, named, safe
from gradlint.run.plan import Plan
from gradlint.run.task import Job


def files(plan: Plan) -> Iterator[str]:
    """Yield the files to check, one per line."""
    for target in plan.found.targets:
        yield named(str(target.path))


def describe(plan: Plan) -> Iterator[str]:
    """Yield the skipped files with the reasons, and the configuration files that apply."""
    for each in plan.found.left_out:
        yield safe(f"left out: {each.path} ({each.why})")
    for source, number in Counter(target.config.source for target in plan.found.targets).items():
        shown = "default settings" if source is None else f"settings of {source}"
        yield safe(f"{count(number, 'file', 'files')} to check with the {shown}")


def settings(plan: Plan) -> Iterator[str]:
    """Yield the settings for the first file in the format of a gradlint.toml, with the rules that they select."""
    if not plan.jobs:
        yield "# There is no file to check."
        return
    config, job = plan.found.targets[0].config, plan.jobs[0]
    yield f"# Settings for {safe(str(job.path))}"
    yield f"# from {safe(str(config.source))}" if config.source is not None else "# from no configuration file"
    for key, value in _values(config, plan).items():
        yield f"{key} = {json.dumps(value)}"
    for table, rows in _tables(config, job):
        if rows:
            yield f"\n[{table}]"
            yield from (f"{json.dumps(key)} = {json.dumps(value)}" for key, value in rows)


def _values(config: Config, plan: Plan) -> dict[str, Any]:
    from gradlint.files.discover import DEFAULT_EXCLUDES
    from gradlint.registry import all_rules

    selection = plan.jobs[0].task.selection
    exclude = list(config.exclude.lines) if config.exclude is not None else sorted(DEFAULT_EXCLUDES)
    return {
        "select": [rule.code for rule in selection.choose(all_rules())],
        "unfixable": [rule.code for rule in all_rules() if not selection.fixes(rule.code, rule.name)],
        "exclude": exclude,
        "extend-exclude": [line for globs in config.extend_exclude for line in globs.lines],
        "force-exclude": config.force_exclude,
        "respect-gitignore": config.respect_gitignore,
        "follow": config.follow,
        "unsafe-fixes": plan.unsafe,
        "output-format": plan.output_format,
        **({"max-size": config.max_size} if config.max_size is not None else {}),
    }


def _tables(config: Config, job: Job) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    yield "severity", list(dict(job.task.selection.severity).items())
    yield "per-file-ignores", [(_pattern(each.globs, each.others), list(each.selectors)) for each in config.per_file_ignores]
    names = config.names
    taught = {
        "optimizers": names.optimizers,
        "schedulers": names.schedulers,
        "accumulation-steps": names.accumulation_steps,
        "boundaries": names.boundaries,
    }
    yield "names", [(key, sorted(value)) for key, value in taught.items() if value]


def _pattern(globs: Globs, others: bool) -> str:
    return ("!" if others else "") + globs.lines[0]
