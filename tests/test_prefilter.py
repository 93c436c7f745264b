"""What is passed over: by the bytes of a file, and within a file. Neither may cost a finding."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random

import pytest
from harness import FIXTURES, found, pages, read_marked, read_page
from oracle.draw import draw
from oracle.write import source as written

from gradlint.analysis.engine import examine
from gradlint.analysis.source import read_whole
from gradlint.config.selection import Layer, Selection
from gradlint.config.settings import Names
from gradlint.diagnostic import Diagnostic
from gradlint.model.names.vocabulary import UPDATES
from gradlint.registry import all_rules
from gradlint.relevance.needed_words import needs_of
from gradlint.relevance.prefilter import Prefilter, prefilter_of, worth_reading
from gradlint.relevance.relevant_rows import kept_rows
from gradlint.rule import Rule

SCRIPTS = {
    str(path.relative_to(FIXTURES)): read_marked(path.read_text(encoding="utf-8")).source for path in FIXTURES.rglob("*.py")
}
EXAMPLES = {
    f"{path.stem} {number}": source
    for path in pages()
    for number, source in enumerate((read_page(path).example, read_page(path).instead, *read_page(path).silent))
}
SOURCES = SCRIPTS | EXAMPLES


@cache
def codes(name: str) -> frozenset[str]:
    """The rules that are found in a source."""
    return frozenset(each.code for each in found(SOURCES[name]))


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_no_rule_needs_more_than_it_states(rule: Rule) -> None:
    prefilter = Prefilter(needs_of(rule.code))
    concerned = [name for name in SOURCES if rule.code in codes(name)]
    assert concerned, f"nothing shows what {rule.code} needs"
    dropped = [name for name in concerned if not prefilter.admits(SOURCES[name].encode())]
    assert not dropped, (
        f"{rule.code} is found in these, though they do not hold what gradlint/relevance/needed_words.py says it needs"
    )


def plainly(source: str) -> list[tuple[Diagnostic, object, object]]:
    return [(e.diagnostic, e.diagnostic.fix, e.diagnostic.note) for e in examine(source, "x.py", all_rules(), read_whole)]


def quickly(source: str) -> list[tuple[Diagnostic, object, object]]:
    return [(e.diagnostic, e.diagnostic.fix, e.diagnostic.note) for e in examine(source, "x.py", all_rules())]


@pytest.mark.parametrize("name", SOURCES)
def test_both_paths_find_the_same(name: str) -> None:
    assert quickly(SOURCES[name]) == plainly(SOURCES[name])


PROGRAMS = 200


def programs() -> Iterator[str]:
    """Training programs of the oracle, each alone and before another one, whose names are often the same."""
    chance, before = Random(0), ""
    for _ in range(PROGRAMS):
        program = written(draw(chance.choice, chance.choice))
        yield program
        yield before + program
        before = program


def test_both_paths_find_the_same_in_generated_programs() -> None:
    seen = 0
    for source in programs():
        found = plainly(source)
        seen += bool(found)
        assert quickly(source) == found, source
    assert seen > PROGRAMS


def wrapped(source: str) -> str:
    """The same code as methods between others, which must not change what is found."""
    lines = "".join(f"    {line}\n" if line else "\n" for line in source.split("\n"))
    return f"class Before:\n    def idle(self):\n        return 1\n\n\nif True:\n{lines}\n\nclass After:\n    '''Idle.'''\n"


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name.startswith("GRD") and ".fixed" not in name])
def test_both_paths_find_the_same_under_a_condition(name: str) -> None:
    source = wrapped(SCRIPTS[name])
    assert quickly(source) == plainly(source)


@pytest.mark.parametrize("name", sorted(UPDATES))
def test_a_wrapper_that_updates_with_an_optimizer_is_read(name: str) -> None:
    source = SCRIPTS["GRD101/wrapper_updates_with_an_optimizer.py"].replace("half.optimize", f"half.{name}")
    assert Prefilter(needs_of("GRD101")).admits(source.encode())
    assert [each.code for each in found(source)] == ["GRD101"]


TRAINER = '''\
import torch


class Base:
    def __init__(self, model, accum_steps):
        self.model, self.accum_steps = model, accum_steps
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def describe(self):
        """Nothing to do with loss.backward()."""
        return repr(self.model)

    def forward_backward(self, batch):
        loss = self.model(batch)
        loss.backward()

    def report(self, value):
        print(value / 3)


class Trainer(Base):
    name = "trainer"

    def describe(self):
        return self.name

    def fit(self, loader):
        for i, batch in enumerate(loader):
            self.forward_backward(batch)
            if (i + 1) % self.accum_steps == 0 or (i + 1) == len(loader):
                self.optimizer.step()
                self.optimizer.zero_grad()


def unrelated(values):
    return sum(values)
'''


def test_methods_of_two_classes_are_read_and_the_others_are_not() -> None:
    kept = [TRAINER.split("\n")[row - 1] for first, last in kept_rows(TRAINER) for row in range(first, last + 1)]
    text = "\n".join(kept)
    assert all(line in text for line in ("class Base:", "def __init__", "def forward_backward", "def fit", 'name = "trainer"'))
    assert "unrelated" not in text and "def report" not in text and "def describe" not in text
    assert [each[0].code for each in quickly(TRAINER)] == ["GRD101"] and quickly(TRAINER) == plainly(TRAINER)


PLAIN = """\
import torch


def train(model, loader, n):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for i, batch in enumerate(loader):
        loss = model(batch)
        loss.backward()
        optimizer.step()
"""
WINDOWED = PLAIN.replace(
    "        optimizer.step()", "        if (i + 1) % n == 0:\n            optimizer.step()\n            optimizer.zero_grad()"
)
ENTERED = """\
class Backward(torch.nn.Module):
    def forward(self, loss):
        loss.backward()


class Update:
    def __init__(self, optimizer):
        self.optimizer = optimizer

    def __call__(self):
        self.optimizer.step()
        self.optimizer.zero_grad()


def train(model, loader, optimizer, n):
    backward, update = Backward(), Update(optimizer)
    for i, batch in enumerate(loader):
        backward(model(batch))
        if i % n == 0:
            update()
"""
NAMESAKES = """\
def idle():
    def scaled(loss, n):
        return loss

    class Kept:
        def __init__(self):
            self.optimizer = None


def scaled(loss, n):
    return loss / n


class Kept(Unknown):
    def fit(self, loader, n):
        for i, batch in enumerate(loader):
            scaled(self.model(batch), n).backward()
            if (i + 1) % n == 0:
                self.optimizer.step()
"""
DIVIDED = """\
def halved(loss, share):
    return loss / share


def train(model, loader, optimizer, args):
    count = args.gradient_accumulation_steps
    for i, batch in enumerate(loader):
        loss = halved(halved(model(batch), count), count)
        loss.backward()
        if (i + 1) % count == 0 or i + 1 == len(loader):
            optimizer.step()
            optimizer.zero_grad()
"""


@pytest.mark.parametrize(
    ("source", "codes"),
    [
        (PLAIN, {"GRD205"}),
        (PLAIN + "\n\ndef clear(optimizers):\n    for each in optimizers:\n        each.zero_grad()\n", set()),
        (PLAIN + "\n\ndef clear(loss, optimizer):\n    loss.backward()\n    optimizer.zero_grad()\n", {"GRD205"}),
        (PLAIN.replace("torch.optim.SGD", "SGD") + "\n\ndef idle():\n    from torch.optim import SGD\n", {"GRD205"}),
        (PLAIN + "\n\ndef idle():\n    import paddle as torch\n", {"GRD205"}),
        (WINDOWED, {"GRD101", "GRD202"}),
        (WINDOWED + "\n\ndef idle(model):\n    model.register_comm_hook(None, print)\n", {"GRD202"}),
        (WINDOWED + "\n\ndef wrap(model):\n    return torch.nn.parallel.DistributedDataParallel(model)\n", {"GRD101", "GRD202", "GRD601"}),
        (ENTERED, {"GRD101", "GRD201", "GRD202"}),
        (NAMESAKES, None),
        (DIVIDED, {"GRD102"}),
    ],
)  # fmt: skip
def test_what_is_told_far_from_a_loop(source: str, codes: set[str] | None) -> None:
    found = plainly(source)
    assert quickly(source) == found
    assert codes is None or {each.code for each, *_ in found} == codes


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        ("loss.backward()\noptimizer.step()\n", True),
        ("# loss.backward(), optimizer.step()\n", False),
        ('def train():\n    """\n    loss.backward()\n    optimizer.step()\n    """\n', False),
        ('x = 1  # """\nloss.backward()\noptimizer.step()\n', True),
        ('x = \'"""\'\nloss.backward()\noptimizer.step()\n', True),
        ('x = \'a\\\n"""\'\nloss.backward()\noptimizer.step()\n', True),
        ('x = """\\""" """\nloss.backward()\noptimizer.step()\n', True),
        ("x = '''\"\"\"'''\nloss.backward()\noptimizer.step()\n", True),
        ('"""It\'s."""; loss.backward(); optimizer.step()\n', True),
        ("class F(Function):\n    def backward(ctx, g): ...\n    def step(self): ...\n", False),
        ("loss_scaler(loss, optimizer)\n", True),
        ("loss_scaler(\n    # of (both)\n    loss,\n    optimizer,\n)\n", True),
        ("values = self.scaler(values, mask)\n", False),
        ("lookbackward(loss)\nfootstep()\n", False),
    ],
)
def test_prose_and_definitions_call_nothing(text: str, worth: bool) -> None:
    assert worth_reading(text.encode()) is worth


@pytest.mark.parametrize(
    "idle",
    [
        "x = 1\n",
        '"""loss.backward() and optimizer.step()"""\n',
        "def f(loss, loader):\n    # optimizer.step()\n    for x in loader:\n        loss(x).backward()\n",
        "def f(loss):\n    loss.backward()\n\n\ndef g(clock):\n    clock.step()\n",
        "class Scaled:\n    def forward(self, values):\n        return self.scaler(values, 1)\n\n    def step(self):\n        pass\n",
        "class F(torch.autograd.Function):\n    def backward(ctx, grad):\n        return grad\n\n\ndef step(): step()\n",
        "optimizer = Adam(model.parameters())\n",
        "class T(Other):\n    def compute_loss(self, model, inputs):\n        return model(inputs).loss / transformers.x\n",
    ],
)
def test_code_that_can_hold_nothing(idle: str) -> None:
    assert kept_rows(idle) == () and plainly(idle) == []


@pytest.mark.parametrize(
    "odd",
    [
        "{}.backward ()", "({}.backward)()", "{}.backward\\\n()", '{{"backward": {}.backward}}["backward"]()',
    ],
)  # fmt: skip
def test_spellings_of_a_call(odd: str) -> None:
    source = TRAINER.replace("loss.backward()\n\n    def report", odd.format("loss") + "\n\n    def report")
    assert worth_reading(source.encode()) and quickly(source) == plainly(source)


def test_bytes_that_look_otherwise_are_read() -> None:
    assert worth_reading(b"x\0") and worth_reading(b"#!/usr/bin/python\n# -*- coding: utf-7 -*-\n")
    assert not worth_reading(b"# coding: latin-1\n") and not worth_reading(b"x = 'coding: utf-7'\n")


@pytest.mark.parametrize(
    ("layers", "code"),
    [
        ((Layer(("GRD501",)),), "GRD501"),
        ((Layer(("GRD5",)),), "GRD501"),
        ((Layer(("ALL",)),), "GRD501"),
        ((Layer(("adam-weight-decay",)),), "GRD501"),
        ((), "GRD501"),
        ((Layer(("GRD1",)), Layer(None, ("GRD501",))), "GRD501"),
        ((Layer(("GRD501",)), Layer(None, (), ("GRD1",))), "GRD501"),
    ],
)
def test_the_prefilter_of_a_selection_admits_what_it_selects(layers: tuple[Layer, ...], code: str) -> None:
    prefilter = prefilter_of(Selection(layers), Names())
    assert prefilter.admits(b"optimizer = Adam(p, weight_decay=0.1)\n")
    assert all(need in prefilter.needs for need in needs_of(code))


def test_a_narrow_selection_reads_less() -> None:
    prefilter = prefilter_of(Selection((Layer(("GRD501",)),)), Names())
    assert not prefilter.admits(b"loss.backward()\noptimizer.step()\n") and prefilter.admits(b"Adam(x)")


def test_a_taught_count_needs_no_known_spelling() -> None:
    division = b"loss = loss / gulps\nloss.backward()\n"
    assert not prefilter_of(Selection(), Names()).admits(division)
    assert prefilter_of(Selection(), Names(accumulation_steps=frozenset({"gulps"}))).admits(division)
