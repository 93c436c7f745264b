"""Subclasses of the Hugging Face Trainer: which parts of training they leave to it, and what they pass to the model.

Based on `transformers/trainer.py`. `_get_num_items_in_batch` only counts if a batch has "labels" and the model's `forward` takes
`**kwargs` (5.23, same in 4.52). `training_step` divides the loss by the number of micro-batches in the window if nothing was
counted (since 4.56; before that, if `forward` takes no `**kwargs`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeGuard

import libcst as cst

from gradlint.model.names.facts import Facts
from gradlint.model.syntax.expressions import calls_in, dotted, last_name, literal, walk

_HANDS_ON_THE_COUNT = frozenset(
    {"train", "inner_training_loop", "_inner_training_loop", "training_step", "get_batch_samples", "_get_num_items_in_batch"}
)
"""The methods of the Trainer that bring the count of a window to `compute_loss`."""

COUNT = "num_items_in_batch"
"""The keyword by which `training_step` passes the number of items in the window (since 4.46)."""

_OPEN = ("transformers.", "torch.", "typing.", "peft.", "accelerate.")
"""Origins of annotations that say nothing about the model, or that mean it is from the library."""
_FIELDS = frozenset({"input_ids", "inputs_embeds", "attention_mask", "pixel_values", "input_values", "input_features", "labels"})
"""Inputs that the library's models take by name."""


_FORWARD = _FIELDS | frozenset(
    """attention_mask bbox cache_position decoder_attention_mask decoder_input_ids encoder_outputs end_positions head_mask
    interpolate_pos_encoding logits_to_keep num_items_in_batch output_attentions output_hidden_states output_router_logits
    past_key_values position_ids return_dict return_loss start_positions token_type_ids use_cache""".split()
)
"""All parameters of their forward passes. Any other keyword means a custom model."""


def derives_trainer(statement: cst.CSTNode, facts: Facts) -> TypeGuard[cst.ClassDef]:
    """Whether a statement is a subclass of the Trainer."""
    return type(statement) is cst.ClassDef and any(_is_trainer(facts.qualify(base.value)) for base in statement.bases)


def own_losses(statement: cst.CSTNode, facts: Facts, *, collated: bool = False) -> Iterator[cst.FunctionDef]:
    """Yield each `compute_loss` of a Trainer subclass that the Trainer calls and probably has a count for.

    In doubt, a method is left out. A batch that is not a mapping, whose labels are not read, or that is passed to the model as a
    whole is for a custom model, and the Trainer divides its loss. `collated` means that a known collator makes labels.
    """
    if not derives_trainer(statement, facts):
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
    if not any(map(_gives_fields, calls)) or any(map(_is_of_another_model, calls)):
        return
    whole = any(arg.star == "**" for call in calls for arg in call.args)
    if collated or any(map(_names_labels, nodes)) or (whole and any(_reads_loss(node, calls) for node in nodes)):
        yield loss


def refusing_loss(statement: cst.CSTNode, facts: Facts) -> cst.FunctionDef | None:
    """The `compute_loss` of a Trainer subclass that takes no count, although the Trainer's `training_step` passes one."""
    if not derives_trainer(statement, facts):
        return None
    methods = {each.name.value: each for each in statement.body.body if isinstance(each, cst.FunctionDef)}
    loss, step = methods.get("compute_loss"), methods.get("training_step")
    if loss is None or loss.decorators or takes_count(loss) or (step is not None and not delegates(step)):
        return None
    return loss


def losses_without_count(statements: Sequence[cst.BaseStatement], facts: Facts) -> Iterator[cst.FunctionDef]:
    """Yield each `compute_loss` that takes the count of the window but does not use it."""
    own = [each for each in statements if derives_trainer(each, facts)]
    collated = bool(own) and makes_labels(statements)
    for statement in own:
        for method in own_losses(statement, facts, collated=collated):
            if takes_count(method) and _ignores_count(method) and not _scales_by_itself(statement):
                yield method


def _ignores_count(method: cst.FunctionDef) -> bool:
    """Whether a `compute_loss` ignores the count that it takes."""
    if delegates(method):
        return False
    body = {node.value for node in walk(method.body) if isinstance(node, cst.Name)}
    return COUNT not in body and not (method.params.star_kwarg is not None and "kwargs" in body)


def _scales_by_itself(owner: cst.ClassDef) -> bool:
    """Whether a Trainer subclass defines how its loss is scaled."""
    told = ("model_accepts_loss_kwargs", "loss_is_scaled_for_ga", "compute_loss_func")
    return any(isinstance(node, cst.Name) and node.value in told for node in walk(owner))


def takes_count(method: cst.FunctionDef) -> bool:
    """Whether a `compute_loss` accepts the number of items."""
    params = (*method.params.params, *method.params.kwonly_params)
    return method.params.star_kwarg is not None or any(param.name.value == COUNT for param in params)


def makes_labels(statements: Sequence[cst.CSTNode]) -> bool:
    """Whether a collator in the file puts "labels" into its batches."""
    nodes = [node for statement in statements for node in walk(statement)]
    given = {last_name(arg.value) for node in nodes if isinstance(node, cst.Call) for arg in node.args if _is_collator(arg)}
    makers = [node for node in nodes if isinstance(node, (cst.FunctionDef, cst.ClassDef)) and node.name.value in given]
    keys = (each.key for maker in makers for each in walk(maker) if isinstance(each, cst.DictElement))
    return any(isinstance(key, cst.SimpleString) and literal(key) == "labels" for key in keys)


def _is_collator(arg: cst.Arg) -> bool:
    return arg.keyword is not None and arg.keyword.value == "data_collator"


def delegates(method: cst.FunctionDef) -> bool:
    """Whether the method calls one of the Trainer's methods with `super()`."""
    funcs = (call.func for call in calls_in(method.body))
    return any(
        isinstance(func, cst.Attribute) and isinstance(func.value, cst.Call) and last_name(func.value.func) == "super"
        for func in funcs
    )


def _is_trainer(qualified: str) -> bool:
    return qualified.startswith("transformers.") and qualified.endswith("Trainer")


def _is_of_another(model: cst.Param, facts: Facts) -> bool:
    """Whether the model is annotated with a class that is not from the library."""
    kind = facts.qualify(model.annotation.annotation) if model.annotation is not None else ""
    return bool(kind) and not kind.startswith(_OPEN)


def _unpacks(batch: str, method: cst.FunctionDef) -> bool:
    """Whether the batch is not a mapping, so it has no "labels": `query, passage = inputs`, `inputs[0]`."""
    for node in walk(method.body):
        if isinstance(node, cst.Assign) and dotted(node.value) == batch:
            if any(isinstance(each.target, (cst.Tuple, cst.List)) for each in node.targets):
                return True
        if isinstance(node, cst.Subscript) and dotted(node.value) == batch and isinstance(_key(node), int):
            return True
    return False


def _reached(method: cst.FunctionDef, methods: Mapping[str, cst.FunctionDef]) -> list[cst.FunctionDef]:
    """A method, and the methods of its class that it calls, directly or indirectly."""
    found = [method]
    for each in found:
        for call in calls_in(each.body):
            name = (dotted(call.func) or "").removeprefix("self.")
            if name in methods and methods[name] not in found:
                found.append(methods[name])
    return found


def _gives_fields(call: cst.Call) -> bool:
    """Whether a call passes a batch like the library's models take it, such as `model(**inputs)` or `model(input_ids=x)`."""
    return any(
        arg.star == "**"
        or (arg.keyword is not None and arg.keyword.value in _FIELDS)
        or last_name(arg.value) in _FIELDS
        or (isinstance(arg.value, cst.Subscript) and _key(arg.value) in _FIELDS)
        for arg in call.args
    )


def _is_of_another_model(call: cst.Call) -> bool:
    """Whether the model takes a keyword that the library's models do not."""
    return any(arg.keyword is not None and arg.keyword.value not in _FORWARD for arg in call.args)


def _names_labels(node: cst.CSTNode) -> bool:
    """Whether a node names the labels of the batch."""
    return isinstance(node, cst.SimpleString) and literal(node) == "labels"


def _reads_loss(node: cst.CSTNode, calls: Sequence[cst.Call]) -> bool:
    """Whether a node reads the loss that the model computed: `outputs.loss`, `outputs["loss"]`, `loss = outputs[0]`."""
    if isinstance(node, cst.Assign):
        named = any("loss" in (dotted(each.target) or "") for each in node.targets)
        return named and any(_key(each) == 0 and _is_output(each.value, calls) for each in walk(node.value) if _is_item(each))
    if isinstance(node, cst.Subscript):
        return _key(node) == "loss" and _is_output(node.value, calls)
    return isinstance(node, cst.Attribute) and node.attr.value == "loss"


def _is_item(node: cst.CSTNode) -> TypeGuard[cst.Subscript]:
    return isinstance(node, cst.Subscript)


def _is_output(node: cst.CSTNode, calls: Sequence[cst.Call]) -> bool:
    """Whether an expression may be the model's output: it is not a call, or it is one of the given calls."""
    return not isinstance(node, cst.Call) or any(node is call for call in calls)


def _key(node: cst.Subscript) -> object:
    index = node.slice[0].slice if len(node.slice) == 1 else None
    return literal(index.value) if isinstance(index, cst.Index) else None
