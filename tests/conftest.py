"""Options of the test suite."""

from __future__ import annotations

import signal
from itertools import count

import pytest

_numbers = count()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-fixed", action="store_true", help="write fixtures/**/x.fixed.py anew from the fixer's output")


def pytest_configure() -> None:
    # A job in the background ignores Ctrl-C, and so would all processes that the tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test finds is not remembered for another, nor in the folder where the tests run."""
    monkeypatch.setenv("GRADLINT_CACHE_DIR", str(tmp_path_factory.getbasetemp() / f"cache-{next(_numbers)}"))
