"""DataLoaders of the text: whether their passes end, and whether they have a `len()`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import libcst as cst

from gradlint.model.syntax.expressions import keywords, last_name, literal, subnodes, walk
from gradlint.simulate.callables import External, Function, Instance
from gradlint.simulate.machine import Machine
from gradlint.simulate.things import Loader
from gradlint.simulate.values import IN_WINDOWS, Num, Opaque

_STREAM = re.compile(r"stream|iterable|infinite|endless|cycle", re.I)
_ANEW = frozenset(("cycle", "count", "repeat"))
"""Functions that repeat their items endlessly."""
_SIZED = frozenset(
    (
        "TensorDataset Subset ImageFolder DatasetFolder FakeData MNIST FashionMNIST EMNIST KMNIST QMNIST CIFAR10 CIFAR100 SVHN "
        "STL10 CelebA VOCDetection VOCSegmentation CocoDetection CocoCaptions Cityscapes"
    ).split()
)
"""Datasets of PyTorch and torchvision that have a length."""
_SAMPLERS = frozenset(
    "RandomSampler SequentialSampler SubsetRandomSampler WeightedRandomSampler DistributedSampler BatchSampler".split()
)


def loader(machine: Machine, given: list[Any], node: cst.CSTNode) -> Loader:
    """A DataLoader. Its length is unknown, and whether it has one depends on its dataset."""
    data = given[0] if given else None
    finite: bool | None = True
    sized: bool | None = None
    rows = data.identity if isinstance(data, Opaque) else ""
    if isinstance(data, Instance):
        streams = any(base.endswith("IterableDataset") for base in data.cls.outside)
        finite, sized = _of_stream(data) if streams else True, not streams
        sized = bool(data.cls.lookup("__len__")[0]) or sized
    elif isinstance(data, Opaque) and _STREAM.search(data.identity.partition("(")[0]):
        finite = sized = None
    elif isinstance(data, (list, tuple, range, dict)) or rows.partition("(")[0].rpartition(".")[2] in _SIZED:
        sized = True
    if sized is None and _walks_by_index(given, node):
        sized = True
    whole = (isinstance(data, Opaque) and IN_WINDOWS in data.kept) or _told_of_windows(machine, given, node)
    place = machine.compiler.place(node)
    return Loader(f"DataLoader at {place}", node, finite=finite, sized=sized, in_windows=whole, rows=rows)


def _told_of_windows(machine: Machine, given: list[Any], node: cst.CSTNode) -> bool:
    """Whether a custom loader is given N, which PyTorch's own loader has no use for: it may only yield whole windows."""
    own = isinstance(node, cst.Call) and last_name(node.func) != "DataLoader"
    return own and any(counts_windows(machine, each) for each in given)


def counts_windows(machine: Machine, value: Any) -> bool:
    """Whether a number is N, or a multiple of it."""
    if type(value) is Opaque:
        return machine.counts_steps(value.identity)
    if type(value) is not Num or value.value <= 0 or value.value % machine.world.n:
        return False
    return any(map(machine.counts_steps, value.of))


def _of_stream(data: Instance) -> bool | None:
    """Whether an iterable dataset ends, if its class shows it."""
    method = data.cls.lookup("__iter__")[1]
    if not isinstance(method, Function):
        return None
    nodes = list(walk(method.node))
    if any(map(_never_ends, nodes)):
        return False
    return None if any(type(node) is cst.While for node in nodes) else True


def _never_ends(node: cst.CSTNode) -> bool:
    """Whether an iteration repeats its items forever, or has a `while True` without a way out."""
    if type(node) is cst.Call:
        return last_name(node.func) in _ANEW
    return type(node) is cst.While and literal(node.test) in (True, 1) and not any(_leaves(node.body))


def _leaves(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """What leaves a loop from its body."""
    for each in subnodes(node):
        if type(each) in (cst.Return, cst.Raise, cst.Break):
            yield each
        elif type(each) in (cst.For, cst.While):
            yield from (inner for inner in walk(each) if type(inner) in (cst.Return, cst.Raise))
        else:
            yield from _leaves(each)


def _walks_by_index(given: list[Any], node: cst.CSTNode) -> bool:
    """Whether a loader shuffles or has a sampler: PyTorch allows neither for iterable datasets."""
    told = keywords(node) if isinstance(node, cst.Call) else {}
    if "shuffle" in told and literal(told["shuffle"]) is True:
        return True
    return any(_is_sampler(each) for each in given[1:])


def _is_sampler(value: Any) -> bool:
    if isinstance(value, External):
        return False
    name = value.identity.partition("(")[0].rpartition(".")[2] if isinstance(value, Opaque) else ""
    return name in _SAMPLERS
