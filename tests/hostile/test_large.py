"""Files of any size: what cannot matter is passed over, and what is too much is refused, and said so."""

from __future__ import annotations

import pytest
from samples import SAFE

from gradlint import check_source, judge_source
from gradlint.analysis.source import Source, read


def told(text: str) -> list[tuple[str, int]]:
    return [(each.code, each.span.start.row) for each in check_source(text)]


@pytest.mark.parametrize(
    "filler", ["x = 1\n" * 40_000, "".join(f"value_{n} = {n}\n" for n in range(40_000))], ids=["same", "own"]
)
def test_constants_that_nothing_reads_are_not_parsed(filler: str) -> None:
    text = filler + SAFE
    source = read(text)
    assert isinstance(source, Source) and len(source.statements) < 10
    assert told(text) == [("GRD101", 40_008)]


def test_a_constant_that_is_read_is_kept() -> None:
    """The last of many values counts, and so does one that something reads before it is overwritten."""
    for before in ("accum_steps = 2\naccum_steps = 4\n", "accum_steps = 4\nprint(accum_steps)\naccum_steps = 4\n"):
        source = read(before + SAFE)
        assert isinstance(source, Source)
        assert ("GRD101", 8 + before.count("\n")) in told(before + SAFE)


@pytest.mark.parametrize(
    "line", ["z = [" + "1," * 100_000 + "]", "\n        ".join(["z = f(x, y, i)"] * 20_010)], ids=["list", "calls"]
)
def test_what_must_be_parsed_and_is_too_much_is_refused(line: str) -> None:
    (only,) = check_source(SAFE.replace("        loss.backward()", f"        {line}\n        loss.backward()"))
    assert only.code == "GRD000" and "too large to be checked: it has 200,1" in only.message


def test_a_file_that_is_given_up_does_not_pass_for_a_clean_one() -> None:
    """Eight helpers, each of which calls all of them."""
    inner = "".join(f"    helper_{k}(loss, optimizer)\n" for k in range(8))
    helpers = "".join(
        f"def helper_{k}(loss, optimizer):\n{inner}    loss.backward()\n    optimizer.step()\n\n\n" for k in range(8)
    )
    answers = judge_source(helpers + SAFE.replace("loss.backward()", "helper_0(loss, optimizer)"))
    assert {(each.answer, each.reason) for each in answers} == {("unknown", "the run takes too many steps to follow")}


def test_a_text_of_many_megabytes_is_refused_at_once() -> None:
    (only,) = check_source("x = 1\n" * 2_000_000 + SAFE)
    assert only.code == "GRD000" and "more than 4 MB of code" in only.message
