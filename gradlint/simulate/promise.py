"""The promise of a fix: which events of a run it may change. Everything else must stay the same."""

from __future__ import annotations

from dataclasses import dataclass

from gradlint.simulate.trace import What

_CHANGED = {
    What.BACKWARD: "backward passes",
    What.UNSCALE: "unscaling",
    What.RESCALE: "the scaling of gradients",
    What.CLIP: "clipping",
    What.STEP: "optimizer steps",
    What.SCALER_UPDATE: "scaler updates",
    What.ZERO: "the clearing of gradients",
    What.SCHEDULE: "scheduler steps",
    What.AVERAGE: "the averaging of weights",
    What.COUNT: "the counting of micro-batches",
    What.CALL: "calls of other functions",
}


@dataclass(frozen=True)
class Promise:
    """What a rule's fix changes in a run.

    `events` are the kinds of event that it adds, moves or removes. `factors` says that it changes what multiplies the terms of
    the loss. `windows` says that it changes where windows end, and so the timing of everything done once per update.
    `synchronisation` says that it changes which backward passes average gradients over processes.
    """

    events: frozenset[What] = frozenset()
    factors: bool = False
    windows: bool = False
    synchronisation: bool = False

    @property
    def text(self) -> str:
        """The promise as a sentence; empty if the fix changes no event of training."""
        parts = [phrase for what, phrase in _CHANGED.items() if what in self.events]
        if self.factors:
            parts.append("the factor of the loss")
        if self.windows:
            parts.append("where windows end")
        if self.synchronisation:
            parts.append("which backward passes average gradients over processes")
        if not parts:
            return ""
        listed = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
        held = "gradlint simulates the loop with and without the fix, and withholds it if anything else differs."
        return f"The fix may only change {listed}. {held}"


def changing(*events: What, factors: bool = False, windows: bool = False, synchronisation: bool = False) -> Promise:
    """A promise about some kinds of event."""
    return Promise(frozenset(events), factors, windows, synchronisation)


NOTHING = Promise()
