"""What the command line does, for notebooks and programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.tuning import Search
    from nas.tuning.observer import Observer


def search(
    experiment: str | Path | None = None,
    *,
    space: str | None = None,
    dataset: object = None,
    max_parameters: int | str | None = None,
    strategy: str | None = None,
    trials: int | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    runs_dir: str | Path = "runs",
    tracking_uri: str | None = None,
    fresh: bool = False,
    observers: Sequence[Observer] = (),
) -> Search:
    """Search for the best networks of each size; goes on with an unfinished search.

    Args:
        experiment: a shipped experiment such as "digits", or the path of a .yaml file. Without one, the other arguments
            say it all: at least `space` and `dataset`.
        space: another search space, by name or path. One that is a single network, such as "reference/lenet5", means
            one trial without the experiment's budget.
        dataset: another data set: "digits", a TFDS name, a folder of class folders, an .npz file. Or the images
            themselves: `(images, labels)`, numpy arrays as an .npz file would have them, or a `tf.data.Dataset` of
            (image, label); several of these by split, as `(train, test)`, `(train, validation, test)` or {"train": ...,
            "validation": ..., "test": ..., "class_names": [...]}; or a dict with the keys of an .npz file.
        max_parameters: the budget; numbers, or text such as "20k".
        strategy: how to search.
        trials: how many architectures are trained.
        epochs: of each trial.
        seed: fixes every random choice.
        name: of the search; the experiment's if left out, or "arrays" without one.
        settings: any other key of the experiment file, such as {"training.batch_size": 32}.
        runs_dir: where searches are kept.
        tracking_uri: of MLflow; MLFLOW_TRACKING_URI or a database in `runs_dir` if left out.
        fresh: set an earlier search of the same name aside.
        observers: told of every trial and epoch.

    Returns:
        The finished search: `.front`, `.trials`, `.best(max_parameters)`, `.export(folder)`.

    Raises:
        NasError: in one sentence, what is wrong and what to do.
    """
    from nas.config import load_experiment
    from nas.datasets import InMemory
    from nas.files.paths import ARRAYS
    from nas.files.shipped import find_experiment
    from nas.tuning import Plan, run
    from nas.tuning.one_network import one_network_settings

    in_memory = dataset is not None and not isinstance(dataset, str | Path)
    given = {
        "space": space,
        "dataset.name": str(dataset) if isinstance(dataset, str | Path) else None,
        "budget.max_parameters": max_parameters,
        "strategy": strategy,
        "trials": trials,
        "training.epochs": epochs,
        "seed": seed,
        "name": name,
    }
    overrides = {key: value for key, value in given.items() if value is not None} | dict(settings or {})
    if space is not None:
        overrides = one_network_settings(space) | overrides
    if in_memory:
        overrides.pop("dataset.name", None)
        overrides["dataset.name"] = ARRAYS  # after a whole section of settings
        if experiment is None:
            overrides.setdefault("name", ARRAYS)
    config = load_experiment(None if experiment is None else find_experiment(str(experiment)), overrides)
    data = InMemory.of(dataset, config.dataset) if in_memory else None
    plan = Plan.of(config, runs_dir, fresh=fresh, data=data)
    return run(plan, runs_dir=runs_dir, tracking_uri=tracking_uri, fresh=fresh, observers=observers)
