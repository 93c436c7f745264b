"""From a plan to the text of its program."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from . import loops
from .plan import Plan
from .words import WORDS

EPOCHS = 2
COEFFICIENT = 0.1


def source(plan: Plan) -> str:
    """The program of a plan."""
    text = "\n".join(_Writer(plan).program()) + "\n"
    return _commented(text, plan.comments) if plan.comments else text


def indent(lines: Iterable[str], by: int = 1) -> list[str]:
    return [("    " * by + line) if line else line for line in lines]


class _Writer:
    """Writes one program; the methods give lines without indentation of their own."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.words = WORDS[plan.names]
        self.in_class = plan.shape == "class"
        self.walk = loops.walk(plan, self.words, self.n, self.loader)
        self.test = loops.boundary(plan, self.walk, self.n, self.loader)

    # Names, as they are spelled where training happens

    def own(self, name: str) -> str:
        return f"self.{name}" if self.in_class else name

    @property
    def model(self) -> str:
        return self.own(self.words.model)

    @property
    def loader(self) -> str:
        return self.own(self.words.loader)

    @property
    def optimizers(self) -> list[str]:
        if self.plan.optimizers == 1:
            return [self.own(self.words.optimizer)]
        return [self.own(f"{self.words.optimizer}_body"), self.own(f"{self.words.optimizer}_head")]

    @property
    def accelerator(self) -> str:
        return self.own("accelerator")

    @property
    def n(self) -> str:
        word = self.words.steps
        match self.plan.steps_as:
            case "constant":
                return word.upper()
            case "literal":
                return str(self.plan.n)
            case "args":
                return f"{self.own('args')}.{word}"
            case "config":
                return f'CONFIG["{word}"]'
        return self.own(word)

    @property
    def flag(self) -> str:
        return f"{self.own('args')}.amp"

    @property
    def wants_args(self) -> bool:
        return self.plan.steps_as in ("args", "local") or self.plan.amp in ("arms", "enabled")

    def bug(self, *codes: str) -> bool:
        return bool(self.plan.bugs & set(codes))

    # The file

    def program(self) -> list[str]:
        head = [*self.imports(), "", *self.constants(), ""]
        helpers = self.helpers()
        match self.plan.shape:
            case "script":
                return [*head, *helpers, *self.arguments(), *self.setup(), *self.training()]
            case "function":
                body = [*self.arguments(), *self.setup(), *self.training()]
                return [*head, *helpers, "def main():", *indent(body), "", "", 'if __name__ == "__main__":', "    main()"]
            case "class":
                return [
                    *head,
                    *helpers,
                    *self.trainer(),
                    "",
                    "",
                    *self.arguments(),
                    f"Trainer({'args' if self.wants_args else ''}).fit()",
                ]
        given = ", ".join(self.given())
        body = [f"def train({given}):", *indent(self.training()), "", ""]
        call = [*self.arguments(), *self.setup(), f"train({given})"]
        return [*head, *helpers, *body, "def main():", *indent(call), "", "", "main()"]

    def given(self) -> list[str]:
        """What a function that trains is given."""
        plan, words = self.plan, self.words
        names = [words.model, words.loader, *self.optimizers]
        names += [words.scheduler] if plan.scheduler != "no" else []
        names += [words.scaler] if plan.amp != "no" else []
        names += [words.average] if plan.ema != "no" else []
        names += [words.criterion] if plan.loss in ("criterion", "twice") else []
        names += ["accelerator"] if plan.engine in ("accumulate", "prepared") else []
        names += ["args"] if self.wants_args else []
        names += [words.steps] if plan.steps_as in ("local", "ratio", "parameter") else []
        return names

    def imports(self) -> list[str]:
        plan = self.plan
        lines = ["import argparse"] if self.wants_args else []
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
        return [*lines, "", f"from toy import {'ExponentialMovingAverage, ' if plan.ema == 'own' else ''}Net, dataset"]

    def constants(self) -> list[str]:
        plan, word = self.plan, self.words.steps
        lines = [f"EPOCHS = {EPOCHS}"]
        if plan.steps_as == "constant":
            lines.append(f"{word.upper()} = {plan.n}")
        if plan.steps_as == "config":
            lines.append(f'CONFIG = {{"lr": 0.1, "{word}": {plan.n}}}')
        if plan.steps_as == "ratio":
            lines += [f"BATCH_SIZE = {2 * plan.n}", "MICRO_BATCH_SIZE = 2"]
        return lines

    def arguments(self) -> list[str]:
        if not self.wants_args:
            return []
        lines = ["parser = argparse.ArgumentParser()"]
        if self.plan.steps_as in ("args", "local"):
            lines.append(f'parser.add_argument("--{self.words.steps}", type=int, default={self.plan.n})')
        if self.plan.amp in ("arms", "enabled"):
            lines.append('parser.add_argument("--amp", action="store_true")')
        return [*lines, "args = parser.parse_args()"]

    def helpers(self) -> list[str]:
        plan, i = self.plan, self.walk.index
        lines: list[str] = []
        if plan.loss == "helper":
            lines += ["def compute_loss(model, x, y):", "    logits = model(x)"]
            second = (
                f" + {COEFFICIENT} * F.l1_loss(logits, torch.zeros_like(logits))" if plan.aux and not self.bug("GRD104") else ""
            )
            lines += [f"    return F.cross_entropy(logits, y){second}", "", ""]
        if plan.division == "helper" and plan.accumulates:
            lines += ["def shared(value, parts):", "    return value / parts", "", ""]
        if self.by_function:
            test = loops.boundary(plan, loops.walk(plan, self.words, "every", "batches"), "every", "batches")
            lines += [f"def closes_window({i}, every, batches):", f"    return {test}", "", ""]
        if plan.shape == "helpers" and not self.in_class:
            lines += [f"def apply_update({', '.join(self.given())}):", *indent(self.update()), "", ""]
        if "other loop" in plan.noise:
            lines += [
                "def warm_up(model, loader, optimizer, criterion):",
                "    for step, (x, y) in enumerate(loader):",
                "        optimizer.zero_grad()",
            ]
            lines += [
                "        criterion(model(x), y).backward()",
                "        optimizer.step()",
                "        if step % 10 == 0:",
                '            print("step", step)',
                "",
                "",
            ]
        return lines

    @property
    def by_function(self) -> bool:
        return (
            self.plan.guard == "function"
            and self.plan.accumulates
            and self.plan.engine != "accumulate"
            and self.walk.outer is None
        )

    def trainer(self) -> list[str]:
        setup = ["self.args = args"] if self.wants_args else []
        setup += self.setup()
        lines = ["class Trainer:", f"    def __init__(self{', args' if self.wants_args else ''}):", *indent(setup, 2), ""]
        lines += ["    def fit(self):", *indent(self.training(), 2)]
        if self.in_method:
            lines += ["", "    def apply_update(self):", *indent(self.update(), 2)]
        return lines

    @property
    def in_method(self) -> bool:
        return self.in_class and self.plan.engine != "accumulate" and self.plan.spelling % 2 == 1

    # What is built

    def setup(self) -> list[str]:
        plan, own, words = self.plan, self.own, self.words
        lines: list[str] = []
        args = "args" if self.in_class else self.own("args")
        if plan.steps_as == "local":
            lines.append(f"{own(words.steps)} = {args}.{words.steps}")
        if plan.steps_as == "ratio":
            lines.append(f"{own(words.steps)} = BATCH_SIZE // MICRO_BATCH_SIZE")
        if plan.steps_as == "parameter":
            lines.append(f"{own(words.steps)} = {plan.n}")
        lines.append(f"{own(words.model)} = {'DDP(Net())' if plan.engine == 'ddp' else 'Net()'}")
        if plan.loss in ("criterion", "twice"):
            lines.append(f"{own(words.criterion)} = nn.CrossEntropyLoss()")
        lines += self.build_optimizers()
        lines.append(f"{self.loader} = DataLoader(dataset, batch_size=2)")
        if plan.scheduler != "no":
            lines += self.build_schedule()
        if plan.amp != "no":
            enabled = f", enabled={args}.amp" if plan.amp == "enabled" else ""
            lines.append(f'{own(words.scaler)} = torch.amp.GradScaler("cpu"{enabled})')
        if plan.ema == "averaged":
            lines.append(f"{own(words.average)} = AveragedModel({self.model}, multi_avg_fn=get_ema_multi_avg_fn(0.8))")
        if plan.ema == "own":
            lines.append(f"{own(words.average)} = ExponentialMovingAverage({self.model})")
        if plan.engine in ("accumulate", "prepared"):
            lines += self.build_accelerator()
        return lines

    @property
    def engine_divides(self) -> bool:
        return self.plan.engine == "accumulate" or (
            self.plan.accumulates and self.plan.engine == "prepared" and (self.plan.division == "hoisted" or self.bug("GRD102"))
        )

    def build_accelerator(self) -> list[str]:
        given = f", gradient_accumulation_steps={self.n}" if self.engine_divides and not self.bug("GRD101") else ""
        lines = [f"{self.accelerator} = Accelerator(cpu=True{given})"]
        whole = [self.model, *self.optimizers, self.loader]
        if self.plan.scheduler != "no" and self.plan.engine == "accumulate":
            whole.append(self.own(self.words.scheduler))
        return [*lines, f"{', '.join(whole)} = {self.accelerator}.prepare({', '.join(whole)})"]

    def build_optimizers(self) -> list[str]:
        match self.plan.optimizer:
            case "SGD":
                kind, more = "SGD", "lr=0.1"
            case "momentum":
                kind, more = "SGD", "lr=0.1, momentum=0.9"
            case "AdamW":
                kind, more = "AdamW", "lr=0.01, weight_decay=0.1"
            case _:
                kind, more = "Adam", "lr=0.01, weight_decay=0.1" if self.bug("GRD501") else "lr=0.01"
        if self.plan.optimizers == 1:
            return [f"{self.optimizers[0]} = torch.optim.{kind}({self.model}.parameters(), {more})"]
        parts = zip(self.optimizers, ("body", "head"), strict=True)
        return [f"{name} = torch.optim.{kind}({self.model}.{part}.parameters(), {more})" for name, part in parts]

    def build_schedule(self) -> list[str]:
        plan, name, first = self.plan, self.own(self.words.scheduler), self.optimizers[0]
        base = "torch.optim.lr_scheduler"
        if plan.scheduler in ("step", "epoch"):
            return [f"{name} = {base}.StepLR({first}, step_size=1, gamma=0.7)"]
        if plan.scheduler == "lambda":
            return [f"{name} = {base}.LambdaLR({first}, lambda step: 0.9 ** step)"]
        batches = f"len({self.loader})"
        if self.bug("GRD402") or not plan.accumulates:
            each = batches
        else:
            each = f"math.ceil({batches} / {self.n})" if plan.length == "ceil" else f"{batches} // {self.n}"
        lines = []
        length = f"EPOCHS * {each}" if plan.length != "floor" or " // " not in each else f"{each} * EPOCHS"
        if plan.length == "literal":
            length = "101"
        elif plan.length == "variable":
            lines, length = [f"updates = {length}"], "updates"
        match plan.scheduler:
            case "cosine":
                return [*lines, f"{name} = {base}.CosineAnnealingLR({first}, T_max={length})"]
            case "onecycle":
                return [*lines, f"{name} = {base}.OneCycleLR({first}, max_lr=0.1, total_steps={length})"]
        return [*lines, f"{name} = {base}.LinearLR({first}, start_factor=1.0, end_factor=0.1, total_iters={length})"]

    # Training

    def training(self) -> list[str]:
        plan, place = self.plan, self.walk
        loop = [place.header, *indent(self.micro_batch())]
        if place.outer:
            loop = [place.outer, *indent([*loop, *self.update()])]
        loop = [*place.before, *loop, *self.after_pass()]
        if plan.log == "sum":
            loop = ["running = 0.0", *loop, f'print("loss", running / len({self.loader}))']
        if "evaluate" in plan.noise:
            loop += ["with torch.no_grad():", "    for x, y in DataLoader(dataset, batch_size=4):", f"        {self.model}(x)"]
        if "save" in plan.noise:
            loop += [f"state = {self.model}.state_dict()"]
        if plan.finite:
            loop = [f"for {self.words.epoch} in range(EPOCHS):", *indent(loop)]
        hoisted = (
            [f"weight = 1.0 / {self.n}"] if plan.division == "hoisted" and plan.accumulates and plan.engine != "prepared" else []
        )
        return [*hoisted, *place.once, *loop]

    def after_pass(self) -> list[str]:
        plan = self.plan
        lines: list[str] = []
        if plan.tail == "after" and not self.bug("GRD202"):
            lines += [f"if {loops.leftover(plan, self.walk, self.n, self.loader)}:", *indent(self.update_call())]
        if plan.scheduler == "epoch":
            lines.append(f"{self.own(self.words.scheduler)}.step()")
        return lines

    def micro_batch(self) -> list[str]:
        """The body of the micro loop."""
        plan, place = self.plan, self.walk
        if plan.engine == "accumulate":
            return [f"with {self.accelerator}.accumulate({self.model}):", *indent(self.accumulated()), *self.noise()]
        lines = [*place.top]
        early = plan.guard == "flag" and plan.accumulates and place.outer is None and not place.counted
        if early:
            lines.append(f"closes = {self.test}")
        if self.bug("GRD203") or (not plan.accumulates and not self.bug("GRD205", "GRD206")):
            lines += self.zero()
        elif plan.zero == "before forward":
            first = f"{place.index} % {self.n} == 0" if place.start == 0 else f"({place.index} - 1) % {self.n} == 0"
            if place.start == 1 and place.counted:
                first = f"{place.index} % {self.n} == 0"
            lines += [f"if {first}:", *indent(self.zero())]
        lines += self.passes()
        lines += place.counted
        if not plan.accumulates:
            return [*lines, *self.update(), *self.noise(), *place.bottom]
        if place.outer is None and not early and plan.guard == "flag":
            lines.append(f"closes = {self.test}")
        lines += self.each_before()
        if place.outer is None:
            lines += self.guarded()
        lines += [*self.each_after(), *self.noise(), *place.bottom]
        if plan.guard == "continue":
            rest = [*self.each_after(), *self.noise()]
            lines = [*lines[: len(lines) - len(rest) - len(place.bottom)], *lines[len(lines) - len(place.bottom) :]]
            at = next(k for k, line in enumerate(lines) if line == "    continue") - 1
            lines = [*lines[:at], *rest, *lines[at:]]
        return lines

    def guarded(self) -> list[str]:
        """The update, under the test for the boundary, in one of the ways to write that."""
        plan, block = self.plan, self.update_call()
        test = self.test
        if self.by_function:
            test = f"closes_window({self.walk.index}, {self.n}, {self.loader})"
        match plan.guard:
            case "flag":
                return ["if closes:", *indent(block)]
            case "continue":
                return [f"if {loops.negated(test)}:", "    continue", *block]
            case "else":
                return [f"if {loops.negated(test)}:", "    waiting = True", "else:", *indent(block)]
            case "twice negated":
                return [f"if not ({loops.negated(test)}):", *indent(block)]
            case "split":
                first, second = self.update_parts()
                if second and plan.loop not in ("reset", "reset carried"):
                    return [f"if {test}:", *indent(first or ["pass"]), f"if {test}:", *indent(second)]
        return [f"if {test}:", *indent(block)]

    # One micro-batch

    def passes(self) -> list[str]:
        """Forward and backward, with what decides whether processes synchronise."""
        plan, model = self.plan, self.model
        if plan.engine != "ddp" or self.bug("GRD601") or not plan.accumulates:
            return [*self.forward(), *self.backward()]
        if self.bug("GRD602"):
            return [f"with {model}.no_sync():", *indent([*self.forward(), *self.backward()])]
        context = f"nullcontext() if closes else {model}.no_sync()"
        if self.bug("GRD603"):
            return [*self.forward(), f"with {context}:", *indent(self.backward())]
        match plan.sync:
            case "attribute":
                return [f"{model}.require_backward_grad_sync = closes", *self.forward(), *self.backward()]
            case "arms":
                both = [*self.forward(), *self.backward()]
                return ["if closes:", *indent(both), "else:", f"    with {model}.no_sync():", *indent(both, 2)]
        return [f"with {context}:", *indent([*self.forward(), *self.backward()])]

    def forward(self) -> list[str]:
        plan, loss = self.plan, self.words.loss
        lines: list[str] = []
        divided = self.divides and plan.division == "criterion"
        by = self.divisor
        if plan.loss == "helper":
            value = f"compute_loss({self.model}, x, y)"
            if self.bug("GRD104"):
                lines.append(f"logits = {self.model}(x)")
                value = "F.cross_entropy(logits, y)"
        else:
            name = self.own(self.words.criterion) if plan.loss in ("criterion", "twice") else "F.cross_entropy"
            lines.append(f"logits = {self.model}(x)")
            value = f"{name}(logits, y)"
        second = f"{COEFFICIENT} * F.l1_loss(logits, torch.zeros_like(logits))"
        if plan.loss == "twice":
            lines += [f"{loss} = {value}", f"extra = {second}"]
        elif self.bug("GRD104"):
            lines.append(f"{loss} = {value} / {self.n} + {second}")
        elif plan.aux and plan.loss != "helper":
            lines.append(f"{loss} = ({value} + {second}) / {by}" if divided else f"{loss} = {value} + {second}")
        else:
            lines.append(f"{loss} = {value} / {by}" if divided else f"{loss} = {value}")
        if plan.autocast:
            lines = ['with torch.autocast("cpu", enabled=False):', *indent(lines)]
        if "skip nan" in plan.noise:
            lines += [f"if not torch.isfinite({loss}):", "    continue"]
        if plan.log == "sum":
            lines.append(f"running += {loss}.item()" + (f" * {by}" if divided else ""))
        if plan.log == "true" and not self.bug("GRD106") and not self.bug("GRD104"):
            lines.append(f'print("loss", {loss}.item()' + (f" * {by})" if divided else ")"))
        return lines

    @property
    def divides(self) -> bool:
        plan = self.plan
        if not plan.accumulates or self.bug("GRD101", "GRD104"):
            return False
        if plan.engine == "accumulate":
            return self.bug("GRD102")
        if plan.engine == "prepared" and plan.division == "hoisted":
            return self.bug("GRD102")
        return True

    @property
    def divisor(self) -> str:
        return str(self.plan.n + 1) if self.bug("GRD103") else self.n

    def backward(self) -> list[str]:
        plan, loss, by = self.plan, self.words.loss, self.divisor
        both = [loss, "extra"] if plan.loss == "twice" else [loss]
        lines: list[str] = []
        expressions = list(both)
        gradient = ""
        if self.divides:
            kind = plan.division
            if kind == "hoisted" and plan.engine == "prepared":
                kind = "assign"
            for k, name in enumerate(both):
                match kind:
                    case "assign":
                        lines.append(f"{name} = {name} / {by}")
                    case "augment":
                        lines.append(f"{name} /= {by}")
                    case "inline":
                        expressions[k] = f"({name} / {by})"
                    case "criterion":
                        if plan.loss == "twice":
                            lines.append(f"{name} = {name} / {by}") if k else None
                    case "inverse":
                        lines.append(f"{name} = {name} * (1 / {by})")
                    case "method":
                        lines.append(f"{name} = {name}.div({by})")
                    case "gradient":
                        gradient = f"torch.tensor(1 / {by})"
                    case "if more":
                        lines += [f"if {by} > 1:", f"    {name} = {name} / {by}"]
                    case "helper":
                        lines.append(f"{name} = shared({name}, {by})")
                    case "torch":
                        lines.append(f"{name} = torch.div({name}, {by})")
                    case "hoisted":
                        lines.append(f"{name} = {name} * weight")
            if kind == "criterion" and plan.loss == "twice":
                lines.insert(0, f"{loss} = {loss} / {by}")
            if self.bug("GRD102") and not self.engine_divides:
                if kind == "inline":
                    lines += [f"{name} = {name} / {by}" for name in both]
                else:
                    expressions = [f"({name} / {by})" for name in both]
        if self.bug("GRD106"):
            lines.append(f'print("loss", {loss}.item())')
        for k, expression in enumerate(expressions):
            retained = "retain_graph=True" if k + 1 < len(expressions) else ""
            lines += self.backward_call(expression, ", ".join(filter(None, (gradient, retained))))
        if "try" in plan.noise and plan.amp == "no":
            return [
                *lines[:-1],
                "try:",
                f"    {lines[-1]}",
                "except RuntimeError as error:",
                '    print("failed", error)',
                "    raise",
            ]
        return lines

    def backward_call(self, expression: str, arguments: str) -> list[str]:
        plan, scaler = self.plan, self.own(self.words.scaler)
        plain = f"{expression}.backward({arguments})"
        if plan.engine in ("prepared", "accumulate"):
            bare = expression[1:-1] if expression.startswith("(") else expression
            return [f"{self.accelerator}.backward({', '.join(filter(None, (bare, arguments)))})"]
        unscaled = self.bug("GRD306") and plan.spelling % 2 == 0
        if plan.amp == "no" or unscaled:
            return [plain]
        bare = expression[1:-1] if expression.startswith("(") else expression
        scaled = f"{scaler}.scale({bare}).backward({arguments})"
        if plan.amp == "arms":
            return [f"if {self.flag}:", f"    {scaled}", "else:", f"    {plain}"]
        return [scaled]

    def each_before(self) -> list[str]:
        """What the bugs do at each micro-batch, before the update."""
        lines: list[str] = []
        if self.bug("GRD304"):
            lines += self.unscale()
        if self.bug("GRD301"):
            lines += self.clip() if self.bug("GRD304") or not self.plan.unscale else [*self.unscale(), *self.clip()]
        if self.bug("GRD204"):
            lines += [*self.unscale(), *self.clip(), *self.steps()] if not self.bug("GRD302") else [*self.clip(), *self.steps()]
        if self.bug("GRD401") and self.plan.spelling == 4:
            lines += self.schedule()
        return lines

    def each_after(self) -> list[str]:
        lines: list[str] = []
        if self.bug("GRD305"):
            lines += self.scaler_update()
        if self.bug("GRD401") and self.plan.spelling != 4:
            lines += self.schedule()
        if self.bug("GRD404"):
            lines += self.averaging()
        return lines

    # The update

    def update_call(self) -> list[str]:
        if self.in_method and self.plan.guard != "split":
            return ["self.apply_update()", *self.reset()]
        if self.plan.shape == "helpers" and self.plan.guard != "split":
            return [f"apply_update({', '.join(self.given())})", *self.reset()]
        return [*self.update(), *self.reset()]

    def reset(self) -> list[str]:
        return [f"{self.walk.index} = 0"] if self.plan.loop in ("reset", "reset carried") else []

    def update(self) -> list[str]:
        first, second = self.update_parts()
        return [*first, *second] or ["pass"]

    def update_parts(self) -> tuple[list[str], list[str]]:
        """What closes a window: up to the optimizer's step, and after it."""
        plan = self.plan
        lines: list[str] = []
        if plan.division == "rescale" and self.divides:
            lines += [
                f"for p in {self.model}.parameters():",
                f"    p.grad.div_({self.n})" if plan.spelling % 2 else f"    p.grad /= {self.n}",
            ]
        if "grad norm" in plan.noise:
            lines += [f"norm = sum(p.grad.norm() for p in {self.model}.parameters() if p.grad is not None)"]
        if self.bug("GRD206"):
            lines += self.zero()
        moved = self.bug("GRD204")
        if not self.bug("GRD302", "GRD304") and not moved and not (self.bug("GRD301") and plan.unscale):
            lines += self.unscale()
        if not self.bug("GRD301", "GRD303") and not moved:
            lines += self.clip()
        if self.bug("GRD403"):
            lines += self.schedule()
        if not moved:
            lines += self.steps()
        after = self.clip() if self.bug("GRD303") else []
        if not self.bug("GRD203", "GRD205", "GRD206") and plan.zero != "before forward" and plan.accumulates:
            after += self.zero()
        if plan.scheduler != "epoch" and not self.bug("GRD401", "GRD403"):
            after += self.schedule()
        if not self.bug("GRD404"):
            after += self.averaging()
        return lines, after

    def unscale(self) -> list[str]:
        if not self.plan.unscale or (self.bug("GRD306")):
            return []
        lines = self.all_optimizers(lambda name: f"{self.own(self.words.scaler)}.unscale_({name})")
        return [f"if {self.flag}:", *indent(lines)] if self.plan.amp == "arms" else lines

    def clip(self) -> list[str]:
        match self.plan.clip:
            case "norm":
                return [f"torch.nn.utils.clip_grad_norm_({self.model}.parameters(), 0.05)"]
            case "value":
                return [f"nn.utils.clip_grad_value_({self.model}.parameters(), 0.01)"]
        return []

    def steps(self) -> list[str]:
        plan, scaler = self.plan, self.own(self.words.scaler)
        plain = self.all_optimizers(lambda name: f"{name}.step()")
        direct = self.bug("GRD306") and plan.spelling % 2 == 1
        if plan.amp == "no" or direct:
            return [*plain, *(self.scaler_update() if direct else ())]
        scaled = self.all_optimizers(lambda name: f"{scaler}.step({name})")
        scaled += [] if self.bug("GRD305", "GRD307") else [f"{scaler}.update()"]
        return [f"if {self.flag}:", *indent(scaled), "else:", *indent(plain)] if plan.amp == "arms" else scaled

    def scaler_update(self) -> list[str]:
        line = f"{self.own(self.words.scaler)}.update()"
        return [f"if {self.flag}:", f"    {line}"] if self.plan.amp == "arms" else [line]

    def zero(self) -> list[str]:
        match self.plan.zero:
            case "model":
                return [f"{self.model}.zero_grad()"]
            case "by hand":
                return [f"for p in {self.model}.parameters():", "    p.grad = None"]
            case "to none":
                return self.all_optimizers(lambda name: f"{name}.zero_grad(set_to_none=True)")
        return self.all_optimizers(lambda name: f"{name}.zero_grad()")

    def schedule(self) -> list[str]:
        if self.plan.scheduler in ("no", "epoch"):
            return []
        return [f"{self.own(self.words.scheduler)}.step()"]

    def averaging(self) -> list[str]:
        name = self.own(self.words.average)
        match self.plan.ema:
            case "averaged":
                return [f"{name}.update_parameters({self.model})"]
            case "own":
                return [f"{name}.update({self.model if self.plan.spelling % 2 else ''})"]
        return []

    def all_optimizers(self, line) -> list[str]:  # type: ignore[no-untyped-def]
        if self.plan.optimizers == 2 and self.plan.together:
            return [f"for each in ({', '.join(self.optimizers)}):", f"    {line('each')}"]
        return [line(name) for name in self.optimizers]

    def accumulated(self) -> list[str]:
        """The body of `with accelerator.accumulate(model):`."""
        plan, lines = self.plan, [*self.forward(), *self.backward()]
        gate = [f"if {self.accelerator}.sync_gradients:"]
        if plan.clip != "no":
            name = "clip_grad_norm_" if plan.clip == "norm" else "clip_grad_value_"
            bound = "0.05" if plan.clip == "norm" else "0.01"
            clip = [f"{self.accelerator}.{name}({self.model}.parameters(), {bound})"]
            lines += clip if self.bug("GRD301") else [*gate, *indent(clip)]
        lines += [f"{self.optimizers[0]}.step()", *self.schedule()]
        lines += [] if self.bug("GRD205") else [f"{self.optimizers[0]}.zero_grad()"]
        average = self.averaging()
        return [*lines, *(average if self.bug("GRD404") or not average else [*gate, *indent(average)])]

    def noise(self) -> list[str]:
        plan, i = self.plan, self.walk.index
        lines: list[str] = []
        if "log" in plan.noise and plan.has_counter:
            lines += [f"if {i} % 10 == 0:", f'    print("step", {i})']
        if "metrics" in plan.noise:
            lines.append("right = (y == y).sum().item()")
        return lines


def _commented(text: str, seed: int) -> str:
    """Comments at the ends of lines and between them, each with a word of its own."""
    chance = random.Random(seed)
    lines: list[str] = []
    for number, line in enumerate(text.splitlines()):
        code: Sequence[str] = (line,)
        if line and chance.random() < 0.25:
            code = (f"{line}  # note {number}",)
        elif line and chance.random() < 0.15 and not line.lstrip().startswith(("else", "except", "elif")):
            code = (f"{line[: len(line) - len(line.lstrip())]}# about line {number}", line)
        lines += code
    return "\n".join(lines) + "\n"
