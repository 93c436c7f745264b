"""What a factor or a divisor of the loss is: N, one over N, a count of the batch itself, or a weight."""

from __future__ import annotations

import re
from dataclasses import dataclass

import libcst as cst

from gradlint.model.data.window import Steps
from gradlint.model.names.lookup import same_steps
from gradlint.model.names.records import Site, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.syntax.expressions import NOT_LITERAL, dotted, last_name, literal, text, walk

_FUNCTIONS = frozenset(["torch", "np", "math", "F", "nn", "float", "int", "len", "max", "min", "sum", "abs"])
_FACTOR = re.compile(r"scale|norm|inv|accum|ratio|frac|mult|divisor|denom|num_|count|total", re.I)
_COUNT = re.compile(r"size|len|num|count|batch|chunk|samples?|tokens?|items|total|^n$|^n_|_n$|^bsz?$", re.I)
LOSS = re.compile(r"loss|cost|objective|criterion_out|(^|_)(nll|ce|kl|elbo)(_|$)", re.I)


@dataclass(frozen=True, eq=False)
class Factors:
    """Judges expressions against one N (`steps` is None where the loop shows none)."""

    resolver: Resolver
    steps: Steps | None

    def is_steps(self, node: cst.BaseExpression, site: Site) -> bool:
        """Whether an expression is N."""
        names = self.resolver.aliases(node, site) | {text(node)}
        if self.steps is None:
            return any(self.resolver.words.spells_steps(name) for name in names)
        if same_steps(names, self.steps.names, self.resolver.words):
            return True
        value = self.resolver.number(node, site)
        return value is not None and value == self.steps.value

    def mentions_steps(self, node: cst.CSTNode, site: Site) -> bool:
        return any(
            self.is_steps(each, site)
            for each in walk(node)
            if isinstance(each, (cst.Name, cst.Attribute)) and literal(each) is NOT_LITERAL
        )

    def is_reciprocal(self, node: cst.BaseExpression, site: Site) -> bool:
        """Whether an expression is 1 / N."""
        for each, where in self.resolver.follow(node, site):
            if isinstance(each, cst.BinaryOperation) and isinstance(each.operator, cst.Divide):
                if literal(each.left) in (1, 1.0) and self.is_steps(each.right, where):
                    return True
        return False

    def inverse_count(self, node: cst.BaseExpression, site: Site) -> int | None:
        """k where a factor is a name for `1 / k`."""
        if literal(node) is not NOT_LITERAL:
            return None
        for each, where in self.resolver.follow(node, site):
            if isinstance(each, cst.BinaryOperation) and isinstance(each.operator, cst.Divide) and literal(each.left) in (1, 1.0):
                count = self.resolver.number(each.right, where)
                return int(count) if count is not None and count == int(count) and count > 1 else None
        return None

    def is_weight(self, node: cst.BaseExpression, site: Site) -> bool:
        """A factor that weighs a loss and does not normalise it."""
        if literal(node) is not NOT_LITERAL or self.resolver.number(node, site) is not None:
            return True
        if isinstance(node, cst.BinaryOperation):
            if isinstance(node.operator, cst.Divide) and all(_COUNT.search(last_name(s) or "") for s in (node.left, node.right)):
                return False  # a share, which normalises
            return self.is_weight(node.left, site) and self.is_weight(node.right, site)
        name = last_name(node)
        if isinstance(node, (cst.Name, cst.Attribute, cst.Subscript)) and name:
            return not _FACTOR.search(name) and not LOSS.search(name)
        return False

    def counts_own_batch(self, node: cst.BaseExpression, site: Site) -> bool:
        """`x.size(0)`, `mask.sum()`, `len(x)`: everything in it is new in each micro-batch, and N plays no part."""
        loops = [guard for guard in site.path if guard.kind == "loop"]
        fresh = False
        for name in {each.value for each in walk(node) if isinstance(each, cst.Name)} - _FUNCTIONS:
            found = self.resolver.all_of(name, site.frame)
            if not found or self.resolver.words.spells_steps(name):
                if name in (last_name(each) for each in walk(node) if isinstance(each, cst.Attribute)):
                    continue
                return False
            for definition in found:
                if definition.how == "param" and definition.value is not None:
                    if not self.counts_own_batch(definition.value, site_of(definition)):
                        return False
                    continue
                if not loops or not any(guard is loops[-1] for guard in definition.path) or definition.how == "augment":
                    return False
                if definition.value is not None and self.mentions_steps(definition.value, site_of(definition)):
                    return False
            fresh = True
        return fresh


def counts_samples(node: cst.BaseExpression) -> bool:
    """`batch_size`, `x.size(0)`, `x.shape[0]`, `len(x)`: a mean that is multiplied by it is a sum over samples."""
    if isinstance(node, cst.Call):
        return last_name(node.func) == "len" or (last_name(node.func) == "size" and [literal(a.value) for a in node.args] == [0])
    if isinstance(node, cst.Subscript):
        return (dotted(node) or "").endswith(".shape[0]")
    return bool(re.search(r"batch_?size|^bsz?$", last_name(node) or "", re.I))
