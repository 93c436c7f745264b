"""Options of the test suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-fixed", action="store_true", help="write fixtures/**/x.fixed.py anew from the fixer's output")
