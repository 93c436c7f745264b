"""Runs a training script under the watch of PyTorch's own hooks, as `python train.py` would."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from .laboratory import alone, laboratory, samples
from .trace import Trace
from .watch import watching
from .watch.recorder import Recorder

PATIENCE = 20
"""Seconds after which a script is taken to hang."""


def run(source: str, micro_batches: int, arguments: tuple[str, ...] = (), *, frozen: bool = False) -> Trace:
    """Run a script over so many micro-batches a pass, as `python train.py ARGUMENTS` would, and record it.

    What goes wrong in the script ends it and is the trace's `error`. A `frozen` run undoes what each step does to the weights,
    so that gradients and losses can be compared with those of another run whatever was stepped before.
    """
    recorder = Recorder(frozen=frozen)
    if "DistributedDataParallel" in source:
        alone()
    names = {"__name__": "__main__", "print": recorder.printed}
    with laboratory(samples(micro_batches)), watching(recorder), patch.object(sys, "argv", ["train.py", *arguments]), _limit():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                exec(compile(source, "train.py", "exec"), names)
            except (Exception, SystemExit) as error:
                recorder.trace.error = f"{type(error).__name__}: {error}"
        recorder.finish()
    _forget_accelerators()
    return recorder.trace


@contextmanager
def _limit() -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"no end after {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _forget_accelerators() -> None:
    """Accelerate keeps its settings in the process; the next script is to begin without them."""
    if "accelerate" in sys.modules:
        from accelerate.state import AcceleratorState, GradientState  # type: ignore[import-untyped]

        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()
