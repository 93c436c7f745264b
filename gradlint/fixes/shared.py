"""Helpers for several fixes: withhold a fix or mark it as unsafe, and write a division by N or a shifted index."""

from __future__ import annotations

from dataclasses import replace

import libcst as cst

from gradlint.diagnostic import Applicability
from gradlint.edits import AddImport, Enclose
from gradlint.finding import Fix, Note, no_fix, not_safe
from gradlint.model.syntax.expressions import last_name, literal, text, walk
from gradlint.simulate.world import last_part, measures

Outcome = tuple[Fix | None, Note | None]
"""A fix, or the note that says why there is none."""


def withheld(reason: str, at: cst.CSTNode | None = None) -> Outcome:
    """No fix, the reason, and the code that is the reason unless it is the code of the finding."""
    return None, no_fix(reason, at)


def unsafe(fix: Fix, reason: str, at: cst.CSTNode | None = None) -> Outcome:
    """Mark a fix as unsafe, with the assumption that it makes and the code that may contradict it."""
    return replace(fix, applicability=Applicability.UNSAFE), not_safe(reason, at)


def in_several_places(call: cst.Call) -> tuple[str, cst.Call]:
    """The reason against changing a function that also runs elsewhere: what another call would do."""
    return f"`{last_name(call.func)}` is called in several places, and the fix would change all of them", call


def by_such_a_number(outcome: Outcome, steps: str) -> Outcome:
    """Make a division unsafe if the name of its divisor suggests that it is not meant as accumulation steps."""
    fix, _ = outcome
    if fix is None or not measures(last_part(steps)):
        return outcome
    return unsafe(
        fix, f"`{steps}` decides when the weights change, but its name suggests something else, so the step may be misplaced"
    )


def divided(node: cst.BaseExpression, n: str) -> str:
    """`node / n` as text, with the parentheses that precedence requires."""
    return f"{operand(node)} / {atom(n)}"


def divide(node: cst.BaseExpression, n: str) -> Enclose:
    """The same as an edit in place, however many lines the expression spans."""
    loose = operand(node) != bare(node)
    return Enclose(node, "(" if loose else "", f"{')' if loose else ''} / {atom(n)}")


def operand(node: cst.BaseExpression) -> str:
    """An expression as the left operand of a division."""
    loose = (cst.BooleanOperation, cst.Comparison, cst.IfExp, cst.Lambda, cst.NamedExpr, cst.Await)
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Not):
        return f"({bare(node)})"
    if isinstance(node, loose):
        return f"({bare(node)})"
    if isinstance(node, cst.BinaryOperation) and not isinstance(node.operator, (cst.Multiply, cst.Divide, cst.MatrixMultiply)):
        return f"({bare(node)})"
    return bare(node)


def bare(node: cst.BaseExpression) -> str:
    """The text of an expression without the parentheses around it."""
    whole = text(node)
    # An empty tuple is only parentheses, and code on several lines may need them.
    if not getattr(node, "lpar", ()) or isinstance(node, cst.Tuple) or "\n" in whole:
        return whole
    return text(node.with_changes(lpar=(), rpar=()))


def atom(n: str) -> str:
    """N as a right operand, in parentheses unless it is a name, a number, a call or a subscript."""
    try:
        node = cst.parse_expression(n)
    except cst.ParserSyntaxError:
        return f"({n})"
    simple = isinstance(node, (cst.Name, cst.Attribute, cst.Integer, cst.Call, cst.Subscript))
    return n if simple or bool(getattr(node, "lpar", None)) else f"({n})"


def shifted(index: cst.BaseExpression, offset: int) -> str:
    """`index + offset` as text with constants folded: `i` and 1 give `(i + 1)`, `i + 1` and -1 give `i`."""
    base, constant = index, offset
    if isinstance(index, cst.BinaryOperation) and isinstance(index.operator, (cst.Add, cst.Subtract)):
        right, left = literal(index.right), literal(index.left)
        if isinstance(right, int):
            base, constant = index.left, offset + (right if isinstance(index.operator, cst.Add) else -right)
        elif isinstance(left, int) and isinstance(index.operator, cst.Add):
            base, constant = index.right, offset + left
    name = bare(base)
    if isinstance(base, cst.BinaryOperation):
        name = f"({name})"
    if constant == 0:
        return name
    return f"({name} {'+' if constant > 0 else '-'} {abs(constant)})"


def comparison_around(holder: cst.CSTNode, node: cst.CSTNode) -> cst.CSTNode:
    """The comparison in `holder` with the expression as one of its two sides, or the expression itself if there is none."""
    for each in walk(holder):
        if isinstance(each, cst.Comparison) and len(each.comparisons) == 1:
            if each.left is node or each.comparisons[0].comparator is node:
                return each
    return node


def quoted(node: cst.CSTNode) -> str:
    """The first line of some code, quoted for a note."""
    words = text(node).partition("\n")[0].strip()
    return f"`{words}`" if len(words) <= 60 else f"`{words[:57]}...`"


NULLCONTEXT = AddImport("from contextlib import nullcontext")
