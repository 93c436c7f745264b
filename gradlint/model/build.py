"""From a module's statements to its training loops."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from gradlint.model.assemble import LoopBuilder
from gradlint.model.construct import constructions
from gradlint.model.data.window import Steps
from gradlint.model.events.classify import Classifier
from gradlint.model.events.not_training import measures_once, out_of_sight, running
from gradlint.model.lightning import optimized_by_lightning, returned_losses
from gradlint.model.names.facts import Facts, collect
from gradlint.model.names.records import RawEvent, Trace
from gradlint.model.names.resolve import Resolver
from gradlint.model.names.roots import Tracer, roots
from gradlint.model.names.vocabulary import UNTAUGHT, Taught
from gradlint.model.page import BLANK, Page
from gradlint.model.syntax.paths import Guard, exclusive
from gradlint.model.types import Kind, TrainingFile, TrainingLoop
from gradlint.model.window.passes import window_steps

_FOREIGN = frozenset(
    {"paddle", "paddlenlp", "mindspore", "oneflow", "jittor", "jax", "flax", "optax", "tensorflow", "mxnet", "tinygrad"}
)
_OWN = ("torch", "lightning", "pytorch", "accelerate", "transformers", "deepspeed", "apex", "fastai")


def build(statements: Sequence[cst.BaseStatement], words: Taught = UNTAUGHT, page: Page = BLANK) -> TrainingFile:
    """The model of a file, from its top-level statements (all of them, or those that can matter) and its whole text."""
    facts = collect(statements, words, page)
    tracer = Tracer(facts)
    loops: list[TrainingLoop] = []
    if _is_foreign(facts):
        return TrainingFile((), constructions(facts), facts, tuple(statements), tuple(facts.import_nodes))
    covered: set[int] = set()
    for root in roots(facts):
        if root is not None and id(root.node) in covered:
            continue
        trace = tracer.of_module() if root is None else tracer.of(root)
        covered |= trace.inlined
        resolver = Resolver(trace)
        loops.extend(_loops(trace, resolver))
    for root in facts.functions:
        if optimized_by_lightning(root, facts):
            loops.extend(returned_losses(tracer.of(root), facts))
    return TrainingFile(tuple(loops), constructions(facts), facts, tuple(statements), tuple(facts.import_nodes))


def _is_foreign(facts: Facts) -> bool:
    """The file trains with another framework, whose loops look like PyTorch's."""
    packages = {full.partition(".")[0] for full in facts.imports.values()}
    return bool(packages & _FOREIGN) and not any(name.startswith(_OWN) for name in packages)


def _loops(trace: Trace, resolver: Resolver) -> list[TrainingLoop]:
    events: Sequence[RawEvent] = running(Classifier(resolver).events(), resolver)
    homes = [(e, *_micro_loop(e, events, trace, resolver)) for e in events if e.kind is Kind.BACKWARD]
    training = [home for home in homes if not measures_once(home[0], home[1], events, resolver)]
    kept = [backward for backward, _, _ in training]
    events = [event for event in events if event.kind is not Kind.BACKWARD or event in kept]
    groups: dict[int, tuple[Guard | None, Steps | None, list[RawEvent]]] = {}
    for backward, loop, window in training:
        groups.setdefault(id(loop), (loop, window, []))[2].append(backward)
    for backward, loop, window in homes:
        if loop is not None and id(loop) not in groups:
            groups[id(loop)] = (loop, window, [out_of_sight(backward, loop)])
    events = sorted(
        (*events, *(b for _, _, each in groups.values() for b in each if b not in kept)), key=lambda event: event.index
    )
    return [
        LoopBuilder(trace, resolver, events, loop, window, tuple(members)).build() for loop, window, members in groups.values()
    ]


def _micro_loop(
    backward: RawEvent, events: Sequence[RawEvent], trace: Trace, resolver: Resolver
) -> tuple[Guard | None, Steps | None]:
    """The loop that runs once per backward pass, and its N where it runs over one window."""
    steps = [e for e in events if e.kind is Kind.OPTIMIZER_STEP and not exclusive(e.path, backward.path)]
    loops = [(place, guard) for place, guard in enumerate(backward.path) if guard.kind == "loop"]
    for place, guard in reversed(loops):
        if any(any(each is guard for each in step.path) for step in steps):
            return guard, None
        if _steps_follow(guard, backward, steps):
            window = window_steps(guard, backward.path[:place], resolver, trace)
            inside = [e for e in events if e.kind is Kind.BACKWARD and any(each is guard for each in e.path)]
            if window is not None and not all(map(_retains_graph, inside)):
                return guard, window
    if not steps and loops:
        return loops[-1][1], None
    return None, None


def _steps_follow(guard: Guard, backward: RawEvent, steps: Sequence[RawEvent]) -> bool:
    around = [g for g in backward.path if g.kind == "loop" and g.index < guard.index]
    for step in steps:
        loops = [g for g in step.path if g.kind == "loop"]
        if step.index > guard.index and all(any(a is g for g in loops) for a in around):
            return True
    return False


def _retains_graph(backward: RawEvent) -> bool:
    return any(arg.keyword is not None and arg.keyword.value == "retain_graph" for arg in backward.args)
