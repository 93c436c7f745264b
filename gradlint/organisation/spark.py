"""The worker function for Spark: `frame.mapInPandas(check_frames, SPARK_SCHEMA)`, for a frame with the column `repository`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas

from gradlint.organisation.rows import KINDS, NAMES
from gradlint.organisation.worker import check_repository

_COLUMNS = {int: "bigint", float: "double", str: "string"}
SPARK_SCHEMA = ", ".join(f"`{name}` {_COLUMNS[kind]}" for name, kind in KINDS.items())
"""The columns of the result, as Spark writes them."""


def check_frames(frames: Iterator[Any]) -> Iterator[Any]:
    """Yield the rows of each repository in some frames, as a frame for each."""
    for frame in frames:
        for repository in frame["repository"]:
            yield pandas.DataFrame(check_repository(repository), columns=list(NAMES))
