"""The JSON schema of the configuration: it says what the reader says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from schema import PATH, schema, shown
from test_config import GOOD, MISTAKES

from gradlint.config.load import ConfigError, load_config
from gradlint.config.schema import KEYS, NAMES
from gradlint.config.toml import loads

VALIDATOR = jsonschema.Draft7Validator(schema())


def test_the_file_is_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == shown(), "run `python tests/schema.py --write`"


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(schema())
    assert json.loads(shown()) == schema()


def test_every_key_is_described() -> None:
    for key in (*KEYS.values(), *NAMES.values()):
        assert key.about.endswith(".") and len(key.about) < 160


def table(text: str) -> Any:
    return loads(f"[tool.gradlint]\n{text}\n")["tool"]["gradlint"]


@pytest.mark.parametrize("text", GOOD)
def test_what_the_reader_takes_is_valid(tmp_path: Path, text: str) -> None:
    VALIDATOR.validate(table(text))
    (tmp_path / "pyproject.toml").write_text(f"[tool.gradlint]\n{text}\n")
    load_config(tmp_path / "pyproject.toml")


@pytest.mark.parametrize("text", [text for text, _, _ in MISTAKES if "TOML" not in _])
def test_what_the_reader_refuses_is_invalid(tmp_path: Path, text: str) -> None:
    assert not VALIDATOR.is_valid(table(text))
    (tmp_path / "pyproject.toml").write_text(f"[tool.gradlint]\n{text}\n")
    with pytest.raises(ConfigError):
        load_config(tmp_path / "pyproject.toml")


def test_this_project_and_a_whole_pyproject() -> None:
    document = loads('[project]\nname = "x"\n\n[tool.gradlint]\nselect = ["ALL"]\n\n[tool.gradlint.severity]\nGRD501 = "off"\n')
    whole = {"type": "object", "properties": {"tool": {"type": "object", "properties": {"gradlint": schema()}}}}
    whole["definitions"] = schema()["definitions"]  # what a file of SchemaStore does with a reference to ours
    jsonschema.Draft7Validator(whole).validate(document)
