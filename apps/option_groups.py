"""Options that several commands share, as dataclasses whose fields are the options."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

__all__ = ["with_option_groups"]


def with_option_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that typer sees with the fields of its dataclasses as options of its own.

    A parameter of ``command`` whose type is a dataclass stands for that dataclass's fields, annotated as options; the
    command gets the dataclass, made of what was given. All other parameters stay as they are.
    """
    hints = get_type_hints(command, include_extras=True)
    parameters: dict[str, inspect.Parameter] = {}
    groups: dict[str, type] = {}
    for parameter in inspect.signature(command).parameters.values():
        kind = hints[parameter.name]
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            groups[parameter.name] = kind
            parts = _options_of(kind)
        else:
            parts = [parameter.replace(annotation=kind, kind=inspect.Parameter.KEYWORD_ONLY)]
        for part in parts:
            assert part.name not in parameters, f"{command.__name__} has two options {part.name}"
            parameters[part.name] = part

    @functools.wraps(command)
    def run(**given: Any) -> None:
        made = {
            name: kind(**{field.name: given.pop(field.name) for field in dataclasses.fields(kind)})
            for name, kind in groups.items()
        }
        command(**given, **made)

    run.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
    run.__annotations__ = {name: part.annotation for name, part in parameters.items()}
    return run


def _options_of(kind: type) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    options = []
    for field in dataclasses.fields(kind):
        default = inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default
        options.append(
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[field.name])
        )
    return options
