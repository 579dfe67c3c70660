"""What a run has to tell a person besides its results: remarks, and warnings that its record keeps."""

from __future__ import annotations

import contextlib
import warnings
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Notices"]


class Notices:
    """Shows remarks and warnings as one line each; while active, takes in what Python code warns of.

    Args:
        console: where to print; ``None`` shows nothing.
    """

    def __init__(self, console: Console | None) -> None:
        #: all warnings so far, each once
        self.warnings: list[str] = []
        self._console = console
        self._stack = contextlib.ExitStack()
        self._show: Any = None

    def __enter__(self) -> Notices:
        self._stack.enter_context(warnings.catch_warnings())
        self._show = warnings.showwarning
        warnings.showwarning = self._take
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def say(self, text: str) -> None:
        """Print a remark."""
        self._print(text)

    def warn(self, text: str) -> None:
        """Keep a warning and print it; one that was given before is not repeated."""
        text = " ".join(text.split())
        if text not in self.warnings:
            self.warnings.append(text)
            self._print(text, "Warning: ")

    def _print(self, text: str, label: str = "") -> None:
        if self._console is not None:
            from rich.text import Text

            # Paths and names are no markup, and a line that can be searched for is not broken.
            self._console.print(Text.assemble((label, "yellow"), text), soft_wrap=True)

    def _take(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, (UserWarning, RuntimeWarning)):
            self.warn(str(message))
        else:
            self._show(message, category, filename, lineno, file, line)
