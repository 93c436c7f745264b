"""The settings files that a script names by literal paths: JSON, and the flat YAML that Accelerate writes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite

from gradlint.model.data.settings import KNOWN, MANAGED, Setting, SettingsFile
from gradlint.repository.folder import Repository

LARGEST = 100_000
"""Size limit of a settings file, in characters."""

MOST_FILES = 16
"""Limit on the files that are read for one script."""

_CONFIGURES = re.compile("deepspeed", re.I)
"""A script must contain this to use such a file."""

_NAMED = re.compile(r"""["']([^"'\s\\{}]+\.(?:json|ya?ml))["']""")
_LINE = re.compile(r"""( *)["']?(\w+)["']?\s*:(?:\s+(.*))?$""")
_NUMBER = re.compile(r"[-+]?(\d+(_\d+)*)?\.?\d+(e[-+]?\d+)?", re.I)
_SWITCH: Mapping[str, bool] = {"true": True, "false": False}
_TABLE = "deepspeed_config"
"""The table of an Accelerate file that holds DeepSpeed's settings."""


@dataclass(frozen=True)
class NamedSettings:
    """The files that a script names, by the path in the script, and every path that was tried, whether or not it exists."""

    files: Mapping[str, SettingsFile] = field(default_factory=dict)
    paths: tuple[str, ...] = ()


def named_settings(repository: Repository, path: str, text: str) -> NamedSettings:
    """Read the settings files that a script in a repository names. A path that matches two files is ignored."""
    if _CONFIGURES.search(text) is None:
        return NamedSettings()
    files: dict[str, SettingsFile] = {}
    looked: list[str] = []
    for written in list(dict.fromkeys(_NAMED.findall(text)))[:MOST_FILES]:
        if os.path.isabs(written) or written.startswith("~"):
            continue
        places = dict.fromkeys(os.path.normpath(os.path.join(each, written)) for each in (os.path.dirname(path), repository.root))
        looked.extend(places)
        found = [(each, content) for each in places if (content := repository.text(each)) is not None]
        if len(found) == 1:
            files[written] = read_settings(found[0][1], repository.name(found[0][0]))
    return NamedSettings(files, tuple(looked))


def read_settings(text: str, name: str) -> SettingsFile:
    """Return the settings in the text of a file, which are empty if it is too large, or not in the format of its suffix."""
    if len(text) > LARGEST:
        return SettingsFile(name)
    try:
        told = list(_of_json(text) if name.endswith(".json") else _of_yaml(text))
    except (ValueError, RecursionError, IndexError):
        return SettingsFile(name)
    keys = [key for key, _, _ in told]
    known = {
        key: Setting(value, f"{name}:{row}")
        for key, value, row in told
        if key in KNOWN and keys.count(key) == 1 and isinstance(value, (int, float)) and _fits(key, value)
    }
    return SettingsFile(name, known)


def _fits(key: str, value: float) -> bool:
    """Whether a value is a boolean for the key that needs one, and a finite number for the others."""
    return isinstance(value, bool) == (key == MANAGED) and isfinite(value)


def _of_json(text: str) -> Iterator[tuple[str, object, int]]:
    """Yield the members of the JSON object, each with its row."""
    if not isinstance(json.loads(text), dict):
        return
    decoder = json.JSONDecoder()
    place = _next(text, text.index("{") + 1)
    while text[place] != "}":
        row = text.count("\n", 0, place) + 1
        key, place = decoder.raw_decode(text, place)
        value, place = decoder.raw_decode(text, _next(text, _next(text, place) + 1))
        yield key, value, row
        place = _next(text, place)
        if text[place] == ",":
            place = _next(text, place + 1)


def _next(text: str, place: int) -> int:
    """Return the first offset at or after `place` that is not whitespace."""
    while text[place] in " \t\r\n":
        place += 1
    return place


def _of_yaml(text: str) -> Iterator[tuple[str, object, int]]:
    """Yield the one-line entries of the outermost table, and those of DeepSpeed's table in it."""
    table = ""
    inner: int | None = None
    for row, line in enumerate(text.splitlines(), 1):
        found = _LINE.match(line)
        if found is None:
            if line.strip() and not line.lstrip().startswith(("#", "---", "-", "...")):
                raise ValueError(line)
            continue
        indent, key, value = len(found[1]), found[2], (found[3] or "").partition(" #")[0].strip()
        if indent == 0:
            table, inner = key if not value else "", None
            yield key, _plain(value), row
        elif table == _TABLE and indent == (inner := indent if inner is None else inner):
            yield key, _plain(value), row


def _plain(value: str) -> object:
    if _NUMBER.fullmatch(value):
        return float(value) if re.search(r"[.e]", value, re.I) else int(value)
    return _SWITCH.get(value.lower(), value)
