"""A fix that takes the value from a name that is read afterwards is not safe."""

from __future__ import annotations

from scripts import simulated, training

from gradlint.simulate.compare import compare
from gradlint.simulate.promise import changing
from gradlint.simulate.trace import What

CLIPPED = """\
(criterion(model(x), y) / args.accum_steps).backward()
norm = clip_grad_norm_(model.parameters(), 1.0)
if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):
    optimizer.step()
    optimizer.zero_grad()
print(i)
"""
INSIDE = """\
(criterion(model(x), y) / args.accum_steps).backward()
if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):
    norm = clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
print(i)
"""


def unsafe(before: str, after: str) -> str:
    promise = changing(What.CLIP)
    return compare(simulated(training(before)), simulated(training(after)), "GRD301", promise).unseen


def test_a_name_that_is_read_before_its_first_update() -> None:
    read = "print(i, norm)"
    assert "`norm` may have no value" in unsafe(CLIPPED.replace("print(i)", read), INSIDE.replace("print(i)", read))


def test_a_name_that_nothing_reads() -> None:
    assert unsafe(CLIPPED, INSIDE) == ""
