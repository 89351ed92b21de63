"""What the command line does, for notebooks and programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.errors import NasError, shown

if TYPE_CHECKING:
    from nas.space import SearchSpace
    from nas.tuning import Search
    from nas.tuning.observer import Observer


def search(
    experiment: str | Path | None = None,
    *,
    space: str | Path | SearchSpace | Mapping[str, Any] | None = None,
    dataset: object = None,
    max_params: int | str | None = None,
    board: str | None = None,
    strategy: str | None = None,
    early_stopping: str | None = None,
    start_from: Sequence[str] | None = None,
    trials: int | None = None,
    patience: int | None = None,
    epochs: int | None = None,
    time_limit: float | str | None = None,
    workers: int | str | None = None,
    engine: str | None = None,
    ray_address: str | None = None,
    device: str | None = None,
    tpu_runtime: str | None = None,
    seed: int | None = None,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    runs_dir: str | Path | None = None,
    tracking_uri: str | None = None,
    fresh: bool = False,
    observers: Sequence[Observer] = (),
    loss: Callable[[Any, Any], Any] | None = None,
    metrics: Sequence[Any] = (),
    optimizer: Callable[[Any], Any] | None = None,
    callbacks: Sequence[Callable[[str], Any]] = (),
    max_parameters: int | str | None = None,
) -> Search:
    """Search for the best network of each size, or resume an unfinished search.

    Arguments have the names of the options of `nas search`; those left out come from the experiment.

    Args:
        experiment: a shipped experiment such as "digits", the path of a .yaml file, or a folder of class folders or an
            .npz file, which are searched as the shipped experiment "pictures" says. Without one, give at least `space`
            and `dataset`.
        space: a search space: its name or path, a `SearchSpace`, or what a file would hold as dicts and lists. One that
            is a single network, such as "reference/lenet5", means one trial without the experiment's budget.
        dataset: a data set: "digits", a TFDS name, a folder of class folders, an .npz file. Or the images
            themselves: `(images, labels)`, numpy arrays as an .npz file would have them, or a `tf.data.Dataset` of
            (image, label); several of these by split, as `(train, test)`, `(train, validation, test)` or {"train": ...,
            "validation": ..., "test": ..., "class_names": [...]}; or a dict with the keys of an .npz file.
        max_params: the budget; numbers, or text such as "20k".
        board: only networks whose int8 form fits it: a shipped board such as "stm32f446re", or a .yaml file.
        strategy: how to search.
        early_stopping: how weak trials are stopped early: "none", "pareto-asha", ...
        start_from: earlier searches of the same space that choose the first trials.
        trials: number of networks to train.
        patience: end when this many trials in a row have hardly improved the front.
        epochs: of each trial.
        time_limit: seconds, or text such as "30m".
        workers: processes that train at the same time, or "auto"; 0 trains in this process.
        engine: "local" or "ray".
        ray_address: HOST:PORT of a running Ray cluster.
        device: "auto", "cpu", "gpu", "tpu" or "jax-cpu".
        tpu_runtime: "jax" or "tensorflow".
        seed: of every random choice.
        name: of the search; the experiment's if left out, or "arrays" without one.
        settings: any other key of the experiment file, such as {"training.batch_size": 32}.
        runs_dir: where searches are kept; NAS_RUNS_DIR, else "runs", if left out.
        tracking_uri: of MLflow; MLFLOW_TRACKING_URI or a database in `runs_dir` if left out.
        fresh: set an earlier search of the same name aside.
        observers: objects that are told of every trial and epoch.
        loss: in place of the head's: a function of (targets, outputs) that returns a number for each image, or a
            `keras.losses.Loss` object.
        metrics: reported beside the score: functions of (targets, outputs) that return a number for each image, and
            `keras.metrics.Metric` objects, which are made anew for each training.
        optimizer: in place of `training.optimizer`: a function that makes one from the schedule of the learning rate,
            such as `keras.optimizers.Lion`.
        callbacks: functions that each make a Keras callback, given the training's name, such as "trial-17".
        max_parameters: earlier name of `max_params`.

    Returns:
        The finished search: `.front`, `.trials`, `.best(max_params)`, `.load_model()`, `.export(folder)`.

    Raises:
        NasError: in one sentence, what is wrong and what to do.
    """
    from nas.command_line import runs_folder
    from nas.config import load_experiment, named_experiment
    from nas.datasets import InMemory, whole
    from nas.files.paths import ARRAYS
    from nas.space import SearchSpace
    from nas.training.own import Own
    from nas.tuning import Plan, run
    from nas.tuning.one_network import one_network_settings
    from nas.tuning.search import one_limit

    if isinstance(space, Mapping):
        space = SearchSpace.parse(space)
    elif isinstance(space, Path):
        space = str(space)
    elif not isinstance(space, str | SearchSpace | None):
        raise NasError(
            f"space must be a name, a path, a SearchSpace, or a mapping as a file has it; received {shown(space)}"
        )
    definition = None if space is None or isinstance(space, str) else space.definition
    in_memory = dataset is not None and not isinstance(dataset, str | Path)
    given = {
        "space": space if definition is None else definition.name,
        "dataset.name": str(dataset) if isinstance(dataset, str | Path) else None,
        "budget.max_parameters": one_limit(max_params, max_parameters),
        "board": board,
        "strategy": strategy,
        "early_stopping": early_stopping,
        "start_from": None if start_from is None else list(start_from),
        "trials": trials,
        "patience": patience,
        "training.epochs": epochs,
        "time_limit": time_limit,
        "workers": workers,
        "engine": engine,
        "ray_address": ray_address,
        "device": device,
        "tpu_runtime": tpu_runtime,
        "seed": seed,
        "name": name,
    }
    overrides = {key: value for key, value in given.items() if value is not None} | dict(settings or {})
    if space is not None:
        overrides = one_network_settings(space if isinstance(space, str) else space.definition) | overrides
    if in_memory:
        overrides.pop("dataset.name", None)
        overrides["dataset.name"] = ARRAYS  # after a whole section of settings
        if experiment is None:
            overrides.setdefault("name", ARRAYS)
    config = load_experiment(None, overrides) if experiment is None else named_experiment(str(experiment), overrides)
    data = InMemory.of(dataset, whole(config)) if in_memory else None
    own = Own.of(loss=loss, metrics=metrics, optimizer=optimizer, callbacks=callbacks)
    folder = runs_folder(runs_dir)
    plan = Plan.of(config, folder, fresh=fresh, data=data, definition=definition, own=own)
    return run(plan, runs_dir=folder, tracking_uri=tracking_uri, fresh=fresh, observers=observers)
