"""What is known beside a text: the names that its project teaches, and the modules around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from gradlint.analysis.neighbours import Neighbours
from gradlint.model.data.settings import NO_SETTINGS, SettingsFile
from gradlint.model.names.vocabulary import UNTAUGHT, Taught
from gradlint.simulate.simulation import Simulation, simulate

Runs = Callable[..., tuple[Simulation, ...]]
"""Runs the statements of a text; `unasked` are the faults that nobody asks for."""


@dataclass(frozen=True, eq=False)
class Project:
    """The names that a configuration adds to the field's own, and the modules around the text where they are followed."""

    taught: Taught = UNTAUGHT
    neighbours: Neighbours | None = None

    @cached_property
    def runs(self) -> Runs:
        """Runs the text, or a repaired one, by itself."""
        return partial(simulate, words=self.taught)

    @cached_property
    def followed(self) -> Runs:
        """Runs the text, or a repaired one, among the modules around it; to nothing where none are followed."""
        return partial(self.neighbours.simulate, words=self.taught) if self.neighbours is not None else lambda *_, **__: ()

    @property
    def settings(self) -> Mapping[str, SettingsFile]:
        """The files of settings that the text names, by the paths that it writes; none where none are followed."""
        return self.neighbours.settings.files if self.neighbours is not None else NO_SETTINGS


BARE = Project()
"""A text of which nothing is known but itself."""
