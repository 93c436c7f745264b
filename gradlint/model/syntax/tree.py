"""The statements of a file as one sequence of nodes, where everything below a node is a contiguous run."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import Any, TypeVar

import libcst as cst

from gradlint.model.syntax.expressions import Shape, reader_of, shape_of, walk

Node = TypeVar("Node", bound=cst.CSTNode)

Runs = tuple[tuple[int, int], ...]
"""Parts of the sequence in order, each from a start to an exclusive end."""


class Tree:
    """Every meaningful node of some statements, outermost first, read once.

    Everything below a node is looked up here instead of walked. A node that is not in these statements, such as an expression
    made from a name, is walked.
    """

    def __init__(self, statements: Iterable[cst.CSTNode]) -> None:
        self._nodes: list[Any] = []
        self._ends: list[int] = []
        self._begins: dict[int, int] = {}
        self._places: defaultdict[type[cst.CSTNode], list[int]] = defaultdict(list)
        nodes, ends, begins, places = self._nodes, self._ends, self._begins, self._places

        def take(node: cst.CSTNode) -> None:
            place = len(nodes)
            begins[id(node)] = place
            nodes.append(node)
            ends.append(place + 1)
            places[type(node)].append(place)
            read = reader_of(type(node))
            if read is None:
                return
            for value in read(node):
                shape = shape_of(type(value))  # type: ignore[arg-type]  # every class is hashable
                if shape is Shape.NODE:
                    take(value)
                elif shape is Shape.NODES:
                    for each in value:
                        take(each)
            ends[place] = len(nodes)

        for statement in statements:
            take(statement)

    # Runs

    def run(self, node: cst.CSTNode) -> tuple[int, int] | None:
        """The run of a node and everything below it, or None if the node is not in these statements."""
        place = self._begins.get(id(node))
        return None if place is None else (place, self._ends[place])

    def own(self, suite: cst.CSTNode) -> Runs:
        """The runs of a body without the functions and classes defined in it."""
        run = self.run(suite)
        if run is None:
            return ()
        place, end = run
        runs = []
        for inner in self._definitions[bisect_left(self._definitions, place) :]:
            if inner >= end:
                break
            if inner >= place:
                runs.append((place, inner))
                place = self._ends[inner]
        return (*runs, (place, end))

    @cached_property
    def _definitions(self) -> list[int]:
        return sorted((*self._places[cst.FunctionDef], *self._places[cst.ClassDef]))

    def at(self, kind: type[Node], *runs: tuple[int, int]) -> list[Node]:
        """The nodes of a class in some runs, in order."""
        nodes, places = self._nodes, self._places.get(kind, [])
        return [
            nodes[place]
            for begin, end in (runs if places else ())
            for place in places[bisect_left(places, begin) : bisect_left(places, end)]
        ]

    # Nodes

    def below(self, node: cst.CSTNode) -> Iterable[cst.CSTNode]:
        """Like `walk`."""
        run = self.run(node)
        return walk(node) if run is None else self._nodes[slice(*run)]

    def of(self, kind: type[Node], node: cst.CSTNode) -> list[Node]:
        """The nodes of a class at or below a node, outermost first."""
        run = self.run(node)
        if run is None:
            return [each for each in walk(node) if isinstance(each, kind)]
        return self.at(kind, run)

    def all(self, kind: type[Node]) -> list[Node]:
        """Every node of a class."""
        return self.at(kind, (0, len(self._nodes)))

    def calls(self, node: cst.CSTNode) -> list[cst.Call]:
        """Every call at or below a node."""
        return self.of(cst.Call, node)

    def holds(self, node: cst.CSTNode, inner: cst.CSTNode) -> bool:
        """Whether `node` is `inner`, or contains it."""
        run, place = self.run(node), self._begins.get(id(inner))
        if run is None or place is None:
            return any(each is inner for each in walk(node))
        return run[0] <= place < run[1]
