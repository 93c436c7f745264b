"""Names that a project teaches: the model reads its private framework as it reads PyTorch."""

from __future__ import annotations

from gradlint.analysis.engine import analyze
from gradlint.analysis.project import Project
from gradlint.model.names.vocabulary import Taught
from gradlint.registry import all_rules

PRIVATE = """\
class Recipe:
    def fit(self, net, batches):
        for number, batch in enumerate(batches):
            loss = net(batch).mean()
            loss.backward()
            self.pacer.step()
            if self.closing:
                self.mover.step()
                self.mover.zero_grad()
"""
TAUGHT = Taught(frozenset({"mover"}), frozenset({"pacer"}), frozenset({"folds"}), frozenset({"closing"}))


def codes(source: str, taught: Taught) -> list[tuple[int, str]]:
    return [(each.span.start.row, each.code) for each in analyze(source, "recipe.py", all_rules(), Project(taught))]


def test_names_that_nobody_taught_are_unknown() -> None:
    assert codes(PRIVATE, Taught()) == []


def test_taught_names_are_judged_as_the_field_s_own() -> None:
    assert (6, "GRD401") in codes(PRIVATE, TAUGHT)


def test_a_taught_number_of_steps_divides_the_loss() -> None:
    source = PRIVATE.replace("self.closing", "(number + 1) % self.folds == 0").replace("self.pacer.step()", "pass")
    assert "GRD101" in {code for _, code in codes(source, TAUGHT)}
    divided = source.replace("loss.backward()", "(loss / self.recipe.folds).backward()")
    assert "GRD101" not in {code for _, code in codes(divided, TAUGHT)}
    assert "GRD103" not in {code for _, code in codes(divided, TAUGHT)}


def test_a_taught_constructor_builds_what_it_was_taught_to() -> None:
    source = (
        PRIVATE.replace("self.mover", "thing")
        .replace("self.pacer.step()", "other.step()")
        .replace("        for number", "        thing = Mover(net)\n        other = Pacer(thing)\n        for number")
    )
    taught = Taught(frozenset({"Mover"}), frozenset({"Pacer"}), boundaries=frozenset({"closing"}))
    assert "GRD401" in {code for _, code in codes(source, taught)}


def test_a_taught_function_says_where_a_window_ends() -> None:
    taught = Taught(frozenset({"mover"}), boundaries=frozenset({"window_is_full"}))
    source = PRIVATE.replace("self.pacer.step()", "pass").replace("self.closing", "self.helper.window_is_full(number)")
    assert codes(source, Taught(frozenset({"mover"}))) == []
    assert (5, "GRD101") in codes(source, taught)
    assert (7, "GRD201") in codes(source.replace("if self", "if not self"), taught)
