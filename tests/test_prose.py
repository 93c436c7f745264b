"""The texts that a user reads are plain English: none of them uses a phrase that sends a reader back to the start of the sentence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from harness import FIXTURES, ROOT, found, read_marked

from gradlint.cli import COMMANDS, main
from gradlint.registry import all_rules

STIFF = {
    "what only is there does not stand": r"\bstands?\b(?! for\b| out\b| alone\b)|\bstood\b|\bstanding\b",
    "somebody says it": r"\b(?:is|are|was|were|be|been|not) told\b|\btells (?:of|from|what|where|whether|why|how)\b",
    "somebody passes it": r"\b(?:is|are|was|were|be|been) handed\b|\bis left alone\b|\bare left alone\b",
    "somebody sees it": r"\b(?:not|is|are) in sight\b",
    "nothing is anywhere": r"\bnowhere\b|\band none\b|\bin no way\b",
    "it is separate": r"\bof (?:its|their|his|her|one's) own\b",
    "after, not behind": r"\bbehind (?:its|the|a|an|it) (?:step|backward|clip|update|loop|window)\b",
    "words of a contract": r"\bas far as\b|\banew\b|\bmeanwhile\b|\bthere(?:of|in|by|upon)\b|\bwhere(?:by|of|upon)\b",
    "it was intended": r"\b(?:was|were) meant\b(?! to\b)|\b(?:is|are|was|were) asked for\b|\bmoved those\b",
    "it is fixed": r"\bmend(?:s|ed|ing)?\b",
    "it is compared, skipped, or missing": r"\bheld against\b|\bpassed over\b|\blacks? them\b|\bvouch for\b(?! itself)",
    "once per update": r"\b(?:times|updates|commits?|calls|steps|reduces) an? (?:update|window|pass|rule|micro-batch)\b",
    "not, instead of no": r"\bno multiple of\b|\bha(?:s|ve) no (?:form|JSON)\b|\bsays? so of\b",
    "a branch": r"\b(?:another|the other|only one|either) arm\b",
    "what may or may not be": r"\bis (?:asked|obeyed|understood|spoken) (?:of|for|beneath)\b|\bnever obeyed\b",
}
"""Habits of a text that reads as if it were translated, each as a pattern."""
_STIFF = re.compile("|".join(f"(?:{each})" for each in STIFF.values()), re.I | re.M)
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.S)
_COMMENT = re.compile(r"<!--.*?-->", re.S)
PAGES = sorted(
    (
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("rules/*.md"),
        *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")),
        ROOT / "action.yml",
    )
)
MODULES = sorted((ROOT / "gradlint").rglob("*.py"))


def stiff(text: str) -> list[str]:
    """The stiff phrases of a text, code left out."""
    prose = _COMMENT.sub("", _CODE.sub("`x`", text))
    return [match.group() for match in _STIFF.finditer(" ".join(prose.split()))]


def texts(module: Path) -> Iterator[tuple[int, str]]:
    """The strings of a module that somebody may read: no docstrings, no patterns, nothing of fewer than three words."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    docstrings = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    commands = module.parent.name == "commands"
    for each in ast.walk(tree):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value.count(" ") >= 2:
            if id(each) not in docstrings or commands:
                yield each.lineno, each.value


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pages_are_plain(page: Path) -> None:
    assert stiff(page.read_text(encoding="utf-8")) == []


def test_messages_are_plain() -> None:
    seen = [
        f"{module.relative_to(ROOT)}:{line}: {', '.join(phrases)}: {text}"
        for module in MODULES
        for line, text in texts(module)
        if (phrases := stiff(text))
    ]
    assert seen == []


_DESCRIBED = frozenset(
    "Adds Converts Divides Finds Gives Inserts Makes Moves Parses Puts Raises Reads Removes Replaces Returns Writes Yields".split()
)


def test_docstrings_of_functions_are_imperative() -> None:
    described = [
        f"{module.relative_to(ROOT)}:{each.lineno}: {said}"
        for module in MODULES
        for each in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)) and (said := ast.get_docstring(each))
        if said.split(maxsplit=1)[0] in _DESCRIBED
    ]
    assert described == []


def test_summaries_and_advice_are_plain() -> None:
    assert [(rule.code, phrases) for rule in all_rules() if (phrases := stiff(f"{rule.summary}. {rule.afterwards}"))] == []


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_plain(command: str) -> None:
    shown = CliRunner().invoke(main, [*filter(None, [command]), "--help"]).stdout
    assert shown and stiff(shown) == []


@pytest.mark.parametrize("code", [rule.code for rule in all_rules()])
def test_no_reader_meets_a_marker_of_the_tests(code: str) -> None:
    shown = CliRunner().invoke(main, ["rule", code, "--output-format", "markdown"]).stdout
    assert shown.startswith(f"# {code} ") and "expect:" not in shown


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_a_finding_says_what_is_wrong_and_why(rule: object) -> None:
    """Its header fits on a line and is no question; its reason does not begin a sentence of its own."""
    code = getattr(rule, "code", "")
    plain = FIXTURES / code / "plain.py"
    if not plain.is_file():
        pytest.skip("the rule has no plain fixture")
    own = [each for each in found(read_marked(plain.read_text(encoding="utf-8")).source) if each.code == code]
    assert own
    for each in own:
        assert len(each.message) <= 90 and not each.message.endswith((".", "?", ":"))
        assert stiff(" ".join(filter(None, (each.sentence, each.note, each.fix.message if each.fix else "")))) == []
