"""Assembles one training loop from the events around its backward passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import libcst as cst

from gradlint.model.construct import schedules
from gradlint.model.data.built import Schedule
from gradlint.model.data.losses import LossScale, Scale
from gradlint.model.data.window import Boundary, Engine, Pass, Steps
from gradlint.model.engines.configured_steps import accelerator_steps, deepspeed_steps
from gradlint.model.engines.data_parallel import parallel_model, sharded, sync_toggled, wrapped_on_an_arm
from gradlint.model.events.belonging import Belonging
from gradlint.model.events.details import EventDetails
from gradlint.model.events.zeroed import of_others
from gradlint.model.gradients import gathered_elsewhere, rescaled_by_hand
from gradlint.model.loss.reports import Ledger
from gradlint.model.loss.scaling import Slicer
from gradlint.model.loss.sums import Sums
from gradlint.model.names.naming import Names
from gradlint.model.names.records import Frame, RawEvent, Site, Trace, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.names.vocabulary import BOUNDARY_ARGUMENTS
from gradlint.model.syntax.expressions import dotted, keywords, last_name, literal, text, walk
from gradlint.model.syntax.paths import Guard
from gradlint.model.types import Cadence, Event, Kind, TrainingLoop
from gradlint.model.window.boundary import Reader
from gradlint.model.window.cadence import Judge
from gradlint.model.window.counting import Body
from gradlint.model.window.ends import Ends
from gradlint.model.window.passes import cut_from_batches, fetches, one_epoch, pass_of, window_steps


class LoopBuilder:
    """Everything known about one micro loop, put together in `build`."""

    def __init__(
        self,
        trace: Trace,
        resolver: Resolver,
        events: Sequence[RawEvent],
        loop: Guard | None,
        window: Steps | None,
        backwards: tuple[RawEvent, ...],
    ) -> None:
        self.trace = trace
        self.resolver = resolver
        self.raw = events
        self.loop = loop
        self.window = window
        self.backwards = backwards
        self.home = backwards[0].path
        self.around = self.loops_around()
        self.belonging = Belonging(events, backwards, loop, self.around)
        self.given_steps: Steps | None = None

    def loops_around(self) -> tuple[Guard, ...]:
        if self.loop is None:
            return ()
        return tuple(g for g in self.home[: self.place()] if g.kind == "loop")

    def place(self) -> int:
        return next((i for i, g in enumerate(self.home) if g is self.loop), 0)

    def build(self) -> TrainingLoop:
        arms = frozenset((g.group, g.arm) for b in self.backwards for g in b.path if g.kind == "branch")
        reader = Reader(self.resolver, Body(self.loop, arms))
        near = tuple(event for event in self.raw if self.belonging.is_near(event))
        judge = Judge(self.resolver, reader, self.loop, self.backwards, self.window is not None, near)
        stepping = judge.stepping
        accumulate = self.belonging.accumulate_block()
        boundary, steps = self.boundary(judge, near)
        engine = Engine.ACCELERATE if accumulate or (boundary and boundary.engine is Engine.ACCELERATE) else Engine.NONE
        if any(b.through == "deepspeed" for b in self.backwards):
            engine = Engine.DEEPSPEED
        given = self.given_steps or (
            deepspeed_steps(self.trace.facts) if engine is Engine.DEEPSPEED else accelerator_steps(self.resolver)
        )
        if engine is Engine.ACCELERATE and (accumulate or steps is None or steps.source is None):
            steps = given
        steps = steps or self.given_steps
        judge = judge.with_steps(steps, engine)
        windowed = self.window is not None or self.alone(stepping)
        ledger = Ledger(self.resolver, Sums(self.resolver, steps, self.loop, self.backwards, windowed=windowed))
        events = tuple(self.event(raw, judge, ledger, accumulate=accumulate is not None) for raw in near)
        if boundary is None:
            boundary = next((e.boundary for e in events if e.kind is Kind.OPTIMIZER_STEP and e.boundary), None)
        ends = Ends(self.resolver, reader, self.loop, self.around, self.backwards[0].site, self.window is not None)
        walks = pass_of(self.loop, self.home[: self.place()], self.resolver) if self.loop else Pass(None)
        if walks.finite is None and self.loop is not None:
            whole = one_epoch(self.loop, self.home[: self.place()], self.function_name(), self.resolver)
            walks = replace(walks, finite=True if whole else None)
        return TrainingLoop(
            node=self.loop.node if self.loop else self.function_node(),
            function=self.function_name(),
            events=events,
            guard=self.loop,
            steps=Names(self.resolver).at_home(steps, self.backwards[0].site),
            boundary=boundary,
            engine=engine,
            walks=replace(walks, windowed=self.window is not None, bounded=ends.bounded(), draws=self.draws(), cut=self.cut()),
            parallel=parallel_model(self.trace),
            parallel_on_an_arm=wrapped_on_an_arm(self.trace, self.home),
            sharded=sharded(self.trace),
            sync_toggled=sync_toggled(self.trace),
            engine_steps=given,
            steps_vary=self.steps_vary(steps),
            steps_may_be_absent=judge.may_be_absent(),
            grads_rescaled=any(e.kind is Kind.GRAD_SCALE for e in near) or rescaled_by_hand(self.resolver),
            grads_gathered=gathered_elsewhere(self.trace),
            rate_divided=self.rate_divided(steps),
            flushed_after=ends.flushed_after(near),
            flush_misses=ends.flush_misses(near),
            carried=ends.carried(boundary, events),
            schedules=tuple(self.schedules(near, events, steps)),
            words=self.resolver.words,
            boundary_told=self.trace.facts.boundary_told,
            facts=self.trace.facts,
        )

    def schedules(
        self, near: Sequence[RawEvent], events: Sequence[Event], steps: Steps | None
    ) -> Iterator[tuple[Event, Schedule]]:
        for raw, event in zip(near, events, strict=True):
            if raw.kind is Kind.SCHEDULER_STEP and raw.receiver is not None:
                for schedule in schedules(raw.receiver, raw.site, self.resolver):
                    names = Names(self.resolver)
                    there, usual = names.written_at(schedule.site, steps), names.usual(steps, raw.site)
                    yield event, replace(schedule, steps_there=there, usual_steps=usual)

    # The window

    def boundary(self, judge: Judge, near: Sequence[RawEvent]) -> tuple[Boundary | None, Steps | None]:
        """The boundary of the optimizer's step, and N."""
        if self.window is not None:
            return None, self.window
        found: Boundary | None = None
        for event in near:
            if event.kind is Kind.OPTIMIZER_STEP and judge.inside(event):
                _, boundary, _ = judge.within(event)
                if boundary is not None and (found is None or (found.modulus is None and boundary.modulus is not None)):
                    found = boundary
        if found is None:
            return None, None
        return found, found.steps if found.steps.source is not None else None

    def event(self, raw: RawEvent, judge: Judge, ledger: Ledger, *, accumulate: bool) -> Event:
        cadence, boundary, conditional = judge.cadence(raw)
        engine, steps = judge.engine, judge.steps
        prepared = self.is_prepared(raw)
        if self.belonging.is_of_inner_loop(raw):
            cadence = Cadence.UNKNOWN
        if accumulate and judge.inside(raw) and cadence is Cadence.PER_MICRO_BATCH and self.belonging.is_beside_block(raw):
            cadence = self.engine_cadence(raw, prepared)
        if engine is Engine.DEEPSPEED and raw.through == "deepspeed" and cadence is Cadence.PER_MICRO_BATCH:
            cadence = Cadence.PER_UPDATE if raw.kind is Kind.OPTIMIZER_STEP else cadence
        return Event(
            kind=raw.kind,
            node=raw.node,
            source=_told(raw) or _brief(raw.node),
            path=raw.path,
            index=raw.index,
            cadence=cadence,
            details=EventDetails(raw, self.resolver, ledger),
            statement=raw.statement if isinstance(raw.statement, cst.SimpleStatementLine) else None,
            target=raw.target or of_others(raw, self.loop, judge.stepping, self.resolver),
            through=raw.through,
            loss=raw.loss,
            scale=self.loss_scale(raw, steps) if raw.kind in (Kind.BACKWARD, Kind.REPORT) else None,
            boundary=boundary,
            scaled=raw.scaled,
            conditional=conditional,
            suite=raw.suite,
            engine=engine,
            receiver=raw.receiver,
            args=raw.args,
            owner=raw.owner,
            prepared=prepared,
            frame=raw.frame,
        )

    def is_prepared(self, raw: RawEvent) -> bool | None:
        known = self.resolver.prepared
        if raw.receiver is None or known is None:
            return None
        found = self.resolver.reaching(dotted(raw.receiver) or "", raw.site)[0]
        if any(isinstance(d.value, cst.Call) and last_name(d.value.func) == "prepare" for d in found):
            return True
        identity = self.resolver.identity(raw.receiver, raw.site)
        return identity in known or (last_name(raw.receiver) or "") in known

    def engine_cadence(self, raw: RawEvent, prepared: bool | None) -> Cadence:
        """Inside `accumulate()` prepared optimizers and schedulers act at the boundary only."""
        if raw.kind is Kind.OPTIMIZER_STEP or (raw.kind is Kind.ZERO_GRAD and raw.target is not None):
            return Cadence.PER_UPDATE if prepared is not False else Cadence.UNKNOWN
        if raw.kind is Kind.SCHEDULER_STEP:
            return Cadence.PER_UPDATE if prepared is not False else Cadence.PER_MICRO_BATCH
        return Cadence.PER_MICRO_BATCH

    def steps_vary(self, steps: Steps | None) -> bool:
        """N itself changes while the loop runs (a warm-up of the effective batch)."""
        if steps is None or self.loop is None:
            return False
        frame = self.backwards[0].frame
        return any(
            any(g is self.loop for g in d.path)
            for name in steps.names
            if name.isidentifier() or "." in name
            for d in self.resolver.all_of(name, frame)
        )

    # The loss

    def loss_scale(self, raw: RawEvent, steps: Steps | None) -> LossScale:
        slicer = Slicer(self.resolver, steps)
        if raw.loss is None:
            return LossScale(Scale.UNKNOWN)
        if raw.gradient is not None and steps is not None:
            known = slicer.factors.mentions_steps(raw.gradient, raw.site) or any(
                isinstance(each, cst.BinaryOperation) and slicer.factors.is_reciprocal(each, raw.site)
                for each in walk(raw.gradient)
            )
            return LossScale(Scale.DIVIDED if known else Scale.UNKNOWN)
        return slicer.scale(raw.loss, raw.site)

    def rate_divided(self, steps: Steps | None) -> bool:
        """A learning rate divided by N makes up for an undivided loss."""
        if steps is None:
            return False
        slicer = Slicer(self.resolver, steps)
        for site in self.trace.calls:
            rate = keywords(site.call).get("lr")
            if rate is not None and self.divides_by_steps(rate, site_of(site), slicer):
                return True
        return any(
            self.divides_by_steps(d.value, site_of(d), slicer)
            for key, definitions in self.trace.definitions.items()
            if key.endswith(("lr", "learning_rate", "['lr']"))
            for d in definitions
            if d.value is not None and (d.how == "assign" or isinstance(d.node, cst.AugAssign))
        )

    def divides_by_steps(self, node: cst.BaseExpression, site: Site, slicer: Slicer) -> bool:
        return any(
            isinstance(each, cst.BinaryOperation)
            and isinstance(each.operator, (cst.Divide, cst.FloorDivide))
            and (slicer.factors.mentions_steps(each.right, site) or _is_number(each.right, slicer.steps))
            for each in walk(node)
        )

    # The tail

    def alone(self, stepping: Sequence[RawEvent]) -> bool:
        """The loop runs N times, and the step that closes its window is out of sight."""
        if stepping or self.loop is None:
            return False
        steps = window_steps(self.loop, self.home[: self.place()], self.resolver, self.trace)
        return steps is not None and any(map(self.resolver.words.spells_steps, steps.names))

    def draws(self) -> bool:
        return self.window is not None and self.loop is not None and fetches(self.loop, self.trace)

    def cut(self) -> bool:
        if self.window is None or self.loop is None:
            return False
        return cut_from_batches(self.loop, self.home[: self.place()], self.resolver)

    def function_node(self) -> cst.CSTNode:
        function = self.backwards[0].frame.function
        return function.node if function is not None else self.backwards[0].node

    def function_name(self) -> str:
        frame = self.backwards[0].frame if self.loop is None else self.loop.frame
        function = frame.function if isinstance(frame, Frame) else None
        return function.qualname if function is not None else "<module>"


def _is_number(node: cst.BaseExpression, steps: Steps | None) -> bool:
    """The number that N is known to be."""
    return steps is not None and steps.value is not None and steps.value > 1 and literal(node) == steps.value


def _told(raw: RawEvent) -> str:
    """A wrapper's call as what steps, which is where it is told to: `loss_scaler(update_grad=True)`."""
    node = raw.node if raw.kind is Kind.OPTIMIZER_STEP and isinstance(raw.node, cst.Call) else None
    flag = next((name for name in keywords(node) if name in BOUNDARY_ARGUMENTS), None) if node is not None else None
    return f"{_brief(raw.node)[:-1]}{flag}=True)" if flag is not None else ""


def _brief(node: cst.CSTNode) -> str:
    """The call as messages name it: without arguments where it has them."""
    if isinstance(node, cst.Call):
        name = dotted(node.func) or last_name(node.func) or text(node.func)
        if isinstance(node.func, cst.Attribute) and dotted(node.func) is None:
            name = text(node.func)
        return f"{name}()"
    return text(node)
