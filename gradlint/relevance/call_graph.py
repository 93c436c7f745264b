"""Finds which units of a text call which, by name alone, because the model also follows calls by name.

The model runs the functions that reach a backward pass. It also follows calls of other functions in the text if these reach
something that rules are about. All such functions are *traced*. From other functions it only reads the *values* that they assign
to attributes, and the constructors in what they return. Everything else is irrelevant.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Set
from functools import cached_property

from gradlint.relevance.units import Unit, Units

_ENTERED = frozenset({"__call__", "forward"})
"""The methods that run when an object is called."""


class Reach:
    """Answers questions about one text. An answer may include more than the model follows, but never less."""

    def __init__(self, units: Units) -> None:
        self.units = units
        self._signatures: dict[str, list[ast.arguments]] = {}

    def above(self, start: Iterable[int]) -> set[int]:
        """The units from which one of the given units may be reached: they call something with its name."""
        found = set(start)
        names = self._names(found)
        while names:
            more = {n for n, unit in enumerate(self.units.all) if n not in found and unit.calls_any(names)}
            found |= more
            names = self._names(more)
        return found

    def traced(self, start: Iterable[int], also_read: Iterable[int] = ()) -> tuple[set[int], set[int]]:
        """The units that the model follows from some units, and the units whose values it reads.

        Only the values of the `also_read` units are needed.
        """
        run: set[int] = set(start)
        values: set[int] = {*also_read, *self.units.of_module}
        seen: set[int] = set()
        followed: set[int] = set()
        read: set[str] = set()
        called: set[str] = set()
        inlined: set[str] = set()
        classes: set[str] = set()
        relevant = self._relevant(run)
        while seen != run | values or followed != run:
            for unit in (self.units[number] for number in (run | values) - seen):
                read |= unit.contents.read
                called |= unit.contents.called
                classes |= unit.contents.classes | self.clan_of(unit)
            for number in run - followed:
                inlined |= self.units[number].contents.called
            seen, followed = run | values, set(run)
            run |= self._named(inlined) & relevant
            if run:
                run |= {n for n in self.entered & relevant if not self._constructors[n].isdisjoint(called)}
            values |= {n for n in self._named(called) if self.units[n].contents.builds}
            values |= set(self._giving(read, classes))
            values |= set(self._namesakes(classes))
        return run, values

    def _relevant(self, start: Set[int]) -> set[int]:
        """The units called from some units, directly or indirectly, that do something relevant to rules or lead to it.

        A unit also counts if another one with its name does.
        """
        below, new = set(start), set(start)
        callers: dict[int, set[int]] = {}
        while new:
            found: set[int] = set()
            for number in new:
                for each in self._named(self.units[number].contents.called):
                    callers.setdefault(each, set()).add(number)
                    found.add(each)
            new = (found | self.entered) - below
            below |= new
        relevant: set[int] = set()
        new = {number for number in below if self.units[number].contents.acts}
        while new:
            namesakes = self._named(self._names(new)) & below
            relevant |= new | namesakes
            new = set().union(*(callers.get(number, ()) for number in new | namesakes)) - relevant
        return relevant

    def heads(self, numbers: Iterable[int]) -> set[int]:
        """The statements outside methods of the classes of some units, and of all related classes."""
        live = {name for number in numbers for name in self.clan_of(self.units[number])}
        return {n for n, unit in enumerate(self.units.all) if unit.is_head and not live.isdisjoint(self.clan_of(unit))}

    def importing(self, numbers: Set[int]) -> set[int]:
        """The units that import a name which the given units read but do not import in the same way themselves.

        The model treats every import as one of the whole text, wherever it is.
        """
        read = set().union(*(self.units[number].contents.read for number in numbers))
        known = set().union(*(self.units[number].contents.imports for number in numbers))
        given = {n: unit.contents.imports for n, unit in enumerate(self.units.all) if "import" in unit.text}
        wanted = {alias for imports in given.values() for alias, origin in imports - known if alias in read}
        return {n for n, imports in given.items() if any(alias in wanted for alias, _ in imports)} if wanted else set()

    def clan_of(self, unit: Unit) -> frozenset[str]:
        """A common name for all classes in this text related to the class of a unit. Empty for a function."""
        return frozenset((self._clan[unit.owner],)) if unit.owner is not None else frozenset()

    # Lookup by name

    def signatures(self, name: str | None) -> Iterator[ast.arguments]:
        """The parameters of every function that a call of a name may run."""
        yield from self._signatures_of(name or "")
        if self.entered:
            yield from (each for entered in _ENTERED - {name} for each in self._signatures_of(entered))

    def _signatures_of(self, name: str) -> list[ast.arguments]:
        if name not in self._signatures:
            contents = (self.units[number].contents for number in self._named({name}))
            self._signatures[name] = [each for found in contents for defined, each in found.signatures if defined == name]
        return self._signatures[name]

    def _names(self, numbers: Iterable[int]) -> set[str]:
        return {name for number in numbers for name in self.units[number].defined}

    def _named(self, names: Set[str]) -> set[int]:
        known = names & self._by_name.keys()
        return {number for name in known for number in self._by_name[name] if self.units[number].defines(name)}

    def _giving(self, names: Set[str], classes: Set[str]) -> Iterator[int]:
        for number, unit in enumerate(self.units.all):
            if unit.owner is not None and not classes.isdisjoint(self.clan_of(unit)) and unit.gives_any(names):
                yield number

    def _namesakes(self, classes: Set[str]) -> Iterator[int]:
        """The units that define a class with one of the names inside a function.

        The model treats classes with the same name as one class.
        """
        for name in classes & self._by_name.keys():
            yield from (n for n in self._by_name[name] if name in self.units[n].contents.classes)

    @cached_property
    def _by_name(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number, unit in enumerate(self.units.all):
            for name in unit.defined:
                found.setdefault(name, []).append(number)
        return found

    @cached_property
    def entered(self) -> set[int]:
        """The methods that run when an object is called, if their class may be instantiated in this text."""
        return {n for n, names in self._constructors.items() if any(unit.calls_any(names) for unit in self.units.all)}

    @cached_property
    def _constructors(self) -> dict[int, frozenset[str]]:
        """For each method that runs when an object is called, the names of the classes whose objects may have it."""
        found = {}
        for number in self._named(_ENTERED):
            unit = self.units[number]
            inner = frozenset(unit.contents.classes)
            clan = self.clan_of(unit)
            found[number] = inner | {name for name, group in self._clan.items() if group in clan}
        return found

    @cached_property
    def _clan(self) -> dict[str, str]:
        heads = {unit.owner: unit for unit in self.units.all if unit.owner is not None and unit.is_head}
        clan = {name: name for name in heads}
        for name, head in heads.items():
            for base in head.bases & heads.keys():
                old, new = clan[name], clan[base]
                clan = {each: new if group == old else group for each, group in clan.items()}
        return clan
