"""A pytest plugin with one fixture. Turn it on in `conftest.py`: `pytest_plugins = ["gradlint.testing.plugin"]`."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def equals_large_batch() -> Callable[..., None]:
    """`gradlint.testing.assert_equals_large_batch`. A test without PyTorch is skipped."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from gradlint.testing import assert_equals_large_batch

    return assert_equals_large_batch
