"""The options by which every command that detects or embeds says what runs its networks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from apps.settings import NetworkSettings

__all__ = ["MODELS", "NetworkOptions"]

#: where these options stand in a command's help
MODELS = "Models"


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """What runs the networks, and how exactly; a group of options (see :mod:`apps.option_groups`)."""

    device: Annotated[str, typer.Option(help="auto, cpu, cuda:0, …", rich_help_panel=MODELS)] = "auto"
    runtime: Annotated[
        str,
        typer.Option(
            help="What runs the networks: auto (PyTorch on a GPU, else OpenVINO), openvino, onnxruntime, torch.",
            rich_help_panel=MODELS,
        ),
    ] = "auto"
    precision: Annotated[
        str,
        typer.Option(
            help="auto, float32, bfloat16, float16 (GPUs), or int8 with --calibration-images.", rich_help_panel=MODELS
        ),
    ] = "auto"
    calibration_images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Pictures like those of the cameras, for int8.", rich_help_panel=MODELS),
    ] = None

    def settings(self) -> NetworkSettings:
        """Return the same, checked.

        Raises:
            InputError: a runtime or a precision that there is not, or 8 bits without what they are fitted to.
        """
        from apps.settings import NetworkSettings
        from apps.validation import checked
        from tracker.errors import InputError

        if (self.precision == "int8") != (self.calibration_images is not None):
            raise InputError(
                "--precision int8 and --calibration-images DIR go together: 8 bits are fitted to what such pictures "
                "give"
            )
        return checked(NetworkSettings, **asdict(self))

    def arguments(self) -> list[str]:
        """Return the command line that says the same: only what is not the default."""
        given: dict[str, Any] = asdict(self)
        return [
            word
            for name, value in given.items()
            if value != getattr(_DEFAULTS, name)
            for word in (f"--{name.replace('_', '-')}", str(value))
        ]


_DEFAULTS = NetworkOptions()
