"""Options of the command line into settings, with errors that name the option."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from tracker.errors import InputError

__all__ = ["checked", "detect_every_of", "parse_options"]

Settings = TypeVar("Settings", bound=BaseModel)

#: a pattern that lists the words it allows
_CHOICES = re.compile(r"\^\(([\w|]+)\)\$")


def checked(kind: type[Settings], **values: Any) -> Settings:
    """Return ``kind(**values)``; a value that cannot be is named in one line.

    Raises:
        InputError: a value of the wrong type or range.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        option = "--" + str(problem["loc"][-1]).replace("_", "-")
        message = str(problem["msg"]).replace("Input should be", "it must be")
        choices = _CHOICES.fullmatch(str(problem.get("ctx", {}).get("pattern", "")))
        if choices is not None:
            *others, last = choices[1].split("|")
            message = f"give {', '.join(others)} or {last}" if others else f"give {last}"
        given = problem.get("input")
        raise InputError(f"{option} is {given!r}: {message[:1].lower()}{message[1:]}") from None


def parse_options(options: Sequence[str], name: str) -> dict[str, Any]:
    """Return ``{"lost_track_seconds": 2.0}`` for ``["lost_track_seconds=2"]``; values are read as YAML scalars.

    Raises:
        InputError: an option without ``=``.
    """
    values: dict[str, Any] = {}
    for option in options:
        key, equals, text = option.partition("=")
        if not equals or not key.strip():
            raise InputError(f"{name} {option!r} is not NAME=VALUE: write for example {name} lost_track_seconds=2")
        try:
            values[key.strip()] = yaml.safe_load(text)
        except yaml.YAMLError:
            values[key.strip()] = text
    return values


def detect_every_of(text: str) -> int | str:
    """Return what ``--detect-every`` says: a number of frames, at least 1, or ``auto``.

    Raises:
        InputError: something else.
    """
    if text.strip().lower() == "auto":
        return "auto"
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise InputError(f"--detect-every is {text!r}: give 1 for every frame, 2 for every second one, …, or auto")
    return number
