"""Names the settings files that a finding depends on, with the values they give and their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gradlint.finding import Finding
from gradlint.model.data.settings import Setting
from gradlint.simulate.assumptions import STEPS_OUT_OF_SIGHT
from gradlint.simulate.scene import Scene
from gradlint.simulate.world import last_part

_MOST = 2
"""Limit on the settings that one finding names."""


def stated(finding: Finding, scene: Scene) -> str:
    """The settings from files behind a finding, as clauses for the end of its reason."""
    known = scene.run.asked.stated
    if not known:
        return ""
    named = dict.fromkeys(name for name in _behind(finding, scene) if name in known)
    clauses = dict.fromkeys(f"; `{last_part(name)}` is {_shown(known[name])}" for name in named)
    return "".join(list(clauses)[:_MOST])


def _behind(finding: Finding, scene: Scene) -> Iterator[str]:
    """The settings that a finding depends on: N if it is about N, and the conditions on the way to the code."""
    told = f"{finding.message} {finding.reason}"
    if re.search(r"\bN\b|windows?\b|micro-batch", told) or scene.n in told:
        trace = scene.run.trace
        yield from sorted((name for name in trace.n_names if trace.settings.get(name) == scene.view.size), key=len)
        if any(each.through == "deepspeed" for each in scene.view.backwards):
            yield f"deepspeed{STEPS_OUT_OF_SIGHT}"
    for branch, _, _ in scene.event.path:
        yield scene.run.asked.branches.get(branch, "")


def _shown(setting: Setting) -> str:
    value = (
        {True: "true", False: "false", None: "null"}.get(setting.value, setting.value)
        if _is_word(setting.value)
        else setting.value
    )
    return f"{value} in `{setting.place}`"


def _is_word(value: object) -> bool:
    return value is None or isinstance(value, bool)
