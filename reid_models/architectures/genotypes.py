"""Genotypes: which interaction each position of an MSINet has, as letters, as names and as files."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from reid_models.errors import InputError
from reid_models.names import nearest_name_hint

__all__ = ["INTERACTIONS", "NUM_INTERACTIONS", "SEARCHED", "Genotype", "InteractionName", "read_genotype"]

InteractionName = Literal["none", "exchange", "channel_gate", "cross_attention"]

#: The search space O of Sec. 3.2, in the order of the architecture parameters.
INTERACTIONS: tuple[InteractionName, ...] = get_args(InteractionName)
#: Positions in the network: two in each of its six cells (Table 1).
NUM_INTERACTIONS = 12

_LETTERS: dict[str, InteractionName] = dict(zip("NEGA", INTERACTIONS, strict=True))
_FORMAT = "msinet-genotype-1"
_KNOWN_KEYS = ("format", "interactions")


@dataclass(frozen=True, slots=True)
class Genotype:
    """The interactions of an MSINet, from its first to its last position.

    Args:
        interactions: 12 names of :data:`INTERACTIONS`, two for each cell.

    Raises:
        InputError: another number of interactions, or a name that is none of them.
    """

    interactions: tuple[InteractionName, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "interactions", tuple(self.interactions))
        for name in self.interactions:
            if name not in INTERACTIONS:
                raise InputError(f"unknown interaction {name!r}: {nearest_name_hint(str(name), INTERACTIONS)}")
        if len(self.interactions) != NUM_INTERACTIONS:
            raise InputError(
                f"the genotype '{self}' has {len(self.interactions)} interactions; it must have {NUM_INTERACTIONS}, "
                "two for each of the six cells"
            )

    def __str__(self) -> str:
        """Return the letters of Table 1: N none, E exchange, G channel gate, A cross attention."""
        letters = {name: letter for letter, name in _LETTERS.items()}
        return "".join(letters[name] for name in self.interactions)

    @classmethod
    def from_letters(cls, letters: str) -> Genotype:
        """Return the genotype written as the letters of Table 1, such as ``"GGEGAGGNGAEA"``; spaces are allowed.

        Raises:
            InputError: a letter other than N, E, G, A, or another number of letters than 12.
        """
        given = "".join(letters.split()).upper()
        if wrong := sorted(set(given) - set(_LETTERS)):
            raise InputError(
                f"the genotype {letters!r} holds {', '.join(map(repr, wrong))}: write {NUM_INTERACTIONS} letters of "
                f"N (none), E (exchange), G (channel gate), A (cross attention), such as {SEARCHED}, or a .json file"
            )
        return cls(tuple(_LETTERS[letter] for letter in given))

    @classmethod
    def uniform(cls, interaction: InteractionName) -> Genotype:
        """Return the genotype with one interaction everywhere, as compared in Fig. 5 (b)."""
        return cls((interaction,) * NUM_INTERACTIONS)

    @classmethod
    def random(cls, seed: int) -> Genotype:
        """Return a random genotype, the baseline of Fig. 5 (b)."""
        drawn = np.random.default_rng(seed).integers(len(INTERACTIONS), size=NUM_INTERACTIONS)
        return cls(tuple(INTERACTIONS[index] for index in drawn))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a JSON file that :func:`read_genotype` reads; a file of that name is replaced in one step.

        Raises:
            InputError: the file cannot be written.
        """
        target = Path(path)
        content = json.dumps({"format": _FORMAT, "interactions": list(self.interactions)}, indent=2) + "\n"
        temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            temporary.write_text(content, encoding="utf-8")
            temporary.replace(target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise InputError(f"the genotype cannot be written to {target}: {error.strerror or error}") from None


#: The architecture the paper found on MSMT17 (Table 1).
SEARCHED = Genotype(tuple(_LETTERS[letter] for letter in "GGEGAGGNGAEA"))


def read_genotype(genotype: str | os.PathLike[str] | Sequence[str] | Genotype) -> Genotype:
    """Return a genotype from any way of giving one.

    Args:
        genotype: ``"searched"`` for :data:`SEARCHED`, letters (``"GGEGAGGNGAEA"``), a JSON file (a path object, or a
            text that ends in ``.json``), a sequence of 12 interaction names, or a genotype.

    Raises:
        InputError: what is given is no genotype; the message says where it is wrong.
    """
    if isinstance(genotype, Genotype):
        return genotype
    if isinstance(genotype, str) and not genotype.lower().endswith(".json"):
        return SEARCHED if genotype == "searched" else Genotype.from_letters(genotype)
    if isinstance(genotype, (str, os.PathLike)):
        return _read_file(Path(genotype))
    if isinstance(genotype, Sequence):
        return Genotype(tuple(genotype))  # type: ignore[arg-type]  # the constructor checks the names
    raise InputError(f"the genotype {genotype!r} must be letters such as {SEARCHED}, a .json file or interaction names")


def _read_file(path: Path) -> Genotype:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"the genotype {path} cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"the genotype {path} is no JSON file: {error}") from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise InputError(f'the genotype {path} must be a JSON object with "format": "{_FORMAT}"')
    for key in content:
        if key not in _KNOWN_KEYS:
            raise InputError(f"the genotype {path} has an unknown field {key!r}: {nearest_name_hint(key, _KNOWN_KEYS)}")
    names = content.get("interactions")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f'the genotype {path} must have "interactions": a list of {NUM_INTERACTIONS} names')
    try:
        return Genotype(tuple(names))
    except InputError as error:
        raise InputError(f"the genotype {path}: {error}") from None
