"""Runs all proofs and prints what they measure; with `--write`, puts it into the pages' sections "Measured"."""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from pathlib import Path

from harm import by_optimizer
from proofs import PROOFS

PAGES = Path(__file__).resolve().parents[2] / "rules"
_MEASURED = re.compile(r"(^## Measured\n(?:\n!\[[^\]]*\]\([^)]*\)\n)?)(.*?)(?=^## |\Z)", re.M | re.S)
"""The heading with the picture that `benchmarks/pictures.py` puts under it, and what is said in words."""
_SENTENCES = re.compile(r"(?<=\.) (?=[A-Z])")
_FIXED, _BY_HAND, _EITHER = "With the fix", "Fixed by hand", "With the fix (or fixed by hand, where gradlint offers none)"


def section(code: str) -> str:
    """What the proofs of a rule measure, as its page says it."""
    proofs = [proof for proof in PROOFS if proof.code == code]
    fixable = {proof.fixable for proof in proofs}
    fixed = _FIXED if fixable == {True} else _BY_HAND if fixable == {False} else _EITHER
    sentences = " ".join(dict.fromkeys(each for proof in proofs for each in _SENTENCES.split(proof.measured.sentence)))
    said = f"We trained a small model with this bug. {sentences} {fixed}, the weights match the large batch's to within 1e-9."
    text = textwrap.fill(said, 125, break_long_words=False, break_on_hyphens=False)
    return f"{text}\n\n{by_optimizer()}" if code == "GRD101" else text


def current(page: str) -> str:
    """What a page says was measured."""
    found = _MEASURED.search(page)
    assert found, "the page has no section `## Measured`"
    return found.group(2).strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the figures into rules/GRDxxx.md")
    parser.add_argument("codes", nargs="*", metavar="CODE", help="only these rules")
    arguments = parser.parse_args()
    for code in arguments.codes or sorted({proof.code for proof in PROOFS}):
        text, page = section(code), PAGES / f"{code}.md"
        print(f"{code} {text}")
        if arguments.write:
            if not page.exists():
                print(f"{page} is missing", file=sys.stderr)
                continue
            before = page.read_text(encoding="utf-8")
            current(before)
            page.write_text(
                _MEASURED.sub(lambda found, text=text: f"{found.group(1)}\n{text}\n\n", before, count=1), encoding="utf-8"
            )


if __name__ == "__main__":
    main()
