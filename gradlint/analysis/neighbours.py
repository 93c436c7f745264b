"""Finds the modules in the repository that a file imports, and the programs that lead to it, to add them to its runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import libcst as cst

from gradlint.analysis.source import Source, read_for_runs, read_rows
from gradlint.model.names.dotted_paths import joined
from gradlint.model.names.vocabulary import Role, Taught, role_of_constructor
from gradlint.relevance.programs import may_lead, may_update, takes_part
from gradlint.repository.callers import programs
from gradlint.repository.context import NO_CONTEXT, Context, context_of
from gradlint.repository.folder import Repository, repository_of
from gradlint.repository.imports import Import
from gradlint.repository.leading import leads_to_training
from gradlint.repository.needed import Outline, outline
from gradlint.repository.resolve import resolve
from gradlint.repository.settings_files import SettingsFiles
from gradlint.simulate.going_on import GoOn, to_the_end
from gradlint.simulate.roots import backwards
from gradlint.simulate.simulation import Simulation, simulate
from gradlint.simulate.surroundings import Module, Surroundings

MOST_MODULES = 16
"""How many modules are followed from one text."""

MOST_OUTLINED = 400_000
"""How many characters of other modules are searched for the code that is needed."""

MOST_CHARACTERS = 200_000
"""How many characters of other modules are parsed, in total."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The modules around the file at `path`, read on first use."""

    repository: Repository
    path: str
    text: str
    _sources: list[dict[str, Source]] = field(default_factory=list)
    _outlines: dict[str, Outline | None] = field(default_factory=dict)
    """The outlines of modules, by text. The programs that lead to a file often import the same modules as the file."""
    _searched: set[str] = field(default_factory=set)
    """The files that were searched for training."""
    consulted: set[str] = field(default_factory=set)
    """Other files that took part, such as those that a fix in several files was checked from."""

    def place(self, node: cst.CSTNode) -> str | None:
        """The place of a node in another module, such as `lib/engine.py:12`."""
        found = self.source_of(node)
        return f"{self.repository.name(found[0])}:{found[1].row_of(node)}" if found is not None else None

    def is_checked(self, node: cst.CSTNode) -> bool:
        """Whether a node in another module is in a file that gradlint reports findings in."""
        found = self.source_of(node)
        return found is not None and (takes_part(found[1].text) or may_lead(found[1].text))

    def source_of(self, node: cst.CSTNode) -> tuple[str, Source] | None:
        """The path and the text of the other module that a node is in."""
        pairs = ((path, source) for sources in self._sources for path, source in sources.items())
        return next(((path, source) for path, source in pairs if source.row_of(node) is not None), None)

    def with_texts(self, changed: Mapping[str, str]) -> Neighbours:
        """Return the modules around the file after a fix that changes some texts, by path."""
        text = changed.get(self.path, self.text)
        return Neighbours(self.repository.with_texts(changed), self.path, text, _outlines=self._outlines)

    @cached_property
    def leads(self) -> bool:
        """Whether the modules that the file imports mention training."""
        return leads_to_training(self.repository, self.path, self.text, self._searched)

    @cached_property
    def led(self) -> bool:
        """Whether a program that leads to the file mentions training, or imports modules that do."""
        for path in self._programs:
            text, searched = self.repository.text(path) or "", set[str]()
            trains = "backward" in text or leads_to_training(self.repository, path, text, searched)
            self._searched.update(searched)
            if trains:
                return True
        return False

    def unseen(self, name: str) -> str:
        """Why the module of an imported name is not followed. Empty if it is, or if it is not in the repository."""
        paths = (resolve(self.repository, self.path, each) for each in (name, name.rpartition(".")[0]) if each)
        found = next((each for each in paths if each is not None), None)
        if found is None:
            return ""
        text = self.repository.text(found)
        if text is None:
            return f"it cannot read `{self.repository.name(found)}`"
        return "" if outline(text) is not None else f"it cannot parse `{self.repository.name(found)}`"

    @property
    def statements(self) -> list[cst.BaseStatement]:
        """The parsed statements of the modules around the file."""
        return [each for sources in self._sources for source in sources.values() for each in source.statements]

    def simulate(
        self,
        statements: Sequence[cst.BaseStatement],
        words: Taught,
        unasked: frozenset[str] = frozenset(),
        go_on: GoOn = to_the_end,
    ) -> tuple[Simulation, ...]:
        """Run the statements of the file, or of a fixed text, with the modules around it. Returns nothing if there are none."""
        called = bool(backwards(statements)) or may_update(self.text)
        if not ((called and self._callers) or any(each.statements for each in self._imported.modules.values())):
            return ()
        around = self._imported.with_statements(self.path, statements)
        callers = [each.with_statements(self.path, statements) for each in self._callers] if called else []
        return simulate(statements, words, around, callers, unasked, go_on)

    @property
    def context(self) -> Context:
        """What the result depends on besides the text. Empty if none of it was used."""
        around = (self._imported, *self.__dict__.get("_callers", ())) if "_imported" in self.__dict__ else ()
        looked = sorted(self.settings.looked)
        if not (around or looked or self._searched):
            return NO_CONTEXT
        modules = {path for each in around for path in (each.here, *each.modules)} or self._searched
        modules = (modules | self.consulted) - {self.path}
        return context_of(self.repository, self.path, (*sorted(modules), *looked))

    @cached_property
    def settings(self) -> SettingsFiles:
        """The settings files around the file."""
        return SettingsFiles.around(self.repository, self.path)

    @cached_property
    def _imported(self) -> Surroundings:
        """The modules that the file imports."""
        linking = _Linking(self.repository, self._outlines)
        around = linking.around(self.path, self.text)
        self._sources.append(linking.sources)
        return replace(around, settings=self.settings)

    @cached_property
    def _programs(self) -> list[str]:
        return programs(self.repository, self.path)

    @cached_property
    def _callers(self) -> list[Surroundings]:
        """The programs that lead to the file, each with the modules it imports."""
        found = []
        for path in self._programs:
            text = self.repository.text(path) or ""
            source = read_for_runs(text)
            if isinstance(source, Source):
                linking = _Linking(self.repository, self._outlines, whole={self.path})
                around = linking.around(path, text).with_statements(path, source.statements)
                found.append(replace(around, settings=self.settings.of(path)))
                self._sources.append({**linking.sources, path: source})
        return found


def neighbours_of(filename: str, text: str, unsaved: Mapping[str, str] | None = None) -> Neighbours | None:
    """Return the modules around a file, if it is in a repository. `unsaved` texts take precedence over the files on disk."""
    repository = repository_of(Path(filename), unsaved)
    return Neighbours(repository, os.path.realpath(filename), text) if repository is not None else None


class _Linking:
    """Follows the imports of a text, nearest modules first, and parses from each module what its importers need."""

    def __init__(self, repository: Repository, outlines: dict[str, Outline | None], whole: Iterable[str] = ()) -> None:
        """`outlines` are the known outlines, by text."""
        self.repository = repository
        self._outlines = outlines
        self.links: dict[tuple[str, str], str] = {}
        self.unlinked: set[tuple[str, str]] = set()
        self.wanted: dict[str, set[str] | None] = {}
        """The names needed from each module, in the order the modules are found. None means all names."""
        self.sources: dict[str, Source] = {}
        self.whole = frozenset(whole)
        """The modules that the caller parses in full."""

    def around(self, path: str, text: str) -> Surroundings:
        """Return the modules around a text."""
        outlines: dict[str, Outline] = {}
        own = self._outline(text)
        if own is None:
            return Surroundings(path)
        outlines[path] = own
        self._link(path, (each for statement in own.statements for each in statement.imported), text)
        done: dict[str, frozenset[str] | None] = {}
        for _ in range(MOST_MODULES):  # reading one module can add to what is needed of another
            waiting = [each for each in self.wanted if each != path and done.get(each, frozenset()) != self._asked(each)]
            if not waiting:
                break
            for each in waiting:
                done[each] = self._asked(each)
                self._follow(each, outlines)
        left = MOST_CHARACTERS
        for each in self.wanted:
            source = _read(outlines[each], self._asked(each)) if each in outlines and each not in (path, *self.whole) else None
            left -= sum(part.length for part in source.slices) if source is not None else 0
            if left < 0:
                break
            if source is not None:
                self.sources[each] = source
        modules = {each: Module(self.repository.name(each), source.statements) for each, source in self.sources.items()}
        modules[path] = Module(self.repository.name(path), ())
        return Surroundings(path, modules, self.links)

    def _outline(self, text: str) -> Outline | None:
        if text not in self._outlines:
            self._outlines[text] = outline(text)
        return self._outlines[text]

    def _asked(self, path: str) -> frozenset[str] | None:
        names = None if path in self.whole else self.wanted[path]
        return None if names is None else frozenset(names)

    def _follow(self, path: str, outlines: dict[str, Outline]) -> None:
        """Link the imports in the needed part of a module."""
        if path not in outlines:
            text = self.repository.text(path)
            left = MOST_OUTLINED - sum(len(each.text) for each in outlines.values())
            found = self._outline(text) if text is not None and len(text) <= left and len(outlines) <= MOST_MODULES else None
            if found is None:
                return
            outlines[path] = found
        needed = outlines[path].needed(self._asked(path))
        self._link(path, (each for statement in needed for each in statement.imported), "\n".join(each.text for each in needed))

    def _link(self, path: str, imports: Iterable[Import], text: str) -> None:
        for each in imports:
            target = self._linked(path, each.module)
            if each.names is None:  # the module itself is imported
                if target is not None:
                    self._want(target, each.used_in(text))
                for prefix in each.packages:
                    self._linked(path, prefix)
                continue
            for name in [each for each in each.names if role_of_constructor(each) is not Role.SCHEDULER]:
                inner = self._linked(path, joined(each.module, name)) if name != "*" else None
                if inner is not None:
                    self._want(inner, Import(joined(each.module, name), bound=each.names[name]).used_in(text))
                elif target is not None:
                    self._want(target, None if name == "*" else {name})

    def _linked(self, importer: str, path: str) -> str | None:
        link = importer, path
        if link not in self.links and link not in self.unlinked:
            found = resolve(self.repository, importer, path)
            if found is not None:
                self.links[link] = found
            else:
                self.unlinked.add(link)
        return self.links.get(link)

    def _want(self, path: str, names: set[str] | None) -> None:
        known = self.wanted.setdefault(path, set())
        if names is None:
            self.wanted[path] = None
        elif known is not None:
            known |= names


def _read(found: Outline, names: Iterable[str] | None) -> Source | None:
    """Parse the needed part of a module."""
    rows: list[tuple[int, int]] = []
    for each in found.needed(names):
        if rows and each.rows[0] <= rows[-1][1] + 1:
            rows[-1] = (rows[-1][0], max(rows[-1][1], each.rows[1]))
        else:
            rows.append(each.rows)
    return read_rows(found.text, rows) if rows else None
