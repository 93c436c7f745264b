"""Constructors: optimizers with their weight decay, and schedulers with the length they were given."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.model.data.built import Construction, Schedule
from gradlint.model.data.window import Steps
from gradlint.model.names.facts import Facts
from gradlint.model.names.lookup import same_steps
from gradlint.model.names.records import Site, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.names.vocabulary import LENGTH_ARGUMENTS, Role, Taught
from gradlint.model.syntax.expressions import NOT_LITERAL, argument, dotted, keywords, last_name, literal, subnodes, text, walk
from gradlint.model.syntax.tree import Tree

_COUPLED = frozenset({"torch.optim.Adam", "torch.optim.NAdam", "torch.optim.RAdam", "torch.optim.adam.Adam"})
_LENGTH_PLACES = {
    "CosineAnnealingLR": 1,
    "StepLR": 1,
    "get_linear_schedule_with_warmup": 2,
    "get_cosine_schedule_with_warmup": 2,
    "OneCycleLR": 2,
}
_WARMUP_PLACES = {"get_linear_schedule_with_warmup": 1, "get_cosine_schedule_with_warmup": 1}


# Schedules


def schedules(receiver: cst.BaseExpression, site: Site, resolver: Resolver) -> Iterator[Schedule]:
    """How a scheduler that is stepped here was built, where its length is computed from the loader."""
    for call, where in resolver.constructors(receiver, site):
        if resolver.role_of_call(call, where, None, 0) is not Role.SCHEDULER:
            continue
        for keyword, node, at in (*((*each, where) for each in _lengths(call)), *_settings(call, where, resolver)):
            found = _loader_lengths(node, at, resolver)
            factor = _factor_of_steps(node, at, resolver)
            multiplied = any(_factor_of_steps(each, spot, resolver) for each, spot in resolver.follow(node, at))
            if found is not None or multiplied:
                calls, place, mentions, site, up = found or ((), node, frozenset(), at, False)
                yield Schedule(call, keyword, node, calls, place, mentions, factor, site, multiplied=multiplied, rounded_up=up)


def knows_steps(schedule: Schedule, steps: Steps, words: Taught) -> bool:
    """N takes part in the computation of a schedule's length: by a name of its own, by an alias, or as a number."""
    if any(words.spells_steps(name) for name in schedule.mentions):
        return True
    return same_steps(schedule.mentions, steps.names, words) or str(steps.value) in schedule.mentions


def _factor_of_steps(node: cst.BaseExpression, site: Site, resolver: Resolver) -> tuple[cst.CSTNode, str] | None:
    """A length that is multiplied by N: the product, and what is left of it without N."""
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Multiply):
        for side, other in ((node.left, node.right), (node.right, node.left)):
            if any(resolver.words.spells_steps(name) for name in resolver.aliases(side, site)):
                return node, text(other)
            inner = _factor_of_steps(side, site, resolver)
            if inner is not None:
                return inner
    return None


def _lengths(call: cst.Call) -> Iterator[tuple[str, cst.BaseExpression]]:
    for name, value in keywords(call).items():
        if name in LENGTH_ARGUMENTS:
            yield name, value
    kind = last_name(call.func) or ""
    for places, name in ((_LENGTH_PLACES, "length"), (_WARMUP_PLACES, "num_warmup_steps")):
        place = places.get(kind)
        if place is not None:
            given = argument(call, place)
            if given is not None and not any(a.keyword is not None and a.value is given for a in call.args):
                yield name, given


def _settings(call: cst.Call, site: Site, resolver: Resolver) -> Iterator[tuple[str, cst.BaseExpression, Site]]:
    """The lengths in `**settings`, a dictionary that is written out, entry by entry."""
    for arg in call.args:
        name = dotted(arg.value) if arg.star == "**" else None
        for key in sorted(LENGTH_ARGUMENTS) if name is not None else ():
            for definition in resolver.given(f"{name}[{key!r}]", site):
                if definition.value is not None:
                    yield key, definition.value, site_of(definition)
            entry = resolver.entry_of(arg.value, key, site)
            if entry is not None:
                yield key, *entry


def _loader_lengths(
    node: cst.BaseExpression, site: Site, resolver: Resolver
) -> tuple[tuple[cst.BaseExpression, ...], cst.CSTNode, frozenset[str], Site, bool] | None:
    """The `len(loader)` calls a length is computed from, where the first of them stands, every name on the way, and whether
    a quotient is rounded up."""
    calls: list[cst.BaseExpression] = []
    mentions: set[str] = set()
    places: list[cst.CSTNode] = []
    sites: list[Site] = []
    seen: set[int] = set()
    rounded_up = False
    stack: list[tuple[cst.BaseExpression, Site, cst.CSTNode]] = [(node, site, node)]
    while stack and len(seen) < 400:
        current, where, place = stack.pop()
        for each in _expressions(current):
            if id(each) in seen:
                continue
            seen.add(id(each))
            if isinstance(each, cst.BinaryOperation) and isinstance(each.operator, (cst.Divide, cst.FloorDivide)):
                divisor = resolver.number(each.right, where)
                mentions.update({str(int(divisor))} if divisor is not None and divisor == int(divisor) else ())
                rounded_up = rounded_up or _rounds_up(each)
            if isinstance(each, cst.BinaryOperation) and _batches_of_dataset(each):
                calls.append(each)
                places.append(place)
                sites.append(where)
            if isinstance(each, cst.Call) and last_name(each.func) == "len" and each.args:
                inner = each.args[0].value
                if resolver.role(inner, where) is Role.LOADER and "dataset" not in (last_name(inner) or ""):
                    calls.append(each)
                    places.append(place)
                    sites.append(where)
            elif isinstance(each, cst.Call):
                mentions.add(last_name(each.func) or "")
            elif isinstance(each, (cst.Name, cst.Attribute, cst.Subscript)):
                name = dotted(each)
                if name is None:
                    continue
                mentions.add(name)
                entry, written = resolver.entry(each, where)
                if entry is not each:
                    stack.append((entry, written, entry))
                if isinstance(each, cst.Subscript) and (entry is not each or resolver.all_of(name, where.frame)):
                    seen.update(map(id, walk(each)))  # not what stands beside it
                for definition in resolver.reaching(name, where)[0]:
                    if definition.value is not None and definition.how in ("assign", "param", "augment"):
                        spot = definition.value if definition.how != "param" else place
                        stack.append((definition.value, site_of(definition), spot))
    return (tuple(calls), places[0], frozenset(mentions), sites[0], rounded_up or "ceil" in mentions) if calls else None


def _rounds_up(quotient: cst.BinaryOperation) -> bool:
    """`(a + n - 1) // n`, or the inner part of `-(-a // n)`."""
    if not isinstance(quotient.operator, cst.FloorDivide):
        return False
    return any(isinstance(each, (cst.Add, cst.Minus)) for each in walk(quotient.left))


def _batches_of_dataset(node: cst.BinaryOperation) -> bool:
    """`len(dataset) / batch_size`: the number of micro-batches, without a loader."""
    if not isinstance(node.operator, (cst.Divide, cst.FloorDivide)) or "batch" not in (last_name(node.right) or ""):
        return False
    return isinstance(node.left, cst.Call) and last_name(node.left.func) == "len"


def _expressions(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The expression's parts; chains of attributes whole, and the callee of a call left out."""
    yield node
    if isinstance(node, cst.Attribute) and dotted(node):
        return
    if isinstance(node, cst.Call):
        for arg in node.args:
            yield from _expressions(arg.value)
        return
    for part in subnodes(node):
        yield from _expressions(part)


# Optimizers


def constructions(facts: Facts) -> tuple[Construction, ...]:
    """Every Adam-like optimizer that the module builds, with what it says of weight decay."""
    found: list[Construction] = []
    if not _COUPLED & facts.constructed:
        return ()
    for holder, owner in _holders(facts.statements):
        for call in facts.tree.calls(holder):
            qualified = facts.qualify(call.func)
            if qualified in _COUPLED:
                found.append(_construction(call, qualified, holder, owner, facts))
    return tuple({id(each.call): each for each in found}.values())


def _holders(statements: tuple[cst.BaseStatement, ...]) -> Iterator[tuple[cst.CSTNode, cst.CSTNode]]:
    """Every function, method and other statement, with what an attribute of `self` must be looked for in."""
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
        decays.append((place, _nonzero(place, holder, facts)))
    for node in _groups(call, holder, owner, facts.tree):
        decays.append((node, _nonzero(node, holder, facts)))
    decoupled = given.get("decoupled_weight_decay")
    flag = None if decoupled is None else literal(decoupled) is not False
    return Construction(call, qualified, tuple(decays), flag)


def _groups(call: cst.Call, holder: cst.CSTNode, owner: cst.CSTNode, tree: Tree) -> Iterator[cst.BaseExpression]:
    """`weight_decay` values in parameter groups: given as a literal, by a local name, or added later."""
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


def _nonzero(node: cst.BaseExpression, holder: cst.CSTNode, facts: Facts, hops: int = 0) -> bool | None:
    """Whether a decay is not known to be zero: True (another number, or configurable), False (zero)."""
    value = literal(node)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value != 0
    if value is None:
        return False
    if isinstance(node, cst.IfExp):
        return bool(_nonzero(node.body, holder, facts) or _nonzero(node.orelse, holder, facts))
    name = last_name(node)
    if name is None or hops > 4:
        return True
    if isinstance(node, cst.Name):
        for default in _values(node.value, holder, facts):
            if default is None:
                return True
            if _nonzero(default, holder, facts, hops + 1):
                return True
        values = list(_values(node.value, holder, facts))
        return not values
    if name in facts.defaults:
        default = facts.defaults[name]
        number = literal(default) if default is not None else NOT_LITERAL
        return not (isinstance(number, (int, float)) and number == 0)
    return True


def _values(name: str, holder: cst.CSTNode, facts: Facts) -> Iterator[cst.BaseExpression | None]:
    """Everything that a bare name can be in a function or module: parameters' defaults and assignments."""
    yield from (param.default for param in facts.tree.of(cst.Param, holder) if param.name.value == name)
    lines = (each for each in facts.statements if isinstance(each, cst.SimpleStatementLine))
    for holding in (holder, *lines):
        for assigned in facts.tree.of(cst.Assign, holding):
            if any(dotted(target.target) == name for target in assigned.targets):
                yield assigned.value
