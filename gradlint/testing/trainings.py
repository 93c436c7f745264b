"""The runs that a comparison needs: the accumulated one, the large batch's, and runs on single micro-batches."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gradlint.testing.batches import Join, copied, joined
from gradlint.testing.difference import CannotCompare
from gradlint.testing.recording import Run, Scale, Tensors, record

Train = Callable[..., object]
Model = nn.Module | Callable[[], nn.Module]


@dataclass(frozen=True, eq=False)
class Trainings:
    """A training function, its reference, and what both of them train, on copies."""

    train: Train
    reference: Train
    model: nn.Module
    fresh: Callable[[], nn.Module]
    micro: tuple[Any, ...]
    accumulation: int
    large: tuple[Any, ...]
    dtype: torch.dtype | None
    device: str
    seed: int

    @property
    def windows(self) -> list[int]:
        """The numbers of micro-batches in the windows."""
        n, count = self.accumulation, len(self.micro)
        return [min(n, count - start) for start in range(0, count, n)]

    @property
    def tail(self) -> int:
        """The number of micro-batches in the last window if it is partial, else 0."""
        return len(self.micro) % self.accumulation

    def accumulated(self, *, scale: Scale | None = None, details: bool = False) -> Run:
        """The run with micro-batches."""
        return self._run(self.train, self.micro, self.accumulation, None, scale, details)

    def whole(self, *, scale: Scale | None = None) -> Run:
        """The run with large batches."""
        return self._run(self.reference, self.large, 1, None, scale, False)

    def alone(self, batch: Any, weights: Tensors | None = None) -> Run:
        """The reference's run on one batch, starting with some weights."""
        return self._run(self.reference, (batch,), 1, weights, None, False)

    def one_by_one(self) -> Run:
        """The reference's run with an update for each micro-batch."""
        return self._run(self.reference, self.micro, 1, None, None, False)

    def _run(
        self, train: Train, batches: Sequence[Any], n: int, weights: Tensors | None, scale: Scale | None, details: bool
    ) -> Run:
        model = self.fresh()
        if weights:
            model.load_state_dict(dict(weights), strict=False)
        given = [copied(each, self.dtype, self.device) for each in batches]

        def call(model: nn.Module) -> object:
            return train(model, given, n) if takes_accumulation(train) else train(model, given)

        try:
            return record(call, model, self.seed, scale=scale, details=details)
        except RuntimeError as error:
            if self.dtype is not None and "dtype" in str(error):
                raise CannotCompare(
                    f"the training function mixes {_spelled(self.dtype)} with another type. Let it take the type from its "
                    "model or batch, or pass `dtype=None` to compare in the model's own type."
                ) from error
            raise


def prepare(
    train: Train,
    model: Model,
    batches: Sequence[Any],
    accumulation: int | None,
    reference: Train | None,
    join: Join | None,
    dtype: torch.dtype | None,
    device: str,
    seed: int,
) -> Trainings:
    """Check what was given, and make the large batches. Raises CannotCompare."""
    micro = tuple(batches)
    if any(each is ... for each in (model, *micro)):
        raise CannotCompare("`...` is a placeholder: put a small model and a list of batches in its place")
    if not micro:
        raise CannotCompare("there are no batches: give at least one window of micro-batches")
    n = len(micro) if accumulation is None else accumulation
    if isinstance(n, bool) or not isinstance(n, int) or n < 2:
        raise CannotCompare(f"accumulation is {n!r}: it must be a whole number of 2 or more")
    if len(micro) < 2:
        raise CannotCompare("there is only one batch: give the micro-batches as a list, one batch each")
    if not takes_accumulation(train) and reference is None and n != len(micro):
        raise CannotCompare(
            f"the training function takes only a model and batches, so all {len(micro)} batches are one window, but "
            f"accumulation is {n}. Leave `accumulation` out, or let the function take it as a third argument."
        )
    large = tuple(joined(micro[start : start + n], join) for start in range(0, len(micro), n))
    first, fresh = _copies(model, dtype, device)
    return Trainings(train, reference or train, first, fresh, micro, n, large, dtype, device, seed)


def takes_accumulation(train: Train) -> bool:
    """Whether a function takes a third argument. If Python cannot tell, it does."""
    try:
        signature = inspect.signature(train)
    except (TypeError, ValueError):
        return True
    for given in ((None, None, None), (None, None)):
        try:
            signature.bind(*given)
        except TypeError:
            continue
        return len(given) == 3
    raise CannotCompare(
        f"the training function is called as `train(model, batches, accumulation)` or `train(model, batches)`, but it takes "
        f"{signature}. Wrap it in a function that does."
    )


def _copies(model: Model, dtype: torch.dtype | None, device: str) -> tuple[nn.Module, Callable[[], nn.Module]]:
    """A model to look at, and a function that returns a copy of it each time."""
    if isinstance(model, nn.Module):
        first = model
    elif callable(model):
        first = model()
    else:
        raise CannotCompare(f"the model is a {type(model).__name__}: pass a module, or a function that returns one")
    trained = [each for each in first.parameters() if each.requires_grad]
    if any(isinstance(each, nn.UninitializedParameter) for each in first.parameters()):
        raise CannotCompare("the model has lazy layers: run one batch through it first")
    if not trained:
        raise CannotCompare("the model has no parameter that requires gradients, so nothing can be trained")
    if dtype is not None and any(each.is_complex() for each in first.parameters()):
        raise CannotCompare("the model has complex parameters: pass `dtype=None`")

    def copy_of() -> nn.Module:
        try:
            made = copy.deepcopy(first)
        except Exception as error:
            raise CannotCompare(
                f"the model cannot be copied ({error}): pass a function that returns a new model instead of the model"
            ) from error
        return made.to(device=device, dtype=dtype) if dtype is not None else made.to(device=device)

    def built() -> nn.Module:
        made = model()
        made.load_state_dict(first.state_dict())
        return made.to(device=device, dtype=dtype) if dtype is not None else made.to(device=device)

    fresh = copy_of if isinstance(model, nn.Module) else built
    return first, fresh


def _spelled(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
