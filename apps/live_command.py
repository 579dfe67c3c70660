"""The options of ``multicam live``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.network_options import NetworkOptions
from apps.option_groups import with_option_groups
from apps.run_options import TRACKING, ModelOptions, TrackingOptions, run_values

__all__ = ["live"]

_PAGE = "Page"
_STORAGE = "Storage and events"
_INPUT = "Input"


@with_option_groups
def live(
    context: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(help="Webcam numbers, rtsp:// or http:// addresses, videos, cameras.yaml."),
    ],
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0: any.", rich_help_panel=_PAGE)] = 8080,
    address: Annotated[
        str,
        typer.Option(
            help="Where the page is served; any but this computer's own needs a token.", rich_help_panel=_PAGE
        ),
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(
            help="What everybody who asks must know; made and printed where one is needed.",
            envvar="MULTICAM_TOKEN",
            show_envvar=True,
            rich_help_panel=_PAGE,
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.", rich_help_panel=_PAGE)] = False,
    store: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="People, sightings and crops; goes on where it ended.", rich_help_panel=_STORAGE
        ),
    ] = Path("multicam-live.sqlite"),
    keep_days: Annotated[float, typer.Option(help="What is older leaves the store.", rich_help_panel=_STORAGE)] = 30.0,
    events: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON lines that every event is appended to.", rich_help_panel=_STORAGE),
    ] = None,
    zones: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Zones and lines, also as drawn in the page; by default zones.json beside the store.",
            rich_help_panel=_STORAGE,
        ),
    ] = None,
    blur_faces: Annotated[
        bool, typer.Option("--blur-faces", help="Hide heads in all that is shown and stored.", rich_help_panel=_STORAGE)
    ] = False,
    blur_people: Annotated[
        bool,
        typer.Option(
            "--blur-people", help="Hide whole people in all that is shown and stored.", rich_help_panel=_STORAGE
        ),
    ] = False,
    realtime: Annotated[
        bool,
        typer.Option(
            "--realtime/--no-realtime",
            help="Recordings play at their own speed, or as fast as it goes.",
            rich_help_panel=_INPUT,
        ),
    ] = True,
    loop: Annotated[bool, typer.Option("--loop", help="Recordings begin again.", rich_help_panel=_INPUT)] = False,
    max_rate: Annotated[
        float,
        typer.Option(
            help="Pictures a second of each camera that are looked at, at most; 0: all.", rich_help_panel=_INPUT
        ),
    ] = 15.0,
    models: ModelOptions,
    networks: NetworkOptions,
    tracking: TrackingOptions,
    embedding: Annotated[
        str,
        typer.Option(
            help="where-needed: embed crops that may change a decision; every: all that are fit.",
            rich_help_panel=TRACKING,
        ),
    ] = "where-needed",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Show live cameras in a browser, with one identity for each person across all of them."""
    from rich.console import Console

    from apps.live_settings import LiveSettings
    from apps.validation import checked
    from tracker.cross_camera.identity_settings import LONG_RUN
    from tracker.errors import InputError

    if embedding not in ("where-needed", "every"):
        raise InputError(f"--embedding is {embedding!r}: give where-needed or every")
    settings = checked(
        LiveSettings,
        sources=sources,
        realtime=realtime,
        loop=loop,
        max_rate=max_rate,
        store=store,
        keep_days=keep_days,
        events=events,
        zones=zones,
        blur_faces=blur_faces,
        blur_people=blur_people,
        **run_values(
            context,
            models,
            networks,
            tracking,
            identities=LONG_RUN,
            pipeline={"embedding": {"rule": embedding}},
        ),
    )
    from apps.live import run_live

    console = None if quiet else Console(stderr=True)
    run_live(settings, address=address, port=port, token=token, open_browser=open_, console=console)
