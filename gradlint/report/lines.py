"""What all text formats share: safe display of foreign text, columns, and the summary."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from gradlint.diagnostic import Applicability, Diagnostic, LoopVerdict, Severity

TAB = 4
CUT = "…"
_NOUNS = {
    Severity.ERROR: ("error", "errors"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.INFO: ("info finding", "info findings"),
}
_COMMAND = re.compile(r"##\[(?=[\w-]+[ \]])")


def safe(text: str) -> str:
    """Make foreign text safe to show. File names and code can inject neither terminal escapes nor commands into a build.

    GitHub reads `##[command]` as a command anywhere in a line of a log.
    """
    return _COMMAND.sub("#\N{REPLACEMENT CHARACTER}[", printable(text))


_SEPARATORS = "\u2028\u2029"
"""Characters that some readers take for the end of a line."""


def disarmed(line: str) -> str:
    """Return a line of a log without anything that GitHub reads as a command."""
    line = line.replace("::", ":\N{REPLACEMENT CHARACTER}", 1) if line.lstrip().startswith("::") else line
    return _COMMAND.sub("#\N{REPLACEMENT CHARACTER}[", line)


def printable(text: str, keep: str = "\t") -> str:
    """Return foreign text without control characters, which could inject terminal escapes, and without line ends."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char
        if char in keep or (unicodedata.category(char)[0] != "C" and char not in _SEPARATORS)
        else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )


def one_line(text: str) -> str:
    """Return a safe text on one line, joining code of several lines."""
    return safe(flat(text))


def flat(text: str) -> str:
    """Join a text of several lines into one."""
    return " ".join(text.split()) if "\n" in text or "\r" in text else text


def named(filename: str) -> str:
    """Return a file name for the beginning of a line. GitHub reads a line of a log that begins with `::` as a command."""
    shown = safe(filename)
    return f"{os.curdir}{os.sep}{shown}" if shown.lstrip().startswith("::") else shown


def where(diagnostic: Diagnostic) -> str:
    """Return the file of a finding, with the cell in a notebook."""
    cell = f":cell {diagnostic.cell}" if diagnostic.cell is not None else ""
    return f"{named(diagnostic.filename)}{cell}"


def in_cell(diagnostic: Diagnostic) -> str:
    """Return the beginning of a message for a reader that does not know cells: `cell 3, line 2: `, or nothing in a script."""
    return f"cell {diagnostic.cell}, line {diagnostic.span.start.row}: " if diagnostic.cell is not None else ""


def marker(diagnostic: Diagnostic, *, unsafe: bool) -> str:
    """Return `[*] ` if the fix would be applied."""
    fix = diagnostic.fix
    applied = fix is not None and (unsafe or fix.applicability is Applicability.SAFE)
    return "[*] " if applied else ""


def expand(line: str) -> str:
    """Return a line of code as it is shown, with tabs expanded and control characters replaced."""
    return safe(line.expandtabs(TAB))


def width(text: str) -> int:
    """Return how many terminal columns a text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(text: str, left: int, right: int) -> str:
    """Return the part of a text between two terminal columns. A cut shows as an ellipsis in the first or last of them."""
    total = width(text)
    if left == 0 and total <= right:
        return text
    kept, column = [], 0
    for char in text:
        columns = _columns(char)
        if left < column + columns and column >= left + (left > 0) and column + columns <= right - (total > right):
            kept.append(char)
        column += columns
    head = CUT if left and total > left else ""
    tail = CUT if total > right else ""
    return f"{head}{''.join(kept)}{tail}"


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def count(number: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{number} {one if number == 1 else many}"


def counted(diagnostics: Iterable[Diagnostic]) -> str:
    """Return how many findings there are of each severity: `2 errors and 1 warning`."""
    number = Counter(each.severity for each in diagnostics)
    parts = [count(number[severity], *nouns) for severity, nouns in _NOUNS.items() if number[severity]]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0] if parts else "0 errors"


def checked(files: int, loops: Sequence[LoopVerdict]) -> str:
    """Return how many files were checked, and how many training loops got each verdict."""
    line = f"Checked {count(files, 'file', 'files')}"
    if not loops:
        return f"{line}."
    number = Counter("silenced" if each.silenced else each.answer for each in loops)
    answers = ", ".join(f"{number[answer]} {answer}" for answer in ("verified", "wrong", "silenced", "unknown") if number[answer])
    hint = " (`gradlint show` explains)" if number["unknown"] or number["wrong"] else ""
    return f"{line}, {count(len(loops), 'training loop', 'training loops')}: {answers}{hint}."


def summary(diagnostics: Sequence[Diagnostic], applied: Sequence[Diagnostic], *, unsafe: bool, fixing: bool) -> list[str]:
    """Return the closing lines, worded as in Ruff, except that errors and warnings are counted separately."""
    left, fixed = len(diagnostics), len(applied)
    if not left and not fixed:
        return ["All checks passed!"]
    found = counted((*diagnostics, *applied))
    lines = [f"Found {found} ({fixed} fixed, {left} remaining)." if fixed else f"Found {found}."]
    fixes = [each.fix for each in diagnostics if each.fix is not None]
    hidden = 0 if unsafe else sum(each.applicability is Applicability.UNSAFE for each in fixes)
    more = f"{count(hidden, 'hidden fix', 'hidden fixes')} can be enabled with the `--unsafe-fixes` option"
    open_fixes = 0 if fixing else len(fixes) - hidden
    if open_fixes:
        lines.append(f"[*] {open_fixes} fixable with the `--fix` option{f' ({more})' if hidden else ''}.")
    elif hidden:
        lines.append(f"No {'safe fixes left' if fixing else 'fixes available'} ({more}).")
    return lines
