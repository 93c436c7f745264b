"""Constructors: optimizers with their weight decay, and schedulers with the length they were given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import libcst as cst

from gradlint.model.data.built import Construction, Schedule
from gradlint.model.data.window import Steps
from gradlint.model.names.facts import Facts, Function
from gradlint.model.names.lookup import same_steps
from gradlint.model.names.records import Definition, Site, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.names.vocabulary import LENGTH_ARGUMENTS, Role, Taught
from gradlint.model.reading import reads_of
from gradlint.model.syntax.expressions import (
    NOT_LITERAL,
    argument,
    dotted,
    keywords,
    last_name,
    literal,
    root_name,
    subnodes,
    text,
    walk,
)
from gradlint.model.syntax.tree import Tree

_COUPLED = frozenset({"torch.optim.Adam", "torch.optim.NAdam", "torch.optim.RAdam", "torch.optim.adam.Adam"})
_LENGTH_PLACES = {
    "CosineAnnealingLR": 1,
    "StepLR": 1,
    "get_linear_schedule_with_warmup": 2,
    "get_cosine_schedule_with_warmup": 2,
    "OneCycleLR": 2,
    "LambdaLR": 1,
    "MultiplicativeLR": 1,
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
            if found.calls or found.counts or multiplied:
                yield Schedule(
                    call,
                    keyword,
                    node,
                    tuple(found.calls),
                    found.places[0] if found.calls else node,
                    frozenset(found.mentions),
                    factor,
                    found.sites[0] if found.calls else at,
                    multiplied=multiplied,
                    rounded_up=found.rounded_up,
                    divided=_divided_already(found, resolver),
                    read_by=_other_reader(call, found.trails[0], resolver) if found.calls else None,
                    mixed=found.mixed,
                    written_out=_written_out(node, at, found, resolver) if len(found.calls) == 1 else None,
                )


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


@dataclass(eq=False)
class _Lengths:
    """What a length is computed from, gathered by one walk over its parts and over what gave them their values."""

    calls: list[cst.BaseExpression] = field(default_factory=list)
    places: list[cst.CSTNode] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    trails: list[tuple[Definition, ...]] = field(default_factory=list)
    mentions: set[str] = field(default_factory=set)
    quotients: list[tuple[cst.BinaryOperation, Site]] = field(default_factory=list)
    rounded_up: bool = False
    mixed: bool = False
    """Something is added to a length or taken off, and nothing says in what that is counted."""
    counts: bool = False
    """Some `len()` takes part, of a loader or of what nobody knows."""

    def found(self, call: cst.BaseExpression, place: cst.CSTNode, site: Site, trail: tuple[Definition, ...]) -> None:
        self.calls.append(call)
        self.places.append(place)
        self.sites.append(site)
        self.trails.append(trail)


def _loader_lengths(node: cst.BaseExpression, site: Site, resolver: Resolver) -> _Lengths:
    """The `len(loader)` calls a length is computed from, where each is used, the definitions on the way, and every name."""
    found = _Lengths()
    seen: set[int] = set()
    stack: list[tuple[cst.BaseExpression, Site, cst.CSTNode, tuple[Definition, ...]]] = [(node, site, node, ())]
    while stack and len(seen) < 400:
        current, where, place, trail = stack.pop()
        for each in _expressions(current):
            if id(each) in seen:
                continue
            seen.add(id(each))
            if isinstance(each, cst.BinaryOperation) and isinstance(each.operator, (cst.Divide, cst.FloorDivide)):
                divisor = resolver.number(each.right, where)
                found.mentions.update({str(int(divisor))} if divisor is not None and divisor == int(divisor) else ())
                found.rounded_up = found.rounded_up or _rounds_up(each)
                found.quotients.append((each, where))
            if isinstance(each, cst.BinaryOperation) and isinstance(each.operator, (cst.Add, cst.Subtract)):
                found.mixed = found.mixed or all(literal(side) is NOT_LITERAL for side in (each.left, each.right))
            if isinstance(each, cst.BinaryOperation) and _batches_of_dataset(each):
                found.found(each, place, where, trail)
            if isinstance(each, cst.Call) and last_name(each.func) == "len" and each.args:
                inner = each.args[0].value
                found.counts = found.counts or "dataset" not in (last_name(inner) or "")
                if resolver.role(inner, where) is Role.LOADER and "dataset" not in (last_name(inner) or ""):
                    found.found(each, place, where, trail)
            elif isinstance(each, cst.Call):
                found.mentions.add(last_name(each.func) or "")
            elif isinstance(each, (cst.Name, cst.Attribute, cst.Subscript)):
                name = dotted(each)
                if name is None:
                    continue
                found.mentions.add(name)
                entry, written = resolver.entry(each, where)
                if entry is not each:
                    stack.append((entry, written, entry, trail))
                if isinstance(each, cst.Subscript) and (entry is not each or resolver.all_of(name, where.frame)):
                    seen.update(map(id, walk(each)))  # not what stands beside it
                for definition in resolver.reaching(name, where)[0]:
                    if definition.value is not None and definition.how in ("assign", "param", "augment"):
                        spot = definition.value if definition.how != "param" else place
                        stack.append((definition.value, site_of(definition), spot, (*trail, definition)))
                stack += ((value, where, place, trail) for value in _answers(each, resolver))
    found.rounded_up = found.rounded_up or "ceil" in found.mentions
    return found


def _answers(name: cst.BaseExpression, resolver: Resolver) -> Iterator[cst.BaseExpression]:
    """What a function of the file that a schedule asks for its rate computes it from."""
    function = resolver.trace.facts.by_name.get(name.value) if isinstance(name, cst.Name) else None
    if function is not None:
        yield from (each.value for each in resolver.trace.facts.tree.of(cst.Return, function.node.body) if each.value is not None)


_OF_THE_DATA = re.compile(r"batch_?size|world|devices|gpus?|process|replicas|workers|ranks?$", re.I)
"""What the number of samples is divided by to give the number of micro-batches of a process."""


def _divided_already(found: _Lengths, resolver: Resolver) -> tuple[float | None, ...]:
    """What a length is divided by on the way, by numbers where these are known, the usual values of parameters among them."""
    known: list[float | None] = []
    names = {definition.key.split(":")[-1] for trail in found.trails for definition in trail}
    for quotient, site in found.quotients:
        of_length = any(any(each is call for call in found.calls) or dotted(each) in names for each in walk(quotient.left))
        if of_length and not _OF_THE_DATA.search(last_name(quotient.right) or ""):
            known.append(resolver.number(quotient.right, site))
    return tuple(known)


def _other_reader(call: cst.Call, trail: tuple[Definition, ...], resolver: Resolver) -> str | None:
    """The first name on the way to a schedule's length that something else reads as well, or may: its meaning would change."""
    facts = resolver.trace.facts
    own: list[cst.CSTNode] = [call, *(definition.value for definition in trail if definition.value is not None)]
    for definition in trail:
        name = definition.key.split(":")[-1]
        root, last = name.partition("[")[0].partition(".")[0], name.partition("[")[0].rpartition(".")[2]
        home = _home(definition, facts)
        if home is not None and root in home.assigned and last == root:
            reads = reads_of(root, home.node, facts)
            others = any(not any(facts.tree.holds(each, read) for each in own) for read in reads)
        else:
            counted = facts.page.reads(last)
            inside = sum(last_name(each) == last for node in own for each in _read_in(node))
            others = counted is None or counted.total() > inside
        if others:
            return name
    return None


def _home(definition: Definition, facts: Facts) -> Function | None:
    """The function whose name a definition is of: for an argument the one that is called."""
    if definition.how != "param":
        return definition.frame.function
    return next((f for f in facts.functions if any(param is definition.node for param in f.params)), None)


def _read_in(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    keywords_of = {id(each.keyword) for each in walk(node) if isinstance(each, cst.Arg)}
    attributes = {id(each.attr) for each in walk(node) if isinstance(each, cst.Attribute)}
    plain = (each for each in walk(node) if isinstance(each, (cst.Name, cst.Attribute)))
    return (each for each in plain if id(each) not in keywords_of and id(each) not in attributes)


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


def _written_out(node: cst.BaseExpression, site: Site, found: _Lengths, resolver: Resolver) -> str | None:
    """A length as it can be written where it is given, with what its names stand for in their places.

    None where a name would mean something else there.
    """
    values: dict[str, Definition] = {}
    for definition in found.trails[0]:
        name = definition.key.split(":")[-1]
        plain = definition.how == "assign" and definition.position is None and name.isidentifier()
        if not plain or definition.frame is not site.frame or name in values:
            return None
        values[name] = definition
    for definition in values.values():
        for each in _expressions(definition.value) if definition.value is not None else ():
            read = dotted(each) if isinstance(each, (cst.Name, cst.Attribute)) else None
            then, now = (resolver.reaching(read or "", where)[0] for where in (site_of(definition), site))
            if read is not None and list(map(id, then)) != list(map(id, now)):
                return None
    whole = text(node)
    for name, definition in values.items():
        value = text(definition.value) if definition.value is not None else ""
        loose = whole != name and isinstance(definition.value, (cst.BinaryOperation, cst.IfExp, cst.BooleanOperation))
        whole = re.sub(rf"(?<![\w.]){name}\b(?!\s*=[^=])", f"({value})" if loose else value, whole)
    return whole if whole.count(text(found.calls[0])) == 1 and "\n" not in whole else None


# Optimizers


def constructions(facts: Facts) -> tuple[Construction, ...]:
    """Every Adam-like optimizer that the module builds, with what it says of weight decay."""
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
    """AdamW is on offer on another arm: who takes Adam does so on purpose."""
    own = _arm(call, holder, facts)
    return own is not None and any(
        (other := _arm(each, holder, facts)) is not None and other is not own
        for each in facts.tree.calls(holder)
        if facts.qualify(each.func).endswith("AdamW")
    )


def _arm(call: cst.Call, holder: cst.CSTNode, facts: Facts) -> cst.CSTNode | None:
    """The innermost arm of a choice that a call stands on."""
    tree = facts.tree
    arms: list[cst.CSTNode] = [each.body for each in tree.of(cst.If, holder)]
    arms += [each.body for each in tree.of(cst.Else, holder)]
    arms += [each.body for each in tree.of(cst.MatchCase, holder)]
    arms += [arm for each in tree.of(cst.IfExp, holder) for arm in (each.body, each.orelse)]
    around = [(run[1] - run[0], arm) for arm in arms if tree.holds(arm, call) and (run := tree.run(arm)) is not None]
    return min(around, key=lambda pair: pair[0])[1] if around else None


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
        decays.append((place, _decays(place, holder, facts)))
    for node in _groups(call, holder, owner, facts.tree):
        decays.append((node, _decays(node, holder, facts)))
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


def _decays(node: cst.BaseExpression, holder: cst.CSTNode, facts: Facts) -> bool:
    """Whether a decay is another number than zero, or a setting: of settings that another file declares, nothing is known."""
    known = _nonzero(node, holder, facts)
    return known if known is not None else not _declared_elsewhere(node, holder, facts)


def _declared_elsewhere(node: cst.BaseExpression, holder: cst.CSTNode, facts: Facts) -> bool:
    """Whether a setting belongs to what a function of another file gave: `args = get_args()`."""
    owner = root_name(node)
    calls = (each for each in _values(owner, holder, facts) if isinstance(each, cst.Call)) if owner is not None else ()
    return any(isinstance(call.func, cst.Name) and "." in facts.qualify(call.func) for call in calls)


def _nonzero(node: cst.BaseExpression, holder: cst.CSTNode, facts: Facts, hops: int = 0) -> bool | None:
    """Whether a decay is a number other than zero, or a setting with such a default: None where that is not in sight."""
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
    """Whether one of several values is another number than zero; None where none is, and one is not in sight."""
    found = [_nonzero(each, holder, facts, hops + 1) if each is not None else None for each in nodes]
    return True if True in found else False if found and None not in found else None


def _default_of(call: cst.Call) -> cst.BaseExpression | None:
    """What a look-up gives where nothing is set, or what is made a number: `cfg.get("weight_decay", 0.0)`, `float(x)`."""
    name, plain = last_name(call.func), [arg.value for arg in call.args if arg.keyword is None]
    if name in ("get", "getattr", "pop") and plain:
        return plain[-1] if len(plain) == (3 if name == "getattr" else 2) else None
    return plain[0] if name in ("float", "int", "abs") and len(plain) == 1 else None


def _values(name: str, holder: cst.CSTNode, facts: Facts) -> Iterator[cst.BaseExpression | None]:
    """Everything that a bare name can be in a function or module: parameters' defaults and assignments."""
    yield from (param.default for param in facts.tree.of(cst.Param, holder) if param.name.value == name)
    lines = (each for each in facts.statements if isinstance(each, cst.SimpleStatementLine))
    for holding in (holder, *lines):
        for assigned in facts.tree.of(cst.Assign, holding):
            if any(dotted(target.target) == name for target in assigned.targets):
                yield assigned.value
