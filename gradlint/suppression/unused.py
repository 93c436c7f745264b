"""GRD001: suppression comments that silence nothing. It runs after all other rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gradlint.config.selection import ALWAYS_ON, specificity, unknown_rule
from gradlint.diagnostic import Diagnostic
from gradlint.suppression.comments import UNUSED, Directive, Named, reaches, read_suppressions, selects

if TYPE_CHECKING:
    from gradlint.rule import Rule

_CODE = re.compile(r"GRD\d+", re.I)
_LEAD = re.compile(r"[\s:;,.–—-]+")  # noqa: RUF001 - both dashes introduce a reason


@dataclass(frozen=True)
class Remark:
    """What is wrong with a directive, with offsets in the text, and the change that fixes it."""

    start: int
    end: int
    told: Sequence[str]
    """The faults in words. The first is the header of the finding."""
    cure: str
    cut: tuple[int, int, str]
    """The replacement: a start offset, an end offset, and the new text."""


def holds_directives(text: str) -> bool:
    """Whether the text has a comment that this rule judges."""
    words = text.lower()
    if "gradlint" not in words and not ("noqa" in words and "grd" in words):
        return False  # much faster than reading the comments
    found = read_suppressions(text)
    return not found.whole_file and any(map(_is_ours, found.directives))


def unused(text: str, found: Sequence[Diagnostic], rules: Sequence[Rule]) -> Iterator[Remark]:
    """Yield what is wrong with the directives of a text.

    `found` is what all of the `rules` find in it, including rules that are not selected and findings that are silenced. So the
    verdict on a comment is the same in every run. A text that is skipped as a whole is not judged.
    """
    suppressions = read_suppressions(text)
    if suppressions.whole_file:
        return
    for directive in filter(_is_ours, suppressions.directives):
        near = [each for each in found if reaches(directive, each)]
        if not directive.selectors:
            shown = f"`{text[directive.start : directive.end]}`"
            if directive.selectors is not None:
                yield _whole(text, directive, [f"{shown} names no rule"])
            elif not near:
                yield _whole(text, directive, _silent([shown], _misplaced(text, directive)))
            continue
        faults = _faults(directive, near, rules, _misplaced(text, directive))
        if faults is not None:
            yield _remark(text, directive, *faults)


def _is_ours(directive: Directive) -> bool:
    """Whether a directive is `# gradlint: ignore`, or a `# noqa` with a gradlint code. A bare `# noqa` is for other tools too."""
    return directive.ours or any(_CODE.fullmatch(each.text) for each in directive.selectors or ())


def _faults(
    directive: Directive, near: Sequence[Diagnostic], rules: Sequence[Rule], misplaced: bool
) -> tuple[list[str], list[Named]] | None:
    """Return the faults of a directive's selectors, and the selectors to remove, or None if all is well."""
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
        told.extend(_silent([f"`{each.text}`" for each in idle], misplaced))
    if twice:
        told.append(f"{_list(twice)} {'is' if len(twice) == 1 else 'are'} named twice")
    told.extend(unknown)
    return (told, [*idle, *twice, *wrong]) if told else None


def _silent(shown: Sequence[str], misplaced: bool) -> list[str]:
    """Return the faults of selectors that silence nothing."""
    verb = "silences" if len(shown) == 1 else "silence"
    if misplaced:
        return [f"{_joined(shown)} {verb} nothing", "the comment must be at the end of the line that it is about"]
    return [f"{_joined(shown)} {verb} nothing here"]


def _unknown(selector: str, rules: Sequence[Rule]) -> str:
    if selector.upper() == ALWAYS_ON:
        return f"`{ALWAYS_ON}` cannot be silenced"
    return str(unknown_rule(selector, rules))


def _list(selectors: Sequence[Named]) -> str:
    return _joined([f"`{each.text}`" for each in selectors])


def _joined(shown: Sequence[str]) -> str:
    return " and ".join(shown) if len(shown) < 3 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _misplaced(text: str, directive: Directive) -> bool:
    start = directive.comment.start
    begin = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    return not text[begin:start].strip()


# The fix


def _remark(text: str, directive: Directive, told: Sequence[str], gone: Sequence[Named]) -> Remark:
    selectors = directive.selectors or ()
    removed = {each.start for each in gone}
    left = [(index, each) for index, each in enumerate(selectors) if each.start not in removed]
    if not left:
        return _whole(text, directive, told)
    parts = [left[0][1].text]
    for index, each in left[1:]:
        parts.append(text[selectors[index - 1].end : each.start] + each.text)
    change = (selectors[0].start, selectors[-1].end, "".join(parts))
    return Remark(directive.start, directive.end, told, f"Remove {_list(gone)}", change)


def _whole(text: str, directive: Directive, told: Sequence[str]) -> Remark:
    """Remove the directive, with its comment if nothing else is in it, and with its line if the comment is alone on it."""
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
    return Remark(directive.start, directive.end, told, "Remove the comment", change)


def _comment_lines(text: str, directive: Directive) -> tuple[int, int]:
    """Return the offsets from the end of the code before a comment to the comment's end, or those of its whole line."""
    start, end = directive.comment.start, directive.comment.end
    if not _misplaced(text, directive):
        return start - (len(text[:start]) - len(text[:start].rstrip(" \t\f"))), end
    begin = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    newline = 2 if text[end : end + 2] == "\r\n" else 1 if text[end : end + 1] in ("\r", "\n") else 0
    return begin, end + newline
