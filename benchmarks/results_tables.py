"""``python -m benchmarks.results_tables``: tables of README and docs from ``benchmarks/results``, never by hand.

A page says what it wants on a line of its own, and what stands up to the end mark is replaced::

    <!-- results:NAME -->                            all rows of NAME.json, its main figures
    <!-- results:NAME:SEQUENCE -->                   only rows of this sequence, for example combined
    <!-- results:NAME:SEQUENCE:HOTA,MOTA -->         only these figures; * is every sequence
    <!-- /results -->
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.console import run_command
from benchmarks.report import markdown_table, write_markdown
from benchmarks.report_files import read_report
from benchmarks.report_tables import figure_tables, figures_of, format_figure, measured, short_name
from tracker.errors import InputError, nearest_name_hint

__all__ = ["app", "main", "page_with_tables", "results_table"]

_BEGIN = re.compile(r"^<!-- results:([\w.-]+)(?::([^:\s]+))?(?::([\w@.,]+))? -->$")
_END = "<!-- /results -->"
_CHECKOUT = Path(__file__).resolve().parent.parent

app = typer.Typer(add_completion=False)


@app.command()
def tables(
    root: Annotated[Path, typer.Option(help="Checkout: its README.md and docs/*.md are changed.")] = _CHECKOUT,
    results: Annotated[Path | None, typer.Option(help="Folder of NAME.json; benchmarks/results by default.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 if a table is not what the results say.")
    ] = False,
) -> None:
    """Put the figures of benchmarks/results into the tables of README.md and docs."""
    folder = results or root / "benchmarks" / "results"
    pages = [page for page in (root / "README.md", *sorted((root / "docs").glob("*.md"))) if page.is_file()]
    if not pages:
        raise InputError(f"no README.md and no docs/*.md in {root}; give the folder of the checkout")
    # All are made before any is written.
    made = {page: page_with_tables(page, folder) for page in pages}
    changed = [page for page, text in made.items() if text != page.read_text(encoding="utf-8")]
    for page in changed:
        print(f"{page.relative_to(root)}: {'differs from the results' if check else 'tables written'}")
        if not check:
            write_markdown(page, made[page])
    if check and changed:
        raise typer.Exit(1)
    if not changed:
        print("all tables are what the results say")


def page_with_tables(page: Path, folder: Path) -> str:
    """Return the text of a page with its tables made anew.

    Args:
        page: Markdown.
        folder: of the results.

    Raises:
        InputError: a mark without an end, no such results, or a sequence or figure that they do not have.
    """
    lines, made, position = page.read_text(encoding="utf-8").split("\n"), list[str](), 0
    while position < len(lines):
        line = lines[position]
        made.append(line)
        position += 1
        found = _BEGIN.match(line)
        if found is None:
            continue
        start = position
        while position < len(lines) and lines[position] != _END:
            if _BEGIN.match(lines[position]):
                break
            position += 1
        if position == len(lines) or lines[position] != _END:
            raise InputError(f"{page}, line {start}: {line} has no end; add a line {_END}")
        try:
            made += (
                results_table(folder, found[1], found[2] or "*", (found[3] or "").split(",")).rstrip("\n").split("\n")
            )
        except InputError as error:
            raise InputError(f"{page}, line {start}: {error}") from None
    return "\n".join(made)


def results_table(folder: Path, name: str, sequence: str = "*", figures: Sequence[str] = ()) -> str:
    """Return the table of ``NAME.json`` as Markdown.

    Args:
        folder: of the results.
        name: of the file.
        sequence: whose rows; ``*``: all.
        figures: their columns; none: the main figures.

    Raises:
        InputError: no such file, or it has no such sequence or figure.
    """
    rows = measured(read_report(folder / f"{name}.json")["rows"])
    chosen = [row for row in rows if sequence in ("*", row["sequence"])]
    if not chosen:
        raise InputError(f"{name}.json has no sequence {sequence}: {nearest_name_hint(sequence, _sequences(rows))}")
    wanted = [figure for figure in figures if figure]
    known = figures_of(chosen)
    for figure in wanted:
        if figure not in known:
            raise InputError(f"{name}.json has no figure {figure}: {nearest_name_hint(figure, known)}")
    wanted = wanted or figure_tables(chosen)[0][0][2:]
    lines = []
    for row in chosen:
        label = short_name(row["name"])
        label = f"{row['sequence']}, {label}" if sequence == "*" else label
        lines.append([label, *(format_figure(figure, row.get(figure)) for figure in wanted)])
    return markdown_table(["", *wanted], lines)


def _sequences(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["sequence"] for row in rows))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; what a person got wrong is one line and exit code 2."""
    run_command(app, arguments)


if __name__ == "__main__":
    main()
