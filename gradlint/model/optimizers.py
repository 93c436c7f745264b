"""Finds the constructors of optimizers, and their weight decay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from gradlint.model.data.built import Construction
from gradlint.model.names.facts import Facts
from gradlint.model.syntax.expressions import NOT_LITERAL, argument, dotted, keywords, last_name, literal, root_name
from gradlint.model.syntax.tree import Tree

_COUPLED = frozenset({"torch.optim.Adam", "torch.optim.NAdam", "torch.optim.RAdam", "torch.optim.adam.Adam"})


def constructions(facts: Facts) -> tuple[Construction, ...]:
    """Return every Adam-like optimizer that the module builds, with its weight decay."""
    found: list[Construction] = []
    if not _COUPLED & facts.constructed:
        return ()
    for holder, owner in _holders(facts.statements):
        for call in facts.tree.calls(holder):
            qualified = facts.qualify(call.func)
            if qualified in _COUPLED and not _is_one_of_two(call, holder, facts):
                found.append(_construction(call, qualified, holder, owner, facts))
    return tuple({id(each.call): each for each in found}.values())


def _is_one_of_two(call: cst.Call, holder: cst.CSTNode, facts: Facts) -> bool:
    """Whether another branch offers AdamW. Choosing Adam is then deliberate."""
    own = _arm(call, holder, facts)
    others = [_arm(each, holder, facts) for each in facts.tree.calls(holder) if _builds_adamw(each, facts)]
    return any(arm is not None and arm is not own and (own is not None or _leaves(arm)) for arm in others)


def _leaves(arm: cst.CSTNode) -> bool:
    """Whether a branch returns, so that the code behind it is the other branch."""
    last = arm.body[-1] if isinstance(arm, cst.IndentedBlock) and arm.body else None
    return isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[-1], cst.Return)


def _builds_adamw(call: cst.Call, facts: Facts) -> bool:
    """Whether a call constructs AdamW, or calls a function of the module that does."""
    if facts.qualify(call.func).endswith("AdamW"):
        return True
    name = call.func.value if isinstance(call.func, cst.Name) else None
    called = (each for each in facts.statements if isinstance(each, cst.FunctionDef) and each.name.value == name)
    return any(facts.qualify(each.func).endswith("AdamW") for function in called for each in facts.tree.calls(function))


def _arm(call: cst.Call, holder: cst.CSTNode, facts: Facts) -> cst.CSTNode | None:
    """The innermost branch that contains a call."""
    tree = facts.tree
    arms: list[cst.CSTNode] = [each.body for each in tree.of(cst.If, holder)]
    arms += [each.body for each in tree.of(cst.Else, holder)]
    arms += [each.body for each in tree.of(cst.MatchCase, holder)]
    arms += [arm for each in tree.of(cst.IfExp, holder) for arm in (each.body, each.orelse)]
    around = [(run[1] - run[0], arm) for arm in arms if tree.holds(arm, call) and (run := tree.run(arm)) is not None]
    return min(around, key=lambda pair: pair[0])[1] if around else None


def _holders(statements: tuple[cst.BaseStatement, ...]) -> Iterator[tuple[cst.CSTNode, cst.CSTNode]]:
    """Yield every function, method and other statement, with the code to search for an attribute of `self`."""
    for statement in statements:
        if isinstance(statement, cst.ClassDef):
            yield from ((each, statement) for each in statement.body.body)
        else:
            yield statement, statement


def _construction(call: cst.Call, qualified: str, holder: cst.CSTNode, owner: cst.CSTNode, facts: Facts) -> Construction:
    given = keywords(call)
    decays: list[tuple[cst.CSTNode, bool | None]] = []
    place = argument(call, 4, "weight_decay")
    if place is not None:
        decays.append((place, _decays(place, holder, facts)))
    for node in _groups(call, holder, owner, facts.tree):
        decays.append((node, _decays(node, holder, facts)))
    decoupled = given.get("decoupled_weight_decay")
    flag = None if decoupled is None else literal(decoupled) is not False
    return Construction(call, qualified, tuple(decays), flag)


def _groups(call: cst.Call, holder: cst.CSTNode, owner: cst.CSTNode, tree: Tree) -> Iterator[cst.BaseExpression]:
    """The `weight_decay` values in parameter groups: in a literal list, in a list with a local name, or added later."""
    first = argument(call, 0, "params")
    sources: list[cst.CSTNode] = [first] if first is not None else []
    name = dotted(first) if first is not None else None
    bound: str | None = None
    for node in tree.of(cst.Assign, holder):
        if len(node.targets) == 1:
            target = dotted(node.targets[0].target)
            if target is not None and target == name:
                sources.append(node.value)
            if node.value is call:
                bound = target
    for each in tree.calls(owner if bound is not None and bound.startswith("self.") else holder):
        method = last_name(each.func)
        receiver = dotted(each.func.value) if isinstance(each.func, cst.Attribute) else None
        if (method == "add_param_group" and receiver and receiver == bound) or (
            method in ("append", "extend") and receiver and receiver == name
        ):
            sources.extend(arg.value for arg in each.args)
    for source in sources:
        yield from (each.value for each in tree.of(cst.DictElement, source) if literal(each.key) == "weight_decay")


def _decays(node: cst.BaseExpression, holder: cst.CSTNode, facts: Facts) -> bool:
    """Whether a decay is a nonzero number or a setting. Nothing is known about settings that another file declares."""
    known = _nonzero(node, holder, facts)
    return known if known is not None else not _declared_elsewhere(node, holder, facts)


def _declared_elsewhere(node: cst.BaseExpression, holder: cst.CSTNode, facts: Facts) -> bool:
    """Whether a setting belongs to a module, or to the result of a function, of another file: `hp.decay`, `args = get_args()`."""
    owner = root_name(node)
    if owner in facts.imports:
        return True
    calls = (each for each in _values(owner, holder, facts) if isinstance(each, cst.Call)) if owner is not None else ()
    return any(isinstance(call.func, cst.Name) and "." in facts.qualify(call.func) for call in calls)


def _nonzero(node: cst.BaseExpression, holder: cst.CSTNode, facts: Facts, hops: int = 0) -> bool | None:
    """Whether a decay is a nonzero number, or a setting with such a default. None if that is not known."""
    value = literal(node)
    if value is None or isinstance(value, bool):
        return False
    if isinstance(value, (int, float)):
        return value != 0
    if hops > 4:
        return None
    if isinstance(node, cst.IfExp):
        return _any_nonzero((node.body, node.orelse), holder, facts, hops)
    if isinstance(node, cst.Call):
        given = _default_of(node)
        return _nonzero(given, holder, facts, hops + 1) if given is not None else None
    if isinstance(node, cst.Name):
        return _any_nonzero(tuple(_values(node.value, holder, facts)), holder, facts, hops)
    default = facts.defaults.get(last_name(node) or "")
    number = literal(default) if default is not None else NOT_LITERAL
    return number != 0 if isinstance(number, (int, float)) else None


def _any_nonzero(nodes: Sequence[cst.BaseExpression | None], holder: cst.CSTNode, facts: Facts, hops: int) -> bool | None:
    """Whether one of several values is a nonzero number. None if nothing is known of any.

    A value that is zero unless a setting replaces it counts as zero.
    """
    found = [_nonzero(each, holder, facts, hops + 1) if each is not None else None for each in nodes]
    return True if True in found else False if False in found else None


def _default_of(call: cst.Call) -> cst.BaseExpression | None:
    """The default of a lookup, or the argument of a conversion: `cfg.get("weight_decay", 0.0)`, `float(x)`."""
    name, plain = last_name(call.func), [arg.value for arg in call.args if arg.keyword is None]
    if name in ("get", "getattr", "pop") and plain:
        return plain[-1] if len(plain) == (3 if name == "getattr" else 2) else None
    return plain[0] if name in ("float", "int", "abs") and len(plain) == 1 else None


def _values(name: str, holder: cst.CSTNode, facts: Facts) -> Iterator[cst.BaseExpression | None]:
    """Everything that a bare name can be in a function or module: defaults of parameters, and assigned values."""
    yield from (param.default for param in facts.tree.of(cst.Param, holder) if param.name.value == name)
    lines = (each for each in facts.statements if isinstance(each, cst.SimpleStatementLine))
    for holding in (holder, *lines):
        for assigned in facts.tree.of(cst.Assign, holding):
            if any(dotted(target.target) == name for target in assigned.targets):
                yield assigned.value
