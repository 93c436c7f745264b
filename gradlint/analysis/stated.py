"""Names the settings files that a finding depends on, with the values they give and their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gradlint.finding import Finding
from gradlint.model.data.settings import Setting
from gradlint.simulate.assumptions import STEPS_OUT_OF_SIGHT
from gradlint.simulate.fitting import Played
from gradlint.simulate.scene import Scene
from gradlint.simulate.world import last_part

_ABOUT_N = re.compile(r"\bN\b|\bwindows?\b|micro-batch")
_WORDS = {"True": "true", "False": "false", "None": "null"}
_MOST = 2
"""Limit on the settings that one finding names."""


def stated(finding: Finding, scene: Scene) -> str:
    """The settings from files behind a finding, as clauses for the end of its reason."""
    runs = [run for run in (scene.run, scene.among) if run is not None and run.asked.stated]
    clauses: dict[str, None] = {}
    for run in runs:
        for name in _behind(finding, scene, run):
            if name in run.asked.stated:
                clauses[f"; `{last_part(name)}` is {_shown(run.asked.stated[name])}"] = None
    return "".join(list(clauses)[:_MOST])


def _behind(finding: Finding, scene: Scene, run: Played) -> Iterator[str]:
    """The settings of a run that a finding depends on: N if it is about N, and the conditions on the way to the code."""
    told = f"{finding.message} {finding.reason}"
    if _ABOUT_N.search(told) or scene.n in told:
        size = scene.view.size if run is scene.run else run.trace.n
        yield from sorted((name for name in run.trace.n_names if run.trace.settings.get(name) == size), key=len)
        if any(each.through == "deepspeed" for each in scene.view.backwards):
            yield f"deepspeed{STEPS_OUT_OF_SIGHT}"
    for branch, _, _ in scene.event.path:
        yield run.asked.branches.get(branch, "")


def _shown(setting: Setting) -> str:
    value = _WORDS.get(str(setting.value)) if setting.value is None or isinstance(setting.value, bool) else setting.value
    return f"{value} in `{setting.place}`"
