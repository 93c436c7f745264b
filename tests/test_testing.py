"""`assert_equals_large_batch`: right training passes, and each wrong kind is told with its cause."""

# mypy: allow-untyped-calls

from __future__ import annotations

import subprocess
import sys
import warnings
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
from harness import ROOT

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gradlint.testing import AccumulationMismatch, CannotCompare, Difference, assert_equals_large_batch  # noqa: E402


def net(*more: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), *more, nn.Tanh(), nn.Linear(8, 2))


def batches(count: int = 8, size: int = 2) -> list[Any]:
    torch.manual_seed(1)
    return [(torch.randn(size, 3), torch.randn(size, 2)) for _ in range(count)]


class Training:
    """A training loop with switches for its faults. The defaults are right."""

    def __init__(self, **switches: Any) -> None:
        self.divide, self.zero, self.step, self.clip, self.schedule, self.length = 1.0, "update", "update", None, None, "updates"
        self.optimizer: Any = lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9)
        self.tail, self.clip_at, self.first, self.scaler, self.loss = True, "update", 1, None, F.mse_loss
        vars(self).update(switches)

    def __call__(self, model: nn.Module, data: list[Any], accumulation: int) -> list[float]:
        model.train()
        optimizer = self.optimizer([each for each in model.parameters() if each.requires_grad])
        updates = -(-len(data) // accumulation) if self.length == "updates" else len(data)
        schedule: Any = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, updates) if self.schedule else None
        scaler = torch.amp.GradScaler("cpu") if self.scaler else None
        reported, total = [], 0.0
        for i, (x, y) in enumerate(data):
            loss = self.loss(model(x), y) / accumulation**self.divide
            total += loss.item()
            (scaler.scale(loss) if scaler is not None else loss).backward()
            boundary = (i + self.first) % accumulation == 0 or (self.tail and i + 1 == len(data))
            if scaler is not None and (boundary if self.scaler == "update" else True):
                scaler.unscale_(optimizer)
            if self.clip and (boundary or self.clip_at == "micro"):
                nn.utils.clip_grad_norm_(model.parameters(), self.clip)
            if self.zero == "before" and boundary:
                optimizer.zero_grad()
            if boundary or self.step == "micro":
                scaler.step(optimizer) if scaler is not None else optimizer.step()
                if scaler is not None:
                    scaler.update()
                reported.append(total)
                total = 0.0
                if schedule is not None and self.schedule == "update":
                    schedule.step()
                if self.zero == "update":
                    optimizer.zero_grad()
            if self.zero == "micro":
                optimizer.zero_grad()
            if self.schedule == "micro":
                schedule.step()
        return reported


def told(
    train: Any, model: nn.Module | None = None, data: list[Any] | None = None, n: int | None = 4, **options: Any
) -> tuple[str, Difference]:
    with pytest.raises(AccumulationMismatch) as caught:
        assert_equals_large_batch(train, model or net(), data or batches(), n, **options)
    return str(caught.value), caught.value.difference


# Right training


def adam(parameters: Any) -> Any:
    return torch.optim.Adam(parameters, lr=0.01)


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"optimizer": adam},
        {"optimizer": lambda p: torch.optim.AdamW(p, lr=1e-5, weight_decay=0.1)},
        {"clip": 0.01},
        {"clip": 100.0},
        {"schedule": "update"},
        {"clip": 0.01, "schedule": "update", "optimizer": adam, "scaler": "update"},
    ],
    ids=lambda each: ",".join(each) or "plain",
)
@pytest.mark.parametrize("count", [4, 8, 9, 3])
def test_right_training_passes(switches: dict[str, Any], count: int) -> None:
    model = net()
    before = [each.clone() for each in model.parameters()]
    assert_equals_large_batch(Training(**switches), model, batches(count), accumulation=4, losses=count % 4 == 0)
    assert all(torch.equal(each, old) for each, old in zip(model.parameters(), before, strict=True))
    assert all(each.grad is None and each.dtype == torch.float32 for each in model.parameters())


@pytest.mark.parametrize(
    "more", [nn.Dropout(0.5), nn.AlphaDropout(0.5), nn.BatchNorm1d(8), nn.LayerNorm(8)], ids=lambda each: type(each).__name__
)
def test_what_depends_on_chance_or_on_the_batch_is_fixed(more: nn.Module) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert_equals_large_batch(Training(), net(more), batches(), 4)
    told = [str(each.message) for each in seen if "GRD502" in str(each.message)]
    assert len(told) == isinstance(more, nn.BatchNorm1d)


def test_dropout_inside_attention_and_recurrence_is_off() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=True)
            self.recurrent = nn.GRU(4, 4, 2, dropout=0.5, batch_first=True)

        def forward(self, x: Any) -> Any:
            y, _ = self.attention(x, x, x)
            y, _ = self.recurrent(F.dropout(y, 0.5))
            return F.scaled_dot_product_attention(y, y, y, dropout_p=0.5)

    data = [(torch.randn(2, 3, 4), torch.randn(2, 3, 4)) for _ in range(4)]
    assert_equals_large_batch(Training(), Net(), data)


def test_tied_frozen_and_half_precision_parameters() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.frozen = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3)
            self.two.weight = self.one.weight
            self.frozen.requires_grad_(False)

        def forward(self, x: Any) -> Any:
            return self.two(self.frozen(self.one(x)).tanh())

    data = [(torch.randn(2, 3), torch.randn(2, 3)) for _ in range(4)]
    assert_equals_large_batch(Training(), Net().bfloat16(), data)
    assert told(Training(divide=0), Net().bfloat16(), data)[1].code == "GRD101"


@dataclass
class Output:
    loss: Any


@dataclass
class Sample:
    x: Any
    y: Any


Pair = namedtuple("Pair", "x y")


@pytest.mark.parametrize(
    "form",
    [
        lambda x, y: {"x": x, "y": y, "name": ["a", "b"], "kind": "train", "none": None, "number": torch.tensor(1.0)},
        lambda x, y: Pair(x, y),
        lambda x, y: Sample(x, y),
        lambda x, y: [x, y],
    ],
    ids=["dict", "namedtuple", "dataclass", "list"],
)
def test_forms_of_batches_and_outputs(form: Any) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x: Any, y: Any) -> Output:
            return Output(F.mse_loss(self.layer(x), y))

    def train(model: nn.Module, data: list[Any]) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for batch in data:
            x, y = (
                batch
                if isinstance(batch, (list, Pair))
                else (batch.x, batch.y)
                if isinstance(batch, Sample)
                else (batch["x"], batch["y"])
            )
            assert not isinstance(batch, dict) or len(batch["name"]) == len(x)
            (model(x, y).loss / len(data)).backward()
        optimizer.step()

    assert_equals_large_batch(train, Net(), [form(*each) for each in batches(4)])


def test_losses_weighted_by_tokens() -> None:
    """The right form divides a sum by the tokens of the whole window; a mean of means is told."""
    torch.manual_seed(0)
    data = [(torch.randn(3, 3), torch.tensor(target)) for target in ([0, 1, 1], [0, -100, -100], [1, 0, -100], [1, 1, 0])]

    def train(model: nn.Module, data: list[Any]) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        tokens = sum((y != -100).sum() for _, y in data)
        for x, y in data:
            (F.cross_entropy(model(x), y, reduction="sum") / tokens).backward()
        optimizer.step()

    assert_equals_large_batch(train, net(), data)
    report, difference = told(Training(loss=F.cross_entropy), net(), data)
    assert difference.code == "GRD105" and difference.weights == pytest.approx([0.25] * 4)
    assert "every micro-batch has the weight 0.25: their losses are means over different counts, such as tokens" in report


def test_gradients_divided_by_hand_before_the_step() -> None:
    def train(model: nn.Module, data: list[Any], accumulation: int) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for i, (x, y) in enumerate(data, 1):
            F.mse_loss(model(x), y).backward()
            if i % accumulation == 0:
                for each in model.parameters():
                    each.grad /= accumulation  # type: ignore[operator, assignment]
                nn.utils.clip_grad_norm_(model.parameters(), 0.01)
                optimizer.step()
                optimizer.zero_grad()

    assert_equals_large_batch(train, net(), batches(), 4)


def test_a_closure_runs_inside_the_step() -> None:
    def train(model: nn.Module, data: list[Any], divide: bool = True) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def closure() -> Any:
            optimizer.zero_grad()
            total: Any = sum(F.mse_loss(model(x), y) / (len(data) if divide else 1) for x, y in data)
            total.backward()
            return total

        optimizer.step(closure)

    assert_equals_large_batch(lambda model, data: train(model, data), net(), batches(4))
    assert told(lambda model, data: train(model, data, False), net(), batches(4), None)[1].code == "GRD101"


def test_two_optimizers() -> None:
    def train(model: Any, data: list[Any], accumulation: int, late: bool = False) -> None:
        first, second = torch.optim.SGD(model[0].parameters(), lr=0.1), adam(model[2].parameters())
        for i, (x, y) in enumerate(data, 1):
            (F.mse_loss(model(x), y) / accumulation).backward()
            if i % accumulation == 0:
                first.step()
                first.zero_grad()
            if i % accumulation == 0 or late:
                second.step()
                second.zero_grad()

    assert_equals_large_batch(lambda m, d, n: train(m, d, n), net(), batches(), 4)
    assert told(lambda m, d, n: train(m, d, n, True))[1].code == "GRD204"


def test_a_model_that_is_built_anew() -> None:
    assert_equals_large_batch(Training(), lambda: nn.Sequential(nn.Linear(3, 2)), batches(), 4)


def test_a_fixed_number_of_accumulation_steps_needs_a_reference() -> None:
    def train(model: nn.Module, data: list[Any], divide: int = 4) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for i, (x, y) in enumerate(data, 1):
            (F.mse_loss(model(x), y) / divide).backward()
            if i % 4 == 0:
                optimizer.step()
                optimizer.zero_grad()

    def reference(model: nn.Module, data: list[Any]) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in data:
            optimizer.zero_grad()
            F.mse_loss(model(x), y).backward()
            optimizer.step()

    assert_equals_large_batch(lambda m, d: train(m, d), net(), batches(), 4, reference=reference)
    report, difference = told(lambda m, d: train(m, d, 3), reference=reference)
    assert difference.code == "GRD103" and "the loss is divided by 3 instead of 4" in report
    with pytest.raises(CannotCompare, match=r"makes no optimizer step.*pass `reference=`"):
        assert_equals_large_batch(lambda m, d, n: train(m, d), net(), batches(), 4)


# Wrong training

WRONG: list[tuple[str, dict[str, Any], str, str, int]] = [
    (
        "undivided",
        {"divide": 0},
        "GRD101",
        "every gradient is 4.000 times as large: the loss is not divided by the number of micro-batches",
        8,
    ),
    ("undivided, Adam", {"divide": 0, "optimizer": adam}, "GRD101", "every gradient is 4.000 times as large", 8),
    ("undivided, clipped", {"divide": 0, "clip": 0.01}, "GRD101", "before the clip, every gradient is 4.000 times as large", 8),
    ("undivided, scaled", {"divide": 0, "scaler": "update"}, "GRD101", "every gradient is 4.000 times as large", 8),
    ("divided twice", {"divide": 2}, "GRD102", "every gradient is 0.250 times as large: the loss is divided by 4 twice", 8),
    ("zeroed in the window", {"zero": "micro"}, "GRD203", "the gradients hold only the last micro-batch", 8),
    ("zeroed before the step", {"zero": "before"}, "GRD206", "every gradient is zero when the optimizer steps", 8),
    ("never zeroed", {"zero": "never"}, "GRD205", "the gradients still hold those of the update before", 8),
    ("steps each", {"step": "micro"}, "GRD204", "8 steps instead of 2: the optimizer steps on every micro-batch", 8),
    (
        "first",
        {"first": 0},
        "GRD201",
        "steps after 1, 4, 3 micro-batches instead of 4, 4: the first window ends after its first micro-batch",
        8,
    ),
    (
        "lost tail",
        {"tail": False},
        "GRD202",
        "2 steps instead of 3: the last, partial window of 1 micro-batch never reaches the optimizer",
        9,
    ),
    ("only a tail", {"tail": False}, "GRD202", "no step was made in 3 micro-batches", 3),
    ("clip inside", {"clip": 0.1, "clip_at": "micro"}, "GRD301", "between the micro-batches of a window: a clip must wait", 8),
    (
        "unscale inside",
        {"scaler": "micro"},
        "GRD304",
        "training raises RuntimeError with micro-batches, and not with large batches",
        8,
    ),
    ("schedule", {"schedule": "micro"}, "GRD401", "the learning rate is 0.01 instead of 0.1", 8),
    ("schedule, long", {"schedule": "micro", "length": "micro"}, "GRD401", "the schedule has advanced 3 times instead of 0", 8),
    ("length", {"schedule": "update", "length": "micro"}, "GRD402", "the schedule's length does not count updates", 8),
]


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize(("switches", "code", "sentence", "count"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG])
def test_wrong_training_is_told(switches: dict[str, Any], code: str, sentence: str, count: int) -> None:
    report, difference = told(Training(**switches), data=batches(count))
    assert sentence in report and f"({code})" in report and f"`gradlint rule {code}` explains this bug." in report
    assert difference.code == code


def test_the_difference_is_data() -> None:
    report, difference = told(Training(divide=0))
    assert difference.update == 1 and difference.factor == pytest.approx(4.0)
    report, difference = told(Training(zero="micro"))
    assert {each.name for each in difference.parameters} == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert f"{difference.parameters[0].name}: off by" in report and "and 1 more" in report


def test_micro_batches_of_different_sizes() -> None:
    data = [(torch.randn(size, 3), torch.randn(size, 2)) for size in (4, 4, 4, 2)]
    assert (
        "they hold 4, 4, 4, 2 samples: the mean of their means is not the mean over all samples" in told(Training(), data=data)[0]
    )


def test_a_tail_has_its_share_or_its_mean() -> None:
    assert_equals_large_batch(Training(), net(), batches(9), 4)
    report, difference = told(Training(), data=batches(9), exact_tail=True)
    assert difference.code == "GRD107" and difference.update == 3
    assert "the partial window has 1 of 4 micro-batches, and its loss is divided by 4" in report

    def train(model: nn.Module, data: list[Any], accumulation: int) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for start in range(0, len(data), accumulation):
            window = data[start : start + accumulation]
            for x, y in window:
                (F.mse_loss(model(x), y) / len(window)).backward()
            optimizer.step()
            optimizer.zero_grad()

    assert_equals_large_batch(train, net(), batches(9), 4, exact_tail=True)


def test_one_micro_batch_that_is_divided_differently() -> None:
    def train(model: nn.Module, data: list[Any], accumulation: int) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for i, (x, y) in enumerate(data):
            loss = F.mse_loss(model(x), y)
            (loss / accumulation if i + 1 < len(data) else loss).backward()
        optimizer.step()

    report, difference = told(train, data=batches(4))
    assert difference.weights == pytest.approx([0.25, 0.25, 0.25, 1.0])
    assert "the weights of the micro-batches are 0.25, 0.25, 0.25, 1" in report


def test_weights_that_something_else_changes() -> None:
    def train(model: Any, data: list[Any], accumulation: int) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in data:
            (F.mse_loss(model(x), y) / accumulation).backward()
        optimizer.step()
        for _ in data:
            with torch.no_grad():
                model[0].weight.mul_(0.99)

    report, difference = told(train, data=batches(4))
    assert "gradients and rates agree at every update, but the weights differ at the end" in report
    assert [each.name for each in difference.parameters] == ["0.weight"]


def test_returned_losses() -> None:
    def train(model: nn.Module, data: list[Any], accumulation: int, kind: str) -> Any:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        losses = []
        for x, y in data:
            loss = F.mse_loss(model(x), y)
            (loss / accumulation).backward()
            losses.append(loss.item())
        optimizer.step()
        mean = sum(losses) / len(losses)
        return {
            "mean": mean,
            "divided": mean / accumulation,
            "last": [losses[-1]],
            "sum": torch.tensor(sum(losses)),
            "none": None,
        }[kind]

    def returning(kind: str) -> Any:
        return lambda model, data, n: train(model, data, n, kind)

    assert_equals_large_batch(returning("mean"), net(), batches(4), losses=True)
    assert told(returning("divided"), data=batches(4), losses=True)[1].code == "GRD106"
    assert told(returning("last"), data=batches(4), losses=True)[1].code == "GRD108"
    assert "it is the sum over 4 micro-batches" in told(returning("sum"), data=batches(4), losses=True)[0]
    with pytest.raises(CannotCompare, match="it returns nothing"):
        assert_equals_large_batch(returning("none"), net(), batches(4), losses=True)


def test_random_numbers_are_noted() -> None:
    def train(model: nn.Module, data: list[Any], accumulation: int) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in data:
            (F.mse_loss(model(x + torch.randn_like(x)), y) / accumulation).backward()
        optimizer.step()

    report, difference = told(train, data=batches(4))
    assert "note: the training function draws random numbers" in report
    assert "are not a multiple of those that it has alone" in report and difference.code == ""


def test_a_tail_that_is_not_even_read() -> None:
    def train(model: nn.Module, data: list[Any], accumulation: int) -> None:
        Training()(model, data[: len(data) // accumulation * accumulation], accumulation)

    assert told(train, data=batches(9))[1].code == "GRD202"


# Frameworks


@pytest.mark.parametrize("divided", [False, True])
def test_accelerate(divided: bool) -> None:
    accelerate = pytest.importorskip("accelerate", reason="Accelerate is not installed")

    def train(model: nn.Module, data: list[Any], accumulation: int) -> None:
        accelerator = accelerate.Accelerator(gradient_accumulation_steps=accumulation, cpu=True)
        optimizer = adam(model.parameters())
        loader = torch.utils.data.DataLoader(data, batch_size=None)
        model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
        for x, y in loader:
            with accelerator.accumulate(model):
                loss = F.mse_loss(model(x), y)
                accelerator.backward(loss / accumulation if divided else loss)
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(model.parameters(), 0.05)
                optimizer.step()
                optimizer.zero_grad()

    if not divided:
        return assert_equals_large_batch(train, net(), batches(9), 4)
    report, difference = told(train, data=batches(9))
    assert difference.code == "GRD102" and "before the clip, every gradient is 0.250 times as large" in report
    return None


@pytest.mark.parametrize("padded", [False, True])
def test_a_language_model(padded: bool) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=50, attention_dropout=0.1, **sizes))
    data = []
    for number in range(4):
        ids = torch.randint(0, 50, (2, 6))
        labels = ids.clone()
        labels[0, (2 + number if padded else 6) :] = -100
        data.append({"input_ids": ids, "labels": labels})

    def train(model: nn.Module, data: list[Any]) -> None:
        model.train()
        optimizer = adam(model.parameters())
        for batch in data:
            (model(**batch).loss / len(data)).backward()
        optimizer.step()

    if not padded:
        return assert_equals_large_batch(train, model, data)
    assert told(train, model, data, None)[1].code == "GRD105"
    return None


# Wrong input


class Uncopyable(nn.Linear):
    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("cannot pickle a lock")


def nothing(model: nn.Module, data: list[Any], accumulation: int) -> None:
    """Trains nothing."""


def idle(model: nn.Module, data: list[Any], accumulation: int) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for x, y in data:
        F.mse_loss(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()


def thrice(model: nn.Module, data: list[Any], accumulation: int) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in [*data, *data, *data]:
        F.mse_loss(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()


def mixed(model: nn.Module, data: list[Any], accumulation: int) -> None:
    Training()(model, [(x.float(), y) for x, y in data], accumulation)


@pytest.mark.parametrize(
    ("train", "model", "data", "n", "message"),
    [
        (Training(), net(), [], 4, "there are no batches"),
        (Training(), net(), batches(1), 4, "only one batch"),
        (Training(), net(), batches(4), 1, "a whole number of 2 or more"),
        (Training(), net(), batches(4), 2.0, "a whole number of 2 or more"),
        (lambda model: None, net(), batches(4), 4, r"is called as .* but it takes \(model\)"),
        (lambda model, data: None, net(), batches(8), 4, "all 8 batches are one window"),
        (Training(), "model", batches(4), 4, "the model is a str"),
        (Training(), nn.Linear(3, 2).requires_grad_(False), batches(4), 4, "no parameter that requires gradients"),
        (Training(), nn.LazyLinear(2), batches(4), 4, "lazy layers"),
        (Training(), nn.Linear(3, 2, dtype=torch.complex64), batches(4), 4, "complex parameters"),
        (Training(), Uncopyable(3, 2), batches(4), 4, r"cannot be copied \(cannot pickle a lock\): pass a function"),
        (nothing, net(), batches(4), 4, "runs no backward pass through the model that it is given"),
        (idle, net(), batches(4), 4, "no weight changes"),
        (thrice, net(), batches(4), 4, "steps 3 times, given 1 large batch"),
        (mixed, net(), batches(4), 4, "mixes float64 with another type"),
        (Training(), net(), [torch.randn(2, 3), torch.randn(2, 4)], 2, r"a batch has the shapes \(2, 3\), \(2, 4\)"),
        (Training(), net(), [{"x": 1}, {"x": 2}], 2, r"a batch\['x'\] is a int that differs"),
        (Training(), net(), [{"x": 1}, {"y": 2}], 2, "different keys"),
        (Training(), net(), [{"x": 1}, (1, 2)], 2, "a batch is a dict and tuple"),
        (Training(), net(), [(1, 2), (1, 2, 3)], 2, "different lengths"),
        (Training(), net(), [torch.tensor(1.0), torch.tensor(2.0)], 2, "one number that differs"),
    ],
)
def test_wrong_input_is_told(train: Any, model: Any, data: list[Any], n: Any, message: str) -> None:
    with pytest.raises(CannotCompare, match=message):
        assert_equals_large_batch(train, model, data, n)


def test_the_users_own_error_is_passed_on() -> None:
    def train(model: nn.Module, data: list[Any], accumulation: int) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        assert_equals_large_batch(train, net(), batches(4))


def test_batches_of_different_widths_are_joined_by_a_function() -> None:
    def join(parts: list[Any]) -> Any:
        return nn.utils.rnn.pad_sequence([row for part in parts for row in part], batch_first=True)

    def train(model: nn.Module, data: list[Any], accumulation: int) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for batch in data:
            (model(batch.unsqueeze(-1)).sum(1).mean() / accumulation).backward()
        optimizer.step()

    torch.manual_seed(0)
    assert_equals_large_batch(train, nn.Linear(1, 1, bias=False), [torch.randn(2, 3), torch.randn(2, 5)], join=join)


# Without PyTorch, and in pytest


def test_importing_it_loads_neither_torch_nor_pytest() -> None:
    program = (
        "import sys, gradlint.testing; dir(gradlint.testing); print({'torch', 'pytest', 'libcst', 'click'} & sys.modules.keys())"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT).stdout == "set()\n"


def test_the_plugin_has_a_fixture(tmp_path: Any) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["gradlint.testing.plugin"]\n')
    (tmp_path / "test_it.py").write_text(
        "import gradlint.testing\n\ndef test_it(equals_large_batch):\n"
        "    assert equals_large_batch is gradlint.testing.assert_equals_large_batch\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout
