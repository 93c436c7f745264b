"""The proofs: each script as written and as repaired, beside its large-batch reference, and what that measures."""

from __future__ import annotations

import functools
import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import stand_in_deepspeed
import torch
import torch.nn.functional as F
from observer import Observed, run_script
from ranks import run_ranks
from reference import Setup, adamw, points, reference
from torch import Tensor, nn
from torch.optim import Optimizer

from gradlint import FixedSource, fix_source

SCRIPTS = Path(__file__).resolve().parent / "scripts"
ENOUGH = 1e-3  # a faulty run is at least this far off
CLOSE = 1e-9  # a repaired run is at most this far off
_MARKER = re.compile(r"[ \t]*# expect: [A-Z0-9, ]+$", re.M)


@dataclass(frozen=True)
class Outcome:
    """A script's runs, as written and as repaired, and the reference of each; `peers` are the other process's runs."""

    setup: Setup
    faulty: Observed
    cured: Observed
    meant: Observed
    cured_meant: Observed
    peers: tuple[Observed, Observed] | None = None

    @property
    def off(self) -> float:
        return miss(self.faulty, self.meant)


@dataclass(frozen=True)
class Measure:
    """How far off the faulty run is, in the unit of the sentence that says so."""

    harm: float
    sentence: str


@dataclass(frozen=True)
class Proof:
    """A script, the training that it means to do, and how its harm is measured."""

    script: str
    measure: Callable[[Outcome], Measure]
    setup: Setup = Setup()
    cured_setup: Callable[[str], Setup] | None = None
    """The training that the repaired script means, where the repair changes it."""

    @property
    def code(self) -> str:
        return self.script[:6]

    @property
    def marked(self) -> str:
        return (SCRIPTS / f"{self.script}.py").read_text(encoding="utf-8")

    @property
    def source(self) -> str:
        return _MARKER.sub("", self.marked)

    @property
    def by_hand(self) -> Path:
        """The repaired script, for a rule that reports and offers no fix here."""
        return SCRIPTS / f"{self.script}.cured.py"

    @functools.cached_property
    def fixed(self) -> FixedSource:
        return fix_source(self.source, unsafe_fixes=True, select=(self.code,))

    @property
    def fixable(self) -> bool:
        return bool(self.fixed.applied)

    @functools.cached_property
    def repaired(self) -> str:
        if not self.fixable and self.by_hand.exists():
            return self.by_hand.read_text(encoding="utf-8")
        return self.fixed.source

    @property
    def needs(self) -> str | None:
        """The library beside torch that the script imports."""
        found = re.search(r"^(?:from|import) (accelerate|lightning|transformers)\b", self.source, re.M)
        return found.group(1) if found else None

    @property
    def distributed(self) -> bool:
        return "torch.distributed" in self.source

    @functools.cached_property
    def outcome(self) -> Outcome:
        meant = reference(self.setup)
        cured_meant = reference(self.cured_setup(self.repaired)) if self.cured_setup else meant
        if self.distributed:
            faulty, cured = _all_ranks()[self.script], _all_ranks()[f"{self.script}.cured"]
            return Outcome(self.setup, faulty[0], cured[0], meant, cured_meant, (faulty[1], cured[1]))
        with patch.dict(sys.modules, {"deepspeed": stand_in_deepspeed} if "import deepspeed" in self.source else {}):
            faulty_run, cured_run = (run_script(text, f"{self.script}.py") for text in (self.source, self.repaired))
        return Outcome(self.setup, faulty_run, cured_run, meant, cured_meant)

    @functools.cached_property
    def measured(self) -> Measure:
        return self.measure(self.outcome)


@functools.cache
def _all_ranks() -> dict[str, tuple[Observed, ...]]:
    scripts = {}
    for proof in PROOFS:
        if proof.distributed:
            scripts |= {proof.script: proof.source, f"{proof.script}.cured": proof.repaired}
    return run_ranks(scripts)


# Figures


def miss(run: Observed, meant: Observed) -> float:
    """The distance between two runs' final weights, as a share of the way that the reference's weights went."""
    return float((run.final - meant.final).norm() / (meant.final - meant.initial).norm())


def two(value: float) -> str:
    """A figure with two significant digits."""
    if 0 < abs(value) < 1e-3:
        return f"{value:.1e}"
    digits = 1 - math.floor(math.log10(abs(value))) if value else 0
    return f"{round(value, digits):.{max(digits, 0)}f}"


def percent(share: float) -> str:
    return f"{two(100 * share)} %" if share > 1e-4 else "less than 0.01 %"


def _raises(o: Outcome) -> str:
    return f"raises `{o.faulty.error.rstrip('.')}`"


def _ends_off(o: Outcome) -> str:
    return (
        f"After {o.faulty.updates} updates, the weights differ from the large batch's by {percent(o.off)} "
        "of the distance that training moves them."
    )


def _first(o: Outcome) -> float:
    """How many times too large the first update's gradient is."""
    return float(o.faulty.gradients[0].norm() / o.meant.gradients[0].norm())


def _too_large(times: float) -> str:
    return f"{two(times)} times too large" if times > 1 else f"{two(times)} times as large as it should be"


# What each rule's script measures


def _times_too_large(when: str) -> Callable[[Outcome], Measure]:
    return lambda o: Measure(
        abs(_first(o) - 1), f"{when}, the first update's gradient is {_too_large(_first(o))}. {_ends_off(o)}"
    )


def _penalty(o: Outcome) -> Measure:
    share = (_penalty_gradient(o.setup, o.faulty.initial, o.faulty.gradients[0]) / o.setup.penalty) if o.setup.penalty else 0.0
    return Measure(abs(share - 1), f"The penalty weighs {two(share)} times as much as it should. {_ends_off(o)}")


def _penalty_gradient(setup: Setup, weights: Tensor, gradient: Tensor) -> float:
    """The coefficient of the penalty in a gradient: what is left of it without the loss's own part, along the weights."""
    plain = reference(replace(setup, penalty=0.0)).gradients[0]
    return float((gradient - plain) @ weights / (2 * weights @ weights))


def _token_means(o: Outcome) -> Measure:
    return Measure(o.off, f"Half of the targets are masked in three of four micro-batches. {_ends_off(o)}")


def printed(run: Observed) -> list[float]:
    """The losses that a script printed."""
    return [float(value) for value in re.findall(r"loss ([\d.e+-]+)", run.printed)]


def _logged(o: Outcome) -> Measure:
    window = o.setup.window
    times = [true * window / sum(printed(o.faulty)[i * window : (i + 1) * window]) for i, true in enumerate(printed(o.meant))]
    shown = sum(times) / len(times)
    return Measure(abs(shown - 1), f"The printed losses are {two(shown)} times too small. The weights are not affected.")


def _last_logged(o: Outcome) -> Measure:
    off = [abs(shown / true - 1) for shown, true in zip(printed(o.faulty), printed(o.meant), strict=True)]
    return Measure(
        max(off),
        f"The loss that is printed at each of {len(off)} updates differs from the loss of the whole window by "
        f"{percent(sum(off) / len(off))} on average, and by up to {percent(max(off))}. The weights are not affected.",
    )


def _short_tail(o: Outcome) -> Measure:
    place = o.setup.updates // o.setup.epochs - 1
    share = float(o.faulty.gradients[place].norm() / o.meant.gradients[place].norm())
    return Measure(
        o.off,
        f"With N = 4 and a tail of 1 micro-batch, the first tail's gradient has {percent(share)} of the length of its mean. {_ends_off(o)}",
    )


def _shifted(o: Outcome) -> Measure:
    windows = o.faulty.windows[: o.faulty.updates // o.setup.epochs]
    sizes = f"{', '.join(map(str, windows[:-1]))} and {windows[-1]}"
    return Measure(
        o.off,
        f"An epoch of {o.setup.micro_batches} micro-batches is cut into windows of {sizes} instead of "
        f"{o.setup.micro_batches // o.setup.window} windows of {o.setup.window}. {_ends_off(o)}",
    )


def _left_out(o: Outcome) -> Measure:
    written, cured = (run.windows[: o.meant.updates // o.setup.epochs] for run in (o.faulty, o.cured))
    return Measure(
        o.off,
        f"With one bad micro-batch at a boundary, the updates of an epoch have {_sizes(written)} micro-batches instead of "
        f"{_sizes(cured)}. {_ends_off(o)}",
    )


def _irregular(o: Outcome) -> Measure:
    return Measure(
        o.off,
        f"While N grows from 1 to 4, the updates have {_sizes(o.faulty.windows)} micro-batches instead of "
        f"{_sizes(o.cured.windows)}. {_ends_off(o)}",
    )


def _sizes(windows: list[int]) -> str:
    return f"{', '.join(map(str, windows[:-1]))} and {windows[-1]}"


def _tail(o: Outcome) -> Measure:
    lost = o.setup.micro_batches * o.setup.epochs - o.setup.window * o.faulty.updates
    return Measure(
        o.meant.updates - o.faulty.updates,
        f"Of {o.setup.micro_batches * o.setup.epochs} micro-batches, {lost} change nothing: the run makes {o.faulty.updates} updates "
        f"instead of {o.meant.updates}. {_ends_off(o)}",
    )


def _wiped(who: str) -> Callable[[Outcome], Measure]:
    return lambda o: Measure(
        o.off,
        f"{who} sees 1 of {o.setup.window} micro-batches, so the first gradient has {percent(_first(o))} of the right length. "
        f"{_ends_off(o)}",
    )


def _too_often(o: Outcome) -> Measure:
    return Measure(
        o.faulty.updates - o.meant.updates,
        f"The run makes {o.faulty.updates} updates instead of {o.meant.updates}. {_ends_off(o)}",
    )


def _piled(o: Outcome) -> Measure:
    times = float(o.faulty.gradients[-1].norm() / o.meant.gradients[-1].norm())
    return Measure(
        o.off, f"The last update's gradient, which includes all earlier ones, is {two(times)} times too large. {_ends_off(o)}"
    )


def _nothing(o: Outcome) -> Measure:
    largest = max(float(gradient.norm()) for gradient in o.faulty.gradients)
    return Measure(
        o.off, f"All {o.faulty.updates} updates have a gradient of {two(largest)}, so the weights stay where they began."
    )


def _partial_clips(where: str) -> Callable[[Outcome], Measure]:
    def measure(o: Outcome) -> Measure:
        partial = sum(clip.backwards < o.setup.window for clip in o.faulty.clips)
        return Measure(o.off, f"{where}{partial} of {len(o.faulty.clips)} clips see an incomplete gradient. {_ends_off(o)}")

    return measure


def _scaled_clip(o: Outcome) -> Measure:
    seen, true = (max(clip.norm for clip in run.clips) for run in (o.faulty, o.cured))
    bites, ought = (sum(clip.bites for clip in run.clips) for run in (o.faulty, o.cured))
    return Measure(
        o.off,
        f"With a scale of 65536, the clip sees norms of up to {two(seen)} instead of {two(true)}. It shortens the gradient at {bites} of "
        f"{o.faulty.updates} updates instead of {ought}, and the weights move {percent(_way(o.faulty) / _way(o.meant))} "
        "of the distance that the large batch moves them.",
    )


def _way(run: Observed) -> float:
    return float((run.final - run.initial).norm())


def _late_clip(o: Outcome) -> Measure:
    largest = max(float(g.norm()) for g in o.faulty.gradients)
    return Measure(
        o.off,
        f"Gradients of up to {two(largest / (o.setup.clip or 1))} times the bound reach the weights unclipped. {_ends_off(o)}",
    )


def _shards(o: Outcome) -> Measure:
    assert o.peers is not None
    mine, other, true = (run.clips[0].norm for run in (o.faulty, o.peers[0], o.cured))
    largest = max(float(g.norm()) for g in o.faulty.gradients)
    return Measure(
        o.off,
        f"At the first update, two processes see norms of {two(mine)} and {two(other)}, but the norm of the whole gradient is {two(true)}. "
        f"Clipped gradients are up to {two(largest / (o.setup.clip or 1))} times as long as the bound. {_ends_off(o)}",
    )


def _stops(o: Outcome) -> Measure:
    made = f"after {o.faulty.updates}" if o.faulty.updates else "before the first"
    return Measure(o.meant.updates - o.faulty.updates, f"PyTorch {_raises(o)} {made} of {o.meant.updates} updates.")


def _raises_at_once(o: Outcome) -> Measure:
    said = re.sub(r"[\w.<>]*compute_loss", "compute_loss", o.faulty.error.rstrip("."))
    return Measure(o.meant.updates - o.faulty.updates, f"Python raises `{said}` before the first of {o.meant.updates} updates.")


def _bypassed(o: Outcome) -> Measure:
    return Measure(
        abs(_first(o) - 1),
        f"The first update's gradient is {_too_large(_first(o))}. Then `scaler.update()` {_raises(o)}.",
    )


def _fast_schedule(o: Outcome) -> Measure:
    steps, updates = o.faulty.schedule_steps or 0, o.faulty.updates
    lowest = next(i for i, (rate, after) in enumerate(pairwise(o.faulty.rates), 1) if after > rate)
    return Measure(
        steps - updates,
        f"The schedule takes {steps} steps in {updates} updates: the cosine falls until update {lowest}, then rises again. {_ends_off(o)}",
    )


def _long_schedule(o: Outcome) -> Measure:
    start = o.faulty.rates[0]
    end = (o.faulty.last_rate or 0.0) / start
    return Measure(end, f"The cosine ends at {percent(end)} of the first rate instead of 0. {_ends_off(o)}")


def _skipped_rate(o: Outcome) -> Measure:
    first, last = o.faulty.rates[0] / o.meant.rates[0], o.faulty.rates[-1]
    return Measure(
        o.off,
        f"The first update has {percent(first)} of the first rate, and the last has a rate of {two(last)}. {_ends_off(o)}",
    )


def _slow_schedule(o: Outcome) -> Measure:
    rates = o.faulty.rates
    return Measure(
        o.off,
        f"The schedule takes {o.faulty.schedule_steps} steps in {o.faulty.updates} updates: the last update still has "
        f"{percent(rates[-1] / rates[0])} of the first rate. {_ends_off(o)}",
    )


def _slow_warmup(o: Outcome) -> Measure:
    first = [
        next((place for place, rate in enumerate(run.rates) if rate == max(o.meant.rates)), run.updates)
        for run in (o.faulty, o.meant)
    ]
    return Measure(o.off, f"The rate stays below its full value for {first[0]} updates instead of {first[1]}. {_ends_off(o)}")


def _fast_average(o: Outcome) -> Measure:
    assert o.faulty.average is not None and o.meant.average is not None
    lag = [float((run.average - run.final).norm()) for run in (o.faulty, o.meant) if run.average is not None]
    return Measure(
        float((o.faulty.average - o.meant.average).norm()),
        f"The average is updated {o.faulty.average_steps} times in {o.faulty.updates} updates, so it lags only "
        f"{percent(lag[0] / lag[1])} as far behind the weights as it should.",
    )


def _saved_again(o: Outcome) -> Measure:
    saved, ought = (run.printed.count("saved") for run in (o.faulty, o.cured))
    return Measure(
        saved - ought,
        f"The run writes {saved} checkpoints instead of {ought} in {o.faulty.updates} updates. The weights are not affected.",
    )


def _coupled(o: Outcome) -> Measure:
    return Measure(
        o.off, f"The script trains with Adam and L2, the large batch with AdamW and a decay of the same size. {_ends_off(o)}"
    )


def _statistics(o: Outcome) -> Measure:
    return Measure(
        o.off,
        f"BatchNorm sees micro-batches of {o.setup.micro_batch}. {_ends_off(o)} With GroupNorm, accumulation equals the large batch.",
    )


def _negatives(o: Outcome) -> Measure:
    size, window = o.setup.micro_batch, o.setup.window
    return Measure(o.off, f"Each sample has {size - 1} negatives instead of {size * window - 1}. {_ends_off(o)}")


def _graphs(o: Outcome) -> Measure:
    return Measure(
        o.cured.passes - o.faulty.passes,
        f"Each of {o.faulty.updates} updates has one backward pass, through the graphs of {o.setup.window} micro-batches at once. "
        "One graph at a time gives the same weights.",
    )


def _reductions(o: Outcome) -> Measure:
    return Measure(
        o.faulty.reductions - o.cured.reductions,
        f"Two processes reduce their gradients {o.faulty.reductions} times for {o.faulty.updates} updates. "
        f"Reducing them {o.cured.reductions} times gives the same weights.",
    )


def _drift(o: Outcome) -> Measure:
    assert o.peers is not None
    apart = float((o.faulty.final - o.peers[0].final).norm() / (o.meant.final - o.meant.initial).norm())
    return Measure(
        apart,
        f"Two processes reduce their gradients {o.faulty.reductions} times. After {o.faulty.updates} updates, their weights differ by "
        f"{percent(apart)} of the distance that training moves the large batch's.",
    )


# The training that a script means


def _warming(optimizer: Optimizer, updates: int) -> torch.optim.lr_scheduler.LRScheduler:
    """The rate rises during the first of four epochs."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / (updates // 4)))


def _cosine(optimizer: Optimizer, updates: int) -> torch.optim.lr_scheduler.LRScheduler:
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=updates)


def _padded(samples: int) -> tuple[Tensor, Tensor]:
    x, y = points(samples)
    y[(torch.arange(samples) % 32 >= 8) & (x[:, 3] > 0)] = -100
    return x, y


def _pairs(samples: int) -> tuple[Tensor, Tensor]:
    x = torch.randn(samples, 8)
    return x, torch.stack([x[:, 0] + 0.6 * x[:, 1], x[:, 2] - x[:, 3]], dim=1)


def _contrast(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(outputs @ targets.t(), torch.arange(len(outputs)))


def _normalised(norm: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(nn.Linear(8, 16), norm(), nn.Tanh(), nn.Linear(16, 2))


def _group_norm(repaired: str) -> Setup:
    groups = re.search(r"GroupNorm\((?:num_groups=)?(\d+)", repaired)
    return Setup(model=_normalised(lambda: nn.GroupNorm(int(groups.group(1)) if groups else 1, 16)))


PROOFS = (
    Proof("GRD101", _times_too_large("Without the division (N = 4, SGD with momentum)")),
    Proof("GRD101_accelerate", _times_too_large("With `loss.backward()` inside Accelerate's `accumulate()`")),
    Proof("GRD102", _times_too_large("If both Accelerate and the script divide (N = 4)")),
    Proof("GRD103", _times_too_large("If the loss is divided by 16 in windows of 4")),
    Proof("GRD104", _penalty, Setup(penalty=1e-2)),
    Proof("GRD105", _token_means, Setup(data=_padded, loss=F.cross_entropy)),
    Proof("GRD106", _logged),
    Proof("GRD107", _short_tail, Setup(samples=72, loss=F.cross_entropy)),
    Proof("GRD108", _last_logged),
    Proof("GRD201", _shifted),
    Proof("GRD202", _tail, Setup(samples=88)),
    Proof("GRD203", _wiped("Each update")),
    Proof("GRD203_accelerate", _wiped("With `zero_grad()` at the top of Accelerate's `accumulate()`, each update")),
    Proof("GRD204", _too_often),
    Proof("GRD205", _piled),
    Proof("GRD206", _nothing),
    Proof("GRD207", _too_often),
    Proof("GRD208", _too_often),
    Proof("GRD209", _left_out),
    Proof("GRD210", _irregular, Setup(samples=192, epochs=1, sizes=(1, 1, 1, 2, 2, 2, 3, 4, 4, 4))),
    Proof("GRD211", _too_often, Setup(model=lambda: nn.Linear(8, 2, bias=False))),
    Proof("GRD301", _partial_clips(""), Setup(clip=0.05)),
    Proof("GRD301_accelerate", _partial_clips("Inside Accelerate's `accumulate()`, "), Setup(clip=0.05)),
    Proof("GRD302", _scaled_clip, Setup(clip=1.0)),
    Proof("GRD303", _late_clip, Setup(clip=0.05)),
    Proof("GRD304", _stops, Setup(clip=0.05)),
    Proof("GRD305", _stops),
    Proof("GRD306", _bypassed),
    Proof("GRD307", _stops),
    Proof("GRD308", _late_clip, Setup(clip=0.05)),
    Proof("GRD309", _shards, Setup(clip=0.05)),
    Proof("GRD310", _stops, Setup(unused=4)),
    Proof("GRD401", _fast_schedule, Setup(schedule=_cosine)),
    Proof("GRD402", _long_schedule, Setup(schedule=_cosine)),
    Proof("GRD403", _skipped_rate, Setup(schedule=_cosine)),
    Proof("GRD404", _fast_average, Setup(average=0.9)),
    Proof("GRD405", _saved_again),
    Proof("GRD406", _too_often),
    Proof("GRD407", _slow_schedule, Setup(schedule=_cosine)),
    Proof("GRD501", _coupled, Setup(optimizer=adamw)),
    Proof("GRD502", _statistics, Setup(model=_normalised(lambda: nn.BatchNorm1d(16))), _group_norm),
    Proof("GRD503", _negatives, Setup(data=_pairs, loss=_contrast)),
    Proof("GRD504", _graphs),
    Proof("GRD601", _reductions),
    Proof("GRD602", _drift),
    Proof("GRD603", _reductions),
    Proof("GRD701", _too_often),
    Proof("GRD702", _times_too_large("Without the count (N = 4)")),
    Proof("GRD702_own", _times_too_large("If `compute_loss` computes a mean loss itself")),
    Proof("GRD703", _raises_at_once),
    Proof("GRD704", _slow_warmup, Setup(schedule=_warming)),
    Proof("GRD705", _too_often),
)
