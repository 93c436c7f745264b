"""Which choices and bugs exclude each other, as tables with their reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from .plan import BUGS, Plan

Test = Callable[[Plan], bool]
Change = Callable[[Plan], Plan]


def consistent(plan: Plan) -> Plan:
    """The nearest plan that means something: choices that exclude each other are settled, bugs without a place dropped."""
    plan = _settled(plan, _CHOICES)
    bugs = set(plan.bugs)
    for rivals, _ in _RIVALS:
        bugs -= set([bug for bug in rivals.split() if bug in bugs][1:])
    plan = replace(plan, bugs=frozenset(bugs))
    nowhere = (bug for each in _NO_PLACE if each.when(plan) for bug in each.codes)
    return _settled(replace(plan, bugs=plan.bugs.difference(nowhere)), _ASKED_BY_BUGS)


def _settled(plan: Plan, table: Iterable[Choice]) -> Plan:
    for choice in table:
        if choice.when(plan):
            plan = choice.change(plan)
    return plan


# Choices


@dataclass(frozen=True)
class Choice:
    """Where something is true of a plan, others of its choices are changed. A table of these is applied from top to bottom."""

    when: Test
    change: Change
    why: str


def _to(**choices: Any) -> Change:
    return lambda plan: replace(plan, **choices)


def _without(*noise: str) -> Change:
    return lambda plan: replace(plan, noise=tuple(each for each in plan.noise if each not in noise))


_CHOICES = (
    Choice(
        lambda p: p.engine == "accumulate",
        _to(loop="enumerate", guard="if", tail="guard", zero="method", amp="no", optimizers=1, accumulates=True),
        "Accelerate counts micro-batches, gates the update and scales by itself",
    ),
    Choice(
        lambda p: p.engine == "accumulate",
        _to(aux=False, log="no"),
        "its loop is written with a plain loss, of which nothing is told",
    ),
    Choice(
        lambda p: p.engine == "accumulate" and p.loss == "twice",
        _to(loss="criterion"),
        "the same",
    ),
    Choice(
        lambda p: p.engine == "accumulate" and p.division == "rescale", _to(division="inline"), "gradients are left to Accelerate"
    ),
    Choice(lambda p: p.engine == "accumulate" and p.ema == "own", _to(ema="no"), "its loop is written with PyTorch's average"),
    Choice(
        lambda p: p.engine == "accumulate",
        _without("skip nan", "save", "grad norm", "other loop", "try"),
        "its body is a `with`, in which these have no place",
    ),
    Choice(lambda p: p.engine == "prepared", _to(amp="no"), "Accelerate has the scaler"),
    Choice(
        lambda p: p.engine == "prepared" and p.division in ("gradient", "rescale"),
        _to(division="assign"),
        "its `backward` takes a loss and keeps the gradients",
    ),
    Choice(lambda p: p.amp == "no", _to(unscale=False, autocast=False), "there is nothing to unscale"),
    Choice(lambda p: p.amp != "no" and p.clip != "no", _to(unscale=True), "gradients are clipped as they are meant"),
    Choice(lambda p: p.optimizers == 1, _to(together=False), "one optimizer needs no loop"),
    Choice(lambda p: p.scheduler in ("no", "step", "lambda", "epoch"), _to(length="floor"), "these have no end"),
    Choice(
        lambda p: p.scheduler == "onecycle" and p.length == "floor",
        _to(length="ceil"),
        "PyTorch refuses a step more than it was told",
    ),
    Choice(
        lambda p: p.scheduler == "epoch" and p.finite and not p.restarts,
        _to(scheduler="step"),
        "a window that two passes share has no rate of its own",
    ),
    Choice(lambda p: not p.finite, _to(length="literal"), "a stream has no length"),
    Choice(lambda p: p.windowed, _to(guard="if", tail="guard"), "the update stands after the loop over micro-batches"),
    Choice(lambda p: p.resets and p.guard != "flag", _to(guard="if"), "the counter goes back under the test"),
    Choice(
        lambda p: (p.windowed or p.resets or not p.accumulates) and p.zero == "before forward",
        _to(zero="method"),
        "no index tells the window's first micro-batch",
    ),
    Choice(
        lambda p: p.guard == "continue" and ("skip nan" in p.noise or "try" in p.noise or p.loop == "bottom"),
        _to(guard="if"),
        "there is a second way out of the body, or a count at its end, which `continue` passes over",
    ),
    Choice(
        lambda p: p.windowed or p.resets or p.loop in ("bottom", "before test", "global", "stream"),
        _without("skip nan"),
        "what is skipped would make a window of another length",
    ),
    Choice(
        lambda p: (
            p.engine == "ddp"
            and (p.guard in ("continue", "else", "function") or p.windowed or p.resets or p.loop == "before test")
        ),
        _to(loop="enumerate"),
        "whether to synchronise is known before the forward pass",
    ),
    Choice(lambda p: p.engine == "ddp", _to(guard="flag", tail="guard"), "the same, and it is kept in a name"),
    Choice(lambda p: p.engine == "ddp", _to(optimizers=1), "the wrapper has no `body` and no `head`"),
    Choice(lambda p: p.engine == "ddp" and p.zero == "model", _to(zero="method"), "gradients are zeroed by their optimizer"),
    Choice(
        lambda p: p.engine == "ddp" and p.loss in ("helper", "twice"),
        _to(loss="criterion"),
        "one forward and one backward pass stand where synchronisation is switched",
    ),
    Choice(lambda p: not p.accumulates, _to(tail="guard", guard="if"), "no window is left open"),
    Choice(
        lambda p: not p.accumulates and p.loop not in ("enumerate", "from one", "range", "zip", "tqdm"),
        _to(loop="enumerate"),
        "nothing counts micro-batches but the loop",
    ),
    Choice(lambda p: not _has_tail(p), _to(tail="none"), "no window ends with a pass"),
    Choice(lambda p: _has_tail(p) and p.tail == "none", _to(tail="guard"), "a pass may end inside a window"),
    Choice(
        lambda p: p.loop in ("while", "before test", "reset") and p.tail == "guard",
        _to(tail="after"),
        "these close their tail after the pass",
    ),
    Choice(lambda p: p.loop == "nested", _to(tail="none"), "the last slice is as long as the rest"),
    Choice(lambda p: p.loop == "nested" and p.division == "rescale", _to(division="assign"), "the last slice is shorter than N"),
    Choice(lambda p: p.loop != "nested", _to(named_slice=False), "there is no slice"),
    Choice(
        lambda p: p.engine == "ddp" and p.model == "in place", _to(model="function"), "the model is whole before it is wrapped"
    ),
    Choice(lambda p: p.windowed and p.log == "sum", _to(log="no"), "the sum would be of one window"),
)


def _has_tail(plan: Plan) -> bool:
    return plan.finite and plan.loop not in ("global", "reset carried")


_ASKED_BY_BUGS = (
    Choice(lambda p: p.has("GRD501"), _to(optimizer="Adam"), "it is a bug of this one"),
    Choice(
        lambda p: p.has("GRD201", "GRD204") and p.tail == "after",
        _to(tail="guard"),
        "at such a boundary the leftover is another one",
    ),
)


# Bugs


@dataclass(frozen=True)
class Bugs:
    """Some bugs, and where they have no place in a program."""

    codes: tuple[str, ...]
    when: Test
    why: str


def _some(codes: str, when: Test, why: str) -> Bugs:
    return Bugs(tuple(codes.split()), when, why)


def _all_but(codes: str, when: Test, why: str) -> Bugs:
    return Bugs(tuple(bug for bug in BUGS if bug not in codes.split()), when, why)


_RIVALS = (
    ("GRD101 GRD102 GRD103 GRD104 GRD105", "the loss has one divisor"),
    ("GRD203 GRD205 GRD206", "gradients are zeroed in one place"),
    ("GRD301 GRD303", "gradients are clipped in one place"),
    ("GRD305 GRD307", "the scaler is updated in one place"),
    ("GRD401 GRD403", "the schedule advances in one place"),
    ("GRD601 GRD602 GRD603", "synchronisation is switched in one place"),
)
"""Bugs of which a program carries one, the first; and why."""

_NO_PLACE = (
    _all_but(
        "GRD205 GRD206 GRD302 GRD303 GRD306 GRD307 GRD403 GRD501", lambda p: not p.accumulates, "they are bugs of accumulation"
    ),
    _all_but("GRD102 GRD205 GRD301 GRD404 GRD501 GRD502", lambda p: p.engine == "accumulate", "Accelerate does the rest right"),
    _some("GRD201 GRD202 GRD204", lambda p: p.windowed, "the loop over micro-batches is the window"),
    _some("GRD201", lambda p: p.resets, "the count begins where a window does"),
    _some("GRD202", lambda p: p.tail == "none", "there is no tail to drop"),
    _some("GRD104", lambda p: not p.aux or p.loss == "twice", "the loss has one term"),
    _some(
        "GRD102 GRD104 GRD105 GRD106", lambda p: p.division in ("gradient", "helper", "rescale"), "no expression divides the loss"
    ),
    _some("GRD105", lambda p: p.engine == "prepared" and p.division == "hoisted", "Accelerate divides the loss"),
    _some("GRD502", lambda p: p.model == "net", "the model is another file's"),
    _some("GRD206", lambda p: p.division == "rescale", "gradients that were wiped do not show what divided them"),
    _some(
        "GRD103",
        lambda p: p.division in ("gradient", "helper", "hoisted", "if more", "rescale"),
        "the divisor stands in several places or far from the loss",
    ),
    _some(
        "GRD103", lambda p: p.steps_as in ("args", "local"), "nobody knows that a number is not what the command line will say"
    ),
    _some("GRD106", lambda p: p.division == "inline" or p.loss == "twice", "the name of the loss holds what was not divided"),
    _some("GRD106", lambda p: p.log == "no", "nothing is told of the loss"),
    _some("GRD106", lambda p: p.has("GRD101", "GRD102", "GRD103", "GRD104"), "the loss is not divided by N alone"),
    _some("GRD302 GRD304 GRD305 GRD306 GRD307", lambda p: p.amp == "no", "there is no scaler"),
    _some(
        "GRD302 GRD304 GRD305 GRD306 GRD307",
        lambda p: p.amp == "enabled" and p.has("GRD306"),
        "what bypasses a scaler that is switched off is no bypass",
    ),
    _some("GRD302 GRD304 GRD305 GRD307", lambda p: p.has("GRD306"), "what bypasses the scaler is neither unscaled nor updated"),
    _some("GRD301 GRD302 GRD303", lambda p: p.clip == "no", "nothing is clipped"),
    _some("GRD302", lambda p: p.has("GRD301", "GRD303"), "the clip stands elsewhere"),
    _some("GRD304", lambda p: not p.unscale or p.has("GRD302"), "nothing is unscaled"),
    _some("GRD401 GRD403", lambda p: p.scheduler in ("no", "epoch"), "no schedule advances with the update"),
    _some("GRD402", lambda p: p.scheduler in ("no", "epoch", "step", "lambda"), "the schedule has no length"),
    _some("GRD402", lambda p: p.length == "literal", "the length is a number that says nothing of the data"),
    _some("GRD402", lambda p: p.has("GRD401"), "stepped at each micro-batch, it is as long as it is stepped"),
    _some("GRD105", lambda p: p.loss == "helper", "a mask in the function that computes the loss is not looked for"),
    _some("GRD404", lambda p: p.ema == "no", "there is no average"),
    _some("GRD601 GRD602 GRD603", lambda p: p.engine != "ddp", "there is one process"),
    _some(
        "GRD101 GRD102 GRD103 GRD105 GRD201 GRD202 GRD203 GRD205 GRD206 GRD301 GRD303 GRD304 GRD305 GRD401 GRD402 GRD403 "
        "GRD404 GRD502 GRD601 GRD602 GRD603",
        lambda p: p.has("GRD204"),
        "each micro-batch has its own update: there is no window to be wrong about",
    ),
    _some(
        "GRD201 GRD203 GRD204 GRD205 GRD206",
        lambda p: p.zero == "before forward",
        "a test of its own says where gradients are zeroed",
    ),
    _some("GRD305 GRD401 GRD404", lambda p: p.guard == "continue", "nothing follows the test inside a window"),
)
