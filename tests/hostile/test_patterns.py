"""Patterns with many wildcards: as the library answers, in a number of steps that does not grow with the wildcards' power."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from pathspec import GitIgnoreSpec
from samples import SAFE, check, run, script

from gradlint.config.stepping import Stepping, _reached

LONG = "a" * 60 + ".py"
MANY_STARS = "*a" * 12 + "*b.py"
MANY_FOLDERS = "**/a/" * 12 + "b.py"


def found(result: str) -> int:
    return result.count("GRD101")


@pytest.mark.parametrize("pattern", [MANY_STARS, MANY_FOLDERS, "a*" * 40 + "z", "[a-b]*" * 20 + "c"])
def test_a_gitignore_does_not_hold_up_the_walk(tmp_path: Path, pattern: str) -> None:
    script(tmp_path, SAFE, "/".join(["a"] * 20) + "/" + LONG)
    (tmp_path / ".gitignore").write_text(f"{pattern}\n")
    assert found(check(tmp_path).stdout) == 1


def test_nor_do_the_patterns_of_options_and_configuration(tmp_path: Path) -> None:
    script(tmp_path, SAFE, LONG)
    assert found(check("--extend-exclude", MANY_STARS, tmp_path).stdout) == 1
    assert found(check("--per-file-ignores", f"{MANY_STARS}:GRD101", tmp_path).stdout) == 1
    (tmp_path / "gradlint.toml").write_text(
        f'extend-exclude = ["{MANY_STARS}"]\n[per-file-ignores]\n"{MANY_STARS}" = ["GRD101"]\n'
    )
    assert found(run("check", tmp_path).stdout) == 1


def test_many_wildcards_still_match(tmp_path: Path) -> None:
    script(tmp_path, SAFE, "xaxaxaxb.py")
    (tmp_path / ".gitignore").write_text("*a*a*a*b.py\n")
    assert found(check(tmp_path).stdout) == 0


def test_the_answers_are_the_library_s() -> None:
    chance = random.Random(3)
    parts = ["a", "b", "*", "**", "?", "a*", "*b", "a*b", "[ab]", "*a*", "x?*"]
    for _ in range(3000):
        line = chance.choice(("", "/", "!")) + "/".join(chance.choices(parts, k=chance.randint(1, 5))) + chance.choice(("", "/"))
        (pattern,) = GitIgnoreSpec.from_lines([line]).patterns
        if pattern.include is None or not pattern.regex.pattern.startswith("^"):
            continue
        for _ in range(6):
            path = "/".join("".join(chance.choices("abx", k=chance.randint(1, 3))) for _ in range(chance.randint(1, 5)))
            path += chance.choice(("", "/"))
            theirs, ours = pattern.match_file(path), Stepping(pattern).match_file(path)
            assert (theirs is None) == (ours is None), (line, path)
            if theirs is not None and ours is not None:
                assert bool(theirs.match.groupdict().get("ps_d")) == bool(ours.match.groupdict().get("ps_d")), (line, path)


@pytest.mark.parametrize("wildcard", ["^(?:.+/)?", "(?:/.+)?", "[^/]*", "[^/]+"])
def test_a_wildcard_leads_to_each_place_a_few_times_at_most(wildcard: str) -> None:
    path = "a/" * 200
    assert len(list(_reached(wildcard, path, range(len(path))))) <= 3 * len(path)
