"""Python's functions that iterate, count and collect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import WRAPS_ITERABLE
from gradlint.simulate import rows
from gradlint.simulate.callables import DefaultDict, Frame, Instance, Stream
from gradlint.simulate.conditions import truth
from gradlint.simulate.contents import is_data
from gradlint.simulate.iteration import ENDLESS, items_of, length, put_beside, walked_as
from gradlint.simulate.machine import Machine
from gradlint.simulate.ranges import goes_one_further, of_lengths, pieces_of
from gradlint.simulate.stops import Raised
from gradlint.simulate.things import Loader
from gradlint.simulate.trace import What
from gradlint.simulate.values import Opaque, Tensor, number, settings_of, whole
from gradlint.simulate.world import PASSES

Known = Callable[[Machine, list[Any], dict[str, Any], cst.CSTNode, "Frame | None"], Any]

_MOST = 4000


def _range(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    if len(args) == 3 and is_data(args[1]):
        return pieces_of(machine, args)
    bounds = [number(machine.number_of(each)) for each in args]
    if not bounds or any(bound is None for bound in bounds):
        bound = machine.number_of(Opaque(f"range at {machine.compiler.place(node)}"))
        bounds = [number(bound)]
    of: frozenset[str] = frozenset().union(*(settings_of(machine.number_of(each)) for each in args)) if args else frozenset()
    ends = [whole(bound) for bound in bounds]
    if len(ends) == 2 and ends[0] == 0 and type(args[0]) is Opaque and goes_one_further(node):
        ends[0] = 1  # `range(start, last + 1)`: a count whose last number is the limit begins at 1
    if len(ends) == 3 and ends[2] == 0:
        raise Raised("ValueError")
    walked = range(*ends)[:ENDLESS]
    if not of:
        return walked
    if (not walked and number(args[-1]) is None) or (not walked and len(ends) == 2):
        walked = range(ends[0], ends[0] + PASSES)  # nobody writes a loop that never runs
    stop = machine.number_of(args[0] if len(args) == 1 else args[1]) if len(args) < 3 else None
    return Stream(iter(walked), walked, of=of, stop=stop, by_data=of_lengths(machine, of))


def _enumerate(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    start = whole(machine.number_of(args[1] if len(args) > 1 else kwargs.get("start", 0)))
    items = items_of(machine, args[0], node) if args else iter(())
    return Stream(((place + start, item) for place, item in enumerate(items)), args[0] if args else None)


def _zip(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    walked = [items_of(machine, each, node) for each in args]
    shortest = min(args, key=lambda each: number(length(machine, each)) or ENDLESS, default=None)
    apart = len({id(each) for each in args}) < len(args)
    return Stream((_together(machine, group, apart) for group in zip(*walked, strict=False)), shortest)


def _together(machine: Machine, group: tuple[Any, ...], apart: bool) -> tuple[Any, ...]:
    """Items iterated over side by side belong to one micro-batch, unless they come from one stream."""
    tensors = [each for each in group if type(each) is Tensor]
    if 1 < len(tensors) == len(group) and len({id(each) for each in tensors}) == len(tensors):
        drawn = {each for tensor in tensors for each in tensor.draws}
        if not apart and len(drawn) == len(group):
            machine.together.update(dict.fromkeys(drawn, max(drawn)))
        return group
    draws = frozenset().union(*(each.draws for each in tensors)) if tensors else frozenset()
    return tuple(Tensor(draws, each.terms, each.models) if type(each) is Tensor else each for each in group)


def _len(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    given = args[0] if args else []
    loader = walked_as(given)
    if loader is not None and loader.sized is not True and not (loader.sized is None and loader.finite):
        machine.risks.add(f"`len({loader.identity})` may raise, because nothing shows that it has a length")
    if isinstance(known := loader or given, (Loader, Opaque)):
        machine.measures(known.identity)
    return rows.as_many_as_batches(machine, length(machine, given)) if machine.world.rows else length(machine, given)


def _iter(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    if not args:
        return Opaque("iter()")
    if isinstance(args[0], Stream):
        return args[0]
    return Stream(items_of(machine, args[0], node), args[0], level=len(machine.loops))


def _next(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    given = args[0] if args else None
    if isinstance(given, Stream):
        if given in machine.spent and len(args) < 2 and not machine.expects("StopIteration"):
            machine.spent.remove(given)
            given.items = _further(machine)
        try:
            item = next(given.items)
        except StopIteration:
            if len(args) > 1:
                return args[1]
            raise Raised("StopIteration") from None
        loader = walked_as(given.source)
        if loader is not None and loader.at_end and given not in machine.spent:
            machine.spent.append(given)
        return put_beside(machine, given, item)
    if isinstance(given, Instance):
        found, method = given.cls.lookup("__next__")
        if found:
            from gradlint.simulate.calling import call

            return call(machine, method, [given], {}, node)
    if isinstance(given, (list, tuple)):
        return given[0] if given else None
    return Tensor(machine.current())


def _further(machine: Machine) -> Iterator[Any]:
    """Batches beyond an end that nothing handles: there is none, or the program knows their number better than the world."""
    while True:
        yield Tensor(frozenset((machine.draw(),)))


def _container(make: Callable[[Any], Any]) -> Known:
    def run(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
        items: list[Any] = []
        for item in items_of(machine, args[0], node) if args else ():
            machine.tick(node)
            items.append(item)
            if len(items) >= _MOST:
                break
        try:
            return make(items)
        except TypeError:
            return items

    return run


def _dict(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    found: dict[Any, Any] = {}
    if args and isinstance(args[0], dict):
        found.update(args[0])
    elif args and isinstance(args[0], (list, tuple)):
        found.update(each for each in args[0] if isinstance(each, tuple) and len(each) == 2 and isinstance(each[0], (str, int)))
    found.update(kwargs)
    return found


def _defaultdict(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    from gradlint.simulate.calling import call

    return DefaultDict(lambda: call(machine, args[0], [], {}, node)) if args and args[0] is not None else {}


def _islice(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    bounds = [number(machine.number_of(each)) if each is not None else None for each in args[1:]]
    start, stop = (0, bounds[0]) if len(bounds) == 1 else (whole(bounds[0]), bounds[1]) if bounds else (0, None)
    items = items_of(machine, args[0], node) if args else iter(())

    def run() -> Iterator[Any]:
        place = -1
        while stop is None or place + 1 < stop:
            item = next(items, _END)
            if item is _END:
                return
            place += 1
            if place >= start:
                yield item

    return Stream(run(), None)


_END = object()


def _batched(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    size = whole(machine.number_of(args[1]), 1) if len(args) > 1 else 1
    items = items_of(machine, args[0], node) if args else iter(())

    def run() -> Iterator[Any]:
        group: list[Any] = []
        for item in items:
            group.append(item)
            if len(group) >= size:
                yield tuple(group)
                group = []
        if group:
            yield tuple(group)

    return Stream(run())


def _cycle(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    """Batches without an end. Repetitions of the data do not begin new passes."""
    loader = Loader("cycle", node, finite=False)
    given = args[0] if args else None
    if isinstance(given, Stream) and isinstance(given.source, range):
        given = given.source
    if isinstance(given, (list, tuple, range)) and given:
        return Stream(given[place % len(given)] for place in range(ENDLESS))
    return Stream(items_of(machine, loader, node), None)


def _count(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    start = whole(machine.number_of(args[0] if args else kwargs.get("start", 0)))
    pace = whole(machine.number_of(args[1] if len(args) > 1 else kwargs.get("step", 1)), 1) or 1
    return Stream(iter(range(start, start + pace * ENDLESS, pace)))


def _chain(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    return Stream(item for each in args for item in items_of(machine, each, node))


def _map(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    from gradlint.simulate.calling import call

    if len(args) < 2:
        return Opaque("map()")
    walked = [items_of(machine, each, node) for each in args[1:]]
    return Stream(call(machine, args[0], list(group), {}, node) for group in zip(*walked, strict=False))


def _filter(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    from gradlint.simulate.calling import call

    if len(args) < 2:
        return Opaque("filter()")
    items = items_of(machine, args[1], node)
    return Stream(each for each in items if args[0] is None or truth(machine, call(machine, args[0], [each], {}, node)))


def _reduce(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    from gradlint.simulate.calling import call

    items = list(items_of(machine, args[1], node))[:200] if len(args) > 1 else []
    total = args[2] if len(args) > 2 else items.pop(0) if items else None
    for item in items:
        total = call(machine, args[0], [total, item], {}, node)
    return total


def _walked(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    """A progress bar: its iterable, unchanged. Its total is a number that users see."""
    given = args[0] if args else kwargs.get("iterable")
    total = kwargs.get("total")
    known = number(machine.number_of(total)) if total is not None else None
    if known is not None:
        machine.note(What.CALL, node, numbers=(float(known),), text="a progress bar", handed=frozenset(("total",)))
    return given if given is not None else Opaque("a progress bar")


def _trange(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    return _range(machine, args, {}, node, frame)


STREAMS: dict[str, Known] = {
    "builtins.range": _range,
    "builtins.enumerate": _enumerate,
    "builtins.zip": _zip,
    "itertools.zip_longest": _zip,
    "builtins.len": _len,
    "builtins.iter": _iter,
    "builtins.next": _next,
    "builtins.list": _container(list),
    "builtins.tuple": _container(tuple),
    "builtins.set": _container(set),
    "builtins.frozenset": _container(frozenset),
    "builtins.sorted": _container(list),
    "builtins.reversed": _container(lambda items: list(reversed(items))),
    "collections.deque": _container(list),
    "builtins.dict": _dict,
    "collections.OrderedDict": _dict,
    "collections.defaultdict": _defaultdict,
    "itertools.islice": _islice,
    "itertools.batched": _batched,
    "more_itertools.chunked": _batched,
    "itertools.cycle": _cycle,
    "itertools.count": _count,
    "itertools.chain": _chain,
    "builtins.map": _map,
    "builtins.filter": _filter,
    "functools.reduce": _reduce,
    "tqdm.trange": _trange,
    "tqdm.auto.trange": _trange,
    **{
        f"{module}.{name}": _walked
        for module in ("tqdm", "tqdm.auto", "tqdm.notebook", "rich.progress")
        for name in WRAPS_ITERABLE
        if name != "trange"
    },
}
