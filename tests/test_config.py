"""`[tool.gradlint]`: what it changes, which file counts, and how a mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from samples import BOTH, SAFE, run, script

from gradlint.config import Config, ConfigError, Configs, load_config


def write(folder: Path, table: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pyproject.toml"
    path.write_text(f"[tool.gradlint]\n{table}\n", encoding="utf-8")
    return path


def codes(*arguments: str | Path) -> list[str]:
    shown = run("check", "--output-format", "concise", *arguments).stdout.splitlines()
    return [line.split()[1] for line in shown if ": GRD" in line]


def test_every_key(tmp_path: Path) -> None:
    table = 'select = ["GRD1"]\nignore = ["GRD102"]\nexclude = ["old"]\nunsafe-fixes = true\noutput-format = "json"'
    assert load_config(write(tmp_path, table)) == Config(("GRD1",), ("GRD102",), ("old",), True, "json", tmp_path)


def test_settings_take_effect(tmp_path: Path) -> None:
    script(tmp_path, BOTH)
    script(tmp_path, BOTH, "old/train.py")
    write(tmp_path, 'ignore = ["unscaled-loss"]\nexclude = ["/old"]\noutput-format = "concise"\nunsafe-fixes = true')
    lines = run("check", tmp_path).stdout.splitlines()
    assert len(lines) == 3 and "train.py:5:17: GRD501 [*] " in lines[0]


def test_options_win(tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    write(tmp_path, 'select = ["GRD501"]\noutput-format = "json"\nunsafe-fixes = true')
    assert codes("--select", "GRD101", path) == ["GRD101"]
    assert "[*]" not in run("check", "--no-unsafe-fixes", "--output-format", "concise", path).stdout
    assert codes("--ignore", "GRD501", path) == []
    assert codes("--isolated", path) == ["GRD501", "GRD101"]


def test_given_file_wins(tmp_path: Path) -> None:
    path = script(tmp_path / "code", BOTH)
    write(tmp_path / "code", 'select = ["GRD101"]')
    assert codes("--config", write(tmp_path / "elsewhere", 'select = ["GRD501"]'), path) == ["GRD501"]


def test_nearest_wins_for_each_file(tmp_path: Path) -> None:
    write(tmp_path, 'select = ["GRD101"]')
    write(tmp_path / "sub", 'select = ["GRD501"]')
    script(tmp_path, BOTH)
    script(tmp_path / "sub" / "deep", BOTH)
    (tmp_path / "sub" / "deep" / "pyproject.toml").write_text("[tool.other]\nkey = 1\n")
    assert codes(tmp_path) == ["GRD501", "GRD101"] or codes(tmp_path) == ["GRD101", "GRD501"]
    assert codes(tmp_path / "sub" / "deep" / "train.py") == ["GRD501"]
    assert codes(tmp_path / "sub") == ["GRD501"]


def test_patterns_are_relative_to_their_file(tmp_path: Path) -> None:
    write(tmp_path, 'exclude = ["sub/old/*.py"]')
    script(tmp_path / "sub" / "old")
    script(tmp_path / "sub")
    assert len(codes(tmp_path)) == len(codes(tmp_path / "sub")) == 1


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('selct = ["GRD1"]', "unknown key `selct` in [tool.gradlint]; did you mean `select`?"),
        ("zzz = 1", "unknown key `zzz` in [tool.gradlint]; known keys: select, ignore, exclude, unsafe-fixes, output-format"),
        ('select = "GRD1"', "`select` in [tool.gradlint] must be a list of strings"),
        ("ignore = [1]", "`ignore` in [tool.gradlint] must be a list of strings"),
        ("unsafe-fixes = 1", "`unsafe-fixes` in [tool.gradlint] must be true or false"),
        ('output-format = "xml"', "`output-format` in [tool.gradlint] must be one of 'full', 'concise', 'json'"),
        ('select = ["GRD999"]', "`select` in [tool.gradlint]: unknown rule `GRD999`"),
        ('ignore = ["unscaled-los"]', "did you mean `unscaled-loss`?"),
        ('ignore = [""]', "unknown rule ``"),
        ("select =", "not valid TOML"),
    ],
)
def test_mistakes_name_file_and_key(tmp_path: Path, table: str, message: str) -> None:
    path = write(tmp_path, table)
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert str(path) in str(error.value) and message in str(error.value)
    result = run("check", script(tmp_path, SAFE))
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ") and message in result.stderr and result.stdout == ""


def test_a_table_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool]\ngradlint = 3\n")
    with pytest.raises(ConfigError, match="must be a table"):
        Configs().of(tmp_path)


def test_given_file_must_have_the_table(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text("[tool.ruff]\n")
    result = run("check", "--config", path, script(tmp_path))
    assert result.exit_code == 2 and "there is no table [tool.gradlint]" in result.stderr
    assert run("check", "--config", tmp_path / "missing.toml", script(tmp_path)).exit_code == 2
