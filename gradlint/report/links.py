"""Whether a terminal follows links, as far as the environment tells."""

from __future__ import annotations

from collections.abc import Mapping

_PROGRAMS = frozenset(("Hyper", "WezTerm", "ghostty", "iTerm.app", "rio", "terminology", "vscode"))
_TERMS = frozenset(("alacritty", "foot", "xterm-ghostty", "xterm-kitty"))
_OWN = ("DOMTERM", "KONSOLE_VERSION", "WT_SESSION")
_VTE = 5000
"""The release of the VTE library, 0.50, from which the terminals that are built on it know links."""


def hyperlinks(colour: bool, environment: Mapping[str, str]) -> bool:
    """Whether text may hold links (OSC 8): FORCE_HYPERLINK says so, or there is `colour` and a terminal that follows them.

    The terminals are those of https://github.com/Alhadis/OSC8-Adoption that make themselves known; a multiplexer hides which
    one is behind it.
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
