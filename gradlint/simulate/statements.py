"""Compiles LibCST's statements to closures over a frame.

A statement is a plain closure, or, where others stand in it, a generator function: what a function of the text yields, it
yields. Either returns None, or a signal that says why what follows does not run.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import libcst as cst

from gradlint.model.syntax import last_name, walk
from gradlint.model.vocabulary import LOSS_SPELLING, is_trigger
from gradlint.simulate import arithmetic, conditions
from gradlint.simulate.attributes import delete, get_attribute, get_item, set_attribute, set_item
from gradlint.simulate.callables import External, Frame
from gradlint.simulate.contexts import enter, leave
from gradlint.simulate.definitions import define_class, define_function
from gradlint.simulate.expressions import expression, subscript_index
from gradlint.simulate.imports import imported
from gradlint.simulate.iteration import items_of
from gradlint.simulate.machine import Machine, Raised, Stopped, is_data, question_of
from gradlint.simulate.patterns import pattern
from gradlint.simulate.targets import assign
from gradlint.simulate.trace import What
from gradlint.simulate.values import Answer, Opaque
from gradlint.simulate.world import PASSES

BREAK, CONTINUE = "break", "continue"
Signal = Any
Plain = Callable[[Frame], Signal]
Flowing = Callable[[Frame], Generator[Any, Any, Signal]]
Block = tuple[tuple[bool, Callable[[Frame], Any]], ...]
_LEAVES = (cst.Break, cst.Continue, cst.Return, cst.Raise)


class Returned:
    """The signal of a `return`."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def run_block(block: Block, frame: Frame) -> Generator[Any, Any, Signal]:
    """Run statements until one of them says that what follows does not run."""
    for flowing, statement in block:
        signal = (yield from statement(frame)) if flowing else statement(frame)
        if signal is not None:
            return signal
    return None


class Compiler:
    """Compiles the statements of one text; `acting` are the functions of it that do something to training."""

    def __init__(self, acting: frozenset[str]) -> None:
        self.acting = acting
        self._bodies: dict[int, Block] = {}
        self._yields: dict[int, bool] = {}

    # Blocks

    def block(self, node: Any, qualname: str = "") -> Block:
        """The statements of a suite, or of a module."""
        found: list[tuple[bool, Callable[[Frame], Any]]] = []
        for statement in node.body:
            if isinstance(statement, cst.SimpleStatementLine):
                for small in statement.body:
                    found.extend(self.small(small))
            elif isinstance(statement, cst.BaseSmallStatement):
                found.extend(self.small(statement))
            else:
                found.append(self.compound(statement, qualname))
        return tuple(found)

    def body_of(self, function: Any) -> Block:
        """The compiled body of a function, made when it is first called."""
        key = id(function.node)
        if key not in self._bodies:
            self._bodies[key] = self.block(function.node.body, f"{function.qualname}.<locals>")
        return self._bodies[key]

    def run_plain(self, block: Block, frame: Frame) -> Signal:
        """Run statements of which none yields."""
        running = run_block(block, frame)
        try:
            while True:
                next(running)
        except StopIteration as stop:
            return stop.value

    def yields(self, body: cst.CSTNode) -> bool:
        """Whether a function's body makes it a generator."""
        return any(isinstance(each, cst.Yield) for each in _of_function(body))

    # Simple statements

    def small(self, node: cst.BaseSmallStatement) -> list[tuple[bool, Callable[[Frame], Any]]]:
        if isinstance(node, (cst.Pass, cst.Assert)):
            return []
        if isinstance(node, (cst.Expr, cst.Assign)) and isinstance(node.value, cst.Yield):
            return [(True, self._yield(node))]
        make = self._small.get(type(node))
        return [(False, make(self, node))] if make is not None else []

    def _yield(self, node: cst.Expr | cst.Assign) -> Flowing:
        given = node.value
        assert isinstance(given, cst.Yield)
        from_it = isinstance(given.value, cst.From)
        inner = given.value.item if isinstance(given.value, cst.From) else given.value
        value = expression(inner) if inner is not None else lambda frame: None
        targets = [assign(each.target) for each in node.targets] if isinstance(node, cst.Assign) else []

        def run(frame: Frame) -> Generator[Any, Any, Signal]:
            frame.machine.tick(node)
            found = value(frame)
            if from_it:
                yield from items_of(frame.machine, found, node)
            else:
                sent = yield found
                for target in targets:
                    target(frame, sent)
            return None

        return run

    def _expr(self, node: cst.Expr) -> Plain:
        value = expression(node.value)

        def run(frame: Frame) -> Signal:
            frame.machine.tick(node)
            value(frame)
            return None

        return run

    def _assign(self, node: cst.Assign) -> Plain:
        value = expression(node.value)
        targets = [assign(each.target) for each in node.targets]
        named = _named_constant(node)

        def run(frame: Frame) -> Signal:
            frame.machine.tick(node)
            found = value(frame)
            if named is not None:
                found = frame.machine.named(named, found, frame)
            for target in targets:
                target(frame, found)
            return None

        return run

    def _annotated(self, node: cst.AnnAssign) -> Plain:
        if node.value is None:
            return lambda frame: None
        value, target = expression(node.value), assign(node.target)
        named = node.target.value if isinstance(node.target, cst.Name) else None

        def run(frame: Frame) -> Signal:
            frame.machine.tick(node)
            found = value(frame)
            target(frame, frame.machine.named(named, found, frame) if named else found)
            return None

        return run

    def _augmented(self, node: cst.AugAssign) -> Plain:
        value, kind = expression(node.value), arithmetic.OF_AUGMENTED.get(type(node.operator), cst.MatrixMultiply)
        load, store = self._place(node.target)

        def run(frame: Frame) -> Signal:
            frame.machine.tick(node)
            old, owner = load(frame)
            new = value(frame)
            if isinstance(old, list) and kind is cst.Add and isinstance(new, (list, tuple)):
                old.extend(list(new)[:1000])
                return None
            store(frame, owner, arithmetic.binary(frame.machine, kind, old, new, node))
            return None

        return run

    def _place(self, node: cst.CSTNode) -> tuple[Callable[[Frame], Any], Callable[[Frame, Any, Any], None]]:
        """How to read a target, evaluated once, and how to write it again."""
        if isinstance(node, cst.Attribute):
            owner, name = expression(node.value), node.attr.value

            def read(frame: Frame) -> Any:
                found = owner(frame)
                return get_attribute(frame.machine, found, name, node), found

            return read, lambda frame, found, new: set_attribute(frame.machine, found, name, new, node)
        if isinstance(node, cst.Subscript):
            container, index = expression(node.value), subscript_index(node)

            def read_item(frame: Frame) -> Any:
                found = (container(frame), index(frame))
                return get_item(frame.machine, *found, node), found

            return read_item, lambda frame, found, new: set_item(frame.machine, *found, new, node)
        load, store = expression(node), assign(node)
        return lambda frame: (load(frame), None), lambda frame, _, new: store(frame, new)

    def _return(self, node: cst.Return) -> Plain:
        value = expression(node.value) if node.value is not None else None

        def run(frame: Frame) -> Signal:
            frame.machine.tick(node)
            return Returned(value(frame) if value is not None else None)

        return run

    def _raise(self, node: cst.Raise) -> Plain:
        name = last_name(node.exc.func if isinstance(node.exc, cst.Call) else node.exc) if node.exc is not None else "Exception"

        def run(frame: Frame) -> Signal:
            raise Raised(name or "Exception")

        return run

    def _delete(self, node: cst.Del) -> Plain:
        target = node.target
        if isinstance(target, cst.Subscript):
            owner, index = expression(target.value), subscript_index(target)

            def run(frame: Frame) -> Signal:
                delete(frame.machine, owner(frame), index(frame))
                return None

            return run
        return lambda frame: None

    def _global(self, node: cst.Global) -> Plain:
        names = [each.name.value for each in node.names]

        def run(frame: Frame) -> Signal:
            for name in names:
                frame.declared[name] = frame.module
            return None

        return run

    def _nonlocal(self, node: cst.Nonlocal) -> Plain:
        names = [each.name.value for each in node.names]

        def run(frame: Frame) -> Signal:
            for name in names:
                outer = frame.outer
                while outer is not None and name not in outer.names:
                    outer = outer.outer
                if outer is not None:
                    frame.declared[name] = outer
            return None

        return run

    def _import(self, node: Any) -> Plain:
        names = imported(node)

        def run(frame: Frame) -> Signal:
            for name, path in names:
                frame.bind(name, External(path))
            return None

        return run

    _small: dict[type, Callable[[Any, Any], Plain]] = {  # noqa: RUF012
        cst.Expr: _expr,
        cst.Assign: _assign,
        cst.AnnAssign: _annotated,
        cst.AugAssign: _augmented,
        cst.Return: _return,
        cst.Raise: _raise,
        cst.Del: _delete,
        cst.Global: _global,
        cst.Nonlocal: _nonlocal,
        cst.Import: _import,
        cst.ImportFrom: _import,
        cst.Break: lambda self, node: lambda frame: BREAK,
        cst.Continue: lambda self, node: lambda frame: CONTINUE,
    }

    # Compound statements

    def compound(self, node: Any, qualname: str) -> tuple[bool, Callable[[Frame], Any]]:
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
            name = node.name.value
            within = f"{qualname}.{name}".lstrip(".")
            define = (define_function if isinstance(node, cst.FunctionDef) else define_class)(node, self, within)
            return False, lambda frame: frame.bind(name, define(frame))
        make = self._compound.get(type(node))
        return (True, make(self, node)) if make is not None else (False, lambda frame: None)

    def matters(self, node: cst.CSTNode | None) -> bool:
        """Whether something of training, or a loss, is in a suite."""
        if node is None:
            return False
        for each in walk(node):
            if isinstance(each, cst.Call):
                name = last_name(each.func) or ""
                if is_trigger(name) or name in self.acting:
                    return True
            elif isinstance(each, (cst.AssignTarget, cst.AugAssign)):
                if LOSS_SPELLING.search(last_name(each.target) or "") or last_name(each.target) == "grad":
                    return True
        return False

    def _if(self, node: cst.If) -> Flowing:
        test, body = expression(node.test), self.block(node.body)
        orelse: Block = ()
        if isinstance(node.orelse, cst.If):
            orelse = ((True, self._if(node.orelse)),)
        elif node.orelse is not None:
            orelse = self.block(node.orelse.body)
        leaves = (_leaves(node.body), node.orelse is not None and _leaves(node.orelse))
        weighs = (self.matters(node.body), self.matters(node.orelse))
        usual = not leaves[0] if leaves[0] != leaves[1] else weighs[0] or not weighs[1]
        decides = weighs[0] or weighs[1]
        raises = (_raises(node.body), node.orelse is not None and _raises(node.orelse))
        refuses = not raises[0] if raises[0] != raises[1] else None
        gate = decides or any(leaves)

        def run(frame: Frame) -> Generator[Any, Any, Signal]:
            machine = frame.machine
            machine.tick(node)
            value = test(frame)
            known = conditions.certain(value)
            if refuses is not None and (known is None or conditions.gates(value)):
                known, varies = refuses, False
            elif known is None:
                known = conditions.truth(machine, value, usual, decides=decides)
                varies = conditions.varies(value)
            else:
                varies = False
                if gate:
                    machine.asked.gates |= conditions.gates(value)
            machine.path.append((node, 0 if known else 1, varies))
            signal = yield from run_block(body if known else orelse, frame)
            machine.path.pop()
            return signal

        return run

    def _for(self, node: cst.For) -> Flowing:
        iterable, target, body = expression(node.iter), assign(node.target), self.block(node.body)
        orelse = self.block(node.orelse.body) if node.orelse is not None else ()

        def run(frame: Frame) -> Generator[Any, Any, Signal]:
            machine = frame.machine
            machine.tick(node)
            items = items_of(machine, iterable(frame), node)
            level = len(machine.loops)
            begun = len(machine.events)
            count = 0
            machine.loops.append(node)
            machine.draws.append(0)
            while True:
                try:
                    item = next(items)
                except StopIteration:
                    break
                machine.begin(item)
                target(frame, item)
                signal = yield from run_block(body, frame)
                count += 1
                if signal is BREAK or type(signal) is Returned:
                    _close(machine, level)
                    return None if signal is BREAK else signal
                if count == PASSES and _passed(machine, begun, node) >= PASSES:
                    break
            _close(machine, level)
            return (yield from run_block(orelse, frame))

        return run

    def _while(self, node: cst.While) -> Flowing:
        test, body = expression(node.test), self.block(node.body)
        orelse = self.block(node.orelse.body) if node.orelse is not None else ()

        def run(frame: Frame) -> Generator[Any, Any, Signal]:
            machine = frame.machine
            level = len(machine.loops)
            machine.loops.append(node)
            machine.draws.append(0)
            count = 0
            while True:
                machine.tick(node)
                value = test(frame)
                known = conditions.certain(value)
                if known is None:
                    known = count < machine.world.length
                if not known:
                    break
                if count > 4 * machine.world.length + 40:
                    raise Stopped("its loop has no end in sight", node)
                machine.begin(None)
                signal = yield from run_block(body, frame)
                count += 1
                if signal is BREAK or type(signal) is Returned:
                    _close(machine, level)
                    return None if signal is BREAK else signal
            _close(machine, level)
            return (yield from run_block(orelse, frame))

        return run

    def _with(self, node: cst.With) -> Flowing:
        items = [
            (expression(each.item), assign(each.asname.name) if each.asname is not None else None, each.item)
            for each in node.items
        ]
        body = self.block(node.body)

        def run(frame: Frame) -> Generator[Any, Any, Signal]:
            machine = frame.machine
            machine.tick(node)
            entered: list[Any] = []
            try:
                for value, target, place in items:
                    manager = value(frame)
                    found = enter(machine, manager, place)
                    entered.append((manager, place))
                    if target is not None:
                        target(frame, found)
                signal = yield from run_block(body, frame)
            except Raised:
                while entered:
                    leave(machine, *entered.pop())
                raise
            while entered:
                leave(machine, *entered.pop())
            return signal

        return run

    def _try(self, node: Any) -> Flowing:
        body = self.block(node.body)
        handlers = [
            (_caught(each), each.name.name.value if each.name is not None else None, self.block(each.body))
            for each in node.handlers
        ]
        orelse = self.block(node.orelse.body) if node.orelse is not None else ()
        final = self.block(node.finalbody.body) if node.finalbody is not None else ()

        def run(frame: Frame) -> Generator[Any, Any, Signal]:
            machine = frame.machine
            machine.tick(node)
            depth = (len(machine.loops), len(machine.path), len(machine.stack))
            raised: Raised | None = None
            try:
                signal = yield from run_block(body, frame)
                if signal is None:
                    signal = yield from run_block(orelse, frame)
            except Raised as error:
                _close(machine, depth[0])
                del machine.path[depth[1] :], machine.stack[depth[2] :]
                raised, signal = error, None
                for names, alias, handler in handlers:
                    if not names or error.name in names or _GENERAL & names:
                        if alias is not None:
                            frame.bind(alias, Opaque("an exception"))
                        raised = None
                        signal = yield from run_block(handler, frame)
                        break
            ended = yield from run_block(final, frame)
            if ended is not None:
                return ended
            if raised is not None:
                raise raised
            return signal

        return run

    def _match(self, node: cst.Match) -> Flowing:
        subject = expression(node.subject)
        cases = [
            (
                pattern(each.pattern),
                expression(each.guard) if each.guard is not None else None,
                self.block(each.body),
                _leaves(each.body),
            )
            for each in node.cases
        ]
        decides = any(self.matters(each.body) for each in node.cases)

        def run(frame: Frame) -> Generator[Any, Any, Signal]:
            machine = frame.machine
            machine.tick(node)
            value = subject(frame)
            if decides:
                machine.asked.gates |= conditions.gates(value)
            for place, (matches, guard, body, leaves) in enumerate(cases):
                found = matches(frame, value)
                if guard is not None and conditions.certain(found) is not False:
                    found = guard(frame)
                if decides:
                    machine.asked.gates |= conditions.gates(found)
                varies = conditions.certain(found) is None and conditions.varies(found)
                if conditions.truth(machine, found, not leaves, decides=decides):
                    machine.path.append((node, place, varies))
                    signal = yield from run_block(body, frame)
                    machine.path.pop()
                    return signal
            return None

        return run

    _compound: dict[type, Callable[[Any, Any], Flowing]] = {  # noqa: RUF012
        cst.If: _if,
        cst.For: _for,
        cst.While: _while,
        cst.With: _with,
        cst.Try: _try,
        cst.TryStar: _try,
        cst.Match: _match,
    }


_GENERAL = frozenset(("Exception", "BaseException"))


def _caught(handler: Any) -> frozenset[str]:
    """The last names of the exceptions that a handler is for; none where it is for all."""
    if handler.type is None:
        return frozenset()
    types = [each.value for each in handler.type.elements] if isinstance(handler.type, cst.Tuple) else [handler.type]
    return frozenset(last_name(each) or "" for each in types)


def _leaves(suite: Any) -> bool:
    """Whether a suite leaves what it stands in, whatever happens before."""
    body = suite.body
    if isinstance(body, (cst.IndentedBlock, cst.SimpleStatementSuite)):
        body = body.body
    if isinstance(suite, cst.If) or not body:
        return False
    last = body[-1]
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1]
    return isinstance(last, _LEAVES)


def _raises(suite: Any) -> bool:
    """Whether a suite ends the program: nobody means to train where it does."""
    body = suite.body
    if isinstance(body, (cst.IndentedBlock, cst.SimpleStatementSuite)):
        body = body.body
    if isinstance(suite, cst.If) or not body:
        return False
    last = body[-1].body[-1] if isinstance(body[-1], cst.SimpleStatementLine) else body[-1]
    if isinstance(last, cst.Expr) and isinstance(last.value, cst.Call):
        return last_name(last.value.func) in ("exit", "_exit", "quit")
    return isinstance(last, cst.Raise)


def _close(machine: Machine, level: int) -> None:
    del machine.loops[level:], machine.draws[level:]


def _passed(machine: Machine, begun: int, node: cst.For) -> int:
    """How many passes over data began since an event, in loops further in."""
    return sum(1 for each in machine.events[begun:] if each.what is What.PASS and each.node is not node)


def _named_constant(node: cst.Assign) -> str | None:
    """The name that a literal is given, where there is just one."""
    if len(node.targets) != 1:
        return None
    target = node.targets[0].target
    if isinstance(target, cst.Attribute):
        return target.attr.value
    return target.value if isinstance(target, cst.Name) else None


def _of_function(body: cst.CSTNode) -> Any:
    """The nodes of a body without those of functions and classes within it."""
    stack = [body]
    while stack:
        node = stack.pop()
        yield node
        if node is body or not isinstance(node, (cst.FunctionDef, cst.ClassDef, cst.Lambda)):
            stack.extend(node.children)
