"""Every rule page is executed: its example is found, its cure is what the fix writes, its exceptions are silent."""

from __future__ import annotations

import pytest
from harness import Page, difference, fixed, found, pages, places, read_marked, read_page

from gradlint.registry import all_rules


@pytest.fixture(params=pages(), ids=lambda path: path.stem)
def page(request: pytest.FixtureRequest) -> Page:
    return read_page(request.param)


def test_example_is_reported(page: Page) -> None:
    marked = read_marked(page.example)
    assert (marked.expected and difference(marked.source, found(marked.source), marked.expected)) == ""


def test_fix_writes_the_cure(page: Page) -> None:
    assert fixed(read_marked(page.example).source, (page.code,)) == page.instead


def test_cure_is_silent(page: Page) -> None:
    assert page.code not in {code for _, code in places(found(page.instead))}


def test_exceptions_are_silent(page: Page) -> None:
    for block in page.silent:
        assert difference(block, found(block), frozenset()) == ""


def test_header_agrees_with_the_rule(page: Page) -> None:
    rule = next(each for each in all_rules() if each.code == page.code)
    assert page.text.startswith(f"# {rule.code} {rule.name}\n\n**{rule.severity.value}** · *")
    applicability = {d.fix.applicability.value for d in found(read_marked(page.example).source) if d.code == page.code and d.fix}
    assert applicability and f"*{applicability.pop()} fix*" in page.text
