"""Work that is shared among processes: nothing is lost, and nothing is left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradlint.run import process_pool as pools
from gradlint.run.process_leader import Instructions
from gradlint.run.process_pool import Pool

ON_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="processes are killed with the signals of POSIX")


def double(item: int) -> int:
    time.sleep(0.001)
    if "TELLS" in os.environ:
        (Path(os.environ["TELLS"]) / str(os.getpid())).touch()
    return 2 * item


def fragile(item: int) -> int:
    """Ends its own process, or the one that leads it."""
    if item == 13:
        os._exit(11)
    if item == 31 and os.getppid() != int(os.environ["GIVES_THE_WORK"]):
        os.kill(os.getppid(), signal.SIGKILL)
    return double(item)


def fails(item: int) -> int:
    if multiprocessing.parent_process() is None:
        raise AssertionError("in the process that gives the work")
    return double(item)


def nothing() -> None:
    pass


def lost(item: int) -> int:
    return -item


@pytest.fixture(params=["fork", "spawn"])
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot {request.param}")
    monkeypatch.setattr(pools, "_method", lambda: request.param)
    yield request.param
    until = time.monotonic() + 10
    while multiprocessing.active_children() and time.monotonic() < until:
        time.sleep(0.02)
    assert not multiprocessing.active_children()


def given(pool: Pool[int, int], numbers: range, size: int = 10_000) -> list[int]:
    for number in numbers:
        pool.give(number, size * (1 + number % 7))
    found = list(pool.results())
    pool.close()
    return found


def test_results_come_in_the_order_of_the_items(method: str) -> None:
    pool = Pool(Instructions(fails, nothing, lost), 2)
    assert given(pool, range(100)) == [2 * number for number in range(100)]
    assert pool.processes == 2


def test_more_than_is_handed_on_at_once(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "UNDERWAY", 100_000)
    assert given(Pool(Instructions(fails, nothing, lost), 3), range(60)) == [2 * number for number in range(60)]


def test_little_work_starts_no_process() -> None:
    pool = Pool(Instructions(double, nothing, lost), 2, pays_from=1_000_000)
    assert given(pool, range(3)) == [0, 2, 4] and pool.processes == 0
    alone = Pool(Instructions(double, nothing, lost), 1)
    assert given(alone, range(30)) == [2 * number for number in range(30)] and alone.processes == 0
    assert list(Pool(Instructions(double, nothing, lost), 2).results()) == []


def test_a_system_without_more_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", refused)
    pool = Pool(Instructions(double, nothing, lost), 2)
    assert given(pool, range(30)) == [2 * number for number in range(30)] and pool.processes == 0


@ON_POSIX
@pytest.mark.parametrize(("numbers", "missing"), [(range(30), 13), (range(14, 60), None)], ids=["worker", "leader"])
def test_a_process_that_dies_costs_one_item(
    method: str, numbers: range, missing: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVES_THE_WORK", str(os.getpid()))
    monkeypatch.setenv("TELLS", str(tmp_path))
    found = given(Pool(Instructions(fragile, nothing, lost), 2), numbers)
    assert found == [-number if number == missing else 2 * number for number in numbers]
    assert all_end(tmp_path)


@ON_POSIX
def test_who_is_interrupted_leaves_no_process_behind(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys, time\n"
        "from gradlint.run.process_leader import Instructions\n"
        "from gradlint.run.process_pool import Pool\n"
        "def work(item):\n"
        f"    (pathlib.Path({str(tmp_path)!r}) / str(os.getpid())).touch()\n"
        "    time.sleep(0.5)\n"
        "pool = Pool(Instructions(work, int, work), 2)\n"
        "for number in range(60):\n"
        "    pool.give(number, 100_000)\n"
        "list(pool.results())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 20
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert said.count("KeyboardInterrupt") == 1
    assert len(list(tmp_path.iterdir())) == 2 and all_end(tmp_path)


def all_end(folder: Path) -> bool:
    """Whether the processes after which the files of a folder are named come to an end."""
    processes = [int(path.name) for path in folder.iterdir()]
    until = time.monotonic() + 20
    while any(map(_lives, processes)) and time.monotonic() < until:
        time.sleep(0.02)
    return bool(processes) and not any(map(_lives, processes))


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
