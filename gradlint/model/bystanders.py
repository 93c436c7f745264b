"""What else stands around a fix: what it would carry a call past, who else calls the function it is in, who reads a name.

Whatever is handed the model, the optimizer, the scaler, the schedule or the gradients keeps its place among the events of
training: it may save, average, measure, clip or disturb what it is given, and nobody here can tell which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from gradlint.model.anchors import RANK, Anchor, Withheld, chain
from gradlint.model.names.facts import Facts, Function
from gradlint.model.names.records import Frame
from gradlint.model.syntax.expressions import dotted, last_name, subnodes, text, walk
from gradlint.model.types import Boundary, Event, Kind, TrainingLoop

_TELLS = frozenset(
    (
        "print len range int float str bool min max abs sum round isinstance hasattr list dict tuple set zip enumerate sorted "
        "format join time perf_counter item detach cpu cuda numpy tolist append extend set_postfix set_postfix_str "
        "set_description set_description_str write info debug warning error exception log log_metrics log_dict log_metric "
        "add_scalar add_scalars keys values items get strftime mean pow sqrt argmax eq size view reshape to long double "
        "synchronize empty_cache perf_counter_ns ceil floor no_grad autocast inference_mode"
    ).split()
)
"""Calls that change nothing of training, unless they are handed some of it."""

_COUNTS = frozenset({"update", "add", "step"})
"""Calls of bars and meters, as far as they are given numbers and nothing else."""

_RATE = frozenset({"param_groups", "get_last_lr", "get_lr"})

# What is carried past what


def settled(event: Event, unit: cst.CSTNode, anchor: Anchor, loop: TrainingLoop) -> Anchor | Withheld:
    """A place for what moves at which it passes nothing that it may concern: the anchor, or one nearer in the anchor's block."""
    tree = loop.facts.tree
    start, end = tree.run(unit), tree.run(anchor.statement)
    if start is None or end is None:
        return anchor
    down = start[1] <= end[0]
    first, last = (start[1], end[1] if anchor.after else end[0]) if down else (end[1] if anchor.after else end[0], start[0])
    met = [each for each in _between(first, last, loop.facts) if concerns(each, event, loop) and not _heads_event(each, loop)]
    if not met:
        return anchor
    block = _block_of(anchor.statement, loop)
    inside = [next((s for s in block if tree.holds(s, each)), None) for each in met]
    beyond = next((each for each, holder in zip(met, inside, strict=True) if holder is None), None)
    if beyond is not None:
        return Withheld(f"{named(beyond, loop)} would no longer come {'after' if down else 'before'} `{event.source}`")
    nearer = Anchor(inside[0], False) if down else Anchor(inside[-1], True)  # type: ignore[arg-type]
    offended = _offended(event, nearer, anchor, block, loop, down=down)
    if offended is not None:
        return Withheld(f"{named(met[0], loop)} stands where `{event.source}` has to go, and may need what that does")
    return nearer


def _heads_event(node: cst.CSTNode, loop: TrainingLoop) -> bool:
    """What a loop over weights or optimizers walks, in which an event stands: the order of events is known."""
    return any(guard.kind == "loop" and guard.test is node for event in loop.events for guard in event.path)


def _offended(
    event: Event, nearer: Anchor, anchor: Anchor, block: Sequence[cst.CSTNode], loop: TrainingLoop, *, down: bool
) -> Event | None:
    """An event of the block whose order with the one that moves would be wrong at the nearer place."""
    tree = loop.facts.tree
    places = [next(i for i, s in enumerate(block) if s is each.statement) for each in (nearer, anchor)]
    low, high = min(places), max(places)
    for other in loop.events:
        if other is event or other.kind not in RANK:
            continue
        place = next((i for i, s in enumerate(block) if tree.holds(s, other.node)), None)
        if place is None or not low <= place <= high:
            continue
        rank, own = RANK[other.kind], RANK[event.kind]
        if rank < own if down else rank > own and min(rank, own) <= RANK[Kind.OPTIMIZER_STEP]:
            return other
    return None


def _block_of(statement: cst.CSTNode, loop: TrainingLoop) -> Sequence[cst.CSTNode]:
    """The statements beside one that is an event's, or that holds one."""
    for event in loop.events:
        for _, block, each in chain(event):
            if each is statement:
                return getattr(block, "body", ())
    return (statement,)


def stranger_beside(anchor: Anchor, event: Event, loop: TrainingLoop) -> cst.CSTNode | None:
    """What stands between the loop and a place in the update of its tail, and may concern what is prepared there for the step."""
    tree = loop.facts.tree
    whole, place = tree.run(loop.node), tree.run(anchor.statement)
    if whole is None or place is None or RANK[event.kind] >= RANK[Kind.OPTIMIZER_STEP]:
        return None
    return next((each for each in _between(whole[1], place[0], loop.facts) if concerns(each, event, loop)), None)


def unsettled(event: Event, unit: cst.CSTNode, anchor: Anchor, loop: TrainingLoop) -> str | None:
    """Why what moves cannot go to its canonical place and nowhere else; None where it can."""
    place = settled(event, unit, anchor, loop)
    if isinstance(place, Withheld):
        return place.reason
    return None if place is anchor else f"`{event.source}` would pass something that may need what it does"


def looks_at_gradients(anchor: Anchor, loop: TrainingLoop) -> cst.CSTNode | None:
    """What reads gradients in the rest of an iteration, behind a place at which they would be zero."""
    tree = loop.facts.tree
    place, whole = tree.run(anchor.statement), tree.run(loop.node)
    known = {id(event.node) for event in loop.events}
    if place is None or whole is None:
        return None
    for line in _between(place[1] if anchor.after else place[0], whole[1], loop.facts):
        for each in walk(line):
            named_so = isinstance(each, cst.Attribute) and each.attr.value == "grad"
            if named_so or (isinstance(each, cst.Call) and id(each) not in known and _of_gradients(each) and not _harmless(each)):
                return line
    return None


def _between(first: int, last: int, facts: Facts) -> Iterator[cst.CSTNode]:
    """The lines, and the conditions of blocks, that stand whole in a part of the file, in order."""
    tree = facts.tree
    found: list[cst.CSTNode] = [
        *tree.at(cst.SimpleStatementLine, (first, last)),
        *tree.at(cst.SimpleStatementSuite, (first, last)),
    ]
    conditions: list[cst.If | cst.While] = [*tree.at(cst.If, (first, last)), *tree.at(cst.While, (first, last))]
    for asking in conditions:
        found += [asking.test] if _ends(asking, facts) <= last else []
    for walking in tree.at(cst.For, (first, last)):
        found += [walking.iter] if _ends(walking, facts) <= last else []
    for entering in tree.at(cst.With, (first, last)):
        found += [item.item for item in entering.items] if _ends(entering, facts) <= last else []
    whole = (each for each in found if _ends(each, facts) <= last)
    return iter(sorted(whole, key=lambda each: tree.run(each) or (0, 0)))


def _ends(node: cst.CSTNode, facts: Facts) -> int:
    run = facts.tree.run(node)
    return run[1] if run is not None else 0


def concerns(node: cst.CSTNode, event: Event, loop: TrainingLoop) -> bool:
    """Whether a line may do something with what an event acts on, other than what the events of the loop are known to do."""
    known = {id(each.node) for each in loop.events}
    handles = handled(event.kind, loop)
    forward = isinstance(node, cst.SimpleStatementLine) and _leads_to_loss(node, loop)
    stack = [node]
    while stack:
        each = stack.pop()
        if id(each) in known:
            continue
        if isinstance(each, cst.Attribute) and each.attr.value == "grad" and event.kind is not Kind.SCHEDULER_STEP:
            return True
        if isinstance(each, (cst.Attribute, cst.Call)) and last_name(each) in _RATE and event.kind not in _SETS_RATE:
            continue
        if isinstance(each, (cst.Name, cst.Attribute)) and dotted(each) in handles:
            return True
        if (
            isinstance(each, cst.Call)
            and not _harmless(each)
            and (_of_gradients(each) if event.kind is Kind.ZERO_GRAD else not (forward and event.kind in _APART))
        ):
            return True
        if isinstance(each, cst.Attribute) and dotted(each) is not None:
            stack.append(each.value)
            continue
        stack += subnodes(each)
    return False


_SETS_RATE = frozenset({Kind.SCHEDULER_STEP, Kind.OPTIMIZER_STEP})
_APART = frozenset({Kind.SCHEDULER_STEP, Kind.SCALER_UPDATE})
"""What the forward pass has nothing to do with."""


def _leads_to_loss(line: cst.SimpleStatementLine, loop: TrainingLoop) -> bool:
    """A line that computes something before the last backward pass: data, predictions, a loss."""
    tree = loop.facts.tree
    backward = max((run[0] for each in loop.all(Kind.BACKWARD) if (run := tree.run(each.node)) is not None), default=0)
    return _ends(line, loop.facts) <= backward and all(isinstance(each, (cst.Assign, cst.AugAssign)) for each in line.body)


def _of_gradients(call: cst.Call) -> bool:
    """A call that may look at gradients: by its name, or because it is handed weights."""
    words = f"{last_name(call.func) or ''} " + " ".join(text(arg.value) for arg in call.args)
    return "grad" in words or "norm" in words or "parameters" in words


def _harmless(call: cst.Call) -> bool:
    name = last_name(call.func) or ""
    if name in _COUNTS:
        return all(
            not isinstance(arg.value, cst.Name) or (arg.value.value.islower() and len(arg.value.value) == 1) for arg in call.args
        )
    return name in _TELLS


def handled(kind: Kind, loop: TrainingLoop) -> frozenset[str]:
    """The names of what a kind of event has to do with, as far as the events of the loop show them."""
    if kind is Kind.ZERO_GRAD:
        return frozenset()
    if kind in _APART:
        kinds = (Kind.SCHEDULER_STEP, Kind.OPTIMIZER_STEP) if kind is Kind.SCHEDULER_STEP else (Kind.SCALER_UPDATE,)
        return frozenset(filter(None, (dotted(e.receiver) for k in kinds for e in loop.all(k) if e.receiver is not None)))
    found: set[str | None] = {loop.parallel}
    for event in loop.events:
        if event.kind in (Kind.BACKWARD, Kind.REPORT):
            continue
        if event.receiver is not None:
            found.add(dotted(event.receiver))
        for arg in event.args if event.kind in _HANDS else ():
            node = arg.value
            while isinstance(node, (cst.Call, cst.Attribute)) and last_name(node) in ("parameters", "master_params"):
                node = node.func if isinstance(node, cst.Call) else node.value
            found.add(dotted(node))
        if event.kind is Kind.OPTIMIZER_STEP:
            found.add(event.details.built_for)
    return frozenset(each for each in found if each and each != "self")


_HANDS = (Kind.CLIP, Kind.OPTIMIZER_STEP, Kind.UNSCALE, Kind.EMA_UPDATE)
"""Calls whose arguments are models, weights and optimizers."""


def named(node: cst.CSTNode, loop: TrainingLoop) -> str:
    """A line as a note names it."""
    words = text(node).partition("\n")[0].strip()
    words = words if len(words) <= 60 else f"{words[:57]}..."
    return f"`{words}`{loop.facts.page.at(node)}"


# Who else


def shared_with(node: cst.CSTNode, loop: TrainingLoop) -> Function | None:
    """The function in which a node stands, where the loop only calls it and something else may call it as well."""
    for function in helpers(loop):
        if loop.facts.tree.holds(function.node, node) and others_call(function, loop):
            return function
    return None


def helpers(loop: TrainingLoop) -> tuple[Function, ...]:
    """The functions of the file that a loop calls for what it does."""
    home = loop.guard.frame if loop.guard is not None else None
    above = {id(home)}
    frame = home
    while isinstance(frame, Frame) and frame.caller is not None:
        frame = frame.caller
        above.add(id(frame))
    found: dict[int, Function] = {}
    for event in loop.events:
        frame = event.frame
        while isinstance(frame, Frame) and id(frame) not in above and frame.caller is not None:
            if frame.function is not None:
                found.setdefault(id(frame.function), frame.function)
            frame = frame.caller
    return tuple(found.values())


def others_call(function: Function, loop: TrainingLoop) -> bool:
    """Whether more than one place of the file names a function, or a method of anything but what an event is known to act on."""
    count = loop.facts.page.reads(function.node.name.value)
    if count is None:
        return True
    if function.owner is None or function.parent is not None:
        return count.total() > 1
    known = {last_name(event.receiver) for event in loop.events if event.receiver is not None}
    return sum(times for base, times in count.items() if base and base not in known) > 1


def asked_elsewhere(loop: TrainingLoop, boundary: Boundary, tests: Sequence[cst.CSTNode]) -> cst.CSTNode | None:
    """Where else the iteration asks for the remainder by N, outside of some tests and of those that open a window."""
    tree, names, value = loop.facts.tree, boundary.steps.names, boundary.steps.value
    first = min((each.index for each in loop.all(Kind.BACKWARD)), default=0)
    opening = (zero.boundary for zero in loop.all(Kind.ZERO_GRAD) if zero.index < first)
    tests = [*tests, *(each.test for each in opening if each is not None)]
    for body in bodies(loop):
        for each in tree.of(cst.BinaryOperation, body):
            if not isinstance(each.operator, cst.Modulo) or isinstance(each.left, cst.SimpleString):
                continue
            right = each.right
            same = dotted(right) in names or text(right) in names or (value is not None and text(right) == str(value))
            if same and not any(tree.holds(test, each) for test in tests):
                return each
    return None


def bodies(loop: TrainingLoop) -> list[cst.CSTNode]:
    """The loop, and what functions of the file it calls, directly or through others."""
    facts = loop.facts
    known: dict[str, list[Function]] = {}
    for function in facts.functions:
        known.setdefault(function.node.name.value, []).append(function)
    found: dict[int, cst.CSTNode] = {id(loop.node): loop.node}
    queue = [loop.node]
    while queue:
        for call in facts.tree.calls(queue.pop()):
            for function in known.get(last_name(call.func) or "", ()):
                if id(function.node) not in found and not facts.tree.holds(function.node, loop.node):
                    found[id(function.node)] = function.node
                    queue.append(function.node)
    return list(found.values())
