"""Replaces functions and methods of PyTorch for a while."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_OWN = "__gradlint_observes__"


class Patches:
    """Replacements that can be undone. A script may keep one under its own name, so afterwards it only calls the original."""

    def __init__(self) -> None:
        self.active = True
        self._undone: list[Callable[[], None]] = []

    def around(
        self,
        owner: Any,
        name: str,
        before: Callable[..., object] | None = None,
        after: Callable[..., object] | None = None,
    ) -> None:
        """Call `before` with the arguments of every call of `owner.name`, and `after` with its result and them.

        If the call raises, only `before` was called.
        """
        original = getattr(owner, name)

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not self.active:
                return original(*args, **kwargs)
            if before is not None:
                before(*args, **kwargs)
            result = original(*args, **kwargs)
            if after is not None and self.active:
                after(result, *args, **kwargs)
            return result

        setattr(call, _OWN, True)
        self.replace(owner, name, call)

    def replace(self, owner: Any, name: str, call: Callable[..., Any]) -> None:
        """Put a function in the place of another one."""
        own = name in vars(owner)
        original = vars(owner).get(name)
        setattr(owner, name, call)

        def undo() -> None:
            if vars(owner).get(name) is not call:
                return  # somebody else has replaced it since
            if own:
                setattr(owner, name, original)
            else:
                delattr(owner, name)

        self._undone.append(undo)

    def also(self, undo: Callable[[], None]) -> None:
        """Something else to do when everything is undone."""
        self._undone.append(undo)

    def undo(self) -> None:
        """Put everything back."""
        self.active = False
        while self._undone:
            self._undone.pop()()
