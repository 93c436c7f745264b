"""Data parallelism: what the file wraps, and whether it switches the reduction of gradients by hand."""

from __future__ import annotations

import re

import libcst as cst

from gradlint.model.names.lookup import dominates
from gradlint.model.names.records import Trace
from gradlint.model.syntax.expressions import last_name
from gradlint.model.syntax.paths import Path

_MAY_SKIP = re.compile(r"sync|accumulat", re.I)
DISTRIBUTED = frozenset({"torch.nn.parallel.DistributedDataParallel", "torch.nn.parallel.distributed.DistributedDataParallel"})


def parallel_model(trace: Trace) -> str | None:
    """The name of what the file wraps into torch's DistributedDataParallel; None where it wraps nothing."""
    facts = trace.facts
    if not facts.constructed & DISTRIBUTED:
        return None
    for key, definitions in trace.definitions.items():
        for definition in definitions:
            value = definition.value
            if isinstance(value, cst.Call) and facts.qualify(value.func) in DISTRIBUTED and definition.how == "assign":
                return key.partition(":")[2] or key
    return ""


def wrapped_on_an_arm(trace: Trace, home: Path) -> bool:
    """The model is wrapped under a condition that the training at `home` does not stand under.

    It may be a plain module then, that has no `no_sync`.
    """
    facts = trace.facts
    for definitions in trace.definitions.values():
        for definition in definitions:
            value = definition.value
            if isinstance(value, cst.IfExp):
                if any(
                    isinstance(arm, cst.Call) and facts.qualify(arm.func) in DISTRIBUTED for arm in (value.body, value.orelse)
                ):
                    return True
            elif isinstance(value, cst.Call) and facts.qualify(value.func) in DISTRIBUTED:
                if not dominates(definition.path, home):
                    return True
    return False


def sharded(trace: Trace) -> bool:
    """The file shards a model: FSDP decides about the reduction in its backward hooks."""
    ends = ("FullyShardedDataParallel", "FSDP", "fully_shard")
    return any(name.endswith(ends) for name in trace.facts.constructed)


def sync_toggled(trace: Trace) -> bool:
    """Gradient synchronisation is switched by hand somewhere in reach."""
    calls = {last_name(site.call.func) for site in trace.calls}
    if calls & {"no_sync", "no_backward_sync", "set_requires_gradient_sync", "set_is_last_backward"}:
        return True
    if any(key.endswith("require_backward_grad_sync") for key in trace.definitions) or _handed_around(trace):
        return True
    # `with misc.ddp_sync(model, last):` of another file may leave the reduction out.
    around = (g.test for site in trace.calls if last_name(site.call.func) == "backward" for g in site.path if g.kind == "with")
    return any(isinstance(test, cst.Call) and _MAY_SKIP.search(last_name(test.func) or "") for test in around)


def _handed_around(trace: Trace) -> bool:
    """`no_sync` is handed around as a value: `ctx = model.no_sync`."""
    facts = trace.facts
    return bool(facts.no_syncs) and any(
        facts.tree.holds(definition.value, each)
        for definitions in trace.definitions.values()
        for definition in definitions
        if definition.value is not None
        for each in facts.no_syncs
    )
