"""Turns the faults that runs show into findings, one per place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import libcst as cst

from gradlint.analysis.stated import stated
from gradlint.diagnostic import Applicability
from gradlint.finding import Finding
from gradlint.rule import Rule
from gradlint.simulate.scene import Scene


def shown(
    found: Sequence[Scene], rules: Iterable[Rule], is_checked: Callable[[cst.CSTNode], bool]
) -> Iterator[tuple[Rule, Finding]]:
    """The findings for the faults of some runs. Each place gets one finding, no matter how many loops reach it.

    `is_checked` says whether gradlint reports findings in the file of a node.
    """
    for rule in rules:
        if rule.shown is None:
            continue
        places: dict[int, list[Scene]] = {}
        for scene in found:
            if scene.fault.code == rule.code:
                places.setdefault(id(scene.place), []).append(scene)
        for scenes in places.values():
            apart = list({id(scene.loop): scene for scene in reversed(scenes)}.values())[::-1]
            findings = [rule.shown(scene) for scene in apart]
            finding = _joined(findings)
            if not is_checked(finding.at):
                finding = _at_the_event(finding, scenes[0], is_checked)
            yield rule, replace(finding, reason=(finding.reason + stated(finding, scenes[0]) + scenes[0].where).lstrip("; "))


def _at_the_event(finding: Finding, scene: Scene, is_checked: Callable[[cst.CSTNode], bool]) -> Finding:
    """The finding at the event of its fault, since the code that decides about it is in a file without training code."""
    at = scene.place if is_checked(scene.place) else scene.event.node
    return replace(finding, at=at, related=(*finding.related, (finding.at, "it depends on")))


def _joined(findings: Sequence[Finding]) -> Finding:
    """Merge the findings of several loops that reach one place. The fix applies only if every loop has one."""
    bare = next((each for each in findings if each.fix is None), None)
    if bare is not None or len(findings) == 1:
        return bare or findings[0]
    fixes = [each.fix for each in findings if each.fix is not None]
    careful = next((each for each in fixes if each.applicability is Applicability.UNSAFE), fixes[0])
    note = next((each.note for each in findings if each.note is not None), None)
    edits = tuple(dict.fromkeys(edit for each in fixes for edit in each.edits))
    return replace(findings[0], fix=replace(careful, edits=edits), note=note)
