"""Checks many repositories side by side with Dask, and writes the rows of each as soon as it is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from distributed import Client, LocalCluster, as_completed

from gradlint.organisation.git import without_password
from gradlint.organisation.rows import REPOSITORY, Row, plain
from gradlint.organisation.store import Store
from gradlint.organisation.worker import DEFAULT, Limits, check_repository

_AHEAD = 4
"""How many repositories are handed out for each worker: enough to keep it busy, however long the list is."""


@dataclass(frozen=True)
class Progress:
    """A repository that has just been done: its state and message, and how many of all are done."""

    repository: str
    state: str
    message: str
    done: int
    total: int


def survey(
    repositories: Iterable[str],
    folder: str | Path,
    scheduler: str | None = None,
    *,
    workers: int | None = None,
    limits: Limits = DEFAULT,
    select: Iterable[str] | None = None,
    retry: bool = False,
) -> Iterator[Progress]:
    """Check repositories, write their rows to `folder`, and yield each repository once it is done.

    Repositories are paths or addresses that git can clone. `scheduler` is the address of a Dask scheduler. Without one, a cluster
    with that many `workers` runs on this machine. Repositories that `folder` has rows of are not checked again; with `retry`,
    those that failed are. When all are done, `folder/findings.parquet` contains every row.
    """
    store = Store(Path(folder))
    every = list(dict.fromkeys(repositories))
    waiting = [each for each in every if not store.is_done(each, retry=retry)]
    done = len(every) - len(waiting)
    chosen = tuple(select) if select is not None else None
    if waiting:
        with _client(scheduler, workers) as client:
            for name, rows in _checked(client, waiting, limits, chosen):
                store.write(name, rows)
                done += 1
                yield Progress(rows[-1]["repository"], rows[-1]["state"], rows[-1]["message"], done, len(every))
    store.finish()


def _checked(
    client: Client, waiting: list[str], limits: Limits, select: tuple[str, ...] | None
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the rows of each repository, in the order in which they are done."""
    rest = iter(waiting)
    names: dict[Any, str] = {}

    def hand_out(count: int) -> list[Any]:
        given = [(name, client.submit(check_repository, name, limits, select, pure=False)) for name in islice(rest, count)]
        names.update((task.key, name) for name, task in given)
        return [task for _, task in given]

    tasks = as_completed(hand_out(_AHEAD * max(len(client.scheduler_info()["workers"]), 1)))
    for task in tasks:
        name = names.pop(task.key)
        error = task.exception()  # a worker that died several times with this task has one
        yield name, task.result() if error is None else [_lost(name, error)]
        for following in hand_out(1):
            tasks.add(following)


def _lost(name: str, error: BaseException) -> dict[str, Any]:
    message = f"{type(error).__name__}: {error}".partition("\n")[0]
    return plain(Row(without_password(name), REPOSITORY, state="crashed", message=message))


@contextmanager
def _client(scheduler: str | None, workers: int | None) -> Iterator[Client]:
    if scheduler is not None:
        with Client(scheduler) as client:
            yield client
        return
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client
