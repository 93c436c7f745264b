"""Decides from the environment whether a terminal supports links."""

from __future__ import annotations

from collections.abc import Mapping

_PROGRAMS = frozenset(("Hyper", "WezTerm", "ghostty", "iTerm.app", "rio", "terminology", "vscode"))
_TERMS = frozenset(("alacritty", "foot", "xterm-ghostty", "xterm-kitty"))
_OWN = ("DOMTERM", "KONSOLE_VERSION", "WT_SESSION")
_VTE = 5000
"""The version of the VTE library, 0.50, from which terminals based on it support links."""


def hyperlinks(colour: bool, environment: Mapping[str, str]) -> bool:
    """Whether text may contain links (OSC 8): FORCE_HYPERLINK decides, or else `colour` and a terminal that supports them.

    The terminals are those of https://github.com/Alhadis/OSC8-Adoption that can be recognized. A multiplexer hides the terminal
    that it runs in.
    """
    forced = environment.get("FORCE_HYPERLINK")
    if forced is not None:
        return forced not in ("", "0")
    term = environment.get("TERM", "")
    if not colour or "TMUX" in environment or term.startswith(("screen", "tmux")):
        return False
    vte = environment.get("VTE_VERSION", "")
    return (
        environment.get("TERM_PROGRAM") in _PROGRAMS
        or term in _TERMS
        or any(name in environment for name in _OWN)
        or (vte.isdecimal() and int(vte) >= _VTE)
    )
