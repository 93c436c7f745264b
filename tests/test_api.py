"""The Python interface."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from samples import BOTH, CLEAN, SAFE, SYNTAX_ERROR, script

import gradlint
from gradlint import check_paths, check_source, fix_source
from gradlint.selection import UnknownRule


def test_check_source() -> None:
    assert check_source(CLEAN) == ()
    (found,) = check_source(SAFE, "train.py")
    assert (found.filename, found.code, found.span.start.row) == ("train.py", "GRD101", 8)
    assert [each.code for each in check_source(BOTH, ignore=["GRD1"])] == ["GRD501"]
    assert [each.code for each in check_source(SYNTAX_ERROR)] == ["GRD000"]
    with pytest.raises(UnknownRule, match="GRD999"):
        check_source(SAFE, select=["GRD999"])


def test_fix_source() -> None:
    fixed = fix_source(BOTH)
    assert [each.code for each in fixed.applied] == ["GRD101"]
    assert [each.code for each in fixed.remaining] == ["GRD501"]
    assert fix_source(BOTH, unsafe_fixes=True).remaining == ()
    assert fix_source(fixed.source).source == fixed.source
    assert fix_source(BOTH, unsafe_fixes=True, select=["GRD501"]).source == BOTH.replace("Adam(", "AdamW(")


def test_check_paths(tmp_path: Path) -> None:
    script(tmp_path, SAFE, "a.py")
    script(tmp_path, BOTH, "sub/b.py")
    assert [each.code for each in check_paths([tmp_path])] == ["GRD101", "GRD501", "GRD101"]
    assert [each.code for each in check_paths([str(tmp_path)], select=["GRD5"])] == ["GRD501"]
    with pytest.raises(FileNotFoundError, match=r"missing\.py"):
        check_paths([tmp_path / "missing.py"])


def test_results_travel_between_processes() -> None:
    found = check_source(BOTH)
    assert pickle.loads(pickle.dumps(found)) == found
    with ProcessPoolExecutor(max_workers=1) as pool:
        assert list(pool.map(check_source, [BOTH])) == [found]


def test_package_has_no_other_names() -> None:
    assert {"check_paths", "check_source", "fix_source", "FixedSource"} <= set(gradlint.__all__)
    with pytest.raises(AttributeError):
        gradlint.nothing  # noqa: B018
