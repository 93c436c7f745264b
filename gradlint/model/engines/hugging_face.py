"""Subclasses of the Hugging Face Trainer: which part of its training they leave to it, and what they hand to the model.

Read in `transformers/trainer.py`: `_get_num_items_in_batch` counts only where a batch has "labels" and the model's `forward` takes
`**kwargs` (5.23; 4.52 alike), and `training_step` divides the loss by the micro-batches of the window wherever nothing was counted
(since 4.56; until then wherever `forward` takes no `**kwargs`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import libcst as cst

from gradlint.model.names.facts import Facts
from gradlint.model.syntax.expressions import calls_in, dotted, last_name, literal, walk

_HANDS_ON_THE_COUNT = frozenset(
    {"train", "inner_training_loop", "_inner_training_loop", "training_step", "get_batch_samples", "_get_num_items_in_batch"}
)
"""The methods of the Trainer through which the count of a window comes to `compute_loss`."""

_OPEN = ("transformers.", "torch.", "typing.", "peft.", "accelerate.")
"""Where the classes are from that say nothing of a model, or that it is the library's."""
_FIELDS = frozenset({"input_ids", "inputs_embeds", "attention_mask", "pixel_values", "input_values", "input_features", "labels"})
"""What the models of the library take by name."""


def own_losses(statement: cst.CSTNode, facts: Facts) -> Iterator[cst.FunctionDef]:
    """Each `compute_loss` of a subclass of the Trainer that the Trainer itself calls and, as far as can be seen, has a count for.

    Unknown is no: a batch that is no mapping, of which no labels are read, or which the model is handed as a whole, is for a model
    of the author's own, and its loss the Trainer divides.
    """
    if not isinstance(statement, cst.ClassDef) or not any(_is_trainer(facts.qualify(base.value)) for base in statement.bases):
        return
    methods = {each.name.value: each for each in statement.body.body if isinstance(each, cst.FunctionDef)}
    loss = methods.get("compute_loss")
    if loss is None or not all(delegates(methods[name]) for name in _HANDS_ON_THE_COUNT & methods.keys()):
        return
    params = (*loss.params.params[1:3], *loss.params.kwonly_params)
    if len(params) < 2 or _is_of_another(params[0], facts) or _unpacks(params[1].name.value, loss):
        return
    nodes = [node for method in _reached(loss, methods) for node in walk(method.body)]
    calls = [node for node in nodes if isinstance(node, cst.Call) and dotted(node.func) in (params[0].name.value, "self.model")]
    if any(map(_gives_fields, calls)) and any(map(_tells_of_labels, nodes)):
        yield loss


def delegates(method: cst.FunctionDef) -> bool:
    """The method calls one of the Trainer's own, with `super()`."""
    funcs = (call.func for call in calls_in(method.body))
    return any(
        isinstance(func, cst.Attribute) and isinstance(func.value, cst.Call) and last_name(func.value.func) == "super"
        for func in funcs
    )


def _is_trainer(qualified: str) -> bool:
    return qualified.startswith("transformers.") and qualified.endswith("Trainer")


def _is_of_another(model: cst.Param, facts: Facts) -> bool:
    """The model is annotated with a class that is not the library's."""
    kind = facts.qualify(model.annotation.annotation) if model.annotation is not None else ""
    return bool(kind) and not kind.startswith(_OPEN)


def _unpacks(batch: str, method: cst.FunctionDef) -> bool:
    """`query, passage = inputs`, `inputs[0]`: no mapping, in which nobody finds "labels"."""
    for node in walk(method.body):
        if isinstance(node, cst.Assign) and dotted(node.value) == batch:
            if any(isinstance(each.target, (cst.Tuple, cst.List)) for each in node.targets):
                return True
        if isinstance(node, cst.Subscript) and dotted(node.value) == batch and isinstance(_key(node), int):
            return True
    return False


def _reached(method: cst.FunctionDef, methods: Mapping[str, cst.FunctionDef]) -> list[cst.FunctionDef]:
    """A method and those of its class that it calls."""
    found = [method]
    for each in found:
        for call in calls_in(each.body):
            name = (dotted(call.func) or "").removeprefix("self.")
            if name in methods and methods[name] not in found:
                found.append(methods[name])
    return found


def _gives_fields(call: cst.Call) -> bool:
    """`model(**inputs)`, `model(inputs["input_ids"])`, `model(input_ids=x)`: as the models of the library take a batch."""
    return any(
        arg.star == "**"
        or (arg.keyword is not None and arg.keyword.value in _FIELDS)
        or last_name(arg.value) in _FIELDS
        or (isinstance(arg.value, cst.Subscript) and _key(arg.value) in _FIELDS)
        for arg in call.args
    )


def _tells_of_labels(node: cst.CSTNode) -> bool:
    """The labels are read, or the loss that the model made of them."""
    if isinstance(node, cst.SimpleString):
        return literal(node) in ("labels", "loss")
    if isinstance(node, cst.Assign):
        first = any(isinstance(each, cst.Subscript) and _key(each) == 0 for each in walk(node.value))
        return first and any("loss" in (dotted(each.target) or "") for each in node.targets)
    return isinstance(node, cst.Attribute) and node.attr.value == "loss"


def _key(node: cst.Subscript) -> object:
    index = node.slice[0].slice if len(node.slice) == 1 else None
    return literal(index.value) if isinstance(index, cst.Index) else None
