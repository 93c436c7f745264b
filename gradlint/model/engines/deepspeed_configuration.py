"""Reads the DeepSpeed configurations of a file: dictionaries in it, and settings files that it names by literal paths.

Based on deepspeed 0.19 (`DeepSpeedConfig._set_batch_related_parameters` and `_batch_assertion`), accelerate 1.15
(`Accelerator._prepare_deepspeed`, `DeepSpeedPlugin`) and transformers 5.24 (`HfTrainerDeepSpeedConfig.trainer_config_process`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import libcst as cst

from gradlint.model.data.settings import CLIPPING, LOADERS, MANAGED, STEPS, SettingsInSight
from gradlint.model.names.constants import Constants
from gradlint.model.names.facts import Facts
from gradlint.model.syntax.expressions import argument, keywords, last_name, literal

_ARGUMENTS = frozenset("TrainingArguments Seq2SeqTrainingArguments SFTConfig DPOConfig KTOConfig ORPOConfig RewardConfig".split())
"""The arguments of a Hugging Face Trainer, and their subclasses in trl."""


@dataclass(frozen=True, eq=False)
class Stated:
    """A number from a configuration, given at a node of the file or at a place in a settings file."""

    value: int | float
    node: cst.BaseExpression
    place: str = ""
    """The place in a settings file, if the node names one."""


@dataclass(frozen=True, eq=False)
class Handed:
    """A configuration, and the call that receives it."""

    call: cst.Call
    values: Mapping[str, Stated]


@dataclass(frozen=True, eq=False)
class Configurations:
    """Reads the configurations that are passed to the calls of a file."""

    facts: Facts
    settings: SettingsInSight
    constants: Constants

    def engines(self) -> Iterator[Handed]:
        """Configurations of engines that the file builds itself: `deepspeed.initialize(config=...)`."""
        for call in self._calls():
            if self.facts.qualify(call.func) == "deepspeed.initialize":
                given = argument(call, 10, "config") or argument(call, None, "config_params")
                yield Handed(call, self._of(given) if given is not None else {})

    def trainers(self) -> Iterator[Handed]:
        """Configurations of the Hugging Face Trainer: `TrainingArguments(deepspeed=...)`."""
        for call in self._calls():
            given = keywords(call).get("deepspeed") if self._makes_arguments(call) else None
            if given is not None:
                yield Handed(call, self._of(given))

    def accelerators(self) -> Iterator[Handed]:
        """Configurations of Accelerate: `Accelerator(deepspeed_plugin=DeepSpeedPlugin(...))`."""
        for call in self._calls():
            given = keywords(call).get("deepspeed_plugin") if last_name(call.func) == "Accelerator" else None
            plugin = self.constants.resolved(given) if given is not None else None
            if isinstance(plugin, cst.Call) and last_name(plugin.func) == "DeepSpeedPlugin":
                yield Handed(call, self._of_plugin(plugin))

    def _makes_arguments(self, call: cst.Call) -> bool:
        name = last_name(call.func) or ""
        return name in _ARGUMENTS and not _ARGUMENTS.isdisjoint(self.facts.bases.get(name, (name,)))

    def _calls(self) -> Iterator[cst.Call]:
        for statement in self.facts.statements:
            yield from self.facts.tree.calls(statement)

    def _of_plugin(self, plugin: cst.Call) -> Mapping[str, Stated]:
        given = keywords(plugin)
        if "hf_ds_config" in given:
            return self._of(given["hf_ds_config"])
        return dict(self._stated((name, value) for name, value in given.items() if name in (STEPS, CLIPPING)))

    def _of(self, given: cst.BaseExpression) -> Mapping[str, Stated]:
        """The values of a configuration, without any that may have changed by the time it is read."""
        kept = self.constants.resolved(given)
        path = self.constants.string(kept) if not isinstance(kept, cst.Call) else self._loaded(kept)
        if path is not None:
            found = self.settings.named(path)
            values = (
                {key: Stated(each.value, given, each.place) for key, each in found.values.items()} if found is not None else {}
            )
        elif isinstance(kept, cst.Dict):
            values = dict(self._items(kept))
        else:
            return {}
        return self._unchanged(given, values)

    def _unchanged(self, given: cst.BaseExpression, values: Mapping[str, Stated]) -> Mapping[str, Stated]:
        """The values that cannot change. If the dictionary has a name, code can assign to its items."""
        if not isinstance(given, cst.Name):
            return values
        changed = self.facts.page.changed_items(given.value)
        if changed is None or self._escapes(given.value):
            return {}
        return {key: each for key, each in values.items() if key not in changed}

    def _escapes(self, name: str) -> bool:
        """Whether a dictionary is passed to a function of the file, or has another name."""
        for call in self._calls():
            if last_name(call.func) in self.facts.by_name and any(_is(each.value, name) for each in call.args):
                return True
        return any(_is(value, name) for value in self.constants.assigned().values())

    def _items(self, node: cst.Dict) -> Iterator[tuple[str, Stated]]:
        told = [(literal(each.key), each.value) if isinstance(each, cst.DictElement) else (None, None) for each in node.elements]
        if all(isinstance(key, str) for key, _ in told):
            yield from self._stated((key, value) for key, value in told if isinstance(key, str) and value is not None)

    def _stated(self, given: Iterator[tuple[str, cst.BaseExpression]]) -> Iterator[tuple[str, Stated]]:
        for key, node in given:
            value = literal(node) if key == MANAGED else self.constants.number(node)
            if isinstance(value, (int, float)):
                yield key, Stated(value, node)

    def _loaded(self, call: cst.Call) -> str | None:
        """The path that `json.load(open(path))` reads, with the file opened in place or by a `with` around the call."""
        if self.facts.qualify(call.func) not in LOADERS or not call.args:
            return None
        opened = call.args[0].value
        if isinstance(opened, cst.Name):
            items = [item for each in self.facts.tree.all(cst.With) if self.facts.tree.holds(each, call) for item in each.items]
            named = [each.item for each in items if each.asname is not None and _is(each.asname.name, opened.value)]
            opened = named[-1] if named else opened
        if isinstance(opened, cst.Call) and self.facts.qualify(opened.func) == "open" and opened.args:
            return self.constants.string(opened.args[0].value)
        return None


def _is(node: cst.CSTNode, name: str) -> bool:
    return isinstance(node, cst.Name) and node.value == name
