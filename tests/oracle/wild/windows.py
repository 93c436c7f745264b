"""How a program walks windows, in which a loop over micro-batches stands."""

from __future__ import annotations

from dataclasses import dataclass

from .code import UPDATES, Draft
from .feeds import walked


@dataclass(frozen=True)
class Windows:
    """The two loops; `members` is the list that a window is, where it is one."""

    outer: str
    inner: str
    once: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    top: tuple[str, ...] = ()
    members: str = ""


_BATCHED = (
    "def batched(iterable, size):", "    iterator = iter(iterable)",
    "    while chunk := list(itertools.islice(iterator, size)):", "        yield chunk",
)  # fmt: skip

_YIELDED = (
    "def windows_of(batches, size):", "    window = []", "    for batch in batches:", "        window.append(batch)",
    "        if len(window) == size:", "            yield window", "            window = []", "    if window:", "        yield window",
)  # fmt: skip


def windows(draft: Draft) -> Windows:
    """The windows of a plan."""
    loader, n = draft.own("loader"), draft.n
    data = walked(draft)
    batches = f"batches = iter({data})"
    inner = "for x, y in window:"
    match draft.plan.walk:
        case "batched":
            draft.use("import itertools")
            draft.block(*_BATCHED)
            return Windows(f"for window in batched({data}, {n}):", inner, members="window")
        case "yielded":
            draft.block(*_YIELDED)
            return Windows(f"for window in windows_of({data}, {n}):", inner, members="window")
        case "islice":
            draft.use("import itertools")
            outer = f"while window := list(itertools.islice(batches, {n})):"
            return Windows(outer, inner, before=(batches,), members="window")
        case "listed":
            size = draft.plan.n
            cut = f"windows = [batches[k : k + {size}] for k in range(0, len(batches), {size})]"
            return Windows("for window in windows:", inner, before=(f"batches = list({data})", cut), members="window")
        case "zip iters":
            return Windows(f"for window in zip(*[iter({data})] * {n}):", inner, members="window")
        case "chunks":
            opened = (f"parts = list(zip(inputs.chunk({n}), targets.chunk({n})))",)
            return Windows(f"for inputs, targets in {data}:", "for x, y in parts:", opened=opened, members="parts")
        case "inner range":
            draft.use("import itertools")
            once = (f"stream = itertools.cycle({data})",)
            return Windows(f"for update in range({UPDATES}):", f"for _ in range({n}):", once=once, top=("x, y = next(stream)",))
    return Windows(
        "while remaining > 0:",
        f"while filled < {n} and remaining > 0:",
        before=(batches, f"remaining = len({loader})"),
        opened=("filled = 0",),
        top=("x, y = next(batches)", "filled += 1", "remaining -= 1"),
    )
