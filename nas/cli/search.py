"""nas search: start a search, or go on with it."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli.front import print_front
from nas.cli.front_board import board_of
from nas.cli.listing import complete_experiments, complete_spaces
from nas.cli.several_fronts import print_comparison
from nas.cli.terminal import MaxParams, RunsDir, TableFormat, TrackingUri, busy, errors, output, settings_option
from nas.command_line import RUNS_DIR, command_line, without_password
from nas.errors import NasError
from nas.files.temporary import own_temporary, temporary_files_in
from nas.objectives import PARAMETERS
from nas.quantity import counted
from nas.recipe import offered
from nas.results.trial import TrialStatus

if TYPE_CHECKING:
    from nas.config import ExperimentConfig
    from nas.tuning import Plan, Search


def search(
    experiment: Annotated[
        str,
        typer.Argument(
            help="A shipped experiment (nas list experiments), a .yaml file, a folder of class folders, an .npz file.",
            autocompletion=complete_experiments,
        ),
    ],
    space: Annotated[
        str | None,
        typer.Option(
            help="Search space: a shipped one (nas list spaces), or a .yaml file.", autocompletion=complete_spaces
        ),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Data set: digits, a TFDS name, a folder or an .npz file.")
    ] = None,
    max_params: MaxParams = None,
    board: Annotated[
        str | None,
        typer.Option(help="Search only networks whose int8 form fits this board: nas list boards, or a .yaml file."),
    ] = None,
    strategy: Annotated[str | None, typer.Option(help="How to search (nas list strategies).")] = None,
    early_stopping: Annotated[
        str | None, typer.Option(help="Stop weak trials early: none, pareto-asha or one-epoch-then-top-k.")
    ] = None,
    start_from: Annotated[
        str | None, typer.Option(help="Choose the first trials by earlier searches of the same space: NAME[,NAME].")
    ] = None,
    trials: Annotated[str | None, typer.Option(help="Number of networks to train.")] = None,
    patience: Annotated[
        int | None, typer.Option(help="End when this many trials in a row have hardly improved the front.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of each trial.")] = None,
    time_limit: Annotated[str | None, typer.Option(help="End after this time, with a front: 90s, 30m, 2h.")] = None,
    workers: Annotated[
        str | None, typer.Option(help="Processes that train at the same time: auto, or a number; 0: this process only.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="Where trials run: local (this machine) or ray (a Ray cluster).")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="HOST:PORT of a running Ray cluster; by default, one is started on this machine.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, gpu, tpu, or jax-cpu, which simulates a TPU.")] = None,
    tpu_runtime: Annotated[str | None, typer.Option(help="What trains on a TPU: jax or tensorflow.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random choice.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the search; by default that of the experiment.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a key of the experiment: --set training.batch_size=32.")
    ] = None,
    tracking_uri: TrackingUri = None,
    runs_dir: RunsDir = RUNS_DIR,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over, and set an earlier search of this name aside.")
    ] = False,
    baseline: Annotated[
        str | None, typer.Option(help="Then spend as many epochs on this strategy, such as random, and compare.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be searched; train and write nothing.")
    ] = False,
) -> None:
    """Search for the best network of each size.

    The same command resumes a search that was interrupted.
    """
    from nas.config import named_experiment
    from nas.tuning import Plan, SearchFolder
    from nas.tuning.baseline import at_cost_of, baseline_plan
    from nas.tuning.one_network import one_network_settings

    if os.environ.get("KERAS_BACKEND") == "jax":
        # The user's word for what trains. Here Keras stays on TensorFlow, which exports; workers have a backend each.
        os.environ["KERAS_BACKEND"] = "tensorflow"
        device = device or "jax-cpu"
    given = {
        "space": space,
        "dataset.name": dataset,
        "budget.max_parameters": max_params,
        "board": board,
        "strategy": strategy,
        "early_stopping": early_stopping,
        "start_from": None if start_from is None else start_from.split(","),
        "trials": trials,
        "patience": patience,
        "training.epochs": epochs,
        "time_limit": time_limit,
        "workers": workers if workers is None or not workers.isdecimal() else int(workers),
        "engine": engine,
        "ray_address": ray_address,
        "device": device,
        "tpu_runtime": tpu_runtime,
        "seed": seed,
        "name": name,
    }
    overrides = {key: value for key, value in given.items() if value is not None} | settings_option(set_ or [])
    if space is not None:
        overrides = one_network_settings(space) | overrides
    # A folder of images may take a while to look through.
    with busy("reading the experiment and its data"):
        plan = Plan.of(named_experiment(experiment, overrides), runs_dir, fresh=fresh)
    # Before anything runs: a mistake in it is not told after hours.
    other = None if baseline is None else baseline_plan(plan.experiment, baseline)
    if not fresh:
        for each in filter(None, (plan, other)):
            folder = SearchFolder(runs_dir, each.experiment.name)
            if folder.exists:
                folder.check_same(each.experiment, each.space_text, each.info, {})
    if dry_run:
        from nas.tracking.store import Store

        Store.resolve(runs_dir, tracking_uri)
        _print_plan(plan, other, runs_dir, fresh)
        return
    done = _complete(plan, runs_dir, tracking_uri, fresh)
    if other is not None:
        compared = _complete(at_cost_of(done, other), runs_dir, tracking_uri, fresh)
        print_comparison([done, compared], TableFormat.table, runs_dir)


def _complete(plan: Plan, runs_dir: Path, tracking_uri: str | None, fresh: bool) -> Search:
    """Run a search, or find it finished, and print its front."""
    from nas.tuning import Search, SearchFolder

    folder = SearchFolder(runs_dir, plan.experiment.name)
    if folder.exists and not fresh:
        ended = Search(folder.name, runs_dir)
        if ended.is_done(plan.experiment):
            ended.check_succeeded()
            errors.print(f"The search {folder.name!r} is finished; {_more(ended)}.")
            print_front(ended, runs_dir, board=board_of(ended, None))
            _catch_up(ended, runs_dir, tracking_uri)
            return ended
    done = _run(plan, runs_dir, tracking_uri, fresh)
    print_front(done, runs_dir, board=board_of(done, None), tracking_uri=tracking_uri)
    _print_address(done, tracking_uri)
    return done


def _more(finished: Search) -> str:
    """How a finished search could have more trials."""
    more = f"--trials with more than {finished.ended_trials} adds trials"
    return f"{'its space is used up' if finished.exhausted else more}, --fresh starts over"


def _catch_up(search: Search, runs_dir: Path, tracking_uri: str | None) -> None:
    """Write what MLflow misses of a finished search: its server was away, or the search was killed at the end."""
    try:
        search.sync(tracking_uri, finished=True)
    except NasError as error:
        again = command_line("sync", search.name, runs_dir=runs_dir, tracking_uri=tracking_uri)
        errors.print(f"{str(error).rstrip('.')}. To write what is missing: {again}", markup=False, soft_wrap=True)


def _print_address(search: Search, tracking_uri: str | None) -> None:
    """Where a tracking server shows the front; with a database of one's own, `nas ui` does, which was printed."""
    from nas.tracking.ui import remote_url

    url = remote_url(search.tracking_run(tracking_uri))
    if url is not None:
        errors.print(f"In MLflow:\n  {url}", markup=False, soft_wrap=True)


def _run(plan: Plan, runs_dir: Path, tracking_uri: str | None, fresh: bool) -> Search:
    from nas.cli.progress import Progress
    from nas.cli.signals import Signals, TerminatedError
    from nas.tuning import SearchFolder, run

    experiment = plan.experiment
    folder = SearchFolder(runs_dir, experiment.name)
    known = folder.trials() if folder.exists and not fresh else []
    if known:
        ended = sum(trial.status is not TrialStatus.RUNNING for trial in known)
        errors.print(f"Resuming {folder.name!r} after {counted(ended, 'trial')}.")
    size = "x".join(map(str, plan.info.input_shape))
    errors.print(
        f"Searching {plan.space.name!r} on {plan.info.name} ({size}, {plan.task.described(plan.info.labels)}), "
        f"{experiment.budget}; {_trainings(experiment)}.",
        markup=False,
    )
    progress = Progress(
        trials=experiment.trials,
        epochs=experiment.training.epochs,
        time_limit=experiment.time_limit,
        score=experiment.score,
        costs=experiment.costs,
        known=known,
    )
    try:
        # What libraries leave in the directory for temporary files, they clear away at the end: unless it is Ctrl-C.
        with own_temporary() as temporary, temporary_files_in(temporary), Signals() as signals, progress:
            return run(
                plan,
                runs_dir=runs_dir,
                tracking_uri=tracking_uri,
                fresh=fresh,
                observers=(signals, progress),
                command=_command_line(),
            )
    except KeyboardInterrupt as interrupt:
        # Of the journal: the last trial may have ended there and not been shown yet.
        known = folder.trials() if folder.exists else []
        kept = sum(1 for trial in known if trial.status is not TrialStatus.RUNNING)
        again = shlex.join([sys.argv[0] if Path(sys.argv[0]).name == "nas" else "nas", *_arguments()])
        errors.print(
            f"Interrupted; kept {counted(kept, 'finished trial')}. Resume with:\n  {again}",
            markup=False,
            soft_wrap=True,
        )
        if isinstance(interrupt, TerminatedError):
            raise typer.Exit(128 + signal.SIGTERM) from None
        raise


def _trainings(experiment: ExperimentConfig) -> str:
    return f"{counted(experiment.trials, 'trial')} of {counted(experiment.training.epochs, 'epoch')}"


def _command_line() -> str:
    """As it was typed, to be shown with the results."""
    return shlex.join(["nas", *_arguments()])


def _arguments() -> list[str]:
    """Those that go on with the search, without a password: they are kept, printed and shared."""
    return [without_password(argument) for argument in sys.argv[1:] if argument != "--fresh"]


def _print_plan(plan: Plan, baseline: Plan | None, runs_dir: Path, fresh: bool) -> None:
    """What would be searched; what a search would refuse before its first trial is refused here, too."""
    from nas.datasets import Finding, is_users_own, look, whole
    from nas.datasets.findings import described, findings
    from nas.tuning import Search, SearchFolder

    experiment, space = plan.experiment, plan.space
    size = "x".join(map(str, plan.info.input_shape))
    output.print(f"search    {experiment.name}")
    counts = ", ".join(f"{count:,} {split}" for split, count in plan.info.images.items())
    images = f"{counts} images" if counts else "crops of its objects and of background"
    found: list[Finding] = []
    folder = SearchFolder(runs_dir, experiment.name)
    earlier = Search(folder.name, runs_dir) if folder.exists and not fresh else None
    if earlier is not None:
        folder.check_whole()
    if is_users_own(experiment.dataset):
        data, exact = look(whole(experiment))
        if earlier is not None and exact:
            folder.check_data(data)
        images, found = described(data), findings(data)
    output.print(
        f"data      {plan.info.name}: {size}, {plan.task.described(plan.info.labels)}; {images}",
        markup=False,
        soft_wrap=True,
    )
    for finding in found:
        output.print(f"          {finding.text}", markup=False, soft_wrap=True)
    least, most = plan.proposals.counts(PARAMETERS)
    networks = plan.proposals.networks()
    output.print(f"space     {space.name}: {networks} architectures, {least:,} to {most:,} parameters", markup=False)
    if experiment.choices:
        recipes = len(plan.proposals.recipes)
        both = plan.proposals.networks(times=recipes)
        output.print(f"choices   {offered(experiment.choices)}", markup=False, soft_wrap=True)
        output.print(f"          {counted(recipes, 'training')} of each network: {both} candidates", markup=False)
    low = ", ".join(cost.name for cost in experiment.costs)
    output.print(f"wanted    high {experiment.score.objective}, low {low}")
    output.print(f"budget    {experiment.budget}")
    output.print(f"strategy  {experiment.strategy}, {_trainings(experiment)}")
    if baseline is not None:
        output.print(f"baseline  {baseline.experiment.strategy}, for as many epochs, as {baseline.experiment.name}")
    if earlier is not None and earlier.is_done(experiment):
        earlier.check_succeeded()
        output.print(f"finished  after {counted(earlier.ended_trials, 'trial')}; {_more(earlier)}")
        return
    if earlier is not None and earlier.observed_trials:
        output.print(f"resumes   after {counted(earlier.ended_trials, 'trial')}")
        return
    if plan.start:
        output.print(f"begins    with {counted(len(plan.start), 'given or recommended network')}")
    output.print("first proposals:")
    for first in plan.first_proposals(5):
        output.print(f"  {first.count.parameters:>11,}  {first.in_words}", markup=False)
