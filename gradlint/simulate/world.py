"""A world: the assumptions about everything that the text leaves open, fixed for one run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

import libcst as cst

from gradlint.model.data.settings import Setting

PRIMES = (11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97)
PASSES = 2
WINDOW_OF = "the window of "
"""Prefix of the setting that represents N when an unknown flag alone says that a window is full."""
MANY = 211
"""The value of a bound that a run should not reach."""
DRIFTS = 1
"""How much an accumulation step count that changes during training grows."""
_EPOCHS = re.compile(r"epoch|^rounds?$|n_pass", re.I)
_PASS = re.compile(r"^(n_|num_)?(steps|iters?|iterations|batches)_(per|in)_epoch$|^epoch_(length|size|steps|iters)$", re.I)
_EPOCH_NOW = re.compile(r"^(cur_|current_|this_|i_)?epoch(_idx|_num|_id|_no|_i)?$")
_SETTINGS = re.compile(
    r"(^|[._])((?i:args?|opts?|options?|config|cfg|conf|flags?|hparams?|params?|hps?|settings|constants?)|C)$|"
    r"(args?|opts?|options?|config|cfg|settings)\(.*\)(\[\d\])?$"
)
_PACKAGES = frozenset(
    "builtins torch numpy math operator itertools functools os sys time random transformers accelerate deepspeed lightning "
    "pytorch_lightning apex fairscale torchvision tqdm wandb logging contextlib copy json yaml types collections typing".split()
)
_ROWS = re.compile(r"^(?!(n|num|no|sub|mini|micro)_?batch).*batch(_?size)?(_per_\w+)?$|^bsz?$|_bsz?$", re.I)
"""Names for the number of rows in a batch."""
_RATE = re.compile(r"(^|_)(lr|learning_rate)($|_)", re.I)
_TEACHER = re.compile(r"(^|_)(teacher|target|ema|momentum|frozen|reference|ref|old|prior)(_|$)", re.I)
"""Names of models that others are compared with, and whose weights are not stepped."""
_PROCESSES = re.compile(
    r"world_?size|num_?processes|device_?count|n_?proc|num_?replicas|^(n|num|number_of|total)_?(gpus?|nodes?|devices?|workers_total)$|"
    r"^(gpus|devices|nodes|ngpus?)(_per_node)?$",
    re.I,
)
_DISTRIBUTED = re.compile(r"distributed|(^|[._])(is_)?ddp($|_|\()|is_initialized|multi_?(gpu|process)", re.I)
"""Questions whether several processes train. The launcher sets the answer."""
_LAUNCHED = re.compile(r"^(LOCAL_|GROUP_)?(RANK|WORLD_SIZE) in ")
"""Questions whether a launcher has set the variables of a process."""
_RANK = re.compile(r"(^|_)rank$", re.I)
_BEGINS = re.compile(
    r"^(re)?(start|resume|begin|initial|init|first|last|prev|previous|completed|finished|skip|skipped|trained|done)_|"
    r"_(start|to_start|trained|completed|done|so_far|offset|to_skip)$|^(offset|start|(global|current|cur)_?(steps?|epoch|iter|iteration))$|"
    r"trained_in_current_epoch",
    re.I,
)
_LIMIT = re.compile(r"(max|limit).*per_epoch", re.I)
"""Names for a limit on how much of a pass is used."""
_BOUND = re.compile(
    r"(^|_)max(imum)?_|_max$|total|^(num|n)_(train|training|update|updates|optimization|iter|iters|iterations)", re.I
)
_COUNTER = re.compile(
    r"^(batch|micro|iter|global|train|local|cur|current|total|inner)?_?(batch_)?(idx|index|step|steps|i|it|iter|iteration|iterations|count|iter_num|"
    r"num_updates|update_num|step_num|num_iter)$"
)
_MEASURES = re.compile(
    r"_size|size_|per_gpu|per_device|^micro_?batch$|^(log|eval|save|print|valid|warm_?up|max|total|vis|test|pbar|bar|progress|report|display|plot)_|"
    r"loss|grads$|ator$|buffer|metric|dict$|stats?$|hook|fn$|func$|ed_|class",
    re.I,
)
_LOADED = re.compile(r"(^|\.)(load|safe_load|load_checkpoint|load_state|resume)\(|checkpoint|ckpt|state_dict", re.I)
_BUILT = re.compile(r"([a-z]\w*\.)*[A-Z]\w*(\.\w+)?\(")
"""How the identity of something built by a class begins."""
_INNER = re.compile(r"(\.\w+|\['?\w+'?\])+$")
_WRITTEN = re.compile(r"(^|\.)(yaml|json|toml|tomli|tomllib|omegaconf)\.(safe_|full_|unsafe_)?load\(", re.I)
"""Files of settings. Loading one does not restore the state of an earlier run."""
_RESUMES = re.compile(r"resum|continue_|ckpt|checkpoint|restor|pretrain|reload|load_|last_|dry_?run|debug|profil|inference", re.I)


@dataclass(frozen=True)
class World:
    """The assumptions of one run.

    `n` is the value of the settings that count as accumulation steps: those in `n_names`, and those whose names suggest it.
    `length` is the number of batches in a pass over data of unknown length, and `passes` the number of epochs that settings
    ask for. `answers` are the questions with an unusual answer, `strings` the values of settings that are compared with
    strings, and `numbers` those of settings with an unusual number. `small` says that batches have two rows.

    `detour` is a branch that the data decide and that takes its other arm once, and how many times it runs before that. After
    `drift` iterations, accumulation step counts that depend on a counter grow by DRIFTS; for the settings in `growing`, only
    `drift` changes the number. `due` are remainders that are always 0, as if their divisor were 1, so that anything done
    periodically happens every time. `paces` are the settings that say how often something happens and that equal N.

    `processes` is how many processes train; `wrapper` is a call that is presumed to have wrapped the model for them. The
    branches in loops that the data decide are numbered in the order in which they are first met: those in `elsewhere` always
    take their other arm, and for those in `settled` all arms are tried, so the data no longer decide. `seeking` says that the
    run only looks for an update, and ends at the first. A run ends early after as many micro-batches as `enough` passes have.
    `calls` is how often an unseen caller calls a function that goes over the data by itself. `rows` are lengths of data that
    are numbers of rows, each with the rows of a batch: a pass has whole batches.
    """

    n: int = 3
    length: int = 8
    n_names: frozenset[str] = frozenset()
    not_n: frozenset[str] = frozenset()
    answers: tuple[tuple[str, bool], ...] = ()
    strings: tuple[tuple[str, str], ...] = ()
    numbers: tuple[tuple[str, float], ...] = ()
    small: bool = False
    detour: tuple[cst.CSTNode, int] | None = None
    drift: int | None = None
    due: frozenset[cst.CSTNode] = frozenset()
    processes: int = 1
    wrapper: cst.CSTNode | None = None
    paces: frozenset[str] = frozenset()
    elsewhere: frozenset[int] = frozenset()
    settled: frozenset[int] = frozenset()
    growing: frozenset[str] = frozenset()
    passes: int = PASSES
    seeking: bool = False
    enough: int = PASSES
    calls: int = 1
    rows: tuple[tuple[str, int], ...] = ()


@dataclass
class Asked:
    """What a run needed to know about its world.

    `numbers` are the settings used as numbers. `questions` are the unknown conditions, each with its answer: those in
    `deciding` decide about training, those in `leading` may lead to backward passes when answered otherwise, and those in
    `looped` came up in a loop. `branches` maps each branch to its first question. `passed_by` are the questions whose other
    answer skips a loop and leads to others. `thresholds` maps each branch with a backward pass in an arm that was never taken
    to a setting and the number that would lead there; to None once the arm was taken.

    `gates` are the settings that conditions around weight updates depend on. `moduli` are the plain numbers there, and `idle`
    the remainders elsewhere. `rests` are the remainders of data lengths, by node, and `kept` those with a name. `masked` says
    that the code tests the bits of N, so N is a power of two. `absent` says which accumulation step counts are tested for 0
    or None, and where. `drifting` are the accumulation step counts that depend on a counter, with how often they were
    computed. `paces` are the settings used as divisors of remainders.

    `forks` are the branches that the data decide, each with the number of events before each of its executions. `varied` are
    all branches in loops that the data decide, numbered in the order in which they are first met. `wraps` says that the run
    reached the code that wraps a model for several processes. `refuted` are the questions that the way to a loop answers
    otherwise than code before it, each with the answer that leads there. `stated` are the settings that come from files. `rows`
    are the lengths of data that were divided by the rows of a batch, which are the numbers, and `lengths` those that conditions
    around weight updates depend on.
    """

    numbers: dict[str, int | float] = field(default_factory=dict)
    questions: dict[str, bool] = field(default_factory=dict)
    deciding: set[str] = field(default_factory=set)
    leading: set[str] = field(default_factory=set)
    looped: set[str] = field(default_factory=set)
    branches: dict[cst.CSTNode, str] = field(default_factory=dict)
    compared: dict[str, list[str]] = field(default_factory=dict)
    gates: set[str] = field(default_factory=set)
    moduli: set[int] = field(default_factory=set)
    idle: set[cst.CSTNode] = field(default_factory=set)
    rests: dict[cst.CSTNode, int] = field(default_factory=dict)
    kept: dict[cst.CSTNode, int] = field(default_factory=dict)
    masked: bool = False
    absent: dict[tuple[cst.CSTNode | None, str], bool] = field(default_factory=dict)
    actual: dict[str, int | float] = field(default_factory=dict)
    drifting: dict[str, int] = field(default_factory=dict)
    forks: dict[cst.CSTNode, list[int]] = field(default_factory=dict)
    paces: set[str] = field(default_factory=set)
    varied: dict[cst.CSTNode, int] = field(default_factory=dict)
    passed_by: dict[str, bool] = field(default_factory=dict)
    thresholds: dict[cst.CSTNode, tuple[str, float] | None] = field(default_factory=dict)
    wraps: bool = False
    refuted: dict[str, bool] = field(default_factory=dict)
    stated: dict[str, Setting] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    lengths: set[str] = field(default_factory=set)


def spells_pass(name: str) -> bool:
    """Whether a name suggests the number of batches in one pass: `steps_per_epoch`."""
    return _PASS.search(name) is not None


def spells_current_epoch(name: str) -> bool:
    """Whether a name suggests the number of the current pass over the data."""
    return _EPOCH_NOW.search(name) is not None


def spells_epochs(name: str) -> bool:
    """Whether a name suggests a count of passes over the data."""
    return _EPOCHS.search(name) is not None


@lru_cache(maxsize=8192)
def spells_setting(identity: str) -> bool:
    """Whether something is an entry of the settings, judged by the name of its container."""
    owner = identity.rpartition("[")[0] if identity.endswith("]") else identity.rpartition(".")[0]
    return _SETTINGS.search(owner) is not None


def spells_teacher(name: str) -> bool:
    """Whether a name suggests a model that others learn from."""
    return _TEACHER.search(name) is not None


def spells_rate(name: str) -> bool:
    """Whether a name is that of a learning rate."""
    return _RATE.search(name) is not None


def spells_rows(name: str) -> bool:
    """Whether a name may be the number of rows in a batch."""
    return _ROWS.search(name) is not None


def known_package(path: str) -> bool:
    """Whether a dotted name belongs to a package that holds no user settings."""
    return path.partition(".")[0] in _PACKAGES


def spells_constant(name: str) -> bool:
    """Whether a name is written like a constant: `BATCH_SIZE`, `EPOCHS`."""
    return name.isupper() and ("_" in name or spells_epochs(name))


def spells_counter(name: str) -> bool:
    """Whether a name suggests a counter of micro-batches."""
    return _COUNTER.search(name) is not None


def measures(name: str) -> bool:
    """Whether a name that mentions steps is a quantity, or says how often something else happens."""
    return _MEASURES.search(name) is not None


@lru_cache(maxsize=8192)
def spells_resumption(name: str) -> bool:
    """Whether a name suggests a resumed run, or anything else but a plain, complete one.

    For the attributes of an object built by a class, only the attribute path counts: `BertForPreTraining(args).config` resumes
    nothing.
    """
    inner = _INNER.search(name) if _BUILT.match(name) else None
    return _RESUMES.search(inner.group() if inner is not None else name) is not None


@lru_cache(maxsize=4096)
def last_part(identity: str) -> str:
    """The last name of a setting's identity: `steps` for `cfg["train"].steps()`."""
    return identity.rsplit(".", 1)[-1].split("[")[-1].strip("]'\"()")


def spells_processes(name: str) -> bool:
    """Whether a name asks if there are several processes."""
    return _DISTRIBUTED.search(name) is not None or _LAUNCHED.search(name) is not None


def spells_process(name: str) -> bool:
    """Whether a name is a number of processes, or the number of one."""
    return _PROCESSES.search(name) is not None or _RANK.search(name) is not None


def assumed_number(name: str, default: int | float | None, processes: int = 1, passes: int = PASSES) -> int | float | None:
    """The number that a name implies: training starts from the beginning, and no bound is reached. None if it implies nothing."""
    owner, name = name.rpartition("[" if name.endswith("]") else ".")[0], last_part(name)
    if _PROCESSES.search(name):
        return processes
    if _RANK.search(name):
        return 0 if default is None or processes > 1 else default
    if default is not None:
        return None
    if _LOADED.search(owner) and not _WRITTEN.search(owner):
        return 0
    if _BEGINS.search(name):
        return 0
    if _EPOCH_NOW.search(name) and not _SETTINGS.search(owner):
        return 0
    if _LIMIT.search(name):
        return MANY
    if spells_epochs(name):
        return passes
    return MANY if _BOUND.search(name) else None
