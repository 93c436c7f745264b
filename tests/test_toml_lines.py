"""The lines of keys in TOML: documents of every shape, generated together with the lines at which their keys stand."""

from __future__ import annotations

import random

import pytest

from gradlint.config.toml import loads
from gradlint.config.toml_lines import line_of

SCALARS = (
    "7",
    "true",
    "1979-05-27T07:32:00Z",
    "0xff",
    '""',
    '"a # = [ ] \\" b"',
    "'x = [ \" # '",
    '"""\nx = 1\n[t]\n \\""" y"""',
    "'''\nk = 2\n'''",
)
INLINE = ("1", '"s}"', "[1, 2]")


def value(chance: random.Random, depth: int = 0) -> str:
    shape = chance.randrange(4) if depth < 2 else 0
    if shape == 1:
        return "[\n  " + ",\n  ".join(value(chance, depth + 1) for _ in range(chance.randrange(1, 4))) + ",  # c ]\n]"
    if shape == 2:
        inline = [f"q{number} = {chance.choice(INLINE)}" for number in range(chance.randrange(3))]
        return f"{{ {', '.join(inline)} }}"
    return chance.choice(SCALARS)


def document(chance: random.Random) -> tuple[str, dict[tuple[str, ...], int]]:
    """A document, and the line of each of its headers and keys."""
    lines: list[str] = []
    places: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    row = 1
    for number in range(chance.randrange(1, 8)):
        if chance.random() < 0.3:
            table = (f"t{number}", "u")
            lines.append(chance.choice(["[t{0}.u]", '[ t{0} . "u" ] # x = ', "[t{0}.'u']"]).format(number))
            places[table], row = row, row + 1
        if chance.random() < 0.3:
            lines.append(chance.choice(["", "# k = [", "   "]))
            row += 1
        key = chance.choice([(f"k{number}",), (f"k{number}", "z y")])
        shown = chance.choice([".", " . "]).join(part if " " not in part else f'"{part}"' for part in key)
        lines.append(f"{shown} = {value(chance)}{chance.choice(['', ' # c'])}")
        places[table + key], row = row, row + 1 + lines[-1].count("\n")
    return "\n".join(lines) + chance.choice(["", "\n"]), places


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_key_is_found_on_its_line(newline: str) -> None:
    for seed in range(500):
        text, places = document(random.Random(seed))
        text = text.replace("\n", newline)
        loads(text)
        assert {path: line_of(text, path) for path in places} == places, text


def test_what_is_not_written_out_is_found_where_it_lies() -> None:
    text = 'a.b = { c = [\n1] }\n[t]\nx = ["p",\n "q"]\n'
    assert line_of(text, ("a", "b", "c")) == 1
    assert line_of(text, ("t", "x", "y")) == 4
    assert line_of(text, ("t", "x"), holding="q") == 5
    assert line_of(text, ("none",)) is None
