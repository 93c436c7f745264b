"""Which rows of a text the rules can be about, told without LibCST.

`ast`, which is ten times cheaper, says where every function and method begins; the words in it say whom it can reach.
What cannot take part in a finding is never parsed by LibCST. To keep more than is needed is always right, so every
question here is answered by names alone, as the model follows calls by names.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence, Set
from functools import lru_cache

from gradlint.depth import tree_is_deep
from gradlint.model.vocabulary import BOUNDARY_ARGUMENTS, UNTAUGHT, Taught
from gradlint.timings import stage
from gradlint.units import Rows, Units, last_name

_ADAMS = frozenset({"Adam", "NAdam", "RAdam"})
_ADAM_ARGUMENTS = 5
"""`weight_decay` is the fifth argument of Adam."""

_WINDOWS = frozenset({"accumulate_grad_batches", "gradient_accumulation_steps"})
_TRAINERS = frozenset("Trainer TrainingArguments Seq2SeqTrainer Seq2SeqTrainingArguments".split())
_NORMS = frozenset({"BatchNorm1d", "BatchNorm2d", "BatchNorm3d"})
_DIVIDING = frozenset("div div_ true_divide divide mul mul_ multiply".split())
_LOSS = re.compile(r"loss|cost|nll|objective", re.I)
_ENGINE = re.compile(r"engine|deepspeed|ds_model", re.I)
_SHARDED = ("FSDP", "FullyShardedDataParallel", "fully_shard")
_ANYWHERE = frozenset(
    (
        "accumulate_grad_batches gradient_accumulation_steps zero_grad zero_grads clear_grads clear_gradients reset_grad "
        "step_and_zero optimizer_step DistributedDataParallel Accelerator register_comm_hook"
    ).split()
)
"""What the model and the rules look for in the whole file, wherever a loop is."""


@lru_cache(maxsize=1)  # the runner asks whether there are any, the reader which
def kept_rows(text: str, taught: Taught = UNTAUGHT) -> tuple[Rows, ...]:
    """The rows of all that can take part in a finding, in order; none where nothing can.

    Raises SyntaxError, ValueError, RecursionError or MemoryError for a text that the interpreter does not read.
    """
    with stage("ast"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Python's parser has to say of the code that is checked
        tree = ast.parse(text)
        if tree_is_deep(text, tree):
            raise RecursionError
        return _kept(Units(text, tree), taught)


def _kept(units: Units, taught: Taught) -> tuple[Rows, ...]:
    seeds = {*_of_loops(units, taught), *_of_optimizers(units), *_of_trainers(units)}
    if not seeds:
        return ()
    kept = units.below({*seeds, *units.of_module})
    return tuple(_merged(sorted(rows for number in kept for rows in units[number].rows)))


def _merged(rows: Sequence[Rows]) -> Iterator[Rows]:
    """Runs of rows that follow each other, as one."""
    current = rows[0]
    for first, last in rows[1:]:
        if first == current[1] + 1:
            current = (current[0], last)
        else:
            yield current
            current = (first, last)
    yield current


# Loops


def _of_loops(units: Units, taught: Taught) -> Iterator[int]:
    """Everything that reaches a backward pass, where a step, a count of steps or `no_sync` is in reach of that as well."""
    backwards = {number for number in units.calling("backward", "scaler") if any(map(_runs_backward, units[number].calls))}
    if not backwards:
        return
    reach = units.below(units.above(backwards) | {*units.of_module})
    calls = [call for number in reach for call in units[number].calls]
    called = {last_name(call.func) for call in calls}
    if not (any(map(_steps, calls)) or "no_sync" in called or _divides_by_steps(units, reach, called, taught)):
        return
    yield from reach
    yield from units.holding(_ANYWHERE, _SHARDED)
    yield from _normalising(units)


def _runs_backward(call: ast.Call) -> bool:
    return last_name(call.func) in ("backward", "manual_backward") or _is_wrapper(call)


def _steps(call: ast.Call) -> bool:
    return last_name(call.func) in ("step", "optimizer_step") or _is_wrapper(call)


def _is_wrapper(call: ast.Call) -> bool:
    """`loss_scaler(loss, optimizer, update_grad=...)`: the model's conditions, as far as they can be told by names."""
    if len(call.args) < 2 or not any(_LOSS.search(name) for name in _names(call.args[0])):
        return False
    flagged = any(keyword.arg in BOUNDARY_ARGUMENTS for keyword in call.keywords)
    return flagged or (last_name(call.func) or "").lower().endswith("scaler") or any(map(_holds_modulus, call.args[2:]))


def _names(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        name = last_name(each)
        if name is not None:
            yield name
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def _holds_modulus(node: ast.AST) -> bool:
    return any(isinstance(each, ast.BinOp) and isinstance(each.op, ast.Mod) for each in ast.walk(node))


def _divides_by_steps(units: Units, reach: Set[int], called: Set[str | None], taught: Taught) -> bool:
    """A loss that is divided by a count of steps twice, or once and then reported or divided by an engine, shows without a step."""
    read: set[str] = set().union(*(units[number].read for number in reach))
    if not any(map(taught.spells_steps, read)):
        return False
    divisions = len(called & _DIVIDING) + sum(_divides(node) for number in reach for node in units[number].parts())
    return divisions > 1 or (divisions == 1 and ("item" in called or any(map(_is_engine, read))))


def _divides(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Div) and not isinstance(node.right, ast.Constant)
    return isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Div, ast.Mult))


def _is_engine(name: str) -> bool:
    return name in ("accelerator", "Accelerator", "fabric") or _ENGINE.search(name) is not None


def _normalising(units: Units) -> Iterator[int]:
    """Batch normalisation, and what builds the classes that use it."""
    owners: set[str] = set()
    for number in units.holding(_NORMS):
        yield number
        owner = units[number].owner
        owners |= {owner} if owner is not None else set()
    yield from units.holding(owners)


# What is judged without a loop


def _of_optimizers(units: Units) -> Iterator[int]:
    """An Adam that is given a weight decay, and what may say which."""
    names = _ADAMS | units.aliases(_ADAMS)
    found = [number for number in units.calling(*names) if _decays(units, number, names)]
    if found:
        yield from found
        yield from units.holding(names | {"add_argument", "add_arg", "add_param_group"})


def _decays(units: Units, number: int, names: Set[str]) -> bool:
    calls = [call for call in units[number].calls if last_name(call.func) in names]
    said = any("weight_decay" in units[each].words for each in units.family(number))
    return any(said or len(call.args) + len(call.keywords) >= _ADAM_ARGUMENTS for call in calls)


def _of_trainers(units: Units) -> Iterator[int]:
    """Arguments of a Trainer, a Trainer's own loss, and a `training_step` whose loss Lightning divides."""
    if "max_steps" in units.text:
        for number in units.calling(*_TRAINERS):
            if any(_limits_steps(call) for call in units[number].calls):
                yield from units.family(number)
    if "transformers" in units.text:
        for number in units.defining("compute_loss"):
            if any(base.endswith("Trainer") or base in units.renamed for base in units.bases(number)):
                yield from units.family(number)
    if "accumulate_grad_batches" in units.text:
        steps = [n for n in units.defining("training_step") if any(base.endswith("LightningModule") for base in units.bases(n))]
        if steps:
            yield from steps
            yield from units.holding({"accumulate_grad_batches", "automatic_optimization"})


def _limits_steps(call: ast.Call) -> bool:
    given = {keyword.arg for keyword in call.keywords}
    return last_name(call.func) in _TRAINERS and "max_steps" in given and not given.isdisjoint(_WINDOWS)
