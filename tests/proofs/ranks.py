"""Runs scripts under observation in two processes at once, as `torchrun --nproc-per-node 2` does, with gloo."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from observer import Observed, run_script

WORLD = 2
PATIENCE = 60


def run_ranks(scripts: dict[str, str]) -> dict[str, tuple[Observed, ...]]:
    """What each process saw of each script, by the script's name. The processes run all scripts, one after the other."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        ports = [stack.enter_context(_listener()).getsockname()[1] for _ in scripts]
        stack.pop_all().close()  # held until all were chosen, so that no port is given twice
        _finish(torch.multiprocessing.spawn(_run, args=(folder, scripts, ports), nprocs=WORLD, join=False))
        return {
            name: tuple(torch.load(_place(folder, name, rank), weights_only=False) for rank in range(WORLD)) for name in scripts
        }


def _finish(processes: torch.multiprocessing.SpawnContext) -> None:
    """Wait for the processes, and end them if they wait for each other."""
    deadline = time.monotonic() + PATIENCE
    while not processes.join(timeout=1):
        if time.monotonic() > deadline:
            for process in processes.processes:
                process.kill()
            raise TimeoutError(f"two processes took more than {PATIENCE} s for scripts of milliseconds")


def _listener() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def _place(folder: str, name: str, rank: int) -> Path:
    return Path(folder) / f"{name}.{rank}.pt"


def _run(rank: int, folder: str, scripts: dict[str, str], ports: list[int]) -> None:
    loopback = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    alive: list[dict[str, Any]] = []
    for (name, source), port in zip(scripts.items(), ports, strict=True):
        world = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": WORLD, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        alive.append({})
        with patch.dict(os.environ, loopback | {key: str(value) for key, value in world.items()}):
            torch.save(run_script(source, f"{name}.py", alive[-1]), _place(folder, name, rank))
    # To free a model of DistributedDataParallel can lock up: its destructor holds the interpreter's lock and waits for
    # gloo's threads, which wait for that lock. So none is freed, not even at the interpreter's end.
    os._exit(0)
