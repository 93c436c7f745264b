"""What is read of the files of settings that scripts name, and what bad ones come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradlint.model.data.settings import Setting, Table
from gradlint.repository.folder import Repository
from gradlint.repository.settings_files import MOST_FILES, SettingsFiles, read_settings


def told(text: str, name: str) -> dict[str, tuple[float, str]]:
    return {key: (each.value, each.place) for key, each in read_settings(text, name).values.items()}


def test_json_has_a_row_for_each_setting() -> None:
    text = '{\n  "fp16": {"enabled": true, "gradient_clipping": 9},\n\n  "gradient_accumulation_steps": 4, "gradient_clipping": 0.5\n}'
    assert told(text, "ds.json") == {"gradient_accumulation_steps": (4, "ds.json:4"), "gradient_clipping": (0.5, "ds.json:4")}


def test_auto_and_other_keys_are_unknown() -> None:
    assert told('{"gradient_accumulation_steps": "auto", "steps_per_print": 3, "train_batch_size": 32}', "ds.json") == {
        "train_batch_size": (32, "ds.json:1")
    }


def test_accelerates_yaml_with_its_table() -> None:
    text = (
        "compute_environment: LOCAL_MACHINE\ndeepspeed_config:\n  deepspeed_multinode_launcher: standard\n"
        "  gradient_accumulation_steps: 8  # windows\n  gradient_clipping: 1.0\nfsdp_config: {}\nnum_processes: 2\n"
        "other:\n  train_batch_size: 3\n"
    )
    assert told(text, "a.yaml") == {"gradient_accumulation_steps": (8, "a.yaml:4"), "gradient_clipping": (1.0, "a.yaml:5")}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "a.json"),
        ("[1, 2]", "a.json"),
        ('{"train_batch_size": 4', "a.json"),
        ('{"train_batch_size": 4, "train_batch_size": 8}', "a.json"),
        ('{"train_batch_size": true}', "a.json"),
        ('{"train_batch_size": ' + "[" * 50_000 + "]" * 50_000 + "}", "a.json"),
        ('{"train_batch_size": 4, "x": "' + "y" * 200_000 + '"}', "a.json"),
        ("train_batch_size: 4\ntrain_batch_size: 8\n", "a.yml"),
        ("train_batch_size: [4\n", "a.yml"),
        ("train_batch_size: four\n? odd\n", "a.yml"),
        ('{"train_batch_size": NaN}', "a.json"),
    ],
)
def test_bad_files_give_nothing(text: str, name: str) -> None:
    assert told(text, name) == {}


def test_paths_are_looked_up_beside_the_script_and_from_the_root(tmp_path: Path) -> None:
    root = tmp_path.resolve() / "repository"
    (root / "tools").mkdir(parents=True)
    for place, steps in (("tools/near.json", 2), ("far.json", 3), ("tools/both.json", 4), ("both.json", 5)):
        (root / place).write_text(f'{{"gradient_accumulation_steps": {steps}}}')
    (tmp_path / "outside.json").write_text('{"gradient_accumulation_steps": 6}')
    (root / "link.json").symlink_to(tmp_path / "outside.json")
    (root / "device.json").symlink_to("/dev/zero")
    files = SettingsFiles.around(Repository(str(root)), str(root / "tools" / "train.py"))
    paths = (
        "near.json",
        "./far.json",
        "both.json",
        "../../outside.json",
        str(tmp_path / "outside.json"),
        "link.json",
        "device.json",
    )
    found = {path: known for path in (*paths, "missing.json", "near.py") if (known := files.named(path)) is not None}
    places = {path: [each.place for each in known.values.values()] for path, known in found.items()}
    assert places == {"near.json": ["tools/near.json:1"], "./far.json": ["far.json:1"]}
    assert str(root / "missing.json") in files.looked
    assert not any(path.startswith(str(tmp_path / "outside")) for path in files.looked)


def test_only_some_files_are_read(tmp_path: Path) -> None:
    files = SettingsFiles.around(Repository(str(tmp_path.resolve())), str(tmp_path.resolve() / "a.py"))
    for place in range(MOST_FILES + 5):
        (tmp_path / f"{place}.json").write_text("{}")
    assert sum(files.named(f"{place}.json") is not None for place in range(MOST_FILES + 5)) == MOST_FILES


def table(text: str, name: str = "a.yaml") -> Table:
    return read_settings(text, name).table


NESTED = """\
# comment
train:
  accum: 4  # micro-batches
  rate: 1.0e-3
  clip: null
  amp: yes
  betas: [0.9, 0.99]
  schedule:
    name: "cosine # not a comment"
    steps: 1_000
  stages:
    - layers: 3
      width: 4
    - 5
  note: |
    accum: 9
  ratio: ${other.ratio}
  layers: [
    {size: 3, name: "]"},  # ]
  ]
  weights:
    [1, 2,
    3]
  prompt: "accum:\\n9"
  title: a long
    one
  late:
    true  # the value
base: &base
  accum: 7
data:
- train
- test
name: plain words
"""


def test_yaml_is_read_with_its_tables_and_rows() -> None:
    inner = {
        "accum": Setting(4, "a.yaml:3"),
        "rate": Setting(1.0e-3, "a.yaml:4"),
        "clip": Setting(None, "a.yaml:5"),
        "amp": Setting(True, "a.yaml:6"),
        "betas": None,
        "schedule": Table({"name": Setting("cosine # not a comment", "a.yaml:9"), "steps": Setting(1000, "a.yaml:10")}),
        "stages": None,
        "note": None,
        "ratio": None,
        "layers": None,
        "weights": None,
        "prompt": None,
        "title": Setting("a long one", "a.yaml:25"),
        "late": Setting(True, "a.yaml:28"),
    }
    outer = {
        "train": Table(inner),
        "base": Table({"accum": Setting(7, "a.yaml:30")}),
        "data": None,
        "name": Setting("plain words", "a.yaml:34"),
    }
    assert table(NESTED) == Table(outer)


def test_json_is_read_with_its_tables_and_rows() -> None:
    text = '{"a": {"accum": 4,\n "deep": {"x": [1, {"y": 2}], "on": true}},\n "b": "auto", "c": 1e400, "c": 2}'
    deep = Table({"x": None, "on": Setting(True, "a.json:2")})
    assert table(text, "a.json") == Table({"a": Table({"accum": Setting(4, "a.json:1"), "deep": deep}), "b": None, "c": None})


@pytest.mark.parametrize(
    "text",
    [
        "accum: 4\n---\naccum: 8\n",
        "accum: 4\n  more: 3\n",
        "- accum: 4\n",
        "a:\n  b: 1\n c: 2\n",
        "a:\n\tb: 1\n",
        'a: "open\n',
        "just words\n",
        "n: 1\n" + "# more\n" * 5000,
        "".join(f"{' ' * depth}a:\n" for depth in range(500)),
    ],
)
def test_yaml_of_another_kind_gives_nothing(text: str) -> None:
    assert table(text) == Table()


@pytest.mark.parametrize("value", ["9" * 5000, "!own 3", "2026-02-30", "&a [*a]", "${other}"])
def test_a_value_of_another_kind_is_unknown(value: str) -> None:
    assert table(f"n: {value}\naccum: 4\n") == Table({"n": None, "accum": Setting(4, "a.yaml:2")})


def test_what_an_alias_repeats_is_unknown() -> None:
    text = "a: &a {accum: 4}\nb: *a\n"
    assert table(text) == Table({"a": Table({"accum": Setting(4, "a.yaml:1")}), "b": None})


def test_keys_given_twice_are_unknown() -> None:
    assert table("a: 1\nb:\n  c: 2\nb:\n  c: 3\na: 2\n") == Table({"a": None, "b": None})
