"""What stands above the training: imports, constants, arguments, and the functions that training calls."""

from __future__ import annotations

from .. import loops
from .lines import indent
from .loss import SECOND_TERM
from .model import own_model
from .noise import other_loop
from .script import EPOCHS, Script
from .update import update


def imports(script: Script) -> list[str]:
    plan = script.plan
    lines = ["import argparse"] if script.reads_arguments else []
    lines += ["import itertools"] if plan.loop in ("stream", "windows") else []
    lines += ["import math"] if plan.length == "ceil" else []
    lines += ["from contextlib import nullcontext"] if plan.engine == "ddp" else []
    lines += ["", "import torch"] if lines else ["import torch"]
    lines += ["import torch.nn.functional as F"] if plan.loss != "criterion" or plan.aux else []
    lines += ["from accelerate import Accelerator"] if plan.engine in ("accumulate", "prepared") else []
    lines += ["from torch import nn"]
    lines += ["from torch.nn.parallel import DistributedDataParallel as DDP"] if plan.engine == "ddp" else []
    lines += ["from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn"] if plan.ema == "averaged" else []
    lines += ["from torch.utils.data import DataLoader"]
    lines += ["from tqdm import tqdm"] if plan.loop == "tqdm" else []
    names = ["ExponentialMovingAverage"] if plan.ema == "own" else []
    names += ["Net", "masked as dataset" if script.has("GRD105") else "dataset"]
    return [*lines, "", f"from toy import {', '.join(names)}"]


def constants(script: Script) -> list[str]:
    plan, word = script.plan, script.words.steps
    lines = [f"EPOCHS = {EPOCHS}"]
    match plan.steps_as:
        case "constant":
            lines.append(f"{word.upper()} = {plan.n}")
        case "config":
            lines.append(f'CONFIG = {{"lr": 0.1, "{word}": {plan.n}}}')
        case "ratio":
            lines += [f"BATCH_SIZE = {2 * plan.n}", "MICRO_BATCH_SIZE = 2"]
    return [*lines, "IGNORED = -100"] if "IGNORED" in script.ignored else lines


def arguments(script: Script) -> list[str]:
    plan = script.plan
    if not script.reads_arguments:
        return []
    lines = ["parser = argparse.ArgumentParser()"]
    if plan.steps_as in ("args", "local"):
        lines.append(f'parser.add_argument("--{script.words.steps}", type=int, default={plan.n})')
    if plan.amp in ("arms", "enabled"):
        lines.append('parser.add_argument("--amp", action="store_true")')
    return [*lines, "args = parser.parse_args()"]


def helpers(script: Script) -> list[str]:
    """The functions that training calls, each with the two empty lines after it."""
    plan = script.plan
    lines = own_model(script)
    if plan.loss == "helper":
        value = script.cross_entropy + (f" + {SECOND_TERM}" if plan.aux and not script.has("GRD104") else "")
        lines += ["def compute_loss(model, x, y):", "    logits = model(x)", f"    return {value}", "", ""]
    if plan.division == "helper" and plan.accumulates:
        lines += ["def shared(value, parts):", "    return value / parts", "", ""]
    if script.asks_function:
        place = loops.walk(plan, script.words, "every", "batches")
        test = loops.boundary(plan, place, "every", "batches")
        lines += [f"def closes_window({place.index}, every, batches):", f"    return {test}", "", ""]
    if plan.shape == "helpers":
        lines += [f"def apply_update({', '.join(script.given)}):", *indent(update(script)), "", ""]
    return [*lines, *other_loop(script)]
