"""nas datasets: make data ready, and look at them before they are trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli.terminal import Format, errors, output, settings_option
from nas.errors import NasError
from nas.recipe import offered

if TYPE_CHECKING:
    from nas.config import AugmentationConfig, ExperimentConfig
    from nas.datasets import DatasetSpec

SHOWN = 5
"""Names under a finding."""

app = typer.Typer(help="Prepare, check and draw data sets.", no_args_is_help=True)


@app.callback()
def _datasets() -> None:
    pass


@app.command("prepare")
def prepare(
    name: Annotated[str, typer.Argument(help="A TFDS name, such as fashion_mnist or cifar10.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder with the idx files of an MNIST-like set; default: download.")
    ] = None,
    data_dir: Annotated[str | None, typer.Option(help="Where TFDS keeps prepared data sets.")] = None,
    manual_dir: Annotated[str | None, typer.Option(help="Where TFDS finds files that you downloaded yourself.")] = None,
) -> None:
    """Prepare a TFDS data set: download it, or make it from local idx files."""
    from nas.datasets import prepare as from_files
    from nas.datasets import prepare_tfds

    where = prepare_tfds(name, data_dir, manual_dir) if source is None else from_files(name, source, data_dir)
    output.print(f"{name} is ready in {where}", markup=False, soft_wrap=True)


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="A folder of class folders, an .npz file, or a TFDS name.")],
    image_size: Annotated[str | None, typer.Option(help="Size in pixels to resize images to: 32, or 24x32.")] = None,
    fit: Annotated[str, typer.Option(help="How to resize images of another shape: stretch, crop or pad.")] = "stretch",
    grayscale: Annotated[bool, typer.Option("--grayscale", help="Convert images to one channel.")] = False,
    data_dir: Annotated[str | None, typer.Option(help="Where TFDS keeps prepared data sets.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override any other key of dataset: --set dataset.as=crops.")
    ] = None,
    format: Annotated[Format, typer.Option(help="Output format.")] = Format.table,
) -> None:
    """Read all images and report their splits, what is left out, and what looks wrong, with names."""
    from nas.datasets import load
    from nas.datasets.findings import described, findings
    from nas.devices import without_noise
    from nas.tasks import TASKS

    options = {"image_size": image_size, "fit": fit, "grayscale": grayscale, "data_dir": data_dir}
    config = _experiment(name, {f"dataset.{key}": value for key, value in options.items()}, set_, ("dataset",)).dataset
    with without_noise():
        # So that all files that cannot be read are told, and not the first alone.
        spec = load(config.model_copy(update={"skip_corrupt": True}))
    found = findings(spec)
    if format is Format.json:
        document = {
            "name": spec.info.name,
            "input_shape": list(spec.info.input_shape),
            "labels": list(spec.info.labels),
            "splits": {
                split: {"images": len(part), "drawn": split in spec.drawn, "digest": part.digest}
                for split, part in spec.splits.items()
            },
            "findings": [{"text": each.text, "names": list(each.names)} for each in found],
        }
        output.file.write(json.dumps(document, indent=2) + "\n")
    else:
        size = "x".join(map(str, spec.info.input_shape))
        task = TASKS[spec.info.task].described(spec.info.labels)
        output.print(f"{spec.info.name}: {size}, {task}; {described(spec)}", markup=False, soft_wrap=True)
        for finding in found:
            output.print(f"* {finding.text}", markup=False, soft_wrap=True)
            for each in finding.names[:SHOWN]:
                output.print(f"    {each}", markup=False, soft_wrap=True)
            if len(finding.names) > SHOWN:
                output.print(f"    and {len(finding.names) - SHOWN:,} more (--format json has all)")
        if not found:
            output.print("Nothing stands out.")
    if any(finding.unreadable for finding in found):
        raise NasError(
            "a search needs every image to be readable; remove the files that are not, or set dataset.skip_corrupt"
        )


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A data set, as an experiment names it.")],
    to: Annotated[Path, typer.Option(help="The .svg file to write.")],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Override a key of training.augmentation or dataset: --set training.augmentation.zoom=0.2."
        ),
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=100, help="Number of images.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the changes.")] = 0,
) -> None:
    """Draw some training images with their classes, masks or boxes, and as augmentation, if any, changes them."""
    from nas.datasets import load, whole
    from nas.devices import import_tensorflow

    if to.suffix.lower() != ".svg":
        raise NasError(f"--to writes .svg; received {str(to)!r}")
    experiment = _experiment(name, {}, set_, ("dataset", "training.augmentation"))
    import_tensorflow()
    drawing = _drawn(load(whole(experiment)), experiment.training.augmentation, count, seed)
    try:
        to.write_text(drawing, encoding="utf-8")
    except OSError as error:
        raise NasError(f"cannot write {to}: {error.strerror}; choose another file") from None
    errors.print(f"The drawing is in {to}.", markup=False, soft_wrap=True)


def _experiment(
    name: str, options: Mapping[str, Any], set_: list[str] | None, sections: tuple[str, ...]
) -> ExperimentConfig:
    """What reads the images of one kind; `sections` of it can be set."""
    from nas.config import load_experiment

    given = settings_option(set_ or [])
    for key in given:
        if not key.startswith(tuple(f"{section}." for section in sections)):
            raise NasError(f"--set takes keys of {' and '.join(sections)} here; received {key!r}; leave it out")
    # A space is needed by any experiment, and none is looked at.
    named = {"name": "data", "space": "tiny", "dataset.name": name, **options}
    experiment = load_experiment(None, named | given)
    if experiment.choices:
        raise NasError(f"one kind of images is read; received {offered(experiment.choices)}; give one value each")
    return experiment


def _drawn(data: DatasetSpec, augmentation: AugmentationConfig, count: int, seed: int) -> str:
    """The images; with augmentation a row each, with as many changed ones as there is room for."""
    import numpy as np

    from nas.config import AugmentationConfig
    from nas.datasets.augmentation import augment, check_augmentation
    from nas.tasks import TASKS
    from nas.tasks.tiles import ACROSS, tiles

    task = TASKS[data.info.task]
    check_augmentation(data.info.input_shape, augmentation, task)
    # Spread, as a folder's images are in the order of their classes.
    places = np.linspace(0, len(data.train) - 1, min(count, len(data.train))).astype(int)
    images, targets = data.train.images[places], data.train.targets[places]
    columns = [task.marked(images, targets, data.info.labels)]
    for column in range(1, ACROSS if augmentation != AugmentationConfig() else 1):
        changed, movement = augment(images, augmentation, (seed, column))
        pixels = np.rint(np.asarray(changed)).astype(np.uint8)
        columns.append(task.marked(pixels, np.asarray(task.move(targets, movement)), data.info.labels))
    captions = [
        (f"changed, {column}" if column else task.caption(target, data.info.labels), True)
        for target in targets
        for column in range(len(columns))
    ]
    drawn = np.stack([pixels for pixels, _ in columns], axis=1)
    marks = [column[1][row] for row in range(len(places)) for column in columns]
    return tiles(drawn.reshape(-1, *drawn.shape[2:]), captions, marks)
