"""The worker function under Ray and Spark. Both are large, so their tests run only where they are installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("psutil", reason="surveys need the extra `organisation`")

from repositories import repository

from gradlint.organisation.worker import check_repository

ROOT = Path(__file__).parents[2]
PATH = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))


def test_ray(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install ray")
    names = [str(repository(tmp_path / "one")), str(tmp_path)]
    ray.init(num_cpus=1, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": PATH}})
    try:
        task = ray.remote(check_repository)
        found = ray.get([task.remote(name) for name in names])
    finally:
        ray.shutdown()
    assert [[row["kind"] for row in rows] for rows in found] == [["verdict", "finding", "repository"], ["repository"]]


def test_spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = pytest.importorskip("pyspark.sql", reason="Spark is not installed: pip install pyspark pandas")
    pytest.importorskip("pandas")
    from gradlint.organisation.spark import SPARK_SCHEMA, check_frames

    monkeypatch.setenv("PYTHONPATH", PATH)
    names = [str(repository(tmp_path / "one")), str(tmp_path)]
    session = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        frame = session.createDataFrame([(name,) for name in names], ["repository"])
        rows = frame.mapInPandas(check_frames, SPARK_SCHEMA).collect()
    finally:
        session.stop()
    assert sorted((row.kind, row.state) for row in rows) == [
        ("finding", ""),
        ("repository", "done"),
        ("repository", "failed"),
        ("verdict", ""),
    ]
