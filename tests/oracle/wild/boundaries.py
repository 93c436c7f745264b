"""How a program tells that a micro-batch closes its window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from .code import Draft, indent
from .walks import Walk

Lines = list[str]


@dataclass(frozen=True)
class Guard:
    """The code of a boundary: before all passes, before each, before the forward pass, around the update; and the test that
    a partial window is left after a pass."""

    wrap: Callable[[Lines], Lines]
    once: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    early: tuple[str, ...] = ()
    leftover: str = ""


def under(test: str) -> Callable[[Lines], Lines]:
    return lambda block: [f"if {test}:", *indent(block)]


def guard(draft: Draft, place: Walk, close: Lines) -> Guard:
    """The boundary of a plan, around an update and what else stands there."""
    plan = draft.plan
    slip = (-1 if plan.slip == "first" else 1) if plan.has("GRD201") else 0
    last = place.last if plan.tail == "guard" and not plan.has("GRD202") else ""
    asked = _Asked(draft, place.count(slip), place.count(), slip, last, f"{_closed(place.count())} % {draft.n}")
    if plan.gate == "early return":
        return _gate(asked, close)
    found = _KINDS[plan.boundary](asked)
    return replace(found, wrap=lambda block: found.wrap([*close, *block]))


def _closed(expression: str) -> str:
    return f"({expression})" if " " in expression else expression


@dataclass(frozen=True)
class _Asked:
    """What a boundary is made of: the count as it is tested and as it is, and the test for the last micro-batch."""

    draft: Draft
    count: str
    true: str
    slip: int
    last: str
    leftover: str

    @property
    def n(self) -> str:
        return self.draft.n

    @property
    def rest(self) -> str:
        return f"{_closed(self.count)} % {self.n}"

    def either(self, test: str) -> str:
        """A test, or the last micro-batch of the pass."""
        return f"{test} or {self.last}" if self.last else test

    def neither(self, test: str) -> str:
        """A test that a window stays open, and that the pass goes on."""
        return f"{test} and not {_closed(self.last)}" if self.last else test

    def guard(self, test: str, **more: tuple[str, ...]) -> Guard:
        return Guard(under(self.either(test)), leftover=self.leftover, **more)

    @property
    def scope(self) -> str:
        """Where the memory of a boundary is made: before each pass if it is counted anew."""
        return "before" if self.draft.plan.restarts and self.draft.plan.finite else "once"

    @property
    def start(self) -> str:
        """How many micro-batches the count begins with."""
        plan = self.draft.plan
        goes_on = plan.resumed and not plan.restarts and plan.counter != "epochs"
        return self.draft.own('checkpoint["step"]') if goes_on else "0"


def _gate(a: _Asked, close: Lines) -> Guard:
    """A function that returns early inside a window, and otherwise has the update."""
    given, test = ("number, last=False", " and not last") if a.last else ("number", "")
    lines = [f"if number % {a.n} != 0{test}:", "    return False", *close, "return True"]
    call = f"close_window({a.count}{', ' if a.last else ''}{a.last})"
    once = (f"def close_window({given}):", *indent(lines), "")
    return Guard(lambda block: [f"if {call}:", *indent(block)] if block else [call], once=once, leftover=a.leftover)


def _plain(a: _Asked) -> Guard:
    return a.guard(f"{a.rest} == 0")


def _not(a: _Asked) -> Guard:
    return a.guard(f"not {a.rest}")


def _walrus(a: _Asked) -> Guard:
    return a.guard(f"(done := {a.count}) % {a.n} == 0")


def _match(a: _Asked) -> Guard:
    if a.last:
        head = [f"match {a.rest}, {a.last}:", "    case (0, _) | (_, True):"]
    else:
        head = [f"match {a.rest}:", "    case 0:"]
    return Guard(lambda block: [*head, *indent(block, 2)], leftover=a.leftover)


def _lambda(a: _Asked) -> Guard:
    return a.guard(f"closes({a.count})", once=(f"closes = lambda number: number % {a.n} == 0",))


def _divmod(a: _Asked) -> Guard:
    return a.guard("rest == 0", early=(f"window, rest = divmod({a.count}, {a.n})",))


def _rest(a: _Asked) -> Guard:
    return a.guard("not rest", early=(f"rest = {a.rest}",))


def _property(a: _Asked) -> Guard:
    """A property of the trainer that counts, or of a clock of its own where no class trains."""
    slip = f"(self.seen {'-' if a.slip < 0 else '+'} 1)" if a.slip else "self.seen"
    if a.draft.plan.frame == "trainer":
        a.draft.methods.append(["@property", "def closes(self):", f"    return {slip} % {a.n} == 0"])
        made: dict[str, tuple[str, ...]] = {a.scope: (f"self.seen = {a.start}",)}
        return Guard(under(a.either("self.closes")), early=("self.seen += 1",), leftover="not self.closes", **made)
    a.draft.block(
        "class Clock:", "    def __init__(self, every, seen=0):", "        self.every = every", "        self.seen = seen", "",
        "    def tick(self):", "        self.seen += 1", "",
        "    @property", "    def closes(self):", f"        return {slip} % self.every == 0",
    )  # fmt: skip
    more = f", {a.start}" if a.start != "0" else ""
    made = {a.scope: (f"clock = Clock({a.n}{more})",)}
    return Guard(under(a.either("clock.closes")), early=("clock.tick()",), leftover="not clock.closes", **made)


def _flag(a: _Asked) -> Guard:
    return Guard(under("closing"), early=(f"closing = {a.either(f'{a.rest} == 0')}",), leftover="not closing")


def _flag_in_dict(a: _Asked) -> Guard:
    flag = 'flags["sync"]'
    return Guard(
        under(flag), once=('flags = {"sync": False}',), early=(f"{flag} = {a.either(f'{a.rest} == 0')}",), leftover=f"not {flag}"
    )


def _flag_in_object(a: _Asked) -> Guard:
    if a.draft.plan.frame == "trainer":
        flag, once = "self.sync", "self.sync = False"
    else:
        a.draft.use("from types import SimpleNamespace")
        flag, once = "status.sync", "status = SimpleNamespace(sync=False)"
    return Guard(under(flag), once=(once,), early=(f"{flag} = {a.either(f'{a.rest} == 0')}",), leftover=f"not {flag}")


def _ends(a: _Asked) -> Guard:
    loader = a.draft.own("loader")
    first = {0: a.n, -1: "1", 1: f"{a.n} - 1"}[a.slip]
    count = f"{a.draft.plan.n} * 5" if not a.draft.plan.finite else f"len({loader})"
    ends = f"set(range({first}, {count} + 1, {a.n}))"
    before = [f"ends = {ends}"]
    if a.last:
        before.append(f"ends.add(len({loader}))")
    return Guard(under(f"{a.true} in ends"), before=tuple(before), leftover=a.leftover)


def _table(a: _Asked) -> Guard:
    loader = a.draft.own("loader")
    count = f"{a.draft.plan.n} * 5" if not a.draft.plan.finite else f"len({loader})"
    number = {0: "number + 1", -1: "number", 1: "number + 2"}[a.slip]
    before = [f"closing = [({number}) % {a.n} == 0 for number in range({count})]"]
    if a.last:
        before.append("closing[-1] = True")
    position = a.true.removesuffix(" + 1") if a.true.endswith(" + 1") else f"{a.true} - 1"
    return Guard(under(f"closing[{position}]"), before=tuple(before), leftover=a.leftover)


def _since(a: _Asked) -> Guard:
    first = "1" if a.slip else a.start
    made: dict[str, tuple[str, ...]] = {a.scope: (f"previous = {first}",)}
    test = a.either(f"{a.true} - previous >= {a.n}")
    return Guard(
        lambda block: under(test)([f"previous = {a.true}", *block]),
        leftover=f"{a.true} > previous",
        **made,
    )


def _countdown(a: _Asked) -> Guard:
    first = {0: a.n, -1: "1", 1: f"{a.n} - 1"}[a.slip]
    made: dict[str, tuple[str, ...]] = {a.scope: (f"left = {first}",)}
    test = a.either("left == 0")
    return Guard(
        lambda block: under(test)([f"left = {a.n}", *block]),
        early=("left -= 1",),
        leftover=f"left < {a.n}",
        **made,
    )


def _bits(a: _Asked) -> Guard:
    return a.guard(f"not {_closed(a.count)} & ({a.n} - 1)")


def _continue(a: _Asked) -> Guard:
    return Guard(lambda block: [f"if {a.neither(a.rest)}:", "    continue", *block], leftover=a.leftover)


def _else(a: _Asked) -> Guard:
    return Guard(lambda block: [f"if {a.neither(a.rest)}:", "    waiting = True", "else:", *indent(block)], leftover=a.leftover)


def _cycle(a: _Asked) -> Guard:
    a.draft.use("import itertools")
    off = f"[False] * ({a.n} - 1)"
    turns = f"[True] + {off}" if a.slip else f"{off} + [True]"
    made: dict[str, tuple[str, ...]] = {a.scope: (f"turns = itertools.cycle({turns})",)}
    return Guard(under(a.either("next(turns)")), leftover=a.leftover, **made)


def _function(a: _Asked) -> Guard:
    a.draft.block("def is_boundary(number, every):", "    return number % every == 0")
    return a.guard(f"is_boundary({a.count}, {a.n})")


def _partial(a: _Asked) -> Guard:
    a.draft.use("import functools")
    a.draft.block("def is_multiple(every, number):", "    return not number % every")
    return a.guard(f"closes({a.count})", once=(f"closes = functools.partial(is_multiple, {a.n})",))


_KINDS: dict[str, Callable[[_Asked], Guard]] = {
    "plain": _plain,
    "not": _not,
    "walrus": _walrus,
    "match": _match,
    "lambda": _lambda,
    "divmod": _divmod,
    "rest": _rest,
    "property": _property,
    "flag": _flag,
    "flag in dict": _flag_in_dict,
    "flag in object": _flag_in_object,
    "ends": _ends,
    "table": _table,
    "since": _since,
    "countdown": _countdown,
    "bits": _bits,
    "continue": _continue,
    "else": _else,
    "cycle": _cycle,
    "function": _function,
    "partial": _partial,
}
