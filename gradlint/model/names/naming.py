"""How N can be written at a place, so that it means there what it means at the window's guard."""

from __future__ import annotations

from dataclasses import replace

import libcst as cst

from gradlint.model.data.window import Steps
from gradlint.model.names.lookup import same_steps
from gradlint.model.names.records import Definition, Frame, Site, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.syntax.expressions import literal, text, walk


class Names:
    """Questions about the names in sight at a place of a trace."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.trace = resolver.trace

    def at_home(self, steps: Steps | None, site: Site) -> Steps | None:
        """N with an expression that can be written at the backward call, or without one."""
        if steps is None or steps.source is None:
            return steps
        if not steps.micro_batches:
            return replace(steps, source=None)
        for candidate in _by_preference(steps):
            if self.visible(candidate, site):
                return replace(steps, source=candidate, everywhere=self.of_module(candidate, site))
        frame = site.frame
        while frame.caller is not None:
            for definition in self.params_of(frame):
                if definition.value is not None:
                    names = self.resolver.aliases(definition.value, site_of(definition)) | {text(definition.value)}
                    if same_steps(names, steps.names, self.resolver.words) and frame is site.frame:
                        return replace(steps, source=definition.key.split(":", 1)[-1])
            frame = frame.caller
        if steps.value is not None and steps.source == str(steps.value):
            return steps
        return replace(steps, source=None)

    def usual(self, steps: Steps | None, site: Site) -> float | None:
        """The number that N is by the default of a parameter or of an option, or by its value."""
        if steps is None or steps.value is not None:
            return steps.value if steps is not None else None
        given: list[cst.BaseExpression | None] = []
        frame: Frame | None = site.frame
        while frame is not None:
            params = frame.function.params if frame.function is not None else ()
            given += [param.default for param in params if param.name.value in steps.names]
            frame = frame.caller or frame.lexical
        given += [self.trace.facts.defaults.get(name.rpartition(".")[2]) for name in steps.names]
        numbers = (literal(each) for each in given if each is not None)
        return next((each for each in numbers if isinstance(each, (int, float))), None)

    def params_of(self, frame: Frame) -> list[Definition]:
        prefix = f"{frame.number}:"
        return [d for k, ds in self.trace.definitions.items() if k.startswith(prefix) for d in ds if d.how == "param"]

    def of_module(self, candidate: str, site: Site) -> bool:
        """A literal, or a bare name that the module defines and no function on the way hides."""
        if candidate.isdigit():
            return True
        frame: Frame | None = site.frame
        while frame is not None and frame.function is not None:
            if candidate in frame.function.assigned:
                return False
            frame = frame.lexical
        return candidate.isidentifier()

    def visible(self, candidate: str, site: Site) -> bool:
        """Whether an expression in text form means the same where the loss is backpropagated."""
        try:
            node = cst.parse_expression(candidate)
        except cst.ParserSyntaxError:
            return False
        if isinstance(node, cst.Integer):
            return True
        names = [each for each in walk(node) if isinstance(each, cst.Name)]
        bare = node
        while isinstance(bare, (cst.Attribute, cst.Subscript)):
            bare = bare.value
        if not isinstance(bare, cst.Name):
            return self.defined_here({n.value for n in names} - {"len", "max", "int"}, site)
        return self.defined_here({bare.value}, site)

    def defined_here(self, names: set[str], site: Site) -> bool:
        frame: Frame | None = site.frame
        left = set(names)
        while frame is not None:
            if frame.function is None:
                left = {
                    n for n in left if not self.trace.definitions.get(f"{frame.number}:{n}") and n not in self.trace.facts.imports
                }
            else:
                left -= frame.function.assigned
            frame = frame.lexical
        return not left

    def written_at(self, site: object, steps: Steps | None) -> str | None:
        """N as an expression that means the same at another place."""
        if steps is None or not steps.micro_batches or not isinstance(site, Site):
            return None
        return next((name for name in _by_preference(steps) if self.visible(name, site)), None)


def _by_preference(steps: Steps) -> list[str]:
    """As it is spelled already, else the shortest; of two spellings of one key the author's, as names are kept with `'`."""
    return sorted(steps.names, key=lambda name: (name != steps.source, len(name), name))
