"""Models that another function, file or process wraps for several processes, and forward passes that go past the wrapper."""

from __future__ import annotations

import pytest
from scripts import HEAD, codes, training

FULL = "(i + 1) % args.accum_steps == 0 or i + 1 == len(loader)"
DDP = "nn.parallel.DistributedDataParallel"
UPDATE = f"if {FULL}:\n    optimizer.step()\n    optimizer.zero_grad()\n"
LOOP = f"""
def train(net, optimizer, loader, criterion, args):
    for i, (x, y) in enumerate(loader):
        (criterion(net(x), y) / args.accum_steps).backward()
        if {FULL}:
            optimizer.step()
            optimizer.zero_grad()
"""
SPAWNED = f"""{HEAD}
import argparse
import torch.multiprocessing as mp
from models import ScaledAdam, build_model
{LOOP}

def run(rank, world_size, args):
    model = build_model(args)
    if world_size > 1:
        model = {DDP}(model, device_ids=[rank])
    optimizer = ScaledAdam(model.parameters(), lr=0.1)
    train(model, optimizer, DataLoader(args.data, batch_size=4), nn.MSELoss(), args)


def main():
    args = argparse.ArgumentParser().parse_args()
    if args.world_size > 1:
        START
    else:
        run(0, 1, args)


main()
"""


@pytest.mark.parametrize(
    "start",
    (
        "mp.spawn(run, args=(args.world_size, args), nprocs=args.world_size)",
        "mp.Process(target=run, args=(0, args.world_size, args)).start()",
    ),
)
def test_a_function_that_other_processes_run_is_followed_where_they_are_started(start: str) -> None:
    assert codes(SPAWNED.replace("START", start)) == {"GRD601"}


STARRED = f"""
from common import *


class Distiller:
    def __init__(self, teacher, student, args):
        self.teacher, self.student, self.args = teacher, student, args

    def prepare(self):
        if self.args.local_rank != -1:
            self.student = torch.nn.parallel.DistributedDataParallel(self.student, device_ids=[self.args.local_rank])
            self.teacher = torch.nn.parallel.DistributedDataParallel(self.teacher, device_ids=[self.args.local_rank])

    def fit(self, optimizer, loader):
        self.prepare()
        args = self.args
        for i, batch in enumerate(loader):
            wanted, found = outputs_of(batch, self.teacher, self.student)
            (distance(found, wanted) / args.accum_steps).backward()
            if {FULL}:
                optimizer.step()
                optimizer.zero_grad()
"""


def test_torch_may_come_from_a_star_import() -> None:
    assert codes(STARRED) == {"GRD601"}


def kept_by_the_model(switch: str, setup: str = "") -> str:
    return training(
        f"{switch}\nlogits = model(x)\nloss = raw.last_loss / args.accum_steps\nloss.backward()\n{UPDATE}",
        setup=f"{setup}model = {DDP}(model)\nraw = model.module\n",
    )


def test_the_loss_that_a_model_keeps_comes_from_its_last_forward_pass() -> None:
    assert codes(kept_by_the_model("model.require_backward_grad_sync = args.accum_steps == 1")) == {"GRD602"}
    assert codes(kept_by_the_model("")) == {"GRD601"}
    assert codes(kept_by_the_model(f"model.require_backward_grad_sync = {FULL}")) == set()


PAST = {
    "the wrapped model itself": "loss = criterion(model.module(x), y)",
    "under another name": "net = model.module if isinstance(model, nn.parallel.DistributedDataParallel) else model\n"
    "loss = criterion(net(x), y)",
    "a method of it": "loss = model.module.training_loss(x, y)",
}


@pytest.mark.parametrize("name", PAST)
def test_a_forward_pass_that_goes_past_the_wrapper_averages_nothing(name: str) -> None:
    body = f"{PAST[name]}\n(loss / args.accum_steps).backward()\n{UPDATE}"
    assert codes(training(body, setup=f"model = {DDP}(model)\n")) == {"GRD602"}


BESIDE = {
    "the loss also has terms of the wrapper": "loss = criterion(model(x), y) + model.module.penalty(x)",
    "gradients are averaged by hand": "loss = criterion(model.module(x), y)",
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_is_averaged_although_something_goes_past_the_wrapper_is_not_missing(name: str) -> None:
    by_hand = f"if {FULL}:\n    average_gradients(model.parameters())\n" if "hand" in name else ""
    body = f"{BESIDE[name]}\n(loss / args.accum_steps).backward()\n{by_hand}{UPDATE}"
    assert "GRD602" not in codes(training(body, setup=f"model = {DDP}(model)\n"))


SHARDED = f"""{HEAD}
from dataclasses import dataclass
from torch.distributed.fsdp import FullyShardedDataParallel, ShardingStrategy


@dataclass
class Settings:
    accum_steps: int = 4
    devices_simulated: int = 1
    strategy: str = "FULL"
    clip: bool = True


STRATEGIES = {{"NONE": ShardingStrategy.NO_SHARD, "FULL": ShardingStrategy.FULL_SHARD}}


def wrap(model, settings: Settings):
    return FullyShardedDataParallel(model, sharding_strategy=STRATEGIES[settings.strategy])


def train(model, dataset, criterion, settings: Settings):
    model = wrap(model, settings)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(dataset)
    every = settings.accum_steps * settings.devices_simulated
    for i, (x, y) in enumerate(loader):
        (criterion(model(x), y) / every).backward()
        if (i + 1) % every == 0 or i + 1 == len(loader):
            CLIP
            optimizer.step()
            optimizer.zero_grad()
"""


@pytest.mark.parametrize(
    ("clip", "told"),
    (
        ("clip_grad_norm_(model.parameters(), 1.0)", {"GRD309"}),
        ("model.clip_grad_norm_(1.0)", set()),
        ("(clip_grad_norm_(model.parameters(), 1.0) if settings.strategy == 'NONE' else model.clip_grad_norm_(1.0))", set()),
    ),
)
def test_a_strategy_may_come_from_a_table_and_its_name_from_the_defaults_of_annotated_settings(clip: str, told: set[str]) -> None:
    assert codes(SHARDED.replace("CLIP", clip)) == told


def test_a_default_strategy_that_splits_nothing_is_none() -> None:
    script = SHARDED.replace('strategy: str = "FULL"', 'strategy: str = "NONE"')
    assert codes(script.replace("CLIP", "clip_grad_norm_(model.parameters(), 1.0)")) == set()


BUILT_BY_THE_MODEL = f"""{HEAD}
def main(args, dataset, criterion):
    model = build(args)
    optimizer = model.configure_optimizers(args.lr)
    model = {DDP}(model)
    loader = DataLoader(dataset)
    for i, (x, y) in enumerate(loader):
        model.require_backward_grad_sync = False
        (criterion(model(x), y) / args.accum_steps).backward()
        if {FULL}:
            optimizer.step()
            optimizer.zero_grad()
"""


def test_a_method_that_builds_optimizers_is_none_itself() -> None:
    assert codes(BUILT_BY_THE_MODEL) == {"GRD602"}


def test_a_product_of_what_models_give_comes_from_their_forward_passes() -> None:
    setup = f"model = {DDP}(model)\nweigher = build(args)\n"
    body = f"((criterion(model(x), y) * weigher(x).mean()) / args.accum_steps).backward()\n{UPDATE}"
    assert codes(training(body, setup=setup)) == {"GRD601"}


WRAPPED = {
    "compiled after it is wrapped": f"model = torch.compile({DDP}(model))",
    "wrapped after it is compiled": f"model = {DDP}(torch.compile(model))",
    "wrapped in another way by default": f"if args.fsdp:\n    model = FullyShardedDataParallel(model)\nelse:\n    model = {DDP}(model)",
    "wrapped by a chosen class": f"wrap = {DDP} if args.distributed else (lambda net: net)\nmodel = wrap(model)",
    "wrapped by a partial call": f"from functools import partial\nwrap = partial({DDP}, device_ids=[0])\nmodel = wrap(model)",
    "an item of a table": f"nets = {{'net': {DDP}(model)}}\nmodel = nets['net']",
}


@pytest.mark.parametrize("name", WRAPPED)
def test_a_wrapper_is_seen_however_it_is_put_around_the_model(name: str) -> None:
    sharded = "from torch.distributed.fsdp import FullyShardedDataParallel\n"
    body = f"(criterion(model(x), y) / args.accum_steps).backward()\n{UPDATE}"
    assert codes(training(body, setup=f"{sharded}{WRAPPED[name]}\n")) == {"GRD601"}


SHARDING = {
    "compiled": "model = torch.compile(FSDP(model))",
    "by a table of arguments": "kwargs = {'sharding_strategy': ShardingStrategy.FULL_SHARD}\nmodel = FSDP(model, **kwargs)",
    "by a member's name": "model = FSDP(model, sharding_strategy=ShardingStrategy['HYBRID_SHARD'])",
}


def sharded(how: str) -> set[str]:
    imports = "from torch.distributed.fsdp import FullyShardedDataParallel as FSDP, ShardingStrategy\n"
    body = f"(criterion(model(x), y) / args.accum_steps).backward()\nif {FULL}:\n    clip_grad_norm_(model.parameters(), 1.0)\n"
    script = training(f"{body}{UPDATE}", setup=f"{imports}{how}\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n")
    return codes(script.replace("    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n", "", 1))


@pytest.mark.parametrize("name", SHARDING)
def test_a_clip_of_shards_is_told_however_the_strategy_is_given(name: str) -> None:
    assert sharded(SHARDING[name]) == {"GRD309"}


@pytest.mark.parametrize("how", ("'NO_SHARD'", "args.strategy"))
def test_a_strategy_that_splits_nothing_or_is_not_known_is_none(how: str) -> None:
    assert sharded(f"model = FSDP(model, sharding_strategy=ShardingStrategy[{how}])") == set()
    assert sharded("model = FSDP(model, **args.sharding)") == set()


def test_a_partial_call_may_be_what_other_processes_run() -> None:
    started = "import functools\n        mp.spawn(functools.partial(run, world_size=args.world_size, args=args), nprocs=2)"
    assert codes(SPAWNED.replace("START", started)) == {"GRD601"}
