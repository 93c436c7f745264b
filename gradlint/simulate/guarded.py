"""Compiles `with` and `try`."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import libcst as cst

from gradlint.model.syntax.expressions import last_name
from gradlint.simulate.blocks import Flowing, Signal, run_block
from gradlint.simulate.callables import Frame
from gradlint.simulate.contexts import enter, leave
from gradlint.simulate.expressions import expression
from gradlint.simulate.loops import close
from gradlint.simulate.stops import Raised, handles
from gradlint.simulate.targets import assign
from gradlint.simulate.values import Opaque


def with_block(compiler: Any, node: cst.With) -> Flowing:
    items = [
        (expression(each.item), assign(each.asname.name) if each.asname is not None else None, each.item) for each in node.items
    ]
    body = compiler.block(node.body)

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


def try_block(compiler: Any, node: Any) -> Flowing:
    body = compiler.block(node.body)
    handlers = [
        (_caught(each), each.name.name.value if each.name is not None else None, compiler.block(each.body))
        for each in node.handlers
    ]
    orelse = compiler.block(node.orelse.body) if node.orelse is not None else ()
    final = compiler.block(node.finalbody.body) if node.finalbody is not None else ()

    def run(frame: Frame) -> Generator[Any, Any, Signal]:
        machine = frame.machine
        machine.tick(node)
        depth = (len(machine.loops), len(machine.path), len(machine.stack))
        raised: Raised | None = None
        try:
            with machine.handling([names for names, _, _ in handlers]):
                signal = yield from run_block(body, frame)
            if signal is None:
                signal = yield from run_block(orelse, frame)
        except Raised as error:
            close(machine, depth[0])
            del machine.path[depth[1] :], machine.stack[depth[2] :]
            raised, signal = error, None
            for names, alias, handler in handlers:
                if handles(names, error.name):
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


def _caught(handler: Any) -> frozenset[str]:
    """The last names of the exceptions that a handler catches; empty if it catches all."""
    if handler.type is None:
        return frozenset()
    types = [each.value for each in handler.type.elements] if isinstance(handler.type, cst.Tuple) else [handler.type]
    return frozenset(last_name(each) or "" for each in types)
