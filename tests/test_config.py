"""Configuration: what it changes, which file counts, and how a mistake is told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from samples import BOTH, SAFE, run, script

from gradlint.config.load import Config, ConfigError, Configs, load_config, read_inline
from gradlint.config.selection import Layer
from gradlint.config.settings import FileIgnores, Globs, Names

GOOD = (
    "",
    'select = ["ALL", "GRD", "GRD1", "GRD101", "unscaled-loss"]\nextend-select = ["GRD502"]\nignore = []',
    'per-file-ignores = { "tests/" = ["ALL"], "!src/**" = ["GRD1"] }\nseverity = { GRD501 = "error", GRD1 = "off" }',
    'fixable = ["ALL"]\nunfixable = ["GRD101"]\nunsafe-fixes = true\noutput-format = "concise"\nmax-size = 2_000_000',
    'exclude = ["a", "/b/*.py"]\nextend-exclude = ["c"]\nforce-exclude = true\nrespect-gitignore = false',
    '[tool.gradlint.names]\noptimizers = ["my_opt", "engine.größe"]\nschedulers = []\naccumulation-steps = ["K"]\nboundaries = ["b"]',
)
"""Tables that are right, as they stand below `[tool.gradlint]`."""

MISTAKES = (
    ('selct = ["GRD1"]', 2, "unknown key `selct` in [tool.gradlint]; did you mean `select`?"),
    ("\n\nzzz = 1", 4, "unknown key `zzz` in [tool.gradlint]; known keys: extend, select, extend-select, ignore, per-file"),
    ('select = "GRD1"', 2, "`select` in [tool.gradlint] must be a list of strings"),
    ("ignore = [1]", 2, "`ignore` in [tool.gradlint] must be a list of strings"),
    ("unsafe-fixes = 1", 2, "`unsafe-fixes` in [tool.gradlint] must be true or false"),
    ("max-size = true", 2, "`max-size` in [tool.gradlint] must be a whole number above 0"),
    ("max-size = 0", 2, "`max-size` in [tool.gradlint] must be a whole number above 0"),
    ('output-format = "xml"', 2, "`output-format` in [tool.gradlint] must be one of 'full', 'concise'"),
    ('select = ["GRD999"]', 2, "`select` in [tool.gradlint]: unknown rule `GRD999`"),
    (
        'ignore = [\n  "GRD1",  # "GRD110"\n  "GRD110",\n]',
        4,
        "`ignore` in [tool.gradlint]: unknown rule `GRD110`; did you mean `GRD101`?",
    ),
    ('ignore = ["unscaled-los"]', 2, "did you mean `unscaled-loss`?"),
    ('ignore = [""]', 2, "unknown rule ``"),
    ("per-file-ignores = []", 2, "`per-file-ignores` in [tool.gradlint] must be a table"),
    (
        '[tool.gradlint.per-file-ignores]\n"a.py" = ["GRD1"]\n"b.py" = "GRD1"',
        4,
        "`per-file-ignores.b.py` in [tool.gradlint] must be a list",
    ),
    ('per-file-ignores = {"a.py" = ["GRD9"]}', 2, "`per-file-ignores.a.py` in [tool.gradlint]: unknown rule `GRD9`"),
    ('severity.GRD501 = "eror"', 2, "`severity.GRD501` in [tool.gradlint] must be one of 'error', 'warning', 'info', 'off'"),
    (
        'severity = { GRD501 = "off",\tGRD510 = "off" }',
        2,
        "`severity.GRD510` in [tool.gradlint]: unknown rule `GRD510`; did you mean `GRD501`?",
    ),
    ("severity = 3", 2, "`severity` in [tool.gradlint] must be a table"),
    ('names.optimizer = ["x"]', 2, "`names.optimizer` in [tool.gradlint] is an unknown key; did you mean `optimizers`?"),
    (
        '[tool.gradlint.names]\n\noptimizers = ["a", "my opt"]',
        4,
        "`names.optimizers` in [tool.gradlint]: `my opt` is not a Python name",
    ),
    ('names.boundaries = "x"', 2, "`names.boundaries` in [tool.gradlint] must be a list of strings"),
    ("extend = 3", 2, "`extend` in [tool.gradlint] must be a string"),
    ('exclude = "a"', 2, "`exclude` in [tool.gradlint] must be a list of strings"),
    ("select =", 2, "not valid TOML"),
    ('select = ["a"]\nselect = ["b"]', 3, "not valid TOML"),
)
"""Tables that are wrong, the line of the mistake in the file, and what is said of it."""


def write(folder: Path, table: str, name: str = "pyproject.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"[tool.gradlint]\n{table}\n" if name == "pyproject.toml" else f"{table}\n", encoding="utf-8")
    return path


def codes(*arguments: str | Path) -> list[str]:
    shown = run("check", "--output-format", "concise", *arguments).stdout.splitlines()
    return [line.split()[1] for line in shown if ": GRD" in line]


def test_every_key(tmp_path: Path) -> None:
    table = """\
select = ["GRD1"]
extend-select = ["GRD502"]
ignore = ["GRD102"]
fixable = ["ALL"]
unfixable = ["GRD101"]
severity = { GRD501 = "error", GRD7 = "off" }
exclude = ["old"]
extend-exclude = ["older"]
force-exclude = true
respect-gitignore = false
follow = false
unsafe-fixes = true
output-format = "json"
per-file-ignores = { "!a.py" = ["GRD2"] }
names.optimizers = ["engine.opt"]
names.schedulers = ["sched"]
names.accumulation-steps = ["K"]
names.boundaries = ["at_edge"]
"""
    path = write(tmp_path, table)

    def globs(*lines: str) -> Globs:
        return Globs(tmp_path, lines, str(path))

    assert load_config(path) == Config(
        path,
        (Layer(("GRD1",), ("GRD502",), ("GRD102", "GRD7"), ("ALL",), ("GRD101",)),),
        (("GRD501", "error"),),
        (FileIgnores(globs("a.py"), ("GRD2",), others=True),),
        globs("old"),
        (globs("older"),),
        force_exclude=True,
        respect_gitignore=False,
        follow=False,
        unsafe_fixes=True,
        output_format="json",
        names=Names(frozenset({"opt"}), frozenset({"sched"}), frozenset({"K"}), frozenset({"at_edge"})),
    )


def test_settings_take_effect(tmp_path: Path) -> None:
    script(tmp_path, BOTH)
    script(tmp_path, BOTH, "old/train.py")
    write(tmp_path, 'ignore = ["unscaled-loss"]\nexclude = ["/old"]\noutput-format = "concise"\nunsafe-fixes = true')
    lines = run("check", tmp_path).stdout.splitlines()
    assert len(lines) == 4 and "train.py:5:17: GRD501 [*] " in lines[0]


def test_options_win(tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    write(tmp_path, 'select = ["GRD501"]\noutput-format = "json"\nunsafe-fixes = true')
    assert codes("--select", "GRD101", path) == ["GRD101"]
    assert codes("--extend-select", "GRD101", path) == ["GRD501", "GRD101"]
    assert "[*]" not in run("check", "--no-unsafe-fixes", "--output-format", "concise", path).stdout
    assert codes("--ignore", "GRD501", path) == []
    assert codes("--isolated", path) == ["GRD501", "GRD101"]


# Which file counts


def test_given_file_wins(tmp_path: Path) -> None:
    path = script(tmp_path / "code", BOTH)
    write(tmp_path / "code", 'select = ["GRD101"]')
    assert codes("--config", write(tmp_path / "elsewhere", 'select = ["GRD501"]'), path) == ["GRD501"]
    assert codes("--config", write(tmp_path / "elsewhere", 'select = ["GRD501"]', "strict.toml"), path) == ["GRD501"]


def test_nearest_wins_for_each_file(tmp_path: Path) -> None:
    write(tmp_path, 'select = ["GRD101"]')
    write(tmp_path / "sub", 'select = ["GRD501"]')
    script(tmp_path, BOTH)
    script(tmp_path / "sub" / "deep", BOTH)
    (tmp_path / "sub" / "deep" / "pyproject.toml").write_text("[tool.other]\nkey = 'gradlint'\n")
    assert codes(tmp_path) == ["GRD101", "GRD501"] or codes(tmp_path) == ["GRD501", "GRD101"]
    assert codes(tmp_path / "sub" / "deep" / "train.py") == ["GRD501"]
    assert codes(tmp_path / "sub") == ["GRD501"]


def test_precedence_in_a_folder(tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    write(tmp_path, 'select = ["GRD101"]')
    assert codes(path) == codes(tmp_path) == ["GRD101"]
    write(tmp_path, 'select = ["GRD501"]', "gradlint.toml")
    assert codes(path) == codes(tmp_path) == ["GRD501"]
    write(tmp_path, "", ".gradlint.toml")
    assert codes(path) == codes(tmp_path) == ["GRD501", "GRD101"]


def test_patterns_are_relative_to_their_file(tmp_path: Path) -> None:
    write(tmp_path, 'exclude = ["sub/old/*.py"]')
    script(tmp_path / "sub" / "old")
    script(tmp_path / "sub")
    assert len(codes(tmp_path)) == len(codes(tmp_path / "sub")) == 1


def test_extend(tmp_path: Path) -> None:
    write(tmp_path, 'select = ["GRD1", "GRD5"]\nextend-exclude = ["old/"]\nseverity.GRD501 = "error"\nnames.optimizers = ["a"]')
    table = 'extend = "../pyproject.toml"\nignore = ["GRD101"]\nextend-exclude = ["/x"]\nnames.boundaries = ["b"]'
    child = write(tmp_path / "sub", table, "gradlint.toml")
    config = load_config(child)
    assert config.layers == (Layer(("GRD1", "GRD5")), Layer(ignore=("GRD101",)))
    assert [each.home for each in config.extend_exclude] == [tmp_path / "sub" / "..", tmp_path / "sub"]
    assert config.source == child and config.severity == (("GRD501", "error"),)
    assert config.names == Names(optimizers=frozenset("a"), boundaries=frozenset("b"))
    for name in ("train.py", "old/train.py", "x/train.py", "y/x/train.py"):
        script(tmp_path / "sub", BOTH, name)
    assert codes(tmp_path / "sub") == ["GRD501", "GRD501"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("missing.toml", "gradlint.toml:2: `extend`: there is no file "),
        ("gradlint.toml", "gradlint.toml:2: `extend` leads back to this file"),
        ("loop.toml", "loop.toml:1: `extend` leads back to gradlint.toml"),
        ("pyproject.toml", "gradlint.toml:2: `extend`: there is no table [tool.gradlint] in "),
        ("wrong.toml", "wrong.toml:1: unknown key `selct`; did you mean `select`?"),
        (".", "gradlint.toml:2: `extend`: there is no file "),
    ],
)
def test_extend_leads_nowhere(tmp_path: Path, target: str, message: str) -> None:
    write(tmp_path, f'ignore = []\nextend = "{target}"', "gradlint.toml")
    write(tmp_path, 'extend = "gradlint.toml"', "loop.toml")
    write(tmp_path, "selct = []", "wrong.toml")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    result = run("check", script(tmp_path))
    assert result.exit_code == 2 and message in result.stderr and result.stderr.count("\n") == 1


# One setting on the command line


def test_inline_settings(tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    config = write(tmp_path, 'select = ["GRD501"]\nignore = ["GRD501"]')
    assert codes("--config", "select = ['GRD101']", path) == ["GRD101"]
    assert codes("--config", config, "--config", "ignore = []", "--config", "extend-select=['GRD1']", path) == ["GRD101"]
    assert codes("--isolated", "--config", "severity.GRD501 = 'off'", path) == ["GRD101"]
    assert codes("--config", "select = ['GRD501']", "--select", "GRD101", path) == ["GRD101"]
    assert "[*]" in run("check", "--isolated", "--config", "unsafe-fixes = true", "--select", "GRD501", path).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["selct = []"], "--config: unknown key `selct`; did you mean `select`?"),
        (["select = ['GRD110']"], "--config: `select`: unknown rule `GRD110`; did you mean `GRD101`?"),
        (["select ="], "--config: not valid TOML: "),
        (["missing.toml"], "missing.toml: cannot be read: No such file"),
        (["extend = 'a.toml'"], "--config: `extend` only works in configuration files"),
        (["a.toml", "b.toml"], "--config: a.toml and b.toml cannot both be the configuration file"),
        (["."], "cannot be read: Is a directory"),
    ],
)
def test_inline_mistakes(tmp_path: Path, arguments: list[str], message: str) -> None:
    options = [part for each in arguments for part in ("--config", each)]
    result = run("check", *options, script(tmp_path))
    assert result.exit_code == 2 and result.stderr.startswith("error: ") and message in result.stderr
    assert result.stderr.count("\n") == 1 and result.stdout == ""


def test_a_file_and_isolation_exclude_each_other(tmp_path: Path) -> None:
    result = run("check", "--isolated", "--config", write(tmp_path, ""), script(tmp_path))
    assert result.exit_code == 2 and "cannot be used with --isolated" in result.stderr


def test_inline_settings_are_read_as_those_of_files() -> None:
    assert read_inline("names.optimizers = ['a.b']") == {"names": {"optimizers": ("a.b",)}}


# Files and severities


def test_per_file_ignores(tmp_path: Path) -> None:
    write(tmp_path, 'per-file-ignores = { "tools/" = ["GRD1"], "*_old.py" = ["ALL"], "!/src/**" = ["GRD501"] }')
    expected = {"src/a.py": ["GRD501", "GRD101"], "src/tools/a.py": ["GRD501"], "src/a_old.py": [], "a.py": ["GRD101"]}
    for name, found in expected.items():
        assert codes(script(tmp_path, BOTH, name)) == found, name
    assert codes("--select", "ALL", tmp_path / "src" / "a_old.py") == []


def test_per_file_ignores_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 'per-file-ignores = { "*" = ["ALL"] }')
    script(tmp_path, BOTH, "a/train.py")
    monkeypatch.chdir(tmp_path)
    assert codes() == []
    assert codes("--per-file-ignores", "zzz:GRD1") == ["GRD501", "GRD101"]
    assert codes("--per-file-ignores", "/a:GRD101,a/*.py:adam-weight-decay") == []
    for wrong, message in (
        ("a", "'a' is not of the form PATTERN:RULE"),
        ("a:", "not of the form"),
        ("a:GRD110", "did you mean `GRD101`?"),
    ):
        result = run("check", "--per-file-ignores", wrong)
        assert result.exit_code == 2 and message in result.stderr


def test_severity_is_reported(tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    before = json.loads(run("check", "--output-format", "json", path).stdout)
    assert [(each["code"], each["severity"]) for each in before] == [("GRD501", "warning"), ("GRD101", "error")]
    write(tmp_path, '[tool.gradlint.severity]\nGRD501 = "error"\nGRD101 = "off"')
    found = json.loads(run("check", "--output-format", "json", path).stdout)
    assert [(each["code"], each["severity"]) for each in found] == [("GRD501", "error")]
    assert codes("--select", "GRD101", path) == ["GRD101"]


def test_taught_names(tmp_path: Path) -> None:
    source = SAFE.replace("optimizer = torch.optim.SGD(model.parameters(), lr=0.1)", "veldt = model.veldt").replace(
        "optimizer.", "veldt."
    )
    path = script(tmp_path, source)
    assert codes(path) == []
    write(tmp_path, '[tool.gradlint.names]\noptimizers = ["model.veldt"]')
    assert codes(path) == codes(tmp_path) == ["GRD101"]
    run("check", "--fix", path)
    assert "(loss / accum_steps).backward()" in path.read_text()


# Mistakes


@pytest.mark.parametrize(("table", "line", "message"), MISTAKES)
def test_mistakes_name_file_line_and_key(tmp_path: Path, table: str, line: int, message: str) -> None:
    path = write(tmp_path, table)
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert str(error.value).startswith(f"{path}:{line}: ") and message in str(error.value)
    result = run("check", script(tmp_path, SAFE))
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ") and message in result.stderr and result.stdout == ""
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('# a\n["tool"."gradlint"]\nselct = 1', ":3: unknown key `selct`"),
        ('tool.gradlint = { select = ["GRD1"], "selct" = 1 }', ":1: unknown key `selct`"),
        ('[tool]\n\ngradlint.select = ["GRD1"]\ngradlint.names.optimizers = 1', ":4: `names.optimizers`"),
        ('x = """\n[tool.gradlint]\nselct = 1\n"""\n[tool.gradlint]\nselct = 2', ":6: unknown key `selct`"),
        ("[[tool.other]]\nselct = 1\n[tool.gradlint]\n\n  selct = [ # [\n]", ":5: unknown key `selct`"),
        ("[tool]\ngradlint = 3\n", ":2: `tool.gradlint` must be a table"),
        ("[tool.gradlint]\r\nignore = []\r\nselct = 1\r\n", ":3: unknown key `selct`"),
        ("[tool.gradlint]\nselect = [\"GRD1\",\n\n  'GRD110']", ":4: `select` in [tool.gradlint]: unknown rule"),
        ('[tool.gradlint.severity]\nGRD501 = "off"\n"GRD510" = "off"', ":3: `severity.GRD510`"),
        ("[tool.gradlint.seveirty]\nGRD501 = 1", ":1: unknown key `seveirty`"),
        ('[tool.gradlint]\n"a\\u001b[31m" = 1', ":2: unknown key `a\N{REPLACEMENT CHARACTER}[31m`"),
    ],
)
def test_the_line_is_found_however_the_key_is_written(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text, newline="")
    result = run("check", script(tmp_path))
    assert result.exit_code == 2 and f"pyproject.toml{message}" in result.stderr and "\x1b" not in result.stderr


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "gradlint.toml"
    path.write_bytes(b"ignore = ['\xff']\n")
    result = run("check", script(tmp_path))
    assert result.exit_code == 2 and "gradlint.toml: not valid TOML: byte 0xff is not UTF-8" in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, "").chmod(0)
    result = run("check", script(tmp_path))
    assert result.exit_code == 2 and "pyproject.toml: cannot be read: Permission denied" in result.stderr


def test_the_table_has_no_place_in_a_file_of_ours(tmp_path: Path) -> None:
    (tmp_path / "gradlint.toml").write_text("[tool.gradlint]\nignore = []\n")
    result = run("check", script(tmp_path))
    assert "gradlint.toml:1: unknown key `tool`; in gradlint.toml settings are at the top level" in result.stderr


def test_a_given_pyproject_must_have_the_table(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text("[tool.ruff]\n")
    result = run("check", "--config", path, script(tmp_path))
    assert result.exit_code == 2 and "there is no table [tool.gradlint]" in result.stderr
    assert Configs().of(tmp_path) == Config()
