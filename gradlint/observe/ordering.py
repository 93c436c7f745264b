"""Puts the records of a run into the order in which training means them."""

from __future__ import annotations

from collections.abc import Sequence

from gradlint.observe.record import Record

_OVER = ("pass", "exit", "enough")


def ordered(records: Sequence[Record]) -> list[Record]:
    """The records, with each step after the backward pass in its closure, and each end of a pass after its last micro-batch."""
    return _ends_last(_steps_last(records))


def in_closures(records: Sequence[Record]) -> bool:
    """Whether steps make several backward passes each, in a closure, as LBFGS does. There are no windows then."""
    count = 0
    for each in records:
        if each.what == "step":
            count = 0
        elif each.what == "backward" and each["stepping"]:
            count += 1
            if count > 1:
                return True
    return False


def _steps_last(records: Sequence[Record]) -> list[Record]:
    """Lightning makes the last backward pass of a window inside of `optimizer.step()`, which uses its gradients."""
    found: list[Record] = []
    open_steps: dict[int, Record] = {}
    for place, each in enumerate(records):
        if each.what == "step" and _holds_backward(records, place):
            open_steps[each["optimizer"]] = each
            continue
        if each.what == "stepped" and each["optimizer"] in open_steps:
            step = open_steps.pop(each["optimizer"])
            found.append(Record(step.what, step.at, each.order, {**step.about, "norm": each["norm"]}))
        found.append(each)
    return [*found, *open_steps.values()]


def _holds_backward(records: Sequence[Record], place: int) -> bool:
    for each in records[place + 1 :]:
        if each.what == "stepped" and each["optimizer"] == records[place]["optimizer"]:
            return False
        if each.what == "backward" and each["stepping"]:
            return True
    return False


def _ends_last(records: Sequence[Record]) -> list[Record]:
    """A library may draw a batch ahead, or stop when it has counted all of them: then a pass ends when the next begins."""
    found: list[Record] = []
    begun: Record | None = None
    waiting: Record | None = None
    drawn = 0
    for place, each in enumerate(records):
        if each.what in _OVER:
            if waiting is None and begun is not None and begun["sized"] and drawn >= begun["sized"]:
                waiting = Record("end", begun.at, each.order)
            found += [waiting] if waiting is not None else []
            waiting = None
            begun, drawn = (each, 0) if each.what == "pass" else (None, 0)
        elif each.what == "draw":
            drawn += 1
        elif each.what == "end":
            begun = None
            if _goes_on(records, place):
                waiting = each
                continue
        found.append(each)
    return found


def _goes_on(records: Sequence[Record], place: int) -> bool:
    """Whether backward passes follow before another pass over the data begins."""
    for each in records[place + 1 :]:
        if each.what in (*_OVER, "draw"):
            return False
        if each.what == "backward":
            return True
    return False
