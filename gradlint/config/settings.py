"""The settings for the files of a folder, as plain data, and how one source of settings overrides another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradlint.config.selection import Layer

if TYPE_CHECKING:
    from gradlint.model.names.vocabulary import Taught

Settings = Mapping[str, Any]
"""Values by key, as `schema.KEYS` reads them."""


@dataclass(frozen=True)
class Globs:
    """.gitignore patterns, the folder that they are relative to, and where they were written."""

    home: Path
    lines: tuple[str, ...]
    source: str = ""


@dataclass(frozen=True)
class FileIgnores:
    """The rules to ignore in the files that match a pattern or, with `others`, in all other files."""

    globs: Globs
    selectors: tuple[str, ...]
    others: bool = False


@dataclass(frozen=True)
class Names:
    """The names of a private framework. Of a dotted name, only the last part is kept."""

    optimizers: frozenset[str] = frozenset()
    schedulers: frozenset[str] = frozenset()
    accumulation_steps: frozenset[str] = frozenset()
    boundaries: frozenset[str] = frozenset()

    def taught(self, max_size: int | None) -> Taught:
        """Return the names for the analysis, with the number of characters that it parses of a file."""
        from gradlint.model.names.vocabulary import Taught  # only files that may train need it

        return Taught(self.optimizers, self.schedulers, self.accumulation_steps, self.boundaries, max_size)


@dataclass(frozen=True)
class Config:
    """The settings for the files of a folder.

    `source` is the configuration file, and `exclude` is None for the default excludes.
    """

    source: Path | None = None
    layers: tuple[Layer, ...] = ()
    severity: tuple[tuple[str, str], ...] = ()
    per_file_ignores: tuple[FileIgnores, ...] = ()
    exclude: Globs | None = None
    extend_exclude: tuple[Globs, ...] = ()
    force_exclude: bool = False
    respect_gitignore: bool = True
    follow: bool = True
    unsafe_fixes: bool = False
    output_format: str = "full"
    names: Names = field(default_factory=Names)
    baseline: Path | None = None
    max_size: int | None = None

    @property
    def select(self) -> tuple[str, ...] | None:
        """The innermost selection, if there is one."""
        return next((layer.select for layer in reversed(self.layers) if layer.select is not None), None)

    def with_settings(self, settings: Settings, home: Path, source: str) -> Config:
        """Return this configuration with settings on top, whose patterns are relative to `home`."""
        severity = settings.get("severity", ())
        off = tuple(selector for selector, value in severity if value == "off")
        layer = Layer(
            settings.get("select"),
            settings.get("extend-select", ()),
            (*settings.get("ignore", ()), *off),
            settings.get("fixable"),
            settings.get("unfixable", ()),
        )
        changes: dict[str, Any] = {
            "layers": self.layers if layer == Layer() else (*self.layers, layer),
            "severity": (*self.severity, *(pair for pair in severity if pair[1] != "off")),
        }
        if "per-file-ignores" in settings:
            changes["per_file_ignores"] = tuple(
                FileIgnores(Globs(home, (pattern.removeprefix("!"),), source), selectors, pattern.startswith("!"))
                for pattern, selectors in settings["per-file-ignores"]
            )
        if "exclude" in settings:
            changes["exclude"] = Globs(home, settings["exclude"], source)
        if "extend-exclude" in settings:
            changes["extend_exclude"] = (*self.extend_exclude, Globs(home, settings["extend-exclude"], source))
        if "names" in settings:
            names = {key: frozenset(name.rpartition(".")[2] for name in value) for key, value in settings["names"].items()}
            changes["names"] = replace(self.names, **{key.replace("-", "_"): value for key, value in names.items()})
        if "baseline" in settings:
            changes["baseline"] = home / settings["baseline"]
        for key in ("force-exclude", "respect-gitignore", "follow", "unsafe-fixes", "output-format", "max-size"):
            if key in settings:
                changes[key.replace("-", "_")] = settings[key]
        return replace(self, **changes)
