"""How programs walk their data, count micro-batches, and ask whether one closes its window."""

from __future__ import annotations

from dataclasses import dataclass

from .plan import Plan
from .words import Words

UPDATES = 5
"""The optimizer steps after which a program without passes over its data stops."""


@dataclass(frozen=True)
class Walk:
    """The code around one micro-batch; `start` is what the index is on the first of them, when the boundary is asked for."""

    header: str
    index: str
    start: int = 0
    once: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    top: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()
    bottom: tuple[str, ...] = ()
    outer: str | None = None
    opened: tuple[str, ...] = ()


def walk(plan: Plan, words: Words, n: str, loader: str) -> Walk:
    """The walk of a plan; `n` and `loader` are the expressions that hold there."""
    i = words.index
    match plan.loop:
        case "enumerate":
            return Walk(f"for {i}, (x, y) in enumerate({loader}):", i)
        case "from one":
            return Walk(f"for {i}, (x, y) in enumerate({loader}, {'start=' if plan.spelling % 2 else ''}1):", i, 1)
        case "range":
            return Walk(
                f"for {i} in range(len({loader})):", i, before=(f"batches = iter({loader})",), top=("x, y = next(batches)",)
            )
        case "zip":
            return Walk(f"for {i}, (x, y) in zip(range(len({loader})), {loader}):", i)
        case "tqdm":
            return Walk(f"for {i}, (x, y) in enumerate(tqdm({loader}, disable=True)):", i)
        case "top":
            return Walk(f"for x, y in {loader}:", i, 1, before=(f"{i} = 0",), top=(f"{i} += 1",))
        case "bottom":
            return Walk(f"for x, y in {loader}:", i, 0, before=(f"{i} = 0",), bottom=(f"{i} += 1",))
        case "before test":
            return Walk(f"for x, y in {loader}:", i, 1, before=(f"{i} = 0",), counted=(f"{i} = {i} + 1",))
        case "while":
            top = ("try:", "    x, y = next(batches)", "except StopIteration:", "    break", f"{i} += 1")
            return Walk("while True:", i, 1, before=(f"batches = iter({loader})", f"{i} = 0"), top=top)
        case "global":
            return Walk(f"for x, y in {loader}:", i, 1, once=(f"{i} = 0",), top=(f"{i} += 1",))
        case "reset":
            return Walk(f"for x, y in {loader}:", i, 1, before=(f"{i} = 0",), top=(f"{i} += 1",))
        case "reset carried":
            return Walk(f"for x, y in {loader}:", i, 1, once=(f"{i} = 0",), top=(f"{i} += 1",))
        case "stream":
            return Walk(
                f"for {i} in range({UPDATES} * {n}):",
                i,
                once=(f"stream = itertools.cycle({loader})",),
                top=("x, y = next(stream)",),
            )
        case "windows":
            return Walk(
                f"for _ in range({n}):", i, once=(f"stream = itertools.cycle({loader})",), top=("x, y = next(stream)",),
                outer=f"for update in range({UPDATES}):",
            )  # fmt: skip
        case "nested":
            part, outer = f"batches[start : start + {n}]", f"for start in range(0, len(batches), {n}):"
            before, opened = (f"batches = list({loader})",), (f"window = {part}",)
            if plan.named_slice:
                return Walk("for x, y in window:", i, before=before, outer=outer, opened=opened)
            return Walk(f"for x, y in {part}:", i, before=before, outer=outer)
    raise ValueError(plan.loop)


def boundary(plan: Plan, place: Walk, n: str, loader: str) -> str:
    """The test that holds on the last micro-batch of a window, or, with the bug, on another one."""
    i, which = place.index, plan.spelling
    if plan.resets:
        return (f"{i} == {n}", f"{i} >= {n}", f"{n} == {i}", f"{i} == {n}", f"not {i} < {n}")[which]
    wrong = plan.has("GRD201")
    if (place.start == 0) != wrong:
        plain = (
            f"({i} + 1) % {n} == 0",
            f"not ({i} + 1) % {n}",
            f"{i} % {n} == {n} - 1",
            f"(1 + {i}) % {n} == 0",
            f"({i} + 1) % {n} < 1",
        )
        test = plain[0 if wrong and which == 2 else which]
    elif wrong:
        test = (f"{i} % {n} == 0", f"not {i} % {n}", f"{i} % {n} == 0 and {i} > 0", f"{i} and {i} % {n} == 0", f"0 == {i} % {n}")[
            which
        ]
    else:
        test = (f"{i} % {n} == 0", f"not {i} % {n}", f"{i} % {n} < 1", f"0 == {i} % {n}", f"{i} % {n} == 0")[which]
    if plan.tail != "guard" or plan.has("GRD202"):
        return test
    return f"{test} or {last(plan, place, loader)}"


def last(plan: Plan, place: Walk, loader: str) -> str:
    """The test for the last micro-batch of a pass."""
    i = place.index
    if place.start:
        return (f"{i} == len({loader})", f"{i} >= len({loader})", f"len({loader}) == {i}")[plan.last_index]
    return (f"{i} + 1 == len({loader})", f"{i} == len({loader}) - 1", f"({i} + 1) >= len({loader})")[plan.last_index]


def negated(test: str) -> str:
    """A test that holds where another does not, as people write it."""
    if " or " in test or " and " in test:
        return f"not ({test})"
    if test.startswith("not "):
        return test.removeprefix("not ")
    for old, new in ((" == ", " != "), (" < ", " >= "), (" >= ", " < ")):
        if old in test:
            return test.replace(old, new, 1)
    return f"not ({test})"


def leftover(plan: Plan, place: Walk, n: str, loader: str) -> str:
    """After a pass: whether micro-batches are left that no step has closed."""
    if plan.loop == "reset":
        return f"{place.index} > 0" if plan.spelling % 2 else place.index
    if plan.loop == "while" or plan.last_index == 0:
        return f"len({loader}) % {n} != 0" if plan.spelling % 2 else f"len({loader}) % {n}"
    return f"({place.index} + 1) % {n} != 0" if place.start == 0 and plan.loop != "bottom" else f"{place.index} % {n} != 0"
