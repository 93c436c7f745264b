"""A fix must not write a name that has no value where it stands."""

from __future__ import annotations

import pytest

from gradlint.analysis.unbound import unbound


@pytest.mark.parametrize(
    "text",
    [
        "import torch as t\nprint(t, __name__)\n",
        "def f(a):\n    global b\n    b = a\n\ndef g():\n    return b\n",
        "def f(a):\n    def g():\n        return a\n    return g\n",
        "class A:\n    n = 1\n    m = n\n",
        "print([a for a in range(3) if (b := a)], b)\n",
        "for i, (x, *y) in []:\n    print(i, x, y)\n",
        "try:\n    pass\nexcept ValueError as error:\n    print(error)\n",
    ],
)
def test_everything_has_a_value(text: str) -> None:
    assert unbound(text) == frozenset()


def test_names_without_a_value() -> None:
    assert unbound("def f(a):\n    return a / n\n") == frozenset([(".f", "n")])
    assert unbound("class A:\n    n = 1\n    def f(self):\n        return n\n") == frozenset([(".A.f", "n")])
    assert unbound("cfg = dict(n=1)\nprint(n)\n") == frozenset([("", "n")])


def test_what_a_text_does_not_tell() -> None:
    assert unbound("from settings import *\nprint(n)\n") is None
    assert unbound("print n\n") is None
