"""nas ui: the MLflow UI on a search."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli.listing import complete_searches
from nas.cli.terminal import RUNS_DIR, RunsDir, TrackingUri, output


def ui(
    name: Annotated[str | None, typer.Argument(help="Name of a search.", autocompletion=complete_searches)] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the server, on this machine only.")] = 5000,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open a browser.")] = True,
    tracking_uri: TrackingUri = None,
    runs_dir: RunsDir = RUNS_DIR,
) -> None:
    """Open the MLflow UI on a search, until Ctrl-C."""
    from nas.tracking.ui import serve, url_of
    from nas.tuning import Search

    run = None if name is None else Search(name, runs_dir).tracking_run(tracking_uri)
    with serve(runs_dir, tracking_uri, port=port) as address:
        url = url_of(address, run)
        output.print(f"{url}\nCtrl-C ends it.", markup=False, soft_wrap=True)
        if open_browser:
            typer.launch(url)
        address.wait()
