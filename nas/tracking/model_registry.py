"""A trained network in MLflow's model registry."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, final

import numpy as np
import numpy.typing as npt

from nas.errors import NasError
from nas.objectives import DEVICE_COSTS, PARAMETERS
from nas.tasks import TASKS
from nas.tracking import runs
from nas.tracking.store import import_mlflow
from nas.tracking.tracker import one_line

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run, RunInfo
    from mlflow.models import ModelSignature

    from nas.architecture import Architecture
    from nas.architecture.keras_types import KerasModel
    from nas.results.trial import TrialRecord
    from nas.tracking.projection import SearchRun

logger = logging.getLogger(__name__)

ALIAS = "champion"
"""Of the version that was registered last: `models:/NAME@champion`."""

EXPORT = "export"
"""Folder of a version with the files for a device, as `nas export` wrote them, and their card `export.json`."""


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredModel:
    """A version in the registry.

    Attributes:
        name: of the model.
        version: from 1.
        run_id: of the trial's run.
    """

    name: str
    version: int
    run_id: str

    @property
    def uri(self) -> str:
        """Of this version, for `mlflow.pyfunc.load_model` and `mlflow models serve`."""
        return f"models:/{self.name}/{self.version}"


def register_model(
    search: SearchRun,
    record: TrialRecord,
    model: KerasModel,
    *,
    name: str,
    labels: Sequence[str],
    example: npt.NDArray[np.uint8],
    files: Path | None = None,
) -> RegisteredModel:
    """Log a network as an MLflow model of its trial's run, and make it the champion of a registered model.

    It takes what a SavedModel takes, uint8 images, and returns what that returns.

    Args:
        search: which is in MLflow already.
        record: the trial.
        model: the trained `keras.Model`: images in [0, 1] to the outputs of its head.
        name: of the registered model; made if there is none.
        labels: one a class.
        example: uint8 `(n, height, width, channels)`, n > 0, stored as the input example.
        files: a folder of an export for a device, which the version then has as its folder `EXPORT`, with what is known
            of the int8 file in its tags and description.

    Raises:
        NasError: the name is none, the trial is not in MLflow, or the store cannot be written.
    """
    if not name.strip() or set(name) & set("/:"):
        raise NasError(f"a registered model's name has no / and no :, and is not empty; received {name!r}")
    import_mlflow()
    import mlflow

    score = search.objectives.score
    tags = {
        "nas.architecture_id": record.architecture.id,
        "nas.parameters": str(record.parameters),
        f"nas.{score.objective}": f"{record.observed:.6g}",
    }
    description = (
        f"{record.architecture.describe()}: {PARAMETERS.words(record.parameters)}, "
        f"validation {score.heading} {score.text(record.observed)}"
    )
    if files is not None:
        costs = {cost: record.cost(cost) for cost in DEVICE_COSTS if record.has_cost(cost)}
        tags |= {f"nas.{cost.name}": f"{value:.0f}" for cost, value in costs.items()}
        known = [cost.words(value) for cost, value in costs.items()]
        if "int8_val_score" in record.metrics:
            twin = record.metrics["int8_val_score"]
            tags[f"nas.{score.in_int8.objective}"] = f"{twin:.6g}"
            known.append(f"validation {score.in_int8.heading} {score.text(twin)}")
        description += f"; {EXPORT}/ has its files for a device: {', '.join(known)}"
    try:
        client = search.store.connect()
        run = _run_of(client, search, record)
        served, signature = _served(record.architecture, model, example)
        # The client's own calls instead of `log_model`, which works on a global store and a global active run.
        logged = client.create_logged_model(run.experiment_id, "model", source_run_id=run.run_id, tags=tags)
        # Given, because finding them out takes seconds and starts another process.
        packages = [f"{package}=={metadata.version(package)}" for package in ("tensorflow", "keras", "numpy")]
        with TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            path.mkdir()
            mlflow.keras.save_model(
                served,
                str(path),
                mlflow_model=mlflow.models.Model(run_id=run.run_id, model_id=logged.model_id),
                signature=signature,
                input_example=example,
                pip_requirements=packages,
                metadata={"labels": list(labels)},
            )
            if files is not None:
                shutil.copytree(files, path / EXPORT)
            client.log_model_artifacts(logged.model_id, str(path))
        client.finalize_logged_model(logged.model_id, "READY")
        if not client.search_registered_models(f"name = '{name.replace(chr(39), chr(39) * 2)}'", max_results=1):
            client.create_registered_model(name)
        # A bare database would look for `models:/ID` in MLflow's global store, which may be another one.
        direct = search.store.artifact_root is not None
        version = client.create_model_version(
            name,
            source=logged.artifact_location if direct else f"models:/{logged.model_id}",
            run_id=run.run_id,
            tags=tags,
            model_id=logged.model_id,
            description=description,
        ).version
        client.set_registered_model_alias(name, ALIAS, version)
    except NasError:
        raise
    except Exception as error:  # see Tracker
        logger.debug("MLflow", exc_info=True)
        raise NasError(one_line(error, search.store)) from error
    return RegisteredModel(name=name, version=int(version), run_id=run.run_id)


def _run_of(client: MlflowClient, search: SearchRun, record: TrialRecord) -> RunInfo:
    experiment = client.get_experiment_by_name(search.experiment)
    found: Sequence[Run] = ()
    if experiment is not None:
        query = f"tags.`{runs.SEARCH_ID}` = '{search.search_id}' AND tags.`{runs.TRIAL}` = '{record.number}'"
        found = client.search_runs([experiment.experiment_id], query, max_results=1)
    if not found:
        raise NasError(
            f"trial {record.number} of {search.name!r} is not in MLflow at {search.store.label}; add it with: "
            f"nas sync {search.name}"
        )
    return found[0].info


def _served(
    architecture: Architecture, model: KerasModel, example: npt.NDArray[np.uint8]
) -> tuple[KerasModel, ModelSignature]:
    """A `keras.Model` from uint8 images to what is served, and what MLflow says of its input and output."""
    import keras
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    image = keras.Input(example.shape[1:], dtype="uint8", name="image")
    # Without the optimizer's state, and with the scaling inside.
    head = architecture.head
    outputs = TASKS[head.task].served(head.answers(model(keras.layers.Rescaling(1 / 255)(image))))
    alone = len(outputs) == 1
    described: list[ColSpec | TensorSpec] = [
        TensorSpec(np.dtype(output.dtype), (-1, *output.shape[1:]), None if alone else name)
        for name, output in outputs.items()
    ]
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, *example.shape[1:]))]), outputs=Schema(described)
    )
    return keras.Model(image, *outputs.values()) if alone else keras.Model(image, outputs), signature
