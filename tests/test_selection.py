"""Which rules run and what is fixed: layers, severities and files, as Ruff weighs them."""

from __future__ import annotations

import pytest

from gradlint.config.selection import Layer, Selection, UnknownRule, require_known
from gradlint.diagnostic import Severity
from gradlint.registry import all_rules


def runs(*layers: Layer, severity: tuple[tuple[str, str], ...] = (), silenced: tuple[str, ...] = ()) -> list[str]:
    return [rule.code for rule in Selection(layers, severity, silenced).choose(all_rules())]


DEFAULT = runs()
ALL = [rule.code for rule in all_rules()]


def test_default() -> None:
    assert [rule.code for rule in all_rules() if rule.severity is not Severity.INFO] == DEFAULT


def test_a_select_replaces_what_the_layers_below_say() -> None:
    below = Layer(select=("GRD1",), ignore=("GRD101",))
    assert "GRD101" not in runs(below)
    assert runs(below, Layer(select=("GRD101", "GRD201"))) == ["GRD101", "GRD201"]
    assert runs(Layer(ignore=("GRD101",)), Layer(select=("GRD10",))) == [code for code in ALL if code.startswith("GRD10")]


def test_other_layers_add_and_take_away() -> None:
    below = Layer(select=("GRD201", "GRD202"))
    assert runs(below, Layer(extend_select=("GRD301",), ignore=("GRD202",))) == ["GRD201", "GRD301"]
    assert runs(Layer(extend_select=("GRD502",))) == sorted([*DEFAULT, "GRD502"])
    assert runs(Layer(select=("GRD101",), extend_select=("GRD301",))) == ["GRD101", "GRD301"]
    assert runs(Layer(ignore=("GRD5",)), Layer(extend_select=("GRD501",))) == DEFAULT


def test_the_more_specific_wins_in_a_layer() -> None:
    assert runs(Layer(select=("GRD101",), ignore=("GRD1",))) == ["GRD101"]
    assert "GRD101" not in runs(Layer(select=("ALL",), ignore=("unscaled-loss",)))
    assert runs(Layer(select=("GRD101",), ignore=("unscaled-loss",))) == []


def test_silenced_wins_over_everything() -> None:
    assert runs(Layer(select=("GRD101",)), silenced=("GRD1",)) == []
    assert runs(silenced=("ALL",)) == []


def test_severity_decides_what_is_on_by_default() -> None:
    assert runs(severity=(("GRD501", "info"),)) == [code for code in DEFAULT if code != "GRD501"]
    assert runs(severity=(("batchnorm-under-accumulation", "warning"),)) == sorted([*DEFAULT, "GRD502"])
    assert runs(Layer(select=("GRD501",)), severity=(("GRD501", "info"),)) == ["GRD501"]
    chosen = Selection((Layer(("GRD501", "GRD502")),), (("GRD501", "error"), ("GRD5", "warning"))).choose(all_rules())
    assert [(rule.code, rule.severity.value) for rule in chosen] == [("GRD501", "error"), ("GRD502", "warning")]
    twice = Selection((), (("GRD501", "info"), ("GRD501", "error")))
    assert twice.severity_of("GRD501", "adam-weight-decay", Severity.WARNING) is Severity.ERROR


def test_fixable() -> None:
    def fixed(*layers: Layer) -> list[str]:
        return [rule.code for rule in all_rules() if Selection(layers).fixes(rule.code, rule.name)]

    assert fixed() == ALL
    assert fixed(Layer(unfixable=("GRD101",))) == [code for code in ALL if code != "GRD101"]
    assert fixed(Layer(fixable=("GRD1",), unfixable=("GRD101",))) == [c for c in ALL if c.startswith("GRD1") and c != "GRD101"]
    assert fixed(Layer(unfixable=("ALL",)), Layer(fixable=("GRD201",))) == ["GRD201"]


@pytest.mark.parametrize(
    ("selector", "hint"),
    [
        ("GRD110", "GRD101"),
        ("GRD104x", "GRD104"),
        ("GRD417", "GRD407"),
        ("grd220", "GRD202"),
        ("unscaled_loss", "unscaled-loss"),
        ("zero-grads-before-step", "zero-grad-before-step"),
    ],
)
def test_the_nearest_is_suggested(selector: str, hint: str) -> None:
    with pytest.raises(UnknownRule) as error:
        require_known((selector,))
    assert str(error.value) == f"unknown rule `{selector}`; did you mean `{hint}`?"


@pytest.mark.parametrize("selector", ["", "G", "E501", "GRD999", "GRDALL", "torch", "*", "GRD101,GRD102", "GRD" + "1" * 500])
def test_what_is_near_to_nothing_is_told_as_well(selector: str) -> None:
    with pytest.raises(UnknownRule, match="unknown rule"):
        require_known((selector,))
