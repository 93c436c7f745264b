"""The meaning of names: constructors first, then spellings. This is the single table of the field's vocabulary.

Sources: torch.optim, torch.optim.lr_scheduler, torch.amp and torch.nn.utils of PyTorch 2.13; accelerate 1.15 (`Accelerator`,
`AcceleratedOptimizer`, `AcceleratedScheduler`); lightning.fabric 2.6; transformers 5 (`transformers.optimization`); diffusers
(`diffusers.optimization`); DeepSpeed (`deepspeed.initialize`); NVIDIA apex (`apex.amp`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from itertools import pairwise


class Role(str, Enum):
    """The role of an object in training."""

    OPTIMIZER = "optimizer"
    SCHEDULER = "scheduler"
    SCALER = "scaler"
    ACCELERATOR = "accelerator"
    FABRIC = "fabric"
    DEEPSPEED = "deepspeed engine"
    EMA = "ema"
    LOADER = "loader"
    ENDLESS = "endless iterator"
    PARALLEL = "data-parallel model"
    OTHER = "other"


_OPTIMIZER_NAMES = frozenset(
    (
        "SGD Adam AdamW NAdam RAdam Adamax Adagrad Adadelta RMSprop ASGD Rprop LBFGS SparseAdam Adafactor Muon Lion "
        "LAMB Lamb FusedAdam FusedLAMB FusedSGD AdamW8bit Adam8bit PagedAdamW8bit DeepSpeedCPUAdam BertAdam "
        "OpenAIAdam Ranger RangerLars AdaBelief AdaBound Lookahead LARS LARC SophiaG ScheduleFree Prodigy DAdaptation "
        "NovoGrad AdamP SGDP ZeroRedundancyOptimizer FP16_Optimizer DistributedOptimizer create_optimizer "
        "build_optimizer get_optimizer make_optimizer smart_optimizer configure_optimizers setup_optimizer "
        "create_optimizer_v2 init_optimizer initialize_optimizer optimizer_class optimizer_cls get_optimizer_cls"
    ).split()
)
_SCHEDULER_NAMES = frozenset(
    (
        "StepLR MultiStepLR ConstantLR LinearLR ExponentialLR PolynomialLR CosineAnnealingLR ChainedScheduler "
        "SequentialLR ReduceLROnPlateau CyclicLR SWALR OneCycleLR CosineAnnealingWarmRestarts LambdaLR MultiplicativeLR "
        "LRScheduler _LRScheduler get_scheduler get_linear_schedule_with_warmup get_cosine_schedule_with_warmup "
        "get_constant_schedule get_constant_schedule_with_warmup get_cosine_with_hard_restarts_schedule_with_warmup "
        "get_polynomial_decay_schedule_with_warmup get_inverse_sqrt_schedule WarmupLinearSchedule "
        "WarmupCosineSchedule WarmupConstantSchedule GradualWarmupScheduler CosineLRScheduler TimmScheduler "
        "get_wsd_schedule get_cosine_with_min_lr_schedule_with_warmup create_scheduler create_scheduler_v2 build_scheduler "
        "get_lr_scheduler create_lr_scheduler build_lr_scheduler get_schedule make_lr_scheduler"
    ).split()
)
_NOISE_SCHEDULERS = re.compile(
    r"(DDPM|DDIM|PNDM|Euler|DPM|Heun|LMS|UniPC|FlowMatch|Karras|LCM|EDM|Noise)\w*Scheduler|GaussianDiffusion"
)
_BY_LAST_NAME: dict[str, Role] = {
    "GradScaler": Role.SCALER,
    "ShardedGradScaler": Role.SCALER,
    "Accelerator": Role.ACCELERATOR,
    "Fabric": Role.FABRIC,
    "DataLoader": Role.LOADER,
    "StatefulDataLoader": Role.LOADER,
    "DistributedDataParallel": Role.PARALLEL,
    "DDP": Role.PARALLEL,
    "FullyShardedDataParallel": Role.PARALLEL,
    "FSDP": Role.PARALLEL,
    "cycle": Role.ENDLESS,
    "EMAModel": Role.EMA,
    "ModelEma": Role.EMA,
    "ModelEmaV2": Role.EMA,
    "ModelEmaV3": Role.EMA,
    "ModelEMA": Role.EMA,
    "EMA": Role.EMA,
    "ExponentialMovingAverage": Role.EMA,
    "AveragedModel": Role.EMA,
    "LitEma": Role.EMA,
    "StandardScaler": Role.OTHER,
    "MinMaxScaler": Role.OTHER,
    "create_study": Role.OTHER,
    "BackgroundScheduler": Role.OTHER,
    "parse_args": Role.OTHER,
    "profile": Role.OTHER,
    "GANOptimizer": Role.OTHER,
}


@lru_cache(maxsize=8192)
def role_of_constructor(qualified: str) -> Role | None:
    """The role of the object that a constructor with this qualified name returns, or None if the name does not show it."""
    last = qualified.rsplit(".", 1)[-1]
    if _NOISE_SCHEDULERS.search(qualified) or qualified in ("sched.scheduler", "torch.profiler.schedule"):
        return Role.OTHER
    if last == "GradScaler" and qualified.startswith(("sklearn", "paddle")):
        return Role.OTHER
    if last in _BY_LAST_NAME:
        return _BY_LAST_NAME[last]
    is_class = last[:1].isupper() and last not in _SCHEDULER_NAMES
    if last in _OPTIMIZER_NAMES or (is_class and qualified.startswith("torch.optim.") and "lr_scheduler" not in qualified):
        return Role.OPTIMIZER if not qualified.startswith("optuna") else Role.OTHER
    if last in _SCHEDULER_NAMES or "lr_scheduler." in qualified:
        return Role.SCHEDULER
    if last == "GradScaler":
        return Role.SCALER
    return None


_OPTIMIZER_SPELLING = re.compile(r"(^|_)(optim|optimizers?|opts?|optimiser|optm)(_|\d|$)|optimizer", re.I)
_SCHEDULER_SPELLING = re.compile(
    r"(^|_)(lr_?)?(sched|schedulers?|schdl|shceduler)(_|\d|$)|scheduler|^lr_?policy$|lr_schedule|_schedule$", re.I
)
_NOT_LR = re.compile(r"noise|diffus|ddim|ddpm|beta|sampl|mask|kl_|temperature|curriculum|dropout|profil|job|task_", re.I)
_SCALER_SPELLING = re.compile(r"^(grad(ient)?_?|amp_?|loss_?|fp16_?|native_?)?scaler$|gradscaler|grad_scaler", re.I)
_EMA_SPELLING = re.compile(r"(^|_)ema(_|\d|$)|^ema|ema$|moving_?average|averaged_model|swa_model", re.I)
OF_NUMBERS = re.compile(r"loss|reward|metric|stat(s|_|$)|score|(^|_)acc(_|$)|time|norm|shift|baseline", re.I)
"""Matches names of other things than weights that are averaged in training."""
_LOADER_SPELLING = re.compile(
    r"loader|^dl$|_dl$|^dl_|batches$|^(train_?)?data$|_iterator$|dataset$|^data_?iter$|generator$", re.I
)
_ENDLESS_SPELLING = re.compile(r"infinit|endless|cycle|forever|inf_|stream|repeat", re.I)


@lru_cache(maxsize=8192)
def role_of_spelling(name: str) -> Role | None:
    """The role that a bare name suggests. Used only if its binding does not show the role."""
    if name in ("accelerator",):
        return Role.ACCELERATOR
    if name in ("fabric",):
        return Role.FABRIC
    if _SCHEDULER_SPELLING.search(name):
        return Role.OTHER if _NOT_LR.search(name) else Role.SCHEDULER
    if _OPTIMIZER_SPELLING.search(name) and not name.endswith("options"):
        return Role.OPTIMIZER
    if _SCALER_SPELLING.search(name):
        return Role.SCALER
    if _EMA_SPELLING.search(name):
        return Role.OTHER if OF_NUMBERS.search(name) else Role.EMA
    if _ENDLESS_SPELLING.search(name):
        return Role.ENDLESS
    if _LOADER_SPELLING.search(name):
        return Role.LOADER
    return None


LOSS_SPELLING = re.compile(r"loss|cost|nll|objective", re.I)
"""Matches the first argument of a wrapper around the backward pass."""

_STEPS_SPELLING = re.compile(
    r"accum|acumm?|(^|_)micro(?!_?batch_?size)_?(batch(es)?|steps?)?(_|$)|n_?micro|grad\w*_steps|iter_size|update_?(freq|every|interval)|"
    r"virtual_batch|batch_split|(num|n)_chunks|chunks|mini_?batch_?(steps|num)|steps_per_update|backward_steps|ga_steps|grad_acc|"
    r"batch_multiplier|optimizer_every|iters?_to_accum|(^|_)gas$",
    re.I,
)


_ASKS_SPELLING = re.compile(r"^(is|should|needs?|do|does|will|has|can|was|first|last)_|ing$", re.I)
"""Names that are yes-or-no questions or activities. `is_first_accum_step` is not a number of steps."""


@dataclass(frozen=True)
class Taught:
    """Settings of a project's configuration.

    These are additional last names of variables, attributes and their constructors. `max_size` is the number of relevant
    characters that are parsed in a file, or None for the default.
    """

    optimizers: frozenset[str] = frozenset()
    schedulers: frozenset[str] = frozenset()
    accumulation_steps: frozenset[str] = frozenset()
    boundaries: frozenset[str] = frozenset()
    max_size: int | None = None

    def role_of_constructor(self, qualified: str) -> Role | None:
        """Like the function with this name, but configured names take precedence."""
        return self._role(qualified.rsplit(".", 1)[-1]) or role_of_constructor(qualified)

    def role_of_spelling(self, name: str) -> Role | None:
        """Like the function with this name, but configured names take precedence."""
        return self._role(name) or role_of_spelling(name)

    def spells_steps(self, name: str) -> bool:
        """Whether a name, dotted or not, is typical for accumulation steps."""
        last = name.rsplit(".", 1)[-1]
        return last in self.accumulation_steps or _spells_steps(last)

    def _role(self, last: str) -> Role | None:
        if last in self.optimizers:
            return Role.OPTIMIZER
        return Role.SCHEDULER if last in self.schedulers else None


UNTAUGHT = Taught()
"""Only the usual names, without any configuration."""

BOUNDARY_ARGUMENTS = frozenset(
    ("update_grad need_update do_update update_grads need_step do_step step_now is_update should_step").split()
)
"""Keyword arguments that give optimizer wrappers the boundary, as in timm and in the NativeScaler of MAE and Swin."""

CLIPS = frozenset(
    ("clip_grad_norm_ clip_grad_value_ clip_grad_norm clip_grad_value clip_grads_with_norm_ clip_gradients").split()
)
"""Functions and methods that clip gradients. Names without a trailing underscore are deprecated or wrappers."""


WRAPS_ITERABLE = frozenset(
    ("tqdm trange enumerate_with_progress track progress_bar auto_tqdm Progbar log_every notebook_tqdm").split()
)
"""Calls that iterate their argument unchanged, such as progress bars and metric loggers."""

GRADIENT_RESCALERS = re.compile(
    r"^(scale|rescale|normalize|average|avg|div|divide|multiply|mul|unscale_and_average)_?(the_)?(model_)?(grads?|gradients?)_?$|"
    r"^(grads?|gradients?)_(scale|rescale|div|normalize|average|mul)_?$|^scale_grads|^_?foreach_(div|mul)_$|multiply_grads|average_gradients_over_steps",
    re.I,
)
"""Matches helpers that divide the accumulated gradients instead of the loss."""

TRIGGERS = frozenset(
    (
        "backward manual_backward step zero_grad clip_grad_norm_ clip_grad_value_ clip_grad_norm clip_grad_value "
        "clip_gradients unscale_ update no_sync scale_loss step_update accumulate update_parameters initialize "
        "prepare grad"
    ).split()
)
"""Names of calls that make a function worth inlining, plus `grad` for assignments."""


UPDATES = frozenset(
    (
        "step optimize optimise optimizer optimiser optimize_step optimise_step optimizer_step optimiser_step step_optimizer "
        "step_optimiser do_step optim_step apply_gradients update_weights"
    ).split()
)
"""Methods of wrappers that update with the optimizer passed to them."""


@lru_cache(maxsize=8192)
def _spells_steps(last: str) -> bool:
    return bool(_STEPS_SPELLING.search(last) and not _ASKS_SPELLING.search(last))


@lru_cache(maxsize=8192)
def is_trigger(name: str) -> bool:
    """Whether a call has a name that some rule is about."""
    return name in TRIGGERS or bool(GRADIENT_RESCALERS.search(name))


_ZEROES = frozenset("zero zeros zeroes clear clean reset wipe flush none null".split())
_GRADIENTS = frozenset("grad grads gradient gradients".split())


@lru_cache(maxsize=8192)
def spells_zeroing(name: str) -> bool:
    """Whether a name says that gradients are zeroed: `set_zero_grad`, `clear_gradients`, `zeroGrads`.

    `zero_none_grad` is about gradients that are None: it leaves the others as they are.
    """
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+", name)]
    missing = any(first == "none" and second in _GRADIENTS for first, second in pairwise(words))
    return not missing and not _ZEROES.isdisjoint(words) and not _GRADIENTS.isdisjoint(words)


LENGTH_ARGUMENTS = frozenset(
    (
        "num_training_steps num_warmup_steps t_total total_steps steps_per_epoch T_max total_iters step_size "
        "step_size_up warmup_steps t_initial warmup_t max_steps max_iters num_steps total_step updates_per_epoch "
        "first_cycle_steps T_0 num_iters total_num_steps warmup_num_steps lr_lambda"
    ).split()
)
"""Keyword arguments of scheduler constructors that count steps of the schedule."""
