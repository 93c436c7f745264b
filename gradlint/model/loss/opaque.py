"""What a call whose body is not in sight makes of a loss."""

from __future__ import annotations

import re

import libcst as cst

from gradlint.model.data.losses import FRESH, LossScale, Scale
from gradlint.model.loss.factors import Factors
from gradlint.model.names.records import Site
from gradlint.model.names.resolve import Resolver
from gradlint.model.syntax.expressions import dotted, keywords, last_name, literal


def opaque(node: cst.Call, site: Site, factors: Factors) -> LossScale:
    """A call whose body is not here: a fresh loss, unless N or a loss is handed to it, or it sums."""
    reduction = keywords(node).get("reduction")
    if reduction is not None and literal(reduction) != "mean":
        return LossScale(Scale.UNKNOWN, why="sum")
    if _sums(node.func, site, factors.resolver):
        return LossScale(Scale.UNKNOWN, why="sum")
    for arg in node.args:
        if factors.mentions_steps(arg.value, site):
            return LossScale(Scale.UNKNOWN, why="N is an argument")
        name = last_name(arg.value)
        if isinstance(arg.value, (cst.Name, cst.Attribute)) and name and re.search(r"(^|_)loss(es)?(_|$)", name):
            if not re.search(r"fn|func|weight|type|name|mask|crit", name):
                return LossScale(Scale.UNKNOWN, why="the loss passes through a call")
    return FRESH


def _sums(function: cst.BaseExpression, site: Site, resolver: Resolver) -> bool:
    """The loss function was built with another reduction than the mean."""
    name = dotted(function)
    if name is None:
        return False
    for definition in resolver.reaching(name, site)[0]:
        if isinstance(definition.value, cst.Call):
            reduction = keywords(definition.value).get("reduction")
            if reduction is not None and literal(reduction) != "mean":
                return True
    return False
