"""nas ui: the MLflow UI on a search."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Annotated

import typer

from nas.cli.listing import complete_searches
from nas.cli.terminal import RunsDir, TrackingUri, duration_option, errors, output
from nas.command_line import RUNS_DIR


def ui(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="A search; several are compared.", metavar="[NAME]...", autocompletion=complete_searches),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the server; by default the first free one from 5000.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address on which the server listens; by default this machine only.")
    ] = "127.0.0.1",
    wait: Annotated[str, typer.Option(help="How long the server may take to start: 90s, 20m.")] = "5m",
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open a browser.")] = True,
    tracking_uri: TrackingUri = None,
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """Open the MLflow UI on a search's Pareto chart; Ctrl-C stops it."""
    from nas.tracking.ui import comparison_url_of, serve, url_of
    from nas.tuning import Search
    from nas.tuning.killed import sync_killed

    seconds = duration_option("--wait", wait)
    runs = [Search(name, runs_dir).tracking_run(tracking_uri) for name in names or ()]
    errors.print("Starting the MLflow UI ...", style="dim")
    previous = signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        with serve(runs_dir, tracking_uri, port=port, host=host, start_seconds=seconds) as server:
            sync_killed(runs_dir, tracking_uri)
            url = comparison_url_of(server, runs) if len(runs) > 1 else url_of(server, runs[0] if runs else None)
            output.print(url, markup=False, soft_wrap=True)
            if open_browser:
                typer.launch(url)
            if server.process is not None:
                errors.print("Ctrl-C stops it.")
            server.wait()
    except KeyboardInterrupt:
        errors.print("The MLflow UI has stopped.")
    finally:
        signal.signal(signal.SIGTERM, previous)


def _as_interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's signature
    raise KeyboardInterrupt
