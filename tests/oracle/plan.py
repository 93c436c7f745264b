"""What a generated program is: one choice per question that the field answers in several ways, and the bugs it carries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

Option = TypeVar("Option")
Choose = Callable[[Sequence[Any]], Any]

BUGS = (
    "GRD101 GRD102 GRD103 GRD104 GRD106 GRD201 GRD202 GRD203 GRD204 GRD205 GRD206 GRD301 GRD302 GRD303 GRD304 GRD305 GRD306 "
    "GRD307 GRD401 GRD402 GRD403 GRD404 GRD501 GRD601 GRD602 GRD603"
).split()
"""The bugs that can be put into a program. The others of the catalogue are not in a loop that a script runs by itself."""


def _one_of(*options: Any) -> Any:
    """A choice; the first option is the plainest, to which failures shrink."""
    return field(default=options[0], metadata={"options": options})


@dataclass(frozen=True)
class Plan:
    """A program, as the answers to what its author decided."""

    n: int = _one_of(2, 3, 4)
    shape: str = _one_of("script", "function", "class", "helpers", "given")
    names: int = _one_of(0, 1, 2, 3, 4)
    steps_as: str = _one_of("constant", "literal", "args", "config", "local", "ratio", "parameter")
    loop: str = _one_of(
        "enumerate", "from one", "range", "zip", "top", "bottom", "before test", "tqdm", "while", "global", "reset",
        "reset carried", "stream", "windows", "nested",
    )  # fmt: skip
    spelling: int = _one_of(0, 1, 2, 3, 4)
    guard: str = _one_of("if", "flag", "continue", "else", "function", "split", "twice negated")
    tail: str = _one_of("guard", "after")
    last_index: int = _one_of(0, 1, 2)
    division: str = _one_of(
        "assign", "augment", "inline", "criterion", "inverse", "method", "gradient", "if more", "helper", "rescale", "torch", "hoisted"
    )  # fmt: skip
    loss: str = _one_of("criterion", "functional", "helper", "twice")
    aux: bool = _one_of(False, True)
    amp: str = _one_of("no", "yes", "arms", "enabled")
    autocast: bool = _one_of(False, True)
    clip: str = _one_of("no", "norm", "value")
    unscale: bool = _one_of(False, True)
    optimizer: str = _one_of("SGD", "momentum", "AdamW", "Adam")
    optimizers: int = _one_of(1, 2)
    together: bool = _one_of(False, True)
    zero: str = _one_of("method", "to none", "model", "by hand", "before forward")
    scheduler: str = _one_of("no", "step", "lambda", "cosine", "onecycle", "linear", "epoch")
    length: str = _one_of("floor", "ceil", "variable", "literal")
    ema: str = _one_of("no", "averaged", "own")
    engine: str = _one_of("none", "none", "none", "accumulate", "prepared", "ddp")
    sync: str = _one_of("nullcontext", "arms", "attribute")
    log: str = _one_of("no", "sum", "true")
    noise: tuple[str, ...] = ()
    comments: int = _one_of(0, 1, 2, 3)
    accumulates: bool = _one_of(True, True, True, True, True, True, True, False)
    bugs: frozenset[str] = frozenset()

    @property
    def restarts(self) -> bool:
        """Whether the count of micro-batches begins anew with each pass over the data."""
        return self.loop not in ("global", "reset carried", "stream", "windows")

    @property
    def finite(self) -> bool:
        """Whether passes over the data end, so that there is a tail."""
        return self.loop not in ("stream", "windows")

    @property
    def has_counter(self) -> bool:
        return self.loop not in ("windows", "nested")


NOISE = ("log", "evaluate", "skip nan", "save", "grad norm", "other loop", "metrics", "try")


def draw(choose: Choose) -> Plan:
    """A plan by independent choices, made consistent."""
    settings = {each.name: choose(each.metadata["options"]) for each in fields(Plan) if "options" in each.metadata}
    noise = tuple(each for each in NOISE if choose((False, False, False, True)))
    few = choose((0, 1, 1, 2, 2, 3, 4))
    bugs = frozenset(choose(BUGS) for _ in range(few))
    return consistent(Plan(**settings, noise=noise, bugs=bugs))


def smaller(plan: Plan) -> Iterator[Plan]:
    """Plans that are one step plainer, the largest steps first."""
    for bug in sorted(plan.bugs):
        yield consistent(replace(plan, bugs=plan.bugs - {bug}))
    for noise in plan.noise:
        yield replace(plan, noise=tuple(each for each in plan.noise if each != noise))
    for each in fields(Plan):
        if "options" in each.metadata and getattr(plan, each.name) != each.default:
            yield consistent(replace(plan, **{each.name: each.default}))


_EXCLUSIVE = (
    ("GRD101", "GRD102", "GRD103", "GRD104"),
    ("GRD203", "GRD205", "GRD206"),
    ("GRD301", "GRD303"),
    ("GRD401", "GRD403"),
    ("GRD305", "GRD307"),
    ("GRD601", "GRD602", "GRD603"),
)


def consistent(plan: Plan) -> Plan:
    """The nearest plan that means something: bugs without a place are dropped, choices that exclude each other settled."""
    engine = plan.engine
    if engine == "accumulate":
        plan = _accelerated(plan)
    plan = _settled(plan)
    bugs = set(plan.bugs)
    for group in _EXCLUSIVE:
        for each in [bug for bug in group if bug in bugs][1:]:
            bugs.discard(each)
    bugs -= set(_impossible(plan, bugs))
    if "GRD106" in bugs and plan.log == "no":
        bugs.discard("GRD106")
    if "GRD501" in bugs:
        plan = replace(plan, optimizer="Adam")
    if bugs & {"GRD201"} and plan.tail == "after":
        plan = replace(plan, tail="guard")
    if "GRD204" in bugs:
        plan = replace(plan, tail="guard" if plan.tail == "after" else plan.tail)
        plan = replace(plan, zero="method" if plan.zero == "before forward" else plan.zero)
    return replace(plan, bugs=frozenset(bugs))


def _accelerated(plan: Plan) -> Plan:
    """Accelerate's own loop: the engine counts, divides and gates."""
    return replace(
        plan, loop="enumerate", guard="if", tail="guard", division="inline" if plan.division == "rescale" else plan.division,
        amp="no", loss="criterion" if plan.loss == "twice" else plan.loss, unscale=False, zero="method", optimizers=1, shape=plan.shape,
        noise=tuple(each for each in plan.noise if each in ("log", "evaluate", "metrics")), aux=False,
        ema="no" if plan.ema == "own" else plan.ema, accumulates=True, log="no",
    )  # fmt: skip


def _settled(plan: Plan) -> Plan:
    if plan.engine == "prepared":
        plan = replace(plan, amp="no", unscale=False)
        if plan.division in ("gradient", "rescale"):
            plan = replace(plan, division="assign")
    if plan.amp == "no":
        plan = replace(plan, unscale=False, autocast=False)
    if plan.clip != "no" and plan.amp != "no":
        plan = replace(plan, unscale=True)
    if plan.optimizers == 1:
        plan = replace(plan, together=False)
    if plan.scheduler in ("no", "step", "lambda", "epoch"):
        plan = replace(plan, length="floor")
    if plan.scheduler == "onecycle" and plan.length == "floor":
        plan = replace(plan, length="ceil")  # PyTorch refuses a step more than it was told
    if plan.scheduler == "epoch" and plan.finite and not plan.restarts:
        plan = replace(plan, scheduler="step")  # a window that two passes share has no rate of its own
    if not plan.finite and plan.length in ("floor", "ceil", "variable"):
        plan = replace(plan, length="literal")
    if plan.loop in ("nested", "windows"):
        plan = replace(plan, guard="if", tail="guard", zero="method" if plan.zero == "before forward" else plan.zero)
    if plan.loop in ("reset", "reset carried"):
        plan = replace(
            plan, guard="flag" if plan.guard == "flag" else "if", zero="method" if plan.zero == "before forward" else plan.zero
        )
    if plan.guard == "continue" and ("skip nan" in plan.noise or "try" in plan.noise or plan.loop == "bottom"):
        plan = replace(plan, guard="if")
    if "skip nan" in plan.noise and plan.loop in (
        "bottom",
        "before test",
        "global",
        "reset",
        "reset carried",
        "stream",
        "nested",
        "windows",
    ):
        plan = replace(plan, noise=tuple(each for each in plan.noise if each != "skip nan"))
    if plan.engine == "ddp" and (
        plan.guard in ("continue", "else", "function")
        or plan.loop in ("windows", "nested", "reset", "reset carried", "before test")
    ):
        plan = replace(plan, guard="flag", loop="enumerate")
    if plan.engine == "ddp":
        plan = replace(
            plan,
            guard="flag",
            tail="guard",
            optimizers=1,
            zero="method" if plan.zero == "model" else plan.zero,
            loss="criterion" if plan.loss in ("helper", "twice") else plan.loss,
        )
    if not plan.accumulates:
        plain = plan.loop in ("enumerate", "from one", "range", "zip", "tqdm")
        plan = replace(plan, tail="guard", guard="if", loop=plan.loop if plain else "enumerate")
        plan = replace(plan, zero="method" if plan.zero == "before forward" else plan.zero)
    if not plan.finite or plan.loop == "global" or plan.loop == "reset carried":
        plan = replace(plan, tail="none")
    elif plan.tail == "none":
        plan = replace(plan, tail="guard")
    if plan.loop in ("while", "stream", "before test") and plan.tail == "guard":
        plan = replace(plan, tail="after")
    if plan.loop == "nested":
        plan = replace(plan, tail="none", division="assign" if plan.division in ("rescale",) else plan.division)
    if plan.loop == "reset" and plan.tail == "guard":
        plan = replace(plan, tail="after")
    if plan.log == "sum" and plan.loop in ("windows", "nested"):
        plan = replace(plan, log="no")
    return plan


def _impossible(plan: Plan, bugs: set[str]) -> Iterator[str]:
    """The bugs that have no place in the program."""
    if not plan.accumulates:
        yield from (
            bug for bug in BUGS if bug not in ("GRD501", "GRD205", "GRD206", "GRD302", "GRD303", "GRD306", "GRD307", "GRD403")
        )
        if plan.engine == "prepared":
            yield from ("GRD302", "GRD306", "GRD307")
    if plan.engine == "accumulate":
        yield from (bug for bug in BUGS if bug not in ("GRD102", "GRD301", "GRD404", "GRD501", "GRD205"))
    if plan.loop in ("windows", "nested"):
        yield from ("GRD201", "GRD202", "GRD204")
    if plan.loop in ("reset", "reset carried"):
        yield "GRD201"
    if plan.tail == "none":
        yield "GRD202"
    if not plan.aux or plan.loss == "twice":
        yield "GRD104"
    if plan.division in ("rescale", "gradient", "helper"):
        yield from ("GRD104", "GRD106", "GRD102")
    if plan.division == "rescale":
        yield "GRD206"  # nothing shows that nothing is divided
    if plan.division in ("rescale", "gradient", "helper", "if more", "hoisted") or plan.steps_as in ("args", "local"):
        yield "GRD103"  # nobody knows that a number is not what the command line will say
    if plan.division == "inline" or plan.log == "no" or plan.loss == "twice":
        yield "GRD106"
    if bugs & {"GRD101", "GRD102", "GRD103", "GRD104"}:
        yield "GRD106"
    if plan.amp == "no" or (plan.amp == "enabled" and bugs & {"GRD306"}):
        yield from ("GRD302", "GRD304", "GRD305", "GRD306", "GRD307")
    if plan.clip == "no":
        yield from ("GRD301", "GRD302", "GRD303")
    if not plan.unscale:
        yield "GRD304"
    if bugs & {"GRD302"}:
        yield "GRD304"
    if bugs & {"GRD301", "GRD303"}:
        yield from ("GRD302",)
    if bugs & {"GRD306"}:
        yield from ("GRD302", "GRD304", "GRD305", "GRD307")
    if plan.scheduler in ("no", "epoch"):
        yield from ("GRD401", "GRD403")
    if plan.scheduler in ("no", "epoch", "step", "lambda") or plan.length == "literal" or "GRD401" in bugs or not plan.finite:
        yield "GRD402"
    if plan.ema == "no":
        yield "GRD404"
    if plan.engine != "ddp":
        yield from ("GRD601", "GRD602", "GRD603")
    if "GRD204" in bugs:
        yield from (
            "GRD201",
            "GRD202",
            "GRD203",
            "GRD205",
            "GRD206",
            "GRD301",
            "GRD303",
            "GRD304",
            "GRD305",
            "GRD401",
            "GRD402",
            "GRD403",
            "GRD404",
            "GRD101",
            "GRD102",
            "GRD103",
            "GRD601",
            "GRD602",
            "GRD603",
        )
    if plan.zero == "before forward":
        yield from ("GRD203", "GRD205", "GRD206", "GRD204", "GRD201")
    if plan.guard in ("continue",):
        yield from ("GRD401", "GRD404", "GRD305")
