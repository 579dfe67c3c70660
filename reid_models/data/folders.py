"""Finding a data set under the folder that a person gave, and saying exactly what is missing when it is not there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_models.errors import InputError

__all__ = [
    "FoundFolder",
    "check_choice",
    "check_listed_files",
    "find_data_folder",
    "list_images",
    "random_split",
    "read_mat",
    "read_numbered_list",
]

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}


@dataclass(frozen=True, slots=True)
class FoundFolder:
    """A data set's folder.

    Args:
        folder: where it is.
        layout: which of the known layouts it has, by number.
        parts: the files and folders of that layout, by the name they were asked for.
    """

    folder: Path
    layout: int
    parts: Mapping[str, Path]


def find_data_folder(
    name: str, root: str | os.PathLike[str], usual_names: Sequence[str], layouts: Sequence[Sequence[str]]
) -> FoundFolder:
    """Return where under ``root`` a data set lies: ``root`` itself, or a folder in it (or in that) of a usual name.

    Args:
        name: of the data set, for messages.
        root: as given.
        usual_names: folder names the data set is distributed under; upper and lower case are alike.
        layouts: each the files and folders (relative paths, case alike) of one known layout.

    Raises:
        InputError: nowhere is there a complete layout; names where it was looked for and what is missing.
    """
    base = Path(root).expanduser()
    if not base.is_dir():
        raise InputError(
            f"the data set folder {base} does not exist: give the folder of {name} (the one that holds "
            f"{layouts[0][0]}), or the folder that holds {_either(usual_names)}"
        )
    incomplete: list[tuple[int, Path, list[str], Sequence[str]]] = []
    for folder in _candidates(base, usual_names):
        for number, layout in enumerate(layouts):
            parts = {part: path for part in layout if (path := _child(folder, part)) is not None}
            if len(parts) == len(layout):
                return FoundFolder(folder, number, parts)
            # Of equally incomplete folders the deepest is meant, for it bears the data set's name.
            depth = len(folder.parts)
            missing = [part for part in layout if part not in parts]
            incomplete.append((100 * len(parts) + depth, folder, missing, layout))
    _, folder, missing, layout = max(incomplete, key=lambda each: each[0])
    others = [", ".join(other) for other in layouts if other is not layout]
    raise InputError(
        f"{name} was not found in {base} (looked there and in its folders {_either(usual_names)}): in {folder} "
        f"{', '.join(missing)} missing; it needs {', '.join(layout)}" + "".join(f", or {other}" for other in others)
    )


def _candidates(base: Path, usual_names: Sequence[str]) -> Iterator[Path]:
    yield base
    for folder in _named_folders(base, usual_names):
        yield folder
        yield from _named_folders(folder, usual_names)


def _named_folders(folder: Path, names: Sequence[str]) -> list[Path]:
    order = {name.lower(): place for place, name in reversed(list(enumerate(names)))}
    found = [path for path in folder.iterdir() if path.name.lower() in order and path.is_dir()]
    return sorted(found, key=lambda path: (order[path.name.lower()], path.name))


def _child(folder: Path, relative: str) -> Path | None:
    exact = folder / relative
    if exact.exists():
        return exact
    path = folder
    for part in relative.split("/"):
        if not path.is_dir():
            return None
        alike = sorted(entry for entry in path.iterdir() if entry.name.lower() == part.lower())
        if not alike:
            return None
        path = alike[0]
    return path


def _either(names: Sequence[str]) -> str:
    return " or ".join(names)


def list_images(folder: Path) -> list[Path]:
    """Return the image files of ``folder`` in order of their names.

    Raises:
        InputError: there are none.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise InputError(f"{folder} holds no images (jpg, png, bmp)")
    return paths


def check_listed_files(paths: Sequence[Path], source: Path) -> None:
    """Raise when files that ``source`` lists are not there.

    Raises:
        InputError: how many are missing, and the first.
    """
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise InputError(
            f"{len(missing)} of the {len(paths)} images that {source} lists do not exist, first {missing[0]}: unpack "
            "the data set again"
        )


def read_numbered_list(path: Path) -> list[tuple[str, int]]:
    """Return the (file, number) pairs of a list with one ``FILE NUMBER`` a line.

    Raises:
        InputError: a line is of another form, or there is none.
    """
    pairs = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2 or not words[1].isdecimal():
            raise InputError(f"line {number} of {path} is {line[:80]!r}; it should be a file and a number")
        pairs.append((words[0], int(words[1])))
    if not pairs:
        raise InputError(f"{path} lists no images")
    return pairs


def read_mat(path: Path, *variables: str) -> dict[str, Any]:
    """Return the named variables of a MATLAB file as scipy reads them.

    Raises:
        InputError: the file cannot be read, or lacks one of them.
    """
    import scipy.io

    try:
        content: dict[str, Any] = scipy.io.loadmat(path, variable_names=variables)
    except NotImplementedError:
        raise InputError(f"{path} is a MATLAB 7.3 file (HDF5), which is not what this data set comes with") from None
    except Exception as error:
        raise InputError(f"{path} cannot be read as a MATLAB file ({error}): download it again") from None
    missing = [variable for variable in variables if variable not in content]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}: it is another file than the data set's")
    return content


def check_choice(option: str, value: object, choices: Sequence[object]) -> None:
    """Raise when an option's value is none of its choices.

    Raises:
        InputError: names the option, the value and the choices.
    """
    if value not in choices:
        raise InputError(f"{option}={value} is not one of {', '.join(map(str, choices))}")


def random_split(count: int, chosen: int, *, split: int, seed: int) -> NDArray[np.bool_]:
    """Return a mask (count,) of ``chosen`` items drawn at random, the same for the same ``seed`` and ``split``."""
    mask = np.zeros(count, bool)
    mask[np.random.default_rng((seed, split)).permutation(count)[:chosen]] = True
    return mask
