"""Smaller facts about single events, each the answer to one question of one rule, when that asks it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import libcst as cst

from gradlint.model.data.losses import TokenMean
from gradlint.model.events.zeroed import made_within, model_of
from gradlint.model.gradients import zeroed_by_name
from gradlint.model.loss.reports import Ledger
from gradlint.model.loss.tokens import token_mean
from gradlint.model.names.records import RawEvent, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.names.vocabulary import Role, spells_zeroing
from gradlint.model.syntax.expressions import calls_in, dotted, last_name, method_call, root_name
from gradlint.model.syntax.paths import Guard
from gradlint.model.types import Kind

_PLAIN_BASES = frozenset({"object", "ABC", "Module", "Protocol", "Generic"})
_HARMLESS = frozenset(
    (
        "prepare step unscale_ scale_loss initialize load_state_dict print len isinstance id type GradScaler hasattr getattr"
    ).split()
)


def _remade(value: cst.BaseExpression | None, name: str) -> bool:
    """The value is the name's own earlier one, divided or multiplied."""
    if isinstance(value, cst.Call):
        receiver = [value.func.value] if isinstance(value.func, cst.Attribute) else []
        return any(dotted(each) == name for each in (*receiver, *(arg.value for arg in value.args)))
    return isinstance(value, cst.BinaryOperation) and name in (dotted(value.left), dotted(value.right))


def _skips_sync(guard: Guard) -> bool:
    return guard.kind == "with" and guard.test is not None and "no_sync" in (last_name(guard.test) or "")


@dataclass(frozen=True, eq=False)
class EventDetails:
    """Answers about one event of a trace; `gradlint.model.types.Details` says what each means."""

    raw: RawEvent
    resolver: Resolver
    ledger: Ledger

    @cached_property
    def torch_built(self) -> bool:
        facts, raw = self.resolver.trace.facts, self.raw
        if raw.kind is Kind.SCHEDULER_STEP and raw.receiver is not None:
            built = self.resolver.constructors(raw.receiver, raw.site)
            return any(facts.words.role_of_constructor(facts.qualify(call.func)) is Role.SCHEDULER for call, _ in built)
        return any(name.startswith("torch.optim.") for name in self.constructors)

    @cached_property
    def constructors(self) -> frozenset[str]:
        """The qualified names of what may have built the optimizer that steps."""
        return frozenset(self.resolver.trace.facts.qualify(call.func) for call in self.built)

    @cached_property
    def built(self) -> tuple[cst.Call, ...]:
        raw = self.raw
        node = raw.args[0].value if raw.through == "scaler" and raw.args else raw.receiver
        if raw.kind is not Kind.OPTIMIZER_STEP or node is None:
            return ()
        return tuple(call for call, _ in self.resolver.constructors(node, raw.site))

    @cached_property
    def built_for(self) -> str | None:
        return next((root_name(call.args[0].value) for call in self.built if call.args), None)

    @cached_property
    def built_by(self) -> str | None:
        name = next(iter(self.constructors)) if len(self.constructors) == 1 else ""
        return name.rsplit(".", 1)[-1] if name.startswith("torch.optim.") else None

    @cached_property
    def builders(self) -> tuple[cst.Call, ...]:
        raw = self.raw
        if raw.kind is Kind.OPTIMIZER_STEP:
            return self.built
        if raw.kind is not Kind.SCHEDULER_STEP or raw.receiver is None:
            return ()
        return tuple(call for call, _ in self.resolver.constructors(raw.receiver, raw.site))

    @cached_property
    def steps_anew(self) -> bool:
        model = model_of(self.raw, self.resolver) if self.raw.kind is Kind.OPTIMIZER_STEP else None
        return model is not None and made_within(*model, self.ledger.sums.loop, self.resolver)

    @cached_property
    def told_scale(self) -> bool:
        values = (each for arg in self.raw.args for each, _ in self.resolver.follow(arg.value, self.raw.site))
        return any(last_name(call.func) == "get_scale" for value in values for call in calls_in(value))

    @cached_property
    def handed_around(self) -> bool:
        raw, trace = self.raw, self.resolver.trace
        if raw.kind is not Kind.OPTIMIZER_STEP:
            return False
        facts, owner = trace.facts, raw.frame.owner
        bases = facts.bases.get(owner, ()) if owner is not None else ()
        if any(base not in facts.bases and base not in _PLAIN_BASES for base in bases):
            return True
        mine = {each for each in (raw.target, raw.owner) if each is not None}
        for site in trace.calls:
            name = last_name(site.call.func) or ""
            if name in _HARMLESS or (id(site.call), site.frame.number) in trace.activations:
                continue
            if self.resolver.words.role_of_constructor(facts.qualify(site.call.func)) is Role.SCHEDULER:
                continue
            for arg in site.call.args:
                if isinstance(arg.value, (cst.Name, cst.Attribute)) and self.resolver.identity(arg.value, site_of(site)) in mine:
                    return True
        return False

    @cached_property
    def zeroed_out_of_sight(self) -> bool:
        trace = self.resolver.trace
        if self.raw.kind is Kind.OPTIMIZER_STEP and zeroed_by_name(self.resolver):
            return True
        return self.raw.kind is Kind.OPTIMIZER_STEP and any(
            method is not None and spells_zeroing(method[1]) and (id(site.call), site.frame.number) not in trace.activations
            for site in trace.calls
            if (method := method_call(site.call))
        )

    @cached_property
    def token_mean(self) -> TokenMean | None:
        return token_mean(self.raw.loss, self.raw.site, self.resolver)

    @cached_property
    def loss_index(self) -> int | None:
        node = self.raw.loss
        while isinstance(node, cst.BinaryOperation):
            node = node.left
        name = dotted(node) if node is not None else None
        found = self.resolver.given(name, self.raw.site) if name else []
        # `loss = loss / N` is no forward pass: what it was made from is.
        while name and found and (found[0].how == "augment" or _remade(found[0].value, name)):
            found = self.resolver.given(name, site_of(found[0]))
        if not found or any(_skips_sync(guard) for guard in found[0].path):
            return None
        return found[0].index

    @cached_property
    def restored(self) -> bool:
        return self.raw.kind is Kind.REPORT and self.ledger.restores(self.raw)
