from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from nas.config import DatasetConfig
from nas.datasets import DatasetError, load


def test_are_scikit_learns(tfds_dir):
    from sklearn.datasets import load_digits

    from nas.datasets import digits

    arrays = digits.load_arrays(DatasetConfig(name="digits", data_dir=str(tfds_dir)))
    theirs = load_digits()
    assert arrays.train.images.shape == (1797, 8, 8, 1)
    # Same images in the same order, 16 levels spread over 0..255.
    assert np.abs(arrays.train.images[..., 0] / 255 * 16 - theirs.images).max() < 0.04
    assert arrays.train.images.max() == 255
    assert (arrays.train.targets == theirs.target).all()


def test_split_sizes(tfds_dir):
    spec = load(DatasetConfig(name="digits", data_dir=str(tfds_dir)))
    assert (len(spec.train), len(spec.validation), len(spec.test)) == (1150, 288, 359)


def test_plain_tfds_reads_them(tfds_dir):
    import tensorflow_datasets as tfds

    load(DatasetConfig(name="digits", data_dir=str(tfds_dir)))
    builder = tfds.builder_from_directory(tfds_dir / "digits" / "1.0.0")
    assert builder.info.splits["train"].num_examples == 1797
    assert builder.info.supervised_keys == ("image", "label")
    assert sum(1 for _ in builder.as_dataset(split="train[:10]")) == 10


def test_two_processes_prepare_at_once(tmp_path):
    """This one and another, which is started before they begin."""
    import tensorflow_datasets  # noqa: F401

    config = DatasetConfig(name="digits", data_dir=str(tmp_path))
    code = (
        "import sklearn.datasets, tensorflow_datasets;"
        "from nas.config import DatasetConfig; from nas.datasets import load;"
        "print(input('ready '), flush=True);"
        f"print(len(load(DatasetConfig(name='digits', data_dir={str(tmp_path)!r})).train))"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    other = subprocess.Popen([sys.executable, "-c", code], **pipes, text=True)
    other.stdin.write("go\n")
    other.stdin.flush()
    assert other.stdout.readline() == "ready go\n"
    assert len(load(config).train) == 1150
    out, err = other.communicate(timeout=120)
    assert out == "1150\n", err
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "downloads") == ["digits"]


def test_second_process_throws_its_copy_away(tmp_path):
    """The race for certain: the other one finishes while this one is at work."""
    from nas.datasets import digits, tfds_prepare

    def make(stage):
        builder = digits.builder_class()(data_dir=stage)
        generate = builder.download_and_prepare

        def late(**arguments):
            generate(**arguments)
            tfds_prepare.install(lambda other: digits.builder_class()(data_dir=other), tmp_path)

        builder.download_and_prepare = late
        return builder

    target = tfds_prepare.install(make, tmp_path)
    assert (target / "dataset_info.json").is_file()
    assert not list(tmp_path.glob(".incomplete-*"))


def test_what_a_killed_process_had_half_prepared_is_removed(tmp_path):
    from nas.datasets import digits, tfds_prepare

    context = multiprocessing.get_context("fork")

    def die(stage):
        (stage / "images").touch()
        os.kill(os.getpid(), signal.SIGKILL)

    process = context.Process(target=tfds_prepare.install, args=(die, tmp_path))
    process.start()
    process.join()
    assert len(list(tmp_path.glob(".incomplete-*"))) == 1
    tfds_prepare.install(lambda stage: digits.builder_class()(data_dir=stage), tmp_path)
    assert not list(tmp_path.glob(".incomplete-*"))


def test_folder_that_cannot_be_written(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(DatasetError, match=r"needs a folder it can write to; .*set dataset\.data_dir or TFDS_DATA_DIR"):
        load(DatasetConfig(name="digits", data_dir=os.fspath(blocked / "below")))
