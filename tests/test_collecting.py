"""Garbage is collected between checks and not during one, and collection comes back however a check ends."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from samples import SAFE

from gradlint import check_source
from gradlint.collecting import without_collecting


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """The generations of the collections that have begun."""
    seen: list[int] = []

    def began(phase: str, told: dict[str, int]) -> None:
        if phase == "start":
            seen.append(told["generation"])

    gc.callbacks.append(began)
    yield seen
    gc.callbacks.remove(began)


def test_a_check_does_not_collect(collections: list[int]) -> None:
    check_source(SAFE)
    gc.collect()
    collections.clear()
    assert check_source(SAFE)
    assert len(collections) <= 2  # before it and behind it


def test_collection_comes_back_after_an_error() -> None:
    with pytest.raises(ValueError, match="why"), without_collecting():
        assert not gc.isenabled()
        raise ValueError("why")
    assert gc.isenabled()


def test_collection_stays_off_if_it_was_off() -> None:
    gc.disable()
    try:
        with without_collecting():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_collection_comes_back_when_several_threads_check() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(check_source, [SAFE] * 8))
    assert gc.isenabled() and len(set(found)) == 1 and found[0]
