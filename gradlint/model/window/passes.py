"""What a micro loop walks: a finite loader with a length, a window of N, an endless stream, or something unknown."""

from __future__ import annotations

import re
from dataclasses import replace

import libcst as cst

from gradlint.model.data.window import Pass, Steps
from gradlint.model.lengths import has_length, is_stream
from gradlint.model.names.records import Frame, Site, Trace, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.names.vocabulary import WRAPS_ITERABLE, Role
from gradlint.model.syntax.expressions import argument, calls_in, dotted, last_name, literal, text, walk
from gradlint.model.syntax.paths import Guard

_EPOCH = re.compile(r"epoch", re.I)
_FRAMEWORKS = frozenset(("torch", "lightning", "pytorch_lightning", "accelerate", "apex", "deepspeed"))
_WALKS_ALL = WRAPS_ITERABLE | {"enumerate"}
_WALKS_SOME = frozenset(("range", "trange", "zip", "cycle", "count", "repeat", "islice", "iter"))
_SPLITS = frozenset(["chunk", "split", "tensor_split", "array_split", "split_batch"])
_FETCH = re.compile(r"^next$|get_batch|next_batch|sample_batch|fetch_batch|load_batch|get_next")
_MICRO = re.compile(r"micro|sub_?batch|mini_?batches$|chunks?$", re.I)
_HANDS_ON = frozenset(["enumerate", "zip", "list", "tuple"])
"""What gives the items of its argument, in their order and number."""

_PARAMS = re.compile(r"param|module|layer|optim|optims|name|model")


def pass_of(guard: Guard, path_before: tuple[Guard, ...], resolver: Resolver) -> Pass:
    """What the loop of a guard walks."""
    frame = guard.frame
    if guard.test is None:
        return Pass(None)
    assert isinstance(frame, Frame)
    if isinstance(guard.node, cst.While) or _counts(guard.test):
        drawn = _drawn_until_the_end(guard.node)
        return Pass(False) if drawn is None else _iterable(drawn, Site(frame, guard.index, path_before), resolver, frame)
    return _iterable(guard.test, Site(frame, guard.index, path_before), resolver, frame)


def one_epoch(guard: Guard, path_before: tuple[Guard, ...], function: str, resolver: Resolver) -> bool:
    """The loop walks something to its end, and a loop over epochs, or a function of one, says that this is all the data."""
    node, frame = guard.node, guard.frame
    if not isinstance(node, cst.For) or any(isinstance(each, (cst.Break, cst.Return)) for each in walk(node.body)):
        return False
    assert isinstance(frame, Frame)
    if not any(full.partition(".")[0] in _FRAMEWORKS for full in resolver.trace.facts.imports.values()):
        return False
    for each, _ in resolver.follow(node.iter, Site(frame, guard.index, path_before)):
        while isinstance(each, cst.Call) and each.args and last_name(each.func) in _WALKS_ALL:
            each = each.args[0].value
        given = each.args if isinstance(each, cst.Call) else ()
        if isinstance(each, cst.Call) and last_name(each.func) in _WALKS_SOME:
            return False
        if any(resolver.words.spells_steps(last_name(node) or "") for arg in given for node in walk(arg.value)):
            return False  # it may know of the window
    around = [last_name(g.node.target) or "" for g in path_before if isinstance(g.node, cst.For)]
    return any(_EPOCH.search(name) for name in (*around, function.rsplit(".", 1)[-1]))


def _counts(node: cst.BaseExpression) -> bool:
    """`count()`: the loop ends by what stands in its body."""
    return isinstance(node, cst.Call) and dotted(node.func) in ("count", "itertools.count")


def _drawn_until_the_end(loop: cst.CSTNode) -> cst.BaseExpression | None:
    """The iterator of `try: batch = next(iterator) except StopIteration: break` in the body of an endless loop."""
    if not isinstance(loop, (cst.For, cst.While)) or (isinstance(loop, cst.While) and literal(loop.test) not in (True, 1)):
        return None
    for node in walk(loop.body):
        if isinstance(node, cst.Try):
            ends = [h for h in node.handlers if h.type is not None and last_name(h.type) == "StopIteration"]
            if any(isinstance(each, cst.Break) for handler in ends for each in walk(handler.body)):
                drawn = (argument(call, 0) for call in calls_in(node.body) if last_name(call.func) == "next")
                return next(drawn, None)
    return None


def _iterable(node: cst.BaseExpression, site: Site, resolver: Resolver, home: Frame, hops: int = 0) -> Pass:
    if hops > 8:
        return Pass(None)
    if isinstance(node, cst.Call):
        return _call(node, site, resolver, home, hops)
    if isinstance(node, (cst.Name, cst.Attribute, cst.Subscript)):
        role = resolver.role(node, site)
        if role is Role.ENDLESS:
            return Pass(False)
        found = resolver.reaching(dotted(node) or "", site)[0]
        definition = found[0] if found else None
        if definition is not None and isinstance(definition.value, cst.Call):
            kind = last_name(definition.value.func)
            if kind in ("enumerate", "zip", "iter", "list", "cycle", "islice", "range") or kind in WRAPS_ITERABLE:
                return _iterable(definition.value, site_of(definition), resolver, home, hops + 1)
        length = text(node) if dotted(node) and site.frame is home else None
        if role is Role.LOADER:
            certain = length is not None and has_length(node, site, resolver)
            return Pass(True, length, certain=certain, stream=not certain and is_stream(node, site, resolver))
        return Pass(None, length)
    return Pass(None)


def _call(node: cst.Call, site: Site, resolver: Resolver, home: Frame, hops: int) -> Pass:
    kind = last_name(node.func)
    first = argument(node, 0, "iterable", "sequence")
    if kind == "range":
        return _range(node, site, resolver, home)
    if kind == "trange":
        return _range(node, site, resolver, home)
    if kind == "zip":
        parts = [_iterable(arg.value, site, resolver, home, hops + 1) for arg in node.args]
        return next((p for p in parts if p.finite), Pass(None))  # what is endless does not end it
    if (kind in WRAPS_ITERABLE or kind in ("enumerate", "iter", "reversed", "list")) and first is not None:
        return _iterable(first, site, resolver, home, hops + 1)
    if kind in ("cycle", "count", "repeat"):
        return Pass(False)
    if resolver.role(node, site) is Role.LOADER:
        return Pass(True)
    if kind in ("train_dataloader", "get_train_dataloader"):
        return Pass(True)
    return Pass(None)


def _range(node: cst.Call, site: Site, resolver: Resolver, home: Frame) -> Pass:
    plain = [arg.value for arg in node.args if arg.keyword is None]
    if len(plain) != 1:
        return Pass(None)
    for each, _ in resolver.follow(plain[0], site):
        if isinstance(each, cst.BinaryOperation) and any(last_name(call) == "len" for call in calls_in(each)):
            return Pass(True)
        if isinstance(each, cst.Call) and last_name(each.func) == "len":
            inner = argument(each, 0)
            if inner is not None and resolver.role(inner, site) is Role.LOADER and each is plain[0]:
                return Pass(True, text(inner), certain=True)
            return Pass(True)
    factors = [plain[0].left, plain[0].right] if isinstance(plain[0], cst.BinaryOperation) else []
    if isinstance(getattr(plain[0], "operator", None), cst.Multiply):
        named = (last_name(each) or "" for each in factors)
        if any(resolver.words.spells_steps(name) for name in named):
            return Pass(False)  # so many updates of N micro-batches: there is no partial window
    if any(re.search("batch", name.value, re.I) for name in walk(plain[0]) if isinstance(name, cst.Name)):
        return Pass(
            None if any(re.search("max|total", n.value, re.I) for n in walk(plain[0]) if isinstance(n, cst.Name)) else True
        )
    return Pass(None)


def window_steps(guard: Guard, prefix: tuple[Guard, ...], resolver: Resolver, trace: Trace) -> Steps | None:
    """N where the loop runs over one window: `range(N)`, `batch.chunk(N)`, a list of micro-batches; else None."""
    if not isinstance(guard.node, cst.For) or guard.test is None or _behind_boundary(prefix):
        return None
    unwrapped = _unwrapped(guard, prefix, resolver)
    if unwrapped is None:
        return None
    node, named, site = unwrapped
    found = _window_call(node, site, resolver, guard, trace) if isinstance(node, cst.Call) else _sliced(node, site, resolver)
    if not isinstance(named, (cst.Name, cst.Attribute)):
        return found
    length, found = f"len({text(named)})", found or _listed(named, site, resolver)
    if found is not None:
        return replace(found, names=found.names | {length}) if found.source is not None else found
    name = last_name(named) or ""
    return Steps(length, frozenset({length})) if _MICRO.search(name) and not _PARAMS.search(name) else None


def _listed(named: cst.BaseExpression, site: Site, resolver: Resolver) -> Steps | None:
    """N where a name stands for `[next(batches) for _ in range(N)]`: the batches of a window, drawn before they are walked."""
    definition = resolver.sole(named, site)
    value = definition.value if definition is not None else None
    if definition is None or not isinstance(value, cst.ListComp) or value.for_in.ifs or value.for_in.inner_for_in is not None:
        return None
    draws = any(last_name(call.func) == "next" for call in calls_in(value.elt))
    walked = value.for_in.iter
    if not draws or not isinstance(walked, cst.Call) or last_name(walked.func) != "range" or len(walked.args) != 1:
        return None
    return resolver.steps(walked.args[0].value, site_of(definition))


def _unwrapped(
    guard: Guard, prefix: tuple[Guard, ...], resolver: Resolver
) -> tuple[cst.BaseExpression, cst.BaseExpression, Site] | None:
    """What a loop walks without `tqdm` and `enumerate` around it, the name it has there, and where it is written."""
    frame = guard.frame
    assert isinstance(frame, Frame) and guard.test is not None
    node, named, site = guard.test, guard.test, Site(frame, guard.index, prefix)
    for _ in range(4):
        if isinstance(node, cst.Call) and (last_name(node.func) in WRAPS_ITERABLE or last_name(node.func) in _HANDS_ON):
            inner = argument(node, 0, "iterable")
            if inner is None:
                return None
            node = inner
        elif isinstance(node, (cst.Name, cst.Attribute)):
            definition, named = resolver.sole(node, site), node
            if definition is None or not isinstance(definition.value, (cst.Call, cst.Subscript)):
                break
            node, site = definition.value, site_of(definition)
        else:
            break
    return node, named, site


def cut_from_batches(guard: Guard, prefix: tuple[Guard, ...], resolver: Resolver) -> bool:
    """Each window is a run of a loader's batches, `batches[k : k + N]` or `islice(batches, N)`; the last may be shorter."""
    unwrapped = _unwrapped(guard, prefix, resolver) if guard.test is not None else None
    if unwrapped is None:
        return False
    node, _, site = unwrapped
    whole: cst.BaseExpression | None = None
    if isinstance(node, cst.Subscript):
        whole = node.value
    elif isinstance(node, cst.Call) and last_name(node.func) == "islice":
        whole = argument(node, 0)
    return whole is not None and _iterable(whole, site, resolver, site.frame).finite is True


def _sliced(node: cst.BaseExpression, site: Site, resolver: Resolver) -> Steps | None:
    """`batches[start : start + N]`: one window of a list of batches."""
    part = node.slice[0].slice if isinstance(node, cst.Subscript) and len(node.slice) == 1 else None
    if not isinstance(part, cst.Slice) or part.lower is None or part.step is not None:
        return None
    upper = part.upper
    if not isinstance(upper, cst.BinaryOperation) or not isinstance(upper.operator, cst.Add):
        return None
    for one, other in ((upper.left, upper.right), (upper.right, upper.left)):
        if text(one) == text(part.lower):
            steps = resolver.steps(other, site)
            walked = dotted(part.lower)
            strides = [d.value for d in resolver.reaching(walked, site)[0] if d.how == "loop"] if walked else []
            strided = any(isinstance(v, cst.Call) and len(v.args) == 3 and text(v.args[2].value) == text(other) for v in strides)
            return steps if strided else None
    return None


def _behind_boundary(prefix: tuple[Guard, ...]) -> bool:
    """The loop runs at a boundary of its own: it forwards the cached micro-batches of a window again (GradCache).

    Every such backward covers the loss of the whole window, whose gradient is the sum over the loop.
    """
    return any(
        isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Modulo)
        for guard in prefix
        if guard.kind == "branch" and guard.test is not None
        for node in walk(guard.test)
    )


def _window_call(node: cst.Call, site: Site, resolver: Resolver, guard: Guard, trace: Trace) -> Steps | None:
    kind = last_name(node.func)
    if kind == "islice":
        plain = [arg.value for arg in node.args]
        return resolver.steps(plain[1], site) if len(plain) == 2 else None
    if kind in _SPLITS and isinstance(node.func, cst.Attribute):
        place = 1 if dotted(node.func.value) in ("torch", "np", "numpy") else 0
        count = argument(node, place, "chunks", "indices_or_sections")
        if kind != "split" and count is not None:
            return resolver.steps(count, site)
        return Steps(None)
    if kind not in ("range", "trange"):
        return None
    plain = [arg.value for arg in node.args if arg.keyword is None]
    if len(plain) == 3 and not isinstance(literal(plain[2]), int):
        return Steps(None)
    count = plain[0] if len(plain) == 1 else None
    if count is None or any(last_name(call) == "len" for each, _ in resolver.follow(count, site) for call in calls_in(each)):
        return None
    steps = resolver.steps(count, site)
    spelled = any(resolver.words.spells_steps(name) for name in steps.names)
    if spelled or fetches(guard, trace):
        return steps
    return None


def fetches(guard: Guard, trace: Trace) -> bool:
    """The body draws a batch of its own in each iteration, in the loop's own suite."""
    for site in trace.calls:
        if _FETCH.search(last_name(site.call.func) or ""):
            loops = [g for g in site.path if g.kind == "loop"]
            if loops and loops[-1] is guard:
                return not any(literal(n) is None for n in walk(site.call.func) if isinstance(n, cst.Integer))
    return False
