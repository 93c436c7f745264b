"""Tensors made from several others: the terms of sums, products and lists."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any, cast

import libcst as cst

from gradlint.simulate.contents import is_data, models_of
from gradlint.simulate.machine import Machine
from gradlint.simulate.things import Thing
from gradlint.simulate.values import (
    ONE,
    OVER_ROWS,
    REST,
    VARYING,
    WEIGHTED,
    WITHOUT_STEPS,
    Factor,
    Num,
    Opaque,
    Source,
    Tensor,
    graver,
    settings_of,
)


def rest_of(weight: Tensor) -> Tensor:
    """The tensor `1 - weight`, for a weight that the data give."""
    if REST in weight.kept:
        return cast("Tensor", weight.kept[REST])
    rest = Tensor(weight.draws, None, weight.models, text=weight.text)
    rest.kept[REST] = weight
    return rest


def mixed(terms: tuple[tuple[Source, Factor], ...]) -> tuple[tuple[Source, Factor], ...]:
    """A sum with some terms weighted by w, and others by 1 - w: the weights add up to 1, whatever w is."""
    shares = {factor.share for _, factor in terms if factor.share is not None}
    whole = {share for share in shares if (share[0], not share[1]) in shares}
    return (
        tuple((s, replace(f, doubt="") if f.share in whole and f.doubt == VARYING else f) for s, f in terms) if whole else terms
    )


def merged(terms: tuple[tuple[Source, Factor], ...]) -> tuple[tuple[Source, Factor], ...]:
    """A sum in which every source occurs once: factors of the same source are added."""
    found: dict[Source, Factor] = {}
    for source, factor in terms[:2000]:
        old = found.get(source)
        if old is None:
            found[source] = factor
        else:
            doubt = graver(old.doubt, factor.doubt)
            divisors = old.divisors + factor.divisors
            by = old.by if old.by == factor.by else 1.0
            found[source] = Factor(old.value + factor.value, old.of | factor.of, doubt, divisors, by)
    return tuple(found.items())


def derived(machine: Machine, tensor: Tensor, node: cst.CSTNode) -> Tensor:
    """Data computed from other data."""
    return Tensor(tensor.draws, None, tensor.models, text=tensor.text)


def joined(
    machine: Machine,
    node: cst.CSTNode,
    values: Iterable[Any],
    models: frozenset[str] = frozenset(),
    why: str = "",
    micro: int | None = None,
    across: bool = False,
    anew: bool = False,
) -> Tensor:
    """The result of an unknown computation: a new term, which is in doubt unless the terms of its inputs all had factor 1.

    An input that is N may have divided it. `micro` is its micro-batch, if the data do not say. `across` says that it compares the
    samples of a batch, and `anew` that the factors of its inputs do not carry over.
    """
    draws: frozenset[int] = frozenset()
    scaler, detached, graphs, reduced = None, not models, False, True
    doubt = why
    sources: list[Source] = []
    computed: frozenset[int] = frozenset()
    for value in values:
        if is_data(value):
            draws |= value.draws
            models |= value.models
            if value.terms is not None:
                computed |= value.draws
                sources += [source for source, _ in value.terms]
                graphs, scaler, reduced = True, scaler or value.scaler, reduced and value.reduced
                detached = detached and value.detached
                for _, factor in value.terms if not value.detached else ():
                    doubt = graver(doubt, _carried(machine, factor, anew))
        elif type(value) in (Opaque, Num):
            models |= models_of(value)
            if any(map(machine.counts_steps, settings_of(value) or ((value.identity,) if type(value) is Opaque else ()))):
                doubt = graver(doubt, "unknown code receives the accumulation steps")
        elif isinstance(value, Thing):
            models |= models_of(value)
    whole = _cut_up(machine, draws, computed, sources) if sources and micro is None else None
    if whole is not None:
        micro, doubt = whole, graver(doubt, OVER_ROWS)
    source = source_of(machine.micro(draws) if micro is None else micro, node, models, sources, across)
    factor = Factor(doubt=doubt) if doubt else ONE
    return Tensor(draws, ((source, factor),), models, scaler, graphs and detached, reduced)


def _cut_up(machine: Machine, draws: frozenset[int], computed: frozenset[int], sources: Collection[Source]) -> int | None:
    """The micro-batch that was computed as a whole before a loop that only adds up losses lets rows of its data meet the result."""
    loop = machine.loops[-1] if machine.loops else None
    if not isinstance(loop, cst.For) or machine.compiler.aims.of(loop.body).leads:
        return None
    wholes = computed.intersection(whole for each in draws for whole in _wholes(machine, each))
    found = (machine.micros.get(machine.together.get(whole, whole)) for whole in wholes)
    return next((micro for micro in found if any(micro == source.micro for source in sources)), None)


def _wholes(machine: Machine, drawn: int) -> Iterator[int]:
    """The data that a piece was cut from, and what those were cut from."""
    while (whole := machine.pieces.get(drawn, drawn)) != drawn:
        yield whole
        drawn = whole


def source_of(micro: int, node: cst.CSTNode, models: frozenset[str], sources: Collection[Source], across: bool = False) -> Source:
    """A new source that is computed from others."""
    made_of = frozenset([each.node for each in sources]).union(*[each.made_of for each in sources])
    met = frozenset([each.micro for each in sources]).union(*[each.met for each in sources])
    return Source(micro, node, models, made_of, across, met)


def _carried(machine: Machine, factor: Factor, anew: bool) -> str:
    """Why a factor of an input may carry over to the result of a computation; "" if it does not."""
    by_steps = any(map(machine.counts_steps, factor.of))
    if by_steps or (not anew and (factor.divisors or factor.doubt not in WITHOUT_STEPS)):
        return "unknown code receives the divided loss"
    return WEIGHTED if not anew and (factor.of or factor.doubt) else ""
