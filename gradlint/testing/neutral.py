"""Makes a model's output independent of how samples are batched: no dropout, and no statistics of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

_DROPOUTS = frozenset(
    (
        F.dropout,
        F.dropout1d,
        F.dropout2d,
        F.dropout3d,
        F.alpha_dropout,
        F.feature_alpha_dropout,
        torch.dropout,
        torch.alpha_dropout,
        torch.feature_dropout,
        torch.feature_alpha_dropout,
    )
)


class Neutral(TorchFunctionMode):
    """Inside, dropout drops nothing, and batch normalization uses its running statistics.

    A call of a function is replaced, not a module's setting: training code may call `model.train()`, and may drop out without
    a module.
    """

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if func in _DROPOUTS:
            return args[0] if args else given["input"]
        if func is F.scaled_dot_product_attention:
            args = _with(args, given, 4, "dropout_p", 0.0)
        if func is F.batch_norm and (args[1] if len(args) > 1 else given.get("running_mean")) is not None:
            args = _with(args, given, 5, "training", False)
        return func(*args, **given)


def _with(args: tuple[Any, ...], given: dict[str, Any], place: int, name: str, value: Any) -> tuple[Any, ...]:
    """The arguments with another value for one of them, which is set in the named ones if it is not given by place."""
    if len(args) > place:
        return (*args[:place], value, *args[place + 1 :])
    given[name] = value
    return args


def silence(model: nn.Module) -> None:
    """Turn off the dropout of modules that drop out inside one function of PyTorch."""
    for module in model.modules():
        if isinstance(module, (nn.RNNBase, nn.MultiheadAttention)):
            module.dropout = 0.0


def batch_statistics(model: nn.Module) -> list[str]:
    """The names of the modules that normalize by the statistics of a batch."""
    return [name for name, module in model.named_modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
