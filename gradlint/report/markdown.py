"""A summary for a pull request, in GitHub-flavoured Markdown, which GitLab reads as well."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from gradlint.diagnostic import Applicability, Diagnostic
from gradlint.report.lines import count, flat, printable
from gradlint.report.pages import HOME, page_url

ROWS = 200
"""Limit on the rows of a table. GitHub accepts comments of up to 65,536 characters."""
_MARKUP = re.compile(r"[^\w \"'(),./;=+-]|_|(?<=w)\.(?=\w)", re.ASCII)
_CODE = re.compile(r"`([^`]+)`")
_INVISIBLE = "&#8203;"


def markdown(
    diagnostics: Sequence[Diagnostic], applied: Sequence[Diagnostic] = (), *, unsafe: bool = False, rows: int = ROWS
) -> Iterator[str]:
    """Yield the lines of the summary: the number found and fixed for each rule, then each finding with its place and fix.

    `diagnostics` are the findings that are left. `applied` are those that were fixed, with their places before the fix. With
    `unsafe`, `--fix` would apply unsafe fixes as well. At most `rows` findings of either kind are listed. Source text and file
    names are shown literally: they cannot create markup, HTML or links, or mention anyone with an @.
    """
    total, fixed = len(diagnostics) + len(applied), len(applied)
    found = count(total, "finding", "findings") if total else "no findings"
    yield f"### [gradlint]({HOME}): {found}{f' ({fixed} fixed, {total - fixed} remaining)' if fixed else ''}"
    if not total:
        return
    yield ""
    yield from _tallies(diagnostics, applied)
    if diagnostics:
        found_rows = (_found(each, unsafe=unsafe) for each in diagnostics[:rows])
        yield from _table("Remaining" if applied else "Found", ("place", "rule", "message", "fix"), found_rows)
        yield from _rest(len(diagnostics) - rows)
    if applied:
        yield from _table("Fixed", ("place", "rule", "message", "what was done"), map(_done, applied[:rows]))
        yield from _rest(len(applied) - rows)


def _tallies(diagnostics: Sequence[Diagnostic], applied: Sequence[Diagnostic]) -> Iterator[str]:
    found = Counter((each.code, each.name) for each in (*diagnostics, *applied))
    fixed = Counter((each.code, each.name) for each in applied)
    yield "| rule | name | found | fixed |"
    yield "|---|---|--:|--:|"
    for code, name in sorted(found):
        yield f"| {_rule(code)} | {_text(name)} | {found[code, name]} | {fixed[code, name]} |"


def _table(title: str, heads: Sequence[str], cells: Iterable[Sequence[str]]) -> Iterator[str]:
    yield ""
    yield f"#### {title}"
    yield ""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in cells:
        yield f"| {' | '.join(row)} |"


def _rest(number: int) -> Iterator[str]:
    if number > 0:
        yield ""
        yield f"… and {number} more."


def _found(each: Diagnostic, *, unsafe: bool) -> Sequence[str]:
    if each.fix is None:
        fix = _text(each.note or "by hand")
    else:
        option = "" if unsafe or each.fix.applicability is Applicability.SAFE else " (unsafe)"
        fix = f"{_text(each.fix.message)}{option}"
    return _place(each), _rule(each.code), _text(each.sentence), fix


def _done(each: Diagnostic) -> Sequence[str]:
    return _place(each), _rule(each.code), _text(each.sentence), _text(each.fix.message if each.fix is not None else "fixed")


def _place(each: Diagnostic) -> str:
    cell = f"cell {each.cell}:" if each.cell is not None else ""
    return f"<code>{_literal(f'{printable(each.filename)}:{cell}{each.span.start.row}')}</code>"


def _rule(code: str) -> str:
    return f"[{code}]({page_url(code)})"


def _text(text: str) -> str:
    """Return a message with text in backticks as code, and the rest as plain words without markup."""
    parts = _CODE.split(printable(flat(text)))
    return "".join(f"<code>{_literal(part)}</code>" if index % 2 else _words(part) for index, part in enumerate(parts))


def _words(text: str) -> str:
    """Return text outside of code. GitHub would link `@somebody` and `#1` even if they are escaped as references."""
    return re.sub(r"(&#(?:64|35);)", rf"\1{_INVISIBLE}", _literal(text))


def _literal(text: str) -> str:
    """Escape every character that could mean something to Markdown or HTML as a numeric reference."""
    return _MARKUP.sub(lambda match: f"&#{ord(match.group())};" if match.group().isascii() else match.group(), text)
