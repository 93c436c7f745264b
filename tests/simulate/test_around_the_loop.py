"""What stands around a training loop in real scripts: factories, flags, dictionaries, contexts, and steps before training."""

from __future__ import annotations

import pytest
from scripts import answers, codes

from gradlint.simulate.verdicts import Answer

LOOP = """\
for index, batch in enumerate(loader):
    loss = model(batch).loss
    loss.backward()
    if (index + 1) % args.accum_steps == 0 or index + 1 == len(loader):
        optimizer.step()
        optimizer.zero_grad()
"""


def script(loop: str, setup: str = "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)", head: str = "") -> str:
    lines = [*setup.splitlines(), *loop.splitlines()]
    return f"import torch\n{head}\ndef fit(model, loader, args):\n" + "".join(f"    {line}\n" for line in lines)


def test_what_is_built_from_weights_is_an_optimizer_whatever_settings_are_called() -> None:
    loop = LOOP.replace("optimizer", "opt")
    assert codes(script(loop, "opt = named(args.kind)(model.parameters(), 0.1)")) == {"GRD101"}


@pytest.mark.parametrize("name", ["InfiniteIterator", "infinite_batches"])
def test_a_name_with_infinite_asks_nothing(name: str) -> None:
    loop = LOOP.replace("enumerate(loader)", f"enumerate({name}(loader))").replace(" or index + 1 == len(loader)", "")
    assert codes(script(f"{loop}    if index > args.most:\n        break\n", head=f"from feeds import {name}\n")) == {"GRD101"}


def test_empty_steps_before_training_are_no_windows() -> None:
    replay = "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\nfor _ in range(args.resume_step):\n    optimizer.step()"
    assert codes(script(LOOP, replay)) == {"GRD101"}


@pytest.mark.parametrize("check", ["torch.isnan(loss).data", "torch.isnan(loss).item()"])
def test_a_value_of_a_check_is_the_check(check: str) -> None:
    assert "GRD101" in codes(
        script(LOOP.replace("    loss.backward()\n", f"    if {check}:\n        break\n    loss.backward()\n"))
    )


MOVED = """\
for index, batch in enumerate(loader):
    batch = {key: value.to(args.device) for key, value in batch.items()}
    if "mask" in batch:
        tokens = batch["mask"].sum()
    elif "lengths" in batch:
        tokens = batch["lengths"].sum()
    else:
        raise ValueError(batch)
"""


def test_a_dictionary_made_of_a_batch_may_have_any_key() -> None:
    assert codes(script(MOVED + "\n".join(LOOP.splitlines()[1:]))) == {"GRD101"}


FLAGGED = """\
fresh = True
if args.folder:
    fresh = False
    config = read(args.folder)
else:
    config = read(args.file)
if fresh:
"""


def test_an_option_that_leads_past_training_is_not_given() -> None:
    indented = "".join(f"    {line}\n" for line in LOOP.splitlines())
    assert codes(script(FLAGGED + indented)) == {"GRD101"}


MIXED = """\
for index, (x, y) in enumerate(loader):
    share = torch.distributions.Beta(args.alpha, args.alpha).sample().item()
    out = model(x)
    loss = (share * criterion(out, y) + (1 - share) * criterion(out, y.flip(0))) / args.accum_steps
    loss.backward()
    if (index + 1) % args.accum_steps == 0 or index + 1 == len(loader):
        optimizer.step()
        optimizer.zero_grad()
"""


def test_shares_drawn_from_a_distribution_add_up_to_one() -> None:
    (verdict,) = answers(script(MIXED, head="from torch.nn.functional import cross_entropy as criterion\n"))
    assert verdict.answer is Answer.VERIFIED


CYCLES = """\
for index, x in enumerate(loader):
    cycles = np.random.randint(1, 5)
    for cycle in range(cycles):
        with ExitStack() as stack:
            if cycle < cycles - 1:
                {entered}
            x = net(x)
    loss = x.mean()
    loss.backward()
    if (index + 1) % args.accum_steps == 0 or index + 1 == len(loader):
        optimizer.step()
        optimizer.zero_grad()
"""
WRAPPED = "net = torch.nn.parallel.DistributedDataParallel(model)\noptimizer = torch.optim.SGD(net.parameters(), lr=0.1)"


@pytest.mark.parametrize("entered", ["stack.enter_context(net.no_sync())", "stack.enter_context(torch.no_grad())"])
def test_contexts_that_the_data_decide_prove_nothing(entered: str) -> None:
    head = "import numpy as np\nfrom contextlib import ExitStack\n"
    assert {"GRD101"} <= codes(script(CYCLES.format(entered=entered), WRAPPED, head)) <= {"GRD101", "GRD601"}


@pytest.mark.parametrize(
    "context",
    ["torch.no_grad() if args.frozen else nullcontext()", "nullcontext() if args.tuned else torch.no_grad()"],
)
def test_an_option_without_gradients_is_not_the_usual_one(context: str) -> None:
    loop = LOOP.replace("    loss = model(batch).loss\n", f"    with {context}:\n        loss = model(batch).loss\n")
    assert codes(script(loop, head="from contextlib import nullcontext\n")) == {"GRD101"}


RAMP = """
class Engine:
    def __init__(self, model, cfg):
        self.model, self.cfg = model, cfg
        self.rows = cfg.rows
        self.target = cfg.target if cfg.ramp == 0 else self.rows
        self.seen = self.steps = 0
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(self, batch):
        self.seen += self.rows
        self.steps += 1
        (self.model(batch) / (self.target // self.rows)).backward()
        if self.seen >= self.target:
            self.seen = 0
            self.optimizer.step()
            self.optimizer.zero_grad()
            grown = int(self.steps * self.cfg.target / self.cfg.ramp // self.rows + 1) * self.rows
            self.target = grown if self.steps < self.cfg.ramp else self.cfg.target
"""


def test_windows_that_grow_begin_small_on_purpose() -> None:
    assert "GRD201" not in codes("import torch\n" + RAMP)


BY_EPOCHS = """\
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = torch.utils.data.DataLoader(args.rows, batch_size=args.batch_size)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, {length})"""


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        ("len(args.rows) * args.epochs // args.batch_size", {"GRD101", "GRD402"}),
        ("len(args.rows) * args.epochs // args.batch_size // args.accum_steps", {"GRD101"}),
        ("args.epochs * len(args.rows) // (args.batch_size * args.accum_steps)", {"GRD101"}),
    ],
)
def test_rows_of_all_epochs_over_the_rows_of_a_batch_are_micro_batches(length: str, expected: set[str]) -> None:
    inner = LOOP.replace("        optimizer.zero_grad()\n", "        optimizer.zero_grad()\n        scheduler.step()\n")
    loop = "for epoch in range(args.epochs):\n" + "".join(f"    {line}\n" for line in inner.splitlines())
    assert codes(script(loop, BY_EPOCHS.format(length=length))) == expected


PAIR = """\
loss, made = nets["maker"](batch)
(loss / args.accum_steps).backward()
loss_judge = nets["judge"](batch, made.detach())
(loss_judge / args.accum_steps).backward()
if (index + 1) % args.accum_steps == 0 or index + 1 == len(loader):
    torch.nn.utils.clip_grad_norm_(nets["judge"].parameters(), 1.0)
    judge.step()
    judge.zero_grad()
    torch.nn.utils.clip_grad_norm_(nets["maker"].parameters(), 1.0)
    maker.step()
    maker.zero_grad()
"""


def test_each_of_several_models_has_its_own_optimizer() -> None:
    setup = 'judge = torch.optim.Adam(nets["judge"].parameters())\nmaker = torch.optim.Adam(nets["maker"].parameters())'
    loop = "for index, batch in enumerate(loader):\n" + "".join(f"    {line}\n" for line in PAIR.splitlines())
    assert codes(script(loop, setup).replace("model, loader", "nets, loader")) == set()


OWN = """
class Plain(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, dict(lr=lr))

    def step(self, closure=None):
        for group in self.param_groups:
            for each in group["params"]:
                each.data.add_(each.grad, alpha=-group["lr"])

def built(model):
    scheduler = None
    return Plain(model.parameters(), lr=0.1), scheduler
"""
SCHEDULED = LOOP.replace(
    "        optimizer.step()\n", "        if scheduler is not None:\n            scheduler.step()\n        optimizer.step()\n"
)


def test_a_class_of_the_text_may_be_the_optimizer() -> None:
    assert codes(script(SCHEDULED, "optimizer, scheduler = built(model)", head=OWN)) == {"GRD101"}


CHUNKED = """\
current_micro = args.rows
for batch in loader:
    optimizer.zero_grad()
    chunks = batch.split(current_micro)
    accum_steps = len(chunks)
    for chunk in chunks:
        (model(chunk).loss / accum_steps).backward()
    optimizer.step()
"""


def test_the_number_of_chunks_is_no_setting_whatever_it_is_called() -> None:
    assert codes(script(CHUNKED)) == set()


def test_the_arguments_of_a_class_do_not_name_its_objects() -> None:
    built = "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\nrestorer = Restorer(args, model, optimizer)"
    loop = LOOP + "        restorer.step()\n"
    assert codes(script(loop, built, head="from saving import Restorer\n")) == {"GRD101"}


ON_TPU = LOOP.replace(
    "        optimizer.step()\n",
    "        if is_torch_tpu_available():\n            xm.optimizer_step(optimizer)\n        else:\n            optimizer.step()\n",
)


def test_what_is_installed_is_not_decided_by_the_data() -> None:
    assert codes(script(ON_TPU, head="from transformers import is_torch_tpu_available\n")) == {"GRD101"}


LATER = """\
for index, batch in enumerate(loader):
    context = {chosen}
    with context():
        loss = model(batch).loss / args.accum_steps
        loss.backward()
    if (index + 1) % args.accum_steps == 0 or index + 1 == len(loader):
        optimizer.step()
        optimizer.zero_grad()
"""


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ("model.no_sync if index % args.accum_steps != 0 else nullcontext", {"GRD602"}),
        ("nullcontext if (index + 1) % args.accum_steps == 0 or index + 1 == len(loader) else model.no_sync", set()),
    ],
)
def test_a_context_may_be_chosen_before_it_is_called(chosen: str, expected: set[str]) -> None:
    assert codes(script(LATER.format(chosen=chosen), head="from contextlib import nullcontext\n")) == expected


TYPED = """\
for index, batch in enumerate(loader):
    whole = (index + 1) % args.accum_steps == 0
    with model.no_sync() if type(model) is DDP and {held} else nullcontext():
        loss = model(batch).loss / args.accum_steps
        loss.backward()
    if whole or index + 1 == len(loader):
        optimizer.step()
        optimizer.zero_grad()
"""


@pytest.mark.parametrize(("held", "expected"), [("not whole", {"GRD602"}), ("not (whole or index + 1 == len(loader))", set())])
def test_a_type_tells_what_wraps_the_model(held: str, expected: set[str]) -> None:
    head = "from contextlib import nullcontext\nfrom torch.nn.parallel import DistributedDataParallel as DDP\n"
    setup = "model = DDP(model)\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)"
    assert codes(script(TYPED.format(held=held), setup, head)) == expected


KEYWORDS = """
class Trainer:
    def __init__(self, **kwargs):
        self.accum_grad = kwargs.get("accum_grad", 1)

    def fit(self, model, optimizer, loader):
        for index, batch in enumerate(loader):
            loss = model(batch).loss
            loss.backward()
            if (index + 1) % self.accum_grad == 0 or index + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()
"""


def test_keywords_of_an_unknown_caller_may_hold_n() -> None:
    assert codes(KEYWORDS) == {"GRD101"}


RESUMED = """
import pickle
import torch

class State:
    def __init__(self):
        self.batches = 0

class Trainer:
    def __init__(self, config, model, optimizer: torch.optim.Optimizer):
        self.config, self.model, self.optimizer = config, model, optimizer
        self.state = None

    def fit(self, data, resume):
        self.state = pickle.load(open("state.pkl", "rb")) if resume else State()
        while True:
            if self.config.most is not None and self.state.batches >= self.config.most:
                break
            self._step(data.next())

    def _step(self, batch):
        self.state.batches += 1
        loss = self.model(batch) / self.config.accum_steps
        loss.backward()
        if self.state.batches % self.config.accum_steps == 0:
            self.optimizer.step()
            self.optimizer.zero_grad()
"""


def test_a_count_that_another_method_begins_starts_there() -> None:
    assert codes(RESUMED) <= {"GRD202"}


WEIGHED = """\
for index, batch in enumerate(loader):
    with torch.no_grad():
        advantage = judge(batch)
    loss = (-advantage * model(batch)).mean() / args.accum_steps
    loss.backward()
    if (index + 1) % args.accum_steps == 0 or index + 1 == len(loader):
        optimizer.step()
        optimizer.zero_grad()
"""


def test_what_another_model_says_of_the_samples_is_no_number_of_them() -> None:
    text = script(WEIGHED).replace("def fit(model,", "def fit(model, judge,")
    (verdict,) = answers(text)
    assert verdict.answer is Answer.VERIFIED
    assert codes(text.replace(" / args.accum_steps", "")) == {"GRD101"}
