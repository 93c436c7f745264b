"""Processes that share the work: started early, given the largest pieces first, and one that dies costs one piece."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor
    from multiprocessing.context import BaseContext

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 61
"""Windows waits for no more processes than this."""

CHUNK = 100_000
"""Small pieces of work go together up to this size."""

PORTION = 3_000_000
"""How much work is handed at once to the process that shares it with others made from it; its results come together."""


def processors() -> int:
    """How many processes can run at once."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


class Pool(Generic[Item, Result]):
    """Runs `work` over items in processes; `prepare` runs before the first item, and must be done with imports.

    Where a process can be forked, `prepare` runs in one, from which the others are made.
    """

    def __init__(
        self,
        work: Callable[[Item], Result],
        prepare: Callable[[], None],
        workers: int | None = None,
        *,
        nested: bool = False,
    ) -> None:
        self.work = work
        self._prepare = prepare
        self.workers = min(workers or processors(), MOST)
        self._executor: ProcessPoolExecutor | None = None
        self._nested = nested
        """It runs in the process that is prepared, and makes all others from that."""
        self._forks = False

    def start(self) -> None:
        """Start what imports what is needed, while the caller goes on."""
        if self._executor is None:
            self._forks = self.workers > 1 and not self._nested and _context() is not None
            started = 1 if self._forks else self.workers
            self._executor = _executor(started, self._prepare)
            for _ in range(started):
                self._executor.submit(_nothing)

    def run(self, items: Sequence[Item], sizes: Sequence[int], lost: Callable[[Item], Result]) -> Iterator[Result]:
        """The results in the order of the items, begun in the order of their sizes; `lost` is for what ended its process."""
        from concurrent.futures.process import BrokenProcessPool

        self.start()
        assert self._executor is not None
        done = 0
        try:
            with self._executor as executor:
                results = self._portions if self._forks else self._shared
                for result in results(executor, items, sizes, lost):
                    done += 1
                    yield result
        except BrokenProcessPool:
            yield from self._one_by_one(items[done:], lost)
        finally:
            self._executor = None

    def _shared(
        self, executor: ProcessPoolExecutor, items: Sequence[Item], sizes: Sequence[int], _: Callable[[Item], Result]
    ) -> Iterator[Result]:
        """Each process takes the largest piece that is left."""
        places: dict[int, tuple[Future[list[Result]], int]] = {}
        for chunk in _chunks(sizes):
            future = executor.submit(_each, self.work, [items[number] for number in chunk])
            places.update({number: (future, place) for place, number in enumerate(chunk)})
        for number in range(len(items)):
            future, place = places[number]
            yield future.result()[place]

    def _portions(
        self, executor: ProcessPoolExecutor, items: Sequence[Item], sizes: Sequence[int], lost: Callable[[Item], Result]
    ) -> Iterator[Result]:
        """The one process that is prepared shares out a portion after the other."""
        begin = total = 0
        for number, size in enumerate(sizes):
            total += size
            if total >= PORTION or number == len(sizes) - 1:
                part = slice(begin, number + 1)
                yield from executor.submit(_spread, self.work, items[part], sizes[part], lost, self.workers).result()
                begin, total = number + 1, 0

    def _one_by_one(self, items: Sequence[Item], lost: Callable[[Item], Result]) -> Iterator[Result]:
        """Each item apart, after one of them has ended a process."""
        from concurrent.futures.process import BrokenProcessPool

        done = 0
        while done < len(items):
            with _executor(1, self._prepare) as executor:
                for item in items[done:]:
                    done += 1
                    try:
                        yield executor.submit(self.work, item).result()
                    except BrokenProcessPool:
                        yield lost(item)
                        break

    def close(self) -> None:
        """End the processes where `run` was not called."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None


def _executor(workers: int, prepare: Callable[[], None]) -> ProcessPoolExecutor:
    from concurrent.futures import ProcessPoolExecutor

    return ProcessPoolExecutor(workers, mp_context=_context(), initializer=prepare)


def _context() -> BaseContext | None:
    """A fork costs a tenth of a new interpreter; it is safe on Linux, and while there is only one thread."""
    import multiprocessing

    if sys.platform == "linux" and threading.active_count() == 1:
        return multiprocessing.get_context("fork")
    return None


def _chunks(sizes: Sequence[int]) -> Iterator[list[int]]:
    """The numbers of the items, largest first; small ones together."""
    chunk: list[int] = []
    total = 0
    for number in sorted(range(len(sizes)), key=lambda each: -sizes[each]):
        chunk.append(number)
        total += sizes[number]
        if total >= CHUNK:
            yield chunk
            chunk, total = [], 0
    if chunk:
        yield chunk


def _spread(
    work: Callable[[Item], Result], items: Sequence[Item], sizes: Sequence[int], lost: Callable[[Item], Result], workers: int
) -> list[Result]:
    return list(Pool(work, _nothing, min(workers, len(items)), nested=True).run(items, sizes, lost))


def _each(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return [work(item) for item in items]


def _nothing() -> None:
    """Work that makes the pool start its processes."""
