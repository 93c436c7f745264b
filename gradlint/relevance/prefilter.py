"""Decides from the bytes of a file whether it can contain a finding. Imports neither the rules nor a parser."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from gradlint.config.selection import Selection
from gradlint.config.settings import Names
from gradlint.relevance.needed_words import COMMENT, COUNT, EVERYTHING, NEEDS, Need, Sign, needs_of

_COOKIE = re.compile(rb"[ \t\f]*(?:#[^\r\n]*)?(?:\r\n?|\n)?[ \t\f]*#[^\r\n]*?coding[:=][ \t]*([-\w.]+)")
_LIKE_ASCII = re.compile(rb"(?i)utf[-_]?8|latin|iso[-_]?8859|(us[-_])?ascii|cp125|windows[-_]125|euc|gb|big5|koi8|s?jis|shift")


@dataclass(frozen=True)
class Prefilter:
    """Skips files that meet none of the needs of the selected rules."""

    needs: tuple[Need, ...]

    def admits(self, data: bytes) -> bool:
        """Whether the bytes of a file can contain a finding.

        Always true for binary data, and for encodings that do not write names as ASCII.
        """
        for word in self._openings:
            if word in data:
                break
        else:
            return bool(self._open) or _is_odd(data)
        known: dict[Sign, bool] = {}
        for need in self.needs:
            for sign in need:
                if sign not in known:
                    known[sign] = sign.shows(data)
                if not known[sign]:
                    break
            else:
                return True
        return _is_odd(data)

    @cached_property
    def _openings(self) -> tuple[bytes, ...]:
        """The words of the first sign of each need, of which a file must contain one. Long words are the fastest to find."""
        return tuple(sorted({word for need in self.needs for word in need[0].words}, key=len, reverse=True))

    @cached_property
    def _open(self) -> bool:
        """Whether a need begins with a sign without words."""
        return any(not need[0].words for need in self.needs)


def _is_odd(data: bytes) -> bool:
    head = data[:1024]
    if b"\0" in head:
        return True
    cookie = _COOKIE.match(head) if b"coding" in head else None
    return cookie is not None and _LIKE_ASCII.match(cookie.group(1)) is None


_FOR_ALL = Prefilter(EVERYTHING)
_FOR_CODE = Prefilter(tuple(need for need in EVERYTHING if need not in NEEDS["GRD001"]))


def worth_reading(data: bytes) -> bool:
    """Whether the bytes of a file can contain a finding of any rule except the one about comments."""
    return _FOR_CODE.admits(data)


def mentions_suppression(data: bytes) -> bool:
    """Whether the bytes of a file can contain a gradlint suppression comment, which may be unused."""
    return COMMENT.shows(data)


@lru_cache(maxsize=64)
def prefilter_of(selection: Selection, names: Names) -> Prefilter:
    """Return the prefilter for the rules that a selection can run. It may cover more rules if the selection uses rule names."""
    needs = tuple(dict.fromkeys(need for code in _may_run(selection) for need in needs_of(code)))
    if needs == EVERYTHING and not names.accumulation_steps:
        return _FOR_ALL
    if names.accumulation_steps:  # N may have any name
        needs = tuple(tuple(sign for sign in need if sign is not COUNT) for need in needs)
    return Prefilter(needs)


def _may_run(selection: Selection) -> Iterable[str]:
    """The codes of the rules that a selection may run.

    It may include more rules, because only the rules themselves know their severities and names.
    """
    runs = _codes()
    for layer in selection.layers:
        chosen = (*(layer.select or ()), *layer.extend_select)
        if any(not each.upper().startswith("GRD") for each in chosen):
            runs = _codes()
        else:
            added = [code for code in _codes() if any(code.startswith(each.upper()) for each in chosen)]
            runs = added if layer.select is not None else sorted({*runs, *added})
    return runs


@lru_cache(maxsize=1)
def _codes() -> list[str]:
    """The codes of all rules, taken from the names of their modules."""
    names = (path.name for path in (Path(__file__).parent.parent / "rules").iterdir())
    return sorted(name[:6].upper() for name in names if name.startswith("grd"))
