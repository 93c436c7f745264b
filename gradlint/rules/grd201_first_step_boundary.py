"""GRD201 first-step-boundary; the page is rules/GRD201.md."""

from __future__ import annotations

from gradlint.finding import Finding, no_fix
from gradlint.fixes.shift_by_trace import shift
from gradlint.rule import trace_rule
from gradlint.simulate.deciding import Decision, decided
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.tails import ALL_BUT_THE_LAST, NEVER_AGAIN

_INVERTED = no_fix("the condition is the opposite of the one that ends a window")
_STALLED = no_fix("the count must go up on each micro-batch, and other code may read it")


@trace_rule(
    "GRD201",
    "first-step-boundary",
    "The optimizer's condition is true on the wrong micro-batch of the window",
    promise=changing(windows=True),
)
def first_step_boundary(scene: Scene) -> Finding:
    guard, related = scene.guard, ((scene.step.node, "the weights change here"),)
    if scene.fault.why == ALL_BUT_THE_LAST:
        holds = f"{brief(guard)} is true" if guard is not None else f"{brief(scene.step.node)} runs"
        reason = f"{scene.there} closes windows of one micro-batch, and carries the gradients of the last into the next window"
        return Finding(
            guard or scene.place, f"{holds} on all micro-batches but the last of a window", reason, related, note=_INVERTED
        )
    if scene.fault.why == NEVER_AGAIN:
        asked = scene.quoted(guard) if guard is not None else "its condition"
        reason = f"{asked} tests a count that does not change, so the gradients of all later micro-batches are never used"
        return Finding(
            guard or scene.place, f"{brief(scene.step.node)} runs once and never again", reason, related, note=_STALLED
        )
    found = decided(scene.view, scene.step)
    fix, note = shift(scene)
    return Finding(found.test if found is not None else guard or scene.place, *_told(scene, found), related, fix, note)


def _told(scene: Scene, found: Decision | None) -> tuple[str, str]:
    """What is wrong with the first window, and the effect of that."""
    if found is None:
        return "The first window differs in size from the others", f"{scene.there} closes it"
    test, size = brief(found.test, 40), scene.view.first_size
    right, wrong = ("true", "not true") if found.closes else ("false", "true")
    if size == 1:
        return (
            f"{test} is {right} on the very first micro-batch",
            f"{scene.there} updates after a single micro-batch, and every later window is shifted",
        )
    if size == scene.view.size + 1 and found.asked[0].holds is found.closes:
        away = f"another test keeps {scene.there} from running then"
        return f"{test} is {right} on the very first micro-batch", f"{away}, so the first window has one micro-batch too many"
    if size == scene.view.size + 1:
        reason = f"the first window of {scene.there} has one micro-batch too many"
        return f"{test} is first {right} on micro-batch N + 1", reason
    return f"{test} is {wrong} on the last micro-batch of a window", f"the first window of {scene.there} has the wrong length"
