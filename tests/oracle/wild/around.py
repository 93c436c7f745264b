"""What real files have around an update: who else reads a length, a rate or a norm, keeps the weights, or leaves the loop."""

from __future__ import annotations

from .code import Draft, Spell, indent
from .objects import per_pass

Lines = list[str]


def prepare(draft: Draft) -> Lines:
    """What stands before all passes."""
    plan, lines = draft.plan, []
    if "total" in plan.around:
        lines.append(f'print("batches in all", EPOCHS * {per_pass(draft)})')
    if "bar" in plan.around:
        draft.use("from tqdm import tqdm")
        lines.append(f"bar = tqdm(total=EPOCHS * {per_pass(draft)}, disable=True)")
    if "limit" in plan.around:
        draft.constants.append(f"MAX_UPDATES = {3 if plan.slip == 'late' else None}")
        lines.append("updates = 0")
    if "stop" in plan.around:
        lines += ["best, bad = float('inf'), 0"]
    if "accuracy" in plan.around:
        lines.append("right = 0")
    if "logged" in plan.around:
        draft.constants.append("LOG_EVERY = 2")
        lines += ["seen_in_all, lately, told_before = 0, 0.0, 0.0"]
    if "evaluated" in plan.around:
        draft.constants.append("EVALUATE_EVERY = 2")
        lines.append("global_step = 0")
    return lines


def begin_pass(draft: Draft) -> Lines:
    return [f"{draft.own('model')}.train()"] if "mode" in draft.plan.around else []


def before_forward(draft: Draft, number: str = "") -> Lines:
    """Which micro-batches a resumed run leaves out, by their number from 1, and where the others are computed."""
    lines: Lines = []
    if "skipped" in draft.plan.around:
        compared = f"{number.removesuffix(' + 1')} {'<' if number.endswith(' + 1') else '<='} {draft.own('done_already')}"
        lines += [f"if epoch == 0 and {compared}:", "    continue"]
    if "device" in draft.plan.around:
        lines.append(f"x, y = x.to({draft.own('device')}), y.to({draft.own('device')})")
    return lines


def after_forward(draft: Draft) -> Lines:
    plan, lines = draft.plan, list[str]()
    if "devices" in plan.around:
        lines += ["if torch.cuda.device_count() > 1:", "    loss = loss.mean()"]
    if "finite" in plan.around:
        lines += ["if not torch.isfinite(loss):", '    print("a loss that is no number is left out")', "    continue"]
    if "exit" in plan.around:
        draft.use("import math", "import sys")
        lines += ["if not math.isfinite(loss.item()):", '    print("the loss is no number")', "    sys.exit(1)"]
    return lines


def rescued(draft: Draft, lines: Lines) -> Lines:
    """A forward and a backward pass that may run out of memory."""
    if draft.plan.rescue != "memory":
        return lines
    cleared = f"    {draft.own('optimizer')}.zero_grad()"
    caught = ['    if "out of memory" not in str(error):', "        raise", '    print("out of memory")', cleared]
    return ["try:", *indent(lines), "except RuntimeError as error:", *caught]


def each_micro_batch(draft: Draft) -> Lines:
    lines = ["bar.update(1)"] if "bar" in draft.plan.around else []
    lines += ["right += int((y == y).sum())"] if "accuracy" in draft.plan.around else []
    if "logged" in draft.plan.around:
        mean = 'print("lately", (lately - told_before) / LOG_EVERY)'
        lines += ["seen_in_all += 1", "if seen_in_all % LOG_EVERY == 0:", f"    {mean}", "    told_before = lately"]
    return [*lines, *watching(draft)]


def watching(draft: Draft) -> Lines:
    """Something that looks at the gradients after an update, in a function: where they are always there, it asks for none."""
    asked = "" if draft.plan.has("GRD203", "GRD205") else " if p.grad is not None"
    model = draft.own("model")
    sizes = f"sum(float(p.grad.norm()) for p in {{}}.parameters(){asked})"
    match draft.plan.watch:
        case "function":
            draft.block("def size_of_gradients(model):", f"    return {sizes.format('model')}")
            return [f'print("norm", size_of_gradients({model}))']
        case "nested":
            draft.once += ["def size_of_gradients():", f"    return {sizes.format(model)}", ""]
            return ['print(f"norm {size_of_gradients():.4f}")']
        case "class":
            draft.block(
                "class Watcher:", "    def __init__(self, model):", "        self.model = model", "", "    def report(self):",
                f'        print("norm", {sizes.format("self.model")})',
            )  # fmt: skip
            draft.once.append(f"watcher = Watcher({model})")
            return ["watcher.report()"]
    return []


def before_step(draft: Draft, s: Spell) -> Lines:
    """Between the clip and the step."""
    plan, parameters = draft.plan, f"{s.own('model')}.parameters()"
    lines: Lines = []
    if "norm" in plan.around:
        norm = "total_norm"
        if plan.clip != "norm" or plan.has("GRD301", "GRD303", "GRD204"):
            lines.append(f"total_norm = sum(p.grad.norm() ** 2 for p in {parameters} if p.grad is not None) ** 0.5")
        lines.append(f'print("norm", float({norm}))')
    if "gradients" in plan.around:
        lines += [
            f"for name, p in {s.own('model')}.named_parameters():",
            "    if p.grad is not None:",
            '        print("norm", name, p.grad.norm().item())',
        ]
    if "noise" in plan.around:
        lines += [
            f"for p in {parameters}:",
            "    if p.grad is not None:",
            "        p.grad.add_(0.001 * torch.randn_like(p.grad))",
        ]
    return lines


def in_window(draft: Draft) -> Lines:
    """Behind an update, where its window closes."""
    plan, lines = draft.plan, []
    if "rate" in plan.around:
        lines.append(f'print("rate", {draft.own("optimizer")}.param_groups[0]["lr"])')
    if "checkpoint" in plan.around:
        draft.use("import io")
        lines.append(f'torch.save({{"model": {draft.own("model")}.state_dict()}}, io.BytesIO())')
    if "unwrapped" in plan.around:
        draft.use("import io")
        model = draft.own("model")
        lines.append(f'bare_model = {model}.module if hasattr({model}, "module") else {model}')
        lines.append("torch.save(bare_model.state_dict(), io.BytesIO())")
    if "evaluated" in plan.around:
        _validating(draft)
        score = f"    score = validate({draft.own('model')})"
        lines += ["global_step += 1", "if global_step % EVALUATE_EVERY == 0:", score]
    if "limit" in plan.around:
        lines += ["updates += 1", "if MAX_UPDATES and updates >= MAX_UPDATES:", "    break"]
    return lines


def each_pass(draft: Draft) -> Lines:
    plan, lines = draft.plan, []
    if "saved" in plan.around:
        draft.use("import io")
        lines.append(f"torch.save({draft.own('model')}.state_dict(), io.BytesIO())")
    if "validate" in plan.around or "stop" in plan.around:
        _validating(draft)
        lines.append(f"score = validate({draft.own('model')})")
    if "stop" in plan.around:
        lines += ["bad = 0 if score <= best else bad + 1", "best = min(best, score)", "if bad > 3:", "    break"]
    return lines


def _validating(draft: Draft) -> None:
    draft.use("import torch.nn.functional as F")
    draft.block(
        "@torch.no_grad()", "def validate(model):", "    model.eval()", "    total = 0.0",
        "    for x, y in DataLoader(dataset, batch_size=4):", f"        total += {loss_of(draft, 'model')}.item()",
        "    model.train()", "    return total",
    )  # fmt: skip


def loss_of(draft: Draft, model: str) -> str:
    """A loss in one expression, for whoever else computes one."""
    match draft.plan.loss:
        case "model":
            return f"{model}(x, y).loss"
        case "returned dict":
            return f'{model}(x, y)["loss"]'
    return f"F.cross_entropy({model}(x), y)"
