"""How a program walks micro-batches one by one, and where it counts them."""

from __future__ import annotations

from dataclasses import dataclass

from .code import UPDATES, Draft
from .feeds import walked
from .plan import INDEXED


@dataclass(frozen=True)
class Walk:
    """The code around one micro-batch.

    `once` stands before all passes, `before` before each. `index` is the number of the micro-batch, `from_one` whether it is
    1 for the first. `last` holds on the last micro-batch of a pass, where the walk can tell.
    """

    header: str
    index: str = ""
    from_one: bool = False
    once: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    top: tuple[str, ...] = ()
    bottom: tuple[str, ...] = ()
    last: str = ""

    def count(self, slip: int = 0) -> str:
        """How many micro-batches there were with this one; with a slip one less or more."""
        return shifted(self.index, slip + (not self.from_one))


def shifted(name: str, by: int) -> str:
    return name if by == 0 else f"{name} {'+' if by > 0 else '-'} {abs(by)}"


def walk(draft: Draft) -> Walk:
    """The walk of a plan, with its counter."""
    base = _base(draft)
    if draft.plan.counter == "index":
        return base
    if draft.plan.counter == "epochs":
        return _in_epochs(draft, base)
    return _counting(draft, base)


def _base(draft: Draft) -> Walk:
    loader, data = draft.own("loader"), walked(draft)
    length = f"i + 1 == len({loader})"
    batches = f"batches = iter({data})"
    before: tuple[str, ...]
    top: tuple[str, ...]
    match draft.plan.walk:
        case "batch":
            return Walk(f"for i, batch in enumerate({data}):", "i", top=("x, y = batch",), last=length)
        case "from one":
            return Walk(f"for i, (x, y) in enumerate({data}, 1):", "i", True, last=f"i == len({loader})")
        case "range":
            return Walk(f"for i in range(len({loader})):", "i", before=(batches,), top=("x, y = next(batches)",), last=length)
        case "steps":
            draft.use("import itertools")
            stream = f"stream = itertools.cycle({data})"
            return Walk(f"for i in range({UPDATES} * {draft.n}):", "i", once=(stream,), top=("x, y = next(stream)",))
        case "restarted":
            top = ("try:", "    x, y = next(batches)", "except StopIteration:", f"    {batches}", "    x, y = next(batches)")
            return Walk(f"for i in range({UPDATES} * {draft.n}):", "i", once=(batches,), top=top)
        case "progress":
            draft.use("from tqdm import tqdm")
            before, bottom = (f"watched = tqdm({data}, disable=True)",), ("watched.set_postfix(number=i)",)
            return Walk("for i, (x, y) in enumerate(watched):", "i", before=before, bottom=bottom, last="i + 1 == len(watched)")
        case "zip count":
            draft.use("import itertools")
            return Walk(f"for i, (x, y) in zip(itertools.count(1), {data}):", "i", True, last=f"i == len({loader})")
        case "order":
            before = (f"batches = list({data})", "order = list(reversed(range(len(batches))))")
            top = ("x, y = batches[position]",)
            return Walk("for i, position in enumerate(order):", "i", before=before, top=top, last="i + 1 == len(order)")
        case "indices":
            before = (f"batches = list({data})", "following = 0")
            top = ("i = following", "following = i + 1", "x, y = batches[i]")
            return Walk("while following < len(batches):", "i", before=before, top=top, last="following == len(batches)")
        case "numbered":
            draft.block(
                "def numbered(batches):", "    for number, batch in enumerate(batches, 1):", "        yield number, batch"
            )
            return Walk(f"for i, (x, y) in numbered({data}):", "i", True, last=f"i == len({loader})")
        case "bare":
            return Walk(f"for x, y in {data}:")
        case "try next":
            top = ("try:", "    x, y = next(batches)", "except StopIteration:", "    break")
            return Walk("while True:", before=(batches,), top=top)
        case "next default":
            return Walk("while (batch := next(batches, None)) is not None:", before=(batches,), top=("x, y = batch",))
        case "prefetch":
            before = (batches, "batch = next(batches, None)")
            top = ("following = next(batches, None)", "x, y = batch")
            return Walk(
                "while batch is not None:", before=before, top=top, bottom=("batch = following",), last="following is None"
            )
    return Walk(f"for i, (x, y) in enumerate({data}):", "i", last=length)


def _in_epochs(draft: Draft, base: Walk) -> Walk:
    """The number of the micro-batch in all passes, by a formula."""
    done = f"epoch * len({draft.own('loader')}) + {base.index}"
    return _with(base, index=done, from_one=base.from_one, last="")


def _counting(draft: Draft, base: Walk) -> Walk:
    """A counter of the author's own beside the walk."""
    plan = draft.plan
    start = 'checkpoint["step"]' if plan.resumed else "0"
    start = draft.own(start) if plan.resumed else start
    init, add, name = _counter(draft, start)
    last = base.last
    if plan.walk != "prefetch" and plan.walk not in INDEXED:
        last = f"{name} == len({draft.own('loader')})" if plan.measured else ""
    early = (*base.top, *add)
    if not plan.restarts:
        return _with(base, index=name, from_one=True, once=(*base.once, *init), top=early, last="")
    return _with(base, index=name, from_one=True, before=(*base.before, *init), top=early, last=last)


def _counter(draft: Draft, start: str) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """What makes a counter, what adds one to it, and how it is read after that."""
    match draft.plan.counter:
        case "dict":
            return (f'state = {{"seen": {start}}}',), ('state["seen"] += 1',), 'state["seen"]'
        case "list":
            return (f"seen = [{start}]",), ("seen[0] += 1",), "seen[0]"
        case "dataclass":
            draft.use("from dataclasses import dataclass")
            draft.block("@dataclass", "class Progress:", "    seen: int = 0")
            return (f"progress = Progress({start})",), ("progress.seen += 1",), "progress.seen"
        case "closure":
            draft.block(
                "def ticker(seen):", "    def tick():", "        nonlocal seen", "        seen += 1", "        return seen", "",
                "    return tick",
            )  # fmt: skip
            return (f"tick = ticker({start})",), ("k = tick()",), "k"
        case "count":
            draft.use("import itertools")
            return (
                (f"ticks = itertools.count({start} + 1)" if draft.plan.resumed else "ticks = itertools.count(1)",),
                ("k = next(ticks)",),
                "k",
            )
    return (f"seen = {start}",), ("seen += 1",), "seen"


def _with(base: Walk, **more: object) -> Walk:
    return Walk(**{**vars(base), **more})
