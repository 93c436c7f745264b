"""How much of a run is observed, as the environment of the process says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FOLDER, WINDOWS, UNTIL, STOP = "GRADLINT_OBSERVE", "GRADLINT_OBSERVE_WINDOWS", "GRADLINT_OBSERVE_UNTIL", "GRADLINT_OBSERVE_STOP"

ARMED, IMPORTED = "armed", "imported"
"""Empty files in the folder: Python has started with the probe, and the program has imported PyTorch."""


@dataclass(frozen=True)
class Limits:
    """Where to write the record, how many windows to observe, whether to see the end of a pass, and what comes then.

    `to_tail` says that the observation goes on until a pass over the data has ended and the update after it is made. `stop` says
    that the program ends when the observation does.
    """

    folder: str
    windows: int = 3
    to_tail: bool = True
    stop: bool = False

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Limits:
        return cls(
            environment[FOLDER],
            int(environment.get(WINDOWS, "3")),
            environment.get(UNTIL, "tail") == "tail",
            environment.get(STOP, "") == "1",
        )

    @property
    def environment(self) -> dict[str, str]:
        """The variables that tell another process the same."""
        return {
            FOLDER: self.folder,
            WINDOWS: str(self.windows),
            UNTIL: "tail" if self.to_tail else "windows",
            STOP: "1" if self.stop else "",
        }
