"""The table of experiments beside the recipes: it names every file, and nothing that is not there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib import resources

from reid_models.training.recipe import list_recipes, read_recipe

FOLDER = resources.files("reid_models.recipes")
#: words in code style in a first column that are commands
COMMANDS = ("multicam",)


def rows() -> Iterator[tuple[str, str]]:
    """Yield (head of its table's first column, line) for each row of each table."""
    head = ""
    for line in (FOLDER / "README.md").read_text("utf-8").splitlines():
        if not line.startswith("|"):
            head = ""
        elif head:
            yield head, line
        else:
            head = line.split("|")[1].strip()


def code_in_first_column(line: str) -> list[str]:
    found: list[str] = re.findall(r"`([^`]+)`", line.split("|")[1])
    return found


def experiments() -> list[list[str]]:
    """Return the words of each experiment: a recipe, and the options that vary it."""
    words = [shlex.split(code) for head, line in rows() if head == "recipe" for code in code_in_first_column(line)]
    return [each for each in words if each[0] not in COMMANDS]


def test_every_recipe_has_a_row_and_every_row_a_recipe() -> None:
    assert {words[0] for words in experiments() if len(words) == 1} == set(list_recipes())
    assert {words[0] for words in experiments()} == set(list_recipes())


def test_every_block_is_a_file() -> None:
    blocks = [code for head, line in rows() if head == "block" for code in code_in_first_column(line)]
    assert len(blocks) > 10 and all((FOLDER / f"{block}.yaml").is_file() for block in blocks)


def test_variations_are_ones_that_the_recipe_takes() -> None:
    variations = [words for words in experiments() if len(words) > 1]
    assert len(variations) > 25
    for name, *options in variations:
        changes = [value for option, value in zip(options[::2], options[1::2], strict=True) if option == "--set"]
        assert set(options[::2]) <= {"--set", "--data", "--test-data"}, name
        assert bool(changes) == (read_recipe(name, changes) != read_recipe(name)), f"{name} {options}"


def test_figures_of_the_files_stand_in_their_rows() -> None:
    listed = [line for head, line in rows() if head == "recipe"]
    for name in list_recipes():
        (line,) = (each for each in listed if each.startswith(f"| `{name}` "))
        figures = {float(number) for number in re.findall(r"\d+\.\d+", line)}
        # The search's row has the genotype that it found; the figures are those of the network built from it.
        assert name == "msinet_search" or figures >= set(read_recipe(name).target.values()), name
