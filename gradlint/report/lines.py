"""What all text formats share: safe display of foreign text, and the summary."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from gradlint.diagnostic import Applicability, Diagnostic

TAB = 4


def safe(text: str) -> str:
    """Foreign text without control characters: names of files and code cannot inject terminal escapes."""
    return "".join(char if char == "\t" or unicodedata.category(char)[0] != "C" else "\N{REPLACEMENT CHARACTER}" for char in text)


def marker(diagnostic: Diagnostic, *, unsafe: bool) -> str:
    """`[*] ` where a fix would be applied."""
    fix = diagnostic.fix
    applied = fix is not None and (unsafe or fix.applicability is Applicability.SAFE)
    return "[*] " if applied else ""


def expand(line: str) -> str:
    """A line with its tabs expanded."""
    return line.expandtabs(TAB)


def width(text: str) -> int:
    """How many terminal columns a text takes."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    zero = sum(unicodedata.combining(char) != 0 for char in text)
    return len(text) + wide - zero


def summary(diagnostics: Sequence[Diagnostic], fixed: int, *, unsafe: bool, fixing: bool) -> list[str]:
    """The closing lines, as Ruff words them."""
    left = len(diagnostics)
    if not left and not fixed:
        return ["All checks passed!"]
    lines = []
    if fixed:
        total = left + fixed
        lines.append(f"Found {total} {_errors(total)} ({fixed} fixed, {left} remaining).")
    else:
        lines.append(f"Found {left} {_errors(left)}.")
    fixes = [each.fix for each in diagnostics if each.fix is not None]
    safe_fixes = sum(each.applicability is Applicability.SAFE for each in fixes)
    hidden = len(fixes) - safe_fixes
    if unsafe and fixes and not fixing:
        lines.append(f"[*] {len(fixes)} fixable with the `--fix` option.")
    elif safe_fixes and not fixing:
        more = f" ({hidden} hidden {_fixes(hidden)} can be enabled with the `--unsafe-fixes` option)" if hidden else ""
        lines.append(f"[*] {safe_fixes} fixable with the `--fix` option{more}.")
    elif hidden and not unsafe:
        start = "No fixes available" if not fixing else "No safe fixes left"
        lines.append(f"{start} ({hidden} hidden {_fixes(hidden)} can be enabled with the `--unsafe-fixes` option).")
    return lines


def _errors(count: int) -> str:
    return "error" if count == 1 else "errors"


def _fixes(count: int) -> str:
    return "fix" if count == 1 else "fixes"
