"""The JSON schema of the configuration, from the table that reads it: `python tests/schema.py --write` puts it in anew."""

from __future__ import annotations

import json
import sys
from typing import Any

from harness import ROOT

from gradlint.config.schema import KEYS
from gradlint.registry import all_rules
from gradlint.report.pages import HOME

PATH = ROOT / "gradlint.schema.json"


def schema() -> dict[str, Any]:
    """The schema of a gradlint.toml and of `[tool.gradlint]`: draft 7, which is what SchemaStore takes."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": f"{HOME.replace('github.com', 'raw.githubusercontent.com')}/main/{PATH.name}",
        "title": "gradlint",
        "description": "Settings of gradlint, in gradlint.toml or in [tool.gradlint] of pyproject.toml.",
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {"description": key.about, **key.schema} for name, key in KEYS.items()},
        "definitions": {
            "rule": {
                "description": "A rule by its code or name, rules by the beginning of their codes, or ALL.",
                "type": "string",
                "enum": ["ALL", *selectors()],
            }
        },
    }


def selectors() -> list[str]:
    """Every way in which the configuration can name rules, except for upper and lower case."""
    codes = {rule.code[:end] for rule in all_rules() for end in range(3, 7)}
    return sorted(codes) + sorted(rule.name for rule in all_rules())


def shown() -> str:
    """The text of the file."""
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        PATH.write_text(shown(), encoding="utf-8")
    elif PATH.read_text(encoding="utf-8") != shown():
        sys.exit(f"{PATH.name} is out of date: python tests/schema.py --write")
