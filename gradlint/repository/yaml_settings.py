"""Reads the YAML of settings files: nested tables of numbers, strings and booleans, each with its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradlint.model.data.settings import EMPTY, Setting, Table, stated
from gradlint.repository.json_settings import DEEPEST

if TYPE_CHECKING:
    import yaml

LARGEST = 30_000
"""Limit on the characters of a file. Reading as many takes a seventh of a second."""

_PLAIN = (int, float, str, type(None))
"""The kinds of values that are settings."""


def yaml_table(text: str, name: str) -> Table:
    """Return the outermost table.

    Raises ValueError if the text is too long or not one document of YAML, and RecursionError if it is too deep.
    """
    import yaml

    if len(text) > LARGEST:
        raise ValueError(f"{name} is too long")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    return _Reader(name, yaml.constructor.SafeConstructor()).table(root, 1) if isinstance(root, yaml.MappingNode) else EMPTY


class _Reader:
    """Reads the nodes of one document, each once: what an alias refers to a second time is unknown."""

    def __init__(self, name: str, constructor: yaml.constructor.SafeConstructor) -> None:
        self._name = name
        self._constructor = constructor
        self._seen: set[int] = set()

    def table(self, node: yaml.MappingNode, depth: int) -> Table:
        """The entries of a table. A key that is given twice is unknown."""
        entries: dict[str, Setting | Table | None] = {}
        for key, value in node.value:
            entries[str(key.value)] = self._value(value, depth) if str(key.value) not in entries else None
        return Table(entries)

    def _value(self, node: yaml.Node, depth: int) -> Setting | Table | None:
        import yaml

        known = id(node) not in self._seen
        self._seen.add(id(node))
        if known and isinstance(node, yaml.MappingNode):
            return self.table(node, depth + 1) if depth < DEEPEST else None
        read = self._constructor.yaml_constructors.get(node.tag) if known and isinstance(node, yaml.ScalarNode) else None
        try:
            value = read(self._constructor, node) if read is not None else []
        except ValueError:  # a number that Python does not read, or a date that does not exist
            return None
        if isinstance(value, str) and (not value.isprintable() or "${" in value):
            return None  # a text, or one that other settings complete
        return stated(value, f"{self._name}:{node.start_mark.line + 1}") if isinstance(value, _PLAIN) else None
