"""Who reaches whom among the units of a text, by names alone, as the model follows calls by names.

The model runs the functions that reach a backward pass, and carries out a call of another function of the text where that
reaches something that rules are about: such functions are *traced*. Of others it reads no more than the *values* that they
give to attributes, and the constructors in what they return. What is neither takes no part.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Set
from functools import cached_property

from gradlint.relevance.units import Unit, Units

_ENTERED = frozenset({"__call__", "forward"})
"""What runs where an object is called."""


class Reach:
    """The questions about one text; each answer may hold more than the model follows, and never less."""

    def __init__(self, units: Units) -> None:
        self.units = units
        self._signatures: dict[str, list[ast.arguments]] = {}

    def above(self, start: Iterable[int]) -> set[int]:
        """The units from which one of these may be reached: they call something of its name."""
        found = set(start)
        names = self._names(found)
        while names:
            more = {n for n, unit in enumerate(self.units.all) if n not in found and unit.calls_any(names)}
            found |= more
            names = self._names(more)
        return found

    def traced(self, start: Iterable[int], also_read: Iterable[int] = ()) -> tuple[set[int], set[int]]:
        """What the model carries out from some units, and what else it reads for the values of what stands in those.

        `also_read` are units of which no more than the values are wanted.
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
        """Of what may be called from some units, those of a name that some unit of it does, or calls, what rules are about."""
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
        """What the classes of some units, and all classes related to them, have besides their methods."""
        live = {name for number in numbers for name in self.clan_of(self.units[number])}
        return {n for n, unit in enumerate(self.units.all) if unit.is_head and not live.isdisjoint(self.clan_of(unit))}

    def importing(self, numbers: Set[int]) -> set[int]:
        """The units that import a name which some units read, where those do not say the same themselves.

        To the model an import is one of the whole text, wherever it stands.
        """
        read = set().union(*(self.units[number].contents.read for number in numbers))
        known = set().union(*(self.units[number].contents.imports for number in numbers))
        given = {n: unit.contents.imports for n, unit in enumerate(self.units.all) if "import" in unit.text}
        wanted = {alias for imports in given.values() for alias, origin in imports - known if alias in read}
        return {n for n, imports in given.items() if any(alias in wanted for alias, _ in imports)} if wanted else set()

    def clan_of(self, unit: Unit) -> frozenset[str]:
        """One name for all classes of this text that are related to the class of a unit; none for a function."""
        return frozenset((self._clan[unit.owner],)) if unit.owner is not None else frozenset()

    # By name

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
        """The units that define a class of one of the names inside of a function; to the model they are one class."""
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
        """The methods that run where an object is called, if one of their class is built in this text."""
        return {n for n, names in self._constructors.items() if any(unit.calls_any(names) for unit in self.units.all)}

    @cached_property
    def _constructors(self) -> dict[int, frozenset[str]]:
        """For each method that runs where an object is called, the names of the classes whose objects may have it."""
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
