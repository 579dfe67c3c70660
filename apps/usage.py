"""What is wrong with a command line, in one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["usage_problem"]


def usage_problem(error: Any, arguments: Sequence[str]) -> str:
    """Return one line for a usage error of typer: what was given, what it must be, and where to read more.

    Args:
        error: the exception, which has ``format_message()`` and, as far as known, ``ctx`` and ``param``.
        arguments: of the command line.
    """
    message = " ".join(str(error.format_message()).split())
    options = list(getattr(getattr(error, "param", None), "opts", []))
    given = _value_of(options, arguments)
    if given is not None and message.startswith("Invalid value"):
        reason = message.partition(": ")[2].partition(", unable to parse")[0].replace("Input should be", "it must be")
        message = f"{options[0]} is {given!r}: {_lower(reason)}"
    context = getattr(error, "ctx", None)
    if context is not None:
        names = []
        while context.parent is not None:
            names.append(context.info_name)
            context = context.parent
        command = " ".join(reversed(names))
    else:
        command = next((argument for argument in arguments[:1] if not argument.startswith("-")), "")
    return f"{_lower(message).rstrip('.')}; see {f'multicam {command}'.strip()} --help"


def _value_of(options: Sequence[str], arguments: Sequence[str]) -> str | None:
    """Return the value the command line gives last to an option, ``None`` if it does not."""
    found: str | None = None
    for position, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name not in options:
            continue
        if equals:
            found = value
        elif position + 1 < len(arguments):
            found = arguments[position + 1]
    return found


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
