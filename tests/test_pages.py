"""Every rule page is executed: its example is found, its cure is what the fix writes, its exceptions are silent."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from harness import PAGES, Page, difference, fixed, found, pages, read_marked, read_page

from gradlint import explain
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
    cure = source if "*no fix*" in page.text else page.instead  # which is then a cure by hand
    assert fixed(source, (page.code,)) == cure
    assert fixed(source) == cure


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
    assert f"*{applicability.pop() if applicability else 'no'} fix*" in page.text


def test_page_of_syntax_errors() -> None:
    page = read_page(PAGES / "GRD000.md")
    assert [each.code for each in found(page.example)] == ["GRD000"]
    for block in (page.instead, *page.silent):
        assert found(block) == ()


# Pictures

SVG = "{http://www.w3.org/2000/svg}"
PICTURE = re.compile(r"^!\[([^\]]+)\]\(([^)]+)\)$", re.M)
UNPICTURED = {"GRD001"}
"""A comment that silences nothing changes no training: there is nothing to measure."""


def pictured_pages() -> list[Path]:
    return [path for path in pages() if path.stem not in UNPICTURED]


@pytest.fixture(params=pictured_pages(), ids=lambda path: path.stem)
def pictured(request: pytest.FixtureRequest) -> Page:
    return read_page(request.param)


def test_page_has_its_picture(pictured: Page) -> None:
    ((words, target),) = PICTURE.findall(pictured.text)
    assert target == f"pictures/{pictured.code}.svg"
    measured = pictured.text.partition("\n## Measured\n")[2]
    assert measured.startswith(f"\n![{words}]"), "the picture stands first under `## Measured`"
    image = ElementTree.fromstring((PAGES / target).read_text(encoding="utf-8"))
    title, description = image.findtext(f"{SVG}title"), image.findtext(f"{SVG}desc") or ""
    assert description.split() == words.split() and description.startswith(f"{title}. ")
    assert image.get("role") == "img" and image.get("aria-labelledby") == "title desc"
    assert re.search(r"before the fix (from )?\d", description) and re.search(r"after the fix (from )?\d", description)


def test_picture_is_drawn_from_two_runs(pictured: Page) -> None:
    image = ElementTree.fromstring((PAGES / "pictures" / f"{pictured.code}.svg").read_text(encoding="utf-8"))
    data = json.loads(image.findtext(f"{SVG}metadata") or "")
    assert data["code"] == pictured.code and data["x"] and data["y"]
    assert data["written"] != data["repaired"]
    for run in (data["written"], data["repaired"]):
        assert len(run["x"]) == len(run["y"]) > 0
    assert not data["repaired"]["stopped"]
    assert len(data["title"]) < 68, "the title does not fit above the picture"


def test_picture_suits_every_reader(pictured: Page) -> None:
    text = (PAGES / "pictures" / f"{pictured.code}.svg").read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"<script|<image|<foreignObject|@import|url\((?!#)|href=\"(?!#)|<dc:date|\bon\w+=", text)
    assert len(text) < 40_000


def test_no_picture_is_left_over() -> None:
    assert {path.name for path in (PAGES / "pictures").iterdir()} == {f"{path.stem}.svg" for path in pictured_pages()}


def test_page_where_no_picture_can_be_shown(pictured: Page) -> None:
    text = explain.page(pictured.code)
    ((words, _),) = PICTURE.findall(pictured.text)
    assert f"\n\n{words}\n\n" in text and "![" not in text and ".svg" not in text


def test_page_with_pictures_from_elsewhere(pictured: Page) -> None:
    text = explain.page(pictured.code, pictures="https://example.org/rules")
    assert PICTURE.findall(text)[0][1] == f"https://example.org/rules/pictures/{pictured.code}.svg"
