"""Every rule page is executed: its example is found, its cure is what the fix writes, its exceptions are silent."""

from __future__ import annotations

import pytest
from harness import PAGES, Page, difference, fixed, found, pages, read_marked, read_page

from gradlint.registry import all_rules


@pytest.fixture(params=pages(), ids=lambda path: path.stem)
def page(request: pytest.FixtureRequest) -> Page:
    return read_page(request.param)


def test_example_is_reported(page: Page) -> None:
    marked = read_marked(page.example)
    assert {code for _, code in marked.expected} == {page.code}
    assert difference(marked.source, found(marked.source), marked.expected) == ""


def test_fix_writes_the_cure(page: Page) -> None:
    source = read_marked(page.example).source
    assert fixed(source, (page.code,)) == page.instead
    assert fixed(source) == page.instead


def test_cure_is_silent(page: Page) -> None:
    assert difference(page.instead, found(page.instead), frozenset()) == ""


def test_exceptions_are_silent(page: Page) -> None:
    assert page.silent
    for block in page.silent:
        assert difference(block, found(block), frozenset()) == ""


def test_header_agrees_with_the_rule(page: Page) -> None:
    rule = next(each for each in all_rules() if each.code == page.code)
    assert page.text.startswith(f"# {rule.code} {rule.name}\n\n**{rule.severity.value}** · *")
    applicability = {d.fix.applicability.value for d in found(read_marked(page.example).source) if d.code == page.code and d.fix}
    assert applicability and f"*{applicability.pop()} fix*" in page.text


def test_page_of_syntax_errors() -> None:
    page = read_page(PAGES / "GRD000.md")
    assert [each.code for each in found(page.example)] == ["GRD000"]
    for block in (page.instead, *page.silent):
        assert found(block) == ()
