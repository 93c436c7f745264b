"""From each fixture one marker per finding, and from each file many tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from harness import FIXTURES, difference, faulty_fixtures, fixed, found, places, read_marked

from gradlint.diagnostic import Applicability
from gradlint.registry import all_rules


@pytest.fixture(params=faulty_fixtures(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def faulty(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_markers_are_met(faulty: Path) -> None:
    marked = read_marked(faulty.read_text(encoding="utf-8"))
    assert marked.expected, f"{faulty} expects nothing; a clean script belongs into fixtures/idioms"
    assert difference(marked.source, found(marked.source), marked.expected) == ""


def test_fixed_file_is_what_the_fixer_writes(faulty: Path, request: pytest.FixtureRequest) -> None:
    marked = read_marked(faulty.read_text(encoding="utf-8"))
    target = faulty.with_suffix(".fixed.py")
    result = fixed(marked.source)
    if request.config.getoption("--update-fixed"):
        target.write_text(result, encoding="utf-8")
    assert target.read_text(encoding="utf-8") == result


def with_safe_fixes() -> list[Path]:
    return [path for path in faulty_fixtures() if path.with_suffix(".safe.py").exists()]


@pytest.mark.parametrize("path", with_safe_fixes(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_safe_fixes_alone_write_the_safe_file(path: Path, request: pytest.FixtureRequest) -> None:
    target = path.with_suffix(".safe.py")
    result = fixed(read_marked(path.read_text(encoding="utf-8")).source, unsafe=False)
    if request.config.getoption("--update-fixed"):
        target.write_text(result, encoding="utf-8")
    assert target.read_text(encoding="utf-8") == result


def test_what_is_not_fixed_says_why_and_where(faulty: Path) -> None:
    source = read_marked(faulty.read_text(encoding="utf-8")).source
    rows = source.count("\n") + 1
    for each in found(source):
        for row in re.findall(r"on line (\d+)", each.note or ""):
            assert 1 <= int(row) <= rows
        if each.fix is None:
            assert (each.note or "").startswith("gradlint offers no fix: ")
        else:
            safe = each.fix.applicability is Applicability.SAFE
            assert (each.note or "").startswith("the fix is not safe: ") is not safe


def test_headers_fit_on_a_line(faulty: Path) -> None:
    source = read_marked(faulty.read_text(encoding="utf-8")).source
    assert [each.message for each in found(source) if len(each.message) > 90] == []


def test_fixing_settles_and_compiles(faulty: Path) -> None:
    once = fixed(read_marked(faulty.read_text(encoding="utf-8")).source)
    compile(once, str(faulty), "exec")
    assert fixed(once) == once
    assert not [each for each in found(once) if each.fix is not None]


def test_fixing_keeps_every_comment(faulty: Path) -> None:
    source = read_marked(faulty.read_text(encoding="utf-8")).source
    before, after = (sorted(_words(comment) for comment in re.findall(r"#[^\n]*", text)) for text in (source, fixed(source)))
    assert [each for each in before if each] == [each for each in after if each]


def _words(comment: str) -> str:
    """A comment less what suppresses in it, which is the fixer's to remove."""
    return re.sub(r"(gradlint: ignore|noqa)(: [A-Z0-9, ]+|\[[^\]]*\])?|[#\s]", "", comment)


def test_ignore_comments_silence(faulty: Path) -> None:
    marked = read_marked(faulty.read_text(encoding="utf-8"))
    lines = marked.source.split("\n")
    for row in {row for row, _ in marked.expected}:
        codes = ", ".join(sorted(code for at, code in marked.expected if at == row))
        lines[row - 1] += f"  # gradlint: ignore[{codes}]"
    assert places(found("\n".join(lines))) == frozenset()


def test_crlf_changes_nothing(faulty: Path) -> None:
    marked = read_marked(faulty.read_text(encoding="utf-8"))
    windows = marked.source.replace("\n", "\r\n")
    assert places(found(windows)) == marked.expected
    assert fixed(windows) == fixed(marked.source).replace("\n", "\r\n")


def test_codes_of_a_folder_are_in_its_files(faulty: Path) -> None:
    if faulty.parent.name.startswith("GRD"):
        codes = {code for _, code in read_marked(faulty.read_text(encoding="utf-8")).expected}
        assert faulty.parent.name in codes


@pytest.mark.parametrize("path", sorted((FIXTURES / "idioms").glob("*.py")), ids=lambda path: path.stem)
def test_idioms_are_silent(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    compile(source, str(path), "exec")
    assert difference(source, found(source), frozenset()) == ""


@pytest.mark.parametrize("path", sorted((FIXTURES / "beyond").glob("*.py")), ids=lambda path: path.stem)
def test_beyond_reach_is_silent(path: Path) -> None:
    assert found(path.read_text(encoding="utf-8")) == ()


def test_there_are_thirty_idioms() -> None:
    assert len(list((FIXTURES / "idioms").glob("*.py"))) >= 30


def test_fast_path_equals_plain_path() -> None:
    from gradlint.analysis import engine
    from gradlint.analysis.source import read_whole

    for path in sorted(FIXTURES.glob("*/*.py")):
        source = read_marked(path.read_text(encoding="utf-8")).source
        fast = engine.examine(source, str(path), all_rules())
        plain = engine.examine(source, str(path), all_rules(), reader=read_whole)
        assert fast == plain, path
