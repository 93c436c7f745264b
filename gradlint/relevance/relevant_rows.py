"""Finds the rows of a text that rules can be about, without LibCST.

`ast` is ten times cheaper: it finds where every function and method begins, and the words in them show what they can reach.
LibCST never parses code that cannot take part in a finding. Keeping too much is always safe, so this module decides by names
alone, just as the model follows calls by name.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence, Set
from functools import lru_cache

from gradlint.files.parse import MOST_READ, parse, tree_is_deep
from gradlint.model.names.vocabulary import BOUNDARY_ARGUMENTS, CLIPS, LOSS_SPELLING, UNTAUGHT, UPDATES, Role, Taught
from gradlint.relevance.call_graph import Reach
from gradlint.relevance.configured import of_configurations
from gradlint.relevance.loss_divisors import Divisors, names_in
from gradlint.relevance.unit_contents import last_name
from gradlint.relevance.units import Rows, Unit, Units
from gradlint.timings import stage

_ADAMS = frozenset({"Adam", "NAdam", "RAdam"})
_ADAM_ARGUMENTS = 5
"""`weight_decay` is the fifth argument of Adam."""

_WINDOWS = frozenset({"accumulate_grad_batches", "gradient_accumulation_steps"})
_COUNTED = ("max_steps", "warmup_steps")
"""The arguments of a Trainer that count optimizer steps."""
_TRAINERS = frozenset("Trainer TrainingArguments Seq2SeqTrainer Seq2SeqTrainingArguments".split())
_NORMS = frozenset({"BatchNorm1d", "BatchNorm2d", "BatchNorm3d"})
_SHARDED = ("FSDP", "FullyShardedDataParallel", "fully_shard")
_BACKWARD = frozenset({"backward", "manual_backward"})
_STEPPED = frozenset({Role.OPTIMIZER, Role.SCALER, Role.DEEPSPEED})
_MODELS = frozenset({"model", "net", "initialize", "AcceleratedOptimizer", "DeepSpeedEngine"})
_ENGINE = re.compile(r"engine|deepspeed", re.I)
_ENDS = frozenset({*UPDATES, "no_sync", "no_backward_sync"})
"""A step, or a call that leaves the gradients of a backward pass to a later step."""

_STEP = re.compile(r"\.step\b(?!\()")
"""A step that is passed on and called by another name."""

_CLEARS = frozenset("zero_grad zero_grads clear_grads clear_gradients reset_grad step_and_zero optimizer_step".split())
_COUNT = "gradient_accumulation_steps"
_LOOKED_THROUGH = 7
"""How many times longer than its relevant part a text may be."""
_REMARKED = frozenset({"DistributedDataParallel", "register_comm_hook"})
"""Calls that matter anywhere in a file, not only near a loop."""


@lru_cache(maxsize=1)  # the runner and the reader both call this for the same text
def kept_rows(text: str, taught: Taught = UNTAUGHT) -> tuple[Rows, ...]:
    """The rows of everything that can take part in a finding, in order. Empty if nothing can.

    Raises SyntaxError, ValueError, RecursionError or MemoryError if Python cannot read the text.
    """
    with stage("ast"):
        return _kept(_units(text, taught), taught)


def rows_of_loops(text: str, taught: Taught = UNTAUGHT) -> tuple[Rows, ...]:
    """Like `kept_rows`, but also includes training loops that no rule can say anything about."""
    return _kept(_units(text, taught), None)


def most_read(taught: Taught) -> int:
    """How many characters of a text are searched for relevant code."""
    return max(MOST_READ, _LOOKED_THROUGH * (taught.max_size or 0))


def _units(text: str, taught: Taught) -> Units:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of Python's parser about the checked code
        tree = parse(text, most_read(taught))
        if tree_is_deep(text, tree):
            raise RecursionError
        return Units(text, tree)


def _kept(units: Units, taught: Taught | None) -> tuple[Rows, ...]:
    reach = Reach(units)
    roots = _of_loops(units, reach, taught) if taught is not None else _of_any_loop(units, reach)
    witnesses = set(_told(units)) if roots else set()
    steps, apart = _of_trainers(units)
    others = {*apart, *_of_optimizers(units), *of_configurations(units)}
    if not (roots or steps or others):
        return ()
    run, values = reach.traced({*roots, *steps}, witnesses)
    kept = {*run, *values, *others}
    if roots:
        kept.update(_clearing(units, kept))
        kept.update(_normalising(units))
    kept |= reach.heads(kept)
    kept |= reach.importing(kept)
    kept |= reach.heads(kept)
    return tuple(_merged(sorted(rows for number in kept for rows in units[number].rows)))


def _merged(rows: Sequence[Rows]) -> Iterator[Rows]:
    """Merge runs of rows that follow each other."""
    current = rows[0]
    for first, last in rows[1:]:
        if first == current[1] + 1:
            current = (current[0], last)
        else:
            yield current
            current = (first, last)
    yield current


# Loops


def _of_any_loop(units: Units, reach: Reach) -> set[int]:
    """The units that the model starts from, if a backward pass is in reach."""
    backwards = _backwards(units)
    return _starts(units, reach.above(backwards)) | set(units.of_module) if backwards else set()


def _of_loops(units: Units, reach: Reach, taught: Taught) -> set[int]:
    """The units that the model starts from to reach a loop that a rule can say something about.

    A rule needs a backward pass and something that ends its window: a step or `no_sync`, called here or passed on. Only a loss
    that is divided twice, or reported after its division, can be found without one.
    """
    backwards = _backwards(units)
    if not backwards:
        return set()
    roots, ends = _starts(units, reach.above(backwards)), _ends(units, taught)
    ending = bool(ends) or _STEP.search(units.text) is not None
    found = set(roots) if ending else set()
    module = set(units.of_module)
    run = reach.traced(module)[0]
    if not run.isdisjoint(backwards):
        roots |= module
        found |= module if ending else set()
    left, divisors = roots - found, Divisors(reach, taught)
    if left and divisors.may_divide(reach.traced(left)[0]):
        found |= {number for number in left - module if divisors.may_divide(reach.traced({number})[0])}
        found |= module if module & left and divisors.may_divide(run) else set()
    return found


def _starts(units: Units, numbers: Set[int]) -> set[int]:
    """Remove methods that are called `backward` themselves, since the model does not start from them."""
    return {number for number in numbers if not _BACKWARD.issuperset(units[number].names)}


def _backwards(units: Units) -> set[int]:
    return {number for number in units.calling("backward", "scaler") if any(map(_runs_backward, units[number].contents.calls))}


def _runs_backward(call: ast.Call) -> bool:
    if last_name(call.func) in _BACKWARD:
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        return not (isinstance(owner, ast.Call) and last_name(owner.func) == "super")
    return _is_wrapper(call)


def _ends(units: Units, taught: Taught) -> set[int]:
    """The units that step an optimizer, or leave the gradients of a backward pass to a later step."""
    calling = units.calling("scaler", "sync", *UPDATES)
    if not any(word in units.text for word in ("optimizer", "Optimizer")) and not any(
        _may_step(word, taught) for word in units.words
    ):
        calling = [number for number in calling if not units[number].contents.called.isdisjoint(_ENDS - {"step"})]
    return {n for n in calling if any(_is_end(call, units, taught) for call in units[n].contents.calls)}


def _is_end(call: ast.Call, units: Units, taught: Taught) -> bool:
    name = last_name(call.func)
    if name != "step":
        return name in _ENDS or _is_wrapper(call)
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    if not isinstance(owner, ast.Attribute) or not isinstance(owner.value, ast.Name) or owner.value.id != "self":
        return True
    # Nothing here assigns the attribute, so only its name can show what it is.
    return _may_step(owner.attr, taught) or any(unit.gives_any({owner.attr}) for unit in units.all)


def _may_step(word: str, taught: Taught) -> bool:
    """Whether a word may name an object that steps, or its constructor."""
    roles = (taught.role_of_constructor(word), taught.role_of_spelling(word))
    return not _STEPPED.isdisjoint(roles) or word in _MODELS or _ENGINE.search(word) is not None


def _is_wrapper(call: ast.Call) -> bool:
    """Recognise `loss_scaler(loss, optimizer, update_grad=...)`, by the conditions of the model that names can answer."""
    if len(call.args) < 2 or not any(LOSS_SPELLING.search(name) for name in names_in(call.args[0])):
        return False
    flagged = any(keyword.arg in BOUNDARY_ARGUMENTS for keyword in call.keywords)
    return flagged or (last_name(call.func) or "").lower().endswith("scaler") or any(map(_holds_modulus, call.args[2:]))


def _holds_modulus(node: ast.AST) -> bool:
    return any(isinstance(each, ast.BinOp) and isinstance(each.op, ast.Mod) for each in ast.walk(node))


def _told(units: Units) -> Iterator[int]:
    """The units that say, for the whole file, how training is distributed or what its engine accumulates."""
    wrapping = _REMARKED | units.aliases(_REMARKED)
    sharding = {alias for alias, name in units.renamed.items() if name.endswith(_SHARDED)}
    for number, unit in enumerate(units.all):
        wraps = unit.calls_any(wrapping | sharding) or (any(end in unit.text for end in _SHARDED) and _shards(unit))
        counts = _COUNT in unit.text and _COUNT in unit.contents.keys
        if wraps or counts or (unit.contents.gives if unit.calls_any({"Accelerator"}) else False):
            yield number


def _shards(unit: Unit) -> bool:
    return any(name.endswith(_SHARDED) for name in unit.contents.called)


def _clearing(units: Units, kept: Set[int]) -> Iterator[int]:
    """The units that zero gradients away from any backward pass. The smallest one is enough."""
    apart = [n for n, unit in enumerate(units.all) if unit.calls_any(_CLEARS)]
    plain = [n for n in apart if _BACKWARD.isdisjoint(units[n].contents.called)]
    if not plain:
        yield from (n for n in apart if units[n].contents.defines - set(units[n].names))
    elif kept.isdisjoint(plain):
        yield min(plain, key=lambda number: len(units[number].text))


def _normalising(units: Units) -> Iterator[int]:
    """The units with batch normalisation, and those that build the classes that use it."""
    norms = {number for number, unit in enumerate(units.all) if unit.calls_any(_NORMS)}
    owners = {owner for number in norms if (owner := units[number].owner) is not None}
    names = owners | units.aliases(owners)
    yield from (n for n, unit in enumerate(units.all) if n in norms or unit.calls_any(names))


# Rules that need no loop


def _of_optimizers(units: Units) -> Iterator[int]:
    """The units that give Adam a weight decay, those that may determine its value, and those that build AdamW instead."""
    if "Adam" not in units.text:
        return
    names = _ADAMS | units.aliases(_ADAMS)
    found = [number for number in units.calling(*names) if _decays(units, number, names)]
    if found:
        yield from found
        yield from units.holding(names | {"add_argument", "add_arg", "add_param_group"})
        yield from units.calling("AdamW")


def _decays(units: Units, number: int, names: Set[str]) -> bool:
    calls = [call for call in units[number].contents.calls if last_name(call.func) in names]
    said = any("weight_decay" in units[each].words for each in units.family(number))
    return any(said or len(call.args) + len(call.keywords) >= _ADAM_ARGUMENTS for call in calls)


def _of_trainers(units: Units) -> tuple[set[int], set[int]]:
    """The units of Lightning and Hugging Face trainers.

    The first set has the `training_step` methods whose loss Lightning divides, or that clip. The second has their settings,
    schedules and custom losses.
    """
    steps: set[int] = set()
    others: set[int] = set()
    if any(name in units.text for name in _COUNTED):
        for number in units.calling(*_TRAINERS):
            if any(_limits_steps(call) for call in units[number].contents.calls):
                others.update(units.family(number))
    if "transformers" in units.text:
        for number in units.defining("compute_loss"):
            if any(base.endswith("Trainer") or base in units.renamed for base in units.bases(number)):
                others.update(units.family(number))
        others.update(_of_collators(units) if others else ())
    if "LightningModule" in units.text:
        for number in units.defining("configure_optimizers"):
            if any(base.endswith("LightningModule") for base in units.bases(number)):
                others.update(units.family(number))
    divided = "accumulate_grad_batches" in units.text
    if divided or "clip_grad" in units.text:
        steps = {n for n in units.defining("training_step") if any(base.endswith("LightningModule") for base in units.bases(n))}
        steps = {n for n in steps if divided or units[n].calls_any(CLIPS)}
        if steps:
            others.update(units.holding({"accumulate_grad_batches", "automatic_optimization"}))
    return steps, others


def _of_collators(units: Units) -> Iterator[int]:
    """The units that pass a data collator to a Trainer, and those that define it."""
    for number in units.holding({"data_collator"}):
        yield number
        keywords = (keyword for call in units[number].contents.calls for keyword in call.keywords)
        for name in {last_name(keyword.value) or "" for keyword in keywords if keyword.arg == "data_collator"}:
            yield from units.defining(name) if name else ()


def _limits_steps(call: ast.Call) -> bool:
    given = {keyword.arg for keyword in call.keywords}
    return last_name(call.func) in _TRAINERS and not given.isdisjoint(_COUNTED) and not given.isdisjoint(_WINDOWS)
