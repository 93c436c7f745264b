"""Accelerate: `accumulate()` counts micro-batches, `backward()` divides, and prepared objects only act at boundaries.

Based on accelerate 1.15: `Accelerator._do_sync`, `accumulate`, `backward`, `prepare`; `AcceleratedOptimizer.step` and
`zero_grad`; `AcceleratedScheduler.step`.
"""

from __future__ import annotations

from typing import Any

import libcst as cst

from gradlint.simulate.arithmetic import factor_of
from gradlint.simulate.averaging import held_back
from gradlint.simulate.conditions import truth
from gradlint.simulate.engines.configured import launched_steps
from gradlint.simulate.machine import Machine
from gradlint.simulate.things import Accelerator, Context, Loader, Network, Optimizer, Schedule, Thing
from gradlint.simulate.trace import What
from gradlint.simulate.values import ONE, Factor, Num, Opaque, number, settings_of

LAUNCHED = "a configuration beside the script may set how many micro-batches the accelerator counts"
"""The doubt about an accelerator whose N only a file gives, until the script enters `accumulate()`."""

BY_DEEPSPEED = "DeepSpeed may count micro-batches itself"
"""The doubt about an accelerator whose plugin hands the update, and everything around it, to DeepSpeed's engine."""


def accelerator(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Accelerator:
    """`Accelerator(...)`."""
    steps = kwargs.get("gradient_accumulation_steps", 1)
    plugin = kwargs.get("gradient_accumulation_plugin")
    if plugin is not None:
        steps = plugin.kept.get("num_steps", Opaque("num_steps")) if hasattr(plugin, "kept") else Opaque("num_steps")
    if kwargs.get("deepspeed_plugin") is not None:
        steps = Opaque("deepspeed_plugin.gradient_accumulation_steps")
    own = {"gradient_accumulation_steps", "gradient_accumulation_plugin", "deepspeed_plugin"} & kwargs.keys()
    launched = launched_steps(machine) if not own else None
    made = Accelerator("accelerator", node, steps=named_steps(machine, steps if launched is None else launched))
    if launched is not None:
        made.doubt = LAUNCHED
    if plugin is not None:
        made.doubt = "a plugin sets how many micro-batches the accelerator counts"
    if kwargs.get("deepspeed_plugin") is not None:
        made.doubt = BY_DEEPSPEED
    return made


def named_steps(machine: Machine, steps: Any) -> Any:
    """The N of an engine. A setting passed for it counts as accumulation steps; a plain number keeps its value."""
    known = machine.number_of(steps) if type(steps) is Opaque else steps
    machine.asked.gates |= settings_of(known)
    return known


def accumulate(machine: Machine, engine: Accelerator, node: cst.CSTNode) -> int:
    """Enter `accumulate()`, which adds a micro-batch to the window even if it is nested. Returns the place of its event."""
    engine.used = True
    if engine.doubt == LAUNCHED:
        engine.doubt = ""
    known = machine.number_of(engine.steps)
    steps = max(int(number(known) or 1), 1)
    if steps > 1 and not settings_of(known):
        machine.asked.moduli.add(steps)
    ends = any(loader.at_end for loader in engine.loaders)
    engine.micro = 0 if ends else engine.micro + 1
    engine.syncs = ends or engine.micro % steps == 0
    place = len(machine.events)
    own = tuple(each for other, each in machine.told if other is engine)
    machine.note(What.COUNT, node, inside=own, value=Factor(float(steps), settings_of(known), engine.doubt), text=engine.identity)
    machine.told.append((engine, place))
    return place


def leave(machine: Machine, place: int) -> None:
    """Leave the `accumulate()` whose event is at a place. The state that it set is kept."""
    machine.told = [each for each in machine.told if each[1] != place]


def set_boundary(machine: Machine, engine: Accelerator, flag: Any) -> None:
    """Mark the window as complete or not, as the script itself decides."""
    engine.used, engine.syncs = True, truth(machine, flag)
    engine.doubt = "the script sets `sync_gradients` itself"


def method(machine: Machine, engine: Accelerator, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """A method of an Accelerator."""
    from gradlint.simulate.optimizing import backward, clip

    if name == "accumulate":
        return Context("accumulate", node, kind="accumulate", subject=engine)
    if name == "backward":
        divisor = factor_of(machine, cst.Divide, engine.steps, node) if engine.steps != 1 else ONE
        if engine.node is None and not engine.used:
            divisor = divisor.doubted("gradlint does not see how many micro-batches the accelerator counts")
        doubt = engine.doubt or ("a context from another file may count micro-batches" if machine.strange else "")
        alone = divisor.doubted(doubt) if doubt else divisor
        backward(machine, args[0] if args else kwargs.get("loss"), node, divisor, through="accelerator", engines=alone)
        return None
    if name == "_do_sync":
        leave(machine, accumulate(machine, engine, node))
        return None
    if name == "_set_sync_gradients":
        set_boundary(machine, engine, args[0] if args else kwargs.get("sync_gradients", True))
        return None
    if name == "prepare":
        given = [prepared(machine, engine, each, node) for each in args]
        return tuple(given) if len(given) != 1 else given[0]
    if name.startswith("prepare_"):
        return prepared(machine, engine, args[0], node) if args else Opaque(name)
    if name == "clip_grad_norm_" and engine.doubt == BY_DEEPSPEED:
        return Opaque("the norm of the gradients")
    if name in ("clip_grad_norm_", "clip_grad_value_"):
        return clip(machine, args, kwargs, node, through="accelerator")
    if name == "no_sync":
        return held_back(machine, args[0] if args else None, node)
    if name in ("unwrap_model", "reduce", "gather", "gather_for_metrics", "pad_across_processes", "skip_first_batches"):
        return args[0] if args else None
    if name in ("autocast", "profile", "local_main_process_first", "main_process_first", "join_uneven_inputs"):
        return Context(name, node, kind=name)
    if name in ("is_main_process", "is_local_main_process"):
        return Opaque(f"{engine.identity}.{name}")
    if name == "unscale_gradients":
        return None
    return Opaque(f"{engine.identity}.{name}()")


def prepared(machine: Machine, engine: Accelerator, value: Any, node: cst.CSTNode) -> Any:
    """The result of `prepare`: the same object, marked as belonging to the engine."""
    engine.prepares = True
    if isinstance(value, (Optimizer, Schedule, Network, Loader)):
        value.prepared = engine
        if isinstance(value, Loader) and value not in engine.loaders:
            engine.loaders.append(value)
        return value
    if type(value) is Opaque:
        found = value.kept.get(("walked", None))
        if isinstance(found, Loader):
            prepared(machine, engine, found, node)
        elif "data" in value.last.lower() or "loader" in value.last.lower() or value.last in ("dl", "batches"):
            loader = Loader(value.identity, node, finite=True)
            value.kept["walked", None] = loader
            prepared(machine, engine, loader, node)
    return value


def attribute(machine: Machine, engine: Accelerator, name: str) -> Any:
    """An attribute of an Accelerator."""
    if name == "sync_gradients":
        return Num(engine.syncs, frozenset(("accelerator.sync_gradients",)))
    if name in ("gradient_accumulation_steps", "num_steps"):
        return engine.steps
    if name == "gradient_state":
        return engine  # the engine answers for its gradient state
    if name == "end_of_dataloader":
        return any(loader.at_end for loader in engine.loaders)
    if name in ("num_processes", "process_index", "local_process_index"):
        return 1 if name == "num_processes" else 0
    if name == "use_distributed":
        return Opaque(f"{engine.identity}.{name}")
    return Opaque(f"{engine.identity}.{name}")


def leaves_to_engine(machine: Machine, optimizer: Optimizer) -> bool:
    """Whether a prepared optimizer clears no gradients itself, because DeepSpeed's engine does when it updates.

    `DeepSpeedOptimizerWrapper.zero_grad` does nothing, and `clip_grad_norm_` only returns the engine's norm.
    """
    engine = _engine_of(machine, optimizer)
    return isinstance(engine, Accelerator) and engine.doubt == BY_DEEPSPEED


def waits(machine: Machine, thing: Thing) -> bool:
    """Whether a prepared object skips its action because the window is not complete."""
    engine = _engine_of(machine, thing)
    return isinstance(engine, Accelerator) and not engine.syncs


def _engine_of(machine: Machine, thing: Thing) -> Any:
    """What has prepared an object.

    If a function is given both the accelerator that counts and the object, its caller is presumed to have prepared the object,
    and so is unseen code if an accelerator counts without having prepared anything.
    """
    engine = getattr(thing, "prepared", None)
    if engine is None:
        counting = (each for each, _ in reversed(machine.told) if isinstance(each, Accelerator))
        engine = next((each for each in counting if not each.prepares and (thing.node is None or each.node is not None)), None)
    return engine
