"""Shares work among processes while more of it arrives. If there is little work, this process does it."""

from __future__ import annotations

import atexit
import os
import sys
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic

from gradlint.run.process_leader import Batch, Instructions, Item, Result, executor, lead

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

MOST = 61
"""Windows cannot wait for more processes than this."""

TOGETHER = 50_000
"""Small items are batched up to this total size."""

UNDERWAY = 8_000_000
"""Limit on the size of the work that the processes hold at once. The rest waits here."""


def processors() -> int:
    """Return how many processes can run at once."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


class Pool(Generic[Item, Result]):
    """Takes items as they come, and yields the results in the same order.

    Processes start once the sizes of the items add up to `pays_from`, and begin at once. A foreman leads them. If processes can
    be forked, only the foreman runs `prepare`, mostly imports, and the others are forked from it.
    """

    def __init__(self, do: Instructions[Item, Result], workers: int | None = None, pays_from: int = 0) -> None:
        self.pays_from = pays_from
        self.workers = min(workers or processors(), MOST)
        self._do = do
        self._items: list[Item] = []
        self._size = 0
        self._batch: Batch[Item] = []
        self._batch_size = 0
        self._waiting: deque[tuple[int, Batch[Item]]] = deque()
        self._underway: dict[int, int] = {}
        """The sizes of the batches that were passed on, by their first item's number."""
        self._results: dict[int, Result] = {}
        self._connection: Connection | None = None
        self._is_ready = False
        self.processes = 0
        """How many processes work besides this one, without the foreman."""

    def give(self, item: Item, size: int) -> None:
        """Add an item of some size."""
        self._batch.append((len(self._items), item))
        self._items.append(item)
        self._size += size
        self._batch_size += size
        if self._batch_size >= TOGETHER:
            self._close_batch()
        if not self.processes and self.workers > 1 and len(self._items) > 1 and self._size >= self.pays_from:
            self._start()
        self._pass_on()

    def results(self) -> Iterator[Result]:
        """Yield the results of all items, in order."""
        if not self.processes:
            yield from map(self._do.work, self._items)
            return
        self._close_batch()
        rest = self._one_by_one()
        for number in range(len(self._items)):
            while number not in self._results and self._connection is not None:
                self._pass_on(wait=True)
            yield self._results[number] if number in self._results else next(rest)

    def _one_by_one(self) -> Iterator[Result]:
        """Yield the results that a dead process left missing. The items run one at a time, so that a crash affects only one."""
        from concurrent.futures.process import BrokenProcessPool

        items = [item for number, item in enumerate(self._items) if number not in self._results]
        done = 0
        while done < len(items):
            with executor(1, self._do, _method()) as process:
                for item in items[done:]:
                    done += 1
                    try:
                        yield process.submit(self._do.work, item).result()
                    except BrokenProcessPool:
                        yield self._do.lost(item)
                        break

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            atexit.unregister(self.close)

    def _start(self) -> None:
        from multiprocessing import get_context

        method = _method()
        context = get_context(method)
        ours, theirs = context.Pipe()
        arguments = (theirs, ours if method == "fork" else None, self._do, self.workers, method)
        try:
            context.Process(target=lead, args=arguments).start()  # type: ignore[attr-defined]
        except OSError:  # the system allows no more processes
            self.workers = 1
            return
        finally:
            theirs.close()
        self._connection = ours
        atexit.register(self.close)  # or this process would wait for the foreman, which waits for the connection to close
        self.processes = self.workers

    def _close_batch(self) -> None:
        if self._batch:
            self._waiting.append((self._batch_size, self._batch))
            self._batch, self._batch_size = [], 0

    def _pass_on(self, *, wait: bool = False) -> None:
        """Take the results that have arrived, and pass on what waits."""
        if self._connection is None:
            return
        try:
            while self._connection.poll(None if wait and not self._may_pass_on() else 0):
                self._receive(self._connection.recv())
                wait = False
            while self._may_pass_on():
                size, batch = self._waiting.popleft()
                self._underway[batch[0][0]] = size
                self._connection.send((size, batch))
        except (EOFError, OSError):
            self.close()

    def _may_pass_on(self) -> bool:
        return self._is_ready and bool(self._waiting) and sum(self._underway.values()) < UNDERWAY

    def _receive(self, message: object) -> None:
        if message is None:
            self._is_ready = True
            return
        assert isinstance(message, list)
        self._underway.pop(message[0][0], None)
        self._results.update(message)


def _method() -> str:
    """Return the start method. A fork costs a tenth of a new interpreter, and is safe on Linux with a single thread."""
    from multiprocessing import get_start_method
    from threading import active_count

    return "fork" if sys.platform == "linux" and active_count() == 1 else get_start_method()
