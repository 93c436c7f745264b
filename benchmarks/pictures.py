"""Draws the picture of each rule from the runs of its proof, and puts it into the rule's page.

`python benchmarks/pictures.py` writes `rules/pictures/*.svg` and the pages' picture lines; with `--check` it writes nothing
and tells what is out of date. Needs the extras `proof` and `pictures`.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "proofs"), str(Path(__file__).resolve().parent)]

from picture import Picture, same  # noqa: E402
from picture_svg import draw, embedded  # noqa: E402
from pictured import pictures  # noqa: E402

PAGES = ROOT / "rules"
FOLDER = PAGES / "pictures"
_LINE = re.compile(r"(?<=^## Measured\n)(?:\n!\[[^\]]*\]\([^)]*\)\n)?", re.M)


def line(picture: Picture) -> str:
    """The picture as its page shows it; the alternative text says the same in words."""
    alt = textwrap.fill(picture.alt, 123, break_long_words=False, break_on_hyphens=False)
    return f"![{alt}](pictures/{picture.code}.svg)"


def with_line(page: str, picture: Picture) -> str:
    """A page with its picture under the heading `Measured`, in the place of the one that stood there."""
    return _LINE.sub(lambda _: f"\n{line(picture)}\n", page, count=1)


def problems(picture: Picture) -> list[str]:
    """What of a committed picture is not what would be drawn now.

    The text of the SVG is compared where the same matplotlib wrote it, else the data alone.
    """
    page, file = PAGES / f"{picture.code}.md", FOLDER / f"{picture.code}.svg"
    if not file.is_file():
        return [f"{file.relative_to(ROOT)} is missing"]
    found = []
    old, new = file.read_text(encoding="utf-8"), draw(picture)
    was, now = embedded(old), embedded(new)
    version = was.pop("matplotlib", None)
    if not same(now.pop("matplotlib") and now, was):
        found.append(f"{file.relative_to(ROOT)} shows other data than the proof measures")
    elif version == embedded(new)["matplotlib"] and old != new:
        found.append(f"{file.relative_to(ROOT)} is drawn differently now")
    text = page.read_text(encoding="utf-8")
    if with_line(text, picture) != text:
        found.append(f"{page.relative_to(ROOT)} does not show its picture with the words for it")
    return found


def write(picture: Picture) -> None:
    """Write a picture, and its line into the page."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{picture.code}.svg").write_text(draw(picture), encoding="utf-8")
    page = PAGES / f"{picture.code}.md"
    page.write_text(with_line(page.read_text(encoding="utf-8"), picture), encoding="utf-8")


def main() -> int:
    """The command; its exit status is 1 where `--check` finds something out of date."""
    parser = argparse.ArgumentParser(description="Draw the pictures of the rule pages from the runs of the proofs.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; tell what is out of date, and exit with 1 if anything is"
    )
    parser.add_argument("codes", nargs="*", metavar="CODE", help="only these rules")
    arguments = parser.parse_args()
    stale = []
    for picture in pictures(arguments.codes):
        if arguments.check:
            stale += problems(picture)
        else:
            write(picture)
            print(f"{picture.code} {picture.alt}")
    for each in stale:
        print(f"{each}: run `python benchmarks/pictures.py {Path(each.split()[0]).stem}`", file=sys.stderr)
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
