"""What the picture of each rule shows: one quantity of its proof's runs, as written and as repaired."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import torch
from observer import Observed
from picture import Curve, Picture
from proofs import PROOFS, Outcome, printed, two

UPDATE = "update (optimizer step)"
READ = "micro-batches read"
FIRST_EPOCH = "micro-batch of the first epoch, in windows of 4"
NORM = "gradient norm (L2)"
WEIGHTS = "weights' norm (L2)"
OFF = "distance from the large batch (%)"


def pictures(codes: Iterable[str] = ()) -> Iterator[Picture]:
    """The picture of each rule, or of those that are named; the proofs are run for them."""
    wanted = frozenset(codes)
    for proof in PROOFS:
        if proof.script in SHOWN and (not wanted or proof.code in wanted):
            yield SHOWN[proof.script](proof.code, proof.outcome)


# Quantities of one run


def _norms(tensors: Sequence[torch.Tensor]) -> tuple[float, ...]:
    return tuple(float(each.norm()) for each in tensors)


def _count(values: Sequence[Any]) -> tuple[float, ...]:
    return tuple(float(number) for number in range(1, len(values) + 1))


def _by_update(values: Sequence[float], run: Observed) -> Curve:
    return Curve(_count(values), tuple(values), _error(run))


def _by_read(values: Sequence[float], run: Observed) -> Curve:
    """A quantity that changes at the updates, over the micro-batches that were read until then."""
    ends = list(accumulate(run.windows))
    x, y = (0.0, *map(float, ends)), (0.0, *map(float, values))
    if run.passes > (ends or [0])[-1]:
        x, y = (*x, float(run.passes)), (*y, y[-1])
    return Curve(x, y, _error(run))


def _first_epoch(x: Iterable[float], y: Iterable[float], o: Outcome) -> Curve:
    kept = [(at, value) for at, value in zip(x, y, strict=False) if at <= o.setup.micro_batches]
    return Curve(tuple(float(at) for at, _ in kept), tuple(value for _, value in kept))


def _norm_of_weights(run: Observed) -> Curve:
    weights = (run.initial, *run.weights)
    return Curve(tuple(map(float, range(len(weights)))), _norms(weights))


def _gone(run: Observed, meant: Observed) -> Curve:
    """How far the weights are from where they began, as a share of the way that the large batch's went."""
    way = float((meant.final - meant.initial).norm())
    return _by_update([100 * float((each - run.initial).norm()) / way for each in run.weights], run)


def _error(run: Observed) -> str:
    return run.error.rstrip(".")


def _off(run: Observed, meant: Observed) -> Curve:
    way = float((meant.final - meant.initial).norm())
    misses = [100 * float((mine - other).norm()) / way for mine, other in zip(run.weights, meant.weights, strict=True)]
    return _by_update([0.0 if miss < 1e-9 else miss for miss in misses], run)


# What is shown of each rule

Show = Callable[[str, Outcome], Picture]
Quantity = Callable[[Observed], Curve]


def _both(title: Callable[[Outcome], str], x: str, y: str, quantity: Quantity, **more: Any) -> Show:
    """The same quantity of both runs."""
    return lambda code, o: Picture(code, title(o), x, y, quantity(o.faulty), quantity(o.cured), **more)


def _gradient(run: Observed) -> Curve:
    return _by_update(_norms(run.gradients), run)


def _length(o: Outcome) -> str:
    times = float(o.faulty.gradients[0].norm() / o.cured.gradients[0].norm())
    return f"is {two(times)} times too long" if times > 1 else f"is only {two(100 * times)} % as long"


def _given(when: str) -> Show:
    return _both(lambda o: f"{when}, the first gradient {_length(o)}", UPDATE, NORM, _gradient)


def _astray(what: str) -> Show:
    def show(code: str, o: Outcome) -> Picture:
        written = _off(o.faulty, o.meant)
        title = f"With {what}, training ends {two(written.y[-1])} % off the large batch"
        return Picture(code, title, UPDATE, OFF, written, _off(o.cured, o.cured_meant))

    return show


def _logged(code: str, o: Outcome) -> Picture:
    written, repaired = (Curve(_count(losses), tuple(losses)) for losses in (printed(o.faulty), printed(o.cured)))
    title = f"What is logged is {two(sum(repaired.y) / sum(written.y))} times too small"
    return Picture(code, title, "micro-batch", "logged loss (nats)", written, repaired)


def _saved(run: Observed) -> Curve:
    times = Counter(int(step) for step in re.findall(r"saved (\d+)", run.printed))
    return Curve(tuple(map(float, times)), tuple(map(float, times.values())))


def _last_logged(code: str, o: Outcome) -> Picture:
    written, repaired = (Curve(_count(losses), tuple(losses)) for losses in (printed(o.faulty), printed(o.cured)))
    off = max(abs(shown / true - 1) for shown, true in zip(written.y, repaired.y, strict=True))
    return Picture(
        code,
        f"One micro-batch's loss is up to {two(100 * off)} % off the update's",
        UPDATE,
        "logged loss (nats)",
        written,
        repaired,
    )


def _cut(code: str, o: Outcome) -> Picture:
    written, repaired = (_first_epoch(accumulate(run.windows), map(float, run.windows), o) for run in (o.faulty, o.cured))
    title = f"Windows of {', '.join(f'{size:.0f}' for size in written.y)} instead of {', '.join(f'{size:.0f}' for size in repaired.y)}"
    return Picture(code, title, FIRST_EPOCH, "micro-batches in the update", written, repaired, "stems", windows=o.setup.window)


def _in_backward(code: str, o: Outcome) -> Picture:
    written, repaired = (_first_epoch(accumulate(run.windows), map(float, run.windows), o) for run in (o.faulty, o.cured))
    title = f"The hook makes {o.faulty.updates} updates instead of {o.cured.updates}"
    return Picture(code, title, FIRST_EPOCH, "micro-batches in the update", written, repaired, "stems", windows=o.setup.window)


def _irregular(code: str, o: Outcome) -> Picture:
    written, repaired = (
        Curve(tuple(map(float, accumulate(run.windows))), tuple(map(float, run.windows))) for run in (o.faulty, o.cured)
    )
    title = "When N grows, testing a remainder makes windows of the wrong size"
    return Picture(code, title, READ, "micro-batches in the update", written, repaired, "stems")


def _reached(run: Observed) -> Curve:
    return _by_read(list(accumulate(run.counted)), run)


def _lost(o: Outcome) -> str:
    return f"Of {o.faulty.passes} micro-batches, {o.faulty.passes - sum(o.faulty.counted)} never reach the weights"


def _held(code: str, o: Outcome) -> Picture:
    written, repaired = (_first_epoch(_count(run.held), run.held, o) for run in (o.faulty, o.cured))
    title = "Zeroed on every micro-batch, the gradient never builds up"
    return Picture(code, title, FIRST_EPOCH, "norm (L2) of what .grad holds", written, repaired, windows=o.setup.window)


def _partial_steps(code: str, o: Outcome) -> Picture:
    written, repaired = (_first_epoch(accumulate(run.windows), _norms(run.gradients), o) for run in (o.faulty, o.cured))
    title = f"The optimizer steps on partial sums, {len(written.x)} times an epoch instead of {len(repaired.x)}"
    return Picture(code, title, FIRST_EPOCH, f"{NORM} at each step", written, repaired, "stems", windows=o.setup.window)


def _partial_clips(code: str, o: Outcome) -> Picture:
    def clips(run: Observed) -> Curve:
        each = o.setup.micro_batches * o.setup.epochs // len(run.clips)
        return _first_epoch([each * number for number in _count(run.clips)], [clip.norm for clip in run.clips], o)

    partial = sum(clip.backwards < o.setup.window for clip in o.faulty.clips)
    title = f"{partial} of {len(o.faulty.clips)} clips see an incomplete gradient"
    more: dict[str, Any] = {"kind": "stems", "bound": o.setup.clip, "windows": o.setup.window}
    return Picture(code, title, FIRST_EPOCH, f"{NORM} that the clip sees", clips(o.faulty), clips(o.cured), **more)


def _scaled_clips(code: str, o: Outcome) -> Picture:
    written, repaired = (_by_update([clip.norm for clip in run.clips], run) for run in (o.faulty, o.cured))
    title = f"The clip compares its bound with gradients {two(written.y[0] / repaired.y[0])} times too long"
    return Picture(code, title, UPDATE, f"{NORM} that the clip sees", written, repaired, log=True, bound=o.setup.clip)


def _late_clips(code: str, o: Outcome) -> Picture:
    written, repaired = _gradient(o.faulty), _gradient(o.cured)
    title = f"Gradients of up to {two(max(written.y) / (o.setup.clip or 1))} times the bound reach the weights"
    return Picture(code, title, UPDATE, f"{NORM} at the step", written, repaired, bound=o.setup.clip)


def _made(run: Observed) -> Curve:
    return _by_read(_count(run.windows), run)


def _stops(why: str) -> Show:
    def title(o: Outcome) -> str:
        return f"{why}: the run makes {o.faulty.updates} of {o.cured.updates} updates"

    return _both(title, READ, "updates made", _made, kind="stairs")


def _rates(title: Callable[[Outcome], str]) -> Show:
    return _both(title, UPDATE, "learning rate", lambda run: _by_update(run.rates, run))


def _lowest(o: Outcome) -> int:
    return next(number for number, rate in enumerate(o.faulty.rates, 1) if rate < o.faulty.rates[number])


def _lags(run: Observed) -> Curve:
    return Curve(tuple(float(at) for at, _ in run.lags), tuple(lag for _, lag in run.lags))


def _closer(o: Outcome) -> str:
    times = o.faulty.average_steps // o.faulty.updates
    share = two(100 * o.faulty.lags[-1][1] / o.cured.lags[-1][1])
    return f"Moved {times} times per update, the average lags only {share} % as far"


def _reduced(title: str) -> Show:
    def reductions(run: Observed, o: Outcome) -> Curve:
        curve = _first_epoch(run.reduced, _count(run.reduced), o)
        return Curve((0.0, *curve.x, float(o.setup.micro_batches)), (0.0, *curve.y, curve.y[-1]))

    def show(code: str, o: Outcome) -> Picture:
        said = title.format(o.faulty.reductions // o.faulty.updates)
        written, repaired = reductions(o.faulty, o), reductions(o.cured, o)
        return Picture(code, said, "micro-batches of the first epoch", "all-reduces so far", written, repaired, "stairs")

    return show


def _graphs(code: str, o: Outcome) -> Picture:
    def graphs(run: Observed) -> Curve:
        kept = [place % (o.setup.window // passes) + 1 for passes in run.windows for place in range(o.setup.window)]
        return _first_epoch(_count(kept), map(float, kept), o)

    title = f"The run keeps the graphs of {o.setup.window} micro-batches, and needs one"
    written, repaired = graphs(o.faulty), graphs(o.cured)
    return Picture(code, title, FIRST_EPOCH, "graphs in memory", written, repaired, "stems", windows=o.setup.window)


def _longer(code: str, o: Outcome) -> Picture:
    title = f"Training makes {o.faulty.updates} updates instead of {o.cured.updates}"
    return Picture(
        code, title, UPDATE, "distance moved (% of the large batch's)", _gone(o.faulty, o.meant), _gone(o.cured, o.meant)
    )


def _apart(code: str, o: Outcome) -> Picture:
    assert o.peers is not None
    way = float((o.meant.final - o.meant.initial).norm())
    written, repaired = (
        _by_update([100 * float((a - b).norm()) / way for a, b in zip(run.weights, peer.weights, strict=True)], run)
        for run, peer in zip((o.faulty, o.cured), o.peers, strict=True)
    )
    title = f"Without a reduction, two processes drift {two(written.y[-1])} % apart"
    return Picture(code, title, UPDATE, "distance between the processes (%)", written, repaired)


SHOWN: dict[str, Show] = {  # by the script whose runs are shown, which for each rule is the one that bears its name
    "GRD101": _given("Without the division"),
    "GRD102": _given("Divided twice"),
    "GRD103": _given("Divided by 16, not 4"),
    "GRD104": _both(
        lambda o: "Without the division, the penalty shrinks the weights", UPDATE, WEIGHTS, _norm_of_weights, zero=False
    ),
    "GRD105": _astray("unequal token counts"),
    "GRD106": _logged,
    "GRD107": _astray("tails divided by N"),
    "GRD108": _last_logged,
    "GRD201": _cut,
    "GRD202": _both(_lost, READ, "micro-batches that reached the weights", _reached, kind="stairs"),
    "GRD203": _held,
    "GRD204": _partial_steps,
    "GRD205": _both(
        lambda o: (
            f"Never zeroed, the last gradient is {two(_gradient(o.faulty).y[-1] / _gradient(o.cured).y[-1])} times too long"
        ),
        UPDATE,
        NORM,
        _gradient,
    ),
    "GRD206": _both(lambda o: "Zeroed before the step, every update gets a gradient of 0", UPDATE, NORM, _gradient),
    "GRD207": _partial_steps,
    "GRD208": _partial_steps,
    "GRD209": _cut,
    "GRD210": _irregular,
    "GRD211": _in_backward,
    "GRD301": _partial_clips,
    "GRD302": _scaled_clips,
    "GRD303": _late_clips,
    "GRD304": _stops("The second unscale_() raises"),
    "GRD305": _stops("The first scaler.update() raises"),
    "GRD306": _both(
        lambda o: f"Past the scaler, the first gradient {_length(o)}",
        UPDATE,
        NORM,
        _gradient,
        log=True,
    ),
    "GRD307": _stops("The second scaler.step() raises"),
    "GRD308": _late_clips,
    "GRD309": _late_clips,
    "GRD310": _stops("The next unscale_() raises"),
    "GRD401": _rates(lambda o: f"The cosine ends at update {_lowest(o)} of {o.faulty.updates}, and rises again"),
    "GRD402": _rates(
        lambda o: f"The last update still has {two(100 * o.faulty.rates[-1] / o.faulty.rates[0])} % of the first rate"
    ),
    "GRD403": _rates(lambda o: "Each update uses the next one's rate, and the last a rate of 0"),
    "GRD404": _both(_closer, READ, "average's distance to the weights (L2)", _lags),
    "GRD405": _both(
        lambda o: f"{sum(map(int, _saved(o.faulty).y))} checkpoints instead of {sum(map(int, _saved(o.cured).y))}",
        "updates so far",
        "checkpoints written",
        _saved,
        kind="stems",
    ),
    "GRD406": _longer,
    "GRD407": _rates(
        lambda o: f"The last update still has {two(100 * o.faulty.rates[-1] / o.faulty.rates[0])} % of the first rate"
    ),
    "GRD501": _both(
        lambda o: "With the same λ, Adam shrinks weights that AdamW lets grow", UPDATE, WEIGHTS, _norm_of_weights, zero=False
    ),
    "GRD502": _astray("micro-batch statistics"),
    "GRD503": _astray("micro-batch negatives"),
    "GRD504": _graphs,
    "GRD601": _reduced("{} all-reduces per update, and one is enough"),
    "GRD602": _apart,
    "GRD603": _reduced("Forward outside no_sync(): {} all-reduces per update, not one"),
    "GRD701": _longer,
    "GRD702": _given("Without the count"),
    "GRD703": _stops("The first training step raises"),
    "GRD704": _rates(lambda o: "The rate rises N times too slowly"),
    "GRD705": _partial_steps,
}
