"""Compiles `if` and `match`, and decides which arm a run takes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import libcst as cst

from gradlint.model.syntax.expressions import last_name
from gradlint.simulate import conditions, thresholds
from gradlint.simulate.blocks import Block, Flowing, Signal, run_block
from gradlint.simulate.callables import Frame
from gradlint.simulate.comparisons import alternatives
from gradlint.simulate.conditions import question_of
from gradlint.simulate.expressions import expression
from gradlint.simulate.machine import Machine
from gradlint.simulate.patterns import pattern
from gradlint.simulate.spelled_calls import asks_for_machine
from gradlint.simulate.telling import idle_remainders
from gradlint.simulate.trace import What
from gradlint.simulate.values import BATCHES, OF_NORM, Answer, of_length

_LEAVES = (cst.Break, cst.Continue, cst.Return, cst.Raise)


@dataclass(frozen=True)
class Choice:
    """How an unknown condition is answered.

    `usual` is the default answer. `decides` is set if training is in an arm, `leads` holds for each arm whether it has a backward
    pass, and `gate` is set if the condition affects what is trained. `refuses` is the answer that does not end the program.
    `seeks` is the answer that leads to the loop: until the loop is reached, no setting keeps a run from it. `passes` is set if
    more loops follow that one. `keeps` is the answer that builds no new optimizer, which a single micro-batch should not decide.
    """

    usual: bool
    decides: bool
    leads: tuple[bool, bool]
    gate: bool
    refuses: bool | None
    seeks: bool | None
    passes: bool
    keeps: bool | None


def branch(compiler: Any, node: cst.If) -> Flowing:
    """Compile `if`."""
    choice = _choice(compiler, node)
    ending = alternatives(node.test, cst.Or)
    breaks = _ends_with(node.body, (cst.Break, cst.Return))
    leaving = (_leaving(node.body), _leaving(node.orelse))
    forks = choice.gate and choice.refuses is None and not _of_the_machine(node.test)
    idle = frozenset() if choice.gate else idle_remainders(node, compiler.aims.names)
    test, body = expression(node.test), compiler.block(node.body)
    orelse: Block = ()
    if isinstance(node.orelse, cst.If):
        orelse = ((True, branch(compiler, node.orelse)),)
    elif node.orelse is not None:
        orelse = compiler.block(node.orelse.body)

    def run(frame: Frame) -> Generator[Any, Any, Signal]:
        machine = frame.machine
        machine.tick(node)
        machine.divided.clear()
        machine.compared.clear()
        machine.asked.idle |= idle
        value = test(frame)
        if breaks and machine.in_loop:
            machine.ends(ending, True)
        taken, varies = _answer(machine, value, choice)
        if machine.compared and any(choice.leads):
            thresholds.meets(machine, node, choice.leads, taken)
        varies = varies or _asks_anew(machine, node, value)
        if isinstance(value, Answer) and value.text == OF_NORM:
            machine.by_norm.add(node)
        if forks and machine.in_loop and conditions.of_data(value) and _goes_round(machine, node):
            taken = not taken
            machine.note(What.DETOUR, node, at=leaving[0 if taken else 1] or node.test)
        if varies and machine.in_loop:
            number = machine.asked.varied.setdefault(node, len(machine.asked.varied))
            taken = taken != (number in machine.world.elsewhere)
            varies = number not in machine.world.settled and not machine.plays_out(conditions.gates(value))
        if machine.divided:
            machine.asks(node, node.test, taken)
        if breaks and not taken and machine.loops and not all(map(of_length, conditions.gates(value))):
            machine.bounded.add(id(machine.loops[-1]))
        machine.path.append((node, 0 if taken else 1, varies))
        signal = yield from run_block(body if taken else orelse, frame)
        machine.path.pop()
        return signal

    return run


def _of_the_machine(test: cst.BaseExpression) -> bool:
    """Whether a condition only checks what is installed or set up, so that its answer is the same for all data."""
    asked = test.expression if isinstance(test, cst.UnaryOperation) else test
    return isinstance(asked, cst.Call) and not asked.args and asks_for_machine(last_name(asked.func) or "")


def _asks_anew(machine: Machine, node: cst.CSTNode, value: Any) -> bool:
    """Whether a condition asks another question than before, such as another entry of a table."""
    question = question_of(value) if conditions.certain(value) is None else None
    return question is not None and machine.asked.branches.setdefault(node, question.key) != question.key


def _goes_round(machine: Machine, node: cst.CSTNode) -> bool:
    """Whether a branch that the data decide takes its other arm this time."""
    met = machine.asked.forks.setdefault(node, [])
    met.append(len(machine.events))
    return machine.world.detour == (node, len(met) - 1)


def _choice(compiler: Any, node: cst.If) -> Choice:
    arms = (node.body, node.orelse)
    aims = tuple(compiler.aims.of(each) for each in arms)
    leaves = tuple(each is not None and _leaves(each) for each in arms)
    raises = tuple(each is not None and _raises(each) for each in arms)
    if aims[0].leads != aims[1].leads:
        usual = aims[0].leads
    elif aims[0].freezes != aims[1].freezes:
        usual = aims[1].freezes
    else:
        usual = not leaves[0] if leaves[0] != leaves[1] else aims[0].matters or not aims[1].matters
    decides = any(each.matters or each.schedules for each in aims)
    refuses = not raises[0] if raises[0] != raises[1] else None
    seeks = None
    if aims[0].loops != aims[1].loops:
        seeks = aims[0].loops
    elif compiler.ahead and leaves[0] != leaves[1]:
        seeks = not leaves[0]
    leads = aims[0].leads, aims[1].leads
    keeps = not aims[0].builds if aims[0].builds != aims[1].builds and not any(leads) else None
    passes = compiler.ahead and aims[0].loops != aims[1].loops
    return Choice(usual, decides, leads, decides or any(leaves), refuses, seeks, passes, keeps)


def _answer(machine: Machine, value: Any, choice: Choice) -> tuple[bool, bool]:
    """Which way a condition goes, and whether the data decide it."""
    known = conditions.certain(value)
    assumed = known is None or bool(conditions.gates(value))
    if choice.refuses is not None and assumed:
        return choice.refuses, False
    if choice.seeks is not None and assumed and not machine.in_loop:
        question = conditions.question_of(value) if known is None else None
        if question is None:
            return choice.seeks, False
        machine.refutes(question, choice.seeks)
        return (machine.seek(question, choice.seeks) if choice.passes else choice.seeks), False
    if known is None:
        called = bool(machine.loops) and not machine.in_loop
        decides = choice.decides or (choice.gate and called)
        varies = conditions.varies(value)
        builds_anew = varies and choice.keeps is not None and machine.in_loop and bool(machine.gradients.optimizers)
        taken = conditions.truth(machine, value, bool(choice.keeps) if builds_anew else choice.usual, decides=decides)
        question = conditions.question_of(value)
        if question is not None and choice.leads[1 if taken else 0]:
            machine.asked.leading.add(question.key)
        return taken, varies
    of = conditions.gates(value)
    if choice.gate:
        machine.asked.gates |= of
        if BATCHES not in of:
            machine.asked.lengths.update(filter(of_length, of))
    return known, not machine.varying.isdisjoint(of)


def match(compiler: Any, node: cst.Match) -> Flowing:
    """Compile `match`."""
    subject = expression(node.subject)
    cases = [
        (
            pattern(each.pattern),
            expression(each.guard) if each.guard is not None else None,
            compiler.block(each.body),
            _leaves(each.body),
        )
        for each in node.cases
    ]
    decides = any(compiler.aims.of(each.body).matters for each in node.cases)

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


def _leaves(suite: Any) -> bool:
    """Whether a suite always leaves the block around it, whatever happens first."""
    return _leaving(suite) is not None


def _leaving(suite: Any) -> cst.CSTNode | None:
    """The last statement of a suite, if it leaves the block around the suite."""
    if suite is None or isinstance(suite, cst.If):
        return None
    body = suite.body
    if isinstance(body, (cst.IndentedBlock, cst.SimpleStatementSuite)):
        body = body.body
    if not body:
        return None
    last = body[-1]
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1]
    return last if isinstance(last, _LEAVES) else None


def _ends_with(suite: Any, kinds: tuple[type, ...]) -> bool:
    """Whether the last statement of a suite is of one of these kinds."""
    body = suite.body.body if isinstance(suite.body, (cst.IndentedBlock, cst.SimpleStatementSuite)) else suite.body
    last = body[-1].body[-1] if body and isinstance(body[-1], cst.SimpleStatementLine) else None
    return isinstance(last, kinds)


def _raises(suite: Any) -> bool:
    """Whether a suite ends the program: a run that trains does not take it."""
    body = suite.body
    if isinstance(body, (cst.IndentedBlock, cst.SimpleStatementSuite)):
        body = body.body
    if isinstance(suite, cst.If) or not body:
        return False
    last = body[-1].body[-1] if isinstance(body[-1], cst.SimpleStatementLine) else body[-1]
    if isinstance(last, cst.Expr) and isinstance(last.value, cst.Call):
        return last_name(last.value.func) in ("exit", "_exit", "quit")
    return isinstance(last, cst.Raise)
