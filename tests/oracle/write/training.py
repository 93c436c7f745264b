"""The loops: passes over the data, micro-batches, and the boundary at which a window closes."""

from __future__ import annotations

from .. import loops
from .accelerated import accumulated
from .lines import indent
from .loss import hoisted
from .noise import each_micro_batch, each_pass
from .script import Script
from .synchronisation import passes
from .update import after_step, averaging, call, clip, scaler_update, schedule, step, unscale, until_step, update, zero


def training(script: Script) -> list[str]:
    plan, place = script.plan, script.walk
    loop = [place.header, *indent(_micro_batch(script))]
    if place.outer:
        loop = [place.outer, *indent([*place.opened, *loop, *update(script)])]
    loop = [*place.before, *loop, *_tail(script)]
    if plan.log == "sum":
        loop = ["running = 0.0", *loop, f'print("loss", running / len({script.loader}))']
    loop += each_pass(script)
    if plan.finite:
        loop = [f"for {script.words.epoch} in range(EPOCHS):", *indent(loop)]
    return [*hoisted(script), *place.once, *loop]


def _tail(script: Script) -> list[str]:
    """What follows the last micro-batch of a pass."""
    plan = script.plan
    lines: list[str] = []
    if plan.tail == "after" and not script.has("GRD202"):
        lines += [f"if {loops.leftover(plan, script.walk, script.n, script.loader)}:", *indent(call(script))]
    if plan.scheduler == "epoch":
        lines.append(f"{script.scheduler}.step()")
    return lines


def _micro_batch(script: Script) -> list[str]:
    """The body of the micro loop."""
    plan, place = script.plan, script.walk
    noise = each_micro_batch(script)
    if plan.engine == "accumulate":
        return [*accumulated(script), *noise]
    if not plan.accumulates:
        first = [] if script.has("GRD205", "GRD206") else zero(script)
        return [*place.top, *first, *passes(script), *place.counted, *update(script), *noise, *place.bottom]
    flag = [f"closes = {script.boundary}"] if plan.guard == "flag" and place.outer is None else []
    early, late = ([], flag) if place.counted else (flag, [])
    until = [*place.top, *early, *_zero_before_forward(script), *passes(script), *place.counted, *late, *_strays_before(script)]
    after = [*_strays_after(script), *noise]
    closing = _guarded(script) if place.outer is None else []
    rest = [*after, *closing] if plan.guard == "continue" else [*closing, *after]
    return [*until, *rest, *place.bottom]


def _zero_before_forward(script: Script) -> list[str]:
    if script.has("GRD203"):
        return zero(script)
    if script.plan.zero != "before forward":
        return []
    place, n = script.walk, script.n
    first = f"({place.index} - 1) % {n} == 0" if place.start == 1 and not place.counted else f"{place.index} % {n} == 0"
    return [f"if {first}:", *indent(zero(script))]


def _guarded(script: Script) -> list[str]:
    """The update, under the test for the boundary, in one of the ways to write that."""
    plan, block, test = script.plan, call(script), script.boundary
    match plan.guard:
        case "flag":
            return ["if closes:", *indent(block)]
        case "function":
            return [f"if closes_window({script.walk.index}, {script.n}, {script.loader}):", *indent(block)]
        case "continue":
            return [f"if {loops.negated(test)}:", "    continue", *block]
        case "else":
            return [f"if {loops.negated(test)}:", "    waiting = True", "else:", *indent(block)]
        case "twice negated":
            return [f"if not ({loops.negated(test)}):", *indent(block)]
        case "split":
            second = after_step(script)
            if second and not plan.resets:
                return [f"if {test}:", *indent(until_step(script) or ["pass"]), f"if {test}:", *indent(second)]
    return [f"if {test}:", *indent(block)]


def _strays_before(script: Script) -> list[str]:
    """What bugs do at each micro-batch, before the boundary."""
    lines: list[str] = []
    if script.has("GRD304"):
        lines += unscale(script)
    if script.has("GRD301"):
        lines += clip(script) if script.has("GRD304") else [*unscale(script), *clip(script)]
    if script.has("GRD204"):
        lines += [] if script.has("GRD302") else unscale(script)
        lines += [*clip(script), *step(script)]
    if script.has("GRD401") and script.plan.spelling == 4:
        lines += schedule(script)
    return lines


def _strays_after(script: Script) -> list[str]:
    """What bugs do at each micro-batch, after the boundary."""
    lines: list[str] = []
    if script.has("GRD305"):
        lines += scaler_update(script)
    if script.has("GRD401") and script.plan.spelling != 4:
        lines += schedule(script)
    if script.has("GRD404"):
        lines += averaging(script)
    return lines
