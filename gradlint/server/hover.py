"""Says in three lines what a rule is about, over its findings and over the comments that name it, with a link to its page."""

from __future__ import annotations

from lsprotocol import types

from gradlint.config.selection import specificity
from gradlint.diagnostic import Applicability, Diagnostic
from gradlint.registry import all_rules
from gradlint.report.lines import one_line
from gradlint.report.pages import page_url
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
    here: dict[str, tuple[Diagnostic, types.Range]] = {}
    for finding in checked.findings:
        location = checked.document.location(finding.span)
        if location is not None and location.uri == uri and location.range.start <= position <= location.range.end:
            here.setdefault(finding.code, (finding, location.range))
    if not here:
        return None
    rules = {rule.code: rule for rule in all_rules()}
    words = "\n\n".join(_found(finding, rules.get(code), client) for code, (finding, _) in here.items())
    return _hover(words, next(iter(here.values()))[1], client)


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
    lines = [f"{_heading(rule.code, rule.name, client)}: {rule.summary}" for rule in rules]
    return _hover("\n".join(f"- {line}" for line in lines) if len(lines) > 1 else lines[0], place, client) if lines else None


def _heading(code: str, name: str, client: Client) -> str:
    return f"**[{code}]({page_url(code)})** {name}" if client.markdown else f"{code} {name}"


def _found(finding: Diagnostic, rule: Rule | None, client: Client) -> str:
    """Return what is wrong, what gradlint would do about it, and where to read more."""
    if rule is None:
        return f"{_heading(finding.code, 'syntax-error', client)}  \n{one_line(finding.sentence)}"
    fix = finding.fix
    if fix is None:
        cure = "gradlint has no fix for this."
    else:
        safe = fix.applicability is Applicability.SAFE
        cure = f"{'Safe' if safe else 'Unsafe'} fix: {one_line(fix.message)}"
    url = page_url(finding.code)
    more = f"[Why it matters, and what it costs]({url})" if client.markdown else f"Why it matters, and what it costs: {url}"
    heading = f"**{rule.code}** {rule.name}" if client.markdown else f"{rule.code} {rule.name}"
    return "  \n".join((f"{heading} ({finding.severity.value})", f"{rule.summary}.", cure, more))


def _hover(markdown: str, place: types.Range, client: Client) -> types.Hover:
    kind = types.MarkupKind.Markdown if client.markdown else types.MarkupKind.PlainText
    return types.Hover(types.MarkupContent(kind, markdown), place)
