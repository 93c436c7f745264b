"""Silences the warnings of Python's parser about the code that is checked, also where several threads check at once."""

from __future__ import annotations

import threading
import warnings
from types import TracebackType


class Quiet:
    """Entered any number of times at once, it silences warnings until it was left as often.

    The filters belong to the whole process. `warnings.catch_warnings` in two threads can put them back in the wrong order,
    and leave them silent for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._caught = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._caught.__exit__(kind, error, trace)
