"""The page about surveys has what it should, and what repositories contain cannot become part of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="reports need the extra `organisation`")
pytest.importorskip("altair", reason="reports need the extra `organisation`")
pytest.importorskip("vl_convert", reason="reports need the extra `organisation`")

from click.testing import CliRunner

from gradlint.organisation.command import commands
from gradlint.organisation.rows import Row, plain
from gradlint.organisation.store import Store

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{ 7 * 7 }}"


def surveyed(folder: Path, verdict: str, day: str) -> Path:
    store = Store(folder)
    for number in range(3):
        name = f"https://example.org/{number}{EVIL}"
        rows = [
            Row(name, "finding", "c", f"{EVIL}.py", rule="GRD101", severity="error", fixable="safe", message=EVIL, engine=EVIL),
            Row(name, "verdict", "c", "a.py", verdict=verdict, message=EVIL, engine=EVIL if number else "plain"),
            Row(name, "repository", "c", state="done" if number else "timeout", message=EVIL, checked_at=day, seconds=1.0),
        ]
        store.write(name, [plain(row) for row in rows])
    store.finish()
    return folder


def report(tmp_path: Path, *surveys: Path) -> str:
    target = tmp_path / "report.html"
    done = CliRunner().invoke(commands, ["report", *map(str, surveys), "-o", str(target)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return target.read_text(encoding="utf-8")


def test_one_survey(tmp_path: Path) -> None:
    page = report(tmp_path, surveyed(tmp_path / "december", "wrong", "2026-12-01") / "findings.parquet")
    assert "in 3 repositories" in page and "Survey <b>december</b>, begun 2026-12-01" in page
    assert "<b>100 %</b>wrong" in page and "<b>3</b>can be fixed safely" in page
    assert "GRD101" in page and "is not divided by the accumulation steps" in page
    assert "timeout" in page and "Over time" not in page and page.count("<svg") == 4


def test_surveys_over_time(tmp_path: Path) -> None:
    later = surveyed(tmp_path / "december", "verified", "2026-12-01")
    page = report(tmp_path, later, surveyed(tmp_path / "november", "wrong", "2026-11-01"))
    assert "Over time" in page and page.index("<td>november") < page.index("<td>december")
    assert "<b>100 %</b>verified" in page and page.count("<svg") == 6


def test_nothing_of_a_repository_becomes_html(tmp_path: Path) -> None:
    page = report(tmp_path, surveyed(tmp_path / "december", "wrong", "2026-12-01"))
    assert (
        "<script" not in page
        and "<img" not in page
        and "&lt;script&gt;" in page
        and "49" not in re.sub("<svg.*?</svg>", "", page)
    )
    assert "default-src 'none'" in page
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page)
