"""Leads the worker processes of a pool: starts them, and hands them work as it arrives, the largest pieces first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor
    from multiprocessing.connection import Connection

Item = TypeVar("Item")
Result = TypeVar("Result")
Batch = list[tuple[int, Item]]
"""Items that are done together, with their numbers."""


@dataclass(frozen=True)
class Instructions(Generic[Item, Result]):
    """What to do with an item, what to do before the first one, and the result for an item that crashed its process.

    All three can be pickled.
    """

    work: Callable[[Item], Result]
    prepare: Callable[[], None]
    lost: Callable[[Item], Result]


def executor(workers: int, do: Instructions[Any, Any], method: str, *unused: Connection) -> ProcessPoolExecutor:
    """Start processes that are ready to work, and close the connections that a fork has given them."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    return ProcessPoolExecutor(workers, mp_context=get_context(method), initializer=partial(_begin, do.prepare, unused))


def _begin(prepare: Callable[[], None], unused: Iterable[Connection]) -> None:
    import signal
    from threading import Thread

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that is interrupted ends the others
    for connection in unused:
        connection.close()
    Thread(target=_end_with_parent, daemon=True).start()
    prepare()


def _end_with_parent() -> None:
    """End with the parent. If the leader was killed, a process of the executor would wait for work forever."""
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def lead(connection: Connection, other_end: Connection | None, do: Instructions[Any, Any], workers: int, method: str) -> None:
    """Pass on the batches that arrive, until the connection closes or a process dies. Send a None once batches may come.

    `method` is a start method of `multiprocessing`. After a fork, `other_end` is this process's copy of the other end of the
    connection.
    """
    import signal
    from multiprocessing import Pipe
    from multiprocessing.connection import wait

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    unused = (connection,) if other_end is not None else ()
    if other_end is not None:
        other_end.close()
        do.prepare()
    broken, breaks = Pipe(duplex=False)
    processes = executor(workers, do, method, *unused)
    processes.submit(_nothing)
    crew = _Crew(processes, do.work, workers, connection.send, partial(breaks.send, None))
    try:
        connection.send(None)
        while broken not in wait((connection, broken)):
            crew.take(*connection.recv())
    except (EOFError, OSError):
        pass  # the work is done, or nobody wants it any more
    finally:
        processes.shutdown(cancel_futures=True)
        connection.close()


class _Crew(Generic[Item, Result]):
    """Keeps the processes busy, and queues what waits by size."""

    def __init__(
        self,
        processes: ProcessPoolExecutor,
        work: Callable[[Item], Result],
        workers: int,
        report: Callable[[object], None],
        give_up: Callable[[], None],
    ) -> None:
        from threading import Lock

        self._processes = processes
        self._work = work
        self._free = workers + 1  # one more than can run, so that none waits for its next batch
        self._report = report
        self._give_up = give_up
        self._waiting: list[tuple[int, int, Batch[Item]]] = []
        self._lock = Lock()

    def take(self, size: int, batch: Batch[Item]) -> None:
        """Add a batch."""
        with self._lock:
            heappush(self._waiting, (-size, batch[0][0], batch))
        self._hand_out()

    def _hand_out(self) -> None:
        from concurrent.futures.process import BrokenProcessPool

        while True:
            with self._lock:
                if not self._free or not self._waiting:
                    return
                self._free -= 1
                batch = heappop(self._waiting)[2]
            try:
                self._processes.submit(_each, self._work, batch).add_done_callback(self._done)
            except (BrokenProcessPool, RuntimeError):  # no process accepts work any more
                return

    def _done(self, future: Future[list[tuple[int, Result]]]) -> None:
        if future.cancelled():
            return
        try:
            self._report(future.result())
        except Exception:  # a process died, or nobody listens
            self._give_up()
            return
        with self._lock:
            self._free += 1
        self._hand_out()


def _each(work: Callable[[Item], Result], batch: Batch[Item]) -> list[tuple[int, Result]]:
    return [(number, work(item)) for number, item in batch]


def _nothing() -> None:
    """Do nothing, which makes the processes start."""
