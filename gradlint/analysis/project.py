"""The context of a text: the names that its project configures, and the modules around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

from gradlint.analysis.neighbours import Neighbours
from gradlint.model.data.settings import NO_SETTINGS, SettingsInSight
from gradlint.model.names.vocabulary import UNTAUGHT, Taught
from gradlint.simulate.going_on import GoOn, to_the_end
from gradlint.simulate.simulation import Simulation, simulate
from gradlint.simulate.surroundings import ALONE, Surroundings

Runs = Callable[..., tuple[Simulation, ...]]
"""Runs the statements of a text. `unasked` are the faults that no selected rule reports."""


@dataclass(frozen=True, eq=False)
class Project:
    """The names that a configuration adds to the usual ones, and the modules around the text if they are followed.

    `go_on` is called before each run, and ends the work by raising an exception.
    """

    taught: Taught = UNTAUGHT
    neighbours: Neighbours | None = None
    go_on: GoOn = to_the_end

    @cached_property
    def runs(self) -> Runs:
        """Run the text, or a fixed version of it, by itself, with the settings files that it names."""
        return partial(simulate, words=self.taught, around=self._alone, go_on=self.go_on)

    @property
    def _alone(self) -> Surroundings:
        known = self.neighbours
        return Surroundings(known.path, settings=known.settings) if known is not None else ALONE

    @cached_property
    def followed(self) -> Runs:
        """Run the text, or a fixed version of it, with the modules around it. Returns no runs if none are followed."""
        if self.neighbours is None:
            return lambda *_, **__: ()
        return partial(self.neighbours.simulate, words=self.taught, go_on=self.go_on)

    @property
    def settings(self) -> SettingsInSight:
        """The settings files that the text can name. There are none if no modules are followed."""
        return self.neighbours.settings if self.neighbours is not None else NO_SETTINGS


BARE = Project()
"""A text without any context."""
