"""Whether `len()` of what a loop walks is certain to work: streams have none, nor have loaders of streams."""

from __future__ import annotations

import re

import libcst as cst

from gradlint.model.names.lookup import MAX_HOPS, dominates
from gradlint.model.names.records import Site, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.syntax.expressions import argument, dotted, keywords, last_name, literal

_LOADERS = frozenset({"DataLoader", "StatefulDataLoader"})
_SAMPLERS = frozenset(
    "RandomSampler SequentialSampler SubsetRandomSampler WeightedRandomSampler DistributedSampler BatchSampler".split()
)
_SIZED = frozenset(
    (
        "TensorDataset Subset ImageFolder DatasetFolder FakeData MNIST FashionMNIST EMNIST KMNIST QMNIST CIFAR10 CIFAR100 SVHN "
        "STL10 CelebA VOCDetection VOCSegmentation CocoDetection CocoCaptions Cityscapes list tuple range sorted"
    ).split()
)
"""What is built with a length: data sets of PyTorch and torchvision, and Python's own sequences."""

_STREAMS = re.compile(r"^class\b[^\n]*\b(IterableDataset|IterDataPipe)\b|^def\b[\s\S]*\byield\b")


def has_length(node: cst.BaseExpression, site: Site, resolver: Resolver) -> bool:
    """The file asks for the length itself, or builds what is walked from something that has one."""
    return asked_for(node, site, resolver) or _is_sized(node, site, resolver)


def is_stream(node: cst.BaseExpression, site: Site, resolver: Resolver) -> bool:
    """What is walked has surely no length: a data set that only iterates, or a generator, also behind a loader."""
    for call, where in resolver.constructors(node, site):
        name = last_name(call.func) or ""
        data = argument(call, 0, "dataset") if name in _LOADERS else None
        if data is not None and is_stream(data, where, resolver):
            return True
        block = resolver.trace.facts.page.block_of(name)
        if block is not None and "__len__" not in block and _STREAMS.search(block):
            return True
    return False


def asked_for(node: cst.BaseExpression, site: Site, resolver: Resolver) -> bool:
    """`len()` of the same object stands in a line that runs wherever this one does, and where nobody is ready for an exception."""
    identity, tree = resolver.identity(node, site), resolver.trace.facts.tree
    return identity is not None and any(
        last_name(call.call.func) == "len"
        and len(call.call.args) == 1
        and resolver.identity(call.call.args[0].value, site_of(call)) == identity
        and dominates(call.path, site.path)
        and not any(tree.holds(each.body, call.call) for each in tree.all(cst.Try))
        for call in resolver.trace.calls
    )


def _is_sized(node: cst.BaseExpression, site: Site, resolver: Resolver, hops: int = 0) -> bool:
    built = resolver.constructors(node, site)
    names = (
        (definition.value, site_of(definition))
        for definition in resolver.reaching(dotted(node) or "", site)[0]
        if isinstance(definition.value, (cst.Name, cst.Attribute))
    )
    if hops > MAX_HOPS or not all(_is_sized(*each, resolver, hops + 1) for each in names):
        return False
    return bool(built) and all(_builds_sized(call, where, resolver) for call, where in built)


def _builds_sized(call: cst.Call, site: Site, resolver: Resolver) -> bool:
    name = last_name(call.func) or ""
    if name in _SIZED:
        return True
    block = resolver.trace.facts.page.block_of(name)
    if block is not None:
        return block.startswith("class ") and "def __len__" in block
    if name not in _LOADERS:
        return False
    given = keywords(call)
    sampler = given.get("batch_sampler") or given.get("sampler")
    if sampler is not None and literal(sampler) is not None:
        return any(last_name(each) in _SAMPLERS for each, _ in resolver.follow(sampler, site))
    # PyTorch refuses to shuffle a stream.
    if literal(given["shuffle"]) is True if "shuffle" in given else False:
        return True
    data = argument(call, 0, "dataset")
    if data is None:
        return False
    if isinstance(data, (cst.List, cst.Tuple)) or asked_for(data, site, resolver):
        return True
    return _is_sized(data, site, resolver)
