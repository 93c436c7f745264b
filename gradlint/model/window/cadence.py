"""How often an event runs, measured against the backward passes of one micro loop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

import libcst as cst

from gradlint.model.data.window import Boundary, Engine, Phase, Steps
from gradlint.model.names.lookup import same_steps
from gradlint.model.names.records import Definition, Frame, RawEvent, Site, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.syntax.expressions import NOT_LITERAL, dotted, last_name, literal, text, walk
from gradlint.model.syntax.paths import Guard, Path, exclusive
from gradlint.model.types import Cadence, Kind
from gradlint.model.window.boundary import Reader
from gradlint.model.window.multiplicity import is_answer, single, tests_steps
from gradlint.model.window.starts import away_from_start
from gradlint.model.window.told import told_by_caller

_PURE = frozenset(
    ("isinstance hasattr getattr len int float bool str is_available is_initialized is_main_process get_rank lower").split()
)

_ON_EITHER_ARM = frozenset((Kind.CLIP, Kind.UNSCALE, Kind.SCALER_UPDATE, Kind.ZERO_GRAD, Kind.SCHEDULER_STEP, Kind.EMA_UPDATE))
"""What is done on every micro-batch where both arms of a condition that varies do it."""


class Pace(Enum):
    """What one guard does to the pace of what it guards."""

    STEADY = "steady"
    BOUNDARY = "boundary"
    INSIDE = "inside"
    TRIVIAL = "trivial"
    VARYING = "varying"


@dataclass(frozen=True, eq=False)
class Judge:
    """Judges the events of one micro loop (`loop` is None for a loopless micro-batch body)."""

    resolver: Resolver
    reader: Reader
    loop: Guard | None
    backwards: tuple[RawEvent, ...]
    windowed: bool
    near: tuple[RawEvent, ...] = ()
    engine: Engine = Engine.NONE
    steps: Steps | None = None

    @cached_property
    def arms(self) -> dict[object, set[int]]:
        """The arms of each decision on which backward passes stand."""
        found: dict[object, set[int]] = {}
        for backward in self.backwards:
            for guard in backward.path:
                found.setdefault(guard.group, set()).add(guard.arm)
        return found

    @cached_property
    def stepping(self) -> tuple[RawEvent, ...]:
        return tuple(event for event in self.near if event.kind is Kind.OPTIMIZER_STEP)

    def with_steps(self, steps: Steps | None, engine: Engine) -> Judge:
        return replace(self, steps=steps, engine=engine)

    def inside(self, event: RawEvent) -> bool:
        """Whether an event runs within the micro-batch body."""
        return self.loop is None or any(guard is self.loop for guard in event.path)

    def cadence(self, event: RawEvent) -> tuple[Cadence, Boundary | None, bool]:
        """The event's cadence, the boundary that gates it, and whether something unknown gates it as well."""
        if self.inside(event):
            return self.within(event)
        return self.outside(event)

    def within(self, event: RawEvent) -> tuple[Cadence, Boundary | None, bool]:
        extra = self.extra(event)
        paces = [self.pace(guard, event.path[:place]) for place, guard in extra]
        doubts = [place for (place, _), (pace, _) in zip(extra, paces, strict=True) if pace is Pace.VARYING]
        either = bool(doubts) and all(self.on_either_arm(event, place) for place in doubts)
        kinds = {pace for pace, _ in paces} - ({Pace.VARYING} if either else set())
        varying = bool(doubts)
        # What the boundary gates runs once per window, whatever else says no: `elif boundary and b:` after `if boundary and a:`.
        decisive = next((pace for pace in (Pace.BOUNDARY, Pace.INSIDE) if pace in kinds), None)
        boundary = next((b for pace, b in reversed(paces) if pace is decisive and b), None)
        if decisive is Pace.BOUNDARY and boundary is not None and boundary.skips_first is None:
            guards = [(guard, _site(guard, event.path[:place])) for place, guard in extra if guard.node is not boundary.guard]
            boundary = replace(boundary, skips_first=away_from_start(guards, boundary, self.steps, self.resolver))
        if decisive is not None:
            return (Cadence.PER_UPDATE if decisive is Pace.BOUNDARY else Cadence.INSIDE_WINDOW), boundary, varying
        if Pace.TRIVIAL in kinds:
            return Cadence.PER_UPDATE, None, varying
        if varying and not either:
            return Cadence.UNKNOWN, None, True
        return Cadence.PER_MICRO_BATCH, None, varying

    def on_either_arm(self, event: RawEvent, place: int) -> bool:
        """The other arm of a decision does the same as this one: whichever way it goes, it is done."""
        guard, before = event.path[place], event.path[:place]
        if event.kind not in _ON_EITHER_ARM or guard.kind != "branch":
            return False
        own = {(text(g.test), g.arm) for g in event.path[place + 1 :] if g.kind == "branch" and g.test is not None}
        for other in self.near:
            turn = other.path[place] if len(other.path) > place else guard
            if other.kind is not event.kind or other.target != event.target or turn.group != guard.group or turn.arm == guard.arm:
                continue
            rest = [(i, g) for i, g in enumerate(other.path) if i > place and g.kind in ("branch", "handler", "loop")]
            if all(a is b for a, b in zip(before, other.path, strict=False)) and all(
                g.kind == "branch" and g.test is not None and ((text(g.test), g.arm) in own or self.on_either_arm(other, i))
                for i, g in rest
            ):
                return True
        return False

    def outside(self, event: RawEvent) -> tuple[Cadence, Boundary | None, bool]:
        assert self.loop is not None
        home = self.backwards[0].path
        around = [g for g in home[: home.index(self.loop)] if g.kind == "loop"]
        loops = [g for g in event.path if g.kind == "loop"]
        shared = [g for g in loops if any(g is each for each in around)]
        if len(shared) < len(around) or not self.windowed:
            own = [g for g in loops if not any(g is each for each in around)]
            if own and event.kind is not Kind.OPTIMIZER_STEP and self._walks_data(own[-1]):
                return Cadence.UNKNOWN, None, True
            return (Cadence.PER_EPOCH if shared else Cadence.ONCE), None, False
        known = {(g.group, g.arm) for g in home}
        extra = [(i, g) for i, g in enumerate(event.path) if g.kind in ("branch", "handler") and (g.group, g.arm) not in known]
        paces = {self.pace(g, event.path[:i])[0] for i, g in extra}
        return (Cadence.UNKNOWN if paces - {Pace.STEADY, Pace.TRIVIAL} else Cadence.PER_UPDATE), None, bool(paces)

    def _walks_data(self, guard: Guard) -> bool:
        return isinstance(guard.node, cst.While)

    def extra(self, event: RawEvent) -> list[tuple[int, Guard]]:
        """The decisions on the way to an event that the backward pass does not share."""
        start = next((i + 1 for i, g in enumerate(event.path) if g is self.loop), 0)
        candidates = [(i, g) for i, g in enumerate(event.path) if i >= start and g.kind in ("branch", "handler")]
        widest: list[tuple[int, Guard]] | None = None
        for backward in self.feeding(event):
            arms = {(g.group, g.arm) for g in backward.path}
            left = [(i, g) for i, g in candidates if (g.group, g.arm) not in arms or self._split(g, event.path[:i])]
            if widest is None or len(left) > len(widest):
                widest = left
        return candidates if widest is None else widest

    def feeding(self, event: RawEvent) -> list[RawEvent]:
        """The backward passes whose gradients an event can meet; for a step, those that no step before it has used."""
        possible = [b for b in self.backwards if not exclusive(b.path, event.path)]
        if event.kind is not Kind.OPTIMIZER_STEP:
            return possible
        used = max((s.index for s in self.stepping if s.index < event.index and not exclusive(s.path, event.path)), default=-1)
        return [b for b in possible if used < b.index < event.index] or possible

    def _split(self, guard: Guard, prefix: Path) -> bool:
        """A boundary test with a backward pass on each of its arms: the arm still decides about the update."""
        other = any(arm != guard.arm for arm in self.arms.get(guard.group, ()))
        return other and self.pace(guard, prefix)[0] in (Pace.BOUNDARY, Pace.INSIDE)

    def pace(self, guard: Guard, prefix: Path) -> tuple[Pace, Boundary | None]:
        if guard.kind == "handler" or guard.test is None:
            return Pace.VARYING, None
        site = _site(guard, prefix)
        if self.steps is not None:
            told = single(guard.test, self.steps, self.resolver, site)
            if told is not None and told.arm == guard.arm:
                return Pace.TRIVIAL, None
            counts = tests_steps(guard, self.steps, self.resolver.words) and not is_answer(guard.test, site, self.resolver)
            if told is not None or counts:
                return Pace.STEADY, None
        boundary = self.reader.read(guard.test, site, guard.node)
        if boundary is not None and self.belongs(boundary):
            return (Pace.BOUNDARY if (guard.arm == 0) == boundary.holds else Pace.INSIDE), boundary
        if boundary is None and self.loop is None and told_by_caller(guard, site, self.resolver, self.backwards, self.stepping):
            return Pace.VARYING, None
        if boundary is None and self.invariant(guard.test, site):
            return Pace.STEADY, None
        if boundary is None and self.reader.named_flag(guard.test) and self.plain_flag(guard.test, site):
            holds = self.closes(guard.test) != isinstance(guard.test, cst.UnaryOperation)
            flag = Boundary(guard.test, guard.node, Steps(None), Phase.UNKNOWN, holds=holds, flush=True)
            return (Pace.BOUNDARY if (guard.arm == 0) == holds else Pace.INSIDE), flag
        if guard.usual and boundary is None:
            # An early way out (`if loss is nan: continue`) is the exception, what follows it the rule.
            return Pace.STEADY, None
        return Pace.VARYING, None

    def may_be_absent(self) -> bool:
        """Whether N may be 0 or None where the backward passes run, as a test says that stands in the loop."""
        if self.steps is None:
            return False
        home = {(guard.group, guard.arm) for backward in self.backwards for guard in backward.path}
        for step in self.stepping:
            for place, guard in enumerate(step.path):
                if guard.test is not None and guard.kind == "branch" and (guard.group, guard.arm) not in home:
                    told = single(guard.test, self.steps, self.resolver, _site(guard, step.path[:place]))
                    if told is not None and told.absent:
                        return True
        return False

    def closes(self, test: cst.BaseExpression) -> bool:
        """Whether a flag is true at the boundary: there the optimizer steps, whatever the flag is called."""
        name = _flag(test)
        for step in self.stepping:
            for guard in step.path:
                if guard.kind == "branch" and guard.test is not None and _flag(guard.test) == name:
                    return (guard.arm == 0) != isinstance(guard.test, cst.UnaryOperation)
        return True

    def belongs(self, boundary: Boundary) -> bool:
        """Whether a boundary is one of this loop's window, and not of logging or of something else."""
        if self.steps is None or boundary.engine is not Engine.NONE:
            return True
        names = boundary.steps.names
        if not names or not self.steps.names:
            return True
        return same_steps(names, self.steps.names, self.resolver.words) or (
            boundary.steps.value is not None and boundary.steps.value == self.steps.value
        )

    def plain_flag(self, test: cst.BaseExpression, site: Site) -> bool:
        """The flag's origin is not in sight: a parameter, or the answer of a call that cannot be read."""
        node = test.expression if isinstance(test, cst.UnaryOperation) else test
        name = dotted(node)
        found = self.resolver.reaching(name, site)[0] if name else []
        return all(not isinstance(d.value, (cst.Comparison, cst.BooleanOperation)) for d in found)

    def invariant(self, test: cst.BaseExpression, site: Site, hops: int = 0) -> bool:
        """Whether a condition cannot change while the loop runs."""
        skip: set[int] = set()
        for node in walk(test):
            if id(node) in skip:
                continue
            if isinstance(node, cst.Call):
                looked_up = last_name(node.func) == "get" and bool(node.args) and isinstance(node.args[0].value, cst.SimpleString)
                if last_name(node.func) not in _PURE and not looked_up:
                    return False
                skip.add(id(node.func))
                if looked_up and isinstance(node.func, cst.Attribute) and not self.invariant(node.func.value, site, hops):
                    return False
            elif isinstance(node, (cst.Attribute, cst.Name, cst.Subscript)):
                name = dotted(node)
                if name is None:
                    continue
                skip.update(id(each) for each in walk(node))
                if literal(node) in (True, False, None):
                    continue
                if not self.steady_name(name, site, hops):
                    return False
            elif isinstance(node, (cst.Await, cst.Yield, cst.NamedExpr)):
                return False
        return True

    def steady_name(self, name: str, site: Site, hops: int = 0) -> bool:
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            prefix = ".".join(parts[:length])
            if prefix == "self":
                continue
            for definition in self.resolver.all_of(prefix, site.frame):
                if not self.steady(definition, hops):
                    return False
        return True

    def steady(self, definition: Definition, hops: int) -> bool:
        if definition.how == "default":
            return True
        if definition.how == "param":
            value = definition.value
            if value is None or literal(value) is None or hops > 6:
                return True
            return self.invariant(value, Site(definition.frame, definition.index, definition.path), hops + 1)
        if self.loop is None:
            return (definition.how not in ("augment", "loop") and definition.index < 0) or self.before_root(definition)
        return not any(guard is self.loop for guard in definition.path) or self.same_again(definition, hops)

    def same_again(self, definition: Definition, hops: int) -> bool:
        """A value that each iteration takes anew from what does not change: `limit = config.max_norm`."""
        inside = definition.path[next(i for i, guard in enumerate(definition.path) if guard is self.loop) + 1 :]
        value = definition.value
        if (
            definition.how != "assign"
            or value is None
            or hops > 6
            or any(g.kind in ("branch", "handler", "loop") for g in inside)
        ):
            return False
        return literal(value) is NOT_LITERAL and self.invariant(value, site_of(definition), hops + 1)

    def before_root(self, definition: Definition) -> bool:
        return definition.frame is self.resolver.trace.module and self.resolver.trace.root is not self.resolver.trace.module


def _site(guard: Guard, prefix: Path) -> Site:
    assert isinstance(guard.frame, Frame)
    return Site(guard.frame, guard.index, prefix)


def _flag(test: cst.BaseExpression) -> str | None:
    """The name in `flag` and `not flag`."""
    return dotted(test.expression if isinstance(test, cst.UnaryOperation) else test)
