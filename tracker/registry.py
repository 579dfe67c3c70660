"""Components found by name and imported only when asked for."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from tracker.errors import InputError, nearest_name_hint

__all__ = ["Registry"]


class Registry:
    """Names of one kind of component, each with the ``"module:attribute"`` that holds it.

    Args:
        kind: the word used in messages, for example ``"tracker"``.
        entries: name → ``"package.module:attribute"``; nothing is imported until the name is asked for.
    """

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._entries: dict[str, str | Callable[..., Any]] = dict(entries)

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(self._entries)

    def add(self, name: str, component: str | Callable[..., Any]) -> None:
        """Add a component: a class or function, or the ``"module:attribute"`` where it is. Names are never replaced."""
        if name in self._entries:
            raise ValueError(f"the {self.kind} name {name!r} is taken")
        self._entries[name] = component

    def get(self, name: str) -> Callable[..., Any]:
        """Return the component called ``name``.

        Raises:
            InputError: no such name; the message suggests the nearest.
        """
        try:
            entry = self._entries[name]
        except KeyError:
            hint = nearest_name_hint(name, self._entries)
            raise InputError(f"unknown {self.kind} {name!r}: {hint}") from None
        if isinstance(entry, str):
            module, _, attribute = entry.partition(":")
            entry = getattr(importlib.import_module(module), attribute)
            self._entries[name] = entry
        return entry

    def create(self, name: str, /, *arguments: Any, **parameters: Any) -> Any:
        """Call the component called ``name``; an unknown parameter is refused with the nearest one that exists.

        Raises:
            InputError: unknown name or parameter.
        """
        component = self.get(name)
        known = [
            parameter.name
            for parameter in inspect.signature(component).parameters.values()
            if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        ]
        for parameter in parameters:
            if parameter not in known:
                hint = nearest_name_hint(parameter, known)
                raise InputError(f"the {self.kind} {name!r} has no parameter {parameter!r}: {hint}")
        return component(*arguments, **parameters)
