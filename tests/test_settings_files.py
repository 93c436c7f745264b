"""What is read of the files of settings that scripts name, and what bad ones come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradlint.repository.folder import Repository
from gradlint.repository.settings_files import named_settings, read_settings


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
    root = tmp_path / "repository"
    (root / "tools").mkdir(parents=True)
    for place, steps in (("tools/near.json", 2), ("far.json", 3), ("tools/both.json", 4), ("both.json", 5)):
        (root / place).write_text(f'{{"gradient_accumulation_steps": {steps}}}')
    (tmp_path / "outside.json").write_text('{"gradient_accumulation_steps": 6}')
    repository, script = Repository(str(root.resolve())), root.resolve() / "tools" / "train.py"
    text = 'deepspeed("near.json", "./far.json", "both.json", "../../outside.json", "/etc/outside.json", "missing.json")'
    found = named_settings(repository, str(script), text)
    places = {path: [each.place for each in known.values.values()] for path, known in found.files.items()}
    assert places == {"near.json": ["tools/near.json:1"], "./far.json": ["far.json:1"]}
    assert str(root.resolve() / "missing.json") in found.paths


def test_a_script_without_deepspeed_reads_no_files(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"gradient_accumulation_steps": 2}')
    assert named_settings(Repository(str(tmp_path)), str(tmp_path / "a.py"), 'load("a.json")').paths == ()
