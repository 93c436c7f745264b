"""Shows the page of a rule over its findings, and over the comments that name it."""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types

from gradlint.config.selection import specificity
from gradlint.registry import all_rules
from gradlint.report.pages import page_url
from gradlint.report.sarif_rules import descriptor
from gradlint.rule import Rule
from gradlint.server.convert import Client
from gradlint.server.found import Checked
from gradlint.server.text import Text
from gradlint.suppression.comments import Directive, read_suppressions


def hover(checked: Checked, uri: str, position: types.Position, client: Client) -> types.Hover | None:
    """Return what to show at a position: the rules in a comment there, or else those of the findings there."""
    text = checked.document.texts.get(uri)
    if text is None:
        return None
    offset = text.offset(position)
    for directive in read_suppressions(text.content).directives:
        if directive.start <= offset <= directive.end:
            return _of_comment(directive, offset, text, client)
    here = []
    for finding in checked.findings:
        location = checked.document.location(finding.span)
        if location is not None and location.uri == uri and location.range.start <= position <= location.range.end:
            here.append((finding.code, location.range))
    codes = tuple(dict.fromkeys(code for code, _ in here))
    return _shown(codes, here[0][1], client) if codes else None


def _of_comment(directive: Directive, offset: int, text: Text, client: Client) -> types.Hover | None:
    """Return the rules that match the selector under the cursor. Elsewhere in the comment, return all that it names."""
    selectors = directive.selectors or ()
    under = next((each for each in selectors if each.start <= offset <= each.end), None)
    first, last = (under.start, under.end) if under is not None else (directive.start, directive.end)
    rules = [
        rule
        for rule in all_rules()
        if any(specificity(rule.code, rule.name, each.text) for each in ((under,) if under is not None else selectors))
    ]
    place = types.Range(text.position(first), text.position(last))
    if len(rules) < 2:
        return _shown(tuple(rule.code for rule in rules), place, client) if rules else None
    return _hover("\n".join(map(_line, rules)), place, client)


def _line(rule: Rule) -> str:
    return f"- [{rule.code}]({page_url(rule.code)}) {rule.name}: {rule.summary}"


def _shown(codes: Sequence[str], place: types.Range, client: Client) -> types.Hover:
    names = {rule.code: rule.name for rule in all_rules()}
    return _hover("\n\n---\n\n".join(_page(code, names.get(code, "syntax-error")) for code in codes), place, client)


def _page(code: str, name: str) -> str:
    """Return the page as readers of other reports get it: without HTML, and with links and pictures that load from anywhere."""
    help = descriptor(code, name).get("help")
    return f"# [{code}]({page_url(code)}) {name}\n\n{help['markdown'] if help is not None else ''}".strip()


def _hover(markdown: str, place: types.Range, client: Client) -> types.Hover:
    kind = types.MarkupKind.Markdown if client.markdown else types.MarkupKind.PlainText
    return types.Hover(types.MarkupContent(kind, markdown), place)
