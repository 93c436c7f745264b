"""Which choices and bugs of a wild program exclude each other, as tables with their reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from .plan import BUGS, INDEXED, LISTED, UNENDING, WINDOWED, Wild

Test = Callable[[Wild], bool]


@dataclass(frozen=True)
class Choice:
    """Where something is true of a plan, others of its choices are changed. The table is applied from top to bottom."""

    when: Test
    change: Callable[[Wild], Wild]
    why: str


@dataclass(frozen=True)
class Bugs:
    """Some bugs, and where they have no place in a program."""

    codes: tuple[str, ...]
    when: Test
    why: str


def consistent(plan: Wild) -> Wild:
    """The nearest plan that means something: choices that exclude each other are settled, bugs without a place dropped."""
    plan = _settled(plan, _CHOICES)
    bugs = set(plan.bugs)
    for rivals, _ in _RIVALS:
        bugs -= set([bug for bug in rivals.split() if bug in bugs][1:])
    plan = replace(plan, bugs=frozenset(bugs))
    plan = replace(plan, bugs=plan.bugs.difference(bug for each in _NO_PLACE if each.when(plan) for bug in each.codes))
    return _settled(plan, _ASKED_BY_BUGS)


def _settled(plan: Wild, table: Iterable[Choice]) -> Wild:
    for choice in table:
        if choice.when(plan):
            plan = choice.change(plan)
    return plan


def _to(**choices: Any) -> Callable[[Wild], Wild]:
    return lambda plan: replace(plan, **choices)


def _without(*around: str) -> Callable[[Wild], Wild]:
    return lambda plan: replace(plan, around=tuple(each for each in plan.around if each not in around))


_NEED_LENGTH = ("range", "order", "indices", "inner while", "listed", "chunks")

_CHOICES = (
    Choice(lambda p: p.data == "stream", _to(feed="plain"), "the stream has no length, either"),
    Choice(
        lambda p: p.feed in ("pairs", "sizeless", "cut") and p.walk in (*_NEED_LENGTH, *UNENDING),
        _to(feed="plain"),
        "these walks ask for the length, or for more than a pass",
    ),
    Choice(lambda p: p.feed == "generator" and p.walk == "progress", _to(feed="plain"), "the bar asks for a length"),
    Choice(lambda p: not p.counted, _to(gate="inline"), "no test tells which micro-batch closes a window"),
    Choice(lambda p: p.gate == "early return", _to(boundary="plain"), "the function has the test"),
    Choice(lambda p: not p.finite, _to(each_pass="inline", rescue="no"), "there is no pass"),
    Choice(lambda p: p.walk == "losses", _to(watch="no"), "the losses of a window have no gradients before its end"),
    Choice(lambda p: p.walk == "losses" and p.rescue == "memory", _to(rescue="no"), "the losses have one backward pass"),
    Choice(
        lambda p: p.data == "stream" and p.walk in (*_NEED_LENGTH, *UNENDING),
        _to(data="loader"),
        "these walks ask for the length, or for more than the stream has",
    ),
    Choice(lambda p: not p.measured and p.counter == "epochs", _to(counter="name"), "the length of a pass is in the formula"),
    Choice(
        lambda p: not p.measured and p.boundary in ("ends", "table"), _to(boundary="plain"), "they are listed up to the length"
    ),
    Choice(lambda p: not p.measured, _without("bar", "total", "mean"), "they tell of a length"),
    Choice(
        lambda p: p.counted and p.walk not in INDEXED and p.counter in ("index", "epochs"),
        _to(counter="name"),
        "the walk numbers nothing",
    ),
    Choice(
        lambda p: p.walk in ("steps", "restarted"),
        _to(counter="index", carried=False, resumed=False),
        "one loop counts all micro-batches",
    ),
    Choice(lambda p: p.counter == "index", _to(carried=False), "the index begins anew"),
    Choice(
        lambda p: p.resumed and p.counted and p.counter not in ("index", "epochs"), _to(carried=True), "what is resumed goes on"
    ),
    Choice(lambda p: p.walk == "inner range", _to(resumed=False), "there are no passes to resume"),
    Choice(lambda p: p.boundary == "bits" and p.n == 3, _to(n=4), "3 is no power of two"),
    Choice(lambda p: not p.restarts and p.boundary in ("ends", "table"), _to(boundary="plain"), "they are listed for a pass"),
    Choice(
        lambda p: p.counter == "closure" and p.boundary == "walrus",
        _to(counter="name"),
        "two names for a number that is in a name already",
    ),
    Choice(
        lambda p: p.boundary == "continue" and (p.walk == "prefetch" or "stop" in p.around),
        _to(boundary="plain"),
        "`continue` passes over what stands at the end of the body",
    ),
    Choice(
        lambda p: p.walk == "prefetch",
        _without("finite"),
        "the same",
    ),
    Choice(
        lambda p: p.boundary in ("cycle", "countdown", "property") or p.walk in WINDOWED or p.walk == "losses",
        _without("finite"),
        "a micro-batch that is skipped would be counted or not",
    ),
    Choice(
        lambda p: p.walk != "prefetch" and not p.measured, _to(tail="after"), "only the walk's end tells the last micro-batch"
    ),
    Choice(lambda p: p.walk == "losses", _to(tail="after"), "what is left in the list is asked after the pass"),
    Choice(lambda p: p.division == "size" and p.walk not in (*LISTED, "losses"), _to(division="assign"), "no list is the window"),
    Choice(
        lambda p: p.division in ("gradients", "gradient") and p.walk == "losses",
        _to(division="inline"),
        "the sum is divided",
    ),
    Choice(lambda p: p.loss == "criterion" and p.stage == "shared", _to(loss="helper"), "what is shared is a helper"),
    Choice(lambda p: p.stage == "shared", _to(loss="helper"), "the same"),
    Choice(lambda p: p.backward == "helper" and p.division == "gradient", _to(division="assign"), "the helper takes a loss"),
    Choice(
        lambda p: p.terms == 3 and p.loss in ("tuple", "object", "model", "returned dict"),
        _to(terms=2),
        "these have one place for a second term",
    ),
    Choice(lambda p: p.terms == 1, _to(optional=False), "the one term is there"),
    Choice(lambda p: p.update == "method" and p.frame != "trainer", _to(update="function"), "no class has it"),
    Choice(lambda p: p.zero == "hand" and p.update in ("aliases", "context"), _to(zero="method"), "the optimizer zeroes"),
    Choice(lambda p: p.zero == "model" and p.update in ("aliases", "context"), _to(zero="method"), "the same"),
    Choice(lambda p: p.scheduler in ("no", "step", "lambda"), _to(length="inline"), "these have no end"),
    Choice(lambda p: "noise" in p.around and p.amp, _without("noise"), "it would be scaled"),
    Choice(lambda p: p.clip == "own" and p.division == "gradients", _to(division="assign"), "both multiply gradients by hand"),
    Choice(lambda p: p.walk in UNENDING, _without("mean", "stop"), "there is no pass"),
    Choice(
        lambda p: not p.counted or p.counter != "index" or not p.finite or p.resumed,
        _without("skipped"),
        "no index tells which micro-batches were done already",
    ),
    Choice(
        lambda p: p.boundary in ("since", "property", "countdown", "cycle") or p.walk == "prefetch",
        _without("skipped"),
        "what counts by itself would begin elsewhere",
    ),
    Choice(lambda p: p.backward != "plain", _to(precision="settled"), "the helper and the alias are of one precision"),
    Choice(lambda p: p.clip == "no", _to(clipping="always"), "nothing is clipped"),
    Choice(lambda p: p.scheduler == "no", _to(scheduling="always"), "no schedule is handed in"),
    Choice(
        lambda p: p.amp or p.precision == "option" or p.backward != "plain" or p.division == "gradient",
        _to(engines="one"),
        "an Accelerator takes a loss, and has the scaler",
    ),
    Choice(
        lambda p: not p.amp or p.precision == "option" or p.scheduler == "no" or p.scheduling != "always",
        _to(advance="always"),
        "no scaler tells whether it stepped",
    ),
    Choice(
        lambda p: p.update in ("context", "callbacks", "aliases"),
        _to(advance="always"),
        "the scaler is asked where the schedule advances",
    ),
)

_ASKED_BY_BUGS = (
    Choice(
        lambda p: p.has("GRD204", "GRD305", "GRD306", "GRD307", "GRD401", "GRD403"),
        _to(advance="always"),
        "the schedule asks the scaler after its step",
    ),
    Choice(
        lambda p: p.has("GRD204", "GRD302", "GRD304", "GRD305", "GRD306", "GRD307"),
        _to(precision="settled"),
        "the bug is of a scaler that is there",
    ),
    Choice(lambda p: p.has("GRD402"), _without("skipped"), "the run is shorter than the data"),
    Choice(
        lambda p: p.has("GRD104"),
        lambda p: replace(_without("mean", "logged")(p), report="no"),
        "what is told would be of a loss that is divided in part",
    ),
    Choice(
        lambda p: p.has("GRD201", "GRD202"), _without("limit"), "at another boundary it would end the run at another micro-batch"
    ),
    Choice(
        lambda p: p.has("GRD401", "GRD204") and p.scheduler == "onecycle",
        _to(scheduler="cosine"),
        "PyTorch refuses a step more than it was told",
    ),
    Choice(
        lambda p: p.has("GRD201") and p.tail == "after" and (p.measured or p.walk == "prefetch") and p.restarts,
        _to(tail="guard"),
        "at such a boundary the leftover is another one",
    ),
)

_REMEMBERS = ("property", "flag", "flag in dict", "flag in object", "since", "countdown")
"""Boundaries that know by themselves what is left after a pass, whatever they begin with."""

_RIVALS = (
    ("GRD101 GRD102 GRD103 GRD104", "the loss has one divisor"),
    ("GRD203 GRD205 GRD206", "gradients are zeroed in one place"),
    ("GRD301 GRD302 GRD303", "gradients are clipped in one place"),
    ("GRD305 GRD307 GRD306", "the scaler is updated in one place"),
    ("GRD401 GRD403 GRD402", "the schedule advances in one place"),
    ("GRD201 GRD202", "there is one boundary"),
)
"""Bugs of which a program carries one, the first; and why."""


def _some(codes: str, when: Test, why: str) -> Bugs:
    return Bugs(tuple(codes.split()), when, why)


_PER_MICRO_BATCH = "GRD203 GRD204 GRD301 GRD304 GRD305 GRD401 GRD404"

_NO_PLACE = (
    _some(_PER_MICRO_BATCH, lambda p: p.walk == "losses", "all losses of a window have one backward pass"),
    _some("GRD201 GRD202", lambda p: not p.counted, "the loop over micro-batches is the window"),
    _some(
        "GRD201",
        lambda p: not p.measured and p.restarts and p.walk != "prefetch" and p.boundary not in _REMEMBERS,
        "no length tells the last micro-batch, and at such a boundary the leftover is another one",
    ),
    _some("GRD201", lambda p: p.feed == "cut", "a pass is too short to have a full window after the first"),
    _some("GRD202", lambda p: not p.finite or not p.restarts, "there is no tail to drop"),
    _some("GRD101 GRD102 GRD103", lambda p: p.division == "gradients" and p.walk == "losses", "nothing divides a loss"),
    _some(
        "GRD102", lambda p: p.division == "size", "a window's own size has no square that a run could tell from another number"
    ),
    _some("GRD103", lambda p: p.settings == "args", "nobody knows that a number is not what the command line will say"),
    _some("GRD104", lambda p: p.terms == 1, "the loss has one term"),
    _some(
        "GRD104",
        lambda p: p.division in ("gradients", "gradient", "size") or p.stage == "shared",
        "the terms are divided where they are one",
    ),
    _some(
        "GRD101 GRD102 GRD103 GRD104 GRD201 GRD202 GRD203 GRD205 GRD206 GRD301 GRD302 GRD303 GRD304 GRD305 GRD307 GRD306 GRD401 "
        "GRD402 GRD403 GRD404",
        lambda p: p.has("GRD204"),
        "each micro-batch has its own update: there is no window to be wrong about",
    ),
    _some("GRD204", lambda p: p.division == "gradients", "gradients that are not divided where they are stepped"),
    _some("GRD204", lambda p: p.update == "context", "the step is the context's"),
    _some("GRD206", lambda p: p.division == "gradients", "gradients that were wiped do not show what divided them"),
    _some("GRD206", lambda p: "noise" in p.around or p.clip == "own", "there is nothing to work on"),
    _some("GRD302 GRD304 GRD305 GRD306 GRD307", lambda p: not p.amp, "there is no scaler"),
    _some("GRD301 GRD302 GRD303", lambda p: p.clip in ("no", "own"), "nothing is clipped in a way that is known"),
    _some("GRD304 GRD302", lambda p: p.has("GRD306"), "what bypasses the scaler is not unscaled"),
    _some("GRD302", lambda p: p.has("GRD304"), "it is unscaled, elsewhere"),
    _some("GRD301", lambda p: p.amp and p.has("GRD304"), "the clip stands by the unscaling"),
    _some("GRD401 GRD403", lambda p: p.scheduler == "no", "there is no schedule"),
    _some("GRD402", lambda p: p.scheduler not in ("cosine", "onecycle"), "the schedule has no length"),
    _some("GRD402", lambda p: not p.measured or not p.finite or p.walk == "chunks", "no length counts micro-batches"),
    _some("GRD402", lambda p: "limit" in p.around, "the run may be shorter than the data"),
    _some("GRD404", lambda p: p.ema == "no", "there is no average"),
    _some("GRD305 GRD401 GRD404", lambda p: p.counted and p.boundary == "continue", "nothing follows the test inside a window"),
    _some("GRD205", lambda p: p.stage == "second", "the second training zeroes"),
    _some("GRD203", lambda p: p.update == "context", "the context zeroes"),
    _some("GRD205 GRD206 GRD303 GRD403", lambda p: p.update == "context", "the same, and it knows its order"),
)

assert {code for each in _NO_PLACE for code in each.codes} <= set(BUGS)
