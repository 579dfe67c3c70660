"""The ``multicam`` command."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from apps.commands import COMMANDS, LazyCommands

__all__ = ["app", "main"]


class _Overview(TyperGroup):
    """The commands by name: the overview imports none of them, and a command none of the others."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = LazyCommands()

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


app = typer.Typer(
    name="multicam",
    cls=_Overview,
    help="One identity per person across cameras: from videos to tracks, and proof of how well it works.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    # Rich takes longer to import than all else that the overview needs.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"multicam {version('multicam-tracker')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> None:
    """Run the command; what a person can mend is one line on standard error and exit code 2."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    try:
        code = app(args=arguments, standalone_mode=False)
    except KeyboardInterrupt:
        _fail("stopped.", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ValueError as error:
        if type(error).__name__ != "InputError":
            raise
        _fail(str(error), 2)
    except ImportError as error:
        if "libGL" not in str(error) and "libgthread" not in str(error):
            raise
        _fail(f"OpenCV needs a system library ({error}): install it, on Debian: apt-get install libgl1 libglib2.0-0", 2)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _fail(f"{(error.strerror or str(error)).lower()}{where}", 2)
    except Exception as error:
        # Typer's own errors, which derive from click's or from a copy of them, as the version has it.
        if not hasattr(error, "format_message"):
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            # Of commands below this one the help has been printed already.
            if help_ := error.format_message():
                typer.echo(help_, err=True)
            sys.exit(2)
        from apps.usage import usage_problem

        _fail(usage_problem(error, sys.argv[1:] if arguments is None else arguments), 2)
    else:
        if isinstance(code, int) and code:
            sys.exit(code)


def _fail(message: str, code: int) -> NoReturn:
    with contextlib.suppress(BrokenPipeError):
        print(f"multicam: {' '.join(message.split())}", file=sys.stderr, flush=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
