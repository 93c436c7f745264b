"""GRD001: suppression comments that silence nothing, told once every other rule has spoken."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gradlint.config.selection import ALWAYS_ON, UnknownRule, find, specificity
from gradlint.diagnostic import Diagnostic
from gradlint.suppression.comments import UNUSED, Directive, Named, reaches, read_suppressions, selects

if TYPE_CHECKING:
    from gradlint.rule import Rule

_CODE = re.compile(r"GRD\d+", re.I)
_LEAD = re.compile(r"[\s:;,.–—-]+")  # noqa: RUF001 - both dashes introduce a reason


@dataclass(frozen=True)
class Remark:
    """What is wrong with a directive, between two offsets of the text, and the one change that mends it."""

    start: int
    end: int
    message: str
    cure: str
    cut: tuple[int, int, str]
    """Replace the characters from the first offset to the second by a text."""


def holds_directives(text: str) -> bool:
    """Whether a comment of the text is one that this rule judges."""
    words = text.lower()
    if "gradlint" not in words and not ("noqa" in words and "grd" in words):
        return False  # which is told in a fraction of the time that reading the comments takes
    found = read_suppressions(text)
    return not found.whole_file and any(map(_is_ours, found.directives))


def unused(text: str, found: Sequence[Diagnostic], rules: Sequence[Rule[Any]]) -> Iterator[Remark]:
    """What is wrong with the directives of a text.

    `found` is what all of the `rules` find in it, selected for this run or not, silenced or not: so the verdict on a
    comment is the same in every run. Nothing is said of a text that is skipped as a whole.
    """
    suppressions = read_suppressions(text)
    if suppressions.whole_file:
        return
    for directive in filter(_is_ours, suppressions.directives):
        near = [each for each in found if reaches(directive, each)]
        if not directive.selectors:
            shown = f"`{text[directive.start : directive.end]}`"
            if directive.selectors is not None:
                yield _whole(text, directive, f"{shown} names no rule")
            elif not near:
                yield _whole(text, directive, f"{shown} silences nothing{_here(text, directive)}")
            continue
        faults = _faults(directive, near, rules, _here(text, directive))
        if faults is not None:
            message, idle = faults
            yield _remark(text, directive, message, idle)


def _is_ours(directive: Directive) -> bool:
    """`# gradlint: ignore`, or a `# noqa` that names one of our codes; a bare `# noqa` is for other tools too."""
    return directive.ours or any(_CODE.fullmatch(each.text) for each in directive.selectors or ())


def _faults(
    directive: Directive, near: Sequence[Diagnostic], rules: Sequence[Rule[Any]], here: str
) -> tuple[str, list[Named]] | None:
    """What to say of the selectors of a directive, and which of them go; None where all is well."""
    seen: set[str] = set()
    idle: list[Named] = []
    twice: list[Named] = []
    unknown: list[str] = []
    wrong: list[Named] = []
    for each in directive.selectors or ():
        key = each.text.upper()
        if (not directive.ours and not _CODE.fullmatch(each.text)) or (key in (UNUSED[0], UNUSED[1].upper()) and key not in seen):
            pass
        elif key in seen:
            twice.append(each)
        elif not any(specificity(rule.code, rule.name, each.text) for rule in rules):
            unknown.append(_unknown(each.text, rules))
            wrong.append(each)
        elif not any(selects(each.text, diagnostic) for diagnostic in near):
            idle.append(each)
        seen.add(key)
    told = []
    if idle:
        told.append(f"{_list(idle)} {'silences' if len(idle) == 1 else 'silence'} nothing{here}")
    if twice:
        told.append(f"{_list(twice)} {'is' if len(twice) == 1 else 'are'} named twice")
    told.extend(unknown)
    return ("; ".join(told), [*idle, *twice, *wrong]) if told else None


def _unknown(selector: str, rules: Sequence[Rule[Any]]) -> str:
    if selector.upper() == ALWAYS_ON:
        return f"`{ALWAYS_ON}` cannot be silenced"
    try:
        find(rules, selector)
    except UnknownRule as error:
        return str(error)
    return f"unknown rule `{selector}`"


def _list(selectors: Sequence[Named]) -> str:
    shown = [f"`{each.text}`" for each in selectors]
    return " and ".join(shown) if len(shown) < 3 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _here(text: str, directive: Directive) -> str:
    if _own_line(text, directive):
        return ": the comment must stand at the end of the line that it is about"
    return " here"


def _own_line(text: str, directive: Directive) -> bool:
    start = directive.comment.start
    begin = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    return not text[begin:start].strip()


# The cure


def _remark(text: str, directive: Directive, message: str, gone: Sequence[Named]) -> Remark:
    selectors = directive.selectors or ()
    removed = {each.start for each in gone}
    left = [(index, each) for index, each in enumerate(selectors) if each.start not in removed]
    if not left:
        return _whole(text, directive, message)
    parts = [left[0][1].text]
    for index, each in left[1:]:
        parts.append(text[selectors[index - 1].end : each.start] + each.text)
    change = (selectors[0].start, selectors[-1].end, "".join(parts))
    return Remark(directive.start, directive.end, message, f"Remove {_list(gone)}", change)


def _whole(text: str, directive: Directive, message: str) -> Remark:
    """The directive goes, with its comment where nothing else is in it, and with its line where that held nothing else."""
    comment = directive.comment
    before, after = text[comment.start : directive.start], text[directive.end : comment.end]
    words = after.partition("#")[0]
    if _LEAD.sub("", words):
        lead = _LEAD.match(words)
        change = (directive.start, directive.end + (lead.end() if lead else 0), "# ")
    elif before.strip():
        change = (comment.start + len(before.rstrip()), directive.end + len(words.rstrip()), "")
    elif "#" in after:
        change = (directive.start, directive.end + len(words), "")
    else:
        change = (*_comment_lines(text, directive), "")
    return Remark(directive.start, directive.end, message, "Remove the comment", change)


def _comment_lines(text: str, directive: Directive) -> tuple[int, int]:
    """From the code before a comment to its end, or its whole line with the newline."""
    start, end = directive.comment.start, directive.comment.end
    if not _own_line(text, directive):
        return start - (len(text[:start]) - len(text[:start].rstrip(" \t\f"))), end
    begin = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    newline = 2 if text[end : end + 2] == "\r\n" else 1 if text[end : end + 1] in ("\r", "\n") else 0
    return begin, end + newline
