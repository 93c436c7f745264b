"""Module, page, fixtures, proof and changelog of every rule are in step; a failure names what is missing.

This is the scaffold for a new rule: write what the messages ask for until they stop.
"""

from __future__ import annotations

import re

import pytest
from harness import FIXTURES, PAGES, ROOT

from gradlint.registry import all_rules
from gradlint.rule import Rule

RULES = all_rules()
CODES = {rule.code for rule in RULES}
MODULES = ROOT / "gradlint" / "rules"
SCRIPTS = ROOT / "tests" / "proofs" / "scripts"
CHANGELOG = ROOT / "CHANGELOG.md"


@pytest.fixture(params=RULES, ids=lambda rule: rule.code)
def rule(request: pytest.FixtureRequest) -> Rule:
    return request.param


def test_module(rule: Rule) -> None:
    found = sorted(MODULES.glob(f"{rule.code.lower()}_*.py"))
    assert len(found) == 1, f"{rule.code} must have one module gradlint/rules/{rule.code.lower()}_*.py, not {len(found)}"
    first = found[0].read_text(encoding="utf-8").split("\n", 1)[0]
    wanted = f'"""{rule.code} {rule.name}; the page is rules/{rule.code}.md."""'
    assert first == wanted, f"{found[0].relative_to(ROOT)} must begin with {wanted}"


def test_page(rule: Rule) -> None:
    page = PAGES / f"{rule.code}.md"
    assert page.is_file(), f"the page of {rule.name} is missing: rules/{rule.code}.md"
    written = page.read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", written, re.M)
    wanted = ["What it does", "Why is this bad?", "Example", "Use instead", "Fix safety", "Not reported", "References"]
    # What a fault costs comes first, where there is something to measure.
    wanted.insert(0 if "](pictures/" in written else -1, "Measured")
    assert headings == wanted, f"rules/{rule.code}.md must have the sections {', '.join(wanted)}, in this order"


def test_page_prints_the_promise_of_the_fix(rule: Rule) -> None:
    safety = (PAGES / f"{rule.code}.md").read_text(encoding="utf-8").partition("## Fix safety")[2].partition("\n## ")[0]
    assert rule.promise.text in " ".join(safety.split()), f"rules/{rule.code}.md must print in Fix safety: {rule.promise.text}"


def test_fixtures(rule: Rule) -> None:
    folder = FIXTURES / rule.code
    scripts = [path for path in folder.glob("*.py") if path.suffixes == [".py"]]
    assert scripts, f"{rule.name} has no faulty script: fixtures/{rule.code}/*.py"
    for script in scripts:
        fixed = script.with_suffix(".fixed.py")
        assert fixed.is_file(), f"{fixed.relative_to(ROOT)} is missing: run `pytest --update-fixed` and review it"


def test_proof(rule: Rule) -> None:
    if rule.peers is not None:
        return  # a rule about comments has nothing to train
    assert list(SCRIPTS.glob(f"{rule.code}*.py")), f"{rule.name} has no script that trains: tests/proofs/scripts/{rule.code}.py"


def test_changelog(rule: Rule) -> None:
    wanted = f"{rule.code} {rule.name}"
    assert wanted in CHANGELOG.read_text(encoding="utf-8"), f"CHANGELOG.md does not mention {wanted}"


def test_nothing_is_left_over() -> None:
    parts = {
        "page": {path.stem for path in PAGES.glob("*.md")} - {"GRD000"},
        "fixture folder": {path.name for path in FIXTURES.glob("GRD*")},
        "module": {path.name[:6].upper() for path in MODULES.glob("grd*.py")},
        "proof": {path.name[:6] for path in SCRIPTS.glob("GRD*.py")},
    }
    for part, codes in parts.items():
        assert codes <= CODES, f"there is a {part} without a rule: {', '.join(sorted(codes - CODES))}"


def test_names_and_codes_are_well_formed() -> None:
    assert len({each.name for each in RULES}) == len(RULES) == len(CODES)
    for each in RULES:
        assert re.fullmatch(r"GRD\d{3}", each.code) and re.fullmatch(r"[a-z]+(-[a-z]+)*", each.name), each.code
        assert each.summary[0].isupper() or each.summary[0] == "`", each.code
        assert not each.summary.endswith("."), each.code


def test_pages_folder_holds_pages_only() -> None:
    others = {path.name for path in PAGES.iterdir() if path.suffix != ".md"}
    assert others == {"pictures"}, "rules/ holds Markdown and pictures only: it must not be importable"
