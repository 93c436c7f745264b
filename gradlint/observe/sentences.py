"""What is unusual about an observed run, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from gradlint.observe.ordering import in_closures, ordered
from gradlint.observe.probe.limits import ARMED, IMPORTED
from gradlint.observe.record import Process, Record, drift


def of_nothing(folder: Path, status: int) -> str:
    """Why nothing was recorded."""
    if not (folder / ARMED).exists():
        return "Nothing was observed: the command started no Python that reads PYTHONPATH (`python -I` and `python -E` do not)."
    if not (folder / IMPORTED).exists():
        return f"Nothing was observed: the program did not import PyTorch.{_died(status)}"
    return f"Nothing was observed: the program made no backward pass.{_died(status)}"


def _died(status: int) -> str:
    return f" It ended with exit status {status}." if status else ""


def unusual(process: Process, status: int) -> Iterator[str]:
    """The sentences about one process."""
    records = ordered(process.records)
    steps = process.of("step")
    backwards = process.of("backward")
    whole = bool(process.of("enough"))
    if status and not whole:
        yield f"The program ended with exit status {status}. What it did until then is judged."
    if in_closures(process.records):
        yield "The optimizer calls the backward pass itself, several times in a closure, so there are no windows to judge."
    elif not steps:
        yield f"No optimizer stepped after {_counted(len(backwards), 'backward pass', 'backward passes')}, so there is no window to judge."
    elif len(steps) == 1:
        yield "The run ended with its first update: one window shows neither the size of the others nor the end of a pass."
    stepping = {each["optimizer"] for each in steps}
    if len(stepping) > 1:
        yield f"{len(stepping)} optimizers step. Each is judged by itself."
    if any("Compiled" in term["name"] for each in backwards for term in each["terms"]):
        yield "The loss is computed by compiled code. What divides it there cannot be seen."
    if process.of("graph"):
        yield "The program replays CUDA graphs. What happens inside of them cannot be seen."
    if steps and not whole and all(each.what != "end" for each in records):
        yield "The run ended before a pass over the data did, so nothing is known about the last window of a pass."


def between(found: Sequence[Process]) -> Iterator[str]:
    """The sentences about several processes."""
    if len(found) < 2:
        return
    apart = drift(found)
    if apart is not None:
        number, by = apart
        yield f"The weights of the processes differ after update {number}: their sums are {by:.3g} apart."
    elif any(each.checksums for each in found):
        yield f"The {len(found)} processes have the same weights after each observed update."


def windows(records: Sequence[Record]) -> list[tuple[int, Record]]:
    """Each update with the number of backward passes before it, since the last one of the same optimizer."""
    since: dict[int, int] = {}
    found = []
    for each in records:
        if each.what == "backward":
            for number in each["feeds"]:
                since[number] = since.get(number, 0) + 1
        elif each.what == "step":
            found.append((since.pop(each["optimizer"], 0), each))
    return found


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"
