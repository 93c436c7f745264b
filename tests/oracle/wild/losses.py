"""The forward pass, and where an author holds its loss: in a name, a dictionary, a tuple, an object, a list, a model's result."""

from __future__ import annotations

from .code import Draft, indent

_TERMS = ("F.l1_loss(logits, torch.zeros_like(logits))", "F.mse_loss(logits, torch.zeros_like(logits))")
"""What may be added to a loss."""
EXTRA = f"0.1 * {_TERMS[0]}"


def forward(draft: Draft) -> list[str]:
    """Up to `loss`, which is the whole loss, divided by nothing; with the bug, its first term alone is divided."""
    plan = draft.plan
    part = f" / {draft.n}" if plan.has("GRD104") else ""
    if plan.terms > 1 or plan.loss != "criterion":
        draft.use("import torch.nn.functional as F")
    model = draft.own("model")
    match plan.loss:
        case "helper":
            return _helper(draft, model)
        case "tuple":
            return _tuple(draft, model, part)
        case "object":
            return _object(draft, model, part)
        case "dict":
            lines = [f"logits = {model}(x)", f'losses = {{"main": {draft.own("criterion")}(logits, y){part}}}']
            return [*lines, *_extra(draft, 'losses["extra_{}"] = {}'), "loss = sum(losses.values())"]
        case "list":
            lines = [f"logits = {model}(x)", f"terms = [{draft.own('criterion')}(logits, y){part}]"]
            return [*lines, *_extra(draft, "terms.append({1})"), "loss = sum(terms)"]
        case "model":
            return [f"out = {model}(x, y)", f"loss = out.loss{part}", *_more(draft, "loss = loss + out.extra")]
        case "returned dict":
            return [f"out = {model}(x, labels=y)", f'loss = out["loss"]{part}', *_more(draft, 'loss = loss + out["extra"]')]
    value = f"{draft.own('criterion')}(logits, y)" if plan.loss == "criterion" else "F.cross_entropy(logits, y)"
    return [f"logits = {model}(x)", f"loss = {value}{part}", *_extra(draft, "loss = loss + {1}")]


def _extra(draft: Draft, line: str) -> list[str]:
    """The other terms, each by its weight where they are optional."""
    weight, lines = draft.own("extra_weight"), list[str]()
    for number, term in enumerate(_TERMS[: draft.plan.terms - 1]):
        if draft.plan.optional:
            lines += [f"if {weight} > 0:", f"    {line.format(number, f'{weight} * {term}')}"]
        else:
            lines.append(line.format(number, f"0.1 * {term}"))
    return lines


def _more(draft: Draft, line: str) -> list[str]:
    if draft.plan.terms == 1:
        return []
    return [f"if {draft.own('extra_weight')}:", f"    {line}"] if draft.plan.optional else [line]


def _helper(draft: Draft, model: str) -> list[str]:
    """A function of the file; with a stage that shares it, it is what both loops call."""
    part, given = (" / every", ", every") if draft.plan.has("GRD104") else ("", "")
    value = f"F.cross_entropy(logits, y){part}"
    lines = ["logits = model(x)", f"loss = {value}"]
    call = f"loss = compute_loss({model}, x, y{f', {draft.n}' if given else ''}"
    if draft.plan.optional:
        given += ", weight"
        call += f", {draft.own('extra_weight')}"
    for term in _TERMS[: draft.plan.terms - 1]:
        lines += ["if weight:", f"    loss = loss + weight * {term}"] if draft.plan.optional else [f"loss = loss + 0.1 * {term}"]
    draft.block(f"def compute_loss(model, x, y{given}):", *indent([*lines, "return loss"]))
    return [f"{call})"]


def _tuple(draft: Draft, model: str, part: str) -> list[str]:
    if draft.plan.terms == 1:
        draft.block("def evaluate_batch(model, x, y):", "    logits = model(x)", "    return F.cross_entropy(logits, y), logits")
        return [f"loss, logits = evaluate_batch({model}, x, y)"]
    draft.block("def both_losses(model, x, y):", "    logits = model(x)", f"    return F.cross_entropy(logits, y), {EXTRA}")
    lines = [f"main, extra = both_losses({model}, x, y)", f"loss = main{part}"]
    return [*lines, *_more(draft, "loss = loss + extra")]


def _object(draft: Draft, model: str, part: str) -> list[str]:
    draft.use("from dataclasses import dataclass")
    extra = draft.plan.terms == 2
    draft.block(
        "@dataclass", "class Output:", "    logits: torch.Tensor", "    main: torch.Tensor",
        *(["    extra: torch.Tensor"] if extra else []), "",
        "    @property", "    def loss(self):", f"        return self.main{' + self.extra' if extra else ''}",
    )  # fmt: skip
    lines = [f"logits = {model}(x)", f"out = Output(logits, F.cross_entropy(logits, y){f', {EXTRA}' if extra else ''})"]
    if not extra:
        return [*lines, f"loss = out.loss{part}"]
    return [*lines, f"loss = out.main{part} + out.extra" if part else "loss = out.loss"]
