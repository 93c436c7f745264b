"""The objects of training, reduced to the state that matters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import libcst as cst

from gradlint.simulate.trace import Guard
from gradlint.simulate.values import NOTHING, ONE, Factor, Source, Tensor

AVERAGES = frozenset("update update_parameters step update_model_average".split())
"""Methods that add the weights to an average of them."""


@dataclass(eq=False, slots=True)
class Held:
    """One backward pass's term in the gradients: its current factor, and whether a GradScaler's factor is still in it."""

    source: Source
    factor: Factor
    scaled: bool
    event: int


@dataclass(eq=False)
class Thing:
    """An object of training, known by its `identity`. `optional` says that it may be None."""

    identity: str = ""
    node: cst.CSTNode | None = None
    optional: bool = False
    kept: dict[Any, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Optimizer(Thing):
    """What steps weights. `held` is what its gradients contain since they were cleared.

    `weights` are the parameters it was given, and `prepared` is the engine that decides when it steps.
    """

    number: int = 0
    models: frozenset[str] = NOTHING
    weights: tuple[Any, ...] = ()
    held: list[Held] = field(default_factory=list)
    built_by: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    prepared: Any = None
    unscaled: bool = False
    awaits_update: Any = None
    """The scaler that has unscaled it since the scaler's last update. PyTorch refuses to unscale twice."""
    stepped: bool = False
    through_scaler: bool = False
    """Whether its scaler has stepped it since the scaler's last update. PyTorch refuses to step twice."""


CONSTANT = "constant"
"""What builds a schedule that never changes the rate. It does not matter when it advances."""
OUT_OF_SIGHT = "an unknown class"
"""`built_by` of a schedule whose construction is visible, but of an unknown class."""


@dataclass(eq=False)
class Schedule(Thing):
    """What sets the learning rate: `length` is the number of steps it was built for, if known, `taken` how many it has taken.

    `lengths` are all numbers of steps that it was given, including a warm-up's, each with its place and its argument's name.
    `plain` are the whole numbers in the computation of its factor.
    """

    optimizer: Optimizer | None = None
    length: Any = None
    lengths: tuple[tuple[cst.CSTNode, str, Any], ...] = ()
    plain: frozenset[int] = frozenset()
    taken: int = 0
    built_by: str = ""
    prepared: Any = None


@dataclass(eq=False)
class Scaler(Thing):
    """A GradScaler. `enabled` may be unknown. `checked` says that it has looked for infinities since its last update."""

    enabled: Any = True
    checked: bool = False


@dataclass(eq=False)
class Scale(Thing):
    """The factor of a GradScaler, or a value computed from it."""

    scaler: Any = None


@dataclass(eq=False)
class Average(Thing):
    """An average of weights."""


@dataclass(eq=False)
class Network(Thing):
    """A model. `parallel` names its wrapper, and `syncs` says whether its gradients are averaged over processes now.

    `reduces` says that the wrapper is PyTorch's DistributedDataParallel, and `held_back` is what last turned the averaging off.
    `sharded` says that each process holds a part of its weights and gradients, as plain tensors. `path` are the branches taken
    on the way to the code that wraps it. `within` is the DistributedDataParallel around it, whose forward pass it does not run.
    `output` is the result of the last forward pass.
    """

    models: frozenset[str] = NOTHING
    parallel: str = ""
    syncs: bool = True
    reduces: bool = False
    held_back: cst.CSTNode | None = None
    prepared: Any = None
    sharded: bool = False
    path: tuple[Guard, ...] = ()
    within: Network | None = None
    output: Tensor | None = None

    def is_certain(self, path: Iterable[Guard]) -> bool:
        """Whether the model is wrapped whenever these branches are taken."""
        here = {(id(node), arm) for node, arm, _ in path}
        return all((id(node), arm) in here for node, arm, _ in self.path)


@dataclass(eq=False)
class Loader(Thing):
    """Batches of data. `length` is the number in a pass, `finite` is None if unknown, and `sized` says whether `len()` works.

    `in_windows` says that the size of the data is a multiple of N. `rows` identifies its data set.
    """

    rows: str = ""
    finite: bool | None = None
    sized: bool | None = None
    length: Any = None
    prepared: Any = None
    at_end: bool = False
    in_windows: bool = False


@dataclass(eq=False)
class Parameter(Thing):
    """The parameters of a model, or of an optimizer, as one object: a table by parameter has one entry for all of them.

    For the variable of a loop over all parameters, `walked` is how many conditions are around that loop.
    """

    owner: Any = None
    walked: int | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parameter) and self.owner is other.owner

    def __hash__(self) -> int:
        return id(self.owner)


@dataclass(eq=False)
class Gradient(Thing):
    """The gradient of parameters. `factor` is what multiplied it since it was read."""

    owner: Any = None
    factor: Factor = ONE


@dataclass(eq=False)
class Context(Thing):
    """A context manager: `kind` says what it does to `subject` while it is active."""

    kind: str = ""
    subject: Any = None
    flag: Any = True
    before: Any = None


@dataclass(eq=False)
class Accelerator(Thing):
    """An `Accelerator`: `steps` is the N that it divides by, `micro` counts entries of `accumulate()`.

    `prepares` says that it has prepared something. `doubt` is why something else may count, or set the boundary.
    """

    steps: Any = 1
    micro: int = 0
    syncs: bool = True
    used: bool = False
    prepares: bool = False
    doubt: str = ""
    loaders: list[Loader] = field(default_factory=list)


@dataclass(eq=False)
class Engine(Thing):
    """A DeepSpeed engine. It divides by `steps`, and updates on every `steps`-th call of `step()`.

    If `told`, the script decides when it updates instead. `trained` is how many micro-batches were backpropagated at its last
    call.
    """

    steps: Any = None
    micro: int = 0
    trained: int = 0
    told: bool = False
    optimizer: Optimizer | None = None
    network: Network | None = None
    schedule: Schedule | None = None


@dataclass(eq=False)
class IgniteEngine(Thing):
    """An Engine of ignite: it calls `process` with each batch, and its `handlers` at its events."""

    process: Any = None
    handlers: list[Any] = field(default_factory=list)


@dataclass(eq=False)
class Fabric(Thing):
    """Lightning's Fabric, whose backward pass divides nothing."""
