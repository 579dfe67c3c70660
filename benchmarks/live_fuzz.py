"""``python -m benchmarks.live_fuzz``: what does the server of ``multicam live`` do with what nobody should send it?

Broken photos, broken bodies, requests that are no HTTP, socket messages that mean nothing, and requests made from the
OpenAPI description. The server is a process of its own that follows people on clips of the simulated room, or one that
runs already. There may be no 5xx, no traceback in what it prints, and no request that stays without an answer. It must
serve as before at the end, and go on processing pictures.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.console import StepBars, print_table, run_command
from benchmarks.live_fuzz_bodies import fuzz_bodies, fuzz_connections, fuzz_sockets
from benchmarks.live_fuzz_photos import broken_photos, good_photos
from benchmarks.live_fuzz_schema import fuzz_schema
from benchmarks.live_fuzz_server import Answers, Client, Engine, Server, goes_on, running_server
from benchmarks.report import make_report, write_json
from tracker.errors import InputError

__all__ = ["app", "fuzz_photos", "main"]

app = typer.Typer(add_completion=False)

_EVERY = 100


def fuzz_photos(server: Server, count: int, seed: int, bars: StepBars) -> Answers:
    """Send so many broken photos, one in four of them in a form."""
    answers, client, progress = Answers("photos"), Client(server), bars.of("photos")
    for number, photo in enumerate(broken_photos(count, seed)):
        body, kind = photo.content, photo.kind
        if number % 4 == 3:
            kind = "multipart/form-data; boundary=edge"
            head = b'--edge\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
            body = head + body + b"\r\n--edge--\r\n"
        path = "/api/search?top=3" + ("&detect=true" if number % 7 == 0 else "")
        client.ask(answers, "POST", path, body, f"{photo.way}, picture {number}", **{"Content-Type": kind})
        if number % _EVERY == _EVERY - 1:
            progress(number + 1, count)
    client.close()
    return answers


def _fuzz_good_photos(server: Server) -> Answers:
    answers, client = Answers("photos as they should be"), Client(server)
    for photo in good_photos():
        client.ask(answers, "POST", "/api/search", photo.content, photo.way, **{"Content-Type": photo.kind})
    client.close()
    return answers


@app.command()
def run(
    count: Annotated[int, typer.Option(min=1, help="Broken photos; and a fifth as many broken bodies.")] = 5000,
    examples: Annotated[
        int, typer.Option(min=0, help="Requests of each operation and kind; 0: none, schemathesis is not needed.")
    ] = 50,
    engine: Annotated[
        Engine,
        typer.Option(help="real: two cameras and the shipped networks; quick: one, and colours for looks."),
    ] = Engine.REAL,
    url: Annotated[str | None, typer.Option(help="Of a server that runs; its people may be changed!")] = None,
    token: Annotated[str | None, typer.Option(help="Of that server.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything that is sent.")] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the report.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Send a server what nobody should, and count how it answers."""
    with running_server(url, token, engine) as server, StepBars(quiet) as bars:
        parts = [_fuzz_good_photos(server), fuzz_photos(server, count, seed, bars)]
        parts.append(fuzz_bodies(server, max(count // 5, 1), seed))
        parts.append(fuzz_connections(server, max(count // 20, 1), seed))
        parts.append(fuzz_sockets(server, max(count // 20, 1), seed))
        if examples:
            parts.append(fuzz_schema(server, examples, seed, bars.of("OpenAPI")))
        after = Answers("status, afterwards")
        Client(server).ask(after, "GET", "/api/status", b"", "status")
        parts.append(after)
        # What was counted is told, whatever became of the server.
        try:
            trouble = goes_on(server)
        except InputError as error:
            trouble = str(error)
        tracebacks = server.tracebacks()
    header = ["sent", "requests", "2xx, 3xx", "4xx", "5xx or not as described", "closed", "no answer", "slowest, s"]
    rows = [
        [
            part.part, str(part.requests), str(part.good), str(part.refused), str(part.errors), str(part.closed),
            str(part.silent), f"{part.slowest:.2f}",
        ]
        for part in parts
    ]  # fmt: skip
    said = "not known: the server was started elsewhere" if server.log is None else str(tracebacks)
    print_table("What a live server answers", header, rows, f"Tracebacks in what the server printed: {said}.")
    for part in parts:
        for example in part.examples:
            print(f"{part.part}: {example}")
    if trouble:
        print(f"the run behind it, afterwards: {trouble}")
    if json is not None:
        behind = engine.value if url is None else url
        settings = {"count": count, "examples": examples, "seed": seed, "engine": behind, "tracebacks": tracebacks}
        lines = [{"name": "fuzz", "sequence": part.part, **asdict(part)} for part in parts]
        write_json(json, make_report("live_fuzz", settings, lines))
    if (
        tracebacks
        or trouble
        or any(part.bad for part in parts)
        or parts[0].good != parts[0].requests
        or after.good != 1
    ):
        raise typer.Exit(1)


def main() -> None:
    """Run the command, see :func:`benchmarks.console.run_command`."""
    run_command(app)


if __name__ == "__main__":
    main()
