"""Finds the calls that matter to training: every call site of a walk, classified once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, lru_cache

import libcst as cst

from gradlint.model.events.backward import Backwards, is_loss
from gradlint.model.names.records import CallSite, Definition, RawEvent, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.names.vocabulary import BOUNDARY_ARGUMENTS, CLIPS, GRADIENT_RESCALERS, OF_NUMBERS, Role
from gradlint.model.syntax.expressions import argument, dotted, keywords, last_name, literal, method_call, text, uncast, walk
from gradlint.model.syntax.paths import Guard
from gradlint.model.types import Kind

_EMA_FUNCTION = re.compile(r"(update|step|accumulate).*(^|_)ema|(^|_)ema.*(update|step)|moving_average", re.I)
_CLIP_FUNCTION = re.compile(r"^(dispatch_)?clip_?(grad|gradient)s?(_norm|_value)?_?$|^clip_gradient", re.I)
_WRITES = frozenset(("add_scalar", "log", "log_dict", "log_metric", "log_metrics", "logkv", "logkv_mean"))
"""Methods of loggers that take numbers, by name or in a dictionary."""


class Classifier:
    """Turns the call sites of a trace into events."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.backwards = Backwards(resolver)

    def events(self) -> list[RawEvent]:
        """All events of the trace, in the order in which they run."""
        trace = self.resolver.trace
        found = [event for call in trace.calls for event in self.of_call(call)]
        for key, definitions in trace.definitions.items():
            if key.endswith((".grad", ".grad.data")):
                found.extend(self.of_definition(d) for d in definitions if d.frame.number not in self.clippers)
            found.extend(event for d in definitions if d.how == "augment" for event in self.of_sum(d))
        # What a scaler makes of the loss nobody takes for the loss.
        shown = (
            e for e in found if e.kind is not Kind.REPORT or e.loss is None or not self.backwards.carries_factor(e.loss, e.site)
        )
        return sorted(shown, key=lambda event: event.index)

    def of_call(self, call: CallSite) -> Iterator[RawEvent]:
        node = call.call
        name = last_name(node.func)
        run = self.resolver.trace.activations.get((id(node), call.frame.number))
        method = method_call(node)
        if run is not None and run.number in self.clippers and method is not None:
            yield RawEvent.of(Kind.CLIP, call, receiver=method[0])
        if name is None or (run is not None and name != "backward") or call.frame.number in self.clippers:
            return
        if name in ("no_sync", "no_backward_sync") and method is not None:
            yield RawEvent.of(Kind.NO_SYNC, call, receiver=method[0])
        elif (
            name == "item"
            and method is not None
            and not node.args
            and (is_loss(method[0]) or dotted(method[0]) in self.backpropagated)
        ):
            yield RawEvent.of(Kind.REPORT, call, loss=method[0])
        elif name == "float" and method is None and len(node.args) == 1 and self.is_backpropagated(node.args[0].value):
            yield RawEvent.of(Kind.REPORT, call, loss=node.args[0].value)
        elif name in _WRITES and method is not None:
            yield from self.written(call)
        elif name == "append" and len(node.args) == 1 and (detached := self.detached(node.args[0].value)) is not None:
            yield RawEvent.of(Kind.REPORT, replace(call, call=detached, statement=None), loss=_receiver(detached))
        elif name in ("backward", "manual_backward"):
            yield from self.backwards.of(call, method)
        elif name == "step" and method is not None:
            yield from self.step(call, method[0])
        elif name in ("optimizer_step",) and node.args:
            yield RawEvent.of(Kind.OPTIMIZER_STEP, call, target=self.identity(node.args[0].value, call))
        elif name == "zero_grad":
            yield self.zero_grad(call, method)
        elif _spells_clip(name) or self.imported_clip(node, name):
            if not _only_measures(node):
                yield RawEvent.of(Kind.CLIP, call, receiver=method[0] if method else None)
        elif name in ("unscale_", "unscale_gradients") and method is not None:
            target = self.identity(node.args[0].value, call) if node.args else None
            yield RawEvent.of(Kind.UNSCALE, call, target=target, receiver=method[0])
        elif _spells_rescaling(name) or self.rescales(node, method):
            yield RawEvent.of(Kind.GRAD_SCALE, call)
        elif method is not None and name in ("zero_", "detach_") and _ends_in_grad(method[0]):
            yield RawEvent.of(Kind.ZERO_GRAD, call)
        elif method is not None and name in ("update", "update_parameters", "update_model_average"):
            role = self.resolver.role(method[0], site_of(call))
            if role is Role.SCALER and name == "update":
                yield RawEvent.of(Kind.SCALER_UPDATE, call, receiver=method[0], owner=self.identity(method[0], call))
            elif role is Role.EMA and not _of_numbers(node):
                yield RawEvent.of(Kind.EMA_UPDATE, call, receiver=method[0])
        elif _spells_average(name):
            if not _of_numbers(node):
                yield RawEvent.of(Kind.EMA_UPDATE, call)
        elif name == "step_update" and method is not None:
            if self.resolver.role(method[0], site_of(call)) is Role.SCHEDULER:
                yield RawEvent.of(Kind.SCHEDULER_STEP, call, receiver=method[0])
        else:
            yield from self.wrapper(call, method)

    @cached_property
    def backpropagated(self) -> frozenset[str | None]:
        """The names on which `backward` is called, themselves or scaled."""
        found: set[str | None] = set()
        for site in self.resolver.trace.calls:
            method = method_call(site.call)
            if method is None or method[1] != "backward":
                continue
            given = [arg.value for arg in site.call.args if arg.keyword is None]
            if given:  # `engine.backward(loss)` names no loss by what stands before it
                found.add(dotted(given[0]))
                continue
            scaled = uncast(method[0])
            inner = scaled.args[0].value if isinstance(scaled, cst.Call) and scaled.args else scaled
            found.add(dotted(inner))
        return frozenset(found - {None})

    def is_backpropagated(self, node: cst.BaseExpression) -> bool:
        """The very value whose gradients are taken, out of its graph or not."""
        while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value in ("detach", "cpu"):
            node = node.func.value
        return dotted(node) in self.backpropagated

    def written(self, call: CallSite) -> Iterator[RawEvent]:
        """`writer.add_scalar("loss", loss, i)`, `wandb.log({"loss": loss})`: a tensor that the log takes the number of."""
        for arg in call.call.args:
            entries = arg.value.elements if isinstance(arg.value, cst.Dict) else ()
            for value in (arg.value, *(entry.value for entry in entries)):
                if isinstance(value, (cst.Name, cst.Attribute)) and dotted(value) in self.backpropagated:
                    yield RawEvent(Kind.REPORT, value, call.frame, call.path, call.index, None, None, loss=value)

    # Optimizers and what goes with them

    def step(self, call: CallSite, receiver: cst.BaseExpression) -> Iterator[RawEvent]:
        node, site = call.call, site_of(call)
        role = self.resolver.role(receiver, site)
        if role is Role.SCALER and node.args:
            target = self.identity(node.args[0].value, call)
            owner = self.identity(receiver, call)
            yield RawEvent.of(
                Kind.OPTIMIZER_STEP, call, through="scaler", target=target, scaled=True, receiver=receiver, owner=owner
            )
        elif role is Role.OPTIMIZER:
            yield RawEvent.of(Kind.OPTIMIZER_STEP, call, target=self.identity(receiver, call), receiver=receiver)
        elif role is Role.SCHEDULER and len(node.args) <= 2:
            yield RawEvent.of(Kind.SCHEDULER_STEP, call, owner=self.identity(receiver, call), receiver=receiver)
        elif role is Role.EMA:
            yield RawEvent.of(Kind.EMA_UPDATE, call, receiver=receiver)
        elif (
            role is Role.DEEPSPEED
            or re.search(r"engine|deepspeed", last_name(receiver) or "", re.I)
            or (role is None and last_name(receiver) in ("model", "net") and not node.args)
        ):
            yield RawEvent.of(Kind.OPTIMIZER_STEP, call, through="deepspeed", receiver=receiver)

        elif role is None and _steps_clipper(node):
            yield RawEvent.of(Kind.CLIP, call, receiver=receiver)

    @cached_property
    def clippers(self) -> frozenset[int]:
        """The activations of `clipper.step(parameters)` of this file which clip by no call that is an event itself."""
        trace = self.resolver.trace
        runs = {trace.activations.get((id(site.call), site.frame.number)) for site in trace.calls if _steps_clipper(site.call)}
        clipping = {site.frame.number for site in trace.calls if _spells_clip(last_name(site.call.func) or "")}
        return frozenset(run.number for run in runs if run is not None) - clipping

    def zero_grad(self, call: CallSite, method: tuple[cst.BaseExpression, str] | None) -> RawEvent:
        target = None
        if method is not None and self.resolver.role(method[0], site_of(call)) is Role.OPTIMIZER:
            target = self.identity(method[0], call)
        return RawEvent.of(Kind.ZERO_GRAD, call, target=target, receiver=method[0] if method else None)

    def imported_clip(self, node: cst.Call, name: str) -> bool:
        """`from torch.nn.utils import clip_grad_norm_ as bound`."""
        return type(node.func) is cst.Name and self.resolver.trace.facts.full_name(name).rsplit(".", 1)[-1] in CLIPS

    def rescales(self, node: cst.Call, method: tuple[cst.BaseExpression, str] | None) -> bool:
        """`p.grad.div_(n)`, `p.grad.data.mul_(x)`, `torch._foreach_div_(grads, n)`."""
        return method is not None and method[1] in ("div_", "mul_", "div", "mul") and _ends_in_grad(method[0])

    def wrapper(self, call: CallSite, method: tuple[cst.BaseExpression, str] | None) -> Iterator[RawEvent]:
        """`loss_scaler(loss, optimizer, ..., update_grad=boundary)`: backward and step in one call of another file."""
        node = call.call
        positional = [arg.value for arg in node.args if arg.keyword is None and not arg.star]
        if len(positional) < 2 or not is_loss(positional[0]):
            return
        flag = next((value for name, value in keywords(node).items() if name in BOUNDARY_ARGUMENTS), None)
        flag = flag or next((value for value in positional[2:] if _is_modulus_test(value)), None)
        spelled = bool(re.search(r"scaler$", last_name(node.func) or "", re.I))
        role = self.resolver.role(positional[1], site_of(call))
        if role is not Role.OPTIMIZER or not (flag is not None or spelled):
            return
        target = self.identity(positional[1], call)
        yield RawEvent.of(Kind.BACKWARD, call, through="wrapper argument", loss=positional[0], target=None)
        stepping = RawEvent.of(Kind.OPTIMIZER_STEP, call, through="wrapper argument", target=target)
        if flag is not None:
            guard = Guard(node, "branch", (id(node), call.frame.number, call.index), 0, flag, call.frame, call.index)
            stepping = replace(stepping, path=(*call.path, guard))
        yield stepping

    def of_sum(self, definition: Definition) -> Iterator[RawEvent]:
        """`total += loss.detach()`."""
        detached = self.detached(definition.value) if definition.value is not None else None
        if detached is not None:
            frame, path, index = definition.frame, definition.path, definition.index
            yield RawEvent(Kind.REPORT, detached, frame, path, index, None, None, loss=_receiver(detached))

    def detached(self, node: cst.BaseExpression) -> cst.Call | None:
        """The `loss.detach()` in a chain of conversions such as `loss.detach().float().cpu()`."""
        while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value != "item":
            inner = node.func.value
            if node.func.attr.value == "detach" and (is_loss(inner) or dotted(inner) in self.backpropagated):
                return node
            node = inner
        return None

    def of_definition(self, definition: Definition) -> RawEvent:
        """`p.grad = None`, `p.grad /= n`, `p.grad = p.grad / n`."""
        blank = definition.value is not None and literal(definition.value) is None
        kind = Kind.ZERO_GRAD if blank and definition.how == "assign" else Kind.GRAD_SCALE
        loops = [guard for guard in definition.path if isinstance(guard.node, cst.For)]
        over = loops[-1].node if loops else None
        whose = (
            over.iter
            if isinstance(over, cst.For) and dotted(over.target) == definition.key.split(":")[-1].split(".")[0]
            else None
        )
        suite = getattr(over, "body", None) if whose is not None else None
        return RawEvent(
            kind,
            definition.node,
            definition.frame,
            definition.path,
            definition.index,
            definition.statement,
            suite,
            receiver=whose,
        )

    def identity(self, node: cst.BaseExpression, call: CallSite) -> str | None:
        return self.resolver.identity(node, site_of(call))


@lru_cache(maxsize=1024)  # the same few names are called everywhere
def _spells_clip(name: str) -> bool:
    return name in CLIPS or _CLIP_FUNCTION.search(name) is not None


def _only_measures(call: cst.Call) -> bool:
    """A clip that is told not to: by a flag, or by a bound that no norm exceeds."""
    if any("clip" in name and literal(value) is False for name, value in keywords(call).items()):
        return True
    bound = argument(call, 1, "max_norm", "clip_value")
    if isinstance(bound, cst.Call) and last_name(bound.func) == "float" and bound.args:
        return str(literal(bound.args[0].value)).strip("+").lower() in ("inf", "infinity")
    return bound is not None and dotted(bound) in ("math.inf", "torch.inf", "np.inf", "numpy.inf", "inf")


def _steps_clipper(call: cst.Call) -> bool:
    """`clipper.step(model.parameters())`: what clips, and is given what it clips, and no optimizer that it steps."""
    method, given = method_call(call), [last_name(arg.value) for arg in call.args]
    if method is None or method[1] != "step" or given not in (["parameters"], ["master_params"]):
        return False
    return re.search(r"clip(per|ping)?$", last_name(method[0]) or "", re.I) is not None


@lru_cache(maxsize=1024)
def _spells_rescaling(name: str) -> bool:
    return GRADIENT_RESCALERS.search(name) is not None


@lru_cache(maxsize=1024)
def _spells_average(name: str) -> bool:
    return _EMA_FUNCTION.search(name) is not None and not name.startswith(("create", "get", "build", "make", "init"))


def _is_modulus_test(node: cst.BaseExpression) -> bool:
    """`index % N == 0` given as an argument."""
    return type(node) is cst.Comparison and any(
        isinstance(each, cst.BinaryOperation) and isinstance(each.operator, cst.Modulo) for each in walk(node)
    )


def _receiver(call: cst.Call) -> cst.BaseExpression | None:
    return call.func.value if isinstance(call.func, cst.Attribute) else None


def _of_numbers(call: cst.Call) -> bool:
    """A moving average of a loss, a reward or a time, not of weights."""
    words = (text(call.func), *(text(arg.value) for arg in call.args))
    return any(OF_NUMBERS.search(each) for each in words)


def _ends_in_grad(node: cst.BaseExpression) -> bool:
    name = dotted(node) or ""
    return name.endswith((".grad", ".grad.data")) or name == "grad"
