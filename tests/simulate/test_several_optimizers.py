"""Several optimizers under one name are known again from one walk to the next, and clear what their settings say."""

from __future__ import annotations

import pytest
from scripts import answers, codes

from gradlint.simulate.verdicts import Answer

ONE_BATCH = """
class Pair(Stage):
    @staticmethod
    def one_batch(stage, batch):
        for net, optimizer in zip(stage.nets, stage.optimizers):
            {zeroing}
        there, back = batch
        loss = stage.distance(stage.nets[0](there), back) + stage.distance(stage.nets[1](back), there)
        loss.div(stage.options.{n}).backward()
        for optimizer in stage.optimizers:
            {step}
"""
GUARDED = "if stage.iteration % stage.options.{n} == {rest}:\n                optimizer.{does}()"


def one_batch(n: str, *, guards: bool) -> str:
    zeroing = GUARDED.format(n=n, rest=1, does="zero_grad")
    return ONE_BATCH.format(zeroing=zeroing, step=GUARDED.format(n=n, rest=0, does="step") if guards else "optimizer.step()", n=n)


@pytest.mark.parametrize("n", ["accum_steps", "batches_per_move"])
def test_a_step_on_each_batch_meets_what_is_cleared_once_a_window(n: str) -> None:
    assert codes(one_batch(n, guards=False)) == {"GRD204"}


@pytest.mark.parametrize("n", ["accum_steps", "batches_per_move"])
def test_a_step_once_a_window_does_not(n: str) -> None:
    assert "GRD204" not in codes(one_batch(n, guards=True))


def test_optimizers_that_each_clear_and_step_by_themselves_are_right() -> None:
    body = "\n        ".join(
        (
            "for optimizer in self.optimizers:",
            "    optimizer.zero_grad()",
            "loss = self.distance(self.net(x), y)",
            "loss.backward()",
            "for optimizer, schedule in zip(self.optimizers, self.schedules):",
            "    optimizer.step()",
        )
    )
    assert codes(f"class Stage:\n  def fit(self, loader):\n    for x, y in loader:\n        {body}\n") == set()


@pytest.mark.parametrize("again", ["optimizer.zero_grad()", "print(loss.item())\n            optimizer.zero_grad()"])
def test_gradients_that_are_cleared_every_so_often_beside_each_time_are_no_window(again: str) -> None:
    script = f"""
def fit(net, loader, optimizer, distance, options):
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        loss = distance(net(x), y)
        loss.backward()
        optimizer.step()
        if i % options.show_every == 0:
            {again}
"""
    assert codes(script) == set()


def test_optimizers_that_are_unpacked_are_told_apart() -> None:
    script = """
class Pair(LightningModule):
    def training_step(self, batch):
        first, second = self.optimizers()
        loss = self.distance(self.there(batch), batch)
        self.log("there", loss)
        self.manual_backward(loss)
        first.step()
        first.zero_grad()
        loss = (self.distance(self.back(batch), batch) + self.distance(self.back(batch), 0 * batch)) / 2
        self.log("back", loss)
        self.manual_backward(loss)
        second.step()
        second.zero_grad()
"""
    assert codes(script) == set()


def test_what_a_caller_counts_has_no_first_window_in_sight() -> None:
    assert "GRD201" not in codes(one_batch("accum_steps", guards=True))


SEVERAL_MODELS = """
def train(models, optimizer, loader, n):
    for index, batch in enumerate(loader):
        loss = sum(model(batch) for model in models)
        (loss / n).backward()
        if (index + 1) % n == 0 or index + 1 == len(loader):
            optimizer.step()
            for model in models:
                model.zero_grad()
"""


def test_several_models_under_one_name_are_no_data() -> None:
    assert [each.answer for each in answers(SEVERAL_MODELS)] == [Answer.VERIFIED]
    assert codes(SEVERAL_MODELS.replace("loss / n", "loss")) == {"GRD101"}


BY_NAME = """
class Runner:
    def __init__(self, models, optimizers, schedulers, n):
        self.models, self.optimizers, self.schedulers, self.n = models, optimizers, schedulers, n

    def train(self, loader, criterion):
        for model in self.models.values():
            model.train()
        for index, (x, y) in enumerate(loader):
            loss = sum(criterion(model(x), y) for name, model in self.models.items())
            (loss / self.n).backward()
            if (index + 1) % self.n == 0 or index + 1 == len(loader):
                for name, optimizer in self.optimizers.items():
                    optimizer.step()
                for scheduler in self.schedulers.values():
                    scheduler.step()
                for optimizer in self.optimizers.values():
                    optimizer.zero_grad()
"""


def test_objects_that_are_held_by_name_are_what_the_mapping_is_called() -> None:
    assert [each.answer for each in answers(BY_NAME)] == [Answer.VERIFIED]
    assert codes(BY_NAME.replace("loss / self.n", "loss")) == {"GRD101"}
    assert codes(BY_NAME.replace(" or index + 1 == len(loader)", "")) == {"GRD202"}
