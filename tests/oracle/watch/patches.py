"""Functions and methods that are replaced for a while."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import GeneratorType
from typing import Any
from unittest.mock import patch


class Patches:
    """Replacements, which the stack undoes."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack

    def put(self, owner: Any, name: str, call: Callable[..., object]) -> None:
        self.stack.enter_context(patch.object(owner, name, call))

    def around(
        self,
        owner: Any,
        name: str,
        before: Callable[..., object] | None = None,
        after: Callable[..., object] | None = None,
        forgives: type[Exception] | tuple[()] = (),
        refused: Callable[[], object] = lambda: None,
    ) -> None:
        """Call `before` with the arguments of every call of `owner.name`, and `after` with its result and them. What it
        `forgives` is a step too many, or a clip of nothing: it calls `refused`, and the run goes on."""
        original = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            args = tuple(list(each) if isinstance(each, GeneratorType) else each for each in args)
            if before is not None:
                before(*args, **kwargs)
            try:
                result = original(*args, **kwargs)
            except forgives:
                result = refused()
            if after is not None:
                after(result, *args, **kwargs)
            return result

        call.__name__ = name
        self.put(owner, name, call)
