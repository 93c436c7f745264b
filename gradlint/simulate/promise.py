"""What a fix says of itself: which events of a run it may change. Everything else has to stay as it is."""

from __future__ import annotations

from dataclasses import dataclass

from gradlint.simulate.trace import What


@dataclass(frozen=True)
class Promise:
    """What a rule's fix changes in a run.

    `events` are the kinds of event that it adds, moves or removes; with `factors`, it changes what the terms of the loss are
    multiplied by; with `windows`, it changes where windows end, and with that when everything happens that happens once per
    update; with `synchronisation`, which backward passes average gradients over processes.
    """

    events: frozenset[What] = frozenset()
    factors: bool = False
    windows: bool = False
    synchronisation: bool = False

    @property
    def text(self) -> str:
        """The promise as a sentence."""
        parts = [f"{what.value} events" for what in sorted(self.events)]
        if self.factors:
            parts.append("the factor of the loss")
        if self.windows:
            parts.append("where windows end")
        if self.synchronisation:
            parts.append("which backward passes synchronise")
        return f"The fix changes {', '.join(parts)}, and nothing else." if parts else "The fix changes no event of training."


def changing(*events: What, factors: bool = False, windows: bool = False, synchronisation: bool = False) -> Promise:
    """A promise about some kinds of event."""
    return Promise(frozenset(events), factors, windows, synchronisation)


NOTHING = Promise()
