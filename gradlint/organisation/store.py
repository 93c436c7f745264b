"""The folder of a survey: one Parquet file for each finished repository, and one with all rows at the end."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gradlint.organisation.git import without_password
from gradlint.organisation.rows import DONE, KINDS, REPOSITORY

_COLUMNS = {int: pa.int64(), float: pa.float64(), str: pa.string()}
SCHEMA = pa.schema([(name, _COLUMNS[kind]) for name, kind in KINDS.items()])
WHOLE = "findings.parquet"


class Store:
    """Writes and reads the folder of a survey. Every file appears complete or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts = folder / "repositories"

    def is_done(self, repository: str, *, retry: bool = False) -> bool:
        """Whether a repository has rows already. With `retry`, it also must have been checked to its end."""
        part = self._part(repository)
        if not part.exists():
            return False
        return not retry or any(row["state"] == DONE for row in read_rows([part]) if row["kind"] == REPOSITORY)

    def write(self, repository: str, rows: Sequence[dict[str, Any]]) -> None:
        """Write the rows of a repository."""
        _write(self._part(repository), pa.Table.from_pylist(list(rows), SCHEMA))

    def finish(self) -> Path:
        """Write all rows into one file, and return its path."""
        whole = self.folder / WHOLE
        whole.parent.mkdir(parents=True, exist_ok=True)
        draft = whole.with_name(f".{WHOLE}.{os.getpid()}")
        with pq.ParquetWriter(draft, SCHEMA, compression="zstd") as writer:
            for table in _batches(sorted(self.parts.glob("*/*.parquet"))):
                writer.write_table(table)
        os.replace(draft, whole)
        return whole

    def _part(self, repository: str) -> Path:
        digest = hashlib.sha256(without_password(repository).encode("utf-8", "surrogateescape")).hexdigest()
        return self.parts / digest[:2] / f"{digest[2:40]}.parquet"


def files_of(path: Path) -> list[Path]:
    """Return the Parquet files of a survey: a file, the whole of a finished survey, or the parts of an unfinished one."""
    if not path.is_dir():
        return [path]
    parts = sorted((path / "repositories").glob("*/*.parquet"))
    return parts or [each for each in (path / WHOLE,) if each.exists()]


def read_rows(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Yield the rows of some files."""
    for file in files:
        yield from pq.ParquetFile(file).read().to_pylist()


def _batches(files: Sequence[Path], size: int = 500) -> Iterator[pa.Table]:
    for start in range(0, len(files), size):
        yield pa.concat_tables([pq.ParquetFile(each).read() for each in files[start : start + size]])


def _write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
