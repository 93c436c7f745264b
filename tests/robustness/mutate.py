"""Mutations of training scripts: small, seeded changes that keep most of them Python and make all of them unusual."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from random import Random

from .spellings import CONSTANTS, FORMS, HEADERS, LINES, NAMES, NOTES, TAILS
from .trial import line_starts, parsed


@dataclass(frozen=True)
class Piece:
    """A statement that has its lines for itself: rows from `first` up to `stop`, counted from 0."""

    node: ast.stmt
    first: int
    stop: int
    indent: str


@dataclass(frozen=True, eq=False)
class Page:
    """A text as lines, its statements and its expressions."""

    text: str

    @cached_property
    def lines(self) -> list[str]:
        starts = line_starts(self.text)
        return [self.text[a:b] for a, b in zip(starts, [*starts[1:], len(self.text)], strict=True)]

    @cached_property
    def tree(self) -> ast.Module | None:
        return parsed(self.text)

    @cached_property
    def pieces(self) -> list[Piece]:
        found = []
        for node in ast.walk(self.tree) if self.tree is not None else ():
            if isinstance(node, ast.stmt):
                first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))]) - 1
                line, stop = self.lines[first], node.end_lineno or node.lineno
                indent = line[: len(line) - len(line.lstrip())]
                if len(indent.encode()) == node.col_offset and self.lines[stop - 1].endswith("\n"):
                    found.append(Piece(node, first, stop, indent))
        return found

    @cached_property
    def expressions(self) -> list[ast.expr]:
        return [n for n in ast.walk(self.tree) if isinstance(n, ast.expr)] if self.tree is not None else []

    def range(self, node: ast.expr) -> tuple[int, int]:
        """Offsets of an expression."""
        starts = line_starts(self.text)
        places = ((node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0))
        a, b = (starts[row - 1] + len(self.lines[row - 1].encode()[:column].decode(errors="ignore")) for row, column in places)
        return a, b

    def block(self, piece: Piece, indent: str | None = None) -> list[str]:
        """The lines of a piece, at another indentation where one is given."""
        lines = self.lines[piece.first : piece.stop]
        if indent is None:
            return lines
        return [indent + line[len(piece.indent) :] if line.startswith(piece.indent) and line.strip() else line for line in lines]

    def with_lines(self, first: int, stop: int, new: list[str]) -> str:
        return "".join([*self.lines[:first], *new, *self.lines[stop:]])

    def with_expression(self, node: ast.expr, new: Callable[[str], str]) -> str:
        start, end = self.range(node)
        return self.text[:start] + new(self.text[start:end]) + self.text[end:]


Mutation = Callable[[Page, Random], str]


def delete(page: Page, random: Random) -> str:
    piece = random.choice(page.pieces)
    return page.with_lines(piece.first, piece.stop, random.choice(([], [f"{piece.indent}pass\n"])))


def duplicate(page: Page, random: Random) -> str:
    piece = random.choice(page.pieces)
    return page.with_lines(piece.stop, piece.stop, page.block(piece))


def swap(page: Page, random: Random) -> str:
    """Two statements of one block change places."""
    one = random.choice(page.pieces)
    near = [p for p in page.pieces if p.indent == one.indent and 0 <= p.first - one.stop < 6] or [one]
    other = random.choice(near)
    between = page.lines[one.stop : other.first]
    return page.text if other is one else page.with_lines(one.first, other.stop, [*page.block(other), *between, *page.block(one)])


def move(page: Page, random: Random) -> str:
    """A statement goes before or behind another, at its indentation, however deep that is."""
    one, other = random.choice(page.pieces), random.choice(page.pieces)
    if one.first <= other.first < one.stop or other.first <= one.first < other.stop:
        return page.text
    place = random.choice((other.first, other.stop))
    block = page.block(one, other.indent)
    lines = list(page.lines)
    lines[place:place] = block
    start = one.first + (len(block) if place <= one.first else 0)
    return "".join([*lines[:start], *lines[start + one.stop - one.first :]])


def reindent(page: Page, random: Random) -> str:
    """A statement moves out of its block, or into the one above it."""
    piece = random.choice(page.pieces)
    return page.with_lines(piece.first, piece.stop, page.block(piece, random.choice((piece.indent[4:], piece.indent + "    "))))


def wrap(page: Page, random: Random) -> str:
    """A new header above a statement."""
    piece, header = random.choice(page.pieces), random.choice(HEADERS)
    head = [f"{piece.indent}{line}\n" for line in header.split("\n")]
    tail: list[str] = []
    deeper = piece.indent + "    "
    if header == "try:":
        tail = [
            f"{piece.indent}{random.choice(('except ValueError:', 'finally:', 'except* ValueError:', 'except Exception as e:'))}\n",
            f"{deeper}pass\n",
        ]
    elif header.startswith("match"):
        head.append(
            f"{deeper}{random.choice(('case 0 | 1:', 'case _:', 'case [x, *y]:', 'case {0: z, **w}:', 'case Point(x=0) if x:'))}\n"
        )
        deeper += "    "
    elif random.random() < 0.3 and header.startswith(("if", "for", "while")):
        tail = [f"{piece.indent}else:\n", f"{deeper}{random.choice(LINES[:5])}\n"]
    return page.with_lines(piece.first, piece.stop, [*head, *page.block(piece, deeper), *tail])


def unwrap(page: Page, random: Random) -> str:
    """A block in place of the statement that holds it."""
    holders = [p for p in page.pieces if getattr(p.node, "body", None)]
    piece = random.choice(holders or page.pieces)
    inner = [p for p in page.pieces if p.node in getattr(piece.node, "body", ())]
    return page.with_lines(piece.first, piece.stop, [line for p in inner for line in page.block(p, piece.indent)])


def swap_arms(page: Page, random: Random) -> str:
    """The arms of an `if` change places."""
    choices = [p for p in page.pieces if isinstance(p.node, ast.If) and p.node.orelse]
    if not choices:
        return negate(page, random)
    piece = random.choice(choices)
    node = piece.node
    assert isinstance(node, ast.If)
    swapped = ast.fix_missing_locations(ast.If(node.test, node.orelse, node.body))
    return page.with_lines(piece.first, piece.stop, [f"{piece.indent}{line}\n" for line in ast.unparse(swapped).split("\n")])


def negate(page: Page, random: Random) -> str:
    tests = [n.test for n in ast.walk(page.tree) if isinstance(n, (ast.If, ast.While))] if page.tree is not None else []
    return page.with_expression(random.choice(tests), lambda old: f"not ({old})") if tests else page.text


def rename(page: Page, random: Random) -> str:
    """One name for another, everywhere or in one place."""
    names = sorted({n.id for n in page.expressions if isinstance(n, ast.Name)})
    old, new = random.choice(names), random.choice((*NAMES, *names))
    return re.sub(rf"\b{re.escape(old)}\b", new, page.text, count=random.choice((0, 0, 1, 2)))


def constant(page: Page, random: Random) -> str:
    constants = [n for n in page.expressions if isinstance(n, ast.Constant)]
    return page.with_expression(random.choice(constants), lambda _: random.choice(CONSTANTS))


def name_to_constant(page: Page, random: Random) -> str:
    names = [n for n in page.expressions if isinstance(n, ast.Name)]
    return page.with_expression(random.choice(names), lambda _: random.choice(CONSTANTS))


def insert(page: Page, random: Random) -> str:
    piece = random.choice(page.pieces)
    place = random.choice((piece.first, piece.stop))
    return page.with_lines(place, place, [f"{piece.indent}{random.choice(LINES)}\n"])


def expression(page: Page, random: Random) -> str:
    """An expression in another dress."""
    form = random.choice(FORMS)
    return page.with_expression(random.choice(page.expressions), lambda old: form.replace("<>", old))


def one_line(page: Page, random: Random) -> str:
    """A block of simple statements behind the colon of its header, plainly or behind a continuation."""
    simple = [
        p
        for p in page.pieces
        if isinstance(p.node, (ast.If, ast.For, ast.While, ast.With)) and not getattr(p.node, "orelse", None)
    ]
    simple = [p for p in simple if not any(hasattr(s, "body") for s in getattr(p.node, "body", ()))]
    if not simple:
        return page.text
    piece = random.choice(simple)
    node = piece.node
    assert isinstance(node, (ast.If, ast.For, ast.While, ast.With))
    header = "".join(page.lines[piece.first : node.body[0].lineno - 1]).rstrip()
    between = random.choice((" ", f" \\\n{piece.indent}    "))
    suite = "; ".join(ast.unparse(statement) for statement in node.body)
    return page.with_lines(piece.first, piece.stop, [f"{header}{between}{suite}\n"])


def join(page: Page, random: Random) -> str:
    """Two statements on one line."""
    piece = random.choice(page.pieces)
    following = next((p for p in page.pieces if p.first == piece.stop and p.indent == piece.indent), None)
    if following is None:
        return page.text
    first = "".join(page.block(piece)).rstrip("\n")
    return page.with_lines(
        piece.first, following.stop, [f"{first}{random.choice(('; ', ';', ' ; '))}", *page.block(following, "")]
    )


def decorate(page: Page, random: Random) -> str:
    """What stands above or in the header of a function."""
    functions = [p for p in page.pieces if isinstance(p.node, (ast.FunctionDef, ast.ClassDef))]
    if not functions:
        return insert(page, random)
    piece = random.choice(functions)
    line = f"{piece.indent}{random.choice(('@torch.no_grad()', '@property', '@staticmethod', '@(lambda f: f)', '@jit.script  # why'))}\n"
    form = random.choice(("decorator", "generic", "async", "arrow"))
    old = "".join(page.block(piece))
    new = {
        "decorator": line + old,
        "generic": re.sub(r"\b(def|class) (\w+)", r"\1 \2[T: int, *U, **P]", old, count=1),
        "async": re.sub(r"\bdef ", "async def ", old, count=1),
        "arrow": re.sub(r"\):\s*\n", r") -> 'x':  # type: (...) -> None\n", old, count=1),
    }
    return page.with_lines(piece.first, piece.stop, [new[form]])


def annotate(page: Page, random: Random) -> str:
    """Comments, strings that look like comments, and blank lines in awkward places."""
    piece = random.choice(page.pieces)
    if random.random() < 0.4:
        last = page.lines[piece.stop - 1].rstrip("\n")
        return page.with_lines(
            piece.stop - 1,
            piece.stop,
            [f"{last}{random.choice(TAILS)}\n"],
        )
    place = random.choice((piece.first, piece.stop))
    return page.with_lines(place, place, [random.choice(NOTES).replace("<>", piece.indent)])


def layout(page: Page, random: Random) -> str:
    """Other newlines, tabs, ends and spaces."""
    first = random.randrange(len(page.lines))
    stop = random.randrange(first, len(page.lines)) + 1
    part = "".join(page.lines[first:stop])
    forms = (
        part.replace("\n", "\r\n"),
        part.replace("\n", "\r"),
        part.replace("    ", "\t"),
        part.replace("    ", "  "),
        part.rstrip("\n"),
        "\f" + part,
        re.sub(r"(?m)^(?=\S)", "\f", part),
        re.sub(r" (==|%|/|\*|=) ", r" \1 \\\n    ", part),
        re.sub(r" ([-+/%*=<>]+) ", r"\1", part),
        re.sub(r"(?m)$", " ", part),
        "\ufeff" + part,
        part.replace("\n", "\n\n"),
        re.sub(r"#.*", "", part),
    )
    return page.with_lines(first, stop, [random.choice(forms)])


def truncate(page: Page, random: Random) -> str:
    return page.text[: random.randrange(len(page.text))]


def scramble(page: Page, random: Random) -> str:
    """One character too many, too few, or wrong."""
    place = random.randrange(len(page.text))
    return (
        page.text[:place]
        + random.choice(("", "(", ")", "'", '"""', "\\", "\n", ":", " ", "\t", "é", "\u2028", "\x0b", "\x1a", "#", ","))
        + page.text[place + random.choice((0, 1)) :]
    )


COMMON: tuple[Mutation, ...] = (
    delete,
    duplicate,
    swap,
    move,
    reindent,
    wrap,
    unwrap,
    swap_arms,
    negate,
    rename,
    constant,
    name_to_constant,
    insert,
    expression,
    one_line,
    join,
    decorate,
    annotate,
    annotate,
    layout,
)
RARE: tuple[Mutation, ...] = (truncate, scramble)


def mutant(text: str, random: Random) -> str:
    """A text after one to four mutations; one in twenty is no longer Python on purpose."""
    for _ in range(random.choice((1, 1, 2, 3, 4))):
        page = Page(text)
        if not page.pieces or not page.expressions:
            return scramble(page, random) if text else text
        kind = random.choice(RARE if random.random() < 0.02 else COMMON)
        try:
            changed = kind(page, random)
        except IndexError:  # nothing of the kind in this text
            continue
        # What breaks the text is tried again in another way, so that most mutants are Python.
        if parsed(changed) is not None or random.random() < 0.1:
            text = changed
    return text
